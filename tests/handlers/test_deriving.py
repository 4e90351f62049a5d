"""What is made of an object tells of what the object is now, whatever happens to it meanwhile."""

import pytest
from support.buckets import Bucket
from support.handler_support import HANDLERS, TARGET_REGION, load_handler

load_handler(sorted(path.parent.name for path in HANDLERS.glob("*/facts.yaml"))[0])
from common.deriving import LOOKS, SourceKeepsChangingError, TooLargeError, derive_from  # noqa: E402
from common.objects import Place  # noqa: E402


@pytest.fixture(scope="module", params=[True, False], ids=["versioned", "unversioned"])
def files(operator, request) -> Bucket:
    return Bucket.make(operator, TARGET_REGION, versioned=request.param)


@pytest.fixture(scope="module")
def derived(operator) -> Bucket:
    return Bucket.make(operator, TARGET_REGION, versioned=True)


@pytest.fixture
def derive(files, derived):
    """Derives of one key; `make` is told of the key and the bytes."""

    def do(make=lambda key, body: body.upper(), largest=100, key="a"):
        source = Place(files.client, files.bucket, key)
        target = Place(derived.client, derived.bucket, f"{key}.x")
        return derive_from(source, target, make, "text/plain", largest)

    return do


def test_it_says_of_what_it_is(files, derived, derive):
    files.put("a", b"abc")
    outcome = derive()
    head = files.client.head_object(Bucket=files.bucket, Key="a")
    found = derived.client.get_object(Bucket=derived.bucket, Key="a.x")
    assert (outcome.name, outcome.size, outcome.version_id) == ("derived", 3, head.get("VersionId"))
    assert (found["Body"].read(), found["ContentType"]) == (b"ABC", "text/plain")
    told = {"source-etag": head["ETag"].strip('"'), "source-size-bytes": "3"}
    told |= {"source-version-id": head["VersionId"]} if "VersionId" in head else {}
    assert found["Metadata"] == told


def test_one_that_changes_while_it_is_read_is_read_again(files, derived, derive):
    files.put("a", b"old")
    later = iter([b"newer", b"newest"])

    def make(key, body):
        if changed := next(later, None):
            files.put(key, changed)
        return body

    derive(make)
    found = derived.client.get_object(Bucket=derived.bucket, Key="a.x")
    head = files.client.head_object(Bucket=files.bucket, Key="a")
    assert (found["Body"].read(), found["Metadata"]["source-etag"]) == (b"newest", head["ETag"].strip('"'))


def test_one_that_changes_at_each_look_is_tried_again_later(files, derive):
    files.put("a", b"0")
    seen = []

    def make(key, body):
        seen.append(body)
        files.put(key, str(len(seen)).encode())
        return body

    with pytest.raises(SourceKeepsChangingError, match=f"another at each of {LOOKS} looks"):
        derive(make)
    assert len(seen) == LOOKS


def test_one_that_is_gone_leaves_things_as_they_are(derived, derive):
    outcome = derive(key="never")
    assert (outcome.name, outcome.version_id) == ("gone", None)
    assert not derived.exists("never.x")


def test_one_that_goes_while_it_is_read_is_gone_or_done(files, derive):
    files.put("b", b"abc")

    def make(key, body):
        files.delete(key)
        return body

    assert derive(make, key="b").name == "derived"


def test_one_that_is_too_large_is_not_read(files, derived, derive):
    files.put("large", b"x" * 101)
    with pytest.raises(TooLargeError, match="101 bytes, and 100 are read at most"):
        derive(key="large")
    assert not derived.exists("large.x")
