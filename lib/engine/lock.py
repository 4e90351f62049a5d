"""One operator at a time: a lock object in S3, taken by a conditional put, and who holds it.

docs/decisions/0010-the-lock-is-an-object-in-a-bucket-of-its-own.md says why.
"""

import getpass
import json
import os
import shlex
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

import psutil
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import RetryError

from lib.base.errors import LockError, NotOursError, ParameterError
from lib.base.paths import home
from lib.base.refusals import code_of
from lib.base.retry import retry_beaten, retry_passing
from lib.base.shown import counted
from lib.base.signals import uninterrupted
from lib.base.told import DELETED, named, note
from lib.base.waits import Wait
from lib.engine.accounts import ACCOUNT
from lib.engine.ledger import RUN_VARIABLE, Ledger, new_run_id, run_id
from lib.engine.preflight import own_rights
from lib.engine.recording import Recording, who
from lib.engine.records import PREFIX as RECORDS
from lib.engine.records import TAKEN, Records, sealed
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.target import Target, connect

T = TypeVar("T")

KEY, LEDGER_KEY = "lock.json", "ledger.json"
PIPELINE = "run"  # in the lock's name, and in the ledger
RENEWAL_S = 30
STALE_S = 300  # ten renewals that did not come
ATTEMPTS, ATTEMPT_WAIT_S = 5, 2  # others take the lock and give it back meanwhile; waits at most so long
WAIT_POLL_S = 5  # while somebody else holds it, and we were told to wait
GONE = ("NoSuchBucket", "NoSuchKey", "404")
# A conflict is with somebody who writes at the same moment; whose the lock is then, the next renewal shows:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response
BROKEN = ("PreconditionFailed", *GONE)

_held: dict[str, "Lock"] = {}  # the locks that this process holds, by their homes


@dataclass(frozen=True)
class Holder:
    """A process that holds the lock.

    Attributes:
        run: The id of its run.
        user: Who started it.
        caller: As whom it calls AWS, an ARN.
        host: The name of its machine.
        machine: What tells machines of the same name apart.
        pid: Its process id there.
        process_started: When that process began, in seconds since 1970, since ids are used again.
        since: When it took the lock.
        command: What it runs.
    """

    run: str
    user: str
    caller: str
    host: str
    machine: str
    pid: int
    process_started: float
    since: str
    command: str

    @classmethod
    def of(cls, facts: dict) -> "Holder":
        """Return a holder as it was written, perhaps by another version, which may tell more of it."""
        return cls(**{each.name: facts[each.name] for each in fields(cls)})

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (pid {self.pid}, {self.command})"

    @property
    def is_this_process(self) -> bool:
        """Whether it is we ourselves."""
        return self.is_here and self.pid == os.getpid()

    @property
    def is_parent(self) -> bool:
        """Whether it is the command that runs us."""
        return self.run == run_id() and not self.is_this_process and not self.is_dead

    @property
    def is_here(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return (self.host, self.machine) == (socket.gethostname(), f"{uuid.getnode():x}")

    @property
    def is_dead(self) -> bool:
        """Whether we can see that it has ended, which we can on this machine only."""
        if not self.is_here:
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.process_started) > 1
        except psutil.NoSuchProcess:
            return True


def this_holder(caller: str) -> Holder:
    """Return this process as others shall see it.

    Args:
        caller: The ARN that it calls AWS as.
    """
    return Holder(
        run=run_id(),
        user=_user(),
        caller=caller,
        host=socket.gethostname(),
        machine=f"{uuid.getnode():x}",
        pid=os.getpid(),
        process_started=psutil.Process().create_time(),
        since=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(),
    )


class _AgainError(Exception):
    """The lock changed hands, or its home went, between two calls."""


