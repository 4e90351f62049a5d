"""The Glue crawl: what it writes to the catalogue, and that Athena then reads the files' rows."""

import csv
import gzip
import io
import json

import pytest
from botocore.exceptions import ClientError
from support.lake import CSV

from lib.local.in_server.glue_grouping import is_excluded

PEOPLE = "name,age\nAnn,41\nBob,42\n"


def count(lake, table):
    return int(lake.rows(f"SELECT count(*) FROM {table}")[0][0])


def test_samples_get_real_names_and_types(samples):
    assert samples.columns("airlines") == {"carrier": "string", "name": "string"}
    assert samples.columns("airports") == {
        "faa": "string",
        "name": "string",
        "lat": "double",
        "lon": "double",
        "alt": "bigint",
        "tz": "bigint",
        "dst": "string",
        "tzone": "string",
    }
    planes = samples.columns("planes")
    assert (planes["engines"], planes["seats"]) == ("bigint", "bigint")
    assert (planes["year"], planes["speed"]) == ("string", "string")  # they hold NA
    assert samples.columns("stocks") == {"symbol": "string", "date": "string", "price": "double"}


@pytest.mark.parametrize(
    "table, rows", [("airlines", 16), ("airports", 1458), ("planes", 3322), ("stocks", 560)]
)
def test_rows_equal_the_files(samples, table, rows):
    assert count(samples, table) == rows
    assert samples.tables()[table]["Parameters"]["recordCount"] == str(rows)


def test_a_table_looks_as_a_crawler_writes_it(samples):
    table = samples.tables()["stocks"]
    storage = table["StorageDescriptor"]
    assert storage["Location"] == f"s3://{samples.name}/stocks/"
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("LazySimpleSerDe")
    assert storage["SerdeInfo"]["Parameters"]["field.delim"] == ","
    expected = {
        "classification": "csv",
        "skip.header.line.count": "1",
        "objectCount": "1",
        "sizeKey": "12245",
    }
    assert table["Parameters"].items() >= expected.items()


def test_it_is_announced_once(lake):
    name = lake.crawler(CSV)
    lake.crawl(name)
    lake.crawl(name)
    assert len([line for line in lake.said if line.startswith("stand-in: Glue")]) == 1


