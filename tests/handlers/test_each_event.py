"""What every handler does with the events of a message."""

import pytest
from support.handler_support import load_handler
from support.s3_messages import s3_event, s3_record

load_handler("replicate")
from common.each_event import for_each_event  # noqa: E402
from common.events import object_events  # noqa: E402


class Lines:
    """A logger that keeps what it is given."""

    def __init__(self):
        self.lines, self.context = [], {}

    def exception(self, message, **facts):
        self.lines.append((message, {**facts, **self.context}))

    def thread_safe_append_keys(self, **keys):
        self.context = keys

    def thread_safe_remove_keys(self, keys):
        self.context = {}


def test_one_that_fails_is_logged_and_raised_after_all_others_are_done():
    done, log = [], Lines()

    def do(event):
        done.append(event.key)
        if event.key == "bad":
            raise RuntimeError("no")

    events = object_events(s3_event(*(s3_record("b", key) for key in ("bad", "good"))))
    with pytest.raises(ExceptionGroup, match="Not done") as raised:
        for_each_event(events, do, log, "Not done")
    assert done == ["bad", "good"]
    assert [str(error) for error in raised.value.exceptions] == ["no"]
    assert log.lines == [("failed", {"bucket": "b", "key": "bad", "version": None})]


def test_each_line_about_an_event_that_s3_did_not_send_says_so():
    log = Lines()

    def fail(event):
        raise RuntimeError(event.key)

    sent = {**s3_record("b", "sent"), "sentTime": "2026-11-30T12:00:00.000Z"}
    with pytest.raises(ExceptionGroup):
        for_each_event(object_events(s3_event(sent, s3_record("b", "new"))), fail, log, "Not done")
    assert [(facts["key"], facts.get("told_later")) for _, facts in log.lines] == [
        ("sent", True),
        ("new", None),
    ]


@pytest.mark.parametrize(
    "broken", [1, {}, {"eventSource": "aws:s3"}, {"eventSource": "aws:sqs", "body": "["}]
)
def test_a_record_that_cannot_be_read_holds_up_no_other(broken):
    done, log = [], Lines()
    records = [broken, s3_record("b", "one"), broken, s3_record("b", "two")]
    with pytest.raises(ExceptionGroup, match="Not done") as raised:
        for_each_event(
            object_events(s3_event(*records)), lambda event: done.append(event.key), log, "Not done"
        )
    assert done == ["one", "two"]
    assert [type(error) for error in raised.value.exceptions] == [ValueError]
    assert log.lines == [("unreadable record", {})]


def test_a_message_of_which_nothing_can_be_read_is_an_error_of_its_own():
    with pytest.raises(ValueError, match="Not a record"):
        for_each_event(object_events(s3_event(1, 2)), print, Lines(), "Not done")


def test_what_is_logged_of_a_failure_can_be_chosen():
    log = Lines()

    def fail(event):
        raise RuntimeError("no")

    with pytest.raises(ExceptionGroup):
        events = object_events(s3_event(s3_record("b", "k")))
        for_each_event(events, fail, log, "Not done", facts=lambda _, error: {"reason": str(error)})
    assert log.lines == [("failed", {"bucket": "b", "key": "k", "reason": "no"})]


def test_nothing_is_made_of_a_probe_but_a_line_that_it_came():
    class Told(Lines):
        def info(self, message, **facts):
            self.lines.append((message, facts))

    done, log = [], Told()
    probe = f"in/runbook-probe-{'0a' * 16}.csv"
    put, removed = s3_record("b", probe), s3_record("b", probe, event_name="ObjectRemoved:Delete")
    put["s3"]["object"]["size"] = 0
    del removed["s3"]["object"]["size"]
    like_one = s3_record("b", probe)
    like_one["s3"]["object"]["size"] = 1  # somebody's file of that name is a file
    others = [s3_record("b", key) for key in ("runbook-probe-", f"runbook-probe-{'0a' * 16}/a.csv")]
    records = (put, removed, like_one, *others)
    for_each_event(object_events(s3_event(*records)), lambda e: done.append((e.key, e.size)), log, "Not done")
    assert [(message, facts["probe"]) for message, facts in log.lines] == [("probe", probe)] * 2
    assert "key" not in log.lines[0][1]  # or it would be among the outcomes
    assert done[0] == (probe, 1)
    assert len(done) == 3
