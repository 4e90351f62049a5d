"""S3: a statement in a bucket's policy by which nobody writes objects there, until it is taken away."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import not_
from time import sleep
from typing import ClassVar
from uuid import uuid4

from botocore.exceptions import ClientError

from lib.base.errors import RunbookError
from lib.base.retry import IS_BEING_CHANGED, PROPAGATION_S, WAIT_S, retry_on, wait_until
from lib.resources.base import Deletion, Found, Resource, Scope, Settings
from lib.resources.policies import (
    FREEZE_SID,
    Statement,
    canonical,
    statements_of,
    with_statement,
    without_statement,
)
from lib.resources.s3 import ADDS, LOOKS_IN_A_ROW, MOST_POLICY_BYTES, carriers, policy_of

# What changes an object, or what is said of it, or takes it away. Not among them: that an upload is given up,
# by which no object changes, and that S3 restores what is archived, without which it cannot be copied.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
WRITES = (
    "s3:PutObject*",
    "s3:DeleteObject*",
    "s3:ReplicateObject",
    "s3:ReplicateDelete",
    "s3:ReplicateTags",
    "s3:UpdateObjectEncryption",
)
# Not among those by which a pipeline's own statements are known: these are no part of a pipeline's
# description, so that whoever deploys it leaves them alone.
SID = FREEZE_SID
NAMED = re.compile(rf"{SID}((?:[A-Z][a-z0-9]*){{3,}})")
PROBE = "runbook-freeze-probe-"
KEPT = "nobody can write there, and it stays so until `runbook run cutover --set cutover.action=thaw`"


@dataclass(repr=False, kw_only=True)
class Freeze(Resource):
    """A statement of ours in a bucket's policy that denies everybody to write and delete objects.

    Everybody is also the runbook, and root: nobody has to write there, and only so can it be seen to be in
    force. It denies nothing about the policy itself, so that whoever could change that still can. Expirations
    and transitions of the bucket's lifecycle are S3's own, and go on:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html

    Attributes:
        bucket_name: The bucket's.
        filters: Prefix and suffix of the keys that are frozen; several are for the keys of each.
    """

    bucket_name: str
    filters: tuple[tuple[str, str], ...] = (("", ""),)

    service: ClassVar[str] = "s3"
    noun: ClassVar[str] = "S3 bucket freeze"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.ENTRANCE
    stays: ClassVar[str] = KEPT

    @property
    def arn(self) -> str:
        """The bucket's ARN and the name; statements have no ARN of their own."""
        return _arn(self.bucket_name, self.name)

    @property
    def needs(self) -> list[str]:
        return [f"arn:aws:s3:::{self.bucket_name}"]

    @property
    def note(self) -> str:
        is_ours = self.bucket_name.startswith(self.scope.beginning)
        says = "nobody can write or delete objects there, the runbook neither, until it is thawed"
        return says if is_ours else f"{ADDS}; {says}"

    @property
    def statement(self) -> Statement:
        """What is added to the policy."""
        keys = [f"{_literal(prefix)}*{_literal(suffix)}" for prefix, suffix in self.filters]
        return {
            "Sid": _sid(self.name),
            "Effect": "Deny",
            "Principal": "*",
            "Action": list(WRITES),
            "Resource": [f"arn:aws:s3:::{self.bucket_name}/{one}" for one in keys],
        }

    def desired(self) -> Settings:
        return {"statement": self.statement}

    def read(self, client) -> Settings | None:
        try:
            policy = policy_of(client, self.bucket_name)
        except client.exceptions.NoSuchBucket:
            return None
        sid = _sid(self.name)
        return next(({"statement": one} for one in statements_of(policy) if one.get("Sid") == sid), None)

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        before = policy_of(client, self.bucket_name)
        policy = with_statement(before, self.statement)
        if len(policy.encode()) > MOST_POLICY_BYTES:
            raise RunbookError(
                f"bucket {self.bucket_name}: its policy would have {len(policy.encode()):,} bytes, and S3 "
                f"takes {MOST_POLICY_BYTES:,}: make room in it; it is as it was"
            )
        is_denied_already = self.is_in_force(client)
        _put(client, self.bucket_name, policy, _sid(self.name), sleep)
        if is_denied_already:  # by somebody's statement: it cannot be seen when ours is in force, too
            sleep(PROPAGATION_S)
        wait_until(
            lambda: all(self.is_in_force(client) for _ in range(LOOKS_IN_A_ROW)),
            bool,
            PROPAGATION_S,
            WAIT_S,
            sleep,
            f"bucket {self.bucket_name}: {PROPAGATION_S} s after its policy was changed a write is not "
            "denied yet; run it again",
        )

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        self.create(client, sleep)

    def is_in_force(self, client) -> bool:
        """Return whether S3 denies what the statement is about, by asking it for what would change nothing.

        Tags are put to objects that are not there, which S3 answers with NoSuchKey if it is not denied.

        Args:
            client: An S3 client of the bucket's region.
        """
        return all(_denies(client, self.bucket_name, pattern) for pattern in _patterns(self.statement))

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for bucket in carriers(client, scope):
            for name in freezes_of(client, bucket.name):
                if name.startswith(scope.beginning):
                    yield Found(f"{bucket.name}#{name}", name, _arn(bucket.name, name), bucket.tags)

    @classmethod
    def delete(cls, client, identifier: str, sleep: Callable[[float], None] = sleep) -> None:
        """Take the statement away, and leave all else in the policy as it is, to the byte."""
        bucket, name = identifier.split("#")
        with suppress(client.exceptions.NoSuchBucket):
            before = policy_of(client, bucket)
            after = without_statement(before, _sid(name)) if before else before
            if after == before:
                return
            _put(client, bucket, after, _sid(name), sleep)
            if freezes_of(client, bucket):  # of another environment: it goes on denying
                return
            # Whoever empties the bucket next shall not be denied. If somebody's own statement denies us to
            # put tags, that cannot be seen, and a minute is waited.
            patterns = _patterns(next(one for one in statements_of(before) if one.get("Sid") == _sid(name)))
            wait_until(
                lambda: any(_denies(client, bucket, pattern) for pattern in patterns),
                not_,
                PROPAGATION_S,
                WAIT_S,
                sleep,
            )


