"""Keeps what is on its way.

Events of S3 and asynchronous invocations are written into a journal before the call that caused them is
answered, and are there until they are done and what they have done is saved. The next server goes on with
what it finds, retries as they were counted. `corrections/lambda_svc.py` says why.
"""

import contextvars
import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, now_iso, request_scope
from ministack.services import lambda_svc, s3

from lib.local.in_server.corrections import lambda_svc as corrections

# What a stopped server has left is begun anew with so many at once, not in a thread and a process each.
RESUMED_AT_ONCE = 16
# As MiniStack has them: AWS waits a minute and then two, and keeps an event for six hours.
RETRY_BASE_S, RETRY_MOST_S = 1, 30
MOST_AGE_S = 21600
MOST_RETRIES = 2

logger = logging.getLogger("deliveries")


class Journal:
    """What is on its way, in a file that a killed server leaves whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()
        self._done: list[int] = []
        self._rows = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # What is written is in the system's hands at once, so that it outlives the process.
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = NORMAL")
        self._rows.execute("CREATE TABLE IF NOT EXISTS deliveries (number INTEGER PRIMARY KEY, facts TEXT)")

    def add(self, facts: dict) -> int:
        """Write down that something is on its way; return its number."""
        with self.lock:
            row = self._rows.execute("INSERT INTO deliveries (facts) VALUES (?)", [json.dumps(facts)])
            return cast(int, row.lastrowid)  # which each INSERT has

    def change(self, number: int, facts: dict) -> None:
        """Write down how far something has come."""
        with self.lock:
            self._rows.execute(
                "UPDATE deliveries SET facts = ? WHERE number = ?", [json.dumps(facts), number]
            )

    def finish(self, number: int) -> None:
        """Note that something is done; it stays written down until what it has done is saved."""
        with self.lock:
            self._done.append(number)

    def done(self) -> list[int]:
        """Return what is done and still written down."""
        with self.lock:
            return list(self._done)

    def forget(self, numbers: list[int]) -> None:
        """Strike off what is done and saved."""
        with self.lock:
            self._rows.executemany("DELETE FROM deliveries WHERE number = ?", [[each] for each in numbers])
            self._done = self._done[len(numbers) :]

    def count(self) -> int:
        """Return how much is on its way."""
        with self.lock:
            written, *_ = self._rows.execute("SELECT count(*) FROM deliveries").fetchone()
            return written - len(self._done)

    def pending(self) -> list[tuple[int, dict]]:
        """Return what an earlier server has written down: numbers and facts, the oldest first."""
        with self.lock:
            rows = self._rows.execute("SELECT number, facts FROM deliveries ORDER BY number").fetchall()
        return [(number, json.loads(facts)) for number, facts in rows]


journal = Journal(Path(os.environ["STATE_DIR"]) / "deliveries.sqlite")
closing = threading.Event()  # from then on nothing is begun, only ended

_in_hand: dict[int, list[dict]] = {}  # messages that handlers work on


@corrections.S3_EVENTS.replacing("ministack.services.s3:_fire_s3_event_async")
def fire_s3_event(
    bucket_name: str, key: str, event_name: str, *, record_extra: dict | None = None, **named
) -> None:
    """Tell whoever wants to know of what has happened to an object, in a thread; the event's time is now."""
    if bucket_name not in s3._bucket_notifications:
        return
    named |= {
        "sequencer": s3._next_event_sequencer(event_name),
        "record_extra": {"eventTime": now_iso(), **(record_extra or {})},
    }
    facts = {"kind": "s3", "account": get_account_id(), "region": get_region()}
    facts |= {"arguments": [bucket_name, key, event_name], "named": named}
    _in_thread(_tell, journal.add(facts), facts)


@corrections.ASYNCHRONOUS.replacing("ministack.services.lambda_svc:invoke_async_with_retry")
def invoke_function(func: dict, event: dict) -> None:
    """Invoke a function asynchronously, in a thread.

    Args:
        func: What MiniStack knows of the function or the version.
        event: What it is invoked with.
    """
    config = func.get("config") or func
    account_id, region = lambda_svc._account_region_from_function_config(config)
    facts = {
        "kind": "lambda",
        "account": account_id,
        "region": region,
        "function": config["FunctionArn"],
        "event": event,
        "depth": lambda_svc._invoke_depth.get(),
        "failed": 0,
        "began": time.time(),
    }
    _in_thread(_invoke, journal.add(facts), facts, func)


def resume() -> None:
    """Go on with what an earlier server has left; returns at once."""
    if not (left := journal.pending()):
        return
    logger.warning("%d events were on their way when the server ended: they are delivered now", len(left))
    threads = ThreadPoolExecutor(RESUMED_AT_ONCE)
    for number, facts in left:
        work = _tell if facts["kind"] == "s3" else _invoke
        threads.submit(contextvars.copy_context().run, work, number, facts)


def freeze() -> None:
    """Let nothing be written down any more: handlers are about to be killed, and have not failed by that."""
    journal.lock.acquire()


