"""The ledger: what ran, intent before and result after, atomically, for one account, prefix and env."""

import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

from lib.base import paths
from lib.base.errors import RunbookError
from lib.base.run_data import forget_account
from lib.engine.ledger import FORMAT, NOT_RECORDED, Ledger
from lib.operate.backfills.progress import path_of
from lib.parameters import Parameters

FACTS = {"pipeline": "migrate", "noun": "SQS queue", "name": "q", "region": "us-east-1"}


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> Ledger:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    return Ledger("runbook", "test", "000000000000")


def test_before_anything_is_written_it_is_empty_and_there_is_no_file(ledger: Ledger):
    assert (ledger.entries(), ledger.outputs(), ledger.pipelines()) == ({}, {}, [])
    assert not ledger.path.exists()


def test_intent_then_result(ledger: Ledger):
    ledger.intend("arn:1", **FACTS)
    assert ledger.entries()["arn:1"] | {"at": ""} == {**FACTS, "state": "intended", "at": ""}
    ledger.made("arn:1")
    assert ledger.entries()["arn:1"]["state"] == "made"
    assert ledger.entries()["arn:1"]["name"] == "q"


def test_forgetting_a_pipeline_leaves_the_others(ledger: Ledger):
    for pipeline in ("migrate", "backup"):
        ledger.intend(f"arn:{pipeline}", **{**FACTS, "pipeline": pipeline})
        ledger.record_outputs(pipeline, {"bucket": pipeline})
    assert ledger.pipelines() == ["backup", "migrate"]
    ledger.forget("migrate")
    assert list(ledger.entries()) == ["arn:backup"]
    assert ledger.outputs() == {"backup": {"bucket": "backup"}}
    ledger.forget("migrate")
    assert ledger.pipelines() == ["backup"]


def test_outputs_replace_those_that_were_there(ledger: Ledger):
    ledger.record_outputs("migrate", {"a": "1", "b": "2"})
    ledger.record_outputs("migrate", {"a": "3"})
    assert ledger.outputs() == {"migrate": {"a": "3"}}


@pytest.mark.parametrize(
    "other",
    [
        Ledger("runbook", "test", "111122223333"),
        Ledger("other", "test", "000000000000"),
        Ledger("runbook", "other", "000000000000"),
    ],
)
def test_another_account_prefix_or_env_has_a_ledger_of_its_own(ledger: Ledger, other: Ledger):
    for each, bucket in ((ledger, "ours"), (other, "theirs")):
        each.begin(bucket, "apply")
        each.intend("arn:1", **FACTS, run=bucket)
        each.record_outputs("migrate", {"bucket": bucket})
    assert ledger.outputs() == {"migrate": {"bucket": "ours"}}
    assert ledger.entries()["arn:1"]["run"] == ledger.last_run().id == "ours"
    ledger.forget("migrate")
    assert other.outputs() == {"migrate": {"bucket": "theirs"}}
    assert list(other.entries()) == ["arn:1"]


def test_the_last_run_is_the_one_that_ran_last_whatever_it_made(ledger: Ledger):
    assert ledger.last_run() is None
    ledger.begin("run-1", "apply")
    ledger.intend("arn:1", **FACTS, run="run-1")
    ledger.begin("run-2", "plan")
    assert (ledger.last_run().id, ledger.last_run().mode) == ("run-2", "plan")
    ledger.begin("run-2", "apply")
    ledger.begin("run-2", "plan")
    assert (ledger.last_run().id, ledger.last_run().mode) == ("run-2", "apply")
    for mode in ("apply", "move", "apply", "plan"):
        ledger.begin("run-1", mode)
    assert [(run.id, run.mode) for run in ledger.runs()] == [("run-2", "apply"), ("run-1", "move")]
    for number in range(300):
        ledger.begin(f"later-{number}", "plan")
    assert len(ledger.runs()) == 100
    assert ledger.entries()["arn:1"]["run"] == "run-1"


OLDER = {
    "arn:aws:s3:::runbook-test-migrate-source-000000000000-us-west-1": "migrate",
    "arn:aws:s3:::runbook-test-migrate-source-000000000000-us-west-1#runbook-test-migrate-uploads": "migrate",
    "arn:aws:sns:us-west-1:000000000000:runbook-test-migrate-alerts#ops@example.org": "migrate",
    "arn:aws:glue:us-east-1:000000000000:table/runbook_test_index_tables/objects": "index",
    "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/runbook-test-index-index": "index",
    "arn:aws:s3:::runbook-test-run-lock-000000000000-us-east-1": "run",
    "arn:aws:s3:::other-test-migrate-source-000000000000-us-west-1": "migrate",
    "arn:aws:dynamodb:us-east-1:000000000000:table/arunbook-test-index-objects": "index",
}


