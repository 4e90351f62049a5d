"""CloudWatch Logs: log groups."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from lib.resources.base import Deletion, Found, Resource, Scope, Settings, our_tags
from lib.resources.checks import Finding

LAMBDA = "/aws/lambda/"


def log_group_name(name: str) -> str:
    """Return the name that Lambda gives the log group of a function."""
    return LAMBDA + name


# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


@dataclass(repr=False, kw_only=True)
class LogGroup(Resource):
    """The log group of a Lambda function of the same name, made by us so that its retention is ours to set.

    It is encrypted, without a key of ours by CloudWatch's own. What was logged before a key is given or taken
    away stays as it is: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html

    Attributes:
        retention_days: After how many days log events are deleted.
    """

    retention_days: int = 30

    service: ClassVar[str] = "logs"
    noun: ClassVar[str] = "CloudWatch log group"
    deletion: ClassVar[Deletion] = Deletion.REMAINS
    is_encrypted: ClassVar[bool] = True
    call_names: ClassVar[tuple[str, ...]] = ("logGroupName", "logGroupNamePrefix")

    @property
    def name(self) -> str:
        """The name Lambda gives the log group of a function."""
        return log_group_name(super().name)

    @property
    def arn(self) -> str:
        return f"arn:aws:logs:{self.region}:{self.scope.account_id}:log-group:{self.name}"

    def desired(self) -> Settings:
        return {
            "retentionInDays": self.retention_days,
            "kmsKeyId": self.kms_key_arn,
            "tags": self.scope.tags,
        }

    def checks(self) -> Iterable[Finding]:
        if self.retention_days not in get_args(RetentionDays):
            allowed = ", ".join(map(str, get_args(RetentionDays)))
            what, fix = f"retention_days is {self.retention_days}", f"write one of {allowed}"
            yield Finding("log-retention", what, fix)

    def read(self, client) -> Settings | None:
        group = next((g for g in _groups(client, self.name) if g["logGroupName"] == self.name), None)
        if group is None:
            return None
        tags = client.list_tags_for_resource(resourceArn=self.arn).get("tags", {})
        return {
            "retentionInDays": group.get("retentionInDays"),
            "kmsKeyId": group.get("kmsKeyId", ""),
            "tags": our_tags(tags),
        }

    def create(self, client) -> None:
        # Given now, the key encrypts from the first line; later, it may take five minutes.
        key = {"kmsKeyId": self.kms_key_arn} if self.kms_key_arn else {}
        client.create_log_group(logGroupName=self.name, tags=self.scope.tags, **key)
        self.update(client, {"retentionInDays": self.retention_days})

    def update(self, client, settings: Settings) -> None:
        if "tags" in settings:
            client.tag_resource(resourceArn=self.arn, tags=settings["tags"])
        if "retentionInDays" in settings:
            client.put_retention_policy(logGroupName=self.name, retentionInDays=settings["retentionInDays"])

        if key_arn := settings.get("kmsKeyId"):
            client.associate_kms_key(logGroupName=self.name, kmsKeyId=key_arn)
        elif "kmsKeyId" in settings:
            client.disassociate_kms_key(logGroupName=self.name)

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for group in _groups(client, log_group_name(scope.beginning)):
            # Groups are tagged by their ARN without the ":*" that it is listed with.
            arn = group["arn"].removesuffix(":*")
            with suppress(client.exceptions.ResourceNotFoundException):
                tags = client.list_tags_for_resource(resourceArn=arn).get("tags", {})
                yield Found(group["logGroupName"], group["logGroupName"], arn, tags)

    @classmethod
    def protection(cls, client, found: Found, by_us: bool = True) -> str:
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogGroupDeletionProtection.html
        groups = (group for group in _groups(client, found.name) if group["logGroupName"] == found.name)
        if not any(group.get("deletionProtectionEnabled") for group in groups):
            return ""
        return (
            "its deletion protection is on, set by hand: `aws logs put-log-group-deletion-protection "
            f"--log-group-identifier {found.name} --region {client.meta.region_name} "
            "--no-deletion-protection-enabled` takes it off"
        )

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        try:
            client.delete_log_group(logGroupName=identifier)
        except client.exceptions.ResourceNotFoundException:
            return


def _groups(client, prefix: str) -> Iterator[dict]:
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
        yield from page["logGroups"]
