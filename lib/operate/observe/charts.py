"""The dashboard's graphs, and others, drawn in a notebook."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter
from pandas.api import types

from lib.base import frames
from lib.base.chart import COLOURS, Chart, show_times, style
from lib.base.shown import counted
from lib.operate.observe.activity import Activity
from lib.operate.observe.cost import TOTAL
from lib.operate.observe.operation import WORK

# In inches.
WIDTH, ROW, EMPTY_ROW = 9, 3, 1
COST_SIZE, LINES_SIZE, MAP_SIZE = (WIDTH, 4.5), (WIDTH, 4), (WIDTH, 5)
MINUTE = pd.Timedelta(minutes=1)
EMPTY, NOTHING = "all empty ✓", "nothing in this time"
FURTHEST_LONGITUDE = (
    -50
)  # the few airports of the United States beyond, in the Pacific, would shrink all else


class Tips(dict[str, list[str]]):
    """What the parts of a chart say when one points at them."""


def draw(done: Activity, queues: pd.DataFrame, cost: pd.DataFrame) -> Chart:
    """Draw what the pipelines do, six graphs as on the dashboard.

    Args:
        done: What was done.
        queues: As `operation.queues` returns it.
        cost: As `operation.cost_so_far` returns it.
    """
    tips = Tips()
    names = queues["pipeline"] + " " + queues["queue"]
    is_work = queues["kind"] == WORK
    work, rest = (queues.set_index(names)[chosen.values] for chosen in (is_work, ~is_work))
    lags, objects, failures, usd = done.lag(), done.throughput(), done.errors_per_minute(), cost.loc[TOTAL]
    filled = [
        len(lags) or objects.any(axis=None),
        failures.any(axis=None) or usd.any(),
        queues["messages"].any(),
    ]
    heights = [ROW if row else EMPTY_ROW for row in filled]  # what is empty is said in a line
    with style():
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        (lag, throughput), (errors, so_far), (waiting, not_done) = figure.subplots(
            3, 2, gridspec_kw={"height_ratios": heights}
        )
        said = [
            _lags(lag, lags, tips),
            _lines(throughput, objects, "throughput", "object"),
            _lines(errors, failures, "errors", "error"),
            _costs(so_far, usd, tips),
            _depths(waiting, work, "queues", tips),
            _depths(not_done, rest, "not done", tips),
        ]
    return Chart(figure, ". ".join(said) + ".", tips)


def monthly_cost(cost: pd.DataFrame) -> Chart:
    """Draw what each pipeline costs, a bar for each, and in it what costs how much.

    Args:
        cost: As `cost.per_month` returns it.
    """
    items = cost.drop(index=TOTAL)
    tips = Tips()
    with style():
        figure = Figure(figsize=COST_SIZE, layout="constrained")
        axes = figure.subplots()
        palette = colormaps["tab20"]  # of ten, some would come twice
        begin = pd.Series(0.0, index=items.columns)
        for number, (item, usd) in enumerate(items.iterrows()):
            bars = axes.barh(
                items.columns, usd, left=begin, color=palette(number % palette.N), label=str(item)
            )
            begin += usd
            _tell(
                tips,
                bars,
                [f"{pipeline}, {item}: {frames.money(usd[pipeline])}" for pipeline in items.columns],
            )
        axes.set(title="a month", xlim=(0, None))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda usd, _: frames.money(usd)))
        axes.invert_yaxis()
        figure.legend(loc="outside right center")
    totals = cost.loc[TOTAL].sort_values(ascending=False, kind="stable")
    each = ", ".join(f"{pipeline} {frames.money(usd)}" for pipeline, usd in totals.items())
    return Chart(figure, f"US dollars a month, an estimate: {each}.", tips)


def bars(table: pd.DataFrame, title: str, unit: str) -> Chart:
    """Draw a bar for each row, and in it a part for each column.

    Args:
        table: Numbers; what is missing is none.
        title: What they are.
        unit: Of what, such as `objects` or `s`.
    """
    numbers, tips = table.fillna(0), Tips()
    rows = numbers.index.astype(str)
    with style():
        figure = Figure(figsize=(WIDTH, 1 + 0.35 * max(len(numbers), 2)), layout="constrained")
        axes = figure.subplots()
        begin = pd.Series(0.0, index=numbers.index)
        for column, colour in zip(numbers.columns, _colours(len(numbers.columns)), strict=True):
            places = range(len(rows))  # two may have one name
            drawn = axes.barh(
                places, numbers[column], left=begin, color=colour, label=str(column), tick_label=rows
            )
            begin += numbers[column]
            texts = [f"{_number(number)} {unit}" for number in numbers[column]]
            _tell(tips, drawn, [f"{row}, {column}: {text}" for row, text in zip(rows, texts, strict=True)])
        if numbers.empty:
            _say(axes, NOTHING)
            return Chart(figure, f"{title.capitalize()}: {NOTHING}.")
        axes.bar_label(drawn, [_number(total) for total in begin], padding=3)
        axes.set(title=f"{title}, {unit}", xlim=(0, max(1.15 * begin.max(), 1e-9)))
        axes.xaxis.set_major_locator(
            MaxNLocator(5, integer=all(types.is_integer_dtype(kind) for kind in table.dtypes))
        )
        axes.invert_yaxis()
        if len(numbers.columns) > 1:
            figure.legend(loc="outside lower center", ncols=min(len(numbers.columns), 6))
    each = (
        f"{row}: {', '.join(f'{_number(each)} {column}' for column, each in parts.items() if each) or 'none'}"
        for row, (_, parts) in zip(rows, numbers.iterrows(), strict=True)
    )
    return Chart(figure, f"{title.capitalize()}, in {unit}: {'; '.join(each)}.", tips)


def changes(prices: pd.DataFrame) -> Chart:
    """Draw how prices have changed since the first, a line for each column.

    Args:
        prices: Their index is the time.
    """
    relative = prices / prices.iloc[0] - 1
    last = relative.iloc[-1]
    with style():
        figure = Figure(figsize=LINES_SIZE, layout="constrained")
        axes = figure.subplots()
        for name, colour in zip(relative.columns, _colours(len(relative.columns)), strict=True):
            axes.plot(relative.index, relative[name], label=name, color=colour)
        axes.set(title="change of the price since the beginning", ylabel="")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        show_times(axes, most=6)
        figure.legend(loc="outside right center")
    each = ", ".join(f"{name} {round(change, 3) + 0.0:+.1%}" for name, change in last.items())
    return Chart(figure, f"Change of the price from the beginning to the end: {each}.")


def airports(places: pd.DataFrame, above_ft: float) -> Chart:
    """Draw airports on a map, those that are high in another colour.

    Args:
        places: One row an airport: faa, name, lat, lon in degrees, and alt in feet.
        above_ft: From which altitude on one is high, in feet.
    """
    shown = places[places["lon"] < FURTHEST_LONGITUDE].sort_values("alt", kind="stable")
    high = shown["alt"] > above_ft
    tips = Tips()
    with style():
        figure = Figure(figsize=MAP_SIZE, layout="constrained")
        axes = figure.subplots()
        kinds = {f"up to {above_ft:,.0f} feet": (~high, 4, COLOURS[0]), "above": (high, 16, COLOURS[1])}
        for number, (label, (chosen, size, colour)) in enumerate(kinds.items()):
            some = shown[chosen]
            dots = axes.scatter(some["lon"], some["lat"], s=size, color=colour, label=label, linewidths=0)
            dots.set_gid(f"places-{number}")
            tips[f"places-{number}"] = [f"{row.name_}, {row.faa}: {row.alt:,.0f} feet" for row in _rows(some)]
        # One degree of longitude is shorter than one of latitude, by the cosine: at 40° north about 0.77.
        axes.set(title="airports of the United States", aspect=1 / 0.77)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda lon, _: f"{abs(lon):.0f}°{'W' if lon < 0 else 'E'}")
        )
        axes.yaxis.set_major_formatter(FuncFormatter(lambda lat, _: f"{lat:.0f}°N"))
        figure.legend(loc="outside lower center", ncols=2, markerscale=1.5)
    top = ", ".join(f"{row.name_} ({row.alt:,.0f} feet)" for row in list(_rows(shown.tail(3)))[::-1])
    beyond = len(places) - len(shown)
    return Chart(
        figure,
        f"A map of {counted(len(shown), 'airport')}, {high.sum():,} of them above {above_ft:,.0f} feet; the "
        f"highest: {top}{f'. {beyond:,} further ones lie beyond it' if beyond else ''}.",
        tips,
    )


def _rows(places: pd.DataFrame) -> Any:
    return places.rename(columns={"name": "name_"}).itertuples()  # `name` is a tuple's own


def _number(number: float) -> str:
    """Return a number without an exponent, whole ones to the last digit."""
    if float(number).is_integer():
        return f"{number:,.0f}"
    return (
        f"{number:,.1f}"
        if abs(number) >= 100
        else np.format_float_positional(number, precision=3, fractional=False, trim="-")
    )


def _colours(number: int) -> list[str]:
    return [COLOURS[each % len(COLOURS)] for each in range(number)]


def _tell(tips: Tips, bars: Any, texts: list[str]) -> None:
    """Let each bar say something when one points at it."""
    for bar, text in zip(bars, texts, strict=True):
        gid = f"bar-{len(tips)}"
        bar.set_gid(gid)
        tips[gid] = [text]


def _say(axes: Axes, text: str) -> None:
    """Write in place of a graph why there is none."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, fontsize=12)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _lags(axes: Axes, lag: pd.DataFrame, tips: Tips) -> str:
    """Draw how long objects took: a bar for half of them, and behind it one for 99 of 100."""
    axes.set(title="lag: of half, and of 99 of 100 objects")
    if lag.empty:
        _say(axes, NOTHING)
        return f"Lag: {NOTHING}"
    for column, colour in (("p99", COLOURS[1]), ("p50", COLOURS[0])):
        bars = axes.barh(lag["pipeline"], lag[column], color=colour, height=0.8 if column == "p99" else 0.4)
        _tell(
            tips,
            bars,
            [f"{row.pipeline}, {column}: {getattr(row, column):,.2f} s" for row in lag.itertuples()],
        )
        if column == "p99":
            axes.bar_label(bars, [f"{seconds:,.1f} s" for seconds in lag["p99"]], padding=3)
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter("{x:,.0f} s")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.invert_yaxis()
    each = [f"{row.pipeline} {row.p50:,.1f} s and {row.p99:,.1f} s" for row in lag.itertuples()]
    return f"Lag of half and of 99 of 100 objects: {', '.join(each)}"


