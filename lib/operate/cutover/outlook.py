"""What a cut-over would be: what is there, what is left, what stands in its way. Reads only."""

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

import pandas as pd
from botocore.exceptions import ClientError

from lib.base.shown import counted
from lib.operate import facts
from lib.operate.backfills.arrivals import dead, waiting
from lib.operate.cutover import freezing, remaining
from lib.operate.observe import activity, cost, usage
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources import prices
from lib.resources.s3 import encryption_key
from lib.s3.objects import Place
from lib.s3.versions import ARCHIVE_CLASSES
from lib.target import Target

GB = 1e9
UNSET = "NoSuchLifecycleConfiguration"


def look(target: Target, parameters: Parameters, pipeline: Pipeline) -> pd.DataFrame:
    """Return what there is to know before a source is frozen.

    Args:
        target: The AWS to look at.
        parameters: `cutover` says how far to look back, `backfill` how many events are sent a second.
        pipeline: Which.

    Returns:
        One row a fact: what, found, means. What S3 does not let us see is named, and the rest is told.
    """
    there = remaining.count(target, pipeline)
    if parameters.mode != "plan":
        is_frozen = freezing.is_frozen(target, pipeline)
        remaining.Timeline.of(parameters, pipeline).note(there.left, is_frozen)
    rows: list[tuple[str, str, str]] = [*_objects(there), *_left(parameters, pipeline, there)]
    for what, ask in (
        ("lag", _lag),
        ("encryption", _encryption),
        ("versions", _versions),
        ("lifecycle", _lifecycle),
        ("unfinished uploads", _uploads),
        ("frozen", _frozen),
    ):
        try:
            rows += [(what, *row) for row in ask(target, parameters, pipeline)]
        except ClientError as error:
            refusal = error.response["Error"]
            rows.append((what, "not known", f"AWS answers {refusal['Code']}: {refusal['Message']}"))
    return pd.DataFrame(rows, columns=["what", "found", "means"])


def _objects(there: remaining.Counted) -> Iterator[tuple[str, str, str]]:
    size = f"{there.objects:,}, {there.bytes / GB:,.3f} GB"
    yield "objects", size, f"the largest has {there.largest / GB:,.3f} GB"
    archived = sum(number for name, number in there.classes.items() if name in ARCHIVE_CLASSES)
    means = "can be copied" if not archived else "cannot be copied until S3 restores them (restore-object)"
    yield "archived", f"{archived:,}", means if archived else "every object can be read"


def _left(
    parameters: Parameters, pipeline: Pipeline, there: remaining.Counted
) -> Iterator[tuple[str, str, str]]:
    found = f"{there.left:,}, {there.left_bytes / GB:,.3f} GB"
    if not there.left:
        yield "left to copy", found, "by size; `verify` compares every checksum"
        return
    rate = parameters.backfill.objects_per_second
    takes = timedelta(seconds=ceil(there.left / rate))
    spent = ""
    if pipeline.name in facts.pipelines():
        one = usage.per_object(parameters, pipeline.name, there.left_bytes / there.left)
        usd = sum(cost.of({name: amount * there.left for name, amount in one.items()}).values())
        spent = f", and costs about ${usd:,.2f} on AWS, prices of {prices.looked_up()}"
    yield "left to copy", found, f"`freeze` sends them first: at {rate:,} a second it takes {takes}{spent}"


def _lag(target: Target, parameters: Parameters, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    depth, letters = waiting(target, pipeline), dead(target, pipeline)
    hours = parameters.cutover.hours
    since = pd.Timestamp.now("UTC") - pd.Timedelta(hours=hours)
    lags = activity.read(target, [pipeline], since).lag()
    seen = f"no object was copied in the last {hours} h"
    if len(lags):
        (row,) = lags.itertuples(index=False)
        seen = f"{row.objects:,} copied in the last {hours} h, 99 of 100 within {row.p99:,.1f} s"
    events = f"{counted(depth, 'event')} {'waits' if depth == 1 else 'wait'}"
    yield f"{events}, {counted(letters, 'dead letter')}", seen


def _encryption(target: Target, parameters: Parameters, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    for bucket in (pipeline.source_bucket, pipeline.destination_bucket):
        key = encryption_key(target.client_of(bucket), bucket.name)
        yield key or "by a key of AWS's", f"what is written to {bucket.name} from now on"


def _versions(target: Target, parameters: Parameters, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    place = Place.of(target, pipeline.source_bucket)
    status = place.client.get_bucket_versioning(Bucket=place.bucket).get("Status", "never enabled")
    yield status, "current objects are cut over; older versions stay in the source"


def _lifecycle(target: Target, parameters: Parameters, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    place = Place.of(target, pipeline.source_bucket)
    try:
        found = place.client.get_bucket_lifecycle_configuration(Bucket=place.bucket).get("Rules", [])
    except ClientError as error:
        if error.response["Error"]["Code"] != UNSET:
            raise
        found = []
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html
    acting = [
        rule
        for rule in found
        if rule.get("Status") == "Enabled" and ("Expiration" in rule or "Transitions" in rule)
    ]
    for rule in acting:
        yield (
            rule.get("ID", "without an id"),
            "S3 itself deletes or moves objects by this rule, which no policy denies: have its owner disable "
            "it before the freeze, or the record may not hold",
        )
    if not acting:
        yield "none that expires or moves objects", "what is frozen stays"


def _uploads(target: Target, parameters: Parameters, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    found = freezing.uploads(target, pipeline)
    means = (
        "cannot be completed while it is frozen: let them end first" if len(found) else "nothing is cut off"
    )
    yield f"{len(found):,}", means


def _frozen(target: Target, parameters: Parameters, pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    found = freezing.state(target, pipeline)
    yield (
        found,
        "`thaw` lets writes in again" if found.startswith("by") else "anybody whom IAM lets may write",
    )
