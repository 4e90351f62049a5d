"""The report of a run: each executed notebook as a page, and an index of them. Needs no network."""

import json
import os
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from html import escape, unescape
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader

from lib.base.frames import STATIC
from lib.base.run_folders import forget
from lib.engine.recording import by_default
from lib.engine.records import text_of
from lib.execution.run import NOTEBOOKS, Result
from lib.parameters import Parameters

if TYPE_CHECKING:
    from nbconvert import HTMLExporter

# nbconvert is imported where a page is made: by a thread, while notebooks are at work.
# Jinja templates: run.html.j2 is the index page, notebook/ what nbconvert makes of an executed notebook.
TEMPLATES = Path(__file__).with_name("templates")
MERMAID = re.compile(r'<div class="jp-Mermaid">\s*<pre class="mermaid">(.*?)</pre>\s*</div>', re.DOTALL)
LINK = re.compile(r'href="(?![a-z]+:|#|/)([^"]*)"')
OTHERS = "<!-- the other pages -->"  # until these are known
ALT_CHARACTERS = 400  # of a chart's source, for who does not see it
TABLES = """window.runbookTables = (() => {
const theirs = %(theirs)s, css = %(css)s, ours = %(ours)s;
const style = { id: "runbook-tables-inline", textContent: css };
document.head.append(Object.assign(document.createElement("style"), style));
const url = text => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
return import(url(ours.replace("./dt_bundle.js", url(theirs))));
})();
"""


class Pages:
    """The pages of executed notebooks, made while others are still at work. A context manager."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._begun: dict[Path, Future[str]] = {}

    def __enter__(self) -> "Pages":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def begin(self, result: Result) -> None:
        """Begin with the page of a notebook that has ended."""
        if result.executed and result.executed not in self._begun:
            self._begun[result.executed] = self._thread.submit(_to_html, result.executed)

    def html(self, executed: Path) -> str:
        """Return the page of a notebook that was begun, once it is made; it leads to no other page yet."""
        return self._begun[executed].result()


def write_report(
    folder: Path,
    results: Sequence[Result],
    parameters: Parameters,
    began: datetime,
    record: Mapping[str, Any] = MappingProxyType({}),
    pages: Pages | None = None,
) -> Path:
    """Write the pages of a run, and let `runs/latest` lead to them, unless it is a plan; forget old runs.

    Args:
        folder: The run's folder, with the executed notebooks in it.
        results: What became of each.
        parameters: As they were given to the notebooks.
        began: When the run began.
        record: What was recorded of it, which is kept beside it as `record.json`.
        pages: What has begun with the notebooks' pages, if that was begun.

    Returns:
        The index page.
    """
    executed = [result.executed for result in results if result.executed]
    with pages or Pages() as made:
        for result in results:
            made.begin(result)
        for notebook in executed:
            html = _among_others(made.html(notebook), notebook, [each.stem for each in executed])
            _page(notebook).write_text(html, "utf-8")
    (folder / "tables.js").write_text(_tables(), "utf-8")
    shutil.copyfile(STATIC / "zoom.js", folder / "zoom.js")
    index = folder / "index.html"
    if record:
        (folder / "record.json").write_text(text_of(record), "utf-8")
    index.write_text(_index(folder, results, parameters, began, record), "utf-8")
    if parameters.mode != "plan":
        _link(folder)
    forget(folder.parent, parameters.runs_kept)
    return index


def _page(executed: Path) -> Path:
    return executed.with_suffix(".html")


def _to_html(executed: Path) -> str:
    resources = {"run": executed.parent.name, "others": OTHERS, "dark_css": _dark_css()}
    with warnings.catch_warnings():
        # What notebooks tell `runbook run` alone has no picture, nor has what a wait has left empty.
        warnings.filterwarnings("ignore", "Your element with mimetype")
        html, _ = _exporter().from_filename(str(executed), resources=resources)
    return _with_pictures(html)


@cache
def _exporter() -> "HTMLExporter":
    """Return what makes pages; its templates are compiled once."""
    from nbconvert import HTMLExporter

    return HTMLExporter(template_name="notebook", extra_template_basedirs=[str(TEMPLATES)])


def _among_others(html: str, executed: Path, pages: list[str]) -> str:
    """Let a page lead to the others of its run, which are known when the last has ended."""
    links = "".join(
        f"<strong>{escape(name)}</strong>\n"
        if name == executed.stem
        else f'<a href="{quote(name)}.html">{escape(name)}</a>'
        for name in pages
    )
    return _with_links(html.replace(OTHERS, links, 1), executed.parent, pages)


@cache
def _dark_css() -> str:
    """Return JupyterLab's dark colours, as nbconvert brings them along."""
    from nbconvert import HTMLExporter

    (path,) = [
        found
        for folder in HTMLExporter(template_name="lab").template_paths
        if (found := Path(folder, "static", "theme-dark.css")).exists()
    ][:1]
    return path.read_text("utf-8")


