"""Large files: cut between rows, each piece stored by itself, nothing lost or doubled, whatever happens
meanwhile."""

import csv
import gzip
import io
import itertools
import json
import random
import sys

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.consuming import CONTEXT, Consume, named_part, small_pieces
from support.handler_user import lambda_context

HEADER = "id,at,amount,note\n"
numbers = itertools.count()


@pytest.fixture(scope="module")
def consume(operator, as_handler):
    return Consume.make(
        operator,
        as_handler,
        generate=False,
        key_prefix="rows/",
        columns=["id string", "at integer", "amount decimal"],
        hash_key="id",
        range_key="at",
    )


@pytest.fixture
def name():
    """A hash key, and a file's name, that no other test has."""
    return f"n{next(numbers)}"


def text_of(name, count, note="", bad=()):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([name, n, "bad" if n in bad else f"{n}.50", note or f"note {n}"] for n in range(count))
    return HEADER + out.getvalue()


def work_off(consume, order=iter, context=CONTEXT):
    """Deliver what the handler hands on to itself until that is nothing; return the names of these events."""
    done = []
    while bodies := consume.handed_on():
        for body in order(bodies):
            done.append(named_part(body))
            assert consume.deliver_bodies(body, context=context) == []
    return done


def store(consume, key, body, **how):
    with small_pieces():
        assert consume.deliver(consume.put(key, body)) == []
        return work_off(consume, **how)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_large_file_is_stored_in_pieces_and_each_row_once(consume, name, compress, mark):
    body = mark + text_of(name, 95, note='é "quoted"\r\nin two lines, 🚀', bad={3, 50, 94})
    done = store(consume, f"{name}.csv", compress(body.encode()))
    assert [event.partition(" from ")[0] for event in done[:1]] == ["ObjectCreated:Rest"]
    assert len(done) > 8
    assert {int(item["SK"]) for item in consume.items(name)} == set(range(95)) - {3, 50, 94}
    rejected = consume.rejections_of_pieces(f"{name}.csv")
    assert [line for line, _, _ in rejected] == [2 + 2 * n for n in (3, 50, 94)]
    assert {reason for _, reason, _ in rejected} == {"amount is not a number"}
    (pointer,) = consume.rejections(f"{name}.csv")
    assert pointer[0] == 0
    assert f"rejected/pieces/rows/{name}.csv/" in pointer[1]


texts = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(st.tuples(texts, st.sampled_from(["1", "-2.5", "x", ""])), max_size=60),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    blank=st.booleans(),
    compress=st.sampled_from([bytes, gzip.compress]),
    seed=st.integers(0, 9),
)
def test_any_file_is_in_pieces_what_it_is_as_a_whole(consume, rows, newline, blank, compress, seed):
    """The same rows, the same lines of those that are rejected, in any order, each message twice."""
    names = [f"p{next(numbers)}" for _ in range(2)]
    keys = [f"{name}.csv" for name in names]
    for name, key in zip(names, keys, strict=True):
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator=newline * (1 + blank))
        writer.writerows([name, n, amount, note] for n, (note, amount) in enumerate(rows))
        body = compress((HEADER.replace("\n", newline) + out.getvalue() + f"{name},no row").encode())
        consume.put(key, body)
    whole, cut = keys
    assert consume.deliver(consume.record(whole)) == []
    shuffle = random.Random(seed).sample
    with small_pieces(rows=4, size=100):
        assert consume.deliver(consume.record(cut)) == []
        work_off(consume, order=lambda bodies: shuffle(bodies * 2, 2 * len(bodies)))
    expected, found = ([{**i, "PK": "", "source_key": ""} for i in consume.items(name)] for name in names)
    assert found == expected
    rejected = consume.rejections_of_pieces(cut) or [r for r in consume.rejections(cut) or [] if r[0]]
    assert [r[:2] for r in rejected] == [r[:2] for r in consume.rejections(whole)]


