"""Accounts that are set up otherwise than most: new ones, and those with a governed data lake."""

import pytest
from botocore.exceptions import ClientError
from support import cases

from lib.engine import preflight
from lib.engine.stack import Stack
from lib.resources.base import Resource

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "Get")
BY_IAM = {
    "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"},
    "Permissions": ["ALL"],
}
BOTH = ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions")


@pytest.fixture
def answering(stack: Stack, monkeypatch):
    """Has AWS answer a call otherwise: `answering("lambda", resource, "get_account_settings", {…})`."""

    def answer(service: str, one: Resource, call: str, told: dict | ClientError) -> None:
        def tell(**_: object) -> dict:
            if isinstance(told, ClientError):
                raise told
            return told

        monkeypatch.setattr(stack.target.client(service, one.region), call, tell)

    return answer


def found(stack: Stack) -> list[tuple[str, str]]:
    return [(one.rule, one.what) for one in preflight.look(stack)]


@pytest.mark.parametrize(("free", "fits"), [(1000, True), (11, True), (10, False), (0, False)])
def test_mappings_that_may_take_all_of_a_small_account_are_named(
    stack: Stack, answering, free: int, fits: bool
):
    mapping = cases.lambda_.mapping(stack)
    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": free}
    answering("lambda", mapping, "get_account_settings", {"AccountLimit": limit})
    if fits:
        assert found(stack) == []
        return
    ((rule, what),) = found(stack)
    assert rule == "concurrency-account"
    assert f"have {mapping.maximum_concurrency} invocations" in what
    assert f"runs {free} of all functions" in what
    assert preflight.check(stack) == [], "AWS takes it"
    assert [one.action for one in stack.plan().warned] == ["warning"]


def test_who_may_not_look_is_told_so(stack: Stack, answering):
    mapping, database = cases.lambda_.mapping(stack), cases.glue.database(stack)
    answering("lambda", mapping, "get_account_settings", DENIED)
    answering("lakeformation", database, "get_data_lake_settings", DENIED)
    assert {rule for rule, _ in found(stack)} == {"concurrency-unseen", "lake-formation-unseen"}


@pytest.mark.parametrize(
    ("settings", "governed"),
    [
        (dict.fromkeys(BOTH, [BY_IAM]), ""),
        (dict.fromkeys(BOTH, []), "databases and tables"),
        ({}, "databases and tables"),
        ({BOTH[0]: [BY_IAM], BOTH[1]: []}, "tables"),
        ({BOTH[0]: [{**BY_IAM, "Permissions": ["DESCRIBE"]}], BOTH[1]: [BY_IAM]}, "databases"),
    ],
)
def test_a_data_lake_that_is_governed_is_said_before_anything_is_crawled(
    stack: Stack, answering, settings: dict, governed: str
):
    database = cases.glue.database(stack)
    answering("lakeformation", database, "get_data_lake_settings", {"DataLakeSettings": settings})
    if not governed:
        assert found(stack) == []
        return
    ((rule, what),) = found(stack)
    assert (rule, f"decides on new {governed}, not IAM alone" in what) == ("lake-formation", True)
    assert preflight.check(stack) == []


def test_the_local_aws_is_an_account_that_nobody_has_set_up(stack: Stack, somebody):
    cases.glue.crawler(stack)
    cases.lambda_.mapping(stack)
    assert [rule for rule, _ in found(stack) if "lake" in rule or "concurrency" in rule] == []
    with pytest.raises(ClientError, match="NotImplemented.*Lake Formation"):
        somebody("lakeformation").put_data_lake_settings(DataLakeSettings={})
