"""How the local AWS's rate changes as a table, a queue or a bucket fills.

`PYTHONPATH=tests python -m support.bench.growth items 200000 10000`, in a home of its own (RUNBOOK_HOME). It
counts the server's processor seconds, too: on a busy machine they say more than the clock.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
from botocore.client import BaseClient
from botocore.config import Config

from lib.local import ministack
from lib.local.deployer import ROOT_KEY, local_session

NAME = "growth"
THREADS = 4


def items(client: BaseClient) -> tuple[Callable[[int], None], int]:
    """Return what writes items into a table, 25 at once."""
    client.create_table(
        TableName=NAME,
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("PK", "SK")],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        BillingMode="PAY_PER_REQUEST",
    )

    def write(number: int) -> None:
        rows = [
            {"PK": {"S": f"T{number % 50}"}, "SK": {"S": f"{number:08}-{place:02}"}, "price": {"N": "101.25"}}
            for place in range(25)
        ]
        client.batch_write_item(RequestItems={NAME: [{"PutRequest": {"Item": row}} for row in rows]})

    return write, 25


def messages(client: BaseClient) -> tuple[Callable[[int], None], int]:
    """Return what sends messages to a queue, 10 at once."""
    url = client.create_queue(QueueName=NAME)["QueueUrl"]

    def send(number: int) -> None:
        entries = [{"Id": str(each), "MessageBody": f"{number}-{each}" * 20} for each in range(10)]
        client.send_message_batch(QueueUrl=url, Entries=entries)

    return send, 10


def objects(client: BaseClient) -> tuple[Callable[[int], None], int]:
    """Return what puts objects into a bucket."""
    client.create_bucket(Bucket=NAME)

    def put(number: int) -> None:
        client.put_object(Bucket=NAME, Key=f"{number % 100:02}/{number:08}.txt", Body=b"x" * 1000)

    return put, 1


KINDS = {"items": ("dynamodb", items), "messages": ("sqs", messages), "objects": ("s3", objects)}


def main(kind: str, total: int, step: int) -> None:
    """Fill, and print after each step how fast it went.

    Args:
        kind: One of KINDS.
        total: So many.
        step: So many between two lines.
    """
    server = ministack.start()
    process = psutil.Process(server.pid)
    service, make = KINDS[kind]
    client = local_session().client(
        service,
        region_name="us-east-1",
        endpoint_url=server.endpoint_url,
        verify=str(server.ca_bundle),
        aws_access_key_id=ROOT_KEY,
        aws_secret_access_key=ROOT_KEY,
        config=Config(max_pool_connections=THREADS, s3={"addressing_style": "path"}),
    )
    write, at_once = make(client)
    print(f"{'total':>8} {'per s':>8} {'slowest call s':>15} {'server CPU ms each':>19} {'server MiB':>11}")
    with ThreadPoolExecutor(THREADS) as threads:
        for begin in range(0, total, step):
            times = process.cpu_times()
            began, before = time.monotonic(), times.user + times.system

            def timed(number: int) -> float:
                began = time.monotonic()
                write(number)
                return time.monotonic() - began

            slowest = max(threads.map(timed, range(begin // at_once, (begin + step) // at_once)))
            seconds, times = time.monotonic() - began, process.cpu_times()
            each = 1000 * (times.user + times.system - before) / step
            mib = process.memory_info().rss / 2**20
            print(
                f"{begin + step:8} {step / seconds:8.0f} {slowest:15.2f} {each:19.3f} {mib:11.0f}", flush=True
            )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
