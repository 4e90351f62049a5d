"""A clock that is off is noticed by the date in AWS's answers."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from lib.base import clock
from lib.base.errors import TargetError
from lib.parameters import Parameters
from lib.target import Target, _identify

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


def answer(date: str) -> dict:
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("Mon, 30 Nov 2026 12:00:20 GMT", ""),
        ("Mon, 30 Nov 2026 12:01:35 GMT", "this machine's clock is 95 s behind AWS's"),
        ("Mon, 30 Nov 2026 11:50:00 GMT", "this machine's clock is 600 s ahead of AWS's"),
        ("", ""),
        ("yesterday", ""),
    ],
)
def test_by_how_much_it_is_off(date: str, said: str):
    assert clock.difference(answer(date), NOW) == said


def test_an_answer_without_headers_tells_nothing():
    assert clock.difference({}) == ""


def at(hours: int) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def with_answers(target: Target, respond) -> Target:
    """The target, whose STS answers otherwise."""
    other = target.with_config(target.config)
    client = other.session.client(
        "sts", "us-east-1", endpoint_url=target.endpoint_url, verify=target.ca_bundle
    )
    client.meta.events.register("after-call.sts.GetCallerIdentity", respond)
    other._clients[("sts", "us-east-1", "")] = client
    return other


def test_it_is_said_when_we_connect(target: Target, parameters: Parameters, capsys):
    def later(parsed, **_):
        parsed["ResponseMetadata"]["HTTPHeaders"]["date"] = at(hours=1)

    _identify(with_answers(target, later))
    assert "behind AWS's: lags and times that are told" in capsys.readouterr().err


def test_and_with_a_refusal(target: Target):
    def refuse(parsed, **_):
        headers = {"date": at(hours=-1)}
        error = {"Code": "SignatureDoesNotMatch", "Message": "Signature expired"}
        raise ClientError({"Error": error, "ResponseMetadata": {"HTTPHeaders": headers}}, "GetCallerIdentity")

    with pytest.raises(TargetError, match="Signature expired.* ahead of AWS's, which may be why"):
        _identify(with_answers(target, refuse))