def test_a_crawl_reads_what_its_role_may_read(lake):
    lake.put("people/p.csv", PEOPLE)
    role = lake.role()
    denied = {
        "Effect": "Deny",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{lake.name}/people/p.csv",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    name = role.rpartition("/")[2]
    lake.iam.put_role_policy(RoleName=name, PolicyName="not-this", PolicyDocument=document)
    last = lake.crawl(lake.crawler(CSV, role=role))
    assert last["Status"] == "FAILED" and "AccessDenied" in last["ErrorMessage"]
    assert lake.tables() == {}


def test_what_is_no_object_of_s3_is_not_crawled(lake):
    lake.glue.create_crawler(
        Name=lake.name,
        Role=lake.role(),
        DatabaseName=lake.database,
        Targets={"DynamoDBTargets": [{"Path": "t"}]},
    )
    with pytest.raises(ClientError, match="NotImplemented.*it crawls S3 only"):
        lake.glue.start_crawler(Name=lake.name)


def test_all_text_without_a_classifier_has_no_header(lake):
    lake.put("airlines/a.csv", "carrier,name\n9E,Endeavor\nAA,American\n")
    lake.put("people/p.csv", PEOPLE)
    lake.crawl(lake.crawler())
    assert lake.columns("airlines") == {"col0": "string", "col1": "string"}
    assert count(lake, "airlines") == 3
    assert lake.columns("people") == {"name": "string", "age": "bigint"}  # its header differs from its data


def test_quoted_file(lake):
    rows = [["id", "text"], ["1", "one, two"], ["2", 'say "hi"'], ["3", ""]]
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    lake.put("quoted/q.csv", text.getvalue())
    lake.crawl(lake.crawler(CSV))
    assert lake.columns("quoted") == {"id": "string", "text": "string"}
    assert lake.rows("SELECT text FROM quoted ORDER BY id") == [("one, two",), ('say "hi"',), ("",)]


@pytest.mark.parametrize("header, names", [(None, ["col0", "col1"]), (["who", "years"], ["who", "years"])])
def test_header_absent(lake, header, names):
    lake.put("people/p.csv", "Ann,41\nBob,42\n")
    lake.crawl(
        lake.crawler({"Delimiter": ",", "ContainsHeader": "ABSENT"} | ({"Header": header} if header else {}))
    )
    assert list(lake.columns("people").items()) == [(names[0], "string"), (names[1], "bigint")]
    assert count(lake, "people") == 2


def test_recrawl_adds_a_column_and_does_not_duplicate(lake):
    name = lake.crawler(CSV)
    lake.put("people/1.csv", PEOPLE)
    lake.crawl(name)
    lake.put("people/2.csv", "name,age,town\nCy,4.5,Rome\n")
    lake.crawl(name)
    assert list(lake.tables()) == ["people"]
    assert lake.columns("people") == {"name": "string", "age": "double", "town": "string"}
    assert lake.rows("SELECT name, age, town FROM people WHERE age < 41.5 ORDER BY 1") == [
        ("Ann", 41.0, ""),  # NULL on AWS
        ("Cy", 4.5, "Rome"),
    ]


NUMBERS = [
    (["02134", "2134"], "string"),
    (["00", "1"], "string"),
    (["-01"], "string"),
    (["01.5"], "string"),
    (["1764843812345600001", "1764843812345600002"], "bigint"),
    (["9223372036854775807", "-9223372036854775808"], "bigint"),
    (["9223372036854775808"], "string"),
    (["12345678901234567890", "12345678901234567891"], "string"),
    (["9" * 5000], "string"),
    (["1764843812345600001", "1.5"], "string"),
    (["12345678901234567.00000001"], "string"),
    (["0.30000000000000004", "1"], "double"),
    (["1.10", ".5"], "double"),
    (["1e5", "-2."], "double"),
    (["48.053808600000004"], "double"),
    (["48.053808600000003"], "string"),
    (["1E400"], "string"),
    (["+491701234567"], "string"),
    (["+1", "-2"], "bigint"),
    (["٣"], "string"),
    (["a\u2028b"], "string"),
]


def test_athena_reads_no_number_as_another(lake):
    names = [f"c{number}" for number in range(len(NUMBERS))]
    rows = [[values[0] for values, _ in NUMBERS], [values[-1] for values, _ in NUMBERS]]
    lake.put("codes/c.csv", "".join(",".join(row) + "\n" for row in [names, *rows]))
    lake.crawl(lake.crawler(CSV))
    assert lake.columns("codes") == dict(zip(names, [kind for _, kind in NUMBERS], strict=True))
    texts = ", ".join(f"CAST({name} AS varchar)" for name in names)
    read = zip(*lake.rows(f"SELECT {texts} FROM codes"), strict=True)
    as_value = {"string": str, "bigint": int, "double": float}
    for found, expected, (values, kind) in zip(read, zip(*rows, strict=True), NUMBERS, strict=True):
        assert sorted(map(as_value[kind], found)) == sorted(map(as_value[kind], expected)), values


def test_two_files_of_numbers_that_no_double_holds(lake):
    lake.put("codes/a.csv", "code,n\n1764843812345600001,1\n")
    lake.put("codes/b.csv", "code,n\n1.5,1\n")
    lake.crawl(lake.crawler(CSV))
    assert lake.columns("codes") == {"code": "string", "n": "bigint"}
    assert lake.rows("SELECT code FROM codes ORDER BY 1") == [("1.5",), ("1764843812345600001",)]


def test_numbers_of_json_that_no_number_holds(lake):
    lake.put(
        "events/e.json", '{"id": 12345678901234567890, "n": 1764843812345600001, "x": 0.1234567890123456789}'
    )
    lake.crawl(lake.crawler())
    assert lake.columns("events") == {"id": "string", "n": "bigint", "x": "string"}
    assert lake.rows("SELECT id, n FROM events") == [("12345678901234567890", 1764843812345600001)]


def test_update_behavior_log_leaves_the_table(lake):
    name = lake.crawler(CSV, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
    lake.put("people/1.csv", PEOPLE)
    lake.crawl(name)
    lake.put("people/1.csv", "name,age,town\nCy,4,Rome\n")
    lake.crawl(name)
    assert "town" not in lake.columns("people")


@pytest.mark.parametrize("behavior", ["DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE", "LOG"])
def test_tables_whose_objects_are_gone(lake, behavior):
    name = lake.crawler(CSV, SchemaChangePolicy={"DeleteBehavior": behavior})
    lake.put("people/1.csv", PEOPLE)
    lake.crawl(name)
    lake.root("glue").create_table(DatabaseName=lake.database, TableInput={"Name": "somebody_elses"})
    lake.s3.delete_object(Bucket=lake.name, Key="people/1.csv")
    lake.crawl(name)
    tables = lake.tables()
    assert "somebody_elses" in tables
    assert ("people" in tables) == (behavior != "DELETE_FROM_DATABASE")
    marked = "DEPRECATED_BY_CRAWLER" in tables.get("people", {}).get("Parameters", {})
    assert marked == (behavior == "DEPRECATE_IN_DATABASE")


def test_exclusions(lake):
    lake.put("people/p.csv", PEOPLE)
    lake.put("logs/l.csv", PEOPLE)
    lake.crawl(lake.crawler(CSV, exclusions=["logs/**"]))
    assert list(lake.tables()) == ["people"]


@pytest.mark.parametrize(
    "pattern, key, expected",
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "a/b.csv", False),
        ("**.csv", "a/b.csv", True),
        ("a/*", "a/b/c", False),
        ("a/**", "a/b/c", True),
        ("{a,b}/*.[ct]sv", "b/x.tsv", True),
        ("[!a]/?", "b/x", True),
        ("[!a]/?", "a/x", False),
    ],
)
def test_exclude_patterns(pattern, key, expected):
    assert is_excluded(key, pattern) is expected


