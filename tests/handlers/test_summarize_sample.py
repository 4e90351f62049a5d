"""What a sample of a large file tells of the whole."""

import random
import sys

import pytest
from support.handler_support import load_handler

ROWS = 200_000


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    """Return a function that profiles lines as a large file."""
    load_handler("summarize")
    profile = sys.modules["duckdb_profile"]
    path = tmp_path_factory.mktemp("csv") / "data.csv"

    def run(lines, end="\n", exact_up_to_bytes=0):
        path.write_bytes(end.join(lines).encode())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(profile, "EXACT_UP_TO_BYTES", exact_up_to_bytes)
            return profile.profile_file(path)[2]

    return run


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_stands_together_is_found_and_counted(profiled, end):
    # in order, with many texts, each fiftieth of the file one of them
    lines = [f"{row},{'often' if ROWS // 2 <= row < ROWS * 0.52 else row % 977}," for row in range(ROWS)]
    found = profiled(["number,text,x", *lines], end)
    assert found[1]["top_values"][0] == {"value": "often", "count": ROWS * 0.02}


def test_quartiles_of_a_part_are_those_of_the_whole_nearly_and_of_few_values_exact(profiled, monkeypatch):
    monkeypatch.setattr(sys.modules["csv_sample"], "QUARTILE_VALUES", 2**15)
    lines = [f"{row},{row // 100 if row % 100 == 0 else ''},x" for row in range(ROWS)]
    found = profiled(["number,sparse,x", *lines])
    for place, quartile in enumerate(found[0]["quartiles"], start=1):
        assert quartile == pytest.approx(place * ROWS / 4, abs=0.02 * ROWS)
    assert found[1]["quartiles"] == pytest.approx([499.75, 999.5, 1499.25], abs=2)


def test_values_with_quotes_blanks_and_line_ends_are_counted(profiled):
    source = random.Random(1)
    texts = ['"a,b"', ' "c" ', '"d ""e"""', '"f\ng"', " h", "¿"]
    meant = ["a,b", "c", 'd "e"', "f\ng", " h", "¿"]
    drawn = [source.choice(range(len(texts))) for _ in range(ROWS)]
    found = profiled(["number,text", *(f"{row},{texts[each]}" for row, each in enumerate(drawn))])
    counts = sorted((-drawn.count(place), text) for place, text in enumerate(meant))
    assert [(-top["count"], top["value"]) for top in found[1]["top_values"]] == counts[:5]


@pytest.mark.parametrize("is_late", [False, True], ids=["from the first line on", "late"])
@pytest.mark.parametrize("last", ["7", "seven"], ids=["of its type", "not of its type"])
def test_of_values_that_go_on_in_the_next_line_the_most_frequent_are_found(profiled, is_late, last):
    before = [f"{row % 50},text {row % 500}" for row in range(60_000 if is_late else 0)]
    lines = [f'{row % 50},"{"a,b" if row % 3 else "c"}\n5,abc\n7,abc"' for row in range(60_000)]
    number, text = profiled(["number,text", *before, *lines, f"{last},end"])
    assert number["type"] == ("bigint" if last == "7" else "varchar")
    assert number["top_values"][0]["count"] >= 1_200
    assert text["top_values"][:2] == [
        {"value": "a,b\n5,abc\n7,abc", "count": 40_000},
        {"value": "c\n5,abc\n7,abc", "count": 20_000},
    ]


@pytest.mark.parametrize(("line_bytes", "rows"), [(5_000, 1_000), (20_000, 500), (100_000, 100)])
def test_of_long_lines_the_most_frequent_values_are_found(profiled, line_bytes, rows):
    # in order, so that no one place tells of all
    lines = [f"{'a' if row < rows * 0.6 else 'b'},{'x' * line_bytes}" for row in range(rows)]
    found = profiled(["letter,text", *lines])
    assert found[0]["top_values"] == [
        {"value": "a", "count": rows * 0.6},
        {"value": "b", "count": rows * 0.4},
    ]


def test_quartiles_for_which_too_few_values_were_drawn_are_measured_again(profiled, monkeypatch):
    monkeypatch.setattr(sys.modules["csv_sample"], "QUARTILE_VALUES", 2**15)
    sample = sys.modules["csv_sample"].Sample
    # as if rows had seemed to be a hundred times as many
    monkeypatch.setattr(
        sys.modules["duckdb_profile"], "samples", lambda *_: [sample(("1",), 2**15 / ROWS / 100)]
    )
    (found,) = profiled(["number", *map(str, range(ROWS))])
    assert found["quartiles"] == pytest.approx([ROWS / 4, ROWS / 2, ROWS * 3 / 4], abs=0.002 * ROWS)


TIME, DATE = "2024-01-02 03:04:05", "2024-01-02"
OF_TYPE = {  # a text, what may stand beside it in a column of this type, and what may not
    "timestamp": (
        TIME,
        [
            "2024-01-02T03:04:05",
            f" {TIME}",
            f"{TIME}.000",
            "0000-01-01 00:00:00",
            "9999-12-31 23:59:59.999999",
        ],
        ["10000-01-01 00:00:00", "infinity", "0044-03-15 (BC)", "2024-01-02 24:00:00", DATE],
    ),
    "date": (
        DATE,
        [f"{DATE} ", "0000-12-31", "9999-12-31"],
        ["10000-01-01", "-infinity", "0044-03-15 (BC)", "2024-02-30", "epoch", "2024-1-2"],
    ),
    "bigint": ("7", ["-7", "+7"], ["007", "1_000", "7 7"]),
    "double": ("7.5", ["7.50", "7", "7e1"], ["inf", "07.5", "7,5"]),
}


@pytest.mark.parametrize(
    ("kind", "usual", "odd"),
    [
        (of_it if odd in like else "varchar", usual, odd)
        for of_it, (usual, like, unlike) in OF_TYPE.items()
        for odd in [*like, *unlike]
    ],
)
@pytest.mark.parametrize("odd_from", [0, 3_000], ids=["from the first line on", "late"])
def test_of_a_large_file_the_same_is_said_as_of_a_small_one(profiled, kind, usual, odd, odd_from):
    """Of two spellings, one of which may come late, with all tokens for null among them."""
    tokens = sys.modules["column_types"].NULL_VALUES
    lines = [
        tokens[row % len(tokens)] if row % 5 == 4 else odd if row % 3 and row >= odd_from else usual
        for row in range(5_000)
    ]
    lines = ["text,x", *(f'"{text}",' for text in lines)]
    large, small = profiled(lines)[0], profiled(lines, exact_up_to_bytes=2**30)[0]
    said = ("type", "nulls", "min", "max", "mean", "quartiles", "top_values")
    assert [large[name] for name in said] == [small[name] for name in said]
    assert (large["type"], large["nulls"]) == (kind, 1_000)
