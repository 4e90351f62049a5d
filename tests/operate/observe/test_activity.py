"""What functions have done, by their log lines."""

from dataclasses import replace

import pandas as pd
import pytest
from support.log_lines import NOW, SINCE, done, failed, metrics, report, taken
from support.the_five import pipelines

from lib.base import told
from lib.engine.stack import Stack
from lib.operate.observe import activity, operation
from lib.operate.observe.activity import Activity
from lib.operate.pipelines import FunctionName
from lib.parameters import Parameters
from lib.resources.logs import LogGroup


def test_lag_is_of_what_was_worked_on():
    found = taken(
        metrics(Lag=[1000, 90_000_000], ObjectsCopied=[1, 0]), metrics(Lag=3000, ObjectsCopied=1), "START"
    )
    (row,) = found.lag().to_dict("records")
    assert row == {"pipeline": "migrate", "objects": 2, "p50": 2.0, "p99": pytest.approx(2.98), "longest": 3}


def test_the_record_is_told_of_a_lag_once_however_often_it_is_asked_for():
    told.take_facts()
    found = taken(metrics(Lag=1000, ObjectsCopied=1))
    assert found.lag().equals(found.lag())
    assert [(fact["kind"], fact["longest_s"]) for fact in told.take_facts()] == [("lag", 1.0)]


def test_counts_are_summed_by_minute_with_empty_minutes_in_between():
    found = taken(metrics(ObjectsCopied=[1, 1, 0], BytesCopied=[5, 5, 0]), metrics(ObjectsCopied=1))
    assert found.total("migrate", "ObjectsCopied") == 3
    assert found.total("migrate", "BytesCopied") == 10
    assert found.throughput()["migrate"].tolist() == [0, 0, 0, 0, 3]
    assert found.errors_per_minute()["migrate"].tolist() == [0] * 5


def test_a_key_that_failed_and_was_done_since_does_not_fail_still():
    found = taken(failed("a"), failed("b"), done("a"), failed("c"), done("c"), failed("c"), "no {json}")
    assert found.seen_errors().to_dict("records") == [
        {"pipeline": "migrate", "errors": 4, "still failing": 2}
    ]
    assert found.still_failing == {("migrate", "replicate", "b"), ("migrate", "replicate", "c")}
    assert found.frame("errors")["key"].tolist() == ["a", "b", "c", "c"]


def test_a_line_that_cannot_be_read_is_counted_and_holds_up_no_other():
    odd = [
        '{"_aws": {}}',
        '{"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "ObjectsCopied"}]}]}}',
        '{"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": "Lag"}]}]}, "Lag": "soon"}',
        '{"key": {"a": 1}, "level": "ERROR"}',
        '{"key": {"a": 1}}',
        "[" * 10_000,
    ]
    found = Activity(["migrate"], SINCE, NOW)
    lines = [(NOW, text) for text in [*odd, metrics(ObjectsCopied=1), failed("a")]]
    activity._take_all(found, "migrate", "replicate", lines, activity._take_line)
    assert found.total("migrate", "ObjectsCopied") == 1
    assert found.still_failing == {("migrate", "replicate", "a")}
    assert all(what.startswith("migrate replicate: ") for what, _ in found.left_out)
    kinds = {reason.split(": ")[1].split(" ")[0] for _, reason in found.left_out}
    assert kinds == {"KeyError", "TypeError"}


def test_lines_that_are_not_ours_tell_nothing_and_harm_nobody():
    cut_off = metrics(ObjectsCopied=1)[:-1]
    found = taken(cut_off, "{", "{not: json}", "[1]", "{}", '{"key": 1', failed("a"))
    assert found.counts == []
    assert found.still_failing == {("migrate", "replicate", "a")}
    assert taken('{"level": "ERROR"}').frame("errors")["message"].tolist() == [""]


def test_the_same_key_of_another_pipeline_or_function_is_another():
    found = Activity(["migrate", "backup"], SINCE, NOW)
    for name in ("migrate", "backup"):
        activity._take_line(found, name, "replicate", NOW, failed("a"))
    activity._take_line(found, "migrate", "replicate", NOW, done("a"))
    activity._take_line(found, "backup", "delete", NOW, done("a"))
    assert found.seen_errors()["still failing"].tolist() == [0, 1]


def test_of_a_function_whose_handler_says_nothing_all_is_counted_and_no_lag_known():
    found = taken(metrics(Seen=[1, 1], Lag=[5, 6]), failed("a"), name="strange", function="unheard")
    assert found.total("strange", "Seen") == 2
    assert found.lag().empty
    assert found.throughput()["strange"].sum() == 0
    assert len(found.errors) == 1
    assert operation.cost_so_far(Parameters(), found).loc["total", "strange"] == 0


def test_an_invocation_that_was_cut_off_is_an_error():
    found = taken(report(60_000, 512, "timeout"), report(100, 512))
    assert [row[2:] for row in found.invocations] == [(60_000, 512), (100, 512)]
    assert found.frame("errors")["message"].tolist() == ["Status: timeout"]


def test_logs_are_read_from_cloudwatch(stack: Stack, somebody):
    """Lines of another time, and whatever is no line of ours, are not in it."""
    group = stack.add(LogGroup("replicate", "us-east-1", retention_days=1))
    stack.apply()
    now = pd.Timestamp.now("UTC")
    lines = ["START RequestId: 1", metrics(Lag=2000, ObjectsCopied=1), failed("a"), report(9, 512), "Ärger {"]
    times = [now - pd.Timedelta(hours=5), *[now] * len(lines)]
    events = [
        {"timestamp": int(time.timestamp() * 1000), "message": text}
        for time, text in zip(times, [metrics(Lag=1, ObjectsCopied=1), *lines], strict=True)
    ]
    logs = somebody("logs", "us-east-1")
    logs.create_log_stream(logGroupName=group.name, logStreamName="one")
    logs.put_log_events(logGroupName=group.name, logStreamName="one", logEvents=events)
    name = group.name.removeprefix("/aws/lambda/")
    pipeline = replace(pipelines(stack.parameters)["migrate"], functions=(FunctionName(name, "us-east-1"),))
    found = activity.read(stack.target, [pipeline], now - pd.Timedelta(hours=1))
    assert found.lag()["objects"].tolist() == [1]
    assert [row[2:] for row in found.invocations] == [(9, 512)]
    assert len(found.errors) == len(found.still_failing) == 1
