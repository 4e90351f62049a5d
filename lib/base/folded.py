"""Long tables, of which a line is enough unless one wants to know."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from lib.base import frames

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Folded:
    """A long table: in a page its summary is seen, and the rows by who opens it.

    Attributes:
        table: The rows.
        summary: The line that is seen.
    """

    table: "pd.DataFrame"
    summary: str

    def __repr__(self) -> str:
        return f"{self.summary}\n{frames.text(self.table)}"

    def _repr_html_(self) -> str:
        rows = frames.html(self.table)
        return f"<details><summary>{escape(self.summary)}</summary>{rows}</details>"
