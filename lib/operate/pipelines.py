"""The pipelines as those see them who operate them: what they read and write, how to get in, what is stuck.

No pipeline is known here by its name. What each is, the account says: ends are tagged with their role, the
source's notification leads to the entrance, and what hands on work says where it goes when it fails.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from os.path import commonprefix
from typing import TypeVar

from botocore.exceptions import ClientError

from lib.base.errors import NotDeployedError, ParameterError, RunbookError
from lib.base.explained import explained
from lib.base.shown import counted
from lib.base.threads import WORKERS
from lib.engine.ledger import Ledger
from lib.operate.as_deployed import at_odds, tells_of
from lib.operate.links import Account, AnyStore, Parts
from lib.parameters import Parameters
from lib.parameters.sections import Expected
from lib.parameters.types import did_you_mean
from lib.resources.base import DESTINATION, HOLDING, SOURCE, TAG_ROLE, Resource, Scope
from lib.resources.dynamodb import Table
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.s3.selection import KeyFilter
from lib.target import Target

AnyResource = TypeVar("AnyResource", bound=Resource)
CREATED, REMOVED = "s3:ObjectCreated:", "s3:ObjectRemoved:"
# What the variables of a function say by the ends of their names, as `Function.links` reads them.
TOLD: dict[str, type[Resource]] = {"_BUCKET": Bucket, "_TABLE": Table, "_QUEUE": Queue}


@dataclass(frozen=True)
class FunctionName:
    """A Lambda function that exists, as a place to send events to.

    Attributes:
        name: Its full name.
        region: Where it is.
        variables: Its environment, as it is deployed.
    """

    name: str
    region: str
    variables: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"Lambda function {self.name} in {self.region}"


@dataclass(frozen=True)
class DeadLetters:
    """A queue in which work waits that was not done.

    Attributes:
        queue: The queue.
        origin: What the work was for: the queue or function to send it to again.
        kind: `dead letters` (a queue's messages that failed too often), `failures` (of asynchronous
            invocations, in the envelope of the on-failure destination) or `holding` (stopped by the brake).
        deletes: Whether doing that work deletes something.
        others: What else shares the queue; each of its messages says which of them it was for.
    """

    queue: Queue
    origin: Queue | FunctionName
    kind: str
    deletes: bool = False
    others: tuple[Queue | FunctionName, ...] = ()


@dataclass(frozen=True)
class Pipeline:
    """What an operator needs of one pipeline.

    Attributes:
        name: Such as `migrate`.
        source: The bucket whose objects it follows; None if there is none, see `lacks`.
        destination: Where the outcome is; None if it is no bucket, table, queue or topic of the pipeline.
        created: Takes S3 events of objects that were written; None if that is not one queue or function.
        removed: Takes S3 events of objects that were deleted; None if the pipeline does not follow these.
        functions: All its functions, in the order in which work passes them.
        dead_letters: All its queues of work that was not done.
        handed_over: Its other queues, besides `created`: of what its functions leave to each other.
        filters: Of which of the source's keys it is told, by the source's notification.
        at_odds: Where what is deployed contradicts the parameters.
        lacks: What is not there and should be, a sentence each.
        there: What of it exists, for people.
    """

    name: str
    source: Bucket | None
    destination: AnyStore | None
    created: Queue | FunctionName | None
    removed: Queue | FunctionName | None
    functions: tuple[FunctionName, ...]
    dead_letters: tuple[DeadLetters, ...]
    handed_over: tuple[Queue, ...] = ()
    filters: tuple[KeyFilter, ...] = (KeyFilter(),)
    at_odds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    there: tuple[str, ...] = ()

    @property
    def key_prefix(self) -> str:
        """What all keys begin with of which it is told."""
        return commonprefix([each.prefix for each in self.filters])

    @property
    def source_bucket(self) -> Bucket:
        """The source, of a pipeline that has one.

        Raises:
            NotDeployedError: If it has none.
        """
        return self._known(SOURCE, self.source, Bucket)

    @property
    def destination_bucket(self) -> Bucket:
        """The destination of a pipeline that writes to a bucket.

        Raises:
            NotDeployedError: If that is no bucket, or not there.
        """
        return self._known(DESTINATION, self.destination, Bucket)

    @property
    def destination_table(self) -> Table:
        """The destination of a pipeline that writes to a table.

        Raises:
            NotDeployedError: If that is no table, or not there.
        """
        return self._known(DESTINATION, self.destination, Table)

    @property
    def entrance(self) -> Queue | FunctionName:
        """What takes S3 events of objects that were written.

        Raises:
            RunbookError: If that is not one queue or function.
        """
        if self.created is None:
            raise RunbookError(
                f"{self.name}: what {self.source} tells of goes to several queues or functions, or to none "
                "that is the pipeline's, so that there is no one place to send events to; nothing was sent"
            )
        return self.created

    def _known(self, role: str, end: Resource | None, kind: type[AnyResource]) -> AnyResource:
        if not isinstance(end, kind):
            found = f"it is {end}" if end else "there is none"
            raise NotDeployedError(f"{self.name} needs a {kind.noun} as its {role}, and {found}")
        return end

    @property
    def follows_deletes(self) -> bool:
        """Whether it is told of objects that were deleted."""
        return self.removed is not None

    def follows(self, key: str) -> bool:
        """Return whether it is told of a key."""
        return any(each.takes(key) for each in self.filters)

    def require_agreement(self) -> "Pipeline":
        """Return it if events can be sent to it: it has an entrance, and is as the parameters say.

        Raises:
            RunbookError: With what contradicts them, and what to do.
        """
        if self.at_odds:
            raise RunbookError(f"{self.name}: {self.contradiction}; nothing was sent")
        _ = self.entrance  # raises if there is none
        return self

    @property
    def contradiction(self) -> str:
        """Where what is deployed contradicts the parameters, and what to do; empty if it does not."""
        if not self.at_odds:
            return ""
        return (
            f"what is deployed contradicts the parameters: {'; '.join(self.at_odds)}. Correct the "
            f"parameters, or deploy it as they say: runbook run {self.name}"
        )

    def why_not_again(self, letters: DeadLetters) -> str:
        """Return why work that was not done must not be done now; empty if it may.

        Args:
            letters: The queue in which it waits.
        """
        if self.at_odds:
            return self.contradiction
        if letters.deletes and not self.follows_deletes:
            return f"{self.name} does not follow deletes"
        return ""

    @property
    def working(self) -> list[Queue]:
        """Its queues of work that is to be done, first the one that S3's events come to, if there is one."""
        return [*([self.created] if isinstance(self.created, Queue) else []), *self.handed_over]

    @property
    def queues(self) -> list[Queue]:
        """All its queues: of work that is to be done, and of work that was not done."""
        return [*self.working, *(each.queue for each in self.dead_letters)]


