"""The picture: drawn from what exists."""

from dataclasses import replace

from support import cases

from lib.engine import picture
from lib.engine.stack import Stack
from lib.resources.base import Link

TOPIC = "arn:aws:sns:us-west-1:000000000000:runbook-test-migrate-uploads"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:runbook-test-migrate-uploads"
BUCKET = "arn:aws:s3:::runbook-test-migrate-target-000000000000-us-east-1"
TABLES = "arn:aws:glue:us-east-1:000000000000:database/runbook_test_migrate_tables"


def test_a_box_for_each_region_and_an_arrow_for_each_link():
    links = [Link(TOPIC, QUEUE, "sqs"), Link(BUCKET, TABLES, "writes"), Link(TOPIC, "ops@example.org")]
    lines = picture.mermaid(links, {BUCKET: "us-east-1"}, "runbook-test-migrate-").splitlines()
    assert lines == [
        "flowchart TB",
        "  subgraph elsewhere",
        '    n4["ops@example.org"]',
        "  end",
        "  subgraph us-east-1",
        '    n0["glue<br/>tables"]',
        '    n1["s3<br/>target-000000000000-us-east-1"]',
        '    n3["sqs<br/>uploads"]',
        "  end",
        "  subgraph us-west-1",
        '    n2["sns<br/>uploads"]',
        "  end",
        '  n2 -->|"sqs"| n3',
        '  n1 -->|"writes"| n0',
        '  n2 -->|""| n4',
    ]


def test_nothing_gives_an_empty_picture():
    assert picture.mermaid([], {}, "x-") == "flowchart TB"


def test_only_what_exists_is_drawn(stack: Stack):
    cases.s3.notification(stack)
    cases.sns.subscription(stack)
    assert picture.draw(stack).mermaid == "flowchart TB"
    stack.apply()
    drawn = picture.draw(stack)
    labels = {line.split('"')[1] for line in drawn.mermaid.splitlines() if "-->" in line}
    assert labels == {"s3:ObjectCreated:*", "sqs", "after 5 receives"}
    assert drawn._repr_mimebundle_()["text/vnd.mermaid"] == drawn.mermaid


def test_what_somebody_changed_is_drawn_as_it_is_now(stack: Stack, somebody):
    notification = cases.s3.notification(stack)
    stack.apply()
    stack.replace(replace(notification, events=("s3:ObjectRemoved:*",)))
    assert "ObjectCreated" in picture.draw(stack).mermaid
    stack.apply()
    assert "ObjectRemoved" in picture.draw(stack).mermaid


def test_every_kind_of_link_is_drawn(stack: Stack):
    for case in cases.EVERY.values():
        case.describe(stack)
    stack.apply()
    mermaid = picture.draw(stack).mermaid
    for label in ("batches of 10", "alarm", "is read by", "writes tables", "results", "email"):
        assert f'|"{label}"|' in mermaid
