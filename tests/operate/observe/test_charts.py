"""Graphs of what the pipelines do and cost."""

import pandas as pd
import pytest
from support.log_lines import NOW, SINCE, failed, metrics, taken

from lib.operate.observe import charts, cost, operation
from lib.operate.observe.activity import Activity
from lib.operate.samples import FOLDER
from lib.parameters import Parameters

NO_QUEUES = pd.DataFrame(columns=["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"])


def test_nothing_at_all_can_be_shown_too():
    found = Activity(["migrate"], SINCE, NOW)
    assert found.lag().empty
    assert found.throughput()["migrate"].sum() == 0
    cost = operation.cost_so_far(Parameters(), found)
    assert cost.loc["total", "migrate"] == 0
    queues = pd.DataFrame(columns=["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"])
    drawn = charts.draw(found, queues, cost)
    assert len(drawn.figure.axes) == 6
    assert not any(axes.axison and axes.get_xticks().size for axes in drawn.figure.axes)  # no empty box
    assert "Errors: none" in drawn.text


def test_what_a_month_costs_is_one_bar_a_pipeline_without_the_total():
    month = cost.per_month(Parameters(), 100_000, 10_240)
    drawn = charts.monthly_cost(month)
    (axes,) = drawn.figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(month.columns)
    longest = max(bar.get_x() + bar.get_width() for bar in axes.patches)
    assert longest == pytest.approx(month.loc[cost.TOTAL].max())
    dearest = month.loc[cost.TOTAL].idxmax()
    assert f"estimate: {dearest} $" in drawn.text
    assert f"{dearest}, S3 writes: " in "".join(text for texts in drawn._tips.values() for text in texts)


def test_a_queue_whose_age_is_not_told_is_drawn_too():
    rows = [
        ("migrate", "uploads", "work", 3, 0, float("nan")),
        ("migrate", "dead", "dead letters", 1, 0, 9.0),
    ]
    queues = pd.DataFrame(rows, columns=["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"])
    found = taken(metrics(Lag=1, ObjectsCopied=1), failed("a"))
    drawn = charts.draw(found, queues, operation.cost_so_far(Parameters(), found))
    waiting, not_done = drawn.figure.axes[4:]
    assert [text.get_text() for text in waiting.texts] == ["3"]
    assert [text.get_text() for text in not_done.texts] == ["1, 9 s"]
    assert all(tick == int(tick) for axes in (waiting, not_done) for tick in axes.get_xticks())
    assert "Queues: migrate uploads 3; 0 queues empty" in drawn.text


def test_queues_that_are_empty_are_said_to_be_and_only_the_others_are_drawn():
    rows = [
        ("migrate", "uploads", "work", 0, 0, 0.0),
        ("migrate", "dead", "dead letters", 1200, 0, 9.0),
        ("backup", "failures", "failures", 0, 0, 0.0),
    ]
    queues = pd.DataFrame(rows, columns=["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"])
    found = Activity(["migrate"], SINCE, NOW)
    drawn = charts.draw(found, queues, operation.cost_so_far(Parameters(), found))
    waiting, not_done = drawn.figure.axes[4:]
    assert [text.get_text() for text in waiting.texts] == [charts.EMPTY]
    assert [label.get_text() for label in not_done.get_yticklabels()] == ["migrate dead"]
    assert "Queues: all empty ✓. Not done: migrate dead 1,200, 9 s; 1 queue empty." in drawn.text


def test_counts_are_drawn_from_the_first_to_the_last_minute_that_has_any():
    found = taken(metrics(ObjectsCopied=2))
    drawn = charts.draw(found, NO_QUEUES, operation.cost_so_far(Parameters(), found))
    (line,) = drawn.figure.axes[1].lines
    assert 1 <= len(line.get_xdata()) <= 3
    assert "Throughput, objects a minute at most: migrate 2" in drawn.text


def test_a_map_has_all_airports_each_with_what_it_is():
    places = pd.read_csv(FOLDER / "airports.csv")
    drawn = charts.airports(places, 3000)
    tips = [tip for texts in drawn._tips.values() for tip in texts]
    assert len(tips) == len(places[places["lon"] < charts.FURTHEST_LONGITUDE])
    assert "Telluride, TEX: 9,078 feet" in tips
    assert "the highest: Telluride (9,078 feet)" in drawn.text
    assert all(f"<title>{tip}</title>" in drawn.svg() for tip in tips[:3])


def test_bars_have_their_parts_and_their_numbers():
    table = pd.DataFrame({"same": [1200, 4], "missing": [None, 3]}, index=["migrate", "backup"])
    drawn = charts.bars(table, title="objects", unit="objects")
    assert drawn.text == "Objects, in objects: migrate: 1,200 same; backup: 4 same, 3 missing."
    assert [label.get_text() for label in drawn.figure.axes[0].texts] == ["1,200", "7"]
    assert ["backup, missing: 3 objects"] in drawn._tips.values()
    assert charts.NOTHING in charts.bars(table.iloc[:0], title="objects", unit="objects").text


def test_two_rows_of_one_name_have_a_place_each():
    table = pd.DataFrame({"s": [3, 1, 2]}, index=["airlines.csv", "airlines.csv", "planes.csv"])
    drawn = charts.bars(table, title="versions", unit="s")
    assert len({bar.get_y() for bar in drawn.figure.axes[0].patches}) == len(table)
    assert [label.get_text() for label in drawn.figure.axes[0].get_yticklabels()] == list(table.index)


@pytest.mark.parametrize(
    ("number", "told"),
    [(1_234_567, "1,234,567"), (10**9, "1,000,000,000"), (0.1 + 0.2, "0.3"), (0.0123456, "0.0123")]
    + [(999.7, "999.7"), (12.345, "12.3"), (1234.56, "1,234.6"), (0, "0"), (0.0000123, "0.0000123")],
)
def test_a_number_beside_a_bar_is_told_without_an_exponent(number, told):
    drawn = charts.bars(pd.DataFrame({"of": [number]}, index=["a"]), title="objects", unit="objects")
    assert [label.get_text() for label in drawn.figure.axes[0].texts] == [told]
    assert drawn.text == f"Objects, in objects: a: {f'{told} of' if number else 'none'}."
    assert [f"a, of: {told} objects"] in drawn._tips.values()


def test_changes_are_of_the_first_price():
    prices = pd.DataFrame({"A": [2.0, 3.0], "B": [4.0, 3.0]}, index=pd.date_range(NOW, periods=2, freq="s"))
    drawn = charts.changes(prices)
    assert "A +50.0%, B -25.0%" in drawn.text
    nearly = pd.DataFrame({"A": [10000.0, 9999.9]}, index=prices.index)
    assert "A +0.0%" in charts.changes(nearly).text
    assert [list(line.get_ydata()) for line in drawn.figure.axes[0].lines] == [[0, 0.5], [0, -0.25]]
