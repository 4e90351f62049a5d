"""What is frozen of a pipeline's source, and how it stands with it."""

from dataclasses import replace

import pandas as pd

from lib.base.errors import RunbookError
from lib.engine.checklist import Checklist
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.operate.audits.comparisons import is_copying
from lib.operate.backfills.arrivals import dead, still_waiting
from lib.operate.pipelines import Pipeline, deployed
from lib.parameters import Parameters
from lib.resources.base import differences
from lib.resources.s3 import policy_of
from lib.resources.s3_freeze import Freeze, freezes_of
from lib.resources.sqs import Queue
from lib.s3.objects import Place
from lib.target import Target

FREEZE = "freeze"  # the last part of its name
# What each action does, in words.
MEANS = {
    "look": "nothing is written",
    "freeze": "what is missing is copied, then all writes to the source are denied",
    "verify": "every object is compared; nothing is written",
    "release": "every object is compared, and the record is written; the source stays frozen",
    "thaw": "the source takes writes again, as before",
}


def cut_over(target: Target, parameters: Parameters) -> Pipeline:
    """Return the pipeline whose source is cut over.

    Args:
        target: The AWS to look at.
        parameters: `cutover` says which.

    Raises:
        RunbookError: If it is not deployed, not as the parameters say, or does not copy a bucket.
    """
    pipeline = deployed(target, parameters, parameters.cutover.pipeline).require_agreement()
    if not is_copying(pipeline):
        raise RunbookError(
            f"cutover.pipeline: {pipeline.name} does not copy its source to another bucket, so that there is "
            "nothing to cut over to; name one that does, such as migrate"
        )
    return pipeline


def freeze_of(pipeline: Pipeline) -> Freeze:
    """Return the freeze of a pipeline's source: of the keys that the pipeline follows, and no others.

    Args:
        pipeline: Which.
    """
    source = pipeline.source_bucket
    filters = tuple((each.prefix, each.suffix) for each in pipeline.filters)
    freeze = Freeze(FREEZE, source.region, bucket_name=source.name, filters=filters)
    freeze.scope = source.scope
    return freeze


def describe(stack: Stack, pipeline: Pipeline) -> Freeze:
    """Describe the freeze of a pipeline's source, and nothing else of the pipeline.

    Args:
        stack: Of the pipeline; where it is added.
        pipeline: Which.

    Returns:
        What was described.
    """
    stack.is_whole = False  # what its own notebook describes is there, too
    return stack.add(freeze_of(pipeline))


def frozen(stack: Stack) -> list[Freeze]:
    """Return what is frozen of a pipeline, whatever else of it is there, or is as the parameters say.

    Args:
        stack: Of the pipeline; from now on it knows the buckets that were adopted, too, though the parameters
            name them no more.
    """
    inventory = Inventory(stack.target, stack.parameters, stack.scope.pipeline)
    stack.scope = replace(stack.scope, adopted=inventory.adopted)
    found = [(item.region, item.found.identifier.partition("#")[0]) for item in inventory.of_type(Freeze)]
    return [Freeze(FREEZE, region, bucket_name=bucket) for region, bucket in found]


def describe_thaw(stack: Stack) -> list[Freeze]:
    """Describe that nothing of a pipeline is frozen any more, and nothing else.

    Args:
        stack: Of the pipeline.

    Returns:
        What is to be taken away.
    """
    stack.is_whole = False
    return [stack.add(one, wanted=False) for one in frozen(stack)]


def state(target: Target, pipeline: Pipeline) -> str:
    """Return whether the source is frozen, in words, by what S3 answers to a write.

    Args:
        target: The AWS to look at.
        pipeline: Whose source.
    """
    freeze = freeze_of(pipeline)
    client = target.client(freeze.service, freeze.region)
    by = ", ".join(freezes_of(client, freeze.bucket_name))
    denied = freeze.is_in_force(client)
    if not by:
        return "no" + ("; but somebody's statement denies writes to us" if denied else "")
    return f"by {by}" + ("" if denied else "; but a write is not denied")


def is_frozen(target: Target, pipeline: Pipeline) -> bool:
    """Return whether our statement is in the source's policy as it shall be, and S3 denies a write.

    Args:
        target: The AWS to look at.
        pipeline: Whose source.
    """
    freeze = freeze_of(pipeline)
    client = target.client(freeze.service, freeze.region)
    found = freeze.read(client)
    as_described = found is not None and not differences(found, freeze.desired())
    return as_described and freeze.is_in_force(client)


def enter(checklist: Checklist, target: Target, pipeline: Pipeline) -> None:
    """Enter into a checklist what must be so before a comparison proves anything.

    Args:
        checklist: Which.
        target: The AWS to look at.
        pipeline: Which.
    """
    checklist.check("nobody can write to the source", is_frozen(target, pipeline), state(target, pipeline))
    queued, letters = still_waiting(target, pipeline), dead(target, pipeline)
    if isinstance(pipeline.created, Queue):
        checklist.check("no event waits", queued == 0, f"{queued:,} in the queue")
    else:
        checklist.leave_out(
            "whether an event waits", "S3 runs the function itself, and tells nobody of what waits"
        )
    checklist.check("there are no dead letters", letters == 0, f"{letters:,}; 72_redrive says why")


def policy(target: Target, pipeline: Pipeline) -> str:
    """Return the text of the source's policy; empty if there is none.

    Args:
        target: The AWS to look at.
        pipeline: Whose source.
    """
    source = pipeline.source_bucket
    return policy_of(target.client(source.service, source.region), source.name) or ""


def uploads(target: Target, pipeline: Pipeline) -> pd.DataFrame:
    """Return the uploads in parts that were begun in the source and not completed, the oldest first.

    While it is frozen they take no further part and cannot be completed; what is there of them stays.

    Args:
        target: The AWS to look at.
        pipeline: Whose source.

    Returns:
        One row an upload: key, begun, by.
    """
    place = Place.of(target, pipeline.source_bucket)
    pages = place.client.get_paginator("list_multipart_uploads").paginate(
        Bucket=place.bucket, Prefix=pipeline.key_prefix
    )
    rows = [
        (each["Key"], each["Initiated"], each.get("Initiator", {}).get("DisplayName", ""))
        for page in pages
        for each in page.get("Uploads", [])
        if pipeline.follows(each["Key"])
    ]
    rows.sort(key=lambda row: row[1])
    return pd.DataFrame(rows, columns=["key", "begun", "by"])
