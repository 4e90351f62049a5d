"""What MiniStack's log groups lack: `corrections/cloudwatch.py` says what, and why."""

import asyncio
import json
import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import cloudwatch_logs

from lib.local.in_server.corrections import cloudwatch as corrections
from lib.local.in_server.pieces import DROP_FROM

SETS_A_KEY = ("AssociateKmsKey", "DisassociateKmsKey")
DAY_MS = 86_400_000
PAGE_EVENTS = 10_000  # that FilterLogEvents answers with at most
DROP_EVERY_S = 3600

logger = logging.getLogger("retention")
_tasks: list[asyncio.Task] = []  # the loop alone would let them be collected


@corrections.LOG_GROUP_KEYS.replacing("ministack.services.cloudwatch_logs:handle_request")
async def handle_request(method, path, headers, body, query_params):
    """Answer the two calls that are missing, and leave all others to MiniStack."""
    if headers.get("x-amz-target", "").split(".")[-1] not in SETS_A_KEY:
        return await handle_request.original(method, path, headers, body, query_params)
    asked = json.loads(body)
    group = cloudwatch_logs._log_groups.get(asked["logGroupName"])
    if group is None:
        return error_response_json(
            "ResourceNotFoundException", "The specified log group does not exist.", 400
        )
    group["kmsKeyId"] = asked.get("kmsKeyId")
    return json_response({})


@corrections.EVENTS_ONCE.replacing("ministack.services.cloudwatch_logs:_append_log_events")
def append(stream: dict, events: list[dict]) -> None:
    """Add events to a stream, each with the id by which it is found again, whoever has written it."""
    for event in events:
        event.setdefault("eventId", new_uuid())
    append.original(stream, events)


@corrections.EVENTS_ONCE.replacing("ministack.services.cloudwatch_logs:_put_log_events")
def put(asked: dict):
    """Store events, once."""
    answer = put.original(asked)
    cloudwatch_logs._log_records._data.clear()
    return answer


@corrections.EVENTS_ONCE.replacing("ministack.services.cloudwatch_logs:_collect_query_records")
def records(names: list[str], start_s: int, end_s: int) -> list[dict]:
    """Return what a query reads, and keep no copy of it."""
    found = records.original(names, start_s, end_s)
    cloudwatch_logs._log_records._data.clear()
    return found


@corrections.EVENTS_ONCE.replacing("ministack.services.cloudwatch_logs:_get_log_record")
def get_record(asked: dict):
    """Return the event that a query has pointed to, from where it is."""
    kept = cloudwatch_logs._log_records
    try:
        for pointer, record in record_of(asked.get("logRecordPointer")):
            kept[pointer] = record
        return get_record.original(asked)
    finally:
        kept._data.clear()


def record_of(pointer: str | None) -> Iterator[tuple[str, dict]]:
    """Yield a pointer and the record of its event, unless there is none or its time is over."""
    for group_name, group in cloudwatch_logs._log_groups.items():
        for stream_name, stream in group["streams"].items():
            events = stream["events"]
            for event in events[first_kept(events, kept_since(group)) :]:
                if pointer and event.get("eventId") == pointer:
                    facts = {"ptr": pointer, "timestamp_ms": event["timestamp"], "message": event["message"]}
                    place = {"log_group": group_name, "log_stream": stream_name}
                    yield pointer, cloudwatch_logs._build_log_record(**facts, **place)
                    return


def kept_since(group: dict | None) -> int:
    """Return the time before which a group's events are over, in milliseconds since 1970; 0 if none are."""
    days = (group or {}).get("retentionInDays")
    if not days or not corrections.RETENTION.is_applied:
        return 0
    return int(time.time() * 1000) - days * DAY_MS


def first_kept(events: list[dict], since: int) -> int:
    """Return the place of the first event that is not over."""
    return bisect_left(events, since, key=cloudwatch_logs._event_timestamp)


def from_then_on(asked: dict) -> dict:
    """Return a request for a group's events, for none of those that are over."""
    since = kept_since(cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(asked)))
    return asked | {"startTime": max(asked.get("startTime") or 0, since)} if since else asked


@corrections.FILTERED_PAGES.replacing("ministack.services.cloudwatch_logs:_filter_log_events")
def filter_pages(asked: dict):
    """Return a page of a group's events; its token is how many were looked at for it and for those before."""
    group = cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(asked))
    token = asked.get("nextToken") or "0"
    if group is None:
        return filter_pages.original(asked)
    if not token.isdecimal():
        return error_response_json("InvalidParameterException", "The specified nextToken is invalid.", 400)
    events, looked_at = list[dict](), int(token)
    limit = min(asked.get("limit") or PAGE_EVENTS, PAGE_EVENTS)
    matches = cloudwatch_logs._compile_filter_pattern(asked.get("filterPattern", ""))
    for event, stream in islice(in_order(group, asked), looked_at, None):
        if len(events) == limit:
            return json_response({"events": events, "searchedLogStreams": [], "nextToken": str(looked_at)})
        looked_at += 1
        if matches(event.get("message", "")):
            events.append({**event, "logStreamName": stream})
    return json_response({"events": events, "searchedLogStreams": []})


