"""The dashboard: which graphs, of which metrics."""

import json
from dataclasses import replace

import pytest
from support.the_five import pipelines

from lib.operate import facts
from lib.operate.observe import cost, dashboard
from lib.operate.pipelines import FunctionName
from lib.parameters import Parameters

PARAMETERS = Parameters.check({"env": "test"})
PIPELINES = pipelines(PARAMETERS)
BODY = dashboard.body(PARAMETERS, PIPELINES.values())
GRAPHS = [widget for widget in BODY["widgets"] if widget["type"] == "metric"]
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
MOST_WIDGETS, GRID = 500, 24


def metrics(body: dict) -> set[tuple]:
    """All metrics that are drawn or computed with: namespace, name, dimension, value, region."""
    return {
        (*metric[:4], widget["properties"]["region"])
        for widget in body["widgets"]
        if widget["type"] == "metric"
        for metric in widget["properties"]["metrics"]
        if isinstance(metric[0], str)
    }


def test_it_is_what_cloudwatch_takes():
    assert json.loads(json.dumps(BODY)) == BODY
    assert len(BODY["widgets"]) <= MOST_WIDGETS
    for graph in GRAPHS:
        assert graph["properties"].keys() == {"view", "region", "title", "period", "stat", "metrics"}
        assert graph["properties"]["metrics"]
        assert all(isinstance(metric[-1], dict) for metric in graph["properties"]["metrics"])


def test_no_graph_lies_on_another():
    taken = set()
    for widget in BODY["widgets"]:
        columns = range(widget["x"], widget["x"] + widget["width"])
        rows = range(widget["y"], widget["y"] + widget["height"])
        cells = {(x, y) for x in columns for y in rows}
        assert max(columns) < GRID
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_every_queue_and_function_of_a_pipeline_is_on_it(pipeline):
    shown = metrics(dashboard.body(PARAMETERS, [pipeline]))
    for queue in pipeline.queues:
        depth = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue.name, queue.region)
        assert depth in shown
    for function in pipeline.functions:
        assert ("AWS/Lambda", "Errors", "FunctionName", function.name, function.region) in shown
        for metric in facts.of_function(function.name).counts:
            assert ("runbook", metric, "service", function.name, function.region) in shown


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_how_long_things_wait_is_on_it(pipeline):
    shown = metrics(dashboard.body(PARAMETERS, [pipeline]))
    ages = {metric[3] for metric in shown if metric[1] == "ApproximateAgeOfOldestMessage"}
    assert ages == {queue.name for queue in pipeline.working}
    names = {metric[1] for metric in shown}
    assert ages or "AsyncEventAge" in names
    assert "Lag" in names


def test_lag_is_drawn_as_percentiles():
    lags = [m[-1]["stat"] for graph in GRAPHS for m in graph["properties"]["metrics"] if "Lag" in m]
    functions = [function for pipeline in PIPELINES.values() for function in pipeline.functions]
    tell = [function for function in functions if facts.of_function(function.name).lag]
    assert lags.count("p50") == lags.count("p99") == len(lags) / 2 == len(tell)
    assert 0 < len(tell) < len(functions)


def test_of_a_function_whose_handler_says_nothing_what_lambda_and_the_queues_tell_is_drawn():
    function = FunctionName("runbook-test-migrate-unheard", "us-east-1")
    strange = replace(PIPELINES["migrate"], name="strange", functions=(function,))
    body = dashboard.body(PARAMETERS, [strange])
    shown = {metric[:2] for metric in metrics(body)}
    assert {name for name, _ in shown} == {"AWS/Lambda", "AWS/SQS"}
    assert ("AWS/Lambda", "Errors") in shown
    assert all(w["properties"]["metrics"] for w in body["widgets"] if w["type"] == "metric")


def test_the_cost_of_an_object_is_that_of_the_estimate():
    """The formula, with a million objects of 10 KB put in, against `per_million`."""
    (graph,) = [
        graph["properties"]
        for graph in dashboard.body(PARAMETERS, [PIPELINES["migrate"]])["widgets"]
        if graph["properties"].get("title", "").startswith("cost")
    ]
    (expression,) = [m[0]["expression"] for m in graph["metrics"] if isinstance(m[0], dict)]
    assert {m[-1]["id"] for m in graph["metrics"][1:]} == {"objects", "bytes"}
    sums = {"RUNNING_SUM": lambda value: value, "FILL": lambda value, otherwise: value}
    usd = eval(expression, {**sums, "objects": 1e6, "bytes": 1e6 * 10240})  # our own text
    expected = cost.per_million(PARAMETERS, 10240).loc["total", "migrate"]
    assert usd == pytest.approx(expected, rel=1e-6)


def test_it_looks_as_far_back_as_the_notebook():
    assert BODY["start"] == "-PT3H"
