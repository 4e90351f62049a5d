"""The disaster-recovery drill: objects of its own in the primary bucket, which are really lost.

All that a drill writes and erases is below a folder of its own, `runbook-drill/<time>/`; nothing else in the
bucket is touched.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

import pandas as pd

from lib.base import frames
from lib.base.errors import ParameterError, RunbookError
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.base.threads import in_threads
from lib.engine.stack import Stack
from lib.operate import facts, log_events
from lib.operate.failures.brake import Brake, brake_of
from lib.operate.pipelines import Pipeline, deployed
from lib.operate.recovery import restorer
from lib.operate.recovery.restore import Restore
from lib.operate.recovery.version_copy import headers
from lib.parameters import Parameters
from lib.resources.logs import log_group_name
from lib.resources.s3 import Bucket
from lib.resources.s3_freeze import freezes_of
from lib.s3.listing import listing
from lib.s3.objects import Place
from lib.s3.versions import erase, histories
from lib.target import Target

FOLDER = "runbook-drill/"
ELSEWHERE_OBJECTS = 1000  # that are read whole, twice, by a drill in a bucket of its own
LOG_TIMEOUT_S = 60  # CloudWatch Logs shows a line within seconds of its being written
SAME = ["content", "headers", "tags"]
SHOWN_CHARACTERS = 12  # of a SHA-256 of 64: two that differ differ there too


@dataclass(frozen=True)
class Drill:
    """A drill below a folder of its own.

    Attributes:
        target: The AWS it takes place on.
        pipeline: Whose source is the primary bucket, and whose destination is the DR bucket.
        prefix: Its folder, which begins with `runbook-drill/`.
    """

    target: Target
    pipeline: Pipeline
    prefix: str

    def __post_init__(self) -> None:
        if not self.prefix.startswith(FOLDER) or not self.prefix.endswith("/") or self.prefix == FOLDER:
            raise ParameterError(f"a drill takes place in a folder below {FOLDER}, not in {self.prefix!r}")

    @property
    def primary(self) -> Place:
        """The bucket that is used."""
        return Place.of(self.target, self.pipeline.source_bucket)

    @property
    def dr(self) -> Place:
        """The bucket that follows it."""
        return Place.of(self.target, self.pipeline.destination_bucket)

    def manifest(self, place: Place) -> pd.DataFrame:
        """Read every object of the drill whole.

        Args:
            place: In which bucket.

        Returns:
            One row an object, sorted: key (without the drill's folder), bytes, sha256, headers (metadata and
            storage class included) and tags, both as JSON.
        """
        return manifest(place, self.prefix)

    def objects(self) -> pd.DataFrame:
        """List the drill's objects in the primary bucket, for those who watch what becomes of them.

        Returns:
            One row an object: key, version_id, and when it was written, as `time`.
        """
        newest = (history[0] for _, history in histories(self.primary, self.prefix))
        rows = [(version.key, version.id, version.time) for version in newest if not version.is_marker]
        return pd.DataFrame(rows, columns=["key", "version_id", "time"])

    def point_in_time(self, sleep: Callable[[float], None] = time.sleep) -> datetime:
        """Return when the DR bucket last changed, and let the second pass.

        S3's clock has whole seconds. What is done after this call has a later time.

        Args:
            sleep: Waits, in seconds.

        Returns:
            The time of the drill's newest version or marker in the DR bucket.
        """
        newest = max(version.time for _, history in histories(self.dr, self.prefix) for version in history)
        sleep(1.1)
        return newest

    def lags(
        self, timeout_s: float = LOG_TIMEOUT_S, sleep: Callable[[float], None] = time.sleep
    ) -> pd.DataFrame:
        """Return how long each version of the drill's objects took into the DR bucket.

        As the function has logged it: from S3's event to the end of the copy. The times of the versions
        would not do, since an upload in parts is dated by its beginning; nor would what a repair or a
        backfill has had copied, whose lag counts from later on.

        Args:
            timeout_s: How long to wait for the log, in seconds.
            sleep: Waits between two looks.

        Returns:
            One row a version in the primary bucket: key, version, bytes, written, `lag` in seconds; missing
            if the log does not say.
        """
        versions = [v for _, h in histories(self.primary, self.prefix) for v in h if not v.is_marker]
        since = pd.Timestamp(min(v.time for v in versions))
        ids = {v.id for v in versions}
        lag = wait_until(
            lambda: self._logged_lags(since),
            lambda logged: logged.keys() >= ids,
            timeout_s,
            log_events.SOON,
            sleep,
            what="What the function tells of each version",
        )
        rows = [(v.key, v.id, v.bytes, v.time, lag.get(v.id)) for v in versions]
        columns = ["key", "version", "bytes", "written", "lag"]
        return pd.DataFrame(rows, columns=columns).astype({"lag": float})

    def short(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table of the drill's objects with what a page has room for.

        Args:
            table: As `manifest`, `lags` or `compare` return it.

        Returns:
            The same, keys without the drill's folder, of each SHA-256 the beginning, and no ids of versions.
        """
        beginnings = {name: table[name].str[:SHOWN_CHARACTERS] for name in table if name.startswith("sha256")}
        keys = table["key"].str.removeprefix(self.prefix)
        return table.assign(key=keys, **beginnings).drop(columns="version", errors="ignore")

    def _logged_lags(self, since: pd.Timestamp) -> dict[str, float]:
        """Return the first copy's lag of each version that the function's log names."""
        function = self.pipeline.entrance
        done = facts.of(facts.handler_of(function.name)).done
        client = self.target.client("logs", function.region)
        lines = log_events.lines(client, log_group_name(function.name), since)
        copied = [line for line in lines if line.get("message") in done and "told_later" not in line]
        return {line.get("version"): line["lag_seconds"] for line in reversed(copied)}

    def erase(self) -> int:
        """Erase every version and delete marker of the drill in the primary bucket, for good.

        Returns:
            How many there were.

        Raises:
            RunbookError: If S3 refuses to erase some, for instance under object lock.
        """
        return erase(self.primary, self.prefix)

    def leave_dr(self) -> int:
        """Erase what the drill has left in a DR bucket that is not ours; in ours a lifecycle rule does so.

        Returns:
            How many versions and markers there were; 0 in a DR bucket that the runbook made.
        """
        return 0 if self.pipeline.destination_bucket.is_made else erase(self.dr, self.prefix)

    def restore(self, at: datetime) -> Restore:
        """Return the restore of the drill's objects, as they were at a point in time."""
        into = restorer.of(self.target, self.pipeline, self.primary)
        return Restore(self.dr, into, at, self.prefix)


