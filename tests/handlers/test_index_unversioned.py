"""The index of a bucket without versioning: whether an object is still the event's, its ETag tells."""

import pytest
from support.index_table import Index

MIB = 2**20


@pytest.fixture(scope="module")
def index(operator, as_handler):
    return Index.make(operator, as_handler, versioned=False)


def test_of_a_large_object_few_bytes_are_read(index):
    record = index.put("large", b"text" * (5 * MIB))
    with index.calls() as calls:
        index.deliver(record)
    assert calls == [("GetObject", "bytes=0-2003", 2004)]
    row = index.row("large")
    assert (row["file_size"], row["content_preview"]) == (20 * MIB, "text" * 125)
    assert "version_id" not in row


def test_an_object_of_parts(index):
    index.bucket.put_parts("parts", [b"a" * 5 * MIB, b"b"])
    etag = index.bucket.etag("parts").strip('"')
    index.deliver(index.record("parts", "ObjectCreated:CompleteMultipartUpload", etag=etag, size=5 * MIB + 1))
    assert index.row("parts")["content_preview"] == "a" * 500


def test_of_an_overwritten_object_the_event_tells(index):
    old = index.put("overwritten", b"first", time="2026-01-01T00:00:00.000Z")
    new = index.put("overwritten", b"the second", time="2026-01-01T00:00:01.000Z")
    index.deliver(old, new)
    first, second = index.rows("overwritten")
    assert (first["file_size"], first["etag"]) == (5, old["s3"]["object"]["eTag"])
    assert not first.keys() & {"content_type", "last_modified", "content_preview"}
    assert second["content_preview"] == "the second"


def test_an_object_overwritten_before_it_is_read_lends_no_preview(index):
    record = index.put("moving", b"first")
    client = index.module.client("s3", "us-west-1")

    def overwrite(**_):
        index.bucket.put("moving", b"second")

    client.meta.events.register("before-call.s3.GetObject", overwrite)
    index.deliver(record)
    client.meta.events.unregister("before-call.s3.GetObject", overwrite)
    assert "content_preview" not in index.row("moving")


def test_an_event_without_etag_describes_what_is_there(index):
    index.put("restored", b"body")
    index.deliver(index.record("restored", "ObjectRestore:Completed"))
    assert index.row("restored")["content_preview"] == "body"


def test_a_deleted_object(index):
    record = index.put("deleted", b"body")
    index.bucket.delete("deleted")
    index.deliver(record)
    assert index.row("deleted")["file_size"] == 4
