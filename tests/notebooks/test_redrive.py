"""What is stuck in real pipelines: looked at, redriven, quarantined, and nothing lost in between."""

import json
from functools import partial

import pytest
from papermill import PapermillExecutionError
from support.calls import Killed, watched
from support.headless import Deployed, eventually, execute
from support.the_five import pipelines

from lib.base import reasons
from lib.base.errors import ParameterError, RunbookError
from lib.engine.lock import locked
from lib.engine.stack import Stack
from lib.engine.waiting import Waiting
from lib.operate.failures import letters
from lib.operate.failures.quarantine import quarantine, unquarantine
from lib.operate.failures.redrive import Choice, redrive
from lib.operate.failures.stuck import by_reason, chosen, queues, stuck
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.s3.objects import Place
from lib.target import connect

pytestmark = pytest.mark.long

FORBIDDEN = "folder/Forbidden ü+100%.csv"


class Operated:
    """A deployed pipeline, and what an operator and somebody with all rights do to it."""

    def __init__(self, deployed: Deployed, name: str, somebody):
        self.deployed, self.aws, self.somebody = deployed, deployed.aws, somebody
        self.pipeline: Pipeline = pipelines(deployed.parameters)[name]
        source, destination = self.pipeline.source, self.pipeline.destination
        self.source = Place(self.aws.client("s3", source.region), source.name)
        self.target = Place(self.aws.client("s3", destination.region), destination.name)

    def waiting(self, number: int = 0) -> Waiting:
        return Waiting.of(self.aws, self.pipeline.dead_letters[number].queue)

    def put(self, *keys: str) -> None:
        for key in keys:
            self.source.client.put_object(Bucket=self.source.bucket, Key=key, Body=b"a,b\n1,2\n")

    def arrives(self, key: str) -> bool:
        return eventually(lambda: self.target.head(key) is not None)

    def forbid(self, key: str) -> str:
        """Forbid the function to read an object, and return the bucket's policy as it was."""
        client = self.source.client
        policy = client.get_bucket_policy(Bucket=self.source.bucket)["Policy"]
        function = self.pipeline.functions[0]
        found = self.somebody("lambda", function.region).get_function_configuration(
            FunctionName=function.name
        )
        deny = {
            "Effect": "Deny",
            "Principal": {"AWS": found["Role"]},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"arn:aws:s3:::{self.source.bucket}/{key}",
        }
        forbidding = json.loads(policy)
        forbidding["Statement"].append(deny)
        client.put_bucket_policy(Bucket=self.source.bucket, Policy=json.dumps(forbidding))
        return policy

    def allow(self, policy: str) -> None:
        self.source.client.put_bucket_policy(Bucket=self.source.bucket, Policy=policy)

    def stuck(self):
        return stuck(self.aws, self.pipeline).set_index("key")

    def redrive(self, *choice: str, aws=None, **how):
        return redrive(aws or self.aws, [self.pipeline], Choice(*choice), **how)

    def empty(self) -> None:
        for number in range(len(self.pipeline.dead_letters)):
            url = self.waiting(number).url
            self.somebody("sqs").purge_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def migrate(deploy, somebody) -> Operated:
    operated = Operated(deploy("10_migrate", migrate={"function_timeout_s": 10}), "migrate", somebody)
    # Five attempts a minute apart are too slow for a test.
    dead = operated.pipeline.dead_letters[0].queue.arn
    redrive_policy = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 1})
    queue = Waiting.of(operated.aws, operated.pipeline.created)
    attributes = {"VisibilityTimeout": "4", "RedrivePolicy": redrive_policy}
    queue.client.set_queue_attributes(QueueUrl=queue.url, Attributes=attributes)
    return operated


@pytest.fixture(scope="module")
def backup(deploy, somebody) -> Operated:
    return Operated(deploy("20_backup", backup={"retries": 0, "brake_deletes": 1}), "backup", somebody)


