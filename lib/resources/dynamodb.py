"""DynamoDB: tables."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from time import sleep
from typing import ClassVar

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from lib.base.errors import RunbookError
from lib.base.retry import TOO_EARLY, retry_on
from lib.resources.base import (
    BY_PARAMETER,
    PROTECTED,
    TAG_PROTECTED,
    Deletion,
    End,
    Found,
    Scope,
    Settings,
    our_tags,
    retagged,
    tag_dict,
    tag_list,
)
from lib.resources.checks import Finding, written_as

# A table that is being made, changed or deleted; an empty one takes seconds, and botocore's waiter 500 s.
IN_USE, IN_USE_S = "^ResourceInUseException", 300
BEING_DELETED = "^ResourceInUseException: .*being deleted"
# Right after its creation a table's backups are "being enabled":
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
BACKUPS_S = 300
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
TOO_MANY_CHANGES = "modified multiple times"
# As long as botocore's own waiters, which look every 20 s.
WAIT_500_S = {"Delay": 1, "MaxAttempts": 500}


class ItemReader(TypeDeserializer):
    """Reads the values of items, every number exactly.

    DynamoDB writes 1E+38 out in 39 digits, on which boto3's own fails (decimal.Rounded).
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    """

    def _deserialize_n(self, value: str) -> Decimal:
        return Decimal(value)

    def item(self, item: dict[str, dict]) -> dict[str, object]:
        """Return the values of an item by their attributes' names.

        Args:
            item: As the client has it: the values with their types.
        """
        return {name: self.deserialize(value) for name, value in item.items()}


@dataclass(repr=False, kw_only=True)
class Table(End):
    """A table billed on demand, with point-in-time recovery; encrypted at rest, as every table is.

    Without a key of ours that is by a key that AWS owns:
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html

    Attributes:
        partition_key: Name of the partition key, a string.
        sort_key: Name of the sort key, a string too; empty for none. A table's keys can never be changed.
        time_to_live: Name of the attribute that says when an item expires, in seconds since 1970; empty if
            items are kept.
        number_keys: Names of those keys that are numbers instead.
    """

    partition_key: str
    sort_key: str = ""
    time_to_live: str = ""
    number_keys: tuple[str, ...] = ()

    service: ClassVar[str] = "dynamodb"
    noun: ClassVar[str] = "DynamoDB table"
    deletion: ClassVar[Deletion] = Deletion.STORE
    receives: ClassVar[bool] = True
    is_encrypted: ClassVar[bool] = True
    holds_data: ClassVar[bool] = True
    unchangeable: ClassVar[tuple[str, ...]] = ("keys",)
    call_names: ClassVar[tuple[str, ...]] = ("TableName", "TableArn", "ExportArn", "RequestItems")
    # That a write needs kms:Decrypt, too, is told at https://github.com/aws/aws-cdk/issues/10010.
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    key_uses: ClassVar[dict[str, tuple[str, ...]]] = {
        f"dynamodb:{name}": ("kms:Decrypt",)
        for name in (
            *("GetItem", "BatchGetItem", "Query", "Scan"),
            *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"),
        )
    }

    @property
    def arn(self) -> str:
        return f"arn:aws:dynamodb:{self.region}:{self.scope.account_id}:table/{self.name}"

    def desired(self) -> Settings:
        keys = {"HASH": self.partition_key, "RANGE": self.sort_key}
        return {
            "keys": {kind: f"{name} ({self._type(name)})" for kind, name in keys.items() if name},
            "BillingMode": "PAY_PER_REQUEST",
            "KMSMasterKeyArn": self.kms_key_arn,
            "TimeToLive": self.time_to_live,
            "PointInTimeRecovery": "ENABLED",
            # What was protected by hand is left so.
            **({"DeletionProtectionEnabled": True} if self.is_protected else {}),
            "tags": self.tags,
        }

    def checks(self) -> Iterable[Finding]:
        pattern, grammar = "[A-Za-z0-9_.-]{3,255}", "3 to 255 letters, digits, _, . and -"
        yield from written_as("table-name", "its name", self.name, pattern, grammar)
        names = [self.partition_key, *filter(None, (self.sort_key, self.time_to_live))]
        for name in names:
            yield from written_as("table-attribute", "an attribute", name, ".{1,255}", "1 to 255 characters")
        if len(set(names)) < len(names):
            what, fix = f"keys and time to live are {', '.join(names)}", "choose different attributes"
            yield Finding("table-attribute", what, fix)

    def read(self, client) -> Settings | None:
        try:
            found = client.describe_table(TableName=self.name)["Table"]
        except client.exceptions.ResourceNotFoundException:
            return None
        if found["TableStatus"] == "DELETING":
            return None
        if found["TableStatus"] == "CREATING":  # by a run that was killed; it has no backups to tell of yet
            self._wait_until_active(client)
        types = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
        names = {one["KeyType"]: one["AttributeName"] for one in found["KeySchema"]}
        tags = our_tags(_tags(client, self.arn))
        if self.is_protected and found.get("DeletionProtectionEnabled"):
            tags |= {
                TAG_PROTECTED: PROTECTED
            }  # by hand, if it has no such tag: it needs none, and stays by hand
        backups = client.describe_continuous_backups(TableName=self.name)["ContinuousBackupsDescription"]
        return {
            "keys": {kind: f"{name} ({types[name]})" for kind, name in names.items()},
            # A table that never was billed on demand tells nothing of it.
            "BillingMode": found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "KMSMasterKeyArn": _key_arn(found.get("SSEDescription", {})),
            "TimeToLive": self._time_to_live(client),
            "PointInTimeRecovery": backups.get("PointInTimeRecoveryDescription", {}).get(
                "PointInTimeRecoveryStatus", "DISABLED"
            ),
            **(
                {"DeletionProtectionEnabled": found.get("DeletionProtectionEnabled", False)}
                if self.is_protected
                else {}
            ),
            "tags": tags,
        }

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        keys = {"HASH": self.partition_key, "RANGE": self.sort_key}
        names = {kind: name for kind, name in keys.items() if name}
        retry_on(BEING_DELETED, IN_USE_S, sleep)(
            client.create_table,
            TableName=self.name,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for kind, name in names.items()],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": self._type(name)} for name in names.values()
            ],
            BillingMode="PAY_PER_REQUEST",
            SSESpecification=_encryption(self.kms_key_arn),
            DeletionProtectionEnabled=self.is_protected,
            Tags=tag_list(self.tags),
        )
        left = ["PointInTimeRecovery"] + ["TimeToLive"] * bool(self.time_to_live)
        self.update(client, {name: self.desired()[name] for name in left}, sleep)

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        if "keys" in settings and self._still(self.read(client))["keys"] != settings["keys"]:
            raise RunbookError(
                f"{self}: a table's keys cannot be changed, they shall be {settings['keys']}. Deploy it anew "
                "under another env or prefix; or, if its items may be lost, run 90_destroy first"
            )
        self._wait_until_active(client)
        if "tags" in settings:
            found = _tags(client, self.arn)
            if found.get(TAG_PROTECTED) and not self.is_protected:
                self._protect(client, False)
            tags = retagged(found, settings["tags"])
            if not found.get(TAG_PROTECTED) and self._is_on(client):
                tags.pop(TAG_PROTECTED, None)  # by hand: as ours, the parameters would take it off
            client.tag_resource(ResourceArn=self.arn, Tags=tag_list(tags))
        if "DeletionProtectionEnabled" in settings:
            self._protect(client, True)
        if "BillingMode" in settings:
            client.update_table(TableName=self.name, BillingMode=settings["BillingMode"])
            self._wait_until_active(client)
        if "KMSMasterKeyArn" in settings:
            encryption = _encryption(settings["KMSMasterKeyArn"])
            client.update_table(TableName=self.name, SSESpecification=encryption)
            self._wait_until_active(client)
        if "PointInTimeRecovery" in settings:
            retry_on(TOO_EARLY, BACKUPS_S, sleep)(
                client.update_continuous_backups,
                TableName=self.name,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )
        if "TimeToLive" in settings:
            self._put_time_to_live(client, settings["TimeToLive"])

    def _is_on(self, client) -> bool:
        return client.describe_table(TableName=self.name)["Table"].get("DeletionProtectionEnabled", False)

    def _protect(self, client, on: bool) -> None:
        client.update_table(TableName=self.name, DeletionProtectionEnabled=on)
        self._wait_until_active(client)

    def _type(self, key: str) -> str:
        return "N" if key in self.number_keys else "S"

    def _wait_until_active(self, client) -> None:
        client.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig=WAIT_500_S)

    def _time_to_live(self, client) -> str:
        found = client.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
        is_on = found["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
        return found["AttributeName"] if is_on else ""

    def _put_time_to_live(self, client, attribute: str) -> None:
        """Set the attribute; only one can be on, so that another is turned off first."""
        found = self._time_to_live(client)
        if found == attribute:  # AWS refuses to set it to what it is
            return
        if found:
            self._switch_time_to_live(client, found, False)
        if attribute:
            self._switch_time_to_live(client, attribute, True)

    def _switch_time_to_live(self, client, attribute: str, on: bool) -> None:
        try:
            client.update_time_to_live(
                TableName=self.name, TimeToLiveSpecification={"AttributeName": attribute, "Enabled": on}
            )
        except ClientError as error:
            if TOO_MANY_CHANGES not in error.response["Error"]["Message"]:
                raise
            raise RunbookError(
                f"{self}: its time to live was changed less than an hour ago, and AWS changes it once an "
                f"hour. Run this again in an hour to turn {attribute!r} {'on' if on else 'off'}"
            ) from error

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_tables").paginate():
            for name in page["TableNames"]:
                if name.startswith(scope.beginning):
                    arn = f"arn:aws:dynamodb:{client.meta.region_name}:{scope.account_id}:table/{name}"
                    if (tags := _tags_of_existing(client, arn, name)) is not None:
                        yield Found(name, name, arn, tags)

    @classmethod
    def protection(cls, client, found: Found, by_us: bool = True) -> str:
        try:
            table = client.describe_table(TableName=found.identifier)["Table"]
        except client.exceptions.ResourceNotFoundException:
            return ""
        if not table.get("DeletionProtectionEnabled"):
            return ""
        if found.is_protected_by_us:
            return BY_PARAMETER if by_us else ""
        return (
            f"its deletion protection is on, set by hand: `aws dynamodb update-table "
            f"--table-name {found.name} --region {client.meta.region_name} --no-deletion-protection-enabled` "
            "takes it off"
        )

    @classmethod
    def unprotect(cls, client, found: Found) -> None:
        if found.is_protected_by_us:
            with suppress(client.exceptions.ResourceNotFoundException):
                client.update_table(TableName=found.identifier, DeletionProtectionEnabled=False)
                client.get_waiter("table_exists").wait(TableName=found.identifier, WaiterConfig=WAIT_500_S)

    @classmethod
    def delete(cls, client, identifier: str, sleep: Callable[[float], None] = sleep) -> None:
        """Delete a table with its items and wait until it is gone, since its name is taken until then."""
        with suppress(client.exceptions.ResourceNotFoundException):
            retry_on(IN_USE, IN_USE_S, sleep)(client.delete_table, TableName=identifier)
        client.get_waiter("table_not_exists").wait(TableName=identifier, WaiterConfig=WAIT_500_S)


def _encryption(key_arn: str) -> dict:
    """Return what encrypts a table with a key, or if it is empty with the one that AWS owns.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_SSESpecification.html
    """
    if not key_arn:
        return {"Enabled": False}
    return {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key_arn}


def _key_arn(description: dict) -> str:
    """Return the key with which a table is encrypted, or is just being; empty for the one that AWS owns."""
    is_on = description.get("Status") in ("ENABLING", "ENABLED", "UPDATING")
    return description.get("KMSMasterKeyArn", "") if is_on else ""


def _tags_of_existing(client, arn: str, name: str) -> dict[str, str] | None:
    """Return a table's tags; None if it was deleted a moment ago, and only its name is still listed."""
    try:
        return _tags(client, arn)
    except client.exceptions.ResourceNotFoundException:
        return None
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        # What is not there may be nobody's to look at; what is there is looked at.
        with suppress(client.exceptions.ResourceNotFoundException):
            client.describe_table(TableName=name)
            raise
        return None


def _tags(client, arn: str) -> dict[str, str]:
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return tag_dict([tag for page in pages for tag in page["Tags"]])