def test_what_there_is_no_time_for_is_handed_on_and_nothing_is_written_twice(consume, name, monkeypatch):
    """The invocation's time is over after each 7 rows; whoever goes on knows which rows there were."""
    body = text_of(name, 30, bad={1, 20}) + f"{name},2,7,another\n" + f"{name},2,2.5,note 2\n"
    over, put = itertools.count(), []
    writer = sys.modules["item_writer"].ItemWriter
    put_one = writer.put

    def noting(self, item, about):
        put.append(item["SK"])
        put_one(self, item, about)

    monkeypatch.setattr(writer, "put", noting)
    record = consume.put(f"{name}.csv", body)
    event = next(iter(consume.module.object_events({"Records": [record]})))
    consume.module.consume_one(event, is_over=lambda: next(over) >= 7)
    steps = 0
    while bodies := consume.handed_on():
        (one,) = bodies
        steps += 1
        rows = itertools.count()
        (event,) = consume.module.object_events(one)
        consume.module.consume_one(event, is_over=lambda rows=rows, most=7 * (steps + 1): next(rows) >= most)
    assert steps == 4
    assert sorted(put) == sorted(set(range(30)) - {1, 20})
    assert len(consume.items(name)) == 28
    assert [(line, reason) for line, reason, _ in consume.rejections(f"{name}.csv")] == [
        (3, "amount is not a number"),
        (22, "amount is not a number"),
        (32, "id and at are those of line 4, with other values"),
    ]


def test_work_that_is_handed_on_for_ever_ends_and_says_so(consume, name):
    context = lambda_context("consume")
    context.get_remaining_time_in_millis = lambda: 0
    assert consume.deliver(consume.put(f"{name}.csv", text_of(name, 3)), context=context) == []
    with pytest.raises(BatchProcessingError, match="not done in 14 steps: raise function_timeout_s"):
        work_off(consume, context=context)


def test_cutting_goes_on_where_there_was_no_time_left(consume, name):
    record = consume.put(f"{name}.csv", text_of(name, 95))
    with small_pieces():
        assert consume.deliver(record) == []
        (body,) = consume.handed_on()
        for after in (3, 2):
            left = itertools.count()
            (event,) = consume.module.object_events(body)
            consume.module.consume_one(event, is_over=lambda left=left, after=after: next(left) >= after)
            *pieces, body = consume.handed_on()
            assert [named_part(piece).partition(" from ")[0] for piece in pieces] == [
                "ObjectCreated:Piece"
            ] * after
            assert named_part(body).startswith("ObjectCreated:Rest from byte")
            for piece in pieces:
                assert consume.deliver_bodies(piece) == []
        assert consume.deliver_bodies(body) == []
        work_off(consume)
    assert len(consume.items(name)) == 95


def test_pieces_of_an_older_version_are_not_stored(consume, name):
    with small_pieces():
        consume.deliver(consume.put(f"{name}.csv", text_of(name, 40, note="old", bad={7})))
        (whole,) = consume.handed_on()
        assert consume.deliver_bodies(whole) == []
        first, *others = consume.handed_on()
        assert consume.deliver_bodies(first) == []
        record = consume.put(f"{name}.csv", text_of(name, 40, note="new"))
        for old in (whole, *others):
            assert consume.deliver_bodies(old) == []
        assert consume.handed_on() == []
        assert consume.deliver(record) == []
        work_off(consume)
    assert {item["note"] for item in consume.items(name)} == {"new"}
    assert consume.rejections_of_pieces(f"{name}.csv") == []
    assert consume.rejections(f"{name}.csv") is None


def test_a_piece_that_may_have_written_over_a_newer_version_has_that_stored_anew(consume, name, monkeypatch):
    """The new version comes, and is stored whole, while a piece of the old one is under way."""
    key, done = f"{name}.csv", []
    with small_pieces():
        consume.deliver(consume.put(key, text_of(name, 40, note="old")))
        consume.deliver_bodies(*consume.handed_on())
        pieces = consume.handed_on()
        writer = consume.module.table(consume.table.name).meta.client.meta.events

        def overtake(**_):
            if not done:
                done.append(1)
                (event,) = consume.module.object_events(
                    {"Records": [consume.put(key, text_of(name, 5, note="new"))]}
                )
                consume.module.consume_one(event)

        writer.register("before-call.dynamodb.BatchWriteItem", overtake)
        try:
            assert consume.deliver_bodies(pieces[0]) == []
        finally:
            writer.unregister("before-call.dynamodb.BatchWriteItem", overtake)
        assert {item["note"] for item in consume.items(name)[:5]} == {"old"}
        (anew,) = consume.handed_on()
        assert named_part(anew) == "ObjectCreated:Anew"
        assert consume.deliver_bodies(anew) == []
    assert {item["note"] for item in consume.items(name)[:5]} == {"new"}


