"""What cron calls: `audit`, `redrive` and `history` of a pipeline, which write nothing and take no lock."""

import json
from collections.abc import Iterator

import pytest
from support.audited import make
from support.cleanup import remove
from support.command_line import runbook
from support.mailbox import Mailbox
from support.the_five import pipelines

from lib.base import told
from lib.base.run_data import file_of
from lib.engine.alerting import alerts_topic
from lib.engine.lock import Lock, locked
from lib.engine.stack import Stack
from lib.operate.audits import acknowledged
from lib.operate.observe.alerts import AUDITS, DIMENSION, NAMESPACE
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.target import Target, connect

ENV = ["--set", "env=looking", "--set", "audit.grace_s=0"]


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "looking"})


@pytest.fixture(scope="module")
def target(own: Parameters) -> Target:
    return connect(own)


@pytest.fixture(scope="module")
def migrate(target: Target, own: Parameters) -> Iterator[Pipeline]:
    stack = make(target, own, "migrate")
    with locked(target, own):  # as a run does, which leaves its ledger there
        stack.record_outputs(source_bucket=pipelines(own)["migrate"].source)
    yield pipelines(own)["migrate"]
    remove(stack)


def put(target: Target, bucket, key: str) -> None:
    target.client("s3", bucket.region).put_object(Bucket=bucket.name, Key=key, Body=b"1")


def test_audit_tells_by_its_code_whether_all_is_where_it_should_be(target, migrate, somebody):
    for bucket in (migrate.source, migrate.destination):
        put(target, bucket, "there")
    clean = runbook("audit", "migrate", "--json", *ENV)
    assert (clean.exit_code, json.loads(clean.stdout)["clean"]) == (0, True), clean.output
    put(target, migrate.source, "lost")
    found = runbook("audit", "--json", *ENV)
    answered = json.loads(found.stdout)
    assert (found.exit_code, answered["exit_code"]) == (3, 3)
    (audited,) = answered["audits"]
    assert [one["key"] for one in audited["differences"]] == ["lost"]
    assert audited["counts"] == {"same": 1, "missing": 1}
    human = runbook("audit", *ENV)
    assert ("lost" in human.stdout, "Next" in human.stderr) == (True, True)
    assert human.stdout.startswith("migrate: 1 same, 1 missing; NOT clean")
    assert runbook("audit", "backup", *ENV).exit_code == 1, "it is not deployed"


def test_what_is_acknowledged_is_shown_ever_after_until_it_is_another_object(target, migrate):
    put(target, migrate.source, "poison")
    why = runbook("acknowledge", "migrate", "poison", *ENV)
    assert (why.exit_code, "say why" in why.stderr) == (2, True)
    for key in ("poison", "lost"):
        said = runbook("acknowledge", "migrate", key, "--reason", "the sender is gone", *ENV)
        assert (said.exit_code, "the sender is gone" in said.stdout) == (0, True)
    found = runbook("audit", "migrate", "--json", *ENV)
    (audited,) = json.loads(found.stdout)["audits"]
    assert (found.exit_code, audited["clean"], audited["to_do"], audited["acknowledged"]) == (0, True, 0, 2)
    assert all("acknowledged 2" in one["detail"] for one in audited["differences"])
    client = target.client("s3", migrate.source.region)
    client.put_object(Bucket=migrate.source.name, Key="poison", Body=b"other")
    assert runbook("audit", "migrate", *ENV).exit_code == 3, "it is another object by now"
    client.delete_object(Bucket=migrate.source.name, Key="poison")
    assert runbook("audit", "migrate", *ENV).exit_code == 0
    assert runbook("acknowledge", "migrate", "lost", "--withdraw", *ENV).exit_code == 0
    assert runbook("audit", "migrate", *ENV).exit_code == 3
    assert runbook("acknowledge", "migrate", "lost", "--withdraw", *ENV).exit_code == 2


