"""Going back after a run that stopped in the middle: what it created goes, and only that."""

import json

import pytest
from botocore.exceptions import ClientError
from support import cases
from support.calls import KillAt, Killed, watched
from support.case import ELSEWHERE, HERE

from lib.base.errors import UnfinishedError
from lib.engine import inventory, ledger
from lib.engine.contents import Contents
from lib.engine.inventory import Existing, Inventory
from lib.engine.lock import PIPELINE, Lock
from lib.engine.rollback import rollback
from lib.engine.stack import Stack
from lib.operate import samples
from lib.operate.samples import Sample
from lib.parameters import Parameters
from lib.resources import s3, sqs
from lib.resources.base import Deletion, Found
from lib.target import Target, connect


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "rollback"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture(autouse=True)
def cleaned(target, parameters):
    yield
    inventory = Inventory(target, parameters)
    inventory.destroy()
    for pipeline in inventory.ledger.pipelines():
        inventory.ledger.forget(pipeline)


def arns(target, parameters) -> list[str]:
    """What there is, but for the lock's home, which the next run would need."""
    home = Lock(target, parameters).home.arn
    return sorted(i.found.arn for i in Inventory(target, parameters).existing() if i.found.arn != home)


class Impossible(sqs.Queue):
    """A queue that AWS refuses, and preflight lets pass: it shall keep messages for a second."""

    def __init__(self):
        super().__init__("impossible", HERE, retention_s=1)

    def checks(self):
        return ()


def more(stack: Stack) -> None:
    """What the second run adds; it stops before the last."""
    cases.s3.notification(stack)
    stack.add(Impossible())
    stack.add(sqs.Queue("later", HERE))


def test_what_a_run_created_goes_and_what_was_there_stays(target, parameters, somebody, monkeypatch):
    monkeypatch.setenv(ledger.RUN_VARIABLE, "run-1")
    first = Stack(target, parameters, "migrate")
    queue = cases.sqs.queue(first)
    first.apply()
    before = arns(target, parameters)

    monkeypatch.setenv(ledger.RUN_VARIABLE, "run-2")
    cases.drifting(queue, "VisibilityTimeout", somebody("sqs", queue.region))
    second = Stack(target, parameters, "migrate")
    cases.sqs.queue(second)
    more(second)
    with pytest.raises(UnfinishedError) as error:
        second.apply()
    for part in ("stopped at step 3 of 4", "impossible", "1 not begun", "run it again", "runbook rollback"):
        assert part in str(error.value)
    assert len(arns(target, parameters)) == len(before) + 1

    done = second.rollback()
    assert arns(target, parameters) == before
    assert done.changed["name"].tolist() == [queue.name]
    assert queue.name in repr(done)
    assert first.plan().count("unchanged") == len(first.resources)
    assert rollback(target, parameters, "run-2").deleted == []


def test_a_first_run_goes_without_a_trace(target, parameters, monkeypatch):
    stack = Stack(target, parameters, "migrate")
    more(stack)
    with pytest.raises(UnfinishedError):
        stack.apply()
    monkeypatch.setattr(inventory, "LISTED_S", 0)  # later
    stack.rollback()
    assert arns(target, parameters) == []
    assert stack.ledger.pipelines() == [PIPELINE]


def test_what_was_tried_just_now_and_is_not_listed_stays_known(target, parameters):
    other, killer = Stack(target, parameters, "index"), KillAt()
    cases.sqs.queue(other)
    other.apply()  # so that the lock has a bucket
    stack = Stack(watched(target, "before-call", killer), parameters, "migrate")
    bucket = cases.s3.bucket(stack)
    with pytest.raises(Killed):
        stack.apply()
    assert killer.name == "CreateBucket"
    rollback(target, parameters, ledger.run_id(), "migrate")
    assert stack.ledger.entries()[bucket.arn]["state"] == "intended"


