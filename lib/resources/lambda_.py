"""Lambda: functions, what makes them run, and what becomes of their failures."""

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from time import sleep
from typing import ClassVar

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from tenacity import Retrying

from lib.base.difference import of_zips
from lib.base.retry import (
    IS_BEING_CHANGED,
    NOT_READY,
    PROPAGATION_S,
    TOO_EARLY,
    retry_on,
    retry_passing,
    wait_until,
)
from lib.resources.base import Deletion, Found, Link, Resource, Scope, Settings, our_tags
from lib.resources.bundle import LAMBDA, MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES, contents_digest
from lib.resources.checks import Finding, within, written_as
from lib.resources.iam import Role
from lib.resources.policies import Statement
from lib.resources.policies import principal as service_principal
from lib.resources.sqs import Queue

RUNTIME = f"python{LAMBDA.python_version}"
TAG_CODE = "runbook:code"  # what a function's code is, so that equal code is no drift however it was zipped
# Quotas of functions: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_TIMEOUT_S, MOST_MEMORY_MB, MOST_DISK_MB = 900, 10240, 10240
MOST_ENVIRONMENT_BYTES = 4096
# Lambda sets these itself, and refuses the first ones:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
RESERVED = frozenset(
    """
    _HANDLER _X_AMZN_TRACE_ID AWS_DEFAULT_REGION AWS_REGION AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_NAME
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_INITIALIZATION_TYPE
    AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_ACCESS_KEY AWS_ACCESS_KEY_ID
    AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_LAMBDA_RUNTIME_API LAMBDA_TASK_ROOT LAMBDA_RUNTIME_DIR
    """.split()  # noqa: SIM905 – as a list of strings it would be 18 lines
)
# Disabling, draining, changing or deleting a mapping takes up to a minute on AWS, at times minutes.
MAPPING_CHANGE_S, MAPPING_POLL_S = 300, 0.5
# As long as botocore's own waiters, which look once a second.
WAIT_300_S = {"Delay": 0.2, "MaxAttempts": 1500}


def _when_ready(sleep: Callable[[float], None]) -> Retrying:
    """Wait for a role, a queue or a function that is not seen yet, and for what is being made or changed."""
    return retry_passing(*NOT_READY, sleep=sleep)


