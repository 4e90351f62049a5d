"""Tables as a person reads them: text to the left, numbers to the right with their units, no row numbers.

In a page a table is whole as it stands. Where its script finds DataTables (`runbook lab`, a run's report) it
can be sorted, searched, paged, copied and downloaded: docs/decisions/0042-tables-are-whole.md.
"""

import math
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.base.shown import counted, printable, shown_bytes

if TYPE_CHECKING:
    import pandas as pd

STATIC = Path(__file__).with_name("static")
MOST_CELLS, MOST_ROWS = 60_000, 10_000  # of a page
MOST_TEXT_ROWS = 200  # of a text, the first and the last half of which are shown
FEW_ROWS = 10  # which nobody needs to search or to scroll
LONG_CHARACTERS, SEEN_CHARACTERS = 240, 100  # of a value that is folded, and what of it is seen
WORD_CHARACTERS = 24  # of a word that is never broken; a longer one is a name that may be, in a narrow page
CHARACTER_CH = 0.9  # how wide a letter is, of the bold digit by which the head of a column measures
DECIMALS = 6

STYLE = (
    "<style>"
    ".runbook-scroll{overflow:auto;max-height:26em;max-width:100%}"
    "table.runbook-table{margin:0;border-collapse:collapse;table-layout:auto}"
    "table.runbook-table :is(th,td){text-align:left!important;vertical-align:top;padding:.25em .75em;"
    "overflow-wrap:anywhere;min-width:3em;max-width:44em}"
    "table.runbook-table thead th{position:sticky;top:0;white-space:nowrap;"
    "background:var(--jp-layout-color0,Canvas)}"
    "table.runbook-table :is(th,td).n{text-align:right!important;white-space:nowrap;"
    "font-variant-numeric:tabular-nums}"
    ".runbook-scroll :is(.dt-container,.dt-layout-row,.dt-layout-cell){background:transparent!important;"
    "color:inherit}"
    ".runbook-scroll :is(input,select,button){color:inherit!important;background:transparent!important}"
    ".runbook-scroll option{color:CanvasText;background:Canvas}"
    "@media print{.runbook-scroll{max-height:none;overflow:visible}"
    ".runbook-scroll .dt-layout-row:not(.dt-layout-table){display:none}}"
    "</style>"
)
# JupyterLab says where its server is; a report has set `runbookTables` before.
SCRIPT = (
    '<script>(t=>{const j=document.getElementById("jupyter-config-data");'
    'if(j)window.runbookTables??=import(JSON.parse(j.textContent).baseUrl+"static/tables.js");'
    "window.runbookTables?.then(m=>m.show(t)).catch(()=>0)})"
    '(document.currentScript.parentElement.querySelector("table"))</script>'
)


