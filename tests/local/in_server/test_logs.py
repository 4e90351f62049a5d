"""Log events: how long they are there, and that each is kept once."""

import time
import uuid

import pytest
from botocore.exceptions import ClientError
from support.servers import eventually, file_of, is_saved, root

from lib.local import ministack

DAY_MS = 86_400_000


@pytest.fixture
def group(somebody):
    """A log group with a stream, and what puts events into it: days ago, in the order of time."""
    logs, name = somebody("logs"), f"g-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="one")
    return logs, name


def put(logs, name: str, *days: float) -> dict:
    now = int(time.time() * 1000)
    events = [{"timestamp": int(now - each * DAY_MS), "message": f"{each} days ago"} for each in days]
    return logs.put_log_events(logGroupName=name, logStreamName="one", logEvents=events)


def queried(logs, name: str) -> list[str]:
    """The messages that a query of Logs Insights finds."""
    asked = {"startTime": 0, "endTime": int(time.time()) + 60, "queryString": "fields @message, @ptr"}
    query = logs.start_query(logGroupName=name, **asked)["queryId"]
    rows = logs.get_query_results(queryId=query)["results"]
    return [next(each["value"] for each in row if each["field"] == "@message") for row in rows]


def seen(logs, name: str) -> dict[str, list[str]]:
    """The messages of a group, by each of the ways to ask for them."""
    one = {"logGroupName": name, "logStreamName": "one"}
    forward = logs.get_log_events(**one, startFromHead=True)
    backward = logs.get_log_events(**one, limit=1)
    earlier = logs.get_log_events(**one, nextToken=backward["nextBackwardToken"])["events"]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
    found = {
        "forward": forward["events"],
        "backward": [*earlier, *backward["events"]],
        "filtered": [event for page in pages for event in page["events"]],
        "since ever": logs.filter_log_events(logGroupName=name, startTime=0)["events"],
    }
    messages = {way: [event["message"] for event in events] for way, events in found.items()}
    return messages | {"queried": queried(logs, name)}


def test_events_are_seen_until_their_time_is_over(group):
    logs, name = group
    put(logs, name, 8, 3, 1.01, 0.99, 0)
    everything = ["8 days ago", "3 days ago", "1.01 days ago", "0.99 days ago", "0 days ago"]
    for days, kept in ((None, 5), (7, 4), (1, 2)):
        if days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        assert seen(logs, name) == dict.fromkeys(seen(logs, name), everything[5 - kept :])
        stored = sum(map(len, everything[5 - kept :]))
        (described,) = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        assert described["storedBytes"] == stored
        (stream,) = logs.describe_log_streams(logGroupName=name)["logStreams"]
        assert stream["storedBytes"] == stored


def test_events_are_kept_for_ever_once_the_retention_is_deleted(group):
    logs, name = group
    logs.put_retention_policy(logGroupName=name, retentionInDays=1)
    logs.delete_retention_policy(logGroupName=name)
    assert "rejectedLogEventsInfo" not in put(logs, name, 400, 0)
    assert seen(logs, name)["forward"] == ["400 days ago", "0 days ago"]


def test_what_comes_too_late_is_refused_and_named(group):
    logs, name = group
    logs.put_retention_policy(logGroupName=name, retentionInDays=3)
    answer = put(logs, name, 5, 4, 2, 0)
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 2}
    assert seen(logs, name)["forward"] == ["2 days ago", "0 days ago"]
    assert "rejectedLogEventsInfo" not in put(logs, name, 1)


def test_a_query_of_several_groups_has_of_each_what_is_not_over(somebody, group):
    logs, name = group
    other = f"g-{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=other)
    logs.create_log_stream(logGroupName=other, logStreamName="one")
    for each in (name, other):
        put(logs, each, 2, 0)
    logs.put_retention_policy(logGroupName=other, retentionInDays=1)
    asked = {"startTime": 0, "endTime": int(time.time()) + 60, "queryString": "fields @message, @log"}
    query = logs.start_query(logGroupNames=[name, other], **asked)["queryId"]
    rows = [
        {each["field"]: each["value"] for each in row}
        for row in logs.get_query_results(queryId=query)["results"]
    ]
    assert sorted((row["@log"] == other, row["@message"]) for row in rows) == [
        (False, "0 days ago"),
        (False, "2 days ago"),
        (True, "0 days ago"),
    ]