@pytest.fixture
def two_dead_letters(migrate, somebody):
    """One that can be repaired and one that cannot; yields the bucket's policy of before."""
    policy = migrate.forbid(FORBIDDEN)
    queue = Waiting.of(migrate.aws, migrate.pipeline.created)
    attributes = {"origin": {"DataType": "String", "StringValue": "test"}}
    send = partial(somebody("sqs").send_message, QueueUrl=queue.url)
    send(MessageBody="this is no event", MessageAttributes=attributes)
    migrate.put(FORBIDDEN)
    assert eventually(lambda: migrate.waiting().depth() == 2)
    # On a busy machine the queue gives a message up while the function still works on it, and logs later.
    assert eventually(lambda: "no trace" not in set(migrate.stuck()["reason"]))
    yield policy
    migrate.allow(policy)
    migrate.empty()


def test_looking_tells_why_and_changes_nothing(migrate, two_dead_letters, tmp_path):
    first, second = migrate.stuck(), migrate.stuck()
    assert first["reason"].to_dict() == {FORBIDDEN: "access denied", "": "not an event"}
    assert "(403) when calling the HeadObject operation" in first.loc[FORBIDDEN, "error"]
    assert first["event"].to_dict() == {FORBIDDEN: "ObjectCreated:Put", "": ""}
    assert sorted(first["id"]) == sorted(second["id"])
    assert (second["receives"] - first["receives"]).tolist() == [1, 1]
    table = queues(migrate.aws, [migrate.pipeline], stuck(migrate.aws, migrate.pipeline))
    assert table[["messages", "hidden"]].to_numpy().tolist() == [[2, 0]]
    grouped = by_reason(stuck(migrate.aws, migrate.pipeline)).set_index("reason")
    assert grouped["messages"].tolist() == [1, 1]
    assert "quarantine" in grouped.loc["not an event", "what to do"]
    assert "this is no event" not in grouped.to_string()
    planned = {"mode": "plan", "redrive": {"action": "redrive"}}
    for values in ({}, planned):
        executed = execute("72_redrive", tmp_path, **{**migrate.deployed.values, **values})
        assert "2 are stuck, of 0 the reason is not to be found" in str(executed.cells)
        assert "this is no event" not in str(executed.cells)
        assert migrate.waiting().depth() == 2


def test_the_repairable_arrives_and_the_hopeless_is_quarantined_and_can_come_back(
    migrate, two_dead_letters, tmp_path
):
    migrate.allow(two_dead_letters)
    sent = migrate.redrive("access denied")
    assert sent.to_numpy().tolist() == [["migrate", "dead-letters", "sent one by one", 1, 0]]
    assert migrate.arrives(FORBIDDEN)
    assert migrate.stuck()["reason"].tolist() == ["not an event"]
    settings = {"action": "quarantine", "reason": "not an event"}
    execute("72_redrive", tmp_path, **migrate.deployed.values, redrive=settings)
    assert migrate.waiting().depth() == 0
    bucket = Stack(migrate.aws, migrate.deployed.parameters, "redrive").add(Bucket("set-aside", "us-east-1"))
    s3 = migrate.aws.client("s3", "us-east-1")
    (kept,) = s3.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert kept["Key"].startswith("migrate/dead-letters/20")
    line = json.load(s3.get_object(Bucket=bucket.name, Key=kept["Key"])["Body"])
    assert (line["reason"], line["body"]) == ("not an event", "this is no event")
    assert line["attributes"] == {"origin": {"DataType": "String", "StringValue": "test"}}
    assert unquarantine(migrate.aws, [migrate.pipeline], bucket) == 1
    assert s3.list_objects_v2(Bucket=bucket.name)["KeyCount"] == 0
    assert eventually(lambda: migrate.waiting().depth() == 1)
    with letters.taken(migrate.waiting(), most=10) as hand:
        assert hand.letters[0].attributes == line["attributes"]


