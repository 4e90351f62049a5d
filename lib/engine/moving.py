"""What the parameters describe no more: named in the plan, refused by default, left in order by a move.

See docs/decisions/0014-a-move-keeps-what-holds-data.md.
"""

from collections.abc import Callable, Collection, Container, Iterable

from lib.base.errors import UnfinishedError
from lib.base.retry import wait_until
from lib.base.shown import counted
from lib.base.waits import Wait
from lib.engine import accounts
from lib.engine.inventory import Existing, Inventory
from lib.engine.lock import Lock
from lib.engine.plan import Left, Step
from lib.engine.waiting import Waiting
from lib.parameters import Parameters
from lib.resources.base import Resource, Scope, Settings
from lib.resources.lambda_ import EventInvokeConfig, EventSourceMapping
from lib.resources.other_account import OtherAccount
from lib.resources.s3 import Bucket, first_of
from lib.resources.sqs import Queue
from lib.target import Target

DRAIN_S, POLL_S = 600, 2
# What S3 has sent to a function is done by then, if it does not fail; Lambda does not tell how much there is.
ASYNCHRONOUS_S = 20
LOOKS_IN_A_ROW = 3  # SQS counts about: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
WILL_BE_KEPT = "is described no more; a move keeps it, with what is in it, until destroy"
WILL_BE_REMOVED = "is described no more; a move removes it"
WAS_KEPT = "is described no more; a move has left it here, until destroy"


def left_of(
    target: Target,
    parameters: Parameters,
    scope: Scope,
    described: Container[str],
    adopted: Collection[str] = (),
    others: Collection[OtherAccount] = (),
) -> list[Existing]:
    """Return what exists of a pipeline and is described no more, in the order of deletion.

    Only if the ledger, or one of the pipeline's buckets, gives reason to is all listed: that takes seconds.

    Args:
        target: The AWS to look at.
        parameters: In whose regions to look, and whose ledger to ask.
        scope: The pipeline's.
        described: The ARNs of what is described, wanted or not.
        adopted: The ARNs of buckets that the pipeline has adopted, as its roles say.
        others: The other accounts in which its buckets live, likewise.
    """
    inventory = Inventory(target, parameters)
    inventory.scope = scope
    elsewhere = inventory.reachable(accounts.known(target, parameters, scope.pipeline, others))
    entries = inventory.ledger.entries().items()
    remembered = {arn for arn, facts in entries if facts["pipeline"] == scope.pipeline}
    buckets = {f"arn:aws:s3:::{name}" for _, name, _ in inventory.buckets(elsewhere)}
    if all(arn in described for arn in {*remembered, *buckets, *adopted}):
        return []
    return inventory.left_behind(described)


def rows(items: Iterable[Existing], entries: dict[str, dict]) -> list[Left]:
    """Return what a plan says of what is left.

    Args:
        items: As `left_of` returns them.
        entries: Of the ledger, which knows what a move has left on purpose.
    """
    found = []
    for item in items:
        is_accepted = "left" in entries.get(item.found.arn, {})
        why = WILL_BE_REMOVED if item.type.acts else WILL_BE_KEPT
        why = WAS_KEPT if is_accepted else why
        found.append(Left(item.type.noun, item.found.name, item.region, why, is_accepted))
    return found


def left_key(target: Target, resource: Resource, found: Settings | None) -> list[Left]:
    """Return the KMS key that a bucket's objects are encrypted with, if it is to be another from now on.

    Args:
        target: The AWS to look at.
        resource: As described.
        found: Its settings as they are.
    """
    if not isinstance(resource, Bucket) or not resource.is_made or found is None:
        return []
    key = (found["encryption"] or {}).get("KMSMasterKeyID")
    if not key or key == resource.kms_key_arn or not first_of(target.client_of(resource), resource.name):
        return []
    why = f"objects in {resource.name} stay encrypted with it, and the roles lose the right to use it"
    return [Left("KMS key", key, resource.region, why)]


def refusal(parameters: Parameters, pipeline: str, left: list[Left]) -> str:
    """Say what would be left behind, by which parameters, and how to go on.

    Args:
        parameters: The regions of the pipeline's section and the keys: what the text says of them.
        pipeline: The pipeline's name.
        left: What would be.
    """
    section = parameters.model_dump().get(pipeline, {})
    told = [(name, value) for name, value in section.items() if name.endswith(("region", "account_id"))]
    regions = [f"{pipeline}.{name}={value}" for name, value in told if value]
    where = ", ".join(sorted({one.region for one in left}))
    return (
        f"{pipeline}: {len(left)} that exist are not described any more, in {where}; the parameters say "
        f"{', '.join([*regions, f'kms_key_arns={parameters.kms_key_arns}'])}. They would be left behind, and "
        f"what acts there would fail: {'; '.join(map(str, left))}. Nothing was written. To stay: put the "
        "parameters back as they were. To move: first `runbook run audit` with the parameters as they were, "
        f"to see that all is done there, then `runbook run {pipeline} --mode move` with the new ones: it "
        "makes what is new, lets the old queues run empty, removes what acts in the old place, and keeps "
        "what holds data until `runbook destroy`, uncopied. Then copy what is needed (`runbook run "
        "backfill`), verify (`runbook run audit`), and switch those who read it (docs/parameters.md, Moving)"
    )


