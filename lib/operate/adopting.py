"""What it means that a pipeline adopts a bucket: what is set there, and what it finds in it."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import islice
from math import ceil
from typing import Any

import pandas as pd
from botocore.exceptions import ClientError

from lib.base import frames
from lib.base.shown import counted
from lib.base.threads import in_threads
from lib.base.told import ADOPTING
from lib.engine.preflight.form import listed
from lib.engine.preflight.iam_data import overlap
from lib.engine.stack import Stack
from lib.operate import samples
from lib.operate.observe import cost, usage
from lib.parameters.sections import Backfill, Section
from lib.resources import prices
from lib.resources.base import SOURCE
from lib.resources.iam import Role
from lib.resources.policies import Statement, statements_of
from lib.resources.s3 import BucketNotification, entries_of
from lib.resources.s3_adopted import AdoptedBucket
from lib.s3.listing import Entry, listing
from lib.s3.objects import Place
from lib.s3.selection import KeyFilter
from lib.s3.versions import ARCHIVE_CLASSES

MOST_LISTED = 20_000  # objects: twenty calls; of more than that it is only said that there are more
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/archived-objects.html
MOST_HEADS = 200  # objects of which it is asked under which key they are, evenly of those that are listed
CUSTOMERS_KEY = "a key of a customer's (SSE-C), which S3 does not keep"
NOT_LET_IN = "S3 does not let us look (403)"
UNLIMITED_COPY_BYTES = 5 * 1024**3  # what CopyObject takes; above, a copy is made in parts
GB = 1e9
# What S3 answers if something was never set.
UNSET = (
    "NoSuchLifecycleConfiguration",
    "ReplicationConfigurationNotFoundError",
    "ObjectLockConfigurationNotFoundError",
    "OwnershipControlsNotFoundError",
    "NoSuchBucketPolicy",
)
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Adopting:
    """What adopting means, for people.

    Attributes:
        rows: Bucket, what is looked at, what was found there, and what that means for the pipeline.
    """

    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """Return one row for each thing that was looked at: bucket, what, found, means."""
        return pd.DataFrame(self.rows, columns=["bucket", "what", "found", "means"])

    def __repr__(self) -> str:
        if not self.rows:
            return "no bucket is adopted: the pipeline makes its own"
        return frames.text(self.table())

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if self.rows:
            table = self.table()
            bundle |= {"text/html": frames.html(table), ADOPTING: table.to_dict("records")}
        return bundle


def means(stack: Stack, settings: Section) -> Adopting:
    """Look at the buckets that a stack adopts, and say what that means. Reads only.

    Args:
        stack: A pipeline's, described.
        settings: Its section of the parameters.
    """
    adopted = [one for one in stack.resources.values() if isinstance(one, AdoptedBucket)]
    return Adopting([(one.name, *row) for one in adopted for row in _rows(_Look(stack, one, settings))])


def _rows(look: "_Look") -> Iterator[Row]:
    for what, ask in (
        ("region and owner", look.place),
        ("is to the pipeline", look.attached),
        ("versions", look.versions),
        ("encryption", look.encryption),
        ("Object Lock", look.object_lock),
        ("requester pays", look.requester_pays),
        ("ACLs", look.acls),
        ("EventBridge", look.event_bridge),
        ("notifications of others", look.notifications),
        ("replication rules", look.replication),
        ("lifecycle", look.lifecycle),
        ("policy", look.policy),
        ("objects", look.objects),
        ("other keys", look.other_keys),
    ):
        try:
            yield from ((what, *row) for row in ask())
        except ClientError as error:  # what cannot be seen is named, and the rest is told
            refusal = error.response["Error"]
            yield what, "not known", f"S3 answers {refusal['Code']}: {refusal['Message']}"


@dataclass(frozen=True)
class _Look:
    """A look at one bucket; each method yields what it found and what that means."""

    stack: Stack
    bucket: AdoptedBucket
    settings: Section

    @property
    def _client(self) -> Any:
        return self.stack.client(self.bucket)

    @property
    def _is_source(self) -> bool:
        return SOURCE in self.bucket.role.split("+")

    @property
    def _is_written(self) -> bool:
        return self.bucket.adopted.is_written

    def _get(self, call: str, **more: object) -> dict:
        """Ask S3 for a configuration; one that was never set is empty."""
        try:
            return getattr(self._client, call)(Bucket=self.bucket.name, **more)
        except ClientError as error:
            if error.response["Error"]["Code"] in UNSET:
                return {}
            raise

    @property
    def _notifications(self) -> list[BucketNotification]:
        resources = self.stack.resources.values()
        return [one for one in resources if isinstance(one, BucketNotification) and one.bucket is self.bucket]

    def place(self) -> Iterator[tuple[str, str]]:
        account = self.bucket.scope.account_id
        yield (
            f"{self.bucket.region}, account {account}",
            "as the parameters say. It is never made, deleted, emptied, tagged, nor are its settings changed",
        )

    def attached(self) -> Iterator[tuple[str, str]]:
        roles = [one for one in self.stack.resources.values() if isinstance(one, Role)]
        names = [one.name for one in roles if _names(one, self.bucket.arn)]
        added = ", ".join(one.name for one in self._notifications) or "nothing"
        yield (
            self.bucket.role.replace("+", " and "),
            f"added to its notifications: {added}; destroy takes it away. Roles that get rights on it: "
            f"{', '.join(names) or 'none'}",
        )
        if self.stack.parameters.exercise:
            told = (one for one in self.stack.resources.values() if isinstance(one, BucketNotification))
            folders = {samples.folder(self.bucket, one.key_prefix) for one in told}
            yield (
                f"exercise: samples below {', '.join(sorted(folders))}",
                "marked, and erased again with their versions and copies; what else lies there stays",
            )
        if boundary := self.bucket.scope.permissions_boundary_arn:
            yield (
                f"the boundary {boundary.rpartition('/')[2]}",
                "must let the roles use this bucket (docs/real-account.md, 6), which nobody here may look at",
            )
        if self.bucket.what == "dr":
            yield (
                "nothing is added to its policy",
                "whoever may write or delete there still may. In a bucket that the runbook makes, only the "
                "pipeline's two roles may: a backup that everybody can change protects less",
            )

    def versions(self) -> Iterator[tuple[str, str]]:
        status = self._get("get_bucket_versioning").get("Status", "never enabled")
        if status == "Enabled":
            yield status, "what is overwritten or deleted is kept"
            return
        lost = []
        if self._is_source:
            lost.append("of an object that is overwritten before it was worked on, the older content is lost")
        if self._is_written:
            lost.append("what the pipeline overwrites or deletes there is gone for good")
        yield status, f"{'; '.join(lost)}. To keep it, have its owner enable versioning"

    def encryption(self) -> Iterator[tuple[str, str]]:
        if not self.bucket.kms_key_arn:
            yield "by a key of AWS's", "the roles need no right on a key"
            return
        uses = [
            *(["kms:Decrypt"] if self._is_source else []),
            *(["kms:GenerateDataKey and kms:Decrypt"] if self._is_written else []),
        ]
        yield (
            self.bucket.kms_key_arn,
            f"the roles get {', '.join(uses)} on this key through S3, and on no other; its key "
            "policy must let "
            "the account's IAM policies decide",
        )

    def object_lock(self) -> Iterator[tuple[str, str]]:
        found = self._get("get_object_lock_configuration").get("ObjectLockConfiguration", {})
        if found.get("ObjectLockEnabled") != "Enabled":
            yield "off", "objects can be deleted by whoever may"
            return
        rule = found.get("Rule", {}).get("DefaultRetention", {})
        span = ", ".join(f"{name} {value}" for name, value in rule.items()) or "no default retention"
        means = "locks of the source are not copied"
        if self._is_written:
            means = "versions that the pipeline writes are locked so, and can be erased by nobody before"
        yield f"on: {span}", f"{means}; samples of an exercise are left there until they are unlocked"

    def requester_pays(self) -> Iterator[tuple[str, str]]:
        payer = self._get("get_bucket_request_payment").get("Payer", "BucketOwner")
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/RequesterPaysBuckets.html
        yield (
            payer,
            "the pipeline's roles are of the owner's account, which pays for its own requests either way",
        )

    def acls(self) -> Iterator[tuple[str, str]]:
        rules = self._get("get_bucket_ownership_controls").get("OwnershipControls", {}).get("Rules", [])
        ownership = rules[0]["ObjectOwnership"] if rules else "ObjectWriter"
        if ownership == "BucketOwnerEnforced":
            yield ownership, "ACLs are off"
        else:
            yield (
                f"on ({ownership})",
                "ACLs are not copied: who may read an object by its ACL alone may not read its copy; "
                "and an object "
                "that another account wrote and owns may not be readable to the pipeline",
            )

    def event_bridge(self) -> Iterator[tuple[str, str]]:
        is_on = "EventBridgeConfiguration" in self._get("get_bucket_notification_configuration")
        written = "; what the pipeline writes there is told of, too" if self._is_written else ""
        if is_on:
            yield "on", f"stays on; its events do not get in the way of the notification{written}"
        else:
            yield "off", "is not needed"

    def notifications(self) -> Iterator[tuple[str, str]]:
        ours = {one.name for one in self._notifications}
        others = [entry for entry in entries_of(self._client, self.bucket.name) if entry["Id"] not in ours]
        if not others:
            yield "none", "nothing can overlap"
        for entry in others:
            keys = f"{entry['filter'].get('prefix', '')}*{entry['filter'].get('suffix', '')}"
            yield f"{entry['Id']}: {', '.join(entry['events'])} of {keys!r}", "stays as it is"

    def replication(self) -> Iterator[tuple[str, str]]:
        rules = self._get("get_bucket_replication").get("ReplicationConfiguration", {}).get("Rules", [])
        active = [rule for rule in rules if rule.get("Status") == "Enabled"]
        if not active:
            yield "none", "S3 itself copies nothing from here"
        for rule in active:
            where = rule["Destination"]["Bucket"].removeprefix("arn:aws:s3:::")
            also = "; what the pipeline writes here goes there, too" if self._is_written else ""
            yield (
                f"{rule.get('ID', 'without an id')}: to {where}",
                f"S3 copies to {where} already, and is paid for it{also}",
            )

    def lifecycle(self) -> Iterator[tuple[str, str]]:
        found = self._get("get_bucket_lifecycle_configuration").get("Rules", [])
        rules = [rule for rule in found if rule.get("Status") == "Enabled"]
        said = False
        for rule in rules:
            name = rule.get("ID", "without an id")
            moves = [
                each for each in rule.get("Transitions", []) if each.get("StorageClass") in ARCHIVE_CLASSES
            ]
            for each in moves:
                said = True
                days = counted(each["Days"], "day") if "Days" in each else "? days"
                yield (
                    f"{name}: to {each['StorageClass']} after {days}",
                    "what is archived cannot be copied or read until somebody has S3 restore it (aws s3api "
                    "restore-object): it ends as a dead letter that says so",
                )
            if days := rule.get("Expiration", {}).get("Days"):
                said = True
                kept = "; so it is with what the pipeline writes" if self._is_written else ""
                yield (
                    f"{name}: expires after {counted(days, 'day')}",
                    f"what expires is nobody's delete: a copy elsewhere stays{kept}",
                )
        if not said:
            yield (
                f"{len(rules)} rules, none archives or expires" if rules else "none",
                "objects stay as they are",
            )

    def policy(self) -> Iterator[tuple[str, str]]:
        text = self._get("get_bucket_policy").get("Policy")
        denials = [one for one in statements_of(text) if one["Effect"] == "Deny" and not _is_for_tls(one)]
        needed = [
            (action, arn)
            for role in self.stack.resources.values()
            if isinstance(role, Role)
            for statement in listed(role.policy["Statement"])
            for action in listed(statement.get("Action", []))
            for arn in listed(statement.get("Resource", []))
            if arn == self.bucket.arn or arn.startswith(f"{self.bucket.arn}/")
        ]
        hit = [(one, sorted(found)) for one in denials if (found := _denied(one, needed))]
        if not hit:
            yield f"{len(statements_of(text))} statements", "none denies what the pipeline needs"
        for one, actions in hit:
            sid = one.get("Sid", "a statement without a Sid")
            if "Condition" in one or "NotPrincipal" in one:
                means = (
                    f"may deny the pipeline's roles {', '.join(actions)}: look whether its condition "
                    "excepts them"
                )
            else:
                means = (
                    f"denies {', '.join(actions)}: have its owner except the pipeline's roles, or it will "
                    "fail"
                )
            yield sid, means

    @property
    def _place(self) -> Place:
        return Place.of(self.stack.target, self.bucket)

    @cached_property
    def _listed(self) -> tuple[list[Entry], bool]:
        """The objects that the pipeline is told of, and whether there are more."""
        filters = [KeyFilter(one.key_prefix, one.key_suffix) for one in self._notifications] or [KeyFilter()]
        return _some(self._place, filters)

    def other_keys(self) -> Iterator[tuple[str, str]]:
        """Say under which keys objects are, of a sample: no listing tells."""
        found, is_more = self._listed
        if not self._is_source or not found:
            return
        sample = found[:: ceil(len(found) / MOST_HEADS)]
        keys = Counter(in_threads(self._key_of, sample))
        of = f"of {len(sample):,} looked at, of {'more than ' if is_more else ''}{len(found):,}"
        taken = {"", self.bucket.kms_key_arn, *self.bucket.other_key_arns}
        others = [(key, count) for key, count in sorted(keys.items()) if key not in taken]
        for key, count in others:
            yield f"{count:,} {of}: {key}", self._of_key(key)
        if named := [arn for arn in self.bucket.other_key_arns if arn not in keys]:
            yield ", ".join(named), f"named in the parameters, and no object under it {of}"
        if not others:
            yield f"none {of}", "what was looked at can be read"

    def _key_of(self, entry: Entry) -> str:
        """Return under which KMS key an object is, or why that is not known; empty for one of AWS's."""
        try:
            head = self._place.client.head_object(Bucket=self.bucket.name, Key=entry.key)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
            known = {400: CUSTOMERS_KEY, 403: NOT_LET_IN, 404: ""}  # 404: it was deleted meanwhile
            if status not in known:
                raise
            return known[status]
        key = head.get("SSEKMSKeyId", "")
        return "" if key and self._is_of_aws(key) else key

    def _is_of_aws(self, key: str) -> bool:
        """Return whether a key is S3's own, which every role of the account may use through S3."""
        return key in self._keys_of_aws or key.endswith("alias/aws/s3")

    @cached_property
    def _keys_of_aws(self) -> frozenset[str]:
        try:
            found = self.stack.target.client("kms", self.bucket.region).describe_key(KeyId="alias/aws/s3")
        except ClientError:  # there is none, or it may not be looked at: then a key is named once too often
            return frozenset()
        return frozenset([found["KeyMetadata"]["Arn"]])

    def _of_key(self, key: str) -> str:
        """Return what it means that objects are under a key that is not the bucket's."""
        if key in (CUSTOMERS_KEY, NOT_LET_IN):
            return "the pipeline cannot read these: they end as dead letters that say so"
        parameter = f"{self.bucket.scope.pipeline}.source_kms_key_arns"
        return (
            f"the roles get no right on it unless {parameter} names it: without that, these end as dead "
            "letters. The key's policy must let the account's IAM policies decide"
        )

    def objects(self) -> Iterator[tuple[str, str]]:
        found, is_more = self._listed
        more, noun = "more than " if is_more else "", "object" if len(found) == 1 else "objects"
        size, largest = sum(one.size for one in found), max((one.size for one in found), default=0)
        text = f"{more}{len(found):,} {noun}, {more}{size / GB:,.3f} GB, the largest {largest / GB:,.3f} GB"
        if not self._is_source:
            means = "stay; a copy of the same key is written over what is there"
            if self.bucket.what == "dr":
                means += ". A restore brings back all that is there, also these: name restore.key_prefix"
            yield text, means
            return
        yield text, self._effort(len(found), size, more)
        if archived := [one for one in found if one.storage_class in ARCHIVE_CLASSES]:
            yield (
                f"{more}{len(archived):,} of them archived",
                "cannot be copied or read until S3 has restored them (aws s3api restore-object)",
            )
        if large := sum(one.size > UNLIMITED_COPY_BYTES for one in found):
            yield (
                f"{more}{large:,} of them larger than 5 GiB",
                "are copied in parts: watch function_timeout_s",
            )

    def _effort(self, objects: int, size: int, more: str) -> str:
        pipeline = self.bucket.scope.pipeline
        how = (
            "new ones are worked on as they come. These by `runbook run backfill --set "
            f"backfill.pipeline={pipeline}`"
        )
        if not objects:
            return how
        rate = Backfill().objects_per_second
        return (
            f"{how}: {more}{timedelta(seconds=ceil(objects / rate))} at {rate:,} a second; it costs about "
            f"{more}${self._usd(objects, size):,.2f}, prices of {prices.looked_up()}"
        )

    def _usd(self, objects: int, size: int) -> float:
        """Return what working on objects costs; of a pipeline of which nobody has counted it, 0."""
        scope = self.bucket.scope
        one = usage.of_section(dict(self.settings), scope, scope.pipeline, size / objects)
        return sum(cost.of({name: amount * objects for name, amount in one.items()}).values())