def test_what_is_not_there_is_refused_as_before(somebody):
    logs, nowhere = somebody("logs"), {"logGroupName": f"g-{uuid.uuid4().hex}"}
    for call, arguments in (
        ("filter_log_events", {}),
        ("get_log_events", {"logStreamName": "one"}),
        ("describe_log_streams", {}),
        ("put_log_events", {"logStreamName": "one", "logEvents": [{"timestamp": 0, "message": "a"}]}),
    ):
        with pytest.raises(ClientError) as refused:
            getattr(logs, call)(**nowhere, **arguments)
        assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    with pytest.raises(ClientError, match="Invalid logRecordPointer"):
        logs.get_log_record(logRecordPointer="none")


@pytest.fixture
def own_logs(own_home):
    """A local AWS of its own, with a group and a stream."""
    server = ministack.start()
    logs = root(server, "logs")
    logs.create_log_group(logGroupName="kept")
    logs.create_log_stream(logGroupName="kept", logStreamName="one")
    return server, logs


def test_an_event_is_saved_once_and_found_by_its_pointer_after_a_kill(own_logs, kill):
    server, logs = own_logs
    put(logs, "kept", 0)
    (found,) = logs.filter_log_events(logGroupName="kept")["events"]
    asked = {"startTime": 0, "endTime": int(time.time()) + 60, "queryString": "fields @ptr"}
    query = logs.start_query(logGroupName="kept", **asked)["queryId"]
    ((field,),) = logs.get_query_results(queryId=query)["results"]
    assert field["value"] == found["eventId"]
    eventually(
        lambda: is_saved(server, "logs", found["eventId"]) and query in file_of(server, "logs").read_text()
    )
    assert "0 days ago" not in file_of(server, "logs").read_text()
    kill(server.pid)
    logs = root(ministack.start(), "logs")
    record = logs.get_log_record(logRecordPointer=found["eventId"])["logRecord"]
    assert (record["@message"], record["@log"], record["@logStream"]) == ("0 days ago", "kept", "one")
    logs.delete_log_stream(logGroupName="kept", logStreamName="one")
    with pytest.raises(ClientError, match="Invalid logRecordPointer"):
        logs.get_log_record(logRecordPointer=found["eventId"])


def test_what_is_over_is_dropped_and_its_stream_stays(own_logs, kill):
    """Of a stream that has little of it not yet, since that is written anew."""
    server, logs = own_logs
    logs.create_log_group(logGroupName="for ever")
    for name, stream in (("kept", "all of it"), ("kept", "little of it"), ("for ever", "one")):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    now = int(time.time() * 1000)

    def log(name: str, stream: str, *days: float) -> None:
        events = [{"timestamp": int(now - each * DAY_MS), "message": f"{stream}: {each}"} for each in days]
        logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)

    log("kept", "one", 2, 0)
    log("kept", "all of it", 3, 2)
    log("kept", "little of it", 2, *(0 for _ in range(19)))
    log("for ever", "one", 500)
    logs.put_retention_policy(logGroupName="kept", retentionInDays=1)
    eventually(lambda: is_saved(server, "logs", "one: 500"))
    eventually(lambda: is_saved(server, "logs", '"retentionInDays": 1'))
    assert is_saved(server, "logs", "all of it: 3")
    kill(server.pid)

    server = ministack.start()
    logs = root(server, "logs")
    eventually(lambda: not is_saved(server, "logs", "all of it: "))
    said = [event["message"] for event in logs.filter_log_events(logGroupName="kept")["events"]]
    assert sorted(said) == ["little of it: 0"] * 19 + ["one: 0"]
    streams = logs.describe_log_streams(logGroupName="kept")["logStreams"]
    assert [each["logStreamName"] for each in streams] == ["all of it", "little of it", "one"]
    assert not is_saved(server, "logs", "one: 2") and is_saved(server, "logs", "little of it: 2")
    assert is_saved(server, "logs", "one: 500")
    put(logs, "kept", 0.5)
    eventually(lambda: is_saved(server, "logs", "0.5 days ago"))
    kill(server.pid)

    logs = root(ministack.start(), "logs")
    events = logs.get_log_events(logGroupName="kept", logStreamName="one", startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["0.5 days ago", "one: 0"]
