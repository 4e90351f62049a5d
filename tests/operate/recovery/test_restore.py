"""Restoring from a bucket of versions: what is chosen, what is copied, and what is refused."""

import json
import secrets
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pandas as pd
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.awsrequest import AWSResponse

from lib.base.errors import NotDeployedError, NotOursError, ParameterError, RunbookError
from lib.operate.recovery.drill import SAME, brake, compare
from lib.operate.recovery.restore import Restore, from_parameters, our_bucket
from lib.operate.recovery.restore_tally import PROBLEMS_KEPT, Outcome, Tally
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.s3.objects import Place
from lib.s3.versions import Version, histories

HARD = "folder/Project Idea+ü 100%.csv"
DESCRIBED = {
    "ContentType": "text/csv",
    "CacheControl": "max-age=7",
    "Metadata": {"origin": "test"},
    "StorageClass": "STANDARD_IA",
    "Tagging": "project=a%20b&kind=test",
}


@pytest.fixture
def places(stack, target) -> tuple[Place, Place]:
    """A bucket to restore from, and one in another region to restore into."""
    buckets = [stack.add(Bucket("dr", "us-east-2")), stack.add(Bucket("primary", "us-east-1"))]
    stack.apply()
    return tuple(Place(target.client("s3", bucket.region), bucket.name) for bucket in buckets)


def put(place: Place, key: str, body: bytes = b"body", **described) -> datetime:
    """Write an object; returns when S3 says that it was written."""
    place.client.put_object(Bucket=place.bucket, Key=key, Body=body, **described)
    return newest(place, key)


def newest(place: Place, key: str) -> datetime:
    return next(history for name, history in histories(place, key) if name == key)[0].time


def body(place: Place, key: str) -> bytes:
    return place.client.get_object(Bucket=place.bucket, Key=key)["Body"].read()


def states(tally: Tally) -> dict[str, int]:
    return dict(zip(tally.table()["state"], tally.table()["objects"], strict=True))


def soon() -> datetime:
    return datetime.now(UTC)


def test_it_restores_what_was_current_then_and_nothing_else(places):
    dr, primary = places
    put(dr, "overwritten", b"first")
    put(dr, "deleted")
    dr.client.delete_object(Bucket=dr.bucket, Key="deleted")
    put(dr, HARD, b"x" * 100, **DESCRIBED)
    at = put(dr, "overwritten", b"second")
    put(dr, "overwritten", b"spoiled")
    put(dr, "later")
    for key in ("overwritten", HARD, "later"):
        dr.client.delete_object(Bucket=dr.bucket, Key=key)
    put(primary, "only here")
    restore = Restore(dr, primary, at)
    expected = {"was deleted": 1, "came later": 1, "only here": 1}
    assert states(restore.plan()) == {"to restore": 2, **expected}
    assert list(histories(primary))[0][0] == "only here", "a plan writes nothing"
    assert states(restore.run()) == {"restored": 2, **expected}
    assert body(primary, "overwritten") == b"second"
    assert {key for key, _ in histories(primary)} == {"overwritten", HARD, "only here"}
    head = primary.head(HARD)
    assert all(head[name] == value for name, value in DESCRIBED.items() if name != "Tagging")
    assert primary.tags(HARD) == {"project": "a b", "kind": "test"}
    assert states(restore.run()) == {"in place": 2, **expected}
    assert len(dict(histories(primary))["overwritten"]) == 1, "what is the same is not copied again"


@pytest.mark.parametrize("deleted", [False, True])
def test_what_was_uploaded_in_parts_is_restored_in_the_same_parts(places, deleted):
    dr, primary = places
    content = bytes(range(256)) * 4096 * 9
    extra = {name: DESCRIBED[name] for name in ("ContentType", "Metadata", "Tagging")}
    config = TransferConfig(multipart_threshold=1, multipart_chunksize=8 * 1024 * 1024)
    dr.client.upload_fileobj(BytesIO(content), dr.bucket, "large", ExtraArgs=extra, Config=config)
    at, etag = newest(dr, "large"), dr.head("large")["ETag"]
    put(dr, "large", b"spoiled")
    if deleted:
        dr.client.delete_object(Bucket=dr.bucket, Key="large")
    assert states(Restore(dr, primary, at).run()) == {"restored": 1}
    head = primary.head("large")
    assert (head["ETag"], head["Metadata"], head["ContentType"]) == (etag, {"origin": "test"}, "text/csv")
    assert primary.tags("large") == {"project": "a b", "kind": "test"}
    assert body(primary, "large") == content
    assert states(Restore(dr, primary, at).run()) == {"in place": 1}