class Lock:
    """The lock of an environment, in a bucket of its own, which is made before all others and goes last.

    It stays when nothing else of the environment exists: the next run would need it, and S3 keeps the name of
    a bucket that was deleted for minutes. Only who destroys the whole environment removes it.

    Attributes:
        home: The bucket. It is not versioned: a lock that is released leaves nothing behind.
        is_lost: Whether somebody broke the lock while we held it.
        is_parents: Whether the command that runs us holds it.
        is_last: Whether its home goes when it is released.
        is_left: Whether a part of our run has destroyed all, and the home with it.
        records: Those of the environment's runs, which are in the home, too, unless they have a bucket.
        recording: What the record of this run will say; of who only goes on within a run nothing is recorded.
        record: The record of its end, once that is written.
    """

    def __init__(self, target: Target, parameters: Parameters):
        """Look at nothing yet.

        Args:
            target: The AWS to work on.
            parameters: Whose lock: `account_id`, `prefix` and `env`; and `lock_wait_s`.
        """
        self.target = target
        self.env = parameters.env
        self.scope = parameters.scope()
        self.home = Bucket("lock", target.home_region, versioned=False)
        # Under S3's own key: whoever has lost a key must be able to restore and destroy.
        self.home.scope = replace(parameters.scope(PIPELINE), kms_key_arns=())
        self.ledger = Ledger.of(parameters)
        self.client = target.client("s3", target.home_region)
        self.is_lost = self.is_parents = self.is_last = self.is_left = False
        self.records = Records(target, parameters, self.home, self.ledger)
        self.recording: Recording | None = None
        self.record: dict[str, Any] = {}
        self._etag = ""
        self._may_leave_ledger = False  # what is there was taken over; a later version's is left alone
        self._wait_s = parameters.lock_wait_s
        self._me: Holder | None = None
        self._renewed_at = monotonic()
        self._failure: Exception | None = None  # why the last renewal did not come

    def holder(self) -> Holder | None:
        """Return who holds the lock; None if nobody does."""
        found = self._read()
        return found and found[0]

    def require_free(self, sleep: Callable[[float], None] = sleep) -> None:
        """Go on only if nobody else works on the environment; nothing is taken. Waits as `acquire` does.

        Args:
            sleep: As for `acquire`.

        Raises:
            LockError: If somebody else holds it; says who, and since when.
        """

        def look() -> None:
            if found := self._read():
                holder, _, idle_s = found
                self._require_ours(holder, idle_s)

        self._in_time(look, sleep)

    def acquire(self, sleep: Callable[[float], None] = sleep) -> bool:
        """Take the lock; if somebody else holds it, wait `lock_wait_s` for it.

        Args:
            sleep: Waits between two attempts, if others take it and give it back meanwhile, or hold it.

        Returns:
            Whether it is now ours to release; false if the run that we are a part of holds it.

        Raises:
            LockError: If somebody else holds it; says who, and since when.
            NotOursError: If the lock's bucket exists, but this runbook did not make it.
            ParameterError: If the environment has a lock in another region.
        """
        return self._in_time(partial(self._acquire, sleep), sleep)

    def _in_time(self, attempt: Callable[[], T], sleep: Callable[[float], None]) -> T:
        """Do what somebody else's lock prevents, as soon as it does not, within `lock_wait_s`."""
        waited_s = 0
        with Wait(f"The lock of env {self.env!r}", timeout_s=self._wait_s or None) as wait:
            while True:
                try:
                    return attempt()
                except LockError as error:
                    if waited_s >= self._wait_s:
                        waited = f"; this has waited {waited_s} s for it" if waited_s else ""
                        raise LockError(f"{error}{waited}") from error
                    if not waited_s:
                        held, _, _ = str(error).partition(". Wait until")  # which is what is done
                        print(f"{held}. Waiting for up to {self._wait_s} s", file=sys.stderr, flush=True)
                    wait.say(str(error))
                sleep(step_s := min(WAIT_POLL_S, self._wait_s - waited_s))
                waited_s += step_s

    def _acquire(self, sleep: Callable[[float], None]) -> bool:
        try:
            return retry_beaten(_AgainError, ATTEMPTS, ATTEMPT_WAIT_S, sleep)(self._try)
        except RetryError as error:
            raise LockError(
                f"the lock of env {self.env!r} changed hands {ATTEMPTS} times while this tried to take it; "
                "nothing was done. Run again when the others have ended"
            ) from error

    def _try(self) -> bool:
        self._make_home()
        try:
            self._put(IfNoneMatch="*")
        except ClientError as error:
            if code_of(error) in GONE:
                self.ledger.forget(PIPELINE)
                raise _AgainError from error
            if code_of(error) not in TAKEN:
                raise
            if not self._take_over():
                return False
        self.ledger.leave_home(run_id(), is_left=False)
        return True

    def release(self) -> None:
        """Give the lock back; after a destruction of all, its home goes too."""
        try:
            self.client.delete_object(Bucket=self.home.name, Key=KEY, IfMatch=self._etag)
        except ClientError as error:
            if code_of(error) not in (*GONE, *TAKEN):
                raise
        if self.is_last:
            self._remove_home()

    def leave(self) -> None:
        """After all was destroyed: the home goes, too; now if it is our run's, or else with the lock."""
        if not self._is_alone():
            return
        if self.is_parents:
            self.ledger.leave_home(run_id())  # first, for whoever renews the lock meanwhile
            self._keep_records()
            self._forget_home()
            # A copy of the ledger that was on its way by then comes there meanwhile; the next try deletes it.
            retry_passing("changing", "busy", sleep=sleep)(Bucket.delete, self.client, self.home.name)
        _held.get(self.home.name, self).is_last = True

    def _remove_home(self) -> None:
        """Delete the home, unless the environment has another bucket, or somebody took the lock meanwhile."""
        if not self._is_alone():
            return
        # What is there now is ours; what comes from now on is the next operator's, as is the lock then.
        found = self._beside()
        self._keep_records()
        if self.holder() is None:
            self._remove(found)
            retry_passing("changing", "busy", sleep=sleep)(self._delete_home)

    def _delete_home(self) -> None:
        try:
            self.client.delete_bucket(Bucket=self.home.name)
        except ClientError as error:
            if code_of(error) == "BucketNotEmpty" and (self._beside() or self.holder()):
                return  # the next operator has come
            if code_of(error) not in GONE:
                raise
        self._forget_home()

    def _forget_home(self) -> None:
        self.ledger.forget(PIPELINE)
        if not self.records.days:
            self.ledger.forget_head()

    def take_ledger(self) -> None:
        """Take over what others have done in this environment, by the ledger's copy beside the lock."""
        if (text := self.kept(LEDGER_KEY)) is not None:
            self.ledger.take(text)
        self._may_leave_ledger = True

    def leave_ledger(self) -> None:
        """Keep a copy of the ledger beside the lock, for whoever works elsewhere next, if it has changed."""
        if self.is_last or self.is_left or self.is_lost or not self._may_leave_ledger:
            return
        if self.ledger.has_left_home(run_id()):  # a part of our run is just deleting it
            return
        if (text := self.ledger.copy()) is not None:
            with suppress(self.client.exceptions.NoSuchBucket):  # a part of our run has destroyed all
                self.keep(LEDGER_KEY, text)
                self.ledger.copied(text)

    def kept(self, key: str) -> str | None:
        """Return what is kept beside the lock; None if nothing is.

        Args:
            key: The object's.
        """
        try:
            found = self.client.get_object(Bucket=self.home.name, Key=key)
        except ClientError as error:
            if code_of(error) in GONE:
                return None
            raise
        with closing(found["Body"]) as body:
            return body.read().decode()

    def keep(self, key: str, text: str) -> None:
        """Keep a text beside the lock.

        Args:
            key: The object's.
            text: What it shall hold.
        """
        self.client.put_object(Bucket=self.home.name, Key=key, Body=text.encode())

    def _keep_records(self) -> None:
        """Keep the records that the home has on this machine: it is about to go, and they shall not."""
        if kept := self.records.keep_all():
            print(f"{counted(kept, 'record')} of runs: kept in {self.records.folder.relative_to(home())}")

    def _beside(self) -> dict[str, str]:
        """Return what is kept beside the lock: the keys of the ledger's copy, records, …, to their ETags."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.home.name)
        found: dict[str, str] = {}
        with suppress(self.client.exceptions.NoSuchBucket):  # somebody was faster
            for page in pages:
                found |= {each["Key"]: each["ETag"] for each in page.get("Contents", [])}
        found.pop(KEY, None)
        return found

    def _remove(self, found: dict[str, str]) -> None:
        """Delete what was found beside the lock, but for what was written anew since.

        Args:
            found: Keys to ETags.
        """
        for key, etag in found.items():
            # Nobody writes a record anew: it needs no condition, which a repeated call would not fulfil.
            condition = {} if key.startswith(RECORDS) else {"IfMatch": etag}
            try:
                self.client.delete_object(Bucket=self.home.name, Key=key, **condition)
            except ClientError as error:
                if code_of(error) not in (*TAKEN, *GONE):
                    raise

    def begin_record(self, parameters: Parameters) -> None:
        """Record that a run begins, before it writes anything: one that is killed has left that.

        Args:
            parameters: Of the run.
        """
        self.records.make_own()
        self.recording = Recording(
            parameters,
            run_id(),
            who(asdict(self._me or this_holder(self.target.caller))),
            self.ledger.entries(),
        )
        record = self.records.append(self.recording.beginning())
        self.recording.began_as = record["digest"]
        self._know_head(record)

    def end_record(self, error: BaseException | None) -> None:
        """Record that a run has ended, and how; of an environment that it destroyed, on this machine alone.

        Args:
            error: What ended it, if anything.
        """
        if self.recording is None or not self.recording.began_as:
            return
        # Which a renewal need not have seen yet.
        is_left = self.is_left or self.ledger.has_left_home(run_id())
        is_gone = is_left and not self.records.days
        is_last = is_gone or (self.is_last and not self.records.days)
        try:
            said = self.recording.end(self.ledger, error, last=is_last)
            self.record = self.records.append_here(said) if is_gone else self.records.append(said)
            if not is_gone:
                self._know_head(self.record)
        except Exception as failure:  # whatever it is, such as a full disk: it hides no other error
            if error is None:
                raise
            print(f"the end of this run is not recorded: {failure}", file=sys.stderr)

    def tell_deleted(self, noun: str, name: str, region: str) -> None:
        """Have the record of this run say that something was deleted.

        Args:
            noun: Its type.
            name: Its name.
            region: Where it was.
        """
        recording = _held.get(self.home.name, self).recording
        if recording:
            recording.told.setdefault("deleted", []).append(named(noun, name, region))
        else:  # the command that runs us records it
            note(DELETED, what=named(noun, name, region))

    def _know_head(self, record: dict[str, Any]) -> None:
        self.ledger.know_head(record["chain"], record["number"], record["digest"])

    def break_it(self, holder: Holder) -> None:
        """Take the lock away from its holder.

        Args:
            holder: Who is believed to hold it.

        Raises:
            LockError: If somebody else holds it by now.
        """
        found = self._read()
        if found is None:
            return
        if found[0].run != holder.run:
            raise LockError(f"meanwhile the lock went on to {found[0]}; nothing was done")
        self._etag = found[1]
        self.release()

    def renew(self) -> None:
        """Show that we still work, and find out whether the lock is still ours.

        Any other failure is kept: the next renewal may succeed before the lock looks as if we were dead.
        """
        try:
            self._put(IfMatch=self._etag)
            self._failure = None
        except Exception as error:  # none may end the thread that renews; `require` tells of it
            code = code_of(error) if isinstance(error, ClientError) else ""
            self.is_left = code in GONE and self.ledger.has_left_home(run_id())
            self.is_lost = code in BROKEN and not self.is_left
            self._failure = error

    def require(self) -> None:
        """Go on only while the lock is ours.

        Raises:
            LockError: If somebody broke it, or may be about to, since it was not renewed for too long.
        """
        if self.is_left:
            return
        if self.is_lost:
            raise LockError(f"somebody broke the lock of env {self.env!r} while this ran; it stops here")
        if self._etag and monotonic() - self._renewed_at >= STALE_S:
            raise LockError(
                f"the lock of env {self.env!r} was not renewed for {STALE_S} s, so that others take this run "
                f"for dead; it stops here. The last renewal: {self._failure or 'no answer yet'}"
            ) from self._failure

    def _is_alone(self) -> bool:
        """Whether the environment has no other bucket; one that was just deleted may still be listed."""
        kept = {self.home.name, *([self.records.own.name] if self.records.days else [])}
        names = {name for name, _ in Bucket.names(self.client, self.scope)} - kept
        elsewhere = any(ACCOUNT in facts for facts in self.ledger.entries().values())
        return not elsewhere and not any(map(self._exists, names))

    def _exists(self, name: str) -> bool:
        try:
            self.client.head_bucket(Bucket=name)
        except ClientError as error:
            return code_of(error) not in GONE
        return True

    def _make_home(self) -> None:
        """Make the bucket, unless the ledger says that it is whole."""
        if self.ledger.entries().get(self.home.arn, {}).get("state") == "made":
            return
        found = self.home.read(self.client)
        if found and found["tags"] != self.home.scope.tags and self.home.arn not in self.ledger.entries():
            raise NotOursError(f"{self.home} exists, but this runbook did not make it: choose another prefix")
        self._require_one_home()
        for arn, entry in self.ledger.entries().items():
            if entry["pipeline"] == PIPELINE and arn != self.home.arn:  # in a region where it was before
                self.ledger.gone(arn)
        facts = {"noun": self.home.noun, "name": self.home.name, "region": self.home.region}
        facts |= {"pipeline": PIPELINE, "run": run_id()}
        self.ledger.intend(self.home.arn, **facts)
        retry_passing(sleep=sleep)(self.home.make, self.client)
        self.ledger.made(self.home.arn, **facts)  # two that begin at once make it both

    def _require_one_home(self) -> None:
        """Refuse to make a home while there is one in another region, where others look for the lock."""
        beginning = self.home.name.removesuffix(self.home.region)
        for name, region in Bucket.names(self.client, self.home.scope):
            if name.startswith(beginning) and region != self.home.region and self._exists(name):
                raise ParameterError(
                    f"home_region: the parameters say {self.home.region}, but the lock of env {self.env!r} "
                    f"is in {region}, where others look for it: set home_region to {region}. To have it in "
                    f"{self.home.region}, wait until nobody works on the environment, and remove the bucket "
                    f"{name} (aws s3 rb --force s3://{name}); nothing was done"
                )

    def _take_over(self) -> bool:
        found = self._read()
        if found is None:
            raise _AgainError
        holder, etag, idle_s = found
        self._require_ours(holder, idle_s)
        if holder.is_parent:
            self.is_parents = True
            return False
        if not holder.is_this_process:
            print(f"the lock of {holder} is taken over: that process has ended")
        try:
            self._put(IfMatch=etag)
        except ClientError as error:
            if code_of(error) in (*GONE, *TAKEN):
                raise _AgainError from error
            raise
        return True

    def _require_ours(self, holder: Holder, idle_s: float) -> None:
        # Our own lock: the answer to the put was lost, or a run in this process was stopped.
        if not (holder.is_parent or holder.is_this_process or holder.is_dead):
            raise LockError(_refusal(self.env, holder, idle_s))

    def _put(self, **condition: str) -> None:
        self._me = self._me or this_holder(self.target.caller)
        body = json.dumps(asdict(self._me), indent=1)
        began = monotonic()  # not the end: to others the lock is as old as S3's copy of it
        answer = self.client.put_object(Bucket=self.home.name, Key=KEY, Body=body.encode(), **condition)
        self._etag, self._renewed_at = answer["ETag"], began

    def _read(self) -> tuple[Holder, str, float] | None:
        """Return who holds the lock, its ETag, and for how many seconds it was not renewed, by S3's clock."""
        try:
            answer = self.client.get_object(Bucket=self.home.name, Key=KEY)
        except ClientError as error:
            if code_of(error) in GONE:
                return None
            raise
        return Holder.of(json.load(answer["Body"])), answer["ETag"], _idle_s(answer)


