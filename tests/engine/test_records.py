"""The records of runs: a chain in the account, of which any change, gap or other order is found."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Barrier, Thread

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as some
from support import cases
from support.calls import Recorder, watched
from support.command_line import runbook

from lib.base import told
from lib.base.errors import RunbookError
from lib.base.paths import ROOT
from lib.engine import lock, records
from lib.engine.inventory import Inventory
from lib.engine.ledger import run_id
from lib.engine.lock import Lock, locked
from lib.engine.records import Kept, Records, check, digest_of, key_of, sealed, text_of, unended
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.s3 import empty_bucket
from lib.target import Target, connect

ENV = ["--set", "env=records"]
WHOSE = {"target": "local", "account_id": "000000000000", "prefix": "runbook", "env": "records"}


def chain(count: int) -> list[Kept]:
    """So many records as the runbook writes them."""
    found: list[Kept] = []
    for number in range(1, count + 1):
        record = {
            "format": records.FORMAT,
            "number": number,
            "previous": digest_of(found[-1].record) if found else "",
            "chain": "the-first",
            "event": ("ended", "began")[number % 2],
            "run": f"run-{(number + 1) // 2}",
            "environment": WHOSE,
            "who": {"user": "änna", "host": "desk"},
            "created": [f"SQS queue q{number} in us-east-1"],
        }
        if record["event"] == "ended":
            record["began_as"] = digest_of(found[-1].record)
        found.append(Kept(number, f"file {number}", text_of(sealed(record))))
    return found


def numbers(found: list[Kept]) -> set[int]:
    return {each.number for each in check(found, WHOSE)}


def test_a_chain_as_it_was_written_has_no_finding():
    assert not list(check(chain(7), WHOSE))
    assert not list(check([], WHOSE))


@given(some.data())
def test_any_other_text_of_a_record_is_found(data):
    found = chain(4)
    at = data.draw(some.integers(0, 3))
    text = found[at].text
    place = data.draw(some.integers(0, len(text) - 1))
    other = data.draw(some.characters(codec="utf-8").filter(lambda one: one != text[place]))
    found[at] = replace(found[at], text=text[:place] + other + text[place + 1 :])
    assert at + 1 in numbers(found) or at + 2 in numbers(found)


@given(some.data())
def test_a_record_that_is_changed_and_sealed_anew_is_found_by_the_one_after_it(data):
    found = chain(5)
    at = data.draw(some.integers(0, 3))
    name = data.draw(some.sampled_from(["run", "created", "who", "event", "chain", "previous"]))
    changed = sealed({**found[at].record, name: "another"})
    found[at] = replace(found[at], text=text_of(changed))
    assert numbers(found) & {at + 1, at + 2}


@given(some.sets(some.integers(0, 5), min_size=1, max_size=5))
def test_any_gap_but_at_the_end_is_found(missing):
    found = [one for number, one in enumerate(chain(6)) if number not in missing]
    is_only_the_end = [one.number for one in found] == list(range(1, len(found) + 1))
    assert bool(numbers(found)) is not is_only_the_end


@given(some.permutations(range(6)).filter(lambda order: order != list(range(6))))
def test_any_other_order_is_found(order):
    texts = [one.text for one in chain(6)]
    found = [Kept(number + 1, f"file {number}", texts[old]) for number, old in enumerate(order)]
    moved = {number + 1 for number, old in enumerate(order) if number != old}
    assert moved <= numbers(found)


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "null", '{"number": 2}', '{"number": 2, "digest": 5}', "{" * 5000],
    ids=["empty", "text", "list", "null", "no digest", "digest is a number", "deep"],
)
def test_what_is_no_record_is_named_and_the_others_are_looked_at(text):
    found = chain(4)
    found[1] = replace(found[1], text=text)
    told = list(check(found, WHOSE))
    assert any(each.number == 2 and "no record" in each.found for each in told)
    assert all(each.to_do for each in told)
    assert {each.number for each in told} == {2, 3}


def test_a_name_that_is_twice_in_it_is_found_though_the_digest_is_right():
    """Of which another reader may take the first."""
    found = chain(2)
    found[1] = replace(found[1], text=text_of(sealed({**found[1].record, "outcome": "ok"})))
    twice = found[1].text.replace('{\n "', '{\n "outcome": "failed",\n "', 1)
    assert json.loads(twice) == found[1].record
    found[1] = replace(found[1], text=twice)
    assert [each.found.split(":")[0] for each in check(found, WHOSE)] == ["its text was written anew"]


def test_one_of_another_environment_is_found():
    found = chain(2)
    assert numbers([*found[:1]]) == set()
    assert {each.number for each in check(found, {**WHOSE, "env": "other"})} == {1, 2}


def test_a_run_that_did_not_end_is_told_but_no_finding():
    found = chain(3)
    assert [one["run"] for one in unended(found)] == ["run-2"]


@pytest.mark.skipif(not shutil.which("jq"), reason="there is no jq here")
def test_whoever_has_jq_can_tell_the_digest(tmp_path):
    (tmp_path / "record.json").write_text(chain(2)[1].text)
    said = subprocess.run(
        f"jq -cSja 'del(.digest)' {tmp_path}/record.json | sha256sum",
        shell=True,
        check=True,
        capture_output=True,
        text=True,
    )
    assert said.stdout.split()[0] == chain(2)[1].record["digest"]


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "records"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture
def of(target, parameters, tmp_path, monkeypatch) -> Iterator[Records]:
    """Two runs that have ended, and the copies of their records on this machine."""
    monkeypatch.delenv("RUNBOOK_RUN", raising=False)
    for _ in range(2):
        with locked(target, parameters):
            pass
    yield Lock(target, parameters).records
    lock._held.clear()
    s3 = target.client("s3", parameters.home_region)
    with suppress(s3.exceptions.NoSuchBucket):
        empty_bucket(s3, Lock(target, parameters).home.name)
    one = Lock(target, parameters)
    one.ledger.forget_head()
    shutil.rmtree(one.records.folder, ignore_errors=True)


def test_each_run_leaves_two_and_verify_tells_that_all_is_as_it_was(of):
    clean = runbook("verify", "--json", *ENV)
    answered = json.loads(clean.stdout)
    assert (clean.exit_code, answered["records"], answered["copies"]) == (0, 4, 4), clean.output
    assert answered["digest"] == of.last().record["digest"]
    assert [one.record["event"] for one in of.of_account()] == ["began", "ended"] * 2
    assert "all as they were written" in runbook("verify", *ENV).stdout
    assert runbook("verify", "--sha256", answered["digest"], *ENV).exit_code == 0
    assert runbook("verify", "--sha256", "0" * 64, *ENV).exit_code == 3


def meddle_change(s3, bucket: str) -> None:
    body = s3.get_object(Bucket=bucket, Key=key_of(2))["Body"].read()
    s3.put_object(Bucket=bucket, Key=key_of(2), Body=body.replace(b'"ok"', b'"no"'))


def meddle_delete(s3, bucket: str) -> None:
    s3.delete_object(Bucket=bucket, Key=key_of(2))


def meddle_cut_off(s3, bucket: str) -> None:
    for number in (3, 4):
        s3.delete_object(Bucket=bucket, Key=key_of(number))


def meddle_swap(s3, bucket: str) -> None:
    one, other = (s3.get_object(Bucket=bucket, Key=key_of(n))["Body"].read() for n in (1, 3))
    s3.put_object(Bucket=bucket, Key=key_of(1), Body=other)
    s3.put_object(Bucket=bucket, Key=key_of(3), Body=one)


def meddle_all_anew(s3, bucket: str) -> None:
    """Whoever writes the whole chain anew is told by what others have kept of it."""
    before = ""
    for number in range(1, 5):
        record = json.loads(s3.get_object(Bucket=bucket, Key=key_of(number))["Body"].read())
        record = sealed({**record, "previous": before, "mode": "plan"})
        before = record["digest"]
        s3.put_object(Bucket=bucket, Key=key_of(number), Body=text_of(record).encode())


@pytest.mark.parametrize(
    "meddle", [meddle_change, meddle_delete, meddle_cut_off, meddle_swap, meddle_all_anew]
)
def test_what_somebody_does_to_them_is_found(of, somebody, meddle):
    meddle(somebody("s3"), of.home.name)
    found = runbook("verify", "--json", *ENV)
    assert found.exit_code == 3, found.output
    assert all(each["found"] and each["to_do"] for each in json.loads(found.stdout)["findings"])
    human = runbook("verify", *ENV)
    assert "What to do" in human.stdout
    assert "finding" in human.stdout


@pytest.fixture
def fresh(of):
    """A clone of which the parameters are all there is; it has the same local AWS."""
    of.ledger.path.unlink()
    shutil.rmtree(of.folder)


def test_what_is_cut_off_at_the_end_is_found_from_a_fresh_clone(of, fresh, somebody):
    """By the copy of the ledger that the account keeps."""
    meddle_cut_off(somebody("s3"), of.home.name)
    found = json.loads(runbook("verify", "--json", *ENV).stdout)
    assert [each["found"] for each in found["findings"]] == ["2 missing at the end: the ledger knows 4"]


def test_a_fresh_clone_lists_and_verifies_them(of, fresh):
    runs = json.loads(runbook("history", "--json", *ENV).stdout)["runs"]
    assert [run["records"] for run in runs] == ["1 2 3 4"]  # of this process, which is one run
    assert (runs[0]["outcome"], "@" in runs[0]["by"]) == ("ok", True)
    clean = runbook("verify", *ENV)
    assert (clean.exit_code, "0 copies on this machine" in clean.stdout) == (0, True)


def test_a_copy_that_somebody_changed_is_found(of):
    (path,) = of.folder.glob("*/00000003.json")
    path.write_text(path.read_text().replace("apply", "plan"))
    found = runbook("verify", *ENV)
    assert (found.exit_code, str(path) in found.stdout) == (3, True)


def test_a_chain_that_is_gone_from_the_account_is_not_taken_for_one_that_was_destroyed(of, somebody):
    """Another machine may have destroyed the environment: this one knows its copies, or the ledger alone."""
    empty_bucket(somebody("s3"), of.home.name)
    unknown = runbook("verify", *ENV)
    assert (unknown.exit_code, "left out: 4 copies of the chain" in unknown.stdout) == (5, True)
    shutil.rmtree(of.folder)
    unknown = runbook("verify", *ENV)
    assert (unknown.exit_code, "left out: 4 records of the chain" in unknown.stdout) == (5, True)
    of.ledger.forget_head()
    assert runbook("verify", *ENV).exit_code == 0


def test_records_that_are_all_gone_while_the_environment_is_there_are_found(of, somebody):
    for number in range(1, 5):
        somebody("s3").delete_object(Bucket=of.home.name, Key=key_of(number))
    found = json.loads(runbook("verify", "--json", *ENV).stdout)
    assert "4 missing at the end: the ledger knows 4" in [each["found"] for each in found["findings"]]


def test_a_run_that_goes_on_while_somebody_verifies_is_no_finding(of, target, parameters):
    """What it writes after the account was listed is here, and in the ledger, but not in the list."""
    listed = of.of_account

    def meanwhile():
        found = list(listed())
        with locked(target, parameters):
            pass
        return iter(found)

    of.of_account = meanwhile
    assert not records.look(of).findings


def test_a_bucket_of_their_own_that_no_run_has_made_yet_holds_up_nobody(of):
    asked = runbook("verify", *ENV, "--set", "record_lock_days=1")
    assert asked.exit_code == 0, asked.output


def test_a_conflict_with_somebody_whose_put_then_fails_is_tried_again(of):
    """S3 answers 409 while another put of the key is under way, which need not come to anything."""
    put, waits = of.client.put_object, []

    def conflict(**_):
        of.client.put_object = put
        raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")

    of.client.put_object = conflict
    said = {"run": run_id(), "event": "ended", "environment": of.whose}
    assert of.append(said, sleep=waits.append)["number"] == 5
    assert len(waits) == 1


@pytest.mark.parametrize(
    "text",
    ["no JSON", "{}", '{"chain": ["x"], "digest": {}, "who": "x", "code": 5, "event": "began"}'],
)
def test_a_last_record_that_is_none_begins_no_other_chain_and_stops_nobody(
    of, somebody, target, parameters, text
):
    known = of.ledger.head()
    somebody("s3").put_object(Bucket=of.home.name, Key=key_of(4), Body=text.encode())
    with locked(target, parameters):
        pass
    fifth, sixth = [one.record for one in of.of_account()][4:]
    assert (fifth["chain"], fifth["previous"]) == (known["chain"], known["digest"])
    assert (sixth["chain"], sixth["previous"]) == (known["chain"], fifth["digest"])
    found = json.loads(runbook("verify", "--json", *ENV).stdout)
    assert {each["record"] for each in found["findings"]} == {4, 5}
    assert runbook("history", *ENV).exit_code == 0


def test_one_with_the_last_number_of_eight_digits_ends_no_chain(of, somebody, target, parameters):
    last = 99_999_999
    somebody("s3").put_object(Bucket=of.home.name, Key=key_of(last), Body=b"no JSON")
    for _ in range(2):
        with locked(target, parameters):
            pass
    written = [one.number for one in of.of_account()]
    assert written[4:] == [last, *range(last + 1, last + 5)]
    copies = next(kept for kept in of.of_machine().values() if kept[-1].number == last + 4)
    assert [one.number for one in copies] == [*written[:4], *written[5:]]
    (gap,) = [
        one
        for one in json.loads(runbook("verify", "--json", *ENV).stdout)["findings"]
        if one["record"] > last
    ]
    assert gap["record"] == last + 1


def test_whoever_destroys_all_keeps_what_the_account_had(of, target, parameters, capsys):
    Inventory(target, parameters).destroy()
    assert not list(of.of_account())
    ((_, copies),) = of.of_machine().items()
    assert [one.number for one in copies] == [1, 2, 3, 4, 5, 6]
    assert not list(check(copies, of.whose))
    assert copies[-1].record["last"]
    assert "6 records of runs: kept in" in capsys.readouterr().out
    runs = json.loads(runbook("history", "--json", *ENV).stdout)["runs"]
    assert runs[-1]["records"] == "1 2 3 4 5 6", "of this machine's copies"
    ended = runbook("verify", *ENV)
    assert (ended.exit_code, "ended when the environment was destroyed" in ended.stdout) == (0, True)
    with locked(target, parameters):
        pass
    assert [one.number for one in of.of_account()] == [1, 2], "another environment of its name"
    assert runbook("verify", *ENV).exit_code == 0


def test_a_destruction_keeps_a_copy_that_the_account_contradicts(of, target, parameters, somebody, capsys):
    (copy,) = of.folder.glob("*/00000002.json")
    genuine = copy.read_text()
    meddle_change(somebody("s3"), of.home.name)
    Inventory(target, parameters).destroy()
    assert copy.read_text() == genuine
    other = copy.with_name("00000002.account.json")
    assert '"no"' in other.read_text()
    said = "record 2: the account's is not the copy here; both are kept"
    assert capsys.readouterr().err.count(said) == 1
    assert not list(of.folder.glob("*/*.account-2.json")), "what is kept is not kept twice"


def test_the_next_operator_who_comes_while_the_home_goes_loses_nothing(of, target, parameters, somebody):
    s3, came = somebody("s3"), []

    def come(params: dict, **_: object) -> None:
        """They take the lock, begin a record and leave a ledger, before anything is deleted."""
        if params["Key"] != lock.KEY and not came:
            came.extend([key_of(99), lock.LEDGER_KEY])
            for key in came:
                s3.put_object(Bucket=params["Bucket"], Key=key, Body=b'{"their": "own"}')

    Inventory(watched(target, "provide-client-params.s3.DeleteObject", come), parameters).destroy()
    found = s3.list_objects_v2(Bucket=of.home.name)["Contents"]
    assert sorted(each["Key"] for each in found) == sorted(came)
    assert of.ledger.head(), "it goes on"
    assert len(next(iter(of.of_machine().values()))) >= 6


@pytest.mark.parametrize(
    ("raised", "outcome"), [(KeyboardInterrupt(), "interrupted"), (RunbookError("no"), "failed")]
)
def test_what_ends_a_run_is_recorded(of, target, parameters, raised, outcome):
    with pytest.raises(type(raised)), locked(target, parameters):
        raise raised
    record = of.last().record
    assert (record["outcome"], record["error"]["kind"]) == (outcome, type(raised).__name__)


def test_one_that_was_killed_has_left_that_it_began(of, target, parameters, monkeypatch):
    monkeypatch.setattr(Lock, "end_record", lambda *_: None)
    with locked(target, parameters):
        assert "is at work" in runbook("verify", *ENV).stdout
    killed = runbook("verify", *ENV)
    assert (killed.exit_code, "began and did not end" in killed.stdout) == (0, True)
    assert json.loads(runbook("history", "--json", *ENV).stdout)["runs"][-1]["outcome"].startswith(
        "not ended"
    )


def test_two_who_write_at_once_make_one_chain(of, target, parameters):
    """As after a lock was broken: the one that lost it still says how it ended."""
    at_once = Barrier(2)

    def write(who: str) -> None:
        one = Lock(target, parameters).records
        at_once.wait()
        for _ in range(3):
            one.append({"run": who, "event": "ended", "environment": of.whose})

    threads = [Thread(target=write, args=(who,)) for who in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(of.of_account())
    assert [one.number for one in found] == list(range(1, 11))
    assert not list(check(found, of.whose))


def test_an_answer_that_was_lost_is_not_written_twice(of, target, parameters):
    """S3 has the record, the program does not know it, and is refused when it tries again."""
    client = of.client
    put, said = client.put_object, {"run": run_id(), "event": "ended", "environment": of.whose}

    def twice(**arguments):
        put(**arguments)
        return put(**arguments)  # refused: it is there

    client.put_object = twice
    try:
        assert of.append(said)["number"] == 5
    finally:
        client.put_object = put
    assert [one.number for one in of.of_account()] == [1, 2, 3, 4, 5]


def test_a_run_that_cannot_be_recorded_writes_nothing(of, target, parameters, monkeypatch):
    recorder = Recorder()
    fails = RunbookError("no record")
    monkeypatch.setattr(Records, "append", lambda *_: (_ for _ in ()).throw(fails))
    with (
        pytest.raises(RunbookError, match="no record"),
        locked(watched(target, "before-call", recorder), parameters),
    ):
        pytest.fail("it must not begin")
    assert Lock(target, parameters).holder() is None


def test_an_end_that_cannot_be_recorded_hides_no_other_error(of, target, parameters, monkeypatch, capsys):
    append = Records.append

    def only_beginnings(self, said):
        if said["event"] == "ended":
            raise RunbookError("S3 is away")
        return append(self, said)

    monkeypatch.setattr(Records, "append", only_beginnings)
    with pytest.raises(KeyError), locked(target, parameters):
        raise KeyError("x")
    assert "the end of this run is not recorded: S3 is away" in capsys.readouterr().err
    with pytest.raises(RunbookError, match="S3 is away"), locked(target, parameters):
        pass


def test_an_end_of_which_something_cannot_be_read_hides_no_other_error(of, target, parameters, capsys):
    with pytest.raises(KeyError), locked(target, parameters) as one:
        one.recording.told["notebooks"] = 5  # no list, as nothing that a run tells is
        raise KeyError("x")
    assert "the end of this run is not recorded: 1 validation error" in capsys.readouterr().err


def test_what_a_part_of_a_run_deleted_before_it_failed_is_in_the_record(of, target, parameters, tmp_path):
    """The ledger forgets it only when all is proven to be gone; the part is a process of its own."""
    stack = Stack(target, parameters, "migrate")
    queue = cases.sqs.queue(stack)
    stack.apply()
    destroy = (
        "from lib.engine.inventory import Inventory; from lib.parameters import Parameters; "
        "from lib.target import connect; its = Parameters.check({'env': 'records'}); "
        "Inventory(connect(its), its, 'migrate').destroy(); raise SystemExit(9)"
    )
    with locked(target, parameters) as one:
        one.recording.told["folder"] = tmp_path
        kernel = {**os.environ, "RUNBOOK_RUN": run_id(), told.FACTS_VARIABLE: str(tmp_path / told.KERNELS)}
        done = subprocess.run([sys.executable, "-c", destroy], env=kernel, cwd=ROOT, check=False)
        assert done.returncode == 9
    record = of.last().record
    assert f"SQS queue {queue.name} in us-east-1" in record["deleted"]
    assert "facts" not in record
    one.ledger.forget("migrate")


def test_a_bucket_of_their_own_is_locked_and_stays(target, parameters, monkeypatch, somebody, capsys):
    monkeypatch.delenv("RUNBOOK_RUN", raising=False)
    with locked(target, parameters):
        pass
    keeps = parameters.model_copy(update={"record_lock_days": 1})
    with locked(target, keeps):
        pass
    of = Lock(target, keeps).records
    assert of.own.read(of.client)["object_lock"] == {"Mode": "GOVERNANCE", "Days": 1}
    assert [one.number for one in of.of_account()] == [1, 2, 3, 4], "one chain, in two buckets"
    assert runbook("verify", *ENV, "--set", "record_lock_days=1").exit_code == 0
    assert runbook("verify", *ENV).exit_code == 0, "also for who does not know of the bucket"
    of.client.put_object(Bucket=of.own.name, Key=key_of(3), Body=b"{}")
    found = runbook("verify", *ENV, "--set", "record_lock_days=1")
    assert (found.exit_code, "it was written over" in found.stdout) == (3, True)
    inventory = Inventory(target, keeps)
    inventory.destroy()
    table = inventory.prove_empty()
    assert table.set_index("type").loc["S3 bucket", "us-east-1"] == "1"
    assert f"kept: {of.own.name} has the records of runs" in capsys.readouterr().out
    assert of.last().record["event"] == "ended"
    assert not of.last().record.get("last", False)
    (copy,) = of.folder.glob("*/00000004.json")
    theirs = copy.read_text()
    copy.unlink()  # as of a run on another machine
    of.ledger.path.unlink()  # and nothing here knows of the bucket
    _unlock(somebody("s3"), of.own.name)
    Inventory(target, parameters).destroy()
    assert Inventory(target, parameters).existing() == []
    assert copy.read_text() == theirs
    shutil.rmtree(of.folder, ignore_errors=True)


def _unlock(s3, bucket: str) -> None:
    """Let nothing hold what is in it, as after so many days."""
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    for each in s3.list_object_versions(Bucket=bucket)["Versions"]:
        version = {"Bucket": bucket, "Key": each["Key"], "VersionId": each["VersionId"]}
        body = s3.get_object(**version)["Body"].read()
        s3.delete_object(**version, BypassGovernanceRetention=True)
        s3.put_object(Bucket=bucket, Key=each["Key"], Body=body)
