import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handler_support import load_handler
from support.s3_messages import TEST_EVENT, in_sns_envelope, raw, s3_event, s3_record, sns_event, sqs_event

load_handler("replicate")
from common.events import object_events  # noqa: E402

# S3 keys: up to 1,024 bytes of UTF-8, any character
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda key: len(key.encode()) <= 1024
)
# How several S3 events, or one, reach us.
of_several = {
    "S3 → SQS": lambda events: sqs_event(*map(raw, events)),
    "S3 → SNS → SQS": lambda events: sqs_event(*map(in_sns_envelope, events)),
    "S3 → SNS → Lambda": lambda events: sns_event(*events),
}
of_one = {
    "S3 → Lambda": lambda event: event,
    "body of a message": raw,
    "body in an envelope": in_sns_envelope,
}


@given(keys)
def test_any_key_survives(key):
    (event,) = object_events(s3_event(s3_record("bucket", key)))
    assert event.key == key


@pytest.mark.parametrize("wrap", of_several.values(), ids=of_several)
@given(st.lists(st.lists(keys, min_size=1, max_size=3), max_size=3))
def test_every_record_of_every_event_is_found(wrap, keys_of_events):
    events = [s3_event(*(s3_record("bucket", key) for key in keys)) for keys in keys_of_events]
    assert [event.key for event in object_events(wrap(events))] == sum(keys_of_events, [])


@pytest.mark.parametrize("wrap", of_one.values(), ids=of_one)
@given(st.lists(keys, max_size=3))
def test_every_record_of_one_event_is_found(wrap, keys):
    event = s3_event(*(s3_record("bucket", key) for key in keys))
    assert [event.key for event in object_events(wrap(event))] == keys


@pytest.mark.parametrize("wrap", of_several.values(), ids=of_several)
def test_the_test_event_is_acknowledged_among_others(wrap):
    (event,) = object_events(wrap([TEST_EVENT, s3_event(s3_record("bucket", "key"))]))
    assert event.key == "key"


@pytest.mark.parametrize("wrap", of_one.values(), ids=of_one)
def test_the_test_event_is_acknowledged_alone(wrap):
    assert list(object_events(wrap(TEST_EVENT))) == []


def test_fields():
    record = s3_record("bucket", "key", region="eu-west-1", event_name="ObjectCreated:Copy")
    record["s3"]["object"] |= {"versionId": "v1", "size": 12, "eTag": "d41d8cd98f00b204e9800998ecf8427e"}
    (event,) = object_events(s3_event(record))
    assert (event.bucket, event.region, event.event_name) == ("bucket", "eu-west-1", "ObjectCreated:Copy")
    assert (event.version_id, event.sequencer) == ("v1", "0055AED6DCD90281E5")
    assert (event.size, event.etag) == (12, "d41d8cd98f00b204e9800998ecf8427e")
    assert event.event_time.isoformat() == "2026-01-01T00:00:00+00:00"


def test_what_s3_does_not_send_is_none():
    record = s3_record("bucket", "key", event_name="ObjectRemoved:Delete")
    record["s3"]["object"] = {"key": "key"}
    (event,) = object_events(s3_event(record))
    assert (event.version_id, event.sequencer, event.size, event.etag) == (None, None, None, None)


def test_an_empty_object_has_a_size():
    record = s3_record("bucket", "key")
    record["s3"]["object"]["size"] = 0
    (event,) = object_events(s3_event(record))
    assert event.size == 0


@pytest.mark.parametrize(
    ("name", "created", "removed"),
    [
        ("ObjectCreated:Put", True, False),
        ("s3:ObjectCreated:Post", True, False),
        ("ObjectCreated:CompleteMultipartUpload", True, False),
        ("ObjectRemoved:DeleteMarkerCreated", False, True),
        ("ObjectRemoved:Delete", False, True),
        ("s3:ObjectRemoved:Delete", False, True),
        ("ObjectRestore:Completed", False, False),
        ("ObjectTagging:Put", False, False),
    ],
)
def test_created_or_removed(name, created, removed):
    (event,) = object_events(s3_event(s3_record("bucket", "key", event_name=name)))
    assert (event.is_created, event.is_removed) == (created, removed)


@pytest.mark.parametrize(
    "message",
    [
        "poison",
        "null",
        "[]",
        "{}",
        '{"Records": {}}',
        '{"Records": [1]}',
        '{"Records": [{"eventSource": "aws:kinesis"}]}',
        '{"Records": [{"eventSource": "aws:s3"}]}',
        '{"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": 1}}}]}',
        '{"Type": "Notification", "Message": "poison"}',
        pytest.param('{"Records": ' + "[" * 100_000, id="too deep"),
        '{"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"}',
    ],
)
def test_anything_else_is_an_error(message):
    with pytest.raises(ValueError, match="Not |Neither |Incomplete "):
        list(object_events(message))


@pytest.mark.parametrize(
    "time",
    ["2026-01-01", "20260101T000000Z", "2026-01-01x00:00:00Z", "2026-01-01T00:00:00", "1767225600000", 1],
)
def test_a_time_that_s3_does_not_write_is_an_error(time):
    record = s3_record("bucket", "key") | {"eventTime": time}
    with pytest.raises(ValueError, match="Incomplete S3 record"):
        list(object_events(s3_event(record)))


@pytest.mark.parametrize(
    "time", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.123456Z"]
)
def test_times_as_s3_and_our_own_functions_write_them(time):
    (event,) = object_events(s3_event(s3_record("bucket", "key") | {"eventTime": time}))
    assert event.event_time.isoformat().removesuffix("+00:00") in time.replace("Z", "000") + time
