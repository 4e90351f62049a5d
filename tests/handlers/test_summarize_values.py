"""That no value of a file becomes another value in its summary: numbers, codes, dates and letters."""

import codecs
import re
import sys
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.handler_support import load_handler

NULLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null"]
GUESS, MOSTLY = "guess", "mostly valid bytes"
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")


@pytest.fixture(scope="module")
def summarize(tmp_path_factory):
    """Return a function that profiles bytes: a namespace of all that is found, or the reason and the line."""
    load_handler("summarize")
    engine = sys.modules["duckdb_profile"]
    path = tmp_path_factory.mktemp("csv") / "data.csv"

    def run(body):
        path.write_bytes(body)
        try:
            how, rows, columns = engine.profile_file(path)
        except engine.RejectedError as error:
            return SimpleNamespace(reason=error.reason, line=error.line)
        return SimpleNamespace(
            **how, rows=rows, columns=columns, names=[each["name"] for each in columns], reason=None
        )

    return run


def profile_of(summarize, values):
    """Return the profile of a column of these values."""
    found = summarize("\n".join(["v,w", *(f'"{value}",x' for value in values)]).encode())
    assert (found.reason, found.rows) == (None, len(values))
    return found.columns[0]


@pytest.mark.parametrize(
    ("values", "kind", "distinct", "least", "most"),
    [
        # identifiers
        (["00501", "02134", "2134", "94107"], "varchar", 4, "00501", "94107"),
        (["00", "0"], "varchar", 2, "0", "00"),
        (["-01", "1"], "varchar", 2, "-01", "1"),
        (["01.5", "2"], "varchar", 2, "01.5", "2"),
        (["+491701234567", "491701234567"], "varchar", 2, "+491701234567", "491701234567"),
        (["20240101", "20240102"], "bigint", 2, "20240101", "20240102"),
        # whole numbers
        ([str(2**63 - 1), str(-(2**63))], "bigint", 2, str(-(2**63)), str(2**63 - 1)),
        ([str(2**63), "1"], "decimal(38,0)", 2, "1", str(2**63)),
        ([str(10**20 + n) for n in range(9)], "decimal(38,0)", 9, str(10**20), str(10**20 + 8)),
        (["9" * 38, "-" + "9" * 38], "decimal(38,0)", 2, "-" + "9" * 38, "9" * 38),
        (["9" * 39, "1"], "varchar", 2, "1", "9" * 39),
        (["100000000000000000000"], "decimal(38,0)", 1, "1" + "0" * 20, "1" + "0" * 20),
        (["9007199254740993", "0.5"], "decimal(38,1)", 2, "0.5", "9007199254740993.0"),
        (["-0", "0"], "bigint", 1, "0", "0"),
        # decimals
        (["12345678901234567.00000001", "1"], "decimal(38,8)", 2, "1.00000000", "12345678901234567.00000001"),
        (["0.1234567890123456789"], "decimal(38,19)", 1, "0.1234567890123456789", "0.1234567890123456789"),
        (["48.053808600000004"], "decimal(38,15)", 1, "48.053808600000004", "48.053808600000004"),
        (["0.30000000000000004", "0.3"], "double", 2, "0.3", "0.30000000000000004"),
        (["1.10", "1.1", "1.9"], "double", 2, "1.1", "1.9"),
        (["1.", ".5", "1e5", "-2E-05"], "double", 4, "-2e-05", "100000.0"),
        (["-0.0", "0.0", "0", "-0"], "double", 1, "0.0", "0.0"),
        (["0." + "1" * 38], "varchar", 1, "0." + "1" * 38, "0." + "1" * 38),
        (["1E400", "1e-400"], "varchar", 2, "1E400", "1e-400"),
        (["1" * 20, "1e3"], "varchar", 2, "1" * 20, "1e3"),
        # words and signs that some take for numbers
        (["Infinity", "inf", "-inf"], "varchar", 3, "-inf", "inf"),
        (["0x10", "1_000", "1,000"], "varchar", 3, "0x10", "1_000"),
        (["٣", "１２"], "varchar", 2, "٣", "１２"),
        (["t", "yes"], "varchar", 2, "t", "yes"),
        # dates
        (["0000-12-30", "0001-01-01", "9999-12-31"], "date", 3, "0000-12-30", "9999-12-31"),
        (["0000-01-01 10:00:00.50"], "timestamp", 1, "0000-01-01 10:00:00.5", "0000-01-01 10:00:00.5"),
        (["10000-01-01", "2024-02-30"], "varchar", 2, "10000-01-01", "2024-02-30"),
        (["2024-01-01 24:00:00"], "varchar", 1, "2024-01-01 24:00:00", "2024-01-01 24:00:00"),
        (["infinity", "epoch"], "varchar", 2, "epoch", "infinity"),
        (["2024-01-01T00:00:00Z"], "varchar", 1, "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        (["10:00", "2024-1-2"], "varchar", 2, "10:00", "2024-1-2"),
    ],
)
@pytest.mark.parametrize("is_late", [False, True])
def test_values_stay_what_they_are(summarize, values, kind, distinct, least, most, is_late):
    # beyond what the types are guessed by
    found = profile_of(summarize, ["NA"] * 1100 + values if is_late else values)
    assert (found["type"], found["distinct"]) == (kind, distinct)
    assert (found["min"], found["max"]) == (least, most)
    assert not found["distinct_is_approximate"]


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        *[
            (text, "double")
            for text in ("0.12345", ".5000", "-0.0000", "1e3", " 1.2500 ", "7", "nan", "-3.2500")
        ],
        ("99999999999999.2500", "double"),
        ("1.25000000000000000001", "decimal(38,20)"),
        *[
            (text, "varchar")
            for text in ("01.2500", "+01.2500", "1.2500x", "Infinity", "1_0.2500", "1.2500e200")
        ],
    ],
)
def test_among_doubles_of_as_many_digits_one_that_is_written_otherwise(summarize, late, kind):
    found = profile_of(summarize, ["1.2500"] * 1100 + [late])
    assert (found["type"], found["nulls"]) == (kind, int(late in NULLS))