def test_a_store_that_holds_what_others_put_is_kept_and_the_rest_goes(target, parameters, somebody):
    stack = Stack(target, parameters, "migrate")
    bucket = cases.s3.bucket(stack)
    cases.s3.notification(stack)
    stack.apply()
    somebody("s3", bucket.region).put_object(Bucket=bucket.name, Key="a", Body=b"a")
    done = stack.rollback()
    assert arns(target, parameters)[0] == bucket.arn
    assert {item.found.arn for item in done.deleted} == set(stack.resources) - {bucket.arn}
    ((name, why),) = done.kept[["name", "why"]].itertuples(index=False)
    assert (name, "'a'" in why) == (bucket.name, True)
    for part in (bucket.name, "which that run did not put there", "runbook destroy", "runbook run"):
        assert part in repr(done)


def run(monkeypatch, number: int) -> str:
    """Be another run from here on."""
    monkeypatch.setenv(ledger.RUN_VARIABLE, f"run-{number}")
    return f"run-{number}"


def kept(done) -> dict[str, str]:
    return dict(done.kept[["name", "why"]].itertuples(index=False))


SAMPLE = Sample("synthetic-data/a.csv", b"a,b\n1,2\n", {"origin": "runbook"})


def test_what_the_run_put_and_what_was_made_of_it_goes(target, parameters, somebody):
    """Copies have the key and the bytes, summaries and rows name the version; others wrote them, here too."""
    stack = Stack(target, parameters, "summarize")
    bucket, copies = cases.s3.bucket(stack), stack.add(s3.Bucket("copies", ELSEWHERE))
    table = cases.dynamodb.table(stack)
    stack.apply()
    client = stack.client(bucket)
    uploads = samples.upload(client, bucket.name, [SAMPLE, SAMPLE])
    samples.delete(client, bucket.name, [SAMPLE.key])
    functions = somebody("s3", copies.region)
    functions.put_object(Bucket=copies.name, Key=SAMPLE.key, Body=SAMPLE.body)
    functions.delete_object(Bucket=copies.name, Key=SAMPLE.key)
    of = {"key": SAMPLE.key, "version_id": uploads["version_id"][1]}
    for key in ("summaries/summary_a.json", "rejected/a.csv.json"):
        somebody("s3", bucket.region).put_object(Bucket=bucket.name, Key=key, Body=json.dumps(of).encode())
    row = {"file_key": of["key"], "timestamp": "1", "version_id": of["version_id"]}
    item = {name: {"S": value} for name, value in row.items()}
    somebody("dynamodb", table.region).put_item(TableName=table.name, Item=item)
    done = stack.rollback()
    assert kept(done) == {}
    assert arns(target, parameters) == []
    assert stack.ledger.puts() == {}


def older_object(client, bucket: str) -> str:
    client.put_object(Bucket=bucket, Key="theirs", Body=b"theirs")
    return "'theirs'"


def same_key_as_a_sample(client, bucket: str) -> str:
    client.put_object(Bucket=bucket, Key=SAMPLE.key, Body=b"other")
    return repr(SAMPLE.key)


def only_a_version(client, bucket: str) -> str:
    client.put_object(Bucket=bucket, Key="theirs", Body=b"theirs")
    client.delete_object(Bucket=bucket, Key="theirs")
    return "'theirs'"


def only_a_marker(client, bucket: str) -> str:
    client.delete_object(Bucket=bucket, Key="theirs")
    return "delete marker of 'theirs'"


def unfinished_upload(client, bucket: str) -> str:
    client.create_multipart_upload(Bucket=bucket, Key="theirs")
    return "unfinished upload of 'theirs'"


def summary_of_another_version(client, bucket: str) -> str:
    body = json.dumps({"key": SAMPLE.key, "version_id": "another"}).encode()
    client.put_object(Bucket=bucket, Key="summaries/summary_a.json", Body=body)
    return "summary_a.json"


def no_summary(client, bucket: str) -> str:
    client.put_object(Bucket=bucket, Key="summaries/summary_a.json", Body=b"[1, 2")
    return "cannot be looked into"