def begin(target: Target, parameters: Parameters, deletes: int, now: datetime | None = None) -> Drill:
    """Return a new drill, if it can take place.

    Args:
        target: The AWS to work on.
        parameters: `restore.pipeline` says which pipeline; its section whether deletes are followed and
            versions erased, and the brake.
        deletes: How many objects it is going to delete at most, in all.
        now: The time that its folder is named after.

    Returns:
        The drill; nothing is written yet.

    Raises:
        RunbookError: If it is not deployed, or not as the parameters say; if the drill's deletes would
            pull the brake; or if deletes are not followed, or erased versions are.
    """
    name = parameters.restore.pipeline
    pipeline, settings = deployed(target, parameters, name), parameters.of_pipeline(name)
    if not pipeline.source_bucket.is_made:
        raise RunbookError(
            f"{pipeline.source} is not ours: nothing is lost there on purpose. `elsewhere` restores into a "
            "bucket of the drill's own; nothing was done"
        )
    source = pipeline.source_bucket
    if names := freezes_of(target.client("s3", source.region), source.name):
        raise RunbookError(
            f"{pipeline.source} is frozen by {', '.join(names)}: the drill could write nothing there. Thaw "
            "it first (74_cutover); nothing was done"
        )
    if settings.get("erase_versions"):
        raise RunbookError(
            f"{name}.erase_versions is on: what is erased in the primary bucket is erased in the DR bucket "
            "too, so that nothing would be left to restore from; nothing was done"
        )
    if not settings.get("delete_sync"):
        raise RunbookError(
            f"{name}.delete_sync is off: the DR bucket would keep the drill's objects, where nobody may "
            "delete them; nothing was done"
        )
    pipeline.require_agreement()
    state = brake(target, parameters).state().iloc[0]
    most, minutes = settings["brake_deletes"], settings["brake_minutes"]
    if state["pulled"] == "yes" or state["deletes"] + deletes > most:
        raise RunbookError(
            f"the brake is pulled, or the drill would pull it: {counted(state['deletes'], 'delete')} in the "
            f"last {counted(minutes, 'minute')} and {deletes} more, of {most} that are let pass. Wait, or "
            "release it (72_redrive); nothing was done"
        )
    began = (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    drill = Drill(target, pipeline, f"{FOLDER}{began}/")
    for place in (drill.primary, drill.dr):  # since all in the folder is erased in the end
        if found := next(histories(place, drill.prefix), None):
            raise RunbookError(
                f"s3://{place.bucket}/{found[0]} is there already, in the drill's folder: begin again; "
                "nothing was done"
            )
    return drill


def elsewhere(stack: Stack, pipeline: Pipeline, key_prefix: str = "") -> pd.DataFrame:
    """Restore from the DR bucket into a bucket of the drill's own, compare with the primary, and remove it.

    For a primary bucket that is adopted: it is read, and nothing is written there.

    Args:
        stack: Of *restore*, with nothing in it.
        pipeline: *backup*.
        key_prefix: Only objects whose keys begin so; empty for all, if they are at most ELSEWHERE_OBJECTS.

    Returns:
        As `compare`, of what was in the primary when the drill began; what was written since is left out.

    Raises:
        RunbookError: If there are more objects than that; or if not all came back as it is in the primary.
    """
    at = datetime.now(UTC)
    primary, dr = (
        Place.of(stack.target, end) for end in (pipeline.source_bucket, pipeline.destination_bucket)
    )
    listed = [*islice(listing(primary, key_prefix), ELSEWHERE_OBJECTS + 1)]
    if len(listed) > ELSEWHERE_OBJECTS:
        raise RunbookError(
            f"there are more than {ELSEWHERE_OBJECTS:,} objects below {key_prefix!r} in {primary.bucket}: "
            "name a folder with fewer, as restore.key_prefix; nothing was done"
        )
    stack.scope = replace(stack.scope, protects=False)  # what is in it is a copy, and it goes at once
    own = stack.add(Bucket("drill", pipeline.source_bucket.region, expire_days=1))
    stack.apply()
    try:
        place = Place.of(stack.target, own)
        restored = Restore(dr, restorer.of(stack.target, pipeline, place), at, key_prefix).run()
        if restored.problems.size:
            raise RunbookError(f"not all could be restored:\n{frames.text(restored.problems)}")
        before, after = manifest(primary, key_prefix), manifest(place, key_prefix)
    finally:
        stack.replace(own, wanted=False)
        stack.apply()
    then = {each.key.removeprefix(key_prefix) for each in listed if each.modified < at}
    compared = compare(before, after)
    compared = compared[compared["key"].isin(then)].reset_index(drop=True)
    unlike = compared[~compared[SAME].all(axis=1)]
    if len(unlike):
        raise RunbookError(f"not restored as in the primary:\n{frames.text(unlike)}")
    return compared


def manifest(place: Place, prefix: str = "") -> pd.DataFrame:
    """Read every object below a prefix whole.

    Args:
        place: In which bucket.
        prefix: What the keys begin with.

    Returns:
        As `Drill.manifest`, keys without the prefix.
    """
    keys = (entry.key for entry in listing(place, prefix))
    rows = in_threads(lambda key: (key.removeprefix(prefix), *_facts(place, key)), keys)
    frame = pd.DataFrame(rows, columns=["key", "bytes", "sha256", "headers", "tags"])
    return frame.sort_values("key", ignore_index=True)


def brake(target: Target, parameters: Parameters) -> Brake:
    """Return the brake of the drill's pipeline, to look at, though its function may be lost."""
    name = parameters.restore.pipeline
    (holding,) = (
        letters.queue
        for letters in deployed(target, parameters, name).dead_letters
        if letters.kind == "holding"
    )
    return brake_of(target, holding, parameters.of_pipeline(name)["brake_minutes"])


def compare(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Compare two manifests.

    Args:
        before: As `Drill.manifest` returns it.
        after: The same, later or of another bucket.

    Returns:
        One row a key of either: key, bytes, `sha256 before`, `sha256 after`, and whether content, headers and
        tags are the same; an object that is missing on one side is the same in nothing.
    """
    both = before.merge(after, on="key", how="outer", suffixes=(" before", " after"))
    for name, column in zip(SAME, ("sha256", "headers", "tags"), strict=True):
        both[name] = both[f"{column} before"].eq(both[f"{column} after"])
    both = both.rename(columns={"bytes before": "bytes"}).astype({"bytes": "Int64"})
    return both[["key", "bytes", "sha256 before", "sha256 after", *SAME]]


def _facts(place: Place, key: str) -> tuple:
    """Read an object: size, SHA-256 of its bytes, headers, tags."""
    head = place.head(key)
    if head is None:
        raise RunbookError(f"s3://{place.bucket}/{key} was deleted while it was read; begin the drill again")
    described = json.dumps(headers(head), sort_keys=True, default=str)
    tags = json.dumps(place.tags(key), sort_keys=True)
    return head["ContentLength"], place.digest(key), described, tags