@contextmanager
def locked(target: Target, parameters: Parameters, is_run: bool = True) -> Iterator[Lock]:
    """Hold the lock of an environment; within a run that holds it, just go on.

    Args:
        target: The AWS to work on.
        parameters: As for `Lock`.
        is_run: Whether the ledger shall know it as a run, which a rollback takes back; a rollback is none.

    Yields:
        The lock.

    Raises:
        LockError: If somebody else holds it, or broke it meanwhile.
    """
    lock = Lock(target, parameters)
    is_within = lock.home.name in _held or not lock.acquire()
    run = run_id() if is_run else ""
    if is_within:
        lock.ledger.begin(run, parameters.mode)
        yield lock
        return
    _held[lock.home.name] = lock
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(lock, ended), daemon=True)
    renewing.start()
    failed: BaseException | None = None
    try:
        lock.take_ledger()
        lock.ledger.begin(run, parameters.mode)
        lock.begin_record(parameters)
        yield lock
        lock.require()
    except BaseException as error:
        failed = error
        raise
    finally:
        # Each of them, from the last to the first, whatever came of those before it.
        with uninterrupted("Giving the lock back"), ExitStack() as ending:
            ending.callback(lock.release)
            ending.callback(lock.leave_ledger)
            ending.callback(lock.end_record, failed)
            _held.pop(lock.home.name, None)
            ended.set()
            renewing.join()