def test_a_large_file_that_goes_is_done_and_so_are_its_pieces(consume, name):
    with small_pieces():
        consume.deliver(consume.put(f"{name}.csv", text_of(name, 40)))
        (whole,) = consume.handed_on()
        consume.deliver_bodies(whole)
        pieces = consume.handed_on()
        consume.files.delete(f"rows/{name}.csv")
        assert consume.deliver_bodies(whole, *pieces) == []
    assert consume.handed_on() == []
    assert consume.items(name) == []


def test_a_small_version_after_a_large_one_leaves_no_rejected_rows_of_that(consume, name):
    store(consume, f"{name}.csv", text_of(name, 40, bad={1, 30}))
    beside = f"{name}.csv/000000000001.csv"
    store(consume, beside, text_of(name, 40, bad={2}))
    assert len(consume.rejections_of_pieces(f"{name}.csv")) == 2
    consume.deliver(consume.put(f"{name}.csv", text_of(name, 3, bad={2})))
    assert consume.rejections_of_pieces(f"{name}.csv") == []
    assert [line for line, _, _ in consume.rejections(f"{name}.csv")] == [4]
    consume.deliver(consume.put(f"{name}.csv", text_of(name, 3)))
    assert consume.rejections(f"{name}.csv") is None
    assert len(consume.rejections_of_pieces(beside)) == 1


def test_poison_at_the_end_fails_by_itself_and_what_was_cut_before_is_stored(consume, name):
    body = text_of(name, 80, note="x" * 1000).encode() + b"\xff\n"
    with small_pieces():
        consume.deliver(consume.put(f"{name}.csv", body))
        (whole,) = consume.handed_on()
        with pytest.raises(BatchProcessingError, match="Not stored"):
            consume.deliver_bodies(whole)
        work_off(consume)
    assert 40 < len(consume.items(name)) < 80


@pytest.mark.parametrize("cut_off", [10, 200, -1])
def test_a_damaged_gzip_is_poison(consume, name, cut_off):
    body = gzip.compress(text_of(name, 200).encode())[:cut_off]
    with pytest.raises(BatchProcessingError, match="Not stored"):
        consume.deliver(consume.put(f"{name}.csv.gz", body))
    with pytest.raises(BatchProcessingError, match="Not stored"):
        consume.deliver(consume.put(f"{name}.csv.gz", gzip.compress(b"")))


def test_gzip_in_several_members_is_one_file(consume, name):
    lines = text_of(name, 30).encode().splitlines(keepends=True)
    consume.deliver(consume.put(f"{name}.csv.gz", b"".join(map(gzip.compress, lines))))
    assert len(consume.items(name)) == 30


def test_what_dynamodb_refuses_is_rejected_with_its_words_and_the_others_are_stored(
    consume, name, monkeypatch
):
    """As if we had not known one of its rules: here that an item may have 400 KB."""
    monkeypatch.setattr(sys.modules["items"], "MAX_ITEM_BYTES", 10**9)
    header, *lines = text_of(name, 30, bad={29}).splitlines()
    wide = [f"{header},b,c,d", *(f"{line},,," for line in lines)]
    wide[10] = wide[10].removesuffix(",,,") + f",{'x' * 130_000}" * 3
    wide[10] = wide[10].replace("note 9", "x" * 130_000)
    assert consume.deliver(consume.put(f"{name}.csv", "\n".join(wide))) == []
    assert len(consume.items(name)) == 28
    (first, second) = consume.rejections(f"{name}.csv")
    assert (first[0], second[0]) == (11, 31)
    assert first[1].startswith("DynamoDB refuses it: ")


def test_the_messages_are_those_of_s3_to_whoever_looks_at_what_is_stuck(consume, name):
    from lib.operate.failures.letters import Letter

    with small_pieces():
        consume.deliver(consume.put(f"{name} +é.csv", text_of(name, 40)))
        consume.deliver_bodies(*consume.handed_on())
        first = consume.handed_on()[0]
    (found,) = Letter(first).objects
    assert (found.bucket, found.key) == (consume.files.bucket, f"rows/{name} +é.csv")
    assert found.event.startswith("ObjectCreated:Piece from byte 18 to ")


def test_it_logs_how_far_it_is(consume, name, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr(consume.module.logger.handlers[0], "stream", log)
    store(consume, f"{name}.csv", text_of(name, 95, bad={5}))
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (cut,) = [line for line in lines if line["message"] == "cut"]
    stored = [line for line in lines if line["message"] == "stored"]
    assert (cut["rows_cut"], cut["pieces"]) == (95, len(stored))
    assert sum(line["rows_stored"] + line["rows_rejected"] for line in stored) == 95
    assert len({line["line"] for line in stored}) == len(stored)
