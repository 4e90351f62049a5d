"""Athena's SQL on the local AWS, through PyAthena: what pandas finds in the same files, or a refusal."""

import gzip
import json
from datetime import date, datetime
from decimal import Decimal

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import ClientError
from pyathena.error import DatabaseError
from pyathena.pandas.util import as_pandas
from support.lake import REGION, SAMPLES
from support.trino_expressions import PAGES, shown

from lib.local.in_server.athena_sql import AthenaSqlError, parse


def frame(name):
    return pd.read_csv(SAMPLES / f"{name}.csv", keep_default_na=False)


STOCKS, PLANES, AIRPORTS = frame("stocks"), frame("planes"), frame("airports")
AIRLINES = frame("airlines")
DATES = pd.to_datetime(STOCKS.date, format="%b %d %Y")
SPEED = pd.to_numeric(PLANES.speed, errors="coerce")

# Query → what pandas makes of the same file.
SAME = {
    "SELECT count(*) FROM airlines": [(16,)],
    "SELECT name FROM airlines WHERE carrier = 'UA'": [("United Air Lines Inc.",)],
    "SELECT symbol, count(*) n FROM stocks GROUP BY symbol ORDER BY symbol": list(
        STOCKS.groupby("symbol").size().items()
    ),
    "SELECT symbol, max(price) FROM stocks GROUP BY 1 HAVING max(price) > 200 ORDER BY 1": [
        (s, p) for s, p in STOCKS.groupby("symbol").price.max().items() if p > 200
    ],
    "SELECT round(avg(price), 6) FROM stocks": [(round(STOCKS.price.mean(), 6),)],
    "SELECT round(stddev(price), 6), round(variance(price), 4) FROM stocks": [
        (round(STOCKS.price.std(), 6), round(STOCKS.price.var(), 4))
    ],
    "SELECT max(date_parse(date, '%b %e %Y')) FROM stocks": [(DATES.max().to_pydatetime(),)],
    "SELECT year(date_parse(date, '%b %e %Y')) y, count(*) FROM stocks GROUP BY 1 ORDER BY 1": list(
        DATES.dt.year.value_counts().sort_index().items()
    ),
    "SELECT date_trunc('year', date_parse(date, '%b %e %Y')), sum(1) FROM stocks"
    " GROUP BY 1 ORDER BY 1 LIMIT 1": [(datetime(2000, 1, 1), int((DATES.dt.year == 2000).sum()))],
    "SELECT count(*) FROM planes WHERE speed = 'NA'": [(int((PLANES.speed == "NA").sum()),)],
    "SELECT avg(TRY_CAST(speed AS double)) FROM planes": [(SPEED.mean(),)],
    "SELECT count(DISTINCT manufacturer) FROM planes": [(PLANES.manufacturer.nunique(),)],
    "SELECT sum(seats / engines) FROM planes": [(int((PLANES.seats // PLANES.engines).sum()),)],
    "SELECT sum(seats) % 7, sum(seats) FROM planes": [(int(PLANES.seats.sum() % 7), int(PLANES.seats.sum()))],
    "SELECT count_if(lat > 60) FROM airports": [(int((AIRPORTS.lat > 60).sum()),)],
    "SELECT approx_distinct(symbol) FROM stocks": [(STOCKS.symbol.nunique(),)],
    "SELECT max_by(name, alt), min_by(faa, lat) FROM airports": [
        (AIRPORTS.name[AIRPORTS.alt.idxmax()], AIRPORTS.faa[AIRPORTS.lat.idxmin()])
    ],
    "SELECT faa FROM airports WHERE regexp_like(name, '^La.*Field$') ORDER BY faa": [
        (faa,) for faa in sorted(AIRPORTS.faa[AIRPORTS.name.str.match("^La.*Field$")])
    ],
    "SELECT element_at(split(tzone, '/'), 2) z, count(*) FROM airports"
    " WHERE tzone LIKE 'Pacific/%' GROUP BY 1": list(
        AIRPORTS.tzone[AIRPORTS.tzone.str.startswith("Pacific/")].str.split("/").str[1].value_counts().items()
    ),
    "SELECT symbol, price FROM"
    " (SELECT symbol, price, row_number() OVER (PARTITION BY symbol ORDER BY price DESC) n FROM stocks)"
    " WHERE n = 1 ORDER BY symbol": list(STOCKS.groupby("symbol").price.max().items()),
    "WITH best AS (SELECT symbol, max(price) p FROM stocks GROUP BY 1) SELECT count(*) FROM stocks s"
    " JOIN best b ON s.symbol = b.symbol AND s.price = b.p": [(5,)],
    "SELECT count(*) FROM airlines a, stocks s WHERE a.carrier = 'UA'": [(560,)],
    "SELECT count(*) FROM airlines UNION ALL SELECT count(*) FROM stocks ORDER BY 1": [(16,), (560,)],
    "SELECT upper(substr(symbol, 1, 2)) || '-' || CAST(count(*) AS varchar) FROM stocks WHERE symbol = 'IBM'"
    " GROUP BY symbol": [("IB-123",)],
    "SELECT CASE WHEN price > 100 THEN 'high' ELSE 'low' END, count(*) FROM stocks GROUP BY 1 ORDER BY 1": [
        ("high", int((STOCKS.price > 100).sum())),
        ("low", int((STOCKS.price <= 100).sum())),
    ],
    "SELECT name FROM airlines ORDER BY carrier OFFSET 2 LIMIT 2": [(n,) for n in AIRLINES.name[2:4]],
}
VALUES = {
    "7/2": 3,
    "-7/2": -3,
    "7/2.0": Decimal("3.5"),
    "1.0 * 7 / 2": Decimal("3.5"),
    "7 % 3": 1,
    "CAST('2024-02-29' AS date)": date(2024, 2, 29),
    "date_add('day', 1, DATE '2024-02-28')": date(2024, 2, 29),
    "date_diff('day', DATE '2024-01-01', DATE '2024-03-01')": 60,
    "date_format(TIMESTAMP '2024-02-29 13:05:00', '%Y-%m-%d %H:%i')": "2024-02-29 13:05",
    "from_iso8601_date('2024-02-29')": date(2024, 2, 29),
    "day_of_week(DATE '2024-02-26')": 1,
    "coalesce(NULL, 'x')": "x",
    "nullif(1, 1)": None,
    "try_cast('x' AS bigint)": None,
    "json_extract_scalar('{\"a\": {\"b\": 3}}', '$.a.b')": "3",
    "array_join(ARRAY['a', 'b'], '-')": "a-b",
    "cardinality(split('a,b', ','))": 2,
    "contains(ARRAY[1, 2], 2)": True,
    "strpos('hello', 'l')": 3,
    "lpad('7', 3, '0')": "007",
    "greatest(1, 3, 2)": 3,
    "power(2, 10)": 1024.0,
    "to_hex(md5(to_utf8('a')))": "0CC175B9C0F1B6A831C399E269772661",
    "'s3://bucket/key'": "s3://bucket/key",
    "'it''s'": "it's",
    "degrees(0)": 0.0,
    "date_trunc('month', DATE '2024-02-29')": date(2024, 2, 1),
    "date_add('month', -1, TIMESTAMP '2024-03-29 10:00:00')": datetime(2024, 2, 29, 10),
    "date_diff('day', date_add('day', 1, DATE '2024-01-01'), DATE '2024-01-03')": 1,
    "DATE '2024-02-28' + INTERVAL '2' DAY": date(2024, 3, 1),
    "date('2024-02-29')": date(2024, 2, 29),
    "date_parse('Feb 3 2000', '%b %e %Y')": datetime(2000, 2, 3),
    "from_unixtime(0) IS NOT NULL": True,
    "to_unixtime(TIMESTAMP '1970-01-02 00:00:00')": 86400.0,
    "regexp_extract('a12b', '[0-9]+')": "12",
    "regexp_replace('a12b34', '[0-9]+', '')": "ab",
    "split_part('a-b-c', '-', 2)": "b",
    "substr('hello', 2, 3)": "ell",
    "replace('hello', 'l')": "heo",
    "reverse('abc')": "cba",
    "length('héllo')": 5,
    "round(2.5)": Decimal("3"),
    "floor(-1.5)": Decimal("-2"),
    "truncate(-1.7)": Decimal("-1"),
    "mod(-7, 3)": -1,
    "1e0 / 3": 1 / 3,
    "concat('a', 'b', 'c')": "abc",
    "element_at(MAP(ARRAY['a'], ARRAY[1]), 'a')": 1,
    "reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s)": 6,
    "array_join(transform(ARRAY[1, 2], x -> x * 2), ',')": "2,4",
    "cardinality(filter(ARRAY[1, 2, 3], x -> x > 1))": 2,
    "json_format(json_parse('[1, 2]'))": "[1,2]",
    "week(DATE '2024-01-01')": 1,
    "quarter(DATE '2024-05-01')": 2,
    "day_of_year(DATE '2024-02-01')": 32,
    "last_day_of_month(DATE '2024-02-01')": date(2024, 2, 29),
    "'a' || NULL": None,
    "if(1 > 0, 'y', 'n')": "y",
    "1 IN (1, NULL)": True,
    "'Abc' LIKE 'a%'": False,
    "cast(1.5 AS integer)": 2,
    "cast(true AS varchar)": "true",
    "cast(DATE '2024-01-01' AS varchar)": "2024-01-01",
    "ceil(1.2)": Decimal("2"),
    "ln(1)": 0.0,
    "sqrt(16)": 4.0,
    "log10(100)": 2.0,
    "chr(65)": "A",
    "position('l' IN 'hello')": 3,
    "trim('  x ')": "x",
    "starts_with('abc', 'ab')": True,
    "array_max(ARRAY[1, 3])": 3,
    "extract(year FROM DATE '2024-02-01')": 2024,
    "hour(TIMESTAMP '2024-02-01 13:00:00')": 13,
    "TIMESTAMP '2024-02-01 13:00:00.123'": datetime(2024, 2, 1, 13, microsecond=123000),
    "cast('2024-02-01 13:00:00.123456' AS timestamp(3))": datetime(2024, 2, 1, 13, microsecond=123000),
    "cast(from_unixtime(1) AS timestamp)": datetime(1970, 1, 1, 0, 0, 1),
}


def same(found, expected):
    if isinstance(expected, float | np.floating):
        return found == pytest.approx(float(expected))
    return found == expected


@pytest.mark.parametrize("sql", SAME)
def test_as_pandas_has_it(samples, sql):
    rows = samples.rows(sql)
    assert len(rows) == len(SAME[sql])
    assert all(
        same(a, b)
        for row, wanted in zip(rows, SAME[sql], strict=True)
        for a, b in zip(row, wanted, strict=True)
    )


@pytest.mark.parametrize("expression", VALUES)
def test_values(samples, expression):
    (row,) = samples.rows(f"SELECT {expression}")
    assert same(row[0], VALUES[expression])


def test_the_table_of_trinos_expressions(samples):
    """Through the server and PyAthena: all of them in one query, with the types that it says they have."""
    cases = [
        (sql, expected if isinstance(expected, dict) else {"is": expected})
        for page in PAGES
        for sql, expected in page.get("same", {}).items()
        if not sql.startswith(("SELECT", "WITH"))
    ]
    cursor = samples.cursor().execute(f"SELECT {', '.join(sql for sql, _ in cases)}")
    (row,) = cursor.fetchall()
    assert len(row) > 300
    for (sql, expected), value, (_, kind, _, _, precision, scale, _) in zip(
        cases, row, cursor.description, strict=True
    ):
        if isinstance(value, float):
            assert shown(value) == expected["is"] or same(value, float(expected["is"])), sql
        else:
            assert shown(value) == ("null" if expected["is"] is None else expected["is"]), sql
        if wanted := expected.get("type"):
            said = f"decimal({precision},{scale})" if kind == "decimal" else kind
            assert said == {"real": "float"}.get(
                wanted, wanted if "decimal" in wanted else wanted.split("(")[0]
            ), sql


def test_columns_are_named_as_on_athena(samples):
    cursor = samples.cursor().execute("SELECT *, count(*) OVER (), 1 AS One, Name FROM airlines LIMIT 1")
    assert [column[0] for column in cursor.description] == ["carrier", "name", "_col2", "one", "name"]


def test_as_pandas(samples):
    found = as_pandas(samples.cursor().execute("SELECT * FROM airports ORDER BY faa"))
    expected = AIRPORTS.sort_values("faa").reset_index(drop=True)
    assert list(found.columns) == list(expected.columns)
    assert found.astype(str).equals(expected.astype(str))


def test_pyformat_parameters(samples):
    sql = "SELECT count(*) FROM stocks WHERE symbol = %(symbol)s AND price > %(price)s"
    expected = int(((STOCKS.symbol == "MSFT") & (STOCKS.price > 30)).sum())
    assert samples.rows(sql, {"symbol": "MSFT", "price": 30}) == [(expected,)]
    assert samples.rows(sql, {"symbol": "x' OR '1'='1", "price": 0}) == [(0,)]


def test_qmark_parameters(samples):
    cursor = samples.cursor()
    sql = "SELECT count(*) FROM stocks WHERE symbol = ? AND price > ?"
    expected = int(((STOCKS.symbol == "MSFT") & (STOCKS.price > 30)).sum())
    found = cursor.execute(sql, ["'MSFT'", "30"], paramstyle="qmark").fetchall()
    assert found == [(expected,)]
    for wrong, reason in (
        (["'MSFT'"], "expected 2"),
        (["MSFT", "1"], "single quotes"),
        (["'a'", "1 OR 1=1"], "not a"),
    ):
        with pytest.raises(DatabaseError, match=reason):
            cursor.execute(sql, wrong, paramstyle="qmark")


def test_empty_fields_are_empty_text(lake):
    lake.put("t/t.csv", "a,b,c\nx,,1\n\\N,y,\n")
    lake.crawl(lake.crawler({"Delimiter": ",", "ContainsHeader": "PRESENT"}))
    assert lake.rows("SELECT a, b, c FROM t ORDER BY b") == [("x", "", 1), (None, "y", None)]


def test_csv_numbers_are_exact_or_null(lake):
    lake.put("n/n.csv", "9007199254740993,1.234567890123,true,1.5\n1.5,1e3,yes,x\n ,99999999999,,\n")
    columns = {"a": "bigint", "b": "decimal(20,12)", "c": "boolean", "d": "double"}
    storage = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
        "Location": f"s3://{lake.name}/n/",
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "SerdeInfo": {
            "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
            "Parameters": {"field.delim": ","},
        },
    }
    table = {"Name": "n", "Parameters": {"classification": "csv"}, "StorageDescriptor": storage}
    lake.root("glue").create_table(DatabaseName=lake.database, TableInput=table)
    cursor = lake.cursor().execute("SELECT a, b, c, d FROM n")
    assert cursor.fetchall() == [
        (2**53 + 1, Decimal("1.234567890123"), True, 1.5),
        (None, Decimal(1000), None, None),
        (None, None, None, None),
    ]
    assert [column[4:6] for column in cursor.description][1] == (20, 12)
    assert lake.rows("SELECT sum(b), avg(b) FROM n") == [
        (Decimal("1001.234567890123"), Decimal("500.617283945062"))
    ]


def json_table(lake, types):
    """Put table j, of JSON lines below j/, into the catalogue."""
    storage = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in types.items()],
        "Location": f"s3://{lake.name}/j/",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    table = {"Name": "j", "Parameters": {"classification": "json"}, "StorageDescriptor": storage}
    lake.root("glue").create_table(DatabaseName=lake.database, TableInput=table)


@pytest.mark.parametrize(
    "index", ["2", "n", "n + 1 - 1", "CAST(n AS bigint)", "1 + 1", "(SELECT max(k.n) FROM j k)"]
)
def test_an_array_s_elements_are_counted_from_one(lake, index):
    lake.put("j/a.json", '{"n": 2, "items": [{"name": "a"}, {"name": "b"}, {"name": "c"}]}\n')
    json_table(lake, {"n": "bigint", "items": "array<struct<name:string>>"})
    assert lake.rows(f"SELECT items[{index}].name, element_at(items, {index}).name FROM j") == [("b", "b")]
    counted = "SELECT i, items[i].name FROM j CROSS JOIN UNNEST(sequence(1, cardinality(items))) AS t (i)"
    assert lake.rows(f"{counted} ORDER BY i") == [(1, "a"), (2, "b"), (3, "c")]
    # An array of rows gives a column for each field.
    assert lake.rows("SELECT name FROM j CROSS JOIN UNNEST(items) AS t (name) ORDER BY 1 LIMIT 1") == [("a",)]


def test_json_lines_have_the_types_of_the_catalogue(lake):
    lines = (
        '{"id":"1","at":"2024-01-01T10:00:00Z","n":9007199254740993,"price":1.5}\n{"id":"2","tags":["a"]}\n'
    )
    lake.put("j/a.json.gz", gzip.compress(lines.encode()))
    lake.put("j/_hidden", "no json")
    types = {
        "id": "string",
        "at": "string",
        "n": "bigint",
        "price": "decimal(9,2)",
        "tags": "array<string>",
        "never": "string",
    }
    json_table(lake, types)
    # Numbers have the digits with which they are written.
    exact = {"id": "string", "n": "bigint", "price": "decimal(38,19)", "tags": "array<decimal(4,2)>"}
    columns = "id, at, n, price, element_at(tags, 1), never"
    assert lake.rows(f"SELECT {columns} FROM j x ORDER BY x.id") == [
        ("1", "2024-01-01T10:00:00Z", 2**53 + 1, Decimal("1.50"), None, None),
        ("2", None, None, None, "a", None),
    ]
    lake.root("glue").delete_table(DatabaseName=lake.database, Name="j")
    lake.s3.delete_object(Bucket=lake.name, Key="j/a.json.gz")
    lake.put("j/b.json", '{"id":1.10,"n":"7","price":123456789012345678.1234567890123456789,"tags":[1.50]}\n')
    json_table(lake, exact)
    assert lake.rows("SELECT id, n, price, tags[1] FROM j") == [
        ("1.10", 7, Decimal("123456789012345678.1234567890123456789"), Decimal("1.50"))
    ]
    lake.put("j/c.json", '{"n":1.5}\n')
    with pytest.raises(DatabaseError, match="the column n has 1.5, which is no bigint"):
        lake.rows("SELECT n FROM j")
    lake.put("j/[odd].json", "{}")
    assert lake.rows("SELECT count(*) FROM j") == [(3,)]


def test_get_query_execution_tells_what_was_asked_and_scanned(samples):
    cursor = samples.cursor().execute("SELECT count(*) FROM stocks")
    assert cursor.query == "SELECT count(*) FROM stocks"
    assert cursor.data_scanned_in_bytes == 12245


def test_external_tables_are_made_and_dropped(samples):
    samples.allow("glue:CreateTable", "glue:DeleteTable")
    cursor = samples.cursor()
    cursor.execute(
        "CREATE EXTERNAL TABLE named (code string, label string) ROW FORMAT DELIMITED"
        f" FIELDS TERMINATED BY ',' LOCATION 's3://{samples.name}/airlines/'"
        " TBLPROPERTIES ('skip.header.line.count'='1')"
    )
    assert cursor.execute("SELECT count(*) FROM named WHERE code = 'UA'").fetchall() == [(1,)]
    cursor.execute("DROP TABLE named")
    assert "named" not in samples.tables()


def test_arrays_of_numbers_are_as_athena_writes_them(samples):
    cursor = samples.cursor().execute(
        "SELECT ARRAY[1, NULL, 3] AS a, ARRAY[0.10, 12.00] AS b, ARRAY[1e0] AS c"
    )
    assert cursor.fetchall() == [([1, None, 3], [0.1, 12.0], [1.0])]
    assert [column[1] for column in cursor.description] == ["array"] * 3


REFUSED = {
    "CREATE TABLE x AS SELECT 1 AS a": "keep nothing",
    "CREATE TABLE x WITH (format = 'PARQUET') AS SELECT 1 AS a": "keep nothing",
    "CREATE OR REPLACE VIEW v AS SELECT 1 AS a": "WITH clause",
    "CREATE DATABASE x": "keep nothing",
    "DROP VIEW v": "delete nothing",
    "SHOW TABLES": "get_tables",
    "SHOW PARTITIONS stocks": "get_partitions",
    "SHOW CREATE TABLE stocks": "get_table",
    "DESCRIBE stocks": "get_table",
    "MSCK REPAIR TABLE stocks": "crawler",
    "ALTER TABLE stocks ADD PARTITION (dt = '1')": "crawler",
    "INSERT INTO stocks VALUES ('a', 'b', 1)": "does not write",
    "DELETE FROM stocks": "does not write",
    "UNLOAD (SELECT 1) TO 's3://x/' WITH (format = 'PARQUET')": "does not write",
    "EXPLAIN SELECT 1": "run it on AWS",
    "PREPARE p FROM SELECT 1": "prepared",
    "EXECUTE p USING 1": "prepared",
    "VALUES (1)": "SELECT … FROM",
    "VACUUM stocks": "run it on AWS",
    "CREATE EXTERNAL TABLE x (a int) LOCATION 's3://x/'"
    " TBLPROPERTIES ('projection.enabled'='true')": "no rows",
    'SELECT "$path" FROM stocks': "where a row came from",
    "SELECT url_extract_host('https://a.b/c')": "does not have this function",
    "SELECT json_parse('[1]')": "json_format",
    "SELECT INTERVAL '1' DAY": "AS varchar",
    "SELECT approx_set(price) FROM stocks": "does not have this function",
    "SELECT format('%s', 1)": "does not have this function",
    "SELECT getenv('HOME')": "does not have this function",
    "SELECT * FROM read_csv('/etc/passwd')": "no table of the catalogue",
    "SELECT array_agg(symbol) FROM stocks": "as text",
    "SELECT to_utf8(symbol) FROM stocks": "to_hex",
    "SELECT now() AS now": "CAST.* AS timestamp",
    "SELECT from_unixtime(0) AS t": "CAST.* AS timestamp",
    "SELECT table_name FROM information_schema.tables": "get_tables",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_refused_with_the_reason_and_nothing_runs(samples, sql):
    root = samples.root("athena")
    before = root.list_query_executions(WorkGroup=samples.name)["QueryExecutionIds"]
    with pytest.raises(ClientError, match=f"NotImplemented.*{REFUSED[sql]}"):
        samples.athena.start_query_execution(
            QueryString=sql, WorkGroup=samples.name, QueryExecutionContext={"Database": samples.database}
        )
    with pytest.raises(DatabaseError, match=REFUSED[sql]):
        samples.cursor().execute(sql)
    assert root.list_query_executions(WorkGroup=samples.name)["QueryExecutionIds"] == before


WRONG = {
    "SELECT * FORM stocks": "line 1:20: mismatched input 'stocks'",
    "SELEC 1": "mismatched input",
    "SELECT 'abc": "not closed",
    "hello world": "mismatched input",
    "SELECT 1; SELECT 2": "Only one sql statement",
    "SELECT nope FROM stocks": "COLUMN_NOT_FOUND.*nope",
    "SELECT * FROM nope": "TABLE_NOT_FOUND.*nope",
    "SELECT * FROM nowhere.stocks": "TABLE_NOT_FOUND.*nowhere.stocks",
}


@pytest.mark.parametrize("sql", WRONG)
def test_what_athena_refuses_too(samples, sql):
    with pytest.raises(DatabaseError, match=WRONG[sql]):
        samples.cursor().execute(sql)


def start(lake, **request):
    return lake.athena.start_query_execution(QueryString="SELECT 1", **request)


def test_workgroups(lake):
    athena = lake.athena
    with pytest.raises(ClientError, match="nobody"):
        start(lake, WorkGroup="nobody")
    athena.create_work_group(Name=f"{lake.name}-bare")
    with pytest.raises(ClientError, match="No output location"):
        start(lake, WorkGroup=f"{lake.name}-bare")


def test_enforced_output_location_wins(lake):
    asked = {"OutputLocation": "s3://somewhere-else/"}
    started = start(lake, WorkGroup=lake.name, ResultConfiguration=asked)["QueryExecutionId"]
    execution = lake.athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location.startswith(f"s3://{lake.name}-results/{started}.csv")


def test_the_result_is_where_it_says(samples):
    cursor = samples.cursor().execute("SELECT count(*) AS n FROM airlines")
    bucket, _, key = cursor.output_location.removeprefix("s3://").partition("/")
    assert samples.s3.get_object(Bucket=bucket, Key=key)["Body"].read().split() == [b'"n"', b'"16"']


def failure(lake, sql):
    """Why a query failed."""
    started = lake.athena.start_query_execution(
        QueryString=sql, WorkGroup=lake.name, QueryExecutionContext={"Database": lake.database}
    )
    execution = lake.wait_for_query(started["QueryExecutionId"])
    assert execution["Status"]["State"] == "FAILED", execution
    return execution["Status"]["StateChangeReason"]


def test_a_query_has_the_rights_of_who_asks(lake):
    lake.put("people/a.csv", "name,age\nAnn,41\n")
    lake.crawl(lake.crawler({"Delimiter": ",", "ContainsHeader": "PRESENT"}))
    query = "SELECT count(*) FROM people"
    assert lake.rows(query) == [(1,)]
    assert "glue:CreateTable" in failure(lake, "CREATE EXTERNAL TABLE own (a int) LOCATION 's3://x/y/'")
    lake.deny("s3:PutObject", resource=f"arn:aws:s3:::{lake.name}-results/*")
    assert "Access denied when writing output to url" in failure(lake, query)
    lake.deny("s3:ListBucket", resource=f"arn:aws:s3:::{lake.name}")
    assert "s3:ListBucket" in failure(lake, query)
    lake.deny("glue:GetTable")
    assert "glue:GetTable" in failure(lake, query)


def test_a_person_in_a_role_is_answered_as_a_user_is(lake):
    """Not as functions are, whose queries are not translated: DuckDB's 7 / 2 is 3.5."""
    account = "arn:aws:iam::000000000000:root"
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    role = lake.role(["athena:*", "glue:*", "s3:*"])
    lake.root("iam").update_assume_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    key = lake.root("sts").assume_role(RoleArn=role, RoleSessionName="analyst")["Credentials"]
    person = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
    athena = lake._client(person, "athena", REGION)
    started = athena.start_query_execution(QueryString="SELECT 7 / 2", WorkGroup=lake.name)
    execution = lake.wait_for_query(started["QueryExecutionId"])
    assert execution["Status"]["State"] == "SUCCEEDED", execution
    rows = athena.get_query_results(QueryExecutionId=started["QueryExecutionId"])["ResultSet"]["Rows"]
    assert rows[1]["Data"][0]["VarCharValue"] == "3"


def test_the_same_token_is_the_same_query(lake):
    token = {"WorkGroup": lake.name, "ClientRequestToken": "t" * 32}
    first, second = start(lake, **token), start(lake, **token)
    assert first["QueryExecutionId"] == second["QueryExecutionId"]
    with pytest.raises(ClientError, match="Idempotent"):
        lake.athena.start_query_execution(QueryString="SELECT 2", **token)


def test_what_the_catalogue_does_not_have_fails_as_it_runs(samples):
    assert "TABLE_NOT_FOUND" in failure(samples, "SELECT * FROM nope")
    assert "COLUMN_NOT_FOUND" in failure(samples, "SELECT nope FROM stocks")


# What only the engine finds → in Athena's words, without the engine's names, SQL and advice.
FOUND_AS_IT_RUNS = {
    "SELECT tzone, alt FROM airports GROUP BY tzone": "EXPRESSION_NOT_AGGREGATE: line 1:15: 'alt' must be an"
    " aggregate expression or appear in GROUP BY clause",
    "SELECT (SELECT a.alt) FROM airports a GROUP BY tzone": "EXPRESSION_NOT_AGGREGATE: a column must be in an"
    " aggregate expression or appear in GROUP BY clause",
    "SELECT (SELECT alt FROM airports)": "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple"
    " rows",
    "SELECT grouping(alt) FROM airports GROUP BY tzone": "INVALID_ARGUMENTS: The arguments to GROUPING() must"
    " be expressions referenced by the GROUP BY at the associated query level",
    "SELECT grouping(1) FROM airports": "MISSING_GROUP_BY: A GROUPING() operation can only be used with a"
    " corresponding GROUPING SET/CUBE/ROLLUP/GROUP BY clause",
    "SELECT count(*) FILTER (WHERE count(*) > 1) FROM airports": "Binder Error: aggregate functions are not"
    " allowed in FILTER",
}


@pytest.mark.parametrize("sql", FOUND_AS_IT_RUNS)
def test_failures_show_nothing_of_the_engine_s_own(samples, sql):
    assert failure(samples, sql) == FOUND_AS_IT_RUNS[sql]


def test_byte_cutoff(lake):
    lake.put("t/t.csv", "a,b\n" + "xxxxxxxxx,1\n" * 1_000_000)
    lake.crawl(lake.crawler({"Delimiter": ",", "ContainsHeader": "PRESENT"}))
    updates = {"BytesScannedCutoffPerQuery": 10_000_000}
    lake.athena.update_work_group(WorkGroup=lake.name, ConfigurationUpdates=updates)
    with pytest.raises(DatabaseError, match="Bytes scanned limit was exceeded"):
        lake.rows("SELECT count(*) FROM t")


def test_only_the_partitions_that_are_asked_for_are_scanned(lake):
    for day, rows in (("01", 1), ("02", 3)):
        lake.put(f"t/dt=2026-01-{day}/a.csv", "a,b\n" + "x,1\n" * rows)
    lake.crawl(lake.crawler({"Delimiter": ",", "ContainsHeader": "PRESENT"}))

    def scanned(where):
        cursor = lake.cursor().execute(f"SELECT count(*) FROM t {where}")
        return cursor.data_scanned_in_bytes

    assert scanned("WHERE dt = '2026-01-02'") == 16
    assert scanned("WHERE dt = '2026-01-09'") == 0
    assert scanned("WHERE dt = '2026-01-02' OR a = 'x'") == scanned("") == 24


def test_partitions_that_aws_would_not_read(lake):
    lake.put("ticks/dt=2024-01-01/a.csv", "a,b\nx,1\n")
    lake.put("plain/2024/a.csv", "a,b\nx,1\n")
    lake.crawl(lake.crawler({"Delimiter": ",", "ContainsHeader": "PRESENT"}))
    lake.put("ticks/dt=2024-01-02/a.csv", "a,b\nx,1\n")
    with pytest.raises(DatabaseError, match="no registered partition"):
        lake.rows("SELECT count(*) FROM ticks")
    with pytest.raises(DatabaseError, match="name=value"):
        lake.rows("SELECT count(*) FROM plain")


def test_views_and_projection_are_refused(lake):
    for name, extra in (
        ("v", {"TableType": "VIRTUAL_VIEW"}),
        ("p", {"Parameters": {"projection.enabled": "true"}}),
    ):
        lake.root("glue").create_table(DatabaseName=lake.database, TableInput={"Name": name, **extra})
    with pytest.raises(DatabaseError, match="is a view"):
        lake.rows("SELECT * FROM v")
    with pytest.raises(DatabaseError, match="partition projection"):
        lake.rows("SELECT * FROM p")


def test_it_is_announced_once(lake):
    lake.rows("SELECT 1")
    lake.rows("SELECT 2")
    assert [line for line in lake.said if "Athena" in line] == [
        "stand-in: Athena SQL: translated by sqlglot for the local engine, DuckDB"
    ]


def test_a_query_is_one_statement():
    with pytest.raises(AthenaSqlError, match="Only one sql statement"):
        parse("-- nothing")


def test_syntax_errors_name_the_position():
    with pytest.raises(AthenaSqlError, match="line 2:"):
        parse("SELECT 1\nFORM x y z")


def test_a_number_before_a_sign_shifts_no_position():
    """It is set apart for sqlglot, whose number 1e0-1 would be."""
    for numbers in ("1e0-1, 1e0-1", "'1e0-1', '1e0'"):
        with pytest.raises(AthenaSqlError, match="^line 3:6: mismatched input 'x'$"):
            parse(f"SELECT 1e3-1,\n {numbers}\nFORM x xyz")
    with pytest.raises(AthenaSqlError, match="^line 1:16: mismatched input 'c'$"):
        parse("SELECT 1e0-1 b c x")