@dataclass
class Running:
    """A run of the command line.

    Attributes:
        run: Its id.
        told: What its record shall say: as `Recording.told`.
        record: The record of its end, once it has ended.
    """

    run: str
    told: dict[str, Any]
    record: dict[str, Any]


@contextmanager
def run_alone(parameters: Parameters, makes_roles: bool = False) -> Iterator[Running]:
    """Hold the environment's lock, for all kernels that are started meanwhile; a plan needs none.

    Args:
        parameters: Whose lock, as for `Lock`; `mode` says whether it is a plan.
        makes_roles: Whether what is run may make roles; that we may is made sure before the first write,
            which is the lock's own home.

    Yields:
        The run, whose record it can tell what was done.

    Raises:
        LockError: As for `locked`.
        ParameterError: If we may not make roles as the parameters say.
    """
    before, run = os.environ.get(RUN_VARIABLE), new_run_id()
    os.environ[RUN_VARIABLE] = run
    try:
        if parameters.mode == "plan":
            ledger = Ledger.of(parameters)
            ledger.begin(run, parameters.mode)
            looking = Recording(parameters, run, who(asdict(this_holder(""))), ledger.entries())
            running = Running(run, looking.told, {})
            yield running
            running.record |= sealed(looking.end(ledger, None, last=False))
        else:
            target = connect(parameters)
            if makes_roles:
                own_rights.require(target, parameters.scope())
            with locked(target, parameters) as lock:
                running = Running(run, lock.recording.told if lock.recording else {}, lock.record)
                yield running
            running.record |= lock.record
    finally:
        del os.environ[RUN_VARIABLE]
        if before is not None:
            os.environ[RUN_VARIABLE] = before