def test_the_notebook_has_sqs_move_everything_and_says_if_there_is_nothing(
    migrate, two_dead_letters, tmp_path
):
    migrate.allow(two_dead_letters)
    values = {**migrate.deployed.values, "redrive": {"pipeline": "migrate", "action": "redrive"}}
    assert "moved by SQS" in str(execute("72_redrive", tmp_path, **values).cells)
    assert migrate.arrives(FORBIDDEN)
    assert eventually(lambda: "not an event" in set(migrate.stuck()["reason"]))
    migrate.empty()
    with pytest.raises(PapermillExecutionError, match="nothing to redrive"):
        execute("72_redrive", tmp_path, **values)


def dead_letter(migrate: Operated, somebody, key: str) -> None:
    """Have the event of an object among the dead letters, though no function has seen it."""
    record = {
        "awsRegion": "us-west-1",
        "eventTime": "2026-01-02T00:00:00Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": migrate.source.bucket}, "object": {"key": key}},
    }
    body = json.dumps({"Records": [record]})
    somebody("sqs").send_message(QueueUrl=migrate.waiting().url, MessageBody=body)


def test_an_object_deleted_since_is_told(migrate, somebody):
    migrate.put("gone.csv")
    assert migrate.arrives("gone.csv")
    migrate.source.client.delete_object(Bucket=migrate.source.bucket, Key="gone.csv")
    dead_letter(migrate, somebody, "gone.csv")
    assert migrate.stuck()["reason"].to_dict() == {"gone.csv": "source gone"}
    migrate.empty()


def test_what_has_no_reason_is_not_passed_over(migrate, somebody, tmp_path):
    migrate.put("there.csv")
    assert migrate.arrives("there.csv")
    dead_letter(migrate, somebody, "there.csv")
    with pytest.raises(PapermillExecutionError, match="what is stuck has a reason"):
        execute("72_redrive", tmp_path, **migrate.deployed.values)
    migrate.empty()


def test_while_another_operator_works_nothing_is_redriven(migrate, two_dead_letters, tmp_path):
    values = {**migrate.deployed.values, "redrive": {"action": "redrive"}}
    with (
        locked(migrate.aws, migrate.deployed.parameters),
        pytest.raises(PapermillExecutionError, match="is locked by"),
    ):
        execute("72_redrive", tmp_path, **values)
    assert migrate.waiting().depth() == 2


@pytest.mark.parametrize("choice", [(), ("access denied",), ("", "no/such/key")])
def test_nothing_to_redrive_is_an_error(migrate, choice):
    with pytest.raises(RunbookError, match="nothing to redrive"):
        migrate.redrive(*choice)


def test_bad_choices_are_refused_before_anything_is_written(migrate):
    bucket = Stack(migrate.aws, migrate.deployed.parameters, "redrive").add(Bucket("set-aside", "us-east-1"))
    with pytest.raises(ParameterError, match="there is no 'bad luck'; there are: access denied"):
        Choice("bad luck")
    with pytest.raises(ParameterError, match="as a whole"):
        Choice(reasons.HELD, "a/")
    with pytest.raises(ParameterError, match="look first"):
        quarantine(migrate.aws, [migrate.pipeline], bucket, Choice())
    with pytest.raises(ParameterError, match="released"):
        quarantine(migrate.aws, [migrate.pipeline], bucket, Choice(reasons.HELD))
    with pytest.raises(RunbookError, match="backup is not deployed"):
        chosen(migrate.aws, migrate.deployed.parameters, "backup")
    nowhere = Parameters.check({"env": "nowhere"})
    with pytest.raises(RunbookError, match="no pipeline is deployed as env 'nowhere'"):
        chosen(connect(nowhere), nowhere)


@pytest.fixture
def failed(backup):
    """Two objects whose copies have failed; yields the bucket's policy of before."""
    policy = backup.forbid("forbidden/*")
    backup.put("forbidden/1.csv", "forbidden/2.csv")
    assert eventually(lambda: backup.waiting().depth() == 2)
    yield policy
    backup.allow(policy)
    backup.empty()


