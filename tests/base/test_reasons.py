"""Why work was not done: each error amounts to a reason, and no more of it is shown than can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base import reasons


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ClientError: An error occurred (403) when calling the HeadObject operation", "access denied"),
        ("ClientError: An error occurred (AccessDenied) when calling the PutObject …", "access denied"),
        ("ClientError: An error occurred (KMS.DisabledException) when calling …", "access denied"),
        ("ClientError: An error occurred (NoSuchBucket) when calling the GetObject …", "missing resource"),
        ("ClientError: An error occurred (NoSuchVersion) when calling the GetObject …", "source gone"),
        ("ClientError: An error occurred (SlowDown) when calling the PutObject …", "throttled"),
        ("ClientError: An error occurred (ThrottlingException) when calling the Query …", "throttled"),
        ("Sandbox.Timedout: 2026-01-02 Task timed out after 3.00 seconds", "out of time or memory"),
        ("ReadTimeoutError: no answer", "out of time or memory"),
        ("Runtime.ExitError: Error: Runtime exited: signal: killed", "out of time or memory"),
        ("ValueError: Not JSON (Expecting value): 'x'", "not an event"),
        ("KeyError: 'colour'", "function error"),
    ],
)
def test_an_error_amounts_to_a_reason(text, reason):
    assert reasons.of_error(text) == reason


@given(st.text())
def test_every_error_has_a_reason_that_says_what_to_do(text):
    assert reasons.REASONS[reasons.of_error(text)]


def test_of_an_error_only_the_call_is_shown():
    call = "An error occurred (AccessDenied) when calling the GetObject operation"
    assert reasons.in_short(f"ClientError: {call}: secret") == call
    assert reasons.in_short("ValueError: the row 4711,secret") == "ValueError"


def test_the_error_of_a_log_line_is_the_one_that_was_raised_last():
    trace = (
        "botocore.exceptions.ClientError: first\n\nTraceback …\nbotocore.exceptions.ClientError: last\nHEAD"
    )
    assert reasons.of_log_line({"exception_name": "ClientError", "exception": trace}) == "ClientError: last"
    assert reasons.of_log_line({"exception_name": "OSError", "reason": "full"}) == "OSError: full"
    assert reasons.of_log_line({}) == "error: "
    assert reasons.of_log_line({"exception_name": {}, "exception": 7}) == "{}: "
