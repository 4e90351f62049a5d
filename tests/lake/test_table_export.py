"""DynamoDB's export, turned into rows, on the local AWS: what is in the table is what Athena finds."""

import base64
import gzip
import json
import secrets
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.base.errors import RunbookError, WaitError
from lib.engine.stack import Stack
from lib.lake import table_export
from lib.lake.query import Athena
from lib.resources import athena, dynamodb, glue, s3

HERE = "us-east-1"
SERIALIZER = TypeSerializer()
ROWS = "lake/rows/"

# What DynamoDB takes as numbers:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-120, 80),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
binaries = st.binary(min_size=1, max_size=20)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, binaries)
sets = st.one_of(
    st.sets(numbers, min_size=1, max_size=4),
    st.sets(texts.filter(len), min_size=1, max_size=4),
    st.sets(binaries, min_size=1, max_size=4),
)
values = st.recursive(
    st.one_of(scalars, sets),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts.filter(len), inner, max_size=4),
    max_leaves=12,
)
items = st.dictionaries(texts.filter(lambda name: name and name != "id"), values, max_size=6)


def plain(value):
    """What a row has for a value, as Python reads JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, set):
        converted = [plain(item) for item in value]
        return sorted(converted)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return value


class Lake:
    """A table, a bucket for its rows, and an analyst who reads them."""

    def __init__(self, stack, columns):
        self.target, self.stack = stack.target, stack
        self.table = stack.add(dynamodb.Table("objects", HERE, partition_key="id"))
        self.bucket = stack.add(s3.Bucket("lake", HERE))
        database = stack.add(glue.Database("tables", HERE))
        stack.add(
            glue.Table(
                "objects", HERE, database=database, bucket=self.bucket, key_prefix=ROWS, columns=columns
            )
        )
        results = stack.add(s3.Bucket("results", HERE))
        workgroup = stack.add(athena.WorkGroup("queries", HERE, results=results))
        stack.apply()
        self.s3, self.dynamodb = self.target.client("s3", HERE), self.target.client("dynamodb", HERE)
        self.analyst = Athena(self.target, HERE, workgroup=workgroup.name, database=database.name, quiet=True)

    def put(self, **item):
        typed = {name: SERIALIZER.serialize(value) for name, value in item.items()}
        self.dynamodb.put_item(TableName=self.table.name, Item=typed)

    def delete(self, key):
        self.dynamodb.delete_item(TableName=self.table.name, Key={"id": {"S": key}})

    def export(self):
        return table_export.export(self.target, self.table, self.bucket, "lake/")

    def keys(self, prefix):
        found = self.s3.list_objects_v2(Bucket=self.bucket.name, Prefix=prefix).get("Contents", [])
        return [item["Key"] for item in found]

    def body(self, key):
        return self.s3.get_object(Bucket=self.bucket.name, Key=key)["Body"].read()

    def rows(self):
        lines = b"".join(gzip.decompress(self.body(key)) for key in self.keys(ROWS)).splitlines()
        return [json.loads(line, parse_float=Decimal) for line in lines]


@pytest.fixture
def lake(stack):
    columns = {
        "id": "string",
        "bytes": "bigint",
        "price": "decimal(38,9)",
        "preview": "string",
        "live": "boolean",
    }
    return Lake(stack, columns)


@pytest.fixture(scope="module", name="any_lake")
def any_lake_fixture(target, parameters):
    from support.cleanup import remove

    stack = Stack(target, parameters, f"t{secrets.token_hex(4)}")
    yield Lake(stack, {"id": "string"})
    remove(stack)


def test_athena_finds_what_is_in_the_table(lake):
    lake.put(
        id="ä/1 2.txt", bytes=2**53 + 1, price=Decimal("1234567890123456789.000000001"), preview='a\n"b"'
    )
    lake.put(id="empty", live=True, preview=None)
    exported = lake.export()
    found = lake.analyst.query("SELECT * FROM objects ORDER BY bytes")
    assert found.id.tolist() == ["ä/1 2.txt", "empty"]
    assert found.bytes.tolist()[0] == 2**53 + 1
    assert found.preview.tolist()[0] == 'a\n"b"'
    assert found.live.tolist()[1] is True
    assert found.isna().sum().tolist() == [0, 1, 1, 1, 1]
    assert exported.rows == 2
    assert exported.bytes == found.attrs["scanned_bytes"]
    assert abs((exported.time.now("UTC") - exported.time).total_seconds()) < 60
    assert str(exported.time.tz) == "UTC"


def test_each_export_is_the_whole_state(lake):
    lake.put(id="a")
    lake.put(id="b")
    assert lake.export().rows == 2
    lake.delete("a")
    assert lake.export().rows == 1
    assert lake.rows() == [{"id": "b"}]
    lake.delete("b")
    exported = lake.export()
    assert (exported.rows, exported.bytes) == (0, 0)
    assert lake.keys(ROWS) == []
    assert lake.analyst.query("SELECT count(*) AS n FROM objects")["n"].tolist() == [0]


def test_of_two_exports_at_once_the_later_one_stays(lake):
    lake.put(id="a")
    later = f"{ROWS}99999999999999-ffffffff-00000.json.gz"
    lake.s3.put_object(Bucket=lake.bucket.name, Key=later, Body=gzip.compress(b'{"id":"later"}\n'))
    lake.export()
    assert lake.keys(ROWS) == [later]


def test_without_point_in_time_recovery(lake, monkeypatch):
    monkeypatch.setattr(table_export, "BACKUPS_S", 2)
    lake.dynamodb.update_continuous_backups(
        TableName=lake.table.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    with pytest.raises(lake.dynamodb.exceptions.PointInTimeRecoveryUnavailableException, match="not enabled"):
        lake.export()
    assert lake.keys("lake/") == []


def test_without_the_bucket(lake):
    lake.bucket.delete(lake.s3, lake.bucket.name)
    with pytest.raises(RunbookError, match="S3NoSuchBucket"):
        lake.export()


def test_bounded_wait(lake):
    with pytest.raises(WaitError, match="within 0 s"):
        table_export.export(lake.target, lake.table, lake.bucket, "lake/", timeout_s=0)


def test_missing_items_are_an_error(lake, monkeypatch):
    lake.put(id="a")
    real = lake.dynamodb.describe_export
    monkeypatch.setattr(
        lake.dynamodb,
        "describe_export",
        lambda **call: {
            "ExportDescription": real(**call)["ExportDescription"]
            | {"ItemCount": 2, "ExportStatus": "COMPLETED"}
        },
    )
    with pytest.raises(RunbookError, match="exported 2 items, but 1"):
        lake.export()
    assert lake.keys(ROWS) == []


def test_an_item_that_can_be_no_row_is_named_and_holds_up_no_other(lake, monkeypatch, capsys):
    for name in "abc":
        lake.put(id=name)
    real = table_export.row

    def row(line):
        return real(line.replace(b'"S"', b'"X"') if b'"b"' in line else line)

    monkeypatch.setattr(table_export, "row", row)
    exported = lake.export()
    assert (exported.rows, exported.left_out) == (2, 1)
    assert sorted(each["id"] for each in lake.rows()) == ["a", "c"]
    told = capsys.readouterr().out
    assert "left out of the export: 'lake/export/AWSDynamoDB/" in told
    assert "a value is of type X" in told


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(items, min_size=1, max_size=20))
def test_any_item_survives(any_lake, drawn):
    wanted = {}
    for number, item in enumerate(drawn):
        any_lake.put(id=str(number), **item)
        wanted[str(number)] = {"id": str(number), **plain(item)}
    for number in range(len(drawn), 20):
        any_lake.delete(str(number))
    any_lake.export()
    assert {row["id"]: row for row in any_lake.rows()} == wanted


@given(st.dictionaries(texts, values, max_size=6))
def test_any_item_becomes_a_row_on_one_line(item):
    typed = {name: SERIALIZER.serialize(value) for name, value in item.items()}
    encoded = json.dumps({"Item": typed}, default=lambda binary: base64.b64encode(bytes(binary)).decode())
    text = table_export.row(encoded)
    assert "\n" not in text
    assert "\r" not in text
    assert json.loads(text, parse_float=Decimal) == plain(item)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1E+3", "1000"),
        ("-0", "0"),
        ("0.10", "0.10"),
        ("1E-130", "1E-130"),
        ("9" * 38, "9" * 38),
        ("0." + "1" * 38, "0." + "1" * 38),
    ],
)
def test_numbers_are_exact(number, text):
    assert table_export.row(json.dumps({"Item": {"n": {"N": number}}})) == f'{{"n":{text}}}'


def test_unknown_types_are_refused():
    with pytest.raises(RunbookError, match="type X"):
        table_export.row('{"Item":{"n":{"X":"1"}}}')
