"""Tables of JSON lines: what Athena reads through them."""

import gzip
import json

import pytest
from support import cases
from support.case import ELSEWHERE

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.lake.query import Athena
from lib.resources import athena, glue, s3

COLUMNS = {
    "name": "string",
    "size": "bigint",
    "mean": "double",
    "source": "struct<key:string,bytes:bigint>",
    "columns": "array<struct<name:string,nulls:bigint,top:array<string>>>",
    "counts": "map<string,bigint>",
}
ROWS = [
    {
        "name": f"file {n}",
        "size": n,
        "mean": n / 2,
        "source": {"key": f"in/{n}.csv", "bytes": 10 * n},
        "columns": [{"name": c, "nulls": n, "top": [c, f"{c}{n}"]} for c in ("a", "b")],
        "counts": {"x": n, "y": 1},
    }
    for n in (1, 2, 3)
]


def lines(*rows: dict) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


@pytest.fixture
def table(stack: Stack) -> glue.Table:
    """Three rows, in a file of one line and in a gzipped one of two, beside another folder."""
    results = stack.add(s3.Bucket("results", ELSEWHERE))
    stack.add(athena.WorkGroup("queries", ELSEWHERE, results=results))
    bucket, database = stack.add(s3.Bucket("lines", ELSEWHERE)), cases.glue.database(stack)
    described = glue.Table(
        "all-lines",
        ELSEWHERE,
        database=database,
        bucket=bucket,
        key_prefix="lines/",
        columns=COLUMNS,
    )
    table = stack.add(described)
    stack.apply()
    client = stack.client(bucket)
    client.put_object(Bucket=bucket.name, Key="lines/one/1.json", Body=lines(ROWS[0]))
    client.put_object(Bucket=bucket.name, Key="lines/2.json.gz", Body=gzip.compress(lines(*ROWS[1:])))
    client.put_object(Bucket=bucket.name, Key="rejected/3.json", Body=b"no JSON")
    return table


@pytest.fixture
def athena_of(stack: Stack, table: glue.Table) -> Athena:
    return Athena(
        stack.target, table.region, workgroup=stack.scope.name("queries"), database=table.database.name
    )


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT name, size, mean FROM all_lines ORDER BY 1", [(f"file {n}", n, n / 2) for n in (1, 2, 3)]),
        (
            "SELECT source.key, source.bytes FROM all_lines ORDER BY 2",
            [(f"in/{n}.csv", 10 * n) for n in (1, 2, 3)],
        ),
        (
            "SELECT name, t.column_name FROM all_lines "
            "CROSS JOIN UNNEST(transform(columns, c -> c.name)) AS t(column_name) WHERE size = 2 ORDER BY 2",
            [("file 2", "a"), ("file 2", "b")],
        ),
        ("SELECT columns[2].name AS n, columns[2].top[2] AS t FROM all_lines WHERE size = 3", [("b", "b3")]),
        ("SELECT counts['x'] AS x FROM all_lines ORDER BY 1", [(1,), (2,), (3,)]),
        ("SELECT cardinality(columns) AS n, count(*) AS r FROM all_lines GROUP BY 1", [(2, 3)]),
    ],
)
def test_athena_reads_nested_columns_of_plain_and_gzipped_files(athena_of: Athena, sql: str, rows: list):
    found = athena_of.query(sql)
    assert [tuple(row) for row in found.itertuples(index=False)] == rows


def test_what_a_line_lacks_is_null_and_no_json_is_an_error(
    stack: Stack, table: glue.Table, athena_of: Athena
):
    client, bucket = stack.client(table.bucket), table.bucket.name
    client.put_object(Bucket=bucket, Key="lines/4.json", Body=lines({"name": "file 4", "more": 1}))
    found = athena_of.query("SELECT name, size, source.key AS k FROM all_lines WHERE name = 'file 4'")
    assert found.isna().to_numpy().tolist() == [[False, True, True]]
    client.put_object(Bucket=bucket, Key="lines/5.json", Body=b"no JSON\n")
    with pytest.raises(RunbookError, match="JSON"):
        athena_of.query("SELECT name FROM all_lines")


def test_a_table_is_found_by_our_tags_only(stack: Stack, somebody):
    """Those of a crawler are their database's."""
    table = cases.glue.table(stack)
    stack.apply()
    glue_client = somebody("glue", table.region)
    glue_client.create_table(DatabaseName=table.database.name, TableInput={"Name": "crawled"})
    found = list(glue.Table.find(stack.client(table), stack.scope))
    assert [(one.arn, one.tags) for one in found] == [(table.arn, stack.scope.tags)]
    assert table.output(stack.client(table)) == "all_lines"
