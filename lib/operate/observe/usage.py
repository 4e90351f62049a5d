"""What one object uses of AWS's services on its way through a pipeline: quantities, no prices, no calls.

Counted in the handlers' code for an object that is new, small enough for one copy, and no duplicate. What the
code cannot tell is assumed, below; `80_observe` measures it.
"""

import re
from collections.abc import Callable
from math import ceil

from lib.parameters import Parameters

GB, KB = 1024**3, 1024
# The name of a price to how much of it.
Usage = dict[str, float]
# Assumed: how long a function works on one object, in seconds, each of its calls to S3 taking some 50 ms.
REPLICATE_S, INDEX_S, CONSUME_S, SUMMARIZE_S, GENERATE_S = 0.3, 0.15, 0.2, 0.3, 2.0
# Assumed: how fast a CSV is profiled, in bytes a second and GB of memory; 65 MB/s were measured on a core.
PROFILE_BYTES_PER_S = 25_000_000
LOG_BYTES = 1500  # START, END and REPORT, our own line and the metrics
INDEX_ROW_BYTES, STOCK_ROW_BYTES, STOCK_ITEM_BYTES = 1024, 45, 150
FREE_DISK_MB = 512
DAYS_A_MONTH = 30.4
# As the notebooks make them, and as the handlers publish them; a metric is billed only while it is published.
ALARMS = {"migrate": 3, "backup": 3, "index": 2, "summarize": 2, "ingest": 3}
METRICS = {"migrate": 4, "backup": 6, "index": 2, "summarize": 2, "ingest": 5}
# Lambda asks an idle queue five times at once, each for 20 s:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLS_A_DAY = 5 * 24 * 60 * 60 // 20
DATA_KEY_MINUTES = 5  # how long a queue uses a data key
DPU_HOURS_A_CRAWL = 2 / 6  # two units, and ten minutes at least
NEAR = {"us-east-1", "us-east-2"}


def per_object(parameters: Parameters, pipeline: str, mean_bytes: float) -> Usage:
    """Return what one object uses.

    Args:
        parameters: Of the environment.
        pipeline: Its name.
        mean_bytes: The object's size; *ingest* makes its own files, so that it does not matter there.

    Returns:
        Names of prices to quantities.
    """
    return {name: amount for name, amount in _USAGES[pipeline](parameters, mean_bytes).items() if amount}


def stored(parameters: Parameters, pipeline: str, mean_bytes: float) -> Usage:
    """Return what one object leaves behind, which costs something for every month that it stays.

    Args:
        parameters: Of the environment.
        pipeline: Its name.
        mean_bytes: The object's size.

    Returns:
        Names of prices to GB. The source itself is not in it: it is there anyway.
    """
    rows = {"index": INDEX_ROW_BYTES, "ingest": parameters.ingest.rows * STOCK_ITEM_BYTES}.get(pipeline, 0)
    copies = {
        "migrate": mean_bytes,
        "backup": mean_bytes,
        "ingest": parameters.ingest.rows * STOCK_ROW_BYTES,
        "summarize": KB,
    }
    amounts = {
        "s3_storage": copies.get(pipeline, 0) / GB,
        "dynamodb_storage": rows / GB,
        "dynamodb_pitr": rows / GB,
        "cloudwatch_logs_storage": LOG_BYTES / GB,
    }
    return {name: amount for name, amount in amounts.items() if amount}


def per_month(parameters: Parameters, pipeline: str) -> Usage:
    """Return what a pipeline uses in a month even if nothing happens.

    Args:
        parameters: Of the environment.
        pipeline: Its name.

    Returns:
        Names of prices to quantities.
    """
    is_crawled = pipeline == "migrate" and parameters.migrate.crawler_schedule
    crawls = DAYS_A_MONTH if is_crawled else 0  # assumed: once a day
    return {
        "cloudwatch_alarm": ALARMS[pipeline],
        "cloudwatch_metric": METRICS[pipeline],
        "sqs_request": POLLS_A_DAY * DAYS_A_MONTH if pipeline in ("migrate", "ingest") else 0,
        "glue_dpu_hour": crawls * DPU_HOURS_A_CRAWL,
        "kms_request": _keys_of_queue(parameters, pipeline),
    }


def data_events(parameters: Parameters, pipeline: str, mean_bytes: float) -> float:
    """Return how many events the trail records of one object: its upload, and all calls that follow.

    Args:
        parameters: As for `per_object`; `observe.trail` and `observe.trail_events` decide.
        pipeline: Its name.
        mean_bytes: The object's size.
    """
    if not parameters.observe.trail:
        return 0
    one = per_object(parameters, pipeline, mean_bytes)
    upload = 0 if pipeline == "ingest" else 1  # *ingest*'s own is among its writes
    reads = one.get("s3_read", 0) if parameters.observe.trail_events == "all" else 0
    return upload + one.get("s3_write", 0) + reads


