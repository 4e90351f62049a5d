"""What an audit of each pipeline compares: which listings and tables, and what judges their items."""

from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from botocore.client import BaseClient

from lib.base.errors import RunbookError
from lib.operate import facts
from lib.operate.audits import inventory_reports
from lib.operate.audits.buckets import BucketPair
from lib.operate.audits.derived_objects import DerivedObjects
from lib.operate.audits.findings import Finding, Findings
from lib.operate.audits.history import Extras, Grace
from lib.operate.audits.items import SEGMENTS, IndexedBucket
from lib.operate.audits.table_files import StoredFiles
from lib.operate.audits.table_shape import Shape
from lib.operate.facts import Facts
from lib.operate.pipelines import Pipeline
from lib.operate.results import Copy, Derived, DerivedKey, Item, Nothing, Rows
from lib.parameters import Parameters
from lib.resources.base import Resource
from lib.resources.dynamodb import Table
from lib.resources.s3 import Bucket
from lib.s3.listing import Entry, Pair, Range, key_of, listing, merge, streams
from lib.s3.objects import Place
from lib.target import Target

NOT_KNOWN = "no audit knows what its functions make of an object"


Part = tuple[Iterable[Iterable], Callable[..., Finding | None]]


@dataclass(frozen=True)
class Comparison:
    """How a pipeline is audited.

    Attributes:
        parts: Streams of items or findings, and what judges an item; one part after the other.
        look: Judges one key by what is there now.
        method: `listing`, or `inventory`: S3 Inventory's reports.
        begin: Counts what needs no judging.
        tells_of: Whether it judges a key at all.
    """

    parts: Sequence[Part]
    look: Callable[[str], Finding]
    method: str = "listing"
    begin: Callable[[Findings], None] = field(default=lambda findings: None)
    tells_of: Callable[[str], bool] = field(default=lambda key: True)


def comparison(target: Target, parameters: Parameters, pipeline: Pipeline) -> Comparison:
    """Return how a pipeline is audited.

    Args:
        target: The AWS to work on.
        parameters: `audit` says how closely to look, the pipeline's own section what it was to make.
        pipeline: Which; it is deployed.

    Raises:
        RunbookError: If no audit knows what its functions make of an object; or if it is so large that S3
            Inventory is to be asked, and there are no reports.
    """
    said = _saying(pipeline)
    if said is None or (why := why_not(pipeline)):
        raise RunbookError(f"{pipeline.name}: {NOT_KNOWN if said is None else why}")
    expected = parameters.expected(pipeline.name)
    # As it is deployed; if the function is gone, as it shall be.
    ours = [one.variables for one in pipeline.functions if facts.handler_of(one.name) == said.name]
    variables = dict(ChainMap(*map(dict, ours), dict(expected.variables if expected else {})))
    compare, _ = _HOW[type(said.result)]
    return compare(_Asked(target, parameters, pipeline, variables), said.result)


def why_not(pipeline: Pipeline) -> str:
    """Return why a pipeline cannot be audited; empty if it can.

    Args:
        pipeline: Which.
    """
    said = _saying(pipeline)
    if said is None or said.result is None:
        return NOT_KNOWN
    if isinstance(said.result, Nothing):
        return f"there is nothing that could be compared: {said.result.why}"
    if not pipeline.filters and not pipeline.functions:
        return _kept(pipeline)
    _, kind = _HOW[type(said.result)]
    if pipeline.destination is not None and not isinstance(pipeline.destination, kind):
        return f"*{said.name}* makes a {said.result.kind}, but {pipeline.destination} is no {kind.noun}"
    return ""


def _kept(pipeline: Pipeline) -> str:
    """Return why one is not audited of which a destruction or a rollback has left the data alone.

    Of which keys it was told, the notification of its source said.
    """
    ends = dict.fromkeys(str(end) for end in (pipeline.source, pipeline.destination) if end)
    return (
        f"its functions are gone and its data is kept, in {' and '.join(ends)}: nothing is made of new "
        f"objects, and nothing tells any more of which it was told. `runbook run {pipeline.name}` deploys it "
        f"again, `runbook destroy {pipeline.name}` removes the data"
    )


def is_copying(pipeline: Pipeline) -> bool:
    """Return whether a pipeline makes its destination a copy of its source.

    Args:
        pipeline: Which.
    """
    said = _saying(pipeline)
    return said is not None and isinstance(said.result, Copy)


def _saying(pipeline: Pipeline) -> Facts | None:
    """Return the handler by whose result a pipeline is audited; None if none says what it makes of an object.

    One that says that it is in this pipeline, also if its function is gone; else of one that is deployed.
    """
    by_name = [said for said, _ in facts.parts(pipeline.name)]
    deployed = [facts.of_function(function.name) for function in pipeline.functions]
    return next((said for said in [*by_name, *deployed] if said and said.result), None)


