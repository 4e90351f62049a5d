"""What AWS and the network do now and then, done once to every call, below botocore's own retries."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.retries.standard import ExponentialBackoff

from lib.base import retry
from lib.local.deployer import new_session
from lib.target import Target

XML = {"s3": "<Error>{}</Error>", "iam": "<ErrorResponse><Error>{}</Error></ErrorResponse>"}
XML["sns"] = XML["iam"]
THROTTLING = {
    "s3": (503, "SlowDown"),
    "lambda": (429, "TooManyRequestsException"),
    "iam": (400, "Throttling"),
}
THROTTLING["sns"] = THROTTLING["iam"]


@dataclass(frozen=True)
class Call:
    """One attempt of a call: to which service, for what, and as it goes over the wire."""

    service: str
    operation: str
    request: AWSPreparedRequest
    really: Callable[[], Any]


Fault = Callable[[Call], AWSResponse | None]


class Body:
    """The body of an answer, as urllib3 gives it."""

    def __init__(self, content: bytes):
        self.content = content

    def stream(self, *_: Any, **__: Any):
        yield self.content

    def read(self, *_: Any) -> bytes:
        content, self.content = self.content, b""
        return content


def refuse(call: Call, status: int, code: str, message: str = "Please try again") -> AWSResponse:
    """Answer with an error, in the words of the call's service."""
    headers = {"x-amzn-errortype": code, "x-amzn-requestid": "fault"}
    if template := XML.get(call.service):
        text = template.format(f"<Code>{code}</Code><Message>{message}</Message>")
    else:
        text = json.dumps({"__type": code, "message": message})
    return AWSResponse(call.request.url, status, headers, Body(text.encode()))


def throttled(call: Call) -> AWSResponse:
    return refuse(call, *THROTTLING.get(call.service, (400, "ThrottlingException")))


def limit_exceeded(call: Call) -> AWSResponse:
    return refuse(call, 503, "RequestLimitExceeded")


def broken(call: Call) -> AWSResponse:
    return refuse(call, 500, "InternalError")


def unavailable(call: Call) -> AWSResponse:
    return refuse(call, 503, "ServiceUnavailable")


def no_connection(call: Call) -> None:
    raise ConnectTimeoutError(endpoint_url=call.request.url)


def no_answer(call: Call) -> None:
    raise ReadTimeoutError(endpoint_url=call.request.url)


def lost_answer(call: Call) -> None:
    """AWS does it, and nobody hears of it: botocore will ask again for what is done already."""
    call.really()
    raise ReadTimeoutError(endpoint_url=call.request.url)


SECOND_MAPPING = (
    "An event source mapping with SQS arn (q) and function (f) already exists. Please update or delete"
)
EVERY_CALL = [throttled, limit_exceeded, broken, unavailable, no_connection, no_answer, lost_answer]

