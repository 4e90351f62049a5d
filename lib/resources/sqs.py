"""SQS: queues."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import not_
from time import sleep
from typing import ClassVar, Optional

from lib.base.retry import PROPAGATION_S, WAIT_S, retry_on, wait_until
from lib.resources.base import Deletion, End, Found, Link, Scope, Settings, differences, our_tags, retagged
from lib.resources.checks import Finding, within, written_as
from lib.resources.policies import Statement, allow_services, deny_insecure_transport, document, merge, ours

DAY_S = 24 * 60 * 60
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
MOST_VISIBILITY_S, LEAST_RETENTION_S, MOST_RETENTION_S = 12 * 60 * 60, 60, 14 * DAY_S
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
MOST_POLICY_BYTES, MOST_STATEMENTS, MOST_ACTIONS = 8192, 20, 7
# A queue's name is blocked for 60 s after its deletion; 90 s leaves room:
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
NAME_BLOCKED_S = 90


@dataclass(repr=False, kw_only=True)
class Queue(End):
    """An encrypted queue that only named AWS services may send to, each on behalf of one source.

    Without a key of ours it is encrypted with SQS's own (SSE-SQS).

    Attributes:
        visibility_timeout_s: How long a received message is hidden from others.
        retention_s: How long an unread message is kept; longer for dead letters, since age counts from the
            first queue.
        dead_letter: The queue for messages that were received too often.
        max_receive_count: How often is too often.
        senders: Services to the ARN they may send for, such as `{"sns.amazonaws.com": topic.arn}`.
    """

    visibility_timeout_s: int = 30
    retention_s: int = 4 * DAY_S
    dead_letter: Optional["Queue"] = None
    max_receive_count: int = 5
    senders: dict[str, str] = field(default_factory=dict)

    service: ClassVar[str] = "sqs"
    noun: ClassVar[str] = "SQS queue"
    deletion: ClassVar[Deletion] = Deletion.CHANNEL
    acts: ClassVar[bool] = True
    receives: ClassVar[bool] = True
    is_encrypted: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("dead_letter",)
    call_names: ClassVar[tuple[str, ...]] = ("QueueUrl", "QueueName")
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    key_uses: ClassVar[dict[str, tuple[str, ...]]] = {
        "sqs:ReceiveMessage": ("kms:Decrypt",),
        "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
    }

    @property
    def arn(self) -> str:
        return f"arn:aws:sqs:{self.region}:{self.scope.account_id}:{self.name}"

    def output(self, client) -> str:
        """Return its URL; calls with it must go to the queue's region."""
        return client.get_queue_url(QueueName=self.name)["QueueUrl"]

    def desired(self) -> Settings:
        allow = allow_services(self.senders, "sqs:SendMessage", self.arn, self.scope.account_id)
        deny = deny_insecure_transport("sqs:*", self.arn)
        settings: Settings = {
            "VisibilityTimeout": str(self.visibility_timeout_s),
            "MessageRetentionPeriod": str(self.retention_s),
            "encryption": _encryption(self.kms_key_arn),
            "policy": {s["Sid"]: s for s in [deny, *allow]},
            "tags": self.tags,
        }
        if self.dead_letter:
            settings["RedrivePolicy"] = {
                "deadLetterTargetArn": self.dead_letter.arn,
                "maxReceiveCount": self.max_receive_count,
            }
        return settings

    def checks(self) -> Iterable[Finding]:
        pattern, grammar = "[A-Za-z0-9_-]{1,80}", "at most 80 letters, digits, _ and -"
        yield from written_as("queue-name", "its name", self.name, pattern, grammar)
        hidden_s, kept_s = self.visibility_timeout_s, self.retention_s
        yield from within("queue-attributes", "visibility_timeout_s", hidden_s, 0, MOST_VISIBILITY_S)
        yield from within("queue-attributes", "retention_s", kept_s, LEAST_RETENTION_S, MOST_RETENTION_S)
        yield from policy_checks(self.desired()["policy"].values())
        if self.dead_letter:
            yield from within("queue-attributes", "max_receive_count", self.max_receive_count, 1, 1000)
            if self.dead_letter.retention_s <= kept_s:
                what = f"dead letters are kept {self.dead_letter.retention_s} s, messages {kept_s} s"
                fix = "keep dead letters longer: their age counts from the first queue"
                yield Finding("dead-letter-retention", what, fix)

    def read(self, client) -> Settings | None:
        try:
            url = self.output(client)
            found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        except client.exceptions.QueueDoesNotExist:
            return None
        settings: Settings = {key: value for key, value in found.items() if key in self.desired()}
        settings["encryption"] = _encryption(
            found.get("KmsMasterKeyId", ""), found.get("SqsManagedSseEnabled", "false")
        )
        settings["policy"] = ours(found.get("Policy"))
        settings["tags"] = our_tags(client.list_queue_tags(QueueUrl=url).get("Tags", {}))
        if "RedrivePolicy" in found:
            redrive = json.loads(found["RedrivePolicy"])
            settings["RedrivePolicy"] = {**redrive, "maxReceiveCount": int(redrive["maxReceiveCount"])}
        return settings

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        retrying = retry_on("QueueDeletedRecently", NAME_BLOCKED_S, sleep)
        attributes = {key: value for key, value in _attributes(self.desired(), None).items() if value}
        retrying(client.create_queue, QueueName=self.name, Attributes=attributes, tags=self.tags)

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        url = self.output(client)
        if "tags" in settings:
            tags = client.list_queue_tags(QueueUrl=url).get("Tags", {})
            client.tag_queue(QueueUrl=url, Tags=retagged(tags, settings["tags"]))
        found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]).get("Attributes", {})
        if attributes := _attributes(settings, found.get("Policy")):
            client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        # SQS tells of a change up to a minute later; if it is longer, the next plan says so:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
        wait_until(lambda: differences(self.read(client), settings), not_, PROPAGATION_S, WAIT_S, sleep)

    def links(self, settings: Settings) -> Iterable[Link]:
        if redrive := settings.get("RedrivePolicy"):
            yield Link(
                self.arn, redrive["deadLetterTargetArn"], f"after {redrive['maxReceiveCount']} receives"
            )

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for url in _urls(client, scope):
            name = url.rsplit("/", 1)[-1]
            arn = f"arn:aws:sqs:{client.meta.region_name}:{scope.account_id}:{name}"
            with suppress(client.exceptions.QueueDoesNotExist):
                yield Found(url, name, arn, client.list_queue_tags(QueueUrl=url).get("Tags", {}))

    @staticmethod
    def names(client, scope: Scope) -> Iterator[str]:
        """Yield the names that are ours; a queue that was deleted a moment ago may be among them.

        Args:
            client: An SQS client of the region.
            scope: Whose.
        """
        yield from (url.rsplit("/", 1)[-1] for url in _urls(client, scope))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        with suppress(client.exceptions.QueueDoesNotExist):
            client.delete_queue(QueueUrl=identifier)


