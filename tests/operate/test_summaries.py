import pandas as pd

from lib.operate import facts
from lib.operate.summaries import in_order, steps

SAID = facts.of("summarize")
STEPS = ("event received", "CSV downloaded", "JSON uploaded")


def log(*lines):
    """Lines of a log, a second apart: each a key and a message."""
    times = [f"2026-01-01T00:00:{second:02}Z" for second in range(len(lines))]
    return pd.DataFrame(lines, columns=["key", "message"]).assign(timestamp=times)


def test_files_that_are_summarized_at_once_are_told_apart():
    both = log(*((key, step) for step in STEPS for key in ("a", "b")))
    assert in_order(both, ["a", "b"], SAID) == [True, True]
    assert list(steps(both, SAID).loc["b"].dropna().str[-3:-1]) == ["01", "03", "05"]


def test_what_is_tried_again_counts_by_its_last_attempt():
    again = log(*(("a", step) for step in (*STEPS[:2], *STEPS)))
    assert in_order(again, ["a"], SAID) == [True]
    assert steps(again, SAID).loc["a", "event received"].endswith(":02Z")


def test_another_order_a_missing_step_and_a_missing_file_are_seen():
    lines = [("a", step) for step in reversed(STEPS)] + [("b", step) for step in STEPS[:2]]
    assert in_order(log(*lines), ["a", "b", "c"], SAID) == [False, False, False]


def test_a_rejected_file_has_no_summary():
    (row,) = steps(log(("a", STEPS[0]), ("a", STEPS[1]), ("a", "CSV rejected")), SAID).to_dict("records")
    assert pd.isna(row["JSON uploaded"])
    assert row["CSV rejected"].endswith(":02Z")
