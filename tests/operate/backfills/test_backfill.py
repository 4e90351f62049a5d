"""A backfill sends an event of every object that was there, once, at a bounded rate, whatever happens."""

import json
import os
import secrets
import signal
import subprocess
import sys

import pytest
from support.backfill_pipeline import Queued
from support.cleanup import remove
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from lib.base.errors import ParameterError, RunbookError
from lib.base.paths import ROOT
from lib.operate.backfills.backfill import backfill, selection
from lib.operate.backfills.progress import Progress, Stretch, alone, path_of

KEYS = sorted(f"folder {number % 7}/{number:03} +ü%.csv" for number in range(300))
RUN = """
from lib.operate.backfills.backfill import backfill
from lib.parameters import Parameters
from lib.target import connect
parameters = Parameters.check({values})
backfill(connect(parameters), parameters, 300)
"""


@pytest.fixture
def queued(local_aws):
    queued = Queued(f"t{secrets.token_hex(3)}", {"key_prefix": "folder "})
    yield queued
    remove(queued.stack)


def run(queued, objects=300, **settings):
    return backfill(queued.target, queued.parameters(**settings), objects)


def killed_after(queued, sent: int) -> dict:
    """Run a backfill in another process, kill it once so many events are sent; returns its progress."""
    values = {"env": queued.env, "migrate": queued.section, "backfill": {"objects_per_second": 25}}
    path = path_of(queued.parameters(), "migrate")

    def progress():
        return json.loads(path.read_text()) if path.exists() else {"stretches": []}

    def count():
        return sum(stretch["sent"] for stretch in progress()["stretches"])

    process = subprocess.Popen(
        [sys.executable, "-c", RUN.format(values=values)], cwd=ROOT, env=os.environ.copy()
    )
    retrying = Retrying(
        retry=retry_if_result(lambda n: n < sent), stop=stop_after_delay(600), wait=wait_fixed(0.05)
    )
    try:
        retrying(count)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return progress()


def leave_unfinished(queued) -> None:
    """Leave behind what a run leaves that was cut off after 7 events."""
    _, selected = selection(queued.target, queued.parameters())
    what = {
        "bucket": queued.source.name,
        "bucket_created": selected.bucket_created(queued.target),
        "key_prefix": selected.key_prefix,
        "modified_after": "",
        "modified_before": "",
    }
    path = path_of(queued.parameters(), "migrate")
    Progress(path, "000000000000", what, [Stretch("", None, last=KEYS[-1], sent=7)]).save()


def test_all_that_was_there_before_is_sent_once_with_what_s3_knows_of_it(queued):
    queued.put([*KEYS, "elsewhere/1.csv"])

    (row,) = run(queued, objects_per_second=3000).to_dict("records")

    assert (row["sent"], row["before"]) == (300, 0)
    records = queued.received()
    assert sorted(record["s3"]["object"]["key"] for record in records) == sorted(map(quoted, KEYS))
    (one,) = (record for record in records if "000" in record["s3"]["object"]["key"])
    head = queued.s3.head_object(Bucket=queued.source.name, Key=KEYS[0])
    assert one["eventName"] == "ObjectCreated:Backfill"
    assert one["eventTime"].startswith(f"{head['LastModified']:%Y-%m-%dT%H:%M:%S}")
    assert (one["s3"]["object"]["size"], one["s3"]["object"]["eTag"]) == (1, head["ETag"].strip('"'))


def test_a_second_backfill_sends_the_same_again(queued):
    queued.put(KEYS[:20])
    run(queued, 20)
    first = queued.received()

    run(queued, 20)

    assert sorted(map(content, queued.received())) == sorted(map(content, first))


def test_no_more_than_so_many_are_sent_in_a_second(queued):
    queued.put(KEYS)

    run(queued, objects_per_second=100)

    times = sorted(record["sent"] for record in queued.received())
    assert times[-1] - times[0] >= 1.9  # the first 100 at once, then 100 in each of the next two seconds


def test_killed_and_run_again_it_goes_on_where_it_was(queued):
    queued.put(KEYS)
    left = killed_after(queued, sent=50)
    acknowledged = {
        key for s in left["stretches"] for key in KEYS if s["after"] < key <= (s["last"] or s["after"])
    }
    first = queued.keys()
    assert 50 <= len(acknowledged) < 300
    assert acknowledged <= set(first)

    (row,) = run(queued, objects_per_second=3000).to_dict("records")

    second = queued.keys()
    assert not acknowledged & set(second)
    assert {*first, *second} == set(KEYS)
    assert len(second) == len(set(second)) == row["sent"] == 300 - row["before"]
    assert row["before"] == len(acknowledged)


def test_one_that_is_finished_begins_anew(queued):
    queued.put(KEYS[:3])
    run(queued, 3)

    assert list(run(queued, 3)["before"]) == [0]


def test_an_unfinished_one_of_another_prefix_is_not_forgotten_unless_said(queued):
    queued.put(KEYS[:50])
    leave_unfinished(queued)

    with pytest.raises(RunbookError, match="is unfinished, after 7 events .*backfill.restart=true"):
        run(queued, 50, key_prefix="folder 1")

    run(queued, 50, key_prefix="folder 1", restart=True)
    assert queued.keys() == [key for key in KEYS[:50] if key.startswith("folder 1")]


def test_one_of_a_bucket_that_is_gone_does_not_count(queued):
    leave_unfinished(queued)
    queued.source.delete(queued.s3, queued.source.name)
    queued.source.create(queued.s3)
    queued.put(KEYS[:5])

    run(queued, 5)

    assert queued.keys() == KEYS[:5]


def test_only_those_of_a_time_span_are_sent(queued):
    queued.put(KEYS[:3])  # at the same time, so that any may be the first
    listed = queued.s3.list_objects_v2(Bucket=queued.source.name)["Contents"]
    written = min(each["LastModified"] for each in listed)

    run(queued, 3, modified_after=written.isoformat(), modified_before="2999-01-01T00:00:00Z")
    assert queued.keys() == KEYS[:3]

    run(queued, 3, modified_after="2999-01-01T00:00:00Z")
    assert queued.keys() == []


def test_a_prefix_that_the_pipeline_does_not_follow_is_refused(queued):
    with pytest.raises(
        ParameterError, match="migrate only follows keys that begin with 'folder '; found 'x/'"
    ):
        run(queued, key_prefix="x/")


def test_nothing_to_send_is_said_before_anything_is_written(queued):
    with pytest.raises(RunbookError, match="nothing to send: there are no objects s3://"):
        run(queued, 0)
    assert not path_of(queued.parameters(), "migrate").exists()


def test_a_pipeline_that_is_not_deployed_is_named(queued):
    with pytest.raises(RunbookError, match="index is not deployed .*runbook run index"):
        run(queued, pipeline="index")


def test_two_at_once_do_not_get_in_each_other_s_way(queued):
    with (
        alone(path_of(queued.parameters(), "migrate")),
        pytest.raises(RunbookError, match="another process is at this backfill"),
    ):
        run(queued)


def quoted(key: str) -> str:
    return key.replace("%", "%25").replace("+", "%2B").replace(" ", "+").replace("ü", "%C3%BC")


def content(record: dict) -> str:
    return json.dumps(
        {name: value for name, value in record.items() if name not in ("sent", "sentTime")}, sort_keys=True
    )
