"""Write docs/permissions.md, and what is beside each handler: what fails without a statement of a policy."""

from pathlib import Path

from support.permissions.call_shapes import Statement, statements
from support.permissions.code_uses import code_uses
from support.permissions.proofs import DEPLOYER, HANDLERS, POLICIES, Proof, proofs, recorded

from lib.base.paths import ROOT

REPORT = ROOT / "docs" / "permissions.md"
HEAD = Path(__file__).with_name("report-head.md")


def reports() -> dict[Path, str]:
    """Return the reports by their files, from the policies and the recorded calls."""
    of_handlers = {(ROOT / path).with_name("permissions.md"): _of_handler(path) for path in HANDLERS}
    others = (path for path in POLICIES if path not in HANDLERS)
    return {REPORT: HEAD.read_text("utf-8") + "".join(map(_policy, others))} | of_handlers


def _of_handler(path: str) -> str:
    how = "../../docs/permissions.md"
    head = f"# Permissions of *{Path(path).parent.name}*\n\nGenerated, and proven: see [{how}]({how}).\n"
    return head + _policy(path)


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
    for report, text in reports().items():
        report.write_text(text, "utf-8")
        print(f"wrote {report.relative_to(ROOT)}")
