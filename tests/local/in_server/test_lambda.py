"""What MiniStack's Lambda got wrong."""

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from support import cases, zips
from support.servers import eventually
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.base.paths import ROOT
from lib.engine.stack import Stack
from lib.local import ministack
from lib.local.install import ensure_installed

HAD_BOTO3 = """
import sys
had = "boto3.dynamodb" in sys.modules
import ctypes, json, os
def handle(event, context):
    if event == "exit":
        os._exit(3)
    print("seen")
    return {
        "had": had, "own": getattr(ctypes, "OWN", None), "cwd": os.getcwd(), "path": sys.path[:2],
        "argv": sys.argv, "environment": dict(os.environ),
        "files": sorted(map(int, os.listdir("/proc/self/fd"))),
        "command": open("/proc/self/cmdline").read().strip(chr(0)).split(chr(0)),
    }
"""

CODE = """
import pathlib, time
while not pathlib.Path({gate!r}).exists():
    time.sleep(0.05)
def handle(event, context):
    return "done"
"""

WHERE = """
import os, pathlib
here = pathlib.Path(__file__)
def handle(event, context):
    if event == "fail":
        raise ValueError(os.getpid())
    assert here.parent == pathlib.Path(os.environ["LAMBDA_TASK_ROOT"]), here
    return [os.getpid(), str(here.resolve()), {version}]
"""


@pytest.fixture
def function(somebody) -> Iterator[None]:
    """Function `starts`, deleted after the test, with its role."""
    yield
    somebody("lambda").delete_function(FunctionName="starts")
    somebody("iam").delete_role(RoleName="starts")


def test_code_is_unpacked_once_and_new_code_anew(local_aws, somebody, function):
    create_function(somebody, WHERE.format(version=1))
    first, where, version = invoke(somebody)
    assert version == 1
    assert Path(where).is_relative_to(local_aws.state / "tmp")
    invoke(somebody, "fail")  # ends the environment
    second, again, _ = invoke(somebody)
    assert (first == second, where == again) == (False, True)
    assert list(Path(where).parent.glob("__pycache__/handler.*.pyc"))
    somebody("lambda").update_function_code(FunctionName="starts", ZipFile=a_zip(WHERE.format(version=2)))
    _, elsewhere, version = invoke(somebody)
    assert (version, elsewhere == where) == (2, False)


def test_the_invocations_of_an_environment_write_into_one_log_stream(somebody, function):
    create_function(somebody, WHERE.format(version=1))
    logs, group = somebody("logs"), {"logGroupName": "/aws/lambda/starts"}
    with suppress(logs.exceptions.ResourceNotFoundException):  # of another test's function of that name
        logs.delete_log_group(**group)
    processes = [invoke(somebody)[0] for _ in range(3)]
    assert len(set(processes)) == 1
    (stream,) = logs.describe_log_streams(**group)["logStreams"]
    invoke(somebody, "fail")  # ends the environment
    invoke(somebody)
    streams = [each["logStreamName"] for each in logs.describe_log_streams(**group)["logStreams"]]
    assert stream["logStreamName"] in streams and 2 <= len(streams) <= 3
    events = logs.filter_log_events(**group)["events"]
    starts = [each["message"] for each in events if each["message"].startswith("START")]
    assert len(set(starts)) == 5
    of_first = [each["message"] for each in events if each["logStreamName"] == stream["logStreamName"]]
    assert sum(each.startswith("START") for each in of_first) >= 3


def test_code_that_nobody_runs_is_kept_for_a_while_and_code_in_use_for_ever(local_aws, tmp_path):
    program = """if True:
        import os, pathlib, sys
        sys.path.insert(0, sys.argv[1])
        from lib.local.in_server import lambda_code as module
        tmp = pathlib.Path(os.environ["TMPDIR"])
        for number in range(module.MOST_KEPT + 5):
            (module.CODE / f"{number:03}").mkdir(parents=True)
            os.utime(module.CODE / f"{number:03}", (number, number))
        (tmp / "ministack-lambda-f-1").mkdir()
        (tmp / "ministack-lambda-f-1" / "code").symlink_to(module.CODE / "001")
        module.forget()
        print(*sorted(set(range(module.MOST_KEPT + 5)) - {int(each.name) for each in module.CODE.iterdir()}))
    """
    done = subprocess.run(
        [ensure_installed(), "-c", program, ROOT],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "2", "3", "4"]