def test_a_failed_invocation_is_explained_and_repeated(backup, failed):
    found = backup.stuck()
    assert found["reason"].to_dict() == dict.fromkeys(["forbidden/1.csv", "forbidden/2.csv"], "access denied")
    assert found["queue"].unique().tolist() == ["replicate-failures"]
    backup.allow(failed)
    sent = backup.redrive("", "forbidden/1")
    assert sent.to_numpy().tolist() == [["backup", "replicate-failures", "sent one by one", 1, 0]]
    assert backup.arrives("forbidden/1.csv")
    assert backup.stuck().index.tolist() == ["forbidden/2.csv"]


@pytest.mark.parametrize("event", ["before-call", "after-call"])
def test_killed_between_sending_and_deleting_nothing_is_lost(backup, failed, event, monkeypatch):
    monkeypatch.setattr(letters, "HIDDEN_S", 2)  # for so long what a killed run had in hand stays hidden
    backup.allow(failed)
    killed = []

    def kill(model, **_):
        """End the run at the first deletion, and whatever it would still do."""
        if killed or model.name == "DeleteMessage":
            killed.append(model.name)
            raise Killed(model.name)

    with pytest.raises(Killed):
        backup.redrive(aws=watched(backup.aws, event, kill), most=10)
    assert "DeleteMessage" in killed
    keys = {"forbidden/1.csv", "forbidden/2.csv"}

    def done_or_still_there() -> bool:
        there = set(backup.stuck().index)
        return all(key in there or backup.target.head(key) for key in keys)

    assert eventually(done_or_still_there)
    if not backup.stuck().empty:
        backup.redrive()
    assert all(backup.arrives(key) for key in keys)
    assert eventually(lambda: backup.waiting().depth() == 0)


def test_what_lambda_could_not_send_is_left_and_said(backup, somebody):
    somebody("sqs").send_message(QueueUrl=backup.waiting().url, MessageBody="no envelope")
    sent = backup.redrive()
    assert sent[["messages", "left"]].to_numpy().tolist() == [[0, 1]]
    assert backup.stuck()["reason"].tolist() == ["not an event"]
    backup.empty()


def test_what_the_brake_holds_is_released_only_if_asked_for(backup):
    keys = ["held/1.csv", "held/2.csv", "held/3.csv"]
    backup.put(*keys)
    assert all(backup.arrives(key) for key in keys)
    for key in keys:
        backup.source.client.delete_object(Bucket=backup.source.bucket, Key=key)
    holding = backup.waiting(2)
    assert eventually(lambda: holding.depth() >= 1)
    left = sum(backup.target.head(key) is not None for key in keys)
    assert eventually(lambda: holding.depth() == left)
    assert set(backup.stuck()["reason"]) == {reasons.HELD}
    with pytest.raises(RunbookError, match="nothing to redrive"):
        backup.redrive()
    assert holding.depth() == left
    sent = backup.redrive(reasons.HELD)
    assert sent["how"].tolist() == ["released"]
    assert eventually(lambda: not any(backup.target.head(key) for key in keys))


def test_no_queue_of_dead_letters_has_dead_letters_of_its_own(migrate, backup):
    """Else looking, which receives, could move messages on."""
    for operated in (migrate, backup):
        for dead in operated.pipeline.dead_letters:
            client = operated.aws.client("sqs", dead.queue.region)
            assert "RedrivePolicy" not in (dead.queue.read(client) or {})


def test_pipelines_of_which_only_queues_are_left_are_looked_at(migrate):
    parameters = migrate.deployed.parameters
    (found,) = chosen(migrate.aws, parameters)
    assert (found.name, str(found.source)) == ("migrate", str(migrate.pipeline.source))
    assert [each.queue.arn for each in found.dead_letters] == [
        each.queue.arn for each in migrate.pipeline.dead_letters
    ]
