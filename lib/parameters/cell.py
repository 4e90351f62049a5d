"""The parameters cell of a notebook, with other values in it; all else stays as it was written."""

import ast
import json
from collections.abc import Mapping
from typing import Any


def literal(value: Any) -> str:
    """Return a value as Python, with quotes as the notebooks have them.

    Args:
        value: A text, a whole number, a truth value, or lists and dicts of such.
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # its escapes are Python's, too
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(name)}: {literal(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def with_values(source: str, values: Mapping[str, Any]) -> str:
    """Return a parameters cell with other values of the names that it assigns; comments stay.

    Args:
        source: The cell's, such as papermill reads or injects: one assignment a name.
        values: Names to values; those that the cell does not assign are left out.
    """
    encoded = source.encode()  # in which Python counts its columns
    begins = [0]
    for line in encoded.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    for node in reversed(ast.parse(source).body):
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if len(names) == 1 and names[0] in values and isinstance(node, ast.Assign):
            place, new = node.value, values[names[0]]
            begin = begins[place.lineno - 1] + place.col_offset
            end = begins[(place.end_lineno or place.lineno) - 1] + (place.end_col_offset or 0)
            if not _is(place, new):
                encoded = encoded[:begin] + literal(new).encode() + encoded[end:]
    return encoded.decode()


def _is(node: ast.expr, value: Any) -> bool:
    """Say whether a literal has this value already; `True` is not 1."""
    try:
        return literal(ast.literal_eval(node)) == literal(value)
    except ValueError:  # no literal: whoever wrote it computes something
        return False
