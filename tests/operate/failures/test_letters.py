"""What is in a message: the objects that it speaks of, through whatever envelope; or none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.s3_messages import event_of as event

from lib.operate.failures.letters import Letter


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_keys_are_read_through_every_envelope(keys):
    bare = json.dumps(event(*keys))
    notification = json.dumps({"Type": "Notification", "Message": bare})
    record = json.dumps({"requestContext": {}, "requestPayload": event(*keys)})
    for body in (bare, notification, record):
        assert [each.key for each in Letter(body).objects] == keys


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["Records", "s3", "object", "key", "Type", "Message", "requestPayload", "requestContext"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_anything_else_speaks_of_no_object_and_harms_nobody(content):
    assert Letter(json.dumps(content)).objects == []


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[]", "null", '{"Records": null}', '{"Records": [{}]}', "[" * 100_000]
)
def test_what_the_functions_cannot_read_is_not_an_event(body):
    assert Letter(body).objects == []


def test_a_record_that_lacks_what_the_functions_want_is_not_an_event():
    whole = event("a")["Records"][0]
    for name in whole:
        record = {each: value for each, value in whole.items() if each != name}
        assert Letter(json.dumps({"Records": [record]})).objects == []


@pytest.mark.parametrize("context", [None, "text", [], {"condition": 7}, {}])
def test_a_record_of_lambda_s_that_is_odd_has_no_condition(context):
    letter = Letter(json.dumps({"requestContext": context, "requestPayload": event("a")}))
    assert (letter.condition, [each.key for each in letter.objects]) == ("", ["a"])


@pytest.mark.parametrize("name", ["awsRegion", "eventTime", "eventName"])
@pytest.mark.parametrize("value", [None, 7, {}, []])
def test_a_record_of_other_types_is_not_an_event(name, value):
    assert Letter(json.dumps(event("a", **{name: value}))).objects == []
