"""However deliveries to both functions are ordered, doubled and interleaved, DR ends as the primary is."""

import itertools
import threading

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from support.backup_pipeline import DR_REGION, PRIMARY_REGION, Backup, bodies, markers

TIMEOUT_S = 600
MOST_STEPS = 2000
KEYS = ["folder/b +ü", "folder/b +ü/longer"]
PUTS = st.fixed_dictionaries(
    {"body": st.sampled_from([b"", b"one", b"two"]), "Metadata": st.sampled_from([{}, {"m": "1"}])},
    optional={"Tagging": st.sampled_from(["t=1", "t=2"])},
)


class Worker(threading.Thread):
    """One delivery, which stops before each call to S3 or Lambda until it is told to go on."""

    def __init__(self, backup, function, event):
        super().__init__(daemon=True)
        self.go, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.backup, self.function, self.event = backup, function, event
        self.error, self.is_done = None, False
        self.start()
        assert self.stopped.acquire(timeout=TIMEOUT_S)

    def run(self):
        try:
            deliver(self.backup, self.function, self.event)
        except Exception as error:
            self.error = error
        self.is_done = True
        self.stopped.release()

    def wait(self):
        self.stopped.release()
        assert self.go.acquire(timeout=TIMEOUT_S)

    def step(self):
        """Let it make one call, unless it has ended."""
        if self.is_done:
            return
        self.go.release()
        assert self.stopped.acquire(timeout=TIMEOUT_S)


def deliver(backup, function, event):
    """Do what the handler does; its log context and metrics are not for threads."""
    module = backup.functions[function]
    (each,) = module.object_events(event)
    if function == "replicate":
        module.replicate_one(each)
    else:
        module.follow(each, module.no_brake)


def stop_before_calls(backup):
    def wait(**_):
        if isinstance(threading.current_thread(), Worker):
            threading.current_thread().wait()

    clients = [backup.replicate.client("lambda"), backup.delete.client("lambda")]
    for region in (PRIMARY_REGION, DR_REGION):
        clients += [backup.replicate.client("s3", region), backup.delete.client("s3", region)]
    for client in clients:
        client.meta.events.register_first("before-call", wait)


def machine(backup):
    """Return the state machine of a pair of buckets; each run of it has keys of its own."""
    runs = itertools.count()

    class Deliveries(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            prefix = f"run {next(runs)}/"
            self.keys = [prefix + key for key in KEYS]
            self.changed = [*self.keys[:1] * 4, *self.keys[1:]]  # most deliveries are to meet at one key
            self.queue, self.done, self.running = [], [], []
            backup.handed_over = self.queue

        @rule(data=st.data(), change=st.sampled_from(["put", "delete", "delete version"]))
        def change(self, data, change):
            key = data.draw(st.sampled_from(self.changed))
            if change == "put":
                self.queue.append(("replicate", backup.put(key, **data.draw(PUTS))))
            elif change == "delete":
                self.queue.append(("delete", backup.remove(key)))
            elif versions := [version for _, version in backup.primary.versions(key)] + markers(
                backup.primary, key
            ):  # to delete a marker undoes a delete
                self.queue.append(("delete", backup.remove(key, data.draw(st.sampled_from(versions)))))

        @precondition(lambda self: self.queue and len(self.running) < 3)
        @rule(data=st.data())
        def deliver(self, data):
            self._start(*self.queue.pop(data.draw(st.integers(0, len(self.queue) - 1))))

        @precondition(lambda self: self.done and len(self.running) < 3)
        @rule(data=st.data())
        def deliver_again(self, data):
            self._start(*data.draw(st.sampled_from(self.done)))

        @precondition(lambda self: self.running)
        @rule(data=st.data(), calls=st.integers(1, 4))
        def go_on(self, data, calls):
            worker = data.draw(st.sampled_from(self.running))
            for _ in range(calls):
                if not worker.is_done:
                    self._step(worker)

        def _start(self, function, event):
            self.running.append(Worker(backup, function, event))

        def _step(self, worker):
            worker.step()
            if worker.is_done:
                self.running.remove(worker)
                delivery = (worker.function, worker.event)
                # What fails is delivered again.
                (self.queue if worker.error else self.done).append(delivery)

        def teardown(self):
            """Deliver what is left, the oldest deliveries finishing last, the worst case; compare."""
            steps = itertools.count()
            while self.queue or self.running:
                while self.queue and len(self.running) < 3:
                    self._start(*self.queue.pop())
                latest = self.running[-1]
                while not latest.is_done:
                    self._step(latest)
                    assert next(steps) < MOST_STEPS, "it does not end"
            for key in self.keys:
                assert backup.differs(key) == {}
                if backup.erases:
                    assert bodies(backup.dr, key) <= bodies(backup.primary, key)

    return Deliveries


def finish(backup, *workers):
    """Let deliveries end one after the other, then deliver what was handed over."""
    for worker in workers:
        while not worker.is_done:
            worker.step()
        assert worker.error is None
    while backup.handed_over:
        deliver(backup, *backup.handed_over.pop(0))


@pytest.fixture(scope="module", params=[False, True], ids=["history kept", "history erased"])
def backup(request, operator, as_handler):
    backup = Backup.make(operator, as_handler, erases=request.param)
    stop_before_calls(backup)
    return backup


CALLS = range(8)  # more than one delivery makes


@pytest.mark.parametrize("calls", CALLS)
def test_deleted_while_it_is_replicated(backup, calls):
    key = f"deleted after {calls} calls"
    old = Worker(backup, "replicate", backup.put(key, b"first"))
    for _ in range(calls):
        old.step()
    new = Worker(backup, "delete", backup.remove(key))
    finish(backup, new, old)
    assert backup.differs(key) == {}


@pytest.mark.parametrize("calls", CALLS)
def test_put_again_while_the_delete_is_followed(backup, calls):
    key = f"put again after {calls} calls"
    deliver(backup, "replicate", backup.put(key, b"first"))
    old = Worker(backup, "delete", backup.remove(key))
    for _ in range(calls):
        old.step()
    new = Worker(backup, "replicate", backup.put(key, b"second"))
    finish(backup, new, old)
    assert backup.differs(key) == {}


@pytest.mark.parametrize("calls", CALLS)
def test_deleted_for_good_while_it_is_replicated(backup, calls):
    key = f"deleted for good after {calls} calls"
    deliver(backup, "replicate", backup.put(key, b"first"))
    put = backup.put(key, b"second")
    old = Worker(backup, "replicate", put)
    for _ in range(calls):
        old.step()
    new = Worker(backup, "delete", backup.remove(key, put["Records"][0]["s3"]["object"]["versionId"]))
    finish(backup, new, old)
    assert backup.differs(key) == {}
    if backup.erases:
        assert bodies(backup.dr, key) == {b"first"}


def test_any_interleaving_converges(backup):
    run_state_machine_as_test(
        machine(backup),
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
