"""DynamoDB: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

EXPORTS = Correction(
    name="dynamodb-exports",
    title="ExportTableToPointInTime reports COMPLETED and writes nothing",
    replaces={
        "ministack.services.dynamodb:handle_request": "0670441d9622",
        "ministack.services.dynamodb:_describe_export": "c3fbdcabbd3e",
    },
    ministack="The export is COMPLETED, whatever was asked for, whether point-in-time recovery is on or not, "
    "and the bucket stays empty.",
    aws="Data files and manifests are written to the bucket with the caller's rights; without point-in-time "
    "recovery the call is refused.",
    sources=(
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html",
    ),
    upstream=NOT_FOUND,
    change="Write a full export in DYNAMODB_JSON, and refuse with PointInTimeRecoveryUnavailableException; "
    "until then end as FAILED.",
    reproduce="""
dynamodb = client("dynamodb")
client("s3").create_bucket(Bucket="exported")
table = dynamodb.create_table(
    TableName="exported", BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
)["TableDescription"]["TableArn"]
dynamodb.put_item(TableName="exported", Item={"id": {"S": "1"}})
try:
    dynamodb.export_table_to_point_in_time(TableArn=table, S3Bucket="exported")
except dynamodb.exceptions.PointInTimeRecoveryUnavailableException:
    pass
else:
    raise AssertionError("it is exported without point-in-time recovery")
on = {"PointInTimeRecoveryEnabled": True}
dynamodb.update_continuous_backups(TableName="exported", PointInTimeRecoverySpecification=on)
dynamodb.export_table_to_point_in_time(TableArn=table, S3Bucket="exported")
keys = [each["Key"] for each in client("s3").list_objects_v2(Bucket="exported").get("Contents", [])]
assert any("/data/" in key for key in keys), keys
""",
    tests=("tests/local/in_server/test_table_exports.py::test_it_shows_the_table_as_it_was_when_called",),
)
CONDITIONS = Correction(
    name="dynamodb-conditions-are-checked-once",
    title="A Query checks the syntax of its KeyConditionExpression anew for each item",
    replaces={"ministack.services.dynamodb:_condition_syntax_error": "1083f62dd105"},
    goes_by={"ministack.services.dynamodb:_evaluate_condition": "925cc7e26def"},
    ministack="_evaluate_condition parses the expression for each item that it is held against, which is "
    "most of what a server does that answers queries.",
    aws="How long a Query takes does not depend on how many other items the table has.",
    sources=("https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.html",),
    upstream="not reported by us; not looked up",
    change="Parse an expression once for each call, or keep what came of it.",
    steps=(
        "Put some thousand items with one partition key into a table.",
        "Query one of them by both of its keys while a profiler looks at the server.",
        "Most of the time is spent in _condition_syntax_error.",
    ),
    tests=("tests/local/in_server/test_dynamodb.py::test_the_syntax_of_a_condition_is_checked_once",),
)
