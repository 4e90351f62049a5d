"""What cron calls: `audit`, `redrive` and `history` of a pipeline, which write nothing and take no lock."""

import json
from collections.abc import Iterator

import pytest
from support.audited import make
from support.cleanup import remove
from support.command_line import runbook
from support.mailbox import Mailbox
from support.s3_messages import event_of
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


def test_a_name_of_no_pipeline_is_a_wrong_argument_wherever_one_looks(migrate):
    for env in (ENV, ["--set", "env=nothingthere"]):
        for command in (["audit"], ["acknowledge"]):
            more = ["key", "--reason", "x"] if command == ["acknowledge"] else []
            wrong = runbook(*command, "nosuch", *more, *env)
            assert (wrong.exit_code, wrong.stdout) == (2, ""), wrong.output
            assert "there is no pipeline 'nosuch'" in wrong.stderr
        assert "did you mean migrate?" in runbook("audit", "migrat", *env).stderr
        assert runbook("audit", "index", *env).exit_code == 1, "one that is not deployed"


def test_what_is_on_its_way_is_named_and_counted_and_no_fault(target, migrate):
    for key in ("on its way", "too"):
        put(target, migrate.source, key)
    young = [*ENV, "--set", "audit.grace_s=600"]
    found = runbook("audit", "migrate", "--json", *young)
    answered = json.loads(found.stdout)
    (audited,) = answered["audits"]
    assert (found.exit_code, answered["clean"], answered["left_out"]) == (0, True, [])
    (told,) = audited["not_due"]
    assert (told["count"], audited["counts"]["not judged"]) == (3, 3), "the one that is lost as well"
    assert told["example"] in ("lost", "on its way", "too")
    assert told["reason"] == "changed less than 600 s ago, and may still be on its way"
    text = runbook("audit", "migrate", *young).stdout
    assert text.startswith("migrate: 1 same, 3 not judged; clean; not judged: 3 objects, such as ")
    assert told["reason"] in text
    for key in ("on its way", "too"):
        target.client("s3", migrate.source.region).delete_object(Bucket=migrate.source.name, Key=key)


def test_data_that_a_destruction_has_kept_is_left_out_and_not_counted(target, own, migrate):
    """Such as of *backup*, of which nothing but the buckets is left."""
    kept, stack = pipelines(own)["backup"], Stack(target, own, "backup")
    for bucket in (kept.source, kept.destination):
        stack.add(bucket)
    stack.apply()
    try:
        put(target, kept.destination, "there")
        found = runbook("audit", "backup", "--json", *ENV)
        answered = json.loads(found.stdout)
        assert (found.exit_code, answered["audits"]) == (5, [])
        (left_out,) = answered["left_out"]
        assert left_out["what"] == "backup"
        assert left_out["reason"].startswith(
            "its functions are gone and its data is kept, in S3 bucket runbook-"
        )
        assert [one["pipeline"] for one in json.loads(runbook("audit", "--json", *ENV).stdout)["audits"]] == [
            "migrate"
        ]
        why = runbook("acknowledge", "backup", "there", "--reason", "x", *ENV)
        assert (why.exit_code, "no audit judges it: its functions are gone" in why.stderr) == (2, True)
    finally:
        remove(stack)


def test_what_is_acknowledged_is_shown_ever_after_until_it_is_another_difference(target, migrate):
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
    put(target, migrate.destination, "lost")
    there = runbook("audit", "migrate", "--json", *ENV)
    (audited,) = json.loads(there.stdout)["audits"]
    assert (there.exit_code, audited["acknowledged"], audited["settled"]) == (0, 0, ["lost"])
    told = "lost was acknowledged, and does not differ any more: runbook acknowledge --withdraw --set "
    assert told in there.stderr.replace(".venv/bin/", "")
    target.client("s3", migrate.destination.region).delete_object(Bucket=migrate.destination.name, Key="lost")
    anew = runbook("audit", "migrate", *ENV)
    assert (anew.exit_code, "judged anew" in anew.stdout) == (3, True), "it is lost once more"
    assert runbook("acknowledge", "migrate", "lost", "--reason", "so it is", *ENV).exit_code == 0
    for key, why in {"there": "is as it should be", "nowhere": "no such object", "": "it is empty"}.items():
        refused = runbook("acknowledge", "migrate", key, "--reason", "x", *ENV)
        assert (refused.exit_code, why in refused.stderr) == (2, True), refused.output
    assert runbook("acknowledge", "migrate", "lost", "--withdraw", *ENV).exit_code == 0
    assert runbook("audit", "migrate", *ENV).exit_code == 3
    assert runbook("acknowledge", "migrate", "lost", "--withdraw", *ENV).exit_code == 2


def test_what_could_not_be_written_is_in_no_record(target, own, migrate, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError

    own = own.model_copy(update={"audit": own.audit.model_copy(update={"grace_s": 0})})
    for key in ("known", "other"):
        put(target, migrate.source, key)
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
    for key in ("known", "other"):
        target.client("s3", migrate.source.region).delete_object(Bucket=migrate.source.name, Key=key)


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
    assert "1 message is stuck" in runbook("redrive", *ENV).stdout
    hint = (
        "run redrive --set env=looking --set audit.grace_s=0{} --set redrive.action=quarantine "
        "--set redrive.reason='not an event'"
    )
    said = runbook("redrive", *ENV).stderr
    assert hint.format("") in said and "redrive.action=redrive" not in said, "it never can be done"
    named = hint.format(" --set redrive.pipeline=migrate")
    assert named in runbook("redrive", "migrate", *ENV).stderr, "of what was asked for alone"
    assert (
        client.get_queue_attributes(QueueUrl=queue.output(client), AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessages"
        ]
        == "1"
    ), "it stays where it was"


def test_redrive_proposes_what_can_be_done_and_tells_what_is_hidden(target, migrate, somebody):
    queue = migrate.dead_letters[0].queue
    client = somebody("sqs", queue.region)
    url = queue.output(client)
    client.purge_queue(QueueUrl=url)
    client.send_message(QueueUrl=url, MessageBody=json.dumps(event_of("a")))
    client.send_message(QueueUrl=url, MessageBody="no event")
    both = runbook("redrive", *ENV)
    assert "2 messages are stuck" in both.stdout
    assert "--set redrive.action=redrive " in both.stderr and "redrive.reason='not an event'" in both.stderr
    client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600)
    hidden = runbook("redrive", *ENV)
    assert hidden.exit_code == 3
    assert "NaT" not in hidden.stdout
    said = " ".join(hidden.stdout.split())
    assert "nothing is stuck that can be seen; 2 messages are hidden right now: " in said
    assert "redrive.action" not in hidden.stderr and "look again" in hidden.stderr
    client.purge_queue(QueueUrl=url)
    client.send_message(QueueUrl=url, MessageBody="no event")  # as it was before


def test_a_pipeline_that_nobody_knows_is_another_mistake_than_one_that_is_not_there(target, migrate):
    unknown = runbook("redrive", "migrat", *ENV)
    assert unknown.exit_code == 2 and "did you mean migrate?" in unknown.stderr
    absent = runbook("redrive", "backup", *ENV)
    assert absent.exit_code == 1 and "backup is not deployed" in absent.stderr


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
    assert "migrate: dead-letters: 1 message (dead letters)" in text.splitlines()
    differs = [runbook("plan", "30_index", "--alert", *ENV).exit_code for _ in range(2)]
    ((subject, text),) = mailbox.read()
    assert (differs, subject) == ([3, 3], f"runbook-looking: plan 30_index finds {len(text.splitlines())}")
    assert all(line.startswith("30_index: create ") for line in text.splitlines())
