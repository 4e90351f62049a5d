"""Restoring a bucket from the disaster-recovery (DR) bucket, as it was at a point in time.

Nothing is deleted. What was current in the DR bucket then is copied to where it is missing or older; what was
deleted then, or did not exist yet, is left as it is. After an interruption run it again: what is the same
already is not copied again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from botocore.config import Config
from botocore.exceptions import ClientError

from lib.base.errors import NotDeployedError, NotOursError, ParameterError, RunbookError
from lib.base.own_fault import Fault, or_fault, own_fault
from lib.base.shown import counted
from lib.base.threads import in_threads
from lib.base.waits import progress
from lib.operate.pipelines import deployed
from lib.operate.recovery import restorer
from lib.operate.recovery.restore_tally import KNOWN_THEN, Outcome, Tally
from lib.operate.recovery.version_copy import copy_version, difference, head_version
from lib.parameters import Parameters
from lib.resources.base import TAG_ENV, tag_dict
from lib.resources.s3 import Bucket
from lib.s3.listing import Entry, listing, merge
from lib.s3.objects import Place
from lib.s3.same_object import differing_attributes, same_bytes
from lib.s3.versions import Version, current_at, histories
from lib.target import Target

# 300 s: CopyObject answers when it is done, and copies up to 5 GB across regions. 100: ten copies at
# a time, of ten parts each.
PATIENT = Config(read_timeout=300, max_pool_connections=100)
# What S3 answers to a copy of an archived object; a listing does not tell of Intelligent-Tiering's archives.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
ARCHIVED = frozenset({"InvalidObjectState", "ObjectNotInActiveTierError"})


@dataclass(frozen=True)
class Found:
    """What there is of a key.

    Attributes:
        key: The key.
        history: Its versions and markers in the DR bucket, newest first.
        there: The object that is there now; None if there is none.
    """

    key: str
    history: list[Version]
    there: Entry | None = None


@dataclass(frozen=True)
class Restore:
    """A restore: planned first, and run only if nothing newer would be overwritten.

    Attributes:
        source: The DR bucket.
        into: The bucket to restore.
        at: The point in time, with time zone, by the DR bucket's clock: what had arrived there by then.
        prefix: Only keys that begin so.
        overwrite_newer: Whether objects may be overwritten that were written after the point in time; the
            bucket keeps them as noncurrent versions.
    """

    source: Place
    into: Place
    at: datetime
    prefix: str = ""
    overwrite_newer: bool = False

    def plan(self) -> Tally:
        """Return what would become of every key, and write nothing.

        Raises:
            ParameterError: If the point in time is before the first version, or has not come yet.
        """
        if self.at > datetime.now(UTC):
            raise ParameterError(f"restore.at: {self.at.isoformat()} has not come yet; nothing was done")
        tally = Tally()
        for outcome in progress("Plan", in_threads(self._judge_or_say_why_not, self._keys()), unit="key"):
            tally.add(outcome)
        if not tally.count(*KNOWN_THEN):
            raise ParameterError(
                f"restore.at: {self.at.isoformat()} is before the first version of "
                f"s3://{self.source.bucket}/{self.prefix}: {self._first()}; nothing was done"
            )
        return tally

    def run(self) -> Tally:
        """Plan, then restore. A key that fails does not hold up the others; run it again for those.

        Returns:
            What became of every key.

        Raises:
            ParameterError: As for `plan`.
            RunbookError: If something newer is there and may not be overwritten, or if what would be
                overwritten would be lost, since the bucket keeps no versions; nothing was done then.
        """
        plan, tally = self.plan(), Tally()
        if plan.count("newer") and not self.overwrite_newer:
            newer = next(problem.key for problem in plan.problematic if problem.state == "newer")
            raise RunbookError(
                f"s3://{self.into.bucket}/{self.prefix} has {counted(plan.count('newer'), 'object')} written "
                f"after {self.at.isoformat()}, such as {newer!r}; nothing was done. If they shall be "
                "overwritten: restore.overwrite_newer"
            )
        self._require_versions(plan)
        restored = in_threads(self._restore, self._keys())
        for outcome in progress("Restore", restored, total=plan.objects.total(), unit="key"):
            tally.add(outcome)
        return tally

    def _require_versions(self, plan: Tally) -> None:
        """Refuse to overwrite what would be lost by it: a bucket that is adopted may keep no versions."""
        overwritten = plan.count("to replace", "newer")
        if not overwritten:
            return
        found = self.into.client.get_bucket_versioning(Bucket=self.into.bucket)
        if found.get("Status") != "Enabled":
            raise RunbookError(
                f"s3://{self.into.bucket} keeps no versions: {counted(overwritten, 'object')} there would be "
                "lost; nothing was done. Have its owner enable versioning, or restore into another bucket"
            )

    def _keys(self) -> Iterator[Found]:
        """Yield every key of both buckets, in order; both are listed page by page."""
        now = listing(self.into, self.prefix)
        dr = (Found(key, history) for key, history in histories(self.source, self.prefix))
        for there, found in merge(now, dr):
            if found:
                yield replace(found, there=there)
            elif there:
                yield Found(there.key, [], there)

    def _judge(self, found: Found) -> Outcome:
        """Decide what is to become of a key."""
        wanted = current_at(found.history, self.at)
        if wanted is None or wanted.is_marker:
            if not found.history:
                return Outcome(found.key, "only here")
            gone, there = ("was deleted", "came back") if wanted else ("came later", "came since")
            return Outcome(found.key, there if found.there else gone)
        if found.there and self._is_same(wanted):
            return Outcome(found.key, "in place", wanted)
        if wanted.is_archived:
            return Outcome(found.key, "archived", wanted)
        if not found.there:
            return Outcome(found.key, "to restore", wanted)
        newer = found.there.modified > self.at
        return Outcome(found.key, "newer" if newer else "to replace", wanted)

    def _is_same(self, wanted: Version) -> bool:
        """Tell whether the object that is there now is what is wanted, tags included."""
        there = self.into.head(wanted.key)
        if there is None or difference(head_version(self.source, wanted), there):
            return False
        return self.source.tags(wanted.key, wanted.id) == self.into.tags(wanted.key)

    def _judge_or_say_why_not(self, found: Found) -> Outcome:
        """Decide; a key of which S3 does not tell enough does not hold up the others."""
        outcome = or_fault(self._judge)(found)
        if isinstance(outcome, Fault):
            return Outcome(found.key, "not judged", current_at(found.history, self.at), outcome.reason)
        return outcome

    def _restore(self, found: Found) -> Outcome:
        """Decide and do; what S3 refuses is an outcome, too."""
        outcome = self._judge_or_say_why_not(found)
        version = outcome.version
        is_due = outcome.state in ("to restore", "to replace")
        if version is None or not (is_due or (outcome.state == "newer" and self.overwrite_newer)):
            return outcome
        # Whatever is written by others meanwhile is not overwritten.
        only_if = {"IfMatch": f'"{found.there.etag}"'} if found.there else {"IfNoneMatch": "*"}
        try:
            head = head_version(self.source, version)
            copy_version(self.source, self.into, version, head, only_if)
            if differs := self._differs(version, head):
                return Outcome(found.key, "failed", version, f"the copy has other {differs}; run again")
        except ClientError as error:
            own_fault(error)
            is_archived = error.response["Error"]["Code"] in ARCHIVED
            return Outcome(found.key, "archived" if is_archived else "failed", version, str(error))
        except Exception as error:
            return Outcome(found.key, "failed", version, own_fault(error))
        return replace(outcome, state="restored")

    def _differs(self, version: Version, head: dict) -> str:
        """Return in which respect a copy is provably not what was copied; empty if it is the same."""
        there = self.into.head(version.key)
        if there is None or same_bytes(head, there) is False:
            return "bytes"
        if names := differing_attributes(head, there):
            return ", ".join(names)
        return "" if self.source.tags(version.key, version.id) == self.into.tags(version.key) else "tags"

    def _first(self) -> str:
        """Say when the first version of all was written."""
        oldest = (history[-1].time for _, history in histories(self.source, self.prefix))
        first = min(oldest, default=None)
        return first.isoformat() if first else "it has none"


def from_parameters(target: Target, parameters: Parameters) -> Restore:
    """Return the restore that the section `restore` of the parameters describes.

    Args:
        target: The AWS to work on.
        parameters: The section `restore`; without `restore.into`, it is into the source of its pipeline.

    Returns:
        The restore, nothing read of it yet.

    Raises:
        RunbookError: If the pipeline is not deployed, or its ends are no buckets.
        ParameterError: If no point in time is given, or the bucket is no place to restore to.
        NotOursError: If the bucket is not this environment's.
    """
    settings = parameters.restore
    if not settings.at:
        raise ParameterError('restore.at: say to which point in time, such as "2026-01-31T09:30:00+00:00"')
    pipeline = deployed(target, parameters, settings.pipeline)
    if not isinstance(pipeline.destination, Bucket):
        raise ParameterError(f"restore.pipeline: {pipeline.name} does not write into a bucket")
    if pipeline.at_odds:  # said, and no more: a restore deletes nothing, and may be needed badly
        print(f"{pipeline.name}: {pipeline.contradiction}")
    target = target.with_config(PATIENT)
    source = Place.of(target, pipeline.destination_bucket)
    if settings.into == source.bucket:
        raise ParameterError(f"restore.into: {source.bucket} is the DR bucket itself")
    if settings.into and settings.into != pipeline.source_bucket.name:
        into = our_bucket(target, parameters, settings.into)
    else:
        into = Place.of(target, pipeline.source_bucket)
    into = restorer.of(target, pipeline, into)
    at = datetime.fromisoformat(settings.at)
    return Restore(source, into, at, settings.key_prefix, settings.overwrite_newer)


def our_bucket(target: Target, parameters: Parameters, name: str) -> Place:
    """Return a bucket of this environment by its name.

    Args:
        target: The AWS to work on.
        parameters: They say whose bucket it has to be: account, `prefix` and `env`.
        name: The bucket's full name.

    Returns:
        The bucket, with a client of its region.

    Raises:
        NotDeployedError: If there is none of that name.
        NotOursError: If it is not this environment's by name and tags.
        ParameterError: If it keeps no versions, so that what is overwritten would be lost.
    """
    scope = parameters.scope()
    anywhere = target.client("s3", target.home_region)
    if not name.startswith(scope.beginning):
        raise NotOursError(
            f"restore.into: {name} is not this environment's; ours begin with {scope.beginning}"
        )
    try:
        region = anywhere.head_bucket(Bucket=name)["BucketRegion"]
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        raise NotDeployedError(f"restore.into: there is no bucket {name}") from error
    client = target.client("s3", region)
    tags = tag_dict(client.get_bucket_tagging(Bucket=name)["TagSet"])
    if tags.get(TAG_ENV) != parameters.env:
        raise NotOursError(f"restore.into: {name} has our name, but not the tag {TAG_ENV}={parameters.env}")
    if client.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
        raise ParameterError(f"restore.into: {name} keeps no versions: what is overwritten would be lost")
    return Place(client, name)
