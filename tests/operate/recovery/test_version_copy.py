"""What a faithful copy has to have besides its bytes, and in which respect two objects differ."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.operate.recovery.version_copy import checksums, difference, headers
from lib.s3.same_object import ATTRIBUTES

HEAD = {
    "ContentLength": 1,
    "ContentType": "text/csv",
    "ETag": '"1"',
    "ChecksumCRC64NVME": "x",
    "ChecksumType": "FULL_OBJECT",
    "ResponseMetadata": {},
}


def test_headers_are_all_that_describe_it_and_nothing_else():
    assert headers(HEAD) == {"ContentType": "text/csv", "StorageClass": "STANDARD", "Metadata": {}}
    whole = {name: f"a {name}" for name in ATTRIBUTES}
    assert headers(HEAD | whole) == whole


def test_checksums_are_by_algorithm_and_their_type_is_none():
    assert checksums(HEAD | {"ChecksumSHA256": "y-2"}) == {"CRC64NVME": "x", "SHA256": "y-2"}
    assert checksums({"ETag": '"1"'}) == {}


@given(st.sampled_from(ATTRIBUTES))
def test_every_header_counts_and_bytes_come_first(name):
    assert difference(HEAD, HEAD) == ""
    assert difference(HEAD, HEAD | {name: "another"}) == "headers"
    assert difference(HEAD, HEAD | {name: "another", "ChecksumCRC64NVME": "y"}) == "bytes"


@pytest.mark.parametrize(
    "one",
    [
        {"ContentLength": 1, "ETag": '"1"', "ServerSideEncryption": "aws:kms"},
        {"ContentLength": 1, "ETag": '"1-2"'},
    ],
)
def test_where_nobody_can_tell_bytes_count_as_different(one):
    assert difference(one, one | {"ETag": '"2-3"'}) == "bytes"
