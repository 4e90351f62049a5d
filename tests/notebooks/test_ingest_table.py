"""*ingest* as somebody uses it who has files of another shape: six lines of parameters, and no samples."""

import gzip
import json
from decimal import Decimal
from random import Random

import pandas as pd
import pytest
from boto3.dynamodb.types import TypeDeserializer
from support.audited import audited
from support.headless import eventually

from lib.lake import crawl
from lib.lake.query import Athena
from lib.operate import large_files
from lib.operate.failures import stuck
from lib.operate.pipelines import deployed
from lib.s3.objects import Place

ARRIVAL_S = 600
# The six lines.
FLIGHTS = {
    "generate": False,
    "table_name": "flights",
    "key_prefix": "flights/",
    "columns": [
        "carrier string",
        "origin string",
        "date timestamp",
        "dep_delay decimal",
        "passengers integer>=0",
        "diverted boolean",
    ],
    "hash_key": "{origin}#{carrier}",
    "range_key": "date",
}
FILE = """date,carrier,flight,origin,dest,dep_delay,passengers,diverted,name
2026-03-01 05:15:00,UA,1545,EWR,IAH,-2.50,180,false,"first, of the day"
2026-03-01 05:29:00,UA,1714,LGA,IAH,4,0,true,
2026-03-01 05:40,AA,1141,JFK,MIA,,160,false,no delay is known
yesterday,AA,1142,JFK,MIA,1,1,false,
2026-03-01T05:45:00+01:00,B6,0725,JFK,BQN,1e1,150,False,leading zero
2026-03-01T05:45:00+01:00,B6,0725,JFK,BQN,1e1,many,False,
"""


@pytest.fixture(scope="module")
def ingest(deploy):
    more = {"empty_values": "omit", "function_timeout_s": 20, "time_to_live_days": 0}
    return deploy("50_ingest", env="tflights", ingest=FLIGHTS | more)


@pytest.fixture(scope="module")
def place(ingest) -> Place:
    return Place(ingest.aws.client("s3", "us-east-1"), ingest.outputs["bucket"])


def items(ingest) -> dict[tuple[str, str], dict]:
    pages = ingest.aws.client("dynamodb", "us-east-1").get_paginator("scan")
    plain = TypeDeserializer().deserialize
    found = [
        {name: plain(value) for name, value in item.items()}
        for page in pages.paginate(TableName=ingest.outputs["table"])
        for item in page["Items"]
    ]
    return {(item["PK"], item["SK"]): item for item in found}


def test_nothing_of_the_producer_is_made(ingest):
    assert not {"schedule", "generate_function", "failures_url"} & ingest.outputs.keys()
    functions = ingest.aws.client("lambda", "us-east-1").get_paginator("list_functions").paginate()
    names = [one["FunctionName"] for page in functions for one in page["Functions"]]
    assert [name for name in names if "-tflights-" in name] == [ingest.outputs["consume_function"]]


def test_a_file_of_another_shape_is_in_dynamodb_and_in_athena(ingest, place):
    key = "flights/march.csv"
    place.client.put_object(Bucket=place.bucket, Key=key, Body=FILE.encode())
    assert eventually(lambda: len(items(ingest)) == 4, ARRIVAL_S)
    assert items(ingest)["EWR#UA", "2026-03-01T05:15:00.000Z"] == {
        "PK": "EWR#UA",
        "SK": "2026-03-01T05:15:00.000Z",
        "origin": "EWR",
        "carrier": "UA",
        "dep_delay": Decimal("-2.50"),
        "passengers": 180,
        "diverted": False,
        "flight": "1545",
        "dest": "IAH",
        "name": "first, of the day",
        "source_key": key,
    }
    assert "dep_delay" not in items(ingest)["JFK#AA", "2026-03-01T05:40:00.000Z"]
    assert items(ingest)["JFK#B6", "2026-03-01T04:45:00.000Z"]["flight"] == "0725"
    rejected = place.client.get_object(Bucket=place.bucket, Key=f"rejected/{key}")["Body"].read().decode()
    assert [line.split(",")[:2] for line in rejected.splitlines()[1:]] == [
        ["5", "date is not such as 2026-01-02T15:04:05.123Z"],
        ["7", "passengers is not an integer"],
    ]
    glue = ingest.aws.client("glue", "us-east-1")
    crawl.crawl(glue, ingest.outputs["crawler"])
    analyst = Athena(
        ingest.aws,
        "us-east-1",
        workgroup=ingest.outputs["workgroup"],
        database=ingest.outputs["database"],
        quiet=True,
    )
    found = analyst.query("SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY carrier")
    assert found.to_dict("list") == {"carrier": ["AA", "B6", "UA"], "n": [2, 2, 2]}


def test_a_large_file_is_stored_in_pieces_its_progress_is_seen_and_the_audit_is_clean(ingest, place):
    since, count, key = pd.Timestamp.now("UTC"), 200, "flights/large.csv.gz"
    rows = (
        f"2026-04-01T00:{n // 60:02}:{n % 60:02}Z,ZZ,1,JFK,BQN,1,{n if n % 90 else 'none'},true,"
        f"{Random(n).randbytes(50_000).hex()}\n"
        for n in range(count)
    )
    text = FILE.splitlines(keepends=True)[0] + "".join(rows)
    place.client.put_object(Bucket=place.bucket, Key=key, Body=gzip.compress(text.encode()))
    logs, group = ingest.aws.client("logs", "us-east-1"), f"/aws/lambda/{ingest.outputs['consume_function']}"

    def is_stored() -> bool:
        found = large_files.progress(logs, group, since=since)
        return list(found["state"]) == ["stored"]

    assert eventually(is_stored, ARRIVAL_S)
    (found,) = large_files.progress(logs, group, since=since).to_dict("records")
    assert (found["pieces"], found["rows"], found["rows_rejected"]) == (2, count, 3)
    assert found["rows_stored"] == count - 3
    assert audited(ingest.aws, ingest.parameters, "ingest").is_clean


def test_a_dead_piece_names_its_file_and_place(ingest, place, somebody):
    pipeline = deployed(ingest.aws, ingest.parameters, "ingest")
    (letters,) = pipeline.dead_letters
    assert {each.name.rpartition("-")[2] for each in (letters.origin, *letters.others)} == {"files", "pieces"}
    sqs = somebody("sqs")
    record = {
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-03-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Piece from byte 80 to 160, line 7, stored to 0, step 2",
        "s3": {"bucket": {"name": place.bucket}, "object": {"key": "flights/dead.csv", "eTag": "e"}},
    }
    body = json.dumps({"Records": [record]})
    sqs.send_message(QueueUrl=ingest.outputs["dlq_url"], MessageBody=body)
    (found,) = stuck.stuck(ingest.aws, pipeline).to_dict("records")
    assert (found["key"], found["event"]) == ("flights/dead.csv", record["eventName"])
