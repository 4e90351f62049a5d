"""The observer's notebook over a pipeline that was deployed and used, and where there is none."""

import json
import re
import time
from datetime import UTC, datetime, timedelta

import pandas as pd
import papermill
import pytest
from support.headless import Deployed, counts, eventually
from support.mailbox import Mailbox

from lib.operate.invocation import invoke
from lib.operate.observe import activity, usage
from lib.operate.observe.alerts import DIFFERENCES, DIMENSION, NAMESPACE
from lib.operate.pipelines import buckets, deployed, those_deployed
from lib.parameters import Parameters

NAME = "runbook-tindex-observe-pipelines"
TRAIL = "runbook-tindex-observe-objects"


@pytest.fixture(scope="module")
def index(deploy) -> Deployed:
    """One pipeline of the five, which has done one object."""
    made = deploy("30_index")
    pipeline = deployed(made.aws, made.parameters, "index")
    s3 = made.aws.client("s3", pipeline.source.region)
    s3.put_object(Bucket=pipeline.source.name, Key="a.txt", Body=b"text")
    since = pd.Timestamp.now("UTC") - pd.Timedelta(hours=1)
    assert eventually(lambda: not activity.read(made.aws, [pipeline], since).lag().empty)
    return made


@pytest.fixture(scope="module")
def cloudwatch(index):
    return index.aws.client("cloudwatch", "us-east-1")


@pytest.fixture(scope="module")
def observe(index, tmp_path_factory) -> Deployed:
    return Deployed("80_observe", tmp_path_factory.mktemp("observe"), {"env": index.parameters.env})


@pytest.fixture(scope="module")
def executed(observe, cloudwatch):
    """The notebook, run for the first time after it was run in mode `plan`."""
    observe.run(mode="plan")
    assert cloudwatch.list_dashboards(DashboardNamePrefix=NAME)["DashboardEntries"] == []
    return observe.run()


def body(cloudwatch) -> dict:
    return json.loads(cloudwatch.get_dashboard(DashboardName=NAME)["DashboardBody"])


def test_a_first_plan_is_made_before_anything_is_deployed_and_names_what_it_leaves_out(local_aws, tmp_path):
    nothing_there = Deployed("80_observe", tmp_path, {"env": "tbefore"})
    planned = nothing_there.run(mode="plan", observe={"watch": True, "trail": True})
    assert counts(planned)["to create"] > 2
    left_out = [o["data"]["text/plain"] for c in planned.cells for o in c.get("outputs", []) if "data" in o]
    assert any("no pipeline is deployed as env 'tbefore' yet" in text for text in left_out)
    with pytest.raises(papermill.PapermillExecutionError, match="Deploy one first: runbook run migrate"):
        nothing_there.run()


def test_it_makes_the_dashboard_of_what_is_deployed_and_names_the_rest(executed, cloudwatch):
    printed = "".join(o.text for c in executed.cells for o in c.get("outputs", []) if "text" in o)
    assert set(re.findall(r"never deployed: (.*)", printed)) == {"migrate, backup, summarize, ingest"}
    texts = [w["properties"]["markdown"] for w in body(cloudwatch)["widgets"] if w["type"] == "text"]
    assert [text.split(":")[0] for text in texts] == ["## index"]
    assert counts(executed)["to create"] == 1


def test_a_second_run_puts_right_what_somebody_changed_by_hand_and_nothing_else(
    executed, observe, cloudwatch
):
    made = body(cloudwatch)
    assert observe.counts()["unchanged"] == 1
    cloudwatch.put_dashboard(DashboardName=NAME, DashboardBody='{"widgets": []}')
    assert observe.counts()["to change"] == 1
    assert body(cloudwatch) == made


def test_a_trail_comes_and_goes_with_its_parameter_and_says_what_the_local_aws_lacks(
    executed, observe, index
):
    cloudtrail = index.aws.client("cloudtrail", "us-east-1")
    wanted = {"observe": {"trail": True, "trail_expire_days": 7}}
    made = observe.run(**wanted)
    assert (counts(made)["to create"], counts(made)["unchanged"]) == (2, 1)
    printed = "".join(o.text for c in made.cells for o in c.get("outputs", []) if "text" in o)
    assert "delivers no log files" in printed
    assert f"s3://{observe.outputs['log_files']}/AWSLogs/000000000000/CloudTrail/" in printed
    (selector,) = cloudtrail.get_event_selectors(TrailName=TRAIL)["AdvancedEventSelectors"]
    (starts,) = [one["StartsWith"] for one in selector["FieldSelectors"] if "StartsWith" in one]
    there = those_deployed(index.aws, observe.parameters)
    assert starts == [f"{bucket.arn}/" for bucket in buckets([*there, *there.partial])]
    log_files = observe.outputs["log_files"]
    again = observe.run(**wanted)
    assert counts(again)["unchanged"] == 3
    assert "delivers no log files" in "".join(
        o.text for c in again.cells for o in c.get("outputs", []) if "text" in o
    )
    gone = observe.run()
    assert (counts(gone)["to delete"], counts(gone)["unchanged"]) == (1, 1)
    assert [one["Name"] for one in cloudtrail.list_trails()["Trails"] if one["Name"] == TRAIL] == []
    assert "log_files" not in observe.outputs
    assert index.aws.client("s3", "us-east-1").get_bucket_versioning(Bucket=log_files)["Status"] == "Enabled"


