"""What MiniStack's DynamoDB got wrong; its exports are in test_table_exports.py."""

import os
import subprocess
from pathlib import Path

from lib.base.paths import ROOT
from lib.local.install import ensure_installed

PROGRAM = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("config", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
from ministack.services import dynamodb
seen = []
check = dynamodb._condition_syntax_error.original
def counted(expression, slot):
    seen.append(expression)
    return check(expression, slot)
dynamodb._condition_syntax_error.original = counted
for number in range(5):
    for condition in ("a = :a", "a > :a"):
        found = dynamodb._evaluate_condition(condition, {"a": {"N": str(number)}}, {":a": {"N": "3"}}, {})
        print(number, condition, found)
print(seen)
for _ in range(2):
    try:
        print(dynamodb._condition_syntax_error("a = = :a", "KeyConditionExpression"))
    except Exception as error:
        print(error)
"""


def test_the_syntax_of_a_condition_is_checked_once(tmp_path: Path) -> None:
    environment = {"STATE_DIR": "data", "S3_DATA_DIR": "s3", "TMPDIR": "tmp", "AUTH": "true"}
    for name in ("data", "s3", "tmp"):
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [ensure_installed(), "-c", PROGRAM, ROOT / "lib" / "local" / "hypercorn_config.py"],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *each, seen, first, second = done.stdout.splitlines()
    assert seen == "['a = :a', 'a > :a']"
    assert [line for line in each if line.endswith("True")] == ["3 a = :a True", "4 a > :a True"]
    assert "Syntax error" in first
    assert first == second
