"""JSON in what others have written: an object, or nothing, whatever it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.json_text import json_object


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
def test_an_object_is_itself(content):
    assert json_object(json.dumps(content)) == content


@given(st.text() | st.sampled_from(["7", "null", "[{}]", '"text"']))
def test_anything_else_is_an_empty_one(text):
    assert isinstance(json_object(text), dict)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "NaN", '"{}"', "[" * 100_000, '{"a":' * 100_000])
def test_nothing_that_is_no_object_stops_who_reads_it(text):
    assert json_object(text) == {}
