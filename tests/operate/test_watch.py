"""Watching: what has arrived, what is dead, and what is not there yet when the time is up."""

import json
from urllib.parse import quote_plus

import pandas as pd
import pytest
from support import cases
from support.case import HERE

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.operate import log_events, samples, watch
from lib.operate.samples import Sample
from lib.resources import s3, sqs
from lib.resources.logs import LogGroup
from lib.s3 import objects
from lib.s3.objects import Place

KEYS = ["a.csv", "folder/Project Idea+ü 100%.csv", "never.csv"]


class Time:
    """A clock that only goes on while somebody sleeps."""

    def __init__(self):
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Pipeline:
    """Two buckets and two queues, with nothing between them: the tests are what moves things."""

    def __init__(self, stack: Stack, sqs_client):
        self.sqs = sqs_client
        source, target = (
            stack.add(s3.Bucket("source", HERE)),
            stack.add(s3.Bucket("target", "us-east-1")),
        )
        queue, dead = stack.add(sqs.Queue("files", "us-east-1")), stack.add(sqs.Queue("dead", "us-east-1"))
        stack.apply()
        self.source = Place(stack.client(source), source.name)
        self.target = Place(stack.client(target), target.name)
        self.queue, self.dead = (Waiting.of(stack.target, q) for q in (queue, dead))
        self.time = Time()

    def upload(self, keys: list[str] = KEYS) -> pd.DataFrame:
        files = [Sample(key, f"a\n{key}\n".encode(), {"origin": "test"}, {"kind": "x"}) for key in keys]
        return samples.upload(self.source.client, self.source.bucket, files)

    def copy(self, key: str, **changed) -> None:
        found = self.source.client.get_object(Bucket=self.source.bucket, Key=key)
        given = {"ContentType": found["ContentType"], "Metadata": found["Metadata"], "Tagging": "kind=x"}
        body = found["Body"].read()
        self.target.client.put_object(
            Bucket=self.target.bucket, Key=key, **{"Body": body, **given, **changed}
        )

    def send(self, queue: Waiting, body: str) -> None:
        self.sqs.send_message(QueueUrl=queue.url, MessageBody=body)

    def arrivals(self, uploads: pd.DataFrame, timeout_s: float = 30) -> pd.DataFrame:
        return watch.arrivals(
            uploads,
            self.source,
            target=self.target,
            dead_letters=self.dead,
            timeout_s=timeout_s,
            queue=self.queue,
            sleep=self.time.sleep,
            clock=self.time.clock,
        )


@pytest.fixture
def pipeline(stack: Stack, somebody) -> Pipeline:
    # The deployer may not send or delete messages: that is what S3 and Lambda do.
    return Pipeline(stack, somebody("sqs"))


def event(*keys: str, version: str | None = None) -> str:
    which = {"versionId": version} if version else {}
    records = [{"s3": {"object": {"key": quote_plus(key), **which}}} for key in keys]
    return json.dumps({"Records": records})


def test_what_has_arrived_is_in_place(pipeline: Pipeline):
    uploads = pipeline.upload()
    for key in KEYS:
        pipeline.copy(key)
    arrived = pipeline.arrivals(uploads)
    assert arrived["key"].tolist() == KEYS
    assert arrived["state"].tolist() == ["in place"] * 3
    assert arrived["seconds"].between(0, 60).all()
    assert pipeline.time.now_s == 0


def test_what_is_not_there_when_the_time_is_up_is_not_yet(pipeline: Pipeline):
    uploads = pipeline.upload()
    pipeline.copy(KEYS[0])
    arrived = pipeline.arrivals(uploads, timeout_s=30).set_index("key")
    assert arrived["state"].tolist() == ["in place", "not yet", "not yet"]
    assert arrived["seconds"].isna().tolist() == [False, True, True]
    assert 30 <= pipeline.time.now_s < 31