def test_what_would_be_lost_for_want_of_versions_is_not_overwritten(places, somebody):
    """As in a primary bucket that is adopted, and was never told to keep any."""
    dr, client = places[0], somebody("s3")
    into = Place(client, f"unversioned-{secrets.token_hex(4)}")
    client.create_bucket(Bucket=into.bucket)
    put(into, "there", b"theirs")
    put(dr, "absent")
    at = put(dr, "there", b"ours")
    with pytest.raises(RunbookError, match="keeps no versions: 1 object there would be lost"):
        Restore(dr, into, at, overwrite_newer=True).run()
    assert into.head("absent") is None and body(into, "there") == b"theirs"
    client.delete_object(Bucket=into.bucket, Key="there")
    assert states(Restore(dr, into, at).run()) == {"restored": 2}


def test_newer_data_is_refused_before_anything_is_written_unless_said(places):
    dr, primary = places
    put(primary, "older", b"not it")
    put(dr, "absent")
    put(dr, "older")
    at = put(dr, "newer", b"of then")
    put(primary, "newer", b"of now")
    with pytest.raises(RunbookError, match="1 object written after .*'newer'; nothing was done"):
        Restore(dr, primary, at).run()
    assert not primary.head("absent")
    assert states(Restore(dr, primary, at).plan()) == {"to restore": 1, "to replace": 1, "newer": 1}
    assert states(Restore(dr, primary, at, overwrite_newer=True).run()) == {"restored": 3}
    assert body(primary, "newer") == b"of then"
    assert len(dict(histories(primary))["newer"]) == 2, "what was overwritten is kept"


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize(
    "change", [{"Metadata": {"a": "1"}}, {"Tagging": "a=1"}, {"CacheControl": "no-cache"}]
)
def test_the_same_bytes_with_other_headers_or_tags_are_not_the_same(places, change, deleted):
    dr, primary = places
    put(primary, "k", **change)
    at = put(dr, "k")
    if deleted:
        dr.client.delete_object(Bucket=dr.bucket, Key="k")
    assert states(Restore(dr, primary, at).run()) == {"restored": 1}
    assert states(Restore(dr, primary, at).plan()) == {"in place": 1}
    assert primary.tags("k") == {}


def test_only_the_prefix_is_restored(places):
    dr, primary = places
    for key in ("in/a", "out/a"):
        at = put(dr, key)
    assert states(Restore(dr, primary, at, "in/").run()) == {"restored": 1}
    assert not primary.head("out/a")


def test_a_time_before_the_first_version_or_to_come_is_refused(places):
    dr, primary = places
    with pytest.raises(ParameterError, match="before the first version .* it has none"):
        Restore(dr, primary, soon()).plan()
    at = put(dr, "k")
    with pytest.raises(ParameterError, match=f"before the first version .*: {at.isoformat()[:19]}"):
        Restore(dr, primary, at - timedelta(seconds=1)).run()
    with pytest.raises(ParameterError, match="has not come yet"):
        Restore(dr, primary, soon() + timedelta(minutes=1)).run()
    assert not primary.head("k")


def test_what_fails_does_not_hold_up_the_others_and_is_told(places, somebody):
    dr, primary = places
    put(dr, "forbidden")
    at = put(dr, "k")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{primary.bucket}/forbidden",
    }
    root = somebody("s3")
    policy = {"Version": "2012-10-17", "Statement": [deny]}
    root.put_bucket_policy(Bucket=primary.bucket, Policy=json.dumps(policy))
    done = Restore(dr, primary, at).run()
    assert states(done) == {"restored": 1, "failed": 1}
    assert done.problems.loc[0, "key"] == "forbidden"
    assert "AccessDenied" in done.problems.loc[0, "why"]
    root.delete_bucket_policy(Bucket=primary.bucket)
    assert states(Restore(dr, primary, at).run()) == {"restored": 1, "in place": 1}