def test_what_watches_comes_and_goes_with_its_parameter_and_tells_of_what_was_not_done(
    executed, observe, index, somebody, cloudwatch
):
    wanted = {"observe": {"watch": True, "alert_email": "ops@example.org"}}
    made = observe.run(**wanted)
    assert (counts(made)["to create"], counts(made)["unchanged"]) == (17, 1)
    assert observe.counts(**wanted)["to create"] == 0
    alarms = cloudwatch.describe_alarms(AlarmNamePrefix="runbook-tindex-observe-")["MetricAlarms"]
    assert len(alarms) == usage.of_watching(Parameters.check(wanted))["cloudwatch_alarm"]
    own = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == "runbook"} | {"Watches"}
    assert len(own) == usage.of_watching(Parameters.check(wanted))["cloudwatch_metric"]
    topic = "arn:aws:sns:us-east-1:000000000000:runbook-tindex-observe-alerts"
    mailbox = Mailbox(somebody, topic)
    queue = deployed(index.aws, index.parameters, "index").dead_letters[0].queue
    sqs = somebody("sqs", queue.region)
    sqs.send_message(QueueUrl=queue.output(sqs), MessageBody="{}")
    function = index.aws.client("lambda", "us-east-1")
    try:
        found = invoke(function, "runbook-tindex-observe-watch", payload={})
        assert (found["MessagesNotDone"], found["NotLookedAt"]) == (1, 0)
        told: list = []
        assert eventually(lambda: told.extend(mailbox.read()) or told)
        ((subject, text),) = told
        alarm = json.loads(text)
        assert (alarm["AlarmName"], alarm["NewStateValue"]) == ("runbook-tindex-observe-not-done", "ALARM")
        assert "runbook redrive" in alarm["AlarmDescription"]
        invoke(function, "runbook-tindex-observe-watch", payload={})
        assert mailbox.read() == [], "it is wrong still, and was told"
        each_audit_is_judged_by_itself(somebody, mailbox)
    finally:
        sqs.purge_queue(QueueUrl=queue.output(sqs))
    gone = observe.run(observe={**wanted["observe"], "watch": False})
    assert (counts(gone)["to delete"], counts(gone)["unchanged"]) == (17, 1)
    assert observe.counts()["unchanged"] == 1


def each_audit_is_judged_by_itself(somebody, mailbox: Mailbox) -> None:
    """What an audit of some hours ago has found raises no alarm, and so does not hide what is found now."""
    client = somebody("cloudwatch", "us-east-1")
    name = "runbook-tindex-observe-audit-differences"
    for hours, raised in ((2, False), (0, True)):
        client.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": DIFFERENCES,
                    "Dimensions": [{"Name": DIMENSION, "Value": "runbook-tindex"}],
                    "Value": 1,
                    "Timestamp": datetime.now(UTC) - timedelta(hours=hours),
                }
            ],
        )
        (alarm,) = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        assert (hours, alarm["StateValue"] == "ALARM") == (hours, raised)
    ((_, text),) = mailbox.read()
    assert json.loads(text)["AlarmName"] == name


def test_what_is_late_or_was_not_done_fails_it(index, observe, somebody):
    """One object took an hour, by the function's log; another one is in the failure queue."""
    pipeline = deployed(index.aws, index.parameters, "index")
    values = {"Lag": [3_600_000], "EventsIndexed": [1]}
    groups = [{"Namespace": "runbook", "Metrics": [{"Name": name} for name in values]}]
    line = json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": groups}, **values})
    where = {"logGroupName": f"/aws/lambda/{pipeline.functions[0].name}", "logStreamName": "late"}
    logs = somebody("logs", pipeline.functions[0].region)
    logs.create_log_stream(**where)
    logs.put_log_events(**where, logEvents=[{"timestamp": int(time.time() * 1000), "message": line}])
    queue = pipeline.dead_letters[0].queue
    sqs = somebody("sqs", queue.region)
    sqs.send_message(QueueUrl=queue.output(sqs), MessageBody="{}")
    found = r"in time \(3\d{3}\.\d s at most\); nothing waits that was not done \(failures\)"
    with pytest.raises(papermill.PapermillExecutionError, match=found):
        observe.run()


def test_where_nothing_is_deployed_it_says_what_to_do(local_aws, tmp_path):
    nothing = Deployed("80_observe", tmp_path, {"env": "tobserve"})
    with pytest.raises(
        papermill.PapermillExecutionError, match="no pipeline is deployed .* runbook run migrate"
    ):
        nothing.run()
