"""The lag mode: what is late, as any client sees it, on a server on which hours pass at once."""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError
from support.homes import share_bundles
from support.servers import create_function, eventually, root

from lib.base.paths import ROOT
from lib.local import lag_table, ministack
from lib.local.deployer import local_session
from lib.local.in_server.lag_times import FIGURES, RATES, Lag

HOUR_S = 3600.0
LAMBDA, GLUE = "lambda.amazonaws.com", "glue.amazonaws.com"
CODE = "def handle(event, context):\n    return {}\n"


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Iterator[ministack.LocalAws]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path_factory.mktemp("late"))))
        yield ministack.start(lag=Lag.of(seconds=dict.fromkeys(FIGURES, HOUR_S)))
        ministack.reset()


@pytest.fixture
def client(late) -> Callable[..., BaseClient]:
    return partial(root, late)


@pytest.fixture
def hour_passes(late) -> Callable[[], None]:
    return lambda: ministack.let_pass(late, HOUR_S + 1)


@pytest.fixture
def passes_later(hour_passes) -> Callable[..., None]:
    """Sees that a call is refused at first, and no more after an hour."""

    def see(call: Callable[..., object], code: str, **arguments: object) -> None:
        assert code_of(call, **arguments) == code
        hour_passes()
        assert code_of(call, **arguments) == ""

    return see


@pytest.fixture
def name() -> str:
    return f"late-{uuid4().hex[:12]}"


def code_of(call: Callable[..., object], **arguments: object) -> str:
    """What AWS answers: an error's code, or nothing."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


def a_role(client, name: str, service: str, *actions: str) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if actions:
        allow(client, name, *actions)
    return arn


def allow(client, name: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)


def function_of(client, name: str, role: str) -> dict:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", CODE)
    return {
        "FunctionName": name,
        "Role": role,
        "Runtime": "python3.12",
        "Handler": "handler.handle",
        "Code": {"ZipFile": archive.getvalue()},
    }


@pytest.fixture
def a_function(client, name, hour_passes) -> str:
    """A function that is there, whose role may nothing yet: its role's name, and its own."""
    role = a_role(client, name, LAMBDA)
    hour_passes()
    client("lambda").create_function(**function_of(client, name, role))
    return name


def a_queue(client, name: str) -> tuple[str, str]:
    """A queue that anybody may send to: its URL and ARN."""
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})["QueueUrl"], arn


def told_of(client, url: str) -> set[str]:
    """The keys that the messages of a queue are about."""
    messages = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    records = [record for one in messages for record in json.loads(one["Body"]).get("Records", [])]
    return {record["s3"]["object"]["key"] for record in records}


def test_a_new_notification_is_deaf_and_a_changed_one_goes_by_what_was_before(
    client, name, hour_passes, passes_later
):
    s3, (url, arn) = client("s3"), a_queue(client, name)
    s3.create_bucket(Bucket=name)

    def follow(events: list[str]) -> dict:
        entry = {"Id": "a", "QueueArn": arn, "Events": events}
        return {"Bucket": name, "NotificationConfiguration": {"QueueConfigurations": [entry]}}

    put = s3.put_bucket_notification_configuration
    passes_later(put, "InvalidArgument", **follow(["s3:ObjectCreated:*"]))  # the queue's policy was new
    heard: set[str] = set()

    def comes(key: str) -> None:
        eventually(lambda: key in (heard.update(told_of(client, url)) or heard))

    s3.put_object(Bucket=name, Key="lost")
    hour_passes()
    s3.put_object(Bucket=name, Key="heard")
    comes("heard")
    put(**follow(["s3:ObjectRemoved:*"]))
    s3.put_object(Bucket=name, Key="before-it-takes-effect")
    comes("before-it-takes-effect")
    hour_passes()
    s3.put_object(Bucket=name, Key="removed")
    s3.put_object(Bucket=name, Key="lost")
    s3.delete_object(Bucket=name, Key="removed")
    comes("removed")
    assert heard == {"heard", "before-it-takes-effect", "removed"}


