"""Whether the records of runs are as they were written, and what a cut-over released as it was recorded."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lib.base.errors import ParameterError, RunbookError
from lib.base.shown import counted
from lib.cli import terminal
from lib.cli.options import (
    DEFAULT_PARAMS,
    EXIT_DIFFERS,
    EXIT_LEFT_OUT,
    NONE_GIVEN,
    AsJson,
    Assignments,
    Params,
    Quiet,
    load,
)
from lib.cli.recovery import known
from lib.target import connect

if TYPE_CHECKING:
    from lib.engine.records import Looked
    from lib.parameters import Parameters

# The record is imported where it is used: pandas and botocore take a second to import.


class Of(StrEnum):
    """Which bucket is compared."""

    BOTH = "both"
    SOURCE = "source"
    DESTINATION = "destination"


def verify(
    record: Annotated[
        Path | None,
        typer.Argument(
            metavar="RECORD", show_default=False, help="The file that the release of a cut-over wrote."
        ),
    ] = None,
    of: Annotated[Of, typer.Option(help="Which of a cut-over's two buckets is compared.")] = Of.BOTH,
    sha256: Annotated[
        str, typer.Option(metavar="HEX", help="The SHA-256 that was printed, if you kept it.")
    ] = "",
    params: Params = DEFAULT_PARAMS,
    assignments: Assignments = NONE_GIVEN,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """See whether all records of runs are as they were written; writes nothing. With RECORD, a cut-over's.

    Ends with 0 if all is as it was; 3 if something was added, changed or is gone, which is named; 5 if some
    could not be judged; 1 if the record of a cut-over was changed itself.
    """
    parameters = load(params, assignments)
    sha256 = sha256.strip().lower()
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ParameterError(f"--sha256 {sha256}: must be 64 digits and letters a to f, as it was printed")
    if record is None:
        _verify_runs(parameters, sha256)
    else:
        if as_json:
            raise ParameterError("--json is of the records of runs; of a cut-over's the exit code tells")
        _verify_cut_over(parameters, record, of, sha256)


def _verify_runs(parameters: "Parameters", sha256: str) -> None:
    from lib.cli import answers
    from lib.engine.lock import LEDGER_KEY, Lock
    from lib.engine.records import look

    known(parameters)  # what the account's copy of the ledger says of the last record
    with terminal.aside():
        lock = Lock(connect(parameters), parameters)
        holder = lock.holder()
        is_there = lock.kept(LEDGER_KEY) is not None
        looked = look(lock.records, holder.run if holder else "", sha256, is_there)
    code = EXIT_DIFFERS if looked.findings else EXIT_LEFT_OUT if looked.left_out else 0
    answer = answers.VerifyAnswer(
        environment=answers.Environment.of(parameters),
        exit_code=code,
        records=len(looked.account),
        copies=looked.copies,
        digest=looked.digest,
        findings=[
            answers.Found(record=one.number, run=one.run, found=one.found, to_do=one.to_do)
            for one in looked.findings
        ],
        notes=looked.notes,
        left_out=[answers.LeftOut(what=what, reason=why) for what, why in looked.left_out.items()],
    )
    if not terminal.answer(answer):
        for one in looked.findings:
            of_run = f" of run {one.run}" if one.run else ""
            print(f"record {one.number}{of_run}: {one.found}. What to do: {one.to_do}")
        for note in looked.notes:
            print(note)
        for each in answer.left_out:
            print(f"left out: {each.what}: {each.reason}")
        print(_summary(looked, parameters))
    if code:
        raise typer.Exit(code)


def _summary(looked: "Looked", parameters: "Parameters") -> str:
    if not looked.account:
        return f"env {parameters.env!r}: the account has no records of runs"
    first, last = looked.account[0], looked.account[-1]
    what = f"{counted(len(looked.account), 'record')}, {first.number} to {last.number}"
    copies = f"{counted(looked.copies, 'copy')} on this machine"
    if looked.findings:
        return f"{what}, {copies}: {counted(len(looked.findings), 'finding')}"
    return f"{what}, {copies}: all as they were written\nsha256   {looked.digest}"


def _verify_cut_over(parameters: "Parameters", record: Path, of: Of, sha256: str) -> None:
    from lib.operate.cutover import released

    found = released.read(record)
    if sha256 and sha256 != found.digest:
        raise RunbookError(
            f"{record}: its SHA-256 is {found.digest}, not {sha256}: it is not the record that was released"
        )
    for name in ("target", "account_id", "prefix", "env"):
        if found.facts[name] != getattr(parameters, name):
            raise ParameterError(
                f"{name}: the record is of {found.facts[name]!r}, and the parameters say "
                f"{getattr(parameters, name)!r}: name its environment by --params or --set"
            )
    print(found)
    sides = released.SIDES if of is Of.BOTH else (of.value,)
    verified = released.verify(connect(parameters), found, sides, parameters.audit.threads)
    terminal.show_table(verified.frame().to_dict("records"))
    print(verified.told())
    if verified.differs:
        raise typer.Exit(EXIT_DIFFERS)
    if verified.count(released.UNJUDGED):
        raise typer.Exit(EXIT_LEFT_OUT)
