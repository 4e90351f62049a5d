import json
import stat
import subprocess
import sys

import pytest
from botocore.exceptions import ClientError
from support import cases

from lib.base.paths import ROOT
from lib.engine.inventory import TYPES
from lib.local import deployer_policies, ministack
from lib.local.deployer import ROOT_KEY, client, credentials, local_session

CREDENTIALS = """
from lib.local import deployer, ministack
print(deployer.credentials(ministack.start(), "runbook", "test").access_key_id)
"""


def as_deployer(server, service, env="test"):
    key = credentials(server, "runbook", env)
    return client(server, service, key.access_key_id, key.secret_access_key)


def allow(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.fixture
def policy_file(tmp_path, monkeypatch):
    file = tmp_path / "deployer-policy.json"
    monkeypatch.setattr(deployer_policies, "POLICY_FILES", (file,))
    return file


def render():
    return deployer_policies.render(account_id="000000000000", prefix="runbook", env="test")


def test_it_is_an_iam_user_of_the_local_account(local_aws):
    identity = as_deployer(local_aws, "sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:user/runbook-test-deployer"


def test_its_key_is_kept_privately_and_not_shown(local_aws):
    key = credentials(local_aws, "runbook", "test")
    assert credentials(local_aws, "runbook", "test") == key
    assert key.secret_access_key not in repr(key)
    file = local_aws.state / "users" / "runbook-test-deployer.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_runs_at_once_get_the_same_key(own_home):
    ministack.start()
    runs = [
        subprocess.Popen([sys.executable, "-c", CREDENTIALS], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]
    assert len({run.communicate()[0] for run in runs}) == 1


def test_each_environment_has_a_deployer_of_its_own(local_aws):
    arns = {as_deployer(local_aws, "sts", env).get_caller_identity()["Arn"] for env in ("test", "other")}
    assert len(arns) == 2


def test_no_setting_of_the_caller_leads_it_astray(local_aws, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "nonexistent")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    client.cache_clear()
    local_session.cache_clear()
    assert as_deployer(local_aws, "sts").get_caller_identity()["Account"] == "000000000000"


def test_it_survives_a_stop_a_kill_and_a_reset(own_home, kill):
    key = credentials(ministack.start(), "runbook", "test")
    ministack.stop()
    server = ministack.start()
    assert credentials(server, "runbook", "test") == key

    ministack.reset()
    assert not list(own_home.rglob("*-deployer.json")), "a key outlives the user whose it was"
    server = ministack.start()
    after_reset = credentials(server, "runbook", "test")
    assert after_reset != key

    kill(server.pid)
    server = ministack.start()
    assert credentials(server, "runbook", "test") != after_reset
    assert as_deployer(server, "sts").get_caller_identity()["Arn"].endswith("user/runbook-test-deployer")


def test_it_can_do_what_its_policies_say_and_no_more(own_home, policy_file):
    server = ministack.start()
    policy_file.write_text(
        json.dumps({"read": allow("s3:ListAllMyBuckets"), "queues": allow("sqs:ListQueues")})
    )
    as_deployer(server, "s3").list_buckets()
    as_deployer(server, "sqs").list_queues()

    policy_file.write_text(json.dumps({"read": allow("s3:ListAllMyBuckets")}))
    as_deployer(server, "s3").list_buckets()
    with pytest.raises(ClientError, match="AccessDenied"):
        as_deployer(server, "sqs").list_queues()


def test_a_policy_may_change_more_often_than_iam_keeps_versions(own_home, policy_file):
    server = ministack.start()
    for number in range(7):
        policy_file.write_text(json.dumps({"read": allow("s3:ListAllMyBuckets", f"sqs:Action{number}")}))
        as_deployer(server, "s3").list_buckets()
    iam = client(server, "iam", ROOT_KEY, ROOT_KEY)
    arn = "arn:aws:iam::000000000000:policy/runbook-test-deployer-read"
    assert len(iam.list_policy_versions(PolicyArn=arn)["Versions"]) == 5


def test_placeholders_are_filled_in_and_iams_own_variables_kept(policy_file):
    policy_file.write_text('{"a": {"Resource": "arn:${account_id}:${prefix}-${env}-$${aws:username}"}}')
    expected = '{"Resource":"arn:000000000000:runbook-test-${aws:username}"}'
    assert render() == {"runbook-test-deployer-a": expected}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": {"Resource": "${acount_id}"}}', "unknown placeholder 'acount_id'"),
        (json.dumps({"a": {"Sid": "x" * 6144}}), "policy a has 6154 characters; IAM allows 6144"),
        (json.dumps({str(n): {} for n in range(11)}), "11 deployer policies; IAM attaches at most 10"),
    ],
)
def test_what_iam_would_refuse_is_refused_with_the_reason(policy_file, text, message):
    policy_file.write_text(text)
    with pytest.raises(ValueError, match=message):
        render()


def test_it_may_do_what_operators_do(stack, client):
    """Invoke, look at rows, export them, put a message back or away; as the deployer, on what is ours."""
    function, queue = cases.lambda_.function(stack), cases.sqs.queue(stack)
    table = cases.dynamodb.table(stack)
    stack.apply()
    client("lambda").invoke(FunctionName=function.name, Payload=b"{}")
    dynamodb = client("dynamodb", table.region)
    key = {"file_key": {"S": "a"}, "timestamp": {"S": "b"}}
    dynamodb.put_item(TableName=table.name, Item=key)
    assert dynamodb.get_item(TableName=table.name, Key=key)["Item"] == key
    assert dynamodb.scan(TableName=table.name)["Count"] == 1
    dynamodb.batch_get_item(RequestItems={table.name: {"Keys": [key]}})
    dynamodb.delete_item(TableName=table.name, Key=key)
    export = dynamodb.export_table_to_point_in_time(TableArn=table.arn, S3Bucket="lake")["ExportDescription"]
    dynamodb.describe_export(ExportArn=export["ExportArn"])
    sqs = client("sqs", queue.region)
    url = queue.output(sqs)
    sqs.send_message(QueueUrl=url, MessageBody="again")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(**handle, VisibilityTimeout=60)
    sqs.delete_message(**handle)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client("lambda").invoke(FunctionName="runbook-other-migrate-copy"),
        lambda client: client("lambda").get_policy(FunctionName="runbook-other-migrate-copy"),
        lambda client: client("dynamodb").scan(TableName="runbook-other-index-files"),
        lambda client: client("dynamodb").delete_table(TableName="runbook-other-index-files"),
        lambda client: client("events").delete_rule(Name="runbook-other-ingest-often"),
        lambda client: client("glue").delete_table(DatabaseName="runbook_other_migrate", Name="t"),
    ],
)
def test_what_another_environment_has_is_not_its_own(client, call):
    with pytest.raises(ClientError, match="AccessDenied"):
        call(client)


