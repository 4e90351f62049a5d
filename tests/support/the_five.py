"""The five pipelines as an operator shall see them: what the account must say once their notebooks have run.

`lib` knows none of them by name; a test asks whether what it finds is this.
"""

from lib.operate.pipelines import AnyResource, DeadLetters, FunctionName, Pipeline
from lib.parameters import Parameters
from lib.parameters.sections import SUMMARIZED
from lib.resources.base import Scope
from lib.resources.dynamodb import Table
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.s3.selection import KeyFilter


def pipelines(parameters: Parameters) -> dict[str, Pipeline]:
    """All five, by name, whether they are deployed or not."""
    made = (make(parameters) for make in (_migrate, _backup, _index, _summarize, _ingest))
    return {pipeline.name: pipeline for pipeline in made}


def _migrate(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("migrate"), parameters.migrate
    queue = _named(scope, Queue("uploads", settings.target_region))
    dead = _named(scope, Queue("dead-letters", settings.target_region))
    return Pipeline(
        "migrate",
        source=_named(scope, Bucket("source", settings.source_region, role="source")),
        destination=_named(scope, Bucket("target", settings.target_region, role="destination")),
        created=queue,
        removed=None,
        functions=(FunctionName(scope.name("replicate"), settings.target_region),),
        dead_letters=(DeadLetters(dead, queue, "dead letters"),),
        filters=(KeyFilter(settings.key_prefix, settings.key_suffix),),
    )


def _backup(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("backup"), parameters.backup
    region = settings.primary_region
    replicate = FunctionName(scope.name("replicate"), region)
    delete = FunctionName(scope.name("delete"), region)
    holding = _named(scope, Queue("holding", region, role="holding"))
    dead = [
        DeadLetters(_named(scope, Queue("replicate-failures", region)), replicate, "failures"),
        DeadLetters(_named(scope, Queue("delete-failures", region)), delete, "failures", deletes=True),
        DeadLetters(holding, delete, "holding", deletes=True),
    ]
    return Pipeline(
        "backup",
        source=_named(scope, Bucket("primary", region, role="source")),
        destination=_named(scope, Bucket("dr", settings.dr_region, role="destination")),
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
        source=_named(scope, Bucket("files", region, role="source")),
        destination=_named(
            scope,
            Table("objects", region, partition_key="file_key", sort_key="timestamp", role="destination"),
        ),
        created=function,
        removed=function,
        functions=(function,),
        dead_letters=(DeadLetters(_named(scope, Queue("failures", region)), function, "failures"),),
    )


def _summarize(parameters: Parameters) -> Pipeline:
    scope, settings = parameters.scope("summarize"), parameters.summarize
    files = _named(scope, Bucket("files", settings.region, role="source+destination"))
    function = FunctionName(scope.name("summarize"), settings.region)
    failures = _named(scope, Queue("failures", settings.region))
    return Pipeline(
        "summarize",
        source=files,
        destination=files,
        created=function,
        removed=None,
        functions=(function,),
        dead_letters=(DeadLetters(failures, function, "failures"),),
        filters=tuple(KeyFilter(settings.input_prefix, suffix) for suffix in SUMMARIZED),
    )


def _ingest(parameters: Parameters) -> Pipeline:
    scope, region = parameters.scope("ingest"), parameters.ingest.region
    generate = FunctionName(scope.name("generate"), region)
    consume = FunctionName(scope.name("consume"), region)
    queue, pieces = (_named(scope, Queue(what, region)) for what in ("files", "pieces"))
    dead = [
        DeadLetters(_named(scope, Queue("dead-letters", region)), queue, "dead letters", others=(pieces,)),
        DeadLetters(_named(scope, Queue("failures", region)), generate, "failures"),
    ]
    return Pipeline(
        "ingest",
        source=_named(scope, Bucket("files", region, role="source")),
        destination=_named(
            scope, Table("StockData", region, partition_key="PK", sort_key="SK", role="destination")
        ),
        created=queue,
        removed=None,
        functions=(generate, consume),
        dead_letters=tuple(dead),
        handed_over=(pieces,),
        filters=(KeyFilter("stocks/"),),
    )


def _named(scope: Scope, resource: AnyResource) -> AnyResource:
    """Return a resource that knows its full name."""
    resource.scope = scope
    return resource
