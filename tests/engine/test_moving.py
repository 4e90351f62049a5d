"""A parameter that would leave something behind: named in the plan, refused, and moved without a loss."""

import time
from collections.abc import Callable, Iterator

import pytest
from support import cases
from support.calls import KillAt, Killed, Recorder, watched
from support.case import HERE
from support.described import NOTEBOOKS, PIPELINES, describe

from lib.base.errors import LeftBehindError, RunbookError, UnfinishedError
from lib.engine import moving
from lib.engine.inventory import Inventory
from lib.engine.ledger import RUN_VARIABLE
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.parameters.sections import Section
from lib.resources import s3, sns, sqs
from lib.target import Target, connect

ANOTHER = "eu-west-1"
# Each region of each section. Who is mailed is no move: test_alerting.py.
QUICK = {("migrate", "source_region"), ("migrate", "target_region"), ("index", "region")}
MOVES = [
    pytest.param(section, name, ANOTHER, marks=[] if (section, name) in QUICK else pytest.mark.long)
    for section, field in Parameters.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    for name in field.annotation.model_fields
    if name.endswith("region") and section in PIPELINES
]


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "moving"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture(scope="module")
def deployed(target: Target, parameters: Parameters) -> Iterator[Callable[[str], Stack]]:
    """Deploys a pipeline as its notebook describes it, once."""
    stacks: dict[str, Stack] = {}

    def deploy(pipeline: str) -> Stack:
        if pipeline not in stacks:
            stacks[pipeline] = describe(pipeline, target, parameters)
            stacks[pipeline].apply()
        return stacks[pipeline]

    yield deploy
    Inventory(target, parameters).destroy()
    Inventory(target, parameters).prove_empty()


def test_every_region_of_every_section_that_describes_something_is_tried():
    assert {case.values[0] for case in MOVES} == set(PIPELINES)
    assert {"migrate", "backup", "index", "summarize", "ingest", "analyze", "audit"} <= set(NOTEBOOKS)


@pytest.mark.parametrize(("section", "name", "value"), MOVES)
def test_a_plan_names_what_would_be_left_and_apply_refuses_before_it_writes(
    deployed, target, parameters, section, name, value
):
    before = deployed(section)
    recorder = Recorder()
    changed = describe(section, watched(target, "before-call", recorder), parameters, **{name: value})
    left = {arn for arn in before.resources if arn not in changed.resources}
    assert left
    plan = changed.plan()
    assert len(plan.left_behind) == len(left)
    table = plan.table()
    named = set(table[table["action"] == "left behind"]["name"])
    assert {before.resources[arn].name for arn in left if before.resources[arn].noun == "S3 bucket"} <= named
    assert f"{len(plan.left_behind)} left behind" in str(plan)
    with pytest.raises(LeftBehindError) as error:
        changed.apply()
    for part in (f"{section} --mode move", "put the parameters back", "Nothing was written", *named):
        assert part in str(error.value)
    assert recorder.writes == []
    assert before.plan().left == []


@pytest.fixture
def moved(target: Target, parameters: Parameters, somebody) -> Iterator[Stack]:
    """A pipeline of the cases that is about to be elsewhere; one of its stores holds something."""
    old = here(target, parameters)
    old.apply()
    somebody("s3", HERE).put_object(Bucket=named(old, s3.Bucket).name, Key="a", Body=b"a")
    yield old
    Inventory(target, parameters, "restore").destroy()


def named(stack: Stack, kind: type, what: str = ""):
    return next(one for one in stack.resources.values() if type(one) is kind and what in (one.what, ""))


def here(target: Target, parameters: Parameters, mode: str = "apply") -> Stack:
    stack = Stack(target, parameters.model_copy(update={"mode": mode}), "restore")
    cases.sns.subscription(stack)
    cases.s3.notification(stack)
    cases.lambda_.mapping(stack)
    cases.dynamodb.table(stack)
    return stack


def there(target: Target, parameters: Parameters, mode: str, monkeypatch) -> Stack:
    """The same in other regions."""
    with monkeypatch.context() as patch:
        for module in cases.MODULES:
            patch.setattr(module, "HERE", "eu-west-1", raising=False)
            patch.setattr(module, "ELSEWHERE", "eu-central-1", raising=False)
        return here(target, parameters, mode)


def no_wait(seconds: float) -> None:
    pass


