"""Quarantine: what is hopeless is kept in a bucket, with its reason, out of the way of the alarms.

One object a message, one line of JSON: `PIPELINE/QUEUE/DATE/MESSAGE ID.json`, by the day when it was sent.
"""

import json
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from lib.base import reasons
from lib.base.errors import ParameterError, RunbookError
from lib.base.json_text import json_object
from lib.base.own_fault import Fault, by_reason, or_fault, such_as
from lib.base.threads import in_threads
from lib.engine.waiting import Waiting
from lib.operate.failures.explain import Explained, explain
from lib.operate.failures.letters import Letter, taken
from lib.operate.failures.redrive import ACT_MOST, Choice, nothing_to, require_all, send, tell_left
from lib.operate.failures.stuck import LOOK_MOST
from lib.operate.pipelines import DeadLetters, Pipeline
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import Target

SET_ASIDE = "set-aside"  # the bucket's name, as 72_redrive has it


def quarantine(
    target: Target, looked_at: Sequence[Pipeline], bucket: Bucket, choice: Choice, most: int = ACT_MOST
) -> pd.DataFrame:
    """Write messages to a bucket, then delete them from their queues.

    Args:
        target: The AWS to work on.
        looked_at: The pipelines, as `stuck.chosen` gives them.
        bucket: Where they are kept.
        choice: Which messages; not all of them, so that no repairable one is put aside unseen.
        most: Of how many messages of a queue to choose; run it again for the rest.

    Returns:
        One row a message: pipeline, queue, reason, `kept as` (the object's key; so they are sorted). Of one
        that is left in its queue for a fault of its own, printed with its reason, `kept as` is empty.

    Raises:
        ParameterError: If everything is chosen, or what the brake holds.
        RunbookError: If there is nothing to quarantine; or if a queue could not be worked on, after all
            others were. What was not written is still in its queue.
    """
    if choice.is_everything:
        raise ParameterError("quarantine: say for which reason; look first")
    if choice.reason == reasons.HELD:
        raise ParameterError("quarantine: what the brake holds is released, or discarded with a reason")
    rows, errors = [], {}
    for pipeline, letters in choice.queues(looked_at, aside=True):
        try:
            rows += _put_aside(target, pipeline, letters, bucket, choice, most)
        except (RunbookError, ClientError, BotoCoreError) as error:
            errors[f"{pipeline.name} {letters.queue.what}"] = error
    require_all(rows, errors)
    if not rows:
        raise RunbookError(nothing_to("quarantine", target, looked_at, choice))
    return pd.DataFrame(rows, columns=["pipeline", "queue", "reason", "kept as"])


def _put_aside(
    target: Target, pipeline: Pipeline, letters: DeadLetters, bucket: Bucket, choice: Choice, most: int
) -> list[tuple[str, str, str, str]]:
    s3 = target.client("s3", bucket.region)
    folder = _folder(pipeline, letters)
    with taken(Waiting.of(target, letters.queue), most) as hand:
        chosen = [each for each in explain(target, pipeline, letters, hand.letters) if choice.takes(each)]

        def keep(each: Explained) -> tuple[str, str, str, str]:
            # The same message gets the same key, should this be cut off before it is deleted.
            key = f"{folder}{each.letter.sent:%Y-%m-%d}/{each.letter.id}.json"
            body = _line(pipeline, letters, each)
            s3.put_object(Bucket=bucket.name, Key=key, Body=body, ContentType="application/json")
            hand.delete(each.letter)
            return pipeline.name, letters.queue.what, each.reason, key

        def keep_or_leave(each: Explained) -> tuple[str, str, str, str] | Fault[Letter]:
            return or_fault(lambda _: keep(each))(each.letter)

        outcomes = list(in_threads(keep_or_leave, chosen))
    faults = [each for each in outcomes if isinstance(each, Fault)]
    tell_left(pipeline, letters, faults)
    left = [(pipeline.name, letters.queue.what, fault.reason, "") for fault in faults]
    return left + sorted((each for each in outcomes if not isinstance(each, Fault)), key=itemgetter(-1))


