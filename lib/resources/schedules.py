"""When something runs, as AWS writes it."""

import re

from aws_cron_expression_validator.validator import AWSCronExpressionError, AWSCronExpressionValidator


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
    match = re.fullmatch(r"rate\(([1-9][0-9]*) (minute|hour|day)(s?)\)", expression)
    one_has_no_s = match and (match[1] == "1") == (match[3] == "")
    if not one_has_no_s and not _is_cron(expression):
        raise ValueError(
            f"{expression!r} is not a schedule: write rate(1 minute), rate(5 minutes) or cron(15 12 * * ? *)"
        )
    return expression


def _is_cron(expression: str) -> bool:
    """Say whether it is written as cron(…); one that AWS would not understand is refused."""
    match = re.fullmatch(r"cron\((.*)\)", expression)
    if match:
        try:
            AWSCronExpressionValidator.validate(match[1])
        except AWSCronExpressionError as error:
            raise ValueError(f"{expression!r} is not a schedule: {error}") from error
    return bool(match)