def test_a_dead_letter_is_named_and_stays_where_it_is(pipeline: Pipeline):
    uploads = pipeline.upload()
    for key in (KEYS[0], KEYS[2]):
        pipeline.copy(key)
    for body in ("no JSON", "[]", '{"Event": "s3:TestEvent"}', '{"Records": null}', '{"Records": [{}]}'):
        pipeline.send(pipeline.dead, body)
    pipeline.send(pipeline.dead, event("somebody else's.csv", KEYS[1]))
    arrived = pipeline.arrivals(uploads)
    assert arrived["state"].tolist() == ["in place", "dead letter", "in place"]
    assert arrived["seconds"].isna().tolist() == [False, True, False]
    assert pipeline.time.now_s == 0
    assert pipeline.dead.depth() == 6


def test_a_dead_letter_of_an_earlier_upload_is_not_this_one_s(pipeline: Pipeline):
    earlier, uploads = pipeline.upload(KEYS[:2]), pipeline.upload(KEYS[:2])
    assert earlier["key"].tolist() == uploads["key"].tolist()
    versions = pipeline.source.client.list_object_versions(Bucket=pipeline.source.bucket)["Versions"]
    for key, is_latest in ((KEYS[0], False), (KEYS[1], True)):
        (one,) = [v for v in versions if v["Key"] == key and v["IsLatest"] == is_latest]
        pipeline.send(pipeline.dead, event(key, version=one["VersionId"]))
    assert pipeline.arrivals(uploads, timeout_s=1)["state"].tolist() == ["not yet", "dead letter"]


@pytest.mark.parametrize(
    "changed",
    [{"Body": b"another"}, {"ContentType": "text/plain"}, {"Metadata": {}}, {"StorageClass": "STANDARD_IA"}],
)
def test_a_copy_that_is_not_faithful_has_not_arrived(pipeline: Pipeline, changed: dict):
    uploads = pipeline.upload(KEYS[:1])
    pipeline.copy(KEYS[0], **changed)
    assert pipeline.arrivals(uploads, timeout_s=1)["state"].tolist() == ["not yet"]


def test_nothing_uploaded_is_nothing_to_wait_for(pipeline: Pipeline):
    assert pipeline.arrivals(pipeline.upload([])).empty
    assert pipeline.time.now_s == 0


def test_copies_are_compared_byte_for_byte_and_tag_for_tag(pipeline: Pipeline):
    pipeline.upload()
    pipeline.copy(KEYS[0])
    pipeline.copy(KEYS[1], Tagging="kind=y")
    pipeline.copy(KEYS[2], CacheControl="no-cache")
    compared = objects.compare(KEYS, pipeline.source, pipeline.target).set_index("key")
    assert compared.loc[KEYS[0]].all()
    assert compared.loc[KEYS[1]].to_dict() == {"content": True, "attributes": True, "tags": False}
    assert compared.loc[KEYS[2]].to_dict() == {"content": True, "attributes": False, "tags": True}


def test_what_is_not_there_is_the_same_in_nothing(pipeline: Pipeline):
    pipeline.upload()
    compared = objects.compare(KEYS, pipeline.source, pipeline.target).set_index("key")
    assert not compared.any(axis=None)


def test_a_queue_settles_or_the_wait_ends(pipeline: Pipeline):
    assert pipeline.queue.settle() == 0
    pipeline.send(pipeline.queue, "one")
    assert pipeline.queue.settle(timeout_s=0) == 1

    def receive(seconds: float) -> None:
        taken = pipeline.queue.client.receive_message(QueueUrl=pipeline.queue.url)
        handle = taken["Messages"][0]["ReceiptHandle"]
        pipeline.sqs.delete_message(QueueUrl=pipeline.queue.url, ReceiptHandle=handle)

    assert pipeline.queue.settle(sleep=receive) == 0


def test_what_is_in_a_queue_before_is_named_and_nothing_waits_for_it(
    pipeline: Pipeline, stack: Stack, capsys
):
    dead = stack.add(sqs.Queue("letters", "us-east-1"))
    work = stack.add(sqs.Queue("work", "us-east-1", dead_letter=dead))
    stack.apply()
    for queue in (dead, work, work):
        pipeline.send(Waiting.of(stack.target, queue), "hello")
    capsys.readouterr()
    waiting = Waiting.from_now(stack.target, work)
    assert f"{work.name} holds 2 messages of before" in capsys.readouterr().out
    letters = Waiting.from_now(stack.target, dead, work)
    no_sleep = {"sleep": lambda _: pytest.fail("waits")}
    assert (waiting.settle(**no_sleep), letters.settle(**no_sleep)) == (0, 0)
    for _ in range(2):  # what fails too often ends there
        pipeline.send(letters, "hello")
    assert letters.settle(**no_sleep) == 0
    pipeline.send(letters, "of this run")
    pipeline.send(waiting, "of this run")
    assert (waiting.settle(timeout_s=0), letters.settle(timeout_s=0)) == (1, 1)