@pytest.mark.parametrize(
    "put",
    [
        older_object,
        same_key_as_a_sample,
        only_a_version,
        only_a_marker,
        unfinished_upload,
        summary_of_another_version,
        no_summary,
    ],
)
def test_a_bucket_is_kept_for_anything_that_others_put(target, parameters, somebody, put):
    stack = Stack(target, parameters, "summarize")
    bucket, empty = cases.s3.bucket(stack), stack.add(s3.Bucket("empty", HERE))
    stack.apply()
    samples.upload(stack.client(bucket), bucket.name, [SAMPLE])
    client = somebody("s3", bucket.region)
    what = put(client, bucket.name)
    before = client.list_object_versions(Bucket=bucket.name)
    done = stack.rollback()
    assert what in kept(done)[bucket.name]
    assert [item.found.name for item in done.deleted] == [empty.name]
    after = client.list_object_versions(Bucket=bucket.name)
    assert [after.get(name) for name in ("Versions", "DeleteMarkers")] == [
        before.get(name) for name in ("Versions", "DeleteMarkers")
    ]
    # It is still the run's: once it is empty, it goes as well.
    s3.empty_bucket(client, bucket.name)
    assert [item.found.name for item in stack.rollback().deleted] == [bucket.name]


def test_a_table_with_an_item_and_a_database_with_a_view_are_kept_with_what_they_need(
    target, parameters, somebody
):
    stack = Stack(target, parameters, "index")
    table, rows = cases.dynamodb.table(stack), cases.glue.table(stack)
    stack.apply()
    item = {"file_key": {"S": "k"}, "timestamp": {"S": "1"}, "version_id": {"S": "v"}}
    somebody("dynamodb", table.region).put_item(TableName=table.name, Item=item)
    view = {"Name": "theirs", "TableType": "VIRTUAL_VIEW", "StorageDescriptor": {"Columns": []}}
    somebody("glue", rows.region).create_table(DatabaseName=rows.database.name, TableInput=view)
    done = stack.rollback()
    assert done.deleted == []
    why = kept(done)
    assert "an item" in why[table.name]
    assert "the table 'theirs'" in why[rows.database.name]
    assert "needs it" in why[rows.name]
    assert "needs it" in why[rows.bucket.name]
    assert len(arns(target, parameters)) == len(stack.resources)


def test_only_what_that_run_created_goes_whatever_ran_since(target, parameters, somebody, monkeypatch):
    one = run(monkeypatch, 1)
    first = Stack(target, parameters, "migrate")
    bucket, queue = cases.s3.bucket(first), first.add(sqs.Queue("files", HERE))
    alone = first.add(sqs.Queue("alone", HERE))
    first.apply()
    # A later run makes anew what somebody has deleted, and adds a part to what was there.
    two = run(monkeypatch, 2)
    sqs.Queue.delete(first.client(queue), queue.output(first.client(queue)))
    second = Stack(target, parameters, "migrate")
    second.resources = dict(first.resources)
    cases.s3.notification(second)
    second.apply()
    done = rollback(target, parameters, one)
    assert [item.found.name for item in done.deleted] == [alone.name]
    assert "did not create" in kept(done)[bucket.name]
    assert set(arns(target, parameters)) >= set(second.resources) - {alone.arn}
    done = rollback(target, parameters, two)
    assert {item.type.noun for item in done.deleted} == {"S3 bucket notification", "SNS topic", "SQS queue"}
    assert [item.found.name for item in rollback(target, parameters, one).deleted] == [bucket.name]


def test_what_a_later_run_needs_is_kept(target, parameters, monkeypatch):
    one = run(monkeypatch, 1)
    first = Stack(target, parameters, "migrate")
    dead = first.add(sqs.Queue("dead", HERE, retention_s=14 * sqs.DAY_S))
    first.apply()
    run(monkeypatch, 2)
    second = Stack(target, parameters, "migrate")
    second.add(dead)
    second.add(sqs.Queue("files", HERE, dead_letter=dead))
    second.apply()
    assert "of a later run needs it" in kept(rollback(target, parameters, one))[dead.name]


def test_what_comes_between_the_look_and_the_deletion_is_kept(target, parameters, somebody, monkeypatch):
    stack = Stack(target, parameters, "migrate")
    bucket = cases.s3.bucket(stack)
    stack.apply()
    samples.upload(stack.client(bucket), bucket.name, [SAMPLE])
    delete = s3.Bucket.delete.__func__

    def late(cls, client, identifier, *options, **more):
        older_object(somebody("s3", bucket.region), identifier)
        delete(cls, client, identifier, *options, **more)

    monkeypatch.setattr(s3.Bucket, "delete", classmethod(late))
    with pytest.raises(UnfinishedError, match="'theirs', which came meanwhile"):
        stack.rollback()
    monkeypatch.undo()
    left = somebody("s3", bucket.region).list_object_versions(Bucket=bucket.name)["Versions"]
    assert [version["Key"] for version in left] == ["theirs"]


