"""Graphs of what the pipelines do and cost."""

import pandas as pd
import pytest
from support.log_lines import NOW, SINCE, failed, metrics, taken

from lib.operate.observe import charts, cost, operation
from lib.operate.observe.activity import Activity
from lib.parameters import Parameters


def test_nothing_at_all_can_be_shown_too():
    found = Activity(["migrate"], SINCE, NOW)
    assert found.lag().empty
    assert found.throughput()["migrate"].sum() == 0
    cost = operation.cost_so_far(Parameters(), found)
    assert cost.loc["total", "migrate"] == 0
    queues = pd.DataFrame(columns=["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"])
    assert len(charts.draw(found, queues, cost).axes) == 6


def test_what_a_month_costs_is_one_bar_a_pipeline_without_the_total():
    month = cost.per_month(Parameters(), 100_000, 10_240)
    (axes,) = charts.monthly_cost(month).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(month.columns)
    longest = max(bar.get_x() + bar.get_width() for bar in axes.patches)
    assert longest == pytest.approx(month.loc[cost.TOTAL].max())


def test_a_queue_whose_age_is_not_told_is_drawn_too():
    rows = [
        ("migrate", "uploads", "work", 3, 0, float("nan")),
        ("migrate", "dead", "dead letters", 1, 0, 9.0),
    ]
    queues = pd.DataFrame(rows, columns=["pipeline", "queue", "kind", "messages", "in flight", "oldest, s"])
    found = taken(metrics(Lag=1, ObjectsCopied=1), failed("a"))
    figure = charts.draw(found, queues, operation.cost_so_far(Parameters(), found))
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts == ["", "9 s"]
    assert all(tick == int(tick) for tick in figure.axes[3].get_xticks())
