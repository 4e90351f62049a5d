"""The short form of `make bench`: what can be counted, and no times."""

import pandas as pd
import pytest
from support.bench import __main__ as bench
from support.bench import on_aws

from lib.base.marked import part
from lib.operate.observe import cost, usage
from lib.parameters import Parameters


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
