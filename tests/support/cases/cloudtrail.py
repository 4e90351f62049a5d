"""Trails."""

from collections.abc import Callable

from lib.engine.stack import Stack
from lib.resources import cloudtrail, s3
from lib.resources.base import tag_dict
from support import cases, theirs
from support.breaking import the
from support.case import ELSEWHERE, HERE, Break, Case, Change, Key, Others


def trail(stack: Stack) -> cloudtrail.Trail:
    """Its bucket is in another region than it is itself, and so is what it records."""
    files = stack.add(s3.Bucket("logs", HERE, expire_days=90))
    files.statements = cloudtrail.delivery(files, cloudtrail.trail_arn(stack.scope, "objects", ELSEWHERE))
    recorded = [cases.s3.bucket(stack)]
    return stack.add(cloudtrail.Trail("objects", ELSEWHERE, logs=files, recorded=recorded))


def with_trail(what: str = "objects", times: int = 1, let_in: bool = True) -> Callable[[Stack], None]:
    """Add a trail, as no notebook's description without an AWS has one."""

    def add(stack: Stack) -> None:
        files = stack.add(s3.Bucket("log-files", "us-east-1"))
        arn = cloudtrail.trail_arn(stack.scope, what, "us-east-1")
        files.statements = cloudtrail.delivery(files, arn) if let_in else []
        recorded = [the(stack, s3.Bucket, "files")] * times
        stack.add(cloudtrail.Trail(what, "us-east-1", logs=files, recorded=recorded))

    return add


def _update(**arguments):
    return lambda client, ours: client.update_trail(Name=ours.name, **arguments)


def _select(**selector):
    """Somebody changes what our trail records."""
    return lambda client, ours: client.put_event_selectors(TrailName=ours.name, **selector)


def _put_others(client, ours: cloudtrail.Trail) -> None:
    client.add_tags(ResourceId=ours.arn, TagsList=theirs.TAG_LIST)
    _update(S3KeyPrefix="theirs")(client, ours)
    found = client.get_event_selectors(TrailName=ours.name)["AdvancedEventSelectors"]
    management = {"Field": "eventCategory", "Equals": ["Management"]}
    another = {"Name": "theirs", "FieldSelectors": [management]}
    _select(AdvancedEventSelectors=[another, *found])(client, ours)


def _get_others(client, ours: cloudtrail.Trail) -> dict:
    selectors = client.get_event_selectors(TrailName=ours.name)["AdvancedEventSelectors"]
    listed = client.list_tags(ResourceIdList=[ours.arn])["ResourceTagList"]
    return {
        "tags": theirs.tags_of_others(tag_dict(listed[0]["TagsList"])),
        "prefix": client.get_trail(Name=ours.name)["Trail"].get("S3KeyPrefix"),
        "selectors": [one for one in selectors if one["Name"] != "runbook"],
    }


ALL_EVENTS = [{"ReadWriteType": "All", "IncludeManagementEvents": True}]
CASES = [
    Case(
        cloudtrail.Trail,
        trail,
        changes=[
            Change({"writes_only": True}, {"FieldSelectors"}),
            Change({"writes_only": False}, {"FieldSelectors"}),
        ],
        drift={
            "S3BucketName": _update(S3BucketName="theirs"),
            "IsMultiRegionTrail": _update(IsMultiRegionTrail=False),
            "LogFileValidationEnabled": _update(EnableLogFileValidation=False),
            "KmsKeyId": _update(KmsKeyId="arn:aws:kms:us-west-1:000000000000:key/theirs"),
            "FieldSelectors": _select(EventSelectors=ALL_EVENTS),
            "IsLogging": lambda client, ours: client.stop_logging(Name=ours.name),
            "tags": lambda client, ours: client.remove_tags(
                ResourceId=ours.arn, TagsList=[{"Key": key} for key in theirs.OUR_TAGS]
            ),
        },
        others=Others(_put_others, _get_others),
        key=Key({"KmsKeyId"}, lambda client, ours: client.get_trail(Name=ours.name)["Trail"].get("KmsKeyId")),
        breaks=[
            Break("trail-name", "index", with_trail("my--objects")),
            Break("trail-selectors", "index", with_trail(times=499)),
            Break("trail-bucket", "index", with_trail(let_in=False)),
        ],
    )
]
