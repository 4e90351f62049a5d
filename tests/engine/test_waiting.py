"""What waits in a queue: how much, until none does, and of what its messages speak."""

import json

import pytest

from lib.engine import waiting


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        "[" * 10_000,
        '{"Records": 7}',
        '{"Records": "text"}',
        '{"Records": [7, null, "s3", {"s3": 7}, {"s3": {"object": []}}, {"s3": {"object": {"key": 7}}}]}',
        '{"requestPayload": [1]}',
        '{"requestPayload": "text"}',
    ],
)
def test_a_dead_letter_that_is_no_event_speaks_of_nothing_and_stops_nothing(body):
    assert list(waiting._versions(body)) == []


def test_of_a_dead_letter_all_records_that_can_be_read_are():
    records = [{"s3": {"object": {"key": "a+b", "versionId": "v"}}}, 7, {"s3": {"object": {"key": "c"}}}]
    assert list(waiting._versions(json.dumps({"Records": records}))) == [("a b", "v"), ("c", None)]
