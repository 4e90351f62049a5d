"""A wide file's summary is that of its columns each for themselves, and takes some few queries."""

import math
import random
import sys
from collections import Counter

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.handler_support import load_handler

VALUES = {
    "whole": ["0", "-7", "12", "12", "9007199254740991"],
    "large": [str(2**63 - 1), str(-(2**63)), "5"],
    "larger": [str(10**20), str(10**20 + 1), "9" * 38],
    "decimals": ["1.10", "1.1", "-0.0", "1e3", "1E400"],
    "exact": ["0.1234567890123456789", "0.2"],
    "dates": ["2026-02-28", "2026-02-30", "0001-01-01"],
    "times": ["2026-02-28 10:00:00", "2026-02-28T24:00:00", "2026-02-28T10:00:00.123456"],
    "booleans": ["true", "FALSE"],
    "codes": ["00501", "A-1", 'say ""hi""', "a,b", "two\nlines", "ä" * 300, "ä" * 299 + "z"],
}
NULLS = ["", "NA", "null"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Return a function that profiles bytes as cells and as columns, and returns both outcomes."""
    load_handler("summarize")
    profile = sys.modules["duckdb_profile"]
    path = tmp_path_factory.mktemp("csv") / "data.csv"

    def run(body, exact_up_to_bytes=profile.EXACT_UP_TO_BYTES):
        outcomes = []
        for wide_columns in (0, sys.maxsize):
            path.write_bytes(body)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(profile, "WIDE_COLUMNS", wide_columns)
                patch.setattr(profile, "EXACT_UP_TO_BYTES", exact_up_to_bytes)
                try:
                    outcomes.append(without_rounding(*profile.profile_file(path)))
                except profile.RejectedError as error:
                    outcomes.append((error.reason, error.line))
        return outcomes

    return run


class Mean(float):
    """A mean that is equal to one rounded elsewhere, as DuckDB does those of groups.

    So many digits of both would not do: where one is 54.5, and the other 55, no rounding makes them alike.
    """

    def __eq__(self, other):
        return math.isclose(self, other, rel_tol=1e-14)

    __hash__ = None


def without_rounding(how, rows, columns):
    """Return a profile whose means are compared but for rounding."""
    return how, rows, [each | {"mean": each["mean"] and Mean(each["mean"])} for each in columns]


def as_csv(columns, rows):
    """Return bytes of a CSV file with these lists of values, each repeated for so many rows."""
    lines = [",".join(f"c{number}" for number in range(len(columns)))]
    for row in range(rows):
        lines.append(",".join(f'"{values[row % len(values)]}"' if values else "" for values in columns))
    return "\n".join(lines).encode()


@st.composite
def files(draw):
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), min_size=2, max_size=12))
    columns = [draw(st.lists(st.sampled_from(VALUES[kind] * 3 + NULLS), max_size=8)) for kind in kinds]
    return as_csv(columns, draw(st.integers(0, 12)))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=files())
@example(body=b"a,b\n")
@example(body=b"a,b\n1,2\n3\n")
@example(body=b"a,b\n1,2,3\n")
@example(body=b'a,b\n1,"2\n')
@example(body=b"a,b\r1,2\r\n3,x\n")
@example(body=b"sep=,\na,b\r1,2\r3,x\n")
@example(body=b'sep=;\r\na;b\n" a """;"1\r2"\r\n""x; ;3\n')
@example(body=b'\xef\xbb\xbfa,b\n\n\n 1 , "x,""y" \n"p" "q,\n",\xc2\xbf"\n\n"r\r\ns",3"')
@example(body=b'a,b\n"x"y,1\n')
@example(body=as_csv([[], ["-7", "12", "9007199254740991", "9007199254740991"]], 7))  # means of two roundings
def test_as_cells_and_as_columns_all_is_the_same(both, body):
    as_cells, as_columns = both(body)
    assert as_cells == as_columns


def test_what_is_estimated_is_the_same_too(both):
    draws = random.Random(1)
    columns = [[str(draws.randrange(10**size)) for _ in range(2000)] for size in (1, 3, 12, 20)]
    columns += [[f"note {draws.getrandbits(8)}" for _ in range(2000)], VALUES["codes"], NULLS]
    as_cells, as_columns = both(as_csv(columns, 2000), exact_up_to_bytes=0)
    assert [each | {"top_values": []} for each in as_cells[2]] == [
        each | {"top_values": []} for each in as_columns[2]
    ]
    assert as_cells[2][0]["distinct_is_approximate"]
    for cells, narrow, values in zip(as_cells[2], as_columns[2], columns, strict=True):
        for found in (cells, narrow):
            assert found["top_values_are_approximate"] == (found["distinct"] > 0)
            assert all(top["count"] == counts_of(values, 2000)[top["value"]] for top in found["top_values"])


def counts_of(values, rows):
    """Return how often each text is in a column of `as_csv`, as summaries cut them."""
    return Counter(values[row % len(values)].replace('""', '"')[:200] for row in range(rows))


@pytest.mark.parametrize("columns", [101, 1000])
def test_a_wide_file_is_read_once_and_takes_as_many_queries_as_it_has_types(
    both, columns, tmp_path, monkeypatch
):
    monkeypatch.setenv("MEMORY_LIMIT_MB", "64")
    profile, engine, asked = sys.modules["duckdb_profile"], sys.modules["duckdb_engine"], []
    ask = engine.DuckDbEngine.rows
    monkeypatch.setattr(
        engine.DuckDbEngine, "rows", lambda self, sql, *values: asked.append(sql) or ask(self, sql, *values)
    )
    path = tmp_path / "wide.csv"
    names = ("whole", "large", "decimals", "codes", "dates")
    kinds = [VALUES[names[number % len(names)]] for number in range(columns)]
    path.write_bytes(as_csv(kinds, 3))
    _, rows, found = profile.profile_file(path)
    assert (rows, len(found)) == (3, columns)
    assert [each["name"] for each in found] == [f"c{number}" for number in range(columns)]
    assert [each["type"] for each in found[:5]] == ["bigint", "bigint", "double", "varchar", "varchar"]
    assert len([sql for sql in asked if "read_csv" in sql]) == 1
    assert len(asked) < 30


LINES = st.lists(
    st.lists(
        st.lists(
            st.sampled_from(
                ["1", " ", '"', '""', '"a"', ' "b,c"', '"d" ', '"e\nf"', '"g\r\nh"', '¿"', "NA", "'", "\t"]
            ),
            max_size=2,
        ).map("".join),
        min_size=3,
        max_size=3,
    ),
    max_size=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=LINES,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
)
def test_quotes_wherever_they_stand_are_read_as_duckdb_reads_them(both, lines, delimiter, end, last):
    rows = [delimiter.join(cells) for cells in [["a", "b", "c"], *lines]]
    as_cells, as_columns = both((end.join(rows) + end * last).encode())
    assert as_cells == as_columns


@pytest.mark.parametrize(("exact_up_to_bytes", "most"), [(2**30, 1), (0, 2)], ids=["small", "large"])
@pytest.mark.parametrize("columns", [3, 100])
def test_a_file_is_read_twice_at_most_also_if_its_columns_are_not_what_they_seem(
    both, columns, exact_up_to_bytes, most, tmp_path, monkeypatch
):
    profile, engine, asked = sys.modules["duckdb_profile"], sys.modules["duckdb_engine"], []
    ask = engine.DuckDbEngine.rows
    monkeypatch.setattr(
        engine.DuckDbEngine, "rows", lambda self, sql, *values: asked.append(sql) or ask(self, sql, *values)
    )
    monkeypatch.setattr(profile, "EXACT_UP_TO_BYTES", exact_up_to_bytes)
    lines = [",".join(f"c{number}" for number in range(columns))]
    for row in range(3_000):
        lines.append(
            ",".join(str(row % 7) if row < 2_000 or number % 2 else "x" for number in range(columns))
        )
    path = tmp_path / "late.csv"
    path.write_text("\n".join(lines))
    _, rows, found = profile.profile_file(path)
    assert rows == 3_000
    assert [each["type"] for each in found[:2]] == ["varchar", "bigint"]
    assert found[0]["top_values"][0] == {"value": "x", "count": 1_000}
    assert found[1]["top_values"][0]["count"] == 429
    assert len([sql for sql in asked if "read_csv" in sql]) <= most


def test_a_large_file_whose_columns_are_what_they_seem_is_read_once(both, tmp_path, monkeypatch):
    profile, engine, asked = sys.modules["duckdb_profile"], sys.modules["duckdb_engine"], []
    ask = engine.DuckDbEngine.rows
    monkeypatch.setattr(
        engine.DuckDbEngine, "rows", lambda self, sql, *values: asked.append(sql) or ask(self, sql, *values)
    )
    monkeypatch.setattr(profile, "EXACT_UP_TO_BYTES", 0)
    path = tmp_path / "large.csv"
    columns = [VALUES[name] for name in ("whole", "large", "booleans", "codes")]
    columns = [[value for value in values if "\n" not in value] for values in columns]
    path.write_bytes(as_csv(columns, 3_000))
    _, _, found = profile.profile_file(path)
    assert len([sql for sql in asked if "read_csv" in sql]) == 1
    for column, values in zip(found, columns, strict=True):
        counts = counts_of(values, 3_000)
        assert {top["value"]: top["count"] for top in column["top_values"]} == dict(counts.most_common(5))
