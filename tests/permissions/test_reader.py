"""The reader: what the published policy lets one look at is all that looking needs, and nothing is written.

`make record-calls` keeps the calls of these tests, by which each of its permissions is proven to be needed.
"""

import dataclasses
from collections.abc import Iterator

import pandas as pd
import pytest
from botocore.exceptions import ClientError
from support import cases, reader
from support.audited import make
from support.calls import Recorder
from support.case import ELSEWHERE, HERE
from support.cleanup import remove
from support.command_line import runbook
from support.the_five import pipelines

from lib import target as targets
from lib.engine.alerting import alerts_topic
from lib.engine.inventory import Inventory
from lib.engine.lock import Lock, known_ledger, locked
from lib.engine.records import look
from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.operate.audits.audit import audit
from lib.operate.failures import letters, stuck
from lib.operate.observe import activity, operation
from lib.operate.observe.alerts import Alerts, count_audit
from lib.operate.pipelines import FunctionName, deployed
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import Target, connect

PIPELINES = ("migrate", "backup", "index", "ingest")  # copies, items, and rows of files
REST = "summarize"  # under whose name there is one of every class
FILE = b"ticker,timestamp,price,volume\nA,2026-01-02T03:04:05Z,1.5,2\n"
# What is not named as those calls are that only look; by the last two a message is looked at.
LOOKS = {"Scan", "Query", "BatchGetItem", "FilterLogEvents", "ReceiveMessage", "ChangeMessageVisibilityBatch"}


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "reading", "audit": {"grace_s": 0}})


@pytest.fixture(scope="module")
def stacks(own: Parameters) -> Iterator[dict[str, Stack]]:
    """What the deployer has made: three pipelines that can be audited, and one of every class there is."""
    aws = connect(own)
    made = {name: make(aws, own, name) for name in PIPELINES}
    made[REST] = Stack(aws, own, REST)
    for case in cases.EVERY.values():
        case.describe(made[REST])
    made[REST].add(Bucket("copies", HERE, object_lock_days=0))
    made[REST].apply()
    migrate = pipelines(own)["migrate"]
    with locked(aws, own):
        made["migrate"].record_outputs(bucket=migrate.source)
    for bucket, body in ((migrate.source, b"1"), (migrate.destination, b"2")):
        put(aws, bucket, "stale", body)
        put(aws, bucket, "same", b"same")
    put(aws, pipelines(own)["index"].source, "unknown", b"1")
    put(aws, pipelines(own)["ingest"].source, "stocks/1.csv", FILE)
    dead = migrate.dead_letters[0].queue
    client = aws.client("sqs", dead.region)
    client.send_message(QueueUrl=dead.output(client), MessageBody="no event")
    yield made
    for stack in made.values():
        remove(stack)


def put(aws: Target, bucket: Bucket, key: str, body: bytes) -> None:
    client = aws.client("s3", bucket.region)
    client.put_object(Bucket=bucket.name, Key=key, Body=body, Tagging="a=b", ChecksumAlgorithm="SHA256")


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def aws(local_aws, own: Parameters, stacks, recorder: Recorder) -> Target:
    """As the reader sees it; all calls are kept, and each that writes is named."""
    aws = reader.target_of(local_aws, own)
    aws.session.events.register("before-call", recorder)
    return aws


def test_plan_and_status(aws: Target, own: Parameters, stacks, recorder: Recorder):
    for name, stack in stacks.items():
        planning = Stack(aws, own.model_copy(update={"mode": "plan"}), name)
        planning.resources = {arn: dataclasses.replace(one) for arn, one in stack.resources.items()}
        for arn, one in planning.resources.items():
            one.scope = stack.resources[arn].scope
        assert planning.plan().count("unchanged") == len(stack.resources)
    inventory = Inventory(aws, own)
    assert set(inventory.table()["made by"]) == {"this runbook"}
    going = inventory.going()  # `runbook plan destroy`
    assert going.summary.startswith(
        f"{sum(len(stack.resources) for stack in stacks.values())} to delete, with "
    )
    assert inventory.protected(going) == {}
    assert set(recorder.writes) <= LOOKS


