"""The pipelines as those see them who operate them: what they read and write, how to get in, what is stuck.

The notebooks of the pipelines describe how their resources are made. Here is only which of them an operator
reads, sends to or empties, found by name, so that nothing depends on a ledger that may be lost.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from botocore.exceptions import ClientError

from lib.base.errors import NotDeployedError, ParameterError, RunbookError
from lib.engine.inventory import Inventory
from lib.operate.as_deployed import at_odds
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, Resource, Scope
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
        variables: Those of its environment that say what it does to which data, by the parameters.
    """

    name: str
    region: str
    variables: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class DeadLetters:
    """A queue in which work waits that was not done.

    Attributes:
        queue: The queue.
        origin: What the work was for: the queue or function to send it to again.
        kind: `dead letters` (a queue's messages that failed too often), `failures` (of asynchronous
            invocations, in the envelope of the on-failure destination) or `holding` (stopped by the brake).
        deletes: Whether doing that work deletes something.
    """

    queue: Queue
    origin: Queue | FunctionName
    kind: str
    deletes: bool = False


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
        notified: The filter of the source's notification, `prefix` and `suffix`; empty for all keys.
        at_odds: Where what is deployed contradicts the parameters, if somebody has looked: see `deployed`.
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
    notified: Mapping[str, str] = field(default_factory=dict)
    at_odds: tuple[str, ...] = ()

    def require_agreement(self) -> "Pipeline":
        """Return it if what is deployed is what the parameters say, before anything is sent to it.

        Raises:
            RunbookError: With what contradicts them, and what to do.
        """
        if self.at_odds:
            raise RunbookError(f"{self.name}: {self.contradiction}; nothing was sent")
        return self

    @property
    def contradiction(self) -> str:
        """Where what is deployed contradicts the parameters, and what to do; empty if it does not."""
        if not self.at_odds:
            return ""
        return (
            f"what is deployed contradicts the parameters: {'; '.join(self.at_odds)}. Correct the "
            f"parameters, or deploy it as they say: runbook run {self.name}"
        )

    def why_not_again(self, letters: DeadLetters) -> str:
        """Return why work that was not done must not be done now by the parameters; empty if it may.

        Args:
            letters: The queue in which it waits.
        """
        if self.at_odds:
            return self.contradiction
        if letters.deletes and self.removed is None:
            return f"by the parameters {self.name} does not follow deletes"
        return ""

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
    """Return a pipeline that exists, and where it contradicts the parameters.

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
    return replace(pipeline, at_odds=at_odds(target, pipeline))


class Deployed(list[Pipeline]):
    """The pipelines that exist as the parameters say.

    Attributes:
        left_out: Names of those that exist, but not whole, or not where the parameters say; and why.
        besides: Buckets of pipelines that the parameters do not name, since they say another region; and why
            nobody looks at them.
        absent: Names of those of which nothing exists.
    """

    def __init__(self, found: Iterable[Pipeline] = ()):
        """Begin with these.

        Args:
            found: Those that exist.
        """
        super().__init__(found)
        self.left_out: dict[str, str] = {}
        self.besides: dict[str, str] = {}
        self.absent: list[str] = []

    @property
    def not_looked_at(self) -> dict[str, str]:
        """What is left out, and why: pipelines, and buckets besides those that the parameters name."""
        return self.left_out | self.besides


def those_deployed(target: Target, parameters: Parameters) -> Deployed:
    """Return the pipelines that exist as the parameters say; print which were never deployed.

    Args:
        target: The AWS to look at.
        parameters: Of the environment.

    Raises:
        NotDeployedError: If there is none.
    """
    found = survey(target, parameters)
    if not found:
        reasons = "".join(f". {reason}" for reason in found.left_out.values())
        raise NotDeployedError(
            f"no pipeline is deployed as env {parameters.env!r}{reasons}. "
            "Deploy one first: runbook run migrate"
        )
    if found.absent:
        print(f"never deployed: {', '.join(found.absent)}")
    return found


def survey(target: Target, parameters: Parameters) -> Deployed:
    """Return the pipelines that exist as the parameters say, those left out, and those never deployed.

    A pipeline was deployed if something of it is in the account, also in another region, or if the ledger
    knows of it.

    Args:
        target: The AWS to look at.
        parameters: Of the environment.
    """
    found = Deployed()
    for name in pipelines(parameters):
        try:
            _look(target, parameters, name, found)
        except (RunbookError, ClientError) as error:
            found.left_out[name] = f"it cannot be looked at: {error}"
    return found


def _look(target: Target, parameters: Parameters, name: str, found: Deployed) -> None:
    """Look for a pipeline, and write down in which of the lists it belongs."""
    buckets = list(Bucket.names(target.client("s3", GLOBAL_REGION), parameters.scope(name)))
    try:
        pipeline = deployed(target, parameters, name)
    except NotDeployedError as error:
        if traces := _traces(target, parameters, name, buckets):
            found.left_out[name] = f"{error}, or correct the parameters; there is {', '.join(traces)}"
        else:
            found.absent.append(name)
        return
    found.append(pipeline)
    for end in (each for each in (pipeline.source, pipeline.destination) if isinstance(each, Bucket)):
        beginning = end.name.removesuffix(end.region)
        for bucket, region in buckets:
            if bucket.startswith(beginning) and bucket != end.name:
                why = f"by the parameters it is in {end.region}: correct them, or remove what is left behind"
                found.besides[f"{name}: S3 bucket {bucket} in {region}"] = why


def _traces(
    target: Target, parameters: Parameters, name: str, buckets: Iterable[tuple[str, str]]
) -> list[str]:
    """Return what there is of a pipeline that is not whole: in the account, or else by the ledger."""
    pipeline = pipelines(parameters)[name]
    there = [f"S3 bucket {bucket} in {region}" for bucket, region in buckets]
    others = [each for each in (pipeline.destination, *pipeline.queues) if not isinstance(each, Bucket)]
    there += [str(each) for each in others if each.read(target.client(each.service, each.region)) is not None]
    for function in pipeline.functions:
        client = target.client("lambda", function.region)
        with suppress(client.exceptions.ResourceNotFoundException):
            client.get_function_configuration(FunctionName=function.name)
            there.append(f"Lambda function {function.name} in {function.region}")
    entries = Inventory(target, parameters).ledger.entries().values()
    known = [entry["region"] for entry in entries if entry["pipeline"] == name]
    by_ledger = [f"by the ledger {len(known)} resources in {', '.join(sorted(set(known)))}"] if known else []
    return there or by_ledger


def _migrate(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("migrate"), parameters.migrate
    queue = _named(scope, Queue("uploads", settings.target_region))
    dead = _named(scope, Queue("dead-letters", settings.target_region))
    target = _named(scope, Bucket("target", settings.target_region))
    variables = {"TARGET_BUCKET": target.name}
    return Pipeline(
        "migrate",
        source=_named(scope, Bucket("source", settings.source_region)),
        key_prefix=settings.key_prefix,
        key_suffix=settings.key_suffix,
        destination=target,
        created=queue,
        removed=None,
        functions=(FunctionName(scope.name("replicate"), settings.target_region, variables),),
        dead_letters=(DeadLetters(dead, queue, "dead letters"),),
        notified={"prefix": settings.key_prefix, "suffix": settings.key_suffix},
    )


def _backup(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("backup"), parameters.backup
    region, dr = settings.primary_region, _named(scope, Bucket("dr", settings.dr_region))
    erase = str(settings.erase_versions).lower()
    variables = {"TARGET_BUCKET": dr.name, "TARGET_REGION": settings.dr_region, "ERASE_VERSIONS": erase}
    deletes = {"DELETE_FUNCTION": scope.name("delete") if settings.delete_sync else ""}
    replicate = FunctionName(scope.name("replicate"), region, variables | deletes)
    delete = FunctionName(scope.name("delete"), region, variables)
    dead = [
        DeadLetters(_named(scope, Queue("replicate-failures", region)), replicate, "failures"),
        DeadLetters(_named(scope, Queue("delete-failures", region)), delete, "failures", deletes=True),
        DeadLetters(_named(scope, Queue("holding", region)), delete, "holding", deletes=True),
    ]
    return Pipeline(
        "backup",
        source=_named(scope, Bucket("primary", region)),
        key_prefix="",
        key_suffix="",
        destination=dr,
        created=replicate,
        removed=delete if settings.delete_sync else None,
        functions=(replicate, delete),
        dead_letters=tuple(dead),
    )


def _index(parameters: Parameters) -> Pipeline:
    scope, region = parameters.scope("index"), parameters.index.region
    table = _named(scope, Table("objects", region, "file_key", "timestamp"))
    variables = {"INDEX_TABLE": table.name, "TIME_TO_LIVE_DAYS": str(parameters.index.time_to_live_days)}
    function = FunctionName(scope.name("index"), region, variables)
    return Pipeline(
        "index",
        source=_named(scope, Bucket("files", region)),
        key_prefix="",
        key_suffix="",
        destination=table,
        created=function,
        removed=function,
        functions=(function,),
        dead_letters=(DeadLetters(_named(scope, Queue("failures", region)), function, "failures"),),
    )


def _summarize(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("summarize"), parameters.summarize
    files = _named(scope, Bucket("files", settings.region))
    variables = {
        "OUTPUT_BUCKET": files.name,
        "INPUT_PREFIX": settings.input_prefix,
        "OUTPUT_PREFIX": settings.output_prefix,
        "REJECTED_PREFIX": settings.rejected_prefix,
    }
    function = FunctionName(scope.name("summarize"), settings.region, variables)
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
        notified={"prefix": settings.input_prefix, "suffix": ".csv"},
    )


def _ingest(parameters: Parameters) -> Pipeline:
    scope, region = parameters.scope("ingest"), parameters.ingest.region
    files = _named(scope, Bucket("files", region))
    table = _named(scope, Table("StockData", region, "PK", "SK"))
    generate = FunctionName(scope.name("generate"), region, {"FILES_BUCKET": files.name})
    variables = {"STOCK_TABLE": table.name, "TIME_TO_LIVE_DAYS": str(parameters.ingest.time_to_live_days)}
    consume = FunctionName(scope.name("consume"), region, variables)
    queue = _named(scope, Queue("files", region))
    dead = [
        DeadLetters(_named(scope, Queue("dead-letters", region)), queue, "dead letters"),
        DeadLetters(_named(scope, Queue("failures", region)), generate, "failures"),
    ]
    return Pipeline(
        "ingest",
        source=files,
        key_prefix="stocks/",
        key_suffix=".csv",
        destination=table,
        created=queue,
        removed=None,
        functions=(generate, consume),
        dead_letters=tuple(dead),
        notified={"prefix": "stocks/"},
    )


def _named(scope: Scope, resource: AnyResource) -> AnyResource:
    """Return a resource that knows its full name."""
    resource.scope = scope
    return resource
