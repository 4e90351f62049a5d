"""Limits and grammars: what botocore's models of AWS's API do not allow is found, with where and why."""

import pytest

from lib.resources.checks import enumeration, fits, within, written_as


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


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "wrong"),
    [
        ("lambda", "CreateFunction", {"FunctionName": "f", "Timeout": 0}, "Timeout is 0"),
        ("lambda", "CreateFunction", {"Runtime": "cobol85"}, "Runtime is 'cobol85', which is none of"),
        ("lambda", "CreateFunction", {"FunctionName": ""}, "FunctionName has 0 characters"),
        ("events", "PutRule", {"Name": "a b"}, "Name is 'a b', which the pattern"),
        ("events", "PutRule", {"Tags": [{"Key": "", "Value": ""}]}, "Tags.Key has 0 characters"),
        ("glue", "CreateDatabase", {"DatabaseInput": {"Name": ""}}, "DatabaseInput.Name has 0"),
        ("cloudwatch", "PutMetricAlarm", {"Dimensions": [{"Name": "", "Value": "v"}]}, "Dimensions.Name"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(service, operation, arguments, wrong):
    (found, *_) = fits(service, operation, **arguments)
    assert found.rule == "request-model"
    assert wrong in found.what


def test_what_fits_has_no_findings():
    assert list(fits("lambda", "CreateFunction", FunctionName="f", MemorySize=128, Timeout=900)) == []
    text = "Größe · 🚀 · \n\t ~"
    assert list(fits("glue", "CreateDatabase", DatabaseInput={"Name": "d", "Description": text})) == []


def test_letters_beyond_the_first_65536_are_letters_here_too():
    """Java's patterns, which the models have, spell them otherwise than Python's."""
    assert list(fits("glue", "CreateDatabase", DatabaseInput={"Name": "𝔡", "Description": "🚀" * 100})) == []


def test_enumerations_are_aws_s():
    assert {"s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"} <= set(enumeration("s3", "Event"))
