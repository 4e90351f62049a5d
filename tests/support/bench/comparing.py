"""How long an audit takes, and how much memory, beside what people would use: rclone and the AWS CLI.

`PYTHONPATH=tests python -m support.bench.comparing 20000 TOOLS`, in a home of its own (RUNBOOK_HOME); TOOLS
is the folder in which `make tools` has put rclone and aws.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
from botocore.client import BaseClient
from botocore.config import Config

from lib.cli.exports import exports
from lib.local import ministack
from lib.local.deployer import ROOT_KEY, local_session
from lib.operate.pipelines import deployed
from lib.parameters import Parameters
from lib.target import connect

RUNBOOK = Path(sys.executable).with_name("runbook")
AUDIT = """
from lib.operate.audits.audit import audit
from lib.parameters import Parameters
from lib.target import connect
parameters = Parameters.check({"audit": {"grace_s": 0}})
found = audit(connect(parameters), parameters, "migrate")
assert not found.findings.to_do and found.findings.objects, found
print(found)
"""


def put(client: BaseClient, bucket: str, key: str) -> None:
    """Put an object that is like no other."""
    client.put_object(Bucket=bucket, Key=key, Body=key.encode())


def fill(objects: int) -> tuple[str, str]:
    """Put the same objects into the buckets of a deployed pipeline, and return the buckets' names."""
    parameters = Parameters()
    pipeline = deployed(connect(parameters), parameters, "migrate")
    server = ministack.start()
    for place in (pipeline.source, pipeline.destination):
        client = local_session().client(
            "s3",
            region_name=place.region,
            endpoint_url=server.endpoint_url,
            verify=str(server.ca_bundle),
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
            config=Config(max_pool_connections=8, s3={"addressing_style": "path"}),
        )
        keys = [f"{number % 100:02}/{number:06}.txt" for number in range(objects)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(partial(put, client, place.name), keys))
    return pipeline.source.name, pipeline.destination.name


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Return the seconds, the processor seconds and the most MiB of a command, which must end well."""
    began, most = time.monotonic(), 0
    with Path(os.devnull).open("w") as nothing:
        process = psutil.Popen(command, env=environment, stdout=nothing, stderr=subprocess.STDOUT)
        cpu = process.cpu_times()
        while process.poll() is None:
            try:
                most, cpu = max(most, process.memory_info().rss), process.cpu_times()
            except psutil.Error:
                break
            time.sleep(0.1)
    assert process.wait() == 0, command
    return time.monotonic() - began, cpu.user + cpu.system, most / 2**20


def main(objects: int, tools: Path) -> None:
    """Deploy, fill, compare in three ways, and print what each took.

    Args:
        objects: So many in each bucket.
        tools: The folder with `rclone` and `aws`.
    """
    subprocess.run([RUNBOOK, "run", "migrate", "--no-exercise"], check=True)
    source, target = fill(objects)
    parameters = Parameters()
    given = {name: value for name, value in exports(parameters, as_administrator=True).items() if value}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {**kept, **given, "RCLONE_CONFIG_L_TYPE": "s3", "RCLONE_CONFIG_L_PROVIDER": "Other"}
    environment |= {
        "RCLONE_CONFIG_L_ENV_AUTH": "true",
        "RCLONE_CONFIG_L_ENDPOINT": given["AWS_ENDPOINT_URL"],
        "RCLONE_CA_CERT": given["AWS_CA_BUNDLE"],
    }
    commands = {
        "audit": [sys.executable, "-c", AUDIT],
        "rclone check": [str(tools / "rclone"), "check", f"l:{source}", f"l:{target}", "--checksum"],
        "aws s3 sync --dryrun": [
            str(tools / "aws"),
            "s3",
            "sync",
            f"s3://{source}",
            f"s3://{target}",
            "--dryrun",
        ],
    }
    print(f"{'':24} {'s':>8} {'CPU s':>8} {'most MiB':>9}")
    for name, command in commands.items():
        seconds, cpu, mib = measured(command, environment)
        print(f"{name:24} {seconds:8.1f} {cpu:8.1f} {mib:9.0f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
