"""Deletes are followed, can be undone, and stop at the brake."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError
from support.backup_pipeline import Backup, bodies, is_current, markers
from support.meddling import once
from support.s3_messages import TEST_EVENT, s3_event, s3_record

KEYS = [
    *("plain.csv", "folder/Project Idea+ü 100%.csv", "a%2Fb", " leading and trailing ", "🚀/💾.bin"),
    *("a\nb", "\r", "\x00\x1b[2J\x7f", "\ufffe", "//", "/a", "./.."),
]
LIMIT = 5


@pytest.fixture(scope="module")
def made(operator, as_handler):
    return Backup.make(operator, as_handler)


@pytest.fixture
def backup(made):
    yield made
    made.handed_over.clear()
    made.forget()


@pytest.fixture
def braked(backup, monkeypatch):
    """A backup whose brake is pulled by LIMIT + 1 deletes."""
    monkeypatch.setenv("BRAKE_DELETES", str(LIMIT))
    return backup


@pytest.fixture
def log(made, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(made.delete.logger.handlers[0], "stream", stream)
    monkeypatch.setattr(made.replicate.logger.handlers[0], "stream", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("key", KEYS)
def test_a_delete_is_followed_and_can_be_undone(backup, key):
    backup.replicated(key, key.encode(), Metadata={"a": "1"}, Tagging="t=1")
    before = backup.dr.read(key)
    assert backup.deliver("delete", backup.remove(key)) == []
    assert not is_current(backup.dr, key)
    (marker,) = markers(backup.dr, key)
    backup.dr.client.delete_object(Bucket=backup.dr.bucket, Key=key, VersionId=marker)
    assert backup.dr.read(key) == before


def test_a_duplicate_leaves_one_marker(backup, log):
    backup.replicated("twice", b"12345")
    event = backup.remove("twice")
    backup.deliver("delete", event)
    backup.deliver("delete", event)
    assert len(markers(backup.dr, "twice")) == 1
    done = [line for line in log() if line["service"] == "delete"]
    assert [(line["message"], line["bytes"]) for line in done] == [("deleted", 5), ("in place", 0)]
    assert all(line["key"] == "twice" and line["lag_seconds"] > 0 and line["seconds"] >= 0 for line in done)


def test_what_never_was_is_in_place(backup):
    assert backup.deliver("delete", backup.event("never was", "ObjectRemoved:Delete")) == []
    assert markers(backup.dr, "never was") == []
    assert backup.items() == {}


def test_an_old_delete_does_not_delete_but_hands_over(backup, log):
    removal = backup.remove("back again")
    backup.put("back again", b"new")
    assert backup.deliver("delete", removal) == ["replicate"]
    assert backup.differs("back again") == {}
    messages = [line["message"] for line in log()]
    assert messages == ["source exists", "handed over to replicate", "copied"]


def test_an_old_put_does_not_bring_it_back(backup, log):
    backup.replicated("gone by now")
    put = backup.put("gone by now", b"other")
    backup.remove("gone by now")
    assert backup.deliver("replicate", put) == ["delete"]
    assert not is_current(backup.dr, "gone by now")
    assert [line["message"] for line in log()][-3:] == ["gone", "handed over to delete", "deleted"]


def test_a_handed_over_event_says_what_is_known(backup):
    put = backup.put("a b+ü/c")
    backup.remove("a b+ü/c")
    backup.invoke("replicate", put)
    ((function, payload),) = backup.handed_over
    (original,), (record,) = put["Records"], payload["Records"]
    assert (function, record["eventName"]) == ("delete", "ObjectRemoved:HandedOver")
    assert record["s3"]["object"] == {k: v for k, v in original["s3"]["object"].items() if k != "size"}
    assert (record["s3"]["bucket"], record["awsRegion"]) == (original["s3"]["bucket"], original["awsRegion"])
    (read,) = backup.delete.object_events(payload)
    (sent,) = backup.delete.object_events(put)
    assert (read.key, read.event_time, read.sent_time) == ("a b+ü/c", sent.event_time, None)
    put["Records"][0]["sentTime"] = "2026-01-02T03:04:05.678Z"
    backup.invoke("replicate", put)
    assert backup.handed_over[-1][1]["Records"][0]["sentTime"] == "2026-01-02T03:04:05.678000Z"


def test_an_older_version_that_is_current_again_is_replicated(backup):
    backup.replicated("restored", b"first")
    backup.replicated("restored", b"second")
    newest = backup.primary.client.head_object(Bucket=backup.primary.bucket, Key="restored")["VersionId"]
    assert backup.deliver("delete", backup.remove("restored", newest)) == ["replicate"]
    assert backup.dr.read("restored")["body"] == b"first"


def test_a_removed_delete_marker_brings_it_back(backup):
    backup.replicated("undeleted", b"first")
    backup.deliver("delete", backup.remove("undeleted"))
    (marker,) = markers(backup.primary, "undeleted")
    assert backup.deliver("delete", backup.remove("undeleted", marker)) == ["replicate"]
    assert backup.differs("undeleted") == {}


@pytest.mark.parametrize("moment", ["before-call.s3.DeleteObject", "after-call.s3.DeleteObject"])
def test_put_again_at_the_moment_of_deletion(backup, moment):
    key = f"put again {moment}"
    backup.replicated(key, b"old")
    removal = backup.remove(key)

    def put_again():
        backup.invoke("replicate", backup.put(key, b"new"))

    with once(backup.delete.client("s3", "us-east-2"), moment, put_again):
        assert backup.deliver("delete", removal) == ["replicate"]
    assert backup.dr.read(key)["body"] == b"new"


def test_history_is_not_erased(backup):
    for body in (b"first", b"second"):
        backup.replicated("history", body)
    for _, version in backup.primary.versions("history"):
        backup.deliver("delete", backup.remove("history", version))
    assert not is_current(backup.dr, "history")
    assert bodies(backup.dr, "history") == {b"first", b"second"}


def test_it_may_not_delete_versions(backup):
    backup.replicated("kept")
    ((_, version),) = backup.dr.versions("kept")
    may_not = [
        ("us-east-2", {"Bucket": backup.dr.bucket, "Key": "kept", "VersionId": version}),
        ("us-east-1", {"Bucket": backup.primary.bucket, "Key": "kept"}),
    ]
    for region, name in may_not:
        with pytest.raises(ClientError, match="AccessDenied"):
            backup.delete.client("s3", region).delete_object(**name)
    with pytest.raises(ClientError, match="AccessDenied"):
        backup.delete.client("s3", "us-east-2").put_object(Bucket=backup.dr.bucket, Key="kept")


def test_it_may_invoke_replicate_only(backup):
    client = boto3.client("lambda")  # without the hook that keeps hand-overs from Lambda
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="replicate", InvocationType="Event")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.invoke(FunctionName="another", InvocationType="Event")


def test_forbidden_is_not_gone_and_does_not_hold_up_the_others(backup, operator):
    backup.replicated("beside")
    removal = backup.remove("beside")
    forbidden = s3_record("somebody-elses-bucket", "beside", "us-east-1", "ObjectRemoved:Delete")
    operator.client("s3").create_bucket(Bucket="somebody-elses-bucket")
    with pytest.raises(ExceptionGroup) as caught:
        backup.invoke("delete", s3_event(forbidden, *removal["Records"]))
    (error,) = caught.value.exceptions
    assert "403" in str(error)
    assert not is_current(backup.dr, "beside")


def test_a_bucket_without_versioning_is_left_alone(backup, monkeypatch, operator):
    backup.replicated("not versioned")
    removal = backup.remove("not versioned")
    look = backup.delete.delete.__globals__["look"]

    def without_version(place, **arguments):
        state = look(place, **arguments)
        if state is not None:
            state.head.pop("VersionId")
        return state

    monkeypatch.setitem(backup.delete.delete.__globals__, "look", without_version)
    with pytest.raises(ExceptionGroup) as caught:
        backup.invoke("delete", removal)
    assert "no versioning" in str(caught.value.exceptions[0])
    assert is_current(backup.dr, "not versioned")


def test_other_events(backup, log):
    backup.put("created")
    backup.invoke("delete", TEST_EVENT)
    backup.invoke("delete", backup.event("created", "ObjectCreated:Put"))
    assert [line["message"] for line in log()] == ["ignored"]
    assert backup.handed_over == []


# --- the brake


def delete_all(backup, prefix, count):
    """Put and replicate so many objects, then delete them; return their keys and the events."""
    keys = [f"{prefix}/{number} +ü" for number in range(count)]
    for key in keys:
        backup.replicated(key)
    return keys, [backup.remove(key) for key in keys]


def left(backup, keys):
    return [key for key in keys if is_current(backup.dr, key)]


def held_keys(backup):
    return sorted(event.key for held in backup.held() for event in backup.delete.object_events(held))


def test_one_delete_too_many_pulls_the_brake(braked, log):
    keys, removals = delete_all(braked, "mass", LIMIT + 3)
    for removal in removals:
        braked.deliver("delete", removal)
    assert left(braked, keys) == keys[LIMIT:]
    assert [line["key"] for line in log() if line["message"] == "held"] == keys[LIMIT:]
    items = braked.items()
    assert (items["brake"]["deletes"], items["brake"]["minutes"]) == ({"N": str(LIMIT + 1)}, {"N": "5"})
    assert items["brake"]["stopped_at"]["S"].endswith("+00:00")
    counters = [item for name, item in items.items() if name.startswith("minute#")]
    assert sum(int(item["deletes"]["N"]) for item in counters) == LIMIT + 1
    assert all(int(item["expires"]["N"]) > 0 for item in counters)
    held = braked.held()
    assert held[0].keys() == {"Records"}
    assert sorted(each.key for event in held for each in braked.delete.object_events(event)) == keys[LIMIT:]


def test_no_more_than_the_limit_pass_at_the_same_time(braked):
    keys, removals = delete_all(braked, "at once", LIMIT + 7)
    events = [event for removal in removals for event in braked.delete.object_events(removal)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda event: braked.delete.follow_or_hold(event, braked.delete.brake().count), events))
    kept = left(braked, keys)
    assert len(kept) >= len(keys) - LIMIT
    assert held_keys(braked) == sorted(kept)
    assert "brake" in braked.items()


def test_what_is_released_is_deleted_though_the_brake_is_pulled(braked):
    keys, removals = delete_all(braked, "released", LIMIT + 2)
    for removal in removals:
        braked.deliver("delete", removal)
    braked.primary.put(keys[-1], b"new")  # exists again
    (first, second) = sorted(braked.held(), key=json.dumps)
    braked.deliver("delete", second | {"released": "true"})
    assert left(braked, keys) == keys[LIMIT:], "held again"
    braked.deliver("delete", {"released": True, "Records": first["Records"] + second["Records"]})
    assert "brake" in braked.items()
    assert left(braked, keys) == keys[-1:]
    assert braked.differs(keys[-1]) == {}


def test_replicate_goes_on_while_the_brake_is_pulled(braked):
    _, removals = delete_all(braked, "pulled", LIMIT + 1)
    for removal in removals:
        braked.deliver("delete", removal)
    braked.replicated("pulled/new")
    assert braked.differs("pulled/new") == {}


def test_only_deletes_that_are_to_be_done_are_counted(braked):
    (key,), (removal,) = delete_all(braked, "counted", 1)
    for _ in range(LIMIT + 2):
        braked.deliver("delete", removal)
    assert not is_current(braked.dr, key)
    (counter,) = braked.items().values()
    assert counter["deletes"] == {"N": "1"}


def test_a_failed_delete_counts_again_when_it_is_retried(braked):
    (key,), (removal,) = delete_all(braked, "retried", 1)

    def fail():
        raise ConnectionError("cut off")

    with once(braked.delete.client("s3", "us-east-2"), "before-call.s3.DeleteObject", fail):
        with pytest.raises(ExceptionGroup):
            braked.invoke("delete", removal)
        braked.invoke("delete", removal)
    assert not is_current(braked.dr, key)
    (counter,) = braked.items().values()
    assert counter["deletes"] == {"N": "2"}


def test_what_cannot_be_held_fails(braked):
    keys, removals = delete_all(braked, "not held", LIMIT + 1)
    for removal in removals[:-1]:
        braked.invoke("delete", removal)

    def fail():
        raise ConnectionError("no queue")

    no_queue = once(braked.delete.client("sqs"), "before-call.sqs.SendMessage", fail)
    with no_queue, pytest.raises(ExceptionGroup):
        braked.invoke("delete", removals[-1])
    braked.invoke("delete", removals[-1])
    assert held_keys(braked) == [keys[-1]]


def test_deletes_of_long_ago_do_not_count(backup):
    now = [1_000_000_020.0]
    brake = backup.delete.Brake(
        backup.delete.client("dynamodb"), backup.table, deletes=2, minutes=3, clock=lambda: now[0]
    )
    brake.count(1)
    brake.count(1)
    now[0] += 4 * 60
    brake.count(2)
    now[0] += 3 * 60
    with pytest.raises(backup.delete.BrakePulledError, match="3 deletes in 3 minutes are more than 2"):
        brake.count(1)
    now[0] += 60 * 60
    with pytest.raises(backup.delete.BrakePulledError, match="is pulled"):
        brake.count(1)