def freezes_of(client, bucket: str) -> list[str]:
    """Return the full names of the freezes of a bucket, whichever environment's; none if it is gone.

    Args:
        client: An S3 client of the bucket's region.
        bucket: Its name.
    """
    try:
        policy = policy_of(client, bucket)
    except client.exceptions.NoSuchBucket:
        return []
    sids = [str(statement.get("Sid", "")) for statement in statements_of(policy)]
    return [
        "-".join(re.findall("[A-Z][a-z0-9]*", found[1])).lower()
        for sid in sids
        if (found := NAMED.fullmatch(sid))
    ]


def _arn(bucket: str, name: str) -> str:
    return f"arn:aws:s3:::{bucket}#{name}"


def _sid(name: str) -> str:
    """Return the Sid of a freeze by its full name: a Sid has letters and digits only."""
    return SID + "".join(part.capitalize() for part in name.split("-"))


def _literal(text: str) -> str:
    """Return a part of a key as policies write it: what is special there stands for any one character.

    A variable such as `${*}` would be exact, but is one in policies of the newer version only:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return text.replace("*", "?").replace("$", "?")


def _patterns(statement: Statement) -> list[str]:
    """Return which keys a statement is about; S3 may give back a list of one as that one."""
    resources = statement["Resource"]
    return [one.partition("/")[2] for one in ([resources] if isinstance(resources, str) else resources)]


def _denies(client, bucket: str, pattern: str) -> bool:
    """Return whether S3 denies a write of a key that there is not, below a pattern with one `*`."""
    key = pattern.replace("*", f"{PROBE}{uuid4().hex}").replace("?", "x")
    try:
        client.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": []})
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return False
        if status == 403:
            return True
        raise
    return False


def _put(client, bucket: str, policy: str | None, sid: str, sleep: Callable[[float], None]) -> None:
    """Write a policy, or delete the one that there is, and wait until S3 tells of our statement as it is now.

    The next change begins with reading; an old answer would undo this one.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
    """
    change = retry_on(IS_BEING_CHANGED, PROPAGATION_S, sleep)
    if policy is None:
        change(client.delete_bucket_policy, Bucket=bucket)
    else:
        change(client.put_bucket_policy, Bucket=bucket, Policy=policy)
    wanted = _ours(policy, sid)
    wait_until(
        lambda: all(_ours(policy_of(client, bucket), sid) == wanted for _ in range(LOOKS_IN_A_ROW)),
        bool,
        PROPAGATION_S,
        WAIT_S,
        sleep,
        f"bucket {bucket}: S3 does not tell of its changed policy; run it again",
    )


def _ours(policy: str | None, sid: str) -> list[Statement]:
    return [canonical(one) for one in statements_of(policy) if one.get("Sid") == sid]