def test_a_thousand_identifiers_of_19_digits(summarize):
    found = profile_of(summarize, [str(1764843812345600000 + n) for n in range(1000)])
    assert (found["type"], found["distinct"]) == ("bigint", 1000)
    assert (found["min"], found["max"]) == ("1764843812345600000", "1764843812345600999")
    assert found["standard_deviation"] == pytest.approx(288.8194360957494)
    assert found["mean"] == 1764843812345600499.5
    assert found["quartiles_are_approximate"]  # JSON's numbers are doubles


def test_amounts_of_25_digits(summarize):
    found = profile_of(summarize, [f"12345678901234567.{n:08}" for n in range(300)])
    assert (found["type"], found["distinct"]) == ("decimal(38,8)", 300)
    assert (found["min"], found["max"]) == ("12345678901234567.00000000", "12345678901234567.00000299")
    assert found["standard_deviation"] == pytest.approx(8.674675786448737e-07)
    assert found["quartiles_are_approximate"]


def test_numbers_so_far_apart_that_no_decimal_holds_the_distance(summarize):
    found = profile_of(summarize, ["9" * 38, "-" + "9" * 38])
    assert found["mean"] == pytest.approx(0, abs=1e23)
    assert found["standard_deviation"] == pytest.approx(2**0.5 * 1e38)


def test_long_texts_that_differ_late_are_not_counted_as_one_in_silence(summarize):
    found = profile_of(summarize, ["x" * 200 + end for end in "ab"])
    assert (found["distinct"], found["top_values_are_approximate"]) == (2, True)


# What people put into columns: mostly alike, so that columns have types.
DIGITS = st.text("0123456789", min_size=1, max_size=25)
KINDS = [
    DIGITS,
    st.integers(-(10**6), 10**6).map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), st.integers(0, 10**20), DIGITS),
    st.builds("{}.{}".format, st.integers(0, 9), st.text("0123456789", max_size=3)),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(-1e6, 1e6).map("{:.17g}".format),
    st.dates().map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["true", "FALSE", "t", "0", "1", "-0", "+1", ".5", "1.", "1e5", "1E400", "inf", " 1 ", "NA"]
    ),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"'), max_size=6),
]
COLUMNS = st.sampled_from(KINDS).flatmap(lambda kind: st.lists(kind, min_size=1, max_size=8))


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(values=COLUMNS, others=st.one_of(st.just([]), COLUMNS))
@example(values=["1764843812345600001"], others=["1.5"])
@example(values=["1.10"], others=["1.1"])
@example(values=["0.1"], others=["0.10000000000000001"])
def test_any_column_is_what_exact_arithmetic_finds(summarize, values, others):
    column = values + others
    found = profile_of(summarize, column)
    texts = [text for text in column if text not in NULLS]
    value_of = values_of(found["type"])
    exact = {value_of(text) for text in texts}
    assert (found["nulls"], found["distinct"]) == (len(column) - len(texts), len(exact))
    if exact:
        assert (value_of(found["min"]), value_of(found["max"])) == (min(exact), max(exact))


