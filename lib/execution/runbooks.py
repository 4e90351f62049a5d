"""Which notebooks there are, and what each is for, by their titles."""

import json
from html import escape
from pathlib import Path

import pandas as pd

from lib.base.frames import STYLE
from lib.base.paths import ROOT

NOTEBOOKS = ROOT / "notebooks"


class Runbooks(pd.DataFrame):
    """The notebooks in the order in which a person reads them, shown with links."""

    def __repr__(self) -> str:
        return "\n".join(f"{name:14} {what}" for name, what in self.itertuples(index=False))

    def _repr_html_(self) -> str:
        rows = (
            f'<tr><td><a href="{escape(name)}.ipynb">{escape(name)}</a></td><td>{escape(what)}</td></tr>'
            for name, what in self.itertuples(index=False)
        )
        head = '<tr><th scope="col">notebook</th><th scope="col">what it is</th></tr>'
        return (
            f'{STYLE}<table class="runbook-table"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
        )


def table(folder: Path = NOTEBOOKS) -> Runbooks:
    """Return the notebooks.

    Args:
        folder: Where they are.

    Returns:
        One row a notebook: `notebook`, its name, and `what` it is, its title.
    """
    rows = [(path.stem, _title(path)) for path in sorted(folder.glob("[0-9][0-9]_*.ipynb"))]
    return Runbooks(rows, columns=["notebook", "what"])


def _title(path: Path) -> str:
    """Return a notebook's title, without the name that it begins with."""
    (first, *_) = json.loads(path.read_text("utf-8"))["cells"]
    (line, *_) = "".join(first["source"]).splitlines()
    title = line.removeprefix("# ")
    return title.removeprefix(f"{path.stem[3:]}: ")