def buckets(pipelines: Iterable[Pipeline]) -> list[Bucket]:
    """Return the buckets that pipelines read and write, each once.

    Args:
        pipelines: Which.
    """
    ends = [each for one in pipelines for each in (one.source, one.destination)]
    return list({each.arn: each for each in ends if isinstance(each, Bucket)}.values())


def deployed(target: Target, parameters: Parameters, name: str) -> Pipeline:
    """Return a pipeline that exists, and where it contradicts the parameters.

    Args:
        target: The AWS to look at.
        parameters: Whose resources are looked for, and what a pipeline with a section must be like.
        name: The pipeline's name.

    Returns:
        The pipeline.

    Raises:
        ParameterError: If there is none of that name.
        NotDeployedError: If its source, its destination or a queue does not exist, or has not its role as a
            tag.
    """
    account = Account(target, parameters.scope())
    pipeline = _derived(account, parameters, name)
    if name not in parameters.pipelines() and pipeline.source is None and not pipeline.dead_letters:
        _require_known(parameters, survey(target, parameters), [name])
    return _whole(parameters, pipeline)


class Deployed(list[Pipeline]):
    """The pipelines that exist as the parameters say.

    Attributes:
        left_out: Names of those that exist, but not whole, or not where the parameters say; and why.
        besides: Buckets of pipelines that the parameters do not name, since they say another region; and why
            nobody looks at them.
        absent: Names of those of which nothing exists.
        partial: Those of `left_out` as far as they exist.
    """

    def __init__(self, found: Iterable[Pipeline] = ()):
        """Begin with these.

        Args:
            found: Those that exist.
        """
        super().__init__(found)
        self.left_out: dict[str, str] = {}
        self.besides: dict[str, str] = {}
        self.absent: list[str] = []
        self.partial: list[Pipeline] = []

    @property
    def not_looked_at(self) -> dict[str, str]:
        """What is left out, and why: pipelines, and buckets besides those that the parameters name."""
        return self.left_out | self.besides


