"""What pipelines do now: what waits in their queues, and what they have cost so far."""

from dataclasses import replace

import pandas as pd
import pytest
from support.log_lines import metrics, report, taken
from support.the_five import pipelines

from lib.base.errors import NotDeployedError
from lib.engine.stack import Stack
from lib.operate.observe import operation
from lib.operate.pipelines import FunctionName, those_deployed
from lib.parameters import Parameters


def test_cost_so_far_is_what_was_counted_times_prices():
    found = taken(metrics(ObjectsCopied=[1] * 1000, BytesCopied=[1024**2] * 1000), report(2000, 512))
    cost = operation.cost_so_far(Parameters(), found)["migrate"]
    assert cost["S3 writes"] == pytest.approx(1000 * 0.000005)
    assert cost["transfer"] == pytest.approx(1000 / 1024 * 0.02)
    assert cost["Lambda invocations"] == pytest.approx(0.20 / 1e6)
    assert cost["Lambda time"] == pytest.approx(2 * 0.5 * 0.0000166667)
    assert cost["total"] == pytest.approx(cost.drop("total").sum())


def test_queues_tell_what_waits_and_of_an_empty_one_that_nothing_does(stack: Stack, somebody):
    queue = stack.add(operation.Queue("uploads", "us-east-1"))
    stack.apply()
    letters = pipelines(stack.parameters)["migrate"].dead_letters[0]
    pipeline = replace(
        pipelines(stack.parameters)["migrate"],
        created=FunctionName("f", "us-east-1"),
        dead_letters=(replace(letters, queue=queue),),
    )
    (row,) = operation.queues(stack.target, [pipeline]).to_dict("records")
    assert row == {
        "pipeline": "migrate",
        "queue": "uploads",
        "kind": "dead letters",
        "messages": 0,
        "in flight": 0,
        "oldest, s": 0.0,
    }
    sqs = somebody("sqs", "us-east-1")
    sqs.send_message(QueueUrl=queue.output(sqs), MessageBody="1")
    (row,) = operation.queues(stack.target, [pipeline]).to_dict("records")
    assert row["messages"] == 1
    assert pd.isna(row["oldest, s"])
    figures = {
        "Namespace": "AWS/SQS",
        "MetricData": [
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": queue.name}],
                "Value": 77,
            }
        ],
    }
    somebody("cloudwatch", "us-east-1").put_metric_data(**figures)
    (row,) = operation.queues(stack.target, [pipeline]).to_dict("records")
    assert row["oldest, s"] == 77


def test_where_nothing_is_deployed_it_says_so(target):
    nowhere = Parameters.check({"env": "test", "prefix": "nothing"})
    with pytest.raises(NotDeployedError, match="no pipeline is deployed as env .test.*runbook run migrate"):
        those_deployed(target, nowhere)
