"""Watching objects arrive: bounded, and honest about those that do not."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import unquote_plus

import pandas as pd
from botocore.exceptions import ClientError
from tqdm.auto import tqdm

POLL_S = 0.25
DEAD_LETTERS_SHOWN = 10  # one receive gives at most ten messages

# What HEAD tells of an object that a faithful copy must have too.
FACTS = ("ContentLength", "ContentType", "Metadata", "StorageClass", "ETag")


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

    def depth(self) -> int:
        """Return how many messages are in it, also those that are being worked on; approximate, as SQS says."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in attributes.values())

    def keys(self) -> set[str]:
        """Return the keys of the objects that up to ten of its messages speak of, and leave the messages there."""
        answer = self.client.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=DEAD_LETTERS_SHOWN, VisibilityTimeout=0
        )
        return {key for message in answer.get("Messages", []) for key in _keys(message["Body"])}


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
    """Watch until every upload is in place, dead, or the time is up.

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
    states = {key: ("not yet", float("nan")) for key in uploads["key"]}
    uploaded = uploads.set_index("key")["uploaded"]
    deadline = clock() + timeout_s
    with tqdm(total=len(states), desc="Arrived", unit="object", leave=False) as progress:
        while True:
            for key in [key for key, (state, _) in states.items() if state == "not yet"]:
                if is_same(source.head(key), target.head(key)):
                    states[key] = ("in place", (pd.Timestamp.now("UTC") - uploaded[key]).total_seconds())
                    progress.update()
            missing = [key for key, (state, _) in states.items() if state == "not yet"]
            if missing and dead_letters.depth():
                states |= {key: ("dead letter", float("nan")) for key in dead_letters.keys() & set(missing)}
                missing = [key for key in missing if states[key][0] == "not yet"]
            if not missing or clock() > deadline:
                break
            progress.set_postfix(queued=queue.depth(), refresh=False)
            sleep(POLL_S)
    seen = pd.DataFrame.from_dict(states, orient="index", columns=["state", "seconds"])
    return uploads[["key", "bytes"]].join(seen, on="key")


def is_same(source: dict | None, target: dict | None) -> bool:
    """Tell from two answers of HEAD whether one object is a faithful copy of the other.

    Args:
        source: The original's answer, with its checksum.
        target: The copy's; None if it is not there.

    Returns:
        Whether size, content type, metadata and storage class are equal, and the contents by checksum or, where
        a KMS key makes them comparable no more, by whichever of checksum and ETag both have.
    """
    if source is None or target is None:
        return False
    checksums = {key for key in source if key.startswith("Checksum") and key != "ChecksumType"} & set(target)
    contents = checksums or {"ETag"}
    facts = [fact for fact in FACTS if fact != "ETag"]
    return all(source.get(name) == target.get(name) for name in (*facts, *contents))


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


def _keys(body: str) -> Iterator[str]:
    """Yield the keys that a message speaks of; one that is no event of S3 speaks of none."""
    try:
        event = json.loads(body)
    except json.JSONDecodeError:
        return
    for record in event.get("Records", []) if isinstance(event, dict) else []:
        yield unquote_plus(record["s3"]["object"]["key"])
