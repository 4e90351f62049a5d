"""What a handler logs to and counts with."""

import os
import warnings
from threading import RLock
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.logging.types import LogRecord

NAMESPACE = "runbook"
# What Powertools writes into each line, and the log group's name or `service` says already: a third of it,
# and CloudWatch charges by the byte.
SAID_ALREADY = ("function_name", "function_memory_size", "function_arn")


class ShortLines(LambdaPowertoolsFormatter):
    """Lines as Powertools writes them, without what is said already."""

    def serialize(self, log: LogRecord) -> str:
        """Return a line."""
        kept = {name: value for name, value in log.items() if name not in SAID_ALREADY}
        return super().serialize(kept)


class SafeMetrics(Metrics):
    """Powertools' metrics, which threads add to; by themselves they would lose a value now and then.

    https://docs.powertools.aws.dev/lambda/python/latest/core/metrics/#metrics-isolation
    """

    _adding = RLock()

    def add_metric(self, *arguments: Any, **named: Any) -> None:
        """Add a value of a metric; as that of `Metrics`."""
        with self._adding:
            super().add_metric(*arguments, **named)


def log_and_metrics(handler: str) -> tuple[Logger, Metrics]:
    """Return what a handler logs to and counts with; both name the function that it runs in.

    What it logs and counts is said in its `facts.yaml`.

    Args:
        handler: Its name, which stands for the function's where there is none.
    """
    # An event with nothing to do has no metrics to tell; Powertools would log a warning each time.
    warnings.filterwarnings("ignore", "No application metrics to publish")
    service = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", handler)
    logger = Logger(service=service, logger_formatter=ShortLines())
    return logger, SafeMetrics(namespace=NAMESPACE, service=service)
