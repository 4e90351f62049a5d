"""Queues."""

from copy import copy
from dataclasses import replace

from lib.engine.stack import Stack
from lib.resources import iam, lambda_, sqs
from support import cases, theirs
from support.breaking import altered, encrypted, many_statements, setting, the
from support.case import ELSEWHERE, Break, Case, Change, Key, Others


def queue(stack: Stack) -> sqs.Queue:
    dead_letters = stack.add(sqs.Queue("dead", ELSEWHERE, retention_s=14 * sqs.DAY_S))
    senders = {"sns.amazonaws.com": cases.sns.topic(stack).arn}
    how = {"visibility_timeout_s": 360, "dead_letter": dead_letters, "senders": senders}
    return stack.add(sqs.Queue("files", ELSEWHERE, **how))


def attributes(client, ours: sqs.Queue) -> dict[str, str]:
    """All that SQS says of a queue."""
    return client.get_queue_attributes(QueueUrl=ours.output(client), AttributeNames=["All"])["Attributes"]


def _set(**values: str):
    return lambda client, ours: client.set_queue_attributes(QueueUrl=ours.output(client), Attributes=values)


def _put_others(client, ours: sqs.Queue) -> None:
    policy = attributes(client, ours)["Policy"]
    policy = theirs.with_two_more(policy, ours.arn, "sqs:SendMessage", "sqs:ReceiveMessage")
    _set(DelaySeconds="7", ReceiveMessageWaitTimeSeconds="3", Policy=policy)(client, ours)
    client.tag_queue(QueueUrl=ours.output(client), Tags=theirs.TAGS)


def _get_others(client, ours: sqs.Queue) -> dict:
    found = attributes(client, ours)
    tags = client.list_queue_tags(QueueUrl=ours.output(client))["Tags"]
    return {
        "delay": found["DelaySeconds"],
        "wait": found["ReceiveMessageWaitTimeSeconds"],
        "policy": theirs.statements_of_others(found["Policy"]),
        "tags": theirs.tags_of_others(tags),
    }


def _through_another_service(stack: Stack) -> None:
    """Give a queue a key that its consumer may use, but only for objects."""
    encrypted(sqs.Queue, "uploads")(stack)
    role, ours = the(stack, iam.Role, "replicate"), the(stack, sqs.Queue, "uploads")
    use = {"Sid": "Use", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": ours.kms_key_arn}
    condition = {"Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}}
    role.policy = role.policy | {"Statement": [*role.policy["Statement"], use | condition]}


def _of_another_account(stack: Stack) -> None:
    queue = the(stack, sqs.Queue, "uploads")
    queue.dead_letter = copy(queue.dead_letter)
    queue.dead_letter.scope = replace(queue.scope, account_id="999999999999")


def _back_to_itself(stack: Stack) -> None:
    queue = the(stack, sqs.Queue, "uploads")
    queue.dead_letter = queue


# A queue for failures is no queue to be read: it is not hidden so long, has no dead letters, and no rights.
MAPPED = frozenset({"queue-visibility", "queue-dead-letter", "mapping-role"})


def _failures_back_to_the_function(stack: Stack) -> None:
    ends = {"queue": the(stack, sqs.Queue, "failures"), "function": the(stack, lambda_.Function, "index")}
    stack.add(lambda_.EventSourceMapping("again", ends["queue"].region, **ends))


CASES = [
    Case(
        sqs.Queue,
        queue,
        changes=[
            Change(
                {"visibility_timeout_s": 90, "retention_s": 120},
                {"VisibilityTimeout", "MessageRetentionPeriod"},
            ),
            Change({"senders": {}, "max_receive_count": 9}, {"policy", "RedrivePolicy"}),
        ],
        drift={
            "VisibilityTimeout": _set(VisibilityTimeout="1"),
            "MessageRetentionPeriod": _set(MessageRetentionPeriod="60"),
            "encryption": _set(SqsManagedSseEnabled="false"),
            "RedrivePolicy": _set(RedrivePolicy=""),
            "policy": lambda client, ours: _set(Policy=theirs.policy(ours.arn, "sqs:ReceiveMessage"))(
                client, ours
            ),
            "tags": lambda client, ours: client.untag_queue(
                QueueUrl=ours.output(client), TagKeys=theirs.OUR_TAGS
            ),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="policy",
        key=Key(
            {"encryption"},
            lambda client, ours: attributes(client, ours).get("KmsMasterKeyId"),
            lambda settings: settings["encryption"]["KmsMasterKeyId"],
        ),
        breaks=[
            Break("queue-name", "backup", setting(sqs.Queue, "holding", what="h" * 80)),
            Break("queue-attributes", "index", setting(sqs.Queue, "failures", retention_s=1209601)),
            Break("queue-policy-quota", "ingest", altered(sqs.Queue, "files", many_statements)),
            Break("queue-visibility", "migrate", setting(sqs.Queue, "uploads", visibility_timeout_s=30)),
            Break(
                "queue-visibility-factor", "migrate", setting(sqs.Queue, "uploads", visibility_timeout_s=60)
            ),
            Break("queue-receive-count", "migrate", setting(sqs.Queue, "uploads", max_receive_count=4)),
            Break("queue-dead-letter", "migrate", setting(sqs.Queue, "uploads", dead_letter=None)),
            Break(
                "dead-letter-retention",
                "migrate",
                setting(sqs.Queue, "dead-letters", retention_s=4 * sqs.DAY_S),
            ),
            Break("dead-letter-account", "migrate", _of_another_account),
            Break("failure-loop", "migrate", _back_to_itself, frozenset({"dead-letter-retention"})),
            Break("failure-loop", "index", _failures_back_to_the_function, MAPPED),
            Break("description-unjudged", "index", setting(sqs.Queue, "failures", checks=lambda: 1 / 0)),
            Break("kms-key", "migrate", encrypted(sqs.Queue, "uploads")),
            Break("kms-key", "migrate", _through_another_service),
            Break("kms-key", "index", encrypted(sqs.Queue, "failures")),
        ],
    )
]
