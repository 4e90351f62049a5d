"""Tables of any shape: every type, key, empty value and format, as *consume* and its audit read them."""

import csv
import gzip
import io
import itertools
import json
import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.consuming import Consume, described
from support.handler_support import load_handler

from lib.operate.audits.history import Grace
from lib.operate.audits.table_files import StoredFiles
from lib.operate.audits.table_rows import NotOfTableError, rows_of
from lib.operate.audits.table_shape import Shape, held
from lib.s3.objects import Place

load_handler("consume")
from boto3.dynamodb.types import TypeSerializer  # noqa: E402
from column_values import BadRowError  # noqa: E402
from csv_rows import PoisonFileError, read_rows  # noqa: E402
from items import ItemMaker  # noqa: E402
from json_rows import read_json_rows  # noqa: E402
from table_description import TableDescription  # noqa: E402

KINDS = ["string", "integer", "integer>=0", "decimal", "decimal>=0", "boolean", "timestamp", "json"]
EVERY = [f"{kind}s {kind}" for kind in KINDS]
numbers = itertools.count()


def table(columns=("id string", *EVERY), hash_key="id", range_key="", **more):
    return described(
        **{"generate": False, "columns": list(columns), "hash_key": hash_key, "range_key": range_key, **more}
    )


def made(settings, body, days=0):
    """Return what *consume* makes of each row: an item as DynamoDB writes it, or why there is none."""
    description = TableDescription.read(settings.table_description)
    stream = io.BytesIO(body if isinstance(body, bytes) else body.encode())
    if settings.file_format == "csv":
        rows = read_rows(stream)
        maker = ItemMaker.from_header(description, next(rows, None), "key", days)
    else:
        rows, maker = read_json_rows(stream), ItemMaker(description, (), "key", days)
    found = []
    for row in rows:
        try:
            found.append({n: held(TypeSerializer().serialize(v)) for n, v in maker.item(row).items()})
        except BadRowError as error:
            found.append(str(error))
    return found


def audited(settings, body, days=0):
    """Return what the audit reads of each row: an item without `source_key`, or None."""
    shape = Shape.read(settings.table_description, days)
    stream = io.BytesIO(body if isinstance(body, bytes) else body.encode())
    return [row.item or None for row in rows_of(stream, iter(()), shape)]


def both(settings, body, days=0):
    """Return what both make of rows, who must agree: items, or None."""
    items = [item if isinstance(item, dict) else None for item in made(settings, body, days)]
    plain = [item and {n: v for n, v in item.items() if n != "source_key"} for item in items]
    assert audited(settings, body, days) == plain
    return plain


