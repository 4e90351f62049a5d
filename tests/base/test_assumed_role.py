"""A role is taken on when it is needed, and again when its credentials have expired."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import boto3
import botocore.session
from botocore.credentials import Credentials

from lib.base.assumed_role import resolver

ROLE = "arn:aws:iam::222222222222:role/dr"


def test_credentials_are_asked_for_when_they_are_needed_and_renewed_when_they_expire():
    """Of a client that answers as STS: whose session it is, the tests of two accounts see."""
    asked, numbers = [], count(1)

    class Sts:
        def assume_role(self, **arguments):
            asked.append(arguments)
            key = {"AccessKeyId": f"key-{next(numbers)}", "SecretAccessKey": "s", "SessionToken": "t"}
            expires = datetime(2020 if len(asked) == 1 else 2120, 1, 1, tzinfo=UTC)
            who = {"Arn": "arn:aws:sts::222222222222:assumed-role/dr/me", "AssumedRoleId": "a:me"}
            return {"Credentials": {**key, "Expiration": expires}, "AssumedRoleUser": who}

    made = []
    source = Credentials("mine", "secret")
    session = botocore.session.Session()
    session.register_component(
        "credential_provider",
        resolver(lambda **keys: made.append(keys) or Sts(), source, ROLE, "me", external_id="an-id"),
    )
    credentials = boto3.Session(botocore_session=session).get_credentials()
    assert asked == []
    with suppress(RuntimeError):  # botocore's: what it was given has expired already
        credentials.get_frozen_credentials()
    assert credentials.get_frozen_credentials().access_key == "key-2"
    assert credentials.get_frozen_credentials().access_key == "key-2"
    assert asked == [{"RoleArn": ROLE, "RoleSessionName": "me", "ExternalId": "an-id"}] * 2
    assert made[0]["aws_access_key_id"] == "mine"