def test_audit_redrive_and_observe(aws: Target, own: Parameters, stacks, recorder: Recorder):
    assert audit(aws, own, "migrate").findings.counts == {"stale": 1, "same": 1}
    assert audit(aws, own, "index").findings.counts == {"missing": 1}
    assert audit(aws, own, "ingest").findings.counts == {"missing": 1}
    assert audit(aws, own, "backup").is_clean
    there = [deployed(aws, own, name) for name in PIPELINES]
    found = stuck.stuck(aws, *there)
    assert list(found["reason"]) == ["not an event"]
    stuck.queues(aws, there, found=found)
    for dead in (dead for name in PIPELINES for dead in pipelines(own)[name].dead_letters):
        with letters.taken(Waiting.of(aws, dead.queue), most=1) as hand:  # also of those that no function has
            assert len(hand.letters) == (dead.queue.name == there[0].dead_letters[0].queue.name)
    operation.queues(aws, there)
    copy = FunctionName(stacks[REST].scope.name("copy"), ELSEWHERE)  # that has a log group
    since = pd.Timestamp.now("UTC") - pd.Timedelta("1h")
    activity.read(aws, [dataclasses.replace(there[0], functions=(copy,))], since=since)
    assert set(recorder.writes) <= LOOKS


def test_what_is_found_is_told_the_topic_of_alerts(aws: Target, own: Parameters, stacks, recorder: Recorder):
    """By who has the second part of the policy, too."""
    deployer = Stack(connect(own), own, "observe")
    alerts_topic(deployer, own.observe.region)
    deployer.apply()
    before = len(recorder.writes)
    try:
        assert Alerts.of(aws, own).tell("audit", ["something"])
        assert count_audit(aws, own, [audit(aws, own, "backup")], left_out=())
    finally:
        remove(deployer)
    assert {*recorder.writes[before:]} - LOOKS == {"Publish", "TagResource", "PutMetricData"}


def test_output_and_history_without_a_ledger_of_ones_own(aws, own, stacks, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    ledger = known_ledger(aws, own)
    assert "migrate" in ledger.outputs()
    assert ledger.runs()
    looked = look(Lock(aws, own).records)  # `runbook verify`
    assert looked.account
    assert (looked.findings, looked.left_out) == ([], {})


def test_what_a_reader_may_not_do_is_said_in_one_line(aws, own, stacks, monkeypatch):
    monkeypatch.setattr(targets, "_local", lambda parameters: aws)
    refused = runbook("destroy", "--yes", "--set", "env=reading")
    assert refused.exit_code == 1
    (line,) = refused.stderr.splitlines()
    assert "s3:PutObject" in line
    assert "lib/policies/reader-policy.json" in line


@pytest.mark.parametrize(
    "act",
    [
        lambda aws, stack: aws.client("s3", "us-east-1").put_object(Bucket=stack, Key="x", Body=b""),
        lambda aws, stack: aws.client("sqs", "us-east-1").send_message(
            QueueUrl=f"{aws.endpoint_url}/000000000000/runbook-reading-migrate-uploads", MessageBody="x"
        ),
        lambda aws, stack: aws.client("lambda", "us-east-1").invoke(
            FunctionName="runbook-reading-index-index"
        ),
        lambda aws, stack: aws.client("dynamodb", "us-east-1").delete_table(
            TableName="runbook-reading-index-objects"
        ),
    ],
)
def test_a_reader_writes_nothing(aws, own, stacks, act):
    bucket = pipelines(own)["migrate"].destination.name
    with pytest.raises(ClientError, match="AccessDenied|AuthorizationError|not authorized"):
        act(aws, bucket)
