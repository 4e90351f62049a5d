"""Workgroups."""

from lib.engine.stack import Stack
from lib.resources import athena, s3
from lib.resources.base import tag_dict
from support import theirs
from support.breaking import leaving_out
from support.case import ELSEWHERE, Break, Case, Change, Key, Others


def workgroup(stack: Stack) -> athena.WorkGroup:
    results = stack.add(s3.Bucket("results", ELSEWHERE))
    return stack.add(athena.WorkGroup("queries", ELSEWHERE, results=results))


def _update(**updates):
    return lambda client, ours: client.update_work_group(WorkGroup=ours.name, ConfigurationUpdates=updates)


def _put_others(client, ours: athena.WorkGroup) -> None:
    client.tag_resource(ResourceARN=ours.arn, Tags=theirs.TAG_LIST)
    updates = {
        "RequesterPaysEnabled": True,
        "ResultConfigurationUpdates": {"ExpectedBucketOwner": "000000000000"},
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
    }
    client.update_work_group(WorkGroup=ours.name, Description="Theirs", ConfigurationUpdates=updates)


def _get_others(client, ours: athena.WorkGroup) -> dict:
    found = client.get_work_group(WorkGroup=ours.name)["WorkGroup"]
    tags = tag_dict(client.list_tags_for_resource(ResourceARN=ours.arn)["Tags"])
    return {
        "tags": theirs.tags_of_others(tags),
        "description": found.get("Description"),
        "pays": found["Configuration"].get("RequesterPaysEnabled"),
        "engine": found["Configuration"].get("EngineVersion"),
        "owner": found["Configuration"]["ResultConfiguration"].get("ExpectedBucketOwner"),
    }


def _key(client, ours: athena.WorkGroup) -> str | None:
    found = client.get_work_group(WorkGroup=ours.name)["WorkGroup"]["Configuration"]
    return found["ResultConfiguration"]["EncryptionConfiguration"].get("KmsKey")


BY_KMS = {"EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": "k"}}
CASES = [
    Case(
        athena.WorkGroup,
        workgroup,
        changes=[Change({"scan_limit_mb": 20}, {"BytesScannedCutoffPerQuery"})],
        drift={
            "BytesScannedCutoffPerQuery": _update(BytesScannedCutoffPerQuery=20_000_000),
            "PublishCloudWatchMetricsEnabled": _update(PublishCloudWatchMetricsEnabled=False),
            "EnforceWorkGroupConfiguration": _update(EnforceWorkGroupConfiguration=False),
            "OutputLocation": _update(ResultConfigurationUpdates={"OutputLocation": "s3://theirs/"}),
            "EncryptionOption": _update(ResultConfigurationUpdates=BY_KMS),
            "tags": lambda client, ours: client.untag_resource(ResourceARN=ours.arn, TagKeys=theirs.OUR_TAGS),
        },
        others=Others(_put_others, _get_others),
        in_notebooks="BytesScannedCutoffPerQuery",
        key=Key({"EncryptionOption", "KmsKey"}, _key, lambda settings: settings["KmsKey"]),
        breaks=[
            Break("not-described", "ingest", leaving_out(s3.Bucket, "results")),
            Break("workgroup-missing", "summarize", leaving_out(athena.WorkGroup, "queries")),
        ],
        not_on_moto=frozenset({"update", "delete twice"}),
    )
]
