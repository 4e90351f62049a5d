"""`make sweep`: every pipeline stopped at every call of its deployment and of its end, and disturbed at each.

With `--lag-scale` on a local AWS that is late (docs/lag.md). There nothing is disturbed besides: what is new
answers as many of the faults do.

The figures go to docs/reliability.md. `make test` takes a sample (test_crash.py, test_faults.py).
"""

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from itertools import zip_longest

import pandas as pd
import pytest
from tqdm import tqdm

from lib.base import retry
from lib.engine import inventory
from lib.local import ministack
from lib.local.in_server.lag_times import Lag
from lib.resources import s3
from support.described import PIPELINES
from support.faults import FAULTS, Disturber, disturbed, without_waits
from support.interruptions import Subject
from support.somebodys import clients_of_root, ends_of, every_end_of

ADOPTED = "-adopted"
# Where AWS's times are a thousandth, looks follow each other as quickly; all bounds are as they are.
POLLS = ((retry, "WAIT_S"), (s3, "WAIT_S"), (s3, "NAME_POLL_S"), (inventory, "DELETION_POLL_S"))
POLL_S, LOOKS_OTHERWISE_S = 0.05, 5.0
ADOPTING = [f"{name}{ADOPTED}" for name in PIPELINES if ends_of(name)]


def interrupted(subject: Subject) -> Iterator[bool]:
    """Stop a pipeline at each of its points; yields whether the end was that of an undisturbed run."""
    points = list(zip_longest(subject.deploy_points, subject.destroy_points))
    for deploying, destroying in tqdm(points, desc=f"{subject.pipeline}, stopped"):
        yield succeeds(subject, f"{deploying} / {destroying}", subject.cycle, deploying, destroying)


def faulty(subject: Subject, counts: dict) -> Iterator[bool]:
    """Do each fault to every call of a deployment and of its end; yields whether the run did not notice."""
    for name, make in tqdm(FAULTS.items(), desc=f"{subject.pipeline}, disturbed"):
        disturber = Disturber(str(subject.target.ca_bundle), make())
        yield succeeds(subject, name, subject.disturbed_cycle, disturbed(subject.target, disturber), name)
        counts["calls disturbed"] += len(disturber.disturbed)


def succeeds(subject: Subject, what: str, run, *arguments) -> bool:
    try:
        run(*arguments)
    except Exception:
        print(f"{subject.pipeline}, {what}:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
        subject.death.set()
        subject.destroy()
        return False
    return True


def row(name: str, scale: float | None) -> dict:
    """Return all figures of a pipeline; of one that adopts its buckets if `-adopted` follows its name."""
    began, pipeline = time.monotonic(), name.removesuffix(ADOPTED)
    adopts = name != pipeline
    adopted = every_end_of(pipeline, clients_of_root(ministack.start())) if adopts else {}
    counts = {"calls disturbed": 0}
    with pytest.MonkeyPatch.context() as patch:
        if scale:
            for module, constant in POLLS:
                patch.setattr(module, constant, POLL_S)
        late_s = LOOKS_OTHERWISE_S if scale else 0
        subject = Subject(pipeline, f"{'adopt' if adopts else 'sweep'}{pipeline}", adopted, late_s)
        stopped = list(interrupted(subject))
    with pytest.MonkeyPatch.context() as patch:
        without_waits(patch)
        unnoticed = [] if scale else list(faulty(subject, counts))
    return {
        "pipeline": name,
        "resources": len(subject.described.resources),
        "deploy stopped": len(subject.deploy_points),
        "destroy stopped": len(subject.destroy_points),
        "not reached": len(subject.not_reached),
        "orphans, duplicates, other ends": stopped.count(False),
        "kinds of faults": len(unnoticed),
        **counts,
        "noticed": unnoticed.count(False),
        "seconds": round(time.monotonic() - began),
    }


def shown(figures: dict) -> pd.DataFrame:
    """Print a pipeline's figures at once: the others take long."""
    table = pd.DataFrame([figures])
    print(table.to_string(index=False), flush=True)
    return table


def main(pipelines: list[str], scale: float | None) -> int:
    with tempfile.TemporaryDirectory() as home:
        os.environ["RUNBOOK_HOME"] = home
        try:
            ministack.start(lag=Lag.of(scale) if scale else None)
            named = pipelines or [*PIPELINES, *([] if scale else ADOPTING)]
            table = pd.concat([shown(row(name, scale)) for name in named])
        finally:
            ministack.reset()
    print(table.to_string(index=False))
    return int(table[["orphans, duplicates, other ends", "noticed"]].to_numpy().sum() > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipelines", nargs="*", help="all of them if none is named")
    parser.add_argument(
        "--lag-scale", type=float, help="how late it is, of what AWS is; 0.001 is enough to be seen"
    )
    arguments = parser.parse_args()
    sys.exit(main(arguments.pipelines, arguments.lag_scale))
