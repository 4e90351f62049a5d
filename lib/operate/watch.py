"""Watching what follows an upload: bounded, and honest about what does not happen."""

import time
from collections.abc import Callable, Iterable

import pandas as pd
from botocore.client import BaseClient

from lib.base import told
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.base.waits import Wait
from lib.engine.waiting import POLL_S, Waiting
from lib.operate import facts, log_events
from lib.s3.objects import NO_VERSION, Place, is_same

# What a function logs reaches CloudWatch Logs some seconds later, and its clock is not this machine's.
LOG_S, CLOCKS_DIFFER = 60, pd.Timedelta("5s")


def until(
    uploads: pd.DataFrame,
    is_done: Callable[[str], bool],
    *,
    dead_letters: Waiting,
    timeout_s: float,
    queue: Waiting | None = None,
    done: str = "in place",
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """Watch until what was to follow each upload has happened or its event is dead, or the time is up.

    Args:
        uploads: As `samples.upload` or `samples.delete` returns it.
        is_done: Tells of a key whether it has happened.
        dead_letters: Where events end that failed too often.
        timeout_s: How long to watch, in seconds.
        queue: Through which the events go, if there is one; the progress bar shows how many wait in it.
        done: What the state is called when it has happened.
        sleep: Waits between two looks.
        clock: Tells the seconds.

    Returns:
        One row an upload: key, `state` (`done`'s word, `dead letter` or `not yet`) and `seconds` from the
        upload until it was seen to have happened.
    """
    began = uploads.set_index("key")["time"]
    version = dict(zip(uploads["key"], uploads["version_id"], strict=True))
    seen = {key: ("not yet", float("nan")) for key in uploads["key"]}
    deadline = clock() + timeout_s
    with Wait(done.capitalize(), total=len(seen), unit="object", timeout_s=timeout_s) as progress:
        while _not_yet(seen) and clock() < deadline:
            for key in filter(is_done, _not_yet(seen)):
                seen[key] = (done, (pd.Timestamp.now("UTC") - began[key]).total_seconds())
                progress.update()
            if _not_yet(seen) and dead_letters.depth():
                dead = {key for key, of in dead_letters.versions() if of in (None, version.get(key))}
                seen |= dict.fromkeys(dead & _not_yet(seen), ("dead letter", float("nan")))
            if queue:
                progress.say(f"{counted(queue.depth(), 'message')} in the queue")
            if _not_yet(seen):
                sleep(POLL_S)
    if _not_yet(seen):
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
        print(
            f"{len(_not_yet(seen))} of {len(seen)} not yet after {timeout_s} s. S3 may need five minutes "
            "until it follows a new notification, and never tells what it missed: if the pipeline is new, "
            "upload again"
        )
    states = pd.DataFrame.from_dict(seen, orient="index", columns=["state", "seconds"])
    if len(states):
        counts = {state: int(count) for state, count in states["state"].value_counts().items()}
        told.note("lag", awaited=done, objects=counts, longest_s=round(float(states["seconds"].max()), 2))
    return uploads[["key"]].join(states.round(2), on="key")


def _not_yet(seen: dict[str, tuple[str, float]]) -> set[str]:
    return {key for key, (state, _) in seen.items() if state == "not yet"}


def arrivals(
    uploads: pd.DataFrame,
    source: Place,
    *,
    target: Place,
    dead_letters: Waiting,
    timeout_s: float,
    queue: Waiting | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """Watch until every upload is in place in another bucket.

    Args:
        uploads: As `samples.upload` returns it.
        source: Where they were uploaded.
        target: Where they shall arrive.
        dead_letters: As for `until`.
        timeout_s: As for `until`.
        queue: As for `until`.
        sleep: As for `until`.
        clock: As for `until`.

    Returns:
        As `until`.
    """

    def is_done(key: str) -> bool:
        return is_same(source.head(key), target.head(key))

    return until(
        uploads,
        is_done,
        dead_letters=dead_letters,
        timeout_s=timeout_s,
        queue=queue,
        sleep=sleep,
        clock=clock,
    )


def departures(
    deletes: pd.DataFrame, target: Place, *, dead_letters: Waiting, timeout_s: float
) -> pd.DataFrame:
    """Watch until every deleted object is gone elsewhere too.

    Args:
        deletes: As `samples.delete` returns it.
        target: Where they shall be gone.
        dead_letters: As for `until`.
        timeout_s: As for `until`.

    Returns:
        As `until`; the state is `gone`.
    """

    def is_gone(key: str) -> bool:
        return target.head(key) is None

    return until(deletes, is_gone, dead_letters=dead_letters, timeout_s=timeout_s, done="gone")


def rows(
    uploads: pd.DataFrame, client: BaseClient, *, table: str, dead_letters: Waiting, timeout_s: float
) -> pd.DataFrame:
    """Watch until the index has a row of every upload's or delete's version.

    Without versioning, which only somebody else's bucket may be, a row tells by its time whose it is.

    Args:
        uploads: As `samples.upload` or `samples.delete` returns it.
        client: A DynamoDB client of the table's region.
        table: The table's name.
        dead_letters: As for `until`.
        timeout_s: As for `until`.

    Returns:
        As `until`; the state is `indexed`.
    """
    each = uploads.drop_duplicates("key", keep="last").set_index("key")
    event = "ObjectCreated" if "bytes" in uploads else "ObjectRemoved"

    def is_indexed(key: str) -> bool:
        version, since = each["version_id"][key], each["time"][key] - CLOCKS_DIFFER
        is_it = "version_id = :version"
        values = {":key": key, ":event": event, ":version": version}
        if version == NO_VERSION:
            is_it = f"({is_it} OR attribute_not_exists(version_id)) AND #timestamp >= :since"
            values[":since"] = since.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        answer = client.query(
            TableName=table,
            KeyConditionExpression="file_key = :key",
            FilterExpression=f"begins_with(event_name, :event) AND {is_it}",
            ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
            **({"ExpressionAttributeNames": {"#timestamp": "timestamp"}} if ":since" in values else {}),
            ConsistentRead=True,
        )
        return bool(answer["Count"])

    return until(uploads, is_indexed, dead_letters=dead_letters, timeout_s=timeout_s, done="indexed")


def function_log(
    client: BaseClient,
    log_group: str,
    *,
    since: pd.Timestamp,
    keys: Iterable[str] = (),
    timeout_s: float = LOG_S,
    sleep: Callable[[float], None] = time.sleep,
) -> pd.DataFrame:
    """Return what a function has logged about objects, once the log tells of all that are asked for.

    Args:
        client: A CloudWatch Logs client of the function's region.
        log_group: The function's log group; what its name ends with says whose outcomes they are.
        since: From when on.
        keys: Objects whose outcome must be in the log; without any, one line of any object must be.
        timeout_s: How long to wait for that, in seconds; then what is there is returned.
        sleep: Waits between two looks.

    Returns:
        One row a log line that names a key, in the order of time: timestamp, level, message, key, bytes,
        seconds.

    Raises:
        RunbookError: If keys are given, and no handler says what it logs there.
    """
    awaited = set(keys)
    outcomes = facts.of(facts.handler_of(log_group)).outcomes if awaited else {}

    def is_whole(lines: list[dict]) -> bool:
        told = {line["key"] for line in lines if line.get("message") in outcomes}
        return awaited <= told and bool(lines)

    def read() -> list[dict]:
        return list(log_events.lines(client, log_group, since - CLOCKS_DIFFER))

    told = wait_until(read, is_whole, timeout_s, log_events.SOON, sleep, what=f"What {log_group} tells")
    log = pd.DataFrame(told)
    columns = ["timestamp", "level", "message", "key", "bytes", "seconds"]
    log = log.reindex(columns=columns).astype({"bytes": "Int64"})
    return log.sort_values("timestamp", ignore_index=True, kind="stable")
