"""What MiniStack's SQS lacks: tasks that move messages out of a dead-letter queue (`corrections/sqs.py`).

These end before they are answered, and are forgotten when the server ends.
"""

import json
import time
import uuid

from ministack.services import sqs

from lib.local.in_server.corrections.sqs import MOVE_TASKS

tasks: dict[str, list[dict]] = {}  # by the dead-letter queue's ARN, the newest first


@MOVE_TASKS.replacing("ministack.core.iam_actions:extract_resource_arn")
def extract_resource_arn(service, method, path, headers, body, query_params, region, account_id) -> str:
    """Return what IAM is asked about: for a task that moves messages, the queue that they are in."""
    request = (service, method, path, headers, body, query_params, region, account_id)
    arn = extract_resource_arn.original(*request)
    if service != "sqs" or arn != "*" or not (body or b"").startswith(b"{"):
        return arn
    return json.loads(body).get("SourceArn", arn)


@MOVE_TASKS.replacing("ministack.services.sqs:_HANDLERS[StartMessageMoveTask]")
def start(asked: dict, _url: str) -> dict:
    """Move all that nobody has in hand, and return the task's handle."""
    arn = asked["SourceArn"]
    source = _queue(arn)
    if not any(_dead_letter_queue(queue) == arn for queue in sqs._queues.values()):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    if asked.get("DestinationArn"):
        _queue(asked["DestinationArn"])
    moved = _move(source, asked.get("DestinationArn"))
    task = {
        "Status": "COMPLETED",
        "SourceArn": arn,
        "StartedTimestamp": int(time.time() * 1000),
        "ApproximateNumberOfMessagesMoved": moved,
        "ApproximateNumberOfMessagesToMove": moved,
        **{name: asked[name] for name in ("DestinationArn", "MaxNumberOfMessagesPerSecond") if name in asked},
    }
    tasks.setdefault(arn, []).insert(0, task)
    return {"TaskHandle": str(uuid.uuid4())}


@MOVE_TASKS.replacing("ministack.services.sqs:_HANDLERS[ListMessageMoveTasks]")
def listed(asked: dict, _url: str) -> dict:
    """Return the newest tasks of a queue; by default, as on AWS, one."""
    _queue(asked["SourceArn"])
    return {"Results": tasks.get(asked["SourceArn"], [])[: asked.get("MaxResults", 1)]}


def _move(source: dict, destination_arn: str | None) -> int:
    """Move messages to one queue, or each to where it came from; one that came from nowhere stays."""
    now, moved = time.time(), 0
    for message in [each for each in source["messages"] if each["visible_at"] <= now]:
        destination = sqs._queue_by_arn(destination_arn or message["sys"].get("DeadLetterQueueSourceArn", ""))
        if destination is None:
            continue
        destination["messages"].append(_as_new(message, now))
        source["messages"].remove(message)
        moved += 1
    sqs.esm_wake.set()
    return moved


def _as_new(message: dict, now: float) -> dict:
    """Return a message as if it had just been sent: with a new id and time, never received."""
    sent = {**message["sys"], "SentTimestamp": str(int(now * 1000))}
    sent.pop("DeadLetterQueueSourceArn", None)
    fresh = {"id": str(uuid.uuid4()), "sys": sent, "sent_at": now, "visible_at": now}
    unread = {"receive_count": 0, "first_receive_at": None, "receipt_handle": None}
    return {**message, **fresh, **unread}


def _queue(arn: str) -> dict:
    found = sqs._queue_by_arn(arn)
    if found is None:
        raise sqs._Err("ResourceNotFoundException", f"The resource {arn} does not exist.", 404)
    return found


def _dead_letter_queue(queue: dict) -> str:
    return json.loads(queue["attributes"].get("RedrivePolicy") or "{}").get("deadLetterTargetArn", "")
