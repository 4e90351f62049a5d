"""Functions and mappings: waits for what is not ready yet, and for nothing else."""

import json
import socket
from io import BytesIO
from urllib.parse import urlsplit
from zipfile import ZIP_STORED, ZipFile

import pytest
from botocore.exceptions import ClientError
from support import cases
from support.calls import Recorder, watched
from support.zips import a_zip

from lib.base.errors import RunbookError, WaitError
from lib.engine.stack import Stack
from lib.resources import lambda_
from lib.resources.base import Link, Scope
from lib.resources.lambda_ import EventSourceMapping, Permission, function_arn


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_plan_can_do_without_the_code_that_is_there(stack: Stack, scheme: str):
    function = cases.lambda_.function(stack)
    stack.apply()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # where nobody listens any more, or nobody who speaks TLS
    if scheme == "https":
        port = urlsplit(stack.target.endpoint_url).port

    def elsewhere(parsed: dict, **_: object) -> None:
        parsed["Code"]["Location"] = f"{scheme}://127.0.0.1:{port}/code"

    client = watched(stack.target, "after-call.lambda.GetFunction", elsewhere).client("lambda", "us-east-1")
    changes = {"Code": "another"}
    found = function.read(client)
    assert list(function.difference(client, found, changes)) == ["code: what is there cannot be read"]


def test_a_mapping_is_found_by_its_function_whatever_the_queue(stack: Stack):
    mapping = cases.lambda_.mapping(stack)
    stack.apply()
    client = stack.client(mapping)
    (found,) = EventSourceMapping.find(client, stack.scope)
    assert found.name == f"{mapping.function.name} ← {mapping.queue.name}"
    assert found.tags and stack.scope.tags.items() <= found.tags.items()
    type(mapping.function).delete(client, mapping.function.name)
    for left in EventSourceMapping.find(client, stack.scope):
        assert left.tags == {}, "a mapping whose function is gone has nothing that could have tags"


def test_a_mapping_that_is_gone_by_now_is_not_changed(stack: Stack):
    mapping = cases.lambda_.mapping(stack)
    stack.apply()
    client = stack.client(mapping)
    (found,) = EventSourceMapping.find(client, stack.scope)
    EventSourceMapping.delete(client, found.identifier)
    with pytest.raises(RunbookError, match="was deleted since it was looked at"):
        mapping.update(client, {"BatchSize": 1})


def test_a_mapping_that_does_not_go_away_is_an_error(stack: Stack, monkeypatch):
    mapping = cases.lambda_.mapping(stack)
    stack.apply()
    client = stack.client(mapping)
    (found,) = EventSourceMapping.find(client, stack.scope)
    monkeypatch.setattr(lambda_, "_delete_mapping", lambda client, uuid: False)
    monkeypatch.setattr(lambda_, "MAPPING_CHANGE_S", 0)
    with pytest.raises(WaitError, match=rf"event source mapping {found.identifier} still exists after 0 s"):
        EventSourceMapping.delete(client, found.identifier)


def test_deleting_a_mapping_that_is_gone_writes_nothing(stack: Stack):
    recorder = Recorder()
    client = watched(stack.target, "before-call", recorder).client("lambda", "us-east-1")
    EventSourceMapping.delete(client, "6b3d8a52-0000-0000-0000-000000000000")
    assert recorder.writes == []


def test_its_variables_say_what_a_function_writes_to_and_hands_over_to(stack: Stack):
    function = cases.lambda_.function(stack)
    function.environment = {"OUT_BUCKET": "b", "INDEX_TABLE": "t", "HOLDING_QUEUE": "q", "TABLE_KIND": "x"}
    function.environment["NEXT_FUNCTION"] = "f"
    here = f"us-east-1:{stack.scope.account_id}"
    assert list(function.links(function.desired())) == [
        Link(function.arn, "arn:aws:s3:::b", "writes"),
        Link(function.arn, f"arn:aws:dynamodb:{here}:table/t", "writes"),
        Link(function.arn, f"arn:aws:sqs:{here}:q", "holds"),
        Link(function.arn, f"arn:aws:lambda:{here}:function:f", "hands over"),
    ]


def test_a_function_s_arn_is_known_before_it_is_described(stack: Stack):
    function = cases.lambda_.function(stack)
    assert function_arn(stack.scope, function.region, "copy") == function.arn
    scope = Scope("runbook", "test", "backup", "000000000000")
    expected = "arn:aws:lambda:eu-west-1:000000000000:function:runbook-test-backup-replicate"
    assert function_arn(scope, "eu-west-1", "replicate") == expected


