"""Lays out the sources of the documents' site: `make docs` builds it from them, without a network.

Charts are drawn, since a page of ours fetches no script; and links lead to what is on the site, or to files
that it brings along.
"""

import json
import re
import shutil
import sys
from itertools import count
from pathlib import Path

from lib.base.paths import ROOT
from lib.execution.report import drawn
from support.links import documents, links

FENCE = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
MERMAID, SVG = "text/vnd.mermaid", "image/svg+xml"
SITE = ROOT / "docs" / "site"


def lay_out(source: Path) -> None:
    """Write all that the site is made of into a folder; what was there goes.

    Args:
        source: The folder.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    found = [path for path in documents() if path.parent != SITE and "support" not in path.parts]
    for document in found:
        there = source / document.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        text = _linked(document, found, source)
        if document.suffix == ".ipynb":
            there.write_text(_with_pictures(text), "utf-8")
        else:
            there.write_text(_with_charts(text, there), "utf-8")
    for page in SITE.glob("*.md"):
        shutil.copy(page, source)


def _linked(document: Path, pages: list[Path], source: Path) -> str:
    """Return a document's text; what it links to, and is no page, is brought along."""
    text = document.read_text("utf-8")
    for link in links(document):
        path, mark, anchor = link.target.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not link.is_internal:
            continue
        if there in pages:
            if there.suffix == ".ipynb":  # JupyterLab's anchors have capitals, the site's have none
                text = text.replace(f"]({link.target})", f"]({path}{mark}{anchor.lower()})")
            continue
        if there.is_dir():
            inside = [page for page in pages if page.parent == there]
            to = there / "README.md" if there / "README.md" in pages else next(iter(inside), None)
            if to is None:
                text = re.sub(rf"\[([^\]]*)\]\({re.escape(link.target)}\)", r"\1", text)
            else:
                name = f"{path.rstrip('/')}/{to.name}"
                text = text.replace(f"]({link.target})", f"]({name}{mark}{anchor})")
            continue
        copy = source / there.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(there, copy)
    return text


def _with_charts(text: str, page: Path) -> str:
    numbers = count(1)

    def picture(found: re.Match) -> str:
        svg = drawn(found[1], next(numbers))
        return f"```{{raw}} html\n{svg}\n```" if svg else found[0]

    return FENCE.sub(picture, text)


def _with_pictures(text: str) -> str:
    """Return a notebook whose charts are drawn, and which has nothing that only `runbook run` reads."""
    notebook, numbers = json.loads(text), count(1)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if MERMAID in data and (svg := drawn("".join(data[MERMAID]), next(numbers))):
                data["text/html"] = svg
                del data[MERMAID]
            for mime in [mime for mime in data if mime.startswith("application/")]:
                del data[mime]
    return json.dumps(notebook, ensure_ascii=False)


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
