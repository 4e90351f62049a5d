"""S3: buckets and their notifications."""

import json
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import sleep
from typing import ClassVar
from urllib.parse import quote_plus, unquote_plus

from botocore.exceptions import ClientError
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from lib.base.errors import LockedError, RunbookError, WaitError
from lib.base.retry import (
    NOT_READY,
    PROPAGATION_S,
    WAIT_S,
    matches,
    retry_passing,
    wait_until,
)
from lib.base.s3_client import fits_xml
from lib.base.shown import counted
from lib.base.threads import in_threads
from lib.base.waits import Wait
from lib.resources.base import (
    BY_PARAMETER,
    Deletion,
    End,
    Found,
    Link,
    Resource,
    Scope,
    Settings,
    our_tags,
    retagged,
    tag_dict,
    tag_list,
)
from lib.resources.checks import Finding, enumeration, within, written_as
from lib.resources.lambda_ import Function
from lib.resources.policies import (
    Allowed,
    Statement,
    deny_insecure_transport,
    document,
    let_in,
    merge,
    ours,
    refusals,
)
from lib.resources.sns import Topic
from lib.resources.sqs import Queue

# A bucket of the same name that was deleted a moment ago. S3 frees its name after minutes, at times hours:
# https://repost.aws/knowledge-center/s3-conflicting-conditional-operation
NAME_TAKEN, NAME_FREED_S, NAME_POLL_S, NAME_SAID_S = "^OperationAborted", 3600, 5, 60
LIFECYCLE_ID, TEMPORARY_ID = LIFECYCLE_IDS = ("runbook", "runbook-temporary")
ABORT_MULTIPART_UPLOADS_AFTER_DAYS = 7
# 3 to 63 characters; letters, digits, dots (which TLS certificates do not cover) and hyphens:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)"
MOST_POLICY_BYTES = 20 * 1024
MOST_KEY_BYTES = 1024
ADDS = "adds to a bucket that is not ours"
OWNERSHIP = "BucketOwnerEnforced"
LOOKS_IN_A_ROW = 3  # S3's servers may differ for a while
MOST_LOOKED_AT = 1000  # of locked versions, each by a call, to say until when
# What a bucket's end needs.
DELETIONS = ("s3:DeleteBucket", "s3:DeleteObject", "s3:DeleteObjectVersion")
DELETE_BATCH_KEYS = 1000  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html


