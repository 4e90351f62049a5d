"""Athena: workgroups."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from lib.resources.base import Deletion, Found, Link, Resource, Scope, Settings, our_tags, tag_dict, tag_list
from lib.resources.s3 import Bucket

MEGABYTE = 1024 * 1024


@dataclass(repr=False, kw_only=True)
class WorkGroup(Resource):
    """Where queries run: whose results go to one bucket, encrypted, and which may scan so much and no more.

    Attributes:
        results: The bucket for results.
        scan_limit_mb: What one query may scan, in MiB; Athena cancels it beyond (and bills what it scanned).
    """

    results: Bucket
    scan_limit_mb: int = 1024

    service: ClassVar[str] = "athena"
    noun: ClassVar[str] = "Athena workgroup"
    deletion: ClassVar[Deletion] = Deletion.READER
    same_region: ClassVar[tuple[str, ...]] = ("results",)
    call_names: ClassVar[tuple[str, ...]] = ("WorkGroup",)

    @property
    def arn(self) -> str:
        return f"arn:aws:athena:{self.region}:{self.scope.account_id}:workgroup/{self.name}"

    def desired(self) -> Settings:
        return {
            "OutputLocation": f"s3://{self.results.name}/",
            **self._encryption,
            "BytesScannedCutoffPerQuery": self.scan_limit_mb * MEGABYTE,
            # What a client asks for does not override these.
            "EnforceWorkGroupConfiguration": True,
            "PublishCloudWatchMetricsEnabled": True,
            "tags": self.scope.tags,
        }

    @property
    def _encryption(self) -> dict[str, str]:
        """As its bucket; Athena must be told, or it takes the client's word.

        https://docs.aws.amazon.com/athena/latest/ug/encrypting-query-results-stored-in-s3.html
        """
        key_arn = self.results.kms_key_arn
        return (
            {"EncryptionOption": "SSE_KMS", "KmsKey": key_arn} if key_arn else {"EncryptionOption": "SSE_S3"}
        )

    def read(self, client) -> Settings | None:
        try:
            found = client.get_work_group(WorkGroup=self.name)["WorkGroup"]["Configuration"]
        except client.exceptions.InvalidRequestException as error:
            if _is_missing(error):
                return None
            raise
        result = found.get("ResultConfiguration", {})
        flat = {**found, **result, **result.get("EncryptionConfiguration", {})}
        tags = tag_dict(client.list_tags_for_resource(ResourceARN=self.arn)["Tags"])
        return {**{key: flat.get(key) for key in self.desired()}, "tags": our_tags(tags)}

    def _configuration(self) -> tuple[dict, dict]:
        wanted = self.desired()
        results = {
            "OutputLocation": wanted["OutputLocation"],
            "EncryptionConfiguration": self._encryption,
        }
        flags = {
            key: wanted[key]
            for key in (
                "BytesScannedCutoffPerQuery",
                "EnforceWorkGroupConfiguration",
                "PublishCloudWatchMetricsEnabled",
            )
        }
        return results, flags

    def create(self, client) -> None:
        results, flags = self._configuration()
        client.create_work_group(
            Name=self.name,
            Configuration={"ResultConfiguration": results, **flags},
            Tags=tag_list(self.scope.tags),
        )

    def update(self, client, settings: Settings) -> None:
        if "tags" in settings:
            client.tag_resource(ResourceARN=self.arn, Tags=tag_list(settings["tags"]))
        if settings.keys() - {"tags"}:
            results, flags = self._configuration()
            client.update_work_group(
                WorkGroup=self.name,
                ConfigurationUpdates={"ResultConfigurationUpdates": results, **flags},
            )

    def links(self, settings: Settings) -> Iterable[Link]:
        yield Link(self.arn, self.results.arn, "results")

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for name in workgroup_names(client):
            if name.startswith(scope.beginning):
                arn = f"arn:aws:athena:{client.meta.region_name}:{scope.account_id}:workgroup/{name}"
                with suppress(client.exceptions.ResourceNotFoundException):
                    tags = client.list_tags_for_resource(ResourceARN=arn)["Tags"]
                    yield Found(name, name, arn, tag_dict(tags))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete a workgroup with its query history and saved queries."""
        try:
            client.delete_work_group(WorkGroup=identifier, RecursiveDeleteOption=True)
        except client.exceptions.InvalidRequestException as error:
            if not _is_missing(error):
                raise


def workgroup_names(client) -> Iterator[str]:
    """Yield the names of all workgroups of a region, whosever they are.

    Args:
        client: An Athena client of the region.
    """
    token: dict[str, str] = {}  # boto3 has no paginator for this call
    while True:
        page = client.list_work_groups(**token)
        yield from (group["Name"] for group in page["WorkGroups"])
        if "NextToken" not in page:
            return
        token = {"NextToken": page["NextToken"]}


def _is_missing(error: Exception) -> bool:
    """Tell a workgroup that does not exist from other mistakes; Athena has one error for them all."""
    return "not found" in str(error)
