"""Text that others have chosen, such as keys, as it can be shown: it breaks no line and moves no cursor.

And numbers of bytes, in a few characters.
"""

import math
import re

# Control characters, ends of lines, marks that turn the direction of writing, and what no encoding can hold.
NOT_SHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
LAYOUT = "\n\t"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def printable(text: str, keep: str = LAYOUT) -> str:
    r"""Return a text with what cannot be shown written as Python writes it, such as `\x1b`.

    Args:
        text: Any.
        keep: What stays as it is; nothing for a name, which is to be one line.
    """
    return NOT_SHOWN.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def shown_bytes(number: float) -> str:
    """Return a number of bytes as people say it: `512 B`, `1.5 MiB`.

    Args:
        number: Of bytes.
    """
    if not math.isfinite(number):
        return str(number)
    size, power = float(number), 0
    while abs(round(size, 1 if power else 0)) >= 1024 and power < len(UNITS) - 1:
        size, power = size / 1024, power + 1
    return f"{size:,.1f} {UNITS[power]}" if power else f"{size:,.0f} B"


def counted(number: int, noun: str) -> str:
    """Return how many there are of something: `1 resource`, `1,204 resources`, `2 policies`.

    Args:
        number: How many.
        noun: What it is, in the singular.
    """
    if number == 1:
        return f"1 {noun}"
    ends_in_y = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    return f"{number:,} {noun[:-1]}ies" if ends_in_y else f"{number:,} {noun}s"