@dataclass(repr=False, kw_only=True)
class Bucket(End):
    """A private bucket: encrypted, TLS only, without public access, and versioned unless said otherwise.

    Without a key of ours it is encrypted with S3's own (SSE-S3).

    Attributes:
        expire_days: After how many days objects and noncurrent versions are deleted; None for never.
        keep_noncurrent_days: After how many days only noncurrent versions are deleted; None for never.
        temporary_prefix: What keys begin with whose objects are deleted after a day; empty for none.
        statements: More statements for the bucket's policy, each with a Sid that begins with "Runbook".
        versioned: Whether what is overwritten or deleted is kept; a bucket cannot go back to "never".
        object_lock_days: For how many days nobody can delete a version that comes in; 0 for none from now on,
            None if that is not for us to say. A bucket cannot go back to having no Object Lock at all.
        object_lock_mode: Then, `GOVERNANCE` or `COMPLIANCE`.
        found_in: The account in which it was found; empty if that is where its scope says that it lives.
        guests: Roles of its pipeline, which is another account's; its policy lets each do what the role's own
            policy allows it here, for across accounts both must.
            https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
    """

    expire_days: int | None = None
    keep_noncurrent_days: int | None = None
    temporary_prefix: str = ""
    statements: list[Statement] = field(default_factory=list)
    versioned: bool = True
    object_lock_days: int | None = None
    object_lock_mode: str = "GOVERNANCE"
    found_in: str = ""
    guests: Sequence[Allowed] = field(default_factory=list, compare=False)

    service: ClassVar[str] = "s3"
    noun: ClassVar[str] = "S3 bucket"
    deletion: ClassVar[Deletion] = Deletion.BUCKET
    may_be_elsewhere: ClassVar[bool] = True
    receives: ClassVar[bool] = True
    is_encrypted: ClassVar[bool] = True
    holds_data: ClassVar[bool] = True
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    key_uses: ClassVar[dict[str, tuple[str, ...]]] = {
        "s3:GetObject": ("kms:Decrypt",),
        "s3:PutObject": ("kms:GenerateDataKey",),
    }

    @property
    def name(self) -> str:
        """Its name; account and region are in it since bucket names are shared by all of AWS.

        The account is the pipeline's, which says whose it is; if it lives in another one, that one's last
        digits come before, so that it can move from one to the other.
        """
        digits = f"-{self.account_id[-4:]}" if self.is_elsewhere else ""
        return f"{super().name}{digits}-{self.scope.account_id}-{self.region}"

    @property
    def account_id(self) -> str:
        return self.found_in or self.scope.account_of(self.what)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it lives in another account than its pipeline."""
        return self.account_id != self.scope.account_id

    @property
    def note(self) -> str:
        place = f"in account {self.account_id}" if self.is_elsewhere else ""
        locked = counted(self.object_lock_days or 0, "day")
        days = f"locks versions for {locked}, for good" if self.object_lock_days else ""
        return "; ".join(filter(None, [place, days]))

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.name}"

    @property
    def content_arn(self) -> str:
        return f"{self.arn}/*"

    @property
    def other_key_arns(self) -> tuple[str, ...]:
        """ARNs of the KMS keys besides its own under which objects in it are: none, in one that we make."""
        return ()

    def desired(self) -> Settings:
        let_in_here = [each for role in self.guests for each in let_in(role, self.arn)]
        policy = [_deny_insecure_transport(self.name), *self.statements, *let_in_here]
        return {
            **({"versioning": "Enabled"} if self.versioned else {}),
            # Then objects are the bucket's owner's, whoever writes them.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
            **({"ownership": OWNERSHIP} if self.is_elsewhere else {}),
            **({} if self.object_lock_days is None else {"object_lock": self._retention()}),
            "encryption": self._encryption(),
            "public_access_block": {
                "BlockPublicAcls": True,
                "IgnorePublicAcls": True,
                "BlockPublicPolicy": True,
                "RestrictPublicBuckets": True,
            },
            "policy": {s["Sid"]: s for s in policy},
            "lifecycle": self._lifecycle_rules(),
            "tags": self.tags,
        }

    def checks(self) -> Iterable[Finding]:
        grammar = "3 to 63 lower-case letters, digits and hyphens: shorten the prefix, env or name"
        yield from written_as("bucket-name", "its name", self.name, BUCKET_NAME, grammar)
        size = len(json.dumps(document(self.desired()["policy"].values()), separators=(",", ":")))
        if size > MOST_POLICY_BYTES:
            what, fix = f"its policy has {size} bytes", f"keep to {MOST_POLICY_BYTES}: fewer statements"
            yield Finding("bucket-policy-size", what, fix)
        if self.object_lock_days:
            yield from within("bucket-object-lock", "object_lock_days", self.object_lock_days, 1, 36500)
        for name in ("expire_days", "keep_noncurrent_days"):
            if (days := getattr(self, name)) is not None:
                yield from within("bucket-lifecycle", name, days, 1, 2**31 - 1)

    def read(self, client) -> Settings | None:
        try:
            # Names are shared by all accounts: what another one has is never taken for ours.
            whose = {"Bucket": self.name, "ExpectedBucketOwner": self.account_id}
            region = client.head_bucket(**whose).get("BucketRegion", self.region)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise RunbookError(
                f"bucket {self.name}: S3 answers {error.response['Error']['Code']}. Either another account "
                f"than {self.account_id} has the name (choose another prefix) or the deployer may not read it"
            ) from error
        if region != self.region:
            raise RunbookError(
                f"bucket {self.name} is in {region}, not in {self.region} as its name says. If the local "
                "AWS was killed, it has lost its buckets' settings: `runbook local reset`, then run again"
            )
        rules = _lifecycle(client, self.name)["Rules"]
        encryption = _encryption_rule(client, self.name)
        block = _unless(
            "NoSuchPublicAccessBlockConfiguration", client.get_public_access_block, Bucket=self.name
        )
        managed = self.desired()
        return {
            **({"ownership": _ownership(client, self.name)} if "ownership" in managed else {}),
            **({"object_lock": object_lock(client, self.name)} if "object_lock" in managed else {}),
            "versioning": client.get_bucket_versioning(Bucket=self.name).get("Status"),
            "encryption": encryption.get("ApplyServerSideEncryptionByDefault"),
            "public_access_block": block.get("PublicAccessBlockConfiguration"),
            "policy": ours(policy_of(client, self.name)),
            "lifecycle": {rule["ID"]: rule for rule in rules if rule.get("ID") in LIFECYCLE_IDS},
            "tags": our_tags(tags_of(client, self.name)),
        }

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        # us-east-1 is the one region that must not be named:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
        location = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        where = {} if self.region == "us-east-1" else location
        lock = {"ObjectLockEnabledForBucket": True} if self.object_lock_days else {}
        self._once_its_name_is_free(sleep, lambda: client.create_bucket(Bucket=self.name, **where, **lock))
        client.get_waiter("bucket_exists").wait(Bucket=self.name)
        self.update(client, self.desired())

    def _once_its_name_is_free(self, sleep: Callable[[float], None], create: Callable[[], object]) -> None:
        """Create it, and wait if one of its name was deleted a moment ago; say so as long as it takes."""
        said = -1

        def say(state: RetryCallState) -> None:
            nonlocal said
            if (minute := int(state.seconds_since_start or 0) // NAME_SAID_S) > said:
                said = minute
                print(
                    f"bucket {self.name}: one of this name was deleted a while ago, and S3 still keeps the "
                    f"name ({minute} of {NAME_FREED_S // 60} minutes waited). You may stop this and run it "
                    "again later, or with another prefix or env, whose names are free",
                    flush=True,
                )

        retrying = Retrying(
            retry=retry_if_exception(lambda raised: matches(NAME_TAKEN, raised)),
            stop=stop_after_delay(NAME_FREED_S),
            wait=wait_fixed(NAME_POLL_S),
            before_sleep=say,
            sleep=sleep,
        )
        try:
            retrying(create)
        except RetryError as error:
            raise WaitError(
                f"bucket {self.name}: S3 has kept the name of the bucket that was deleted for "
                f"{NAME_FREED_S // 60} minutes, which it does at times for hours. Nothing of this bucket was "
                "made. Run this again later, or choose another prefix or env, whose names are free"
            ) from error

    def update(self, client, settings: Settings) -> None:
        # Tags first: they say that the bucket is ours, should the run end here.
        for setting in ("tags", *(name for name in settings if name != "tags")):
            if setting in settings:
                getattr(self, f"_put_{setting}")(client, settings[setting])

    def _put_tags(self, client, tags: dict[str, str]) -> None:
        found = tags_of(client, self.name)
        merged = {**found, **retagged(found, tags)}
        client.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": tag_list(merged)})

    def _put_versioning(self, client, status: str) -> None:
        client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": status})

    def _put_encryption(self, client, default: dict) -> None:
        # A bucket key saves most calls to KMS: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        ours = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bool(self.kms_key_arn)}
        rule = {**_encryption_rule(client, self.name), **ours}
        client.put_bucket_encryption(Bucket=self.name, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def _put_ownership(self, client, ownership: str) -> None:
        client.put_bucket_ownership_controls(
            Bucket=self.name, OwnershipControls={"Rules": [{"ObjectOwnership": ownership}]}
        )

    def _put_object_lock(self, client, retention: dict) -> None:
        if not retention and not has_object_lock(client, self.name):
            return  # to write even this would switch Object Lock on, for ever
        # It may also be switched on for a bucket that is there; what is in it is not locked by that:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
        rule = {"Rule": {"DefaultRetention": retention}} if retention else {}
        client.put_object_lock_configuration(
            Bucket=self.name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule}
        )

    def _put_public_access_block(self, client, block: dict) -> None:
        client.put_public_access_block(Bucket=self.name, PublicAccessBlockConfiguration=block)

    def _put_policy(self, client, statements: dict[str, Statement]) -> None:
        policy = merge(policy_of(client, self.name), statements.values())
        put = retry_passing(*NOT_READY, sleep=sleep)  # a role that it names may not be seen yet
        put(client.put_bucket_policy, Bucket=self.name, Policy=json.dumps(policy))

    def _put_lifecycle(self, client, rules: dict[str, dict]) -> None:
        found = _lifecycle(client, self.name)
        others = [rule for rule in found.pop("Rules") if rule.get("ID") not in LIFECYCLE_IDS]
        client.put_bucket_lifecycle_configuration(
            Bucket=self.name, LifecycleConfiguration={"Rules": [*others, *rules.values()]}, **found
        )

    def _retention(self) -> dict:
        """Return what Object Lock is to do with each version that comes in; empty for nothing."""
        days, mode = self.object_lock_days, self.object_lock_mode
        return {"Mode": mode, "Days": days} if days else {}

    def _encryption(self) -> dict:
        if self.kms_key_arn:
            return {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": self.kms_key_arn}
        return {"SSEAlgorithm": "AES256"}

    def _lifecycle_rules(self) -> dict[str, dict]:
        unfinished = {"DaysAfterInitiation": ABORT_MULTIPART_UPLOADS_AFTER_DAYS}
        rule = {**_rule(LIFECYCLE_ID, ""), "AbortIncompleteMultipartUpload": unfinished}
        rule |= _expiration(self.expire_days, self.keep_noncurrent_days or self.expire_days)
        if not self.temporary_prefix:
            return {LIFECYCLE_ID: rule}
        temporary = _rule(TEMPORARY_ID, self.temporary_prefix) | _expiration(1, 1)
        return {LIFECYCLE_ID: rule, TEMPORARY_ID: temporary}

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for name, region in cls.names(client, scope):
            if region == client.meta.region_name:
                with suppress(client.exceptions.NoSuchBucket):
                    yield Found(name, name, f"arn:aws:s3:::{name}", tags_of(client, name))

    @classmethod
    def regions(cls, client, scope: Scope) -> set[str]:
        """Return the regions in which there are buckets of our name; any S3 client is told of all buckets."""
        return {region for _, region in cls.names(client, scope)}

    @staticmethod
    def names(client, scope: Scope) -> Iterator[tuple[str, str]]:
        """Yield the names that are ours, and the regions in them, which spares asking S3 for each.

        Args:
            client: Any S3 client, which is told of all buckets.
            scope: Whose.
        """
        yield from Bucket.of_names(bucket_names(client), scope)

    @staticmethod
    def of_names(names: Iterable[str], scope: Scope) -> Iterator[tuple[str, str]]:
        """Yield those of the names that are ours, and the regions in them.

        Args:
            names: Of buckets.
            scope: Whose.
        """
        for name in names:
            ours, _, region = name.partition(f"-{scope.account_id}-")
            if ours.startswith(scope.beginning) and region:
                yield name, region

    @classmethod
    def protection(cls, client, found: Found, by_us: bool = True) -> str:
        name = found.identifier
        try:
            if by_us and found.is_protected_by_us and first_of(client, name):
                return f"it holds objects, and {BY_PARAMETER}"
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiFactorAuthenticationDelete.html
            if client.get_bucket_versioning(Bucket=name).get("MFADelete") == "Enabled":
                return "MFA delete is on: only the account's root user, with that device, can take it off"
            if refusing := refusals(policy_of(client, name), DELETIONS):
                return f"its policy denies {', '.join(refusing)} to everybody: take that statement out of it"
        except client.exceptions.NoSuchBucket:
            return ""
        return ""

    @classmethod
    def delete(
        cls,
        client,
        identifier: str,
        sleep: Callable[[float], None] = sleep,
        only: Container[tuple[str, str]] | None = None,
    ) -> None:
        """Delete a bucket, with all versions, delete markers and unfinished multipart uploads.

        Args:
            client: An S3 client of the bucket's region.
            identifier: The bucket's name.
            sleep: Waits between two attempts.
            only: Key and version id of each that may be deleted; None for all that there is.

        Raises:
            RunbookError: If it holds more than that; the bucket and the rest stay.
        """
        try:
            _empty_it(client, identifier, sleep, only)
            if only is not None and (left := first_of(client, identifier)):
                raise RunbookError(f"it holds {left!r}, which came meanwhile")
            client.delete_bucket(Bucket=identifier)
        except client.exceptions.NoSuchBucket:
            return


def bucket_arn(scope: Scope, what: str, *, region: str) -> str:
    """Return the ARN of a pipeline's bucket, which need not be described yet, for its own policy.

    Args:
        scope: The pipeline.
        what: The last part of its name.
        region: Its region.
    """
    bucket = Bucket(what, region)
    bucket.scope = scope
    return bucket.arn


def _rule(identifier: str, prefix: str) -> dict:
    return {"ID": identifier, "Status": "Enabled", "Filter": {"Prefix": prefix}}


def _expiration(days: int | None, noncurrent_days: int | None) -> dict:
    """Return what a lifecycle rule says of the end of objects and of noncurrent versions."""
    current = {"Expiration": {"Days": days}} if days else {}
    noncurrent = (
        {"NoncurrentVersionExpiration": {"NoncurrentDays": noncurrent_days}} if noncurrent_days else {}
    )
    return current | noncurrent


def _empty_it(
    client, name: str, sleep: Callable[[float], None], only: Container[tuple[str, str]] | None
) -> None:
    """Empty a bucket, though statements of ours let only others delete in it: they go first."""
    transport = _deny_insecure_transport(name)
    policy = policy_of(client, name)
    if not ours(policy).keys() - {transport["Sid"]}:
        empty_bucket(client, name, only)
        return
    refusing = [one for one in ours(policy).values() if one["Effect"] == "Deny"]
    client.put_bucket_policy(Bucket=name, Policy=json.dumps(merge(policy, [transport])))
    # The old policy may bind for some seconds more.
    retrying = Retrying(
        retry=retry_if_exception(_is_refused),
        stop=stop_after_delay(PROPAGATION_S),
        wait=wait_fixed(WAIT_S),
        sleep=sleep,
        reraise=True,
    )
    try:
        retrying(empty_bucket, client, name, only)
    except LockedError:
        # What has to stay is kept from everybody as before; nobody is let in any more.
        client.put_bucket_policy(Bucket=name, Policy=json.dumps(merge(policy, refusing)))
        raise


def _is_refused(error: BaseException) -> bool:
    """Return whether S3 refused to delete: objects it names in its answer, uploads by an error."""
    is_denied = isinstance(error, ClientError) and error.response["Error"]["Code"] == "AccessDenied"
    return is_denied or (isinstance(error, RunbookError) and not isinstance(error, LockedError))


def _deny_insecure_transport(name: str) -> Statement:
    return deny_insecure_transport("s3:*", f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*")


def first_of(client, name: str) -> str:
    """Return the key of something that a bucket holds, an unfinished upload too; empty if it holds nothing.

    Args:
        client: An S3 client of the bucket's region.
        name: The bucket's name.
    """
    found = client.list_object_versions(Bucket=name, MaxKeys=1)
    uploads = client.list_multipart_uploads(Bucket=name, MaxUploads=1)
    lists = (found.get("Versions", []), found.get("DeleteMarkers", []), uploads.get("Uploads", []))
    return next((each["Key"] for listed in lists for each in listed), "")


def empty_bucket(
    client, name: str, only: Container[tuple[str, str]] | None = None, beginning: str = ""
) -> int:
    """Delete every version, delete marker and unfinished multipart upload of a bucket.

    Args:
        client: An S3 client of the bucket's region.
        name: The bucket's name.
        only: Key and version id of each that may be deleted, and no upload; None for all that there is.
        beginning: What the keys begin with; empty for all of them.

    Returns:
        How many versions and markers were deleted.

    Raises:
        LockedError: If Object Lock holds some of them, which stay, and what hides them too; all else is
            deleted.
        RunbookError: If S3 refuses to delete some of them for another reason.
    """
    asked = {"Bucket": name, **({"Prefix": beginning} if beginning else {})}
    uploads = client.get_paginator("list_multipart_uploads").paginate(**asked) if only is None else ()
    for page in uploads:
        for upload in page.get("Uploads", []):
            with suppress(client.exceptions.NoSuchUpload):  # if only the answer was lost
                client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    pages = client.get_paginator("list_object_versions").paginate(**asked, MaxKeys=DELETE_BATCH_KEYS)
    deleted, refused = 0, 0
    held: set[str] = set()
    waiting: list[dict] = []
    with Wait(f"Empty {name}", unit="version") as progress:
        for page in pages:
            # Markers last: without its marker, an object would come back, for a moment or as long as it is
            # locked. The last key of a page may have versions on the next one.
            markers = [*waiting, *page.get("DeleteMarkers", [])]
            last = page.get("NextKeyMarker") if page.get("IsTruncated") else None
            waiting = [one for one in markers if one["Key"] == last]
            whole = [one for one in markers if one["Key"] != last]
            for found, hides in ((page.get("Versions", []), False), (whole, True)):
                batch = [
                    {"Key": item["Key"], "VersionId": item["VersionId"]}
                    for item in found
                    if only is None or (item["Key"], item["VersionId"]) in only
                    if not (hides and item["Key"] in held)
                ]
                errors = _delete_batch(client, name, batch)
                if errors and not refused and not has_object_lock(client, name):
                    raise RunbookError(_not_deleted(name, errors))
                held |= {error["Key"] for error in errors}
                refused += len(errors)
                deleted += len(batch) - len(errors)
                progress.update(len(batch))
    if refused:
        raise LockedError(what_is_locked(client, name, beginning, only))
    return deleted


def what_is_locked(
    client, name: str, beginning: str = "", only: Container[tuple[str, str]] | None = None
) -> str:
    """Say what Object Lock holds of a bucket from which all else was deleted, and until when.

    Args:
        client: An S3 client of the bucket's region.
        name: The bucket's name.
        beginning: What the keys begin with; empty for all of them.
        only: Key and version id of each that was to be deleted; None for all that there is.

    Raises:
        RunbookError: If something of it is there that Object Lock does not hold, so that S3 keeps it for
            another reason.
    """
    pages = client.get_paginator("list_object_versions").paginate(Bucket=name, Prefix=beginning)
    versions = (
        version
        for page in pages
        for version in page.get("Versions", [])
        if only is None or (version["Key"], version["VersionId"]) in only
    )

    def look(version: dict) -> dict:
        return client.head_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])

    count, newest = 0, None
    looked_at = []
    for count, version in enumerate(versions, 1):
        if count <= MOST_LOOKED_AT:
            looked_at.append(version)
        newest = max(newest or version, version, key=lambda one: one["LastModified"])
    if newest and count > MOST_LOOKED_AT:
        looked_at.append(newest)
    heads = [*in_threads(look, looked_at)]
    now = datetime.now(UTC)
    days = [head["ObjectLockRetainUntilDate"] for head in heads if "ObjectLockRetainUntilDate" in head]
    on_hold = [head for head in heads if head.get("ObjectLockLegalHoldStatus") == "ON"]
    free = [
        head for head in heads if head not in on_hold and head.get("ObjectLockRetainUntilDate", now) <= now
    ]
    if free:
        raise RunbookError(
            f"bucket {name}: S3 does not let us delete all of the {counted(count, 'version')} left, and "
            "Object Lock does not hold them all: see whether a policy denies s3:DeleteObjectVersion"
        )
    until = f"until {max(days).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if days else "without end"
    modes = ", ".join(sorted({head["ObjectLockMode"] for head in heads if "ObjectLockMode" in head}))
    several = "at least " if count > MOST_LOOKED_AT else ""
    be = "is" if len(on_hold) == 1 and not several else "are"
    holds = (
        f"; {several}{len(on_hold)} {be} under a legal hold, until somebody takes it off" if on_hold else ""
    )
    return (
        f"bucket {name} stays, with {counted(count, 'version')} that Object Lock holds {several}{until}"
        f"{f' ({modes})' if modes else ''}{holds}"
    )


def delete_batch(client, name: str, batch: list[dict[str, str]]) -> None:
    """Delete objects, or versions of objects, by one call, and one for each key that XML cannot hold.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html#object-key-xml-related-constraints

    Args:
        client: An S3 client of the bucket's region.
        name: The bucket's name.
        batch: At most DELETE_BATCH_KEYS: of each its `Key`, and the `VersionId` if a version is meant.

    Raises:
        RunbookError: If S3 refuses to delete some of them, for instance under object lock.
    """
    if errors := _delete_batch(client, name, batch):
        raise RunbookError(_not_deleted(name, errors))


def _not_deleted(name: str, errors: list[dict]) -> str:
    return f"bucket {name}: {len(errors)} not deleted, the first: {errors[0]}"


def _delete_batch(client, name: str, batch: list[dict[str, str]]) -> list[dict]:
    """Delete as `delete_batch` does; returns which S3 refused, each with its `Key` and why."""
    errors = []
    for item in batch:
        if not fits_xml(item["Key"]):
            try:
                client.delete_object(Bucket=name, **item)
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDenied":
                    raise
                errors.append({**item, **error.response["Error"]})
    if batch := [item for item in batch if fits_xml(item["Key"])]:
        answer = client.delete_objects(Bucket=name, Delete={"Objects": batch, "Quiet": True})
        errors += answer.get("Errors", [])
    return errors


# Where an entry stands, and under what it names its destination, by the destination's service.
KINDS = {
    "sns": ("TopicConfigurations", "TopicArn"),
    "sqs": ("QueueConfigurations", "QueueArn"),
    "lambda": ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
}


@dataclass(repr=False, kw_only=True)
class BucketNotification(Resource):
    """One entry of a bucket's notification configuration: its events go to a destination in the same region.

    Attributes:
        bucket: Whose events.
        destination: Where they go; it must already let the bucket publish, send or invoke, since S3 tries it.
        events: Names such as `s3:ObjectCreated:*`.
        key_prefix: Only keys that begin so.
        key_suffix: Only keys that end so.
    """

    bucket: Bucket
    destination: Topic | Queue | Function
    events: tuple[str, ...] = ("s3:ObjectCreated:*",)
    key_prefix: str = ""
    key_suffix: str = ""

    service: ClassVar[str] = "s3"
    noun: ClassVar[str] = "S3 bucket notification"
    taggable: ClassVar[bool] = False
    may_be_elsewhere: ClassVar[bool] = True
    deletion: ClassVar[Deletion] = Deletion.ENTRANCE
    is_entrance: ClassVar[bool] = True
    acts: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("bucket", "destination")

    @property
    def arn(self) -> str:
        """The bucket's ARN and the entry's id; entries have no ARN of their own."""
        return f"{self.bucket.arn}#{self.name}"

    @property
    def account_id(self) -> str:
        return self.bucket.account_id

    @property
    def note(self) -> str:
        return note_of(self.bucket)

    def desired(self) -> Settings:
        rules = [("prefix", self.key_prefix), ("suffix", self.key_suffix)]
        return {
            "destination": self.destination.arn,
            "events": sorted(self.events),
            "filter": {name: in_filter(value) for name, value in rules if value},
        }

    def read(self, client) -> Settings | None:
        try:
            return _notification(client, self.bucket.name, self.name)
        except client.exceptions.NoSuchBucket:
            return None

    def checks(self) -> Iterable[Finding]:
        known = enumeration("s3", "Event")
        for event in (event for event in self.events if event not in known):
            yield Finding("event-unknown", f"{event!r} is no event", f"write one of {', '.join(known)}")
        if not self.events:
            yield Finding("event-unknown", "it names no event", f"write one of {', '.join(known)}")
        for name in ("key_prefix", "key_suffix"):
            if "*" in getattr(self, name):
                what = f"{name} is {getattr(self, name)!r}, whose * stands for itself"
                yield Finding(
                    "notification-filter-wildcard", what, "leave the * out: a filter has no wildcards"
                )
            if not _is_utf8(getattr(self, name)):
                what = f"{name} is {getattr(self, name)!r}, which is no text in UTF-8, as keys are"
                yield Finding("notification-filter", what, "write text")
            if (size := len(in_filter(getattr(self, name)))) > MOST_KEY_BYTES:
                what = f"{name} has {size} characters as S3 wants it, percent-encoded"
                yield Finding("notification-filter", what, f"keep to {MOST_KEY_BYTES}: a shorter {name}")

    def _entry(self) -> tuple[str, dict]:
        """Return the entry as S3 wants it, and where it stands."""
        settings = self.desired()
        kind, destination = KINDS[self.destination.service]
        rules = [{"Name": name, "Value": value} for name, value in settings["filter"].items()]
        entry = {"Id": self.name, destination: settings["destination"], "Events": settings["events"]}
        if rules:
            entry["Filter"] = {"Key": {"FilterRules": rules}}
        return kind, entry

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        kind, entry = self._entry()
        configuration = without_entry(_notifications(client, self.bucket.name), self.name)
        configuration.setdefault(kind, []).append(entry)
        _put_notifications(client, self.bucket.name, configuration, sleep)
        _wait_for_notification(client, self.bucket.name, self.name, self.desired(), sleep)

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        self.create(client, sleep)

    def links(self, settings: Settings) -> Iterable[Link]:
        yield Link(self.bucket.arn, settings["destination"], ", ".join(settings["events"]))

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for bucket in carriers(client, scope):
            for entries in _notifications(client, bucket.name).values():
                for name in (entry["Id"] for entry in entries if isinstance(entries, list)):
                    if name.startswith(scope.beginning):
                        yield Found(f"{bucket.name}#{name}", name, f"{bucket.arn}#{name}", bucket.tags)

    @classmethod
    def delete(cls, client, identifier: str, sleep: Callable[[float], None] = sleep) -> None:
        """Remove one entry and leave the bucket's other entries as they are."""
        bucket, entry_id = identifier.split("#")
        try:
            configuration = _notifications(client, bucket)
        except client.exceptions.NoSuchBucket:
            return
        _put_notifications(client, bucket, without_entry(configuration, entry_id), sleep)
        _wait_for_notification(client, bucket, entry_id, None, sleep)


