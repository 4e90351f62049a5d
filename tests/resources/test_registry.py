"""The types of resources list themselves, and say of themselves what others go by."""

import ast
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import botocore.session
import pytest

from lib.base.call_resource import resource
from lib.base.paths import ROOT
from lib.cli import endpoints
from lib.engine.inventory import TYPES
from lib.resources.base import Deletion, Resource
from lib.resources.registry import call_names, types
from lib.resources.s3 import Bucket

EACH = pytest.mark.parametrize("kind", types(), ids=lambda kind: kind.noun)
ELSEWHERE = {"Crawler.bucket", "GlueTable.bucket", "Trail.logs", "Trail.recorded"}  # may be in another region
CLASSES = {
    f"{path.stem}.{node.name}": node
    for path in (ROOT / "lib" / "resources").glob("*.py")
    for node in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(node, ast.ClassDef)
    and any(isinstance(b, ast.Name) and b.id in ("Resource", "End") for b in node.bases)
    and node.name != "End"  # what several of them have in common
}


def parts(kind: type[Resource]) -> dict[str, list[type[Resource]]]:
    """The attributes that are resources, and of which types they may be."""
    hints = get_type_hints(kind)

    def within(hint) -> list:
        if isinstance(hint, type) and issubclass(hint, Resource):
            return [hint]
        return [found for each in get_args(hint) for found in within(each)]

    found = {each.name: within(hints[each.name]) for each in fields(kind)}
    return {name: kinds for name, kinds in found.items() if kinds}


def test_every_class_of_the_package_is_listed_once():
    listed = [f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}" for kind in types()]
    assert sorted(listed) == sorted(CLASSES)
    assert types() == TYPES


def test_a_class_of_somebody_else_is_not_listed():
    class Theirs(Bucket):
        pass

    types.cache_clear()
    assert Theirs not in types()


@EACH
def test_it_says_itself_when_it_is_deleted(kind):
    assert "deletion" in vars(kind)


@EACH
def test_it_is_deleted_before_what_it_refers_to(kind):
    for name, kinds in parts(kind).items():
        for other in kinds:
            assert kind is other or types().index(kind) < types().index(other), name


def test_a_function_is_gone_before_its_log_group_and_all_before_the_buckets():
    order = [kind.__name__ for kind in types()]
    assert order.index("Function") < order.index("LogGroup")
    assert order[-1] == "Bucket"


@EACH
def test_what_is_to_be_in_its_region_are_attributes_that_are_resources(kind):
    assert set(kind.same_region) <= parts(kind).keys()
    others = {name for name, kinds in parts(kind).items() if not all(other.is_global for other in kinds)}
    own_rule = (
        {"source", "destination"} if kind.noun == "S3 inventory configuration" else set()
    )  # of three regions
    name = "GlueTable" if kind.noun == "Glue table" else kind.__name__
    assert {f"{name}.{one}" for one in others - set(kind.same_region) - own_rule} <= ELSEWHERE


@EACH
def test_it_says_who_works_in_its_role(kind):
    assert bool(kind.assumed_by) == ("role" in parts(kind))


@EACH
def test_a_move_closes_and_removes_only_what_holds_no_data(kind):
    assert kind.acts or not kind.is_entrance
    assert not kind.acts or kind.deletion not in (Deletion.CATALOGUE, Deletion.STORE, Deletion.BUCKET)


@EACH
def test_uses_of_its_key_are_actions_of_its_service(kind):
    assert kind.is_encrypted or not kind.key_uses
    assert {action.split(":")[0] for action in kind.key_uses} <= {kind.service}
    assert {use.split(":")[0] for uses in kind.key_uses.values() for use in uses} <= {"kms"}


@EACH
def test_its_call_names_are_parameters_of_its_service(kind):
    model = botocore.session.get_session().get_service_model(kind.service)
    shapes = [model.operation_model(name).input_shape for name in model.operation_names]
    assert set(kind.call_names) <= {member for shape in shapes if shape for member in shape.members}


def test_a_call_that_names_two_is_about_what_stays_longer():
    assert len(set(call_names())) == len(call_names())
    mapping = {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:queue", "FunctionName": "work"}
    assert resource("CreateEventSourceMapping", mapping, call_names()) == "work"
    assert resource("Unsubscribe", {"SubscriptionArn": "a:b"}, call_names()) == "a:b"
    assert resource("TagResource", {"ResourceArn": "arn"}, call_names()) == "arn"


def test_every_service_is_among_those_that_runbook_env_checks():
    assert {kind.service for kind in types()} <= {service for service, *_ in endpoints.CALLS}


@pytest.mark.parametrize("path", sorted((ROOT / "lib").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_no_other_module_lists_types(path: Path):
    """A type that is added would be forgotten there."""
    known = {name.partition(".")[2] for name in CLASSES}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict):
            each = node.keys if isinstance(node, ast.Dict) else node.elts
            named = {getattr(one, "id", getattr(one, "attr", "")) for one in each}
            assert len(named & known) < 4, f"line {node.lineno}"
