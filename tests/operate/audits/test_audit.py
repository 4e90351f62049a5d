"""Audits of *migrate* and *backup*: each kind of difference is found, and nothing else."""

import gzip
import io
import json
from contextlib import nullcontext
from dataclasses import replace

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from support.audited import audited, clear, make, states
from support.cleanup import remove
from support.s3_messages import s3_event, s3_record
from support.the_five import pipelines

from lib.base.errors import NotDeployedError, ParameterError, RunbookError
from lib.engine.checklist import Checklist
from lib.engine.stack import Stack
from lib.operate.audits import athena_tables, repairing
from lib.operate.audits import audit as audits
from lib.operate.audits.findings import MISSING, SAME, UNJUDGED, Finding
from lib.operate.failures.quarantine import SET_ASIDE, quarantine, quarantined
from lib.operate.failures.redrive import Choice
from lib.operate.failures.stuck import dead
from lib.operate.pipelines import those_deployed
from lib.parameters import Parameters
from lib.resources.logs import LogGroup
from lib.resources.s3 import Bucket
from lib.s3.same_object import same_bytes
from lib.target import connect

FIVE_MB = 5 * 1024 * 1024
HARD_KEYS = ["plain", "with space/a+b%2F", "ü/🚀", "\uffee", "x" * 900]
FACTS = {"ContentType": "text/csv", "Metadata": {"origin": "test"}, "Tagging": "kind=a"}


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "taudit"})


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module", params=["backup", "migrate"])
def pipeline(request, aws, own):
    stack = make(aws, own, request.param)
    yield pipelines(own)[request.param]
    remove(stack)


@pytest.fixture
def put(aws, pipeline):
    """Puts an object into the source, or with `there=True` into the destination."""
    clear(aws, pipeline)

    def put(key: str, body: bytes = b"body", there: bool = False, **facts) -> None:
        bucket = pipeline.destination if there else pipeline.source
        client = aws.client("s3", bucket.region)
        client.put_object(Bucket=bucket.name, Key=key, Body=body, **{**FACTS, **facts})

    return put


@pytest.fixture
def found(aws, own, pipeline):
    return lambda **settings: states(aws, own, pipeline.name, **settings)


def test_two_that_are_the_same_are_clean(aws, own, pipeline, put):
    for key in HARD_KEYS:
        put(key)
        put(key, there=True)
    result = audited(aws, own, pipeline.name)
    assert result.is_clean
    assert result.counts.set_index("state")["objects"].to_dict() == dict.fromkeys(audits.STATES, 0) | {
        SAME: len(HARD_KEYS)
    }
    assert str(result) == f"{pipeline.name}: 5 same; clean"


def test_empty_buckets_are_clean(aws, own, pipeline, put):
    assert str(audited(aws, own, pipeline.name)) == f"{pipeline.name}: no objects; clean"


def test_an_audit_of_nothing_is_in_the_table_too(aws, own, pipeline):
    athena_tables.save(aws, audited(aws, own, pipeline.name), pipeline.destination)
    client, name = aws.client("s3", pipeline.destination.region), pipeline.destination.name
    (listed,) = client.list_objects_v2(Bucket=name, Prefix=athena_tables.COUNTS_PREFIX)["Contents"]
    body = client.get_object(Bucket=name, Key=listed["Key"])["Body"].read()
    row = json.loads(gzip.decompress(body))
    assert (row["pipeline"], row["state"], row["objects"]) == (pipeline.name, SAME, 0)


DIFFERENCES = {
    "bytes": ({"body": b"BODY"}, "stale", "other bytes"),
    "size": ({"body": b"longer"}, "stale", "6 bytes instead of 4"),
    "type": ({"ContentType": "text/plain"}, "metadata", "ContentType"),
    "metadata": ({"Metadata": {"origin": "other"}}, "metadata", "Metadata"),
    "class": ({"StorageClass": "STANDARD_IA"}, "metadata", "StorageClass"),
    "header": ({"CacheControl": "no-cache"}, "metadata", "CacheControl"),
    "tag": ({"Tagging": "kind=b"}, "tags", "kind"),
    "tags": ({"Tagging": ""}, "tags", "kind"),
}


def test_each_difference_is_found_and_named(aws, own, pipeline, put):
    for key, (facts, _, _) in DIFFERENCES.items():
        put(key)
        put(key, there=True, **facts)
    put("missing")
    put("same")
    put("same", there=True)
    put("foreign", there=True)
    result = audited(aws, own, pipeline.name)
    expected = {key: (state, detail) for key, (_, state, detail) in DIFFERENCES.items()}
    expected |= {
        "missing": ("missing", ""),
        "foreign": ("extra", "the source never had it, or nothing of it is left"),
    }
    rows = {row.key: (row.state, row.detail) for row in result.differences.itertuples()}
    assert rows == expected
    assert not result.is_clean
    assert list(result.differences["key"]) == sorted(expected)
    assert "other" not in repr(result).replace("other bytes", ""), "values of metadata are not shown"