def replacement(pipeline: str, steps: Iterable[Step]) -> str:
    """Say what cannot be changed while it lives, and by which steps one comes to have it otherwise.

    Args:
        pipeline: The pipeline's name.
        steps: Those whose changes cannot be made.
    """
    what = "; ".join(
        f"{step.resource}: {name} is {(step.found or {}).get(name)} and shall be {step.changes[name]}"
        for step in steps
        for name in step.unchangeable
    )
    new = "--set env=NEW"
    return (
        f"{pipeline}: what cannot be changed while it lives is described otherwise: {what}. Nothing was "
        "written. To stay: put the parameters back as they were. To have it so, without losing anything: "
        f"1. make a second one beside it, `runbook run {pipeline} {new}` (any name that no environment has); "
        f"2. copy into its bucket what it is to be made of, and send what was there before, `runbook run "
        f"backfill {new} --set backfill.pipeline={pipeline} --set backfill.send=true`; 3. verify, `runbook "
        f"run audit {new}`; 4. switch those who read it to what `runbook output {pipeline} {new}` names, "
        f"then `runbook destroy {pipeline}`, which shows what goes. If what is in it may be lost: "
        f"`runbook destroy {pipeline}`, and run this again"
    )


def close(inventory: Inventory, items: list[Existing], lock: Lock, sleep: Callable[[float], None]) -> None:
    """Close the old entrances, wait until the old queues are empty, and remove what acts and holds nothing.

    Args:
        inventory: What the environment has, and its ledger.
        items: As `left_of` returns them.
        lock: Held meanwhile.
        sleep: Waits between two looks.

    Raises:
        UnfinishedError: If a queue does not run empty; what works on it is still there.
    """
    for item in [item for item in items if item.type.is_entrance]:
        _remove(inventory, item, lock)
    if any(item.type is EventInvokeConfig for item in items):
        with Wait("Until Lambda has tried its last", timeout_s=ASYNCHRONOUS_S):
            sleep(ASYNCHRONOUS_S)
    mapped = {item.found.arn.rpartition("#")[2] for item in items if item.type is EventSourceMapping}
    for item in [item for item in items if item.found.arn in mapped]:
        _drain(inventory.target, item, sleep)
    for item in [item for item in items if item.type.acts and not item.type.is_entrance]:
        if item.type is Queue and Waiting(_sqs(inventory.target, item), item.found.identifier).depth():
            continue  # dead letters are kept with what is in them
        _remove(inventory, item, lock)


def accept(inventory: Inventory, items: Iterable[Existing], pipeline: str) -> None:
    """Write down that things are left on purpose, so that the next plan does not refuse to go on.

    Args:
        inventory: As for `close`.
        items: What is left.
        pipeline: Whose.
    """
    for item in items:
        facts = {"pipeline": pipeline, "noun": item.type.noun, "name": item.found.name, "region": item.region}
        facts |= accounts.facts(inventory.target, item.account_id)
        inventory.ledger.leave(item.found.arn, **facts)


def _remove(inventory: Inventory, item: Existing, lock: Lock) -> None:
    lock.require()
    inventory.delete(item)
    inventory.ledger.gone(item.found.arn)


def _drain(target: Target, item: Existing, sleep: Callable[[float], None]) -> None:
    waiting = Waiting(_sqs(target, item), item.found.identifier)

    def is_empty() -> bool:
        for _ in range(LOOKS_IN_A_ROW):
            if waiting.depth():
                return False
            sleep(POLL_S)
        return True

    what = f"Until queue {item.found.name} is empty"
    if not wait_until(is_empty, bool, DRAIN_S, POLL_S, sleep, what=what):
        raise UnfinishedError(
            f"{item.found.name} in {item.region} still holds about {counted(waiting.depth(), 'message')} "
            f"after {DRAIN_S} s. What works on it is there and goes on; nothing was lost. Look at why "
            "(`runbook run redrive` with the parameters as they were), then run the move again"
        )


def _sqs(target: Target, item: Existing):
    return target.client("sqs", item.region)
