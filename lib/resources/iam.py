"""IAM: roles."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from lib.policies import Document, canonical, document
from lib.resources.base import Found, Resource, Scope, Settings, our_tags, tag_dict, tag_list

POLICY_NAME = "runbook"


@dataclass(repr=False)
class Role(Resource):
    """A role that one AWS service takes on, with one inline policy.

    Attributes:
        trusts: The service, such as `lambda.amazonaws.com`.
        policy: All that the role may do.
    """

    trusts: str
    policy: Document

    service: ClassVar[str] = "iam"
    noun: ClassVar[str] = "IAM role"

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.scope.account_id}:role/{self.name}"

    def desired(self) -> Settings:
        trust = {"Effect": "Allow", "Principal": {"Service": self.trusts}, "Action": "sts:AssumeRole"}
        return {
            "trust": canonical(document([trust])),
            "policy": canonical(self.policy),
            "tags": self.scope.tags,
        }

    def read(self, client) -> Settings | None:
        try:
            role = client.get_role(RoleName=self.name)["Role"]
        except client.exceptions.NoSuchEntityException:
            return None
        return {
            "trust": canonical(role["AssumeRolePolicyDocument"]),
            "policy": canonical(self._inline_policy(client)),
            "tags": our_tags(tag_dict(client.list_role_tags(RoleName=self.name)["Tags"])),
        }

    def create(self, client) -> None:
        client.create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps(self.desired()["trust"]),
            Tags=tag_list(self.scope.tags),
        )
        self.update(client, {"policy": self.policy})

    def update(self, client, settings: Settings) -> None:
        if "tags" in settings:
            client.tag_role(RoleName=self.name, Tags=tag_list(settings["tags"]))
        if "trust" in settings:
            client.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(settings["trust"]))
        if "policy" in settings:
            client.put_role_policy(
                RoleName=self.name, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(self.policy)
            )

    def _inline_policy(self, client) -> Document | None:
        try:
            answer = client.get_role_policy(RoleName=self.name, PolicyName=POLICY_NAME)
        except client.exceptions.NoSuchEntityException:
            return None
        return answer["PolicyDocument"]

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                if (name := role["RoleName"]).startswith(scope.beginning):
                    with suppress(client.exceptions.NoSuchEntityException):
                        tags = client.list_role_tags(RoleName=name)["Tags"]
                        yield Found(name, name, role["Arn"], tag_dict(tags))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete a role, after whatever is attached to it; IAM refuses otherwise."""
        gone = client.exceptions.NoSuchEntityException
        with suppress(gone):
            for policy in client.list_attached_role_policies(RoleName=identifier)["AttachedPolicies"]:
                with suppress(gone):  # also if only the answer was lost, and botocore asked again
                    client.detach_role_policy(RoleName=identifier, PolicyArn=policy["PolicyArn"])
            for name in client.list_role_policies(RoleName=identifier)["PolicyNames"]:
                with suppress(gone):
                    client.delete_role_policy(RoleName=identifier, PolicyName=name)
            client.delete_role(RoleName=identifier)
