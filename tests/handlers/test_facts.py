"""What a handler says of itself in its facts.yaml is what it does: by its log, its metrics and its calls."""

import re
from collections import Counter

import pytest
from support.handler_support import HANDLERS
from support.permissions.proofs import recorded
from support.scenarios import scenario_of
from support.seen import Seen
from support.watched import Invocation

from lib.operate import facts
from lib.operate.facts import Facts
from lib.operate.observe.dashboard import DIMENSION, NAMESPACE
from lib.parameters import Parameters

NAMES = sorted(path.parent.name for path in HANDLERS.glob("*/handler.py"))
# START, END and REPORT, which Lambda writes: about so many bytes.
LAMBDA_LINES_BYTES = 400
# https://aws.amazon.com/s3/pricing/: by the request's kind; and the same of DynamoDB's units.
PRICED = {
    "s3_read": r"s3:(Head|Get)\w+",
    "s3_write": r"s3:(Put|Copy|Create|Upload|Complete|List)\w+",
    "dynamodb_read": r"dynamodb:(Get|BatchGet)Item",
    "dynamodb_write": r"dynamodb:(Put|Update|BatchWrite)Item",
    "sqs_request": r"sqs:\w+",
    "sns_publish": r"sns:Publish",
    "athena_scan": r"athena:StartQueryExecution",
}
# Free, or of the function or queue that takes it, whose own handler or pipeline counts it. A query that is
# scanned pays for what is asked about it; a million requests of Glue's catalogue a month are free, and so are
# a million of CloudWatch's.
UNCOUNTED = (
    r"s3:(Delete|Abort)\w+|athena:Get\w+|glue:\w+|lambda:Invoke|sqs:SendMessage"
    r"|lambda:List\w+|sns:ListTopics|cloudwatch:\w+"
)


@pytest.fixture(scope="module")
def observe(operator, as_handler, aws_environment):
    """Returns what a handler was seen to do; each is looked at once."""
    seen: dict[str, Seen] = {}

    def of(name: str) -> Seen:
        if name not in seen:
            seen[name] = scenario_of(name)(operator, as_handler, aws_environment)
        return seen[name]

    return of


@pytest.fixture(params=NAMES)
def said(request) -> Facts:
    return facts.of(request.param)


@pytest.fixture
def seen(said, observe) -> Seen:
    return observe(said.name)


def outcomes(said: Facts, invocation: Invocation) -> list[str]:
    return [message for message in invocation.messages if message in said.outcomes]


def test_all_that_happens_to_it_is_no_failure(seen):
    assert [invocation.raised for invocation in seen.all if invocation.raised] == []
    assert all(line["key"] for invocation in seen.all for line in invocation.lines)


def test_it_logs_what_it_says_and_nothing_else(said, seen):
    logged = {message for invocation in seen.all for message in invocation.messages}
    assert logged == said.outcomes.keys() | set(said.steps)


def test_of_an_event_it_logs_one_outcome_at_most(said, seen):
    counts = Counter(len(outcomes(said, invocation)) for invocation in seen.all)
    assert counts.keys() <= {0, 1}  # none, where it was only told to erase
    assert counts[1] >= len(said.outcomes)


def test_if_all_goes_well_it_logs_in_the_order_that_it_says(said, seen):
    _, new = seen.new[0]
    assert [message for message in new.messages if message in said.sequence] == list(said.sequence)


def test_it_emits_what_it_says_and_nothing_else(said, seen):
    emitted = {metric for invocation in seen.all for metric in invocation.units}
    assert emitted == {(name, metric.unit) for name, metric in said.metrics.items()}
    namespaces = {each for invocation in seen.all for each in invocation.namespaces}
    assert namespaces == {(NAMESPACE, ((DIMENSION,),))}


def test_what_is_published_whenever_work_is_done_is_billed_and_exceptions_are_not(said, seen):
    done = [each for each in seen.all if set(said.done) & set(each.messages)]
    always = set.intersection(*(set(invocation.metrics) for invocation in done))
    for name, metric in said.metrics.items():
        if isinstance(metric.published, str):  # by parameters: where it is off, see the next test
            assert facts.value(metric.published, seen.values) == 1
        else:
            assert metric.published == (name in always), name


def test_where_versions_are_kept_no_erased_ones_are_billed():
    (metric,) = [m for m in facts.of("delete").metrics.values() if isinstance(m.published, str)]
    assert facts.value(metric.published, {"erase_versions": False}) == 0


def test_an_outcome_is_counted_by_the_metric_that_it_names_and_by_no_other(said, seen):
    counting = {metric for metric in said.outcomes.values() if metric}
    for invocation in seen.all:
        metrics = [said.outcomes[outcome] for outcome in outcomes(said, invocation)]
        counted = {name for name in said.counts if sum(invocation.metrics.get(name, []))}
        assert counted & counting == {*metrics} - {None}, invocation.messages
        if metrics == [None]:
            assert not counted, invocation.messages


def test_there_is_a_lag_for_each_value_of_the_work(said, seen):
    lags = [invocation.metrics.get(said.lag, []) for invocation in seen.all if said.lag]
    works = [invocation.metrics.get(said.work, []) for invocation in seen.all if said.lag]
    assert list(map(len, lags)) == list(map(len, works))
    assert bool(said.lag) == any(lags)


def test_the_bytes_are_those_of_the_objects(said, seen):
    size, new = seen.new[0]
    if said.bytes:
        assert new.metrics[said.bytes] == [size]


def test_it_makes_no_call_that_it_does_not_name(said, seen):
    named = {call for calls in said.calls.values() for call in calls} | set(said.uncounted)
    assert {name for invocation in seen.all for name, _ in invocation.calls} <= named


def test_the_calls_that_it_names_are_those_that_were_recorded(said):
    """`make record-calls` writes down what its own tests, all of them, make it ask."""
    made = {shape.action for shape in recorded(f"handlers/{said.name}/policy.json")}
    named = [*(call for calls in said.calls.values() for call in calls), *said.uncounted]
    assert sorted(named) == sorted(made)


def test_a_call_stands_below_its_price(said):
    for price, calls in said.calls.items():
        assert [call for call in calls if not re.fullmatch(PRICED[price], call)] == []
    assert [call for call in said.uncounted if not re.fullmatch(UNCOUNTED, call)] == []


def test_a_new_object_takes_as_many_calls_as_it_says(said, seen):
    parameters = Parameters()
    for pipeline in said.pipelines or [None]:
        values = parameters.of_pipeline(pipeline) if pipeline else {}
        for size, invocation in seen.new:
            names = {**values, **seen.values, "bytes": size}
            for price, calls in said.calls.items():
                expected = {call: seen.objects * facts.value(amount, names) for call, amount in calls.items()}
                of_a_call = max(size, 10 * 1024**2) / 1024**4 if price == "athena_scan" else 1  # else in TB
                found = {call: invocation.asked[call] * of_a_call for call in calls}
                assert found == pytest.approx(expected), (pipeline, size)


def test_about_as_much_is_logged_of_a_new_object_as_it_says(said, seen):
    size, new = seen.new[0]
    (pipeline, *_) = said.pipelines or [None]
    values = Parameters().of_pipeline(pipeline) if pipeline else {}
    expected = seen.objects * facts.value(said.log_bytes, {**values, **seen.values, "bytes": size})
    assert expected / 2 < new.logged_bytes + LAMBDA_LINES_BYTES < 2 * expected
