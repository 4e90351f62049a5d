"""What MiniStack's SQS lacks: tasks that move messages out of a dead-letter queue (`corrections/sqs.py`).

These end before they are answered, and are forgotten when the server ends. And a queue whose messages are not
all looked at whenever some are received.
"""

import json
import time
import uuid

from ministack.services import sqs

from lib.local.in_server.corrections.sqs import LONG_QUEUES, MOVE_TASKS

LONG = 1_000  # messages; a queue of more is looked through once a second
LOOK_EVERY_S = 1.0
_looked: dict[tuple[str, str], float] = {}  # for what, and the ARN of which queue, to when

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


@LONG_QUEUES.replacing("ministack.services.sqs:_expire_retained")
def expire_retained(queue: dict) -> None:
    """Drop messages that are kept no longer."""
    if _is_due(queue, "expire"):
        expire_retained.original(queue)


@LONG_QUEUES.replacing("ministack.services.sqs:_dlq_sweep")
def sweep(queue: dict) -> None:
    """Move messages away that were received often enough; `collect` gives out none of them in any case."""
    if _is_due(queue, "sweep"):
        sweep.original(queue)


@LONG_QUEUES.replacing("ministack.services.sqs:_collect_msgs")
def collect(queue: dict, at_most: int, visibility_timeout_s: int) -> list[dict]:
    """Take the first messages that are visible, and look at no more than these and those before them."""
    if queue["is_fifo"]:  # which looks at all of its messages anyway
        sweep.original(queue)
        return collect.original(queue, at_most, visibility_timeout_s)
    now = time.time()
    found = _visible(queue, at_most, now)
    if any(message["receive_count"] for message in found):  # one of them may be due for the dead letters
        sweep.original(queue)
        found = _visible(queue, at_most, now)
    for message in found:
        message["receipt_handle"] = str(uuid.uuid4())
        message["visible_at"] = now + visibility_timeout_s
        message["receive_count"] += 1
        if message["first_receive_at"] is None:
            message["first_receive_at"] = now
    return found


@LONG_QUEUES.replacing("ministack.services.sqs:_delete_messages_for_esm")
def delete(queue_url: str, receipt_handles: set[str]) -> None:
    """Delete messages that a function is done with; they are among the first."""
    left = set(receipt_handles)
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        messages, kept, begin = queue["messages"], [], 0
        for place, message in enumerate(messages):
            if not left:
                break
            if message.get("receipt_handle") in left:
                left.discard(message["receipt_handle"])
                kept += messages[begin:place]
                begin = place + 1
        queue["messages"] = kept + messages[begin:]


def _visible(queue: dict, at_most: int, now: float) -> list[dict]:
    found: list[dict] = []
    for message in queue["messages"]:
        sqs._ensure_msg_fields(message)
        if message["visible_at"] <= now:
            found.append(message)
            if len(found) == at_most:
                break
    return found


def _is_due(queue: dict, what: str) -> bool:
    """Say whether a queue is to be looked through: a short one always, a long one if a second has passed."""
    now, key = time.monotonic(), (what, queue["attributes"].get("QueueArn", ""))
    if len(queue["messages"]) > LONG and now - _looked.get(key, -LOOK_EVERY_S) < LOOK_EVERY_S:
        return False
    _looked[key] = now
    return True
