import csv
import io
import itertools
import json
import time
import tracemalloc
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from botocore.awsrequest import AWSResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.consuming import CONTEXT, Consume, all_keys
from support.handler_support import HANDLERS, TARGET_REGION
from support.meddling import nothing_found
from support.s3_messages import TEST_EVENT, in_sns_envelope, raw, s3_event, s3_record, sqs_event
from support.zips import imports_alone

HEADER = "ticker,timestamp,price,volume\n"
KEYS = [
    "plain.csv",
    "folder/Project Idea+ü 100%.csv",
    "a%2Fb",
    "🚀/💾.csv",
    " a//b/../c ",
    "?x=#y&z",
    "k" * 1008,
]
batches = itertools.count()


@pytest.fixture(scope="module")
def consume(operator, as_handler):
    return Consume.make(operator, as_handler)


@pytest.fixture
def ticker():
    """A ticker that no other test has."""
    return f"T{uuid.uuid4().hex[:8]}"


def row(ticker, number=0, price="1.50", volume="7"):
    return f"{ticker},2026-01-02T15:{number // 60:02d}:{number % 60:02d}.000Z,{price},{volume}\n"


def rows(ticker, count, price="1.50"):
    return "".join(row(ticker, number, price) for number in range(count))


@pytest.fixture
def hook(consume):
    """Return a function that has botocore call something at an event, until the test ends."""
    registered = []

    def register(event, action):
        for client in consume.clients:
            client.meta.events.register(event, action)
            registered.append((client, event, action))

    yield register
    for client, event, action in registered:
        client.meta.events.unregister(event, action)


@pytest.mark.parametrize("wrap", [raw, in_sns_envelope])
@pytest.mark.parametrize("key", KEYS)
def test_keys_of_any_shape(consume, ticker, key, wrap):
    assert consume.deliver(consume.put(key, HEADER + row(ticker) + f"{ticker},bad\n"), wrap=wrap) == []
    (item,) = consume.items(ticker)
    assert item == {
        "PK": ticker,
        "SK": "2026-01-02T15:00:00.000Z",
        "price": Decimal("1.50"),
        "volume": 7,
        "source_key": f"stocks/{key}",
    }
    assert consume.rejections(key) == [(3, "2 columns, not 4", f"{ticker},bad")]


def test_what_generate_produces_is_stored_row_by_row(consume, monkeypatch):
    monkeypatch.syspath_prepend(HANDLERS / "generate")
    from files import Settings, files_of_run, scheduled_time

    tickers = tuple(f"G{uuid.uuid4().hex[:8]}" for _ in range(3))
    time = scheduled_time({"time": "2026-01-02T15:04:00Z"})
    files = files_of_run(time, "", Settings(tickers, files=10, rows=37))
    records = [consume.put(key, body) for key, body in files.items()]
    assert consume.deliver(*records) == []
    produced = {}
    for body in files.values():
        for line in csv.DictReader(io.StringIO(body.decode())):
            key = (line["ticker"], line["timestamp"])
            produced[key] = (Decimal(line["price"]), int(line["volume"]))
    stored = [item for ticker in tickers for item in consume.items(ticker)]
    assert len(stored) == 370
    assert {(i["PK"], i["SK"]): (i["price"], i["volume"]) for i in stored} == produced


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_any_price_is_stored_exactly_or_rejected(consume, prices):
    ticker, key = f"P{next(batches)}", f"prices {next(batches)}.csv"
    body = HEADER + "".join(row(ticker, number, str(price)) for number, price in enumerate(prices))
    assert consume.deliver(consume.put(key, body)) == []
    stored = {
        int(item["SK"][14:16]) * 60 + int(item["SK"][17:19]): item["price"] for item in consume.items(ticker)
    }
    rejected = {line - 2 for line, _, _ in consume.rejections(key) or []}
    assert stored == {n: price for n, price in enumerate(prices) if n not in rejected}
    assert stored.keys() | rejected == set(range(len(prices)))
    fitting = {n for n, p in enumerate(prices) if not p.is_signed() and -128 < p.adjusted() < 126}
    assert {n for n in fitting if len(prices[n].as_tuple().digits) <= 38} <= stored.keys()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_and_duplicates(consume, ticker, order):
    files = [consume.put(f"{ticker} {number}.csv", HEADER + row(ticker, number)) for number in range(3)]
    for number in (*order, *order):
        assert consume.deliver(files[number], files[number]) == []
    assert len(consume.items(ticker)) == 3


