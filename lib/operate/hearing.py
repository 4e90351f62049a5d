"""Whether S3 has begun to tell of a bucket: a new or changed notification is deaf for some minutes.

What is uploaded meanwhile is lost to the pipeline, and S3 never says so. So before samples a probe is sent,
an empty object that is erased at once, until the function that the notification leads to has logged that its
event came.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-enable-disable-notification-intro.html
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from uuid import uuid4

import pandas as pd
from tenacity import wait_exponential

from lib.base.errors import LockedError, WaitError
from lib.base.json_text import json_object
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.base.waits import Wait
from lib.engine.ledger import note_put
from lib.engine.stack import Stack
from lib.operate import log_events
from lib.operate.entrances import ObjectEvent, sending
from lib.operate.pipelines import FunctionName
from lib.operate.samples import folder
from lib.operate.watch import CLOCKS_DIFFER
from lib.resources.lambda_ import EventSourceMapping, Function
from lib.resources.logs import log_group_name
from lib.resources.s3 import Bucket, BucketNotification
from lib.resources.sns import Subscription, Topic
from lib.resources.sqs import Queue
from lib.s3.listing import listing
from lib.s3.objects import Place
from lib.s3.selection import KeyFilter
from lib.s3.versions import erase, histories

PROBE = "runbook-probe-"  # handlers/common/events.py knows it by that, what follows, and its size of 0
PROBES_KEY = re.compile(rf"(?:^|/){PROBE}[0-9a-f]{{32}}[^/]*$")
OF_PROBES = '{ $.probe = "*" }'
# From one probe to the next; its event may take some seconds to be logged even when all is well.
FIRST_ROUND_S, LONGEST_ROUND_S = 2, 30
MOST_LISTED = 10_000  # in a larger bucket an audit finds what was missed
LOOKS = wait_exponential(multiplier=0.25, max=2)
NONE_YET = "none yet: S3 may need five minutes after a change. Look again, or run 70_audit for what it missed"


@dataclass(frozen=True, eq=False)  # each is one of a list
class Entrance:
    """A notification, and the function that its events end at.

    Attributes:
        notification: The notification.
        function: The function, behind whatever topic and queue there are.
        queue: The queue before the function, if there is one.
    """

    notification: BucketNotification
    function: Function
    queue: Queue | None = None

    @property
    def bucket(self) -> Bucket:
        """Whose events they are."""
        return self.notification.bucket

    @property
    def probes(self) -> str:
        """What the keys of its probes begin with; in a bucket that is not ours, in a folder of our own."""
        return f"{folder(self.bucket, self.notification.key_prefix)}{PROBE}"

    @property
    def needs_versions(self) -> bool:
        """Whether what is put there shall have a version, some time after versioning was turned on."""
        return self.bucket.is_made and self.bucket.versioned


def first_events(
    stack: Stack,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """Return when the first event came by each notification of a pipeline.

    If the run sends samples, it first waits for that, and sends probes. They are erased at once, versions
    included, unless Object Lock holds them, and the functions make nothing of them; then the pipeline is told
    of what came into a bucket of ours meanwhile. Otherwise nothing is sent: what was logged since tells.

    Args:
        stack: The pipeline, applied.
        timeout_s: How long to wait for all of them, in seconds.
        sleep: Waits between two looks.
        clock: Tells the seconds.

    Returns:
        One row a notification: its name, the function's, `first event` (UTC, or why there is none).

    Raises:
        WaitError: If the time is up; says what did not come.
        RunbookError: If a probe cannot be erased though Object Lock does not hold it; says where it is.
    """
    all_of_them = list(entrances(stack))
    entries = stack.ledger.entries()
    heard = {each: at for each in all_of_them if (at := entries.get(each.notification.arn, {}).get("heard"))}
    if new := [each for each in all_of_them if each not in heard]:
        found = (
            _Probing(stack, new, sleep, clock).until_heard(timeout_s)
            if stack.exercises
            else _seen(stack, new)
        )
        heard |= found
        for entrance, at in found.items():
            stack.ledger.hear(entrance.notification.arn, at)
    rows = [(each.notification.name, each.function.name, heard.get(each, NONE_YET)) for each in all_of_them]
    return pd.DataFrame(rows, columns=["notification", "function", "first event"])


def entrances(stack: Stack) -> Iterator[Entrance]:
    """Yield the notifications that a stack describes and that lead to a function of it.

    Args:
        stack: The pipeline's.
    """
    resources = list(stack.resources.values())
    for one in resources:
        if isinstance(one, BucketNotification) and (end := _end(one.destination, resources)):
            yield Entrance(one, *end)


def _end(
    destination: Topic | Queue | Function, resources: Iterable[object]
) -> tuple[Function, Queue | None] | None:
    """Return the function that events end at, through a topic, a queue, or both, and that queue."""
    if isinstance(destination, Function):
        return destination, None
    for one in resources:
        if (
            isinstance(one, Subscription)
            and isinstance(destination, Topic)
            and one.topic.arn == destination.arn
        ):
            for queue in resources:
                if isinstance(queue, Queue) and queue.arn == one.endpoint:
                    return _end(queue, resources)
        if isinstance(one, EventSourceMapping) and one.queue.arn == destination.arn:
            return one.function, one.queue
    return None


def _seen(stack: Stack, new: list[Entrance]) -> dict[Entrance, str]:
    """Return when the functions have logged the first event since their notification was made or changed."""
    entries, found = stack.ledger.entries(), {}
    for each in new:
        made = entries.get(each.notification.arn, {}).get("at")
        if made is None:  # by a run of which this ledger knows nothing
            continue
        client = stack.target.client("logs", each.function.region)
        lines = log_events.timed_lines(client, log_group_name(each.function.name), pd.Timestamp(made))
        mine = (
            when
            for when, line in lines
            if line.get("bucket", each.bucket.name) == each.bucket.name and "told_later" not in line
        )
        if (first := next(mine, None)) is not None:
            found[each] = first.isoformat(timespec="seconds")
    return found


class _Probing:
    """Sends probes until each was heard of."""

    def __init__(
        self,
        stack: Stack,
        new: list[Entrance],
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._stack, self._entrances, self._sleep, self._clock = stack, new, sleep, clock
        self._keys: dict[str, Entrance] = {}
        self._versioned: set[Entrance] = set()
        self._heard: dict[Entrance, str] = {}
        self._kept: defaultdict[Entrance, set[str]] = defaultdict(set)
        self._began = pd.Timestamp.now("UTC")

    def until_heard(self, timeout_s: float) -> dict[Entrance, str]:
        """Return when each probe was heard of; send more of them until it was."""
        for each in self._entrances:  # what a run that was killed has left
            note_put(each.bucket.name, each.probes)
            self._erase(each, self._left_of(each))
        deadline, round_s = self._clock() + timeout_s, float(FIRST_ROUND_S)
        total = len(self._entrances)
        with Wait("First event", total=total, unit="notification", timeout_s=timeout_s) as bar:
            while waiting := self._waiting():
                if (left_s := deadline - self._clock()) <= 0:
                    raise WaitError(self._too_long(waiting, timeout_s))
                for each in waiting:
                    self._send(each)
                wait_until(
                    self._look, lambda _: not self._waiting(), min(round_s, left_s), LOOKS, self._sleep
                )
                round_s = min(2 * round_s, LONGEST_ROUND_S)
                bar.n = total - len(self._waiting())
        for each, keys in self._kept.items():
            print(
                f"Object Lock holds what is put into {each.bucket.name}: {len(keys)} empty objects of ours, "
                f"{each.probes}…, stay there, each below a delete marker, until it lets them go and somebody "
                "erases them, as a run does that makes or changes a notification of the bucket"
            )
        for each in self._entrances:
            self._tell_of_what_came(each)
        for name in sorted({each.bucket.name for each in self._entrances if not each.bucket.is_made}):
            print(f"what others put into {name} while S3 was deaf is not looked for: 70_audit finds it")
        return self._heard

    def _tell_of_what_came(self, entrance: Entrance) -> None:
        """Send the events of what was put into a bucket of ours while S3 was deaf, as a schedule may have."""
        one, made = entrance.notification, self._stack.ledger.entries().get(entrance.notification.arn, {})
        if not (entrance.bucket.is_made and "at" in made and any("Created" in name for name in one.events)):
            return
        followed = KeyFilter(one.key_prefix, one.key_suffix)
        place, since = Place.of(self._stack.target, entrance.bucket), pd.Timestamp(made["at"]) - CLOCKS_DIFFER
        entries = list(islice(listing(place, one.key_prefix), MOST_LISTED + 1))
        came = [each for each in entries if each.modified >= since and followed.takes(each.key)]
        if len(entries) > MOST_LISTED:
            print(
                f"{place.bucket} holds more than {MOST_LISTED:,} objects, too many to look for what came "
                f"while S3 was deaf, since {since}: 70_audit finds it"
            )
        elif came:
            where = entrance.queue or FunctionName(entrance.function.name, entrance.function.region)
            with sending(self._stack.target, where, entrance.bucket) as send:
                send([ObjectEvent.of(each) for each in came])
            objects = counted(len(came), "object")
            print(f"{objects} came into {place.bucket} while S3 was deaf, and what was missed was sent")

    def _waiting(self) -> list[Entrance]:
        return [
            each
            for each in self._entrances
            if each not in self._heard or (each.needs_versions and each not in self._versioned)
        ]

    def _send(self, entrance: Entrance) -> None:
        """Put a probe and erase it: its events tell of both."""
        key = f"{entrance.probes}{uuid4().hex}{entrance.notification.key_suffix}"
        self._keys[key] = entrance
        client = self._stack.target.client("s3", entrance.bucket.region)
        answer = client.put_object(Bucket=entrance.bucket.name, Key=key, Body=b"")
        if "VersionId" in answer:
            self._versioned.add(entrance)
        self._erase(entrance, [key])

    def _left_of(self, entrance: Entrance) -> Iterator[str]:
        """Yield the keys of probes that are left, and nobody else's: such a name with bytes is no probe."""
        for key, versions in histories(Place.of(self._stack.target, entrance.bucket), entrance.probes):
            if PROBES_KEY.search(key) and not any(each.bytes for each in versions):
                yield key

    def _erase(self, entrance: Entrance, keys: Iterable[str]) -> None:
        for key in keys:  # with what it is the beginning of: a probe's has a random part
            try:
                erase(Place.of(self._stack.target, entrance.bucket), key)
            except LockedError:
                self._kept[entrance].add(key)
                self._hide(entrance, key)

    def _hide(self, entrance: Entrance, key: str) -> None:
        """Delete what cannot be erased: a marker takes it out of sight, and its event is of a deletion.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
        """
        place = Place.of(self._stack.target, entrance.bucket)
        for found, versions in histories(place, key):
            if found == key and not versions[0].is_marker:
                place.client.delete_object(Bucket=place.bucket, Key=key)

    def _look(self) -> None:
        """See in the logs which probes came."""
        groups = defaultdict(list)
        for each in self._waiting():
            groups[each.function.region, log_group_name(each.function.name)].append(each)
        for region, name in groups:
            client = self._stack.target.client("logs", region)
            for when, text in log_events.events(client, name, self._began - CLOCKS_DIFFER, OF_PROBES):
                line = json_object(text)
                entrance = self._keys.get(line.get("probe", ""))
                if entrance and log_group_name(entrance.function.name) == name:
                    self._heard.setdefault(entrance, when.isoformat(timespec="seconds"))

    def _too_long(self, waiting: list[Entrance], timeout_s: float) -> str:
        deaf = [each for each in waiting if each not in self._heard]
        if not deaf:
            names = ", ".join(sorted({each.bucket.name for each in waiting}))
            return (
                f"what is put into {names} has no version {timeout_s:g} s after versioning was turned on; no "
                "sample was uploaded. Run this again: S3 may need 15 minutes (first_event_timeout_s)"
            )
        told = ", ".join(f"{each.function.name} of {each.bucket.name}" for each in deaf)
        return (
            f"no event was seen within {timeout_s:g} s by {told}, though {len(self._keys)} probes were sent; "
            "no sample was uploaded. Run this again: S3 may need longer (first_event_timeout_s). Or look "
            "whether something between them is switched off: the notification, the subscription, the mapping"
        )
