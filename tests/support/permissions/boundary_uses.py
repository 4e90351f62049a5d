"""What the permissions boundary, and the policies for the boundary and the live tier, are needed for."""

from support.permissions.call_shapes import statements
from support.permissions.service_uses import DOCS, Use

BOUNDARY = "lib/policies/permissions-boundary.json"
DEPLOYER_BOUNDARY = "lib/policies/deployer-boundary-policy.json"
LIVE = "lib/policies/live-policy.json"
BOUNDARIES = f"{DOCS}/IAM/latest/UserGuide/access_policies_boundaries.html"

_DEPLOYER_USES = (
    Use(
        DEPLOYER_BOUNDARY,
        ("iam:PutRolePermissionsBoundary",),
        "arn:aws:iam:*",
        "a role that was made without the boundary cannot get it",
        f"{DOCS}/IAM/latest/APIReference/API_PutRolePermissionsBoundary.html",
    ),
    Use(
        DEPLOYER_BOUNDARY,
        ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary"),
        "arn:aws:iam:*",
        "a denial: the deployer could give a role more than the boundary allows, and so itself",
        BOUNDARIES,
    ),
    Use(
        DEPLOYER_BOUNDARY,
        ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:DeletePolicyVersion")
        + ("iam:SetDefaultPolicyVersion",),
        "${permissions_boundary_arn}",
        "a denial: the deployer could widen the boundary itself",
        BOUNDARIES,
    ),
    Use(
        LIVE,
        ("iam:ListAccountAliases",),
        "*",
        "`make live` cannot read the account's alias, which may say that it is a production account",
        f"{DOCS}/IAM/latest/APIReference/API_ListAccountAliases.html",
    ),
    Use(
        LIVE,
        ("account:GetAccountInformation",),
        "*",
        "`make live` cannot read the account's name",
        f"{DOCS}/accounts/latest/reference/API_GetAccountInformation.html",
    ),
    Use(
        LIVE,
        ("organizations:ListTagsForResource",),
        "*",
        "`make live` cannot read the account's tags",
        f"{DOCS}/organizations/latest/APIReference/API_ListTagsForResource.html",
    ),
)


def uses(roles: list[str]) -> tuple[Use, ...]:
    """Return what these policies are needed for.

    Args:
        roles: The policies of the roles that the boundary must not stop.
    """
    needed = dict.fromkeys(action for path in roles for one in statements(path) for action in one.actions)
    why = "refused to the roles whose policies have it"
    of_roles = (Use(BOUNDARY, (action,), "*", why, BOUNDARIES) for action in needed)
    return (*of_roles, *_DEPLOYER_USES)