def test_environments_are_copies_of_a_process_that_has_boto3(somebody, function):
    create_function(somebody, HAD_BOTO3)
    found = invoke(somebody)
    assert found["had"]
    # And yet it is as a process of its own would be.
    environment = found["environment"]
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "starts"
    code = Path(environment["LAMBDA_TASK_ROOT"])
    assert found["path"] == [str(code), str(code.parent)]
    assert found["cwd"] == str(code.resolve())
    assert found["files"] == [0, 1, 2, 3]  # the last is the folder that is listed
    assert found["argv"] == [str(code.with_name("_worker.py"))]
    assert found["command"][1:] == found["argv"]
    assert "had" not in invoke(somebody, "exit")  # but the error
    assert invoke(somebody)["had"], "the next one is a copy, too"


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        pytest.param({"ctypes.py": "OWN = 1"}, {}, id="a module of Python's own name"),
        pytest.param({"jmespath/__init__.py": ""}, {}, id="another version"),
        pytest.param({}, {"PYTHONHASHSEED": "0"}, id="what Python reads when it begins"),
    ],
)
def test_an_environment_that_would_see_a_difference_begins_on_its_own(somebody, function, more, environment):
    create_function(somebody, HAD_BOTO3, more, Environment={"Variables": environment})
    found = invoke(somebody)
    assert not found["had"]
    assert found["own"] == (1 if "ctypes.py" in more else None)
    assert environment.items() <= found["environment"].items()


def test_what_is_copied_begins_anew_when_it_was_killed(local_aws, somebody, function):
    create_function(somebody, HAD_BOTO3)
    invoke(somebody)
    (copied,) = [
        child
        for child in psutil.Process(ministack.status().pid).children()
        if any(word.endswith("lambda_copied.py") for word in child.cmdline())
    ]
    copied.kill()  # its child ends, too, since nobody would take note of its end
    eventually(lambda: "had" in str(invoke(somebody)))
    assert invoke(somebody)["had"]


def test_an_environment_that_dies_while_it_starts_takes_no_other_with_it(
    local_aws, somebody, function, tmp_path
):
    gate, lambda_ = tmp_path / "gate", somebody("lambda")
    create_function(somebody, CODE.format(gate=str(gate)))
    with ThreadPoolExecutor(2) as threads:
        try:
            answers = [threads.submit(lambda_.invoke, FunctionName="starts") for _ in range(2)]
            first, _ = wait_for_two_environments()
            first.kill()
        finally:
            gate.touch()
        said = sorted(json.dumps(json.loads(answer.result()["Payload"].read())) for answer in answers)
    assert said[0] == '"done"'
    assert "Worker process exited" in said[1]


def a_zip(code: str, more: dict[str, str] | None = None) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        for name, text in {**(more or {}), "handler.py": code}.items():
            bundle.writestr(name, text)
    return archive.getvalue()


def invoke(somebody, event: object = None) -> object:
    answer = somebody("lambda").invoke(FunctionName="starts", Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def create_function(somebody, code: str, more: dict[str, str] | None = None, **settings) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = somebody("iam").create_role(RoleName="starts", AssumeRolePolicyDocument=document)
    somebody("lambda").create_function(
        FunctionName="starts",
        Runtime="python3.12",
        Handler="handler.handle",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": a_zip(code, more)},
        Timeout=60,
        **settings,
    )


def wait_for_two_environments() -> list[psutil.Process]:
    """Return the processes of the function's environments, once both have begun to start."""

    def look() -> list[psutil.Process]:
        children = psutil.Process(ministack.status().pid).children(recursive=True)
        return [child for child in children if any("-starts-" in word for word in child.cmdline())]

    waiting = Retrying(
        retry=retry_if_result(lambda seen: len(seen) < 2), stop=stop_after_delay(600), wait=wait_fixed(0.1)
    )
    return waiting(look)


def test_code_can_be_had_from_where_it_is_told_to_be(stack, somebody):
    function = cases.lambda_.function(stack)
    stack.apply()
    client = stack.client(function)
    location = client.get_function(FunctionName=function.name)["Code"]["Location"]
    assert location.startswith("https://")
    assert function._code_there(client) == function.code
    planning = stack.parameters.model_copy(update={"mode": "plan"})
    other = Stack(stack.target, planning, stack.scope.pipeline)
    changed = cases.lambda_.function(other)
    other.replace(replace(changed, code=zips.a_zip("def handler(event, context):\n    return 'other'\n")))
    (step,) = [step for step in other.plan() if step.changes]
    assert "+    return 'other'" in step.difference
