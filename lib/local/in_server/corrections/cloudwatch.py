"""CloudWatch and its logs: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

LOGS = "ministack.services.cloudwatch_logs:"

DASHBOARDS = Correction(
    name="cloudwatch-dashboard-not-found",
    title="DeleteDashboards of what is not there: DashboardNotFoundError instead of ResourceNotFound",
    replaces={"ministack.services.cloudwatch:_error": "9c8dd993dddd"},
    ministack="The code is DashboardNotFoundError, the name of the exception in SDKs; GetDashboard has "
    "another.",
    aws="The code of both is ResourceNotFound, of which SDKs make DashboardNotFoundError.",
    sources=(
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DeleteDashboards.html",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetDashboard.html",
    ),
    upstream=NOT_FOUND,
    change="Answer ResourceNotFound.",
    reproduce="""
cloudwatch = client("cloudwatch")
try:
    cloudwatch.delete_dashboards(DashboardNames=["nowhere"])
except cloudwatch.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "ResourceNotFound", error
""",
)
QUERY_PROTOCOL = Correction(
    name="cloudwatch-query-protocol",
    title="Over the query protocol of older SDKs, alarms have neither actions nor dimensions",
    replaces={"ministack.services.cloudwatch:handle_request": "06611dfbbd4b"},
    ministack="A request as boto3 sent it until 2025 (Action=PutMetricAlarm in a form) loses some of what it "
    "says, and the answer to DescribeAlarms has no AlarmActions, OKActions, InsufficientDataActions or "
    "Dimensions.",
    aws="All protocols tell the same of an alarm.",
    sources=(
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html",
        "https://smithy.io/2.0/aws/protocols/aws-query-protocol.html",
    ),
    upstream=NOT_FOUND,
    change="Read and write the query protocol by botocore's model, as the other two are.",
    reproduce="""
from urllib.parse import urlencode

cloudwatch = client("cloudwatch")
topic = "arn:aws:sns:us-east-1:000000000000:nobody"
cloudwatch.put_metric_alarm(
    AlarmName="old", Namespace="own", MetricName="n", Statistic="Sum", Period=60, EvaluationPeriods=1,
    Threshold=1.0, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic],
    Dimensions=[{"Name": "one", "Value": "1"}],
)


def as_form(request, **_):
    # What an older SDK sends.
    form = {"Action": "DescribeAlarms", "Version": "2010-08-01", "AlarmNames.member.1": "old"}
    request.data = urlencode(form).encode()
    request.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    for name in ("X-Amz-Target", "smithy-protocol", "x-amzn-query-mode"):
        del request.headers[name]
    request.url = request.url.split("/service/")[0] + "/"


bodies = []
cloudwatch.meta.events.register("before-sign.cloudwatch.DescribeAlarms", as_form)
cloudwatch.meta.events.register(
    "before-parse.cloudwatch.DescribeAlarms", lambda response_dict, **_: bodies.append(response_dict["body"])
)
try:
    cloudwatch.describe_alarms(AlarmNames=["old"])
except Exception:
    pass  # boto3 expected an answer in its own protocol
assert topic.encode() in bodies[0] and b"<Dimensions><member><Name>one" in bodies[0], bodies
""",
)
LOG_GROUP_KEYS = Correction(
    name="logs-kms-keys",
    title="CloudWatch Logs: AssociateKmsKey and DisassociateKmsKey are missing",
    replaces={"ministack.services.cloudwatch_logs:handle_request": "e9cbbca1ef89"},
    ministack="A log group takes a KMS key when it is created; it cannot be given another, or lose it.",
    aws="AssociateKmsKey sets a log group's key, DisassociateKmsKey takes it away.",
    sources=(
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html",
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DisassociateKmsKey.html",
    ),
    upstream=NOT_FOUND,
    change="Implement the two calls.",
    reproduce="""
