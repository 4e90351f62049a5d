"""Plan and apply: reads only, or what is missing, and what a run that was killed leaves behind."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pandas as pd
import pytest
from support import cases
from support.calls import KillAt, Killed, Recorder, watched
from support.case import ELSEWHERE, HERE
from support.cleanup import remove

from lib.base.errors import DescribedTwiceError, NotOursError, ReplacementError
from lib.base.told import COUNTS
from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger, run_id
from lib.engine.plan import Done
from lib.engine.rollback import touched
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import dynamodb, glue, iam, s3, sns, sqs
from lib.resources.base import TAG_ENV, differences
from lib.target import Target, connect


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    # Two regions, those of the examples: every look for what exists asks all services in all regions.
    return Parameters.check({"env": "stack", "backup": {"dr_region": HERE}})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture
def inventory(target: Target, parameters: Parameters):
    """The inventory of the environment, which is destroyed, and so empty again, after the test."""
    inventory = Inventory(target, parameters)
    yield inventory
    for item in inventory.existing():
        item.type.delete(target.client(item.type.service, item.region), item.found.identifier)
    for pipeline in inventory.ledger.pipelines():
        inventory.ledger.forget(pipeline)


@pytest.fixture
def undeployed(parameters: Parameters) -> Stack:
    """An empty stack that is described only; nobody is asked."""
    return Stack(None, parameters, "migrate")


def few(target: Target, parameters: Parameters, pipeline: str = "migrate") -> Stack:
    """A few resources, with all the kinds of dependence there are."""
    stack = Stack(target, parameters, pipeline)
    cases.sns.subscription(stack)
    cases.s3.notification(stack)
    return stack


def everything(target: Target, parameters: Parameters, pipeline: str = "migrate") -> Stack:
    """One resource of every class at least."""
    stack = Stack(target, parameters, pipeline)
    for case in cases.EVERY.values():
        case.describe(stack)
    return stack


def planning(parameters: Parameters) -> Parameters:
    return parameters.model_copy(update={"mode": "plan"})


def is_as_described(stack: Stack) -> bool:
    return all(
        differences(resource.read(stack.client(resource)), resource.desired()) == {}
        for resource in stack.resources.values()
    )


def test_a_plan_of_what_is_not_there_only_reads(inventory, target, parameters, capsys):
    recorder = Recorder()
    stack = everything(watched(target, "before-call", recorder), planning(parameters))
    plan = stack.apply()
    assert "nothing was written" in capsys.readouterr().out
    assert plan.count("create") == len(stack.resources)
    assert str(plan) == f"{len(stack.resources)} to create, 0 to change, 0 to delete, 0 unchanged"
    assert recorder.made
    assert recorder.writes == []
    assert inventory.existing() == []
    assert not stack.ledger.path.exists() or stack.ledger.entries() == {}


def test_a_plan_of_what_has_drifted_only_reads_and_names_it(inventory, target, parameters, somebody):
    stack = everything(target, parameters)
    assert str(stack.apply()) == f"{len(stack.resources)} created, 0 changed, 0 deleted, 0 unchanged"
    assert str(stack.apply()) == f"0 created, 0 changed, 0 deleted, {len(stack.resources)} unchanged"
    settings = {s3.Bucket: "versioning", sqs.Queue: "VisibilityTimeout", iam.Role: "trust"}
    settings |= {glue.Crawler: "Schedule"}
    drifted = {}
    for resource in stack.resources.values():
        if setting := settings.get(type(resource)):
            cases.drifting(resource, setting, somebody(resource.service, resource.region))
            drifted[resource.arn] = {setting}
    recorder = Recorder()
    plan = everything(watched(target, "before-call", recorder), planning(parameters)).apply()
    named = {step.resource.arn: set(step.changes) for step in plan if step.action == "change"}
    assert named == drifted
    assert recorder.writes == []
    assert all(step.why for step in plan if step.action == "change")


def test_it_works_since_the_last_of_it_was_made_or_changed_and_heard_of(inventory, target, parameters):
    stack = Stack(target, parameters, "migrate")
    notification = cases.s3.notification(stack)
    before = pd.Timestamp.now("UTC")
    assert stack.working_since >= before, "nothing of it is known"
    stack.apply()
    after = pd.Timestamp.now("UTC")
    assert stack.working_since >= after, "no event has come"
    heard = pd.Timestamp.now("UTC").ceil("s") + pd.Timedelta("1h")
    stack.ledger.hear(notification.arn, heard.isoformat(timespec="seconds"))
    assert stack.working_since == heard
    stack.apply()
    assert stack.working_since == heard, "nothing was changed"
    bucket = next(one for one in stack.resources.values() if isinstance(one, s3.Bucket))
    stack.replace(replace(bucket, expire_days=3))
    stack.ledger.hear(notification.arn, before.isoformat(timespec="seconds"))
    stack.apply()
    made = pd.Timestamp(stack.ledger.entries()[bucket.arn]["at"])
    assert before.floor("s") <= stack.working_since == made < heard


def test_what_a_plan_shows(inventory, target, parameters):
    stack = few(target, parameters)
    bundle = stack.plan()._repr_mimebundle_()
    assert bundle[COUNTS]["counts"] == {"to create": 6, "to change": 0, "to delete": 0, "unchanged": 0}
    assert "does not exist" in bundle["text/plain"]
    done = stack.apply()
    assert isinstance(done, Done)
    bundle, summary = done._repr_mimebundle_(), "6 created, 0 changed, 0 deleted, 0 unchanged"
    assert bundle[COUNTS]["summary"] == summary
    assert bundle["text/html"].startswith(f"<details><summary>{summary}</summary>")
    assert done.table()["why"].tolist() == ["did not exist"] * 6
    stack.replace(replace(cases.s3.bucket(stack), expire_days=3))
    table = stack.plan().table()
    changed = table[table["action"] == "change"]
    assert changed["why"].tolist()[0].startswith("lifecycle.runbook.Expiration: None → {'Days': 3}; ")
    assert len(changed) == 1


def killings(target: Target, parameters: Parameters) -> Iterator[str]:
    """Kill a run of a few resources before its first write, the next before its second, until one ends."""
    killer = KillAt()
    killed = watched(target, "before-call", killer)
    for number in count(1):
        killer.set(number)
        try:
            few(killed, parameters).apply()
        except Killed:
            yield killer.name
        else:
            return


def test_a_run_killed_before_any_of_its_writes_is_simply_run_again(inventory, target, parameters):
    killed_at = []
    for name in killings(target, parameters):
        killed_at.append(name)
        stack = few(target, parameters)
        stack.apply()
        assert is_as_described(stack), f"killed before {name}"
        assert {facts["state"] for facts in stack.ledger.entries().values()} == {"made"}
        remove(stack)
    assert len(killed_at) >= 12
    assert {"CreateBucket", "PutBucketTagging", "CreateTopic", "Subscribe"} <= set(killed_at)


def test_a_run_killed_before_any_of_its_writes_can_be_destroyed(inventory, target, parameters):
    for name in killings(target, parameters):
        migrate = Inventory(target, parameters, "migrate")
        migrate.destroy()
        assert migrate.existing() == [], f"killed before {name}"
        migrate.ledger.forget("migrate")


@pytest.mark.long
def test_runs_killed_right_after_every_single_write_reach_the_same_end(inventory, target, parameters):
    """AWS has done it, but the run never heard of it; the next one does one more thing, and so on."""
    killer, writes = KillAt(), []
    killed = watched(target, "after-call", killer)
    while len(writes) < 300:
        killer.set(1)
        try:
            everything(killed, parameters).apply()
        except Killed:
            writes.append(killer.name)
        else:
            break
    else:
        pytest.fail(f"does not come to an end: {Counter(writes).most_common(9)}")
    assert {"CreateBucket", "CreateFunction", "CreateEventSourceMapping", "CreateCrawler"} <= set(writes)
    stack = everything(target, parameters)
    assert is_as_described(stack)
    assert stack.plan().count("unchanged") == len(stack.resources)
    inventory.destroy()
    assert inventory.existing() == []


def test_destroying_that_is_killed_is_simply_run_again(inventory, target, parameters):
    few(target, parameters).apply()
    killer, kills = KillAt(), 0
    killed = watched(target, "after-call", killer)
    while kills < 50:
        killer.set(1)
        try:
            Inventory(killed, parameters, "migrate").destroy()
        except Killed:
            kills += 1
        else:
            break
    assert kills >= len(few(target, parameters).resources)
    assert Inventory(target, parameters, "migrate").existing() == []


@pytest.mark.parametrize("case", [case for case in cases.EVERY.values() if "tags" in case.drift], ids=repr)
def test_what_somebody_else_made_is_refused_before_anything_is_written(
    inventory, target, parameters, somebody, case
):
    stack = Stack(target, parameters, "migrate")
    resource = case.describe(stack)
    stack.apply()
    cases.drifting(resource, "tags", somebody(resource.service, resource.region))
    stack.ledger.forget("migrate")
    recorder = Recorder()
    again = Stack(watched(target, "before-call", recorder), parameters, "migrate")
    case.describe(again)
    with pytest.raises(NotOursError) as error:
        again.apply()
    assert resource.name in str(error.value)
    assert "\n" not in str(error.value)
    assert recorder.writes == []


@pytest.mark.parametrize("case", cases.EVERY.values(), ids=repr)
def test_the_same_description_again_changes_nothing(undeployed, case):
    """As when a cell is run again."""
    case.describe(undeployed)
    described = list(undeployed.resources.values())
    case.describe(undeployed)
    assert [id(one) for one in undeployed.resources.values()] == list(map(id, described))


def test_what_was_set_on_it_since_stays_when_its_cell_is_run_again(undeployed):
    bucket = undeployed.add(s3.Bucket("files", HERE))
    notified = undeployed.add(sns.Topic("files", HERE, publishers={"s3.amazonaws.com": bucket.arn}))
    notification = s3.BucketNotification("files", HERE, bucket=bucket, destination=notified)
    undeployed.add(notification)
    bucket.statements = [{"Sid": "set later"}]
    again = undeployed.add(s3.Bucket("files", HERE))
    assert again.statements == [{"Sid": "set later"}]
    assert undeployed.add(replace(notification, bucket=again)) is notification


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (
            lambda: sqs.Queue("files", HERE, visibility_timeout_s=30),
            lambda: sqs.Queue("files", HERE, visibility_timeout_s=360),
            "SQS queue runbook-stack-migrate-files in us-west-1 is described twice in migrate, but "
            "not alike: visibility_timeout_s was 30 and is 360. For a second one give it another name",
        ),
        (
            lambda: iam.Role("copy", "us-east-1", trusts="lambda.amazonaws.com", policy={}),
            lambda: iam.Role("copy", "us-west-2", trusts="lambda.amazonaws.com", policy={}),
            "region was 'us-east-1' and is 'us-west-2'",
        ),
        (
            lambda: glue.Database("a-b", HERE),
            lambda: glue.Database("a_b", HERE),
            "what was 'a-b' and is 'a_b'",
        ),
        (
            lambda: s3.Bucket("files", HERE),
            lambda: s3.Bucket("files", HERE, statements=[{"Sid": "x" * 200}]),
            "statements was",
        ),
    ],
    ids=["a setting", "a name that is everywhere", "two names that are one", "a policy"],
)
def test_two_descriptions_of_one_resource_are_refused(undeployed, first, second, said):
    one = undeployed.add(first())
    with pytest.raises(DescribedTwiceError) as error:
        undeployed.add(second())
    assert said in str(error.value)
    assert "run the notebook again from the cell that makes the stack" in str(error.value)
    assert max(map(len, str(error.value).split())) < 100
    assert list(undeployed.resources.values()) == [one]


def test_it_is_wanted_or_not(undeployed):
    undeployed.add(sqs.Queue("files", HERE))
    with pytest.raises(DescribedTwiceError, match="wanted was True and is False"):
        undeployed.add(sqs.Queue("files", HERE), wanted=False)
    assert (len(undeployed.resources), undeployed.unwanted) == (1, {})


def test_one_of_another_region_or_type_is_a_second_resource(undeployed):
    undeployed.add(sns.Topic("files", HERE))
    undeployed.add(sns.Topic("files", ELSEWHERE))
    undeployed.add(sqs.Queue("files", HERE))
    assert len(undeployed.resources) == 3


def test_a_description_may_be_replaced_where_it_stands(undeployed):
    first, second = (undeployed.add(sqs.Queue(what, HERE)) for what in ("first", "second"))
    other = undeployed.replace(sqs.Queue("first", HERE, visibility_timeout_s=77))
    assert list(undeployed.resources.values()) == [other, second]
    assert undeployed.add(sqs.Queue("first", HERE, visibility_timeout_s=77)) is other
    undeployed.replace(first, wanted=False)
    assert (list(undeployed.resources.values()), list(undeployed.unwanted.values())) == ([second], [first])


def test_outputs_are_written_down(inventory, target, parameters):
    stack = few(target, parameters)
    stack.apply()
    named = {type(resource).__name__: resource for resource in stack.resources.values()}
    table = stack.record_outputs(bucket=named["Bucket"], queue_url=named["Queue"])
    assert table["output"].tolist() == ["bucket", "queue_url"]
    outputs = Ledger.of(parameters).outputs()["migrate"]
    assert outputs["bucket"] == named["Bucket"].name
    assert outputs["queue_url"].endswith(named["Queue"].name)


def test_what_is_not_wanted_any_more_is_deleted_and_only_that(stack: Stack):
    wanted = cases.s3.notification(stack)
    stack.add(
        s3.BucketNotification(
            "other", HERE, bucket=wanted.bucket, destination=wanted.destination, key_prefix="x/"
        )
    )
    stack.apply()
    stack.replace(wanted, wanted=False)
    plan = stack.plan()
    assert [(step.action, step.why) for step in plan if step.resource is wanted] == [
        ("delete", "is not wanted any more")
    ]
    assert str(stack.apply()) == f"0 created, 0 changed, 1 deleted, {len(stack.resources)} unchanged"
    assert wanted.read(stack.client(wanted)) is None
    assert plan.count("unchanged") == len(stack.plan()) == len(stack.resources)
    stack.replace(wanted)
    assert stack.apply().count("create") == 1


def test_what_was_made_by_hand_under_our_name_is_taken_over(stack: Stack, somebody):
    """It gets our tags, and nothing else; the next run changes the rest, and no rollback deletes it."""
    queue = cases.sqs.queue(stack)
    sqs = somebody("sqs", queue.region)
    sqs.create_queue(QueueName=queue.name, Attributes={"VisibilityTimeout": "7"})
    with pytest.raises(NotOursError, match=f"runbook adopt {stack.scope.pipeline}"):
        stack.plan()
    (step,) = stack.not_ours()
    assert {"tags", "VisibilityTimeout"} <= step.changes.keys()
    assert [taken.resource for taken in stack.adopt()] == [queue]
    assert stack.not_ours() == []
    (step,) = [step for step in stack.plan() if step.resource is queue]
    assert ("VisibilityTimeout" in step.changes, "tags" in step.changes) == (True, False)
    stack.apply()
    assert queue.arn not in touched(stack.ledger, "run", run_id()), "a rollback deletes what the run created"
    assert stack.plan().count("unchanged") == len(stack.resources)


def test_what_another_pipeline_of_ours_has_is_not_taken_over(stack: Stack, somebody):
    queue = cases.sqs.queue(stack)
    tags = {**stack.scope.tags, TAG_ENV: "another"}
    somebody("sqs", queue.region).create_queue(QueueName=queue.name, tags=tags)
    with pytest.raises(NotOursError, match="another environment's"):
        stack.adopt()
    assert stack.ledger.entries().get(queue.arn) is None


def test_what_cannot_be_changed_is_refused_before_the_first_write_with_the_steps(
    stack: Stack, target, parameters
):
    table, queue = cases.dynamodb.table(stack), cases.sqs.queue(stack)
    stack.apply()
    recorder = Recorder()
    other = Stack(watched(target, "before-call", recorder), parameters, stack.scope.pipeline)
    other.add(dynamodb.Table(table.what, table.region, partition_key="other"))
    cases.sqs.queue(other)
    other.add(sns.Topic("more", queue.region))
    plan = other.plan()
    assert "which cannot be changed" in plan.table().to_string()
    with pytest.raises(ReplacementError) as error:
        other.apply()
    for part in ("file_key (S)", "other (S)", "1. make", "2. copy", "3. verify", "4. switch"):
        assert part in str(error.value)
    assert recorder.writes == []
