"""What botocore's models of AWS's API do not allow is found, with where and why, and is not sent."""

import re

import pytest
from botocore.exceptions import ParamValidationError
from botocore.model import ServiceModel, Shape
from support.calls import Recorder, watched

from lib.base.aws_models import MODELS
from lib.base.request_model import EVERYTHING, matcher, misfits
from lib.resources.registry import types


def fits(service: str, operation: str, **arguments: object) -> list[str]:
    model = ServiceModel(MODELS.load_service_model(service, "service-2"), service)
    return [f"{where} {wrong}" for where, wrong in misfits(model.operation_model(operation), arguments)]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "wrong"),
    [
        ("lambda", "CreateFunction", {"FunctionName": "f", "Timeout": 0}, "Timeout is 0"),
        ("lambda", "CreateFunction", {"Runtime": "cobol85"}, "Runtime is 'cobol85', which is none of"),
        ("lambda", "CreateFunction", {"FunctionName": ""}, "FunctionName has 0 characters"),
        ("lambda", "CreateFunction", {"Environment": {"Variables": {"1": ""}}}, "the name in Environment"),
        ("events", "PutRule", {"Name": "a b"}, "Name is 'a b', which the pattern"),
        ("events", "PutRule", {"Tags": [{"Key": "", "Value": ""}]}, "Tags.Key has 0 characters"),
        ("glue", "CreateDatabase", {"DatabaseInput": {"Name": ""}}, "DatabaseInput.Name has 0"),
        ("cloudwatch", "PutMetricAlarm", {"Dimensions": [{"Name": "", "Value": "v"}]}, "Dimensions.Name"),
        ("iam", "PutRolePolicy", {"PolicyName": "x" * 129}, "PolicyName has 129 characters"),
        ("dynamodb", "CreateTable", {"BillingMode": "FREE"}, "BillingMode is 'FREE', which is none of"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(service, operation, arguments, wrong):
    found, *_ = fits(service, operation, **arguments)
    assert wrong in found


def test_what_fits_is_not_told():
    assert fits("lambda", "CreateFunction", FunctionName="f", MemorySize=128, Timeout=900) == []
    text = "Größe · 🚀 · \n\t ~"
    assert fits("glue", "CreateDatabase", DatabaseInput={"Name": "d", "Description": text}) == []


def test_letters_beyond_the_first_65536_are_letters_here_too():
    """Java's patterns, which the models have, spell them otherwise than Python's."""
    assert fits("glue", "CreateDatabase", DatabaseInput={"Name": "𝔡", "Description": "🚀" * 100}) == []


@pytest.mark.parametrize("odd", [None, 1.5, "x", [], {}, [{}], b"x", object()])
def test_of_wrong_types_and_unknown_names_botocore_tells_itself(odd):
    for name in ("FunctionName", "Environment", "Layers", "Timeout", "NoSuchName"):
        assert [each for each in fits("lambda", "CreateFunction", **{name: odd}) if "object at" in each] == []


def test_what_an_object_has_may_be_newer_than_this_botocore():
    assert fits("s3", "CopyObject", StorageClass="SLOWER_AND_CHEAPER") == []


# Of no request that is sent from here.
UNREADABLE = {"TransactionIdString", "AutoScalingPolicyName", "DefinitionPath", "ResourceType"}


def test_python_reads_all_patterns_of_these_services_but_some_of_what_is_never_sent():
    unread = set()

    def walk(shape: Shape, seen: set[str]) -> None:
        if shape.name in seen:
            return
        seen.add(shape.name)
        inner = {"structure": lambda: shape.members.values(), "list": lambda: [shape.member]}
        inner["map"] = lambda: [shape.key, shape.value]
        for each in inner.get(shape.type_name, list)():
            walk(each, seen)
        pattern = shape.metadata.get("pattern", ".*")
        if matcher(pattern) is EVERYTHING and pattern not in (".*", r"[\s\S]*"):
            unread.add(shape.name)

    for service in {kind.service for kind in types()}:
        model = ServiceModel(MODELS.load_service_model(service, "service-2"), service)
        seen: set[str] = set()
        for name in model.operation_names:
            if shape := model.operation_model(name).input_shape:
                walk(shape, seen)
    assert unread == UNREADABLE


@pytest.mark.parametrize(
    ("service", "call", "arguments"),
    [
        ("events", "put_rule", {"Name": "a b"}),
        (
            "iam",
            "create_role",
            {"RoleName": "r", "AssumeRolePolicyDocument": "{}", "Description": "x" * 1001},
        ),
        ("lambda", "update_event_source_mapping", {"UUID": "u", "BatchSize": 10001}),
        ("dynamodb", "update_table", {"TableName": "t", "BillingMode": "FREE"}),
        ("s3", "put_bucket_versioning", {"Bucket": "b", "VersioningConfiguration": {"Status": "Perhaps"}}),
        ("glue", "delete_table", {"DatabaseName": "d", "Name": ""}),
        ("cloudwatch", "tag_resource", {"ResourceARN": "a", "Tags": [{"Key": "k" * 129, "Value": ""}]}),
    ],
)
def test_what_does_not_fit_is_not_sent(target, service, call, arguments):
    recorder = Recorder()
    client = watched(target, "before-call", recorder).client(service, "us-east-1")
    with pytest.raises(ParamValidationError, match=re.escape(call.split("_")[0].capitalize())):
        getattr(client, call)(**arguments)
    assert recorder.made == []
