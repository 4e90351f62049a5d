"""What the audit takes for the same is what the handlers take for the same."""

import importlib.util
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.s3.listing import Entry, same_listed
from lib.s3.same_object import differing_attributes, differing_tags, same_bytes

PATH = Path(__file__).parents[2] / "handlers" / "common" / "objects.py"
TIME = datetime(2026, 1, 2, tzinfo=UTC)


def _handlers_objects():
    spec = importlib.util.spec_from_file_location("handlers_objects", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HANDLERS = _handlers_objects()
etags = st.sampled_from(['"a"', '"b"', '"a-2"', '"b-2"', '"a-3"'])
heads = st.fixed_dictionaries(
    {"ContentLength": st.sampled_from([1, 2]), "ETag": etags},
    optional={
        "ChecksumCRC64NVME": st.sampled_from(["x", "y"]),
        "ChecksumSHA256": st.sampled_from(["x-2", "y-2", "x", "y"]),
        "ChecksumType": st.sampled_from(["FULL_OBJECT", "COMPOSITE"]),
        "ServerSideEncryption": st.sampled_from(["AES256", "aws:kms"]),
        "SSECustomerAlgorithm": st.just("AES256"),
        "ContentType": st.sampled_from(["text/csv", "text/plain"]),
        "Metadata": st.sampled_from([{}, {"a": "b"}]),
        "StorageClass": st.sampled_from(["STANDARD", "GLACIER"]),
        "CacheControl": st.just("no-cache"),
    },
)


@given(one=heads, other=heads)
def test_both_say_the_same_of_bytes_and_attributes(one, other):
    here, there = HANDLERS.ObjectState(one), HANDLERS.ObjectState(other)
    assert same_bytes(one, other) is HANDLERS.same_bytes(here, there)
    assert (not differing_attributes(one, other)) is (here.attributes == there.attributes)


@pytest.mark.parametrize(
    ("etag", "size", "same"), [("a", 1, True), ("a-2", 1, False), ("b", 1, False), ("a", 2, False)]
)
def test_what_a_listing_proves(etag, size, same):
    assert same_listed(Entry("k", 1, "a", TIME), Entry("k", size, etag, TIME)) is same
    assert same_listed(Entry("k", 1, "a", TIME), None) is False


def test_tags_are_named_not_told():
    assert differing_tags({"a": "secret", "b": "1"}, {"b": "2", "c": "3"}) == ["a", "b", "c"]
