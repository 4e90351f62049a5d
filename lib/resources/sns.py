"""SNS: topics and their subscriptions."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from lib.resources.base import (
    Deletion,
    End,
    Found,
    Link,
    Resource,
    Scope,
    Settings,
    our_tags,
    retagged,
    tag_dict,
    tag_list,
)
from lib.resources.checks import Finding, written_as
from lib.resources.policies import allow_services, deny_insecure_transport, document, merge, ours

# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
MOST_POLICY_BYTES, MOST_STATEMENTS = 30 * 1024, 100


@dataclass(repr=False, kw_only=True)
class Topic(End):
    """A topic that only named AWS services may publish to, each on behalf of one source.

    It is encrypted only with a key of ours, whose policy must let the publishers use it: SNS has none of
    its own as SQS has, and no service can publish under `alias/aws/sns`.
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html

    Attributes:
        publishers: Services to the ARN they publish for, such as `{"s3.amazonaws.com": bucket.arn}`.
    """

    publishers: dict[str, str] = field(default_factory=dict)

    service: ClassVar[str] = "sns"
    noun: ClassVar[str] = "SNS topic"
    deletion: ClassVar[Deletion] = Deletion.CHANNEL
    acts: ClassVar[bool] = True
    receives: ClassVar[bool] = True
    is_encrypted: ClassVar[bool] = True
    call_names: ClassVar[tuple[str, ...]] = ("TopicArn",)

    @property
    def arn(self) -> str:
        return f"arn:aws:sns:{self.region}:{self.scope.account_id}:{self.name}"

    def desired(self) -> Settings:
        allow = allow_services(self.publishers, "sns:Publish", self.arn, self.scope.account_id)
        deny = deny_insecure_transport("sns:Publish", self.arn)
        return {
            "policy": {s["Sid"]: s for s in [deny, *allow]},
            "KmsMasterKeyId": self.kms_key_arn,
            "tags": self.tags,
        }

    def checks(self) -> Iterable[Finding]:
        pattern, grammar = "[A-Za-z0-9_-]{1,256}", "at most 256 letters, digits, _ and -"
        yield from written_as("topic-name", "its name", self.name, pattern, grammar)
        statements = list(self.desired()["policy"].values())
        size = len(json.dumps(document(statements), separators=(",", ":")))
        if len(statements) > MOST_STATEMENTS or size > MOST_POLICY_BYTES:
            what = f"its policy has {len(statements)} statements and {size} bytes"
            fix = f"keep to {MOST_STATEMENTS} statements and {MOST_POLICY_BYTES} bytes: fewer publishers"
            yield Finding("topic-policy-quota", what, fix)

    def read(self, client) -> Settings | None:
        try:
            attributes = client.get_topic_attributes(TopicArn=self.arn)["Attributes"]
        except client.exceptions.NotFoundException:
            return None
        tags = client.list_tags_for_resource(ResourceArn=self.arn)["Tags"]
        return {
            "policy": ours(attributes.get("Policy")),
            "KmsMasterKeyId": attributes.get("KmsMasterKeyId", ""),
            "tags": our_tags(tag_dict(tags)),
        }

    def create(self, client) -> None:
        # With a policy from the start there is never SNS's default one, whose principal is "*".
        policy = merge(None, self.desired()["policy"].values())
        attributes = {"Policy": json.dumps(policy), "KmsMasterKeyId": self.kms_key_arn}
        client.create_topic(
            Name=self.name,
            Attributes={name: value for name, value in attributes.items() if value},
            Tags=tag_list(self.tags),
        )

    def update(self, client, settings: Settings) -> None:
        if "tags" in settings:
            found = tag_dict(client.list_tags_for_resource(ResourceArn=self.arn)["Tags"])
            tags = tag_list(retagged(found, settings["tags"]))
            client.tag_resource(ResourceArn=self.arn, Tags=tags)
        if "policy" in settings:
            found = client.get_topic_attributes(TopicArn=self.arn)["Attributes"].get("Policy")
            policy = json.dumps(merge(found, settings["policy"].values()))
            client.set_topic_attributes(TopicArn=self.arn, AttributeName="Policy", AttributeValue=policy)
        if "KmsMasterKeyId" in settings:
            # An empty one takes the encryption away.
            key = {"AttributeName": "KmsMasterKeyId", "AttributeValue": settings["KmsMasterKeyId"]}
            client.set_topic_attributes(TopicArn=self.arn, **key)

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_topics").paginate():
            for topic in page["Topics"]:
                arn, name = topic["TopicArn"], topic["TopicArn"].split(":")[-1]
                if name.startswith(scope.beginning):
                    with suppress(client.exceptions.ResourceNotFoundException):
                        tags = client.list_tags_for_resource(ResourceArn=arn)["Tags"]
                        yield Found(arn, name, arn, tag_dict(tags))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        client.delete_topic(TopicArn=identifier)


@dataclass(repr=False, kw_only=True)
class Subscription(Resource):
    """What a topic publishes goes to an endpoint: a queue, which may be in another region, or a mailbox.

    Attributes:
        topic: Where it comes from; the subscription lives in the topic's region.
        endpoint: Where it goes: a queue's ARN, or an e-mail address, whose owner must confirm first.
        protocol: `sqs` or `email`.
    """

    topic: Topic
    endpoint: str
    protocol: str = "sqs"

    service: ClassVar[str] = "sns"
    noun: ClassVar[str] = "SNS subscription"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.LINK
    is_entrance: ClassVar[bool] = True
    acts: ClassVar[bool] = True
    receives: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("topic",)
    call_names: ClassVar[tuple[str, ...]] = ("SubscriptionArn",)

    @property
    def arn(self) -> str:
        """The topic's ARN and the endpoint; SNS ends a subscription's own ARN with a UUID."""
        return f"{self.topic.arn}#{self.endpoint}"

    @property
    def note(self) -> str:
        return f"mails {self.endpoint}" if self.protocol == "email" else ""

    def desired(self) -> Settings:
        # Raw: the queue holds S3's event itself, not wrapped in an envelope of SNS. Mail has no such choice.
        return {"RawMessageDelivery": "true"} if self.protocol == "sqs" else {}

    def read(self, client) -> Settings | None:
        arn = self._subscription_arn(client)
        if arn is None or not self.desired():
            return None if arn is None else {}
        attributes = client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return {key: attributes.get(key) for key in self.desired()}

    def create(self, client) -> None:
        client.subscribe(
            TopicArn=self.topic.arn,
            Protocol=self.protocol,
            Endpoint=self.endpoint,
            Attributes=self.desired(),
            ReturnSubscriptionArn=True,
        )

    def update(self, client, settings: Settings) -> None:
        arn = self._subscription_arn(client)
        for name, value in settings.items():
            client.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)

    def checks(self) -> Iterable[Finding]:
        grammars = {
            "sqs": (r"arn:aws[\w-]*:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}", "the ARN of a standard queue"),
            "email": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
        }
        pattern, grammar = grammars.get(self.protocol, ("", "protocol='sqs' or protocol='email'"))
        yield from written_as("subscription-endpoint", "endpoint", self.endpoint, pattern, grammar)

    def links(self, settings: Settings) -> Iterable[Link]:
        yield Link(self.topic.arn, self.endpoint, self.protocol)

    def _subscription_arn(self, client) -> str | None:
        for subscription in subscriptions(client, self.topic.arn):
            if (subscription["Protocol"], subscription["Endpoint"]) == (self.protocol, self.endpoint):
                return subscription["SubscriptionArn"]
        return None

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for topic in Topic.find(client, scope):
            for subscription in subscriptions(client, topic.identifier):
                # One that waits for confirmation has no ARN yet; it goes with its topic.
                if subscription["SubscriptionArn"].startswith("arn:"):
                    endpoint = subscription["Endpoint"]
                    name, arn = f"{topic.name} → {endpoint}", f"{topic.arn}#{endpoint}"
                    yield Found(subscription["SubscriptionArn"], name, arn, topic.tags)

    @classmethod
    def superseded(cls, found: Found, described: Mapping[str, Resource]) -> Resource | None:
        """Somebody who is mailed no more: no work is on its way there, as it is in a queue."""
        arn, _, endpoint = found.arn.partition("#")
        topic = described.get(arn)
        if not isinstance(topic, Topic) or "@" not in endpoint:
            return None
        return cls(topic.what, topic.region, topic=topic, endpoint=endpoint, protocol="email")

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        with suppress(client.exceptions.NotFoundException):
            client.unsubscribe(SubscriptionArn=identifier)


def subscriptions(client, topic_arn: str) -> Iterator[dict]:
    """Yield the subscriptions of a topic, as SNS lists them; none if there is no such topic.

    Args:
        client: An SNS client of the topic's region.
        topic_arn: The topic's ARN.
    """
    try:
        for page in client.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
            # SNS goes on listing one that was deleted, with this in the place of its ARN.
            yield from (one for one in page["Subscriptions"] if one["SubscriptionArn"] != "Deleted")
    except client.exceptions.NotFoundException:
        return