def in_filter(text: str) -> str:
    """Return the beginning or the end of keys as the filter of a notification must have it: encoded.

    S3 compares it with the key as it is in events, such as `dt%3D2026/my+file+%281%29`, and what is written
    otherwise never fires (https://github.com/aws/aws-cdk/pull/28012):
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html. Of the
    characters that the page calls safe, events have parentheses encoded:
    https://github.com/aws/aws-sdk-js/issues/2039.

    Args:
        text: As the keys have it.
    """
    return quote_plus(text, safe="/", errors="surrogatepass")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def carriers(client, scope: Scope) -> Iterator[Found]:
    """Yield the buckets to which something of ours may be attached: ours, and those that are adopted.

    What is attached to an adopted one has only its name to say whose it is, so there are no tags.

    Args:
        client: An S3 client of a region, which is told of that region's.
        scope: Whose.

    Raises:
        RunbookError: If an adopted bucket may not be looked at.
    """
    yield from Bucket.find(client, scope)
    for name in dict.fromkeys(one.name for one in scope.adopted if one.region == client.meta.region_name):
        try:
            client.head_bucket(Bucket=name, ExpectedBucketOwner=scope.account_id)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            # One that was deleted since, and whose name another account has, holds nothing of ours any more.
            if status != 404 and name in bucket_names(client, name):
                raise RunbookError(
                    f"bucket {name}, which {scope.env} has adopted, cannot be looked at (S3 answers "
                    f"{status}), "
                    "so what was added to it cannot be taken away. Give the deployer its rights back "
                    "(docs/real-account.md, 6), then run this again"
                ) from error
        else:
            yield Found(name, name, f"arn:aws:s3:::{name}", None)