def those_deployed(
    target: Target, parameters: Parameters, names: Iterable[str] = (), is_one_needed: bool = True
) -> Deployed:
    """Return the pipelines that exist as the parameters say; print which were never deployed.

    Args:
        target: The AWS to look at.
        parameters: Whose resources are looked for, and what a pipeline with a section must be like.
        names: What somebody asked for: each must be a pipeline's name, whether it is deployed or not.
        is_one_needed: Whether it is an error if there is none. A first plan is made before there is one: it
            is named as left out then.

    Raises:
        ParameterError: If one of the names is no pipeline's.
        NotDeployedError: If there is none, and one is needed.
    """
    found = survey(target, parameters)
    _require_known(parameters, found, names)
    if not found and is_one_needed:
        raise none_deployed(parameters, found)
    if not found:
        none = f"no pipeline is deployed as env {parameters.env!r} yet"
        found.left_out["pipelines"] = f"{none}: what is made for each is planned once it is there"
    if found.absent:
        print(f"never deployed: {', '.join(found.absent)}")
    return found


def _require_known(parameters: Parameters, found: Deployed, names: Iterable[str]) -> None:
    """Refuse a name that is no pipeline's: neither of one with parameters, nor of one that was found."""
    there = [each.name for each in [*found, *found.partial]]
    known = dict.fromkeys([*parameters.pipelines(), *there, *found.not_looked_at])
    for name in names:
        if name not in known:
            meant = did_you_mean(name, known)
            raise ParameterError(f"there is no pipeline {name!r}; there are: {', '.join(known)}{meant}")


def none_deployed(parameters: Parameters, found: Deployed) -> NotDeployedError:
    """Return what to raise where no pipeline is whole: why, as far as it is known, and what to do.

    Args:
        parameters: What was looked for.
        found: What was found.
    """
    reasons = "".join(f". {reason}" for reason in found.left_out.values())
    return NotDeployedError(
        f"no pipeline is deployed as env {parameters.env!r}{reasons}. "
        f"Deploy one first: runbook run {parameters.pipelines()[0]}"
    )


def survey(target: Target, parameters: Parameters) -> Deployed:
    """Return the pipelines that exist as the parameters say, those left out, and those never deployed.

    A pipeline is whatever has a source by its tags, or queues of work that was not done, and each that has
    parameters. One of these was deployed if something of it is in the account, also in another region, or if
    the ledger knows of it.

    Args:
        target: The AWS to look at.
        parameters: Whose resources are looked for, and what a pipeline with a section must be like.

    Raises:
        RunbookError, ClientError: If not one pipeline can be looked at; the first reason.
    """
    account, found = Account(target, parameters.scope()), Deployed()
    known = parameters.pipelines()
    names = [*known, *(name for name in account.names({*parameters.regions}) if name not in known)]

    def look(name: str) -> Pipeline | Exception:
        try:
            return _derived(account, parameters, name)
        except (RunbookError, ClientError) as error:
            return error

    with ThreadPoolExecutor(WORKERS) as threads:
        looks = dict(zip(names, threads.map(look, names), strict=True))
        errors = [seen for name in known if isinstance(seen := looks[name], Exception)]
        if len(errors) == len(known):
            raise errors[0]
        for name, seen in looks.items():
            if isinstance(seen, Exception):
                found.left_out[name] = f"it cannot be looked at: {explained(seen) or seen}"
            else:
                _enter(account, parameters, seen, found)
    return found