def test_only_so_many_are_shown_but_all_are_there(aws, own, pipeline, put):
    for number in range(7):
        put(f"{number}")
    result = audited(aws, own, pipeline.name, most=3)
    assert len(result.differences) == 3
    assert {difference.key for difference in result.findings} == set("0123456")


def test_what_changed_lately_is_not_judged(aws, own, pipeline, put):
    put("on its way")
    result = audited(aws, own, pipeline.name, grace_s=600)
    assert result.is_clean
    assert result.counts.set_index("state")["objects"][UNJUDGED] == 1
    told = "not judged: 'on its way': changed less than 600 s ago, and may still be on its way"
    assert str(result) == f"{pipeline.name}: 1 not judged; clean; {told}"


def test_where_nothing_tells_of_objects_nothing_is_counted(aws, own, pipeline, put, monkeypatch):
    """As if somebody had taken the notification off the source; the functions are there."""
    put("a")
    put("b", there=True)
    silent = replace(audits.deployed(aws, own, pipeline.name), filters=(), at_odds=("it tells nobody",))
    silent = replace(silent, functions=pipelines(own)[pipeline.name].functions)
    monkeypatch.setattr(audits, "deployed", lambda *_: silent)
    result = audited(aws, own, pipeline.name)
    assert (result.is_clean, result.findings.counts) == (False, {})
    assert str(result).startswith(
        f"{pipeline.name}: nothing compared; NOT clean; what is deployed contradicts"
    )
    assert audits.summary([]) == "nothing compared"
    assert audits.summary([result]) == f"nothing compared; NOT clean: {pipeline.name}"


def test_what_was_deleted_is_extra_and_by_design_where_deletes_are_not_followed(aws, own, pipeline, put):
    put("deleted")
    put("deleted", there=True)
    aws.client("s3", pipeline.source.region).delete_object(Bucket=pipeline.source.name, Key="deleted")
    result = audited(aws, own, pipeline.name)
    (row,) = result.differences.itertuples()
    assert (row.key, row.state) == ("deleted", "extra")
    assert row.detail.startswith("deleted from the source at ")
    assert result.is_clean is (pipeline.name == "migrate")
    assert audited(aws, own, pipeline.name, grace_s=600).differences.empty


def test_the_longer_key_of_two_is_no_history_of_the_shorter(aws, own, pipeline, put):
    put("a.csv.bak")
    aws.client("s3", pipeline.source.region).delete_object(Bucket=pipeline.source.name, Key="a.csv.bak")
    put("a.csv", there=True)
    (row,) = audited(aws, own, pipeline.name).differences.itertuples()
    assert row.detail.startswith("the source never had it")


def test_parts_cut_elsewhere_are_compared_by_their_bytes(aws, pipeline, put, found):
    body = bytes(range(256)) * (FIVE_MB // 128)
    for bucket, part_bytes in ((pipeline.source, FIVE_MB), (pipeline.destination, FIVE_MB + 1)):
        client = aws.client("s3", bucket.region)
        for key in ("same bytes", "other bytes"):
            config = TransferConfig(multipart_threshold=1, multipart_chunksize=part_bytes)
            other = key == "other bytes" and bucket is pipeline.destination
            data = io.BytesIO(body[:-1] + b"x" if other else body)
            client.upload_fileobj(data, bucket.name, key, Config=config)
    heads = [
        aws.client("s3", bucket.region).head_object(
            Bucket=bucket.name, Key="same bytes", ChecksumMode="ENABLED"
        )
        for bucket in (pipeline.source, pipeline.destination)
    ]
    assert same_bytes(*heads) is None, "else this test proves nothing"
    assert found() == {"other bytes": "stale"}


def test_without_metadata_and_tags_the_listing_decides_what_it_can(put, found):
    put("tags")
    put("tags", there=True, Tagging="kind=b")
    put("bytes")
    put("bytes", there=True, body=b"BODY")
    assert found(metadata_and_tags=False) == {"bytes": "stale"}


def test_only_what_passes_the_filter_is_compared(aws, own):
    migrate = {"key_prefix": "in/", "key_suffix": ".csv"}
    filtered = Parameters.check({"env": "tfiltered", "migrate": migrate})
    target = connect(filtered)
    stack = make(target, filtered, "migrate")
    source = pipelines(filtered)["migrate"].source
    try:
        for key in ("in/a.csv", "in/a.txt", "out/a.csv"):
            target.client("s3", source.region).put_object(Bucket=source.name, Key=key, Body=b"")
        assert states(target, filtered, "migrate") == {"in/a.csv": "missing"}
    finally:
        remove(stack)


def test_without_delete_sync_a_backup_keeps_what_was_deleted(aws, own, pipeline, put, found):
    kept = own.model_copy(update={"backup": own.backup.model_copy(update={"delete_sync": False})})
    put("deleted")
    put("deleted", there=True)
    aws.client("s3", pipeline.source.region).delete_object(Bucket=pipeline.source.name, Key="deleted")
    make(aws, kept, pipeline.name)
    try:
        assert audited(aws, kept, pipeline.name).is_clean
    finally:
        make(aws, own, pipeline.name)


def test_bad_input_gets_a_clear_error(aws, own, pipeline, put):
    with pytest.raises(RunbookError, match="there is no pipeline 'migrat'; there are: migrate, backup"):
        audits.audit(aws, own, "migrat")
    nowhere = own.model_copy(update={"env": "tnowhere"})
    with pytest.raises(RunbookError, match="migrate is not deployed .* runbook run migrate"):
        audits.audit(aws, nowhere, "migrate")
    with pytest.raises(NotDeployedError, match="no pipeline is deployed"):
        those_deployed(aws, nowhere)
    with pytest.raises(ParameterError, match=f"is of {pipeline.name}, not of index; nothing was sent"):
        audits.repair(aws, own, "index", audited(aws, own, pipeline.name))


@pytest.fixture
def policy(somebody, pipeline):
    """Gives the source a bucket policy that denies some actions, until the test ends."""
    client, name = somebody("s3", pipeline.source.region), pipeline.source.name

    def deny(resource: str, *actions: str) -> None:
        statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))

    yield deny
    client.delete_bucket_policy(Bucket=name)


