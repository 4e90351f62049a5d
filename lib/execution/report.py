"""The report of a run: each executed notebook as a page, and an index of them. Needs no network."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from nbconvert import HTMLExporter

from lib.base.run_folders import forget
from lib.execution.run import Result
from lib.parameters import Parameters

# Jinja templates: run.html.j2 is the index page, notebook/ what nbconvert makes of an executed notebook.
TEMPLATES = Path(__file__).with_name("templates")


def write_report(folder: Path, results: Sequence[Result], parameters: Parameters, began: datetime) -> Path:
    """Write the pages of a run, and let `runs/latest` lead to them, unless it is a plan; forget old runs.

    Args:
        folder: The run's folder, with the executed notebooks in it.
        results: What became of each.
        parameters: As they were given to the notebooks.
        began: When the run began.

    Returns:
        The index page.
    """
    for result in results:
        if result.executed:
            _page(result.executed).write_text(_to_html(result.executed), "utf-8")
    index = folder / "index.html"
    index.write_text(_index(folder, results, parameters, began), "utf-8")
    if parameters.mode != "plan":
        _link(folder)
    forget(folder.parent)
    return index


def _page(executed: Path) -> Path:
    return executed.with_suffix(".html")


def _to_html(executed: Path) -> str:
    exporter = HTMLExporter(template_name="notebook", extra_template_basedirs=[str(TEMPLATES)])
    html, _ = exporter.from_filename(str(executed))
    return html


def _index(folder: Path, results: Sequence[Result], parameters: Parameters, began: datetime) -> str:
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    return jinja.get_template("run.html.j2").render(
        run=folder.name,
        began=began.astimezone(UTC),
        seconds=(datetime.now(UTC) - began).total_seconds(),
        outcome=next((r.outcome for r in results if r.outcome != "ok"), "ok"),
        results=results,
        parameters=parameters.table().to_dict("records"),
        environment=parameters.env,
        target=parameters.target,
        mode=parameters.mode,
    )


def _link(folder: Path) -> None:
    """Point `runs/latest` to the folder in one step: somebody may be reading it."""
    staged = folder.with_name(f".latest-{folder.name}")
    staged.symlink_to(folder.name)
    staged.replace(folder.with_name("latest"))
