"""What one object uses of AWS's services on its way through a pipeline: quantities, no prices, no calls.

For an object that is new, small enough for one copy, and no duplicate: by what the pipeline's handlers say of
themselves in their `facts.yaml`. What their code cannot tell is assumed there; `80_observe` measures it.
"""

import re
from collections.abc import Iterable, Mapping

from lib.operate import facts
from lib.operate.facts import Amounts, Facts, Made, Part
from lib.parameters import Parameters
from lib.resources.base import Scope

GB = facts.UNITS["GB"]
# The name of a price to how much of it.
Usage = dict[str, float]
FREE_DISK_MB = 512
# Lambda asks an idle queue five times at once, each for 20 s:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
POLLS_A_DAY = 5 * 24 * 60 * 60 // 20
DATA_KEY_MINUTES = 5  # how long a queue uses a data key
NEAR = {"us-east-1", "us-east-2"}


def per_object(parameters: Parameters, pipeline: str, mean_bytes: float) -> Usage:
    """Return what one object uses.

    Args:
        parameters: Those of the pipeline say how its functions are made, and which regions have keys.
        pipeline: Its name.
        mean_bytes: The object's size; where a pipeline makes its objects by itself it does not matter.

    Returns:
        Names of prices to quantities.
    """
    values = parameters.of_pipeline(pipeline) if facts.parts(pipeline) else {}
    return of_section(values, parameters.scope(), pipeline, mean_bytes)


def of_section(values: Mapping[str, object], scope: Scope, pipeline: str, mean_bytes: float) -> Usage:
    """Return what one object uses of a pipeline that is made by these values, whatever others there are.

    Args:
        values: Those of the pipeline's section of the parameters, by name.
        scope: Its scope, or its environment's: which regions have keys.
        pipeline: Its name.
        mean_bytes: As for `per_object`.
    """
    names = {**values, "bytes": mean_bytes}
    return _sum(_object(scope, *part, names) for part in facts.parts(pipeline))


def of_handler(said: Facts, memory_mb: float) -> Usage:
    """Return what a handler that is in no pipeline uses for one object, at one object an invocation.

    Args:
        said: What it says of itself; nothing that depends on parameters.
        memory_mb: What its function has.
    """
    return _sum([*_calls(said, {}), _function(said, Part(region="''", memory_mb=memory_mb), {})])


def of_watching(parameters: Parameters) -> Usage:
    """Return what is used in a month by what watches at night, its function's few cents aside.

    Besides there is a metric for each queue that has a backlog, as long as it has one.

    Args:
        parameters: `observe` says whether it does, and whether an audit can be overdue.
    """
    if not parameters.observe.watch:
        return {}
    return {"cloudwatch_alarm": 9 + bool(parameters.observe.audit_overdue_h), "cloudwatch_metric": 9}


def stored(parameters: Parameters, pipeline: str, mean_bytes: float) -> Usage:
    """Return what one object leaves behind, which costs something for every month that it stays.

    Args:
        parameters: As for `per_object`.
        pipeline: Its name.
        mean_bytes: The object's size.

    Returns:
        Names of prices to GB. The source itself is not in it: it is there anyway.
    """
    names = _names(parameters, pipeline, mean_bytes)
    logs = per_object(parameters, pipeline, mean_bytes).get("cloudwatch_logs", 0)
    amounts = [_amounts(part.stored, names) for _, part in facts.parts(pipeline)]
    return _sum([*amounts, {"cloudwatch_logs_storage": logs}])


def per_month(parameters: Parameters, pipeline: str) -> Usage:
    """Return what a pipeline uses in a month even if nothing happens.

    Args:
        parameters: As for `per_object`.
        pipeline: Its name.

    Returns:
        Names of prices to quantities. A metric is billed only while it is published.
    """
    names = _names(parameters, pipeline, 0)
    return _sum(_month(parameters, *part, names) for part in facts.parts(pipeline))


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
    upload = 0 if _made(pipeline) else 1  # its own is among its writes
    reads = one.get("s3_read", 0) if parameters.observe.trail_events == "all" else 0
    return upload + one.get("s3_write", 0) + reads