def test_odd_keys_several_files_and_markers(lake):
    lake.put("My Folder-ü/", "")
    lake.put("My Folder-ü/Project Idea+ü 100%.csv", PEOPLE)
    lake.put("My Folder-ü/it's (2).csv", PEOPLE)
    lake.put("My Folder-ü/empty.csv", "")
    lake.crawl(lake.crawler(CSV))
    assert list(lake.tables()) == ["my_folder__"]
    assert count(lake, "my_folder__") == 4


def test_single_column_needs_the_classifiers_leave(lake):
    lake.put("words/w.csv", "word\nyes\nno\n")
    lake.crawl(lake.crawler(CSV))
    assert lake.tables() == {}
    lake.crawl(lake.crawler(CSV | {"AllowSingleColumn": True}))
    assert lake.columns("words") == {"word": "string"}
    assert count(lake, "words") == 2


def test_empty_prefix_and_unknown_formats_make_no_table(lake):
    lake.put("pictures/p.png", b"\x89PNG\r\n\x1a\n\0\0")
    assert lake.crawl(lake.crawler(CSV))["Status"] == "SUCCEEDED"
    assert lake.crawl(lake.crawler(CSV, path="nothing/"))["Status"] == "SUCCEEDED"
    assert lake.tables() == {}


def test_table_prefix_and_one_place_one_table(lake):
    lake.put("a/people/p.csv", PEOPLE)
    lake.put("b/people/p.csv", PEOPLE)
    lake.crawl(lake.crawler(CSV, path="a/", TablePrefix="x_"))
    lake.crawl(lake.crawler(CSV, path="b/", TablePrefix="x_"))
    names = sorted(lake.tables())
    assert names[0] == "x_people" and names[1].startswith("x_people_") and len(names) == 2


def test_unlike_files_in_one_folder_are_a_table_each(lake):
    lake.put("mixed/people.csv", PEOPLE)
    lake.put("mixed/fruit.csv", "kind,price\napple,1.5\n")
    lake.crawl(lake.crawler(CSV))
    assert sorted(lake.tables()) == ["fruit_csv", "people_csv"]


@pytest.mark.parametrize(
    "grouping, tables",
    [
        ({"TableLevelConfiguration": 2}, ["one", "two"]),
        ({"TableLevelConfiguration": 3}, ["x", "x_"]),
        (
            {"TableLevelConfiguration": 2, "TableGroupingPolicy": "CombineCompatibleSchemas"},
            ["one", "two"],
        ),
        ({"TableGroupingPolicy": "CombineCompatibleSchemas"}, ["runbook_test_lake"]),
    ],
)
def test_table_level_and_grouping_policy(lake, grouping, tables):
    lake.put("one/x/p.csv", PEOPLE)
    lake.put("two/x/p.csv", PEOPLE)
    configuration = json.dumps({"Version": 1.0, "Grouping": grouping})
    lake.crawl(lake.crawler(CSV, Configuration=configuration))
    found = sorted(lake.tables())
    assert len(found) == len(tables)
    assert all(name.startswith(start) for name, start in zip(found, tables, strict=True))