def note_of(bucket: Bucket) -> str:
    """Return what a plan says of what is attached to a bucket."""
    return bucket.note if bucket.is_made else ADDS


def _notification(client, bucket: str, entry_id: str) -> Settings | None:
    """Return the settings of one entry; None if there is none of this id."""
    configuration = _notifications(client, bucket)
    entries = (
        _settings(entry, destination)
        for kind, destination in KINDS.values()
        for entry in configuration.get(kind, [])
        if entry["Id"] == entry_id
    )
    return next(entries, None)


def notifications_of(client, bucket: Bucket) -> list[Settings]:
    """Return the settings of all entries of ours: `destination`, `events` and `filter` of each.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Whose.

    Returns:
        As of `entries_of`.

    Raises:
        ClientError: Such as NoSuchBucket.
    """
    ours = (each for each in entries_of(client, bucket.name) if each["Id"].startswith(bucket.scope.beginning))
    return [{name: value for name, value in each.items() if name != "Id"} for each in ours]


def entries_of(client, bucket: str) -> list[Settings]:
    """Return the entries of all who are notified: `Id`, `destination`, `events` and `filter` of each.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.

    Returns:
        The entries; what their filters say is as the keys have it, and not encoded.

    Raises:
        ClientError: Such as NoSuchBucket.
    """
    return [
        {**entry, "filter": {name: unquote_plus(text) for name, text in entry["filter"].items()}}
        for entry in encoded_entries_of(client, bucket)
    ]