def put_back() -> None:
    """Give the queues back what handlers have in hand, as if it had never been received."""
    now = time.time()
    for message in [message for batch in list(_in_hand.values()) for message in batch]:
        message["receive_count"] -= 1
        message["visible_at"], message["receipt_handle"] = now, None
        if not message["receive_count"]:
            message["first_receive_at"] = None


def _in_thread(work: Callable, *arguments) -> None:
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work, *arguments), daemon=True).start()


@contextmanager
def _scope(facts: dict) -> Iterator[None]:
    """Work for an account in a region, and as services do among themselves: with TLS."""
    iam_evaluator._request_origin.set(("127.0.0.1", True))
    with request_scope(facts["account"], facts["region"]):
        yield


def _tell(number: int, facts: dict) -> None:
    with _scope(facts):
        s3._fire_s3_event(*facts["arguments"], **facts["named"])
    journal.finish(number)


def _invoke(number: int, facts: dict, func: dict | None = None) -> None:
    """Invoke a function until it has done it, may not be tried again, or the server ends."""
    with _scope(facts):
        lambda_svc._invoke_depth.set(facts["depth"])
        func = func or _function(facts["function"])
        while func and not closing.is_set():
            answer = _attempt(func, facts["event"])
            if not answer.get("error"):
                break
            if not answer.get("throttle"):
                facts["failed"] += 1
                journal.change(number, facts)
            if not _wait_for_retry(func, facts):
                _give_up(func, facts["event"], answer)
                break
        else:
            if func:
                return  # the next server goes on
            logger.warning("%s does not exist any more: its event is dropped", facts["function"])
    journal.finish(number)


def _function(arn: str) -> dict | None:
    func, config, _ = lambda_svc._get_func_record_for_ref(arn)
    return lambda_svc._execution_record_for_config(func, {**config, "FunctionArn": arn}) if func else None


def _attempt(func: dict, event: dict) -> dict:
    try:
        answer = lambda_svc._execute_function(func, event)
    except Exception as error:
        logger.exception("An invocation failed in the server")
        return {"error": True, "body": {"errorType": type(error).__name__, "errorMessage": str(error)}}
    if log := answer.get("log"):
        logger.info("%s", log)
    return answer


def _settings(func: dict) -> dict:
    named = func.get("event_invoke_config") or (func.get("event_invoke_configs") or {}).get("$LATEST")
    return named or {}


def _wait_for_retry(func: dict, facts: dict) -> bool:
    """Wait as long as AWS would, in seconds instead of minutes; return whether there is another attempt."""
    settings = _settings(func)
    retries = settings.get("MaximumRetryAttempts")
    if facts["failed"] > (MOST_RETRIES if retries is None else int(retries)):
        return False
    pause_s = min(RETRY_BASE_S * 2 ** max(0, facts["failed"] - 1), RETRY_MOST_S)
    age_s = time.time() - facts["began"]
    if age_s + pause_s > int(settings.get("MaximumEventAgeInSeconds") or MOST_AGE_S):
        return False
    closing.wait(pause_s)
    return True


def _give_up(func: dict, event: dict, answer: dict) -> None:
    config = func.get("config") or func
    named = (_settings(func).get("DestinationConfig") or {}).get("OnFailure") or {}
    destination = named.get("Destination") or (config.get("DeadLetterConfig") or {}).get("TargetArn")
    if destination:
        lambda_svc._route_async_failure(destination, config.get("FunctionName", ""), event, answer)


@corrections.FROM_EVENTBRIDGE.replacing("ministack.services.eventbridge:_dispatch_to_lambda")
def invoke_for_eventbridge(arn: str, payload: str) -> None:
    """Invoke the function that is a rule's target."""
    try:
        event = json.loads(payload)
    except (json.JSONDecodeError, TypeError):
        event = {"body": payload}
    if func := _function(arn):
        invoke_function(func, event)
    else:
        logger.warning("EventBridge: function %s does not exist", arn)


@corrections.FROM_SNS.replacing("ministack.services.sns:_deliver_to_lambda")
def invoke_for_sns(endpoint: str, envelope: str, _topic_arn: str, subscription_arn: str, *_: object) -> None:
    """Invoke the function that has subscribed to a topic."""
    if func := _function(endpoint):
        record = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "EventSource": "aws:sns",
            "Sns": json.loads(envelope),
        }
        invoke_function(func, {"Records": [record]})
    else:
        logger.warning("SNS: function %s does not exist", endpoint)


@corrections.MESSAGES_IN_HAND.replacing("ministack.services.lambda_svc:_poll_sqs")
def poll_sqs() -> bool:
    """Give handlers messages, unless the server is about to end."""
    return False if closing.is_set() else poll_sqs.original()


@corrections.MESSAGES_IN_HAND.replacing("ministack.services.lambda_svc:_run_sqs_batch")
def run_sqs_batch(esm: dict, func_rec: dict, event: dict, batch: list[dict], *others) -> None:
    """Let a handler work on messages, and know of them."""
    _in_hand[id(batch)] = batch
    try:
        run_sqs_batch.original(esm, func_rec, event, batch, *others)
    finally:
        del _in_hand[id(batch)]