def _with_pictures(html: str) -> str:
    """Draw the Mermaid charts of a page as SVG; one that cannot be drawn stays as its source."""
    numbers = count(1)
    return MERMAID.sub(lambda found: drawn(unescape(found[1]), next(numbers)) or found[0], html)


def drawn(chart: str, number: int) -> str:
    """Return a Mermaid chart as SVG; nothing if it cannot be drawn.

    Args:
        chart: Its source.
        number: Which of its page it is.
    """
    try:
        import mmdr
    except ImportError:  # no wheel of it for this machine
        return ""
    try:
        svg = mmdr.render(chart.strip()).svg()
    except Exception:  # the source says it, too
        return ""
    # Ids and styles are the picture's own, and a page has several.
    label = escape(" ".join(chart.split())[:ALT_CHARACTERS])
    svg = svg.replace("merman", f"picture-{number}").replace(
        "<svg ", f'<svg role="img" aria-label="{label}" ', 1
    )
    return f'<div class="runbook-picture">{svg}</div>'


def _with_links(html: str, folder: Path, pages: list[str]) -> str:
    """Let links to notebooks lead to their pages here, and those to documents to where these are."""

    def there(found: re.Match) -> str:
        path, mark, anchor = found[1].partition("#")
        if path.endswith(".ipynb") and Path(path).stem in pages:
            return f'href="{path.removesuffix(".ipynb")}.html{mark}{anchor}"'
        document = NOTEBOOKS / unquote(path)
        if not path or not document.exists():
            return found[0]
        return f'href="{quote(os.path.relpath(document.resolve(), folder.resolve()))}{mark}{anchor}"'

    return LINK.sub(there, html)


def _tables() -> str:
    """Return a script that makes tables sortable without any server; a page of a disk may import no file."""
    import itables

    bundle = Path(itables.__file__).with_name("html")
    texts = [(STATIC / "tables.js"), bundle / "dt_bundle.js", bundle / "dt_bundle.css"]
    ours, theirs, css = (json.dumps(path.read_text("utf-8")) for path in texts)
    return TABLES % {"ours": ours, "theirs": theirs, "css": css}


def _index(
    folder: Path,
    results: Sequence[Result],
    parameters: Parameters,
    began: datetime,
    record: Mapping[str, Any],
) -> str:
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
    differing, usual = by_default(parameters)
    return jinja.get_template("run.html.j2").render(
        run=folder.name,
        began=began.astimezone(UTC),
        seconds=(datetime.now(UTC) - began).total_seconds(),
        outcome=next((r.outcome for r in results if r.outcome != "ok"), "ok"),
        results=results,
        record=record,
        differing=differing,
        usual=usual,
        environment=parameters.env,
        target=parameters.target,
        mode=parameters.mode,
    )


def _link(folder: Path) -> None:
    """Point `runs/latest` to the folder in one step: somebody may be reading it."""
    staged = folder.with_name(f".latest-{folder.name}")
    staged.symlink_to(folder.name)
    staged.replace(folder.with_name("latest"))
