import csv
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from support.buckets import Bucket
from support.handler_support import HANDLERS, TARGET_REGION, load_handler
from support.handler_user import lambda_context
from support.zips import imports_alone

from lib.operate.samples_folder import MARK

load_handler("generate")
from files import Settings, files_of_run, scheduled_time  # noqa: E402
from ticks import price_text  # noqa: E402

TIME = "2026-01-02T15:04:00Z"
SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event", "time": TIME, "detail": {}}
PREFIX = "stocks/"
CONTEXT = lambda_context("generate")

times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
characters = st.characters().filter(str.isprintable)
names = st.text(characters, min_size=1, max_size=5).map(str.strip).filter(bool)
settings_of_runs = st.builds(
    Settings,
    tickers=st.lists(names, min_size=1, max_size=6, unique=True).map(tuple),
    files=st.integers(1, 12),
    rows=st.integers(1, 25),
)


@pytest.fixture(scope="module")
def bucket(operator):
    return Bucket.make(operator, TARGET_REGION, versioned=True)


@pytest.fixture(scope="module")
def generate(bucket, as_handler):
    environment = {
        "FILES_BUCKET": bucket.bucket,
        "KEY_PREFIX": PREFIX,
        "TICKERS": "AAPL,AMZN,GOOG,IBM,MSFT",
        "FILES": "50",
        "ROWS": "20",
    }
    policy_values = {
        "bucket_arn": f"arn:aws:s3:::{bucket.bucket}",
        "key_prefix": PREFIX,
        "failures_queue_arn": "",
        "log_group_arn": "arn:aws:logs:us-east-1:000000000000:log-group:unused",
    }
    return as_handler("generate", TARGET_REGION, environment, policy_values)


def rows_of(body):
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


def keys_of(files):
    """Return (ticker, timestamp) of every row of a run."""
    return [(row["ticker"], row["timestamp"]) for body in files.values() for row in rows_of(body)]


def all_objects(bucket):
    listed = bucket.client.list_objects_v2(Bucket=bucket.bucket).get("Contents", [])
    return {found["Key"]: bucket.read(found["Key"])["body"] for found in listed}


@given(times, settings_of_runs)
def test_any_run_has_the_files_and_rows_it_should(time, settings):
    files = files_of_run(time, PREFIX, settings)
    assert len(files) == settings.files
    assert [len(rows_of(body)) for body in files.values()] == [settings.rows] * settings.files
    assert {ticker for ticker, _ in keys_of(files)} <= set(settings.tickers)


@given(times, settings_of_runs)
def test_any_row_is_a_plausible_tick_of_its_minute(time, settings):
    minute = time.replace(second=0, microsecond=0)
    for body in files_of_run(time, PREFIX, settings).values():
        assert body.startswith(b"ticker,timestamp,price,volume\n")
        for row in rows_of(body):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["timestamp"])
            assert minute <= datetime.fromisoformat(row["timestamp"]) < minute + timedelta(minutes=1)
            assert re.fullmatch(r"\d+\.\d{2,4}", row["price"])
            assert 15 < Decimal(row["price"]) < 550
            assert int(row["volume"]) > 0


@given(times, st.integers(0, 10**6), settings_of_runs, settings_of_runs)
def test_any_two_times_give_the_same_files_or_no_row_in_common(time, seconds, settings, other_settings):
    later = time + timedelta(seconds=seconds)
    keys = keys_of(files_of_run(time, PREFIX, settings))
    assert len(set(keys)) == len(keys)
    if later.replace(second=0, microsecond=0) > time.replace(second=0, microsecond=0):
        assert not set(keys) & set(keys_of(files_of_run(later, PREFIX, other_settings)))
    else:
        assert files_of_run(later, PREFIX, settings) == files_of_run(time, PREFIX, settings)


def test_each_minute_begins_about_where_the_one_before_ended():
    settings = Settings(("AAPL",), files=1, rows=200)
    begin = datetime(2026, 1, 2, 15, 0, tzinfo=UTC)
    runs = [files_of_run(begin + timedelta(minutes=n), PREFIX, settings) for n in range(10)]
    prices = [Decimal(row["price"]) for files in runs for body in files.values() for row in rows_of(body)]
    assert max(abs(a - b) / a for a, b in zip(prices, prices[1:], strict=False)) < Decimal("0.02")
    assert len(set(prices)) > 500


def test_a_full_minute():
    settings = Settings(("A", "B"), files=12, rows=10_000)
    keys = keys_of(files_of_run(datetime(2026, 1, 2, 15, 4, tzinfo=UTC), PREFIX, settings))
    assert len(set(keys)) == 120_000


def test_more_rows_than_milliseconds():
    with pytest.raises(ValueError, match=r"60,001 rows do not fit in one minute of 1 tickers"):
        files_of_run(datetime(2026, 1, 2, 15, 4, tzinfo=UTC), PREFIX, Settings(("A",), files=60_001, rows=1))


@pytest.mark.parametrize(
    ("price", "text"), [(1, "0.0001"), (1_000_000, "100.00"), (1_234_500, "123.45"), (1_234_560, "123.456")]
)
def test_prices_have_two_to_four_places(price, text):
    assert price_text(price) == text


