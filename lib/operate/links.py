"""What exists under a pipeline's name, and what hands work on to what: read from the account.

Nothing here is remembered or described: names, tags and links are asked of AWS. What several pipelines ask in
the same words, since AWS lists it for a whole region, is asked once.
"""

import json
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from lib.engine.adoption import key_arn
from lib.engine.regions import Regions
from lib.engine.role_descriptions import Told, by_roles
from lib.resources.base import SOURCE, Resource, Scope, roles
from lib.resources.dynamodb import Table
from lib.resources.lambda_ import event_source_mappings, functions, on_failure
from lib.resources.s3 import Bucket, notifications_of, tags_of
from lib.resources.s3_adopted import AdoptedBucket
from lib.resources.sns import Topic, subscriptions
from lib.resources.sqs import Queue
from lib.target import Target

Answer = TypeVar("Answer")
Scoped = TypeVar("Scoped", bound=Resource)
AnyStore = Bucket | Table | Queue | Topic
Kind = TypeVar("Kind", Bucket, Table, Queue, Topic)
Variables = dict[str, str]


@dataclass(frozen=True)
class Store:
    """A bucket, table, queue or topic that exists.

    Attributes:
        resource: It, to be named and asked; of how it is set nothing is known.
        roles: What it is to its pipeline, by its tags.
        dead_letters: ARN of the queue for what was received from it too often; empty for none.
        is_ours: Whether its tags say so; what has our name alone is somebody else's.
    """

    resource: AnyStore
    roles: frozenset[str]
    dead_letters: str = ""
    is_ours: bool = True


@dataclass(frozen=True)
class Parts:
    """What exists under a pipeline's name.

    Attributes:
        stores: Its buckets, tables, queues and topics, by their ARNs.
        functions: ARNs of its functions to their environment variables.
        failures: ARNs of its functions to that of where their failures go, of those that say so.
    """

    stores: dict[str, Store] = field(default_factory=dict)
    functions: dict[str, Variables] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def of(self, kind: type[Kind]) -> list[tuple[Kind, Store]]:
        """Return the resources of a type, each with its store."""
        return [(one.resource, one) for one in self.stores.values() if isinstance(one.resource, kind)]


