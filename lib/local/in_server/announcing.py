"""Says in a header what did, or did not, what AWS would have done; `stand_ins.py` shows it."""

import json

from ministack.core.responses import error_response_json

from lib.local.in_server.announcements import HEADER
from lib.local.in_server.not_here import NotOnLocalAwsError

# A client takes a line of 64 KiB at most.
MOST_LINES, MOST_CHARACTERS = 20, 500


def announcing(answer: tuple, *lines: str) -> tuple:
    """Return an answer that announces something.

    Args:
        answer: Status, headers and body.
        lines: What to say, each for itself.
    """
    if not lines:
        return answer
    status, headers, body = answer
    said = [line[:MOST_CHARACTERS] for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        said.append(f"and {len(lines) - MOST_LINES:,} more such lines")
    return status, headers | {HEADER: json.dumps(said)}, body


def refused(error: NotOnLocalAwsError) -> tuple:
    """Return the refusal of what AWS would do and the local AWS cannot; no client tries it again.

    Args:
        error: Says so.
    """
    return error_response_json("NotImplemented", str(error), 501)
