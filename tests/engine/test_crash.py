"""Runs that are stopped at any call are simply run again; some points a day, of all in `make sweep`."""

import signal
import subprocess
import sys

import pytest
from support.interruptions import subject
from support.today import TODAY, sample

from lib.base.paths import ROOT


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
    command = [sys.executable, "-m", "support.dying_run", pipeline, one.parameters.env, what]
    killed = subprocess.run([*command, str(point.number), point.event], cwd=ROOT / "tests", check=False)
    assert killed.returncode == -signal.SIGKILL, point
    one.deploy()
    one.require_deployed(f"{what} killed at {point}")
    one.destroy()
    one.require_nothing(f"{what} killed at {point}")
