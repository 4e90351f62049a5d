"""The table of *ingest*, as parameters describe it: its columns, and the keys that are made of them.

What each type takes is in docs/table-files.md.
"""

import json
import re
from collections.abc import Mapping

COLUMN_TYPES = (
    "string",
    "integer",
    "integer>=0",
    "decimal",
    "decimal>=0",
    "boolean",
    "timestamp",
    "json",
)
COLUMN = re.compile(r"\{([^{}]+)\}")
# What an item has besides its columns, and what a column may therefore not be called.
OWN_NAMES = ("pk", "sk", "source_key", "expires")


def column_of(text: str) -> tuple[str, str]:
    """Return the name and the type of a column.

    Args:
        text: Such as `price decimal`; a name may have blanks in it.

    Raises:
        ValueError: If it is no name and type, with what to write.
    """
    name, _, kind = text.rpartition(" ")
    name = name.strip()
    if not name or kind not in COLUMN_TYPES:
        raise ValueError(
            f"{text!r} is no column: write its name, a blank and its type, such as 'price decimal'; the "
            f"types are {', '.join(COLUMN_TYPES)}"
        )
    if name.lower() in OWN_NAMES:
        raise ValueError(
            f"{text!r}: an item has a {name} of its own; leave the column out, which leaves out its "
            "values, or give it another name in the files"
        )
    return name, kind


def columns_of(texts: list[str]) -> dict[str, str]:
    """Return the types of columns by their names.

    Args:
        texts: As for `column_of`.

    Raises:
        ValueError: If one is none, or two have one name, upper or lower case.
    """
    found = dict(map(column_of, texts))
    if len({name.lower() for name in found}) < len(texts):
        raise ValueError(f"columns: each name once, upper and lower case are the same; found {texts}")
    return found


def template_of(key: str) -> str:
    """Return a key as a template, such as `{ticker}` for the column `ticker`.

    Args:
        key: A column's name, or a template.
    """
    return key if not key or COLUMN.search(key) else f"{{{key}}}"


def check_key(parameter: str, key: str, columns: Mapping[str, str]) -> None:
    """Refuse what can be no key.

    Args:
        parameter: Which one says it.
        key: A column's name, or a template.
        columns: Names to types.

    Raises:
        ValueError: With what is wrong and what to write.
    """
    parts = COLUMN.split(template_of(key))
    names, between = parts[1::2], parts[2:-1:2]
    if not names:
        raise ValueError(f"{parameter}: name a column")
    if any("{" in text or "}" in text for text in parts[::2]):
        raise ValueError(
            f"{parameter}: {key!r} has a brace without a column; write such as {{country}}#{{city}}"
        )
    if unknown := [name for name in names if name not in columns]:
        raise ValueError(
            f"{parameter}: columns does not describe {', '.join(unknown)}; it describes {', '.join(columns)}"
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{parameter}: {', '.join(twice)} stands twice in {key!r}")
    if not all(between):
        raise ValueError(
            f"{parameter}: write a text between the columns of {key!r}, such as #, or ab and c would be one "
            "key with a and bc"
        )
    if wrong := [name for name in names if columns[name] == "json"]:
        raise ValueError(f"{parameter}: {', '.join(wrong)} is json, of which no key can be made")


def is_number(key: str, columns: Mapping[str, str]) -> bool:
    """Return whether a key is a number in the table, as one column of numbers alone is; else it is a text.

    Args:
        key: A column's name, or a template.
        columns: Names to types.
    """
    parts = COLUMN.split(template_of(key))
    return len(parts) == 3 and not any(parts[::2]) and columns[parts[1]].startswith(("integer", "decimal"))


def description(columns: Mapping[str, str], **said: str) -> str:
    """Return what the function *consume* is told of its table, in its variable TABLE_DESCRIPTION.

    Args:
        columns: Names to types.
        said: `file_format`, `hash_key`, `range_key`, `empty_values` and `time_to_live_column`.
    """
    keys = {name: template_of(said[name]) for name in ("hash_key", "range_key")}
    return json.dumps({**said, **keys, "columns": columns}, ensure_ascii=False, separators=(",", ":"))
