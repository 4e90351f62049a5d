"""What the local AWS takes of this machine: said as it is, and less again when nobody works."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.command_line import runbook
from support.headless import eventually
from support.zips import a_zip

from lib.local import kept, ministack, server_process
from lib.local.deployer import ROOT_KEY, client

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
SLOW = "import time\n\n\ndef handler(event, context):\n    time.sleep(2)\n"
AT_ONCE = 4


def test_the_environments_of_a_load_end_when_they_are_idle_and_their_folders_go(own_home, monkeypatch):
    monkeypatch.setattr(server_process, "IDLE_S", 1)
    server = ministack.start()
    role = client(server, "iam", ROOT_KEY, ROOT_KEY).create_role(
        RoleName="idle",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [TRUST]}),
    )["Role"]["Arn"]
    functions = client(server, "lambda", ROOT_KEY, ROOT_KEY)
    functions.create_function(
        FunctionName="slow",
        Runtime="python3.13",
        Handler="handler.handler",
        Role=role,
        Code={"ZipFile": a_zip(SLOW)},
        Timeout=30,
    )
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(lambda _: functions.invoke(FunctionName="slow"), range(AT_ONCE)))
        seen = len(folders(server.state))
    assert seen == AT_ONCE
    assert environments(kept.kept(server.state, server.pid)) >= 1
    assert eventually(lambda: len(folders(server.state)) == 1, timeout_s=120)
    assert eventually(lambda: environments(kept.kept(server.state, server.pid)) <= 2, timeout_s=60)


def folders(state: Path) -> list[Path]:
    return [*(state / "tmp").glob("ministack-lambda-slow-*")]


def environments(said: str) -> int:
    """How many processes are said to be there: of functions, and the one that they are copies of."""
    (number,) = re.findall(r"that of ([\d,]+) environments? of functions", said)
    return int(number.replace(",", ""))


def test_what_is_said_is_what_is_there(tmp_path: Path):
    for name, size in (
        ("s3/bucket/a", 3 * 2**20),
        ("data/x.json", 1024),
        ("tmp/code/y", 0),
        ("server.log", 512),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    (tmp_path / "tmp" / "gone").symlink_to(tmp_path / "nowhere")
    said = kept.kept(tmp_path, None)
    assert said.startswith("3.0 MiB on disk (3.0 MiB objects, 1.0 KiB all else that is stored, ")
    assert "memory" not in said
    assert kept.kept(tmp_path / "nowhere", 2**22 - 1).startswith("0 B on disk")


def test_status_says_it_for_people_and_machines(local_aws):
    said = runbook("local", "status").stdout
    assert re.search(r"on disk \(.* objects, .*\); .* of memory, .* the server's", said)
    answered = runbook("status", "--json", "--set", "env=keeping")
    assert " on disk (" in json.loads(answered.stdout)["kept"]["local AWS"]
    assert "kept here: local AWS: " in runbook("status", "--set", "env=keeping").stderr
