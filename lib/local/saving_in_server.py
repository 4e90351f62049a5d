"""Saves MiniStack's state while it runs; runs in the server, so it imports nothing of ours.

MiniStack 1.5.33 writes objects down when they are put, and all else only when it is stopped: a server that
was killed has forgotten it, even its buckets' regions. Here, buckets and their settings are written down
before the call that changed them is answered, and all else every few seconds while the server is used.

Nor can it write down results of queries with times or decimals in them, and so nothing of Athena's state.
"""

import asyncio
import time

from ministack import app
from ministack.core import persistence
from ministack.services import s3, sqs

SAVE_EVERY_S = 2
# Requests wait while it saves, so that no one changes what is being saved: for a 20th of the time at most.
PAUSE_FOR_EACH_SECOND_S = 19
# What follows a request (handlers, retries, deliveries) is over by then, and saved too.
USED_WITHIN_S = 60

_app = app.app
_load = app._load_persisted_state
_handle_s3 = s3.handle_request
_load_queues = sqs.load_persisted_state
_to_json = persistence._json_default
_used_at = 0.0
_saving: asyncio.Task | None = None  # the loop alone would let it be collected


async def keep_saving() -> None:
    """Save again and again; what a thread is changing just now is logged, and saved the next time."""
    pause_s = SAVE_EVERY_S
    while True:
        await asyncio.sleep(pause_s)
        began = time.monotonic()
        if began - _used_at < USED_WITHIN_S:
            persistence.save_all(app._build_persistence_save_dict())
        pause_s = max(SAVE_EVERY_S, PAUSE_FOR_EACH_SECOND_S * (time.monotonic() - began))


def load() -> None:
    """Load what was saved, and only then begin to save."""
    global _saving
    _load()
    _saving = asyncio.get_running_loop().create_task(keep_saving())


async def note_use(scope, receive, send) -> None:
    """Answer a request, and remember that there was one."""
    global _used_at
    _used_at = time.monotonic()
    await _app(scope, receive, send)


async def handle_s3(method: str, path: str, headers: dict, *others, **named) -> tuple:
    """Answer a request to S3, once the bucket that it has changed is saved."""
    answer = await _handle_s3(method, path, headers, *others, **named)
    bucket, key = s3._parse_bucket_key(path, headers)
    if method in ("PUT", "DELETE") and bucket and not key:
        persistence.save_state("s3", s3.get_state())
    return answer


def load_queues(data: dict) -> None:
    """Load queues; whoever was working on a message is gone with the server, so it can be received now."""
    _load_queues(data)
    now = time.time()
    for queue in sqs._queues._data.values():
        for message in queue["messages"]:
            if message.get("receipt_handle"):
                message["visible_at"] = min(message["visible_at"], now)


def to_json(value: object) -> object:
    """Return what JSON can hold; of a query's values their text, which is all that Athena answers of them."""
    try:
        return _to_json(value)
    except TypeError:
        return str(value)


persistence.logger.setLevel("WARNING")  # else a line for each service and save
app.app = note_use
app._load_persisted_state = load
s3.handle_request = handle_s3
sqs.load_persisted_state = load_queues
persistence._json_default = to_json
