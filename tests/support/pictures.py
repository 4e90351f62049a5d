"""The pictures of the README: `make pictures` has the browser test make them, and keeps them small."""

from PIL import Image

from lib.base.paths import ROOT
from support.browser import PICTURES

FOLDER = ROOT / "docs" / "pictures"
NAMES = ("tour-plan", "tour-map", "tour-report")  # as tests/cli/test_lab_tour.py calls them
MOST_BYTES = 150_000
COLOURS = 128  # a page has few


def keep() -> None:
    """Put what the test has seen beside the documents."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        there = FOLDER / f"{name}.png"
        with Image.open(PICTURES / f"{name}.png") as seen:
            seen.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(there, optimize=True)
        print(f"{there.relative_to(ROOT)}: {there.stat().st_size:,} bytes")


if __name__ == "__main__":
    keep()