def test_of_rows_with_one_key_the_first_is_stored_and_the_others_are_named(consume, ticker):
    body = HEADER + "".join(row(ticker, number % 10, price=str(number + 1)) for number in range(90))
    body += row(ticker, 0, price="1.0") + row(ticker, 90)
    assert consume.deliver(consume.put("doubled.csv", body)) == []
    assert [item["price"] for item in consume.items(ticker)] == [*range(1, 11), Decimal("1.5")]
    reasons = [
        (n + 2, f"ticker and timestamp are those of line {n % 10 + 2}, with other values")
        for n in range(10, 90)
    ]
    assert [(line, reason) for line, reason, _ in consume.rejections("doubled.csv")] == reasons


def test_numbers_that_could_be_times_are_rejected_line_by_line(consume, ticker):
    """Seconds and milliseconds since 1970: of the latter, fromisoformat makes the year 1711."""
    times = [1711111200 + number for number in range(5)] + [1711111200000 + number for number in range(5)]
    body = HEADER + "".join(f"{ticker},{time},10.5,{n}\n" for n, time in enumerate(times)) + row(ticker)
    assert consume.deliver(consume.put("epoch.csv", body)) == []
    assert len(consume.items(ticker)) == 1
    reason = "timestamp is not such as 2026-01-02T15:04:05.123Z"
    lines = [(number + 2, reason, f"{ticker},{time},10.5,{number}") for number, time in enumerate(times)]
    assert consume.rejections("epoch.csv") == lines


def test_one_bad_record_holds_up_no_other_of_its_message(consume, ticker):
    good = consume.put("good.csv", HEADER + row(ticker))
    bodies = [raw({"Records": [{"eventSource": "aws:s3"}, good]}), raw(s3_event(good))]
    answer = consume.module.handler(sqs_event(*bodies), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert len(consume.items(ticker)) == 1


@pytest.mark.parametrize("calls_of_the_old", range(1, 5))
@pytest.mark.parametrize("bad_first", [True, False])
def test_an_old_delivery_that_writes_last_does_not_win(consume, ticker, hook, calls_of_the_old, bad_first):
    """While a delivery of the first version is under way, the second version comes and is delivered."""
    key, bad = f"raced {ticker}.csv", f"{ticker},bad\n"
    old = HEADER + rows(ticker, 30, price="1") + bad * bad_first
    new = HEADER + rows(ticker, 30, price="2") + bad * (not bad_first)
    calls = itertools.count()

    def overtake(**_):
        if next(calls) == calls_of_the_old:
            consume.module.consume_one(event_of(consume, consume.put(key, new)))

    record = consume.put(key, old)
    hook("before-call", overtake)
    assert consume.deliver(record) == []
    assert next(calls) > calls_of_the_old
    assert {item["price"] for item in consume.items(ticker)} == {Decimal(2)}
    assert len(consume.rejections(key) or []) == int(not bad_first)


def event_of(consume, record):
    (event,) = consume.module.object_events(s3_event(record))
    return event


def test_a_file_that_never_rests_is_retried(consume, ticker, hook):
    prices = itertools.count(2)
    record = consume.put("restless.csv", HEADER + row(ticker))
    hook(
        "after-call.dynamodb.BatchWriteItem",
        lambda **_: consume.put("restless.csv", HEADER + row(ticker, price=str(next(prices)))),
    )
    with pytest.raises(BatchProcessingError, match="Not stored"):
        consume.deliver(record)
    assert next(prices) == 7


def test_bad_rows_have_their_lines_and_good_ones_are_stored(consume, ticker):
    body = (
        "\ufeffticker,timestamp,price,volume,note\r\n"
        f'{ticker},2026-01-02T15:00:00Z,1,1,"two\r\nlines"\r\n'
        f'{ticker},2026-01-02T15:00:01Z,one,1,"three\n\nlines, ""quoted"""\r\n'
        "\r\n"
        f" {ticker} ,2026-01-02T17:00:02+02:00, 2 ,2,é\r\n"
        ",2026-01-02T15:00:03Z,1,1,\r\n"
    )
    assert consume.deliver(consume.put("mixed/bad.csv", body)) == []
    assert [(item["SK"], item["note"]) for item in consume.items(ticker)] == [
        ("2026-01-02T15:00:00.000Z", "two\r\nlines"),
        ("2026-01-02T15:00:02.000Z", "é"),
    ]
    text = f'{ticker},2026-01-02T15:00:01Z,one,1,"three\n\nlines, ""quoted"""'
    assert consume.rejections("mixed/bad.csv") == [
        (4, "price is not a number", text),
        (9, "ticker is empty", ",2026-01-02T15:00:03Z,1,1,"),
    ]


def test_rejected_rows_are_the_same_again_and_gone_when_corrected(consume, ticker):
    beside = consume.put("corrected.csv.csv", HEADER + f"{ticker},bad\n")
    record = consume.put("corrected.csv", HEADER + f"{ticker},bad\n")
    assert consume.deliver(record, record, beside) == []
    name = "rejected/stocks/corrected.csv"
    versions = [v for key, v in consume.rejected.versions(name) if key == name]
    read = consume.rejected.client.get_object
    bodies = {read(Bucket=consume.rejected.bucket, Key=name, VersionId=v)["Body"].read() for v in versions}
    assert (len(versions), len(bodies)) == (2, 1)
    record = consume.put("corrected.csv", HEADER + row(ticker))
    assert consume.deliver(record, record) == []
    assert consume.rejections("corrected.csv") is None
    assert consume.rejections("corrected.csv.csv") is not None
    assert len(markers(consume.rejected, name)) == 1


def markers(bucket, key):
    listed = bucket.client.list_object_versions(Bucket=bucket.bucket, Prefix=key).get("DeleteMarkers", [])
    return [found for found in listed if found["Key"] == key]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"\x89PNG\r\n\x1a\n",
        b"PAR1\x00\x01",
        b"just text\n",
        HEADER.encode("utf-16"),
        HEADER.encode() + "ü,2026-01-02T15:00:00Z,1,1\n".encode("latin-1"),
        b"ticker,price,volume\nA,1,1\n",
        b"A,2026-01-02T15:00:00Z,1,1\n",
    ],
)
def test_poison_fails_alone_and_says_why(consume, ticker, monkeypatch, body):
    log = io.StringIO()
    monkeypatch.setattr(consume.module.logger.handlers[0], "stream", log)
    good = consume.put("good.csv", HEADER + row(ticker))
    assert consume.deliver(good, consume.put("poison.csv", body), good) == [1]
    assert len(consume.items(ticker)) == 1
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "ERROR"]
    assert (line["message"], line["key"]) == ("failed", "stocks/poison.csv")
    assert any(reason in line["reason"] for reason in ("empty", "not UTF-8", "the header lacks"))
    assert consume.rejections("poison.csv") is None


