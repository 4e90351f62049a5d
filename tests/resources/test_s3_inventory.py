"""Inventory configurations: what the other classes do not have."""

from dataclasses import replace

import pytest
from support import cases

from lib.engine import preflight
from lib.engine.stack import Stack
from lib.resources.base import Link
from lib.resources.s3_inventory import InventoryConfiguration


def put_others(s3, ours: InventoryConfiguration, number: int) -> None:
    """Put somebody else's configurations beside ours; their ids come before it."""
    where = {"Bucket": ours.source.name}
    found = s3.get_bucket_inventory_configuration(**where, Id=ours.name)["InventoryConfiguration"]
    for name in (f"a{n:03}" for n in range(number)):
        theirs = {**found, "Id": name}
        s3.put_bucket_inventory_configuration(**where, Id=name, InventoryConfiguration=theirs)


def test_deleting_ours_leaves_everybody_else_s(stack: Stack, somebody):
    ours = cases.s3_inventory.inventory(stack)
    stack.apply()
    s3 = somebody("s3", ours.region)
    put_others(s3, ours, 1)
    InventoryConfiguration.delete(stack.client(ours), f"{ours.source.name}#{ours.name}")
    left = s3.list_bucket_inventory_configurations(Bucket=ours.source.name)["InventoryConfigurationList"]
    assert [one["Id"] for one in left] == ["a000"]


def test_ours_is_found_among_more_than_one_page_of_others(stack: Stack, somebody):
    ours = cases.s3_inventory.inventory(stack)
    stack.apply()
    put_others(somebody("s3", ours.region), ours, 100)
    (found,) = InventoryConfiguration.find(stack.client(ours), stack.scope)
    assert found.arn == ours.arn


def test_that_of_a_bucket_that_is_gone_is_gone(stack: Stack):
    ours = cases.s3_inventory.inventory(stack)
    client = stack.client(ours)
    assert ours.read(client) is None
    InventoryConfiguration.delete(client, f"{ours.source.name}#{ours.name}")


@pytest.mark.parametrize("change", [{"frequency": "Hourly"}, {"optional_fields": ("Colour",)}])
def test_what_s3_does_not_know_is_found_before_it_is_asked(stack: Stack, change: dict):
    stack.replace(replace(cases.s3_inventory.inventory(stack), **change))
    assert {violation.rule for violation in preflight.check(stack)} == {"request-model"}


def test_the_picture_shows_where_reports_go(stack: Stack):
    ours = cases.s3_inventory.inventory(stack)
    stack.apply()
    assert Link(ours.source.arn, ours.destination.arn, "daily inventory") in stack.links()