def test_a_table_that_others_put_an_item_into_meanwhile_stays_protected(
    target, parameters, somebody, monkeypatch
):
    stack = Stack(target, parameters.model_copy(update={"deletion_protection": "ENABLED"}), "migrate")
    table = cases.dynamodb.table(stack)
    stack.apply()
    client, looks, look = somebody("dynamodb", table.region), [], Contents.foreign

    def late(contents: Contents, item: Existing) -> str:
        if item.found.arn == table.arn:
            looks.append(item)
            if len(looks) == 2:  # the last one, before it goes
                put = {"file_key": {"S": "theirs"}, "timestamp": {"S": "now"}}
                client.put_item(TableName=table.name, Item=put)
        return look(contents, item)

    monkeypatch.setattr(Contents, "foreign", late)
    taken_back = stack.rollback()
    assert "it holds an item" in kept(taken_back)[table.name]
    assert client.describe_table(TableName=table.name)["Table"]["DeletionProtectionEnabled"]


def test_what_aws_refuses_to_delete_does_not_stop_the_rest(target, parameters, monkeypatch):
    stack = Stack(target, parameters, "migrate")
    bucket, queue = cases.s3.bucket(stack), stack.add(sqs.Queue("files", HERE))
    stack.apply()

    def refuse(cls, client, identifier):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteQueue")

    monkeypatch.setattr(sqs.Queue, "delete", classmethod(refuse))
    with pytest.raises(UnfinishedError, match="(?s)AccessDenied.*1 could not be deleted"):
        stack.rollback()
    assert queue.arn in arns(target, parameters)
    assert bucket.arn not in arns(target, parameters)
    monkeypatch.undo()
    stack.rollback()
    assert arns(target, parameters) == []


def test_what_a_killed_run_had_begun_goes_too(target, parameters):
    killer = KillAt()
    killer.set(3)  # the lock's home has the first ones; a bucket is there, its tags are not
    stack = Stack(watched(target, "before-call", killer), parameters, "migrate")
    cases.s3.notification(stack)
    while True:
        try:
            stack.apply()
        except Killed:
            stack.target = target
            stack.rollback()
            assert arns(target, parameters) == [], killer.name
            killer.set(killer.number + 8)
            stack.target = watched(target, "before-call", killer)
        else:
            break
    assert killer.number > 9


def test_a_thing_whose_tags_are_gone_may_be_somebody_else_s(target, parameters, somebody):
    stack = Stack(target, parameters, "migrate")
    queue = stack.add(sqs.Queue("files", HERE))
    stack.apply()
    cases.drifting(queue, "tags", somebody("sqs", queue.region))
    assert "its tags are gone" in kept(stack.rollback())[queue.name]


def test_after_a_destruction_there_is_nothing_to_take_back(target, parameters, monkeypatch):
    one = run(monkeypatch, 1)
    stack = Stack(target, parameters, "migrate")
    cases.s3.bucket(stack)
    stack.apply()
    Inventory(target, parameters).destroy()
    Inventory(target, parameters).prove_empty()
    done = rollback(target, parameters, one)
    assert repr(done).startswith("nothing to take back")


@pytest.mark.parametrize("stage", [Deletion.CATALOGUE, Deletion.STORE])
def test_a_store_of_a_type_that_nobody_can_look_into_is_kept(target, parameters, stage):
    """Such as one that was added to the runbook a moment ago."""

    class Archive(sqs.Queue):
        deletion = stage
        noun = "archive"

    found = Found("https://archive", "archive", "arn:aws:archive", {})
    contents = Contents(target, parameters, [], {})
    assert "nobody can tell" in contents.foreign(Existing(Archive, HERE, found, True))
    assert contents.foreign(Existing(sqs.Queue, HERE, found, True)) == ""
