"""The runbook's errors: each says what was found and what to do next."""

import re
import textwrap

from lib.base.shown import printable
from lib.base.waits import is_watched

LINE_CHARACTERS = 100  # of a message in a notebook
COMMAND, NO_BREAK = re.compile("`[^`]+`"), "\ue000"  # which no message has


def wrapped(line: str) -> str:
    """Return a line in lines that fit into a notebook; a command in it stays whole, so that it can be copied.

    Args:
        line: Of a message.
    """
    whole = COMMAND.sub(lambda found: found[0].replace(" ", NO_BREAK), line)
    filled = textwrap.fill(whole, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)
    return filled.replace(NO_BREAK, " ")


class RunbookError(Exception):
    """Something the person running the runbook can act on; shown as one message, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook (IPython's hook for exceptions that render themselves)."""
        said = printable(f"{type(self).__name__}: {self}")
        if not is_watched():
            return [said]
        # Frontends break lines anywhere, also in the middle of a word.
        return ["\n".join(wrapped(line) for line in said.split("\n"))]


class ParameterError(RunbookError):
    """A parameter is unknown, of the wrong type or out of range; raised before anything is written."""


class TargetError(RunbookError):
    """The AWS that answers is not the one the parameters name, or it does not answer."""


class PreflightError(RunbookError):
    """AWS would refuse the stack as it is described; lists every rule that is broken. Nothing was written."""


class PlanMovedError(RunbookError):
    """What exists is not what a saved plan says any more; nothing was written."""


class DescribedTwiceError(RunbookError):
    """Two descriptions of one resource differ; says in what. Nothing was written."""


class NotOursError(RunbookError):
    """A thing of our name exists but was not made by this runbook; it is neither changed nor deleted."""


class LeftBehindError(RunbookError):
    """What the parameters describe no more would be left behind; says how to go on. Nothing was written."""


class NotDeployedError(RunbookError):
    """What is asked for needs a pipeline, or a part of it, that does not exist yet."""


class LockError(RunbookError):
    """Somebody else works on the same environment; says who."""


class LockedError(RunbookError):
    """Object Lock holds versions of a bucket, which stays with them; says how many, and until when."""


class ProtectedError(RunbookError):
    """Something that is to be deleted is protected from that; says what, and how to go on. Nothing was."""


class ReplacementError(RunbookError):
    """What is described could only be had by deleting what is there; says the steps. Nothing was written."""


class UnfinishedError(RunbookError):
    """A run stopped in the middle; says where it stands, and how to go on or go back."""


class AnswerError(RunbookError):
    """AWS has answered with an error, or not at all; says what that means here, and what to do."""


class StoppedError(RunbookError):
    """Somebody interrupted it; says how far it had come, and how to go on."""


class OutOfOrderError(RunbookError):
    """A cell needs what another one makes that has not run; says how to go on."""


class WaitError(RunbookError):
    """Something did not happen within its bounded wait."""


class ItemError(RunbookError):
    """One key, row or message cannot be dealt with; the others can. The text is without its content."""