def test_the_name_of_a_deleted_bucket_stays_taken_and_is_listed_for_a_while(
    client, name, hour_passes, passes_later
):
    s3 = client("s3")

    def is_listed() -> bool:
        return name in {one["Name"] for one in s3.list_buckets()["Buckets"]}

    s3.create_bucket(Bucket=name)
    assert not is_listed()
    hour_passes()
    assert is_listed()
    s3.delete_bucket(Bucket=name)
    assert is_listed()
    passes_later(s3.create_bucket, "OperationAborted", Bucket=name)
    hour_passes()
    s3.delete_bucket(Bucket=name)
    hour_passes()
    assert not is_listed()


def test_what_is_written_soon_after_versioning_is_on_has_no_version(client, name, hour_passes):
    s3 = client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert "VersionId" not in s3.put_object(Bucket=name, Key="a")
    hour_passes()
    assert "VersionId" in s3.put_object(Bucket=name, Key="a")


def test_a_bucket_policy_may_name_a_role_only_once_it_is_seen(client, name, passes_later):
    s3 = client("s3")
    s3.create_bucket(Bucket=name)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": a_role(client, name, LAMBDA)},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    passes_later(s3.put_bucket_policy, "MalformedPolicy", Bucket=name, Policy=policy)


def test_a_function_is_made_only_once_its_role_is_seen(client, name, passes_later):
    role = a_role(client, name, LAMBDA)
    create = client("lambda").create_function
    passes_later(create, "InvalidParameterValueException", **function_of(client, name, role))


