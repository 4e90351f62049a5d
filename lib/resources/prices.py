"""What AWS asks for what is used, from a dated file."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lib.base import yaml_file
from lib.base.paths import ROOT

if TYPE_CHECKING:
    import pandas as pd

FILE = ROOT / "lib" / "resources" / "prices.yaml"


@dataclass(frozen=True)
class Price:
    """One price.

    Attributes:
        name: For people.
        usd: US dollars for `per` units.
        per: How many units that buys.
        unit: What a unit is.
        source: AWS's page.
        seen: Where the figure was read; empty if nowhere that can be cited.
    """

    name: str
    usd: float
    per: int
    unit: str
    source: str
    seen: str

    def __str__(self) -> str:
        import numpy as np  # as pandas: few who need a price show a table of them

        usd = np.format_float_positional(self.usd, trim="k", min_digits=2)
        return f"${usd} per {self.unit}" if self.per == 1 else f"${usd} per {self.per:,} × {self.unit}"


@cache
def prices() -> dict[str, Price]:
    """Return all prices by their short names, such as `s3_write`."""
    content = yaml_file.read(FILE)
    return {name: Price(**price) for name, price in content["prices"].items()}


@cache
def looked_up() -> str:
    """Return the day on which the prices were looked up, such as `2026-11-21`."""
    return str(yaml_file.read(FILE)["looked_up"])


def table() -> "pd.DataFrame":
    """Return the prices, one a row: name, price, where it was seen (or `unverified`), source."""
    import pandas as pd

    rows = [(p.name, str(p), urlsplit(p.seen).netloc or "unverified", p.source) for p in prices().values()]
    return pd.DataFrame(rows, columns=["name", "price", "seen", "source"])
