"""The short form of `make bench`: what can be counted, and no times."""

import sys
from collections import Counter
from datetime import UTC, datetime

import pandas as pd
import pytest
from support.audited import audited, make
from support.bench import __main__ as bench
from support.bench import on_aws
from support.bench.fifths import Account
from support.bench.process import measure
from support.cleanup import remove
from support.the_five import pipelines

from lib.base.call_ledger import ledger
from lib.base.marked import part
from lib.operate.audits.findings import SAME, STALE
from lib.operate.backfills.backfill import backfill
from lib.operate.backfills.estimate import estimate
from lib.operate.observe import cost, usage
from lib.operate.recovery import restore
from lib.parameters import Parameters
from lib.resources.s3 import empty_bucket
from lib.target import connect


@pytest.mark.parametrize("name", bench.COMPUTED)
def test_what_is_computed_is_what_the_document_says(name):
    table = bench.as_markdown(bench.COMPUTED[name]())
    assert part(bench.DOCUMENT.read_text("utf-8"), name) == table, f"make bench ARGS='--only {name}'"


@pytest.mark.parametrize(
    ("pipeline", "writes", "reads"), [("migrate", 1, 1), ("backup", 1, 2), ("index", 0, 1)]
)
def test_a_new_object_takes_no_more_calls_than_these(pipeline, writes, reads):
    used = usage.per_object(Parameters(), pipeline, on_aws.BODY)
    assert (used.get("s3_write", 0), used["s3_read"]) == (writes, reads)


def test_a_million_copies_cost_little_more_than_s3_itself_asks():
    table = cost.beside_others(Parameters(), "migrate", on_aws.BODY)["migrate"]
    of_calls_and_time = table[["S3 writes", "S3 reads", "Lambda invocations", "Lambda time"]].sum()
    assert of_calls_and_time < 6
    assert table[cost.TOTAL] < 7.1


def test_a_table_stands_between_its_marks(tmp_path):
    document = tmp_path / "performance.md"
    document.write_text("a\n<!-- narrow: begin -->\nold\n<!-- narrow: end -->\nb\n")
    bench.write("narrow", pd.DataFrame([("x", 1)], columns=["what", "n"]), document)
    text = document.read_text()
    assert "| what | n |\n| --- | --- |\n| x | 1 |\n" in text
    assert "old" not in text
    assert "cores" in text


def test_the_document_has_a_place_for_each_part_and_help_names_them():
    document, helped = bench.DOCUMENT.read_text("utf-8"), bench.options().format_help()
    for name in bench.COMPUTED | bench.MEASURED:
        assert part(document, name).strip(), name
        assert f"\n  {name} " in helped, name


def test_a_part_that_fails_stops_no_other_and_is_said(monkeypatch, tmp_path, capsys):
    def fails(_sizes):
        raise OSError("no such tool")

    document = tmp_path / "performance.md"
    document.write_text("<!-- a: begin -->\nold\n<!-- a: end -->\n<!-- b: begin -->\n<!-- b: end -->\n")
    measured = {"a": fails, "b": lambda _sizes: pd.DataFrame([(1,)], columns=["n"])}
    monkeypatch.setattr(bench, "MEASURED", {n: bench.Part(n, 1, make) for n, make in measured.items()})
    assert bench.run(["a", "b"], bench.Sizes(), document) == {"a": "OSError: no such tool"}
    assert "old" in document.read_text()
    assert "| 1 |" in part(document.read_text(), "b")
    assert "1 of 2: a" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "a", "--try"])
    assert bench.main() == 1
    assert "a failed" in capsys.readouterr().err


def test_what_is_measured_of_a_process_is_its_own():
    held = bytearray(200 * 2**20)  # of this process, which is no part of it
    assert measure(["true"]).peak < 50
    found = measure(
        [sys.executable, "-c", "held = bytearray(100 * 2**20); print('done')"], variables={"A": "b"}
    )
    assert found.peak > 100
    assert found.output == "done\n"
    with pytest.raises(RuntimeError, match="ended with 1"):
        measure(["false"])
    del held


