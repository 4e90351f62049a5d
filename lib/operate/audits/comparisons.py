"""What an audit of each pipeline compares: which listings and tables, and what judges their items."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lib.base.errors import RunbookError
from lib.operate import facts
from lib.operate.audits import inventory_reports
from lib.operate.audits.buckets import BucketPair
from lib.operate.audits.findings import Finding, Findings
from lib.operate.audits.history import Extras, Grace
from lib.operate.audits.index import SEGMENTS, IndexedBucket
from lib.operate.audits.summaries import Summaries
from lib.operate.audits.table_files import StoredFiles
from lib.operate.audits.table_shape import Shape
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.s3.listing import Entry, Pair, Range, listing, merge, ranges
from lib.s3.objects import Place
from lib.target import Target

NOT_KNOWN = "no audit knows what its functions make of an object"


@dataclass(frozen=True)
class Comparison:
    """How a pipeline is audited.

    Attributes:
        parts: Streams of items, and what judges an item of theirs; one part after the other.
        look: Judges one key by what is there now.
        method: `listing`, or `inventory`: S3 Inventory's reports.
        begin: Counts what needs no judging.
    """

    parts: list[tuple[list[Iterable], Callable[..., Finding | None]]]
    look: Callable[[str], Finding]
    method: str = "listing"
    begin: Callable[[Findings], None] = field(default=lambda findings: None)


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
    handler = handler_of(parameters, pipeline)
    if handler is None:
        raise RunbookError(f"{pipeline.name}: {NOT_KNOWN}")
    return BY_HANDLER[handler](target, parameters, pipeline)


def handler_of(parameters: Parameters, pipeline: Pipeline) -> str | None:
    """Return the handler by whose work a pipeline is audited; None if there is none that an audit knows.

    Args:
        parameters: A pipeline's section names its handler, also if the function is gone.
        pipeline: Which.
    """
    expected = parameters.expected(pipeline.name)
    deployed = [facts.handler_of(function.name) for function in pipeline.functions]
    known = [*([expected.handler] if expected else []), *deployed]
    return next((handler for handler in known if handler in BY_HANDLER), None)


def _of_buckets(target: Target, parameters: Parameters, pipeline: Pipeline) -> Comparison:
    settings = parameters.audit
    source, destination = Place.of(target, pipeline.source), Place.of(target, pipeline.destination)
    grace = Grace(settings.grace_s)
    extras = Extras(source, grace, follows_deletes=pipeline.follows_deletes)
    pair = BucketPair(source, destination, grace, extras, settings.metadata_and_tags)
    objects = settings.objects or inventory_reports.daily_count(target, pipeline.source)
    if objects > settings.inventory_above:
        reports = inventory_reports.Reports.of(target, parameters, pipeline)
        return Comparison([([reports.unlike()], pair.look)], pair.look, "inventory", reports.count_same)

    def pairs(within: Range) -> Iterator[Pair]:
        both = (listing(place, pipeline.key_prefix, within) for place in (source, destination))
        for one, other in merge(*both):
            if pipeline.follows((one or other).key):
                yield one, other

    streams = [pairs(within) for within in ranges([source, destination], pipeline.key_prefix)]
    return Comparison([(streams, pair.judge)], pair.look)


def _of_index(target: Target, parameters: Parameters, pipeline: Pipeline) -> Comparison:
    settings, table = parameters.audit, pipeline.destination
    files, client = Place.of(target, pipeline.source), target.client("dynamodb", table.region)
    days = _days(pipeline, parameters.index.time_to_live_days)
    judge = IndexedBucket(
        files, client, table.name, Grace(settings.grace_s), days, settings.metadata_and_tags
    )
    scan = [judge.keys(segment) for segment in range(SEGMENTS)]
    return Comparison([(_listings(files), judge.judge), (scan, judge.judge_row)], judge.look)


def _of_summarize(target: Target, parameters: Parameters, pipeline: Pipeline) -> Comparison:
    settings, own = parameters.audit, parameters.summarize
    files = Place.of(target, pipeline.source)
    judge = Summaries(files, own, Grace(settings.grace_s), settings.metadata_and_tags)
    outcomes = [*_listings(files, own.output_prefix), *_listings(files, own.rejected_prefix)]
    written = [(entry.key for entry in stream) for stream in outcomes]
    parts = [(_listings(files, own.input_prefix), judge.judge), (written, judge.judge_written)]
    return Comparison(parts, judge.look)


def _of_consume(target: Target, parameters: Parameters, pipeline: Pipeline) -> Comparison:
    own, table = parameters.ingest, pipeline.destination
    files, client = Place.of(target, pipeline.source), target.client("dynamodb", table.region)
    described = _told(pipeline, "TABLE_DESCRIPTION", own.table_description)
    shape = Shape.read(described, _days(pipeline, own.time_to_live_days))
    judge = StoredFiles(files, client, table.name, Grace(parameters.audit.grace_s), shape)
    return Comparison([(_followed(files, pipeline), judge.judge)], judge.look)


def _days(pipeline: Pipeline, described: int) -> int:
    """Return after how many days items expire."""
    return int(_told(pipeline, "TIME_TO_LIVE_DAYS", str(described)))


def _told(pipeline: Pipeline, variable: str, described: str) -> str:
    """Return what a function is told, or what the parameters say if none is there."""
    told = (function.variables.get(variable) for function in pipeline.functions)
    return next(filter(None, told), described)


def _followed(place: Place, pipeline: Pipeline) -> list[Iterator[Entry]]:
    """Return listings of those objects of which the pipeline is told: these, and no others, are its work."""

    def only(entries: Iterator[Entry]) -> Iterator[Entry]:
        return (entry for entry in entries if pipeline.follows(entry.key))

    return [only(entries) for entries in _listings(place, pipeline.key_prefix)]


def _listings(place: Place, key_prefix: str = "") -> list[Iterator[Entry]]:
    return [listing(place, key_prefix, within) for within in ranges([place], key_prefix)]


BY_HANDLER = {
    "replicate": _of_buckets,
    "index": _of_index,
    "summarize": _of_summarize,
    "consume": _of_consume,
}