def test_no_policy_names_all_actions_and_each_service_of_ours_is_named():
    documents = [json.loads(document)["Statement"] for document in render().values()]
    actions = [action for statements in documents for s in statements for action in s["Action"]]
    services = {action.split(":")[0] for action in actions}
    assert services >= {kind.service for kind in TYPES}
    assert not [action for action in actions if "*" in action]


def test_our_policies_are_within_iams_limits():
    assert render()


def test_the_deployer_may_look_by_hand_and_only_look(local_aws, somebody):
    """With what an operator asks at night, and no call of ours does."""
    sqs, logs = somebody("sqs", "us-east-1"), somebody("logs", "us-east-1")
    url = sqs.create_queue(QueueName="runbook-test-looked-at")["QueueUrl"]
    log = "/aws/lambda/runbook-test-looked-at"
    logs.create_log_group(logGroupName=log)
    other = sqs.create_queue(QueueName="runbook-another-looked-at")["QueueUrl"]
    mine = {name: as_deployer(local_aws, name) for name in ("sqs", "logs", "sns", "cloudwatch")}
    with pytest.raises(ClientError, match="InvalidAction"):  # allowed, but MiniStack has it not
        mine["sqs"].list_dead_letter_source_queues(QueueUrl=url)
    query = mine["logs"].start_query(logGroupName=log, startTime=0, endTime=1, queryString="fields @message")
    assert "status" in mine["logs"].get_query_results(queryId=query["queryId"])
    for listed_or_stopped in (
        mine["logs"].describe_queries,
        lambda: mine["logs"].stop_query(queryId=query["queryId"]),
    ):  # which would be those of everybody
        with pytest.raises(ClientError, match="AccessDenied|not authorized"):
            listed_or_stopped()
    assert "logStreams" in mine["logs"].describe_log_streams(logGroupName=log)
    assert "Subscriptions" in mine["sns"].list_subscriptions()
    assert "Metrics" in mine["cloudwatch"].list_metrics()
    with pytest.raises(ClientError, match="AccessDenied|not authorized"):
        mine["sqs"].list_dead_letter_source_queues(QueueUrl=other)
    with pytest.raises(ClientError, match="AccessDenied|not authorized"):
        mine["logs"].create_log_stream(logGroupName=log, logStreamName="x")
