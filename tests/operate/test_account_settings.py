"""What the account itself has set is shown as it is, and nothing of it stops anybody."""

import boto3
import pytest
from botocore.stub import Stubber

from lib.operate import account_settings
from lib.operate.account_settings import NOT_KNOWN, OFF, ON, SETTINGS
from lib.resources.base import GLOBAL_REGION
from lib.target import Target

OPERATION = "get_public_access_block"
ACCOUNT = "123456789012"


@pytest.fixture
def aws():
    """Target `aws` with a client of S3 Control that answers what it is told: the local AWS cannot."""
    session = boto3.Session("a", "b")
    client = session.client("s3control", GLOBAL_REGION)
    with Stubber(client) as stubber:
        yield Target("aws", session, ACCOUNT, _clients={("s3control", GLOBAL_REGION, ""): client}), stubber


def states(table) -> dict[str, str]:
    return dict(zip(table["setting"], table["state"], strict=True))


@pytest.mark.parametrize("off", [[], ["RestrictPublicBuckets"], list(SETTINGS)])
def test_the_four_settings_are_shown_and_what_is_off_is_named(aws, capsys, off: list[str]):
    target, stubber = aws
    block = {name: name not in off for name in SETTINGS}
    stubber.add_response(OPERATION, {"PublicAccessBlockConfiguration": block}, {"AccountId": ACCOUNT})
    assert states(account_settings.public_access_block(target)) == {
        name: OFF if name in off else ON for name in SETTINGS
    }
    printed = capsys.readouterr().out
    assert printed.startswith(
        f"the account does not block all public access: {', '.join(off)} off. docs/real-account.md"
        if off
        else "the account blocks all public access\n"
    )


def test_where_nothing_is_set_nothing_is_blocked(aws, capsys):
    target, stubber = aws
    stubber.add_client_error(OPERATION, "NoSuchPublicAccessBlockConfiguration", http_status_code=404)
    assert set(states(account_settings.public_access_block(target)).values()) == {OFF}
    assert capsys.readouterr().out.startswith("the account blocks no public access: docs/real-account.md")


@pytest.mark.parametrize(
    ("code", "says"),
    [("AccessDenied", "needs s3:GetAccountPublicAccessBlock"), ("InternalError", "does not tell: Internal")],
)
def test_who_may_not_look_or_is_not_answered_is_told_so(aws, capsys, code: str, says: str):
    target, stubber = aws
    stubber.add_client_error(OPERATION, code, "no")
    assert set(states(account_settings.public_access_block(target)).values()) == {NOT_KNOWN}
    assert says in capsys.readouterr().out


def test_the_local_aws_says_that_it_has_no_such_thing(target, capsys):
    assert set(states(account_settings.public_access_block(target)).values()) == {NOT_KNOWN}
    assert capsys.readouterr().out == (
        "this AWS does not tell: NotImplemented: the local AWS has no block of public access for a whole "
        "account\n"
    )
