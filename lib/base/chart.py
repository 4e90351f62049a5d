"""Charts as a person sees them: SVG without a background, in the colours of the page, with the same as text.

As it stands a chart is a picture with an alternative text. Where its script runs (a notebook that is trusted,
a report) it becomes part of the page: it has its colours, light or dark, and one can point at what is in it.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from html import escape
from io import StringIO
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHORTEST_DAYS = 1 / 24 / 60  # of times that are shown: a minute
# Of text and lines: as a picture alone it must be legible on white and on black; a page has its own.
INK = "#010203"  # which nobody else takes, so that it can be replaced
INK_LIGHT, INK_DARK = "#595959", "#d0d0d0"
# Each with a contrast of 3 to 1 to white and to JupyterLab's dark, which WCAG asks of graphics.
COLOURS = ("#0072b2", "#c8550b", "#008a64", "#a64d9e", "#8a7000", "#6b6bd6", "#b23a55", "#4f7f8f")
# What places something, to a hundredth of a point.
ATTRIBUTE, DIGITS = re.compile(r' (?:x|y|d|transform)="[^"]*"'), re.compile(r"(\.\d\d)\d+")
SALT = "runbook"  # by which the same figure has the same ids
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": SALT,
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 11,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.framealpha": 0,
    "timezone": "UTC",
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}
SCHEME = (
    f"<style>svg{{color:{INK_LIGHT}}}@media (prefers-color-scheme:dark){{svg{{color:{INK_DARK}}}}}</style>"
)
SCRIPT = (
    '<script>(f=>{const i=f.querySelector("img"),'
    'b=Uint8Array.from(atob(i.src.split(",")[1]),c=>c.charCodeAt(0)),'
    's=new DOMParser().parseFromString(new TextDecoder().decode(b),"image/svg+xml").documentElement;'
    's.querySelector("style").remove();s.setAttribute("aria-label",i.alt);i.replaceWith(s)})'
    "(document.currentScript.parentElement)</script>"
)
CSS = (
    "<style>.runbook-chart{margin:.5em 0}.runbook-chart :is(img,svg){max-width:100%;height:auto}"
    "[data-jp-theme-light=false] .runbook-chart img{color-scheme:dark}</style>"
)


def style() -> AbstractContextManager[None]:
    """Return the context within which figures are drawn that become a `Chart`."""
    import matplotlib as mpl  # half a second, for whoever draws

    return mpl.rc_context(STYLE)


def show_times(axes: "Axes", most: int) -> None:
    """Let the lower axis of what was drawn tell times, as few words as need be.

    Args:
        axes: On which something is drawn, over times.
        most: So many marks at most.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    first, last = axes.dataLim.intervalx
    if last - first < SHORTEST_DAYS:  # matplotlib would show years around a single moment
        axes.set_xlim(first - SHORTEST_DAYS / 2, last + SHORTEST_DAYS / 2)
    # With 5 units at least, as matplotlib has it, there are hours for which it knows no distance of few.
    locator = AutoDateLocator(tz="UTC", minticks=2, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))


class Chart:
    """A figure of matplotlib, and what it says in words.

    Attributes:
        figure: It.
        text: The same in words, for who does not see it, and where there are no pictures.
    """

    def __init__(self, figure: "Figure", text: str, tips: Mapping[str, Sequence[str]] | None = None):
        """Take what was drawn.

        Args:
            figure: It, drawn within `style`.
            text: The same in words.
            tips: What the parts of what has this `gid` say when one points at them, in their order.
        """
        self.figure, self.text, self._tips = figure, text, tips or {}

    def __repr__(self) -> str:
        return self.text

    def svg(self) -> str:
        """Return it as SVG."""
        written = StringIO()
        with style():
            self.figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
        text = written.getvalue()
        text = text[text.index("<svg ") :].strip()
        text = re.sub(
            r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL
        )
        text = re.sub(r"\n\s*", "\n", text).replace(INK, "currentColor")
        text = ATTRIBUTE.sub(lambda found: DIGITS.sub(r"\1", found[0]), text)
        text = re.sub(r"(<svg [^>]*>)", rf"\1{SCHEME}", text, count=1)
        text = text.replace("<svg ", '<svg role="img" stroke-linejoin="round" ', 1)
        for gid, tips in self._tips.items():
            text = _with_tips(text, gid, tips)
        return text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        encoded = base64.b64encode(self.svg().encode()).decode()
        image = f'<img src="data:image/svg+xml;base64,{encoded}" alt="{escape(self.text)}">'
        return {
            "text/html": f'{CSS}<figure class="runbook-chart">{image}{SCRIPT}</figure>',
            "text/plain": self.text,
        }


def _with_tips(svg: str, gid: str, tips: Sequence[str]) -> str:
    """Let the parts of a group say something when one points at them: its points, or itself if it is one."""
    begin = svg.find(f'<g id="{gid}">')
    if begin < 0:
        return svg
    head = len(f'<g id="{gid}">')
    titles = [f"<title>{escape(tip)}</title>" for tip in tips]
    if len(titles) == 1:
        return f"{svg[: begin + head]}{titles[0]}{svg[begin + head :]}"
    end = svg.find('<g id="', begin + head)
    end = len(svg) if end < 0 else end
    numbers = count()

    def told(found: re.Match) -> str:
        number = next(numbers)
        return f"{found[1]}>{titles[number]}</use>" if number < len(titles) else found[0]

    points = re.sub(r"(<use [^>]*?)/>", told, svg[begin:end])
    return f"{svg[:begin]}{points}{svg[end:]}"
