"""The manifest of a job: whatever a key is, its line is one."""

import csv
from datetime import UTC, datetime
from urllib.parse import unquote_plus

from hypothesis import given
from hypothesis import strategies as st

from lib.operate.backfills import manifest
from lib.s3.listing import Entry


@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_any_key_is_one_field_of_one_line_and_is_read_back(key):
    entry = Entry(key, 1, "e", datetime(2026, 1, 2, tzinfo=UTC))

    ((bucket, field),) = csv.reader([manifest.line("b", entry)])

    assert (bucket, unquote_plus(field)) == ("b", key)  # Powertools decodes with unquote_plus
