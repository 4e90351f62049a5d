"""CloudWatch and its logs: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

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
