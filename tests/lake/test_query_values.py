"""Values as literals of Athena's SQL: each is the same value there, or is refused. Athena is not asked."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.lake.query_values import MAX_DIGITS, Literals, check_text, double, exact, plain, whole


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_whole_number_is_itself_and_its_minus_begins_no_comment(value):
    text = whole(value)
    assert int(text.strip("()").removeprefix("BIGINT '").removesuffix("'")) == value
    assert not f"5 -{text}".count("--")


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**MAX_DIGITS - 1])
def test_one_beyond_64_bits_is_a_decimal(value):
    assert whole(value) == f"DECIMAL '{value}'"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_a_double_and_itself(value):
    text = double(value)
    assert "e" in text
    assert float(text.strip("()")) == value
    assert not f"5 -{text}".count("--")


def test_infinity_has_a_function():
    assert (double(float("inf")), double(float("-inf"))) == ("infinity()", "(-infinity())")


@pytest.mark.parametrize("text", ["0", "-0.0", "1E+3", "1E-10", "1E-38", "9" * 38, f"-{'9' * 19}.{'9' * 19}"])
def test_a_decimal_keeps_its_digits(text):
    written = exact(Decimal(text))
    assert Decimal(written.removeprefix("DECIMAL '").removesuffix("'")) == Decimal(text)
    assert "E" not in written.removeprefix("DECIMAL")


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1" * 39, "1E+38", "1E-39", "0E-39", "123.45E-37"]
)
def test_one_that_a_decimal_cannot_hold_is_refused(text):
    with pytest.raises(ValueError, match="is no decimal of at most 38 digits"):
        exact(Decimal(text))


MISSING = [None, pd.NA, pd.NaT, float("nan"), np.float64("nan"), np.datetime64("NaT")]


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_is_null(missing):
    assert plain(missing) is None
    assert plain([missing, 1]) == [None, 1]


def test_numbers_and_times_of_numpy_and_pandas_are_python_s():
    assert type(plain(np.int64(7))) is int
    assert type(plain(np.bool_(True))) is bool
    moment = datetime(2026, 1, 2, 15, 4, 5, 678901)
    assert plain(np.datetime64(moment)) == plain(pd.Timestamp(moment)) == moment
    assert plain(pd.Series([1, 2])) == [1, 2]


def test_a_time_with_a_zone_is_in_utc():
    zone = timezone(timedelta(hours=-5))
    assert plain(datetime(2026, 1, 2, 15, tzinfo=zone)) == datetime(2026, 1, 2, 20)
    assert plain(pd.Timestamp("2026-01-02T15:00", tz=UTC)) == datetime(2026, 1, 2, 15)


def test_what_would_become_another_value_is_refused():
    with pytest.raises(ValueError, match="nanoseconds"):
        plain(pd.Timestamp("2026-01-02T15:04:05.123456789"))
    with pytest.raises(ValueError, match="half of a character"):
        plain(["fine", "\ud800"])
    check_text("🚀")


@pytest.mark.parametrize(("values", "error"), [([], ValueError), ([[1]], TypeError), ([{}], TypeError)])
def test_a_list_is_of_plain_values_and_not_empty(values, error):
    with pytest.raises(error):
        Literals().format("SELECT %(x)s", {"x": values})


def test_a_list_keeps_what_its_values_are():
    written = Literals().format("SELECT %(x)s", {"x": [True, -1, 1.5e-7, Decimal("0.10"), "it's"]})
    assert written == "SELECT (true, (-1), 1.5e-07, DECIMAL '0.10', 'it''s')"
