"""What others' errors mean here, and what to do: said in words, of what was asked for."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ParamValidationError

from lib.base import call_ledger
from lib.base.call_ledger import Call, CallLedger
from lib.base.errors import AnswerError, OutOfOrderError, StoppedError
from lib.base.explained import explained


@pytest.fixture(autouse=True)
def ledger(monkeypatch):
    ledger = CallLedger()
    monkeypatch.setattr(call_ledger, "ledger", lambda: ledger)
    return ledger


def answer(code, operation="GetQueueAttributes", message="It says why."):
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def asked(ledger, service, operation, resource, outcome):
    ledger._calls.append(Call("", service, operation, "us-east-1", resource, "", (), outcome, 1))
    ledger._made += 1


@pytest.mark.parametrize(
    ("service", "operation", "code", "resource", "said"),
    [
        (
            "sqs",
            "GetQueueAttributes",
            "AWS.SimpleQueueService.NonExistentQueue",
            "a/b-uploads",
            "queue b-uploads",
        ),
        ("sqs", "SendMessage", "QueueDoesNotExist", "b-uploads", "The queue b-uploads is gone"),
        ("s3", "HeadBucket", "NoSuchBucket", "b-source", "The bucket b-source is gone"),
        ("dynamodb", "Query", "ResourceNotFoundException", "b-files", "The table b-files is gone"),
        ("lambda", "GetFunction", "ResourceNotFoundException", "b-index", "The function b-index is gone"),
        ("logs", "FilterLogEvents", "ResourceNotFoundException", "/aws/lambda/b", "The log group b is gone"),
        ("sns", "Publish", "NotFound", "b-topic", "The topic b-topic is gone"),
        ("iam", "GetRole", "NoSuchEntity", "b-role", "The role or policy b-role is gone"),
        ("glue", "GetTables", "EntityNotFoundException", "b", "The database, table or crawler b is gone"),
        ("kinesis", "PutRecord", "ResourceNotFoundException", "b", "The thing b is gone"),
    ],
)
def test_what_somebody_deleted_is_named_with_what_makes_it_again(
    ledger, service, operation, code, resource, said
):
    asked(ledger, service, operation, resource, code)
    asked(ledger, "s3", "HeadObject", "another/key", "ok")
    error = explained(answer(code, operation))
    assert isinstance(error, AnswerError)
    assert said in str(error)
    assert "Plan and Apply" in str(error)
    assert f"{operation} answered {code}: It says why." in str(error)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "Log in anew"),
        ("InvalidClientTokenId", "Log in anew"),
        ("AccessDenied", "We may not GetQueueAttributes: It says why."),
        ("ThrottlingException", "Wait a minute"),
        (
            "InvalidParameterValue",
            "asked of it: GetQueueAttributes answered InvalidParameterValue",
        ),
        ("NoSuchKey", "AWS does not do what was asked"),  # an object that is gone is made by no plan
        ("ResourceNotFoundException", "A thing that this needs is gone"),  # of a call that nobody wrote down
    ],
)
def test_an_answer_says_what_to_do(code, said):
    assert said in str(explained(answer(code)))


def test_a_call_that_got_no_answer_says_where_to_look():
    assert "`runbook status`" in str(explained(EndpointConnectionError(endpoint_url="https://localhost:1")))
    assert "Log in anew" in str(explained(NoCredentialsError()))
    assert "bad key" in str(explained(ParamValidationError(report="bad key")))


def test_an_interruption_says_how_far_it_came_and_how_to_go_on():
    error = KeyboardInterrupt()
    error.add_note("Destroy: 53 of 108 resources done")
    said = explained(error)
    assert isinstance(said, StoppedError)
    assert str(said).startswith("interrupted; Destroy: 53 of 108 resources done. What was done stays done")
    assert "run it again" in str(said)
    assert str(explained(KeyboardInterrupt())).startswith("interrupted. What")


def raised(source, names):
    with pytest.raises(NameError) as error:
        exec(source, names)
    return error.value


def test_a_cell_that_runs_out_of_order_says_so_and_what_may_be_meant():
    names = {"stack": 1}
    said = explained(raised("print(uploads)", names), names)
    assert isinstance(said, OutOfOrderError)
    assert str(said).startswith("'uploads' is not there: a cell further up sets it")
    assert "Run All Above" in str(said)
    assert "did you mean 'stack'?" in str(explained(raised("stakc.plan()", names), names))


def test_a_fault_of_the_program_itself_keeps_its_traceback():
    names = {"call": lambda: nobody_sets_this}  # noqa: F821
    assert explained(raised("call()", names), names) is None
    assert explained(raised("call()", names)) is None
    assert explained(ValueError("x"), {}) is None
