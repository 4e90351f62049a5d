"""What DuckDB is told before a query."""

import re
from functools import cache
from pathlib import Path

# Constants would otherwise be computed before it is clear that they are needed, and fail outside of TRY and
# CASE; so would what a query says twice. And type_pushdown makes the CSV reader's TRY_CAST strict.
_NOT_WANTED = ("expression_rewriter", "statistics_propagation", "common_subexpressions", "type_pushdown")
SETTINGS = (
    f"SET disabled_optimizers = '{','.join(_NOT_WANTED)}'; SET timezone = 'UTC';"
    " SET order_by_non_integer_literal = true"
)
_NAME = re.compile(r"\b(?:trino_\w+|list_has_null)\b")


@cache
def all_macros() -> dict[str, str]:
    """Return each macro's name and definition."""
    text = Path(__file__).with_name("trino_macros.sql").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    found = [each.strip() for each in re.split(r";$", "\n".join(lines), flags=re.MULTILINE)]
    return {
        definition.split("(")[0].removeprefix("CREATE MACRO "): definition
        for definition in found
        if definition
    }


def used(sql: str) -> list[str]:
    """List the macros that a query names, and those that these name.

    Args:
        sql: In DuckDB's words.

    Returns:
        Their names, each after those that it needs.
    """
    found: dict[str, None] = {}

    def add(text: str) -> None:
        for name in dict.fromkeys(_NAME.findall(text)):
            if name in all_macros() and name not in found:
                add(all_macros()[name].split(" AS ", 1)[1])
                found[name] = None

    add(sql)
    return list(found)


def definitions(sql: str) -> str:
    """Return the statements that make the macros that a query needs."""
    return ";\n".join(all_macros()[name] for name in used(sql))