def older_file(ledger: Ledger, account_id: str = "000000000000") -> Path:
    """A ledger as it was: one for an env, whosever the prefix; two have written into this one."""
    facts = {"noun": "thing", "name": "n", "region": "us-east-1", "state": "made", "run": "run-1"}
    entries = {arn: {**facts, "pipeline": pipeline} for arn, pipeline in OLDER.items()}
    outputs = {
        "migrate": {"source_bucket": "other-test-migrate-source-000000000000-us-west-1"},
        "index": {"database": "runbook_test_index_tables", "table": "runbook-test-index-objects"},
    }
    path = ledger.path.with_name("test.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"account_id": account_id, "entries": entries, "outputs": outputs}))
    return path


def test_a_ledger_of_before_is_taken_over_by_those_whose_names_are_in_it(ledger: Ledger):
    older = older_file(ledger)
    others = [Ledger(prefix, "test", "000000000000") for prefix in ("other", "arunbook")]
    assert list(ledger.entries()) == list(OLDER)[:6]
    assert list(ledger.outputs()) == ["index"]
    assert older.exists()
    assert list(others[0].outputs()["migrate"].values()) == [
        "other-test-migrate-source-000000000000-us-west-1"
    ]
    assert [list(other.entries()) for other in others] == [[arn] for arn in list(OLDER)[6:]]
    assert not older.exists()
    assert ledger.last_run().mode == NOT_RECORDED
    assert list(ledger.entries()) == list(OLDER)[:6]


def test_a_ledger_of_before_of_another_account_is_left_to_it(ledger: Ledger):
    older = older_file(ledger, "111122223333")
    before = older.read_text()
    ledger.intend("arn:1", **FACTS)
    assert list(ledger.entries()) == ["arn:1"]
    assert older.read_text() == before


def test_what_is_nobody_s_in_a_ledger_of_before_is_kept(ledger: Ledger):
    older = older_file(ledger)
    content = json.loads(older.read_text())
    content["entries"]["arn:odd"] = {"pipeline": "migrate", "state": "made"}
    older.write_text(json.dumps(content))
    for prefix in ("runbook", "other", "arunbook"):
        Ledger(prefix, "test", "000000000000").entries()
    assert list(json.loads(older.read_text())["entries"]) == ["arn:odd"]


def test_a_takeover_that_is_killed_between_its_two_writes_is_simply_done_again(ledger: Ledger, monkeypatch):
    older = older_file(ledger)

    def killed(path, text, mode=0o666):
        if path == older:
            raise KeyboardInterrupt
        write(path, text, mode)

    write = paths.write_atomically
    monkeypatch.setattr(paths, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        ledger.entries()
    monkeypatch.setattr(paths, "write_atomically", write)
    ledger.gone(next(iter(OLDER)))
    assert list(ledger.entries()) == list(OLDER)[1:6]


def test_the_progress_of_a_backfill_of_before_is_taken_over(ledger: Ledger):
    bucket = "runbook-test-migrate-source-000000000000-us-west-1"
    mine, others = (Parameters.check({"env": "test", "prefix": prefix}) for prefix in ("runbook", "other"))
    older = ledger.path.with_name("test-backfill-migrate.json")
    older.parent.mkdir(parents=True, exist_ok=True)
    older.write_text(json.dumps({"account_id": "000000000000", "what": {"bucket": bucket}, "stretches": []}))
    assert not path_of(others, "migrate").exists()
    assert json.loads(path_of(mine, "migrate").read_text())["what"] == {"bucket": bucket}
    assert not older.exists()


def test_a_write_that_fails_half_way_leaves_the_file_as_it_was(ledger: Ledger):
    ledger.intend("arn:1", **FACTS)
    before = ledger.path.read_text()
    with pytest.raises(TypeError):
        ledger.record_outputs("migrate", {"not json": object()})
    assert ledger.path.read_text() == before
    ledger.made("arn:1")
    assert json.loads(ledger.path.read_text())["entries"]["arn:1"]["state"] == "made"


def test_two_runs_at_once_lose_nothing(ledger: Ledger):
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda n: Ledger("runbook", "test", "000000000000").intend(f"arn:{n}", **FACTS), range(40)
            )
        )
    assert len(ledger.entries()) == 40


def test_forgetting_an_account_leaves_the_others(ledger: Ledger):
    other = Ledger("runbook", "test", "111122223333")
    for each in (ledger, Ledger("runbook", "second", ledger.account_id), other):
        each.intend("arn:1", **FACTS)
    forget_account(ledger.account_id)
    assert [path.name for path in ledger.path.parent.glob("*.json")] == ["111122223333-runbook-test.json"]
    assert ledger.pipelines() == []
    assert other.pipelines() == ["migrate"]


# --- The copy that the account keeps, for whoever works elsewhere


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch):
    """Switches between two homes of the same environment, `elsewhere("b")`."""

    def switch(home: str) -> Ledger:
        monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / home))
        return Ledger("runbook", "test", "000000000000")

    return switch


