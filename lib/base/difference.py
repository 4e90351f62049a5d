"""What two values differ in, for people who review a change: unified diffs of their lines."""

import difflib
import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

from lib.base.shown import counted

LINES = 400  # of one diff; of a package that was replaced nobody reads more
TEXTS = (".py", ".json", ".yaml", ".yml", ".sql", ".md", ".txt", ".toml")


def of_values(name: str, found: Any, wanted: Any) -> list[str]:
    """Return the lines of a unified diff of two values of plain JSON types.

    Args:
        name: What they are called.
        found: As it is.
        wanted: As it shall be.
    """
    return [*_diff(name, _lines(found), _lines(wanted))]


def of_zips(name: str, found: bytes, wanted: bytes) -> list[str]:
    """Return what two zips differ in: a diff of each text, and of all else that it is another.

    Args:
        name: What they are called.
        found: The zip that is there; one that cannot be read is as an empty one.
        wanted: The zip that shall be there.
    """
    old, new = _files(found), _files(wanted)
    lines: list[str] = []
    for path in sorted(old.keys() | new.keys()):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        if path.endswith(TEXTS):
            lines += _diff(f"{name}/{path}", _text(before), _text(after))
        else:
            lines.append(f"{name}/{path}: {_size(before)} → {_size(after)}")
    return _cut(lines)


def _diff(name: str, found: list[str], wanted: list[str]) -> list[str]:
    diff = difflib.unified_diff(found, wanted, f"{name} (is)", f"{name} (shall be)", n=2, lineterm="")
    return _cut(list(diff))


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - LINES
    return [*lines[:LINES], f"… and {counted(more, 'line')} more"] if more > 0 else lines


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True, default=str)
    return text.splitlines()


def _files(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as files:
            return {each: files.read(each) for each in files.namelist() if not each.endswith("/")}
    except zipfile.BadZipFile:
        return {}


def _text(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "replace").splitlines()


def _size(content: bytes | None) -> str:
    return "not there" if content is None else f"{len(content):,} bytes"


def first_differing(one: str, other: str) -> Iterator[str]:
    """Yield two texts from shortly before where they differ, so that what is cut off is what they share."""
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    start = max(0, shared - 10)
    yield from (f"…{text[start:]}" if start else text for text in (one, other))
