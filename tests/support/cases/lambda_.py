"""Functions, and what invokes them."""

import json

from lib.engine.stack import Stack
from lib.resources import lambda_, sqs
from support import cases, theirs
from support.breaking import setting, the, without_action
from support.case import ELSEWHERE, WHOLE, Break, Case, Change, Others
from support.zips import a_zip

FUNCTION_OF_OTHERS = "arn:aws:lambda:us-east-1:000000000000:function:theirs"


def function(stack: Stack) -> lambda_.Function:
    code = a_zip("def handler(event, context): pass")
    how = {"role": cases.iam.role(stack), "code": code, "environment": {"TARGET_BUCKET": "here"}}
    return stack.add(lambda_.Function("copy", ELSEWHERE, **how))


def _configure(**arguments):
    return lambda client, ours: client.update_function_configuration(FunctionName=ours.name, **arguments)


def _put_others(client, ours: lambda_.Function) -> None:
    client.tag_resource(Resource=ours.arn, Tags=theirs.TAGS)
    client.update_function_configuration(FunctionName=ours.name, Description="Theirs")
    client.put_function_concurrency(FunctionName=ours.name, ReservedConcurrentExecutions=3)


def _get_others(client, ours: lambda_.Function) -> dict:
    found = client.get_function(FunctionName=ours.name)
    concurrency = client.get_function_concurrency(FunctionName=ours.name)
    return {
        "tags": theirs.tags_of_others(found["Tags"]),
        "description": found["Configuration"].get("Description"),
        "concurrency": concurrency.get("ReservedConcurrentExecutions"),
    }


def _with(**values: object):
    """Describe the function of *index* otherwise."""
    return setting(lambda_.Function, "index", **values)


def _with_much_code(stack: Stack) -> None:
    the(stack, lambda_.Function, "index").code = a_zip("#" * (251 << 20))


def mapping(stack: Stack) -> lambda_.EventSourceMapping:
    ends = {"queue": cases.sqs.queue(stack), "function": function(stack)}
    return stack.add(lambda_.EventSourceMapping("files", ELSEWHERE, **ends))


def the_mapping(client, ours: lambda_.EventSourceMapping) -> dict:
    """What Lambda says of a mapping."""
    return client.list_event_source_mappings(EventSourceArn=ours.queue.arn)["EventSourceMappings"][0]


def _update_mapping(**arguments):
    return lambda client, ours: client.update_event_source_mapping(
        UUID=the_mapping(client, ours)["UUID"], **arguments
    )


ONLY_CSV = {"Filters": [{"Pattern": '{"body": {"kind": ["csv"]}}'}]}


def permission(stack: Stack) -> lambda_.Permission:
    source = {"principal": "s3.amazonaws.com", "source_arn": cases.s3.bucket(stack).arn}
    return stack.add(lambda_.Permission("from-bucket", ELSEWHERE, function=function(stack), **source))


def _allow_anew(**changed):
    """Nobody can change a statement of a function's policy."""

    def change(client, ours: lambda_.Permission) -> None:
        client.remove_permission(FunctionName=ours.function.name, StatementId=ours.name)
        given = {"Action": "lambda:InvokeFunction", "Principal": ours.principal, "SourceArn": ours.source_arn}
        given |= {"SourceAccount": ours.scope.account_id, **changed}
        client.add_permission(FunctionName=ours.function.name, StatementId=ours.name, **given)

    return change


