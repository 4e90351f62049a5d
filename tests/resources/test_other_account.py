"""What the description of a role says of another account is read back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.parameters import Parameters
from lib.resources.base import Adopted, Scope
from lib.resources.other_account import OtherAccount
from lib.resources.s3 import Bucket

ROLES = st.from_regex(
    r"arn:aws:iam::222222222222:role/([!-~]{1,20}/)?[A-Za-z0-9_+=,.@-]{1,64}", fullmatch=True
)
DR = OtherAccount("backup", "dr", "222222222222", "arn:aws:iam::222222222222:role/dr", "secret-ish")


@given(ROLES)
def test_what_is_said_is_read_back(role_arn):
    here = OtherAccount("backup", "dr", "222222222222", role_arn)
    adopted = Adopted("backup", "primary", "photos", "us-east-1", "source")
    text = Scope("p", "e", "backup", "000000000000", adopted=(adopted,), others=(here,)).description
    assert [*OtherAccount.described("backup", text)] == [here]
    assert [*Adopted.described("backup", text)] == [adopted]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reaches dr in 222222222222 as nobody",
        "reaches dr in 222222222222 as arn:aws:iam::333333333333:role/of-another",
        "reaches dr in 22 as arn:aws:iam::22:role/short",
        "somebody's own words: reaches dr",
    ],
)
def test_what_others_say_is_not_taken_for_it(text):
    assert [*OtherAccount.described("backup", text)] == []


def test_the_external_id_is_said_to_nobody():
    assert "secret-ish" not in DR.description
    assert "secret-ish" not in repr(DR)


def test_a_bucket_asks_its_scope_where_it_lives():
    scope = Scope("p", "e", "backup", "000000000000", others=(DR,))
    dr, primary = Bucket("dr", "us-east-2"), Bucket("primary", "us-east-1")
    dr.scope = primary.scope = scope
    assert (dr.account_id, dr.name) == ("222222222222", "p-e-backup-dr-2222-000000000000-us-east-2")
    assert (primary.account_id, primary.is_elsewhere) == ("000000000000", False)
    assert primary.name == "p-e-backup-primary-000000000000-us-east-1"
    assert [*Bucket.of_names([dr.name, primary.name], scope)] == [
        (dr.name, "us-east-2"),
        (primary.name, "us-east-1"),
    ]


def test_keys_are_of_the_account_that_a_store_lives_in():
    keys = [f"arn:aws:kms:us-east-2:{account}:key/k" for account in ("000000000000", "222222222222")]
    role = "arn:aws:iam::222222222222:role/dr"
    values = {"kms_key_arns": keys, "backup": {"dr_account_id": "222222222222", "dr_role_arn": role}}
    dr = Bucket("dr", "us-east-2")
    dr.scope = Parameters.check(values).scope("backup")
    assert dr.kms_key_arn == keys[1]
    assert dr.scope.kms_key_arn("us-east-2") == keys[0]