def values_of(kind):
    """Return what makes a value of a text, exactly."""
    if kind in ("bigint", "double") or kind.startswith("decimal"):
        return Decimal
    if kind == "timestamp":
        return lambda text: TIME.fullmatch(text.strip())[0].replace("T", " ").rstrip("0").rstrip(".:")
    return {"varchar": str, "boolean": str.lower, "date": str.strip}[kind]


CITIES = "größe,ort\n" + "1,München\n2,Köln\n" * 50


@pytest.mark.parametrize(
    ("body", "encoding", "found_by", "damaged", "line"),
    [
        (CITIES.encode(), "utf-8", "valid bytes", 0, None),
        (b"a,b\n1,2\n", "utf-8", "valid bytes", 0, None),
        (codecs.BOM_UTF8 + CITIES.encode(), "utf-8", "byte order mark", 0, None),
        (CITIES.encode() + b"1,Z\xfcrich\n", "utf-8", MOSTLY, 1, 102),
        (codecs.BOM_UTF8 + CITIES.encode() + b"1,Z\xfcrich\n", "utf-8", "byte order mark", 1, 102),
        (CITIES.encode().removesuffix(b"\xb6ln\n"), "utf-8", MOSTLY, 1, 101),
        (CITIES.encode() + b"1,\xed\xa0\x80\n", "utf-8", MOSTLY, 3, 102),
        (CITIES.replace("\n", "\r").encode() + b"1,\xff\xfe", "utf-8", MOSTLY, 2, 102),
        (CITIES.encode("utf-16"), "utf-16", "byte order mark", 0, None),
        (CITIES.encode("utf-16-le"), "utf-16-le", GUESS, 0, None),
        (CITIES.encode("utf-16-be"), "utf-16-be", GUESS, 0, None),
        (CITIES.encode("windows-1252"), "windows-1252", GUESS, 0, None),
        ("größe,ort\n5 €,“é”\n".encode("windows-1252"), "windows-1252", GUESS, 0, None),
    ],
)
def test_how_sure_the_encoding_is(summarize, body, encoding, found_by, damaged, line):
    found = summarize(body)
    assert found.reason is None
    assert (found.encoding, found.encoding_found_by) == (encoding, found_by)
    assert (found.damaged_bytes, found.first_damaged_line) == (damaged, line)
    assert found.names == (["a", "b"] if body.startswith(b"a") else ["größe", "ort"])
    assert bool(found.encoding_alternatives) == (encoding == "windows-1252")


def test_a_guess_says_what_else_would_fit(summarize):
    found = summarize(CITIES.encode("windows-1252"))
    assert {"cp437", "cp850", "mac-roman"} < set(found.encoding_alternatives)
    assert "iso-8859-15" not in found.encoding_alternatives  # the same letters


@pytest.mark.parametrize(
    "body",
    [
        CITIES.encode("cp437"),
        CITIES.encode("mac-roman"),
        "姓名,城市\n张伟,北京\n".encode("gb18030"),
        "名前,都市\nケーキ,東京\n".encode("shift_jis"),
        "имя,город\nИван,Москва\n".encode("windows-1251"),
        "имя,город\nИван,Москва\n".encode("koi8_r"),
    ],
)
def test_what_nobody_can_tell_is_not_guessed(summarize, body):
    found = summarize(body)
    assert "hardly windows-1252" in found.reason
    assert found.line == 1


def test_two_encodings_in_one_file(summarize):
    found = summarize("ort,a\nKöln,1\n".encode() + "Köln,München\n".encode("latin-1") * 3)
    assert (found.reason, found.line) == (
        "The file is in several encodings: line 3 is not UTF-8, others are.",
        3,
    )


