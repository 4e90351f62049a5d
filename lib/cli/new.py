"""`runbook new`: writes what somebody begins with, from a template in `lib/templates`."""

import ast
import builtins
import contextlib
import json
import keyword
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from lib.base.errors import ParameterError, RunbookError
from lib.base.paths import ROOT
from lib.cli import terminal
from lib.parameters import Parameters
from lib.parameters.document import DOCUMENT, TAG, commented

TEMPLATES = ROOT / "lib" / "templates"
# A bucket's name has 63 characters, of which the pipeline's name takes some from prefix and env.
MOST_CHARACTERS = 12
PURPOSE = "the pipeline that makes an object of each one in a bucket"  # until somebody says it better
DOCUMENT_TIMEOUT_S = 120
NUMBERS = range(51, 60)  # of notebooks: after the pipelines that are there, before what operates them
# Whether a name is one by which something else is known that stands beside pipelines.
RESERVED = frozenset(
    {"common", "lib", "handler", "handlers", "notebooks", "params", "tests", "samples", "new"}
)
CELL = re.compile(r"^```python ?(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
IMPORTED = re.compile(r"^%.*$", re.MULTILINE)

app = typer.Typer(no_args_is_help=True)


@app.callback()
def new() -> None:
    """Write what somebody begins with."""


@app.command(epilog="Example: runbook new pipeline thumbnails")
def pipeline(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Lower-case letters and digits, a letter first; at most 12.")
    ],
) -> None:
    """Write a pipeline that works, to be made your own: S3, SQS, Lambda, S3.

    Its notebook, its handler with its policy, the section of its parameters, a sample and its tests.

    No file that is there is changed but docs/parameters.md, which is generated. Nothing is asked of AWS.
    """
    written = write_pipeline(name)
    for path in written:
        print(f"wrote {path}")
    runbook, notebook = terminal.command_name(), next(path for path in written if path.suffix == ".ipynb")
    print(
        f"\nYour code goes into handlers/{name}/derive.py; CONTRIBUTING.md, *Add a pipeline*, says what else."
    )
    terminal.say_next(
        (f"{runbook} run {name}", f"deploy it and send {notebook.parent}/samples/{name} through it"),
        (f"{runbook} run audit", "is everything where it should be?"),
        (f"{runbook} destroy {name}", "remove it, and prove that nothing is left"),
    )