def quarantined(
    target: Target, parameters: Parameters, pipeline: Pipeline, most: int = LOOK_MOST
) -> set[str]:
    """Return the keys of the objects whose messages were put aside.

    Args:
        target: The AWS to look at.
        parameters: Of the environment.
        pipeline: Whose messages.
        most: How many of each of its queues at most, the newest.
    """
    scope, keys = parameters.scope("redrive"), set[str]()
    for name, region in Bucket.names(target.client("s3", target.home_region), scope):
        if not name.startswith(scope.name(SET_ASIDE)):
            continue
        s3 = target.client("s3", region)
        read = partial(_keys_of, s3, name)
        for letters in pipeline.dead_letters:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=name, Prefix=_folder(pipeline, letters)
            )
            with suppress(s3.exceptions.NoSuchBucket):  # one that was just deleted may still be listed
                found = deque((each["Key"] for page in pages for each in page.get("Contents", [])), most)
                keys.update(*in_threads(read, found))
    return keys


def _keys_of(s3, bucket: str, key: str) -> set[str]:
    """Return the keys of what a message was about; none of what is no message of ours."""
    kept = json_object(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode(errors="replace"))
    return {one.key for one in Letter(str(kept.get("body"))).objects}


def unquarantine(target: Target, looked_at: Sequence[Pipeline], bucket: Bucket, day: str = "") -> int:
    """Send messages out of quarantine to whom they were for; then delete the objects, whose versions stay.

    One that cannot be sent for a fault of its own stays in the bucket, and is named when the others are sent.
    Those whose work must not be done by the parameters stay, too, and it is printed why.

    Args:
        target: The AWS to work on.
        looked_at: The pipelines whose messages.
        bucket: Where they are kept.
        day: Only those that were sent on this day, such as `2026-01-02`; empty for all.

    Returns:
        How many were sent.

    Raises:
        RunbookError: If some could not be sent, for instance since there is nothing in them to send.
        ClientError: If AWS refused what it would refuse of any; the rest is still in the bucket.
    """
    s3 = target.client("s3", bucket.region)
    sent, faults = 0, list[Fault[str]]()
    for pipeline in looked_at:
        for letters in pipeline.dead_letters:
            if why := pipeline.why_not_again(letters):
                print(f"{_folder(pipeline, letters)} stays in quarantine: {why}")
                continue
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket.name, Prefix=_folder(pipeline, letters) + day
            )
            send_one = or_fault(partial(_send_from, target, letters, s3, bucket))
            for key in (each["Key"] for page in pages for each in page.get("Contents", [])):
                outcome = send_one(key)
                faults += [outcome] if isinstance(outcome, Fault) else []
                sent += not isinstance(outcome, Fault)
    if faults:
        left = by_reason((fault.item, fault.reason) for fault in faults)
        told = "; ".join(f"{such_as(count, 'objects', key)}: {reason}" for reason, count, key in left)
        raise RunbookError(f"{sent:,} sent; left in s3://{bucket.name}: {told}. Delete them, or leave them")
    return sent


def _send_from(target: Target, letters: DeadLetters, s3, bucket: Bucket, key: str) -> None:
    kept = json.load(s3.get_object(Bucket=bucket.name, Key=key)["Body"])
    letter = Letter(kept["body"], {name: _from_json(value) for name, value in kept["attributes"].items()})
    send(target, letters, letter)
    s3.delete_object(Bucket=bucket.name, Key=key)


def _folder(pipeline: Pipeline, letters: DeadLetters) -> str:
    return f"{pipeline.name}/{letters.queue.what}/"


def _line(pipeline: Pipeline, letters: DeadLetters, each: Explained) -> bytes:
    """Return a message as a line of JSON."""
    kept = {
        "pipeline": pipeline.name,
        "queue": letters.queue.what,
        "reason": each.reason,
        "error": each.error,
        "sent": each.letter.sent.isoformat(),
        "quarantined": pd.Timestamp.now("UTC").isoformat(timespec="seconds"),
        "receives": each.letter.receives,
        "message_id": each.letter.id,
        "key": each.key,
        "body": each.letter.body,
        "attributes": {name: _to_json(value) for name, value in each.letter.attributes.items()},
    }
    return (json.dumps(kept) + "\n").encode()


def _to_json(attribute: dict) -> dict:
    binary = attribute.get("BinaryValue")
    return {**attribute, "BinaryValue": b64encode(binary).decode()} if binary is not None else attribute


def _from_json(attribute: dict) -> dict:
    binary = attribute.get("BinaryValue")
    return {**attribute, "BinaryValue": b64decode(binary)} if binary is not None else attribute
