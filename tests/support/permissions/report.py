"""Write docs/permissions.md: every statement of every policy, and what fails without it."""

from pathlib import Path

from support.permissions.call_shapes import Statement, statements
from support.permissions.code_uses import code_uses
from support.permissions.proofs import DEPLOYER, POLICIES, Proof, proofs, recorded

from lib.base.paths import ROOT

REPORT = ROOT / "docs" / "permissions.md"
HEAD = Path(__file__).with_name("report-head.md")


def report() -> str:
    """Return the report, from the policies and the recorded calls."""
    return HEAD.read_text("utf-8") + "".join(_policy(path) for path in POLICIES)


def _policy(path: str) -> str:
    policy, calls = statements(path), recorded(path)
    proven = list(proofs(path, policy, calls))
    rows = [row for one in policy for row in _rows(path, one, proven)]
    heading = f"\n## `{path}`\n\n| statement | action | without it |\n|---|---|---|\n"
    return heading + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _rows(path: str, one: Statement, proven: list[Proof]) -> list[tuple[str, str, str]]:
    code = code_uses() if path == DEPLOYER else {}
    rows = []
    for number, action in enumerate(one.actions):
        of = [proof for proof in proven if (proof.sid, proof.action) == (one.sid, action)]
        fails = _fails(of)
        if not of and action in code:
            fails = [f"refused: the call in `{code[action]}` (not run here)"]
        rows.append((one.sid if number == 0 else "", f"`{action}`", "; ".join(fails)))
    return rows


def _fails(proven: list[Proof]) -> list[str]:
    calls = sorted({f"`{call}`" for one in proven if not one.source for call in one.fails.split(", ")})
    used = dict.fromkeys(f"{one.fails} ([AWS]({one.source}))" for one in proven if one.source)
    return [*(["refused: " + ", ".join(calls)] if calls else []), *used]


if __name__ == "__main__":
    REPORT.write_text(report(), "utf-8")
    print(f"wrote {REPORT.relative_to(ROOT)}")
