"""A pipeline as a whole: its resources described, planned, applied and drawn."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

import pandas as pd
from tqdm import tqdm

from lib.errors import NotOursError
from lib.ledger import Ledger
from lib.parameters import Parameters
from lib.policies import canonical
from lib.resources.base import Link, Resource, Scope, Settings, differences
from lib.target import Target

AnyResource = TypeVar("AnyResource", bound=Resource)
VALUE_CHARACTERS = 60  # how much of a value a plan shows


@dataclass(frozen=True)
class Step:
    """What has to happen to one resource.

    Attributes:
        resource: Which.
        found: Its settings as they are; None if it does not exist.
        changes: Those of its desired settings that differ.
        wanted: Whether it shall exist.
    """

    resource: Resource
    found: Settings | None
    changes: Settings
    wanted: bool = True

    @property
    def action(self) -> Literal["create", "change", "delete", "unchanged"]:
        """What will happen."""
        if not self.wanted:
            return "delete"
        if self.found is None:
            return "create"
        return "change" if self.changes else "unchanged"

    @property
    def why(self) -> str:
        """What is there now, and what shall be."""
        if not self.wanted:
            return "is not wanted any more"
        if self.found is None:
            return "does not exist"
        return "; ".join(
            difference
            for name, value in self.changes.items()
            for difference in _differences(name, self.found.get(name), value)
        )


class Plan(list[Step]):
    """The steps of all resources, shown as a table."""

    def count(self, action: str) -> int:
        """Return how many steps have this action."""
        return sum(step.action == action for step in self)

    def table(self) -> pd.DataFrame:
        """Return one row a resource: action, type, name, region, why."""
        rows = [(s.action, s.resource.noun, s.resource.name, s.resource.region, s.why) for s in self]
        return pd.DataFrame(rows, columns=["action", "type", "name", "region", "why"])

    def __str__(self) -> str:
        return ", ".join(f"{self.count(action)} {word}" for action, word in ACTIONS.items())

    def __repr__(self) -> str:
        return f"{self.table().to_string(index=False)}\n{self}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        counts = {word: self.count(action) for action, word in ACTIONS.items()}
        return {
            "text/plain": repr(self),
            "text/html": f"{self.table().to_html(index=False)}<p>{self}</p>",
            COUNTS: {
                "summary": str(self),
                "counts": counts,
                "table": self.table().to_dict("split", index=False),
            },
        }


ACTIONS = {"create": "to create", "change": "to change", "delete": "to delete", "unchanged": "unchanged"}
PAST = {"create": "created", "change": "changed", "delete": "deleted"}
# Under this MIME type an executed notebook tells `runbook run` what it did: summary, counts, table.
COUNTS = "application/vnd.runbook.counts+json"


class Done(Plan):
    """The steps of a plan, after they were taken."""

    def table(self) -> pd.DataFrame:
        """Return one row a resource: what was done, type, name, region, why."""
        return super().table().replace({"action": PAST})

    def __str__(self) -> str:
        text = super().__str__()
        for action, past in PAST.items():
            text = text.replace(f"to {action}", past)
        return text


class Stack:
    """The resources of one pipeline in one environment, in the order in which they depend on each other."""

    def __init__(self, target: Target, parameters: Parameters, pipeline: str):
        """Begin an empty one.

        Args:
            target: The AWS to work on.
            parameters: Of the environment.
            pipeline: The pipeline's name, such as `migrate`.
        """
        self.target = target
        self.parameters = parameters
        self.scope = Scope(parameters.prefix, parameters.env, pipeline, parameters.account_id)
        self.ledger = Ledger(parameters.env, parameters.account_id)
        self.resources: dict[str, Resource] = {}
        self.unwanted: dict[str, Resource] = {}

    @property
    def applies(self) -> bool:
        """Whether this run may write: `mode` is `apply`."""
        return self.parameters.mode == "apply"

    @property
    def exercises(self) -> bool:
        """Whether this run uploads samples and checks what becomes of them."""
        return self.applies and self.parameters.exercise

    def add(self, resource: AnyResource, wanted: bool = True) -> AnyResource:
        """Describe a resource; nothing is made yet. Describing it again replaces the description.

        Args:
            resource: Only refers to resources that were added before.
            wanted: Whether it shall exist; if not, it is deleted if it is there.

        Returns:
            The same resource, which now knows its full name and ARN.
        """
        resource.scope = self.scope
        here, elsewhere = (self.resources, self.unwanted) if wanted else (self.unwanted, self.resources)
        here[resource.arn] = resource
        elsewhere.pop(resource.arn, None)
        return resource

    def plan(self) -> Plan:
        """Compare every resource with what exists. Reads only.

        Raises:
            NotOursError: If something exists under our name that this runbook did not make.
        """
        ledger = self.ledger.entries()
        unwanted = (self._step(resource, ledger, wanted=False) for resource in self.unwanted.values())
        steps = (self._step(resource, ledger) for resource in self.resources.values())
        return Plan([*(step for step in unwanted if step.found is not None), *steps])

    def apply(self) -> Plan:
        """Create what is missing, change what differs, delete what is not wanted. Mode `plan` writes nothing.

        Returns:
            What was done; for mode `plan` what would be.
        """
        plan = self.plan()
        if not self.applies:
            print("mode is 'plan': nothing was written")
            return plan
        todo = [step for step in plan if step.action != "unchanged"]
        for step in tqdm(todo, desc="Apply", unit="resource", leave=False, delay=1):
            self._take(step)
        return Done(plan)

    def record_outputs(self, **resources: Resource) -> pd.DataFrame:
        """Write down what others want to know of the pipeline, for `runbook output`.

        Args:
            resources: Names to resources, such as `source_bucket=source`.

        Returns:
            Names and values as a table.
        """
        outputs = {name: resource.output(self.client(resource)) for name, resource in resources.items()}
        self.ledger.record_outputs(self.scope.pipeline, outputs)
        return pd.DataFrame(outputs.items(), columns=["output", "value"])

    def client(self, resource: Resource):
        """Return the boto3 client that a resource is read and written with."""
        return self.target.client(resource.service, resource.region)

    def links(self) -> list[Link]:
        """Return the arrows between those resources that really exist, read from the account."""
        found = [(resource, resource.read(self.client(resource))) for resource in self.resources.values()]
        return [
            link for resource, settings in found if settings is not None for link in resource.links(settings)
        ]

    def _step(self, resource: Resource, ledger: dict, wanted: bool = True) -> Step:
        found = resource.read(self.client(resource))
        is_ours = not resource.taggable or resource.arn in ledger
        if found is not None and not is_ours and found["tags"] != self.scope.tags:
            raise NotOursError(
                f"{resource.noun} {resource.name} in {resource.region} exists, but with the tags "
                f"{found['tags']} instead of {self.scope.tags}: this runbook did not make it. Choose another "
                "prefix or env, or remove it"
            )
        return Step(resource, found, differences(found, resource.desired()), wanted)

    def _take(self, step: Step) -> None:
        resource, client = step.resource, self.client(step.resource)
        if step.action == "delete":
            (found,) = (f for f in resource.find(client, self.scope) if f.arn == resource.arn)
            resource.delete(client, found.identifier)
            return
        facts = {"noun": resource.noun, "name": resource.name, "region": resource.region}
        self.ledger.intend(resource.arn, pipeline=self.scope.pipeline, **facts)
        if step.action == "create":
            resource.create(client)
        else:
            resource.update(client, step.changes)
        self.ledger.made(resource.arn)


def _differences(name: str, found: object, wanted: object) -> Iterator[str]:
    """Yield what differs, inside of dicts too: of a policy only what was changed in a statement."""
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        yield f"{name}: {_short(found)} → {_short(wanted)}"
        return
    for key in sorted(found.keys() | wanted.keys()):
        if canonical(found.get(key)) != canonical(wanted.get(key)):
            yield from _differences(f"{name}.{key}", found.get(key), wanted.get(key))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[: VALUE_CHARACTERS - 1]}…"
