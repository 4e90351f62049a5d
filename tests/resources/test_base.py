"""What all resources have in common: names, tags, roles, and what differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.resources.base import (
    TAG_ROLE,
    Scope,
    differences,
    our_tags,
    retagged,
    roles,
    tag_dict,
    tag_list,
)
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue

SCOPE = Scope("runbook", "test", "migrate", "000000000000")
PARTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


@given(PARTS, PARTS, PARTS, PARTS)
def test_a_name_tells_its_pipeline_and_no_two_scopes_share_a_beginning(prefix, env, pipeline, what):
    scope = Scope(prefix, env, pipeline, "000000000000")
    for name in (scope.name(what), scope.name(what).replace("-", "_"), f"/aws/lambda/{scope.name(what)}"):
        assert scope.pipeline_of(name) == pipeline
    longer = Scope(prefix, f"{env}x", pipeline, "000000000000")
    assert not longer.name(what).startswith(scope.beginning)
    assert scope.name(what).startswith(Scope(prefix, env, "", "000000000000").beginning)


def test_a_key_is_that_of_the_region():
    arns = tuple(f"arn:aws:kms:{region}:000000000000:key/k" for region in ("us-west-1", "us-west-2"))
    scope = Scope("runbook", "test", "migrate", "000000000000", kms_key_arns=arns)
    assert scope.kms_key_arn("us-west-2") == arns[1]
    assert scope.kms_key_arn("us-west") == ""


def test_what_it_needs_is_what_its_description_refers_to():
    dead, queue = Queue("dead", "us-west-1"), Queue("files", "us-west-1")
    queue.dead_letter = dead
    for one in (dead, queue):
        one.scope = SCOPE
    assert queue.needs == [dead.arn]
    assert dead.needs == []


def test_only_what_differs_is_a_difference_and_what_we_do_not_manage_is_none():
    found = {"a": [1, 2], "b": {"x": 1}, "theirs": 7}
    assert differences(found, {"a": [2, 1], "b": {"x": 1}}) == {}
    assert differences(found, {"a": [1], "b": {"x": 1}, "c": None}) == {"a": [1]}
    assert differences(None, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize("spelling", [("Key", "Value"), ("key", "value")])
def test_tags_are_read_in_both_spellings(spelling):
    key, value = spelling
    assert tag_dict([{key: "a", value: "1"}]) == {"a": "1"}
    assert tag_dict(tag_list({"a": "1", "b": ""})) == {"a": "1", "b": ""}


def test_an_end_says_its_role_by_a_tag_and_only_a_known_one():
    bucket = Bucket("files", "us-west-1", role="source+destination")
    bucket.scope = SCOPE
    assert roles(bucket.tags) == {"source", "destination"}
    assert TAG_ROLE not in {**SCOPE.tags}
    with pytest.raises(ValueError, match="sink is none of source, destination, holding"):
        Bucket("files", "us-west-1", role="source+sink")


def test_a_role_that_is_no_more_is_written_empty_which_is_none():
    with_role = SCOPE.tags | {TAG_ROLE: "source", "cost-center": "4711"}
    assert retagged(with_role, SCOPE.tags) == {TAG_ROLE: "", **SCOPE.tags}
    assert retagged(SCOPE.tags, SCOPE.tags) == SCOPE.tags
    assert our_tags(with_role | {TAG_ROLE: ""}) == SCOPE.tags
    assert our_tags(with_role) == SCOPE.tags | {TAG_ROLE: "source"}
