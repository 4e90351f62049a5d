"""A source that is cut over while somebody writes to it: frozen, compared, recorded, and checked later."""

import gzip
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from support.command_line import runbook
from support.running import Running, eventually, refused
from support.somebodys import Somebodys

from lib.base.errors import ParameterError, RunbookError
from lib.engine.checklist import Checklist
from lib.engine.stack import Stack
from lib.operate.audits import audit as auditor
from lib.operate.cutover import freezing, outlook, released, remaining
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters

HERE, THERE = "us-east-1", "us-east-2"
OBJECTS = 30
WRITE_EVERY_S = 0.5


@dataclass
class CutOver:
    """A *migrate* that has adopted somebody's full bucket, and what was there before it did."""

    running: Running
    bucket: Somebodys
    settings: dict
    there: set[str]
    acknowledged: list[str] = field(default_factory=list)
    records: list[released.Record] = field(default_factory=list)
    pace: Event = field(default_factory=Event)  # never set

    @property
    def parameters(self) -> Parameters:
        return self.running.parameters

    @property
    def pipeline(self) -> Pipeline:
        return self.running.pipeline("migrate")

    @property
    def arguments(self) -> tuple:
        return self.running.target, self.parameters, self.pipeline

    def freeze(self, wanted: bool = True) -> None:
        stack = Stack(self.running.target, self.parameters, "migrate")
        if wanted:
            freezing.describe(stack, self.pipeline)
        else:
            assert len(freezing.describe_thaw(stack)) == 1
        stack.apply()

    def write(self, key: str) -> str:
        return refused(self.bucket.s3.put_object, Bucket=self.bucket.name, Key=key, Body=key.encode())

    def write_on(self, began: Event) -> str:
        """Write, some objects a second, until it is denied; what was acknowledged is written down."""
        while not (code := self.write(key := f"live/{len(self.acknowledged)}")):
            self.acknowledged.append(key)
            if len(self.acknowledged) > 3:
                began.set()
            self.pace.wait(WRITE_EVERY_S)
        return code

    def verified(self, **how) -> dict[tuple[str, str], str]:
        found = released.verify(self.running.target, released.read(self.records[-1].path), **how)
        return {(side, key): f"{state}: {detail}" for side, key, state, detail in found.kept}

    def checklist(self, audited: auditor.Audit) -> Checklist:
        points = Checklist()
        freezing.enter(points, self.running.target, self.pipeline)
        remaining.enter(points, *self.arguments, audited)
        return points

    def release(self) -> released.Record:
        audited = remaining.compare(*self.arguments)
        return released.write(*self.arguments, audited, self.checklist(audited))


@pytest.fixture(scope="module")
def full(local_aws, somebody) -> Somebodys:
    """A bucket with settings of its own, objects of all kinds, and a history."""
    bucket = Somebodys(somebody, f"last.day.{secrets.token_hex(4)}", HERE).create()
    bucket.furnish(event="s3:ObjectRestore:Completed")
    for number in range(OBJECTS):
        key = ("a b+ü/", "deep/er/", "")[number % 3] + f"{number:03}*?.csv"
        facts = {"Metadata": {"number": f"{number}"}, "Tagging": urlencode({"kind": f"k{number % 2}"})}
        for body in (b"old", b"%d" % number)[number % 2 :]:
            bucket.s3.put_object(Bucket=bucket.name, Key=key, Body=body, ContentType="text/csv", **facts)
    bucket.s3.put_object(Bucket=bucket.name, Key="gone", Body=b"")
    bucket.s3.delete_object(Bucket=bucket.name, Key="gone")
    return bucket


@pytest.fixture(scope="module")
def one(full) -> CutOver:
    """It, cut over: from a full bucket to a record."""
    settings = full.configuration()
    section = {"source_region": HERE, "target_region": THERE, "source_bucket": full.name}
    running = Running("tcutover", ("migrate",), {"migrate": section})
    there = {key for key, _, etag, is_latest in full.objects() if etag and is_latest}
    one = CutOver(running, full, settings, there)
    before = outlook.look(*one.arguments).set_index("what")["found"]
    assert before["left to copy"].startswith(f"{OBJECTS}, ")
    with ThreadPoolExecutor(1) as threads:
        began = Event()
        writer = threads.submit(one.write_on, began)
        assert began.wait(60)
        sent = remaining.send_what_is_left(*one.arguments)
        assert sent["sent"].tolist() == ["as a backfill, all of them"]
        remaining.until_copied(*one.arguments)
        one.freeze()
        assert writer.result(60) == "AccessDenied"
    assert remaining.until_arrived(*one.arguments).is_all
    one.records.append(one.release())
    yield one
    running.destroy()


