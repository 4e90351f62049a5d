"""Saves MiniStack's state while it runs and when it ends.

Buckets and their settings are written down before the call that changed them is answered, and all else
every few seconds while the server is used: of items, messages, log events and metrics what has changed
(`pieces.py`).
When it is stopped, nothing new is begun, what handlers do may end for a few seconds, all is saved until that
succeeds, and what was not done is as it was before, to be done by the next server. `corrections/saving.py`
says why.
"""

import asyncio
import json
import logging
import os
import pickle
import signal
import sys
import time
from pathlib import Path

from ministack import app
from ministack.core import lambda_runtime, persistence
from ministack.core.responses import request_scope
from ministack.services import athena, glue, lambda_svc, s3, sqs

from lib.local.in_server import deliveries, pieces
from lib.local.in_server.corrections import saving as corrections
from lib.local.in_server.corrections import sqs as corrections_of_sqs

SAVE_EVERY_S = 2
# Requests wait while it saves, so that no one changes what is being saved: for a 20th of the time at most.
PAUSE_FOR_EACH_SECOND_S = 19
# What follows a request (handlers, retries, deliveries) is over by then, and saved too.
USED_WITHIN_S = 60
# Handlers get this long to finish when the server is stopped; then they are killed, and the next begins anew.
GRACE_S = 3
POLL_INTERVAL_S = 0.05
SAVE_AGAIN_S = 0.2
MOST_SAVES = 25
STOPPED = "The local AWS was stopped meanwhile: start it again."
WORK_PATH = "/_ministack/work"
STATE = Path(os.environ["STATE_DIR"])
NOT_SAVED = STATE / "not_saved.txt"  # what whoever stops it is told
UNSTOPPED = STATE / "unstopped.txt"  # there while it serves, and after it if nobody stopped it
UPLOADS = STATE / "multipart_uploads.pickle"

_used_at = 0.0
_tasks: list[asyncio.Task] = []  # the loop alone would let them be collected
_not_saved: list[str] = []
_written: dict[str, str] = {}  # services to their files' content


class _Errors(logging.Handler):
    """Takes note of what could not be saved: it is logged, and no more."""

    def emit(self, record: logging.LogRecord) -> None:
        _not_saved.append(record.getMessage())


def save() -> bool:
    """Save all; return whether all could be saved. What a thread is changing just now cannot."""
    _not_saved.clear()
    done = deliveries.journal.done()
    changes = pieces.save()
    persistence.save_all(app._build_persistence_save_dict())
    if not _not_saved:
        pieces.forget(changes)
        deliveries.journal.forget(done)
    return not _not_saved


async def keep_saving() -> None:
    """Save again and again; what could not be saved is saved the next time."""
    pause_s: float = SAVE_EVERY_S
    while True:
        await asyncio.sleep(pause_s)
        began = time.monotonic()
        if began - _used_at < USED_WITHIN_S or deliveries.journal.done():
            save()
        pause_s = max(SAVE_EVERY_S, PAUSE_FOR_EACH_SECOND_S * (time.monotonic() - began))