def _some(place: Place, filters: list[KeyFilter]) -> tuple[list[Entry], bool]:
    """Return the objects that a pipeline is told of, of the first MOST_LISTED, and whether there are more."""
    found: dict[str, Entry] = {}
    is_more = False
    for prefix in dict.fromkeys(each.prefix for each in filters):
        entries = list(islice(listing(place, prefix), MOST_LISTED + 1))
        is_more |= len(entries) > MOST_LISTED
        taken: Callable[[str], bool] = lambda key: any(each.takes(key) for each in filters)  # noqa: E731
        found |= {one.key: one for one in entries[:MOST_LISTED] if taken(one.key)}
    return list(found.values()), is_more


def _names(role: Role, arn: str) -> bool:
    resources = (
        each
        for statement in listed(role.policy["Statement"])
        for each in listed(statement.get("Resource", []))
    )
    return any(each == arn or each.startswith(f"{arn}/") for each in resources)


def _denied(statement: Statement, needed: list[tuple[str, str]]) -> set[str]:
    """Return which of the actions that are needed a statement is about."""
    if "NotAction" in statement:
        about = [
            (a, arn) for a, arn in needed if not any(overlap(p, a) for p in listed(statement["NotAction"]))
        ]
    else:
        about = [(a, arn) for a, arn in needed if any(overlap(p, a) for p in listed(statement["Action"]))]
    resources = [str(each) for each in listed(statement.get("Resource", "*"))]
    return {action for action, arn in about if any(overlap(pattern, arn) for pattern in resources)}


def _is_for_tls(statement: Statement) -> bool:
    """Return whether a statement denies only what does not come through TLS, as ours never does."""
    return statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
