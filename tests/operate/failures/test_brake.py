"""The brake as the operator sees it, with the Lambda *delete* really deployed."""

import json
from dataclasses import replace
from urllib.parse import quote_plus

import pytest
from support.calls import Killed, watched
from support.cleanup import remove
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from lib.base.errors import ParameterError
from lib.engine.stack import Stack
from lib.operate.failures.brake import brake_of
from lib.resources import dynamodb, iam, lambda_, logs, s3, sqs
from lib.resources.bundle import bundle
from lib.resources.policies import from_template

LIMIT = 2
KEYS = ["a b+ü/1.csv", "a b+ü/2.csv", "a b+ü/3.csv", "a b+ü/4.csv", "a b+ü/5.csv"]
HERE = "us-east-1"


class Backup:
    """A DR bucket with objects that the primary does not have, the brake, and the function."""

    def __init__(self, stack: Stack):
        self.stack = stack
        add = stack.add
        self.primary, self.dr = add(s3.Bucket("primary", HERE)), add(s3.Bucket("dr", "us-east-2"))
        self.table = add(dynamodb.Table("brake", HERE, partition_key="id", time_to_live="expires"))
        self.queue = add(sqs.Queue("held", HERE, retention_s=14 * sqs.DAY_S))
        log_group = add(logs.LogGroup("delete", HERE, retention_days=7))
        policy = from_template(
            "handlers/delete/policy.json",
            source_bucket_arn=self.primary.arn,
            target_bucket_arn=self.dr.arn,
            erasable_objects_arn="",
            brake_table_arn=self.table.arn,
            holding_queue_arn=self.queue.arn,
            failures_queue_arn="",
            replicate_function_arn="",
            log_group_arn=log_group.arn,
        )
        role = add(iam.Role("delete", HERE, trusts="lambda.amazonaws.com", policy=policy))
        environment = {
            "TARGET_BUCKET": self.dr.name,
            "TARGET_REGION": self.dr.region,
            "REPLICATE_FUNCTION": "none",
            "BRAKE_TABLE": self.table.name,
            "BRAKE_DELETES": str(LIMIT),
            "BRAKE_MINUTES": "10",
            "HOLDING_QUEUE": self.queue.name,
        }
        self.function = add(
            lambda_.Function("delete", HERE, role=role, code=bundle("delete"), environment=environment)
        )
        stack.apply()
        self.brake = brake_of(stack.target, self.queue)

    def delete(self, *keys: str) -> None:
        """Put objects into the DR bucket and have them deleted, one after the other."""
        for key in keys:
            self.stack.client(self.dr).put_object(Bucket=self.dr.name, Key=key, Body=b"x")
        for key in keys:
            answer = self.stack.client(self.function).invoke(
                FunctionName=self.function.name, Payload=json.dumps({"Records": [self.record(key)]})
            )
            assert "FunctionError" not in answer, answer["Payload"].read()

    def record(self, key: str) -> dict:
        return {
            "eventSource": "aws:s3",
            "awsRegion": HERE,
            "eventName": "ObjectRemoved:Delete",
            "eventTime": "2026-01-01T00:00:00.000Z",
            "s3": {"bucket": {"name": self.primary.name}, "object": {"key": quote_plus(key, safe="/")}},
        }

    def left(self) -> list[str]:
        """The keys in the DR bucket."""
        found = self.stack.client(self.dr).list_objects_v2(Bucket=self.dr.name)
        return [each["Key"] for each in found.get("Contents", [])]

    @retry(retry=retry_if_result(bool), stop=stop_after_delay(600), wait=wait_fixed(0.2))
    def settle(self) -> list[str]:
        """Wait until nothing is left in the DR bucket."""
        return self.left()

    def state(self) -> tuple:
        """Whether it is pulled, the deletes counted, the events held."""
        (row,) = self.brake.state().to_dict("records")
        return row["pulled"], row["deletes"], row["held"]

    def items(self) -> list[dict]:
        return self.stack.client(self.table).scan(TableName=self.table.name)["Items"]

    def clear(self) -> None:
        self.brake.discard("the next test")
        for item in self.items():
            self.stack.client(self.table).delete_item(TableName=self.table.name, Key={"id": item["id"]})
        for key in self.left():
            self.stack.client(self.dr).delete_object(Bucket=self.dr.name, Key=key)


@pytest.fixture(scope="module")
def deployed(target, parameters):
    stack = Stack(target, parameters, "brake")
    yield Backup(stack)
    remove(stack)


@pytest.fixture
def backup(deployed, monkeypatch):
    monkeypatch.setattr("lib.operate.failures.brake.WAIT_S", 0)  # the local AWS has one server only
    yield deployed
    deployed.clear()


def test_the_state_before_and_after(backup: Backup):
    assert backup.state() == ("no", 0, 0)
    backup.delete(*KEYS[:LIMIT])
    assert backup.state() == ("no", LIMIT, 0)
    assert backup.brake.state()["since"].item() == ""
    backup.delete(*KEYS[LIMIT:])
    assert backup.state() == ("yes", LIMIT + 1, len(KEYS) - LIMIT)
    assert backup.brake.state()["since"].item().endswith("+00:00")
    assert backup.left() == KEYS[LIMIT:]