def test_nothing_that_was_acknowledged_is_lost(one):
    assert len(one.acknowledged) > 3
    there = one.running.destination("migrate")
    assert there.keys() >= one.there | set(one.acknowledged)
    assert all(there.read(key) == key.encode() for key in one.acknowledged)


def test_the_record_says_what_who_when_and_how(one):
    record = one.records[0]
    facts = released.read(record.path).facts
    assert facts["by"] == one.running.target.caller
    assert facts["source"]["bucket"] == one.bucket.name
    assert "FrozenByRunbookTcutoverMigrateFreeze" in facts["source"]["policy"]
    objects = OBJECTS + len(one.acknowledged)
    assert (facts["source"]["objects"], facts["compared"]["same"]) == (objects, objects)
    lines = [*record.lines(released.SOURCE)]
    assert {line.key for line in lines} == one.there | set(one.acknowledged)
    assert all(line.version and line.etag and line.described for line in lines)


def test_it_holds_and_a_second_one_has_the_same_digests(one):
    assert one.verified() == {}
    before = one.records[0].facts
    again = one.parameters.cutover.model_copy(update={"record": "runs/again.jsonl.gz"})
    audited = remaining.compare(*one.arguments)
    parameters = one.parameters.model_copy(update={"cutover": again})
    target, _, pipeline = one.arguments
    record = released.write(target, parameters, pipeline, audited, one.checklist(audited))
    assert record.path.name == "again.jsonl.gz"
    assert all(record.facts[side]["sha256"] == before[side]["sha256"] for side in released.SIDES)
    with pytest.raises(RunbookError, match="is there already, and a record is never overwritten"):
        released.write(target, parameters, pipeline, audited, one.checklist(audited))


def test_what_differs_is_not_released_and_is_named(one):
    there = one.running.destination("migrate")
    key = one.acknowledged[0]
    there.client.put_object_tagging(
        Bucket=there.bucket, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "1"}]}
    )
    files = sorted(one.records[0].path.parent.iterdir())
    with pytest.raises(RunbookError, match="migrate: as it should be"):
        one.release()
    assert sorted(one.records[0].path.parent.iterdir()) == files
    assert one.verified() == {("destination", key): "changed: other headers, metadata or tags"}
    assert one.verified(sides=["source"]) == {}
    there.client.put_object_tagging(Bucket=there.bucket, Key=key, Tagging={"TagSet": []})
    assert one.verified() == {}


