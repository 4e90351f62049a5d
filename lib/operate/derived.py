"""What functions derive of objects: waiting for it, and looking at it."""

from collections.abc import Iterable

import pandas as pd

from lib.engine.waiting import Waiting
from lib.operate.watch import until
from lib.parameters.sections import Pipeline
from lib.s3.objects import NO_VERSION, VERSION_TOLD, Place

SHOWN_BYTES = 200


def arrivals(
    uploads: pd.DataFrame,
    there: Place,
    settings: Pipeline,
    dead_letters: Waiting,
    queue: Waiting | None = None,
) -> pd.DataFrame:
    """Watch until something was derived of every upload, or its event is dead, or the time is up.

    Args:
        uploads: As `samples.upload` returns it.
        there: Where derived objects are.
        settings: The parameters of the pipeline: which keys they have, and how long to watch.
        dead_letters: Where events end that failed too often.
        queue: Through which the events go, if there is one.

    Returns:
        As `lib.operate.watch.until`; the state is `derived`.
    """
    version = dict(zip(uploads["key"], uploads["version_id"], strict=True))

    def is_there(key: str) -> bool:
        heads = (there.head(each) for each in settings.derived_keys(key))
        return any(head and head["Metadata"].get(VERSION_TOLD, NO_VERSION) == version[key] for head in heads)

    return until(
        uploads,
        is_there,
        dead_letters=dead_letters,
        timeout_s=settings.watch_timeout_s,
        queue=queue,
        done="derived",
    )


def beginnings(keys: Iterable[str], there: Place, settings: Pipeline) -> pd.DataFrame:
    """Return the beginnings of what was derived of objects.

    Args:
        keys: The objects'.
        there: Where derived objects are.
        settings: The parameters of the pipeline: which keys they have.

    Returns:
        One row a derived object that is there: its key, bytes, and how it `begins`, as text.
    """
    rows = []
    for key in (each for one in keys for each in settings.derived_keys(one)):
        head = there.head(key)
        if head is not None:
            answer = there.client.get_object(Bucket=there.bucket, Key=key, IfMatch=head["ETag"])
            begins = answer["Body"].read(SHOWN_BYTES).decode("utf-8", "replace")
            answer["Body"].close()
            rows.append((key, head["ContentLength"], begins))
    return pd.DataFrame(rows, columns=["key", "bytes", "begins"])