def _lines(axes: Axes, table: pd.DataFrame, title: str, noun: str) -> str:
    """Draw counts a minute, from the first minute in which there is anything to the last."""
    axes.set(title=f"{title}, {noun}s a minute")
    busy = table.index[table.sum(axis=1) > 0]
    if busy.empty:
        _say(axes, "none ✓" if noun == "error" else NOTHING)
        return f"{title.capitalize()}: none"
    shown = table.loc[busy[0] - MINUTE : busy[-1] + MINUTE]
    for name, colour in zip(shown.columns, _colours(len(shown.columns)), strict=True):
        if shown[name].any():
            axes.plot(shown.index, shown[name], label=name, color=colour, marker=".", drawstyle="steps-mid")
    axes.set(ylim=(0, 1.1 * shown.max(axis=None)))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    show_times(axes, most=6)
    axes.legend()
    most = ", ".join(f"{name} {counts.max():,.0f}" for name, counts in shown.items() if counts.any())
    return f"{title.capitalize()}, {noun}s a minute at most: {most}"


def _costs(axes: Axes, usd: pd.Series, tips: Tips) -> str:
    axes.set(title="cost so far, an estimate")
    if not usd.any():
        _say(axes, NOTHING)
        return f"Cost so far: {NOTHING}"
    texts = [frames.money(round(each, 5)) for each in usd]
    bars = axes.barh(usd.index, usd, color=COLOURS[0])
    axes.bar_label(bars, texts, padding=3)
    _tell(tips, bars, [f"{name}: {text}" for name, text in zip(usd.index, texts, strict=True)])
    axes.margins(x=0.2)
    axes.set(xticks=[])
    axes.invert_yaxis()
    return f"Cost so far: {', '.join(f'{name} {text}' for name, text in zip(usd.index, texts, strict=True))}"


