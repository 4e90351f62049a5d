"""CloudTrail: trails of who read and wrote objects."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import Any, ClassVar

from lib.base.retry import PROPAGATION_S, TOO_EARLY, retry_on
from lib.resources.base import Deletion, Found, Link, Resource, Scope, Settings, our_tags, tag_dict, tag_list
from lib.resources.checks import Finding, written_as
from lib.resources.policies import SID_PREFIX, Statement, allow_services
from lib.resources.s3 import Bucket

SERVICE = "cloudtrail.amazonaws.com"
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html
TRAIL_NAME = r"(?=.{3,128}$)(?!\d+\.\d+\.\d+\.\d+$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*"
# https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
MOST_VALUES = 500
SELECTOR = "runbook"  # the name of our selector; others in the same trail are somebody else's


@dataclass(repr=False, kw_only=True)
class Trail(Resource):
    """A record of each call that reads or writes objects of some buckets, and of nothing else.

    The buckets may be in several regions, so the trail is one of all regions, made and changed in its home
    region: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/receive-cloudtrail-log-files-from-multiple-regions.html

    Attributes:
        logs: The bucket for its log files, with the statements of `delivery`.
        recorded: The buckets whose objects it is about.
        writes_only: Whether calls that only read are left out.
    """

    logs: Bucket
    recorded: list[Bucket]
    writes_only: bool = False

    service: ClassVar[str] = "cloudtrail"
    noun: ClassVar[str] = "CloudTrail trail"
    deletion: ClassVar[Deletion] = Deletion.OBSERVER
    acts: ClassVar[bool] = True
    call_names: ClassVar[tuple[str, ...]] = ("TrailName",)

    @property
    def arn(self) -> str:
        return trail_arn(self.scope, self.what, self.region)

    def desired(self) -> Settings:
        return {
            **self._trail_settings(),
            "FieldSelectors": self._field_selectors(),
            "IsLogging": True,
            "tags": self.scope.tags,
        }

    def _trail_settings(self) -> Settings:
        # CloudTrail says itself how its files are encrypted; without a key here, not with the bucket's:
        # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/encrypting-cloudtrail-log-files-with-aws-kms.html
        return {
            "S3BucketName": self.logs.name,
            "KmsKeyId": self.logs.kms_key_arn,
            "IsMultiRegionTrail": True,
            "LogFileValidationEnabled": True,
        }

    def _field_selectors(self) -> list[dict]:
        # With the slash the objects of this bucket, and of none whose name begins like its own:
        # https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
        objects = [f"{bucket.arn}/" for bucket in self.recorded]
        selectors = [
            {"Field": "eventCategory", "Equals": ["Data"]},
            {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
            {"Field": "resources.ARN", "StartsWith": objects},
        ]
        return selectors + ([{"Field": "readOnly", "Equals": ["false"]}] if self.writes_only else [])

    def checks(self) -> Iterable[Finding]:
        grammar = "3 to 128 letters and digits, with single dots, underscores and hyphens between them"
        yield from written_as("trail-name", "its name", self.name, TRAIL_NAME, grammar)
        ours: dict[str, Any] = {"Name": SELECTOR, "FieldSelectors": self._field_selectors()}
        values = sum(len(v) for one in ours["FieldSelectors"] for v in one.values() if isinstance(v, list))
        if values > MOST_VALUES:
            what = f"its selector has {values} values, with {len(self.recorded)} buckets"
            yield Finding("trail-selectors", what, f"keep to {MOST_VALUES} values: fewer buckets")

    def read(self, client) -> Settings | None:
        try:
            found = client.get_trail(Name=self.name)["Trail"]
            status = client.get_trail_status(Name=self.name)
            selectors = _selectors(client, self.name)
        except client.exceptions.TrailNotFoundException:
            return None
        ours = next((one for one in selectors if one.get("Name") == SELECTOR), {})
        return {
            **{name: found.get(name) for name in self._trail_settings()},
            "KmsKeyId": found.get("KmsKeyId", ""),
            "FieldSelectors": ours.get("FieldSelectors"),
            "IsLogging": status["IsLogging"],
            "tags": our_tags(_tags(client, self.arn)),
        }

    def create(self, client) -> None:
        # CloudTrail tries the bucket before it takes a trail, and the bucket's policy may be too new:
        # https://github.com/cloudposse/terraform-aws-cloudtrail-s3-bucket/issues/90
        create = retry_on(TOO_EARLY, PROPAGATION_S, sleep)
        arguments = {name: value for name, value in self._arguments().items() if value != ""}
        create(client.create_trail, Name=self.name, TagsList=tag_list(self.scope.tags), **arguments)
        self.update(client, {name: self.desired()[name] for name in ("FieldSelectors", "IsLogging")})

    def update(self, client, settings: Settings) -> None:
        # Logging last: before it has our selectors it would record management events.
        if "tags" in settings:
            client.add_tags(ResourceId=self.arn, TagsList=tag_list(settings["tags"]))
        if settings.keys() & self._trail_settings().keys():
            client.update_trail(Name=self.name, **self._arguments())
        if "FieldSelectors" in settings:
            others = [one for one in _selectors(client, self.name) if one.get("Name") != SELECTOR]
            ours: dict[str, Any] = {"Name": SELECTOR, "FieldSelectors": settings["FieldSelectors"]}
            client.put_event_selectors(TrailName=self.name, AdvancedEventSelectors=[*others, ours])
        if "IsLogging" in settings:
            client.start_logging(Name=self.name)

    def _arguments(self) -> dict:
        """Return the trail's own settings as the calls want them, one of which they call otherwise."""
        wanted = self._trail_settings()
        return {"EnableLogFileValidation": wanted.pop("LogFileValidationEnabled"), **wanted}

    def links(self, settings: Settings) -> Iterable[Link]:
        for bucket in self.recorded:
            yield Link(bucket.arn, self.arn, "writes" if self.writes_only else "reads, writes")
        yield Link(self.arn, self.logs.arn, "log files")

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_trails").paginate():
            for trail in page["Trails"]:
                # A trail of all regions is listed in each of them, but is changed only at home.
                at_home = trail["HomeRegion"] == client.meta.region_name
                if at_home and trail["Name"].startswith(scope.beginning):
                    arn, name = trail["TrailARN"], trail["Name"]
                    with suppress(client.exceptions.ResourceNotFoundException):
                        yield Found(name, name, arn, _tags(client, arn))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete a trail; its log files stay where they are."""
        with suppress(client.exceptions.TrailNotFoundException):
            client.delete_trail(Name=identifier)


def trail_arn(scope: Scope, what: str, region: str) -> str:
    """Return the ARN of a trail that need not exist yet, for the policy of its bucket.

    Args:
        scope: Whose trail.
        what: The last part of its name.
        region: Its home region.
    """
    return f"arn:aws:cloudtrail:{region}:{scope.account_id}:trail/{scope.name(what)}"


def delivery(logs: Bucket, trail: str) -> list[Statement]:
    """Let CloudTrail write the log files of one trail into a bucket, for the bucket's policy.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html

    Args:
        logs: The bucket, added to its stack.
        trail: The trail's ARN.

    Returns:
        Two statements: CloudTrail may see whose bucket it is, and may write.
    """
    account_id = logs.scope.account_id
    files = f"{logs.arn}/AWSLogs/{account_id}/*"
    (look,) = allow_services({SERVICE: trail}, "s3:GetBucketAcl", logs.arn, account_id)
    (write,) = allow_services({SERVICE: trail}, "s3:PutObject", files, account_id)
    owned = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    return [
        {**look, "Sid": f"{SID_PREFIX}AllowCloudtrailToLook"},
        {**write, "Sid": f"{SID_PREFIX}AllowCloudtrailToWrite", "Condition": write["Condition"] | owned},
    ]


def log_bucket(scope: Scope, what: str, *, region: str, trail: str, expire_days: int) -> Bucket:
    """Return a bucket into which CloudTrail may write the log files of one trail; it is still to be added.

    Args:
        scope: Whose bucket.
        what: The last part of its name.
        region: Its region.
        trail: The trail's ARN.
        expire_days: After how many days each log file is deleted.
    """
    logs = Bucket(what, region, expire_days=expire_days)
    logs.scope = scope
    logs.statements = delivery(logs, trail)
    return logs


def _selectors(client, name: str) -> list[dict]:
    """Return a trail's advanced selectors; there are none as long as it has CloudTrail's default ones."""
    return client.get_event_selectors(TrailName=name).get("AdvancedEventSelectors", [])


def _tags(client, arn: str) -> dict[str, str]:
    listed = client.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    return tag_dict([tag for one in listed for tag in one.get("TagsList", [])])
