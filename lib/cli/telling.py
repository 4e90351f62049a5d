"""What `audit`, `redrive` and `plan` tell the topic of alerts if asked to: a line for each finding."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lib.base.shown import counted
from lib.base.told import UNCHANGED
from lib.cli import terminal
from lib.parameters import Parameters
from lib.target import Target

if TYPE_CHECKING:
    from lib.cli.answers import PlanAnswer, RedriveAnswer
    from lib.operate.audits import audit
    from lib.operate.observe.alerts import Alerts

NOTHING_TO_DO = (UNCHANGED, "kept", "waived")


def alerts_of(target: Target, parameters: Parameters, asked: bool) -> "Alerts | None":
    """Return the topic of alerts if it was asked for; before the work, so that nobody waits in vain.

    Args:
        target: The AWS to look at.
        parameters: Whose.
        asked: Whether it is to be told.

    Raises:
        NotDeployedError: If there is none.
    """
    from lib.operate.observe.alerts import Alerts

    return Alerts.of(target, parameters) if asked else None


def tell(alerts: "Alerts | None", command: str, names: Sequence[str], findings: Iterable[str]) -> None:
    """Tell the topic of alerts, if there is one to tell, and say whether anything was told.

    Args:
        alerts: The topic.
        command: What has found them.
        names: What it was asked to look at; none for all. Findings of other names are others.
        findings: A line each.
    """
    if alerts:
        told = alerts.tell(" ".join([command, *sorted(names)]), findings)
        terminal.note(f"alerts: {'told' if told else 'nothing new to tell'}: {alerts.arn}")


def of_audits(
    audits: "Iterable[audit.Audit]", not_looked_at: Mapping[str, str], names: Sequence[str]
) -> Iterator[str]:
    """Yield what audits have found about which somebody has to do something, also what was not judged."""
    for one in audits:
        if one.contradiction:
            yield f"{one.name}: {one.contradiction}"
        if one.error:
            yield f"{one.name}: not audited to its end: {one.why_it_ended}"
            continue  # what it had found by then is chance
        yield from (f"{one.name}: {each.state}: {each.key}" for each in one.findings if not each.by_design)
    yield from (
        f"{what}: left out: {why}" for what, why in not_looked_at.items() if not names or what in names
    )


def of_stuck(answer: "RedriveAnswer") -> Iterator[str]:
    """Yield what is stuck: how many messages in each queue, why, and what was left out."""
    for one in answer.queues:
        if one.messages:
            yield f"{one.pipeline}: {one.queue}: {counted(one.messages, 'message')} ({one.holds})"
    for each in answer.reasons:
        yield f"{each.pipeline}: {each.queue}: {each.reason}: {each.what_to_do}"
    yield from (f"{each.what}: left out: {each.reason}" for each in answer.left_out)


def of_plan(answer: "PlanAnswer") -> Iterator[str]:
    """Yield what is not as it is described, what cannot be planned, and what was left out."""
    for one in answer.notebooks:
        if one.failure:
            yield f"{one.notebook}: cannot be planned: {one.failure.kind}: {one.failure.message}"
        for step in one.steps:
            if step.action not in NOTHING_TO_DO:
                yield f"{one.notebook}: {step.action} {step.type} {step.name} in {step.region}: {step.why}"
    yield from (f"{each.what}: left out: {each.reason}" for each in answer.left_out)
