"""What it costs on AWS: prices times what is used. Estimates; free tiers are ignored."""

from collections.abc import Mapping

import pandas as pd

from lib.operate import facts
from lib.operate.observe import usage
from lib.operate.observe.usage import Usage
from lib.parameters import Parameters
from lib.resources.prices import prices

MILLION = 1_000_000
# What data-transfer-hub's documentation says of a million objects of 10 KB, without transfer between regions.
# https://docs.aws.amazon.com/solutions/latest/data-transfer-hub/cost.html
DATA_TRANSFER_HUB_USD = 9.51
TOTAL = "total"


def of(used: Usage) -> dict[str, float]:
    """Return what a usage costs.

    Args:
        used: Short names of prices to quantities.

    Returns:
        The prices' names to US dollars.
    """
    return {
        prices()[name].name: prices()[name].usd / prices()[name].per * amount for name, amount in used.items()
    }


def per_million(parameters: Parameters, mean_bytes: float) -> pd.DataFrame:
    """Return what a million new objects cost in each pipeline, without what it costs to keep them.

    Args:
        parameters: Those of the pipelines say what an object takes, and which regions have keys.
        mean_bytes: How large an object is; those that a pipeline makes by itself are as it makes them.

    Returns:
        One row an item and last the total, one column a pipeline: US dollars.
    """
    used = {name: usage.per_object(parameters, name, mean_bytes) for name in facts.pipelines()}
    return bill({name: _times(MILLION, one) for name, one in used.items()})


def beside_others(parameters: Parameters, pipeline: str, mean_bytes: float) -> pd.DataFrame:
    """Return what a million copies cost by a pipeline, beside S3's own price and another tool's.

    Args:
        parameters: As for `per_million`.
        pipeline: One that copies objects.
        mean_bytes: How large an object is.

    Returns:
        One row an item and last the total: US dollars, without the transfer between regions, which comes to
        all of them. Of the other tool only the total is known.
    """
    used = usage.per_object(parameters, pipeline, mean_bytes)
    kept = {name: amount for name, amount in used.items() if not name.startswith("transfer")}
    table = bill({pipeline: _times(MILLION, kept), "S3 alone": {"s3_write": MILLION}})
    hub = pd.Series(float("nan"), table.index)
    hub[TOTAL] = DATA_TRANSFER_HUB_USD
    return table.assign(**{"data-transfer-hub": hub})


def per_month(parameters: Parameters, objects_per_day: float, mean_bytes: float) -> pd.DataFrame:
    """Return what a month costs: the objects that come, keeping these for a month, and what is always there.

    Args:
        parameters: As for `per_million`; `observe` says whether there is a trail, and whether it watches.
        objects_per_day: How many come a day, in each pipeline that does not make its own.
        mean_bytes: As for `per_million`.

    Returns:
        As `per_million`; a further column is for the dashboard, the trail and what watches, which all
            pipelines share.
    """
    used, events = {}, 0.0
    for name in facts.pipelines():
        objects = facts.DAYS_A_MONTH * usage.objects_per_day(parameters, name, objects_per_day)
        one = [usage.per_object(parameters, name, mean_bytes), usage.stored(parameters, name, mean_bytes)]
        used[name] = _sum(*(_times(objects, each) for each in one), usage.per_month(parameters, name))
        events += objects * usage.data_events(parameters, name, mean_bytes)
    used["observe"] = {
        "cloudwatch_dashboard": 1,
        "cloudtrail_data_event": events,
        **usage.of_watching(parameters),
    }
    return bill(used)[[*facts.pipelines(), "observe"]]


def bill(used: Mapping[str, Usage]) -> pd.DataFrame:
    """Return a table of costs.

    Args:
        used: What each column of the table uses.

    Returns:
        One row an item and last the total: US dollars. An item that costs nothing anywhere is left out.
    """
    found = pd.DataFrame({column: of(each) for column, each in used.items()}, dtype=float).fillna(0.0)
    order = [price.name for price in prices().values() if price.name in found.index]
    rows = found.loc[order][found.loc[order].any(axis=1)]
    return pd.concat([rows, rows.sum().to_frame(TOTAL).T]).rename_axis("item")


def _times(factor: float, used: Usage) -> Usage:
    return {name: factor * amount for name, amount in used.items()}


def _sum(*usages: Usage) -> Usage:
    names = dict.fromkeys(name for each in usages for name in each)
    return {name: sum(each.get(name, 0) for each in usages) for name in names}