def test_a_move_removes_what_acts_and_keeps_what_holds_data(moved, target, parameters, monkeypatch, capsys):
    monkeypatch.setenv(RUN_VARIABLE, "a-move")
    new = there(target, parameters, "move", monkeypatch)
    done = new.apply(no_wait)
    assert ({one.action for one in done.left}, done.left_behind) == ({"kept"}, [])
    assert "removed where they were" in capsys.readouterr().out
    with pytest.raises(RunbookError, match="was a move, nothing was done"):
        new.rollback()
    plan = there(target, parameters, "plan", monkeypatch).plan()
    assert (plan.left_behind, plan.count("unchanged")) == ([], len(new.resources))
    assert {one.noun for one in plan.left} == {"S3 bucket", "DynamoDB table", "CloudWatch log group"}
    assert {one.action for one in plan.left} == {"kept"}
    bucket = named(moved, s3.Bucket)
    assert moved.client(bucket).get_object(Bucket=bucket.name, Key="a")["Body"].read() == b"a"
    again = there(target, parameters, "apply", monkeypatch).apply()
    assert (again.count("create"), again.count("change")) == (0, 0)
    # And back again: what was kept is taken up with what is in it.
    here(target, parameters, "move").apply(no_wait)
    back = here(target, parameters).plan()
    assert (back.left_behind, back.count("unchanged")) == ([], len(moved.resources))
    assert moved.client(bucket).get_object(Bucket=bucket.name, Key="a")["Body"].read() == b"a"


def test_a_queue_that_does_not_run_empty_stops_a_move_with_all_that_works_on_it(
    moved, target, parameters, monkeypatch, somebody
):
    queue = named(moved, sqs.Queue, "files")
    client = somebody("lambda", queue.region)
    (mapping,) = client.list_event_source_mappings(EventSourceArn=queue.arn)["EventSourceMappings"]
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    sqs_client = somebody("sqs", queue.region)
    url = sqs_client.get_queue_url(QueueName=queue.name)["QueueUrl"]
    sqs_client.send_message(QueueUrl=url, MessageBody="{}")
    monkeypatch.setattr(moving, "DRAIN_S", 0)
    with pytest.raises(UnfinishedError, match=r"still holds about \d+ messages?"):
        there(target, parameters, "move", monkeypatch).apply(no_wait)
    there_now = {item.found.arn for item in Inventory(target, parameters, "restore").existing()}
    working = [one.arn for one in moved.resources.values() if not one.is_entrance]
    assert set(working) <= there_now
    client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    monkeypatch.undo()
    there(target, parameters, "move", monkeypatch).apply(lambda seconds: time.sleep(0.2))
    assert there(target, parameters, "plan", monkeypatch).plan().left_behind == []


@pytest.mark.long
def test_a_move_that_is_killed_before_any_of_its_writes_is_run_again(moved, target, parameters, monkeypatch):
    killer, kills = KillAt(), 0
    killed = watched(target, "before-call", killer)
    while kills < 100:
        killer.set(4)  # some writes are done between two kills
        try:
            there(killed, parameters, "move", monkeypatch).apply(no_wait)
        except Killed:
            kills += 1
        else:
            break
    assert kills > 3
    plan = there(target, parameters, "plan", monkeypatch).plan()
    assert plan.left_behind == []
    assert plan.count("unchanged") == len(plan)


def test_what_others_added_to_a_thing_of_ours_is_not_left_behind(target, parameters, somebody):
    stack = Stack(target, parameters, "redrive")
    topic = cases.sns.topic(stack)
    stack.apply()
    somebody("sns", topic.region).subscribe(TopicArn=topic.arn, Protocol="email", Endpoint="them@example.org")
    assert stack.plan().left == []
    stack.apply()


def test_what_stays_on_purpose_is_not_left_behind(target, parameters):
    stack = Stack(target, parameters, "start")
    cases.s3.bucket(stack)
    stack.apply()
    without = Stack(target, parameters, "start")
    assert [one.noun for one in without.plan().left_behind] == ["S3 bucket"]
    without.keep(s3.Bucket("files", HERE))
    assert without.plan().left == []


def test_another_key_is_named_since_old_objects_stay_under_the_old_one(target, parameters, somebody):
    stack = Stack(target, parameters, "start")
    bucket = cases.s3.bucket(stack)
    stack.apply()
    key = "arn:aws:kms:us-west-1:000000000000:key/1"
    found = bucket.desired() | {"encryption": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    assert moving.left_key(target, bucket, found) == []  # it is empty
    somebody("s3", bucket.region).put_object(Bucket=bucket.name, Key="a", Body=b"a")
    (left,) = moving.left_key(target, bucket, found)
    assert (left.name, bucket.name in left.why, left.is_accepted) == (key, True, False)
    assert moving.left_key(target, bucket, bucket.desired()) == []
    assert moving.left_key(target, bucket, None) == []
    assert moving.left_key(target, stack.add(sns.Topic("t", HERE)), {}) == []