def html(table: "pd.DataFrame") -> str:
    """Return a table for a page.

    Args:
        table: Any; values are shown with the unit that their column's name tells: bytes, seconds, ms, usd.
    """
    import pandas as pd

    if not len(table):
        # A row of column names alone looks like something that went wrong.
        return f"<p>(none) <small>{escape(_columns(table))}</small></p>"
    if isinstance(table.columns, pd.MultiIndex):
        return table.to_html(na_rep="")
    shown = table.iloc[: min(MOST_ROWS, max(MOST_CELLS // max(len(table.columns), 1), 1))]
    columns = [_Column(name, values) for name, values in _all_columns(shown)]
    head = "".join(f'<th scope="col"{each.css}{each.width}>{escape(each.name)}</th>' for each in columns)
    cells = zip(*(each.cells() for each in columns), strict=True)
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    rest = len(table) - len(shown)
    more = f"<p>… and {counted(rest, 'row')} more, of {len(table):,}</p>" if rest else ""
    script = SCRIPT if len(shown) > FEW_ROWS else ""
    return (
        f'{STYLE}<div class="runbook-scroll"><table class="runbook-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{script}</div>{more}"
    )


def text(table: "pd.DataFrame") -> str:
    """Return a table as text, the values as they are.

    Args:
        table: Any.
    """
    import pandas as pd

    if not len(table):
        return f"(none; columns: {_columns(table)})"
    if isinstance(table.columns, pd.MultiIndex):
        return table.to_string(na_rep="")
    half = MOST_TEXT_ROWS // 2
    parts = [table] if len(table) <= MOST_TEXT_ROWS else [table.iloc[:half], table.iloc[-half:]]
    whole = pd.concat(parts)
    padded = []
    for name, values in _all_columns(whole):
        column = _Column(name, values)
        cells = [name, *column.plain()]
        width = max(map(len, cells))
        padded.append([cell.rjust(width) if column.is_number else cell.ljust(width) for cell in cells])
    lines = ["  ".join(cells).rstrip() for cells in zip(*padded, strict=True)]
    if len(parts) > 1:
        lines.insert(half + 1, f"… {counted(len(table) - 2 * half, 'row')} …")
    return "\n".join(lines)


def money(usd: float) -> str:
    """Return an amount: `$1,204.50`, and `$0.00005` where cents would say nothing.

    Args:
        usd: US dollars.
    """
    sign, amount = "-" if usd < 0 else "", abs(usd)
    if not amount or amount >= 0.01:
        return f"{sign}${amount:,.2f}"
    return f"{sign}${amount:.8f}".rstrip("0")


def time(moment: "pd.Timestamp") -> str:
    """Return a time: `2026-01-02 03:04:05.678 UTC`, without a fraction or a zone that there is not.

    Args:
        moment: The time.
    """
    fraction = f".{moment.microsecond // 1000:03}" if moment.microsecond else ""
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction}{zone}"


class _Column:
    """A column, and how its values are shown."""

    def __init__(self, name: str, values: "pd.Series"):
        import pandas as pd

        self.name, self._values = name, values
        self.is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        self._decimals = _decimals(values) if pd.api.types.is_float_dtype(values) else 0

    @property
    def css(self) -> str:
        """The class of its cells: numbers are to the right."""
        return ' class="n"' if self.is_number else ""

    @property
    def width(self) -> str:
        """The style of its head: so wide that no short word of its cells is broken."""
        if self.is_number:
            return ""
        longest = max((len(word) for value in self.plain() for word in value.split()), default=0)
        return f' style="min-width:{CHARACTER_CH * min(longest, WORD_CHARACTERS):.0f}ch"'

    def plain(self) -> Iterator[str]:
        """Yield its values as they are."""
        for value in self._values:
            yield "" if _is_missing(value) else self._plain(value)

    def cells(self) -> Iterator[str]:
        """Yield its cells, values with their units; by what they are sorted is what they are."""
        import pandas as pd

        unit = _unit(self.name) if self.is_number else None
        for value in self._values:
            if _is_missing(value):
                yield f"<td{self.css}></td>"
            elif unit:
                yield f'<td{self.css} data-order="{value}" title="{value}">{unit(value)}</td>'
            elif isinstance(value, pd.Timestamp):
                yield f'<td data-order="{value.isoformat()}">{time(value)}</td>'
            else:
                yield f"<td{self.css}>{_folded(printable(self._plain(value)))}</td>"

    def _plain(self, value: Any) -> str:
        return f"{value:.{self._decimals}f}" if isinstance(value, float) else str(value)


def _unit(name: str) -> Callable[[Any], str] | None:
    """Return how values are shown of a column of numbers whose name tells their unit."""
    last = name.lower().replace("_", " ").replace("(", " ").replace(")", " ").split()[-1:] or [""]
    seconds: Callable[[Any], str] = lambda value: f"{value:,.2f} s"  # noqa: E731
    known: dict[str, Callable[[Any], str]] = {
        "bytes": shown_bytes,
        "usd": money,
        "seconds": seconds,
        "s": seconds,
        "lag": seconds,
        "ms": lambda value: f"{value:,.0f} ms",
    }
    return known.get(last[0])


def _all_columns(table: "pd.DataFrame") -> "Iterator[tuple[str, pd.Series]]":
    """Yield names and values, the index first unless it only numbers the rows."""
    import pandas as pd

    index = table.index
    for level in range(index.nlevels):
        values = index.get_level_values(level)
        if index.nlevels > 1 or index.name is not None or not pd.api.types.is_integer_dtype(values):
            yield str(values.name or ""), pd.Series(values)
    for position, name in enumerate(table.columns):
        yield str(name), table.iloc[:, position]


def _decimals(values: "pd.Series") -> int:
    """Return how many decimals the values have at most, up to DECIMALS."""
    found = (f"{value:.{DECIMALS}f}".rstrip("0") for value in values.dropna() if math.isfinite(value))
    return max((len(each.partition(".")[2]) for each in found), default=0)


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _folded(value: str) -> str:
    """Return a value for a page; of a long one its beginning, and the rest for who opens it."""
    if len(value) <= LONG_CHARACTERS:
        return escape(value)
    seen = escape(value[:SEEN_CHARACTERS])
    return f"<details><summary>{seen}…</summary>{escape(value)}</details>"


def _columns(table: "pd.DataFrame") -> str:
    return ", ".join(map(str, table.columns))
