"""Handlers at work in this process, and what each logs, counts and asks of AWS meanwhile."""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field

import pytest
from botocore.client import BaseClient


@dataclass
class Invocation:
    """One invocation of a handler.

    Attributes:
        lines: What it logged of keys, failures aside: each a dict.
        emitted: What it wrote in CloudWatch's embedded metric format.
        calls: What it asked of AWS: service and operation, and the parameters.
        logged_bytes: Of all that it wrote.
        raised: What it ended with, if it failed.
    """

    lines: list[dict] = field(default_factory=list)
    emitted: list[dict] = field(default_factory=list)
    calls: list[tuple[str, dict]] = field(default_factory=list)
    logged_bytes: int = 0
    raised: Exception | None = None

    @property
    def messages(self) -> list[str]:
        return [line["message"] for line in self.lines]

    @property
    def metrics(self) -> dict[str, list[float]]:
        """Each metric's values."""
        found: dict[str, list[float]] = {}
        for line in self.emitted:
            for metric in _directive(line)["Metrics"]:
                value = line[metric["Name"]]
                found.setdefault(metric["Name"], []).extend(value if isinstance(value, list) else [value])
        return found

    @property
    def units(self) -> set[tuple[str, str]]:
        """The names of the metrics, each with its unit."""
        metrics = (metric for line in self.emitted for metric in _directive(line)["Metrics"])
        return {(metric["Name"], metric["Unit"]) for metric in metrics}

    @property
    def namespaces(self) -> set[tuple[str, tuple]]:
        """The namespaces of the metrics, each with the dimensions."""
        directives = map(_directive, self.emitted)
        return {(one["Namespace"], tuple(map(tuple, one["Dimensions"]))) for one in directives}

    @property
    def asked(self) -> Counter[str]:
        """How often it asked for what; of a batch, for how many items."""
        found: Counter[str] = Counter()
        for name, parameters in self.calls:
            batch = parameters.get("RequestItems", {}) if name == "dynamodb:BatchWriteItem" else {}
            found[name] += sum(map(len, batch.values())) if batch else 1
        return found


def _directive(line: dict) -> dict:
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return directive


@contextmanager
def _calls(seen: list) -> Iterator[None]:
    """Write down all calls of all clients meanwhile."""
    call = BaseClient._make_api_call

    def note(client: BaseClient, operation: str, parameters: dict) -> dict:
        service = client.meta.service_model.service_name
        if service != "sts":  # while calls are recorded, who it is that makes them is asked
            seen.append((f"{service}:{operation}", parameters))
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", note)
        yield


def watched(module, invoke: Callable[[], object]) -> Invocation:
    """Invoke a handler, and tell what it did.

    Args:
        module: The handler's module.
        invoke: Does it; that it fails is no failure of this.
    """
    done, log, out = Invocation(), io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), _calls(done.calls):
        patch.setattr(module.logger.handlers[0], "stream", log)
        try:
            invoke()
        except Exception as error:
            done.raised = error
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    done.lines = [line for line in lines if line["level"] != "ERROR"]
    done.emitted = [json.loads(line) for line in out.getvalue().splitlines()]
    done.logged_bytes = len(log.getvalue().encode()) + len(out.getvalue().encode())
    return done
