"""Limits, grammars and enumerations."""

from lib.resources.checks import enumeration, within, written_as


def test_the_ends_of_a_range_are_in_it():
    assert list(within("rule", "days", 1, 1, 3)) == list(within("rule", "days", 3, 1, 3)) == []
    for value in (0, 4, float("nan")):
        (found,) = within("rule", "days", value, 1, 3)
        assert (found.rule, found.fix) == ("rule", "set days to 1 … 3")


def test_a_grammar_is_of_all_of_a_text():
    assert list(written_as("rule", "name", "abc", "[a-z]+", "letters")) == []
    for text in ("", "abc1", "abc\n"):
        (found,) = written_as("rule", "name", text, "[a-z]+", "letters")
        assert found.what == f"name is {text!r}"


def test_enumerations_are_aws_s():
    assert {"s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"} <= set(enumeration("s3", "Event"))