def test_the_function_s_log_is_read_by_key(stack: Stack, somebody):
    group = cases.logs.log_group(stack)
    stack.apply()
    since = pd.Timestamp.now("UTC")
    lines = [
        "START RequestId: 1",
        json.dumps({"level": "INFO", "message": "Copied", "key": "b.csv", "timestamp": "2", "bytes": 3}),
        json.dumps({"level": "INFO", "message": "no key"}),
        json.dumps({"level": "ERROR", "message": "Failed", "key": "a.csv", "timestamp": "1"}),
    ]
    logs = somebody("logs")
    logs.create_log_stream(logGroupName=group.name, logStreamName="s")
    now = int(since.timestamp() * 1000) + 1
    events = [{"timestamp": now, "message": line} for line in lines]
    logs.put_log_events(logGroupName=group.name, logStreamName="s", logEvents=events)
    log = watch.function_log(stack.client(group), group.name, since=since)
    assert log["key"].tolist() == ["a.csv", "b.csv"]
    assert log["message"].tolist() == ["Failed", "Copied"]
    assert watch.function_log(
        stack.client(group), group.name, since=since + pd.Timedelta("1h"), timeout_s=0
    ).empty


def test_the_function_s_log_is_waited_for(stack: Stack, somebody):
    """A step is no outcome, and what another handler logs last is none of this one's."""
    group = stack.add(LogGroup("summarize", "us-east-1", retention_days=1))
    stack.apply()
    since, logs = pd.Timestamp.now("UTC"), somebody("logs")
    logs.create_log_stream(logGroupName=group.name, logStreamName="s")
    lines = [
        *[("event received", "a"), ("JSON uploaded", "a"), ("copied", "b")],
        *[("CSV rejected", "b"), ("gone", "c")],
    ]

    def write_one(_) -> None:
        message, key = lines.pop(0)
        line = json.dumps({"message": message, "key": key, "timestamp": key})
        event = {"timestamp": int(since.timestamp() * 1000) + 1, "message": line}
        logs.put_log_events(logGroupName=group.name, logStreamName="s", logEvents=[event])

    log = watch.function_log(stack.client(group), group.name, since=since, keys=["a", "b"], sleep=write_one)
    assert log["message"].tolist() == ["event received", "JSON uploaded", "copied", "CSV rejected"]


def test_of_a_log_of_no_handler_that_is_known_it_says_what_is_missing(stack: Stack):
    with pytest.raises(RunbookError, match=r"no handlers/unheard/facts.yaml; there are: .*replicate"):
        watch.function_log(
            None, "/aws/lambda/runbook-test-x-unheard", since=pd.Timestamp.now("UTC"), keys=["a"]
        )


def test_a_log_is_looked_at_soon_again_but_not_often(stack: Stack):
    """An account has few such calls a second, for all that read logs in a region."""
    group, waits = stack.add(LogGroup("replicate", "us-east-1", retention_days=1)), []
    stack.apply()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        watch.function_log(
            stack.client(group), group.name, since=pd.Timestamp.now("UTC"), keys=["never"], sleep=wait
        )
    assert waits[0] <= 0.25
    assert waits[-4:] == [log_events.POLL_S] * 4


def test_lines_of_a_log_whose_key_is_none_are_left_out(monkeypatch):
    texts = ['{"key": "a"}', '{"key": {"a": 1}}', '{"key": null}', "[" * 10_000, "text"]
    monkeypatch.setattr(log_events, "events", lambda *_: ((None, text) for text in texts))
    assert list(log_events.lines(None, "group", None)) == [{"key": "a"}]
