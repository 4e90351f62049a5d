"""Times in AWS's answers are those that botocore reads, however they are written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from botocore.session import Session
from botocore.utils import parse_timestamp
from hypothesis import example, given
from hypothesis import strategies as st

from lib.base.aws_models import bare_session
from lib.base.aws_times import read, reading_times_at_once

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9998, 12, 31), timezones=ZONES)
FORMATS = ["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ", "%a, %d %b %Y %H:%M:%S GMT"]


def outcome(read, value):
    try:
        found = read(value)
    except (ValueError, RuntimeError) as error:  # botocore's, of what is far too late
        return type(error), str(error)
    return found, found.tzinfo, found.utcoffset()


@given(MOMENTS, st.sampled_from(FORMATS))
def test_a_time_is_the_one_that_botocore_reads(moment, how):
    text = moment.astimezone(UTC).strftime(how)
    assert outcome(read, text) == outcome(parse_timestamp, text)


@given(MOMENTS)
def test_a_time_with_a_zone_too(moment):
    assert outcome(read, moment.isoformat()) == outcome(parse_timestamp, moment.isoformat())


@given(st.text("0123456789-:.TZ+ ", max_size=30) | st.floats(0, 4e9) | st.integers(0, 4_000_000_000))
@example("2026-01-31T12:00:00+02:00Z")
@example("2026-02-30T12:00:00Z")
@example("2026-01-31T24:00:00Z")
@example("2026-01-31T12:00:00.123456789Z")
@example("2026-01-31T12Z")
@example("2026-W05-6T12:00:00Z")
@example("1000000000000")
def test_whatever_else_is_left_to_botocore(value):
    assert outcome(read, value) == outcome(parse_timestamp, value)


@pytest.mark.parametrize("session", [bare_session(), reading_times_at_once(Session())])
def test_a_session_s_clients_read_times_so(session):
    made = session.get_component("response_parser_factory").create_parser("rest-xml")
    assert made._timestamp_parser is read