def objects_per_day(parameters: Parameters, pipeline: str, given: float) -> float:
    """Return how many objects a pipeline gets, or makes by itself, if its schedule is a rate.

    Args:
        parameters: As for `per_object`.
        pipeline: Its name.
        given: How many it gets, if it makes none.
    """
    made, names = _made(pipeline), _names(parameters, pipeline, 0)
    schedule = str(facts.value(made.schedule, names)) if made else ""
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
    if not made or not rate:
        return given
    runs = {"minute": 24 * 60, "hour": 24, "day": 1}[rate[2]] / int(rate[1])
    return runs * _number(made.objects, names)


def _made(pipeline: str) -> Made | None:
    """Return which objects a pipeline makes by itself; None if they all come from elsewhere."""
    return next((part.makes for _, part in facts.parts(pipeline) if part.makes), None)


def _names(parameters: Parameters, pipeline: str, mean_bytes: float) -> dict[str, object]:
    """Return what the names in the expressions of a pipeline's handlers stand for."""
    values = parameters.of_pipeline(pipeline) if facts.parts(pipeline) else {}
    return {**values, "bytes": mean_bytes}


def _object(scope: Scope, said: Facts, part: Part, names: Mapping[str, object]) -> Usage:
    """Return what a handler uses for one object: its calls, its function, and the way of events and bytes."""
    events, batch_size = _number(part.events, names), _number(part.batch_size, names)
    reads_in, writes_in = (str(facts.value(each, names)) for each in (part.reads_in, part.writes_in))
    way: Usage = {"sns_publish": float(part.topic)}
    if part.queue:  # a message is sent alone, received and deleted with others
        way["sqs_request"] = 1 + 2 / batch_size
    if reads_in and writes_in and reads_in != writes_in:
        near = {reads_in, writes_in} == NEAR
        way["transfer_near" if near else "transfer"] = _number("bytes", names) / GB
    way["kms_request"] = _keys(scope, reads_in, writes_in)
    one = _sum([*_calls(said, names), _function(said, part, names), way])
    return {name: events * amount for name, amount in one.items()}


def _calls(said: Facts, names: Mapping[str, object]) -> Iterable[Usage]:
    for price, calls in said.calls.items():
        yield {price: sum(_number(amount, names) for amount in calls.values())}


def _function(said: Facts, part: Part, names: Mapping[str, object]) -> Usage:
    """Return an object's share of an invocation; the seconds are those of the object."""
    seconds, memory_mb, disk_mb = (
        _number(amount, names) for amount in (said.seconds, part.memory_mb, part.disk_mb)
    )
    return {
        "lambda_request": 1 / _number(part.batch_size, names),
        "lambda_gb_second": seconds * memory_mb / 1024,
        "lambda_disk": seconds * (disk_mb - FREE_DISK_MB) / 1024,
        "cloudwatch_logs": _number(said.log_bytes, names) / GB,
    }


def _month(parameters: Parameters, said: Facts, part: Part, names: Mapping[str, object]) -> Usage:
    used: Usage = {
        "cloudwatch_alarm": len(part.alarms),
        "cloudwatch_metric": sum(_number(metric.published, names) for metric in said.metrics.values()),
    }
    if part.queue:
        used["sqs_request"] = POLLS_A_DAY * facts.DAYS_A_MONTH
        # The queue asks its key: two calls a sender, one a receiver, every five minutes at most:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        periods = facts.DAYS_A_MONTH * 24 * 60 / DATA_KEY_MINUTES
        used["kms_request"] = 3 * periods * _keys(parameters.scope(), str(facts.value(part.region, names)))
    return _sum([used, _amounts(part.per_month, names)])


def _keys(scope: Scope, *regions: str) -> int:
    """Return how often an object's bytes pass a KMS key, in the region of each reading and writing.

    At most: a bucket key is asked for many objects once, a queue's and a table's data keys every five minutes
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html).
    """
    return sum(bool(scope.kms_key_arn(region)) for region in regions if region)


def _amounts(amounts: Amounts, names: Mapping[str, object]) -> Usage:
    return {name: _number(amount, names) for name, amount in amounts.items()}


def _number(amount: float | str, names: Mapping[str, object]) -> float:
    return float(facts.value(amount, names))


def _sum(usages: Iterable[Usage]) -> Usage:
    """Return the sum of each price's quantities, without those of which there is nothing."""
    total: Usage = {}
    for used in usages:
        for name, amount in used.items():
            total[name] = total.get(name, 0) + amount
    return {name: amount for name, amount in total.items() if amount}
