"""Commands that look and change nothing, for people and for cron: `audit`, `redrive` and `history`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lib.base import reasons
from lib.base.errors import NotDeployedError
from lib.base.shown import printable
from lib.cli import telling, terminal
from lib.cli.options import (
    DEFAULT_PARAMS,
    EXIT_DIFFERS,
    EXIT_FAILED,
    EXIT_LEFT_OUT,
    NONE_GIVEN,
    Alert,
    AsJson,
    Assignments,
    Names,
    Params,
    Quiet,
    given,
    load,
)
from lib.cli.recovery import known
from lib.target import connect, whereabouts

if TYPE_CHECKING:
    import pandas as pd

    from lib.operate.audits.audit import Audit
    from lib.parameters import Parameters

SHORT_COMMIT = 9  # characters of it, as git shows them

# What operates is imported where it is used: pandas and botocore take a second to import.

Junit = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the checklists there, as JUnit does, for CI."),
]


def audit(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    alert: Alert = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare what the pipelines made with what they were to make; write nothing, not even the lock.

    Exits with 0 if all is as it should be, 3 if something differs, 5 if something could not be judged. What
    changed less than audit.grace_s seconds ago may still be on its way: it is counted and named, and no 5.
    `runbook run audit` keeps the findings in a table, and can repair. With --alert the topic of alerts is
    told, and that an audit was made is counted.
    """
    from lib.cli import answers
    from lib.operate.audits import audit as auditor
    from lib.operate.observe.alerts import count_audit
    from lib.operate.pipelines import those_deployed

    parameters = load(params, assignments, mode="plan", exercise=False)
    with terminal.aside():
        aws = connect(parameters)
        alerts = telling.alerts_of(aws, parameters, alert)
        deployed = those_deployed(aws, parameters, names)
        not_looked_at = deployed.not_looked_at | auditor.not_auditable(deployed)
        there = [one.name for one in deployed]
        chosen = [name for name in there if name in names] if names else there
        if unknown := [name for name in names if name not in {*there, *not_looked_at}]:
            raise NotDeployedError(f"{unknown[0]} is not deployed; there are: {', '.join(there)}")
        audits = [
            auditor.attempt(auditor.audit, aws, parameters, name)
            for name in chosen
            if name not in not_looked_at
        ]
    left_out = [
        answers.LeftOut(what=what, reason=reason)
        for what, reason in not_looked_at.items()
        if not names or what in names
    ]
    left_out += [
        answers.LeftOut(
            what=f"{one.name}: {count} objects such as {one.findings.examples[reason]}", reason=reason
        )
        for one in audits
        for reason, count in one.findings.unjudged.items()
    ]
    code = _exit_code(audits, bool(left_out))
    answer = answers.AuditAnswer(
        environment=answers.Environment.of(parameters),
        exit_code=code,
        clean=code == 0,
        audits=[
            answers.Audited(
                pipeline=one.name,
                clean=one.is_clean,
                counts=dict(one.findings.counts),
                to_do=one.findings.to_do,
                acknowledged=one.findings.known,
                settled=sorted(one.findings.settled),
                not_due=[
                    answers.NotDue(count=count, example=one.findings.examples[reason], reason=reason)
                    for reason, count in one.findings.not_due.most_common()
                ],
                differences=one.differences.to_dict("records"),
                error=one.why_it_ended,
            )
            for one in audits
        ],
        left_out=left_out,
    )
    if not terminal.answer(answer):
        for one in audits:
            print(f"{one!r}")
        for each in left_out:
            print(f"left out: {each.what}: {each.reason}")
        if code == EXIT_DIFFERS and any(one.findings.to_do for one in audits):
            words = "".join(f" {name}" for name in names)
            options = given(params, assignments)
            runbook = terminal.command_name()
            terminal.say_next(
                (f"{runbook} redrive{words}{options}", "whether it is stuck, and why"),
                (
                    f"{runbook} run audit{options} --set audit.repair=true",
                    "send it through its pipeline again",
                ),
            )
    for one in audits:
        for key in sorted(one.findings.settled):
            which = "-- " * key.startswith("-") + shlex.join([one.name, key])
            terminal.note(
                f"{one.name}: {printable(key, keep='')} was acknowledged, and does not differ any more: "
                f"{terminal.command_name()} acknowledge --withdraw{given(params, assignments)} "
                f"{printable(which, keep='')}"
            )
    telling.tell(alerts, "audit", names, telling.of_audits(audits, not_looked_at, names))
    if alerts and not names:
        # What it has found was just told, line by line.
        counted = count_audit(aws, parameters, audits, deployed.left_out, with_differences=False)
        if not counted:
            terminal.note("alerts: not counted as an audit of all pipelines, since not all was judged")
    if code:
        raise typer.Exit(code)


