"""Watching objects arrive: bounded, and honest about those that do not."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote_plus

import pandas as pd
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed
from tqdm import tqdm

from lib.resources.sqs import Queue
from lib.target import Target

POLL_S = 0.25
# What SQS says of a queue's depth is a minute old at the most:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
SETTLE_S = 60
DEAD_LETTERS_SHOWN = 10  # one receive gives at most ten messages

# What HEAD tells of an object that a faithful copy must have too.
FACTS = ("ContentLength", "ContentType", "Metadata", "StorageClass")


@dataclass(frozen=True)
class Place:
    """A bucket, and a client of its region.

    Attributes:
        client: An S3 client.
        bucket: The bucket's name.
    """

    client: object
    bucket: str

    def head(self, key: str) -> dict | None:
        """Return what HEAD tells of an object, or None if there is none."""
        try:
            return self.client.head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def tags(self, key: str) -> dict[str, str]:
        """Return an object's tags."""
        answer = self.client.get_object_tagging(Bucket=self.bucket, Key=key)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def digest(self, key: str) -> str:
        """Return the SHA-256 of an object's bytes, read in pieces."""
        hashed = sha256()
        for chunk in self.client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(1024 * 1024):
            hashed.update(chunk)
        return hashed.hexdigest()


@dataclass(frozen=True)
class Waiting:
    """A queue, and a client of its region.

    Attributes:
        client: An SQS client.
        url: The queue's URL.
    """

    client: object
    url: str

    @classmethod
    def of(cls, target: Target, queue: Queue) -> "Waiting":
        """Return a queue that exists, with a client."""
        client = target.client(queue.service, queue.region)
        return cls(client, queue.output(client))

    def depth(self) -> int:
        """Return about how many messages are in it, those included that are being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in attributes.values())

    def settle(self, timeout_s: float = SETTLE_S, sleep: Callable[[float], None] = time.sleep) -> int:
        """Wait until no message is in it, or the time is up, and return how many there are then."""
        retrying = Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_delay(timeout_s),
            wait=wait_fixed(POLL_S),
            sleep=sleep,
            retry_error_callback=lambda state: state.outcome.result(),
        )
        return retrying(self.depth)

    def versions(self) -> set[tuple[str, str | None]]:
        """Return key and version id of what up to ten of its messages speak of; the messages stay there."""
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=DEAD_LETTERS_SHOWN, VisibilityTimeout=0
        )
        return {version for message in answer.get("Messages", []) for version in _versions(message["Body"])}


def arrivals(
    uploads: pd.DataFrame,
    source: Place,
    target: Place,
    queue: Waiting,
    dead_letters: Waiting,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """Watch until every upload is in place or dead, or the time is up.

    Args:
        uploads: As `samples.upload` returns it.
        source: Where they were uploaded.
        target: Where they shall arrive.
        queue: Through which their events go.
        dead_letters: Where events end that failed too often.
        timeout_s: How long to watch, in seconds.
        sleep: Waits between two looks.
        clock: Tells the seconds.

    Returns:
        One row an upload: key, bytes, `state` (`in place`, `dead letter` or `not yet`) and `seconds` from the
        upload until it was seen in place.
    """
    seen = {key: ("not yet", float("nan")) for key in uploads["key"]}
    uploaded = uploads.set_index("key")["uploaded"]
    deadline = clock() + timeout_s
    with tqdm(total=len(seen), desc="Arrived", unit="object", leave=False) as progress:
        while _not_yet(seen) and clock() < deadline:
            for key in _not_yet(seen):
                if is_same(source.head(key), target.head(key)):
                    seen[key] = ("in place", (pd.Timestamp.now("UTC") - uploaded[key]).total_seconds())
                    progress.update()
            if _not_yet(seen) and dead_letters.depth():
                dead = _current(dead_letters.versions(), _not_yet(seen), source)
                seen |= dict.fromkeys(dead, ("dead letter", float("nan")))
            progress.set_postfix(queued=queue.depth(), refresh=False)
            if _not_yet(seen):
                sleep(POLL_S)
    states = pd.DataFrame.from_dict(seen, orient="index", columns=["state", "seconds"])
    return uploads[["key", "bytes"]].join(states, on="key")


def _not_yet(seen: dict[str, tuple[str, float]]) -> set[str]:
    return {key for key, (state, _) in seen.items() if state == "not yet"}


def _current(versions: set[tuple[str, str | None]], keys: set[str], source: Place) -> set[str]:
    """Return those of the keys of which a version is meant that is still the newest: no older dead letter."""
    newest = {key: (source.head(key) or {}).get("VersionId") for key, _ in versions if key in keys}
    return {key for key, version in versions if key in newest and version in (None, newest[key])}


def is_same(source: dict | None, target: dict | None) -> bool:
    """Tell from two answers of HEAD whether one object is a faithful copy of the other.

    Args:
        source: The original's answer, with its checksum.
        target: The copy's; None if it is not there.

    Returns:
        Whether size, content type, metadata and storage class are equal, and the contents by the checksums
        that both have, or else by ETag.
    """
    if source is None or target is None:
        return False
    checksums = {key for key in source if key.startswith("Checksum") and key != "ChecksumType"} & set(target)
    contents = checksums or {"ETag"}
    return all(source.get(name) == target.get(name) for name in (*FACTS, *contents))


def compare(keys: list[str], source: Place, target: Place) -> pd.DataFrame:
    """Compare objects and their copies, contents byte for byte.

    Args:
        keys: Which.
        source: Where the originals are.
        target: Where the copies are.

    Returns:
        One row a key: whether `content`, `metadata`, `tags`, `content type` and `storage class` are the same.
    """
    rows = []
    for key in tqdm(keys, desc="Compare", unit="object", leave=False, delay=1):
        original, copy = source.head(key), target.head(key)
        there = original is not None and copy is not None
        row = {"key": key, "content": there and source.digest(key) == target.digest(key)}
        for name in ("Metadata", "ContentType", "StorageClass"):
            row[name] = there and original.get(name) == copy.get(name)
        rows.append(row | {"Tags": there and source.tags(key) == target.tags(key)})
    return pd.DataFrame(rows)


def function_log(client, log_group: str, since: pd.Timestamp) -> pd.DataFrame:
    """Return what a function has logged about objects.

    Args:
        client: A CloudWatch Logs client of the function's region.
        log_group: The function's log group.
        since: From when on.

    Returns:
        One row a log line that names a key, in the order of time: time, level, message, key, bytes, seconds.
    """
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=log_group, startTime=int(since.timestamp() * 1000), filterPattern='{ $.key = "*" }'
    )
    lines = [_json_object(event["message"]) for page in pages for event in page["events"]]
    log = pd.DataFrame([line for line in lines if "key" in line])
    columns = ["timestamp", "level", "message", "key", "bytes", "seconds"]
    return log.reindex(columns=columns).sort_values("timestamp", ignore_index=True)


def _json_object(text: str) -> dict:
    """Return the JSON object that a text is, or an empty one."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _versions(body: str) -> Iterator[tuple[str, str | None]]:
    """Yield key and version id of what a message speaks of; one that is no event of S3 speaks of nothing."""
    for record in _json_object(body).get("Records") or []:
        if "s3" in record:
            yield unquote_plus(record["s3"]["object"]["key"]), record["s3"]["object"].get("versionId")