def encoded_entries_of(client, bucket: str) -> list[Settings]:
    """Return the same as `entries_of`, but filters as S3 has them: encoded, if they ever fire.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.

    Raises:
        ClientError: Such as NoSuchBucket.
    """
    configuration = _notifications(client, bucket)
    return [
        {"Id": entry["Id"], **_settings(entry, destination)}
        for kind, destination in KINDS.values()
        for entry in configuration.get(kind, [])
    ]


def _settings(entry: dict, destination: str) -> Settings:
    rules = entry.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return {
        "destination": entry[destination],
        "events": sorted(entry["Events"]),
        "filter": {rule["Name"].lower(): rule["Value"] for rule in rules},
    }


def without_entry(configuration: dict, entry_id: str) -> dict:
    """Return a notification configuration without one entry, the others as they are.

    Args:
        configuration: As S3 gives it: lists of entries, and perhaps `EventBridgeConfiguration`, a dict.
        entry_id: The `Id` of the entry to leave out.

    Returns:
        A new configuration.
    """
    return {
        kind: [entry for entry in entries if entry["Id"] != entry_id]
        if isinstance(entries, list)
        else entries
        for kind, entries in configuration.items()
    }


def _notifications(client, bucket: str) -> dict:
    answer = client.get_bucket_notification_configuration(Bucket=bucket)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _put_notifications(client, bucket: str, configuration: dict, sleep: Callable[[float], None]) -> None:
    """Write the whole configuration: S3 replaces it, so it must hold everybody's entries."""
    # S3 tries the destination, whose policy may be too new.
    put = retry_passing(*NOT_READY, sleep=sleep)
    put(
        client.put_bucket_notification_configuration,
        Bucket=bucket,
        NotificationConfiguration=configuration,
    )


