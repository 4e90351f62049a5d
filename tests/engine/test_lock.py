"""The lock: taken by one, refused to others, renewed, broken, taken over from the dead, at the end gone."""

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from dataclasses import replace

import psutil
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from support import cases
from support.calls import Recorder, watched
from support.cleanup import remove
from typer.testing import CliRunner

from lib.base.call_ledger import CallLedgerError
from lib.base.errors import LockError, NotOursError, ParameterError, RunbookError
from lib.cli.main import app
from lib.engine import ledger, lock, records
from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.engine.lock import Lock, locked
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources.s3 import empty_bucket
from lib.target import Target, connect


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check({"env": "lock"})


@pytest.fixture(scope="module")
def target(parameters: Parameters) -> Target:
    return connect(parameters)


@pytest.fixture
def somebody_s(target, parameters, somebody, monkeypatch):
    """Has somebody hold the lock; `somebody_s(host="desk")` says what is different of them."""
    s3, home = somebody("s3"), Lock(target, parameters).home.name

    def hold(**changed) -> lock.Holder:
        them = replace(
            lock.this_holder("arn:theirs"), **{"run": "hers", "user": "anna", "host": "desk", **changed}
        )
        Lock(target, parameters)._make_home()
        s3.put_object(Bucket=home, Key=lock.KEY, Body=json.dumps(vars(them)).encode())
        return them

    yield hold
    with suppress(s3.exceptions.NoSuchBucket):
        s3.delete_object(Bucket=home, Key=lock.KEY)


@pytest.fixture(autouse=True)
def nothing_left(target, parameters):
    yield
    lock._held.clear()
    Inventory(target, parameters).destroy()
    assert Inventory(target, parameters).existing() == []


def a_stack(target, parameters) -> Stack:
    stack = Stack(target, parameters, "migrate")
    cases.sqs.queue(stack)
    return stack


def test_it_needs_no_key_of_ours(target, parameters, somebody):
    """Whoever has lost a key must be able to restore and destroy."""
    key_arn, s3 = somebody("kms").create_key()["KeyMetadata"]["Arn"], somebody("s3")
    with locked(target, parameters.model_copy(update={"kms_key_arns": [key_arn]})) as its:
        assert s3.head_object(Bucket=its.home.name, Key=lock.KEY)["ServerSideEncryption"] == "AES256"


def test_its_home_stays_for_the_next_until_all_is_destroyed(target, parameters):
    """S3 keeps the name of a bucket that was deleted for minutes, and the next run needs it in seconds."""
    recorder = Recorder()
    for _ in range(2):
        with locked(watched(target, "before-call", recorder), parameters) as one:
            assert one.holder().is_this_process
            assert one.home.read(one.client)["public_access_block"]["BlockPublicPolicy"]
        assert one.holder() is None
    assert [item.found.name for item in Inventory(target, parameters).existing()] == [one.home.name]
    Inventory(target, parameters, "migrate").destroy()  # a part of it, of which there is nothing
    assert one.ledger.pipelines() == [lock.PIPELINE]
    assert "DeleteBucket" not in recorder.writes
    Inventory(target, parameters).destroy()
    assert Inventory(target, parameters).existing() == []
    assert Inventory(target, parameters).prove_empty()["type"].is_unique
    assert one.ledger.pipelines() == []


def test_it_stays_after_the_last_pipeline_was_destroyed_by_its_name(target, parameters):
    a_stack(target, parameters).apply()
    Inventory(target, parameters, "migrate").destroy()
    assert [item.type.noun for item in Inventory(target, parameters).existing()] == ["S3 bucket"]


def test_it_goes_with_the_lock_of_the_command_that_destroys_all(target, parameters):
    a_stack(target, parameters).apply()
    with locked(target, parameters) as ours:
        Inventory(target, parameters).destroy()
        assert ours.holder().is_this_process
    assert Inventory(target, parameters).existing() == []


def test_it_is_given_back_after_an_error_too(target, parameters):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), locked(target, parameters):
            raise error
    assert Lock(target, parameters).holder() is None