def _depths(axes: Axes, queues: pd.DataFrame, title: str, tips: Tips) -> str:
    """Draw a bar for each queue that has messages, and beside it the age of its oldest, if that is known."""
    full = queues[queues["messages"] > 0]
    axes.set(title=f"{title}: messages, age of the oldest")
    if full.empty:
        told = EMPTY if len(queues) else "there are none"
        _say(axes, told)
        return f"{title.capitalize()}: {told}"
    bars = axes.barh(full.index, full["messages"], color=COLOURS[1])
    ages = ["" if pd.isna(age) else f", {age:,.0f} s" for age in full["oldest, s"]]
    texts = [f"{count:,}{age}" for count, age in zip(full["messages"], ages, strict=True)]
    axes.bar_label(bars, texts, padding=3)
    _tell(tips, bars, [f"{name}: {text}" for name, text in zip(full.index, texts, strict=True)])
    axes.set_xlim(0, max(1, 1.3 * full["messages"].max()))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))  # there is no half message
    axes.invert_yaxis()
    others = len(queues) - len(full)
    if others:
        axes.set_xlabel(f"messages; {counted(others, 'other queue')} empty ✓")
    each = ", ".join(f"{name} {text}" for name, text in zip(full.index, texts, strict=True))
    return f"{title.capitalize()}: {each}; {counted(others, 'queue')} empty"
