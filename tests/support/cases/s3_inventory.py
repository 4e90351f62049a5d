"""Inventory configurations of buckets."""

from collections.abc import Callable

from lib.engine.stack import Stack
from lib.resources import s3, s3_inventory
from lib.resources.policies import let_inventory_in
from support import cases
from support.breaking import the
from support.case import HERE, Break, Case, Change, Key, Others


def inventory(stack: Stack) -> s3_inventory.InventoryConfiguration:
    source, reports = cases.s3.bucket(stack), stack.add(s3.Bucket("reports", HERE))
    reports.statements = [let_inventory_in(reports.arn, [source.arn], stack.scope.account_id)]
    how = {"frequency": "Daily", "optional_fields": ("Size", "ETag")}
    return stack.add(
        s3_inventory.InventoryConfiguration("files", HERE, source=source, destination=reports, **how)
    )


def _change(**changed):
    """Somebody changes our inventory configuration of a bucket."""

    def change(client, ours: s3_inventory.InventoryConfiguration) -> None:
        where = {"Bucket": ours.source.name, "Id": ours.name}
        found = client.get_bucket_inventory_configuration(**where)["InventoryConfiguration"]
        client.put_bucket_inventory_configuration(**where, InventoryConfiguration={**found, **changed})

    return change


def _put_others(client, ours: s3_inventory.InventoryConfiguration) -> None:
    """Another configuration of the same bucket."""
    where = {"Bucket": ours.source.name, "Id": ours.name}
    found = client.get_bucket_inventory_configuration(**where)["InventoryConfiguration"]
    another = {**found, "Id": "theirs", "Schedule": {"Frequency": "Weekly"}}
    client.put_bucket_inventory_configuration(
        Bucket=ours.source.name, Id="theirs", InventoryConfiguration=another
    )


def _get_others(client, ours: s3_inventory.InventoryConfiguration) -> list[dict]:
    found = client.list_bucket_inventory_configurations(Bucket=ours.source.name)["InventoryConfigurationList"]
    return [one for one in found if one["Id"] != ours.name]


def _key(client, ours: s3_inventory.InventoryConfiguration) -> str | None:
    found = client.get_bucket_inventory_configuration(Bucket=ours.source.name, Id=ours.name)
    place = found["InventoryConfiguration"]["Destination"]["S3BucketDestination"]
    return place["Encryption"].get("SSEKMS", {}).get("KeyId")


def _reported(into: str, *, lets_in: bool) -> Callable[[Stack], None]:
    """Have S3 write reports of *backup*'s primary bucket into one of its buckets."""

    def change(stack: Stack) -> None:
        source, place = the(stack, s3.Bucket, "primary"), the(stack, s3.Bucket, into)
        if lets_in:
            place.statements = [
                *place.statements,
                let_inventory_in(place.arn, [source.arn], stack.scope.account_id),
            ]
        where = {"source": source, "destination": place}
        stack.add(s3_inventory.InventoryConfiguration("reports", source.region, **where))

    return change


THEIRS = {"S3BucketDestination": {"Bucket": "arn:aws:s3:::theirs", "Format": "CSV"}}
CASES = [
    Case(
        s3_inventory.InventoryConfiguration,
        inventory,
        changes=[
            Change({"frequency": "Weekly"}, {"Schedule"}),
            Change({"optional_fields": ("ETag", "Size", "StorageClass")}, {"OptionalFields"}),
            Change({"optional_fields": ()}, {"OptionalFields"}),
        ],
        drift={
            "Destination": _change(Destination=THEIRS),
            "IsEnabled": _change(IsEnabled=False),
            "Filter": _change(Filter={"Prefix": "in/"}),
            "IncludedObjectVersions": _change(IncludedObjectVersions="Current"),
            "OptionalFields": _change(OptionalFields=["Size"]),
            "Schedule": _change(Schedule={"Frequency": "Weekly"}),
        },
        others=Others(_put_others, _get_others),
        key=Key({"Destination"}, _key),
        breaks=[
            Break("inventory-region", "backup", _reported("dr", lets_in=True)),
            Break("inventory-policy", "backup", _reported("primary", lets_in=False)),
        ],
        not_on_moto=frozenset({"make"}),
    )
]
