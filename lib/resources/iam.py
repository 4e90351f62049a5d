"""IAM: roles."""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from lib.base.errors import RunbookError
from lib.resources.base import (
    GLOBAL_REGION,
    MOST_DESCRIPTION_CHARACTERS,
    Deletion,
    Found,
    Resource,
    Scope,
    Settings,
    apart,
    our_tags,
    tag_dict,
    tag_list,
    together,
)
from lib.resources.checks import Finding
from lib.resources.policies import Document, canonical, document

POLICY_NAME = "runbook"
# Of a role's inline policies, and of its trust policy, white space not counted:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MOST_POLICY_CHARACTERS, MOST_TRUST_CHARACTERS = 10240, 2048


@dataclass(repr=False, kw_only=True)
class Role(Resource):
    """A role that one AWS service, or our account, takes on, with one inline policy and its scope's boundary.

    A boundary that is there though the scope names none stays: it is somebody else's. Its description says
    which buckets its pipeline has adopted (docs/decisions/0023-a-bucket-that-is-adopted.md), and which live
    in another account, besides what somebody else may have written there, which stays.

    Attributes:
        trusts: The service, such as `lambda.amazonaws.com`; or an account, by its 12 digits, whose users and
            roles then need the right to take it on in policies of their own.
        policy: All that the role may do.
    """

    trusts: str
    policy: Document

    service: ClassVar[str] = "iam"
    noun: ClassVar[str] = "IAM role"
    deletion: ClassVar[Deletion] = Deletion.REMAINS
    is_global: ClassVar[bool] = True
    asked_in: ClassVar[str] = GLOBAL_REGION
    call_names: ClassVar[tuple[str, ...]] = ("RoleName",)

    @property
    def arn(self) -> str:
        return role_arn(self.scope, self.what)

    @property
    def trusts_account(self) -> bool:
        """Whether an account is who takes it on, and no service."""
        return self.trusts.isdigit()

    def desired(self) -> Settings:
        whom = (
            {"AWS": f"arn:aws:iam::{self.trusts}:root"} if self.trusts_account else {"Service": self.trusts}
        )
        trust = {"Effect": "Allow", "Principal": whom, "Action": "sts:AssumeRole"}
        boundary = self.scope.permissions_boundary_arn
        return {
            "trust": canonical(document([trust])),
            **({"permissions_boundary": boundary} if boundary else {}),
            "policy": canonical(self.policy),
            "description": self.scope.description,
            "tags": self.scope.tags,
        }

    def checks(self) -> Iterable[Finding]:
        settings = self.desired()
        sizes = {"policy": MOST_POLICY_CHARACTERS, "trust": MOST_TRUST_CHARACTERS}
        for name, most in sizes.items():
            size = len("".join(json.dumps(settings[name]).split()))
            if size > most:
                fix = f"keep to {most}: fewer statements, or a second role"
                yield Finding("role-policy-size", f"its {name} has {size} characters", fix)

    def read(self, client) -> Settings | None:
        try:
            role = client.get_role(RoleName=self.name)["Role"]
        except client.exceptions.NoSuchEntityException:
            return None
        ours, theirs = apart(role.get("Description", ""))
        if len(text := together(theirs, self.scope.description)) > MOST_DESCRIPTION_CHARACTERS:
            raise RunbookError(
                f"{self}: with what it says of its pipeline's buckets, its description has {len(text)} "
                f"characters. Shorten what somebody has written there, {theirs[:40]!r}…: IAM takes "
                f"{MOST_DESCRIPTION_CHARACTERS}"
            )
        return {
            "trust": canonical(role["AssumeRolePolicyDocument"]),
            "permissions_boundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "policy": canonical(self._inline_policy(client)),
            "description": ours,
            "tags": our_tags(tag_dict(client.list_role_tags(RoleName=self.name)["Tags"])),
        }

    def create(self, client) -> None:
        boundary = self.scope.permissions_boundary_arn
        client.create_role(
            RoleName=self.name,
            AssumeRolePolicyDocument=json.dumps(self.desired()["trust"]),
            Tags=tag_list(self.scope.tags),
            Description=self.scope.description,
            **({"PermissionsBoundary": boundary} if boundary else {}),
        )
        self.update(client, {"policy": self.policy})

    def update(self, client, settings: Settings) -> None:
        if "tags" in settings:
            client.tag_role(RoleName=self.name, Tags=tag_list(settings["tags"]))
        if "description" in settings:
            self._describe(client, settings["description"])
        if "trust" in settings:
            client.update_assume_role_policy(RoleName=self.name, PolicyDocument=json.dumps(settings["trust"]))
        # Before the policy: a deployer may be allowed to write policies of roles with the boundary only.
        if boundary := settings.get("permissions_boundary"):
            client.put_role_permissions_boundary(RoleName=self.name, PermissionsBoundary=boundary)
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

    def _describe(self, client, text: str) -> None:
        """Say what is adopted, behind what somebody else has written."""
        found = client.get_role(RoleName=self.name)["Role"].get("Description", "")
        _, theirs = apart(found)
        if (wanted := together(theirs, text)) != found:
            client.update_role_description(RoleName=self.name, Description=wanted)

    @staticmethod
    def descriptions(client) -> Iterator[tuple[str, str]]:
        """Yield the names and descriptions of all roles of the account, whoever's they are.

        Args:
            client: An IAM client.
        """
        for page in client.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                yield role["RoleName"], role.get("Description", "")

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


def role_arn(scope: Scope, what: str) -> str:
    """Return the ARN of a pipeline's role, which need not be described yet.

    Args:
        scope: The pipeline.
        what: The last part of its name.
    """
    return f"arn:aws:iam::{scope.account_id}:role/{scope.name(what)}"