def test_what_cannot_be_judged_is_named_and_the_rest_is_judged(aws, own, pipeline, put, policy):
    put("secret", SSECustomerAlgorithm="AES256", SSECustomerKey=b"k" * 32)
    for key in ("same", "denied"):
        put(key)
        put(key, there=True)
    put("missing")
    policy(f"arn:aws:s3:::{pipeline.source.name}/denied", "s3:GetObject")
    result = audited(aws, own, pipeline.name)
    assert result.findings.counts == {SAME: 1, MISSING: 1, UNJUDGED: 2}
    reasons = {row.key: row.detail for row in result.differences.itertuples() if row.state == UNJUDGED}
    assert reasons == {
        "secret": "encrypted with a customer's key (SSE-C), which only its owner has",
        "denied": "access denied (GetObject): see its bucket's policy, and that of the KMS key it is under",
    }
    assert {finding.key for finding in result.findings} == {"secret", "denied", "missing"}, "the table too"
    assert result.findings.to_do == 1, "there is nothing to mend where nothing can be judged"


def test_a_repair_mends_the_rest(aws, own, pipeline, put, policy):
    for key in ("denied", "missing"):
        put(key)
    policy(f"arn:aws:s3:::{pipeline.source.name}/denied", "s3:GetObject")
    found = audited(aws, own, pipeline.name).findings
    assert [each.key for each in found if repairing.is_mendable(pipeline, each)] == ["missing"]
    differences = [Finding("denied", MISSING), Finding("missing", MISSING)]
    with pytest.MonkeyPatch.context() as patch:
        sent = []
        patch.setattr(repairing, "sending", lambda *_: nullcontext(sent.extend))
        assert repairing.send_all(aws, pipeline, differences) == 1
    assert [event.key for event in sent] == ["missing"]


@pytest.fixture
def set_aside(aws, own, pipeline):
    """The bucket of what was put aside, as a quarantine makes it; and the logs that it looks into."""
    stack, logs = Stack(aws, own, "redrive"), Stack(aws, own, pipeline.name)
    bucket = stack.add(Bucket(SET_ASIDE, own.redrive.region))
    logs.is_whole = False
    for what in ("replicate", "delete"):
        logs.add(LogGroup(what, pipeline.dead_letters[0].queue.region))
    for one in (stack, logs):
        one.apply()
    yield bucket
    for one in (stack, logs):
        remove(one)


