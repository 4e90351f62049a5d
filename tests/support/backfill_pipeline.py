"""A pipeline reduced to what a backfill touches: its buckets and its queues, without functions."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote_plus

from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.s3 import BucketNotification
from lib.target import Target, connect
from support.audited import described
from support.the_five import pipelines


@dataclass
class Queued:
    """*migrate* in an environment of its own, its events staying in the queue."""

    env: str
    section: dict = field(default_factory=dict)

    def __post_init__(self):
        self.stack = Stack(self.target, self.parameters(), "migrate")
        pipeline = pipelines(self.parameters())["migrate"]
        described(self.stack, pipeline)
        self.source, self.destination, self.queue = pipeline.source, pipeline.destination, pipeline.created
        self.stack.apply()

    def parameters(self, **backfill) -> Parameters:
        return Parameters.check({"env": self.env, "migrate": self.section, "backfill": backfill})

    @cached_property
    def target(self) -> Target:
        return connect(self.parameters())

    @property
    def s3(self):
        return self.stack.client(self.source)

    def put(self, keys) -> None:
        """Put objects of which nobody is told, as if they had been there before the pipeline was."""
        (told,) = (each for each in self.stack.resources.values() if isinstance(each, BucketNotification))
        told.delete(self.s3, f"{self.source.name}#{told.name}")
        self._put(keys)
        told.create(self.s3)

    def _put(self, keys) -> None:
        with ThreadPoolExecutor(8) as threads:
            list(
                threads.map(lambda key: self.s3.put_object(Bucket=self.source.name, Key=key, Body=b"1"), keys)
            )

    def received(self) -> list[dict]:
        """The S3 records in the queue, which is empty then; each with the second at which it was sent."""
        client, records = self.stack.client(self.queue), []
        url = self.queue.output(client)
        how = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["SentTimestamp"]}
        while messages := client.receive_message(QueueUrl=url, **how).get("Messages"):
            for message in messages:
                sent = {"sent": int(message["Attributes"]["SentTimestamp"]) / 1000}
                told = json.loads(message["Body"]).get("Records", [])  # none in S3's test event
                records += [{**record, **sent} for record in told]
            entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages]
            client.delete_message_batch(QueueUrl=url, Entries=entries)
        return records

    def keys(self) -> list[str]:
        """The keys in the queue, which is empty then, sorted."""
        return sorted(unquote_plus(record["s3"]["object"]["key"]) for record in self.received())
