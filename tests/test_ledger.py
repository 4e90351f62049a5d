"""The ledger: intent before, result after, atomically, for one account."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.errors import ParameterError
from lib.ledger import Ledger, forget_account

FACTS = {"pipeline": "migrate", "noun": "SQS queue", "name": "q", "region": "us-east-1"}


@pytest.fixture
def ledger(tmp_path, monkeypatch) -> Ledger:
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    return Ledger("test", "000000000000")


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


def test_the_same_environment_in_another_account_is_refused(ledger: Ledger):
    ledger.intend("arn:1", **FACTS)
    before = ledger.path.read_text()
    other = Ledger("test", "111122223333")
    for call in (other.entries, lambda: other.intend("arn:2", **FACTS), lambda: other.forget("migrate")):
        with pytest.raises(ParameterError, match="deployed in account 000000000000"):
            call()
    assert ledger.path.read_text() == before


def test_environments_have_files_of_their_own(ledger: Ledger):
    ledger.intend("arn:1", **FACTS)
    assert Ledger("other", "111122223333").entries() == {}


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
        list(pool.map(lambda n: Ledger("test", "000000000000").intend(f"arn:{n}", **FACTS), range(40)))
    assert len(ledger.entries()) == 40


def test_forgetting_an_account_leaves_the_others(ledger: Ledger):
    other = Ledger("production", "111122223333")
    for each in (ledger, Ledger("second", ledger.account_id), other):
        each.intend("arn:1", **FACTS)
    forget_account(ledger.account_id)
    assert [path.name for path in ledger.path.parent.glob("*.json")] == ["production.json"]
    assert ledger.pipelines() == []
    assert other.pipelines() == ["migrate"]