def test_fifths_are_of_what_was_done_in_them():
    used = iter([0.0, 1.0, 3.0, 4.0, 5.0, 6.0])
    account = Account(10, lambda: next(used), memory=lambda: [1.0])
    for _ in range(5):
        account.add(2)
    assert [(first, last, micros) for first, last, micros, _ in account.fifths()] == [
        (0, 2, [500_000]),
        (2, 4, [1_000_000]),
        (4, 6, [500_000]),
        (6, 8, [500_000]),
        (8, 10, [500_000]),
    ]


@pytest.fixture(scope="module")
def own(local_aws):
    return Parameters.check(
        {"env": "tcounts", "restore": {"pipeline": "migrate"}, "backfill": {"objects_per_second": 3000}}
    )


@pytest.fixture(scope="module")
def aws(own):
    return connect(own)


@pytest.fixture(scope="module")
def pair(aws, own):
    """The buckets of *migrate*: in folders, so that they could be divided, and all the same."""
    stack = make(aws, own, "migrate")
    pipeline = pipelines(own)["migrate"]
    for bucket in (pipeline.source_bucket, pipeline.destination_bucket):
        for number in range(OBJECTS):
            key = f"{number % 5}/{number}"
            aws.client_of(bucket).put_object(Bucket=bucket.name, Key=key, Body=b"body")
    yield pipeline
    remove(stack)


OBJECTS = 25
OF_OBJECTS = (
    "ListObjectsV2",
    "ListObjectVersions",
    "HeadObject",
    "GetObjectTagging",
    "GetObject",
    "CopyObject",
)


def asked(call) -> Counter:
    """Return how often what was asked of the pipeline's objects, and of its queues, meanwhile."""
    begin = ledger().made
    call()
    made = ledger().calls(range(begin, ledger().made))
    named = (*OF_OBJECTS, "SendMessageBatch")
    return Counter(c.operation for c in made if c.operation in named and "-migrate-" in c.resource)


def test_an_audit_of_bytes_lists_both_sides_once_and_asks_of_what_differs_only(aws, own, pair):
    def look(expected):
        found = audited(aws, own, "migrate", metadata_and_tags=False)
        assert found.findings.counts == expected

    assert asked(lambda: look({SAME: OBJECTS})) == {"ListObjectsV2": 2}
    there = pair.destination_bucket
    aws.client_of(there).put_object(Bucket=there.name, Key="1/1", Body=b"other")
    differing = lambda: look({SAME: OBJECTS - 1, STALE: 1})  # noqa: E731
    assert asked(differing) == {"ListObjectsV2": 2, "HeadObject": 2}
    aws.client_of(there).put_object(Bucket=there.name, Key="1/1", Body=b"body")


def test_an_audit_of_metadata_and_tags_asks_four_times_of_each(aws, own, pair):
    found = asked(lambda: audited(aws, own, "migrate"))
    assert found == {"ListObjectsV2": 2, "HeadObject": 2 * OBJECTS, "GetObjectTagging": 2 * OBJECTS}


def test_a_backfill_lists_twice_and_sends_ten_at_once(aws, own, pair):
    counted = []
    assert asked(lambda: counted.append(estimate(aws, own).objects)) == {"ListObjectsV2": 1}
    assert counted == [OBJECTS]
    found = asked(lambda: backfill(aws, own, OBJECTS))
    assert found["SendMessageBatch"] <= OBJECTS // 10 + 2  # two ranges
    assert found["ListObjectsV2"] <= 3  # the folders, and each range


def test_a_restore_of_what_is_gone_is_planned_by_listings_alone(aws, own, pair):
    source = pair.source_bucket
    at = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
    then = own.model_copy(update={"restore": own.restore.model_copy(update=at)})
    empty_bucket(aws.client_of(source), source.name)
    plan = []
    found = asked(lambda: plan.append(restore.from_parameters(aws, then).plan()))
    assert plan[0].objects == {"to restore": OBJECTS}
    assert found == {"ListObjectsV2": 1, "ListObjectVersions": 1}