def test_the_second_operator_is_told_who_holds_it_and_writes_nothing(target, parameters, somebody_s):
    them = somebody_s()
    recorder = Recorder()
    second = watched(target, "before-call", recorder)
    with pytest.raises(LockError) as error:
        a_stack(second, parameters).apply()
    for part in ("anna@desk", f"pid {them.pid}", them.since, them.command, "nothing was done"):
        assert part in str(error.value)
    assert set(recorder.writes) <= {"PutObject"}  # which S3 refused
    assert Lock(target, parameters).holder() == them


def test_destroy_needs_it_and_a_plan_does_not(target, parameters, somebody_s):
    stack = a_stack(target, parameters)
    stack.apply()
    somebody_s()
    with pytest.raises(LockError, match="anna@desk"):
        Inventory(target, parameters).destroy()
    assert stack.plan().count("unchanged") == len(stack.resources)
    assert str(stack.apply()).startswith("0 created"), "where there is nothing to do no lock is needed"
    remove(stack)


def test_of_many_who_want_it_one_gets_it(target, parameters):
    with locked(target, parameters) as one:
        for _ in range(3):
            with pytest.raises(Exception, match="PreconditionFailed"):
                one._put(IfNoneMatch="*")


def test_one_that_is_not_renewed_says_so(target, parameters, somebody_s, monkeypatch):
    somebody_s()
    monkeypatch.setattr(lock, "STALE_S", -1)
    with pytest.raises(LockError, match="was not renewed for .* `runbook unlock` breaks it"):
        Lock(target, parameters).acquire()


def test_it_is_renewed_while_it_is_held(target, parameters, monkeypatch):
    renew, renewed = Lock.renew, threading.Event()
    monkeypatch.setattr(lock, "RENEWAL_S", 0.01)
    monkeypatch.setattr(Lock, "renew", lambda one: (renew(one), renewed.set()))
    with locked(target, parameters) as one:
        assert renewed.wait(30)
        assert one.holder().is_this_process
        assert not one.is_lost
    assert one.holder() is None


@pytest.fixture
def refuse(target, parameters, somebody):
    """Has AWS refuse to renew the lock: `refuse("s3:PutObject")`, and `refuse()` no more."""
    s3, home = somebody("s3"), Lock(target, parameters).home

    def put(*actions: str) -> None:
        policy = json.loads(s3.get_bucket_policy(Bucket=home.name)["Policy"])
        deny = {"Sid": "Refuse", "Effect": "Deny", "Principal": "*", "Action": list(actions)}
        kept = [statement for statement in policy["Statement"] if statement["Sid"] != "Refuse"]
        policy["Statement"] = [*kept, {**deny, "Resource": f"{home.arn}/*"}] if actions else kept
        s3.put_bucket_policy(Bucket=home.name, Policy=json.dumps(policy))

    return put


def test_one_that_cannot_be_renewed_holds_until_others_take_it_for_dead(
    target, parameters, refuse, monkeypatch
):
    now = [1000.0]
    monkeypatch.setattr(lock, "monotonic", lambda: now[0])
    with locked(target, parameters) as one:
        refuse("s3:PutObject")
        one.renew()
        now[0] += lock.STALE_S - 1
        one.require()
        now[0] += 1
        with pytest.raises(LockError, match="not renewed for 300 s.*it stops here.*AccessDenied") as error:
            one.require()
        assert isinstance(error.value.__cause__, ClientError)
        refuse()
        one.renew()
        one.require()


