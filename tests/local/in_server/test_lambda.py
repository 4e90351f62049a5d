"""What MiniStack's Lambda got wrong."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor

import psutil
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.local import ministack

CODE = """
import pathlib, time
while not pathlib.Path({gate!r}).exists():
    time.sleep(0.05)
def handle(event, context):
    return "done"
"""


def test_an_environment_that_dies_while_it_starts_takes_no_other_with_it(local_aws, somebody, tmp_path):
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
    lambda_.delete_function(FunctionName="starts")
    somebody("iam").delete_role(RoleName="starts")
    assert said[0] == '"done"'
    assert "Worker process exited" in said[1]


def create_function(somebody, code: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", code)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = somebody("iam").create_role(RoleName="starts", AssumeRolePolicyDocument=document)
    somebody("lambda").create_function(
        FunctionName="starts",
        Runtime="python3.12",
        Handler="handler.handle",
        Role=role["Role"]["Arn"],
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )


def wait_for_two_environments() -> list[psutil.Process]:
    """Return the processes of the function's environments, once both have begun to start."""

    def look() -> list[psutil.Process]:
        children = psutil.Process(ministack.status().pid).children()
        return [child for child in children if any("-starts-" in word for word in child.cmdline())]

    waiting = Retrying(
        retry=retry_if_result(lambda seen: len(seen) < 2), stop=stop_after_delay(600), wait=wait_fixed(0.1)
    )
    return waiting(look)
