"""What a Glue classifier makes of an object's first bytes: format, columns, types, SerDe. No AWS calls here.

The rules are AWS's, as far as they are documented:
https://docs.aws.amazon.com/glue/latest/dg/add-classifier.html (built-in classifiers, the CSV header)
https://docs.aws.amazon.com/glue/latest/dg/custom-classifier.html (the custom CSV classifier)
How AWS types columns of numbers is not documented. Here a column gets a type only if Athena, which reads the
files by it, then has each value as it is written: 02134 is a string, since as bigint it is 2134; and so is
what a bigint or a double cannot hold. On AWS, look at such columns after a crawl.
"""

import csv
import io
import json
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest

BUILT_IN_DELIMITERS = (",", "|", "\t", ";", "\x01")
# Of a gzip file's beginning, unpacked: never more, whatever it claims to hold.
MAX_PLAIN_BYTES = 8 * 1024 * 1024
LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
OPEN_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
# Leading zeros and more than six digits after a plus are of codes and telephone numbers.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)|\+(0|[1-9][0-9]{0,5})")
_CODE = re.compile(r"[-+]?0[0-9].*|\+[0-9]{7,}", re.DOTALL)
_BOOLEAN = re.compile(r"true|false", re.IGNORECASE)

Columns = dict[str, str]

# Of Hive's types, and bigint for numbers that a double would round: no double holds both.
LONG = "bigint beyond double"


@dataclass(frozen=True)
class Schema:
    """What a classifier found.

    Attributes:
        classification: "csv" or "json".
        columns: Name → Hive type or LONG, in the file's order.
        serde: The SerDe's Java class.
        serde_parameters: The SerDe's parameters.
        table_parameters: What the format adds to the table's parameters.
        records: How many the sample holds.
        bytes: The sample's size.
    """

    classification: str
    columns: Columns
    serde: str
    serde_parameters: dict[str, str]
    table_parameters: dict[str, str] = field(default_factory=dict)
    records: int = 0
    bytes: int = 0


def classify(sample: bytes, truncated: bool, classifiers: Sequence[dict]) -> Schema | None:
    """Let the crawler's own classifiers, then the built-in ones, say what an object is.

    Args:
        sample: The object's first bytes.
        truncated: Whether the object goes on after them.
        classifiers: As `glue.get_classifier` returns them, in the crawler's order; only CSV ones count.

    Returns:
        The first answer, or None: Glue calls such an object UNKNOWN.
    """
    is_gzip = sample.startswith(b"\x1f\x8b")
    plain = zlib.decompressobj(wbits=31).decompress(sample, MAX_PLAIN_BYTES) if is_gzip else sample
    text = _decode(plain, truncated or len(plain) == MAX_PLAIN_BYTES)
    if not text:
        return None
    custom = [_custom_csv(text, known["CsvClassifier"]) for known in classifiers if "CsvClassifier" in known]
    schema = next((schema for schema in custom if schema), None) or _json(text) or _built_in_csv(text)
    compression = {"compressionType": "gzip" if is_gzip else "none"}
    return schema and replace(
        schema, bytes=len(sample), table_parameters=schema.table_parameters | compression
    )


def merge_columns(one: Columns, other: Columns) -> Columns:
    """Unite the columns of two files of one table, each with a type that can hold both.

    Args:
        one: Name → type.
        other: Name → type; its new columns come last.

    Returns:
        Name → type.
    """
    return one | {name: _widest({one.get(name, kind), kind}) for name, kind in other.items()}


def hive_type(kind: str) -> str:
    """Return the Hive type of a column whose type is that or LONG."""
    return "bigint" if kind == LONG else kind


def _decode(sample: bytes, truncated: bool) -> str | None:
    """The sample's whole lines as text, or None for what is not UTF-8 text."""
    if truncated:
        sample = sample[: sample.rfind(b"\n") + 1]
    try:
        text = sample.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _custom_csv(text: str, classifier: dict) -> Schema | None:
    """A custom CSV classifier's answer, or None if the text does not fit it."""
    delimiter, quote = classifier.get("Delimiter") or ",", classifier.get("QuoteSymbol")
    rows = _rows(text, delimiter, quote)
    if not _is_table(rows, 1 if classifier.get("AllowSingleColumn") else 2, needed_rows=1):
        return None
    # AWS's default is to leave values as they are: " 1" is a string.
    trim = (lambda value: value) if classifier.get("DisableValueTrimming", True) else str.strip
    header = {"PRESENT": True, "ABSENT": False}.get(classifier.get("ContainsHeader") or "UNKNOWN")
    header = _has_header(rows) if header is None else header
    names = classifier.get("Header") or (rows[0] if header else None)
    columns = _columns(names, rows[1:] if header else rows, trim)
    return _csv_schema(columns, len(rows), header, delimiter, quote, _serde(classifier, text))


def _built_in_csv(text: str) -> Schema | None:
    """The built-in CSV classifier's answer; it needs two columns, two rows and one of its five delimiters."""
    for delimiter in BUILT_IN_DELIMITERS:
        rows = _rows(text, delimiter, '"')
        if _is_table(rows, 2, needed_rows=2):
            header = _has_header(rows)
            columns = _columns(rows[0] if header else None, rows[1:] if header else rows, str.strip)
            return _csv_schema(columns, len(rows), header, delimiter, '"', LAZY_SIMPLE)
    return None