def test_a_renewal_that_is_never_answered_is_one_that_did_not_come(target, parameters, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(lock, "monotonic", lambda: now[0])
    with pytest.raises(LockError, match="no answer yet"), locked(target, parameters):
        now[0] += lock.STALE_S


def test_what_goes_wrong_once_does_not_end_the_renewals(target, parameters, monkeypatch):
    """Nor what is no error of AWS's: in the thread nobody would see it."""
    monkeypatch.setattr(lock, "RENEWAL_S", 0.01)
    renewed = threading.Event()
    conflict = ClientError({"Error": {"Code": "ConditionalRequestConflict", "Message": ""}}, "PutObject")
    faults = [conflict, CallLedgerError("disk full"), ReadTimeoutError(endpoint_url="")]

    def fail(params: dict, **_) -> None:
        if "If-Match" in params["headers"]:
            if faults:
                raise faults.pop()
            renewed.set()

    with locked(watched(target, "before-call.s3.PutObject", fail), parameters) as one:
        assert renewed.wait(30)
        one.require()


def test_one_that_goes_from_hand_to_hand_is_given_up(target, parameters, somebody_s, somebody):
    """Whenever this tries to take it somebody has it, and whenever it looks who that is, nobody has."""
    s3, home, waits = somebody("s3"), Lock(target, parameters).home.name, []

    def change_hands(model, **_) -> None:
        if model.name == "PutObject":
            somebody_s()
        if model.name == "GetObject":
            s3.delete_object(Bucket=home, Key=lock.KEY)

    somebody_s()
    one = Lock(watched(target, "before-call", change_hands), parameters)
    with pytest.raises(LockError, match="'lock' changed hands 5 times.*Run again"):
        one.acquire(waits.append)
    assert len(waits) == 4
    assert max(waits) <= lock.ATTEMPT_WAIT_S


def test_one_whose_process_has_ended_here_is_taken_over(target, parameters, somebody_s, capsys):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    somebody_s(host=socket.gethostname(), pid=ended.pid)
    with locked(target, parameters) as one:
        assert one.holder().pid == os.getpid()
    assert "that process has ended" in capsys.readouterr().out


def test_of_another_machine_nobody_knows_whether_a_process_has_ended(target, parameters, somebody_s):
    assert not somebody_s(pid=999_999).is_dead
    with pytest.raises(LockError):
        Lock(target, parameters).acquire()


def test_what_is_broken_stops(target, parameters, somebody):
    """At the next step, or at the end at the latest."""
    stack = a_stack(target, parameters)
    broken = pytest.raises(LockError, match="somebody broke the lock")
    with broken, locked(target, parameters) as one:
        somebody("s3").delete_object(Bucket=one.home.name, Key=lock.KEY)
        one.renew()
        with pytest.raises(LockError, match="somebody broke the lock"):
            stack._take_all(list(stack.plan()), one)
    assert stack.plan().count("create") == len(stack.resources)


def test_what_a_command_started_goes_on_under_its_lock(target, parameters, somebody_s, monkeypatch):
    """A kernel has the run id of `runbook run`, and lets go of its lock only when nothing is left."""
    monkeypatch.setenv(ledger.RUN_VARIABLE, "the-run")
    parent = psutil.Process(os.getppid())
    here = {"host": socket.gethostname(), "pid": parent.pid, "process_started": parent.create_time()}
    command = somebody_s(run="the-run", **here)
    a_stack(target, parameters).apply()
    assert Lock(target, parameters).holder() == command
    Inventory(target, parameters).destroy()
    assert Inventory(target, parameters).existing() == []


def test_a_bucket_of_its_name_that_is_not_ours_is_left_alone(target, parameters, somebody):
    s3, home = somebody("s3"), Lock(target, parameters).home.name
    s3.create_bucket(Bucket=home)
    try:
        with pytest.raises(NotOursError, match="did not make it"), locked(target, parameters):
            pytest.fail("it must not be taken")
    finally:
        s3.delete_bucket(Bucket=home)


def test_unlock_says_who_holds_it_and_asks(target, parameters, somebody_s):
    them = somebody_s()
    env = ["--set", "env=lock"]
    refused = CliRunner().invoke(app, ["unlock", *env])
    assert (refused.exit_code, "say --yes" in refused.stderr) == (1, True)
    assert Lock(target, parameters).holder() == them
    done = CliRunner().invoke(app, ["unlock", "--yes", *env])
    assert (done.exit_code, "anna@desk" in done.stdout) == (0, True)
    assert Lock(target, parameters).holder() is None
    assert "is not locked" in CliRunner().invoke(app, ["unlock", *env]).stdout


def test_the_same_environment_of_another_account_stands_beside(target, parameters):
    theirs = Ledger("runbook", "lock", "111122223333")
    theirs.record_outputs("migrate", {"source_bucket": "theirs"})
    before = theirs.path.read_text()
    with locked(target, parameters):
        pass
    assert theirs.path.read_text() == before
    theirs.path.unlink()


def test_the_second_of_two_can_wait_for_it(target, parameters, somebody_s, somebody, capsys):
    them = somebody_s()
    patient = parameters.model_copy(update={"lock_wait_s": 12})
    waits: list[float] = []
    with pytest.raises(LockError, match=r"anna@desk.*this has waited 12 s"):
        Lock(target, patient).acquire(sleep=waits.append)
    assert waits == [5, 5, 2]
    assert f"locked by {them}" in capsys.readouterr().err

    def leave(_: float) -> None:
        somebody("s3").delete_object(Bucket=Lock(target, parameters).home.name, Key=lock.KEY)

    mine = Lock(target, patient)
    assert mine.acquire(sleep=leave)
    mine.release()


def test_whether_somebody_works_can_be_asked_and_nothing_is_taken(target, parameters, somebody_s, somebody):
    free = Lock(target, parameters)
    free.require_free()
    assert free.holder() is None
    them = somebody_s()
    with pytest.raises(LockError, match="is locked by anna@desk"):
        free.require_free()
    assert free.holder() == them
    patient, waits = Lock(target, parameters.model_copy(update={"lock_wait_s": 7})), []
    with pytest.raises(LockError, match="this has waited 7 s"):
        patient.require_free(sleep=waits.append)
    assert waits == [5, 2]
    somebody_s(host=socket.gethostname(), machine=lock.this_holder("").machine, pid=2**22 - 1)
    free.require_free()  # that process has ended, which whoever takes the lock sees, too


def test_a_copy_of_the_ledger_is_left_beside_it_and_taken_up_by_the_next(
    target, parameters, tmp_path, monkeypatch
):
    with locked(target, parameters) as one:
        one.ledger.record_outputs("index", {"bucket": "b"})
    known = one.ledger.outputs()
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "fresh"))
    assert one.ledger.outputs() == {}
    assert lock.known_ledger(target, parameters).outputs() == known
    with locked(target, parameters) as next_one:
        assert next_one.ledger.outputs() == known


