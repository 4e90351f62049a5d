"""The buckets, queues and tables of the pipelines, without what works on them, for audits to look at."""

from lib.engine.stack import Stack
from lib.operate.audits.audit import Audit, audit
from lib.operate.pipelines import CREATED, REMOVED, Pipeline
from lib.parameters import Parameters
from lib.resources.s3 import Bucket, BucketNotification, empty_bucket
from lib.resources.sns import Subscription, Topic
from lib.resources.sqs import DAY_S, Queue
from lib.target import Target
from support.the_five import pipelines


def make(target: Target, parameters: Parameters, name: str) -> Stack:
    """Make what a pipeline's audit asks to exist, and return the stack of it."""
    stack = Stack(target, parameters, name)
    described(stack, pipelines(parameters)[name])
    stack.apply()
    return stack


def described(stack: Stack, pipeline: Pipeline) -> None:
    """Describe a pipeline's stores, and a queue for what its source tells of, on which nothing works."""
    for store in (pipeline.source, pipeline.destination, *(each.queue for each in pipeline.dead_letters)):
        stack.add(store)
    source, region = pipeline.source, pipeline.created.region
    queue = pipeline.created if isinstance(pipeline.created, Queue) else Queue("events", region)
    queue.dead_letter = next((d.queue for d in pipeline.dead_letters if d.origin == queue), None)
    if queue.dead_letter:
        queue.dead_letter.retention_s = 14 * DAY_S
    entrance = queue
    if region != source.region:
        entrance = stack.add(Topic("uploads", source.region, publishers={"s3.amazonaws.com": source.arn}))
    service = "s3" if entrance is queue else "sns"
    queue.senders = {f"{service}.amazonaws.com": (source if entrance is queue else entrance).arn}
    stack.add(queue)
    if entrance is not queue:
        stack.add(Subscription("uploads", source.region, topic=entrance, endpoint=queue.arn))
    events = tuple(f"{kind}*" for kind in (CREATED, *[REMOVED] * pipeline.follows_deletes))
    for keys in pipeline.filters:
        stack.add(
            BucketNotification(
                f"uploads{keys.suffix.replace('.', '-')}",
                source.region,
                bucket=source,
                destination=entrance,
                events=events,
                key_prefix=keys.prefix,
                key_suffix=keys.suffix,
            )
        )


def clear(target: Target, pipeline: Pipeline) -> None:
    """Empty the buckets of a pipeline, history included."""
    for bucket in (pipeline.source, pipeline.destination):
        if isinstance(bucket, Bucket):
            empty_bucket(target.client_of(bucket), bucket.name)


def states(target: Target, parameters: Parameters, name: str, **settings) -> dict[str, str]:
    """Audit a pipeline, and return the states of the keys that differ."""
    return {found.key: found.state for found in audited(target, parameters, name, **settings).findings}


def audited(target: Target, parameters: Parameters, name: str, **settings) -> Audit:
    """Audit a pipeline with some settings changed."""
    changed = parameters.audit.model_copy(update={"grace_s": 0, **settings})
    return audit(target, parameters.model_copy(update={"audit": changed}), name)
