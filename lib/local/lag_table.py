"""The tables of docs/lag.md; `python -m lib.local.lag_table` writes them."""

from collections.abc import Sequence
from pathlib import Path

from lib.base.marked import with_part
from lib.base.paths import ROOT
from lib.local.in_server.lag_times import FIGURES, RATES, Rate

DOCUMENT = ROOT / "docs/lag.md"
LATE = ("name", "what lags", "AWS's figure", "local AWS, scale 1", "what we do, and our wait", "our test")
CALLS = ("service", "calls", "a second, in an account and region", "AWS's figure")


def figures() -> str:
    """Return the table of what is late, in Markdown."""
    return _table(
        LATE,
        [
            (
                f"`{name}`",
                one.what,
                f"[{one.aws}]({one.source})",
                f"{one.seconds:g} s",
                one.wait,
                f"[{Path(one.test).name}](../{one.test})",
            )
            for name, one in FIGURES.items()
        ],
    )


def rates() -> str:
    """Return the table of how many calls are taken, in Markdown."""
    rows = [
        (one.service, _calls(one), f"{one.per_second:g}", f"[{one.said or 'this'}]({one.source})")
        for one in RATES
        if one.per_second
    ]
    return _table(CALLS, rows)


def _calls(rate: Rate) -> str:
    names = ", ".join(f"`{name}`" for name in rate.operations)
    each = ", each by itself" if rate.each and len(rate.operations) != 1 else ""
    return f"{names or 'all others'}{each}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def write(document: Path = DOCUMENT) -> None:
    """Put the tables into a document, each between its two marks.

    Args:
        document: The file.
    """
    text = with_part(document.read_text("utf-8"), "figures", figures())
    document.write_text(with_part(text, "rates", rates()), "utf-8")


if __name__ == "__main__":
    write()
