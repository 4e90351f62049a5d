"""Whether S3 tells of a bucket yet: on a local AWS that is as deaf as AWS, where minutes pass at once."""

from collections.abc import Callable, Iterator
from time import sleep as really_sleep

import pandas as pd
import pytest
from support import cases
from support.calls import Recorder, watched
from support.described import describe
from support.homes import share_bundles
from support.servers import eventually, root

from lib.base.errors import WaitError
from lib.engine.stack import Stack
from lib.local import ministack
from lib.local.in_server.lag_times import FIGURES, Lag
from lib.operate import hearing
from lib.operate.hearing import NONE_YET, PROBE, Entrance, first_events
from lib.parameters import Parameters
from lib.resources import s3
from lib.resources.bundle import bundle
from lib.resources.s3 import empty_bucket
from lib.target import Target, connect

DEAF_S = 300.0
ENV = "hears"


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Iterator[ministack.LocalAws]:
    """Late in notifications and versioning only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(share_bundles(tmp_path_factory.mktemp("late"))))
        seconds = dict.fromkeys(FIGURES, 0.0) | {"notification": DEAF_S, "versioning": DEAF_S}
        yield ministack.start(lag=Lag.of(seconds=seconds))
        ministack.reset()


@pytest.fixture(scope="module")
def parameters(late) -> Parameters:
    return Parameters.check({"env": ENV})


@pytest.fixture(scope="module")
def target(parameters) -> Target:
    return connect(parameters)


@pytest.fixture(scope="module")
def deployed(late, target, parameters) -> Callable[..., Stack]:
    """Describes a pipeline with its real handlers, and applies it; what was applied once stays."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(late.state.parents[1]))

        def deploy(pipeline: str, target: Target = target, exercise: bool = True) -> Stack:
            stack = describe(pipeline, target, parameters, bundle=bundle)
            stack.parameters = parameters.model_copy(update={"exercise": exercise})
            stack.apply()
            return stack

        yield deploy


@pytest.fixture
def passing(late) -> Callable[[float], None]:
    """A sleep in which minutes pass."""

    def sleep(_: float) -> None:
        ministack.let_pass(late, DEAF_S / 5)
        really_sleep(0.05)

    return sleep


def versions(late, bucket: s3.Bucket) -> list[str]:
    found = root(late, "s3", bucket.region).list_object_versions(Bucket=bucket.name)
    return [one["Key"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, [])]


def changed(stack: Stack, notification: s3.BucketNotification) -> None:
    """What a run writes down that changes a notification."""
    facts = {"noun": notification.noun, "name": notification.name, "region": notification.region}
    stack.ledger.intend(notification.arn, pipeline=stack.scope.pipeline, changed_by="somebody", **facts)
    stack.ledger.made(notification.arn)


def bucket_of(stack: Stack, what: str) -> s3.Bucket:
    return next(one for one in stack.resources.values() if isinstance(one, s3.Bucket) and one.what == what)


def test_probes_are_sent_until_each_function_heard_of_one_and_nothing_is_left(
    late, deployed, target, passing, capsys
):
    recorder = Recorder()
    stack = deployed("backup", watched(target, "before-call", recorder))
    primary, dr = bucket_of(stack, "primary"), bucket_of(stack, "dr")
    client = root(late, "s3", primary.region)
    client.put_object(Bucket=primary.name, Key="early", Body=b"a")  # of which S3 never tells
    recorder.made.clear()
    seen = first_events(stack, timeout_s=600, sleep=passing)
    assert set(seen["function"]) == {stack.scope.name("replicate"), stack.scope.name("delete")}
    assert all(pd.Timestamp(each).tzinfo for each in seen["first event"])
    assert recorder.made.count("PutObject") > 2  # the first two were lost
    assert versions(late, primary) == ["early"]
    # From here on what is put has a version, and is followed; what came before is, too.
    assert "VersionId" in client.put_object(Bucket=primary.name, Key="late", Body=b"a")
    eventually(lambda: versions(late, dr) == ["early", "late"])
    assert f"1 object came into {primary.name} while S3 was deaf" in capsys.readouterr().out

    recorder.made.clear()
    again = first_events(stack, timeout_s=0, sleep=lambda _: pytest.fail("waits"))
    assert again.equals(seen)
    assert recorder.made == []  # it is written down


def test_a_changed_notification_is_listened_for_anew(deployed, passing):
    stack = deployed("backup")
    first_events(stack, timeout_s=600, sleep=passing)
    one = next(each for each in stack.resources.values() if isinstance(each, s3.BucketNotification))
    assert "heard" in stack.ledger.entries()[one.arn]
    changed(stack, one)
    assert "heard" not in stack.ledger.entries()[one.arn]
    assert NONE_YET not in set(first_events(stack, timeout_s=600, sleep=passing)["first event"])


def test_a_notification_leads_through_a_topic_and_a_queue(target, parameters):
    for pipeline, function in (("migrate", "replicate"), ("ingest", "consume")):
        found = [*hearing.entrances(describe(pipeline, target, parameters))]
        assert [one.function.what for one in found] == [function]


