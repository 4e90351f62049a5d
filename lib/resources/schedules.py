"""When something runs, as AWS writes it."""

import re
from datetime import datetime, timedelta
from itertools import pairwise

from aws_cron_expression_validator.validator import AWSCronExpressionError, AWSCronExpressionValidator

# https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
LEAST_CRAWLER_MINUTES = 5
RATE = re.compile(r"rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)")


def crawler_schedule(expression: str) -> str:
    """Check a Glue crawler's schedule, which knows cron() only: https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html.

    Args:
        expression: `cron(…)`, or empty for on demand.

    Returns:
        The same.

    Raises:
        ValueError: If Glue would not take it.
    """
    if expression and not _is_cron(expression):
        raise ValueError(f"{expression!r} is not a schedule: write cron(15 12 * * ? *), or '' for on demand")
    if expression and _least_minutes(expression) < LEAST_CRAWLER_MINUTES:
        raise ValueError(
            f"{expression!r} is more often than every {LEAST_CRAWLER_MINUTES} minutes: write "
            "cron(0/5 * * * ? *), or less often"
        )
    return expression


def rule_schedule(expression: str) -> str:
    """Check an EventBridge rule's schedule: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html.

    Args:
        expression: `rate(…)` or `cron(…)`.

    Returns:
        The same.

    Raises:
        ValueError: If EventBridge would not take it.
    """
    match = RATE.fullmatch(expression)
    one_has_no_s = match and (match[1] == "1") == (match[3] == "")
    if not one_has_no_s and not _is_cron(expression):
        raise ValueError(
            f"{expression!r} is not a schedule: write rate(1 minute), rate(5 minutes) or cron(15 12 * * ? *)"
        )
    return expression


def latest_due(expression: str, now: datetime) -> datetime | None:
    """Return until when a rule fires next at the latest; None if its schedule does not say so at a glance.

    Args:
        expression: `rate(…)`, which counts from when the rule was made; of anything else it is not said.
        now: From when on.
    """
    every = interval(expression)
    return now + every if every else None


def interval(expression: str) -> timedelta | None:
    """Return how often a `rate(…)` fires; None of anything else.

    Args:
        expression: A rule's schedule.
    """
    match = RATE.fullmatch(expression)
    return timedelta(**{f"{match[2]}s": int(match[1])}) if match else None


def _least_minutes(expression: str) -> int:
    """Return how many minutes lie between two runs of a schedule at least."""
    minutes, hours, *days = expression.removeprefix("cron(").removesuffix(")").split()
    runs = sorted(60 * hour + minute for hour in _times(hours, 24) for minute in _times(minutes, 60))
    gaps = [later - earlier for earlier, later in pairwise(runs)]
    if re.search("[*,/-]", f"{days[0]} {days[2]}"):  # on the day after, too
        gaps.append(runs[0] + 24 * 60 - runs[-1])
    return min(gaps, default=24 * 60)


def _times(field: str, end: int) -> set[int]:
    """Return the minutes or the hours of a field, whose parts are `*`, `5`, `0-10`, `0/5` or `10-30/5`."""
    times: set[int] = set()
    for part in field.split(","):
        beginning, _, step = part.partition("/")
        first, _, last = beginning.partition("-")
        low = 0 if first == "*" else int(first)
        high = int(last) if last else end - 1 if step or first == "*" else low
        times.update(range(low, high + 1, int(step or 1)))
    return times


def _is_cron(expression: str) -> bool:
    """Say whether it is written as cron(…); one that AWS would not understand is refused."""
    match = re.fullmatch(r"cron\((.*)\)", expression)
    if match:
        try:
            AWSCronExpressionValidator.validate(match[1])
        except AWSCronExpressionError as error:
            raise ValueError(f"{expression!r} is not a schedule: {error}") from error
    return bool(match)
