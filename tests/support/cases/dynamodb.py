"""Tables of DynamoDB."""

from lib.engine.stack import Stack
from lib.resources import dynamodb
from lib.resources.base import tag_dict
from support import theirs
from support.breaking import adding, encrypted, setting
from support.case import HERE, Break, Case, Change, Key, Others


def table(stack: Stack) -> dynamodb.Table:
    keys = {"partition_key": "file_key", "sort_key": "timestamp"}
    return stack.add(dynamodb.Table("files", HERE, time_to_live="expires_at", **keys))


def _call(operation: str, **arguments):
    return lambda client, ours: getattr(client, operation)(TableName=ours.name, **arguments)


def _put_others(client, ours: dynamodb.Table) -> None:
    client.tag_resource(ResourceArn=ours.arn, Tags=theirs.TAG_LIST)
    stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    client.update_table(TableName=ours.name, DeletionProtectionEnabled=False, StreamSpecification=stream)


def _get_others(client, ours: dynamodb.Table) -> dict:
    tags = tag_dict(client.list_tags_of_resource(ResourceArn=ours.arn)["Tags"])
    return {
        "tags": theirs.tags_of_others(tags),
        "stream": client.describe_table(TableName=ours.name)["Table"].get("StreamSpecification"),
    }


def _key(client, ours: dynamodb.Table) -> str | None:
    description = client.describe_table(TableName=ours.name)["Table"].get("SSEDescription", {})
    return description.get("KMSMasterKeyArn") if description.get("Status") == "ENABLED" else None


def _misnamed(stack: Stack) -> dynamodb.Table:
    return dynamodb.Table("a b", "us-east-1", partition_key="id")


NOT_LIVING = {"AttributeName": "expires_at", "Enabled": False}
CASES = [
    Case(
        dynamodb.Table,
        table,
        changes=[
            Change({"time_to_live": "until"}, {"TimeToLive"}),
            Change({"time_to_live": ""}, {"TimeToLive"}),
            Change({"time_to_live": "expires_at"}, {"TimeToLive"}),
        ],
        drift={
            "TimeToLive": _call("update_time_to_live", TimeToLiveSpecification=NOT_LIVING),
            "PointInTimeRecovery": _call(
                "update_continuous_backups",
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
            ),
            "BillingMode": _call(
                "update_table",
                BillingMode="PROVISIONED",
                ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
            ),
            "KMSMasterKeyArn": _call("update_table", SSESpecification={"Enabled": True, "SSEType": "KMS"}),
            "tags": lambda client, ours: client.untag_resource(ResourceArn=ours.arn, TagKeys=theirs.OUR_TAGS),
        },
        undrifted={"keys": "a table keeps its keys as long as it lives"},
        others=Others(_put_others, _get_others),
        in_notebooks="PointInTimeRecovery",
        key=Key({"KMSMasterKeyArn"}, _key, lambda settings: settings["KMSMasterKeyArn"]),
        breaks=[
            Break("table-name", "index", adding(_misnamed)),
            Break("table-attribute", "index", setting(dynamodb.Table, "objects", time_to_live="timestamp")),
            Break("kms-key", "index", encrypted(dynamodb.Table, "objects")),
        ],
    )
]