class Account:
    """An account, looked at for the pipelines of an environment."""

    def __init__(self, target: Target, env: Scope):
        """Look at nothing yet.

        Args:
            target: The AWS to look at.
            env: The scope of the whole environment.
        """
        self.target, self.env = target, env
        self._regions = Regions(target, env)
        self._lock = Lock()
        self._locks: dict[Hashable, Lock] = {}
        self._answers: dict[Hashable, Any] = {}

    def buckets(self) -> list[tuple[str, str]]:
        """Return the environment's buckets in this account: name and region."""
        client = self.target.client("s3", self.target.home_region)
        return self._once("buckets", lambda: list(Bucket.names(client, self.env)))

    def buckets_elsewhere(self, scope: Scope) -> list[tuple[str, str, str]]:
        """Return a pipeline's buckets in other accounts, as its roles say: name, region and account.

        Args:
            scope: The pipeline's.
        """
        found = []
        for one in self._told_by_roles().others:
            if one.pipeline == scope.pipeline:
                self.target.learn(
                    [one, *(way for way in self.env.others if way.account_id == one.account_id)]
                )
                client = self.target.client("s3", self.target.home_region, one.account_id)
                names = self._once(("buckets", one.account_id), lambda: list(Bucket.names(client, self.env)))  # noqa: B023
                ours = [(name, region) for name, region in names if name.startswith(scope.beginning)]
                found += [(name, region, one.account_id) for name, region in ours]
        return found

    def names(self, regions: set[str]) -> list[str]:
        """Return the third parts of the names of all buckets and queues, sorted: pipelines, and others.

        Args:
            regions: Where to look for queues besides where there are buckets.
        """
        found = {name for name, _ in self.buckets()}
        for region in regions | {region for _, region in self.buckets()}:
            queues = self._regions.look(region, partial(self._queues, self.env, region))
            found |= {queue.name for queue in queues or []}
        return sorted({self.env.pipeline_of(name) for name in found})

    def parts(self, scope: Scope, regions: set[str], all_regions: set[str]) -> Parts:
        """Return what exists of a pipeline, in all regions in which something of it is or is linked to.

        Args:
            scope: The pipeline's.
            regions: Where to look besides where it has buckets.
            all_regions: Where to look if that is nowhere.
        """
        ours = [(name, region) for name, region in self.buckets() if name.startswith(scope.beginning)]
        buckets = [*((name, region, "") for name, region in ours), *self.buckets_elsewhere(scope)]
        stores = [*self._stores_of_s3(scope, buckets), *self._adopted(scope)]
        found = Parts({store.resource.arn: store for store in stores})
        todo = regions | {store.resource.region for store in stores} or all_regions
        seen: set[str] = set()
        while todo - seen:
            region = min(todo - seen)
            seen.add(region)
            self._take_region(scope, region, found)
            todo |= {arn.split(":")[3] for arn in self._named(found)} - {""}
        return found

    def receivers(self, arn: str) -> list[str]:
        """Return who gets what is sent somewhere: a topic's subscribers, or a queue or function itself.

        Args:
            arn: Of a queue, a function or a topic.
        """
        if ":sns:" not in arn:
            return [without_version(arn)]
        client = self.target.client("sns", arn.split(":")[3])
        found = self._once(arn, lambda: list(subscriptions(client, arn)))
        return [without_version(one["Endpoint"]) for one in found if one["Protocol"] in ("sqs", "lambda")]

    def notifications(self, bucket: Bucket) -> list[dict]:
        """Return what a bucket tells of, by the entries that are ours; none if it is gone."""
        client = self.target.client_of(bucket)
        try:
            return self._once(bucket.arn, lambda: notifications_of(client, bucket))
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            return []

    def workers(self, queue: Queue) -> list[str]:
        """Return the ARNs of the functions that a queue's messages make run."""
        return [function for source, function in self._mappings(queue.region) if source == queue.arn]

    def _told_by_roles(self) -> Told:
        return self._once("roles", lambda: by_roles(self.target, self.env))

    def _take_region(self, scope: Scope, region: str, found: Parts) -> None:
        self._regions.look(region, lambda: self._take_what_is_in(scope, region, found))

    def _take_what_is_in(self, scope: Scope, region: str, found: Parts) -> None:
        for store in (*self._stores_of_sqs(scope, region), *self._others(scope, region)):
            found.stores[store.resource.arn] = store
        client = self.target.client("lambda", region)
        for arn, variables in self._functions(region).items():
            if arn.split(":")[6].startswith(scope.beginning):
                found.functions[arn] = variables
                if queue := on_failure(client, arn.split(":")[6]):
                    found.failures[arn] = queue

    def _named(self, found: Parts) -> Iterator[str]:
        """Yield ARNs, each with a region, of what is linked to: where else to look."""
        for bucket, store in found.of(Bucket):
            if SOURCE in store.roles:
                for each in self.notifications(bucket):
                    yield each["destination"]
                    yield from self.receivers(each["destination"])
        yield from found.failures.values()
        yield from filter(None, (store.dead_letters for store in found.stores.values()))

    def _stores_of_s3(self, scope: Scope, buckets: list[tuple[str, str, str]]) -> Iterator[Store]:
        for name, region, account_id in buckets:
            client = self.target.client("s3", region, account_id)
            with suppress(client.exceptions.NoSuchBucket):
                what = name.removeprefix(scope.beginning).removesuffix(f"-{scope.account_id}-{region}")
                what = what.removesuffix(f"-{account_id[-4:]}") if account_id else what
                bucket = Bucket(what, region, found_in=account_id or scope.account_id)
                yield _store(bucket, scope, tags_of(client, name))

    def _adopted(self, scope: Scope) -> Iterator[Store]:
        """Yield the buckets that a pipeline has adopted, as its roles say, and that are still there."""
        for one in self._told_by_roles().adopted:
            if one.pipeline == scope.pipeline:
                bucket = _scoped(AdoptedBucket(one.what, one.region, role=one.end_role, adopted=one), scope)
                if bucket.read(self.target.client("s3", one.region)) is not None:
                    bucket.default_key = key_arn(self.target, one)
                    yield Store(bucket, frozenset(one.end_role.split("+")))

    def _stores_of_sqs(self, scope: Scope, region: str) -> Iterator[Store]:
        client = self.target.client("sqs", region)
        for queue in self._queues(scope, region):
            with suppress(client.exceptions.QueueDoesNotExist):
                url = queue.output(client)
                attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
                policy = json.loads(attributes.get("Attributes", {}).get("RedrivePolicy", "{}"))
                tags = client.list_queue_tags(QueueUrl=url).get("Tags", {})
                yield _store(queue, scope, tags, policy.get("deadLetterTargetArn", ""))

    def _others(self, scope: Scope, region: str) -> Iterator[Store]:
        for table in Table.find(self.target.client("dynamodb", region), scope):
            what = table.name.removeprefix(scope.beginning)
            yield _store(Table(what, region, partition_key=""), scope, table.tags or {})
        for topic in Topic.find(self.target.client("sns", region), scope):
            yield _store(Topic(topic.name.removeprefix(scope.beginning), region), scope, topic.tags or {})

    def _queues(self, scope: Scope, region: str) -> list[Queue]:
        client = self.target.client("sqs", region)
        names = self._once(("queues", region), lambda: list(Queue.names(client, self.env)))
        ours = [name for name in names if name.startswith(scope.beginning)]
        return [_scoped(Queue(name.removeprefix(scope.beginning), region), scope) for name in ours]

    def _functions(self, region: str) -> dict[str, Variables]:
        client = self.target.client("lambda", region)
        return self._once(("functions", region), lambda: functions(client, self.env))

    def _mappings(self, region: str) -> list[tuple[str, str]]:
        client = self.target.client("lambda", region)
        return self._once(("mappings", region), lambda: event_source_mappings(client))

    def _once(self, what: Hashable, ask: Callable[[], Answer]) -> Answer:
        with self._lock:
            lock = self._locks.setdefault(what, Lock())
        with lock:
            if what not in self._answers:
                self._answers[what] = ask()
            return self._answers[what]


def without_version(arn: str) -> str:
    """Return the ARN of a function without version or alias; any other as it is."""
    return ":".join(arn.split(":")[:7]) if ":function:" in arn else arn


def _store(resource: AnyStore, scope: Scope, tags: dict[str, str], dead_letters: str = "") -> Store:
    """Return a store; what has our name, but not our tags, has no role, whatever its tags say."""
    is_ours = scope.tags.items() <= tags.items()
    return Store(_scoped(resource, scope), frozenset(roles(tags) if is_ours else ()), dead_letters, is_ours)


def _scoped(resource: Scoped, scope: Scope) -> Scoped:
    """Return a resource that knows its full name."""
    resource.scope = scope
    return resource
