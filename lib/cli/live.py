"""The command `runbook live`: the notebooks on a real account, with an end to all of it."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lib.base.errors import ParameterError
from lib.base.paths import ROOT
from lib.cli import terminal
from lib.cli.options import EXIT_FAILED, NONE_GIVEN, Assignments, Names, Yes, confirm, load
from lib.parameters import Parameters

DENY_LIST = ROOT / "params" / "live-deny.txt"
CAP_USD = 5.0
NO_BOUNDARY = "none (docs/real-account.md, 1)"


def live(
    account: Annotated[str, typer.Option(help="The account, 12 digits; any other is refused.")],
    prefix: Annotated[str, typer.Option(help="What every name begins with.")],
    names: Names = NONE_GIVEN,
    target: Annotated[str, typer.Option(help="aws, or local for a rehearsal.")] = "aws",
    params: Annotated[Path | None, typer.Option(help="Default: the target's file in params/.")] = None,
    assignments: Assignments = NONE_GIVEN,
    cap_usd: Annotated[float, typer.Option(help="Refuse if it is estimated to cost more.")] = CAP_USD,
    deny_list: Annotated[Path, typer.Option(help="Accounts that are refused, one a line.")] = DENY_LIST,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; ask AWS nothing.")
    ] = False,
    clean_only: Annotated[
        bool, typer.Option("--clean-only", help="Only remove what earlier live runs left.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Run the notebooks on a real account, in a new environment that is removed afterwards."""
    from lib.execution import live_account
    from lib.execution import live_run as tier
    from lib.execution.run import DESTROY, select

    given = {"target": target, "account_id": account, "prefix": prefix, "env": tier.new_env()}
    given["deletion_protection"] = "DISABLED"  # it is new, and is removed afterwards
    file = params or Path("params") / f"{target}.yaml"
    parameters = load([file], assignments, mode="apply", exercise=True, **given)
    notebooks = [] if clean_only else [path for path in select(names) if path.stem != DESTROY]
    if live_account.looks_like_production(prefix):
        raise ParameterError(f"prefix {prefix!r} looks like production's; nothing was done")
    live_account.refuse_denied(account, deny_list)
    estimated = tier.estimate(parameters)
    _say(parameters, notebooks, estimated, cap_usd)
    tier.require_below(cap_usd, estimated)
    if dry_run:
        print("Dry run: AWS was asked nothing, nothing was done")
        return
    aws = tier.connect(parameters)
    known = live_account.known_as(aws)
    for what, values in known.items():
        print(f"the account's {what}: {'not told' if values is None else ', '.join(values) or 'none'}")
    live_account.refuse_production(known)
    left = tier.leftovers(aws, parameters)
    if not yes:
        confirm(
            f"Run this in account {account} as {aws.caller}, and remove {', '.join(left) or 'no leftovers'}?"
        )
    for env in left:
        print(f"Left by an earlier run: {env}: {tier.clean(parameters, env)} deleted")
    if not clean_only:
        _run(parameters, notebooks)


def _run(parameters: Parameters, notebooks: list[Path]) -> None:
    from lib.execution import live_run as tier

    again = f"--account {parameters.account_id} --prefix {parameters.prefix} --target {parameters.target}"
    print(f"Should this be killed: runbook live {again} --clean-only")
    results, index = tier.run(parameters, notebooks)
    terminal.show_results(results)
    bad = next((result for result in results if result.outcome != "ok"), None)
    if bad:
        terminal.show_failure(bad)
    print(f"Report   {terminal.shown_path(index)}")
    if bad:
        raise typer.Exit(EXIT_FAILED)


def _say(parameters: Parameters, notebooks: list[Path], estimated, cap_usd: float) -> None:
    """Say what is about to be done, from what is known here."""
    print(f"target    {parameters.target}, account {parameters.account_id}")
    print(f"names     {parameters.prefix}-{parameters.env}-…, a new environment")
    print(f"regions   {', '.join(parameters.regions)}")
    print(f"boundary  {parameters.permissions_boundary_arn or NO_BOUNDARY}")
    print("refuses   root, another account than this one, one whose alias, name or tags look like production")
    print(f"before    removes what is left of environments {parameters.prefix}-live??????-…")
    print(f"runs      {shlex.join(path.stem for path in notebooks) or 'nothing'}")
    print("after     90_destroy, and a second look; also after a failure, Ctrl-C or SIGTERM")
    terminal.show_table(
        [{"at most, for a day": row[0], "usd": f"{row[1]:.2f}"} for row in estimated.itertuples(index=False)]
    )
    print(f"cap       {cap_usd:.2f} USD; an estimate is no limit that AWS would keep (docs/live.md)")
