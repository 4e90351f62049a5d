"""What is printed can be printed anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNBOOK = Path(sys.executable).with_name("runbook")
PRINTS = r"""
from lib.cli import terminal
terminal.show_anything()
print("✓ a → b … ≥ 1 — ü 日 \udcff")
terminal.show_table([{"key": "✓ ü …", "number": 1.5}])
terminal.say_error("ü → \udcfe")
"""
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = [
    ({"PYTHONIOENCODING": "ascii"}, rb"ok a -> b ... >= 1 - \xfc \u65e5 \udcff"),
    ({"PYTHONIOENCODING": "latin-1"}, rb"ok a -> b ... >= 1 - " + b"\xfc" + rb" \u65e5 \udcff"),
    ({"PYTHONIOENCODING": "utf-8"}, "✓ a → b … ≥ 1 — ü 日 ".encode() + rb"\udcff"),
    (C_LOCALE, rb"ok a -> b ... >= 1 - \xfc \u65e5 \udcff"),
    ({"LC_ALL": "POSIX"}, "✓ a → b … ≥ 1 — ü 日 ".encode() + rb"\udcff"),  # Python takes it for UTF-8
]
IDS = ["ascii", "latin-1", "utf-8", "C", "POSIX"]


@pytest.mark.parametrize(("variables", "line"), ENCODINGS, ids=IDS)
def test_nothing_that_is_printed_fails_and_no_two_keys_look_alike(
    tmp_path: Path, variables: dict, line: bytes
) -> None:
    (script := tmp_path / "prints.py").write_text(PRINTS, "utf-8")
    done = subprocess.run([sys.executable, script], env=os.environ | variables, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == line


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, C_LOCALE], ids=["ascii", "C"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["run", "Größe"], 2),
        (["output", "--set", "index.fünf=1"], 2),
        (["run", "--params", b"\xe4.yaml"], 2),
    ],
    ids=str,
)
def test_help_and_errors_are_printed(variables: dict, arguments: list, code: int) -> None:
    done = subprocess.run([RUNBOOK, *arguments], env=os.environ | variables, capture_output=True)
    assert b"Traceback" not in done.stderr
    assert done.returncode == code, done.stderr


PLAN = r"""
from lib.cli import terminal
name = "runbook-local-migrate-a-name-that-is-far-longer-than-a-terminal-of-forty-columns"
row = {"type": "SQS queue", "region": "us-east-1", "name": "n"}
terminal.show_plan([
    row | {"action": "unchanged", "why": ""},
    row | {"action": "delete", "why": "is not wanted any more"},
    row | {"action": "create", "why": "does not exist", "name": name},
    row | {"action": "change", "why": "delay_s: 0 → 5; retention_s: 1 → 2"},
])
terminal.show_table([{"type": "CloudWatch log group", "name": name}])
"""


def test_a_plan_says_first_what_changes_and_breaks_no_name(tmp_path: Path) -> None:
    (script := tmp_path / "plan.py").write_text(PLAN, "utf-8")
    environment = os.environ | {"COLUMNS": "40", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True)
    lines = [line.strip() for line in done.stdout.splitlines()]
    name = "runbook-local-migrate-a-name-that-is-far-longer-than-a-terminal-of-forty-columns"
    assert lines[:6] == [
        f"+ create  SQS queue {name} in us-east-1",
        "~ change  SQS queue n in us-east-1",
        "delay_s: 0 → 5",
        "retention_s: 1 → 2",
        "− delete  SQS queue n in us-east-1",
        "is not wanted any more",
    ]
    assert lines[6] == "unchanged: 1 SQS queue"
    assert "runbook-local-migrate-a-name" in done.stdout.split("unchanged")[1]
