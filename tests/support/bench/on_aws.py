"""What copies take and cost on AWS at any number, by what AWS documents: computed, not measured.

How many a second go through is the least of these:
- Lambda: a mapping has so many batches under way (`maximum_concurrency`); an account 1,000 environments,
  unless it has asked for more. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
- S3: 3,500 copies a second to one prefix; more prefixes take more, once S3 has split them, in minutes.
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
- SNS: 30,000 messages a second in us-east-1, 9,000 in us-west-2, 300 in small regions.
  https://docs.aws.amazon.com/general/latest/gr/sns.html
"""

import pandas as pd

from lib.operate import facts
from lib.operate.observe import cost, usage
from lib.parameters import Parameters
from lib.resources.prices import prices

COPIES_A_SECOND_AND_PREFIX = 3_500
ENVIRONMENTS = 1_000
BODY = 10_000  # bytes
MANY = (10**6, 10**8, 10**10)
DAY_S = 86_400


def growth() -> pd.DataFrame:
    """Return what so many copies of 10 KB take and cost by *migrate*, and by what AWS has for it."""
    parameters = Parameters()
    values = {**parameters.of_pipeline("migrate"), "bytes": BODY}
    seconds = facts.value(facts.of("replicate").seconds, values)
    as_deployed, at_most = parameters.migrate.maximum_concurrency, ENVIRONMENTS
    rows = []
    for objects in MANY:
        ours = (
            objects
            / cost.MILLION
            * cost.beside_others(parameters, "migrate", BODY).loc[cost.TOTAL, "migrate"]
        )
        rows.append(
            (
                f"{objects:,}",
                f"{ours:,.0f}",
                _time(objects, as_deployed / seconds),
                _time(objects, min(at_most / seconds, COPIES_A_SECOND_AND_PREFIX)),
                _time(objects, at_most / seconds),
                f"{_of({'s3_write': objects}):,.0f}",
                f"{_of({'s3_batch_job': 1, 's3_batch_object': objects, 's3_write': objects}):,.0f}",
            )
        )
    names = [
        "objects of 10 KB",
        "migrate, USD",
        f"as deployed ({as_deployed} batches at once)",
        "1,000 batches at once, one prefix",
        "the same, many prefixes",
        "S3 Replication, USD",
        "Batch Operations, USD",
    ]
    return pd.DataFrame(rows, columns=names)


def calls() -> pd.DataFrame:
    """Return what one new object of 10 KB asks of AWS in each pipeline, as the handlers say."""
    parameters = Parameters()
    rows = []
    for pipeline in facts.pipelines():
        used = usage.per_object(parameters, pipeline, BODY)
        rows.append(
            (pipeline, *(f"{used.get(name, 0):g}" for name in ("s3_write", "s3_read", "sqs_request")))
        )
    columns = ["pipeline", "S3 writes and lists", "S3 reads", "SQS requests"]
    return pd.DataFrame(rows, columns=columns)


def _of(used: dict[str, float]) -> float:
    return sum(prices()[name].usd / prices()[name].per * amount for name, amount in used.items())


def _time(objects: int, rate: float) -> str:
    seconds = objects / rate
    if seconds < 2 * DAY_S:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / DAY_S:,.0f} days"