def _rows(text: str, delimiter: str, quote: str | None) -> list[list[str]]:
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    # newline="" semantics: a quoted field may hold line breaks.
    return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, **quoting) if row]


def _is_table(rows: list[list[str]], needed_columns: int, needed_rows: int) -> bool:
    return (
        len(rows) >= needed_rows and len(rows[0]) >= needed_columns and len({len(row) for row in rows}) == 1
    )


def _has_header(rows: list[list[str]]) -> bool:
    """AWS's rule: the first row is all short text, and some row below it is not all text."""
    short = all(value.strip() and len(value) < 150 for value in rows[0][:-1])
    return short and _is_all_text(rows[0]) and not all(map(_is_all_text, rows[1:]))


def _is_all_text(row: list[str]) -> bool:
    return not any(_NUMBER.fullmatch(value.strip()) or _BOOLEAN.fullmatch(value.strip()) for value in row)


def _columns(names: Sequence[str] | None, rows: list[list[str]], trim: Callable[[str], str]) -> Columns:
    width = max(len(names or []), len(rows[0]) if rows else 0)
    values = zip_longest(*rows) if rows else [()] * width
    labels = [name.strip().lower() for name in names or []] + [""] * width
    kinds = [_widest({_value_type(trim(value)) for value in column}) for column in values]
    # A name that is missing is Glue's col0, col1, …; one that comes twice is treated alike: places stay.
    unique = [label if label not in labels[:i] else "" for i, label in enumerate(labels)]
    return {unique[i] or f"col{i}": kind for i, kind in enumerate(kinds)}


def _value_type(value: str) -> str | None:
    """The narrowest type of one value; None for an empty one, which fits any."""
    if not value:
        return None
    if _BOOLEAN.fullmatch(value):
        return "boolean"
    if not _NUMBER.fullmatch(value) or _CODE.fullmatch(value):
        return "string"
    if _WHOLE.fullmatch(value):
        return _whole_type(int(value)) if len(value) <= 20 else "string"
    return "double" if _is_double(value) else "string"


def _whole_type(number: int) -> str:
    """The type of a whole number that may be negative; what 64 bits cannot hold is a string."""
    if abs(number) <= 2**53:
        return "bigint"
    return LONG if -(2**63) <= number < 2**63 else "string"


def _is_double(number: str) -> bool:
    """Whether a double is the number that is written, and not a neighbour of it.

    Many programs write each double with 17 digits: 48.053808600000004 is 48.0538086.
    """
    value = float(number)
    return _digits(number) in (_digits(repr(value)), _digits(f"{value:.16e}"))


def _digits(number: str) -> str:
    return re.sub("[^0-9]", "", number.lower().partition("e")[0]).strip("0")


def _widest(found: set[str | None]) -> str:
    """The one type that holds them all."""
    kinds = {kind for kind in found if kind is not None}
    if len(kinds) == 1:
        return kinds.pop()
    for family in (("int", "bigint"), ("int", "bigint", LONG), ("int", "bigint", "double")):
        if kinds and kinds <= set(family):
            return family[-1]
    return "string"


def _serde(classifier: dict, text: str) -> str:
    """The classifier's SerDe; when it leaves the choice to the crawler, quoted text gets OpenCSVSerDe."""
    chosen = {"OpenCSVSerDe": OPEN_CSV, "LazySimpleSerDe": LAZY_SIMPLE}.get(classifier.get("Serde", ""))
    return chosen or (OPEN_CSV if (classifier.get("QuoteSymbol") or "\0") in text else LAZY_SIMPLE)


def _csv_schema(
    columns: Columns, rows: int, header: bool, delimiter: str, quote: str | None, serde: str
) -> Schema:
    parameters = {"field.delim": delimiter, "serialization.format": delimiter}
    if serde == OPEN_CSV:
        parameters = {"separatorChar": delimiter, "quoteChar": quote or '"', "escapeChar": "\\"}
        parameters["serialization.format"] = "1"
        columns = dict.fromkeys(columns, "string")  # OpenCSVSerDe reads text and nothing else
    table = {"delimiter": delimiter, "columnsOrdered": "true"}
    table["areColumnsQuoted"] = str(serde == OPEN_CSV).lower()
    if header:
        table["skip.header.line.count"] = "1"
    return Schema("csv", columns, serde, parameters, table, rows - header)


def _json(text: str) -> Schema | None:
    """One object a line, the only JSON that Athena reads: a spread-out one is not recognized.

    https://docs.aws.amazon.com/athena/latest/ug/json-serde.html
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        # A number that a double would round is kept as text.
        read = partial(json.loads, parse_float=lambda number: float(number) if _is_double(number) else number)
        records = [read(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return None
    columns: Columns = {}
    for record in records:
        known = {name.lower(): _json_type(value) for name, value in record.items() if value is not None}
        columns = merge_columns(columns, known)
    columns = {name.lower(): "string" for record in records for name in record} | columns
    return Schema("json", columns, JSON_SERDE, {"paths": ",".join(sorted(columns))}, records=len(records))


def _json_type(value: object) -> str:
    if isinstance(value, dict):
        fields = (f"{name.lower()}:{hive_type(_json_type(item))}" for name, item in value.items())
        return f"struct<{','.join(fields)}>"
    if isinstance(value, list):
        return f"array<{hive_type(_widest({_json_type(item) for item in value}))}>"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if abs(value) < 2**31 else _whole_type(value)
    if isinstance(value, bool):
        return "boolean"
    return "double" if isinstance(value, float) else "string"