def _allow_others(client, ours: lambda_.Permission) -> None:
    given = {"Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}
    client.add_permission(FunctionName=ours.function.name, StatementId="theirs", **given)


def _statements_of_others(client, ours: lambda_.Permission) -> list[dict]:
    statements = json.loads(client.get_policy(FunctionName=ours.function.name)["Policy"])["Statement"]
    return [statement for statement in statements if statement["Sid"] != ours.name]


def invoke_config(stack: Stack) -> lambda_.EventInvokeConfig:
    failed = stack.add(sqs.Queue("failed", ELSEWHERE))
    return stack.add(
        lambda_.EventInvokeConfig("copy", ELSEWHERE, function=function(stack), on_failure=failed)
    )


def _put_invoke_config(**arguments):
    def change(client, ours: lambda_.EventInvokeConfig) -> None:
        given = {"DestinationConfig": {"OnFailure": {"Destination": ours.on_failure.arn}}, **arguments}
        client.put_function_event_invoke_config(FunctionName=ours.function.name, **given)

    return change


def _put_on_success(client, ours: lambda_.EventInvokeConfig) -> None:
    found = client.get_function_event_invoke_config(FunctionName=ours.function.name)
    kept = {name: found[name] for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")}
    destination = {"Destination": ours.on_failure.arn}
    _put_invoke_config(**kept, DestinationConfig={"OnSuccess": destination, "OnFailure": destination})(
        client, ours
    )


def _get_on_success(client, ours: lambda_.EventInvokeConfig) -> object:
    found = client.get_function_event_invoke_config(FunctionName=ours.function.name)
    return found["DestinationConfig"].get("OnSuccess")


CASES = [
    Case(
        lambda_.Function,
        function,
        changes=[
            Change({"environment": {"TARGET_BUCKET": "there"}}, {"Environment"}),
            Change({"environment": {}}, {"Environment"}),
            Change({"memory_mb": 256, "timeout_s": 30}, {"MemorySize", "Timeout"}),
            Change({"disk_mb": 1024}, {"EphemeralStorage"}),
            Change({"code": a_zip("def handler(event, context): return 1")}, {"Code"}),
        ],
        drift={
            "Code": lambda client, ours: client.update_function_code(
                FunctionName=ours.name, ZipFile=a_zip("theirs")
            ),
            "Handler": _configure(Handler="theirs.handler"),
            "Runtime": _configure(Runtime="python3.12"),
            "Role": _configure(Role="arn:aws:iam::000000000000:role/theirs"),
            "MemorySize": _configure(MemorySize=1024),
            "Timeout": _configure(Timeout=3),
            "EphemeralStorage": _configure(EphemeralStorage={"Size": 600}),
            "Environment": _configure(Environment={"Variables": {"TARGET_BUCKET": "here", "THEIRS": "1"}}),
            "tags": lambda client, ours: client.untag_resource(Resource=ours.arn, TagKeys=theirs.OUR_TAGS),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="MemorySize",
        breaks=[
            Break("function-name", "index", _with(what="i" * 50)),
            Break("function-timeout", "index", _with(timeout_s=901)),
            Break("function-memory", "index", _with(memory_mb=20000)),
            Break("function-disk", "index", _with(disk_mb=10241)),
            Break("function-environment", "index", _with(environment={"LONG": "x" * 4096})),
            Break("function-reserved", "index", _with(environment={"AWS_REGION": "here"})),
            Break("function-code", "index", _with(code=b"def handler(): pass")),
            Break("function-handler", "index", _with(code=a_zip("", "main.py"))),
            Break("function-code-size", "index", _with_much_code),
            Break("log-role", "index", without_action("index", "logs:PutLogEvents")),
        ],
    ),
    Case(
        lambda_.EventSourceMapping,
        mapping,
        changes=[
            Change({"maximum_concurrency": 4}, {"ScalingConfig"}),
            Change({"batch_size": 1}, {"BatchSize"}),
        ],
        drift={
            "BatchSize": _update_mapping(BatchSize=2),
            "ScalingConfig": _update_mapping(ScalingConfig={}),
            "FunctionResponseTypes": _update_mapping(FunctionResponseTypes=[]),
            "Enabled": _update_mapping(Enabled=False),
        },
        others=Others(
            _update_mapping(FilterCriteria=ONLY_CSV),
            lambda client, ours: the_mapping(client, ours).get("FilterCriteria"),
        ),
        in_notebooks="Enabled",
        breaks=[
            Break("mapping-batch", "migrate", setting(lambda_.EventSourceMapping, "uploads", batch_size=11)),
            Break("mapping-role", "migrate", without_action("replicate", "sqs:GetQueueAttributes")),
        ],
    ),
    Case(
        lambda_.Permission,
        permission,
        changes=[
            Change({"source_arn": "arn:aws:events:us-east-1:000000000000:rule/r"}, {"Condition"}),
            Change({"principal": "events.amazonaws.com"}, {"Principal"}),
        ],
        drift={
            "Action": _allow_anew(Action="lambda:GetFunction"),
            "Condition": _allow_anew(SourceArn="arn:aws:s3:::theirs"),
            "Principal": _allow_anew(Principal="sns.amazonaws.com"),
        },
        others=Others(_allow_others, _statements_of_others),
        in_notebooks=WHOLE,
    ),
    Case(
        lambda_.EventInvokeConfig,
        invoke_config,
        changes=[
            Change({"retries": 0}, {"MaximumRetryAttempts"}),
            Change({"maximum_event_age_s": 60}, {"MaximumEventAgeInSeconds"}),
        ],
        drift={
            "MaximumRetryAttempts": _put_invoke_config(MaximumRetryAttempts=1),
            "MaximumEventAgeInSeconds": _put_invoke_config(MaximumEventAgeInSeconds=90),
            "OnFailure": _put_invoke_config(DestinationConfig={}),
        },
        others=Others(_put_on_success, _get_on_success),
        in_notebooks=WHOLE,
        breaks=[Break("destination-role", "index", without_action("index", "sqs:SendMessage"))],
    ),
]
