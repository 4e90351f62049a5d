"""Topics and their subscriptions."""

import json

from lib.engine.stack import Stack
from lib.resources import sns, sqs
from lib.resources.base import tag_dict
from support import cases, theirs
from support.breaking import Policy, altered, many_statements, setting
from support.case import HERE, WHOLE, Break, Case, Change, Key, Others


def topic(stack: Stack) -> sns.Topic:
    publishers = {"s3.amazonaws.com": cases.s3.bucket(stack).arn}
    return stack.add(sns.Topic("files", HERE, publishers=publishers))


def _set_topic(name: str, value: str):
    return lambda client, ours: client.set_topic_attributes(
        TopicArn=ours.arn, AttributeName=name, AttributeValue=value
    )


def _put_others(client, ours: sns.Topic) -> None:
    policy = client.get_topic_attributes(TopicArn=ours.arn)["Attributes"]["Policy"]
    policy = theirs.with_two_more(policy, ours.arn, "sns:Subscribe", "sns:GetTopicAttributes")
    for name, value in (("Policy", policy), ("DisplayName", "Files")):
        _set_topic(name, value)(client, ours)
    client.tag_resource(ResourceArn=ours.arn, Tags=theirs.TAG_LIST)


def _get_others(client, ours: sns.Topic) -> dict:
    attributes = client.get_topic_attributes(TopicArn=ours.arn)["Attributes"]
    tags = tag_dict(client.list_tags_for_resource(ResourceArn=ours.arn)["Tags"])
    return {
        "policy": theirs.statements_of_others(attributes["Policy"]),
        "name": attributes["DisplayName"],
        "tags": theirs.tags_of_others(tags),
    }


def _key(client, ours: sns.Topic) -> str | None:
    return client.get_topic_attributes(TopicArn=ours.arn)["Attributes"].get("KmsMasterKeyId")


def _without_source_account(policy: Policy) -> None:
    for test in policy["RunbookAllowS3"]["Condition"].values():
        test.pop("aws:SourceAccount", None)


def _without_source(policy: Policy) -> None:
    policy["RunbookAllowS3"]["Condition"] = {"StringEquals": {"aws:SourceAccount": "000000000000"}}


def _for_everybody(policy: Policy) -> None:
    policy["RunbookAllowS3"]["Principal"] = "*"
    del policy["RunbookAllowS3"]["Condition"]


NOT_LET_IN = frozenset({"notification-destination"})  # who may do something on another topic only


def _about_another(policy: Policy) -> None:
    policy["RunbookAllowS3"]["Resource"] = "arn:aws:sns:us-east-1:000000000000:another"


def subscription(stack: Stack) -> sns.Subscription:
    queue = cases.sqs.queue(stack)
    return stack.add(sns.Subscription("files", HERE, topic=topic(stack), endpoint=queue.arn))


def mailbox(stack: Stack) -> sns.Subscription:
    to = {"endpoint": "ops@example.org", "protocol": "email"}
    return stack.add(sns.Subscription("mail", HERE, topic=topic(stack), **to))


def _arn(client, ours: sns.Subscription) -> str:
    found = client.list_subscriptions_by_topic(TopicArn=ours.topic.arn)["Subscriptions"]
    return next(one["SubscriptionArn"] for one in found if one["Endpoint"] == ours.endpoint)


def _set_subscription(name: str, value: str):
    return lambda client, ours: client.set_subscription_attributes(
        SubscriptionArn=_arn(client, ours), AttributeName=name, AttributeValue=value
    )


def _get_filter(client, ours: sns.Subscription) -> str | None:
    found = client.get_subscription_attributes(SubscriptionArn=_arn(client, ours))
    return found["Attributes"].get("FilterPolicy")


CASES = [
    Case(
        sns.Topic,
        topic,
        changes=[Change({"publishers": {}}, {"policy"})],
        drift={
            "policy": lambda client, ours: _set_topic("Policy", theirs.policy(ours.arn, "sns:Subscribe"))(
                client, ours
            ),
            "KmsMasterKeyId": _set_topic("KmsMasterKeyId", "alias/aws/sns"),
            "tags": lambda client, ours: client.untag_resource(
                ResourceArn=ours.arn, TagKeys=theirs.OUR_TAGS[:1]
            ),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="policy",
        key=Key({"KmsMasterKeyId"}, _key, lambda settings: settings["KmsMasterKeyId"]),
        breaks=[
            Break("topic-name", "index", setting(sns.Topic, "alerts", what="my alerts")),
            Break("topic-policy-quota", "migrate", altered(sns.Topic, "uploads", many_statements)),
            Break("policy-of-another", "migrate", altered(sns.Topic, "uploads", _about_another), NOT_LET_IN),
            Break("principal-wildcard", "migrate", altered(sns.Topic, "uploads", _for_everybody)),
            Break("source-arn", "migrate", altered(sns.Topic, "uploads", _without_source)),
            Break("source-account", "migrate", altered(sns.Topic, "uploads", _without_source_account)),
        ],
    ),
    Case(
        sns.Subscription,
        subscription,
        drift={"RawMessageDelivery": _set_subscription("RawMessageDelivery", "false")},
        others=Others(_set_subscription("FilterPolicy", json.dumps({"kind": ["csv"]})), _get_filter),
        in_notebooks=WHOLE,
        breaks=[
            Break("subscription-endpoint", "migrate", setting(sns.Subscription, "uploads", protocol="http")),
            Break("subscription-queue", "migrate", setting(sqs.Queue, "uploads", senders={})),
        ],
    ),
    Case(sns.Subscription, mailbox, use="by mail"),
]