ROLE = "arn:aws:iam::000000000000:role/r"
# What single operations answer while something that was made a moment ago is not known everywhere.
NOT_YET = {
    "lambda.CreateFunction": [
        (
            400,
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (
            400,
            "InvalidParameterValueException",
            "Lambda was unable to configure access to your environment variables because the KMS key is "
            "invalid for CreateGrant. Please check your KMS key settings.",
        ),
    ],
    "lambda.CreateEventSourceMapping": [
        (
            400,
            "InvalidParameterValueException",
            "The function execution role does not have permissions to call ReceiveMessage on SQS",
        ),
        (404, "ResourceNotFoundException", "Function does not exist"),
        (
            400,
            "InvalidParameterValueException",
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist.",
        ),
    ],
    "lambda.AddPermission": [
        (404, "ResourceNotFoundException", "Function not found"),
        (
            409,
            "ResourceConflictException",
            "The function could not be updated due to a concurrent update operation. Please try again later.",
        ),
    ],
    "lambda.PutFunctionEventInvokeConfig": [
        (400, "InvalidParameterValueException", "The destination ARN arn:aws:sqs:x is invalid."),
        (
            400,
            "InvalidParameterValueException",
            "The function's execution role does not have permissions to call SendMessage on arn:aws:sqs:x",
        ),
        (
            409,
            "ResourceConflictException",
            "The operation cannot be performed at this time. An update is in progress for resource: f",
        ),
    ],
    "s3.CreateBucket": [
        (409, "OperationAborted", "A conflicting conditional operation is currently in progress"),
    ],
    "s3.PutBucketTagging": [(404, "NoSuchBucket", "The specified bucket does not exist")],
    "s3.PutBucketPolicy": [
        (409, "OperationAborted", "A conflicting conditional operation is currently in progress"),
    ],
    "s3.PutBucketNotificationConfiguration": [
        (400, "InvalidArgument", "Unable to validate the following destination configurations"),
    ],
    "iam.CreateRole": [(409, "ConcurrentModification", "The role is being modified")],
    "iam.PutRolePolicy": [(404, "NoSuchEntity", "The role with name r cannot be found.")],
    "iam.DeleteRole": [(409, "DeleteConflict", "Cannot delete entity, must delete policies first.")],
    "sns.Subscribe": [(404, "NotFound", "Topic does not exist")],
    "sqs.CreateQueue": [
        (
            400,
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "You must wait 60 seconds after deleting a queue before you can create another of that name.",
        ),
    ],
    "logs.PutRetentionPolicy": [
        (400, "ResourceNotFoundException", "The specified log group does not exist."),
        (400, "OperationAbortedException", "A conflicting operation is currently in progress"),
    ],
    "glue.CreateCrawler": [
        (
            400,
            "InvalidInputException",
            "Service is unable to assume provided role. Please verify role's TrustPolicy",
        ),
        (400, "EntityNotFoundException", "Database db not found."),
    ],
    "events.PutTargets": [
        (400, "ResourceNotFoundException", "Rule r does not exist on EventBus default."),
        (400, "ConcurrentModificationException", "Rule r was modified concurrently"),
    ],
    "dynamodb.UpdateContinuousBackups": [
        (400, "ContinuousBackupsUnavailableException", "Backups are being enabled for the table: t."),
    ],
    "dynamodb.UpdateTimeToLive": [(400, "ResourceNotFoundException", "Requested resource not found")],
    "s3.DeleteBucket": [(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")],
    "lambda.DeleteFunction": [
        (409, "ResourceConflictException", "The operation cannot be performed at this time."),
    ],
    "dynamodb.DeleteTable": [(400, "ResourceInUseException", "Attempt to change a resource which is in use")],
}


@dataclass
class NotYet:
    """Refuses what may come too early, once, however often it is asked for again.

    Attributes:
        number: In which of the operation's ways, counted from 0.
    """

    number: int = 0
    refused: set[tuple] = field(default_factory=set)

    def __call__(self, call: Call) -> AWSResponse | None:
        answers = NOT_YET.get(f"{call.service}.{call.operation}", [])
        what = (call.operation, call.request.method, call.request.url, call.request.body)
        if self.number >= len(answers) or what in self.refused:
            return None
        self.refused.add(what)
        return refuse(call, *answers[self.number])


@dataclass
class Disturber:
    """Does one fault to the first attempt of every call.

    Attributes:
        fault: What to do; None for nothing.
        disturbed: The calls that it was done to, by their operations.
    """

    verify: str
    fault: Fault | None = None
    disturbed: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    @cached_property
    def session(self) -> URLLib3Session:
        """What sends on; its connections are kept, as a client's are."""
        return URLLib3Session(verify=self.verify, proxies={})

    def __call__(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        _, service, operation = event_name.split(".")
        call = Call(service, operation, request, lambda: self._send(request))
        invocation = _text(request.headers["amz-sdk-invocation-id"])
        if self.fault is None:
            return None
        if invocation in self.seen:
            # MiniStack makes a second mapping of the same queue and function; AWS never does.
            is_second = self.fault is lost_answer and operation == "CreateEventSourceMapping"
            return refuse(call, 409, "ResourceConflictException", SECOND_MAPPING) if is_second else None
        self.seen.add(invocation)
        answer = self._do(call)
        if answer is not None:
            self.disturbed.append(operation)
        return answer

    def _do(self, call: Call) -> AWSResponse | None:
        try:
            return self.fault(call)
        except (ConnectTimeoutError, ReadTimeoutError):
            self.disturbed.append(call.operation)
            raise

    def _send(self, request: AWSPreparedRequest) -> None:
        self.session.send(request)


def disturbed(target: Target, disturber: Disturber) -> Target:
    """Return the target with clients of its own, whose calls are disturbed."""
    key = target.session.get_credentials()
    session = new_session(key.access_key, key.secret_key)
    session.events.register("before-send", disturber)
    return replace(target, session=session, _clients={})


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


FAULTS: dict[str, Callable[[], Fault]] = {
    **{fault.__name__: (lambda fault=fault: fault) for fault in EVERY_CALL},
    **{f"not_yet_{n + 1}": (lambda n=n: NotYet(n)) for n in range(max(map(len, NOT_YET.values())))},
}


def without_waits(patch: pytest.MonkeyPatch) -> None:
    """Have retries, botocore's and ours, follow at once."""
    patch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0)
    patch.setattr(retry, "WAIT_S", 0)
