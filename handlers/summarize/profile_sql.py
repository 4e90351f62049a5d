"""The SQL of a profile, of which DuckDB and Athena (Trino) understand the same: pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from column_types import (
    ANY_DECIMAL,
    BIGINT,
    CERTAIN_CHARACTERS,
    DATE,
    DECIMAL_DIGITS,
    DOUBLE,
    NULL_VALUES,
    TIMESTAMP,
    TYPES,
    VARCHAR,
    Column,
    Type,
)

TOP_VALUES = 5
# Longer values are cut: a summary is for reading, and Athena's queries hold 262,144 bytes.
# https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
MAX_VALUE_CHARACTERS = 200


# Between which values that come back as they were written are of a type: of years, those of four digits; of
# doubles, those that DOUBLE's pattern takes.
CANONICAL = {
    DOUBLE: "-1e99 AND 1e99",
    DATE: "DATE '0001-01-01' AND DATE '9999-12-31'",
    TIMESTAMP: "TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'",
}


@dataclass(frozen=True)
class Functions:
    """What an engine calls differently, or can do differently; `{c}` is a text, `{v}` a value.

    Attributes:
        surplus: How many lines have more fields than the header.
        casts_forgive: Whether casts forgive spaces around a value, and a T between date and time.
        length: How long a text of ASCII is.
        matches: Whether a text matches a pattern `{p}` wholly.
        distinct: The number of different values.
        quartiles: 25 %, 50 % and 75 % quantiles, an array.
        shortened: The first MAX_VALUE_CHARACTERS of a text.
        candidates: Texts among which the most frequent ones are, an array or its JSON; "NULL" for all.
        are_exact: Whether distinct values and quartiles are exact.
        columns_at_once: How many columns a query may have.
    """

    surplus: str
    casts_forgive: bool
    length: str
    matches: str
    distinct: str
    quartiles: str
    shortened: str
    candidates: str
    are_exact: bool
    columns_at_once: int


def measures(functions: Functions, column: Column) -> list[str]:
    """Return the expressions that measure a column, always as many; unpacked by `profiling`."""
    value, column_type = column.value, column.type
    numeric = _as_double(column, value)
    mean_of = value if column.center is None else numeric
    of_type = count_of_type(column, column_type, value, functions, are_ends_seen=True)
    # Nulls count for nothing. FILTER would take longer.
    some = numeric if column.share == 1 else f"CASE WHEN draw < {column.share} THEN {numeric} END"
    drawn = "NULL" if column.share == 1 else f"count({some})"
    return [
        f"count({column.text})",
        f"count({column.text})" if column_type is VARCHAR else of_type,
        functions.distinct.format(v=value),
        f"substr(CAST(min({value}) AS varchar), 1, {MAX_VALUE_CHARACTERS})",
        f"substr(CAST(max({value}) AS varchar), 1, {MAX_VALUE_CHARACTERS})",
        f"avg({mean_of})" if column_type.is_number else "NULL",
        f"stddev_samp({numeric})" if column_type.is_number else "NULL",
        functions.quartiles.format(v=some) if column_type.is_number else "NULL",
        drawn if column_type.is_number else "NULL",
        _candidates(column, functions) if column.repeats else "NULL",
    ]


def type_counts(functions: Functions, column: Column) -> list[str]:
    """Return the expressions that tell a column's type.

    Returns:
        How many values it has; how many are of each of TYPES; how many are decimals, with how many digits
        before the point and after it at most; and one of these.
    """
    whole, after = r"^ *-?([0-9]*)", r"\.([0-9]*) *$"
    return [
        f"count({column.text})",
        *(count_of_type(column, each, cast(column, each, functions), functions) for each in TYPES),
        f"count_if({_matches(column, ANY_DECIMAL, functions)})",
        f"max(length(regexp_extract({column.text}, {literal(whole)}, 1)))",
        f"max(length(regexp_extract({column.text}, {literal(after)}, 1)))",
        f"min(CASE WHEN {_matches(column, ANY_DECIMAL, functions)}"
        f" THEN substr({column.text}, 1, {MAX_VALUE_CHARACTERS}) END)",
    ]


def count_of_type(
    column: Column, column_type: Type, value: str, functions: Functions, are_ends_seen: bool = False
) -> str:
    """Return the expression that counts the values of a type.

    2026-02-30 looks like a date, and is none; and a number that a double rounds is no double.

    Args:
        column: The column.
        column_type: The type.
        value: SQL for the column's value as one of the type.
        functions: The engine's.
        are_ends_seen: Whether somebody looks at the least and the largest time, so that nobody needs to ask
            of each whether its year has four digits.
    """
    matches = _matches(column, column_type.pattern, functions)
    condition, same = matches, f"CAST({value} AS varchar) = {column.text}"
    if column_type is DOUBLE:
        digits = f"{_digits(column.text)} = {_digits(f'CAST({value} AS varchar)')}"
        condition += f" AND CASE WHEN {same} THEN true ELSE {digits} END"
    elif column_type in (BIGINT, DATE, TIMESTAMP) or column_type.scale is not None:
        condition += f" AND {value} IS NOT NULL"
    if functions.casts_forgive:
        # What comes back as it was written matches, and is found sooner than by the pattern.
        limits = CANONICAL.get(column_type)
        if limits and not (are_ends_seen and column_type in (DATE, TIMESTAMP)):
            same = f"{value} BETWEEN {limits} AND {same}"
        condition = f"CASE WHEN {same} THEN true ELSE {condition} END"
    if column_type is DOUBLE:
        is_short = f"{functions.length.format(c=column.text)} <= {CERTAIN_CHARACTERS}"
        is_written = ""
        if functions.casts_forgive and column.decimals is not None:
            # What comes back as it was written from as many digits as a double certainly holds.
            short = f"TRY_CAST({value} AS decimal({CERTAIN_CHARACTERS},{column.decimals}))"
            is_written = f" WHEN CAST({short} AS varchar) = {column.text} THEN true"
        condition = f"CASE{is_written} WHEN {is_short} THEN {matches} ELSE {condition} END"
    return f"count_if({condition})"


def with_values(columns: Sequence[Column], relation: str, functions: Functions) -> str:
    """Return what to select the columns' texts and values from: each value is made once, whatever asks it.

    If some values are to be drawn, `draw` decides of which rows: DuckDB's random() takes as long as a sum.
    """
    values = [
        f", {cast(column, column.type, functions)} AS {column.value}"
        for column in columns
        if column.value != column.text
    ]
    if any(column.share < 1 for column in columns):
        values.append(", random() AS draw")
    return f"(SELECT *{''.join(values)} FROM {relation}) AS valued"


def cast(column: Column, column_type: Type, functions: Functions) -> str:
    """Return the expression for a column's value as one of a type, null if it is none."""
    if column_type is VARCHAR:
        return column.text
    text = column.text if functions.casts_forgive else column_type.prepared.format(c=column.text)
    # To microseconds, as pandas writes them; without a number Athena would round to milliseconds.
    return f"TRY_CAST({text} AS {'timestamp(6)' if column_type is TIMESTAMP else column_type.name})"


