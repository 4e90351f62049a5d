"""Tables: what cannot be changed, and what AWS is not ready for yet."""

from dataclasses import replace
from decimal import Decimal

import pytest
from botocore.exceptions import ClientError
from support import cases
from support.calls import Recorder, watched
from support.case import HERE

from lib.base.errors import RunbookError
from lib.base.retry import WAIT_S
from lib.engine.stack import Stack
from lib.resources.dynamodb import ItemReader, Table


def refusing(stack: Stack, operation: str, *errors: tuple[str, str]):
    """A client to which AWS answers so first; the local AWS is always ready."""
    left = list(errors)

    def refuse(**_):
        if left:
            code, message = left.pop(0)
            raise ClientError({"Error": {"Code": code, "Message": message}}, operation)

    target = watched(stack.target, f"before-call.dynamodb.{operation}", refuse)
    return target.client("dynamodb", HERE)


@pytest.mark.parametrize("change", [{"sort_key": ""}, {"partition_key": "bucket"}, {"sort_key": "when"}])
def test_other_keys_are_planned_and_refused_with_the_way_out(stack: Stack, change: dict):
    table = cases.dynamodb.table(stack)
    stack.apply()
    stack.replace(replace(table, **change))
    (step,) = [step for step in stack.plan() if step.action == "change"]
    assert set(step.changes) == {"keys"}
    with pytest.raises(
        RunbookError,
        match="keys is .* and shall be .*Nothing was written.*make a second one beside it.*verify",
    ):
        stack.apply()


def test_keys_of_a_table_that_is_gone_by_now_are_not_called_changed(stack: Stack):
    table = cases.dynamodb.table(stack)
    with pytest.raises(RunbookError, match="was deleted since it was looked at"):
        table.update(stack.client(table), {"keys": table.desired()["keys"]})


def test_a_table_without_sort_key_and_time_to_live(stack: Stack, somebody):
    table = stack.add(Table("plain", HERE, partition_key="ticker"))
    stack.apply()
    assert stack.plan().count("unchanged") == 1
    found = somebody("dynamodb", HERE).describe_table(TableName=table.name)["Table"]
    assert found["KeySchema"] == [{"AttributeName": "ticker", "KeyType": "HASH"}]


def test_backups_that_are_being_enabled_are_waited_for(stack: Stack):
    table = cases.dynamodb.table(stack)
    error = ("ContinuousBackupsUnavailableException", "Backups are being enabled for the table")
    waits = []
    table.create(refusing(stack, "UpdateContinuousBackups", error, error), waits.append)
    assert waits == [WAIT_S, WAIT_S]
    assert stack.plan().count("unchanged") == 1


def test_a_time_to_live_that_was_just_changed_is_an_error_that_says_when(stack: Stack):
    table = cases.dynamodb.table(stack)
    stack.apply()
    error = ("ValidationException", "Time to live has been modified multiple times within a fixed interval")
    client = refusing(stack, "UpdateTimeToLive", error)
    with pytest.raises(RunbookError, match="less than an hour ago.*in an hour to turn 'expires_at' off"):
        replace_time_to_live(table, client, "")
    replace_time_to_live(table, client, "until")
    assert table._time_to_live(client) == "until"


def replace_time_to_live(table: Table, client, attribute: str) -> None:
    table.update(client, {"TimeToLive": attribute})


def test_another_mistake_about_the_time_to_live_is_told_as_it_is(stack: Stack):
    table = cases.dynamodb.table(stack)
    stack.apply()
    client = refusing(stack, "UpdateTimeToLive", ("ValidationException", "No such attribute"))
    with pytest.raises(ClientError, match="No such attribute"):
        replace_time_to_live(table, client, "")


def test_a_time_to_live_that_is_on_is_not_set_again(stack: Stack):
    """AWS refuses that."""
    table = cases.dynamodb.table(stack)
    stack.apply()
    recorder = Recorder()
    client = watched(stack.target, "before-call", recorder).client("dynamodb", table.region)
    replace_time_to_live(table, client, "expires_at")
    assert recorder.writes == []


def test_a_table_in_use_is_deleted_once_it_is_free(stack: Stack):
    table = cases.dynamodb.table(stack)
    stack.apply()
    error = (
        "ResourceInUseException",
        "Attempt to change a resource which is still in use: Table is being updated",
    )
    waits = []
    Table.delete(refusing(stack, "DeleteTable", error), table.name, waits.append)
    assert waits == [WAIT_S]
    assert table.read(stack.client(table)) is None


def test_its_name_is_free_once_it_is_gone(stack: Stack):
    table = cases.dynamodb.table(stack)
    being_deleted = ("ResourceInUseException", "Attempt to change a resource: Table is being deleted: files")
    waits = []
    table.create(refusing(stack, "CreateTable", being_deleted), waits.append)
    assert waits == [WAIT_S]
    exists = ("ResourceInUseException", "Table already exists: files")
    with pytest.raises(ClientError, match="already exists"):
        table.create(refusing(stack, "CreateTable", exists), waits.append)


def test_a_key_may_be_a_number(stack: Stack):
    table = Table("numbered", HERE, partition_key="PK", sort_key="SK", number_keys=("SK",))
    stack.add(table)
    stack.apply()
    assert stack.plan().count("unchanged") == 1
    found = stack.client(table).describe_table(TableName=table.name)["Table"]
    kinds = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    assert kinds == {"PK": "S", "SK": "N"}
    stack.replace(replace(table, number_keys=()))
    assert stack.plan().count("change") == 1


@pytest.mark.parametrize("number", ["1E+38", "1" * 38, "-9.9E+125", "1E-130", "0.10"])
def test_a_number_is_read_as_it_is_however_it_is_written(stack: Stack, number: str):
    table = stack.add(Table("numbers", HERE, partition_key="PK"))
    stack.apply()
    client = stack.client(table)
    client.put_item(TableName=table.name, Item={"PK": {"S": "x"}, "of": {"M": {"n": {"N": number}}}})
    (found,) = client.scan(TableName=table.name)["Items"]
    assert ItemReader().item(found) == {"PK": "x", "of": {"n": Decimal(number)}}
    assert ItemReader().deserialize({"N": f"{Decimal(number):f}"}) == Decimal(number)
