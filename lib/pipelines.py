"""The pipelines as those see them who operate them: what they read and write, how to get in, what is stuck.

The notebooks of the pipelines describe how their resources are made. Here is only which of them an operator
reads, sends to or empties, found by name, so that nothing depends on a ledger that may be lost.
"""

from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import ClientError

from lib.errors import NotDeployedError, ParameterError, RunbookError
from lib.parameters import Parameters
from lib.resources.base import Resource, Scope
from lib.resources.dynamodb import Table
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.target import Target

AnyResource = TypeVar("AnyResource", bound=Resource)


@dataclass(frozen=True)
class FunctionName:
    """A Lambda function that exists, as a place to send events to.

    Attributes:
        name: Its full name.
        region: Where it is.
    """

    name: str
    region: str


@dataclass(frozen=True)
class DeadLetters:
    """A queue in which work waits that was not done.

    Attributes:
        queue: The queue.
        origin: What the work was for: the queue or function to send it to again.
        kind: `dead letters` (a queue's messages that failed too often), `failures` (of asynchronous
            invocations, in the envelope of the on-failure destination) or `holding` (stopped by the brake).
    """

    queue: Queue
    origin: Queue | FunctionName
    kind: str


@dataclass(frozen=True)
class Pipeline:
    """What an operator needs of one pipeline.

    Attributes:
        name: Such as `migrate`.
        source: The bucket whose objects it follows.
        key_prefix, key_suffix: Which of the source's objects; empty for all.
        destination: Where the outcome is: a bucket or a table.
        created: Takes S3 events of objects that were written.
        removed: Takes S3 events of objects that were deleted; None if the pipeline does not follow these.
        functions: All its functions.
        dead_letters: All its queues of work that was not done.
    """

    name: str
    source: Bucket
    key_prefix: str
    key_suffix: str
    destination: Bucket | Table
    created: Queue | FunctionName
    removed: Queue | FunctionName | None
    functions: tuple[FunctionName, ...]
    dead_letters: tuple[DeadLetters, ...]

    @property
    def queues(self) -> list[Queue]:
        """All its queues: the one it works on, if it has one, and those of work that was not done."""
        working = [self.created] if isinstance(self.created, Queue) else []
        return [*working, *(each.queue for each in self.dead_letters)]


def pipelines(parameters: Parameters) -> dict[str, Pipeline]:
    """Return all five, whether they are deployed or not.

    Args:
        parameters: Of the environment.

    Returns:
        Name to pipeline.
    """
    made = (make(parameters) for make in (_migrate, _backup, _index, _summarize, _ingest))
    return {pipeline.name: pipeline for pipeline in made}


def buckets(parameters: Parameters) -> list[Bucket]:
    """Return the buckets that the five read and write, each once, whether they are deployed or not.

    Args:
        parameters: Of the environment.
    """
    ends = [each for one in pipelines(parameters).values() for each in (one.source, one.destination)]
    return list({each.arn: each for each in ends if isinstance(each, Bucket)}.values())


def deployed(target: Target, parameters: Parameters, name: str) -> Pipeline:
    """Return a pipeline that exists.

    Args:
        target: The AWS to look at.
        parameters: Of the environment.
        name: The pipeline's name.

    Returns:
        The pipeline.

    Raises:
        ParameterError: If there is none of that name.
        NotDeployedError: If its source, destination or a queue does not exist.
    """
    known = pipelines(parameters)
    if name not in known:
        raise ParameterError(f"there is no pipeline {name!r}; there are: {', '.join(known)}")
    pipeline = known[name]
    for resource in (pipeline.source, pipeline.destination, *pipeline.queues):
        if resource.read(target.client(resource.service, resource.region)) is None:
            raise NotDeployedError(
                f"{name} is not deployed as env {parameters.env!r}: {resource} does not exist. "
                f"Deploy it first: runbook run {name}"
            )
    return pipeline


