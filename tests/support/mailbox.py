"""Somebody who is told what the topic of alerts is told, and looks at it."""

import json
import uuid
from collections.abc import Callable

from botocore.client import BaseClient

from lib.resources.policies import allow_services, document


class Mailbox:
    """A queue of somebody's that a topic tells; `read` takes what came."""

    def __init__(self, somebody: Callable[..., BaseClient], topic_arn: str):
        """Subscribe to a topic."""
        region = topic_arn.split(":")[3]
        self.sqs = somebody("sqs", region)
        self.url = self.sqs.create_queue(QueueName=f"mailbox-{uuid.uuid4().hex[:8]}")["QueueUrl"]
        asked = {"QueueUrl": self.url, "AttributeNames": ["QueueArn"]}
        arn = self.sqs.get_queue_attributes(**asked)["Attributes"]["QueueArn"]
        policy = allow_services({"sns.amazonaws.com": topic_arn}, "sqs:SendMessage", arn, arn.split(":")[4])
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": json.dumps(document(policy))})
        somebody("sns", region).subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)

    def read(self) -> list[tuple[str, str]]:
        """Return subject and text of what came since."""
        found = []
        while got := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                told = json.loads(message["Body"])
                found.append((told.get("Subject", ""), told["Message"]))
        return found