def test_when_the_time_is_up_it_says_what_did_not_come_and_leaves_nothing(late, deployed):
    stack = deployed("index")
    for _ in range(2):
        with pytest.raises(WaitError, match="no event was seen .* no sample was uploaded"):
            first_events(stack, timeout_s=0.1, sleep=lambda _: None)
    assert versions(late, bucket_of(stack, "files")) == []
    assert not any(
        "heard" in stack.ledger.entries()[one.notification.arn] for one in hearing.entrances(stack)
    )


def test_what_a_killed_run_has_left_goes(late, deployed, passing):
    stack = deployed("index")
    files = bucket_of(stack, "files")
    theirs = [f"{PROBE}results.csv", f"{PROBE}{'1' * 32}"]
    s3_of_somebody = root(late, "s3", files.region)
    for key, body in ((f"{PROBE}{'0' * 32}", b""), *((key, b"theirs") for key in theirs)):
        s3_of_somebody.put_object(Bucket=files.name, Key=key, Body=body)
    first_events(stack, timeout_s=600, sleep=passing)
    assert sorted(versions(late, files)) == sorted(theirs)
    empty_bucket(s3_of_somebody, files.name)


def test_probes_that_object_lock_holds_are_told_of_and_go_later(late, deployed, passing, capsys):
    stack = deployed("index")
    files = bucket_of(stack, "files")
    (one,) = [each for each in stack.resources.values() if isinstance(each, s3.BucketNotification)]
    changed(stack, one)
    theirs = root(late, "s3", files.region)

    def lock(**rule) -> None:
        locked = {"ObjectLockEnabled": "Enabled", **rule}
        theirs.put_object_lock_configuration(Bucket=files.name, ObjectLockConfiguration=locked)

    lock(Rule={"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}})
    first_events(stack, timeout_s=600, sleep=passing)
    kept = {key for key in versions(late, files) if PROBE in key}
    assert kept
    assert (
        f"Object Lock holds what is put into {files.name}: {len(kept)} empty objects"
        in capsys.readouterr().out
    )
    lock()
    for version in theirs.list_object_versions(Bucket=files.name)["Versions"]:
        which = {"Bucket": files.name, "Key": version["Key"], "VersionId": version["VersionId"]}
        theirs.delete_object(**which, BypassGovernanceRetention=True)
    changed(stack, one)
    first_events(stack, timeout_s=600, sleep=passing)
    assert versions(late, files) == []


def test_a_deletion_is_heard_of_too_where_object_lock_holds_what_is_put(late, deployed, passing):
    stack = deployed("backup")
    for one in hearing.entrances(stack):
        changed(stack, one.notification)
    primary = bucket_of(stack, "primary")
    theirs = root(late, "s3", primary.region)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    locked = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    theirs.put_object_lock_configuration(Bucket=primary.name, ObjectLockConfiguration=locked)
    seen = first_events(stack, timeout_s=60, sleep=passing)
    assert NONE_YET not in set(seen["first event"])
    found = theirs.list_objects_v2(Bucket=primary.name).get("Contents", [])
    assert [one["Key"] for one in found if PROBE in one["Key"]] == []
    unlocked = {"ObjectLockEnabled": "Enabled"}
    theirs.put_object_lock_configuration(Bucket=primary.name, ObjectLockConfiguration=unlocked)


def test_a_deployment_without_samples_sends_nothing_and_says_when_its_first_event_was(late, deployed, target):
    recorder = Recorder()
    stack = deployed("index", watched(target, "before-call", recorder), exercise=False)
    (one,) = [each for each in stack.resources.values() if isinstance(each, s3.BucketNotification)]
    changed(stack, one)
    recorder.made.clear()
    no_sleep = {"sleep": lambda _: pytest.fail("waits")}
    seen = first_events(stack, timeout_s=600, **no_sleep)
    assert set(seen["first event"]) == {NONE_YET}
    assert set(recorder.made) == {"FilterLogEvents"}
    ministack.let_pass(late, DEAF_S + 1)
    files = bucket_of(stack, "files")
    root(late, "s3", files.region).put_object(Bucket=files.name, Key="a", Body=b"a")
    eventually(lambda: NONE_YET not in set(first_events(stack, timeout_s=0, **no_sleep)["first event"]))


def test_in_a_bucket_that_is_not_ours_probes_are_in_a_folder_of_our_own(parameters):
    class Theirs(s3.Bucket):
        is_made = False

    ours, theirs = (
        cases.s3.function_notification(Stack(None, parameters, pipeline)) for pipeline in ("index", "migrate")
    )
    theirs.bucket = Theirs("source", ours.bucket.region)
    theirs.bucket.scope = ours.scope
    theirs.key_prefix = "in/"
    assert Entrance(ours, None).probes == f"{ours.key_prefix}{PROBE}"
    assert Entrance(theirs, None).probes == f"in/runbook-{ENV}-exercise/{PROBE}"
    assert not Entrance(theirs, None).needs_versions


def test_handlers_know_a_probe_by_its_key(monkeypatch):
    """`lib` imports no handler: the word stands in both."""
    from support.handler_support import load_handler

    events = load_handler("replicate").object_events.__globals__
    key = f"in/{PROBE}{'0a' * 16}.csv"
    assert events["PROBE"].search(key)