def test_a_role_may_what_is_seen_of_its_policies(client, name, hour_passes, late):
    """What was taken away from it, it may for a while longer."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    key = client("sts").assume_role(RoleArn=arn, RoleSessionName="somebody")["Credentials"]
    theirs = local_session().client(
        "dynamodb",
        "us-east-1",
        endpoint_url=late.endpoint_url,
        verify=late.ca_bundle,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
        config=Config(proxies={}),
    )
    allow(client, name, "dynamodb:ListTables")
    assert code_of(theirs.list_tables) == "AccessDeniedException"
    hour_passes()
    assert code_of(theirs.list_tables) == ""
    client("iam").delete_role_policy(RoleName=name, PolicyName="all")
    assert code_of(theirs.list_tables) == ""
    hour_passes()
    assert code_of(theirs.list_tables) == "AccessDeniedException"


def test_a_mapping_needs_rights_that_are_seen_and_takes_its_time(
    client, a_function, passes_later, hour_passes
):
    awslambda, (_, arn) = client("lambda"), a_queue(client, a_function)
    allow(client, a_function, "sqs:*")
    asked = {"FunctionName": a_function, "EventSourceArn": arn}
    create = awslambda.create_event_source_mapping
    passes_later(create, "InvalidParameterValueException", **asked)
    assert code_of(create, **asked) == "ResourceConflictException"
    (mapping,) = awslambda.list_event_source_mappings(**asked)["EventSourceMappings"]
    uuid = mapping["UUID"]

    def state() -> str:
        return awslambda.get_event_source_mapping(UUID=uuid)["State"]

    assert state() == "Creating"
    passes_later(awslambda.update_event_source_mapping, "ResourceInUseException", UUID=uuid, BatchSize=5)
    assert state() == "Updating"
    hour_passes()
    assert state() == "Enabled"
    awslambda.update_event_source_mapping(UUID=uuid, BatchSize=6)
    passes_later(awslambda.delete_event_source_mapping, "ResourceInUseException", UUID=uuid)
    assert state() == "Deleting"
    passes_later(create, "ResourceConflictException", **asked)


def test_a_mapping_polls_only_once_it_is_enabled(client, a_function, hour_passes):
    awslambda, (url, arn) = client("lambda"), a_queue(client, a_function)
    allow(client, a_function, "sqs:*")
    hour_passes()
    awslambda.create_event_source_mapping(FunctionName=a_function, EventSourceArn=arn)
    client("sqs").send_message(QueueUrl=url, MessageBody="hello")
    received = client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    assert [one["Body"] for one in received] == ["hello"]
    hour_passes()
    eventually(lambda: not client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages"))


def test_the_destination_of_failures_needs_a_right_that_is_seen(client, a_function, passes_later):
    _, arn = a_queue(client, a_function)
    allow(client, a_function, "sqs:SendMessage")
    put = client("lambda").put_function_event_invoke_config
    destination = {"OnFailure": {"Destination": arn}}
    code = "InvalidParameterValueException"
    passes_later(put, code, FunctionName=a_function, DestinationConfig=destination)


def test_a_crawler_needs_a_role_that_is_seen_and_tells_of_its_crawl_later(client, name, hour_passes):
    s3, glue = client("s3"), client("glue")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="fruit/a.csv", Body=b"name,count\napple,1\npear,2\n")
    glue.create_database(DatabaseInput={"Name": name})
    role = a_role(client, name, GLUE)
    target = {"S3Targets": [{"Path": f"s3://{name}/"}]}
    create = partial(glue.create_crawler, Name=name, Role=role, DatabaseName=name, Targets=target)
    refused = glue.exceptions.InvalidInputException
    with pytest.raises(refused, match="unable to assume provided role. Please verify role's TrustPolicy"):
        create()
    hour_passes()
    allow(client, name, "s3:*", "glue:*")
    with pytest.raises(refused, match="Unable to validate existence of s3 target"):
        create()
    hour_passes()
    create()

    def crawler() -> dict:
        return glue.get_crawler(Name=name)["Crawler"]

    glue.start_crawler(Name=name)
    eventually(lambda: crawler()["State"] == "READY")
    assert "LastCrawl" not in crawler()
    hour_passes()
    assert crawler()["LastCrawl"]["Status"] == "SUCCEEDED"


def test_counts_of_a_queue_are_those_of_a_while_ago(client, name, hour_passes):
    sqs, (url, _) = client("sqs"), a_queue(client, name)
    about = "ApproximateNumberOfMessages"

    def count() -> str:
        return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[about])["Attributes"][about]

    def comes_to_be(number: str) -> None:
        """The server counts again and again: what it counts from now on is seen an hour later."""
        eventually(lambda: hour_passes() or count() == number)

    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert count() == "0"
    comes_to_be("1")
    sqs.purge_queue(QueueUrl=url)
    assert count() == "1"
    comes_to_be("0")


def a_table(client, name: str) -> str:
    key = {"AttributeName": "a", "AttributeType": "S"}
    schema = {"AttributeName": "a", "KeyType": "HASH"}
    made = client("dynamodb").create_table(
        TableName=name, AttributeDefinitions=[key], KeySchema=[schema], BillingMode="PAY_PER_REQUEST"
    )
    return made["TableDescription"]["TableArn"]


def test_lists_are_of_a_while_ago(client, name, a_function, hour_passes):
    sqs, dynamodb, awslambda, iam = (client(one) for one in ("sqs", "dynamodb", "lambda", "iam"))

    def listed() -> list[bool]:
        return [
            any(name in url for url in sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])),
            name in dynamodb.list_tables()["TableNames"],
            name in {one["FunctionName"] for one in awslambda.list_functions()["Functions"]},
            name in {one["RoleName"] for one in iam.list_roles()["Roles"]},
        ]

    a_table(client, name)
    url, _ = a_queue(client, name)
    assert listed() == [False, False, False, True]  # the role was made an hour ago
    hour_passes()
    assert listed() == [True] * 4
    sqs.delete_queue(QueueUrl=url)
    dynamodb.delete_table(TableName=name)
    awslambda.delete_function(FunctionName=name)
    iam.delete_role(RoleName=name)
    assert listed() == [True] * 4
    hour_passes()
    assert listed() == [False] * 4


def test_recovery_of_a_new_table_takes_its_time(client, name, passes_later):
    client("s3").create_bucket(Bucket=name)
    arn = a_table(client, name)
    passes_later(
        client("dynamodb").update_continuous_backups,
        "ContinuousBackupsUnavailableException",
        TableName=name,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    export = client("dynamodb").export_table_to_point_in_time
    passes_later(export, "PointInTimeRecoveryUnavailableException", TableArn=arn, S3Bucket=name)


def test_calls_above_the_rate_of_a_service_are_refused(client):
    monitoring = client("cloudwatch")
    monitoring.meta.events.unregister("needs-retry.cloudwatch", unique_id="retry-config-monitoring")
    answers: list[str] = []

    def ask() -> None:
        answers.extend(code_of(monitoring.describe_alarms) for _ in range(10))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {"", "Throttling"}
    eventually(lambda: code_of(monitoring.describe_alarms) == "")


def test_the_document_has_the_tables_of_what_is_late():
    text = lag_table.DOCUMENT.read_text("utf-8")
    assert lag_table.figures() in text
    assert lag_table.rates() in text, "run python -m lib.local.lag_table"
    assert all((ROOT / one.test).exists() for one in FIGURES.values())


@pytest.mark.parametrize(
    "wrong", [{"nothing": 1}, {"role": -1}, {"role": "soon"}, {"role": True}, {"role": float("inf")}]
)
def test_what_cannot_be_late_is_refused(wrong):
    with pytest.raises(ValueError, match="nothing|role"):
        Lag.of(seconds=wrong)


def test_times_are_scaled_but_for_those_that_are_named():
    lag = Lag.read(Lag.of(0.5, {"role": 7}, latency_ms=30).text)
    assert (lag.seconds["notification"], lag.seconds["role"], lag.latency_ms) == (150, 7, 30)
    assert "each call takes 30 ms more" in str(lag)
    assert str(Lag.only_latency(30)) == "each call takes 30 ms more"


def test_the_rate_of_a_call_is_that_of_its_operation():
    def rate_of(service: str, operation: str) -> float:
        return next(
            (rate.per_second for rate in RATES if rate.service == service and rate.is_of(operation)), 0
        )

    assert rate_of("lambda", "GetFunction") == 100
    assert rate_of("lambda", "GetFunctionConfiguration") == rate_of("lambda", "CreateFunction") == 15
    assert rate_of("lambda", "InvokeFunction") == rate_of("sns", "Publish") == rate_of("s3", "PutObject") == 0


def test_the_lag_ends_with_its_server_and_is_told_of(late, monkeypatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(late.state.parents[1]))
    assert "notification 3600 s" in ministack.status().lateness
    with pytest.raises(ministack.LocalAwsError, match="runbook local stop"):
        ministack.start(lag=Lag.of(0.5))
    assert ministack.start().lag == late.lag


def test_what_was_being_done_to_mappings_is_done_to_the_next_server(tmp_path, monkeypatch, name):
    monkeypatch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path)))
    server = ministack.start(lag=Lag.of(seconds=dict.fromkeys(FIGURES, 0.0) | {"mapping": HOUR_S}))
    try:
        create_function(server, name, CODE)
        ours, awslambda = partial(root, server), root(server, "lambda")
        queues = {what: a_queue(ours, f"{name}-{what}") for what in ("updated", "deleted", "created")}

        def create(what: str) -> str:
            mapping = {"FunctionName": name, "EventSourceArn": queues[what][1]}
            return awslambda.create_event_source_mapping(**mapping)["UUID"]

        def states() -> dict[str, str]:
            mappings = awslambda.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
            return {one["EventSourceArn"].rpartition("-")[2]: one["State"] for one in mappings}

        updated, deleted = create("updated"), create("deleted")
        ministack.let_pass(server, HOUR_S + 1)
        awslambda.update_event_source_mapping(UUID=updated, BatchSize=5)
        awslambda.delete_event_source_mapping(UUID=deleted)
        create("created")
        assert states() == {"updated": "Updating", "deleted": "Deleting", "created": "Creating"}
        ministack.stop()
        ministack.start()
        assert states() == {"updated": "Enabled", "created": "Enabled"}
        for url, _ in queues.values():
            ours("sqs").send_message(QueueUrl=url, MessageBody="hello")
        eventually(lambda: all(_waiting(ours, queues[what][0]) == 0 for what in ("updated", "created")))
        assert _waiting(ours, queues["deleted"][0]) == 1
    finally:
        ministack.reset()


def _waiting(client, url: str) -> int:
    """How many messages are in a queue, also those that a function has."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(answer["Attributes"][each]) for each in names)