def _whole(parameters: Parameters, pipeline: Pipeline) -> Pipeline:
    """Return a pipeline that lacks nothing.

    Raises:
        NotDeployedError: If it does.
    """
    if pipeline.lacks:
        raise NotDeployedError(
            f"{pipeline.name} is not deployed as env {parameters.env!r}: {pipeline.lacks[0]}. "
            f"Deploy it first: runbook run {pipeline.name}"
        )
    return pipeline


def _enter(account: Account, parameters: Parameters, pipeline: Pipeline, found: Deployed) -> None:
    """Write down in which of the lists a pipeline belongs."""
    name = pipeline.name
    has_parameters = name in parameters.pipelines()
    try:
        found.append(_whole(parameters, pipeline))
    except NotDeployedError as error:
        there = pipeline.there or (_by_ledger(parameters, name) if has_parameters else ())
        is_one = has_parameters or pipeline.source or pipeline.filters or pipeline.dead_letters
        if there and is_one:
            found.left_out[name] = f"{error}, or correct the parameters; there is {', '.join(there)}"
            found.partial.append(pipeline)
        elif has_parameters:
            found.absent.append(name)
        return
    for end in (each for each in (pipeline.source, pipeline.destination) if isinstance(each, Bucket)):
        beginning = end.name.removesuffix(end.region)
        for bucket, region in account.buckets():
            if bucket.startswith(beginning) and bucket != end.name:
                why = f"by the parameters it is in {end.region}: correct them, or remove what is left behind"
                found.besides[f"{name}: S3 bucket {bucket} in {region}"] = why


def _by_ledger(parameters: Parameters, name: str) -> tuple[str, ...]:
    """Return what the ledger knows of a pipeline, of which nothing is found."""
    entries = Ledger.of(parameters).entries().values()
    known = [entry["region"] for entry in entries if entry["pipeline"] == name]
    if not known:
        return ()
    return (f"by the ledger {counted(len(known), 'resource')} in {', '.join(sorted(set(known)))}",)


def _derived(account: Account, parameters: Parameters, name: str) -> Pipeline:
    """Return a pipeline as far as it exists, with what it lacks."""
    scope, expected = parameters.scope(name), parameters.expected(name)
    regions = {expected.source_region, expected.destination_region} if expected else set()
    found = _Found(account, scope, account.parts(scope, regions, {*parameters.regions}), expected)
    pipeline = found.pipeline()
    return replace(pipeline, at_odds=at_odds(pipeline, expected))