@pytest.mark.parametrize(
    ("body", "rows", "names"),
    [
        (3 * codecs.BOM_UTF8 + b"a,b\n1,2\n", 1, ["a", "b"]),
        ("\ufeff\ufeffa,b\n1,2\n".encode("utf-16-le"), 1, ["a", "b"]),
        (b"a,b\r\n1,2\r\n3,4\r\n\x1a", 2, ["a", "b"]),
        (b"a\r\n1\r\n3\r\n\x1a", 2, ["a"]),
        (b"a,b\n1,2\x1a", 1, ["a", "b"]),
        (b"a,b\n1,2\n\x1a\r\n", 1, ["a", "b"]),
        (b"a,b\n1,2\n" + b"\x1a" * 4096, 1, ["a", "b"]),
        ("a,b\n1,2\n\x1a".encode("utf-16"), 1, ["a", "b"]),
        (b'a,b\n1,"\x1a"\n', 1, ["a", "b"]),
        (b"sep=,\nname,price\nx,1.5\ny,2.5\n", 2, ["name", "price"]),
        (b"sep=;\r\na,1;b\r\n1;2\r\n", 1, ["a,1", "b"]),
        (b"sep=\t\na\tb\n1\t2\n", 1, ["a", "b"]),
        (b'"sep=|"\na|b\n1|2\n', 1, ["a", "b"]),
        (codecs.BOM_UTF8 + b"SEP=;\na;b\n1;2\n", 1, ["a", "b"]),
        (b"separate,b\n1,2\n", 1, ["separate", "b"]),
        (b"a,b,\n1,2,\n", 1, ["a", "b", ""]),
        (b"a,b\r\n1,2\n3,4\r5,6", 3, ["a", "b"]),
        (b'a,b\n1,5" pipe\r\n2,"x"\r', 2, ["a", "b"]),
    ],
)
def test_what_is_no_row_and_no_name(summarize, body, rows, names):
    found = summarize(body)
    assert found.reason is None
    assert (found.rows, found.names) == (rows, names)


@pytest.mark.parametrize(
    ("body", "reason", "line"),
    [
        (b"a,b\n1,2,\n3,4,\n", "Line 2 has 3 fields, the header has 2", 2),
        (b"a,b\n1,2\n3,4,NA\n", "Line 3 has 3 fields, the header has 2", 3),
        (b'a,b\n1,2\n3,4,""\n', "Line 3 has 3 fields, the header has 2", 3),
        (b"a,b\n" + b"1,2\n" * 3000 + b"1,2,\n", "Line 3002 has 3 fields", 3002),
        (b"a,b,\n1,2\n", "Line 2 has 2 fields, the header has 3", 2),
        (b"sep=,\na,b\n1\n", "Line 3 has 1 fields, the header has 2", 3),
        (b"sep=,\n", "no header", 2),
        (b",,\n1,2,3\n", "no header", 1),
        (b'"",""\n1,2\n', "no header", 1),
        (b" \n \n", "no header", 1),
        (codecs.BOM_UTF8, "no header", 1),
        (b"\x1a", "no header", 1),
        (b"# of 2024\na,b\n1,2\n", "a comment", 1),
        (b"a,b\n1,2\n\x1a\n3,4\n", "Line 3 has 1 fields", 3),
        ("größe,b\n1,2\n".encode("utf-16")[:-1], "not text in utf-16", None),
    ],
)
def test_what_is_rejected(summarize, body, reason, line):
    found = summarize(body)
    assert reason in (found.reason or "")
    assert found.line == line


def test_line_ends_within_quotes_stay(summarize):
    body = b'a,b\r\n1,"x\r\ny"\n2,"x\ny"\r3,"x\ry"\n4,"say ""\r"""\r\n'
    expected = {"x\r\ny", "x\ny", "x\ry", 'say "\r"'}
    for each in (body, body.decode().encode("utf-16")):
        found = summarize(each)
        assert found.rows == 4
        assert {top["value"] for top in found.columns[1]["top_values"]} == expected


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(['"x\r\ny"', '"a""\r"', "b", '5"', '"\n"', "ü"]), min_size=1, max_size=30),
    st.integers(1, 9),
)
def test_line_ends_are_unified_wherever_a_piece_ends(summarize, tmp_path_factory, values, piece_bytes):
    text = sys.modules["csv_text"]
    path = tmp_path_factory.getbasetemp() / "lines.csv"
    path.write_bytes("".join(f"{value},1\r\n" for value in values).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "PIECE_BYTES", piece_bytes)
        text.unify_line_ends(path, ",", '"')
    assert path.read_bytes() == "".join(f"{value},1\n" for value in values).encode()