def in_order(group: dict, asked: dict) -> Iterator[tuple[dict, str]]:
    """Yield the events that a request is about, by time, and the name of the stream of each."""
    streams, prefix = group["streams"], asked.get("logStreamNamePrefix") or ""
    ranges = []
    with cloudwatch_logs._log_events_lock:
        for name in asked.get("logStreamNames") or [each for each in streams if each.startswith(prefix)]:
            events = streams.get(name, {}).get("events", [])
            first = first_kept(events, asked.get("startTime") or 0)
            end = asked.get("endTime")
            last = len(events) if end is None else first_kept(events, end + 1)
            ranges.append(cloudwatch_logs._stream_event_range(events, name, first, last))
    return merge(*ranges, key=lambda one: (one[0]["timestamp"], one[0].get("ingestionTime", 0)))


@corrections.RETENTION.replacing("ministack.services.cloudwatch_logs:_get_log_events")
def get_events(asked: dict):
    """Return events of a stream that are not over."""
    return get_events.original(from_then_on(asked))


@corrections.RETENTION.replacing("ministack.services.cloudwatch_logs:_filter_log_events")
def filter_events(asked: dict):
    """Return events of a group that are not over."""
    return filter_events.original(from_then_on(asked))


@corrections.RETENTION.replacing("ministack.services.cloudwatch_logs:_collect_query_records")
def kept_records(names: list[str], start_s: int, end_s: int) -> list[dict]:
    """Return what a query reads: of each group what is not over."""
    since = {name: kept_since(cloudwatch_logs._log_groups.get(name)) for name in names}
    found = kept_records.original(names, start_s, end_s)
    return [record for record in found if record["_timestamp_ms"] >= since[record["@log"]]]


@corrections.RETENTION.replacing("ministack.services.cloudwatch_logs:_put_log_events")
def put_kept(asked: dict):
    """Store events, and say of which the time is over already: they are not stored."""
    since = kept_since(cloudwatch_logs._log_groups.get(asked.get("logGroupName")))
    events = asked.get("logEvents", [])
    over = [place for place, event in enumerate(events) if event.get("timestamp", since) < since]
    if not over:
        return put_kept.original(asked)
    kept = [event for event in events if event.get("timestamp", since) >= since]
    status, headers, body = put_kept.original(asked | {"logEvents": kept})
    if status != 200:
        return status, headers, body
    rejected = {"rejectedLogEventsInfo": {"expiredLogEventEndIndex": over[-1] + 1}}
    return json_response(json.loads(body) | rejected)


@corrections.RETENTION.replacing("ministack.services.cloudwatch_logs:_describe_log_groups")
def describe_groups(asked: dict):
    """Describe groups; what is over is none of the bytes that they store."""
    groups = cloudwatch_logs._log_groups

    def streams_of(said: dict) -> tuple[dict, list[dict]]:
        group = groups[said["logGroupName"]]
        return group, list(group["streams"].values())

    return with_stored_bytes(describe_groups.original(asked), "logGroups", streams_of)


@corrections.RETENTION.replacing("ministack.services.cloudwatch_logs:_describe_log_streams")
def describe_streams(asked: dict):
    """Describe streams; what is over is none of the bytes that they store."""
    group = cloudwatch_logs._log_groups.get(asked.get("logGroupName"))

    def streams_of(said: dict) -> tuple[dict, list[dict]]:
        return group, [group["streams"][said["logStreamName"]]]

    return with_stored_bytes(describe_streams.original(asked), "logStreams", streams_of)


def with_stored_bytes(
    answer: tuple, name: str, streams_of: Callable[[dict], tuple[dict, list[dict]]]
) -> tuple:
    """Return a description in which the bytes are those of events that are not over.

    Args:
        answer: MiniStack's.
        name: Of what is described in it.
        streams_of: Returns the group and the streams of one of them.
    """
    status, _, body = answer
    if status != 200:
        return answer
    told = json.loads(body)
    for said in told[name]:
        group, streams = streams_of(said)
        since = kept_since(group)
        over = (event for each in streams for event in each["events"][: first_kept(each["events"], since)])
        said["storedBytes"] -= sum(len(event.get("message", "")) for event in over)
    return json_response(told)


@corrections.RETENTION.replacing("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved, and begin to drop events whose time is over."""
    load.original()
    _tasks.append(asyncio.get_running_loop().create_task(keep_dropping()))


async def keep_dropping() -> None:
    """Drop events again and again."""
    while True:
        try:
            drop()
        except Exception:  # something changes it just now; the next time
            logger.exception("log events whose time is over could not be dropped")
        await asyncio.sleep(DROP_EVERY_S)


def drop() -> None:
    """Drop what is over of each stream, if it is much of it; streams stay, as on AWS."""
    for group in list(cloudwatch_logs._log_groups._data.values()):
        since = kept_since(group)
        for stream in list(group["streams"].values()) if since else ():
            with cloudwatch_logs._log_events_lock:
                events = stream["events"]
                over = first_kept(events, since)
                if over and over >= DROP_FROM * len(events):
                    stream["events"] = events[over:]
