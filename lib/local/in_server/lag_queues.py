"""Queues and topics are late: counts, lists, and whom their policies let in. See `lag.py`."""

import threading
import time

from ministack.core.responses import get_account_id, get_region
from ministack.services import sns, sqs

from lib.local.in_server.lag import SECONDS, History, Names, wrapping
from lib.local.in_server.lag_s3 import note_destination

LAG_S = SECONDS["count"]
COUNTS = History(LAG_S)
COUNTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
LEAST_POLL_S, MOST_POLL_S = 0.05, 0.5
names = Names()


def _keep_counting() -> None:
    """Note the counts of all queues again and again; whoever asks is told those of a while ago."""
    while True:
        time.sleep(min(max(LAG_S / 20, LEAST_POLL_S), MOST_POLL_S))
        for key, queue in list(sqs._queues._data.items()):
            COUNTS.note(key[-1], _counts(queue))


def _counts(queue: dict) -> dict:
    now, counts = time.time(), dict.fromkeys(COUNTED, 0)
    for message in list(queue["messages"]):
        is_hidden = message["visible_at"] > now
        counts[COUNTED[1 if message.get("receive_count") else 2] if is_hidden else COUNTED[0]] += 1
    return {name: str(count) for name, count in counts.items()}


if LAG_S:
    threading.Thread(target=_keep_counting, daemon=True, name="lag-counts").start()


@wrapping("ministack.services.sqs:_HANDLERS[GetQueueAttributes]")
def get_attributes(asked: dict, url: str) -> dict:
    """Return a queue's attributes, with the counts of a while ago."""
    answer = get_attributes.original(asked, url)
    queue = sqs._get_q(asked.get("QueueUrl", url), "sqs:GetQueueAttributes")
    key = next((key for key, one in list(sqs._queues._data.items()) if one is queue), ("",))[-1]
    then = COUNTS.seen(key, dict.fromkeys(COUNTED, "0"))
    attributes = answer["Attributes"]
    return {"Attributes": {**attributes, **{name: then[name] for name in COUNTED if name in attributes}}}


def _arn(name: str) -> str:
    return f"arn:aws:sqs:{get_region()}:{get_account_id()}:{name}"


@wrapping("ministack.services.sqs:_HANDLERS[CreateQueue]")
def create(asked: dict, url: str) -> dict:
    """Create a queue, of which lists do not tell yet, and whose policy does not let S3 in yet."""
    before = set(sqs._queues)
    answer = create.original(asked, url)
    if answer["QueueUrl"] not in before:
        names.made(answer["QueueUrl"])
        note_destination(_arn(asked["QueueName"]), (asked.get("Attributes") or {}).get("Policy"))
    return answer


@wrapping("ministack.services.sqs:_HANDLERS[SetQueueAttributes]")
def set_attributes(asked: dict, url: str) -> dict:
    """Change a queue; its policy is gone by a while later."""
    answer = set_attributes.original(asked, url)
    if "Policy" in (changed := asked.get("Attributes") or {}):
        note_destination(_arn(asked.get("QueueUrl", url).rpartition("/")[2]), changed["Policy"])
    return answer


@wrapping("ministack.services.sqs:_HANDLERS[DeleteQueue]")
def delete(asked: dict, url: str) -> dict:
    """Delete a queue, of which lists still tell."""
    answer = delete.original(asked, url)
    names.gone(asked.get("QueueUrl", url), asked.get("QueueUrl", url))
    return answer


@wrapping("ministack.services.sqs:_HANDLERS[ListQueues]")
def list_queues(asked: dict, url: str) -> dict:
    """List the queues of a while ago."""
    answer = list_queues.original(asked, url)
    beginning = asked.get("QueueNamePrefix", "")
    ghosts = [one for one in names.ghosts() if one.rpartition("/")[2].startswith(beginning)]
    listed = [one for one in answer["QueueUrls"] if not names.hides(one)]
    is_last = "NextToken" not in answer
    return {**answer, "QueueUrls": listed + (ghosts if is_last else [])}


@wrapping("ministack.services.sns:_set_topic_attributes")
def set_topic_attributes(asked: dict) -> tuple:
    """Change a topic; its policy is gone by a while later."""
    answer = set_topic_attributes.original(asked)
    if answer[0] == 200 and sns._p(asked, "AttributeName") == "Policy":
        note_destination(sns._p(asked, "TopicArn"), sns._p(asked, "AttributeValue"))
    return answer
