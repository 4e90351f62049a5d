"""Pipelines that run, with their functions' own code: for inputs from outside, and what comes of them."""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.operate.failures.explain import Explained, explain
from lib.operate.failures.letters import taken
from lib.operate.pipelines import AnyResource, Pipeline, deployed
from lib.parameters import Parameters
from lib.resources.bundle import bundle
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.target import Target, connect
from support.cleanup import remove
from support.described import describe

# One attempt of what S3 invokes, and no deletes held: what fails is to be seen at once.
SECTIONS = {
    "migrate": {"batch_size": 5, "maximum_concurrency": 2},
    "backup": {"retries": 0, "brake_deletes": 1_000_000},
    "index": {"retries": 0},
    "summarize": {"retries": 0},
    "ingest": {"batch_size": 5, "maximum_concurrency": 2, "schedule_state": "DISABLED"},
}
HIDDEN_S = 2  # how long a failed message is hidden; six times the function's timeout would be minutes
MOST_LETTERS = 10_000
# What describes an object besides its bytes. `ExpiresString` is the header as it is.
HEADERS = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("ExpiresString", "Metadata", "StorageClass", "WebsiteRedirectLocation"),
)


@dataclass
class Running:
    """Pipelines of one environment.

    Attributes:
        env: The environment's name.
        names: The pipelines'.
        changed: Parameters of sections that are not as in SECTIONS.
    """

    env: str
    names: tuple[str, ...]
    changed: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stacks = [self._described(name) for name in self.names]
        with ThreadPoolExecutor(len(self._stacks)) as threads:
            list(threads.map(Stack.apply, self._stacks))
        for name in self.names:
            if isinstance(queue := self.pipeline(name).created, Queue):
                waiting = Waiting.of(self.target, queue)
                hidden = {"VisibilityTimeout": str(HIDDEN_S)}
                waiting.client.set_queue_attributes(QueueUrl=waiting.url, Attributes=hidden)

    def _described(self, name: str) -> Stack:
        return describe(name, self.target, self.parameters, bundle, **self._section(name))

    def _section(self, name: str) -> dict:
        return SECTIONS[name] | self.changed.get(name, {})

    @cached_property
    def parameters(self) -> Parameters:
        """As deployed; whoever audits need not wait."""
        sections = {name: self._section(name) for name in self.names}
        return Parameters.check({"env": self.env, "audit": {"grace_s": 0}, **sections})

    @cached_property
    def target(self) -> Target:
        return connect(self.parameters)

    def destroy(self) -> None:
        """Remove all of it."""
        with ThreadPoolExecutor(len(self._stacks)) as threads:
            list(threads.map(remove, self._stacks))

    def pipeline(self, name: str) -> Pipeline:
        return deployed(self.target, self.parameters, name)

    def made(self, name: str, kind: type[AnyResource], what: str) -> AnyResource:
        """Something of a pipeline: `made("index", Bucket, "exports")`."""
        (stack,) = [stack for stack in self._stacks if stack.scope.pipeline == name]
        return next(each for each in stack.resources.values() if isinstance(each, kind) and each.what == what)

    def source(self, name: str) -> "End":
        """Where a pipeline's input goes."""
        return End.of(self.target, self.pipeline(name).source)

    def destination(self, name: str) -> "End":
        """Where its outcome is, if that is a bucket."""
        return End.of(self.target, self.pipeline(name).destination)

    def items(self, name: str) -> list[dict]:
        """All items of a pipeline's table, numbers as DynamoDB's own text."""
        table = self.pipeline(name).destination
        client = self.target.client("dynamodb", table.region)
        pages = client.get_paginator("scan").paginate(TableName=table.name, ConsistentRead=True)
        return [
            {attribute: next(iter(value.values())) for attribute, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]

    def waiting(self, name: str) -> int:
        """How many messages a pipeline has not done yet; of those that S3 invokes nobody can tell."""
        queue = self.pipeline(name).created
        return Waiting.of(self.target, queue).depth() if isinstance(queue, Queue) else 0

    def stuck(self, name: str) -> list[Explained]:
        """What waits in the queues of work that was not done, with reasons."""
        pipeline, found = self.pipeline(name), []
        for letters in pipeline.dead_letters:
            with taken(Waiting.of(self.target, letters.queue), MOST_LETTERS) as hand:
                found += explain(self.target, pipeline, letters, hand.letters)
        return found


@dataclass(frozen=True)
class End:
    """A bucket at an end of a pipeline.

    Attributes:
        client: An S3 client of its region.
        bucket: Its name.
    """

    client: object
    bucket: str

    @classmethod
    def of(cls, target: Target, bucket: Bucket) -> "End":
        return cls(target.client_of(bucket), bucket.name)

    def put(self, key: str, body: bytes = b"", **described) -> dict:
        return self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **described)

    def put_in_parts(self, key: str, parts: Iterable[bytes], **described) -> dict:
        name = {"Bucket": self.bucket, "Key": key}
        upload = name | {"UploadId": self.client.create_multipart_upload(**name, **described)["UploadId"]}
        done = [
            {"PartNumber": n, "ETag": self.client.upload_part(**upload, PartNumber=n, Body=body)["ETag"]}
            for n, body in enumerate(parts, 1)
        ]
        return self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})

    def read(self, key: str) -> bytes | None:
        """The bytes of an object, or None if there is none."""
        try:
            with closing(self.client.get_object(Bucket=self.bucket, Key=key)["Body"]) as body:
                return body.read()
        except ClientError as error:
            # Not by its name, which is in an XML that no parser reads if the key has control characters.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def text(self, key: str) -> dict | None:
        """A JSON object, or None if there is none."""
        body = self.read(key)
        return body and json.loads(body)

    def state(self, key: str) -> dict | None:
        """All that can be seen of an object from outside: bytes, headers, metadata, tags."""
        if (body := self.read(key)) is None:
            return None
        head = self.client.head_object(Bucket=self.bucket, Key=key)
        tags = self.client.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        described = {name: head[name] for name in HEADERS if head.get(name)}
        return described | {"body": body, "tags": sorted((tag["Key"], tag["Value"]) for tag in tags)}

    def keys(self) -> set[str]:
        """Every key there is."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return {each["Key"] for page in pages for each in page.get("Contents", [])}


def eventually(look: Callable[[], object], timeout_s: float = 60, every_s: float = 0.3) -> bool:
    """Look again and again until it is true or the time is up; returns whether it became true."""
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(every_s),
        retry_error_callback=lambda state: False,
    )
    return bool(retrying(look))


def settled(
    look: Callable[[], object],
    waiting: Callable[[], int] = lambda: 0,
    still_s: float = 8,
    most_s: float = 120,
) -> None:
    """Look until nothing is seen that is not right, or what is seen stays the same and nothing waits.

    Args:
        look: Returns what is not right yet.
        waiting: Returns how much is still to be done.
        still_s: For how long it must be the same, in seconds.
        most_s: After so many seconds it is enough.
    """
    seen, since = look(), time.monotonic()
    ends = since + most_s
    while seen and time.monotonic() < ends and (waiting() or time.monotonic() - since < still_s):
        time.sleep(1)
        if (now := look()) != seen:
            seen, since = now, time.monotonic()


def refused(call: Callable[..., object], *args, **arguments) -> str:
    """The code with which AWS refuses a call; empty if it does not."""
    try:
        call(*args, **arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""
