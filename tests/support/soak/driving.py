"""Driving a soak test: uploads, events that come again, and functions that are killed."""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Thread

import psutil
from support.soak.verdict import is_right
from support.soak.workload import UNREADABLE, UNWRITABLE, Work
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed
from tqdm import tqdm

from lib.local import ministack
from lib.operate.entrances import ObjectEvent, sending
from lib.operate.pipelines import Pipeline
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.s3.objects import Place
from lib.target import Target

THREADS = 8
SENT_AGAIN = 0.1
# S3 invokes a function for each event at once, and nothing bounds that on the local AWS: uploads wait for it.
FOLLOWED_WITHIN_S = 20
STARTED_AFTER_S = 3


@dataclass
class Driver:
    """Uploads to a pipeline.

    Attributes:
        target: The AWS to work on.
        pipeline: Where to.
        source, destination: Its buckets.
        events: What has happened so far, to be sent again.
        sent_again: How many events were.
    """

    target: Target
    pipeline: Pipeline
    source: Place = field(init=False)
    destination: Place = field(init=False)
    events: list[ObjectEvent] = field(default_factory=list)
    sent_again: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self):
        """Make all clients: threads may share them, but not make them."""
        for queue_or_function in (self.pipeline.created, *self.pipeline.functions):
            service = "sqs" if isinstance(queue_or_function, Queue) else "lambda"
            self.target.client(service, queue_or_function.region)
        self.source, self.destination = (
            self._place(self.pipeline.source),
            self._place(self.pipeline.destination),
        )

    def _place(self, bucket: Bucket) -> Place:
        return Place(self.target.client("s3", bucket.region), bucket.name)

    def upload(self, works: list[Work]) -> None:
        """Upload everything from several threads; raises if an upload is not acknowledged."""
        with ThreadPoolExecutor(THREADS) as threads, tqdm(total=len(works), desc="Upload") as progress:
            for _ in threads.map(self._live, works):
                progress.update()

    def send_malformed(self, messages: list[str]) -> None:
        """Send messages to the pipeline's entrance that are no events."""
        entrance = self.pipeline.created
        if isinstance(entrance, Queue):
            client = self.target.client("sqs", entrance.region)
            for message in messages:
                client.send_message(QueueUrl=entrance.output(client), MessageBody=message)
            return
        client = self.target.client("lambda", entrance.region)
        for message in messages:
            payload = json.dumps({"Records": [{"odd": message}]})  # Lambda itself takes JSON only
            client.invoke(FunctionName=entrance.name, InvocationType="Event", Payload=payload)

    def _live(self, work: Work) -> None:
        """Let an object have its life, and some events come again, old ones too."""
        place = self.source
        name = {"Bucket": place.bucket, "Key": work.key}
        described = {"Metadata": dict(work.metadata), "Tagging": work.tags}
        for body in work.bodies:
            answer = place.client.put_object(**name, Body=body, **described)
            self._note("ObjectCreated:Put", work.key, len(body), answer)
        if work.is_deleted:
            self._note(
                "ObjectRemoved:DeleteMarkerCreated", work.key, None, place.client.delete_object(**name)
            )
        if self._random.random() < SENT_AGAIN:
            self._send_again()
        if not isinstance(self.pipeline.created, Queue) and not work.is_poison:
            until(lambda: is_right(work, self.destination), FOLLOWED_WITHIN_S)

    def _note(self, event: str, key: str, size: int | None, answer: dict) -> None:
        etag = answer["ETag"].strip('"') if "ETag" in answer else None
        self.events.append(ObjectEvent(event, key, datetime.now(UTC), size, etag, answer.get("VersionId")))

    def _send_again(self) -> None:
        again = self._random.choice(self.events)
        removed = again.name.startswith("ObjectRemoved")
        entrance = self.pipeline.removed if removed else self.pipeline.created
        with sending(self.target, entrance, self.pipeline.source) as send:
            send([again])
        self.sent_again += 1


def until(look, timeout_s: float) -> bool:
    """Look every second until it is true or the time is up; returns whether it became true.

    No more often, for whoever looks keeps from work the one process that is AWS here.
    """
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(1),
        retry_error_callback=lambda state: False,
    )
    return bool(retrying(look))


def refuse_poison(target: Target, root, pipeline: Pipeline) -> None:
    """Forbid the pipeline's function to read, and to write, what is below the poisoned prefixes."""
    function = pipeline.functions[0]
    client = target.client("lambda", function.region)
    role = client.get_function(FunctionName=function.name)["Configuration"]["Role"]
    for bucket, action, prefix in (
        (pipeline.source, "s3:GetObject*", UNREADABLE),
        (pipeline.destination, "s3:PutObject", UNWRITABLE),
    ):
        s3 = root("s3", bucket.region)
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket.name)["Policy"])
        refusal = {"Sid": "Poison", "Effect": "Deny", "Principal": {"AWS": role}, "Action": action}
        policy["Statement"].append(refusal | {"Resource": f"{bucket.arn}/{prefix}*"})
        s3.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))


@dataclass
class Killer:
    """Kills processes of functions, as the machine below them might.

    Attributes:
        every_s: How often.
        most: How many in all: on a slow machine, functions would else do nothing but start.
        killed: How many were.
    """

    every_s: float
    most: int
    killed: int = 0
    _stop: Event = field(default_factory=Event)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Kill until the end of the block."""
        thread = Thread(target=self._work)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _work(self) -> None:
        draw, server = random.Random(1), psutil.Process(ministack.status().pid)
        while self.killed < self.most and not self._stop.wait(self.every_s):
            if busy := [worker for worker in server.children() if _has_started(worker)]:
                draw.choice(busy).kill()
                self.killed += 1


def _has_started(worker: psutil.Process) -> bool:
    return worker.is_running() and time.time() - worker.create_time() > STARTED_AFTER_S