def test_a_record_that_was_changed_or_damaged_is_noticed(one, tmp_path):
    lines = gzip.decompress(one.records[0].path.read_bytes()).decode().splitlines(keepends=True)
    line = json.loads(lines[3])
    changed = [*lines[:3], json.dumps(line | {"etag": "0" * 32}) + "\n", *lines[4:]]
    for name, content, why in (
        ("changed", gzip.compress("".join(changed).encode()), "it was changed after it was written"),
        ("shorter", gzip.compress("".join(lines[:3] + lines[4:]).encode()), "it was changed after"),
        ("without its end", gzip.compress("".join(lines[:-1]).encode()), "it was changed after"),
        ("cut", one.records[0].path.read_bytes()[:-20], "is no record of a cut-over, or was damaged"),
        ("no gzip", b"{}", "is no record of a cut-over, or was damaged"),
        ("empty", b"", "is no record of a cut-over, or was damaged"),
        ("other", gzip.compress(b'{"kind": "x"}\n'), "is no record of a cut-over that this runbook knows"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RunbookError, match=why):
            released.read(tmp_path / name)
    with pytest.raises(ParameterError, match="there is no such file"):
        released.read(tmp_path / "absent")
    with pytest.raises(ParameterError, match="is a folder"):
        released.read(tmp_path)


def test_nobody_writes_while_it_is_frozen_and_the_policy_holds_theirs_to_the_byte(one):
    assert one.write("denied") == "AccessDenied"
    assert freezing.is_frozen(one.running.target, one.pipeline)
    policy = one.bucket.s3.get_bucket_policy(Bucket=one.bucket.name)["Policy"]
    assert policy.startswith(one.settings["get_bucket_policy"].decode().rstrip("}] \n"))


@pytest.fixture(scope="module")
def thawed(one) -> CutOver:
    one.freeze(wanted=False)
    return one


def test_after_the_thaw_the_bucket_is_as_it_was_before(thawed):
    after = thawed.bucket.configuration()
    # But for the pipeline's notification, which destroy takes away.
    ours = {"get_bucket_notification_configuration"}
    assert {name for name in after if after[name] != thawed.settings[name]} == ours
    with pytest.raises(RunbookError, match="nobody can write to the source"):
        thawed.release()


def test_what_changes_after_the_release_is_named(thawed):
    s3, name = thawed.bucket.s3, {"Bucket": thawed.bucket.name}
    same, other, gone, tagged = sorted(thawed.there)[:4]
    s3.put_object(**name, Key="after/1", Body=b"1")
    s3.put_object(**name, Key=other, Body=b"other bytes")
    s3.delete_object(**name, Key=gone)
    s3.put_object_tagging(**name, Key=tagged, Tagging={"TagSet": []})
    body = s3.get_object(**name, Key="live/0")["Body"].read()
    s3.put_object(**name, Key="live/0", Body=body)
    found = thawed.verified(sides=["source"])
    assert found == {
        ("source", "after/1"): "added: it was not there then",
        ("source", other): found["source", other],
        ("source", gone): "gone: it is not there any more",
        ("source", tagged): "changed: other headers, metadata or tags",
        ("source", "live/0"): "changed: written again with the same bytes",
    }
    assert found["source", other].startswith("changed: another version, other bytes, ETag")
    assert same not in {key for _, key in found}
    assert eventually(lambda: ("destination", "after/1") in thawed.verified(sides=["destination"]))


def test_the_command_line_says_whether_it_holds(thawed):
    path, env = thawed.records[0].path, thawed.parameters.env
    bucket = f"migrate.source_bucket={thawed.bucket.name}"
    region = [f"--set=migrate.source_region={HERE}", f"--set=migrate.target_region={THERE}"]
    common = ["verify", str(path), f"--set=env={env}", f"--set={bucket}", *region]
    differs = runbook(*common, "--of=source")
    assert differs.exit_code == 3, differs.stderr
    assert "after/1" in differs.stdout
    other = runbook("verify", str(path))
    assert other.exit_code == 2
    assert "the record is of 'tcutover'" in other.stderr
    wrong = runbook(*common, f"--sha256={'0' * 64}")
    assert (wrong.exit_code, "it is not the record that was released" in wrong.stderr) == (1, True)


def test_a_pipeline_that_does_not_copy_is_refused(one):
    chosen = one.parameters.cutover.model_copy(update={"pipeline": "index"})
    with pytest.raises(RunbookError, match="index is not deployed"):
        freezing.cut_over(one.running.target, one.parameters.model_copy(update={"cutover": chosen}))


def test_an_unfinished_upload_is_shown_and_cannot_be_completed(thawed):
    s3, name = thawed.bucket.s3, {"Bucket": thawed.bucket.name, "Key": "in parts"}
    upload = name | {"UploadId": s3.create_multipart_upload(**name)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"1")["ETag"]
    thawed.freeze()
    try:
        found = freezing.uploads(thawed.running.target, thawed.pipeline)
        assert found["key"].tolist() == ["in parts"]
        done = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.complete_multipart_upload(**upload, **done)
    finally:
        thawed.freeze(wanted=False)
    s3.complete_multipart_upload(**upload, **done)


def test_a_thaw_needs_nothing_of_the_pipeline_but_the_bucket(thawed):
    thawed.freeze()
    deploying = thawed.parameters.model_dump() | {"migrate": {"target_region": "eu-west-1"}}
    stack = Stack(thawed.running.target, Parameters.check(deploying), "migrate")
    with pytest.raises(RunbookError):
        freezing.cut_over(stack.target, stack.parameters)
    (one,) = freezing.describe_thaw(stack)
    assert one.bucket_name == thawed.bucket.name
    stack.apply()
    assert freezing.frozen(stack) == []
    assert not thawed.write("let in")
