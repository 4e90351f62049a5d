"""A run that is cancelled, as CI and people do it: by signals to a process of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import typer
from support.running import eventually

from lib.base.paths import ROOT
from lib.cli import execution
from lib.cli.execution import Ran
from lib.cli.options import EXIT_FAILED, EXIT_INTERRUPTED
from lib.engine.inventory import Inventory
from lib.engine.lock import Lock
from lib.execution.run import Failure, Result
from lib.parameters import Parameters
from lib.target import connect

RUNBOOK = Path(sys.executable).with_name("runbook")
CANCELLATIONS = ([signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGTERM])


@pytest.mark.parametrize("signals", CANCELLATIONS, ids=lambda each: "-".join(one.name for one in each))
def test_a_run_that_is_cancelled_gives_its_lock_back_and_leaves_no_process(local_aws, signals, request):
    """CI sends SIGINT, SIGTERM some seconds later, and kills after some more; here they come at once."""
    parameters = Parameters.check({"env": f"cancel{len(signals)}{signals[0].value}"})
    target = connect(parameters)
    request.addfinalizer(Inventory(target, parameters).destroy)
    command = [RUNBOOK, "run", "index", "--set", f"env={parameters.env}", "--set", "exercise=false"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as job:
        eventually(lambda: job.poll() is not None or Inventory(target, parameters, "index").existing())
        assert job.poll() is None, job.stdout.read()
        tree = psutil.Process(job.pid).children(recursive=True)
        for each in signals:
            job.send_signal(each)
        said = job.communicate(timeout=120)[0].decode()
    assert job.returncode == EXIT_INTERRUPTED, said
    assert "30_index: interrupted" in said
    assert Lock(target, parameters).holder() is None
    assert not [each for each in tree if each.is_running() and "ipykernel_launcher" in each.cmdline()]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (["ok", "ok"], 0),
        (["ok", "interrupted", "not run"], EXIT_INTERRUPTED),
        (["ok", "not run"], EXIT_INTERRUPTED),  # between two notebooks
        (["failed", "not run"], EXIT_FAILED),
    ],
)
def test_a_run_that_did_not_come_to_its_end_is_no_success(outcomes, code):
    results = [
        Result(f"{number}0_a", outcome, failure=Failure("Error", "said") if outcome == "failed" else None)
        for number, outcome in enumerate(outcomes)
    ]
    ran = Ran(results, "a run", Path("index.html"), is_plan=False)
    assert (ran.exit_code, bool(ran.bad)) == (code, code != 0)


@pytest.mark.parametrize(
    ("outcomes", "is_told"),
    [(["ok", "failed"], True), (["ok", "interrupted"], False), (["ok", "not run"], False)],
)
@pytest.mark.parametrize("alert", [True, False])
def test_a_plan_that_did_not_come_to_its_end_gives_no_all_clear(
    outcomes, is_told, alert, tmp_path, monkeypatch, capsys
):
    told, out = [], tmp_path / "plan.json"
    results = [
        Result(f"{number}0_a", outcome, failure=Failure("Error", "said") if outcome == "failed" else None)
        for number, outcome in enumerate(outcomes)
    ]
    ran = Ran(results, "a run", Path("index.html"), is_plan=True)
    monkeypatch.setattr(execution, "_run", lambda *_: ran)
    monkeypatch.setattr(execution, "connect", lambda _: None)
    monkeypatch.setattr(execution.telling, "alerts_of", lambda *_, **__: "the topic")
    monkeypatch.setattr(execution.telling, "tell", lambda alerts, *_: told.append(alerts))
    with pytest.raises(typer.Exit):
        execution.plan([], Parameters.check({"mode": "plan"}), execution.Asked(), out=out, alert=alert)
    assert (out.exists(), told) == (is_told, [("the topic" if alert else None)] if is_told else [])
    said = capsys.readouterr().err
    assert (f"{out} was not written" in said) is not is_told
    assert ("no alert was told" in said) is (alert and not is_told)