@dataclass(frozen=True)
class _Found:
    """What exists of a pipeline, and what that makes it."""

    account: Account
    scope: Scope
    parts: Parts
    expected: Expected | None

    def pipeline(self) -> Pipeline:
        lacks = [*self._gone()]
        sources = [bucket for bucket, store in self.parts.of(Bucket) if SOURCE in store.roles]
        source = self._end(sources, SOURCE, "source_region", lacks, is_needed=True)
        told = self.account.notifications(source) if source else self._untagged()
        created, removed = (self._of(told, kind) for kind in (CREATED, REMOVED))
        ends = [store.resource for store in self.parts.stores.values() if DESTINATION in store.roles]
        is_needed = self.expected is not None
        destination = self._end(ends, DESTINATION, "destination_region", lacks, is_needed)
        entrances = [self._entrance(created), self._entrance(removed)]
        functions = self._functions(source, told)
        dead_letters = self._dead_letters(functions, *entrances)
        return Pipeline(
            self.scope.pipeline,
            source=source,
            destination=destination,
            created=entrances[0],
            removed=entrances[1],
            functions=functions,
            dead_letters=dead_letters,
            handed_over=tuple(self._handed_over(entrances[0], dead_letters)),
            filters=tuple(dict.fromkeys(_filter(each) for each in created)),
            lacks=tuple(lacks),
            there=tuple(self._there()),
        )

    def _end(
        self, ends: list[AnyResource], role: str, where: str, lacks: list[str], is_needed: bool
    ) -> AnyResource | None:
        """Return the end of a role, if there is one; where there are several, the one that work passes."""
        if not ends:
            if is_needed:
                noun = "an S3 bucket" if role == SOURCE else self._unwritten() or "a store"
                lacks.append(f"{noun} that is tagged {TAG_ROLE}={role}, as each run tags it, does not exist")
            return None
        if self.expected and (region := getattr(self.expected, where)):
            here = [each for each in ends if each.region == region]
            if not here:
                (there, *_) = ends
                missing = _like(there, region)
                missing.scope = self.scope
                lacks.append(f"{missing} does not exist")
                return there
            ends = here
        if len(ends) > 1:
            ends = [each for each in ends if self._is_in_use(each, role)] or ends
        if len(ends) > 1:
            named = " and ".join(map(str, ends))
            lacks.append(f"{named} are tagged {TAG_ROLE}={role}: take the tag from what is not the {role}")
        return ends[0]

    def _is_in_use(self, end: Resource, role: str) -> bool:
        if isinstance(end, Bucket) and role == SOURCE:
            return bool(self.account.notifications(end))
        return any(tells_of(values, end) for values in self.parts.functions.values())

    def _untagged(self) -> list[dict]:
        """Return what is told of by buckets that nobody has given a role: a pipeline of an older day."""
        return [told for bucket, _ in self.parts.of(Bucket) for told in self.account.notifications(bucket)]

    def _of(self, told: Iterable[dict], kind: str) -> list[dict]:
        return [each for each in told if any(event.startswith(kind) for event in each["events"])]

    def _entrance(self, told: Iterable[dict]) -> Queue | FunctionName | None:
        """Return where events go, if that is one place of this environment."""
        places = {arn for each in told for arn in self.account.receivers(each["destination"])}
        ours = [place for place in map(self._place, sorted(places)) if place]
        return ours[0] if len(ours) == 1 else None

    def _place(self, arn: str) -> Queue | FunctionName | None:
        """Return a queue or function of this pipeline by its ARN; None for what is none."""
        store = self.parts.stores.get(arn)
        if store and isinstance(store.resource, Queue):
            return store.resource
        name = arn.split(":")[-1]
        if ":function:" in arn and name.startswith(self.scope.beginning):
            return self._function(arn)
        return None

    def _function(self, arn: str) -> FunctionName:
        return FunctionName(arn.split(":")[6], arn.split(":")[3], self.parts.functions.get(arn, {}))

    def _functions(self, source: Bucket | None, told: Iterable[dict]) -> tuple[FunctionName, ...]:
        """Return the functions: first those that write to the source, then along the way, then the others."""
        there = self.parts.functions
        received = [arn for each in told for arn in self.account.receivers(each["destination"])]
        ours = {queue.arn: queue for queue, _ in self.parts.of(Queue)}
        queues = [ours[arn] for arn in received if arn in ours]
        passed = [*received, *(arn for queue in queues for arn in self.account.workers(queue))]
        first = [arn for arn in there if source and arn not in passed and source.name in there[arn].values()]
        order = dict.fromkeys([*first, *(arn for arn in passed if arn in there), *sorted(there)])
        return tuple(map(self._function, order))

    def _handed_over(
        self, created: Queue | FunctionName | None, dead_letters: Iterable[DeadLetters]
    ) -> Iterator[Queue]:
        """Yield the queues that functions work off, besides those that are known for something else."""
        others = [created, *(each.queue for each in dead_letters)]
        known = {each.arn for each in others if isinstance(each, Queue)}
        for queue, _ in self.parts.of(Queue):
            if queue.arn not in known and self.account.workers(queue):
                yield queue

    def _dead_letters(
        self,
        functions: Iterable[FunctionName],
        created: Queue | FunctionName | None,
        removed: Queue | FunctionName | None,
    ) -> tuple[DeadLetters, ...]:
        held = [*self._held(functions)]
        holders = [letters.origin for letters in held]
        unfinished: list[tuple[str, Queue | FunctionName, str]] = [
            (store.dead_letters, queue, "dead letters")
            for queue, store in self.parts.of(Queue)
            if store.dead_letters
        ]
        by_name = {arn.split(":")[6]: queue for arn, queue in self.parts.failures.items()}
        unfinished += [(by_name[one.name], one, "failures") for one in functions if one.name in by_name]
        found: dict[str, DeadLetters] = {}
        for arn, origin, kind in unfinished:
            store = self.parts.stores.get(arn)
            if store is None or not isinstance(store.resource, Queue):
                continue
            deletes = origin in holders or (origin == removed and origin != created)
            if arn in found:
                first = found[arn]
                others = (*first.others, origin)
                found[arn] = replace(first, others=others, deletes=first.deletes or deletes)
            else:
                found[arn] = DeadLetters(store.resource, origin, kind, deletes)
        return (*found.values(), *held)

    def _held(self, functions: Iterable[FunctionName]) -> Iterator[DeadLetters]:
        """Yield the queues in which a function holds work back that would delete something."""
        for queue, store in self.parts.of(Queue):
            if HOLDING in store.roles:
                for function in functions:
                    if tells_of(function.variables, queue):
                        yield DeadLetters(queue, function, "holding", deletes=True)
                        break

    def _gone(self) -> Iterator[str]:
        """Yield what something of the pipeline is linked to, and what is not there."""
        named = {store.dead_letters for _, store in self.parts.of(Queue)} | {*self.parts.failures.values()}
        for arn in sorted(named - {""} - self.parts.stores.keys()):
            queue = arn.split(":")[-1]
            if ":sqs:" in arn and queue.startswith(self.scope.beginning):
                yield f"SQS queue {queue} in {arn.split(':')[3]} does not exist"
        for function, kind, name in self._missing():
            if kind is Queue:
                yield f"{kind.noun} {name} in {function.split(':')[3]} does not exist"

    def _unwritten(self) -> str:
        """Return to what a function is told to write that does not exist; empty if there is nothing."""
        return next((f"{kind.noun} {name}" for _, kind, name in self._missing() if kind is not Queue), "")

    def _missing(self) -> Iterator[tuple[str, type[Resource], str]]:
        """Yield what functions are told of and is not there: the function's ARN, the type and the name."""
        names = {store.resource.name for store in self.parts.stores.values()}
        for function, variables in self.parts.functions.items():
            for variable, value in variables.items():
                kind = next((kind for end, kind in TOLD.items() if variable.endswith(end)), None)
                if kind and value.startswith(self.scope.beginning) and value not in names:
                    yield function, kind, value

    def _there(self) -> Iterator[str]:
        yield from (str(store.resource) for store in self.parts.stores.values() if store.is_ours)
        yield from (str(self._function(arn)) for arn in sorted(self.parts.functions))


def _filter(told: Mapping) -> KeyFilter:
    return KeyFilter(told["filter"].get("prefix", ""), told["filter"].get("suffix", ""))


def _like(end: Resource, region: str) -> Resource:
    """Return an end like another in another region, where the runbook would make it."""
    if isinstance(end, Table):
        return Table(end.what, region, partition_key="")
    return (Bucket if isinstance(end, Bucket) else type(end))(end.what, region)