def acknowledge(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a pipeline, such as index.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="Of the object that differs.")],
    reason: Annotated[str, typer.Option(help="Why nothing is to be done about it.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back what was said of it.")] = False,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    quiet: Quiet = False,
) -> None:
    """Take note of a difference that an audit finds, with a reason; each later audit shows it, and is clean.

    It is of the difference as it is now: its state, and what both sides hold. Once any of that is other, it
    is judged anew. A key that does not differ is refused.
    """
    from lib.operate.audits import acknowledged

    parameters = load(params, assignments)
    with terminal.aside():
        aws = connect(parameters)
        if withdraw:
            acknowledged.withdraw(aws, parameters, name, key)
        else:
            said = acknowledged.acknowledge(aws, parameters, name, key, reason)
    print(f"{name}: {printable(key, keep='')}: {'withdrawn' if withdraw else said}")


def _exit_code(audits: "Sequence[Audit]", is_something_left_out: bool) -> int:
    if any(one.error for one in audits):
        return EXIT_FAILED
    if any(one.findings.to_do or one.contradiction for one in audits):
        return EXIT_DIFFERS
    return EXIT_LEFT_OUT if is_something_left_out else 0


def redrive(
    names: Names = NONE_GIVEN,
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    alert: Alert = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say what is stuck, why, and what to do about it; change nothing. Exits with 3 if anything is.

    `runbook run redrive --set redrive.action=redrive` sends it back, and =quarantine sets it aside.
    """
    from lib.cli import answers
    from lib.operate.failures import stuck

    parameters = load(params, assignments, mode="plan", exercise=False)
    with terminal.aside():
        aws = connect(parameters)
        alerts = telling.alerts_of(aws, parameters, alert)
        seen = [stuck.chosen(aws, parameters, name=name) for name in names or [parameters.redrive.pipeline]]
        looked_at = [one for each in seen for one in each]
        found = stuck.stuck(aws, *looked_at)
        queues = stuck.queues(aws, looked_at, found=found)
        unseen = stuck.hidden(aws, looked_at)
        by_reason = stuck.by_reason(found)
    left_out = [
        answers.LeftOut(what=what, reason=reason)
        for each in seen
        for what, reason in each.not_looked_at.items()
    ]
    count = max(len(found), int(queues["messages"].sum()))
    code = EXIT_DIFFERS if count else EXIT_LEFT_OUT if left_out else 0
    answer = answers.RedriveAnswer(
        environment=answers.Environment.of(parameters),
        exit_code=code,
        messages=count,
        queues=queues.astype(object).where(queues.notna(), None).to_dict("records"),
        reasons=by_reason.rename(columns={"what to do": "what_to_do"}).to_dict("records"),
        left_out=left_out,
    )
    if not terminal.answer(answer):
        terminal.show_table(queues[queues["messages"] > 0].to_dict("records"))
        terminal.show_table(by_reason.to_dict("records"))
        print(stuck.said(max(len(found), count - unseen.messages), unseen))
        for each in left_out:
            print(f"left out: {each.what}: {each.reason}")
        if count:
            terminal.say_next(*_hints(found, names, given(params, assignments)))
    telling.tell(alerts, "redrive", names, telling.of_stuck(answer))
    if code:
        raise typer.Exit(code)


def _hints(found: "pd.DataFrame", names: Sequence[str], options: str) -> list[tuple[str, str]]:
    """Return what can be done about what is stuck: commands, and what each is for.

    Args:
        found: What was seen of it.
        names: Of the pipelines that were asked for; none for all.
        options: What was given to this command.
    """
    runbook = terminal.command_name()
    hints = []
    for name in names or [""]:
        # With a name, only what is stuck of that: the notebook takes one, or all.
        one = f"{runbook} run redrive{options}" + (f" --set redrive.pipeline={name}" if name else "")
        of_it = found[found["pipeline"] == name] if name else found
        there = set(of_it["reason"])
        hopeless = [reason for reason in reasons.HOPELESS if reason in there]
        if there - {*hopeless, reasons.HELD}:
            hints.append((f"{one} --set redrive.action=redrive", "send back what can be done now"))
        for reason in hopeless:
            setting = f"--set redrive.action=quarantine --set redrive.reason='{reason}'"
            hints.append((f"{one} {setting}", "set aside what nobody can do"))
        if reasons.HELD in there:
            setting = f"--set redrive.action=redrive --set redrive.reason='{reasons.HELD}'"
            hints.append((f"{one} {setting}", "do the held deletes, once it is known who deleted, and why"))
    # What is hidden may be anything: it has to be seen first.
    again = "".join(f" {name}" for name in names)
    return hints or [(f"{runbook} redrive{again}{options}", "look again, once they can be seen")]


def history(
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """List the runs of an environment, wherever they ran: when, what they were to do, what they made."""
    from lib.cli import answers
    from lib.engine.rollback import touched

    parameters = load(params, assignments)
    ledger = known(parameters)
    recorded = _recorded(parameters)
    runs = [
        answers.PastRun(
            run=run.id,
            at=run.at,
            mode=run.mode,
            version=run.version,
            created=len(touched(ledger, "run", run.id)),
            changed=len(touched(ledger, "changed_by", run.id)),
            **recorded.get(run.id, {}),
        )
        for run in ledger.runs()
    ]
    answer = answers.HistoryAnswer(environment=answers.Environment.of(parameters), runs=runs)
    if not terminal.answer(answer):
        terminal.show_table([run.model_dump() for run in runs])
        if not runs:
            print(f"env {parameters.env!r}: nothing ran yet")


def _recorded(parameters: "Parameters") -> dict[str, dict[str, str]]:
    """Return what is recorded of the last runs, by their ids: in the account, or else on this machine."""
    from lib.base.run_folders import records_of
    from lib.engine.ledger import RUNS_KEPT
    from lib.engine.lock import Lock
    from lib.engine.records import ENDED, copies_in

    _, can_be_asked = whereabouts(parameters)
    with terminal.aside():
        kept = []
        if can_be_asked:
            kept = list(Lock(connect(parameters), parameters).records.of_account(newest=2 * RUNS_KEPT))
    if not kept:  # such as after a destruction
        here = copies_in(records_of(parameters.account_id, parameters.prefix, parameters.env))
        kept = [one for copies in here.values() for one in copies]
    found: dict[str, dict[str, str]] = {}
    for one in kept:
        record = one.record
        who, code = (each if isinstance(each := record.get(name), dict) else {} for name in ("who", "code"))
        known = found.setdefault(str(record.get("run")), {"records": ""})
        known["records"] = " ".join(filter(None, [known["records"], str(one.number)]))
        known["by"] = f"{who.get('user', '')}@{who.get('host', '')}"
        if commit := str(code.get("commit", ""))[:SHORT_COMMIT]:
            is_clean = code.get("clean")
            known["commit"] = commit + ("" if is_clean is True else "+" if is_clean is False else "?")
        ended = record.get("event") == ENDED
        known["outcome"] = str(record.get("outcome")) if ended else "not ended: killed, or at work"
    return found
