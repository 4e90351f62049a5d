"""The record of a cut-over: every key, version and checksum of both buckets, to be checked later.

A file of JSON lines, gzipped. The first says what was released, when, by whom and how it was proven. Then
comes a line for each object of the source, and one for each of the destination, in the order of their keys.
The last has the SHA-256 of all before it. It is a listing and not one digest, so that it can be told later
*which* object has changed: docs/decisions/0027-a-freeze-is-a-statement-that-stands-by-itself.md
"""

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas as pd
from botocore.config import Config

from lib.base import told
from lib.base.errors import ParameterError, RunbookError
from lib.base.own_fault import Fault, or_fault
from lib.base.paths import home
from lib.base.shown import counted, printable
from lib.base.waits import progress
from lib.engine.checklist import Checklist
from lib.engine.ledger import run_id
from lib.operate.audits.audit import Audit
from lib.operate.cutover import freezing
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.s3.listing import Entry, listing, merge
from lib.s3.objects import Place
from lib.s3.same_object import ATTRIBUTES, CHECKSUM, OMITTED
from lib.s3.selection import KeyFilter
from lib.s3.versions import histories
from lib.target import Target

KIND, FORMAT = "runbook cut-over", 1
SOURCE, DESTINATION = SIDES = ("source", "destination")
AT_A_TIME = 1000  # objects that are looked at before their lines are written
MOST_SHOWN = 1000  # differences that are kept in memory; all are counted
# What is said of an object; not its storage class, which the bucket's lifecycle changes.
DESCRIBED = tuple(name for name in ATTRIBUTES if name != "StorageClass")
ADDED, CHANGED, GONE, UNJUDGED = STATES = ("added", "changed", "gone", "not judged")
GONE_MEANWHILE = "it went while it was looked at"


@dataclass(frozen=True, slots=True)
class Line:
    """An object of a record.

    Attributes:
        key: Its key.
        version: Its version id; empty in a bucket that keeps no versions.
        bytes: Its size.
        etag: Its ETag, without quotes.
        checksums: Its checksums by algorithm, such as `CRC64NVME`; none if it was not looked at closely.
        described: SHA-256 of its headers, metadata and tags; empty if it was not looked at closely.
        reason: Why nothing is known of it; empty if something is. Never in a record.
    """

    key: str
    version: str = ""
    bytes: int = 0
    etag: str = ""
    checksums: dict[str, str] = field(default_factory=dict)
    described: str = ""
    reason: str = ""

    def differing(self, now: "Line") -> list[str]:
        """Return in what an object differs from what was recorded of it."""
        return [name for name in self.__slots__ if getattr(self, name) != getattr(now, name)]


@dataclass(frozen=True)
class Side:
    """A bucket of a record.

    Attributes:
        place: Where.
        key_prefix: What all keys begin with.
        filters: One of these must take the key, too.
        closely: Whether each object is looked at: checksums, headers, metadata and tags, by three calls. If
            not, the listing of versions tells what it can.
    """

    place: Place
    key_prefix: str
    filters: tuple[KeyFilter, ...]
    closely: bool

    def lines(self, threads: int) -> Iterator[Line]:
        """Yield a line for each object there is now, in the order of the keys, in bounded memory."""
        if not self.closely:
            for key, versions in histories(self.place, self.key_prefix):
                newest = versions[0]
                if self._takes(key) and not newest.is_marker:
                    yield Line(key, newest.id, newest.bytes, newest.etag.strip('"'))
            return
        entries = (each for each in listing(self.place, self.key_prefix) if self._takes(each.key))
        look = or_fault(self._look)
        with ThreadPoolExecutor(threads) as pool:
            while batch := list(islice(entries, AT_A_TIME)):
                for entry, found in zip(batch, pool.map(look, batch), strict=True):
                    yield Line(entry.key, reason=found.reason) if isinstance(found, Fault) else found

    def _takes(self, key: str) -> bool:
        return any(each.takes(key) for each in self.filters)

    def _look(self, entry: Entry) -> Line:
        head = self.place.head(entry.key)
        if head is None:
            return Line(entry.key, reason=GONE_MEANWHILE)
        version = head.get("VersionId", "")
        checksums = {found[1]: head[name] for name in sorted(head) if (found := CHECKSUM.fullmatch(name))}
        facts = OMITTED | head
        said = [str(facts.get(name, "")) if name != "Metadata" else facts[name] for name in DESCRIBED]
        tags = self.place.tags(entry.key, version or None)
        described = sha256(_dump([said, tags]).encode()).hexdigest()
        etag = head["ETag"].strip('"')
        return Line(entry.key, version, head["ContentLength"], etag, checksums, described)


