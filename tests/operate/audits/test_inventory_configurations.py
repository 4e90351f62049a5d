"""What 70_audit describes of S3 Inventory: off by default, switched on, changed, off again, destroyed."""

from collections import Counter
from collections.abc import Iterator

import pytest
from support.audited import make
from support.cleanup import remove
from support.described import describe
from support.the_five import pipelines

from lib.engine import inventory
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.local.in_server.announcements import NO_REPORTS
from lib.operate.audits.inventory_configurations import described
from lib.parameters import Parameters
from lib.parameters.sections import Audit
from lib.resources.s3 import Bucket
from lib.resources.s3_inventory import InventoryConfiguration
from lib.target import Target, connect

PIPELINES = ("migrate", "backup")
REPORTS = "runbook-treports-audit-inventory-000000000000-{}".format


@pytest.fixture(scope="module")
def own(local_aws) -> Parameters:
    return Parameters.check({"env": "treports"})


@pytest.fixture(scope="module")
def aws(own) -> Target:
    return connect(own)


@pytest.fixture
def deployed(aws, own) -> Iterator[dict[str, Stack]]:
    """The buckets of both pipelines; what an audit leaves is removed before them."""
    stacks = {name: make(aws, own, name) for name in PIPELINES}
    yield stacks
    Inventory(aws, own, "audit").destroy()
    for stack in stacks.values():
        remove(stack)


def ours(of: dict) -> list[str]:
    """Which resources of S3 Inventory are among those that a stack describes as wanted, or not."""
    kinds = (InventoryConfiguration, Bucket)
    return sorted(
        one.what if isinstance(one, InventoryConfiguration) else one.region
        for one in of.values()
        if isinstance(one, kinds) and one.what not in ("findings", "results")
    )


def listed(client, bucket: str) -> list[str]:
    answer = client.list_bucket_inventory_configurations(Bucket=bucket)
    return [one["Id"] for one in answer.get("InventoryConfigurationList", [])]


EVERY = ["backup-destination", "backup-source", "migrate-destination", "migrate-source"]
REGIONS = ["us-east-1", "us-east-2", "us-west-1"]


def test_by_default_nothing_is_reported(aws, own):
    stack = describe("audit", aws, own)
    assert ours(stack.resources) == []
    assert ours(stack.unwanted) == EVERY
    assert not any("inventory" in step.resource.noun for step in stack.plan())


def test_of_one_pipeline_there_are_two_reports_in_two_regions(aws, own):
    stack = describe("audit", aws, own, inventory="Weekly", inventory_of=["backup"])
    assert ours(stack.resources) == ["backup-destination", "backup-source", "us-east-1", "us-east-2"]
    assert ours(stack.unwanted) == ["migrate-destination", "migrate-source"]


def test_the_parameter_names_the_pipelines_that_can_be_reported_on(own):
    assert Audit().inventory_of == list(PIPELINES)
    scope = own.scope("audit")
    found = {one.source.arn for one, _ in described(own, scope) if isinstance(one, InventoryConfiguration)}
    five = pipelines(own)
    assert found == {end.arn for name in PIPELINES for end in (five[name].source, five[name].destination)}


def test_a_region_s_bucket_takes_the_reports_of_its_buckets_and_of_no_others(aws, own):
    parameters = Parameters.check({"env": own.env, "audit": {"inventory": "Daily"}})
    scope = Stack(aws, parameters, "audit").scope
    buckets = [one for one, _ in described(parameters, scope) if isinstance(one, Bucket)]
    sources = {one.region: one.statements[0]["Condition"]["ArnLike"]["aws:SourceArn"] for one in buckets}
    end = "000000000000-us-east-1"
    assert sources["us-east-1"] == [
        f"arn:aws:s3:::runbook-treports-migrate-target-{end}",
        f"arn:aws:s3:::runbook-treports-backup-primary-{end}",
    ]
    assert {region: len(arns) for region, arns in sources.items()} == dict.fromkeys(REGIONS, 1) | {
        "us-east-1": 2
    }


def test_it_is_switched_on_changed_and_off_again(aws, own, deployed, somebody, capsys):
    source = pipelines(own)["backup"].source
    s3 = somebody("s3", source.region)
    on = describe("audit", aws, own, inventory="Daily")
    created = Counter(step.resource.noun for step in on.apply() if step.action == "create")
    assert created["S3 inventory configuration"] == 4
    assert capsys.readouterr().out.count(NO_REPORTS) == 1
    assert listed(s3, source.name) == ["runbook-treports-audit-backup-source"]

    found = s3.get_bucket_inventory_configuration(Bucket=source.name, Id=listed(s3, source.name)[0])
    theirs = {**found["InventoryConfiguration"], "Id": "theirs"}
    s3.put_bucket_inventory_configuration(Bucket=source.name, Id="theirs", InventoryConfiguration=theirs)
    somebody("s3", "us-east-2").put_object(Bucket=REPORTS("us-east-2"), Key="a report", Body=b"1")

    weekly = describe("audit", aws, own, inventory="Weekly")
    assert [set(step.changes) for step in weekly.apply() if step.action == "change"] == [{"Schedule"}] * 4

    fewer = describe("audit", aws, own, inventory="Weekly", inventory_of=["backup"])
    actions = [(step.resource.what, step.action) for step in fewer.apply() if step.action != "unchanged"]
    assert actions == [
        ("migrate-destination", "delete"),
        ("migrate-source", "delete"),
        ("inventory", "change"),  # of us-east-1: no reports of *migrate*'s target any more
    ]

    off = describe("audit", aws, own)
    gone = [step.resource.noun for step in off.apply() if step.action == "delete"]
    assert gone == ["S3 inventory configuration"] * 2
    assert listed(s3, source.name) == ["theirs"]
    assert not any("inventory/" in arn for arn in off.ledger.entries())
    assert somebody("s3", "us-east-2").head_object(Bucket=REPORTS("us-east-2"), Key="a report")


def test_destroy_finds_it_on_the_other_pipelines_buckets_and_proves_that_it_is_gone(
    aws, own, deployed, somebody
):
    describe("audit", aws, own, inventory="Daily").apply()
    source = pipelines(own)["backup"].source
    s3 = somebody("s3", source.region)
    s3.put_object(Bucket=REPORTS("us-east-1"), Key="a report", Body=b"1")

    assert not any(item.type is InventoryConfiguration for item in Inventory(aws, own, "backup").existing())
    inventory = Inventory(aws, own, "audit")
    assert sum(item.type is InventoryConfiguration for item in inventory.destroy()) == 4
    proof = inventory.prove_empty().set_index("type")
    assert set(proof.loc["S3 inventory configuration", REGIONS]) == {"0"}
    assert listed(s3, source.name) == []


def test_it_goes_with_its_bucket_and_leaves_nothing_behind(aws, own, deployed, somebody, monkeypatch):
    monkeypatch.setattr(inventory, "LISTED_S", 0)  # later
    describe("audit", aws, own, inventory="Daily").apply()
    Inventory(aws, own, "backup").destroy()
    Inventory(aws, own, "backup").prove_empty()
    audit = Inventory(aws, own, "audit")
    assert sum(item.type is InventoryConfiguration for item in audit.destroy()) == 2
    audit.prove_empty()
    assert "audit" not in {entry["pipeline"] for entry in audit.ledger.entries().values()}