def those_deployed(target: Target, parameters: Parameters) -> list[Pipeline]:
    """Return the pipelines that exist, and print of each other one what it lacks.

    One of which we are not told whether it exists is among them: whoever works on it learns why.

    Args:
        target: The AWS to look at.
        parameters: Of the environment.

    Raises:
        NotDeployedError: If none exists.
    """
    found = []
    for name in pipelines(parameters):
        try:
            found.append(deployed(target, parameters, name))
        except NotDeployedError as error:
            print(f"left out: {error}")
        except (RunbookError, ClientError) as error:
            print(f"{name}: {error}")
            found.append(pipelines(parameters)[name])
    if not found:
        raise NotDeployedError(
            f"no pipeline is deployed as env {parameters.env!r}. Deploy one first: runbook run migrate"
        )
    return found


def _migrate(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("migrate"), parameters.migrate
    queue = _named(scope, Queue("uploads", settings.target_region))
    dead = _named(scope, Queue("dead-letters", settings.target_region))
    return Pipeline(
        "migrate",
        source=_named(scope, Bucket("source", settings.source_region)),
        key_prefix=settings.key_prefix,
        key_suffix=settings.key_suffix,
        destination=_named(scope, Bucket("target", settings.target_region)),
        created=queue,
        removed=None,
        functions=(FunctionName(scope.name("replicate"), settings.target_region),),
        dead_letters=(DeadLetters(dead, queue, "dead letters"),),
    )


def _backup(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("backup"), parameters.backup
    region = settings.primary_region
    replicate, delete = (FunctionName(scope.name(what), region) for what in ("replicate", "delete"))
    dead = [
        DeadLetters(_named(scope, Queue("replicate-failures", region)), replicate, "failures"),
        DeadLetters(_named(scope, Queue("delete-failures", region)), delete, "failures"),
        DeadLetters(_named(scope, Queue("holding", region)), delete, "holding"),
    ]
    return Pipeline(
        "backup",
        source=_named(scope, Bucket("primary", region)),
        key_prefix="",
        key_suffix="",
        destination=_named(scope, Bucket("dr", settings.dr_region)),
        created=replicate,
        removed=delete if settings.delete_sync else None,
        functions=(replicate, delete),
        dead_letters=tuple(dead),
    )


def _index(parameters: Parameters) -> Pipeline:
    scope, region = parameters.scope("index"), parameters.index.region
    function = FunctionName(scope.name("index"), region)
    return Pipeline(
        "index",
        source=_named(scope, Bucket("files", region)),
        key_prefix="",
        key_suffix="",
        destination=_named(scope, Table("objects", region, "file_key", "timestamp")),
        created=function,
        removed=function,
        functions=(function,),
        dead_letters=(DeadLetters(_named(scope, Queue("failures", region)), function, "failures"),),
    )


def _summarize(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("summarize"), parameters.summarize
    function = FunctionName(scope.name("summarize"), settings.region)
    files = _named(scope, Bucket("files", settings.region))
    failures = _named(scope, Queue("failures", settings.region))
    return Pipeline(
        "summarize",
        source=files,
        key_prefix=settings.input_prefix,
        key_suffix=".csv",
        destination=files,
        created=function,
        removed=None,
        functions=(function,),
        dead_letters=(DeadLetters(failures, function, "failures"),),
    )


def _ingest(parameters: Parameters) -> Pipeline:
    scope, region = parameters.scope("ingest"), parameters.ingest.region
    generate, consume = (FunctionName(scope.name(what), region) for what in ("generate", "consume"))
    queue = _named(scope, Queue("files", region))
    dead = [
        DeadLetters(_named(scope, Queue("dead-letters", region)), queue, "dead letters"),
        DeadLetters(_named(scope, Queue("failures", region)), generate, "failures"),
    ]
    return Pipeline(
        "ingest",
        source=_named(scope, Bucket("files", region)),
        key_prefix="stocks/",
        key_suffix=".csv",
        destination=_named(scope, Table("StockData", region, "PK", "SK")),
        created=queue,
        removed=None,
        functions=(generate, consume),
        dead_letters=tuple(dead),
    )


def _named(scope: Scope, resource: AnyResource) -> AnyResource:
    """Return a resource that knows its full name."""
    resource.scope = scope
    return resource
