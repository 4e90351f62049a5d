"""Which accounts the live tier may touch: not those that look like production, nor those that are listed."""

import re
from pathlib import Path

from botocore.exceptions import ClientError

from lib.base.errors import ParameterError, TargetError
from lib.base.refusals import DENIED
from lib.resources.base import GLOBAL_REGION
from lib.target import Target

# A word of a name, so that "product-dev" is none; "non-prod" is the one that says the opposite.
PRODUCTION = re.compile(r"(?<![a-z])(?<!non[-_ ])(prod|prd|production|live)(?![a-z])", re.IGNORECASE)
# What is answered to those who may not ask, and where there is no organisation to ask of.
NOT_TOLD = DENIED | {
    "AccountNotFoundException",
    "AWSOrganizationsNotInUseException",
    "TargetNotFoundException",
}


def looks_like_production(text: str) -> bool:
    """Say whether a name has a word for production in it."""
    return bool(PRODUCTION.search(text))


def read_deny_list(path: Path) -> set[str]:
    """Read accounts that must never be touched.

    Args:
        path: A text file, one account a line; `#` begins a comment.

    Returns:
        The accounts.

    Raises:
        ParameterError: If the file cannot be read, or a line is no account: it might have been meant as one.
    """
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read: {error}") from None
    accounts = {line for line in lines if line}
    if wrong := sorted(account for account in accounts if not re.fullmatch("[0-9]{12}", account)):
        raise ParameterError(f"{path}: {wrong[0]!r} is no account of 12 digits; nothing was done")
    return accounts


def refuse_denied(account_id: str, deny_list: Path) -> None:
    """Refuse an account of the deny-list.

    Args:
        account_id: The account.
        deny_list: As for `read_deny_list`.

    Raises:
        ParameterError: If it is in the list.
    """
    if account_id in read_deny_list(deny_list):
        raise ParameterError(f"account {account_id} stands in {deny_list}; nothing was done")


def known_as(target: Target) -> dict[str, list[str] | None]:
    """Ask AWS what the account is called.

    Args:
        target: The account.

    Returns:
        `alias`, `name` and `organisation's tags`: what each says, or None if we may not know.
    """
    iam, account = target.client("iam", GLOBAL_REGION), target.client("account", GLOBAL_REGION)
    organizations = target.client("organizations", GLOBAL_REGION)
    return {
        "alias": _told(lambda: iam.list_account_aliases()["AccountAliases"]),
        # https://docs.aws.amazon.com/accounts/latest/reference/API_GetAccountInformation.html
        "name": _told(lambda: [account.get_account_information()["AccountName"]]),
        # Told to the organisation's management account and its delegates only:
        # https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListTagsForResource.html
        "organisation's tags": _told(
            lambda: [
                f"{tag['Key']}={tag['Value']}"
                for tag in organizations.list_tags_for_resource(ResourceId=target.account_id)["Tags"]
            ]
        ),
    }


def refuse_production(known: dict[str, list[str] | None]) -> None:
    """Refuse an account that looks like production, or that we cannot judge.

    Args:
        known: What `known_as` returned.

    Raises:
        ParameterError: If a name or tag has a word for production in it.
        TargetError: If we may know neither the alias nor the name.
    """
    for what, values in known.items():
        for value in values or []:
            if looks_like_production(value):
                raise ParameterError(f"the account looks like production: its {what} is {value!r}")
    if known["alias"] is None and known["name"] is None:
        raise TargetError(
            "AWS tells neither the account's alias nor its name, so nobody can say whether it is production: "
            "give the caller lib/policies/live-policy.json"
        )


def _told(ask) -> list[str] | None:
    try:
        return ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_TOLD:
            return None
        raise