def _wait_for_notification(
    client, bucket: str, entry_id: str, wanted: Settings | None, sleep: Callable[[float], None]
) -> None:
    """Wait until S3 tells of a change: the next one begins with reading; an old answer would undo this one.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
    """
    wait_until(
        lambda: all(_notification(client, bucket, entry_id) == wanted for _ in range(LOOKS_IN_A_ROW)),
        bool,
        PROPAGATION_S,
        WAIT_S,
        sleep,
        f"bucket {bucket}: S3 does not tell of its changed notification {entry_id}; run again",
        what=f"Until S3 tells of the notification of {bucket}",
    )


def _unless(code: str, call, **arguments) -> dict:
    """Call S3; its error for "nothing is set" is an empty answer, every other error is an error."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] == code:
            return {}
        raise


def tags_of(client, bucket: str) -> dict[str, str]:
    """Return all tags of a bucket.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.

    Raises:
        ClientError: Such as NoSuchBucket.
    """
    return tag_dict(_unless("NoSuchTagSet", client.get_bucket_tagging, Bucket=bucket).get("TagSet", []))


def policy_of(client, bucket: str) -> str | None:
    """Return the text of a bucket's policy; None if it has none.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.

    Raises:
        ClientError: Such as NoSuchBucket.
    """
    return _unless("NoSuchBucketPolicy", client.get_bucket_policy, Bucket=bucket).get("Policy")


def _encryption_rule(client, bucket: str) -> dict:
    code = "ServerSideEncryptionConfigurationNotFoundError"
    answer = _unless(code, client.get_bucket_encryption, Bucket=bucket)
    return answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [{}])[0]


def _ownership(client, bucket: str) -> str:
    """Return whose objects are that others write into a bucket; empty if that is not set."""
    call = client.get_bucket_ownership_controls
    found = _unless("OwnershipControlsNotFoundError", call, Bucket=bucket).get("OwnershipControls", {})
    return next((rule["ObjectOwnership"] for rule in found.get("Rules", [])), "")


def has_object_lock(client, bucket: str) -> bool:
    """Return whether a bucket can have locked versions, which it then can for ever.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.
    """
    return bool(_object_lock(client, bucket))


def object_lock(client, bucket: str) -> dict:
    """Return how long each version that comes into a bucket is locked: `Mode` and `Days`; or nothing.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.
    """
    return _object_lock(client, bucket).get("Rule", {}).get("DefaultRetention", {})


def _object_lock(client, bucket: str) -> dict:
    call = client.get_object_lock_configuration
    try:
        answer = _unless("ObjectLockConfigurationNotFoundError", call, Bucket=bucket)
    except client.exceptions.NoSuchBucket:  # one that was just deleted may still be listed
        return {}
    return answer.get("ObjectLockConfiguration", {})


def encryption_key(client, bucket: str) -> str:
    """Return with which KMS key a bucket encrypts by default, as it is named there; empty for S3's own.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.
    """
    rule = _encryption_rule(client, bucket).get("ApplyServerSideEncryptionByDefault", {})
    return rule.get("KMSMasterKeyID", "")


def bucket_names(client, beginning: str = "") -> Iterator[str]:
    """Yield the names of the account's buckets: S3 lists a caller those of its own account only.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html

    Args:
        client: Any S3 client, which is told of all buckets.
        beginning: What the names begin with; empty for all.
    """
    asked = {"Prefix": beginning} if beginning else {}
    pages = client.get_paginator("list_buckets").paginate(**asked, PaginationConfig={"PageSize": 1000})
    return (bucket["Name"] for page in pages for bucket in page.get("Buckets", []))


def _lifecycle(client, bucket: str) -> dict:
    """Return a bucket's `Rules` and whatever else is set of its lifecycle: S3 replaces all of it at once."""
    answer = _unless("NoSuchLifecycleConfiguration", client.get_bucket_lifecycle_configuration, Bucket=bucket)
    others = {key: value for key, value in answer.items() if key not in ("Rules", "ResponseMetadata")}
    return {**others, "Rules": [with_filter(rule) for rule in answer.get("Rules", [])]}


def with_filter(rule: dict) -> dict:
    """Return a lifecycle rule in S3's newer spelling.

    Args:
        rule: As S3 gives it. An old one has a prefix of its own, which S3 refuses beside rules with a filter:
            https://github.com/noobaa/noobaa-core/issues/8426. An empty filter means all keys.

    Returns:
        The same rule, its prefix in the filter.
    """
    rest = {key: value for key, value in rule.items() if key != "Prefix"}
    return {**rest, "Filter": rule.get("Filter") or {"Prefix": rule.get("Prefix", "")}}
