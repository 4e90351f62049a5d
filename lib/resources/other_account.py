"""Buckets that live in another account than their pipeline, and the role by which one gets in there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

REACHES = "reaches"
# Names and paths of roles: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html
ROLE_ARN = r"arn:aws:iam::([0-9]{12}):role/(?:[\x21-\x7e]+/)?[\w+=,.@-]{1,64}"
REACH = re.compile(rf"{REACHES} (\S+) in ([0-9]{{12}}) as ({ROLE_ARN})(?=;|$)", re.ASCII)


@dataclass(frozen=True)
class OtherAccount:
    """Another account, in which one bucket of a pipeline lives.

    Attributes:
        pipeline: The pipeline's name.
        what: The last part of the bucket's name, such as `dr`.
        account_id: The other account, 12 digits.
        role_arn: ARN of the role of that account which the runbook takes on for all that it does there.
        external_id: What the role's trust policy wants to be told; empty for nothing. It is no secret, but
            nothing that we would show to others:
            https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html
        parameter: Which parameter names the role; empty if the environment does.
    """

    pipeline: str
    what: str
    account_id: str
    role_arn: str
    external_id: str = field(default="", repr=False)
    parameter: str = field(default="", compare=False)

    @property
    def description(self) -> str:
        """It in the characters that a role's description may have, which its pipeline's roles say of it."""
        return f"{REACHES} {self.what} in {self.account_id} as {self.role_arn}"

    @staticmethod
    def is_description(text: str) -> bool:
        """Return whether a text is what a role says of another account, and nothing else.

        Args:
            text: A part of a role's description.
        """
        return (found := REACH.fullmatch(text)) is not None and found[2] == found[4]

    @classmethod
    def described(cls, pipeline: str, description: str) -> Iterator["OtherAccount"]:
        """Yield the other accounts that the description of a role says that its pipeline works in.

        Args:
            pipeline: The pipeline.
            description: The role's, whoever wrote it.
        """
        for what, account_id, role_arn, account_of_role in REACH.findall(description):
            if account_id == account_of_role:
                yield cls(pipeline, what, account_id, role_arn)
