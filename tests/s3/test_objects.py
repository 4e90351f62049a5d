"""Objects: when two are the same."""

from hypothesis import given
from hypothesis import strategies as st

from lib.s3 import objects, same_object

CRC = {"ChecksumCRC64NVME": "x"}

HEAD = {
    "ContentLength": 1,
    "ContentType": "text/csv",
    "Metadata": {},
    "ETag": '"1"',
    "ChecksumType": "FULL_OBJECT",
}


def test_without_checksums_the_etag_decides():
    assert objects.is_same(HEAD, HEAD | {"ChecksumType": "COMPOSITE"})
    assert not objects.is_same(HEAD, HEAD | {"ETag": '"2"'})


def test_checksums_that_both_have_decide_rather_than_the_etag():
    """The ETag of a multipart copy, or of one encrypted with KMS, is another."""
    assert objects.is_same(HEAD | CRC, HEAD | CRC | {"ETag": '"1-2"'})
    assert not objects.is_same(HEAD | CRC, HEAD | {"ChecksumCRC64NVME": "y"})
    assert not objects.is_same(HEAD | CRC, HEAD | {"ChecksumSHA256": "z", "ETag": '"1-2"'})


@given(st.sampled_from(["ContentLength", *same_object.ATTRIBUTES]))
def test_every_attribute_counts(name: str):
    assert not objects.is_same(HEAD, HEAD | {name: "another"})


def test_what_is_not_there_is_not_the_same():
    assert not objects.is_same(HEAD, None)
    assert not objects.is_same(None, HEAD)
    assert not objects.is_same(None, None)