def test_the_same_code_zipped_by_another_zlib_is_no_drift(stack: Stack):
    function = cases.lambda_.function(stack)
    stack.apply()
    buffer, archive = BytesIO(), ZipFile(BytesIO(function.code))
    with ZipFile(buffer, "w", ZIP_STORED) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
    assert buffer.getvalue() != function.code
    function.code = buffer.getvalue()
    assert {step.action for step in stack.plan() if step.resource is function} == {"unchanged"}


def test_somebody_elses_code_is_drift_whatever_ours_is_said_to_be(stack: Stack, somebody):
    function = cases.lambda_.function(stack)
    stack.apply()
    somebody("lambda").update_function_code(FunctionName=function.name, ZipFile=a_zip("theirs"))
    (step,) = [step for step in stack.plan() if step.resource is function]
    assert set(step.changes) == {"Code"}
    stack.apply()
    assert {step.action for step in stack.plan() if step.resource is function} == {"unchanged"}


# --- permissions


def statement(stack: Stack, permission: Permission, somebody) -> dict:
    policy = somebody("lambda").get_policy(FunctionName=permission.function.name)["Policy"]
    return next(s for s in json.loads(policy)["Statement"] if s["Sid"] == permission.name)


def test_a_bucket_must_be_in_our_account(stack: Stack, somebody):
    """Its ARN does not say so; a rule's does, and EventBridge does not say it again."""
    permission = cases.lambda_.permission(stack)
    rule = f"arn:aws:events:us-east-1:{stack.scope.account_id}:rule/r"
    other = stack.add(
        Permission(
            "rule",
            "us-east-1",
            function=permission.function,
            principal="events.amazonaws.com",
            source_arn=rule,
        )
    )
    stack.apply()
    assert statement(stack, permission, somebody)["Condition"] == {
        "ArnLike": {"AWS:SourceArn": permission.source_arn},
        "StringEquals": {"AWS:SourceAccount": stack.scope.account_id},
    }
    assert statement(stack, other, somebody)["Condition"] == {"ArnLike": {"AWS:SourceArn": rule}}


def test_only_our_permissions_are_found(stack: Stack, somebody):
    permission = cases.lambda_.permission(stack)
    stack.apply()
    somebody("lambda").add_permission(
        FunctionName=permission.function.name,
        StatementId="theirs",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
    )
    (found,) = Permission.find(stack.client(permission), stack.scope)
    assert (found.name, found.arn) == (permission.name, permission.arn)
    assert found.tags and stack.scope.tags.items() <= found.tags.items()


# --- failures of asynchronous invocations


@pytest.mark.parametrize(
    ("retries", "label"), [(0, "after 1 failed attempt"), (2, "after 3 failed attempts")]
)
def test_the_picture_says_how_often_it_is_tried(stack: Stack, retries: int, label: str):
    config = cases.lambda_.invoke_config(stack)
    config.retries = retries
    (link,) = config.links(config.desired())
    assert link == Link(config.function.arn, config.on_failure.arn, label)


@pytest.mark.parametrize(
    "message",
    [
        "The function's execution role does not have permissions to call SendMessage on arn:aws:sqs:…:failed",
        "The destination ARN arn:aws:sqs:…:failed is invalid.",
    ],
)
def test_a_right_that_is_not_known_everywhere_yet_is_waited_for(stack: Stack, message: str):
    config = cases.lambda_.invoke_config(stack)
    stack.apply()
    refusals, waits = [message], []

    def refuse(**_):
        if refusals:
            error = {"Code": "InvalidParameterValueException", "Message": refusals.pop()}
            raise ClientError({"Error": error}, "PutFunctionEventInvokeConfig")

    target = watched(stack.target, "before-call.lambda.PutFunctionEventInvokeConfig", refuse)
    config.create(target.client("lambda", config.region), waits.append)
    assert len(waits) == 1


def test_a_failure_arrives_in_the_queue(stack: Stack, somebody):
    config = cases.lambda_.invoke_config(stack)
    config.retries = 0
    config.function.code = a_zip("def handler(event, context): raise ValueError('no')")
    stack.apply()
    client = stack.client(config)
    client.invoke(FunctionName=config.function.name, InvocationType="Event", Payload=b'{"n": 1}')
    sqs = somebody("sqs", config.on_failure.region)
    url = config.on_failure.output(sqs)
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    body = json.loads(message["Body"])
    assert body["requestPayload"] == {"n": 1}
    assert body["requestContext"]["condition"] == "RetriesExhausted"