def _keys_of_queue(parameters: Parameters, pipeline: str) -> float:
    """Return what the queue that a function polls asks of its KMS key: two calls a sender, one a receiver.

    Every five minutes at most:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    """
    regions = {"migrate": parameters.migrate.target_region, "ingest": parameters.ingest.region}
    is_encrypted = pipeline in regions and parameters.scope().kms_key_arn(regions[pipeline])
    return 3 * DAYS_A_MONTH * 24 * 60 / DATA_KEY_MINUTES if is_encrypted else 0


def objects_per_day(parameters: Parameters, pipeline: str, given: float) -> float:
    """Return how many objects a pipeline gets: *ingest* makes its own, if its schedule is a rate.

    Args:
        parameters: As for `per_object`.
        pipeline: Its name.
        given: How many the others get.
    """
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", parameters.ingest.schedule)
    if pipeline != "ingest" or not rate:
        return given
    runs = {"minute": 24 * 60, "hour": 24, "day": 1}[rate[2]] / int(rate[1])
    return runs * parameters.ingest.files


def _migrate(parameters: Parameters, size: float) -> Usage:
    settings = parameters.migrate
    return {
        **_copied(size, settings.source_region, settings.target_region),
        **_function(settings.function_memory_mb, REPLICATE_S, batch_size=settings.batch_size),
        "sns_publish": 1,
        "sqs_request": _queue_requests(settings.batch_size),
        "kms_request": _keys(parameters, settings.source_region, settings.target_region),
    }


def _backup(parameters: Parameters, size: float) -> Usage:
    settings = parameters.backup
    usage = {
        **_copied(size, settings.primary_region, settings.dr_region),
        **_function(settings.function_memory_mb, REPLICATE_S),
        "kms_request": _keys(parameters, settings.primary_region, settings.dr_region),
    }
    if settings.erase_versions:  # *delete* is asked after each copy, and lists the versions of both sides
        usage = {name: amount * (2 if name.startswith("lambda_") else 1) for name, amount in usage.items()}
        usage["s3_write"] += 2
    return usage


def _index(parameters: Parameters, size: float) -> Usage:
    usage = _function(parameters.index.function_memory_mb, INDEX_S)
    keys = _keys(parameters, parameters.index.region)
    return {**usage, "s3_read": 2, "dynamodb_write": ceil(INDEX_ROW_BYTES / KB), "kms_request": keys}


def _summarize(parameters: Parameters, size: float) -> Usage:
    settings = parameters.summarize
    is_large = size > settings.athena_above_mb * KB * KB
    seconds = (
        SUMMARIZE_S
        if is_large
        else SUMMARIZE_S + size / (PROFILE_BYTES_PER_S * settings.function_memory_mb / 1024)
    )
    usage = _function(settings.function_memory_mb, seconds, settings.function_disk_mb)
    scanned_tb = max(size, 10 * KB * KB) / KB**4 if is_large else 0
    keys = _keys(parameters, settings.region, settings.region)  # it is read, and a summary is written
    return {
        **usage,
        "s3_read": 3,
        "s3_write": 2 + is_large,
        "athena_scan": scanned_tb,
        "kms_request": keys,
    }


def _ingest(parameters: Parameters, size: float) -> Usage:
    """One of the files that *generate* writes."""
    settings = parameters.ingest
    memory_mb = settings.function_memory_mb
    generate = _function(memory_mb, GENERATE_S / settings.files, batch_size=settings.files)
    consume = _function(memory_mb, CONSUME_S, batch_size=settings.batch_size)
    return {
        **{name: generate[name] + consume[name] for name in consume},
        "s3_read": 2,
        "s3_write": 2,
        "sqs_request": _queue_requests(settings.batch_size),
        "dynamodb_write": settings.rows,
        "kms_request": _keys(parameters, settings.region, settings.region),  # written, and read
    }


def _keys(parameters: Parameters, *regions: str) -> int:
    """Return how often an object's bytes pass a KMS key, in the region of each reading and writing.

    At most: a bucket key is asked for many objects once, a queue's and a table's data keys every five minutes
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html).
    """
    return sum(bool(parameters.scope().kms_key_arn(region)) for region in regions)


_USAGES: dict[str, Callable[[Parameters, float], Usage]] = {
    "migrate": _migrate,
    "backup": _backup,
    "index": _index,
    "summarize": _summarize,
    "ingest": _ingest,
}
PIPELINES = tuple(_USAGES)


def _copied(size: float, source_region: str, target_region: str) -> Usage:
    """Two looks at the source, one at the target, one copy."""
    near = {source_region, target_region} == NEAR
    sent = {} if source_region == target_region else {"transfer_near" if near else "transfer": size / GB}
    return {"s3_read": 3, "s3_write": 1, **sent}


def _function(memory_mb: int, seconds: float, disk_mb: int = FREE_DISK_MB, batch_size: int = 1) -> Usage:
    """An object's share of an invocation; the seconds are those of the object."""
    return {
        "lambda_request": 1 / batch_size,
        "lambda_gb_second": seconds * memory_mb / 1024,
        "lambda_disk": seconds * (disk_mb - FREE_DISK_MB) / 1024,
        "cloudwatch_logs": LOG_BYTES / GB,
    }


def _queue_requests(batch_size: int) -> float:
    """A message is sent alone, received and deleted with others."""
    return 1 + 2 / batch_size