def test_archived_versions_are_told_and_not_tried(places):
    dr, primary = places
    at = put(dr, "frozen", StorageClass="DEEP_ARCHIVE")
    done = Restore(dr, primary, at).run()
    assert states(done) == {"archived": 1}
    assert "have S3 restore it" in done.problems.loc[0, "why"]
    assert not primary.head("frozen")


def test_many_keys_at_once(places):
    dr, primary = places
    keys = [f"{number:03}" for number in range(120)]
    for key in keys:
        at = put(dr, key, key.encode())
    assert states(Restore(dr, primary, at).run()) == {"restored": len(keys)}
    assert [key for key, _ in histories(primary)] == keys
    assert all(body(primary, key) == key.encode() for key in keys[::20])


def test_only_a_bucket_of_this_environment_is_restored_into(stack, target, parameters, somebody):
    name = stack.add(Bucket("into", "us-west-1")).name
    stack.apply()
    place = our_bucket(target, parameters, name)
    assert (place.bucket, place.client.meta.region_name) == (name, "us-west-1")
    with pytest.raises(NotOursError, match="ours begin with runbook-test-"):
        our_bucket(target, parameters, "runbook-prod-x")
    with pytest.raises(NotDeployedError, match="there is no bucket runbook-test-nothing"):
        our_bucket(target, parameters, "runbook-test-nothing")
    root = somebody("s3", "us-west-1")
    root.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(ParameterError, match="keeps no versions"):
        our_bucket(target, parameters, name)
    root.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "runbook:env", "Value": "prod"}]})
    with pytest.raises(NotOursError, match="not the tag runbook:env=test"):
        our_bucket(target, parameters, name)


def test_without_a_time_or_a_pipeline_nothing_is_restored(target):
    with pytest.raises(ParameterError, match="restore.at: say to which point in time"):
        from_parameters(target, Parameters.check({"env": "test"}))
    at = Parameters.check({"env": "test", "restore": {"at": "2026-01-02T15:04:05Z"}})
    with pytest.raises(RunbookError, match="backup is not deployed"):
        from_parameters(target, at)
    with pytest.raises(RunbookError, match="backup is not deployed"):
        brake(target, at)
    with pytest.raises(ParameterError, match="no time with a zone"):
        Parameters.check({"restore": {"at": "2026-01-02 15:04"}})


def test_problems_are_bounded_the_counts_are_not():
    tally = Tally()
    for number in range(PROBLEMS_KEPT + 5):
        tally.add(Outcome(str(number), "failed", Version(str(number), "v", soon(), bytes=2), "why"))
    assert len(tally.problems) == PROBLEMS_KEPT
    assert tally.table().to_dict("records")[0]["bytes"] == 2 * (PROBLEMS_KEPT + 5)


def test_manifests_are_compared_in_everything():
    columns = ["key", "bytes", "sha256", "headers", "tags"]
    before = [("a", 1, "x", "{}", "{}"), ("b", 1, "y", "{}", "{}"), ("c", 1, "z", "{}", "{}")]
    after = [("a", 1, "x", "{}", "{}"), ("b", 1, "y", "{}", "{1}"), ("d", 1, "z", "{}", "{}")]
    found = compare(*(pd.DataFrame(rows, columns=columns) for rows in (before, after)))
    found = found.set_index("key")[SAME]
    assert found.loc["a"].all()
    assert found.loc["b"].tolist() == [True, True, False]
    assert not found.loc[["c", "d"]].any(axis=None)


def in_parts(place: Place, key: str, bodies: list[bytes], **described) -> datetime:
    """Upload in these very parts; returns when S3 says that it was written."""
    name = {"Bucket": place.bucket, "Key": key}
    upload = name | {"UploadId": place.client.create_multipart_upload(**name, **described)["UploadId"]}
    etags = [
        place.client.upload_part(**upload, PartNumber=number, Body=body)["ETag"]
        for number, body in enumerate(bodies, start=1)
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, start=1)]
    place.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return newest(place, key)


MIB = 2**20
ODD_PARTS = {
    "empty": [b""],
    "an empty last one": [b"a" * 5 * MIB, b""],
    "of different sizes": [b"a" * 6 * MIB, b"b" * 5 * MIB, b"c"],
}


