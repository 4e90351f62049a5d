"""However deliveries are ordered, doubled and interleaved call by call, the target ends as the source is."""

import itertools
import threading

import boto3
import pytest
from botocore.config import Config
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from support.buckets import Pair
from support.handler_support import TARGET_REGION

TIMEOUT_S = 600
STEPS = 50  # of one run; some find nothing to do
KEYS = st.sampled_from(["a", "folder/b+ü"])
WHICH = st.integers(0, 59)  # of up to six, each equally often
PUTS = st.fixed_dictionaries(
    {"Body": st.sampled_from([b"", b"one", b"two"]), "Metadata": st.sampled_from([{}, {"m": "1"}])},
    optional={"Tagging": st.sampled_from(["t=1", "t=2"])},
)


class Worker:
    """One delivery at a time, in a thread that stops before each call to S3 until it is told to go on."""

    def __init__(self):
        self.go, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        session = boto3.Session()
        self.clients = {
            region: session.client("s3", region_name=region, config=Config(retries={"max_attempts": 1}))
            for region in ("us-west-1", TARGET_REGION)
        }
        for client in self.clients.values():
            client.meta.events.register("before-call.s3", self._wait)
        self.thread = None

    def start(self, key, delivery):
        self.key, self.outcome = key, None
        self.thread = threading.Thread(target=self._run, args=[delivery], daemon=True)
        self.thread.start()
        assert self.stopped.acquire(timeout=TIMEOUT_S)

    def step(self):
        """Let it make one call; return the outcome if that was the last."""
        self.go.release()
        assert self.stopped.acquire(timeout=TIMEOUT_S)
        if self.outcome is not None:
            self.thread.join(TIMEOUT_S)
            self.thread = None
        return self.outcome

    def _wait(self, **_):
        self.stopped.release()
        assert self.go.acquire(timeout=TIMEOUT_S)

    def _run(self, delivery):
        try:
            self.outcome = delivery(self.clients, self.key)
        except Exception as error:
            self.outcome = error
        self.stopped.release()


def delivery_between(replicate, pair, deletions_followed=False):
    """Return what a worker does for a key."""

    def delivery(clients, key):
        source = replicate.Place(clients["us-west-1"], pair.source.bucket, key)
        target = replicate.Place(clients[TARGET_REGION], pair.target.bucket, key)
        return replicate.replicate(source, target, deletions_followed)

    return delivery


def machine(replicate, operator, workers, versioned, deletions_followed):
    """Return the state machine of one pair of buckets; each run of it has keys of its own."""
    pair = Pair.make(operator, versioned)
    delivery = delivery_between(replicate, pair, deletions_followed)
    runs = itertools.count()

    class Deliveries(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.prefix = f"run {next(runs)}/"
            self.queue, self.done, self.existing, self.running = [], [], set(), []
            self.failures = []

        @rule(key=KEYS, arguments=PUTS)
        def put(self, key, arguments):
            pair.source.client.put_object(Bucket=pair.source.bucket, Key=self.prefix + key, **arguments)
            self.existing.add(key)
            self.queue.append(key)

        # How many calls a delivery makes may differ from run to run: without versions, whether two puts fell
        # into the same second. So what Hypothesis draws does not depend on how far the deliveries are.
        @rule(key=KEYS)
        def delete(self, key):
            if key in self.existing:
                pair.source.delete(self.prefix + key)
                self.existing.remove(key)

        @rule(which=WHICH)
        def deliver(self, which):
            if self.queue and len(self.running) < len(workers):
                self._start(self.queue.pop(which % len(self.queue)))

        @rule(which=WHICH)
        def deliver_again(self, which):
            if self.done and len(self.running) < len(workers):
                self._start(self.done[which % len(self.done)])

        @rule(which=WHICH, calls=st.integers(1, 4))
        def go_on(self, which, calls):
            if not self.running:
                return
            worker = self.running[which % len(self.running)]
            for _ in range(calls):
                if worker.thread:
                    self._step(worker)

        def _start(self, key):
            worker = next(worker for worker in workers if not worker.thread)
            worker.start(self.prefix + key, delivery)
            self.running.append(worker)

        def _step(self, worker):
            outcome = worker.step()
            if outcome is None:
                return
            self.running.remove(worker)
            key = worker.key.removeprefix(self.prefix)
            if isinstance(outcome, Exception):
                self.queue.append(key)  # not acknowledged: delivered again
                self.failures.append(outcome)
                assert len(self.failures) <= STEPS, outcome  # it is not for good
            else:
                self.done.append(key)

        def teardown(self):
            """Deliver what is left, the oldest deliveries finishing last, the worst case; compare."""
            while self.queue or self.running:
                while self.queue and len(self.running) < len(workers):
                    self._start(self.queue.pop())
                latest = self.running[-1]
                while latest.thread:
                    self._step(latest)
            for key in self.existing:
                assert pair.differences(self.prefix + key) == {}

    return Deliveries


@pytest.fixture(scope="module")
def workers(replicate):
    return [Worker() for _ in range(3)]


@pytest.mark.parametrize("deletions_followed", [False, True])
@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("calls_of_the_old", [0, 1, 2, 3, 4])
def test_an_old_delivery_that_writes_last_does_not_win(
    replicate, pair, workers, calls_of_the_old, is_there, deletions_followed
):
    old, new, _ = workers
    key = f"raced {calls_of_the_old} {is_there} {deletions_followed}"
    delivery = delivery_between(replicate, pair, deletions_followed)
    if is_there:
        pair.target.put(key, b"zeroth")
    pair.source.put(key, b"first")
    old.start(key, delivery)
    for _ in range(calls_of_the_old):
        if old.thread:
            old.step()
    pair.source.put(key, b"second")
    new.start(key, delivery)
    for worker in (new, old):
        while worker.thread:
            worker.step()
    assert pair.differences(key) == {}


@pytest.mark.parametrize("deletions_followed", [False, True])
@pytest.mark.parametrize("versioned", [True, False], ids=["versioned", "unversioned"])
def test_any_interleaving_converges(replicate, operator, workers, versioned, deletions_followed):
    run_state_machine_as_test(
        machine(replicate, operator, workers, versioned, deletions_followed),
        settings=settings(
            max_examples=40,
            stateful_step_count=STEPS,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