def test_a_copy_that_did_not_get_there_is_left_by_the_next(target, parameters, somebody):
    with locked(target, parameters) as one:
        one.ledger.record_outputs("index", {"bucket": "first"})
    serial = json.loads(copy_there(somebody, one))["serial"]

    def refuse(params: dict, **_: object) -> None:
        if params["Key"] == lock.LEDGER_KEY:
            raise ClientError({"Error": {"Code": "SlowDown", "Message": ""}}, "PutObject")

    refusing = watched(target, "provide-client-params.s3.PutObject", refuse)
    with pytest.raises(ClientError, match="SlowDown"), locked(refusing, parameters) as one:
        one.ledger.record_outputs("index", {"bucket": "second"})
    assert json.loads(copy_there(somebody, one))["serial"] == serial
    with locked(target, parameters):
        pass
    copy = json.loads(copy_there(somebody, one))
    assert (copy["serial"], copy["outputs"]["index"]) == (serial + 1, {"bucket": "second"})


def copy_there(somebody, of: Lock) -> str:
    """The ledger's copy that the account has."""
    found = somebody("s3").get_object(Bucket=of.home.name, Key=lock.LEDGER_KEY)
    return found["Body"].read().decode()


def test_what_a_later_version_has_left_there_is_not_replaced(target, parameters, somebody):
    with locked(target, parameters) as one:
        pass
    s3 = somebody("s3")
    later = json.dumps({"format": ledger.FORMAT + 1, "written_by": "9.9", "lineage": "x", "serial": 1})
    s3.put_object(Bucket=one.home.name, Key=lock.LEDGER_KEY, Body=later.encode())
    with pytest.raises(RunbookError, match="9.9"), locked(target, parameters):
        raise AssertionError("it is not held")
    assert s3.get_object(Bucket=one.home.name, Key=lock.LEDGER_KEY)["Body"].read().decode() == later
    assert Lock(target, parameters).holder() is None
    s3.delete_object(Bucket=one.home.name, Key=lock.LEDGER_KEY)


