"""What a record says: who did what, with what, and no secret."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from lib.base import call_ledger, told
from lib.engine import recording
from lib.engine.ledger import Ledger
from lib.engine.recording import NOT_RECORDED, Recording, RunRecord, Who, by_default, code, without_secrets
from lib.engine.records import sealed
from lib.parameters import Parameters

KEY_ID, SECRET_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"
WHO = Who(caller="arn:aws:iam::1:user/u", user="u", host="h", machine="m", pid=1, command="runbook run")


@pytest.fixture
def parameters() -> Parameters:
    return Parameters.check(
        {
            "env": "recording",
            "migrate": {
                "batch_size": 7,
                "target_account_id": "111122223333",
                "target_role_arn": "arn:aws:iam::111122223333:role/r",
                "target_external_id": "between-us",
            },
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        f"key {KEY_ID}!",
        f"aws_secret_access_key={SECRET_KEY}",
        f"runbook run --set migrate.key_prefix={SECRET_KEY}",
        f"{{'SecretAccessKey': '{SECRET_KEY}'}}",
        "connect with password=between-us and go on",
        f"https://b.s3.amazonaws.com/k?X-Amz-Signature={'0f' * 32}&x=1",
        f"https://b.s3.amazonaws.com/k?x-amz-security-token={'Ab1/' * 60}",
        f"token {'IQoJb3JpZ2luX2VjE' * 15}==",
        "runbook run --set migrate.target_external_id=between-us --yes",
        "{'target_external_id': 'between-us'}",
    ],
)
def test_what_looks_like_a_credential_is_in_no_record(text):
    said = json.dumps(without_secrets({"error": {"message": text}, text: [text]}))
    assert NOT_RECORDED in said
    for secret in (KEY_ID, SECRET_KEY, "0f0f", "Ab1/Ab1", "IQoJ", "between-us"):
        assert secret not in said


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
        lambda each: some.lists(each) | some.dictionaries(some.text(), each),
    )
)
def test_what_is_recorded_is_the_same_wherever_it_is_read(value):
    record = sealed({"value": without_secrets(value)})
    assert sealed(json.loads(json.dumps(record))) == record


def test_parameters_that_are_not_their_defaults_come_first_and_external_ids_not_at_all(parameters):
    differing, usual = by_default(parameters)
    assert {each.parameter for each in differing} == {
        "env",
        *(f"migrate.{name}" for name in ("batch_size", "target_account_id", "target_role_arn")),
        "migrate.target_external_id",
    }
    assert "between-us" not in str(differing)
    assert {"backup.dr_external_id": "''"}.items() <= {each.parameter: each.value for each in usual}.items()


def test_a_record_tells_what_was_made_changed_and_deleted(parameters, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    told.take_facts()
    ledger = Ledger.of(parameters)
    facts = {"pipeline": "index", "noun": "SQS queue", "region": "us-east-1"}
    for name in ("stays", "changes", "goes"):
        ledger.intend(f"arn:{name}", name=name, run="before", **facts)
        ledger.made(f"arn:{name}")
    one = Recording(parameters, "the-run", WHO, ledger.entries())
    one.began_as = "digest"
    with monkeypatch.context() as later:
        later.setattr("lib.engine.ledger._now", lambda: datetime(2030, 1, 1, tzinfo=UTC).isoformat())
        ledger.intend("arn:new", name="new", run="the-run", **facts)
        ledger.intend("arn:changes", name="changes", changed_by="the-run", **facts)
    ledger.gone("arn:goes")
    told.note("lag", longest_s=1.5)
    (folder := tmp_path / "runs" / "r").mkdir(parents=True)
    (folder / "10_x.ipynb").write_text("{}")
    call = dict.fromkeys(call_ledger.Call.__dataclass_fields__, "") | {"parameters": [], "ms": 1}
    calls = [call | {"outcome": outcome} for outcome in ("ok", "ok", "AccessDenied", "NoSuchKey")]
    (folder / call_ledger.KERNELS).write_text("".join(f"{json.dumps(each)}\n" for each in calls))
    torn = '{"kind": "drill", "pas'
    noted = {"kind": told.DELETED, "what": "SQS queue half in us-east-1"}
    facts = ['{"kind": "drill", "passed": "yes"}', json.dumps(noted), "[]", torn]
    (folder / told.KERNELS).write_text("\n".join(facts))
    with (folder / call_ledger.KERNELS).open("a") as file:
        file.write(torn)
    (tmp_path / "runs" / "drills").mkdir()
    drill = tmp_path / "runs" / "drills" / "000000000000-runbook-recording-now.json"
    drill.write_text("{}")
    one.told |= {"folder": folder, "outcome": "failed", "deleted": ["S3 bucket b in us-east-1"]}
    said = one.end(ledger, None, last=False)
    record = RunRecord(**said, digest="")
    assert record.created == ["SQS queue new in us-east-1"]
    assert record.changed == ["SQS queue changes in us-east-1"]
    assert record.deleted == [
        "S3 bucket b in us-east-1",
        "SQS queue goes in us-east-1",
        "SQS queue half in us-east-1",
    ]
    assert record.facts == [
        {"kind": "lag", "longest_s": "1.5"},
        {"kind": "drill", "passed": "yes"},
        {"kind": "left out", "file": told.KERNELS, "lines": 2},
    ]
    assert (record.calls.made, record.calls.refused, record.calls.failed) == (5, 1, 1)
    assert capsys.readouterr().err.count("cannot be read; the record goes on without") == 2
    assert [each.file for each in record.evidence] == ["runs/r/10_x.ipynb", str(drill.relative_to(tmp_path))]
    assert (record.outcome, record.began_as, record.who) == ("failed", "digest", WHO)
    assert one.end(ledger, None, last=False).get("facts", [])[:1] != record.facts[:1], "it is told once"


def test_it_says_the_commit_and_whether_all_is_as_in_it(tmp_path, monkeypatch):
    found = code.__wrapped__()
    assert found.commit == "" or (len(found.commit), found.clean is not None) == (40, True)
    assert found.packages["boto3"]
    monkeypatch.setattr(recording, "ROOT", tmp_path)
    nowhere = code.__wrapped__()
    assert (nowhere.commit, nowhere.clean) == ("", None)
    monkeypatch.setenv("PATH", "")
    assert code.__wrapped__().commit == ""


def a_repository(path) -> None:
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        who = ["-c", "user.name=u", "-c", "user.email=u@example.org"]
        subprocess.run(["git", "-C", str(path), *who, *arguments], check=True)


def test_a_file_that_git_does_not_know_is_not_in_the_commit_whatever_its_name_and_the_settings(
    tmp_path, monkeypatch
):
    a_repository(tmp_path)
    subprocess.run(["git", "-C", str(tmp_path), "config", "status.showUntrackedFiles", "no"], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "config", "core.quotePath", "false"], check=True)
    monkeypatch.setattr(recording, "ROOT", tmp_path)
    assert code.__wrapped__().clean is True
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.py")).touch()
    found = code.__wrapped__()
    assert (found.clean, len(found.changed)) == (False, 1)


def test_a_commit_of_which_git_cannot_tell_whether_all_is_as_in_it_is_not_called_clean(tmp_path, monkeypatch):
    a_repository(tmp_path)
    (tmp_path / ".git" / "index").write_bytes(b"torn")
    monkeypatch.setattr(recording, "ROOT", tmp_path)
    found = code.__wrapped__()
    assert (len(found.commit), found.clean, found.changed) == (40, None, [])
