"""The dashboard's graphs, drawn in a notebook."""

import pandas as pd
from matplotlib import colormaps, pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.operate.observe.activity import Activity
from lib.operate.observe.cost import TOTAL
from lib.operate.observe.operation import WORK

SIZE, COST_SIZE = (14, 7), (10, 5)  # in inches


def draw(done: Activity, queues: pd.DataFrame, cost: pd.DataFrame) -> Figure:
    """Draw what the pipelines do, six graphs as on the dashboard.

    Args:
        done: What was done.
        queues: As `operation.queues` returns it.
        cost: As `operation.cost_so_far` returns it.

    Returns:
        The figure; closed, so that a notebook shows it once.
    """
    figure, axes = pyplot.subplots(2, 3, figsize=SIZE, layout="constrained")
    (lag, throughput, errors), (waiting, not_done, usd) = axes
    _bars(lag, done.lag().set_index("pipeline")[["p50", "p99"]], "lag of half, and of 99 of 100 objects", "s")
    _lines(throughput, done.throughput(), "throughput", "objects a minute")
    _lines(errors, done.errors_per_minute(), "errors", "errors a minute")
    names = queues["pipeline"] + " " + queues["queue"]
    is_work = queues["kind"] == WORK
    _depths(waiting, queues.set_index(names)[is_work.values], "queues: how many wait, and how long")
    _depths(not_done, queues.set_index(names)[~is_work.values], "not done: how many, and how long")
    _bars(usd, cost.loc[[TOTAL]].T, "cost so far, an estimate", "US dollars", legend=False)
    pyplot.close(figure)
    return figure


def monthly_cost(cost: pd.DataFrame) -> Figure:
    """Draw what each pipeline costs, a bar for each, and in it what costs how much.

    Args:
        cost: As `cost.per_month` returns it.

    Returns:
        The figure; closed, so that a notebook shows it once.
    """
    figure, axes = pyplot.subplots(figsize=COST_SIZE, layout="constrained")
    items = cost.drop(index=TOTAL)
    palette = colormaps["tab20"]  # of ten, some would come twice
    colours = [palette(number) for number in range(palette.N)]
    items.T.plot.barh(ax=axes, stacked=True, xlabel="US dollars a month", ylabel="", color=colours)
    axes.invert_yaxis()
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    pyplot.close(figure)
    return figure


def _bars(axes: Axes, table: pd.DataFrame, title: str, unit: str, legend: bool = True) -> None:
    axes.set(title=title)
    if len(table):
        table.plot.bar(ax=axes, rot=0, xlabel="", ylabel=unit, legend=legend)


def _lines(axes: Axes, table: pd.DataFrame, title: str, unit: str) -> None:
    table.plot(ax=axes, title=title, xlabel="", ylabel=unit, ylim=(0, max(1, 1.1 * table.max(axis=None))))


def _depths(axes: Axes, queues: pd.DataFrame, title: str) -> None:
    """Draw a bar for each queue, and the age of its oldest message beside it, where that is known."""
    axes.set(title=title, xlabel="messages")
    if queues.empty:
        return
    bars = axes.barh(queues.index, queues["messages"])
    oldest = queues["oldest, s"].where(queues["messages"] > 0)
    axes.bar_label(bars, ["" if pd.isna(age) else f"{age:,.0f} s" for age in oldest], padding=3)
    axes.set_xlim(0, max(1, 1.2 * queues["messages"].max()))
    axes.locator_params(axis="x", integer=True)  # there is no half message
    axes.invert_yaxis()
