"""Times as text: as the handlers write them, and such that text sorts as time does."""

import importlib.util
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from lib.base.paths import ROOT
from lib.base.times import iso8601

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)


def of_handlers():
    spec = importlib.util.spec_from_file_location("times", ROOT / "handlers" / "common" / "times.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HANDLERS = of_handlers()


@given(MOMENTS)
def test_handlers_write_the_same_and_read_it(moment):
    assert HANDLERS.iso8601(moment) == iso8601(moment)
    lost = moment.astimezone(UTC) - HANDLERS.time_of(iso8601(moment))
    assert timedelta(0) <= lost < timedelta(milliseconds=1)


@given(MOMENTS, MOMENTS)
def test_text_sorts_as_time_does(one, other):
    assert len(iso8601(one)) == len(iso8601(other))
    assert (iso8601(one) < iso8601(other)) <= (one < other)