@dataclass(repr=False, kw_only=True)
class Function(Resource):
    """A Lambda function whose code is a zip.

    Attributes:
        role: What it may do.
        code: The zip's bytes; a function whose zip has the same contents stays as it is.
        environment: Its environment variables; those named `…_BUCKET` and `…_TABLE` say what it writes to,
            `…_FUNCTION` which function it hands work over to; tables and functions are in its region.
        timeout_s: How long one invocation may take.
        memory_mb: Its memory in MiB, which also decides its share of a CPU.
        disk_mb: Its temporary disk in MiB, 512 to 10240.
    """

    role: Role
    code: bytes
    environment: dict[str, str] = field(default_factory=dict)
    timeout_s: int = 60
    memory_mb: int = 512
    disk_mb: int = 512

    service: ClassVar[str] = "lambda"
    noun: ClassVar[str] = "Lambda function"
    deletion: ClassVar[Deletion] = Deletion.FUNCTION
    acts: ClassVar[bool] = True
    assumed_by: ClassVar[str] = "lambda.amazonaws.com"
    call_names: ClassVar[tuple[str, ...]] = ("FunctionName",)

    @property
    def arn(self) -> str:
        return function_arn(self.scope, self.region, self.what)

    def _configuration(self) -> dict:
        return {
            "Runtime": RUNTIME,
            "Handler": "handler.handler",
            "Role": self.role.arn,
            "Timeout": self.timeout_s,
            "MemorySize": self.memory_mb,
            "EphemeralStorage": {"Size": self.disk_mb},
            "Environment": {"Variables": self.environment},
        }

    def desired(self) -> Settings:
        return {"Code": contents_digest(self.code), **self._configuration(), "tags": self.scope.tags}

    def read(self, client) -> Settings | None:
        try:
            answer = client.get_function(FunctionName=self.name)
        except client.exceptions.ResourceNotFoundException:
            return None
        found = answer["Configuration"]
        settings = {key: found.get(key) for key in self._configuration()}
        settings["Environment"] = {"Variables": found.get("Environment", {}).get("Variables", {})}
        tags = answer.get("Tags", {})
        contents, _, zipped = tags.get(TAG_CODE, "").partition(" ")
        # Somebody else's code has not the digest that was written down with ours.
        code = contents if zipped == found["CodeSha256"] else found["CodeSha256"]
        return {"Code": code, **settings, "tags": our_tags(tags)}

    def code_tag(self) -> dict[str, str]:
        """Return the tag that says what the code is, and by which digest Lambda knows its zip."""
        zipped = base64.b64encode(hashlib.sha256(self.code).digest()).decode()
        return {TAG_CODE: f"{contents_digest(self.code)} {zipped}"}

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        tags = {**self.scope.tags, **self.code_tag()}
        arguments = {"FunctionName": self.name, "Code": {"ZipFile": self.code}, "Tags": tags}
        _when_ready(sleep)(client.create_function, **arguments, **self._configuration())
        client.get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig=WAIT_300_S)

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        if "tags" in settings:
            client.tag_resource(Resource=self.arn, Tags=settings["tags"])
        if "Code" in settings:
            update = _when_ready(sleep)
            update(client.update_function_code, FunctionName=self.name, ZipFile=self.code)
            client.get_waiter("function_updated_v2").wait(FunctionName=self.name, WaiterConfig=WAIT_300_S)
            client.tag_resource(Resource=self.arn, Tags=self.code_tag())
        if configuration := {key: settings[key] for key in self._configuration() if key in settings}:
            update = _when_ready(sleep)
            update(client.update_function_configuration, FunctionName=self.name, **configuration)
            client.get_waiter("function_updated_v2").wait(FunctionName=self.name, WaiterConfig=WAIT_300_S)

    def difference(self, client, found: Settings, changes: Settings) -> Iterator[str]:
        yield from super().difference(client, found, {k: v for k, v in changes.items() if k != "Code"})
        if "Code" in changes:
            there = self._code_there(client)
            yield from of_zips("code", there, self.code) if there else ["code: what is there cannot be read"]

    def _code_there(self, client) -> bytes:
        """Return the zip that Lambda has; empty if it cannot be had: a plan can do without.

        https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCodeLocation.html
        """
        location = client.get_function(FunctionName=self.name).get("Code", {}).get("Location", "")
        if not location:
            return b""
        request = AWSRequest("GET", location).prepare()
        try:
            answer = client._endpoint.http_session.send(request)  # which trusts whom the client trusts
        except BotoCoreError:  # no connection, no time, no certificate, a cut-off body
            return b""
        return answer.content if answer.status_code == HTTPStatus.OK else b""

    def checks(self) -> Iterable[Finding]:
        pattern, grammar = "[A-Za-z0-9_-]{1,64}", "at most 64 letters, digits, _ and -"
        yield from written_as("function-name", "its name", self.name, pattern, grammar)
        yield from within("function-timeout", "timeout_s", self.timeout_s, 1, MOST_TIMEOUT_S)
        yield from within("function-memory", "memory_mb", self.memory_mb, 128, MOST_MEMORY_MB)
        yield from within("function-disk", "disk_mb", self.disk_mb, 512, MOST_DISK_MB)
        if reserved := ", ".join(sorted(RESERVED & self.environment.keys())):
            yield Finding("function-reserved", f"environment sets {reserved}", "choose another name")
        size = len(json.dumps(self.environment, separators=(",", ":")).encode())
        if size > MOST_ENVIRONMENT_BYTES:
            fix = f"keep to {MOST_ENVIRONMENT_BYTES} bytes, for instance by an object in S3"
            yield Finding("function-environment", f"environment has {size} bytes", fix)
        yield from self._code_checks()

    def _code_checks(self) -> Iterator[Finding]:
        try:
            files = zipfile.ZipFile(io.BytesIO(self.code)).infolist()
        except zipfile.BadZipFile as error:
            yield Finding(
                "function-code", f"code is no zip: {error}", "bundle it with lib.resources.bundle.bundle"
            )
            return
        if "handler.py" not in {file.filename for file in files}:
            yield Finding("function-handler", "code has no handler.py", "put handler.py at the zip's top")
        sizes = (
            ("zipped", len(self.code) / 2**20, MAX_ZIPPED_BYTES // 2**20),
            ("unzipped", sum(file.file_size for file in files) / 2**20, MAX_UNZIPPED_BYTES // 2**20),
        )
        for word, size_mb, most_mb in sizes:
            if size_mb > most_mb:
                what, fix = f"code has {size_mb:.0f} MiB {word}", f"keep to {most_mb} MiB: fewer packages"
                yield Finding("function-code-size", what, fix)

    def links(self, settings: Settings) -> Iterable[Link]:
        here = f"{self.region}:{self.scope.account_id}"
        for name, value in settings["Environment"]["Variables"].items():
            if name.endswith("_BUCKET"):
                yield Link(self.arn, f"arn:aws:s3:::{value}", "writes")
            if name.endswith("_TABLE"):
                yield Link(self.arn, f"arn:aws:dynamodb:{here}:table/{value}", "writes")
            if name.endswith("_QUEUE"):
                yield Link(self.arn, f"arn:aws:sqs:{here}:{value}", "holds")
            if name.endswith("_FUNCTION"):
                yield Link(self.arn, f"arn:aws:lambda:{here}:function:{value}", "hands over")

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                if (name := function["FunctionName"]).startswith(scope.beginning):
                    arn = function["FunctionArn"]
                    with suppress(client.exceptions.ResourceNotFoundException):
                        yield Found(name, name, arn, client.list_tags(Resource=arn).get("Tags", {}))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        try:
            client.delete_function(FunctionName=identifier)
        except client.exceptions.ResourceNotFoundException:
            return


def function_arn(scope: Scope, region: str, what: str) -> str:
    """Return the ARN of a pipeline's function, which need not be described yet.

    Args:
        scope: The pipeline.
        region: The function's region.
        what: The last part of its name.
    """
    return f"arn:aws:lambda:{region}:{scope.account_id}:function:{scope.name(what)}"


@dataclass(repr=False, kw_only=True)
class EventSourceMapping(Resource):
    """A queue's messages make a function run, in batches; a record that fails comes back alone.

    Attributes:
        queue: Whose messages.
        function: What runs.
        batch_size: Messages a batch, at most.
        maximum_concurrency: Invocations at the same time, at most.
    """

    queue: Queue
    function: Function
    batch_size: int = 10
    maximum_concurrency: int = 10

    service: ClassVar[str] = "lambda"
    noun: ClassVar[str] = "Lambda event source mapping"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.LINK
    acts: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("queue", "function")
    call_names: ClassVar[tuple[str, ...]] = ("UUID", "EventSourceArn")

    @property
    def arn(self) -> str:
        """The function's and the queue's ARN; Lambda names a mapping by a UUID."""
        return f"{self.function.arn}#{self.queue.arn}"

    def desired(self) -> Settings:
        return {
            "BatchSize": self.batch_size,
            "ScalingConfig": {"MaximumConcurrency": self.maximum_concurrency},
            # Without it one failed record makes the whole batch come back.
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Enabled": True,
        }

    def read(self, client) -> Settings | None:
        found = self._mapping(client)
        if found is None:
            return None
        settings = {key: found.get(key) for key in self.desired()}
        return {**settings, "Enabled": found["State"] in ("Enabled", "Enabling", "Creating", "Updating")}

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        arguments = {"EventSourceArn": self.queue.arn, "FunctionName": self.function.name}
        # Not while one is there: it may be ours, whose answer was lost, or one that is being deleted. Whoever
        # makes it looks again.
        retry_on(TOO_EARLY, PROPAGATION_S, sleep)(
            client.create_event_source_mapping, **arguments, **self.desired()
        )

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        retrying = retry_on(IS_BEING_CHANGED, MAPPING_CHANGE_S, sleep)
        mapping = self._still(self._mapping(client))
        retrying(client.update_event_source_mapping, UUID=mapping["UUID"], **settings)

    def checks(self) -> Iterable[Finding]:
        if self.batch_size > 10:
            what = f"batch_size is {self.batch_size}, without a batching window"
            yield Finding("mapping-batch", what, "set batch_size to 1 … 10")
        timeout_s, hidden_s = self.function.timeout_s, self.queue.visibility_timeout_s
        if hidden_s < 6 * timeout_s:
            what = (
                f"{self.queue.name} hides a message for {hidden_s} s, {self.function.name} has {timeout_s} s"
            )
            fix = f"set visibility_timeout_s of the queue to {6 * timeout_s}, 6 times the timeout, or more"
            rule = "queue-visibility" if hidden_s < timeout_s else "queue-visibility-factor"
            yield Finding(rule, what, fix)

    def links(self, settings: Settings) -> Iterable[Link]:
        yield Link(self.queue.arn, self.function.arn, f"batches of {settings['BatchSize']}")

    def _mapping(self, client) -> dict | None:
        pages = client.get_paginator("list_event_source_mappings").paginate(
            EventSourceArn=self.queue.arn, FunctionName=self.function.name
        )
        try:
            mappings = [mapping for page in pages for mapping in page["EventSourceMappings"]]
        except client.exceptions.ResourceNotFoundException:
            return None
        return next((mapping for mapping in mappings if mapping["State"] != "Deleting"), None)

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        tags = {function.arn: function.tags for function in Function.find(client, scope)}
        for mapping in _mappings(client):
            arn = ":".join(mapping["FunctionArn"].split(":")[:7])  # without a version or an alias
            if (function := arn.split(":")[6]).startswith(scope.beginning):
                queue = mapping["EventSourceArn"]
                name = f"{function} ← {queue.split(':')[-1]}"
                yield Found(mapping["UUID"], name, f"{arn}#{queue}", tags.get(arn, {}))

    @classmethod
    def delete(cls, client, identifier: str, sleep: Callable[[float], None] = sleep) -> None:
        """Delete a mapping and wait until it is gone, since a new one is refused before."""
        wait_until(
            lambda: _delete_mapping(client, identifier),
            bool,
            MAPPING_CHANGE_S,
            MAPPING_POLL_S,
            sleep,
            f"event source mapping {identifier} still exists after {MAPPING_CHANGE_S} s",
        )


def _mappings(client) -> Iterator[dict]:
    for page in client.get_paginator("list_event_source_mappings").paginate():
        yield from page["EventSourceMappings"]


def _delete_mapping(client, uuid: str) -> bool:
    """Ask for a mapping to be deleted unless it is on its way, and tell whether it is gone.

    It is looked for in the list: to ask for one by its UUID we need to be allowed its function, and where
    there is no mapping any more there is no function to be allowed.
    """
    if _state(client, uuid) not in (None, "Deleting"):
        # One that is being changed is in use; it is asked for again.
        with suppress(client.exceptions.ResourceInUseException, client.exceptions.ResourceNotFoundException):
            client.delete_event_source_mapping(UUID=uuid)
    return _state(client, uuid) is None


def _state(client, uuid: str) -> str | None:
    return next((mapping["State"] for mapping in _mappings(client) if mapping["UUID"] == uuid), None)


@dataclass(repr=False, kw_only=True)
class Permission(Resource):
    """One statement of a function's policy: a service may invoke it, on behalf of one source.

    Attributes:
        function: What may be invoked.
        principal: The service that may, such as `s3.amazonaws.com`.
        source_arn: On whose behalf: the ARN of a bucket, a rule.
    """

    function: Function
    principal: str
    source_arn: str

    service: ClassVar[str] = "lambda"
    noun: ClassVar[str] = "Lambda permission"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.LINK
    acts: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("function",)
    call_names: ClassVar[tuple[str, ...]] = ("SourceArn",)

    @property
    def arn(self) -> str:
        """The function's ARN and the statement's id; statements have no ARN of their own."""
        return f"{self.function.arn}#{self.name}"

    @property
    def statement(self) -> Statement:
        """It as the function's policy will have it."""
        return {"Sid": self.name, "Effect": "Allow", "Resource": self.function.arn, **self.desired()}

    def desired(self) -> Settings:
        condition = {"ArnLike": {"AWS:SourceArn": self.source_arn}}
        # A bucket's ARN carries no account, and the name of a deleted bucket can be taken by somebody else.
        # If the ARN carries it, the account is not asked for once more: AddPermission has no "if exists",
        # and EventBridge does not send it, so that the rule would silently never run the function:
        # https://github.com/awsdocs/aws-cloudformation-user-guide/pull/481
        if not self.source_arn.split(":")[4]:
            condition["StringEquals"] = {"AWS:SourceAccount": self.scope.account_id}
        return {
            "Principal": {"Service": service_principal(self.principal, self.source_arn, self.region)},
            "Action": "lambda:InvokeFunction",
            "Condition": condition,
        }

    def read(self, client) -> Settings | None:
        found = next((s for s in statements(client, self.function.name) if s["Sid"] == self.name), None)
        return found and {key: found.get(key) for key in self.desired()}

    def create(self, client) -> None:
        settings = self.desired()
        account = settings["Condition"].get("StringEquals", {}).get("AWS:SourceAccount")
        client.add_permission(
            FunctionName=self.function.name,
            StatementId=self.name,
            Action=settings["Action"],
            Principal=settings["Principal"]["Service"],
            SourceArn=self.source_arn,
            **({"SourceAccount": account} if account else {}),
        )

    def update(self, client, settings: Settings) -> None:
        """Make it anew: Lambda changes no statement."""
        self.delete(client, f"{self.function.name}#{self.name}")
        self.create(client)

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for function in Function.find(client, scope):
            for sid in (statement["Sid"] for statement in statements(client, function.name)):
                if sid.startswith(scope.beginning):
                    yield Found(f"{function.name}#{sid}", sid, f"{function.arn}#{sid}", function.tags)

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Remove one statement and leave the function's other statements as they are."""
        function, statement_id = identifier.split("#")
        try:
            client.remove_permission(FunctionName=function, StatementId=statement_id)
        except client.exceptions.ResourceNotFoundException:
            return


def statements(client, function: str) -> list[dict]:
    """Return the statements of a function's policy; none if there is no policy, or no function.

    Args:
        client: A Lambda client of the function's region.
        function: Its name.
    """
    try:
        return json.loads(client.get_policy(FunctionName=function)["Policy"])["Statement"]
    except client.exceptions.ResourceNotFoundException:
        return []


@dataclass(repr=False, kw_only=True)
class EventInvokeConfig(Resource):
    """What becomes of an event that a function, invoked asynchronously, fails on; S3 and EventBridge do so.

    Attributes:
        function: The function; its role must be allowed `sqs:SendMessage` on the queue.
        on_failure: Where events go that failed for good, in the function's region.
        retries: How often Lambda tries again, 0 to 2: a minute after the first attempt, two after the second.
        maximum_event_age_s: How long Lambda keeps an event that it cannot hand over, 60 to 21600.
    """

    function: Function
    on_failure: Queue
    retries: int = 2
    maximum_event_age_s: int = 21600

    service: ClassVar[str] = "lambda"
    noun: ClassVar[str] = "Lambda event invoke config"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.LINK
    acts: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("function", "on_failure")

    @property
    def arn(self) -> str:
        """The function's ARN and what this is of it: a function has one only, with no ARN of its own."""
        return f"{self.function.arn}#event-invoke-config"

    def desired(self) -> Settings:
        return {
            "MaximumRetryAttempts": self.retries,
            "MaximumEventAgeInSeconds": self.maximum_event_age_s,
            "OnFailure": self.on_failure.arn,
        }

    def read(self, client) -> Settings | None:
        found = _event_invoke_config(client, self.function.name)
        if found is None:
            return None
        on_failure = found.get("DestinationConfig", {}).get("OnFailure", {})
        return {**{key: found.get(key) for key in self.desired()}, "OnFailure": on_failure.get("Destination")}

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        found = _event_invoke_config(client, self.function.name) or {}
        on_success = found.get("DestinationConfig", {}).get("OnSuccess")  # somebody else's, stays
        destinations = {"OnSuccess": on_success} if on_success else {}
        _when_ready(sleep)(
            client.put_function_event_invoke_config,
            FunctionName=self.function.name,
            MaximumRetryAttempts=self.retries,
            MaximumEventAgeInSeconds=self.maximum_event_age_s,
            DestinationConfig={**destinations, "OnFailure": {"Destination": self.on_failure.arn}},
        )

    def update(self, client, settings: Settings) -> None:
        self.create(client)

    def links(self, settings: Settings) -> Iterable[Link]:
        if settings["OnFailure"]:
            attempts = settings["MaximumRetryAttempts"] + 1
            label = f"after {attempts} failed attempt{'s' if attempts > 1 else ''}"
            yield Link(self.function.arn, settings["OnFailure"], label)

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for function in Function.find(client, scope):
            if _event_invoke_config(client, function.name):
                name, arn = f"{function.name} on failure", f"{function.arn}#event-invoke-config"
                yield Found(function.name, name, arn, function.tags)

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        try:
            client.delete_function_event_invoke_config(FunctionName=identifier)
        except client.exceptions.ResourceNotFoundException:
            return


def functions(client, scope: Scope) -> dict[str, dict[str, str]]:
    """Return the functions of a region that are ours: ARN to environment variables.

    Args:
        client: A Lambda client of the region.
        scope: Whose.
    """
    return {
        function["FunctionArn"]: function.get("Environment", {}).get("Variables", {})
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function["FunctionName"].startswith(scope.beginning)
    }


def event_source_mappings(client) -> list[tuple[str, str]]:
    """Return what makes which function run in a region: the source's ARN and the function's.

    Args:
        client: A Lambda client of the region.
    """
    return [
        (mapping["EventSourceArn"], ":".join(mapping["FunctionArn"].split(":")[:7]))
        for mapping in _mappings(client)
        if mapping.get("EventSourceArn") and mapping["State"] != "Deleting"
    ]


def on_failure(client, function: str) -> str:
    """Return where the events go that a function, invoked asynchronously, failed on: an ARN, or empty.

    Args:
        client: A Lambda client of the function's region.
        function: Its name.
    """
    found = _event_invoke_config(client, function) or {}
    return found.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")


def _event_invoke_config(client, function: str) -> dict | None:
    try:
        return client.get_function_event_invoke_config(FunctionName=function)
    except client.exceptions.ResourceNotFoundException:
        return None