def top_values(
    columns: Sequence[Column], candidates: dict[int, list[str] | None], relation: str, functions: Functions
) -> str:
    """Return the query for the most frequent texts of each column, in one scan.

    Grouped by sets of names, since Trino groups by sets of nothing else.
    https://trino.io/docs/current/sql/select.html#complex-grouping-operations

    Args:
        columns: The columns.
        candidates: By column number, the only texts to count; None for all.
        relation: What to select from.
        functions: The engine's.

    Returns:
        A query whose rows are column number, text, count.
    """
    names = [f"g{column.number}" for column in columns]
    texts = ", ".join(
        f"{_only(shortened(column, functions), candidates[column.number])} AS g{column.number}"
        for column in columns
    )
    number = " ".join(f"WHEN g{column.number} IS NOT NULL THEN {column.number}" for column in columns)
    sets = ", ".join(f"({name})" for name in names)
    return most_frequent(
        f"SELECT CASE {number} END AS number, coalesce({', '.join(names)}, NULL) AS value, count(*) AS n"
        f" FROM (SELECT {texts} FROM {relation}) AS texts GROUP BY GROUPING SETS ({sets})"
    )


def most_frequent(counts: str) -> str:
    """Return the query for the most frequent texts, in order.

    Args:
        counts: A query whose rows are column number, text, count.
    """
    return (
        "SELECT number, value, n FROM (SELECT number, value, n,"
        " row_number() OVER (PARTITION BY number ORDER BY n DESC, value) AS place"
        f" FROM ({counts}) AS counts WHERE value IS NOT NULL) AS places"
        f" WHERE place <= {TOP_VALUES} ORDER BY number, place"
    )