def test_what_is_released_is_deleted_and_counting_begins_anew(backup: Backup):
    backup.delete(*KEYS)
    released = backup.brake.release()
    assert sorted(released["key"]) == KEYS[LIMIT:]
    assert set(released["done"]) == {"released"}
    backup.settle()
    assert backup.state() == ("no", 0, 0)
    backup.delete(*KEYS[:LIMIT])
    assert backup.left() == []


def test_what_is_discarded_stays_in_dr(backup: Backup):
    backup.delete(*KEYS)
    discarded = backup.brake.discard("a script ran wild")
    assert sorted(discarded["key"]) == KEYS[LIMIT:]
    assert backup.state() == ("no", 0, 0)
    assert backup.left() == KEYS[LIMIT:]
    (kept,) = backup.items()
    assert kept["reason"] == {"S": "a script ran wild"}
    assert kept["by"] == {"S": backup.stack.target.caller}


def test_what_a_release_still_has_in_hand_keeps_the_brake_pulled(backup: Backup, capsys):
    backup.delete(*KEYS)
    client = backup.stack.client(backup.queue)
    url = backup.queue.output(client)
    (message,) = client.receive_message(QueueUrl=url, VisibilityTimeout=60)["Messages"]
    assert len(backup.brake.discard("too early", timeout_s=0)) == len(KEYS) - LIMIT - 1
    assert backup.state() == ("yes", LIMIT + 1, 1)
    assert "Still held: 1," in capsys.readouterr().out
    client.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
    )
    assert len(backup.brake.discard("all of them")) == 1
    assert backup.state() == ("no", 0, 0)


@pytest.mark.parametrize("decide", [lambda brake: brake.release(), lambda brake: brake.discard("again")])
def test_nothing_held_is_an_empty_table(backup: Backup, decide):
    for _ in range(2):
        done = decide(backup.brake)
        assert done.empty
        assert list(done) == ["key", "done"]
    assert backup.state() == ("no", 0, 0)


@pytest.mark.parametrize("reason", ["", " "])
def test_a_discard_needs_a_reason(backup: Backup, reason: str):
    backup.delete(*KEYS)
    with pytest.raises(ParameterError, match="reason"):
        backup.brake.discard(reason)
    assert backup.state() == ("yes", LIMIT + 1, len(KEYS) - LIMIT)


def test_a_limit_leaves_the_rest(backup: Backup):
    backup.delete(*KEYS)
    assert len(backup.brake.discard("one by one", limit=1)) == 1
    assert backup.state() == ("yes", LIMIT + 1, len(KEYS) - LIMIT - 1)
    assert len(backup.brake.release(limit=1)) == 1
    assert backup.state() == ("no", 0, len(KEYS) - LIMIT - 2)


def test_a_release_stops_when_the_brake_is_pulled_again(backup: Backup):
    backup.delete(*KEYS)

    def pull(model, **_):
        if model.name == "GetQueueAttributes":
            item = {"id": {"S": "brake"}, "stopped_at": {"S": "now"}}
            backup.stack.client(backup.table).put_item(TableName=backup.table.name, Item=item)

    again = replace(backup.brake, target=watched(backup.stack.target, "before-call", pull))
    assert again.release().empty
    assert backup.state()[::2] == ("yes", len(KEYS) - LIMIT)


@pytest.mark.parametrize("operation", ["Invoke", "DeleteMessage"])
def test_a_release_that_is_cut_off_loses_nothing(backup: Backup, operation: str, monkeypatch):
    monkeypatch.setattr("lib.operate.failures.brake.HIDDEN_S", 0)
    backup.delete(*KEYS)

    def kill(model, **_):
        if model.name == operation:
            raise Killed(operation)

    cut_off = replace(backup.brake, target=watched(backup.stack.target, "before-call", kill))
    with pytest.raises(Killed):
        cut_off.release()
    assert backup.state() == ("no", 0, len(KEYS) - LIMIT)
    assert sorted(set(backup.brake.release()["key"])) == KEYS[LIMIT:]
    backup.settle()
    assert backup.state() == ("no", 0, 0)


ODD = ["no JSON", "{}", '{"Records": [{}]}', '{"Records": 7}', "[" * 10_000]


def hold(backup: Backup, *bodies: str) -> None:
    client = backup.stack.client(backup.queue)
    for body in bodies:
        client.send_message(QueueUrl=backup.queue.output(client), MessageBody=body)


def test_what_is_no_event_holds_up_no_release(backup: Backup, monkeypatch, capsys):
    monkeypatch.setattr("lib.operate.failures.brake.HIDDEN_S", 0)  # what is left comes again and again
    backup.delete(*KEYS)
    hold(backup, *ODD)
    released = backup.brake.release()
    done = released[released["done"] == "released"]
    assert sorted(done["key"]) == KEYS[LIMIT:]
    left = released[released["done"] != "released"]
    assert set(left["done"]) == {"left: it is no event of S3, so that nobody can do it"}
    assert capsys.readouterr().out.count("left in the queue: message ") == len(ODD)
    backup.settle()
    assert backup.left() == []


def test_what_is_no_event_holds_up_no_discard(backup: Backup):
    backup.delete(*KEYS)
    hold(backup, *ODD)
    discarded = backup.brake.discard("a script ran wild")
    assert sorted(discarded["key"]) == [""] * len(ODD) + KEYS[LIMIT:]
    assert backup.state() == ("no", 0, 0)