def _urls(client, scope: Scope) -> Iterator[str]:
    # Without a page size there would be one page only:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html
    pages = client.get_paginator("list_queues").paginate(
        QueueNamePrefix=scope.beginning, PaginationConfig={"PageSize": 1000}
    )
    yield from (url for page in pages for url in page.get("QueueUrls", []))


def policy_checks(statements: Iterable[Statement]) -> Iterator[Finding]:
    """Find more statements, bytes or actions than SQS takes in a queue's policy.

    Args:
        statements: All of the policy, ours and others'.
    """
    statements = list(statements)
    sizes = {
        "statements": (len(statements), MOST_STATEMENTS),
        "bytes": (len(json.dumps(document(statements), separators=(",", ":"))), MOST_POLICY_BYTES),
        "actions in a statement": (
            max([len(_actions(each)) for each in statements], default=0),
            MOST_ACTIONS,
        ),
    }
    for name, (size, most) in sizes.items():
        if size > most:
            what, fix = f"its policy has {size} {name}", f"keep to {most}: fewer senders, or one queue each"
            yield Finding("queue-policy-quota", what, fix)


def _actions(statement: Statement) -> list[str]:
    actions = statement.get("Action", statement.get("NotAction", []))
    return actions if isinstance(actions, list) else [actions]


def _encryption(key_arn: str, by_sqs: str = "true") -> dict[str, str]:
    """Return how a queue is encrypted: with a key, or by SQS."""
    return {"KmsMasterKeyId": key_arn} if key_arn else {"SqsManagedSseEnabled": by_sqs}


def _attributes(settings: Settings, found_policy: str | None) -> dict[str, str]:
    """Return settings as SQS wants them: all strings, the policy merged into the one that is there."""
    attributes = {key: value for key, value in settings.items() if isinstance(value, str)}
    # One of the two at a time:
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
    if "encryption" in settings:
        attributes |= {"KmsMasterKeyId": "", "SqsManagedSseEnabled": "false", **settings["encryption"]}
    if "RedrivePolicy" in settings:
        attributes["RedrivePolicy"] = json.dumps(settings["RedrivePolicy"])
    if "policy" in settings:
        attributes["Policy"] = json.dumps(merge(found_policy, settings["policy"].values()))
    return attributes
