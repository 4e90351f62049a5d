"""Load and faults, counted: `make soak ARGS="--objects 20000"`.

Deploys *migrate* and *backup* on a local AWS of its own, uploads objects of which some are poison, overwrites
and deletes some, sends events again, answers the functions' calls with 503 SlowDown, and kills processes of
theirs. In the end every object is compared byte for byte with what was uploaded last.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from support.soak.driving import Driver, Killer, refuse_poison, until
from support.soak.verdict import Verdict, is_right, judge
from support.soak.workload import Work, workload
from tqdm import tqdm

from lib.engine.waiting import Waiting
from lib.local import deployer, ministack, server_process
from lib.operate.pipelines import Pipeline, deployed
from lib.parameters import Parameters
from lib.resources.sqs import Queue
from lib.target import Target, connect

RUNBOOK = Path(sys.executable).with_name("runbook")
PIPELINES = ("migrate", "backup")
SETTINGS = {"migrate": {"batch_size": 5, "maximum_concurrency": 4}, "backup": {"brake_deletes": 1_000_000}}
# How long a failed message stays hidden. Not six times the function's timeout, as AWS advises and the runbook
# deploys: poison would take half an hour to die, and deliveries would hardly ever overlap.
HIDDEN_S = 30
KILL_EVERY_S = 3
OBJECTS_FOR_EACH_KILL = 40
# The slowest machine that this has run on did 1 object a second.
SETTLED_S, SETTLED_S_FOR_EACH_OBJECT = 120, 1


@contextmanager
def faulty_aws() -> Iterator[None]:
    """A local AWS that throttles functions, in a home of its own; nothing is left of it."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", home)
        patch.setattr(server_process, "CONFIG", Path(__file__).with_name("server_config.py"))
        try:
            ministack.start()
            yield
        finally:
            ministack.reset()


def deploy() -> Parameters:
    """Deploy both pipelines as an operator does."""
    changed = [
        f"{section}.{name}={value}" for section, values in SETTINGS.items() for name, value in values.items()
    ]
    options = [word for setting in changed for word in ("--set", setting)]
    subprocess.run(
        [RUNBOOK, "run", *PIPELINES, "--no-exercise", *options], check=True, stdout=subprocess.PIPE
    )
    return Parameters.check(SETTINGS)


def soak(parameters: Parameters, name: str, objects: int, hidden_s: int) -> dict[str, object]:
    """Put load on a pipeline and disturb it, and count.

    Args:
        parameters: As it was deployed.
        name: The pipeline's.
        objects: How many to upload, poison included.
        hidden_s: How long a failed message stays hidden.

    Returns:
        What was counted.
    """
    target = connect(parameters)
    pipeline = deployed(target, parameters, name)
    works, malformed = workload(objects, deletes=pipeline.removed is not None)
    refuse_poison(target, _root(), pipeline)
    _hide(target, pipeline, hidden_s)
    driver = Driver(target, pipeline)
    killer = Killer(KILL_EVERY_S, objects // OBJECTS_FOR_EACH_KILL)
    began = time.monotonic()
    with killer.at_work():
        driver.send_malformed(malformed)
        driver.upload(works)
        _settle(target, pipeline, works, len(malformed), driver)
    seconds = time.monotonic() - began
    verdict = judge(target, pipeline, works, driver.destination)
    disturbed = {
        "events sent again": driver.sent_again,
        "calls answered with 503": _throttled(name),
        "processes killed": killer.killed,
        "seconds": round(seconds),
        "objects a second": round(objects / seconds, 1),
    }
    return _uploaded(works, malformed) | disturbed | _counted(verdict)


def _uploaded(works: list[Work], malformed: list[str]) -> dict[str, int]:
    return {
        "objects": len(works),
        "overwritten": sum(len(work.bodies) > 1 for work in works),
        "deleted": sum(work.is_deleted for work in works),
        "poisoned objects": sum(work.is_poison for work in works),
        "malformed messages": len(malformed),
    }


def _counted(verdict: Verdict) -> dict[str, object]:
    return {
        "right": verdict.objects["right"],
        "lost": verdict.objects["lost"],
        "wrong": verdict.objects["wrong"],
        "to redrive": verdict.objects["to redrive"],
        "poison in a DLQ with its reason": verdict.poison,
        "other objects in a DLQ": verdict.not_poison,
        "reasons": ", ".join(f"{count} {reason}" for reason, count in sorted(verdict.reasons.items())),
        "bad": ", ".join(verdict.bad),
    }


def _root():
    server, session = ministack.status(), deployer.new_session(deployer.ROOT_KEY, deployer.ROOT_KEY)
    where = {"endpoint_url": server.endpoint_url, "verify": server.ca_bundle}
    return lambda service, region: session.client(service, region, **where)


def _hide(target: Target, pipeline: Pipeline, hidden_s: int) -> None:
    """Let failed messages of a queue come again sooner than AWS advises, so that deliveries overlap."""
    if isinstance(pipeline.created, Queue):
        waiting = Waiting.of(target, pipeline.created)
        root = _root()("sqs", pipeline.created.region)
        root.set_queue_attributes(QueueUrl=waiting.url, Attributes={"VisibilityTimeout": str(hidden_s)})


def _settle(target: Target, pipeline: Pipeline, works: list[Work], malformed: int, driver: Driver) -> None:
    """Wait until all is done or dead; if the time is up before, the verdict tells."""
    pending, poison = list(works), malformed + sum(work.is_poison for work in works)
    dead = [
        Waiting.of(target, letters.queue) for letters in pipeline.dead_letters if letters.kind != "holding"
    ]
    queues = [Waiting.of(target, pipeline.created)] if isinstance(pipeline.created, Queue) else []

    def is_settled() -> bool:
        waiting = sum(queue.depth() for queue in queues)
        others_dead = sum(queue.depth() for queue in dead) - poison
        progress.set_postfix_str(f"{waiting} messages wait, {poison + others_dead} are dead")
        if waiting or others_dead < 0:
            return False
        pending[:] = [work for work in pending if not is_right(work, driver.destination)]
        return len(pending) <= others_dead

    with tqdm(desc=f"Settle {pipeline.name}", bar_format="{desc}: {elapsed}{postfix}") as progress:
        until(is_settled, SETTLED_S + SETTLED_S_FOR_EACH_OBJECT * len(works))


def _throttled(name: str) -> int:
    """Count the calls that were refused, by their buckets."""
    return (ministack.status().state / "faults.log").read_text().count(f"-{name}-")


def soak_both(objects: int, hidden_s: int = HIDDEN_S) -> pd.DataFrame:
    """Soak both pipelines at the same time, half of the objects each.

    Returns:
        One row a count, one column a pipeline.
    """
    with faulty_aws(), ThreadPoolExecutor() as threads:
        parameters = deploy()
        work = {name: threads.submit(soak, parameters, name, objects // 2, hidden_s) for name in PIPELINES}
        counts = {name: each.result() for name, each in work.items()}
    return pd.DataFrame(counts)


def main() -> None:
    """Soak as the command line says, print the counts, and fail if anything was lost or wrong."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--objects", type=int, default=20_000, help="of both pipelines together")
    given = options.parse_args()
    counts = soak_both(given.objects)
    details = ["reasons", "bad"]
    print(counts.drop(details).to_string())
    for name, found in counts.items():
        print(f"{name}: dead letters: {found['reasons']}; not as they must be: {found['bad'] or 'none'}")
    sys.exit(bool(counts.loc[["lost", "wrong"]].to_numpy().sum()))


if __name__ == "__main__":
    main()
