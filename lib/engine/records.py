"""The records of an environment: who did what in it, each chained to the one before it by its SHA-256.

docs/decisions/0044-a-record-is-chained-to-the-one-before-it.md says why.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from tenacity import RetryError

from lib.base import paths
from lib.base.errors import RunbookError
from lib.base.json_text import json_object
from lib.base.refusals import code_of
from lib.base.retry import retry_beaten
from lib.base.run_folders import records_of
from lib.base.shown import counted
from lib.base.threads import in_threads
from lib.engine.ledger import Ledger, new_run_id, run_id
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import Target

FORMAT = "runbook.record/1"
PREFIX = "records/"
KEY = re.compile(r"records/([0-9]{8}|[1-9][0-9]{8,17})\.json")  # somebody's 99999999 ends no chain
BEGAN, ENDED = "began", "ended"
NO_RECORD_BEFORE = ""  # what the first record says of the one before it
# Somebody else has just written the next one: whose turn it is then is asked again.
TAKEN = ("PreconditionFailed", "ConditionalRequestConflict")
GONE = ("NoSuchBucket", "404")
ATTEMPTS, ATTEMPT_WAIT_S = 20, 0.5  # waits at most so long
NAME = re.compile(r"[A-Za-z0-9-]{1,64}")  # of a chain; what the account says of it becomes a folder here


def digest_of(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of all that a record says, but for the digest itself.

    It is of the JSON with its names in order, without spaces, and in ASCII, as of
    `jq -cSja 'del(.digest)' FILE | sha256sum`: numbers in it are whole.

    Args:
        record: The record.
    """
    said = {name: value for name, value in record.items() if name != "digest"}
    return sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its digest."""
    return {**record, "digest": digest_of(record)}


def text_of(record: Mapping[str, Any]) -> str:
    """Return the one text of a record, as it is written wherever it is kept."""
    return json.dumps(record, sort_keys=True, indent=1) + "\n"


def key_of(number: int) -> str:
    """Return the key of a record in the account; no two have the same."""
    return f"{PREFIX}{number:08}.json"


def whose(parameters: Parameters) -> dict[str, str]:
    """Return what tells an environment from others.

    Args:
        parameters: Its own.
    """
    return {
        "target": parameters.target,
        "account_id": parameters.account_id,
        "prefix": parameters.prefix,
        "env": parameters.env,
    }


@dataclass(frozen=True)
class Kept:
    """A record as it was found.

    Attributes:
        number: By the name under which it is kept.
        where: That place, as a person would write it.
        text: What is there.
    """

    number: int
    where: str
    text: str

    @property
    def record(self) -> dict[str, Any]:
        """What it says; empty if it is no JSON object."""
        return json_object(self.text)


@dataclass(frozen=True)
class Finding:
    """Something about a record that is not as it was written.

    Attributes:
        number: Of the record.
        run: Of the run that it is of, by its own word.
        found: What was found.
        to_do: What to do.
    """

    number: int
    run: str
    found: str
    to_do: str


COMPARE = (
    "take the copy of it that a machine keeps below runs/records, or an older version of the object, and ask "
    "CloudTrail who has written it since"
)
MISSING = "look for it below runs/records of the machine that ran it, and ask CloudTrail who deleted it"


NOT_THERE = (
    "the account does not have it any more, and no record here says that the environment was destroyed"
)


class _TakenError(Exception):
    """Somebody else has written, or is just writing, the record of our number."""


class Records:
    """The records of one environment: those in the account, and the copies of them on this machine.

    Attributes:
        home: The bucket of the lock, in which they are, unless they have one of their own.
        own: That one; it is versioned, Object Lock holds what is in it, and a destruction leaves it.
        days: For how many days; 0 if there is none.
        folder: Where this machine keeps copies.
    """

    def __init__(self, target: Target, parameters: Parameters, home: Bucket, ledger: Ledger):
        """Look at nothing yet.

        Args:
            target: The AWS to work on.
            parameters: Whose records; `record_lock_days`.
            home: The lock's.
            ledger: The environment's.
        """
        self._target = target
        self.ledger = ledger
        self.days = parameters.record_lock_days
        self.home = home
        self.own = Bucket("records", home.region, object_lock_days=self.days or None)
        self.own.scope = home.scope
        self.whose = whose(parameters)
        self.folder = records_of(parameters.account_id, parameters.prefix, parameters.env)
        self._last: Kept | None = None

    @cached_property
    def client(self) -> Any:
        """The S3 client for them, none of the others': a put that is refused costs it what it may try again.

        https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
        """
        return self._target.with_config(Config()).client("s3", self.home.region)

    def append(self, said: Mapping[str, Any], sleep: Callable[[float], None] = sleep) -> dict[str, Any]:
        """Write the next record, into the account and on this machine.

        S3 takes one object of a number only, so that it is the next one, whoever else writes at this moment.

        Args:
            said: What it says, as JSON has it, without numbers that are not whole.
            sleep: Waits between two attempts, if others write at the same moment.

        Returns:
            The record.

        Raises:
            RunbookError: If others were always faster.
        """
        try:
            return retry_beaten(_TakenError, ATTEMPTS, ATTEMPT_WAIT_S, sleep)(self._append, said)
        except RetryError as error:
            raise RunbookError(
                f"the record of this run could not be written: {ATTEMPTS} times somebody else wrote the "
                "next. Run again when the others have ended"
            ) from error

    def _append(self, said: Mapping[str, Any]) -> dict[str, Any]:
        record = self._next(said)
        try:
            self._put(record)
        except ClientError as error:
            if code_of(error) not in TAKEN:
                raise
            self._last = None
            if not self._is_there(record):  # else the answer to our own was lost
                raise _TakenError from error
        self._last = Kept(record["number"], self._bucket.name, text_of(record))
        self.keep(record)
        return record

    def _is_there(self, record: Mapping[str, Any]) -> bool:
        """Return whether the account has just this; after a conflict it need not have any of its number yet.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response
        """
        try:
            return self._text(self._bucket.name, key_of(record["number"])) == text_of(record)
        except self.client.exceptions.NoSuchKey:
            return False

    def append_here(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Write the last record of an environment that is no more, on this machine alone.

        Args:
            said: As for `append`.

        Returns:
            The record.
        """
        record = self._next(said)
        self.keep(record)
        return record

    def keep(self, record: Mapping[str, Any]) -> Path:
        """Keep a copy of a record on this machine.

        Args:
            record: The record.

        Returns:
            Its file.
        """
        return self._keep(record["number"], record, text_of(record))

    def keep_all(self) -> int:
        """Keep a copy of every record of the account on this machine, before they are deleted there.

        Also of their own bucket, whether or not this machine knows that there is one.

        Returns:
            How many there are.
        """
        found = list(self._read([self.home.name, self.own.name]))
        for one in found:
            self._keep(one.number, one.record, one.text)
        return len(found)

    def _keep(self, number: int, record: Mapping[str, Any], text: str) -> Path:
        """Keep a text; if another is here of that number, beside it, for nobody knows which is right."""
        chain = str(record.get("chain"))
        folder = self.folder / (chain if NAME.fullmatch(chain) else "unknown")
        folder.mkdir(parents=True, exist_ok=True)
        path, others = folder / f"{number:08}.json", 0
        while path.exists():
            if path.read_text("utf-8", errors="replace") == text:
                return path
            others += 1
            path = folder / f"{number:08}.account{f'-{others}' if others > 1 else ''}.json"
        paths.write_atomically(path, text)
        if others:
            print(
                f"record {number}: the account's is not the copy here; both are kept, that one as "
                f"{path.relative_to(paths.home())}",
                file=sys.stderr,
            )
        return path

    def of_account(self, newest: int | None = None) -> Iterator[Kept]:
        """Yield the records of the account, in their order.

        Args:
            newest: How many of the last ones; None for all.
        """
        yield from self._read(self._places(), newest)

    def _read(self, places: Iterable[str], newest: int | None = None) -> Iterator[Kept]:
        named = sorted((number, bucket) for bucket in places for number in self._numbers(bucket))
        if newest is not None:
            named = named[-newest:] if newest else []

        def read(one: tuple[int, str]) -> Kept:
            number, bucket = one
            text = self._text(bucket, key_of(number))
            return Kept(number, f"s3://{bucket}/{key_of(number)}", text)

        yield from sorted(in_threads(read, named), key=lambda one: (one.number, one.where))

    def of_machine(self) -> dict[str, list[Kept]]:
        """Return the copies that this machine keeps: chains to records in their order."""
        return copies_in(self.folder)

    def replaced(self) -> list[Finding]:
        """Return which records were written over or deleted, by their versions; none where there are none."""
        if not self._has_own():
            return []
        versions: Counter[str] = Counter()
        deleted: set[str] = set()
        pages = self.client.get_paginator("list_object_versions")
        with suppress(self.client.exceptions.NoSuchBucket):  # the first run makes it
            for page in pages.paginate(Bucket=self.own.name, Prefix=PREFIX):
                versions.update(each["Key"] for each in page.get("Versions", []))
                deleted |= {each["Key"] for each in page.get("DeleteMarkers", [])}
        own = self.own.name
        return [
            Finding(
                int(found[1]),
                "",
                f"it was {'deleted' if key in deleted else 'written over'}: {key} has "
                f"{counted(versions[key], 'version')} in {own}",
                f"the oldest is what was recorded: aws s3api list-object-versions --bucket {own} "
                f"--prefix {key}",
            )
            for key in sorted({*versions, *deleted})
            if (found := KEY.fullmatch(key)) and (versions[key] > 1 or key in deleted)
        ]

    def make_own(self) -> None:
        """Make their own bucket, if there shall be one, unless the ledger says that it is whole."""
        if not self.days:
            return
        known = self.ledger.entries().get(self.own.arn, {})
        if (known.get("state"), known.get("days")) == ("made", str(self.days)):
            return
        facts = {"noun": self.own.noun, "name": self.own.name, "region": self.own.region}
        facts |= {"pipeline": self.own.scope.pipeline, "run": run_id(), "days": str(self.days)}
        self.ledger.intend(self.own.arn, **facts)
        self.own.make(self.client)
        self.ledger.made(self.own.arn, **facts)

    @property
    def _bucket(self) -> Bucket:
        """The bucket in which the next one is written."""
        return self.own if self.days else self.home

    def _has_own(self) -> bool:
        return bool(self.days) or self.own.arn in self.ledger.entries()

    def _places(self) -> list[str]:
        """Return the names of the buckets that have any: also of before `record_lock_days` was set."""
        return [self.home.name, *([self.own.name] if self._has_own() else [])]

    def _numbers(self, bucket: str) -> list[int]:
        found = []
        try:
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
                names = (KEY.fullmatch(each["Key"]) for each in page.get("Contents", []))
                found += [int(name[1]) for name in names if name]
        except ClientError as error:
            if code_of(error) not in GONE:
                raise
        return found

    def _text(self, bucket: str, key: str) -> str:
        with closing(self.client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            return body.read().decode("utf-8", errors="replace")

    def last(self) -> Kept | None:
        """Return the last record of the account; None if there is none."""
        return next(iter(self.of_account(newest=1)), None)

    def _next(self, said: Mapping[str, Any]) -> dict[str, Any]:
        self._last = self._last or self.last()
        if self._last is None:
            return sealed({**said, "number": 1, "previous": NO_RECORD_BEFORE, "chain": new_run_id()})
        # What is damaged is told by whoever looks; it stops nobody's work, and the chain goes on behind it.
        before, known = self._last.record, self.ledger.head()
        chain, previous = before.get("chain"), before.get("digest")
        if not (isinstance(chain, str) and NAME.fullmatch(chain)):
            chain = known.get("chain") or new_run_id()
        if not isinstance(previous, str):
            previous = known["digest"] if known.get("number") == self._last.number else ""
        return sealed({**said, "number": self._last.number + 1, "previous": previous, "chain": chain})

    def _put(self, record: Mapping[str, Any]) -> None:
        self.client.put_object(
            Bucket=self._bucket.name,
            Key=key_of(record["number"]),
            Body=text_of(record).encode(),
            ContentType="application/json",
            IfNoneMatch="*",
        )


def copies_in(folder: Path) -> dict[str, list[Kept]]:
    """Return the copies that a machine keeps of an environment's records: chains to records in their order.

    Args:
        folder: As `run_folders.records_of` says.
    """
    found: dict[str, list[Kept]] = {}
    paths_of = {path: int(path.stem) for path in folder.glob("*/*.json") if path.stem.isdecimal()}
    for path in sorted(paths_of, key=lambda path: (path.parent, paths_of[path])):
        one = Kept(paths_of[path], str(path), path.read_text("utf-8", errors="replace"))
        found.setdefault(path.parent.name, []).append(one)
    return found


def check(found: Sequence[Kept], whose: Mapping[str, str]) -> Iterator[Finding]:
    """Tell what is not as it was written in a chain of records.

    Args:
        found: The records, in the order of their numbers.
        whose: The environment's target, account, prefix and name.

    Yields:
        What was found: a change, a gap, another order, or another environment's.
    """
    before: Kept | None = None
    chain = ""
    for one in found:
        yield from _gap(before, one)
        if faults := list(_faults(one, whose)):
            yield from faults
        record = one.record
        if faults and not isinstance(record.get("digest"), str):
            before = one
            continue
        run = str(record.get("run", ""))
        if before is None and one.number == 1 and record.get("previous") != NO_RECORD_BEFORE:
            yield Finding(1, run, "it follows a record, and there is none before it", MISSING)
        if before and before.number == one.number:
            yield Finding(one.number, run, f"there are two of this number: {before.where}", COMPARE)
        elif before and before.number == one.number - 1:
            was, says = digest_of(before.record), record.get("previous")
            if says != was:
                yield Finding(
                    one.number,
                    run,
                    f"it was written after another record {before.number} than is there: that one has the "
                    f"digest {was}, and this one says {says}",
                    f"{before.number} was changed or replaced, or this one was: {COMPARE}",
                )
        chain = chain or str(record.get("chain"))
        if record.get("chain") != chain:
            yield Finding(
                one.number, run, f"it is of another chain, {record.get('chain')}, than {chain}", COMPARE
            )
        before = one


def _gap(before: Kept | None, one: Kept) -> Iterator[Finding]:
    expected = before.number + 1 if before else 1
    if one.number > expected:
        which = str(expected) if one.number == expected + 1 else f"{expected} to {one.number - 1}"
        yield Finding(expected, "", f"{one.number - expected} missing before {one.number}: {which}", MISSING)


def _faults(one: Kept, whose: Mapping[str, str]) -> Iterator[Finding]:
    """Tell what is wrong with one record, whatever is beside it."""
    record = one.record
    run = str(record.get("run", ""))
    if not isinstance(record.get("digest"), str):
        yield Finding(one.number, run, f"it cannot be read: {one.where} is no record", COMPARE)
        return
    if (now := digest_of(record)) != record["digest"]:
        found = f"it was changed: its content has the digest {now}, and it says {record['digest']}"
        yield Finding(one.number, run, found, COMPARE)
    elif text_of(record) != one.text:
        found = "its text was written anew: it says the same, but is not what the runbook writes"
        yield Finding(one.number, run, found, COMPARE)
    if record.get("number") != one.number:
        found = f"it is number {record.get('number')} by its own word, in the place of {one.number}"
        yield Finding(one.number, run, found, "put each in its place, and look what was there before")
    theirs = record.get("environment")
    theirs = theirs if isinstance(theirs, dict) else {}
    if other := [name for name, value in whose.items() if theirs.get(name) != value]:
        said = ", ".join(f"{name} {theirs.get(name)}" for name in other)
        yield Finding(one.number, run, f"it is another environment's: {said}", COMPARE)


def compare(account: Sequence[Kept], machine: Iterable[Kept]) -> Iterator[Finding]:
    """Tell where the copies of this machine are not what the account has.

    Args:
        account: The records of the account.
        machine: The copies of the same chain.
    """
    there = {one.number: one for one in account}
    for one in machine:
        run = str(one.record.get("run", ""))
        if one.number not in there:
            found = f"the account does not have it any more; {one.where} does"
            yield Finding(one.number, run, found, "ask CloudTrail who deleted it; this copy is what it said")
        elif there[one.number].text != one.text:
            found = f"it is not what this machine has kept of it: {one.where}"
            yield Finding(one.number, run, found, f"compare both; {COMPARE}")


def unended(found: Iterable[Kept]) -> list[dict[str, Any]]:
    """Return the records of runs that began and did not end: killed ones, and one that is at work.

    Args:
        found: The records, in their order.
    """
    open_ones: dict[str, dict[str, Any]] = {}
    for record in (one.record for one in found):
        if record.get("event") == BEGAN:
            open_ones[str(record.get("digest"))] = record
        elif record.get("event") == ENDED:
            open_ones.pop(str(record.get("began_as")), None)
    return list(open_ones.values())


@dataclass(frozen=True)
class Looked:
    """What a look at all records of an environment has found.

    Attributes:
        account: The records of the account.
        copies: How many copies this machine has.
        findings: What is not as it was written.
        notes: What is no fault.
        left_out: What could not be judged, with the reason.
    """

    account: list[Kept]
    copies: int
    findings: list[Finding]
    notes: list[str]
    left_out: dict[str, str]

    @property
    def digest(self) -> str:
        """That of the last record; empty if there is none."""
        return str(self.account[-1].record.get("digest", "")) if self.account else ""


def look(of: Records, at_work: str = "", sha256: str = "", is_there: bool = True) -> Looked:
    """Look at all records of an environment, in the account and on this machine. Writes nothing.

    Args:
        of: The records.
        at_work: The id of the run that holds the lock now, if any does.
        sha256: The digest of a record that somebody has kept; empty for none.
        is_there: Whether the account has the environment, as far as is known: another machine may have
            destroyed one of which this one knows.
    """
    # In this order: a run that goes on meanwhile has in the account what is here, and more.
    machine, head = of.of_machine(), of.ledger.head()
    account = list(of.of_account())
    findings = [*check(account, of.whose), *of.replaced()]
    chain = str(account[0].record.get("chain")) if account else ""
    findings += compare(account, machine.get(chain, []))
    notes, left_out = [], {}
    for name, copies in machine.items():
        if name == chain:
            continue
        findings += check_copies(copies, of.whose)
        if copies[-1].record.get("last"):
            notes.append(
                f"{counted(len(copies), 'copy')} of a chain that ended when the environment was destroyed: "
                f"{name}"
            )
        else:
            left_out[f"{counted(len(copies), 'copy')} of the chain {name}"] = (
                f"{NOT_THERE}; if it was, from another machine, move {of.folder / name} away, and if not, "
                "ask CloudTrail who deleted it"
            )
    if account or is_there:
        findings += _beyond(account, head, chain)
    elif head and head["chain"] not in machine:
        left_out[f"{counted(head['number'], 'record')} of the chain {head['chain']}"] = (
            f"{NOT_THERE}; if it was, from another machine, the next run begins another, and if not, ask "
            "CloudTrail who deleted it"
        )
    if sha256 and sha256 not in {str(one.record.get("digest")) for one in account}:
        findings.append(
            Finding(
                0, "", f"no record has the digest {sha256} that was kept", f"it was there once: {COMPARE}"
            )
        )
    for record in unended(account):
        is_at_work = record.get("run") == at_work
        what = (
            "is at work"
            if is_at_work
            else "began and did not end: it was killed, or its end was not recorded"
        )
        notes.append(f"run {record.get('run')} of {record.get('at')} {what}")
    in_order = sorted(findings, key=lambda one: one.number)
    return Looked(account, sum(map(len, machine.values())), in_order, notes, left_out)


def _beyond(account: Sequence[Kept], head: Mapping[str, Any], chain: str) -> Iterator[Finding]:
    """Tell of records at the end that the ledger knows, and the account has no more."""
    if not head or (chain and head["chain"] != chain):
        return
    last = account[-1].number if account else 0
    if head["number"] > last:
        found = f"{head['number'] - last} missing at the end: the ledger knows {head['number']}"
        yield Finding(last + 1, "", found, MISSING)


def check_copies(found: Sequence[Kept], whose: Mapping[str, str]) -> Iterator[Finding]:
    """Tell what is not as it was written among copies, of which a machine has its own runs' only.

    Args:
        found: Those of one chain, in their order.
        whose: As for `check`.
    """
    for one in found:
        yield from _faults(one, whose)
