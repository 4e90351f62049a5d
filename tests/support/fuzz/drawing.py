"""Random inputs that can be drawn again: a family, a seed and a number decide a case, and nothing else."""

import random
from dataclasses import dataclass

from lib.operate.audits.audit import audit

# What S3, URLs, shells, XML, CSV, SQL or terminals give a meaning to, and what none of them expects.
ODD = (
    *"+%?*#&=;,:@$!'()[]{}|\\^`~<>\" \t",
    *("%2F", "%41", "%", "++", "//", "/./", "...", "  ", "&amp;", "${x}", "$(x)", "{}", "%(x)s", "';--"),
)
LETTERS = (
    *"abcXYZ0129-_.",
    *(
        "é",
        "ß",
        "ñ",
        "Ω",
        "я",
        "中",
        "日本",
        "ไ",
        "😀",
        "👩‍💻",
        "e\u0301",
        "\u00a0",
        "\u200b",
        "\u202e",
        "ﬁ",
        "İ",
    ),
)
CONTROLS = ("\x01", "\x07", "\x0b", "\x1a", "\x1b", "\x1f", "\x7f", "\x85", "\n", "\r")


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        family: What kind of input, such as `objects`.
        seed: Of the run that it was drawn in.
        number: Its place there.
    """

    family: str
    seed: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Case":
        family, seed, number = text.split(":")
        return cls(family, int(seed), int(number))

    def __str__(self) -> str:
        return f"{self.family}:{self.seed}:{self.number}"

    @property
    def name(self) -> str:
        """Fit for a key, and of no other case."""
        return f"{self.seed}-{self.number}"

    def draw(self) -> "Draw":
        """Return where all of it comes from; the same each time, on every Python."""
        return Draw(str(self))


class Draw(random.Random):
    """Draws values."""

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def some(self, alphabet, most: int, least: int = 0) -> str:
        """Some pieces of an alphabet, in a row."""
        return "".join(self.choice(alphabet) for _ in range(self.randint(least, most)))

    def text(self, most: int = 12, controls: float = 0.1) -> str:
        """A text of ordinary and odd pieces."""
        alphabet = [*LETTERS, *ODD, *(CONTROLS if self.chance(controls) else ())]
        return self.some(alphabet, most)

    def ascii(self, most: int = 20) -> str:
        """Printable ASCII without a space at an end, which HTTP would take away."""
        return self.some([chr(code) for code in range(32, 127)], most).strip()


@dataclass(frozen=True)
class Fault:
    """Something that is not as it must be.

    Attributes:
        case: What brought it about.
        what: What was seen, and what would be right.
    """

    case: Case
    what: str

    def __str__(self) -> str:
        return f"{self.case}  {self.what}"


def disagreements(running, name: str, wrong: dict[Case, str], keys: dict[Case, str]) -> list[Fault]:
    """Let a pipeline be audited, and say where the audit does not say what was found here.

    Args:
        running: The pipelines.
        name: The pipeline's.
        wrong: What was found to be wrong about each case; empty if nothing is.
        keys: Of the objects; a key that is left out may be named or not.
    """
    try:
        found = {each.key: each for each in audit(running.target, running.parameters, name).findings}
    except Exception as error:
        return [Fault(next(iter(wrong)), f"{name}: the audit stops: {type(error).__name__}: {error}"[:300])]
    faults = []
    for case, key in keys.items():
        finding, what = found.get(key), wrong[case] or "all is right"
        if finding is None and wrong[case]:
            faults.append(Fault(case, f"{name}: the audit finds nothing, though: {what}"))
        if finding is not None and not wrong[case]:
            faults.append(Fault(case, f"{name}: the audit says {finding.state}, {finding.detail}; {what}"))
    return faults
