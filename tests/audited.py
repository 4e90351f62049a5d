"""The buckets, queues and tables of the pipelines, without what works on them, for audits to look at."""

from lib.engine.stack import Stack
from lib.operate.audits.audit import Audit, audit
from lib.operate.pipelines import Pipeline, pipelines
from lib.parameters import Parameters
from lib.resources.s3 import empty_bucket
from lib.target import Target


def make(target: Target, parameters: Parameters, name: str) -> Stack:
    """Make what a pipeline's audit asks to exist, and return the stack of it."""
    pipeline = pipelines(parameters)[name]
    stack = Stack(target, parameters, name)
    for resource in (pipeline.source, pipeline.destination, *pipeline.queues):
        stack.add(resource)
    stack.apply()
    return stack


def clear(target: Target, pipeline: Pipeline) -> None:
    """Empty the buckets of a pipeline, history included."""
    for bucket in (pipeline.source, pipeline.destination):
        if bucket.service == "s3":
            empty_bucket(target.client("s3", bucket.region), bucket.name)


def states(target: Target, parameters: Parameters, name: str, **settings) -> dict[str, str]:
    """Audit a pipeline, and return the states of the keys that differ."""
    return {found.key: found.state for found in audited(target, parameters, name, **settings).findings}


def audited(target: Target, parameters: Parameters, name: str, **settings) -> Audit:
    """Audit a pipeline with some settings changed."""
    changed = parameters.audit.model_copy(update={"grace_s": 0, **settings})
    return audit(target, parameters.model_copy(update={"audit": changed}), name)
