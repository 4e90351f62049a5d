"""Two descriptions of one resource are compared by what it was described by, and the difference is told."""

from lib.engine.description import MOST_CHARACTERS, Description
from lib.resources.iam import Role
from lib.resources.s3 import Bucket
from lib.resources.sns import Topic
from lib.resources.sqs import Queue

HERE = "us-west-1"


def differing(one, other, wanted: bool = True) -> list[str]:
    return Description.of(one, wanted=True).differing(Description.of(other, wanted))


def test_what_was_set_since_is_no_part_of_it():
    bucket = Bucket("files", HERE)
    before = Description.of(bucket, wanted=True)
    bucket.expire_days = 3
    assert before.differing(Description.of(bucket, wanted=True)) == ["expire_days was None and is 3"]
    assert differing(Bucket("files", HERE, expire_days=3), bucket) == []


def test_each_difference_is_named_in_the_order_of_the_description():
    one = Queue("files", HERE, visibility_timeout_s=30, retention_s=60)
    other = Queue("files", HERE, visibility_timeout_s=360, retention_s=120)
    assert differing(one, other) == [
        "visibility_timeout_s was 30 and is 360",
        "retention_s was 60 and is 120",
    ]


def test_another_resource_in_it_counts_by_its_name_only():
    """It has a description of its own, so what differs in it is told once."""
    small, large = (Queue("dead", HERE, retention_s=seconds) for seconds in (60, 120))
    assert differing(Queue("q", HERE, dead_letter=small), Queue("q", HERE, dead_letter=large)) == []
    (told,) = differing(Queue("q", HERE, dead_letter=small), Queue("q", HERE))
    assert told == "dead_letter was 'SQS queue dead in us-west-1' and is None"


def test_another_type_or_whether_it_shall_exist_differs_too():
    told = differing(Topic("files", HERE), Queue("files", HERE))
    assert "type was 'Topic' and is 'Queue'" in told
    assert differing(Bucket("files", HERE), Bucket("files", HERE), wanted=False) == [
        "wanted was True and is False"
    ]


def test_what_is_in_a_list_or_a_document_counts_and_is_told_in_short():
    statements = [{"Sid": "Read", "Resource": ["x" * 200]}]
    documents = [{"Statement": statements}, {"Statement": [statements[0] | {"Sid": "Write"}]}]
    one, other = (Role("r", HERE, trusts="lambda.amazonaws.com", policy=each) for each in documents)
    (told,) = differing(one, other)
    before, after = told.removeprefix("policy was ").split(" and is ")
    assert len(before) == len(after) == MOST_CHARACTERS
    assert before.endswith("…")
