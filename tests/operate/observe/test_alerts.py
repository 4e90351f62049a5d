"""The topic of alerts is told what is found once, and once more when it is other."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from support import reader
from support.cleanup import remove
from support.mailbox import Mailbox

from lib.base.errors import NotDeployedError
from lib.engine.alerting import alerts_topic
from lib.engine.stack import Stack
from lib.operate.audits.audit import Audit
from lib.operate.audits.findings import UNJUDGED, Finding, Findings
from lib.operate.observe.alerts import (
    AUDITS,
    DIFFERENCES,
    MOST_LINE_CHARACTERS,
    MOST_LINES,
    Alerts,
    Count,
    count_audit,
)
from lib.parameters import Parameters
from lib.resources.sns import Topic
from lib.target import Target, connect


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "telling"})


@pytest.fixture(scope="module")
def topic(own) -> Iterator[Topic]:
    stack = Stack(connect(own), own, "observe")
    made = alerts_topic(stack, own.observe.region)
    stack.apply()
    yield made
    remove(stack)


@pytest.fixture(scope="module")
def mailbox(somebody, topic) -> Mailbox:
    return Mailbox(somebody, topic.arn)


@pytest.fixture(scope="module")
def aws(local_aws, own, topic) -> Target:
    """As who has the reader's policy sees it, with the part of it that lets one tell."""
    return reader.target_of(local_aws, own)


@pytest.fixture
def alerts(aws, own) -> Alerts:
    return Alerts.of(aws, own)


def test_what_is_found_is_told_once_and_again_when_it_changes_or_is_gone(alerts, mailbox):
    assert not alerts.tell("audit", []), "nothing was ever found"
    assert alerts.tell("audit", ["migrate: missing: a", "migrate: missing: b"])
    assert not alerts.tell("audit", ["migrate: missing: b", "migrate: missing: a"])
    assert alerts.tell("plan", ["migrate: missing: a"]), "another one's findings are its own"
    assert alerts.tell("audit", ["migrate: missing: a"])
    assert alerts.tell("audit", [])
    assert not alerts.tell("audit", [])
    assert mailbox.read() == [
        ("runbook-telling: audit finds 2", "migrate: missing: a\nmigrate: missing: b"),
        ("runbook-telling: plan finds 1", "migrate: missing: a"),
        ("runbook-telling: audit finds 1", "migrate: missing: a"),
        ("runbook-telling: audit finds nothing any more", "What was told of before is not found any more."),
    ]


def test_of_very_many_or_very_long_findings_the_first_are_told_and_the_rest_is_counted(alerts, mailbox):
    long = "z" * 2000
    assert alerts.tell("redrive", (f"{number:06d} {long}" for number in reversed(range(20_000))))
    ((subject, text),) = mailbox.read()
    assert subject == "runbook-telling: redrive finds 20,000"
    *lines, last = text.splitlines()
    assert [line[:6] for line in lines] == [f"{number:06d}" for number in range(MOST_LINES)]
    assert {len(line) for line in lines} == {MOST_LINE_CHARACTERS}, (
        "a long key without spaces is cut, not left out"
    )
    assert {line[6:].replace("z", "") for line in lines} == {" …"}
    assert last == "… and 19,900 more"


def test_what_was_told_last_is_known_of_however_many_names(alerts, mailbox):
    """No key of a tag is longer than 128 characters, which the local AWS does not know."""
    many = " ".join(["plan", *(f"{number}_a_notebook" for number in range(10, 40))])
    assert [alerts.tell(many, ["one"]) for _ in range(2)] == [True, False]
    assert alerts.tell(f"{many} 40_another", ["one"]) is True
    client = alerts.target.client("sns", alerts.parameters.observe.region)
    tags = client.list_tags_for_resource(ResourceArn=alerts.arn)["Tags"]
    assert max(len(tag["Key"]) for tag in tags) <= 128
    assert len(mailbox.read()) == 2


def test_a_key_with_whatever_is_in_it_is_one_line(alerts, mailbox):
    assert alerts.tell("audit of keys", ["index: missing: a\nb\x1b[31m\x00ü🚀"])
    ((_, text),) = mailbox.read()
    assert text == r"index: missing: a b\x1b[31m\x00ü🚀"


@given(st.lists(st.text(max_size=5), max_size=6), st.randoms())
def test_the_digest_is_of_all_lines_and_of_no_order(lines, random):
    one, other = Count(), Count()
    list(one.each(lines))
    shuffled = [*lines]
    random.shuffle(shuffled)
    list(other.each(shuffled))
    assert one.digest == other.digest
    list(other.each(["one more"]))
    assert one.digest != other.digest


def test_what_is_told_of_does_not_show_as_drift(alerts, own, topic):
    alerts.tell("drift", ["x"])
    stack = Stack(connect(own), own, "observe")
    alerts_topic(stack, own.observe.region)
    assert stack.plan().count("unchanged") == 1


def test_an_audit_is_counted_with_what_it_found_and_none_that_has_not_judged_all(aws, own, somebody):
    def audit(name: str, *findings: Finding, **more) -> Audit:
        found = Findings(most=10)
        for each in findings:
            found.add(each)
        found.close()
        return Audit(name, None, found, **more)

    lacking = [Finding("a", "missing"), Finding("b", "stale"), Finding("c", "extra", by_design=True)]
    audits = [audit("migrate", *lacking), audit("index")]
    assert count_audit(aws, own, audits, left_out=())
    for one in (
        audit("backup", error=ValueError()),
        audit("backup", contradiction="it copies elsewhere"),
        audit("backup", Finding("d", UNJUDGED, "SSE-C")),
    ):
        assert not count_audit(aws, own, [*audits, one], left_out=())
    assert not count_audit(aws, own, audits, left_out=["backup"])
    assert count_audit(aws, own, audits, left_out=(), with_differences=False)
    found = {}
    for metric in somebody("cloudwatch", "us-east-1").list_metrics(Namespace="runbook")["Metrics"]:
        if metric["Dimensions"] == [{"Name": "Environment", "Value": "runbook-telling"}]:
            found[metric["MetricName"]] = _sum(somebody, metric)
    assert found == {AUDITS: 2, DIFFERENCES: 2}


def _sum(somebody, metric: dict) -> float:
    from datetime import UTC, datetime, timedelta

    now = datetime.now(UTC)
    points = somebody("cloudwatch", "us-east-1").get_metric_statistics(
        **metric,
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)


def test_who_may_tell_may_count_in_no_other_namespace(aws):
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("cloudwatch", "us-east-1").put_metric_data(
            Namespace="others", MetricData=[{"MetricName": "x", "Value": 1.0}]
        )


def test_where_there_is_no_topic_it_says_how_one_is_made(local_aws):
    nobody = Parameters.check({"env": "untold"})
    with pytest.raises(NotDeployedError, match="runbook-untold-observe-alerts .* observe.watch=true"):
        Alerts.of(connect(nobody), nobody)
