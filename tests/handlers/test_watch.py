"""*watch* counts what is not well in an environment: in queues, topics and copies, whatever their names."""

import json
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.handler_support import load_handler
from support.handler_user import lambda_context
from support.seen import LOG_GROUP, Seen
from support.watched import Invocation, watched

load_handler("watch")
from looking import GROWN_TIMES, grows, lacking, queues  # noqa: E402

HOME, ELSEWHERE = "us-east-1", "us-west-1"
CONTEXT = lambda_context("watch")
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


class Environment:
    """An environment of its own, with two buckets, one of which is a copy, and the handler that watches."""

    def __init__(self, operator, as_handler, regions=(HOME, ELSEWHERE)):
        self.operator = operator
        self.name = f"watched-{uuid.uuid4().hex[:8]}"
        self.began = datetime.now(UTC)
        self.source, self.copies = (self._bucket(what) for what in ("source", "copies"))
        ends = [{"bucket": name, "region": HOME} for name in (self.source, self.copies)]
        copy = {"pipeline": "copying", "prefix": "", "source": ends[0], "destination": ends[1]}
        variables = {
            "NAMES_BEGIN_WITH": f"{self.name}-",
            "WATCHED": self.name,
            "REGIONS": ",".join(regions),
            "COPIES": json.dumps([copy]),
            "OWNER": "000000000000",
            "MOST_COUNTED": "3",
            "GRACE_S": "0",
            "PERIOD_S": "3600",
        }
        policy = {
            "our_queue_arn": f"arn:aws:sqs:*:000000000000:{self.name}-*",
            "our_bucket_arn": f"arn:aws:s3:::{self.name}-*",
            "log_group_arn": LOG_GROUP,
        }
        self.handler = as_handler("watch", HOME, variables, policy)

    def _bucket(self, what: str) -> str:
        self.client("s3").create_bucket(Bucket=f"{self.name}-{what}")
        return f"{self.name}-{what}"

    def client(self, service: str, region: str = HOME):
        return self.operator.client(service, region_name=region)

    def queue(self, what: str, messages: int, region: str = HOME, is_worked_off: bool = False) -> str:
        sqs = self.client("sqs", region)
        url = sqs.create_queue(QueueName=f"{self.name}-{what}")["QueueUrl"]
        for number in range(messages):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
        if is_worked_off:  # by a function that never comes to it
            self._work_off(f"arn:aws:sqs:{region}:000000000000:{self.name}-{what}", region)
        return url

    def _work_off(self, queue: str, region: str) -> None:
        iam = self.client("iam")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [TRUST]})
        role = iam.create_role(RoleName=f"{self.name}-idle", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
        function = self.client("lambda", region)
        function.create_function(
            FunctionName=f"{self.name}-idle",
            Runtime="python3.13",
            Handler="handler.handler",
            Role=role,
            Code={"ZipFile": EMPTY},
        )
        function.create_event_source_mapping(
            EventSourceArn=queue, FunctionName=f"{self.name}-idle", Enabled=False
        )

    def told(
        self, namespace: str, metric: str, value: float, whose: dict, ago: timedelta, region=HOME
    ) -> None:
        """Have CloudWatch know a value of some time ago."""
        self.client("cloudwatch", region).put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": metric,
                    "Value": value,
                    "Timestamp": datetime.now(UTC) - ago,
                    "Dimensions": [{"Name": name, "Value": text} for name, text in whose.items()],
                }
            ],
        )

    def published(self, metric: str, **more: str) -> list[float]:
        """Return what CloudWatch has of a metric of this environment."""
        whose = {"Environment": self.name, **more}
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace="runbook",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": text} for name, text in whose.items()],
            StartTime=self.began - timedelta(minutes=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return [point["Maximum"] for point in points]

    def watch(self) -> Invocation:
        return watched(self.handler, lambda: self.handler.handler({}, CONTEXT))


EMPTY = b"PK\x05\x06" + bytes(18)  # a zip with nothing in it


@pytest.fixture
def environment(operator, as_handler) -> Environment:
    return Environment(operator, as_handler)


@given(st.lists(st.integers(0, 5), max_size=8))
def test_a_queue_grows_if_it_did_so_each_of_the_last_times(values):
    last = values[-GROWN_TIMES - 1 :]
    steps = [other - one for one, other in zip(last, last[1:], strict=False)]
    assert grows(values) == (len(steps) == GROWN_TIMES and min(steps) > 0)


def test_where_all_is_well_it_counts_nothing_and_publishes_that(environment):
    environment.queue("dead-letters", 0)
    totals = environment.handler.handler({}, CONTEXT)
    assert set(totals.values()) == {0}
    assert {name: environment.published(name) for name in totals} == dict.fromkeys(totals, [0])


def test_what_is_in_a_queue_that_nobody_works_off_was_not_done_in_any_region(environment):
    environment.queue("dead-letters", 2)
    environment.queue("failures", 1, ELSEWHERE)
    environment.queue("uploads", 3, ELSEWHERE, is_worked_off=True)
    seen = environment.watch()
    assert environment.published("MessagesNotDone") == [3]
    assert environment.published("MessagesWaiting", Queue=f"{environment.name}-uploads") == [3]
    keys = {line["key"] for line in seen.lines if line["message"] == "was not done"}
    assert keys == {f"{environment.name}-dead-letters", f"{environment.name}-failures"}


@pytest.mark.parametrize(
    ("before", "grown"), [((1, 2), 0), ((1, 2, 3), 1), ((3, 2, 1), 0), ((1, 2, 9, 3), 0)]
)
def test_a_backlog_that_grew_at_each_of_the_last_looks_is_counted(environment, before, grown):
    environment.queue("uploads", 4, is_worked_off=True)
    whose = {"Environment": environment.name, "Queue": f"{environment.name}-uploads"}
    for number, value in enumerate(before):
        ago = timedelta(minutes=15 * (len(before) - number))
        environment.told("runbook", "MessagesWaiting", value, whose, ago)
    assert environment.handler.handler({}, CONTEXT)["BacklogsGrowing"] == grown


def test_a_queue_that_was_emptied_is_said_to_be_and_does_not_grow_from_what_was_before(environment):
    environment.queue("uploads", 0, is_worked_off=True)
    whose = {"Environment": environment.name, "Queue": f"{environment.name}-uploads"}
    for value in (1, 2, 3):
        environment.told("runbook", "MessagesWaiting", value, whose, timedelta(minutes=60 - 10 * value))
    environment.watch()
    assert 0 in environment.published("MessagesWaiting", Queue=f"{environment.name}-uploads")


def test_the_age_of_the_oldest_and_what_was_not_delivered_are_those_that_cloudwatch_tells(environment):
    environment.queue("uploads", 1, ELSEWHERE, is_worked_off=True)
    environment.client("sns", ELSEWHERE).create_topic(Name=f"{environment.name}-topic")
    minute, of_queue = timedelta(minutes=1), {"QueueName": f"{environment.name}-uploads"}
    environment.told("AWS/SQS", "ApproximateAgeOfOldestMessage", 7200, of_queue, minute, ELSEWHERE)
    of_topic = {"TopicName": f"{environment.name}-topic"}
    for ago in (minute, 5 * minute, timedelta(hours=5)):
        environment.told("AWS/SNS", "NumberOfNotificationsFailed", 2, of_topic, ago, ELSEWHERE)
    totals = environment.handler.handler({}, CONTEXT)
    assert (totals["OldestMessageSeconds"], totals["NotificationsNotDelivered"]) == (7200, 4)


def test_the_first_objects_are_counted_that_have_no_copy_whatever_other_copies_there_are(environment):
    s3 = environment.client("s3")
    for key in ("a", "c", "d"):
        s3.put_object(Bucket=environment.copies, Key=key, Body=b"")
    for key in ("b", "a", "c", "d"):
        s3.put_object(Bucket=environment.source, Key=key, Body=b"")
    assert environment.handler.handler({}, CONTEXT)["ObjectsShort"] in (0, 1)  # S3 tells times to the second
    s3.put_object(Bucket=environment.copies, Key="b2", Body=b"")  # the third one: of d nothing is known
    s3.delete_object(Bucket=environment.copies, Key="d")
    due = time.monotonic() + 30
    while (short := environment.handler.handler({}, CONTEXT)["ObjectsShort"]) != 1:
        assert time.monotonic() < due, short


KEYS, AT = st.sets(st.sampled_from("abcdefgh")), datetime(2026, 1, 1, tzinfo=UTC)


@given(KEYS, KEYS, KEYS, st.integers(0, 9))
@example({"c"}, set(), {"a", "b", "d"}, 2)  # the third copy tells that there is none of c
def test_what_lacks_a_copy_is_known_as_far_as_both_are_listed(source, new, copies, most):
    def listed(keys: set[str]) -> list[dict]:
        return [{"Key": key, "LastModified": AT + timedelta(seconds=key in new)} for key in sorted(keys)]

    ends = [sorted(keys)[most] for keys in (source, copies) if len(keys) > most]
    expected = {key for key in source - copies - new if all(key < end for end in ends)}
    found = lacking(listed(source), listed(copies), before=AT + timedelta(seconds=1), most=most)
    assert found == len(expected)


def test_a_pipeline_that_is_not_deployed_any_more_is_nothing_that_cannot_be_looked_at(environment):
    for bucket in (environment.source, environment.copies):
        environment.client("s3").delete_bucket(Bucket=bucket)
    seen = environment.watch()
    assert environment.published("NotLookedAt") == [0]
    assert [line["key"] for line in seen.lines if line["message"] == "not deployed any more"] == ["copying"]


def test_a_bucket_that_is_somebody_else_s_by_now_is_not_looked_at(environment, monkeypatch):
    monkeypatch.setenv("OWNER", "111111111111")
    assert environment.handler.handler({}, CONTEXT)["NotLookedAt"] == 1


def test_there_are_more_queues_than_one_page_has(environment, monkeypatch):
    for what in ("dead-letters", "failures", "held"):
        environment.queue(what, 1)
    monkeypatch.setattr(sys.modules[queues.__module__], "MOST_QUEUES", 2)
    assert environment.handler.handler({}, CONTEXT)["MessagesNotDone"] == 3


def test_a_look_back_over_days_asks_for_no_more_values_than_cloudwatch_gives(environment, monkeypatch):
    monkeypatch.setenv("PERIOD_S", "86400")
    environment.queue("uploads", 4, is_worked_off=True)
    whose = {"Environment": environment.name, "Queue": f"{environment.name}-uploads"}
    for days in (1, 2, 3):
        environment.told("runbook", "MessagesWaiting", 4 - days, whose, timedelta(days=days))
    seen = environment.watch()
    assert environment.published("BacklogsGrowing") == [1]
    for name, asked in seen.calls:
        if name == "cloudwatch:GetMetricStatistics":
            assert (asked["EndTime"] - asked["StartTime"]).total_seconds() <= 1440 * asked["Period"]


def test_what_cannot_be_looked_at_is_counted_and_holds_up_nothing_else(environment):
    environment.queue("dead-letters", 1)
    environment.client("s3").delete_bucket(Bucket=environment.copies)
    totals = environment.handler.handler({}, CONTEXT)
    assert (totals["NotLookedAt"], totals["MessagesNotDone"]) == (1, 1)
    assert environment.published("NotLookedAt") == [1]


def scenario(operator, as_handler, _environment) -> Seen:
    """All that its facts tell of, at once: queues of each kind, a topic that fails, a copy that lacks."""
    made = Environment(operator, as_handler, regions=[HOME])
    made.queue("dead-letters", 0)
    new = made.watch()
    made.queue("failures", 1)
    made.queue("uploads", 4, is_worked_off=True)
    whose = {"Environment": made.name, "Queue": f"{made.name}-uploads"}
    for value in (1, 2, 3):
        made.told("runbook", "MessagesWaiting", value, whose, timedelta(minutes=60 - 10 * value))
    made.client("sns").create_topic(Name=f"{made.name}-topic")
    of_topic = {"TopicName": f"{made.name}-topic"}
    made.told("AWS/SNS", "NumberOfNotificationsFailed", 1, of_topic, timedelta(minutes=2))
    made.client("s3").put_object(Bucket=made.source, Key="a", Body=b"")
    bad = made.watch()
    made.client("s3").delete_object(Bucket=made.source, Key="a")
    for bucket in (made.source, made.copies):
        made.client("s3").delete_bucket(Bucket=bucket)
    return Seen([(0, new)], [bad, made.watch()])