def test_hive_partitions(lake):
    name = lake.crawler(CSV, SchemaChangePolicy={"DeleteBehavior": "DELETE_FROM_DATABASE"})
    lake.put("ticks/dt=2024-01-01/a.csv", "ticker,price\nA,1.5\nB,2\n")
    lake.crawl(name)
    lake.put("ticks/dt=2024-01-02/a.csv", "ticker,price\nA,3\n")
    lake.crawl(name)
    assert lake.tables()["ticks"]["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    by_day = "SELECT dt, count(*) FROM ticks GROUP BY dt ORDER BY dt"
    assert lake.rows(by_day) == [("2024-01-01", 2), ("2024-01-02", 1)]
    lake.s3.delete_object(Bucket=lake.name, Key="ticks/dt=2024-01-01/a.csv")
    lake.crawl(name)
    assert lake.rows(by_day) == [("2024-01-02", 1)]


def test_one_folder_is_one_table_whatever_else_is_in_the_bucket(lake):
    """As `Crawler(key_prefix="stocks/", one_table=True)` describes it: bucket level 1, folder level 2."""
    for day in ("2026-01-02", "2026-01-03"):
        for n in (1, 2):
            lake.put(f"stocks/dt={day}/{n}.csv", "ticker,price\nA,1.5\nB,2\n")
    lake.put("rejected/stocks/dt=2026-01-02/3.csv.json", '{"line": 1, "reason": "no number"}\n')
    grouping = {"TableGroupingPolicy": "CombineCompatibleSchemas", "TableLevelConfiguration": 2}
    configuration = json.dumps({"Version": 1.0, "Grouping": grouping})
    lake.crawl(lake.crawler(CSV, path="stocks/", Configuration=configuration))
    assert list(lake.tables()) == ["stocks"]
    assert lake.tables()["stocks"]["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    by_day = "SELECT dt, count(*) FROM stocks GROUP BY dt ORDER BY dt"
    assert lake.rows(by_day) == [("2026-01-02", 4), ("2026-01-03", 4)]


def test_json_lines(lake):
    lake.put("summaries/a.json", '{"name": "a", "rows": 3, "mean": 1.5, "ok": true, "none": null}')
    lake.put("summaries/b.json", '{"name": "b", "rows": 4, "mean": 2, "ok": false, "tags": ["x"]}\n')
    lake.crawl(lake.crawler())  # a CSV classifier would come first, and take the lines for CSV
    assert lake.columns("summaries") == {
        "name": "string",
        "rows": "int",
        "mean": "double",
        "ok": "boolean",
        "none": "string",
        "tags": "array<string>",
    }
    assert lake.rows("SELECT sum(rows), avg(mean) FROM summaries") == [(7, 1.75)]


def test_a_role_without_rights_fails_the_crawl(lake):
    lake.put("people/p.csv", PEOPLE)
    last = lake.crawl(lake.crawler(CSV, role=lake.role(actions=["glue:*", "s3:ListBucket"])))
    assert last["Status"] == "FAILED"
    assert f"s3:GetObject on arn:aws:s3:::{lake.name}/*" in last["ErrorMessage"]
    last = lake.crawl(lake.crawler(CSV, role=lake.role(actions=["s3:*"])))
    assert "glue:CreateTable" in last["ErrorMessage"]
    last = lake.crawl(lake.crawler(CSV, role=lake.role(service="lambda.amazonaws.com")))
    assert "let it trust glue.amazonaws.com" in last["ErrorMessage"]
    assert lake.tables() == {}


def test_a_missing_bucket_fails_the_crawl(lake):
    name = lake.crawler(CSV)
    lake.glue.update_crawler(
        Name=name, Targets={"S3Targets": [{"Path": "s3://runbook-test-no-such-bucket/"}]}
    )
    last = lake.crawl(name)
    assert last["Status"] == "FAILED" and "NoSuchBucket" in last["ErrorMessage"]


def test_an_unknown_crawler_is_glues_own_error(lake):
    with pytest.raises(lake.glue.exceptions.EntityNotFoundException):
        lake.glue.start_crawler(Name="nobody")


def test_gzip_is_read(lake):
    lake.put("people/p.csv.gz", gzip.compress(PEOPLE.encode()))
    lake.crawl(lake.crawler(CSV))
    assert lake.columns("people") == {"name": "string", "age": "bigint"}
    assert count(lake, "people") == 2


ODD_FOLDERS = (
    *("a?b", "a*b", "**", "[ab]", "{a,b}", "a#b", "a%b", "a%20b", "a b", "a+b", "ü", "a'b", 'a"b', "a\\b"),
    *("a;b", "~", "a:b", "a&b", "a\nb", "a\x07b", "a//b", "/etc", "x" * 300),
)


def test_folders_of_any_name_are_read(lake):
    lake.put("plain/p.csv", PEOPLE)
    lake.crawl(lake.crawler(CSV, path="plain/"))
    plain = lake.tables()["plain"]
    for number, folder in enumerate(ODD_FOLDERS):
        for key in (f"{folder}/p.csv", f"{folder}/{folder[:1]}?*.csv", f"deeper/{folder}/p.csv"):
            lake.put(f"in/{number}/{key}", PEOPLE)
        for name, below in ((f"here{number}", f"{folder}/"), (f"above{number}", "")):
            storage = plain["StorageDescriptor"] | {"Location": f"s3://{lake.name}/in/{number}/{below}"}
            table = {"Name": name, "StorageDescriptor": storage, "Parameters": plain["Parameters"]}
            lake.root("glue").create_table(DatabaseName=lake.database, TableInput=table)
    for number, folder in enumerate(ODD_FOLDERS):
        assert count(lake, f"here{number}") == 4, folder
        assert count(lake, f"above{number}") == 6, folder


def test_a_folder_without_a_name_is_crawled(lake):
    lake.put("in//p.csv", PEOPLE)
    assert lake.crawl(lake.crawler(CSV))["Status"] == "SUCCEEDED"


def test_a_folder_is_not_taken_for_another_one(lake):
    lake.put("a/p.csv", PEOPLE)
    for folder in ("a?b", "a#b"):
        lake.put(f"{folder}/p.csv", "name,age\nCleo,1\n")
    lake.crawl(lake.crawler(CSV))
    names = {table["StorageDescriptor"]["Location"]: name for name, table in lake.tables().items()}
    for folder, rows in (("a", 2), ("a?b", 1), ("a#b", 1)):
        assert count(lake, names[f"s3://{lake.name}/{folder}/"]) == rows, folder


@pytest.mark.parametrize("value", ["a?b", "50%", "%41", "a b", "a=b", "x+y", "ü"])
def test_partitions_of_any_value_are_read(lake, value):
    lake.put(f"p/kind={value}/p.csv", PEOPLE)
    lake.put("p/kind=other/p.csv", PEOPLE)
    lake.crawl(lake.crawler(CSV, path="p/"))
    assert lake.rows("SELECT kind FROM p GROUP BY kind ORDER BY kind = 'other'") == [(value,), ("other",)]


def test_what_is_archived_is_left_out_and_named(lake):
    lake.put("people/p.csv", PEOPLE)
    for storage_class in ("GLACIER", "DEEP_ARCHIVE"):
        key = f"people/{storage_class}\n.csv"
        lake.s3.put_object(Bucket=lake.name, Key=key, Body=PEOPLE.encode(), StorageClass=storage_class)
    assert lake.crawl(lake.crawler(CSV))["Status"] == "SUCCEEDED"
    assert count(lake, "people") == 2
    said = [line for line in lake.said if "left out" in line]
    assert len(said) == 2
    assert r"people/GLACIER\n.csv: archived (GLACIER)" in said[1]


def test_what_is_under_a_customers_key_is_left_out_and_named(lake):
    lake.put("people/p.csv", PEOPLE)
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    lake.s3.put_object(Bucket=lake.name, Key="people/secret.csv", Body=PEOPLE.encode(), **key)
    assert lake.crawl(lake.crawler(CSV))["Status"] == "SUCCEEDED"
    assert any("people/secret.csv" in line and "Server Side Encryption" in line for line in lake.said)
