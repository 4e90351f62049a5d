"""What AWS's errors mean: each that a model declares for an operation that lib calls is in the table."""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
import yaml
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ServiceModel

from lib.base.aws_models import MODELS
from lib.base.paths import ROOT
from lib.base.retry import BOUNDS_S, FATAL, TABLE, class_of, classes, pattern, retry_passing
from lib.resources.registry import types

# Further services whose clients lib makes, by the names in `client("…")`.
NAMED = re.compile(r'client\(\s*"([a-z0-9-]+)"')


def sources() -> Iterator[str]:
    """What of lib speaks to AWS; the local AWS is not a client of it."""
    for path in sorted((ROOT / "lib").rglob("*.py")):
        if path.relative_to(ROOT / "lib").parts[0] != "local":
            yield path.read_text("utf-8")


def called() -> set[str]:
    """All that may be the name of a method of a client, of a paginator or of a waiter."""
    found = set()
    for source in sources():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


@cache
def declared() -> list[tuple[str, str, str]]:
    """Service, operation and code of each error that a model declares for what lib calls."""
    names = called()
    services = {kind.service for kind in types()} | {one for text in sources() for one in NAMED.findall(text)}
    return sorted(
        (service, operation, shape.metadata.get("error", {}).get("code") or shape.name)
        for service in services
        for model in [ServiceModel(MODELS.load_service_model(service, "service-2"), service)]
        for operation in model.operation_names
        if xform_name(operation) in names
        for shape in model.operation_model(operation).error_shapes
    )


def refusal(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Create")


def test_each_error_that_a_model_declares_for_what_we_call_is_classed():
    known = {code for codes in classes().values() for code in codes}
    unknown = {code: f"{service} {operation}" for service, operation, code in declared() if code not in known}
    assert not unknown, f"say in {TABLE} what they mean"


def test_much_is_declared_so_that_the_test_above_says_something():
    found = declared()
    assert len({operation for _, operation, _ in found}) > 100
    assert ("glue", "DeleteCrawler", "SchedulerTransitioningException") in found
    assert ("sns", "TagResource", "StaleTag") in found
    assert ("dynamodb", "ExportTableToPointInTime", "PointInTimeRecoveryUnavailableException") in found


def test_a_code_whose_message_decides_is_classed_for_its_other_messages_too():
    of_any = {code for codes in classes().values() for code, held in codes.items() if not held}
    of_some = {code for codes in classes().values() for code, held in codes.items() if held}
    assert of_some <= of_any


def test_no_code_is_twice_for_any_message():
    found = [code for codes in classes().values() for code, held in codes.items() if not held]
    assert sorted(found) == sorted(set(found))


def test_a_code_stands_once_in_a_class():
    class Strict(yaml.SafeLoader):
        pass

    def once(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), [key for key in keys if keys.count(key) > 1]
        return dict(loader.construct_pairs(node, deep=True))

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, once)
    assert yaml.load(TABLE.read_text("utf-8"), Strict).keys() >= {*BOUNDS_S, FATAL}


@pytest.mark.parametrize(
    ("code", "message", "name"),
    [
        ("SchedulerTransitioningException", "The schedule is being changed", "changing"),
        ("ConcurrentAccess", "Can't perform multiple operations on a tag", "changing"),
        ("StaleTag", "The tag set is stale", "changing"),
        ("ResourceNotReadyException", "not ready", "changing"),
        ("InvalidParameterValueException", "Function does not exist", "early"),
        ("PointInTimeRecoveryUnavailableException", "not enabled", "early"),
        ("InvalidInputException", "Unable to validate existence of s3 target s3://a/", "early"),
        ("InvalidInputException", "com.amazonaws… Please verify the role's TrustPolicy.", "early"),
        ("InvalidInputException", "User: arn is not authorized to perform: glue:GetDatabase", "early"),
        ("InvalidInputException", "Crawler name is too long", FATAL),
        ("MalformedPolicy", "Invalid principal in policy", "early"),
        ("MalformedPolicy", "Policy has invalid action", FATAL),
        ("ResourceConflictException", "The statement id (a) provided already exists", "done"),
        ("ResourceConflictException", "An event source mapping with … already exists. Please …", "changing"),
        ("ResourceInUseException", "Table already exists: a", "done"),
        ("ResourceInUseException", "The mapping is in use", "changing"),
        ("AccessDenied", "Access Denied", FATAL),
        ("NeverHeardOf", "", FATAL),
    ],
)
def test_what_an_error_means(code, message, name):
    assert class_of(refusal(code, message)) == name
    passes = name in BOUNDS_S
    assert bool(re.search(pattern(*BOUNDS_S), f"{code}: {message}")) is passes


def test_what_is_no_answer_of_aws_is_fatal():
    assert class_of(KeyError("OperationAborted")) == FATAL


def test_a_pattern_is_of_whole_codes():
    assert not re.search(pattern("missing"), "NotFoundElsewhere: a")
    assert re.search(pattern("changing"), "ResourceConflictException: two\nlines, a concurrent update")


def test_what_passes_is_tried_again_and_what_is_fatal_is_not():
    answers = [refusal("StaleTag", ""), refusal("ConcurrentAccess", ""), None]
    waits: list[float] = []

    def call() -> str:
        if raised := answers.pop(0):
            raise raised
        return "done"

    assert retry_passing(sleep=waits.append)(call) == "done"
    assert len(waits) == 2
    answers += [refusal("AccessDenied", "no")]
    with pytest.raises(ClientError, match="no"):
        retry_passing(sleep=lambda _: pytest.fail("waits"))(call)


def test_only_the_classes_that_are_named_are_tried_again():
    def call() -> None:
        raise refusal("NoSuchBucket", "gone")

    with pytest.raises(ClientError, match="gone"):
        retry_passing("changing", sleep=lambda _: pytest.fail("waits"))(call)


def test_each_class_has_its_time(monkeypatch):
    monkeypatch.setitem(BOUNDS_S, "missing", 0)

    def call() -> None:
        raise refusal("NoSuchBucket", "gone")

    with pytest.raises(ClientError, match="gone"):
        retry_passing(sleep=lambda _: pytest.fail("waits"))(call)
