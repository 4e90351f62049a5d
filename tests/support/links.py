"""The links in what people read: guides, decisions, and the texts of notebooks; and where each leads."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

from lib.base.paths import ROOT

HTML_LINK = re.compile(r"""<(?:a|img)\s[^>]*?(?:href|src)=["']([^"']+)["']""")
HTML_ANCHOR = re.compile(r"""<[a-z0-9]+\s[^>]*?(?:id|name)=["']([^"']+)["']""")
NO_SLUG = re.compile(r"[^\w\- ]")
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Link:
    """A link of a document.

    Attributes:
        document: The file in which it stands.
        target: As it is written.
    """

    document: Path
    target: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}: {self.target}"

    @property
    def is_internal(self) -> bool:
        """Whether it leads to something of the project."""
        parts = urlsplit(self.target)
        return not parts.scheme and not parts.netloc

    def fault(self) -> str:
        """Return what is wrong with where it leads; empty if nothing is."""
        path, _, anchor = self.target.partition("#")
        there = (self.document.parent / unquote(path)).resolve() if path else self.document
        if path.startswith("/"):
            return "it begins with /, which is another place on each page"
        if not there.is_relative_to(ROOT):
            return "it leads out of the project"
        if not there.exists():
            return f"there is no {there.relative_to(ROOT)}"
        if anchor and there.suffix in (".md", ".ipynb") and unquote(anchor) not in anchors(there):
            return f"{there.relative_to(ROOT)} has no heading {anchor}"
        return ""


def documents() -> list[Path]:
    """Return all that people read, as git knows it; where there is no git, what is in the folders of it."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "*.md", "*.ipynb"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split("\n")
        found = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        folders = ("docs", "handlers", "notebooks", "tests", "lib")
        found = [path for folder in folders for path in (ROOT / folder).rglob("*.[mi][dp]*")]
        found += ROOT.glob("*.md")
    return sorted(
        path
        for path in found
        if path.suffix in (".md", ".ipynb") and "templates" not in path.parts and path.exists()
    )


def texts(document: Path) -> list[str]:
    """Return the Markdown of a document: the whole of it, or the cells of a notebook."""
    text = document.read_text("utf-8")
    if document.suffix != ".ipynb":
        return [text]
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]


def links(document: Path) -> Iterator[Link]:
    """Yield the links and pictures of a document; what stands in code is none."""
    for text in texts(document):
        for token in PARSER.parse(text):
            if token.type == "html_block":
                yield from (Link(document, found) for found in HTML_LINK.findall(token.content))
            for child in token.children or ():
                if child.type == "html_inline":
                    yield from (Link(document, found) for found in HTML_LINK.findall(child.content))
                target = child.attrGet("href") or child.attrGet("src")
                if target:
                    yield Link(document, str(target))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return what a link into a document may name: its headings, as GitHub and JupyterLab write them."""
    found: Counter[str] = Counter()
    names: set[str] = set()
    for text in texts(document):
        names.update(HTML_ANCHOR.findall(text))
        tokens = PARSER.parse(text)
        for opening, inline in zip(tokens, tokens[1:], strict=False):
            if opening.type != "heading_open":
                continue
            said = "".join(
                child.content for child in inline.children or () if child.type in ("text", "code_inline")
            )
            # GitHub's: lower case, hyphens for spaces, a number behind what was there before.
            slug = NO_SLUG.sub("", said.strip().lower()).replace(" ", "-")
            names.add(f"{slug}-{found[slug]}" if found[slug] else slug)
            names.add(said.strip().replace(" ", "-"))  # JupyterLab's
            found[slug] += 1
    return frozenset(names)
