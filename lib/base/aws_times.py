"""Times in AWS's answers: read at once where they are as S3 writes them, and by botocore where they are not.

botocore tries every way of writing a time for each, which is two thirds of what reading a listing takes: a
tenth of a millisecond an object.
"""

import re
from datetime import datetime

from botocore.session import Session
from botocore.utils import parse_timestamp
from dateutil.tz import tzutc

UTC = tzutc()  # botocore's own
OF_S3 = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,6})?Z")


def reading_times_at_once(session: Session) -> Session:
    """Let all clients that a session makes from now on read times so, and return the session.

    Args:
        session: Of botocore, which lets whoever makes clients say so: the AWS CLI does it, too.
    """
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read)
    return session


def read(value: str | float) -> datetime:
    """Return a time that AWS tells.

    Args:
        value: As `2026-01-31T12:00:00.000Z`, or in any way that botocore knows.
    """
    if isinstance(value, str) and OF_S3.fullmatch(value):
        try:
            return datetime.fromisoformat(value[:-1]).replace(tzinfo=UTC)
        except ValueError:
            pass  # botocore says what is wrong with it
    return parse_timestamp(value)
