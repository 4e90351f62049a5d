"""Where what is derived of an object lies, and of which object it is: by patterns alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lib.base.errors import RunbookError
from lib.operate.results import Derived, DerivedKey
from lib.s3.selection import KeyFilter

VARIABLES = {"OUTPUT_PREFIX": "out/", "ODD": "a{b}(c)*."}
PATTERNS = ["{key}.json", "{OUTPUT_PREFIX}{path}", "{OUTPUT_PREFIX}{folder}of {stem}.png", "{ODD}{path}{ODD}"]
CSV = KeyFilter("in/", ".csv")
keys = st.text(st.sampled_from("ab/. ()*\n{}ü"), max_size=12)
filters = st.builds(KeyFilter, st.sampled_from(["", "in/", "a"]), st.sampled_from(["", ".csv", "a"]))


@given(st.sampled_from(PATTERNS), filters, keys)
def test_a_derived_key_leads_back_to_the_object_and_to_no_other(pattern, told, middle):
    key, where = f"{told.prefix}{middle}{told.suffix}", DerivedKey(pattern, VARIABLES)
    written = where.of(key, told)
    assert written.startswith(where.prefix)
    assert list(where.source(written, told)) == [key]


@given(st.sampled_from(PATTERNS), filters, keys)
def test_what_leads_back_was_derived(pattern, told, written):
    where = DerivedKey(pattern, VARIABLES)
    for key in where.source(written, told):
        assert told.takes(key)
        assert where.of(key, told) == written


@pytest.mark.parametrize(
    ("pattern", "key", "told", "written"),
    [
        ("{key}.json", "a/b.txt", KeyFilter(), "a/b.txt.json"),
        ("{OUTPUT_PREFIX}{folder}of_{stem}.json", "in/a//x.csv", CSV, "out/a//of_x.json"),
        ("{OUTPUT_PREFIX}{path}.json", "in/a/x.csv", KeyFilter("in/", ".csv"), "out/a/x.csv.json"),
        ("{OUTPUT_PREFIX}{stem}", "x", KeyFilter(), "out/x"),
    ],
)
def test_where_it_is(pattern, key, told, written):
    assert DerivedKey(pattern, VARIABLES).of(key, told) == written


def test_what_is_none_of_ours_leads_nowhere():
    where = DerivedKey("{OUTPUT_PREFIX}{stem}.json", VARIABLES)
    for written in ("out/a/b.json", "out/a", "elsewhere/a.json"):
        assert not list(where.source(written, KeyFilter()))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{OUTPUT_PREFIX}x", "nothing of the object's key"),
        ("{bucket}{key}", "{bucket} is neither a variable nor one of key, path, folder, name, stem"),
        ("{}", "is neither"),
        ("{key", "expected '}'"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(pattern, why):
    with pytest.raises(ValidationError, match=why):
        Derived(kind="derived", keys=(pattern,), told_in="body")


def test_a_variable_that_no_function_has_is_named():
    with pytest.raises(RunbookError, match="no function has the variable WHERE"):
        DerivedKey("{WHERE}{key}", VARIABLES)
