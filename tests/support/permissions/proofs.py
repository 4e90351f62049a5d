"""Is all that is needed allowed (sufficient), and all that is allowed needed (necessary)?"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from policy_sentry.shared.iam_data import get_service_prefix_data
from support.permissions import boundary_uses
from support.permissions.call_needs import Shape, needs
from support.permissions.call_shapes import Statement, load
from support.permissions.code_uses import SERVICES
from support.permissions.service_uses import DOCS
from support.permissions.service_uses import USES as OF_AWS

from lib.base.paths import ROOT
from lib.engine.preflight import iam_data

HANDLERS = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("handlers/*/policy.json"))
DEPLOYER, READER = "lib/policies/deployer-policy.json", "lib/policies/reader-policy.json"
OF_SERVICES = ["lib/policies/crawler-policy.json", "lib/policies/batch-operations-policy.json"]
# What is taken on: the role in another account, and the one that copies back from there.
ELSEWHERE, RESTORE = "lib/policies/other-account-role-policy.json", "lib/policies/restore-policy.json"
TAKE_ON = "lib/policies/other-account-policy.json"
OF_BOUNDARIES = [boundary_uses.DEPLOYER_BOUNDARY, boundary_uses.LIVE, boundary_uses.BOUNDARY]
POLICIES = [*HANDLERS, *OF_SERVICES, DEPLOYER, READER, TAKE_ON, ELSEWHERE, RESTORE, *OF_BOUNDARIES]
# Statements that let a person look by hand: that they do no more is told by AWS's own data, action by action.
# And by its name: AWS says of logs:StopQuery that it reads, and it ends what others do.
MAY_LOOK, LEVELS = "MayLook", ("List", "Read")
LOOKING = ("Describe", "Get", "List", "StartQuery")
LOOKED = "a look by hand is refused; AWS's level of access says that it only reads"
REFERENCE = (
    f"{DOCS}/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html"
)
USES = (*boundary_uses.uses([*HANDLERS, *OF_SERVICES]), *OF_AWS)


@dataclass(frozen=True)
class Proof:
    """That an action of a statement is needed.

    Attributes:
        sid: The statement's.
        action: The action.
        resource: The resource that it is needed on.
        fails: What fails without it.
        source: The documentation, if it is a service that uses it.
    """

    sid: str
    action: str
    resource: str
    fails: str
    source: str = ""


def recorded(policy: str) -> dict[Shape, set[str]]:
    """Return the calls that were recorded of whom this policy binds, and where."""
    return load(record_of(policy))


def record_of(policy: str) -> Path:
    """Return the file in which the calls are kept of whom a policy binds: a handler's is in its folder."""
    if policy in HANDLERS:
        return (ROOT / policy).with_name("calls.json")
    return Path(__file__).with_name(f"{Path(policy).stem.removesuffix('-policy')}-calls.json")


def denied(policy: list[Statement], calls: Iterable[Shape]) -> list[str]:
    """Return what the calls need and the policy does not allow, whatever is under a key of KMS."""
    return sorted(
        f"{need.action} on {need.resource or 'any resource'}, for {need.call}"
        for call in calls
        for need in needs(call)
        if not any(_allows(one, need.action, need.resource) for one in policy)
    )


def proofs(path: str, policy: list[Statement], calls: dict[Shape, set[str]]) -> Iterator[Proof]:
    """Yield a proof for each action and resource of a policy for which there is one."""
    wanted = [need for call in calls for need in needs(call)]
    made = {call.action for call in calls}
    for one in policy:
        for action in one.actions:
            for resource in one.resources:
                by = sorted({n.call for n in wanted if n.action == action and _fits(n.resource, resource)})
                uses = [use for use in USES if use.covers(path, action, resource)]
                if by:
                    yield Proof(one.sid, action, resource, ", ".join(by))
                elif one.sid.startswith(MAY_LOOK) and only_looks(action, resource):
                    yield Proof(one.sid, action, resource, LOOKED, REFERENCE)
                elif uses and (not uses[0].call or uses[0].call in made):
                    yield Proof(one.sid, action, resource, uses[0].because, uses[0].source)


def only_looks(action: str, resource: str) -> bool:
    """Return whether an action is of a service that we use, only reads, and works on such a resource.

    Not if it ends something, whatever AWS calls that.
    """
    service, _, name = action.partition(":")
    if service not in SERVICES or not name.startswith(LOOKING):
        return False
    level = get_service_prefix_data(service)["privileges"][name]["access_level"]
    # Part by part: a wildcard would match colons, too.
    parts = resource.split(":", 5)
    works_on = [pattern.split(":", 5) for pattern in iam_data.arn_patterns(action)]
    fits = resource == "*" or any(
        all(iam_data.overlap(one, part) for one, part in zip(each, parts, strict=False)) for each in works_on
    )
    return level in LEVELS and fits


def unproven(policy: list[Statement], proven: Iterable[Proof]) -> list[str]:
    """Return each action that is proven on no resource, and each resource for no action."""
    found = {(proof.sid, thing) for proof in proven for thing in (proof.action, proof.resource)}
    return [
        f"{one.sid}: {thing}"
        for one in policy
        for thing in (*one.actions, *one.resources)
        if (one.sid, thing) not in found
    ]


def _allows(one: Statement, action: str, resource: str) -> bool:
    return action in one.actions and any(_fits(resource, allowed) for allowed in one.resources)


def _fits(needed: str, allowed: str) -> bool:
    """Whether a need is of this pattern; "" is that of a call whose parameters do not tell of what."""
    return needed in ("", allowed) or allowed == "*"