def write_pipeline(name: str, root: Path = ROOT) -> list[Path]:
    """Write all files of a new pipeline, or none.

    Args:
        name: The pipeline's, and its handler's.
        root: The project.

    Returns:
        The files, relative to the project, sorted.

    Raises:
        ParameterError: If the name is taken, or is none for a pipeline.
        RunbookError: If one of the files is there already.
    """
    if why := why_not(name, root):
        raise ParameterError(f"{name!r} cannot be a pipeline's name: {why}; nothing was written")
    numbers = {path.name[:2] for path in (root / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    number = next((str(each) for each in NUMBERS if str(each) not in numbers), "")
    if not number:
        raise RunbookError(
            f"notebooks {NUMBERS[0]} to {NUMBERS[-1]} are all there: rename one; nothing was written"
        )
    files = render("pipeline", name=name, title=name.capitalize(), number=number, purpose=PURPOSE)
    with written(files, root) as paths:
        _document(root)
    return [*paths, DOCUMENT.relative_to(ROOT)]


def _document(root: Path) -> None:
    """Write the parameters' document anew: by another process, since this one has not the new section."""
    command = [sys.executable, "-m", "lib.parameters.document"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=DOCUMENT_TIMEOUT_S)
    if done.returncode:
        raise RunbookError(f"docs/parameters.md could not be written: {done.stderr.strip()}")


def why_not(name: str, root: Path = ROOT) -> str:
    """Return why something cannot be the name of a pipeline; empty if it can.

    It becomes the name of a section, of a handler, of a variable in all notebooks, and a part of all names.

    Args:
        name: The name.
        root: The project.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]+", name, re.ASCII):
        return "write two or more lower-case letters and digits, a letter first"
    if len(name) > MOST_CHARACTERS:
        return (
            f"it has {len(name)} characters, more than {MOST_CHARACTERS}, which bucket names leave room for"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        return "it is a word of Python's"
    if (root / "handlers" / name).exists():
        return f"there is handlers/{name}"
    if name in Parameters.model_fields or hasattr(Parameters, name):
        return "there is a parameter of that name, or something else that parameters have"
    if name in RESERVED or find_spec(name):
        return "a handler of that name would hide a module, or be taken for something else"
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if path.stem[3:] == name:
            return f"there is notebooks/{path.name}"
        if name in set(_names_used(path)):
            return f"notebooks/{path.name} uses it for something else, and every notebook gets all parameters"
    return ""


def _names_used(notebook: Path) -> Iterator[str]:
    """Yield the names that a notebook's cells assign or import."""
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        with contextlib.suppress(SyntaxError):  # a cell of SQL
            for node in ast.walk(ast.parse(IMPORTED.sub("", "".join(cell["source"])))):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    yield node.id
                elif isinstance(node, ast.alias):
                    yield node.asname or node.name.partition(".")[0]


def render(kind: str, **values: str) -> dict[Path, str]:
    """Return the files of a template, by where they belong in the project.

    A file `….md.j2` below `notebooks` is a notebook: a fence of `python` is a cell of code, with the tags
    that stand behind that word.

    Args:
        kind: A folder in lib/templates.
        values: What goes in the place of the names in it; in paths, those in capitals.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = TEMPLATES / kind
    language = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    files = {}
    for path in sorted(folder.rglob("*.j2")):
        text = language.get_template(path.relative_to(folder).as_posix()).render(values)
        where = path.relative_to(folder).as_posix().removesuffix(".j2")
        for name, value in values.items():
            where = where.replace(name.upper(), value)
        if where.startswith("notebooks/") and where.endswith(".md"):
            where, text = f"{where.removesuffix('.md')}.ipynb", as_notebook(text, values["number"])
        files[Path(where)] = text
    return files


def as_notebook(text: str, number: str) -> str:
    """Return a notebook's JSON of its text.

    Args:
        text: Markdown, in which fences of Python are cells of code.
        number: What the ids of its cells begin with.
    """
    # Here, since no other command needs it, and by lib.execution, which says what it does without.
    import lib.execution  # noqa: F401, I001
    import nbformat
    from nbformat import v4

    cells, end = [], 0
    for found in CELL.finditer(text):
        if prose := text[end : found.start()].strip():
            cells.append(v4.new_markdown_cell(prose))
        tags, source = found[1].split(), found[2].strip()
        if TAG in tags:
            source = commented(source)
        cells.append(v4.new_code_cell(source, metadata={"tags": tags} if tags else {}))
        end = found.end()
    cells.append(v4.new_markdown_cell(text[end:].strip()))
    for place, cell in enumerate(cells):
        cell["id"] = f"{number}-{place:02}"
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    beside = {"beside": ["pipelines"]}  # as lib.execution.side_by_side reads it
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "runbook": beside})
    nbformat.validate(notebook)
    return nbformat.writes(notebook)


@contextlib.contextmanager
def written(files: dict[Path, str], root: Path = ROOT) -> Iterator[list[Path]]:
    """Write files, none of which is there; if that or what is done then fails, they are removed again.

    Args:
        files: Paths relative to the project, and texts.
        root: The project.

    Yields:
        The paths, sorted.

    Raises:
        RunbookError: If one is there already, or cannot be written.
    """
    if there := sorted(str(path) for path in files if os.path.lexists(root / path)):
        raise RunbookError(f"there already: {', '.join(there)}; nothing was written")
    made: list[Path] = []
    try:
        for path, text in sorted(files.items()):
            made += _make_folders(root / path)
            with (root / path).open("x", encoding="utf-8", newline="\n") as file:
                made.append(root / path)
                file.write(text)
        yield sorted(files)
    except BaseException as error:
        for path in reversed(made):
            path.rmdir() if path.is_dir() else path.unlink()
        if not isinstance(error, OSError):
            raise
        raise RunbookError(f"{error}; what was written before is removed again") from error


def _make_folders(path: Path) -> list[Path]:
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
    return missing[::-1]
