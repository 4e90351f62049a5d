"""A listing that is read at once is what botocore makes of it, whatever is in it."""

from xml.sax.saxutils import escape

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParser
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.base.s3_listing import quick_listings

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=9)
FIELDS = {
    "LastModified": st.sampled_from(["2026-01-31T12:00:00.000Z", "Wed, 12 Oct 2009 17:50:00 GMT"]),
    "ETag": st.sampled_from(['"d41d8cd98f00b204e9800998ecf8427e"', '"a-2"', ""]),
    "Size": st.integers(0, 2**50).map(str),
    "StorageClass": st.sampled_from(["STANDARD", "GLACIER", "OF_TOMORROW"]),
    "ChecksumAlgorithm": st.sampled_from(["CRC64NVME", "SHA256"]),
    "ChecksumType": st.just("FULL_OBJECT"),
    "Owner": st.just("<ID>1</ID>"),
    "RestoreStatus": st.just("<IsRestoreInProgress>true</IsRestoreInProgress>"),
    "OfTomorrow": st.just("something"),
}
NESTED = ("Owner", "RestoreStatus")
KNOWN = [name for name in FIELDS if name not in (*NESTED, "OfTomorrow")]


class Body:
    def __init__(self, content: bytes):
        self.content = content

    def stream(self, **_):
        yield self.content


@pytest.fixture(scope="module")
def listed():
    """Lists as S3 would have answered: with botocore, and with what is quick."""
    clients = [
        boto3.client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b") for _ in "12"
    ]
    quick_listings(clients[1])
    answer = {}

    def send(request, **_):
        return AWSResponse(request.url, answer["status"], {}, Body(answer["body"].encode()))

    for client in clients:
        client.meta.events.register("before-send.s3", send)

    def both(body: str, status: int = 200, **asked):
        answer.update(body=body, status=status)
        return [client.list_objects_v2(Bucket="b", **asked) for client in clients]

    return both


@st.composite
def objects(draw, names=tuple(FIELDS)):
    rows = []
    for key in draw(st.lists(TEXTS.filter(bool), max_size=4)):
        chosen = draw(st.lists(st.sampled_from(names), unique=True))
        chosen += ["ChecksumAlgorithm"] * draw(st.integers(0, 1))
        values = [(name, draw(FIELDS[name])) for name in chosen]
        inner = "".join(f"<{n}>{v if n in NESTED else escape(v)}</{n}>" for n, v in values)
        rows.append(f"<Contents><Key>{escape(key)}</Key>{inner}</Contents>")
    return "".join(rows)


def page(inner: str, encoding: str = "") -> str:
    encoded = f"<EncodingType>{encoding}</EncodingType>" if encoding else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>a+b</Prefix>'
        f"{encoded}<IsTruncated>true</IsTruncated><NextContinuationToken>x y</NextContinuationToken>{inner}"
        "<CommonPrefixes><Prefix>c%2F</Prefix></CommonPrefixes></ListBucketResult>"
    )


@settings(max_examples=40)
@given(inner=objects() | objects(KNOWN), encoding=st.sampled_from(["", "url"]))
def test_it_is_what_botocore_makes_of_it(listed, inner, encoding):
    one, other = listed(page(inner, encoding))
    assert one.pop("ResponseMetadata")["HTTPStatusCode"] == other.pop("ResponseMetadata")["HTTPStatusCode"]
    assert one == other


def test_what_it_knows_botocore_does_not_read(listed, monkeypatch):
    known = "".join(f"<{name}>1</{name}>" for name in KNOWN if name != "LastModified")
    inner = f"<Contents><Key>a</Key>{known}</Contents>" * 3
    read = []
    parse = ResponseParser._parse_shape
    monkeypatch.setattr(
        ResponseParser,
        "_parse_shape",
        lambda self, shape, node: read.append(shape.name) or parse(self, shape, node),
    )
    one, other = listed(page(inner))
    assert len(one["Contents"]) == len(other["Contents"]) == 3
    assert read.count("Object") == 3  # by the one that is not quick


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>", 404),
        ("<Error><Code>InternalError</Code><Message>none</Message></Error>", 403),
    ],
)
def test_an_error_is_botocore_s(listed, body, status):
    with pytest.raises(ClientError, match="none"):
        listed(body, status)