def copied(ledger: Ledger) -> str:
    """A copy that got to the account."""
    text = ledger.copy()
    assert text
    ledger.copied(text)
    return text


def test_a_copy_makes_a_fresh_checkout_know_what_was_done(elsewhere):
    here = elsewhere("a")
    here.begin("r1", "apply")
    here.intend("arn:1", run="r1", **FACTS)
    here.made("arn:1")
    here.put("r1", "arn:1", "key", "v")
    here.record_outputs("migrate", {"bucket": "b"})
    copy = copied(here)
    assert here.copy() is None, "nothing is new"
    there = elsewhere("b")
    there.take(copy)
    assert (there.entries()["arn:1"]["run"], there.outputs()) == ("r1", {"migrate": {"bucket": "b"}})
    assert there.puts() == {"arn:1": [("key", "v")]}
    assert [(run.id, run.mode, run.version) for run in there.runs()] == [("r1", "apply", version("runbook"))]
    assert there.copy() is None, "what was taken over is there already"


def test_the_later_copy_wins_but_what_a_killed_run_alone_knows_stays(elsewhere):
    here = elsewhere("a")
    for arn in ("arn:1", "arn:2"):
        here.intend(arn, run="r1", **FACTS)
        here.made(arn)
    first = copied(here)
    there = elsewhere("b")
    there.take(first)
    there.gone("arn:1")
    there.record_outputs("migrate", {"bucket": "theirs"})
    second = copied(there)
    here = elsewhere("a")
    _make_older(here, "arn:1")
    here.intend("arn:3", run="r2", **FACTS)  # and is killed: no copy was made
    here.take(second)
    assert here.entries().keys() == {"arn:2", "arn:3"}
    assert here.outputs() == {"migrate": {"bucket": "theirs"}}
    here.take(first)  # an older one says nothing
    assert here.entries().keys() == {"arn:2", "arn:3"}
    assert json.loads(here.copy())["serial"] == 3


def _make_older(ledger: Ledger, arn: str) -> None:
    """As if it had been written before the last copy, and not within the same second."""
    content = json.loads(ledger.path.read_text("utf-8"))
    content["entries"][arn]["at"] = "2026-01-01T00:00:00+00:00"
    ledger.path.write_text(json.dumps(content), "utf-8")


def test_an_environment_that_was_destroyed_and_made_anew_elsewhere_is_another_one(elsewhere):
    stale = elsewhere("a")
    stale.intend("arn:old", run="r1", **FACTS)
    for _ in range(3):
        stale.record_outputs("migrate", {"bucket": secrets.token_hex(2)})
        copied(stale)
    new = elsewhere("b")
    new.intend("arn:new", run="r2", **FACTS)
    copy = copied(new)
    stale = elsewhere("a")
    stale.take(copy)
    assert stale.entries().keys() == {"arn:new"}


def test_an_older_program_refuses_what_a_later_one_has_written(ledger: Ledger):
    ledger.intend("arn:1", **FACTS)
    content = json.loads(ledger.path.read_text("utf-8"))
    later = json.dumps({**content, "format": FORMAT + 1, "written_by": "9.9.9", "lineage": "x", "serial": 9})
    with pytest.raises(RunbookError, match="the account keeps was written by runbook 9.9.9.*Update"):
        ledger.take(later)
    assert ledger.entries().keys() == {"arn:1"}
    ledger.path.write_text(later, "utf-8")
    for act in (ledger.entries, lambda: ledger.made("arn:1"), ledger.copy):
        with pytest.raises(RunbookError, match="9.9.9"):
            act()
    assert ledger.path.read_text("utf-8") == later


def test_a_ledger_of_before_formats_is_read_and_extended(ledger: Ledger):
    ledger.path.parent.mkdir(parents=True)
    run = {"r1": {"at": "2026-01-01T00:00:00+00:00", "mode": "apply"}}
    ledger.path.write_text(json.dumps({"account_id": "000000000000", "runs": run, "entries": {}}), "utf-8")
    assert [(one.id, one.version) for one in ledger.runs()] == [("r1", "")]
    ledger.begin("r2", "plan")
    assert json.loads(ledger.path.read_text("utf-8"))["format"] == FORMAT


def test_what_another_run_has_forgotten_meanwhile_is_made_all_the_same(ledger):
    facts = {"pipeline": "run", "noun": "S3 bucket", "name": "lock", "region": "us-east-1"}
    ledger.intend("arn:lock", **facts)
    ledger.forget("run")
    ledger.made("arn:lock", **facts)
    assert ledger.entries()["arn:lock"].items() >= (facts | {"state": "made"}).items()
    with pytest.raises(KeyError):
        ledger.made("arn:never intended")
