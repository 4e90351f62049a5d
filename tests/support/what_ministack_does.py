"""Tries on a local AWS what each rule forbids, for the column MiniStack of docs/truth.md; about two minutes.

By hand, after a new version of MiniStack:

    export RUNBOOK_HOME=/tmp/tried PYTHONPATH=tests
    .venv/bin/python -m support.what_ministack_does
    .venv/bin/runbook local reset --yes

It prints the rules whose `local` in lib/engine/preflight/rules.yaml is not so.
"""

from unittest.mock import patch

from tqdm import tqdm

from lib.base.errors import RunbookError
from lib.engine import preflight
from lib.engine.preflight.violations import rules
from lib.parameters import Parameters
from lib.target import connect
from support.case import Break
from support.cases import BREAKS
from support.described import describe


def tried(case: Break, env: str) -> str:
    """Apply a broken stack over the one that keeps the rules, and tell what became of it.

    Args:
        case: What is broken.
        env: An environment of its own, for what is broken stays.
    """
    parameters = Parameters.check({"env": env})
    describe(case.pipeline, connect(parameters), parameters).apply()
    try:
        with patch.object(preflight, "require"), patch("lib.target.refuse_misfits"):
            stack = describe(case.pipeline, connect(parameters), parameters)
            case.by(stack)
            stack.apply()
    except RunbookError as error:
        return f"refuses: {str(error).splitlines()[0]}"
    return "accepts"


def main() -> None:
    for number, case in enumerate(tqdm(BREAKS, unit="rule")):
        told, found = rules()[case.rule]["local"], tried(case, f"tried{number}")
        if told.split()[0].rstrip(",:") != found.split(":")[0]:
            tqdm.write(f"{case.rule}: told {told!r}, found {found!r}")


if __name__ == "__main__":
    main()