# Where the failures of backup go only its functions tell, which are not made here.
@pytest.mark.parametrize("pipeline", ["migrate"], indirect=True)
def test_a_repair_waits_for_nothing_that_failed_for_good(
    aws, own, pipeline, put, set_aside, somebody, capsys, monkeypatch
):
    for key in ("dead", "put aside", "mended"):
        put(key)
    letters = pipeline.dead_letters[0]
    client = somebody("sqs", letters.queue.region)
    url = client.get_queue_url(QueueName=letters.queue.name)["QueueUrl"]
    for key in ("dead", "put aside"):
        event = s3_event(s3_record(pipeline.source.name, key, pipeline.source.region))
        client.send_message(QueueUrl=url, MessageBody=json.dumps(event))
    client.send_message(QueueUrl=url, MessageBody="hello")
    choice = Choice(key_prefix="put aside")
    assert len(quarantine(aws, [pipeline], set_aside, choice)) == 1
    somebody("s3", set_aside.region).put_object(
        Bucket=set_aside.name,
        Key=f"{pipeline.name}/{letters.queue.what}/9/notes.txt",
        Body=b"\xff no message",
    )
    assert dead(aws, pipeline) == {"dead"}
    assert quarantined(aws, own, pipeline) == {"put aside"}
    monkeypatch.setattr(repairing, "sending", lambda *_: nullcontext(lambda events: None))
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            put("mended", there=True)
        assert sum(waited) <= repairing.GIVEN_UP_S

    at_once = own.model_copy(update={"audit": own.audit.model_copy(update={"grace_s": 0})})
    found = audited(aws, own, pipeline.name)
    after = audits.repair(aws, at_once, pipeline.name, found, sleep, clock=lambda: sum(waited))
    assert {each.key for each in after.findings} == {"dead", "put aside"}
    assert (
        "not waited for: 2 objects, such as 'dead', whose earlier events failed for good"
        in capsys.readouterr().out
    )
    client.purge_queue(QueueUrl=url)


def test_nothing_judged_is_no_success(aws, own, pipeline, put, policy, capsys):
    put("a")
    put("a", there=True)
    policy(f"arn:aws:s3:::{pipeline.source.name}/*", "s3:GetObject")
    result = audited(aws, own, pipeline.name)
    assert str(result) == f"{pipeline.name}: 1 not judged; NOT clean"
    checklist = Checklist()
    audits.enter(checklist, [result])
    assert [point.holds for point in checklist] == [False]
    assert [each.what for each in checklist.left_out] == [f"{pipeline.name}: 'a', not judged"]


def test_one_that_cannot_be_judged_is_left_out_of_a_checklist_that_holds(aws, own, pipeline, put, policy):
    for key in ("same", "a\tb", "a\tc"):
        put(key)
        put(key, there=True)
    policy(f"arn:aws:s3:::{pipeline.source.name}/a*", "s3:GetObject")
    result, checklist = audited(aws, own, pipeline.name), Checklist()
    assert "a\\tb" in repr(result)
    audits.enter(checklist, [result])
    assert not result.is_clean
    assert [point.holds for point in checklist] == [True]
    (left_out,) = checklist.left_out
    assert left_out.what == f"{pipeline.name}: 2 objects, such as 'a\\tb', not judged"
    assert left_out.reason.startswith("access denied")


def test_what_is_everybodys_fault_ends_that_audit_and_no_other(aws, own, pipeline, put, policy, capsys):
    put("a")
    policy(f"arn:aws:s3:::{pipeline.source.name}", "s3:ListBucket")
    with pytest.raises(ClientError, match="AccessDenied"):
        audited(aws, own, pipeline.name)
    ended = audits.attempt(audits.audit, aws, own, pipeline.name)
    assert ended.name == pipeline.name
    assert f"{pipeline.name}: the audit did not come to its end: AccessDenied" in capsys.readouterr().out
    assert not ended.is_clean
    checklist = Checklist()
    audits.enter(checklist, [ended])
    with pytest.raises(RunbookError, match=f"{pipeline.name}: as it should be .AccessDenied: .*ListBucket"):
        checklist.require()
    assert audits.attempt(audits.repair, aws, own, pipeline.name, ended) is ended
    athena_tables.save(aws, ended, pipeline.destination)
    rows = saved(aws, pipeline.destination, athena_tables.DIFFERENCES_PREFIX)
    assert [(row["key"], row["state"]) for row in rows] == [("", "not finished")]


def saved(aws, bucket, prefix):
    """Return the rows of the newest file of a table."""
    client = aws.client("s3", bucket.region)
    listed = client.list_objects_v2(Bucket=bucket.name, Prefix=prefix)["Contents"]
    body = client.get_object(Bucket=bucket.name, Key=listed[-1]["Key"])["Body"].read()
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


def test_what_could_not_be_judged_is_in_the_saved_table(aws, own, pipeline, put, policy):
    put("denied")
    policy(f"arn:aws:s3:::{pipeline.source.name}/denied", "s3:GetObject")
    athena_tables.save(aws, audited(aws, own, pipeline.name), pipeline.destination)
    (row,) = saved(aws, pipeline.destination, athena_tables.DIFFERENCES_PREFIX)
    assert (row["key"], row["state"], row["by_design"]) == ("denied", UNJUDGED, False)
