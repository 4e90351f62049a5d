"""Writes what is said of parameters elsewhere; `python -m lib.parameters.document` does so anew.

That is the tables in docs/parameters.md, and the comments in the parameters cells of the notebooks.
"""

import ast
import json
from itertools import groupby
from pathlib import Path

from lib.base.marked import with_part
from lib.base.paths import ROOT
from lib.parameters.described import Described, described, description, yaml_value
from lib.parameters.model import Parameters

DOCUMENT = ROOT / "docs/parameters.md"
NOTEBOOKS = ROOT / "notebooks"
PART = "parameters"  # of the document
COLUMNS = ("name", "allowed", "default", "what it is")
TAG = "parameters"  # of the cell, by which papermill knows it, too


def tables() -> str:
    """Return a heading and a table for each section, in Markdown."""
    return "\n".join(
        _table(section, list(rows)) for section, rows in groupby(described(), lambda d: d.section)
    )


def commented(source: str) -> str:
    """Return a parameters cell with the description of each parameter as its comment.

    Args:
        source: The cell's: one assignment a line. What is no parameter of the schema stays as it is.

    Returns:
        The same names and values.
    """
    lines = source.splitlines()
    for node in ast.parse(source).body:
        (target,) = node.targets if isinstance(node, ast.Assign) else [None]
        if not isinstance(target, ast.Name) or target.id not in Parameters.model_fields:
            continue
        last = (node.end_lineno or node.lineno) - 1
        line = lines[last].encode()
        assignment, rest = line[: node.end_col_offset].decode(), line[node.end_col_offset :].decode().strip()
        if not rest or rest.startswith("#"):
            lines[last] = f"{assignment}  # {description(target.id)}"
    return "\n".join(lines)


def write(document: Path = DOCUMENT, notebooks: Path = NOTEBOOKS) -> list[Path]:
    """Write the tables and the comments anew.

    Args:
        document: The file that has the tables, between its two marks.
        notebooks: The folder of the notebooks.

    Returns:
        The files that were not so before.
    """
    texts = {document: with_part(document.read_text("utf-8"), PART, f"\n{tables()}\n")}
    texts |= {path: _with_comments(path.read_text("utf-8")) for path in sorted(notebooks.glob("*.ipynb"))}
    changed = [path for path, text in texts.items() if path.read_text("utf-8") != text]
    for path in changed:
        path.write_text(texts[path], "utf-8")
    return changed


def _table(section: str, rows: list[Described]) -> str:
    heading = f"## {section}\n\n{_sentence(description(section))}" if section else "## Of the environment"
    lines = [" | ".join(row) for row in (COLUMNS, ("---",) * len(COLUMNS), *map(_row, rows))]
    return "\n".join([heading, "", *(f"| {line} |" for line in lines), ""])


def _row(one: Described) -> tuple[str, ...]:
    return f"`{one.name}`", _plain(one.allowed), f"`{yaml_value(one.default)}`", _plain(one.description)


def _plain(text: str) -> str:
    """Return a text in which Markdown sees no marks of its own."""
    return text.replace("*", r"\*").replace("|", r"\|")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _with_comments(text: str) -> str:
    """Return a notebook whose parameters cell has the descriptions as its comments; all else is as it was."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if TAG in cell["metadata"].get("tags", []):
            cell["source"] = commented("".join(cell["source"])).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path in write():
        print(f"wrote {path.relative_to(ROOT)}")
