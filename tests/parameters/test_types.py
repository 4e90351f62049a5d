"""Types of parameters: a moment has a zone, and is itself or refused."""

from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest

from lib.base.errors import ParameterError
from lib.parameters.model import Parameters


def at(value: object) -> str:
    return Parameters.check({"restore": {"at": value}}).restore.at


def test_a_time_of_python_s_is_taken_as_it_is():
    moment = datetime(2026, 1, 2, 15, 4, 5, 678901, timezone(timedelta(hours=-5, minutes=-30)))
    assert at(moment) == "2026-01-02T15:04:05.678901-05:30"
    assert datetime.fromisoformat(at(moment)) == moment
    assert at(pd.Timestamp("2026-01-02T15:04:05Z")) == "2026-01-02T15:04:05+00:00"


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 2),
        pd.Timestamp("2026-01-02T15:04:05.123456789Z"),
        "2026-01-02",
        "2026-01-02T15:04:05",
        "2026-01-02x15:04:05Z",
        "2026-01-02T15:04:05.123456789Z",
        "20260102T150405Z",
        "2026-W01-5T15:04:05Z",
        "2026-02-30T00:00:00Z",
        "2026-01-02T24:00:01Z",
        "0001-01-01T00:00:00+14:00",
        "٢٠٢٦-01-02T15:04:05Z",
        "1767366245",
    ],
)
def test_what_is_no_moment_is_refused(value):
    with pytest.raises(ParameterError, match="is no time with a zone: write it as 2026-01-02T15:04:05Z"):
        at(value)
