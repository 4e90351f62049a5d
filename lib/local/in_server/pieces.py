"""Saves piece by piece what there is much of: items, messages, log events and points of metrics.

Only what has changed is written, so that saving takes as long with a full table as with an empty one. All
kinds are written in one transaction: a message that is gone and the item that was made of it, or neither.
What a table, queue or log stream had goes only after the file that names it does, so that one whose deletion
was not saved comes back whole.
`corrections/saving.py` says why.
"""

import ast
import json
import os
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ministack.core import persistence
from ministack.core.responses import AccountRegionScopedDict
from ministack.services import cloudwatch, cloudwatch_logs, dynamodb, sqs

from lib.local.in_server.corrections import saving as corrections

ITEM, MESSAGE, EVENT, POINT = "item", "message", "event", "point"
# A list of which the first go is written anew, so they go when they are so much of it.
DROP_FROM = 0.1


@dataclass
class Changes:
    """What has changed of one kind since it was saved last.

    Attributes:
        kind: ITEM, MESSAGE, EVENT or POINT.
        anew: The owners (tables, queues, log streams, metrics) of which all rows are written anew.
        rows: Owner, key and what is now there, or None if nothing is.
        gone: The owners that are deleted, of which there still are rows.
        saved: Called when the rows are written.
        forgotten: Called when those of what is deleted are deleted, too.
    """

    kind: str
    anew: set[str] = field(default_factory=set)
    rows: list[tuple[str, str, Any]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    saved: Callable[[], None] = lambda: None
    forgotten: Callable[[], None] = lambda: None


class Store:
    """The pieces, in a file that a killed server leaves whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rows = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # What is written is in the system's hands at once, so that it outlives the process.
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = NORMAL")
        self._rows.execute(
            "CREATE TABLE IF NOT EXISTS pieces"
            " (kind TEXT, owner TEXT, key TEXT, text TEXT, PRIMARY KEY (kind, owner, key))"
        )

    def write(self, changes: list[Changes]) -> None:
        """Write what has changed, all or nothing; what is there already keeps its place."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            for each in changes:
                self._delete(each.kind, each.anew)
                self._rows.executemany(
                    "DELETE FROM pieces WHERE kind = ? AND owner = ? AND key = ?",
                    ((each.kind, owner, key) for owner, key, value in each.rows if value is None),
                )
                self._rows.executemany(
                    "INSERT INTO pieces VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (kind, owner, key) DO UPDATE SET text = excluded.text",
                    (
                        (each.kind, owner, key, _text(value))
                        for owner, key, value in each.rows
                        if value is not None
                    ),
                )

    def forget(self, changes: list[Changes]) -> None:
        """Delete the rows of what is deleted."""
        with self._rows:
            self._rows.execute("BEGIN IMMEDIATE")
            for each in changes:
                self._delete(each.kind, each.gone)

    def _delete(self, kind: str, owners: set[str]) -> None:
        self._rows.executemany(
            "DELETE FROM pieces WHERE kind = ? AND owner = ?", ((kind, owner) for owner in owners)
        )

    def of(self, kind: str) -> dict[str, list[tuple[str, Any]]]:
        """Return all pieces of a kind, in the order in which they came: owner to keys and what was there."""
        rows = self._rows.execute("SELECT owner, key, text FROM pieces WHERE kind = ? ORDER BY rowid", [kind])
        found = defaultdict(list)
        for owner, key, text in rows:
            found[owner].append((key, _value(text)))
        return dict(found)


class Items:
    """Which items have changed: DynamoDB's functions that write them tell."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: dict[str, set[tuple[Any, Any]]] = {}
        self._replaced: set[str] = set()
        self._known: set[str] = set()

    def note(self, table: dict, *key: Any) -> None:
        """Take note of an item that was written, or, without its key, of a table of which all were."""
        with self._lock:
            if key:
                self._written.setdefault(table["TableId"], set()).add(key)  # type: ignore[arg-type]
            else:
                self._replaced.add(table["TableId"])

    def load(self, saved: dict[str, list[tuple[str, Any]]]) -> None:
        """Put items into the tables that they were saved of; others have been deleted."""
        self._known = set(saved)
        for table in dynamodb._tables.all_values():
            if rows := saved.get(table["TableId"]):
                items: dict = defaultdict(dict)
                for key, item in rows:
                    partition, sort = json.loads(key)
                    items[partition][sort] = item
                table["items"] = items
                dynamodb._items_replaced.original(table)  # type: ignore[attr-defined]

    def changes(self) -> Changes:
        """Return what has changed."""
        with self._lock:
            written, replaced = self._written, self._replaced
            self._written, self._replaced = {}, set()
        tables = {table["TableId"]: table for table in dynamodb._tables.all_values()}
        whole = (replaced | (set(tables) - self._known)) & set(tables)
        found = Changes(ITEM, anew=whole, gone=self._known - set(tables))
        try:
            for name in whole:
                for partition, items in list(tables[name]["items"].items()):
                    found.rows += [(name, _key(partition, sort), item) for sort, item in list(items.items())]
            for name in set(written) & set(tables) - whole:
                items = tables[name]["items"]
                found.rows += [(name, _key(*key), items.get(key[0], {}).get(key[1])) for key in written[name]]
        except BaseException:  # something changes it just now
            self.put_back(written, replaced)
            raise
        self._unsaved = written, replaced
        found.saved = lambda: self._done(found.gone | set(tables))
        found.forgotten = lambda: self._done(set(tables))
        return found

    def _done(self, known: set[str]) -> None:
        self._known, self._unsaved = known, ({}, set())

    def put_back(self, written: dict | None = None, replaced: set | None = None) -> None:
        """Take what could not be saved for changed, still."""
        if written is None or replaced is None:
            written, replaced = self._unsaved
        with self._lock:
            for name, keys in written.items():
                self._written.setdefault(name, set()).update(keys)
            self._replaced |= replaced

    _unsaved: tuple[dict, set] = ({}, set())


class Messages:
    """Which messages have changed: whatever is done with one, when it is visible and received changes."""

    def __init__(self) -> None:
        self._saved: dict[tuple[str, str], tuple] = {}

    def load(self, saved: dict[str, list[tuple[str, Any]]]) -> None:
        """Put messages into their queues; those of a queue that is gone are known until they are deleted."""
        self._saved = {(owner, key): () for owner, rows in saved.items() for key, _ in rows}
        for owner, queue in self._queues():
            queue["messages"] += [message for _, message in saved.get(owner, [])]

    def changes(self) -> Changes:
        """Return what has changed."""
        queues = dict(self._queues())
        now = {
            (owner, message["id"]): (
                message,
                message["visible_at"],
                message["receive_count"],
                message["receipt_handle"],
            )
            for owner, queue in queues.items()
            for message in list(queue["messages"])
        }
        before = self._saved
        of_the_gone = {key: facts for key, facts in before.items() if key[0] not in queues}
        rows = [(*key, facts[0]) for key, facts in now.items() if before.get(key) != facts]
        rows += [(*key, None) for key in before if key not in now and key not in of_the_gone]

        def saved(known: dict) -> None:
            self._saved = known

        return Changes(
            MESSAGE,
            rows=rows,
            gone={owner for owner, _ in of_the_gone},
            saved=lambda: saved(of_the_gone | now),
            forgotten=lambda: saved(now),
        )

    def _queues(self) -> Iterator[tuple[str, dict]]:
        for (account, region, _), queue in list(sqs._queues._data.items()):
            yield json.dumps([account, region, queue["name"]]), queue


class Lists:
    """What is new in lists that are added to; one that was changed otherwise is written anew.

    A kind of them says where they are.
    """

    kind: str

    def __init__(self) -> None:
        # Of each list how many there are, its first and its last.
        self._saved: dict[str, tuple[int, list[dict]]] = {}

    def places(self) -> Iterator[tuple[str, dict, Any]]:
        """Yield the owners that there are, and for each what holds its list, by which name."""
        raise NotImplementedError

    def place(self, owner: str) -> tuple[dict, Any] | None:
        """Return what is to hold the list of an owner, by which name; None if the owner is gone."""
        raise NotImplementedError

    def load(self, saved: dict[str, list[tuple[str, Any]]]) -> None:
        """Put what was saved to where it was; what has no place is known until it is deleted."""
        self._saved = {owner: (len(rows), []) for owner, rows in saved.items()}
        for owner, rows in saved.items():
            if place := self.place(owner):
                holder, name = place
                holder[name] = [value for _, value in rows]
                self._saved[owner] = _length_and_ends(holder[name])

    def changes(self) -> Changes:
        """Return what has changed."""
        found, now = Changes(self.kind), dict[str, tuple[int, list[dict]]]()
        for owner, holder, name in self.places():
            values = list(holder[name])
            count, ends = self._saved.get(owner, (0, []))
            if count and not self._goes_on(values, count, ends):
                found.anew.add(owner)
                count = 0
            found.rows += [(owner, f"{place}", value) for place, value in enumerate(values[count:], count)]
            now[owner] = _length_and_ends(values)
        of_the_gone = {owner: facts for owner, facts in self._saved.items() if owner not in now}

        def saved(known: dict) -> None:
            self._saved = known

        found.gone = set(of_the_gone)
        found.saved, found.forgotten = lambda: saved(of_the_gone | now), lambda: saved(now)
        return found

    @staticmethod
    def _goes_on(values: list[dict], count: int, ends: list[dict]) -> bool:
        return len(values) >= count and bool(ends) and values[0] is ends[0] and values[count - 1] is ends[1]


class Events(Lists):
    """The events of log streams."""

    kind = EVENT

    def places(self) -> Iterator[tuple[str, dict, Any]]:
        """Yield all streams that there are."""
        for key, group in list(cloudwatch_logs._log_groups._data.items()):
            for name, stream in list(group["streams"].items()):
                yield json.dumps([*key, name]), stream, "events"

    def place(self, owner: str) -> tuple[dict, Any] | None:
        """Return a stream, if it was saved that it is there."""
        *key, name = json.loads(owner)
        group = cloudwatch_logs._log_groups._data.get(tuple(key), {"streams": {}})
        stream = group["streams"].get(name)
        return (stream, "events") if stream else None


class Points(Lists):
    """The points of metrics, of which there is no more than these."""

    kind = POINT

    def places(self) -> Iterator[tuple[str, dict, Any]]:
        """Yield all metrics that there are."""
        for key in list(cloudwatch._metrics._data):
            yield repr(key), cloudwatch._metrics._data, key

    def place(self, owner: str) -> tuple[dict, Any] | None:
        """Return where a metric belongs."""
        return cloudwatch._metrics._data, ast.literal_eval(owner)


store = Store(Path(os.environ["STATE_DIR"]) / "pieces.sqlite")
items, messages, events, points = Items(), Messages(), Events(), Points()


def load() -> None:
    """Put what was saved to where it was; tables, queues and streams are there already."""
    if not corrections.PIECES.is_applied:
        return
    items.load(store.of(ITEM))
    messages.load(store.of(MESSAGE))
    events.load(store.of(EVENT))
    points.load(store.of(POINT))


def save() -> list[Changes]:
    """Save what has changed; what cannot be saved is logged, and changed still.

    Returns:
        What is saved; the rows of what is deleted are there until `forget`.
    """
    if not corrections.PIECES.is_applied:
        return []
    try:
        changes = [each.changes() for each in (items, messages, events, points)]
        store.write(changes)
    except Exception as error:  # something changes it just now, or the disk is full
        items.put_back()
        persistence.logger.error("Persistence: failed to save pieces: %s", error)
        return []
    for each in changes:
        each.saved()
    return changes


def forget(changes: list[Changes]) -> None:
    """Delete the rows of what is deleted; what cannot be is logged, and deleted the next time.

    Args:
        changes: What `save` has saved; no file may name any more what is deleted.
    """
    try:
        store.forget(changes)
    except Exception as error:
        persistence.logger.error("Persistence: failed to delete pieces: %s", error)
        return
    for each in changes:
        each.forgotten()


def _length_and_ends(events: list[dict]) -> tuple[int, list[dict]]:
    return len(events), [events[0], events[-1]] if events else []


def _key(*parts: Any) -> str:
    return json.dumps(parts, default=persistence._json_default)


def _text(value: Any) -> str:
    return json.dumps(value, default=persistence._json_default)


def _value(text: str) -> Any:
    return json.loads(text, object_hook=persistence._json_object_hook)


@corrections.PIECES.replacing("ministack.services.dynamodb:_set_item")
def set_item(table: dict, partition: Any, sort: Any, item: dict) -> Any:
    """Store an item, and take note of it."""
    before = set_item.original(table, partition, sort, item)
    items.note(table, partition, sort)
    return before


@corrections.PIECES.replacing("ministack.services.dynamodb:_remove_item")
def remove_item(table: dict, partition: Any, sort: Any) -> Any:
    """Delete an item, and take note of it."""
    before = remove_item.original(table, partition, sort)
    items.note(table, partition, sort)
    return before


@corrections.PIECES.replacing("ministack.services.dynamodb:_items_replaced")
def items_replaced(table: dict) -> None:
    """Count the items of a table that has others, and take note of it."""
    items_replaced.original(table)
    items.note(table)


@corrections.PIECES.replacing("ministack.services.dynamodb:get_state")
def state_of_dynamodb() -> dict:
    """Return all but items; nothing is copied, since it is written down at once."""

    def bare(table: dict) -> dict:
        return {name: table[name] for name in table if name != dynamodb._INDEX_MEMBERS} | {"items": {}}

    names = ["tags", "ttl_settings", "pitr_settings", "kinesis_destinations", "contributor_insights"]
    names += ["backups", "resource_policies", "exports", "imports"]
    return {"tables": _each(dynamodb._tables, bare), **_of(dynamodb, names)}


@corrections.PIECES.replacing("ministack.services.sqs:get_state")
def state_of_sqs() -> dict:
    """Return all but messages."""
    queues = _each(sqs._queues, lambda queue: {**queue, "messages": []})
    return {"queues": queues, **_of(sqs, ["queue_name_to_url"])}


@corrections.PIECES.replacing("ministack.services.cloudwatch_logs:get_state")
def state_of_logs() -> dict:
    """Return all but events."""

    def bare(group: dict) -> dict:
        streams = {name: {**stream, "events": []} for name, stream in list(group["streams"].items())}
        return {**group, "streams": streams}

    names = ["destinations", "resource_policies", "log_group_policies", "metric_filters", "queries"]
    names += ["log_records", "delivery_sources", "delivery_destinations", "deliveries"]
    return {"log_groups": _each(cloudwatch_logs._log_groups, bare), **_of(cloudwatch_logs, names)}


@corrections.PIECES.replacing("ministack.services.cloudwatch:get_state")
def state_of_cloudwatch() -> dict:
    """Return all but the points of metrics."""
    names = ["alarms", "composite_alarms", "composite_triggers", "alarm_history", "dashboards"]
    return {"metrics": AccountRegionScopedDict(), **_of(cloudwatch, [*names, "resource_tags"])}


@corrections.PIECES.replacing("ministack.services.cloudwatch:_evict_old_metrics")
def evict_old_metrics() -> None:
    """Drop points that are old, of a metric from a tenth of it on: it is written anew then."""
    since = time.time() - cloudwatch.TWO_WEEKS_SECONDS
    for key, known in list(cloudwatch._metrics.items()):
        kept = [point for point in known if point["Timestamp"] >= since]
        if not kept:
            del cloudwatch._metrics[key]
        elif len(known) - len(kept) >= DROP_FROM * len(known):
            cloudwatch._metrics[key] = kept


def _each(records: AccountRegionScopedDict, change: Callable[[dict], dict]) -> AccountRegionScopedDict:
    """Return records as they are saved: others, which share with them all that is not changed."""
    saved = AccountRegionScopedDict()
    for key, record in list(records._data.items()):
        saved._data[key] = change(record)
    return saved


def _of(module: ModuleType, names: list[str]) -> dict[str, Any]:
    """Return what a service keeps under these names."""
    return {name: getattr(module, f"_{name}") for name in names}