logs = client("logs")
logs.create_log_group(logGroupName="keys")
arn = client("kms").create_key()["KeyMetadata"]["Arn"]
logs.associate_kms_key(logGroupName="keys", kmsKeyId=arn)
(group,) = logs.describe_log_groups(logGroupNamePrefix="keys")["logGroups"]
assert group.get("kmsKeyId") == arn, group
logs.disassociate_kms_key(logGroupName="keys")
(group,) = logs.describe_log_groups(logGroupNamePrefix="keys")["logGroups"]
assert not group.get("kmsKeyId"), group
""",
)
EVENTS_ONCE = Correction(
    name="logs-events-once",
    title="CloudWatch Logs: each event is kept twice, and the second time saved with all others",
    replaces={
        f"{LOGS}_append_log_events": "9e5ca828df1d",
        f"{LOGS}_put_log_events": "8429f856af5e",
        f"{LOGS}_collect_query_records": "c375ced9b853",
        f"{LOGS}_get_log_record": "688b451c5007",
    },
    ministack="What PutLogEvents stores, and what a query of Logs Insights reads, is copied into "
    "_log_records, by which GetLogRecord finds it. Nothing goes from there before its stream does, and "
    "the whole of it is saved each time. Events that Lambda writes have no eventId, so that "
    "FilterLogEvents answers none, and what a query has pointed to is not found after a restart.",
    aws="An event has an id, whoever has written it; the pointer of a query is to the event.",
    sources=(
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilteredLogEvent.html",
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogRecord.html",
    ),
    upstream=NOT_FOUND,
    change="Give each event its id when it is stored, and find it by that in its stream.",
    steps=(
        "With PERSIST_STATE=1, put 100,000 events into a log stream, and save, as at a stop.",
        "Put one more, and save: the message of each event stands in cloudwatch_logs.json twice.",
    ),
    tests=(
        "tests/local/in_server/test_logs.py::test_an_event_is_saved_once_and_found_by_its_pointer_after_a_kill",
    ),
)
FILTERED_PAGES = Correction(
    name="logs-filtered-pages",
    title="FilterLogEvents answers with the first 10,000 events, and not that there are more",
    replaces={f"{LOGS}_filter_log_events": "a890491f9f82"},
    goes_by={
        f"{LOGS}_compile_filter_pattern": "f7d5c9f685d1",
        f"{LOGS}_stream_event_range": "ef18587ebb5f",
        f"{LOGS}_resolve_log_group_name": "51e544bf4f3d",
    },
    ministack="There is never a nextToken, and one that is given is passed over, as logStreamNamePrefix is.",
    aws="An answer has up to 10,000 events, and a token for the next if there are more.",
    sources=(
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html",
    ),
    upstream="not reported by us; not looked up",
    change="Answer with a token that says where the page ended, and begin there.",
    reproduce="""
import time

NAME = "filtered-pages"
logs, now = client("logs"), int(time.time() * 1000)
logs.create_log_group(logGroupName=NAME)
for stream in ("one", "other"):
    logs.create_log_stream(logGroupName=NAME, logStreamName=stream)
    events = [{"timestamp": now, "message": f"{stream} {number}"} for number in range(6000)]
    logs.put_log_events(logGroupName=NAME, logStreamName=stream, logEvents=events)
pages = logs.get_paginator("filter_log_events").paginate(logGroupName=NAME)
found = [event["message"] for page in pages for event in page["events"]]
assert len(found) == len(set(found)) == 12000, f"{len(found)} of 12000 events"
of_one = logs.filter_log_events(logGroupName=NAME, logStreamNamePrefix="ot")["events"]
assert {event["logStreamName"] for event in of_one} == {"other"}
""",
)
RETENTION = Correction(
    name="logs-retention",
    title="CloudWatch Logs: nothing is ever deleted, whatever a group's retention is",
    replaces={
        f"{LOGS}_get_log_events": "65305143a046",
        f"{LOGS}_filter_log_events": "a890491f9f82",
        f"{LOGS}_collect_query_records": "c375ced9b853",
        f"{LOGS}_put_log_events": "8429f856af5e",
        f"{LOGS}_describe_log_groups": "bd2cbd6ef4a1",
        f"{LOGS}_describe_log_streams": "39dd2ecf3c0f",
        "ministack.app:_load_persisted_state": "bb9ec2b2f3ef",
    },
    goes_by={f"{LOGS}_resolve_log_group_name": "51e544bf4f3d", f"{LOGS}_build_log_record": "46cebfd276a9"},
    ministack="PutRetentionPolicy is kept and told, and that is all: what runs for weeks only grows.",
    aws="Events older than retentionInDays are marked for deletion: they are none of storedBytes any more, "
    "and are deleted, typically within 72 hours. PutLogEvents refuses them (expiredLogEventEndIndex). "
    "Streams stay. Here they are not answered from then on, and dropped hourly, of a stream from "
    "a tenth of its events on. That AWS takes no event that is older than 14 days is not held here, so that "
    "logs of earlier can be tried.",
    sources=(
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html",
        "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html",
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html",
    ),
    upstream=NOT_FOUND,
    change="Answer no event that is older than its group's retention, and drop such events now and then.",
    reproduce="""
import time
logs = client("logs")
group = {"logGroupName": "retention"}
logs.create_log_group(**group)
logs.create_log_stream(**group, logStreamName="one")
now = int(time.time() * 1000)
events = [{"timestamp": now - days * 86_400_000, "message": f"{days} days ago"} for days in (3, 0)]
logs.put_log_events(**group, logStreamName="one", logEvents=events)
logs.put_retention_policy(**group, retentionInDays=1)
found = logs.filter_log_events(**group)["events"]
assert [each["message"] for each in found] == ["0 days ago"], found
""",
    tests=("tests/local/in_server/test_logs.py::test_what_is_over_is_dropped_and_its_stream_stays",),
)
