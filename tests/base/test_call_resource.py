"""What a call to AWS is about: names of things, and never what is in them."""

import pytest

from lib.base.call_resource import copied, names, resource

NAMED_BY = ("QueueUrl", "FunctionName", "EventSourceArn")


@pytest.mark.parametrize(
    ("operation", "parameters", "about"),
    [
        ("ListBuckets", {}, ""),
        ("PutObject", {"Bucket": "b", "Key": "a/ü", "Body": b"secret"}, "b/a/ü"),
        ("ListObjectsV2", {"Bucket": "b", "Prefix": "in/"}, "b/in/"),
        ("ListObjectsV2", {"Bucket": "b", "Prefix": ""}, "b"),
        ("GetTable", {"DatabaseName": "d", "Name": "t"}, "d/t"),
        ("CreateTable", {"DatabaseName": "d", "TableInput": {"Name": "t"}}, "d/t"),
        ("GetTables", {"DatabaseName": "d"}, "d"),
        ("UpdateCrawler", {"DatabaseName": "d", "Name": "c"}, "c"),
        ("ReceiveMessage", {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1234/q"}, "q"),
        ("CreateEventSourceMapping", {"EventSourceArn": "arn:q", "FunctionName": "f"}, "f"),
        ("TagResource", {"ResourceArn": "arn:x", "Tags": {"secret": "secret"}}, "arn:x"),
        ("CreateClassifier", {"Name": {"Name": "c", "Delimiter": ","}}, "c"),
        ("BatchWriteItem", {"Name": {"one": ["secret"], "two": []}}, "one, two"),
        ("ListTags", {"ResourceIdList": ["arn:a", "arn:b"]}, "arn:a, arn:b"),
        ("Unknown", {"Colour": "red"}, ""),
    ],
)
def test_it_is_about_what_its_parameters_name(operation, parameters, about):
    assert resource(operation, parameters, NAMED_BY) == about


@pytest.mark.parametrize(
    ("source", "about"),
    [
        ({"Bucket": "b", "Key": "a b", "VersionId": "v"}, "b/a b"),
        ("b/a%20b?versionId=v", "b/a b"),
        ("b/a%20b", "b/a b"),
        ("", ""),
    ],
)
def test_what_it_copies_from_is_named_without_the_version(source, about):
    assert copied({"CopySource": source} if source else {}) == about


def test_the_names_of_parameters_tell_which_rights_it_needs():
    assert names({"Key": "k", "Bucket": "b"}) == ("Bucket", "Key")
    for source in ({"Bucket": "b", "Key": "k", "VersionId": "v"}, "b/k?versionId=v"):
        assert names({"CopySource": source}) == ("CopySource", "CopySourceVersionId")
    for source in ({"Bucket": "b", "Key": "k"}, "b/k"):
        assert names({"CopySource": source}) == ("CopySource",)
    assert names({"Delete": {"Objects": [{"Key": "k"}, {"Key": "k", "VersionId": "v"}]}}) == (
        "Delete",
        "VersionId",
    )
    assert names({"Delete": {"Objects": [{"Key": "k"}]}}) == ("Delete",)
    replaced, kept = ({"TaggingDirective": how} for how in ("REPLACE", "COPY"))
    assert names(replaced) == ("TaggingDirective", "TaggingDirective=REPLACE")
    assert names(kept) == ("TaggingDirective",)
