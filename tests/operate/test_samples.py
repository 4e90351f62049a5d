"""The samples: real files, two hard ones, uploaded as they are."""

from io import BytesIO

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import cases

from lib.base.errors import ParameterError
from lib.engine.stack import Stack
from lib.operate import samples
from lib.s3.selection import KeyFilter

ROWS = st.lists(st.from_regex(r"[a-z0-9,]{1,9}", fullmatch=True), min_size=1, max_size=5)


@given(ROWS, st.booleans(), st.integers(0, 500))
def test_rows_are_repeated_whole_under_one_header(rows: list[str], ends: bool, size: int):
    csv = "\n".join(["a,b", *rows]) + ("\n" if ends else "")
    repeated = samples.repeat(csv.encode(), size).decode()
    assert len(repeated) > size
    header, *lines = repeated.removesuffix("\n").split("\n")
    assert header == "a,b"
    assert len(lines) % len(rows) == 0
    assert lines == rows * (len(lines) // len(rows))


def test_samples_are_the_files_and_two_that_are_hard_to_copy():
    loaded = samples.load()
    names = sorted(path.stem for path in samples.FOLDER.glob("*.csv"))
    assert [sample.key for sample in loaded[:-2]] == [f"{name}/{name}.csv" for name in names]
    decoded, large = loaded[-2:]
    assert decoded.key == "folder/Project Idea+ü 100%.csv"
    assert len(large.body) > samples.MULTIPART_THRESHOLD_BYTES
    assert decoded.tags == large.tags != {}
    assert decoded.metadata == large.metadata != {}
    assert len({sample.key for sample in loaded}) == len({sample.table for sample in loaded}) == len(loaded)


def test_rows_are_those_that_pandas_reads():
    for sample in samples.load():
        frame = pd.read_csv(BytesIO(sample.body))
        assert sample.rows == len(frame) > 0
        assert frame.shape[1] > 1


def test_a_prefix_goes_before_every_key():
    keys = [sample.key for sample in samples.load("in/2024-")]
    assert all(key.startswith("in/2024-") for key in keys)


def test_samples_are_shown_as_a_table():
    loaded = samples.load()
    assert loaded.table()["key"].tolist() == [sample.key for sample in loaded]
    assert "Project Idea+ü 100%.csv" in repr(loaded)
    assert loaded._repr_html_().count("<tr") == len(loaded) + 1


@pytest.mark.parametrize("which", [-2, -1])
def test_uploads_carry_type_metadata_and_tags(stack: Stack, which: int):
    bucket = cases.s3.bucket(stack)
    stack.apply()
    client, sample = stack.client(bucket), samples.load()[which]
    uploads = samples.upload(client, bucket.name, [sample])
    assert uploads[["key", "bytes"]].values.tolist() == [[sample.key, len(sample.body)]]
    head = client.head_object(Bucket=bucket.name, Key=sample.key)
    assert (head["ContentType"], head["Metadata"]) == ("text/csv", sample.metadata)
    tags = client.get_object_tagging(Bucket=bucket.name, Key=sample.key)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == sample.tags
    assert ("-" in head["ETag"]) == (len(sample.body) > samples.MULTIPART_THRESHOLD_BYTES)
    assert client.get_object(Bucket=bucket.name, Key=sample.key)["Body"].read() == sample.body


def test_a_pipeline_s_own_samples_are_of_any_kind_and_pass_its_filter(tmp_path):
    folder = tmp_path / "mine"
    (folder / "a").mkdir(parents=True)
    for name in ("a/x.png", "b.csv", "strange"):
        (folder / name).write_bytes(b"1")
    found = samples.files_of("mine", KeyFilter("in/"), tmp_path)
    assert [(each.key, each.content_type) for each in found] == [
        ("in/a/x.png", "image/png"),
        ("in/b.csv", "text/csv"),
        ("in/strange", "application/octet-stream"),
    ]
    assert "content type" in found._repr_html_()
    assert [each.key for each in samples.files_of("mine", KeyFilter("", ".csv"), tmp_path)] == ["b.csv"]


@pytest.mark.parametrize("name", ["mine", "nobodys"])
def test_without_a_sample_that_passes_somebody_is_told_what_to_do(tmp_path, name):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_bytes(b"1")
    with pytest.raises(ParameterError, match="put one there, or set exercise to false"):
        samples.files_of(name, KeyFilter("", ".csv"), tmp_path)