@corrections.WHILE_IT_RUNS.replacing("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved, go on with what was on its way, and only then begin to save."""
    load.original()
    pieces.load()
    NOT_SAVED.unlink(missing_ok=True)
    UNSTOPPED.touch()
    if UPLOADS.exists():
        s3._multipart_uploads._data.update(pickle.loads(UPLOADS.read_bytes()))  # of our own private folder
        UPLOADS.unlink()
    end_what_was_begun()
    loop = asyncio.get_running_loop()
    loop.call_soon(deliveries.resume)
    for number in (signal.SIGTERM, signal.SIGINT):  # in place of hypercorn's
        loop.add_signal_handler(number, begin_to_stop)
    _tasks.append(loop.create_task(keep_saving()))


def end_what_was_begun() -> None:
    """Bring to an end what a thread of the last server would have ended."""
    for (account_id, region, name), function in lambda_svc._functions._data.items():
        states = (function.get("config", {}).get("State"), function.get("config", {}).get("LastUpdateStatus"))
        if "Pending" in states or "InProgress" in states:
            with request_scope(account_id, region):
                lambda_svc._schedule_state_transition(name, 0)
    for query in athena._executions._data.values():
        if query["Status"]["State"] in ("QUEUED", "RUNNING"):
            query["Status"] |= {"State": "FAILED", "StateChangeReason": STOPPED}
            query["Status"]["CompletionDateTime"] = int(time.time())
    for crawler in glue._crawlers._data.values():
        if crawler.get("State") in ("RUNNING", "STOPPING"):
            crawler["State"] = "READY"
            crawler["LastCrawl"] = {"Status": "FAILED", "ErrorMessage": STOPPED}


def begin_to_stop() -> None:
    """Stop, once: whoever asks again waits for the same end."""
    if not deliveries.closing.is_set():
        deliveries.closing.set()
        _tasks.append(asyncio.get_running_loop().create_task(stop()))
        _tasks[-1].add_done_callback(asyncio.Task.result)  # which tells the log of an error


async def stop() -> None:
    """Let handlers finish for a while, save, and end; what is not done then is done by the next server."""
    deadline = time.monotonic() + GRACE_S
    while work()["running"] and time.monotonic() < deadline:
        await asyncio.sleep(POLL_INTERVAL_S)
    # From here on no request is answered, so nothing that handlers do is half saved.
    deliveries.put_back()
    for _ in range(MOST_SAVES):
        if save() and save_uploads():
            break
        time.sleep(SAVE_AGAIN_S)
    else:
        NOT_SAVED.write_text("\n".join(_not_saved), "utf-8")
    deliveries.freeze()
    workers = [worker for pool in list(lambda_runtime._workers.values()) for worker in list(pool)]
    processes = [worker._proc for worker in workers if worker._proc]
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
    sys.stdout.flush()
    sys.stderr.flush()
    UNSTOPPED.unlink(missing_ok=True)
    # Nothing may be changed after it is saved: not by threads, not by hypercorn's own way to end.
    os._exit(0)


def save_uploads() -> bool:
    """Save multipart uploads that are not complete; return whether they could be."""
    if not s3._multipart_uploads._data:
        return True
    staged = UPLOADS.with_suffix(".tmp")
    try:
        with staged.open("wb") as file:
            pickle.dump(s3._multipart_uploads._data, file)
        staged.replace(UPLOADS)
    except OSError as error:
        persistence.logger.error("failed to save multipart uploads: %s", error)
        return False
    return True


def work() -> dict:
    """Return what is done and what is on its way: functions to how many run, and how many wait."""
    _, running = lambda_svc.executions_in_flight()
    names = {key.rsplit(":", 1)[-1]: count for key, count in running.items()}
    return {"running": names, "on_their_way": deliveries.journal.count()}


@corrections.WHILE_IT_RUNS.replacing("ministack.app:app")
async def note_use(scope, receive, send) -> None:
    """Answer a request, and remember that there was one."""
    global _used_at
    if scope.get("path") == WORK_PATH:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(work()).encode()})
        return
    _used_at = time.monotonic()
    await note_use.original(scope, receive, send)


@corrections.WHILE_IT_RUNS.replacing("ministack.services.s3:handle_request")
async def handle_s3(method: str, path: str, headers: dict, *others, **named) -> tuple:
    """Answer a request to S3, once the bucket that it has changed is saved."""
    answer = await handle_s3.original(method, path, headers, *others, **named)
    bucket, key = s3._parse_bucket_key(path, headers)
    if method in ("PUT", "DELETE") and bucket and not key:
        persistence.save_state("s3", s3.get_state())
    return answer


@corrections_of_sqs.MESSAGES_IN_HAND.replacing("ministack.app:_load_persisted_state")
def load_queues() -> None:
    """Load all; whoever was working on a message is gone with the server, so it can be received now."""
    load_queues.original()
    now = time.time()
    for queue in sqs._queues._data.values():
        for message in queue["messages"]:
            if message.get("receipt_handle"):
                message["visible_at"] = min(message["visible_at"], now)


@corrections.QUERY_VALUES.replacing("ministack.core.persistence:_json_default")
def to_json(value: object) -> object:
    """Return what JSON can hold; of a query's values their text, which is all that Athena answers of them."""
    try:
        return to_json.original(value)
    except TypeError:
        return str(value)


@corrections.WHILE_IT_RUNS.replacing("ministack.core.persistence:save_state")
def save_state(service: str, state: dict) -> None:
    """Write a service's state, unless it is what was written last."""
    try:
        format_version = persistence._state_format_version(service)
        content = {"__ministack_format__": format_version, "payload": state}
        text = json.dumps(content, default=persistence._json_default)  # json.dump takes four times as long
        if _written.get(service) == text:
            return
        path = STATE / f"{service}.json"
        staged = path.with_suffix(".json.tmp")
        staged.write_text(text, "utf-8")
        staged.replace(path)
        _written[service] = text
    except Exception as error:  # something changes it just now, or the disk is full
        persistence.logger.error("Persistence: failed to save %s: %s", service, error)


_logger = logging.getLogger(persistence.logger.name)
_logger.setLevel("WARNING")  # else a line for each service and save
_logger.addHandler(_Errors(logging.ERROR))