@pytest.mark.parametrize("who", ["a part of this run", "another run"])
def test_a_home_that_is_gone_is_left_by_a_part_of_this_run_alone(target, parameters, somebody, who):
    """Another run that broke the lock and destroyed all has the ledger forget the home, too."""
    s3 = somebody("s3")
    its_end = (
        nullcontext() if who == "a part of this run" else pytest.raises(LockError, match="broke the lock")
    )
    with its_end, locked(target, parameters) as one:
        empty_bucket(s3, one.home.name)
        s3.delete_bucket(Bucket=one.home.name)
        one.ledger.begin("another", "apply")
        one.ledger.leave_home(ledger.run_id() if who == "a part of this run" else "another")
        one.ledger.forget(lock.PIPELINE)
        one.renew()
        assert (one.is_left, one.is_lost) == (who == "a part of this run", who == "another run")
        one.require()


def test_a_home_that_a_part_of_this_run_is_just_emptying_is_left_and_nothing_is_put_there(
    target, parameters, somebody
):
    s3 = somebody("s3")
    with locked(target, parameters) as one:
        one.ledger.leave_home(ledger.run_id())
        s3.delete_object(Bucket=one.home.name, Key=lock.KEY)
        one.ledger.record_outputs("index", {"bucket": "b"})
        one.leave_ledger()
        found = s3.list_objects_v2(Bucket=one.home.name)["Contents"]
        assert [each["Key"] for each in found] == [records.key_of(1)], "which was there before"
        one.renew()
        assert (one.is_left, one.is_lost) == (True, False)


def test_what_is_put_into_the_home_while_it_is_deleted_goes_too(target, parameters, somebody):
    """The command that runs us renews the lock, and leaves the ledger's copy beside it."""
    s3, late = somebody("s3"), []

    def put(params: dict, **_: object) -> None:
        if not late:
            late.append(s3.put_object(Bucket=params["Bucket"], Key=lock.LEDGER_KEY, Body=b"{}"))

    Lock(target, parameters)._make_home()
    ours = Lock(watched(target, "provide-client-params.s3.DeleteBucket", put), parameters)
    ours.is_parents = True
    ours.leave()
    assert late
    assert Inventory(target, parameters).existing() == []


def test_two_who_name_different_homes_do_not_pass_each_other(target, parameters, somebody):
    a_stack(target, parameters).apply()
    elsewhere = parameters.model_copy(update={"home_region": "eu-west-1"})
    there, home = connect(elsewhere), Lock(target, parameters).home.name
    recorder = Recorder()
    theirs = Stack(watched(there, "before-call", recorder), elsewhere, "index")
    cases.sqs.queue(theirs)
    with pytest.raises(ParameterError, match=f"lock of env 'lock' is in us-east-1.* set home_region.*{home}"):
        theirs.apply()
    assert recorder.writes == []
    empty_bucket(somebody("s3"), home)
    somebody("s3").delete_bucket(Bucket=home)  # both as the message says
    theirs.apply()
    assert Lock(there, elsewhere).home.read(there.client("s3", "eu-west-1")) is not None
    assert {facts["region"] for facts in one_ledger(parameters, lock.PIPELINE)} == {"eu-west-1"}
    Inventory(there, elsewhere).destroy()
    assert Inventory(there, elsewhere).prove_empty()["type"].is_unique


def one_ledger(parameters: Parameters, pipeline: str) -> list[dict]:
    """What the ledger knows of a pipeline."""
    return [facts for facts in Ledger.of(parameters).entries().values() if facts["pipeline"] == pipeline]
