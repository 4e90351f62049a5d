"""Schedules: what EventBridge and Glue would take, and nothing else."""

import pytest

from lib.resources.schedules import crawler_schedule, rule_schedule

CRONS = [
    "cron(15 12 * * ? *)",
    "cron(0/5 8-17 ? * MON-FRI *)",
    "cron(0 10 L * ? 2026)",
    "cron(0,58 5,9 * * ? *)",
    "cron(0,58 0,23 ? * MON *)",
]
NO_CRONS = [
    "cron(15 12 * * *)",  # five fields, as Unix has them
    "cron(15 12 * * * *)",  # a day of the month and of the week
    "cron(99 12 * * ? *)",
    "cron()",
    "15 12 * * ? *",
    "Cron(15 12 * * ? *)",
    " cron(15 12 * * ? *)",
    "cron(15 12 * * ? *)\n",
]


@pytest.mark.parametrize("expression", CRONS)
def test_both_take_cron(expression):
    assert crawler_schedule(expression) == rule_schedule(expression) == expression


@pytest.mark.parametrize("expression", NO_CRONS)
def test_neither_takes_what_aws_would_not_understand(expression):
    for check in (crawler_schedule, rule_schedule):
        with pytest.raises(ValueError, match="is not a schedule"):
            check(expression)


@pytest.mark.parametrize("expression", ["rate(1 minute)", "rate(5 minutes)", "rate(1 day)", "rate(12 hours)"])
def test_only_a_rule_takes_a_rate(expression):
    assert rule_schedule(expression) == expression
    with pytest.raises(ValueError, match="is not a schedule"):
        crawler_schedule(expression)


@pytest.mark.parametrize(
    "expression",
    ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "rate(05 minutes)", "rate(1.5 hours)", "rate()"],
)
def test_a_rate_is_one_of_one_and_several_of_several(expression):
    with pytest.raises(ValueError, match="write rate"):
        rule_schedule(expression)


def test_on_demand_is_a_crawler_s_only():
    assert crawler_schedule("") == ""
    with pytest.raises(ValueError, match="is not a schedule"):
        rule_schedule("")


@pytest.mark.parametrize(
    "often",
    ["cron(0/4 * * * ? *)", "cron(0,58 5,6 * * ? *)", "cron(0,58 0,23 * * ? *)", "cron(1,4 3 1 * ? *)"],
)
def test_a_crawler_runs_every_five_minutes_at_most(often):
    assert rule_schedule(often) == often
    with pytest.raises(ValueError, match="more often than every 5 minutes"):
        crawler_schedule(often)