def test_what_could_not_be_written_is_in_no_record(target, own, migrate, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError

    acknowledged.acknowledge(target, own, "migrate", "known", "so it is")
    monkeypatch.setattr(Lock, "keep", fail)
    told.take_facts()
    with pytest.raises(OSError):
        acknowledged.acknowledge(target, own, "migrate", "other", "so it is")
    with pytest.raises(OSError):
        acknowledged.withdraw(target, own, "migrate", "known")
    assert not [fact for fact in told.take_facts() if fact["kind"] in ("acknowledged", "withdrawn")]
    monkeypatch.undo()
    acknowledged.withdraw(target, own, "migrate", "known")


def test_redrive_tells_by_its_code_whether_anything_is_stuck(target, migrate):
    nothing = runbook("redrive", "--json", *ENV)
    assert (nothing.exit_code, json.loads(nothing.stdout)["messages"]) == (0, 0), nothing.output
    queue = migrate.dead_letters[0].queue
    client = target.client("sqs", queue.region)
    client.send_message(QueueUrl=queue.output(client), MessageBody="no event")
    found = runbook("redrive", "migrate", "--json", *ENV)
    answered = json.loads(found.stdout)
    assert (found.exit_code, answered["messages"]) == (3, 1)
    assert answered["reasons"][0]["reason"] == "not an event"
    assert answered["queues"][0]["oldest"]
    assert "1 messages are stuck" in runbook("redrive", *ENV).stdout
    hint = "run redrive --set env=looking --set audit.grace_s=0{} --set redrive.action=redrive"
    assert hint.format("") in runbook("redrive", *ENV).stderr
    named = hint.format(" --set redrive.pipeline=migrate")
    assert named in runbook("redrive", "migrate", *ENV).stderr, "of what was asked for alone"
    assert (
        client.get_queue_attributes(QueueUrl=queue.output(client), AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessages"
        ]
        == "1"
    ), "it stays where it was"


def test_they_work_while_somebody_else_holds_the_lock(target, own, migrate, monkeypatch):
    monkeypatch.delenv("RUNBOOK_RUN", raising=False)
    with locked(target, own):
        assert runbook("audit", "migrate", *ENV).exit_code == 3
        assert runbook("history", *ENV).exit_code == 0
    assert Lock(target, own).holder() is None


def test_a_fresh_checkout_knows_outputs_and_runs(target, own, migrate):
    """Of which the parameters are all there is: as every runner of CI is."""
    before = runbook("history", "--json", *ENV)
    path = file_of(own.account_id, own.prefix, own.env)
    content = path.read_text("utf-8")
    path.unlink()
    try:
        assert runbook("output", "migrate.source_bucket", *ENV).stdout == f"{migrate.source.name}\n"
        path.unlink()
        assert json.loads(runbook("history", "--json", *ENV).stdout) == json.loads(before.stdout)
    finally:
        path.write_text(content, "utf-8")


@pytest.fixture(scope="module")
def mailbox(target, own, somebody) -> Iterator[Mailbox]:
    """Of somebody who is told of alerts."""
    stack = Stack(target, own, "observe")
    topic = alerts_topic(stack, own.observe.region)
    stack.apply()
    yield Mailbox(somebody, topic.arn)
    remove(stack)


def test_an_alert_where_there_is_no_topic_is_a_failure_before_any_work(target, migrate):
    for command in ("audit", "redrive", "plan"):
        failed = runbook(command, "--alert", *ENV)
        assert (failed.exit_code, failed.stdout) == (1, "")
        assert "observe.watch=true" in failed.stderr


def test_what_cron_finds_is_told_once_and_that_it_is_gone(target, migrate, mailbox, somebody):
    for each in ("lost", "poison"):
        target.client("s3", migrate.source.region).delete_object(Bucket=migrate.source.name, Key=each)
    put(target, migrate.source, "lost again")
    first = runbook("audit", "--alert", *ENV)
    assert (first.exit_code, "alerts: told" in first.stderr) == (3, True), first.output
    again = runbook("audit", "--alert", "--quiet", "--json", *ENV)
    assert (again.exit_code, again.stderr, json.loads(again.stdout)["clean"]) == (3, "", False)
    assert mailbox.read() == [("runbook-looking: audit finds 1", "migrate: missing: lost again")]
    put(target, migrate.destination, "lost again")
    assert runbook("audit", "--alert", *ENV).exit_code == 0
    assert [subject for subject, _ in mailbox.read()] == ["runbook-looking: audit finds nothing any more"]
    of_ours = [{"Name": DIMENSION, "Value": "runbook-looking"}]
    asked = {"Namespace": NAMESPACE, "Dimensions": of_ours}
    counted = somebody("cloudwatch", "us-east-1").list_metrics(**asked)["Metrics"]
    assert {metric["MetricName"] for metric in counted} == {AUDITS}, "no alarm tells it a second time"
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    secret = {"Bucket": migrate.source.name, "Key": "secret"}
    target.client("s3", migrate.source.region).put_object(**secret, Body=b"1", **key)
    assert "not counted as an audit of all" in runbook("audit", "--alert", *ENV).stderr
    ((_, text),) = mailbox.read()
    assert "secret" in text
    target.client("s3", migrate.source.region).delete_object(**secret)


def test_what_is_stuck_or_differs_is_told_too(target, migrate, mailbox):
    stuck = [runbook("redrive", "migrate", "--alert", *ENV).exit_code for _ in range(2)]
    ((subject, text),) = mailbox.read()
    assert (stuck, subject) == ([3, 3], "runbook-looking: redrive migrate finds 2")
    assert "migrate: dead-letters: 1 dead letters" in text.splitlines()
    differs = [runbook("plan", "30_index", "--alert", *ENV).exit_code for _ in range(2)]
    ((subject, text),) = mailbox.read()
    assert (differs, subject) == ([3, 3], f"runbook-looking: plan 30_index finds {len(text.splitlines())}")
    assert all(line.startswith("30_index: create ") for line in text.splitlines())