def test_poison_alone_is_an_error_of_the_function(consume):
    with pytest.raises(BatchProcessingError, match="Not stored"):
        consume.deliver(consume.put("poison.csv", b""))


def test_a_header_alone_has_no_rows(consume):
    assert consume.deliver(consume.put("header.csv", HEADER)) == []
    assert consume.rejections("header.csv") is None


def test_messages_that_name_no_file(consume, ticker):
    good = raw(s3_event(consume.put("good.csv", HEADER + row(ticker))))
    gone = consume.put("gone.csv", HEADER + row(ticker, 1))
    consume.files.delete("stocks/gone.csv")
    removed = {**gone, "eventName": "ObjectRemoved:DeleteMarkerCreated"}
    bodies = [
        raw(TEST_EVENT),
        "unknown",
        good,
        raw(s3_event(gone)),
        raw(s3_event(removed)),
        in_sns_envelope(TEST_EVENT),
    ]
    answer = consume.module.handler(sqs_event(*bodies), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    assert len(consume.items(ticker)) == 1


@pytest.mark.parametrize("key", ["\x01.csv", "\x1b[2J.csv", "\ufffe.csv"])
def test_a_file_whose_key_no_xml_can_hold_is_stored_and_gone_as_others(consume, ticker, key):
    """S3 repeats the key in NoSuchKey, which nobody can read then."""
    record = consume.put(key, HEADER + row(ticker))
    assert consume.deliver(record) == []
    assert len(consume.items(ticker)) == 1
    consume.files.delete(f"stocks/{key}")
    assert consume.deliver(record) == []


def test_a_file_that_goes_while_it_is_stored_is_done(consume, ticker, hook):
    record = consume.put("going.csv", HEADER + row(ticker))
    hook("before-call.s3.HeadObject", lambda **_: consume.files.delete("stocks/going.csv"))
    assert consume.deliver(record) == []
    assert len(consume.items(ticker)) == 1


def test_it_reads_nothing_else_and_forbidden_is_not_gone(consume):
    consume.files.put("private/a.csv", HEADER.encode())
    missing = s3_record(consume.files.bucket, "private/missing.csv", region=TARGET_REGION)
    good = consume.put("good.csv", HEADER)
    private = s3_record(consume.files.bucket, "private/a.csv", region=TARGET_REGION)
    assert consume.deliver(private, missing, good) == [0, 1]


@pytest.mark.parametrize("prefix", ["elsewhere/", ""])
def test_it_writes_rejected_rows_nowhere_else(consume, ticker, monkeypatch, prefix):
    monkeypatch.setenv("REJECTED_PREFIX", prefix)
    before = all_keys(consume.rejected)
    with pytest.raises(BatchProcessingError):
        consume.deliver(consume.put("bad.csv", HEADER + f"{ticker},bad\n"))
    assert all_keys(consume.rejected) == before


@pytest.mark.parametrize("taken", [0, 1, 24])
def test_what_a_throttled_table_does_not_take_is_sent_again(consume, ticker, throttled, taken):
    sent = throttled(taken, times=1)
    assert consume.deliver(consume.put("throttled.csv", HEADER + rows(ticker, 30))) == []
    assert sent == [25, 25 - taken, 5]
    assert len(consume.items(ticker)) == 30


def test_a_table_throttled_for_long_is_an_error(consume, ticker, throttled):
    from item_writer import ItemWriter, UnprocessedItemsError

    waits_s = []
    writer = ItemWriter(consume.module.table(consume.table.name), sleep=waits_s.append)
    writer.put({"PK": ticker, "SK": "1"}, "row 1")
    sent = throttled(taken=0, times=100)
    with pytest.raises(UnprocessedItemsError, match="1 items not taken"):
        writer.flush()
    assert (len(sent), len(waits_s)) == (10, 9)
    assert all(0 <= wait_s <= 5 for wait_s in waits_s)


@pytest.fixture
def throttled(consume, operator):
    """Return a function that has the table take `taken` items of a call, `times` times; gives all sizes."""
    direct = operator.client("dynamodb", region_name=TARGET_REGION)
    events = consume.module.table(consume.table.name).meta.client.meta.events
    hooks = []

    def throttle(taken, times):
        sent, left = [], [None] * times

        def answer(request, **_):
            asked = json.loads(request.body)["RequestItems"]
            ((name, items),) = asked.items()
            sent.append(len(items))
            if not left:
                return None
            left.pop()
            if taken:
                direct.batch_write_item(RequestItems={name: items[:taken]})
            body = json.dumps({"UnprocessedItems": {name: items[taken:]}}).encode()
            response = AWSResponse(request.url, 200, {}, None)
            response._content = body
            return response

        events.register("before-send.dynamodb.BatchWriteItem", answer)
        hooks.append(answer)
        return sent

    yield throttle
    for answer in hooks:
        events.unregister("before-send.dynamodb.BatchWriteItem", answer)


def test_items_expire_if_they_are_to(consume, ticker, monkeypatch):
    began = int(time.time())
    monkeypatch.setenv("TIME_TO_LIVE_DAYS", "7")
    assert consume.deliver(consume.put("expiring.csv", HEADER + row(ticker))) == []
    assert began <= consume.items(ticker)[0]["expires"] - 7 * 86400 <= time.time()


def test_a_large_file_in_little_memory(consume, ticker):
    prices = itertools.cycle(["1.5", *["bad"] * 9])
    begin = datetime(2026, 1, 2, tzinfo=UTC)
    times = ((begin + timedelta(seconds=n)).isoformat() for n in range(50_000))
    lines = [f"{ticker},{time},{next(prices)},1,{'x' * 100}\n" for time in times]
    record = consume.put("large.csv", HEADER.replace("volume", "volume,note") + "".join(lines))
    tracemalloc.start()
    assert consume.deliver(record) == []
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 20 * 2**20
    assert len(consume.rejections("large.csv")) == 45_000
    assert len(consume.items(ticker)) == 5_000


def test_log_and_metrics(consume, ticker, capsys, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(consume.module.logger.handlers[0], "stream", log)
    body = HEADER + row(ticker) + f"{ticker},do not log me\n"
    assert consume.deliver(consume.put("counted.csv", body)) == []
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["message"], line["key"], line["bytes"]) == ("stored", "stocks/counted.csv", len(body))
    assert (line["rows_stored"], line["rows_rejected"]) == (1, 1)
    assert line["version"] == consume.files.versions("stocks/counted.csv")[0][1]
    assert line["seconds"] > 0
    assert "do not log me" not in log.getvalue()
    metrics = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (metrics["RowsStored"], metrics["RowsRejected"]) == ([1], [1])
    assert metrics["Lag"][0] > 0


def test_no_more_calls_than_needed(consume, ticker, hook):
    seen = []
    hook("before-call", lambda model, **_: seen.append(model.name))
    consume.deliver(consume.put("cheap.csv", HEADER + rows(ticker, 25)))
    assert seen == ["GetObject", "BatchWriteItem", "ListObjectsV2", "HeadObject"]


def test_its_zip_imports_with_nothing_but_itself_and_the_runtime(tmp_path):
    assert imports_alone("consume", tmp_path) == ""


def test_a_file_that_s3_does_not_find_yet_is_retried(consume, ticker):
    record = consume.put("new.csv", HEADER + row(ticker))
    version = consume.files.client.head_object(Bucket=consume.files.bucket, Key="stocks/new.csv")["VersionId"]
    named = s3_record(consume.files.bucket, "stocks/new.csv", region=TARGET_REGION, version=version)
    with nothing_found(consume.module.client("s3", TARGET_REGION)):
        assert consume.deliver(record, named) == [1]
    assert consume.deliver(named) == []
    assert len(consume.items(ticker)) == 1