@dataclass(frozen=True)
class _Asked:
    """What is to be compared.

    Attributes:
        target: The AWS to work on.
        parameters: `audit` says how closely to look.
        pipeline: Which.
        variables: The environment of its function.
    """

    target: Target
    parameters: Parameters
    pipeline: Pipeline
    variables: Mapping[str, str]

    @property
    def source(self) -> Place:
        return Place.of(self.target, self.pipeline.source_bucket)

    @property
    def grace(self) -> Grace:
        return Grace(self.parameters.audit.grace_s)

    @property
    def looks_closer(self) -> bool:
        return self.parameters.audit.metadata_and_tags

    @property
    def table(self) -> tuple[BaseClient, str]:
        table = self.pipeline.destination_table
        return self.target.client("dynamodb", table.region), table.name

    def days(self, variable: str) -> int:
        """Return after how many days items expire; 0 for never."""
        return int(self.variables.get(variable) or 0)


def _of_copies(asked: _Asked, said: Copy) -> Comparison:
    target, pipeline, settings = asked.target, asked.pipeline, asked.parameters.audit
    source, destination = asked.source, Place.of(target, pipeline.destination_bucket)
    is_shared = not pipeline.destination_bucket.is_made
    extras = Extras(source, asked.grace, pipeline.follows_deletes, is_shared)
    pair = BucketPair(source, destination, asked.grace, extras, asked.looks_closer)
    objects = settings.objects or inventory_reports.daily_count(target, pipeline.source_bucket)
    if objects > settings.inventory_above:
        reports = inventory_reports.Reports.of(target, asked.parameters, pipeline)
        parts: list[Part] = [([reports.unlike()], pair.look)]
        return Comparison(parts, pair.look, "inventory", reports.count_same, pipeline.follows)

    def listed(within: Range) -> Iterator[Pair]:
        return merge(*(listing(place, pipeline.key_prefix, within) for place in (source, destination)))

    def judged(pairs: Iterator[Pair]) -> Iterator[Finding | str]:
        return (pair.listed(each) for each in pairs if pipeline.follows(key_of(each)))

    divided = map(judged, streams([source, destination], pipeline.key_prefix, listed, key_of))
    return Comparison([(divided, pair.look)], pair.look, tells_of=pipeline.follows)


def _of_items(asked: _Asked, said: Item) -> Comparison:
    files, pipeline = asked.source, asked.pipeline
    days = asked.days(said.expires_days)
    judge = IndexedBucket(files, pipeline, said, *asked.table, asked.grace, days, asked.looks_closer)
    scan = [judge.keys(segment) for segment in range(SEGMENTS)]
    parts: list[Part] = [(_followed(files, pipeline), judge.judge), (scan, judge.judge_row)]
    return Comparison(parts, judge.look, tells_of=pipeline.follows)


def _of_derived(asked: _Asked, said: Derived) -> Comparison:
    files, pipeline = asked.source, asked.pipeline
    there = Place.of(asked.target, pipeline.destination_bucket)
    where = {
        suffix: tuple(DerivedKey(pattern, asked.variables) for pattern in patterns)
        for suffix, patterns in {"": said.keys, **said.keys_by_suffix}.items()
    }
    judge = DerivedObjects(files, there, pipeline, where, said.told_in, asked.grace, asked.looks_closer)
    prefixes = {each.prefix for keys in where.values() for each in keys}
    apart = [one for one in sorted(prefixes) if not any(one.startswith(o) for o in prefixes - {one})]
    parts: list[Part] = [(_followed(files, pipeline), judge.judge)]
    parts += [(_listings(there, prefix), judge.judge_written) for prefix in apart]
    return Comparison(parts, judge.look)


def _of_rows(asked: _Asked, said: Rows) -> Comparison:
    shape = Shape.read(asked.variables.get(said.described_by, ""), asked.days(said.expires_days))
    judge = StoredFiles(asked.source, *asked.table, asked.grace, shape)
    parts: list[Part] = [(_followed(asked.source, asked.pipeline), judge.judge)]
    return Comparison(parts, judge.look, tells_of=asked.pipeline.follows)


def _followed(place: Place, pipeline: Pipeline) -> Iterator[Iterator[Entry]]:
    """Return listings of those objects of which the pipeline is told: these, and no others, are its work."""

    def only(entries: Iterator[Entry]) -> Iterator[Entry]:
        return (entry for entry in entries if pipeline.follows(entry.key))

    return map(only, _listings(place, pipeline.key_prefix))


def _listings(place: Place, key_prefix: str = "") -> Iterator[Iterator[Entry]]:
    return streams([place], key_prefix, partial(listing, place, key_prefix), attrgetter("key"))


# How each kind of result is compared, and what it lies in.
_HOW: dict[type, tuple[Callable[[_Asked, Any], Comparison], type[Resource]]] = {
    Copy: (_of_copies, Bucket),
    Item: (_of_items, Table),
    Rows: (_of_rows, Table),
    Derived: (_of_derived, Bucket),
}