def test_objects_in_odd_parts_are_restored_with_all_that_describes_them(places):
    dr, primary = places
    described = {"ExpiresString": "never", "Metadata": {"a": "b"}, "Tagging": "t=1", "CacheControl": "no"}
    for key, bodies in ODD_PARTS.items():
        in_parts(dr, key, bodies, **described)
    at = put(dr, "empty and whole", b"")
    assert states(Restore(dr, primary, at).run()) == {"restored": 4}
    for key, bodies in ODD_PARTS.items():
        there = primary.head(key)
        assert body(primary, key) == b"".join(bodies)
        assert (there["ETag"], there["ExpiresString"]) == (dr.head(key)["ETag"], "never")
        assert primary.tags(key) == {"t": "1"}
    assert states(Restore(dr, primary, at).run()) == {"in place": 4}
    assert not primary.client.list_multipart_uploads(Bucket=primary.bucket).get("Uploads")


def test_what_has_come_since_is_no_part_of_what_was_restored(places):
    dr, primary = places
    put(dr, "deleted then")
    dr.client.delete_object(Bucket=dr.bucket, Key="deleted then")
    at = put(dr, "then")
    for place in places:
        put(place, "since")
        put(place, "deleted then", b"back again")
    put(primary, "only here")
    others = {"came back": 1, "came since": 1, "only here": 1}
    plan = Restore(dr, primary, at).plan()
    assert states(plan) == {"to restore": 1, **others}
    assert (plan.differing, plan.others) == (1, 3)
    done = Restore(dr, primary, at).run()
    assert states(done) == {"restored": 1, **others}
    after = Restore(dr, primary, at).plan()
    assert (after.differing, after.others, after.count("in place")) == (0, 3, 1)
    assert body(primary, "deleted then") == b"back again", "a restore deletes nothing"


def test_a_key_that_cannot_be_judged_does_not_hold_up_the_others(places):
    dr, primary = places
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    put(primary, "secret", **key)
    put(dr, "secret")
    at = put(dr, "k")
    plan = Restore(dr, primary, at).plan()
    assert states(plan) == {"to restore": 1, "not judged": 1}
    assert "encrypted with a customer's key" in plan.problems.loc[0, "why"]
    done = Restore(dr, primary, at, overwrite_newer=True).run()
    assert states(done) == {"restored": 1, "not judged": 1}
    assert Restore(dr, primary, at).plan().differing == 1


def test_a_copy_that_is_not_the_same_is_not_counted_as_restored(places):
    dr, primary = places
    at = put(dr, "k", Metadata={"a": "1"})

    def replace_metadata(params, **_):
        params["headers"] |= {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-a": "2"}

    primary.client.meta.events.register("before-call.s3.CopyObject", replace_metadata)
    done = Restore(dr, primary, at).run()
    primary.client.meta.events.unregister("before-call.s3.CopyObject", replace_metadata)
    assert states(done) == {"failed": 1}
    assert done.problems.loc[0, "why"] == "the copy has other Metadata; run again"


@pytest.mark.parametrize(
    "key", ["new\nline", "\r", "\x00\x1b[2J\x7f", "\ufffe", "//", "./..", "?x#y", "&#1;"]
)
def test_keys_of_any_shape_are_restored(places, key):
    dr, primary = places
    in_parts(dr, f"{key} in parts", [b"body"])
    at = put(dr, key)
    assert states(Restore(dr, primary, at).run()) == {"restored": 2}
    assert [found for found, _ in histories(primary)] == sorted([key, f"{key} in parts"])


def test_what_intelligent_tiering_has_archived_is_told(places):
    dr, primary = places
    put(dr, "k")
    at = put(dr, "tiered", StorageClass="INTELLIGENT_TIERING")
    answer = b"<Error><Code>InvalidObjectState</Code><Message>Operation is not valid</Message></Error>"

    def refuse(request, **_):
        if "tiered" not in request.url:
            return None
        response = AWSResponse(request.url, 403, {"Content-Type": "application/xml"}, None)
        response._content = answer
        return response

    primary.client.meta.events.register("before-send.s3.CopyObject", refuse)
    done = Restore(dr, primary, at).run()
    primary.client.meta.events.unregister("before-send.s3.CopyObject", refuse)
    assert states(done) == {"archived": 1, "restored": 1}
    assert "InvalidObjectState" in done.problems.loc[0, "why"]
