"""The parameters cell of a notebook, with other values in it; all else stays as it was written."""

import ast
import json
from collections.abc import Iterator, Mapping
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


def assigned(source: str) -> set[str]:
    """Return the names that a cell assigns so that `with_values` can give them other values.

    Args:
        source: The cell's.
    """
    return {name for name, _ in _assignments(source)}


def with_values(source: str, values: Mapping[str, Any]) -> str:
    """Return a parameters cell with other values of the names that it assigns; comments stay.

    Args:
        source: The cell's, such as papermill reads or injects: one assignment a name, with a type or without.
        values: Names to values; those that the cell does not assign are left out.
    """
    encoded = source.encode()  # in which Python counts its columns
    begins = [0]
    for line in encoded.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    for name, place in reversed(list(_assignments(source))):
        if name in values:
            new = values[name]
            begin = begins[place.lineno - 1] + place.col_offset
            end = begins[(place.end_lineno or place.lineno) - 1] + (place.end_col_offset or 0)
            if not _is(place, new):
                encoded = encoded[:begin] + literal(new).encode() + encoded[end:]
    return encoded.decode()


def _assignments(source: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield each name to which a value of its own is assigned, with a type or without, and that value."""
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and node.value:
            yield targets[0].id, node.value


def _is(node: ast.expr, value: Any) -> bool:
    """Say whether a literal has this value already; `True` is not 1."""
    try:
        return literal(ast.literal_eval(node)) == literal(value)
    except ValueError:  # no literal: whoever wrote it computes something
        return False