def test_another_process_computes_the_same_bytes():
    program = (
        f"import sys; sys.path[:0] = {[str(HANDLERS / 'generate'), str(HANDLERS)]}\n"
        "from datetime import UTC, datetime; from hashlib import sha256; from files import *\n"
        "settings = Settings.read({'TICKERS': 'B,A,C', 'FILES': '3', 'ROWS': '50'})\n"
        "files = files_of_run(datetime(2026, 1, 2, 15, 4, tzinfo=UTC), 'stocks/', settings)\n"
        "print(sha256(repr(files).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 65


@pytest.mark.parametrize(
    ("event", "minute"),
    [
        (SCHEDULED, "2026-01-02T15:04:00+00:00"),
        ({"time": "2026-01-02T15:04:37Z"}, "2026-01-02T15:04:37+00:00"),
        ({"time": "2026-01-02T00:04:00+02:00"}, "2026-01-01T22:04:00+00:00"),
    ],
)
def test_times_that_can_be_read(event, minute):
    assert scheduled_time(event).isoformat() == minute


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"time": None},
        {"time": 1},
        {"time": ""},
        {"time": "now"},
        {"time": "2026-01-02T15:04:00"},
    ],
    ids=str,
)
def test_without_a_time_nothing_is_written(generate, bucket, event):
    before = all_objects(bucket)
    with pytest.raises(ValueError, match="time"):
        generate.handler(event, CONTEXT)
    assert all_objects(bucket) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TICKERS", " , "),
        ("TICKERS", "A\rB"),
        ("FILES", "0"),
        ("FILES", "many"),
        ("FILES", "5001"),
        ("ROWS", "-1"),
        ("ROWS", "9" * 9),
    ],
)
def test_settings_that_cannot_be_used(generate, bucket, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    before = all_objects(bucket)
    with pytest.raises(ValueError, match="ROWS" if value == "9" * 9 else name):
        generate.handler(SCHEDULED, CONTEXT)
    assert all_objects(bucket) == before


def test_tickers_count_once(generate):
    settings = Settings.read({"TICKERS": "B, A,B,,A ", "FILES": "1", "ROWS": "1"})
    assert settings.tickers == ("B", "A")


def test_what_it_writes_and_answers(generate, bucket):
    answer = generate.handler(SCHEDULED, CONTEXT)
    assert (answer["time"], answer["files"], answer["rows"]) == (TIME, 50, 1000)
    assert answer["keys"] == [f"stocks/dt=2026-01-02/150400-{number:02d}.csv" for number in range(50)]
    assert set(answer["keys"]) <= set(all_objects(bucket))
    assert bucket.read(answer["keys"][7])["ContentType"] == "text/csv"
    json.dumps(answer)


def test_its_files_say_whose_they_are_where_they_are_not_ours(generate, bucket, monkeypatch):
    monkeypatch.setenv("EXERCISE_OF", "runbook-test")
    key, *_ = generate.handler({"time": "2026-01-02T18:30:00Z"}, CONTEXT)["keys"]
    assert bucket.client.head_object(Bucket=bucket.bucket, Key=key)["Metadata"] == {MARK: "runbook-test"}
    monkeypatch.setenv("EXERCISE_OF", "")
    key, *_ = generate.handler({"time": "2026-01-02T18:30:00Z"}, CONTEXT)["keys"]
    assert bucket.client.head_object(Bucket=bucket.bucket, Key=key)["Metadata"] == {}


def test_twice_the_same(generate, bucket):
    (first, second) = (generate.handler({"time": "2026-01-02T16:00:00Z"}, CONTEXT) for _ in range(2))
    assert first == second
    for key in first["keys"]:
        versions = bucket.versions(key)
        bodies = {
            bucket.client.get_object(Bucket=bucket.bucket, Key=key, VersionId=version)["Body"].read()
            for _, version in versions
        }
        assert (len(versions), len(bodies)) == (2, 1)


def test_it_writes_nowhere_else_and_tries_all_before_it_fails(generate, bucket, monkeypatch):
    monkeypatch.setenv("KEY_PREFIX", "elsewhere/")
    with pytest.raises(ExceptionGroup, match="50 of 50 files not written") as caught:
        generate.handler(SCHEDULED, CONTEXT)
    assert all(isinstance(error, ClientError) for error in caught.value.exceptions)
    assert not [key for key in all_objects(bucket) if key.startswith("elsewhere/")]


def test_one_failure_does_not_hold_up_the_others_and_a_retry_completes(generate, bucket):
    event = {"time": "2026-01-02T17:00:00Z"}
    events = generate.client("s3").meta.events

    def fail(params, **_):
        if params["Key"].endswith("-03.csv"):
            raise OSError("cut off")

    events.register("provide-client-params.s3.PutObject", fail)
    with pytest.raises(ExceptionGroup, match="1 of 50 files not written"):
        generate.handler(event, CONTEXT)
    events.unregister("provide-client-params.s3.PutObject", fail)
    written = {key for key in all_objects(bucket) if "/170000-" in key}
    assert len(written) == 49
    assert written < set(generate.handler(event, CONTEXT)["keys"]) <= set(all_objects(bucket))


def test_log_and_metrics(generate, capsys, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(generate.logger.handlers[0], "stream", log)
    monkeypatch.setenv("FILES", "3")
    generate.handler({"time": "2026-01-02T15:04:37Z"}, CONTEXT)
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["message"], line["key"]) == ("generated", "stocks/dt=2026-01-02/150400")
    assert (line["files"], line["rows"], line["scheduled_time"]) == (3, 60, "2026-01-02T15:04:37Z")
    assert line["bytes"] > 60 * 30
    assert line["seconds"] > 0
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (metrics["FilesGenerated"], metrics["RowsGenerated"]) == ([3], [60])


def test_its_zip_imports_with_nothing_but_itself_and_the_runtime(tmp_path):
    assert imports_alone("generate", tmp_path) == ""
