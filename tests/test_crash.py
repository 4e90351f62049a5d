"""Runs that are stopped at any call are simply run again; some points a day, of all in `make sweep`."""

import os
import random
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from described import PIPELINES
from interruptions import Point, subject

# Another sample each day, the same all day; RUNBOOK_SEED takes that of another.
SEED = int(os.environ.get("RUNBOOK_SEED", date.today().toordinal()))
TODAY = [PIPELINES[(2 * SEED + number) % len(PIPELINES)] for number in range(2)]


def sample(points: list[Point], salt: str) -> Point:
    return random.Random(f"{SEED} {salt}").choice(points)


@pytest.mark.parametrize("pipeline", TODAY)
def test_a_run_stopped_at_any_call_is_simply_run_again(local_aws, pipeline):
    one = subject(pipeline)
    one.cycle(sample(one.deploy_points, pipeline), sample(one.destroy_points, pipeline))


@pytest.mark.parametrize("what", ["deploy", "destroy"])
def test_a_process_that_is_killed_is_simply_run_again(local_aws, capfd, what):
    pipeline = TODAY[0]
    one = subject(pipeline)
    if what == "destroy":
        one.deploy()
    points = one.deploy_points if what == "deploy" else one.destroy_points
    point = sample(points, what)
    command = [sys.executable, "dying_run.py", pipeline, one.parameters.env, what]
    killed = subprocess.run(
        [*command, str(point.number), point.event], cwd=Path(__file__).parent, check=False
    )
    assert killed.returncode == -signal.SIGKILL, point
    one.deploy()
    one.require_deployed(f"{what} killed at {point}")
    one.destroy()
    one.require_nothing(f"{what} killed at {point}")
