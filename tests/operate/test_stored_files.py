"""What became of single files of *ingest*, by the lines that *consume* logs of them."""

import json

import pandas as pd
import pytest

from lib.operate import stored_files
from lib.resources.logs import LogGroup
from lib.resources.s3 import Bucket
from lib.s3.objects import Place

UPLOADED = {"key": ["a.csv", "b.csv"], "version_id": ["1", "2"]}
REJECTED = "line,reason,row\n" + "".join(f"{n},no {n},x\n" for n in range(2, 7))


@pytest.fixture
def told(stack, somebody):
    """Returns a function that tells what became of the two files if these lines are in the log."""
    group = stack.add(LogGroup("x-consume", "us-east-1", retention_days=1))
    bucket = stack.add(Bucket("files", "us-east-1"))
    logs, began = somebody("logs"), pd.Timestamp.now("UTC")
    stack.apply()
    logs.create_log_stream(logGroupName=group.name, logStreamName="s")
    place = Place.of(stack.target, bucket)
    somebody("s3").put_object(Bucket=place.bucket, Key="rejected/a.csv", Body=REJECTED.encode())

    def tell(*lines: dict) -> pd.DataFrame:
        events = [
            {"timestamp": int(began.timestamp() * 1000) + n, "message": json.dumps(line)}
            for n, line in enumerate(lines)
        ]
        if events:
            logs.put_log_events(logGroupName=group.name, logStreamName="s", logEvents=events)
        return stored_files.follow(
            pd.DataFrame(UPLOADED).assign(time=began),
            stack.client(group),
            log_group=group.name,
            rejected=place,
            rejected_prefix="rejected/",
            timeout_s=0,
        )

    tell.place = place
    return tell


def line(key: str, version: str, message: str = "stored", **facts) -> dict:
    return {"level": "INFO", "message": message, "key": key, "version": version} | facts


def test_rows_that_were_rejected_are_told_with_their_reasons_and_other_versions_are_not_meant(told):
    older = line("b.csv", "1", rows_stored=7, rows_rejected=0)
    found = told(older, line("a.csv", "1", rows_stored=3, rows_rejected=5)).set_index("key")
    assert list(found.loc["a.csv"])[:3] == ["stored", 3, 5]
    assert found.loc["a.csv", "why"] == "line 2: no 2; line 3: no 3; line 4: no 4"
    assert list(found.loc["b.csv"]) == ["not yet", 0, 0, ""]


def test_of_a_file_in_pieces_the_first_rows_of_all_of_them_are_told(told, somebody):
    """As *consume* leaves them; its key may be the folder of another one's."""
    place = told.place
    for first, rows in ((1, "3,no 3,x\n"), (20, "21,no 21,x\n27,no 27,x\n28,no 28,x\n")):
        piece = {"Bucket": place.bucket, "Key": f"rejected/pieces/a.csv/{first:012}.csv"}
        somebody("s3").put_object(**piece, Body=f"line,reason,row\n{rows}".encode())
    others = {"Bucket": place.bucket, "Key": "rejected/pieces/a.csv/b.csv/000000000001.csv"}
    somebody("s3").put_object(**others, Body=b"line,reason,row\n2,of another,x\n")
    whole = {"Bucket": place.bucket, "Key": "rejected/a.csv"}
    somebody("s3").put_object(**whole, Body=b'line,reason,row\n0,"in pieces, a file for each: x/",\n')
    stored = line("a.csv", "1", rows_stored=3, rows_rejected=4)
    assert told(stored).set_index("key").loc["a.csv", "why"] == "line 3: no 3; line 21: no 21; line 27: no 27"
    somebody("s3").delete_object(**whole)
    assert told().set_index("key").loc["a.csv", "why"] == "its rejected rows are gone"


def test_what_is_tried_again_says_why_until_it_is_stored(told):
    failed = {"level": "ERROR", "message": "failed", "key": "b.csv", "reason": "not in UTF-8"}
    whole = line("a.csv", "1", rows_stored=3, rows_rejected=0)
    first = told(whole, failed).set_index("key")
    assert list(first.loc["b.csv"]) == ["failed, and is tried again", 0, 0, "not in UTF-8"]
    assert first.loc["a.csv", "why"] == ""
    then = told(line("b.csv", "2", rows_stored=9, rows_rejected=0)).set_index("key")
    assert list(then.loc["b.csv"]) == ["stored", 9, 0, ""]


def test_a_large_file_is_stored_when_all_of_its_pieces_are(told):
    piece = {"byte": 0, "step": 1}
    cut = line("a.csv", "1", "cut", pieces=1, rows_cut=5, rows_stored=0, rows_rejected=0, done=True, **piece)
    handed = line("a.csv", "1", "handed on", rows_stored=0, rows_rejected=0)
    assert told(handed, cut).set_index("key").loc["a.csv", "state"] == "not yet"
    stored = line("a.csv", "1", rows_stored=5, rows_rejected=0, done=True, **piece)
    assert list(told(stored).set_index("key").loc["a.csv"])[:2] == ["stored", 5]