def one(kind, text, quote=True, **more):
    """Return what both make of a value of a type in CSV: the value, or None."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["id", "v"], ["x", text]])
    (item,) = both(table(["id string", f"v {kind}"], **more), out.getvalue())
    return item and item.get("v", ("absent",))


TAKEN = {
    "string": [(" a ", ("S", " a ")), ("🚀", ("S", "🚀")), ("a\nb", ("S", "a\nb")), ("null", ("S", "null"))],
    "integer": [("-7", ("N", Decimal(-7))), (" +007\t", ("N", Decimal(7))), ("-0", ("N", Decimal(0)))],
    "integer>=0": [("0", ("N", Decimal(0))), ("9" * 38, ("N", Decimal("9" * 38)))],
    "decimal": [("-1.50", ("N", Decimal("-1.5"))), ("1e-05", ("N", Decimal("0.00001"))), ("-0.0", ("N", 0))],
    "decimal>=0": [(".5", ("N", Decimal("0.5"))), ("1E125", ("N", Decimal("1E125")))],
    "boolean": [("true", ("BOOL", True)), (" FALSE ", ("BOOL", False)), ("True", ("BOOL", True))],
    "timestamp": [("2026-01-02", ("S", "2026-01-02T00:00:00.000Z"))],
    "json": [
        (
            '{"a": [1.50, null, true, ""]}',
            ("M", {"a": ("L", [("N", Decimal("1.5")), ("NULL", True), ("BOOL", True), ("S", "")])}),
        ),
        ("12345678901234567890123456789012345678", ("N", Decimal("12345678901234567890123456789012345678"))),
        ('"text"', ("S", "text")),
    ],
}
NOT_TAKEN = {
    "string": [""],
    "integer": ["", "1.0", "1e3", "1_0", "1,000", "٣", "9" * 39, "true", "0x1", "--1"],
    "integer>=0": ["-1", "-0"],
    "decimal": ["", "NaN", "Infinity", "1,5", "1_0", "$1", "1E126", "1E-131", "1." + "0" * 38, "."],
    "decimal>=0": ["-0.1", "-0"],
    "boolean": ["", "1", "0", "yes", "no", "t", "tRUE", "truе"],
    "timestamp": ["", "1711111200", "2026-01-02T15:04:05.1234Z", "2026-02-29", "20260102"],
    "json": [
        *(
            "",
            "{",
            "{'a': 1}",
            "NaN",
            '{"a": Infinity}',
            '{"a": 1, "a": 1}',
            '{"": 1}',
            "1e999",
            "[1,]",
            "01",
        ),
        *(
            '"\\ud83d"',
            '{"\\ud83d": 1}',
            "1." + "0" * 38,
            "[" * 40 + "]" * 40,
            "[" * 5000 + "]" * 5000,
            "null",
        ),
    ],
}


@pytest.mark.parametrize(("kind", "text", "value"), [(k, t, v) for k, each in TAKEN.items() for t, v in each])
def test_values_that_are_taken(kind, text, value):
    assert one(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in NOT_TAKEN.items() for text in texts]
)
def test_values_that_are_not(kind, text):
    assert one(kind, text) is None


ANY = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from([text for texts in NOT_TAKEN.values() for text in texts]),
    st.sampled_from([text for each in TAKEN.values() for text, _ in each]),
    st.decimals(allow_nan=True).map(str),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=5).map(
        json.dumps
    ),
)


@settings(max_examples=200)
@given(st.lists(ANY, min_size=len(KINDS), max_size=len(KINDS)), st.sampled_from(["reject", "omit", "null"]))
def test_any_text_of_any_type_is_read_by_the_audit_as_by_consume(texts, empty_values):
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows(
        [["id", *(f"{k}s" for k in KINDS), "more"], ["x", *texts, " y "]]
    )
    for position, kind in enumerate(KINDS):
        few = table(["id string", f"{kind}s {kind}"], empty_values=empty_values)
        (item,) = both(few, out.getvalue())
        if item and f"{kind}s" in item and kind == "string":
            assert item["strings"] in (("S", texts[position]), ("NULL", True))
    both(table(empty_values=empty_values), out.getvalue())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200)
@given(
    st.dictionaries(st.sampled_from(["id", *(f"{k}s" for k in KINDS), "more", "More", "PK", ""]), JSON | ANY),
    st.sampled_from(["reject", "omit", "null"]),
    st.booleans(),
)
@example({"id": "x", "strings": 1}, "reject", True)
@example({"id": "x", "jsons": "{}"}, "omit", True)
@example({"id": "\ud83d", "jsons": "\ud83d"}, "omit", True)
def test_any_json_of_any_type_is_read_by_the_audit_as_by_consume(found, empty_values, ascii):
    try:
        line = json.dumps(found, ensure_ascii=ascii).encode()
    except UnicodeEncodeError:
        return
    for kind in KINDS:
        few = table(["id string", f"{kind}s {kind}"], empty_values=empty_values, file_format="json lines")
        both(few, b'{"id": "first"}\n' + line + b"\r\n\n" + line)


def test_json_lines_keep_what_json_has_and_say_what_is_none():
    body = (
        '\ufeff{"id": "a", "n": 1.50, "more": {"x": [1, "1", null]}, "zip": "01234", "no": null}\n'
        '\n{"id": "b", "n": "2.50"}\r\n'
        '{"id": "c", "n": 3} trailing\n[1]\n{"id": "d", "n": 1, "n": 2}\n{"id": 7, "n": 1}\n'
        '{"id": "e", "n": true}\n{"id": "f", "N": 1, "n": 1}\n{"n": 1}\n{"id": "g"}\n{"id": "h", "n": 1'
    )
    found = made(table(["id string", "n decimal"], file_format="json lines"), body)
    assert found[0] == {
        "PK": ("S", "a"),
        "n": ("N", Decimal("1.50")),
        "more": ("M", {"x": ("L", [("N", 1), ("S", "1"), ("NULL", True)])}),
        "zip": ("S", "01234"),
        "no": ("NULL", True),
        "source_key": ("S", "key"),
    }
    assert found[1]["n"] == ("N", Decimal("2.5"))
    assert found[2:] == [
        "not JSON: Extra data, at character 21",
        "no JSON object",
        "not JSON: a name stands twice in an object",
        "id is not a text",
        "n is not a number",
        "it names a column twice, upper or lower case",
        "id is empty",
        "n is empty",
        "not JSON: Expecting ',' delimiter, at character 19",
    ]


@pytest.mark.parametrize("body", [b"id,n\na,1\n", b"[]\n", b"\x89PNG\r\n", b"\xff\n", b"{"])
def test_another_kind_of_file_is_no_json_lines(body):
    few = table(["id string"], file_format="json lines")
    with pytest.raises(PoisonFileError, match="the first line is|not UTF-8"):
        made(few, body)
    with pytest.raises(NotOfTableError):
        audited(few, body)


def key_of(settings, **values):
    out = io.StringIO()
    csv.writer(out).writerows([values.keys(), values.values()])
    (item,) = made(settings, out.getvalue())
    both(settings, out.getvalue())
    return item if isinstance(item, str) else [item[name] for name in ("PK", "SK") if name in item]


def test_keys_of_one_column_and_of_several():
    columns = [
        "country string",
        "city string",
        "day timestamp",
        "level integer",
        "rate decimal",
        "open boolean",
    ]
    values = {
        "country": " DE ",
        "city": "Köln",
        "day": "2026-01-02",
        "level": "007",
        "rate": "1.50",
        "open": "True",
    }
    for hash_key, range_key, found in [
        ("country", "", [("S", "DE")]),
        ("country", "level", [("S", "DE"), ("N", 7)]),
        ("rate", "day", [("N", Decimal("1.5")), ("S", "2026-01-02T00:00:00.000Z")]),
        ("{country}#{city}", "v{level}", [("S", "DE#Köln"), ("S", "v7")]),
        (
            "open",
            "{day}/{level}/{rate}/{open}",
            [("S", "true"), ("S", "2026-01-02T00:00:00.000Z/7/1.5/true")],
        ),
    ]:
        assert key_of(table(columns, hash_key, range_key), **values) == found


@pytest.mark.parametrize(
    ("country", "city", "reason"),
    [
        ("", "x", "country is empty"),
        (" ", "x", "country is empty"),
        ("x", "", "city is empty"),
        ("a#b", "c", "country has the text that follows it in the key"),
        ("a\u200b", "c", "country has a character that cannot be seen"),
        ("a", "c\x00", "city has a character that cannot be seen"),
        ("a" * 2000, "c" * 48, "the key of country and city is longer than 2048 bytes"),
    ],
)
def test_keys_that_are_none(country, city, reason):
    few = table(["country string", "city string"], "{country}#{city}", empty_values="omit")
    assert key_of(few, country=country, city=city) == reason


def test_a_range_key_may_be_shorter_only():
    few = table(["a string", "b string"], "a", "b")
    assert key_of(few, a="x" * 2048, b="y" * 1024) == [("S", "x" * 2048), ("S", "y" * 1024)]
    assert key_of(few, a="x", b="y" * 1025) == "b is longer than 1024 bytes"


@given(
    st.lists(st.text("ab#-", min_size=1, max_size=4), min_size=4, max_size=4),
    st.sampled_from(["#", "##", "#-", "aa"]),
)
def test_no_two_rows_have_one_key_that_are_not_of_one_key(parts, between):
    few = table(["x string", "y string"], f"{{x}}{between}{{y}}")
    first, second = (key_of(few, x=x, y=y) for x, y in (parts[:2], parts[2:]))
    assert isinstance(first, str) or first != second or parts[:2] == parts[2:]


@pytest.mark.parametrize(
    ("empty_values", "found"),
    [("reject", "n is not a number"), ("omit", None), ("null", ("NULL", True))],
)
def test_empty_values(empty_values, found):
    few = table(["id string", "n decimal", "s string"], empty_values=empty_values)
    (item,) = made(few, "id,n,s,more\nx,,,\n")
    if isinstance(found, str):
        assert item == found
    else:
        assert (item.get("n"), item.get("s"), item["more"]) == (found, found, ("S", ""))
    both(few, "id,n,s,more\nx,,,\n")


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1)).map(
        lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
    ),
    st.sampled_from([0, 30]),
)
def test_items_expire_from_a_column_s_time(time, days):
    few = table(["id string", "until timestamp"], time_to_live_column="until", time_to_live_days=days)
    (item,) = both(few, f"id,until\nx,{time.isoformat()}Z\n", days)
    assert item["expires"] == ("N", math.ceil(time.replace(tzinfo=UTC).timestamp()) + days * 86_400)


def test_what_has_no_time_does_not_expire_and_a_key_may_be_the_time():
    few = table(["id string", "until timestamp"], time_to_live_column="until", empty_values="omit")
    (item,) = both(few, "id,until\nx,\n")
    assert "expires" not in item
    few = table(["id string", "until timestamp"], range_key="until", time_to_live_column="until")
    (item,) = both(few, "id,until\nx,1970-01-02\n")
    assert item == {"PK": ("S", "x"), "SK": ("S", "1970-01-02T00:00:00.000Z"), "expires": ("N", 86_400)}


def test_reserved_words_and_odd_names_are_names_as_others():
    names = ["name", "timestamp", "size", "date", "ü b", "#a", "a:b", "a.b", "SELECT", "0"]
    header, values = ",".join(["id", *names]), ",".join(["x", *map(str, range(len(names)))])
    (item,) = both(table(["id string", *(f"{name} integer" for name in names[:5])]), f"{header}\n{values}\n")
    assert {name: item[name][1] for name in names} == {
        **{n: i for i, n in enumerate(names[:5])},
        **{n: str(i + 5) for i, n in enumerate(names[5:])},
    }


def test_items_up_to_400_kb_and_no_larger():
    few = table(["id string", "j json"], file_format="json lines")
    for size, fits in ((409_000, True), (409_600, False)):
        line = json.dumps({"id": "x", "j": ["y" * (size // 4)] * 4})
        (found,) = made(few, line)
        assert (found == "larger than 400 KB") != fits


@pytest.fixture(scope="module")
def events(operator, as_handler):
    return Consume.make(
        operator,
        as_handler,
        generate=False,
        key_prefix="events/",
        file_format="json lines",
        columns=["user string", "seq integer", "at timestamp", "body json"],
        hash_key="{user}",
        range_key="seq",
        empty_values="omit",
        time_to_live_column="at",
        time_to_live_days=1,
    )


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.fixed_dictionaries({"seq": st.integers(-5, 5), "body": JSON, "at": st.just("2099-01-01")}),
        max_size=30,
    ),
    st.booleans(),
)
def test_what_is_stored_is_what_the_audit_expects(events, rows, compress):
    """In a real table the audit finds every row where it should be, and would find one that is not."""
    user, key = f"u{next(numbers)}", f"{next(numbers)}.json"
    body = "".join(json.dumps({"user": user, **row}) + "\n" for row in rows).encode()
    assert events.deliver(events.put(key, gzip.compress(body) if compress else body)) == []
    rejected = f"rejected/events/{key}"
    if events.rejections(key):
        events.files.put(rejected, events.rejected.read(rejected)["body"])
    files, shape = (
        Place(events.files.client, events.files.bucket),
        Shape.read(events.settings.table_description, 1),
    )
    judge = StoredFiles(files, events.dynamodb, events.table.name, Grace(0), shape)
    assert judge.look(f"events/{key}").state == "same"
    if stored := events.items(user):
        events.table.delete_item(Key={"PK": user, "SK": stored[-1]["SK"]})
        assert judge.look(f"events/{key}").state == "missing"


def test_a_file_of_another_format_fails_alone(events):
    with pytest.raises(BatchProcessingError, match="Not stored"):
        events.deliver(events.put("a.csv", "user,seq\na,1\n"))
