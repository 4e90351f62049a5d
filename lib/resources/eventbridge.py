"""EventBridge: rules that run on a schedule."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from lib.base.errors import RunbookError
from lib.resources.base import Deletion, Found, Link, Resource, Scope, Settings, our_tags, tag_dict, tag_list
from lib.resources.checks import Finding
from lib.resources.lambda_ import Function
from lib.resources.schedules import rule_schedule

TARGET_ID = "runbook"


@dataclass(repr=False, kw_only=True)
class Rule(Resource):
    """A schedule on which a function runs; the function must let the rule invoke it.

    Attributes:
        schedule: `rate(1 minute)`, `rate(5 minutes)`, or `cron(…)` in UTC; once a minute at most.
        function: What runs.
        state: `ENABLED` or `DISABLED`.
        description: What it is for.
    """

    schedule: str
    function: Function
    state: str = "ENABLED"
    description: str = ""

    service: ClassVar[str] = "events"
    noun: ClassVar[str] = "EventBridge rule"
    deletion: ClassVar[Deletion] = Deletion.ENTRANCE
    is_entrance: ClassVar[bool] = True
    acts: ClassVar[bool] = True
    same_region: ClassVar[tuple[str, ...]] = ("function",)
    call_names: ClassVar[tuple[str, ...]] = ("Rule",)

    @property
    def arn(self) -> str:
        return f"arn:aws:events:{self.region}:{self.scope.account_id}:rule/{self.name}"

    def desired(self) -> Settings:
        return {
            "ScheduleExpression": self.schedule,
            "State": self.state,
            "Description": self.description,
            "Target": self.function.arn,
            "tags": self.scope.tags,
        }

    def checks(self) -> Iterable[Finding]:
        try:
            rule_schedule(self.schedule)
        except ValueError as error:
            yield Finding("rule-schedule", f"schedule: {error}", "write the schedule so")

    def read(self, client) -> Settings | None:
        try:
            found = client.describe_rule(Name=self.name)
        except client.exceptions.ResourceNotFoundException:
            return None
        return {
            "ScheduleExpression": found.get("ScheduleExpression", ""),
            "State": found["State"],
            "Description": found.get("Description", ""),
            "Target": self._target(client).get("Arn"),
            "tags": our_tags(tag_dict(client.list_tags_for_resource(ResourceARN=self.arn)["Tags"])),
        }

    def create(self, client) -> None:
        client.put_rule(Tags=tag_list(self.scope.tags), **self._rule())
        self._put_target(client)

    def update(self, client, settings: Settings) -> None:
        # Tags given with a rule that exists are ignored, and whatever else is not given is lost:
        # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
        if "tags" in settings:
            client.tag_resource(ResourceARN=self.arn, Tags=tag_list(settings["tags"]))
        if settings.keys() - {"tags", "Target"}:
            found = client.describe_rule(Name=self.name)
            others = {name: found[name] for name in ("EventPattern", "RoleArn") if name in found}
            client.put_rule(**others, **self._rule())
        if "Target" in settings:
            self._put_target(client)

    def _rule(self) -> dict:
        settings = self.desired()
        names = ("ScheduleExpression", "State", "Description")
        return {"Name": self.name, **{name: settings[name] for name in names}}

    def _target(self, client) -> dict:
        return next((target for target in _targets(client, self.name) if target["Id"] == TARGET_ID), {})

    def _put_target(self, client) -> None:
        """Put our target; what others have set of it, such as retries, stays, and so do other targets."""
        target = {**self._target(client), "Id": TARGET_ID, "Arn": self.function.arn}
        _require_success(self.name, client.put_targets(Rule=self.name, Targets=[target]))

    def links(self, settings: Settings) -> Iterable[Link]:
        if settings["Target"]:
            yield Link(self.arn, settings["Target"], settings["ScheduleExpression"])

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_rules").paginate(NamePrefix=scope.beginning):
            for rule in page["Rules"]:
                name, arn = rule["Name"], rule["Arn"]
                with suppress(client.exceptions.ResourceNotFoundException):
                    tags = client.list_tags_for_resource(ResourceARN=arn)["Tags"]
                    yield Found(name, name, arn, tag_dict(tags))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete a rule, after all its targets; EventBridge refuses otherwise."""
        try:
            if ids := [target["Id"] for target in _targets(client, identifier)]:
                _require_success(identifier, client.remove_targets(Rule=identifier, Ids=ids))
            client.delete_rule(Name=identifier)
        except client.exceptions.ResourceNotFoundException:
            return


def _targets(client, rule: str) -> Iterator[dict]:
    for page in client.get_paginator("list_targets_by_rule").paginate(Rule=rule):
        yield from page["Targets"]


def _require_success(rule: str, answer: dict) -> None:
    """Raise what PutTargets and RemoveTargets only mention in an answer that says 200."""
    if answer["FailedEntryCount"]:
        raise RunbookError(f"EventBridge rule {rule}: {answer['FailedEntries'][0]}")