def _dump(value: object) -> str:
    """Return the one text of a value: the same value has the same text wherever it is written."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Record:
    """A record that is a file.

    Attributes:
        path: The file.
        facts: What its first line says.
        digest: SHA-256 of all but its last line, which has it.
    """

    path: Path
    facts: dict[str, Any]
    digest: str

    def __repr__(self) -> str:
        holds = ", ".join(f"{counted(self.facts[side]['objects'], 'object')} of the {side}" for side in SIDES)
        return (
            f"record   {self.path}\nsha256   {self.digest}\n"
            f"released {self.facts['released']} by {self.facts['by']}\nholds    {holds}"
        )

    def side(self, target: Target, side: str) -> Side:
        """Return one of its buckets, to be looked at as it was then.

        Args:
            target: The AWS to look at.
            side: One of SIDES.
        """
        said = self.facts[side]
        place = Place(target.client("s3", said["region"], said["account_id"]), said["bucket"])
        filters = tuple(KeyFilter(*each) for each in self.facts["filters"])
        return Side(place, self.facts["key_prefix"], filters, self.facts["closely"])

    def lines(self, side: str) -> Iterator[Line]:
        """Yield what was recorded of one of its buckets, in the order of the keys."""
        with gzip.open(self.path, "rt", encoding="utf-8") as file:
            for text in islice(file, 1, None):
                line = json.loads(text)
                if line.pop("side", None) == side:
                    yield Line(**line)


def path_of(parameters: Parameters, pipeline: Pipeline) -> Path:
    """Return where the record of a cut-over that is released now goes.

    Args:
        parameters: `cutover.record` says where; whose it is stands in its name.
        pipeline: Which.
    """
    whose = parameters.account_id, parameters.prefix, parameters.env, pipeline.name
    name = f"{'-'.join(whose)}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.jsonl.gz"
    asked = parameters.cutover.record
    if not asked:
        return home() / "runs" / "cutovers" / name
    path = Path(asked).expanduser()
    path = path if path.is_absolute() else home() / path
    return path / name if asked.endswith("/") or path.is_dir() else path


def write(
    target: Target, parameters: Parameters, pipeline: Pipeline, audited: Audit, checklist: Checklist
) -> Record:
    """Write the record of a source that is frozen and a destination that was found to be the same.

    Args:
        target: The AWS to look at.
        parameters: `cutover` says where to and what is to be switched.
        pipeline: Which.
        audited: What was found; clean.
        checklist: The points that were checked; they hold.

    Returns:
        The record.

    Raises:
        RunbookError: If a point does not hold, the audit is not clean, an object cannot be looked at, the
            buckets do not hold what the audit counted, or there is a file of that name; none is written.
    """
    checklist.require()
    if not audited.is_clean:
        raise RunbookError(f"{audited}; nothing was released")
    path = path_of(parameters, pipeline)
    if path.exists():
        raise RunbookError(f"cutover.record: {path} is there already, and a record is never overwritten")
    path.parent.mkdir(parents=True, exist_ok=True)
    target = _wide(target, parameters.audit.threads)
    facts = _facts(target, parameters, pipeline, audited, checklist)
    staged, objects = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.objects")
    try:
        with objects.open("w+b") as file:
            for side in SIDES:
                of_side = Record(path, facts, "").side(target, side)
                facts[side] |= _write_side(file, side, of_side, parameters.audit.threads)
            _require_the_same(facts, pipeline)
            if not freezing.is_frozen(target, pipeline):
                raise RunbookError(
                    f"{pipeline.name}: the source was thawed while its objects were recorded; nothing was "
                    "released: freeze it, and verify again"
                )
            file.seek(0)
            with staged.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                digest = _write_all(packed, [f"{_dump(facts)}\n".encode()], file)
        staged.replace(path)
    finally:
        objects.unlink(missing_ok=True)
        staged.unlink(missing_ok=True)
    told.note(
        "cut-over",
        pipeline=pipeline.name,
        released=facts["released"],
        compared=facts["compared"],
        points=f"{len(facts['points'])} of {len(facts['points'])} hold",
        objects={side: facts[side]["objects"] for side in SIDES},
        record=str(path),
        sha256=digest,
    )
    return Record(path, facts, digest)


def _write_all(packed: gzip.GzipFile, first: Iterable[bytes], file: Iterable[bytes]) -> str:
    """Write the first line, those of the objects and the digest, which is returned."""
    hashed = sha256()
    for lines in (first, file):
        for line in lines:
            hashed.update(line)
            packed.write(line)
    packed.write(f"{_dump({'sha256': hashed.hexdigest()})}\n".encode())
    return hashed.hexdigest()


def _write_side(file: IO[bytes], side: str, of_side: Side, threads: int) -> dict[str, Any]:
    """Write a line for each object of a bucket; returns how many they are, their bytes and their digest."""
    hashed, objects, size = sha256(), 0, 0
    lines = of_side.lines(threads)
    for line in progress(f"Record the {side}", lines, unit="object"):
        if line.reason:
            raise RunbookError(f"{side}: {line.key!r}: {line.reason}; nothing was released")
        said = {name: value for name, value in asdict(line).items() if name != "reason"}
        text = f"{_dump({'side': side, **said})}\n".encode()
        hashed.update(text)
        file.write(text)
        objects, size = objects + 1, size + line.bytes
    return {"objects": objects, "bytes": size, "sha256": hashed.hexdigest()}


def _require_the_same(facts: dict[str, Any], pipeline: Pipeline) -> None:
    """Refuse a record that holds other objects than were compared."""
    same = facts["compared"].get("same", 0)
    here, there = (facts[side]["objects"] for side in SIDES)
    if same != here or same > there:  # what only the destination has is no loss
        raise RunbookError(
            f"{pipeline.name}: {counted(same, 'object')} compared, and the source holds {here:,} now, the "
            f"destination {there:,}: something was written or deleted meanwhile, or S3 itself deleted by a "
            "lifecycle rule. Nothing was released: verify again"
        )


def _facts(
    target: Target, parameters: Parameters, pipeline: Pipeline, audited: Audit, checklist: Checklist
) -> dict[str, Any]:
    ends = {SOURCE: pipeline.source_bucket, DESTINATION: pipeline.destination_bucket}
    buckets = {
        side: {"bucket": bucket.name, "region": bucket.region, "account_id": bucket.account_id}
        for side, bucket in ends.items()
    }
    buckets[SOURCE] |= {"policy": freezing.policy(target, pipeline)}
    return {
        "kind": KIND,
        "format": FORMAT,
        "target": parameters.target,
        "account_id": parameters.account_id,
        "prefix": parameters.prefix,
        "env": parameters.env,
        "pipeline": pipeline.name,
        "released": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": target.caller,
        "run": run_id(),
        "key_prefix": pipeline.key_prefix,
        "filters": [[each.prefix, each.suffix] for each in pipeline.filters],
        "closely": audited.method == "listing",
        "compared": {state: count for state, count in audited.counts.itertuples(index=False) if count},
        "points": [[point.claim, point.evidence] for point in checklist],
        "to switch": list(parameters.cutover.switch),
        **buckets,
    }


def read(path: Path) -> Record:
    """Read a record, and make sure that it is what was written.

    Args:
        path: The file.

    Raises:
        ParameterError: If there is no such file.
        RunbookError: If it is no record, or it was changed; says so.
    """
    if not path.is_file():
        raise ParameterError(f"{path}: {'is a folder' if path.is_dir() else 'there is no such file'}")
    try:
        with gzip.open(path, "rb") as file:
            hashed, first, last = sha256(), b"", b""
            for line in file:
                hashed.update(last)
                first, last = first or line, line
        facts, said = json.loads(first), json.loads(last)
        is_record = facts.get("kind") == KIND
    except (OSError, EOFError, zlib.error, ValueError, AttributeError) as error:
        raise RunbookError(f"{path}: it is no record of a cut-over, or was damaged: {error}") from error
    if not is_record or facts["format"] != FORMAT:
        raise RunbookError(f"{path}: it is no record of a cut-over that this runbook knows")
    if said != {"sha256": hashed.hexdigest()}:
        raise RunbookError(
            f"{path}: it was changed after it was written: its SHA-256 is {hashed.hexdigest()}, and its last "
            f"line says {said!r}. Take the copy that was kept"
        )
    return Record(path, facts, hashed.hexdigest())


@dataclass
class Verified:
    """What has become of the objects of a record.

    Attributes:
        record: Which.
        counts: How many objects of each side are in which state: side, state; `same` too.
        kept: The first differences: side, key, state, detail.
    """

    record: Record
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    kept: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, side: str, key: str, state: str, detail: str = "") -> None:
        """Count an object, and keep it if it is not the same."""
        self.counts[side, state] = self.counts.get((side, state), 0) + 1
        if state != "same" and len(self.kept) < MOST_SHOWN:
            self.kept.append((side, key, state, detail))

    def count(self, *states: str) -> int:
        """Return how many objects of both sides are in one of some states."""
        return sum(number for (_, state), number in self.counts.items() if state in states)

    @property
    def differs(self) -> bool:
        """Whether something was added, changed, or is gone."""
        return self.count(ADDED, CHANGED, GONE) > 0

    def frame(self) -> pd.DataFrame:
        """Return the first differences: side, key, state, detail; control characters in keys escaped."""
        rows = [(side, printable(key, keep=""), *rest) for side, key, *rest in self.kept]
        return pd.DataFrame(rows, columns=["side", "key", "state", "detail"])

    def told(self) -> str:
        """Return how many objects of each side are in which state."""
        counted = {
            side: [each for each in ("same", *STATES) if (side, each) in self.counts] for side in SIDES
        }
        return "\n".join(
            f"{side}: {', '.join(f'{self.counts[side, each]:,} {each}' for each in states)}"
            for side, states in counted.items()
            if states
        )


def verify(target: Target, record: Record, sides: Iterable[str] = SIDES, threads: int = 16) -> Verified:
    """Compare what is in the buckets now with what was recorded, object by object. Reads only.

    Args:
        target: The AWS to look at.
        record: As `read` returns it.
        sides: Which of its buckets.
        threads: How many objects are looked at at the same time.

    Returns:
        What was found.
    """
    found, target = Verified(record), _wide(target, threads)
    for side in sides:
        now = record.side(target, side).lines(threads)
        both = progress(f"Compare the {side}", merge(record.lines(side), now), unit="object")
        judge = partial(_judge, found, side)
        for then, here in both:
            judge(then, here)
        if not any(of == side for of, _ in found.counts):
            found.counts[side, "same"] = 0
    return found


def _wide(target: Target, threads: int) -> Target:
    """Return the same AWS with a connection for each thread: clients keep ten."""
    return target.with_config(Config(max_pool_connections=threads))


def _judge(found: Verified, side: str, then: Line | None, now: Line | None) -> None:
    if now is not None and now.reason == GONE_MEANWHILE:
        now = None
    if then is None and now is None:
        return
    if then is None:
        assert now is not None
        found.add(side, now.key, ADDED, "it was not there then")
    elif now is None:
        found.add(side, then.key, GONE, "it is not there any more")
    elif now.reason:
        found.add(side, now.key, UNJUDGED, now.reason)
    elif names := then.differing(now):
        found.add(side, then.key, CHANGED, _in_words(names))
    else:
        found.add(side, then.key, "same")


def _in_words(names: list[str]) -> str:
    if names == ["version"]:
        return "written again with the same bytes"
    words = {"version": "another version", "described": "other headers, metadata or tags", "etag": "ETag"}
    return ", ".join(words.get(name, f"other {name}") for name in names)