def known_ledger(target: Target, parameters: Parameters) -> Ledger:
    """Return the ledger of an environment with what others have done in it, wherever they work. No lock.

    Args:
        target: The AWS that keeps the copy of it.
        parameters: Whose it is.
    """
    lock = Lock(target, parameters)
    lock.take_ledger()
    return lock.ledger


def _renew(lock: Lock, ended: threading.Event) -> None:
    while not lock.is_lost and not lock.is_left and not ended.wait(RENEWAL_S):
        lock.renew()
        with suppress(ClientError, BotoCoreError):  # the next renewal, or the end of the run, tries again
            lock.leave_ledger()


def _refusal(env: str, holder: Holder, idle_s: float) -> str:
    text = f"env {env!r} is locked by {holder} since {holder.since}"
    if idle_s < STALE_S:
        return f"{text}. Wait until that run has ended; nothing was done"
    idle = timedelta(seconds=round(idle_s))
    return f"{text}, and was not renewed for {idle}: that run was probably killed. `runbook unlock` breaks it"


def _idle_s(answer: dict) -> float:
    now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    return (now - answer["LastModified"]).total_seconds()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"uid {os.getuid()}"


def _command() -> str:
    if "ipykernel" in sys.modules:
        return f"a notebook in {Path.cwd()}"
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