def shortened(column: Column, functions: Functions) -> str:
    """Return the expression for the first MAX_VALUE_CHARACTERS of a column's text."""
    return functions.shortened.format(c=column.text)


def null_if_token(text: str) -> str:
    """Return the expression for a text that is null if it is one of the tokens for null."""
    nulls = " ".join(f"WHEN {literal(token)} THEN NULL" for token in NULL_VALUES)
    return f"CASE {text} {nulls} ELSE {text} END"  # DuckDB takes five times as long for NOT IN


def literals(texts: Iterable[str]) -> str:
    """Return texts as SQL, separated by commas."""
    return ", ".join(map(literal, texts))


def literal(text: str) -> str:
    """Return a text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def _matches(column: Column, pattern: str, functions: Functions) -> str:
    return functions.matches.format(c=column.text, p=literal(f"^ *{pattern} *$"))


def _digits(number: str) -> str:
    """Return the expression for the digits of a number but for zeros around them: see `column_types`."""
    return f"trim(BOTH '0' FROM translate(split_part(lower({number}), 'e', 1), '+-. ', ''))"


def _candidates(column: Column, functions: Functions) -> str:
    """Return the expression for how often each candidate is there, or for what may be candidates."""
    text = shortened(column, functions)
    if column.candidates is None:
        return functions.candidates.format(c=text)
    of_each = "count_if({text} = {one})"
    if all(len(each) < MAX_VALUE_CHARACTERS for each in column.candidates):
        text = column.text
        if column.type is TIMESTAMP and functions.casts_forgive:
            # Texts of times are long and begin alike: the few of the same time are compared.
            of_each = f"count_if(CASE WHEN {column.value} = {{time}} THEN {{text}} = {{one}} END)"
    counts = (
        of_each.format(text=text, one=literal(each), time=f"TRY_CAST({literal(each)} AS timestamp(6))")
        for each in column.candidates
    )
    return f"ARRAY[{', '.join(counts)}]"


def _as_double(column: Column, value: str) -> str:
    """Return the expression for a value as a double, or for how far it is from the column's center.

    A difference that is too large for a decimal is large enough for doubles.
    """
    if column.center is None:
        return value if column.type is DOUBLE else f"CAST({value} AS double)"
    name = f"decimal({DECIMAL_DIGITS},{column.type.scale or 0})"
    exact, center = f"CAST({value} AS {name})", f"CAST({column.center_text} AS {name})"
    far = f"CAST({value} AS double) - CAST({center} AS double)"
    return f"coalesce(CAST(TRY({exact} - {center}) AS double), {far})"


def _only(text: str, candidates: list[str] | None) -> str:
    if candidates is None:
        return text
    return (
        f"CASE WHEN {text} IN ({literals(candidates)}) THEN {text} END"
        if candidates
        else "CAST(NULL AS varchar)"
    )
