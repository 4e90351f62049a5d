"""What MiniStack's SQS did with long queues: counted, not timed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from lib.base.paths import ROOT
from lib.local.install import ensure_installed

PROGRAM = """
import importlib.util, json, sys, time
spec = importlib.util.spec_from_file_location("config", sys.argv[1])
spec.loader.exec_module(importlib.util.module_from_spec(spec))
from ministack.services import sqs

looked = 0

class Message(dict):
    def __getitem__(self, name):
        global looked
        looked += name == "visible_at"
        return super().__getitem__(name)

def new(number):
    text = str(number)
    return Message(
        id=text, body=text, group_id=text, visible_at=0, receive_count=0, sent_at=time.time()
    )

def create(name, **attributes):
    kind = {"FifoQueue": "true"} if sys.argv[3] else {}
    asked = {"QueueName": name + sys.argv[3], "Attributes": {**attributes, **kind}}
    return sqs._act_create_queue(asked, "")["QueueUrl"]

url = create("long", VisibilityTimeout="30")
dead = create("dead")
queue = sqs._get_q(url)
queue["messages"] = [new(number) for number in range(int(sys.argv[2]))]
received = []
for _ in range(10):
    batch = sqs._receive_messages_for_esm(url, 10)
    received += [message["id"] for message in batch]
    sqs._delete_messages_for_esm(url, {message["receipt_handle"] for message in batch[:-1]})
first = looked
# The ten that were not deleted come back, and are due for the dead letters.
arn = sqs._get_q(dead)["attributes"]["QueueArn"]
queue["attributes"]["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
for message in queue["messages"]:
    message["visible_at"] = 0
again = [message["id"] for message in sqs._receive_messages_for_esm(url, 10)]
print(json.dumps({
    "looked": first, "received": received, "again": again, "left": len(queue["messages"]),
    "dead": [message["id"] for message in sqs._get_q(dead)["messages"]],
}))
"""


def run(folder: Path, messages: int, kind: str = "") -> dict:
    environment = {"STATE_DIR": "data", "S3_DATA_DIR": "s3", "TMPDIR": "tmp", "AUTH": "true"}
    for name in ("data", "s3", "tmp"):
        (folder / name).mkdir()
    done = subprocess.run(
        [ensure_installed(), "-c", PROGRAM, ROOT / "lib/local/hypercorn_config.py", str(messages), kind],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("messages", [200, 5_000])
def test_of_a_long_queue_only_the_first_messages_are_looked_at(tmp_path: Path, messages: int) -> None:
    found = run(tmp_path, messages)
    assert found["received"] == [str(number) for number in range(100)]
    dead = [str(number) for number in range(9, 100, 10)]
    assert found["dead"] == dead
    assert found["again"] == [str(number) for number in range(100, 110)]
    assert found["left"] == messages - 100
    # By each receive those that it gives out, and those in hand before them; and all, once a second.
    assert found["looked"] < 1_000 + 2 * messages


@pytest.mark.parametrize("messages", [200, 5_000])
def test_of_a_long_fifo_queue_no_message_is_given_out_that_is_due_for_the_dead_letters(
    tmp_path: Path, messages: int
) -> None:
    found = run(tmp_path, messages, ".fifo")
    assert found["dead"] == [str(number) for number in range(9, 100, 10)]
    assert found["again"] == [str(number) for number in range(100, 110)]
