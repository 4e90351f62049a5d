"""From a DynamoDB table to files that Athena reads: DynamoDB's export to S3, turned into plain JSON lines."""

import gzip
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pandas as pd

from lib.base.errors import ItemError, RunbookError
from lib.base.own_fault import Fault, by_reason, or_fault, such_as
from lib.base.retry import TOO_EARLY, retry_on, wait_until
from lib.base.shown import counted
from lib.base.waits import Wait
from lib.engine.ledger import note_put
from lib.resources.dynamodb import BACKUPS_S, Table
from lib.resources.s3 import DELETE_BATCH_KEYS, Bucket, delete_batch
from lib.target import Target

POLL_S = 1
# DynamoDB works on an export for some minutes, however small the table is.
EXPORT_TIMEOUT_S = 1800


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        rows: How many rows; as many as the table had items, but for those that are left out.
        bytes: What their files take up, compressed; Athena bills these.
        time: The state of the table that they show (UTC).
        left_out: How many items can be no rows, each of them printed with its reason.
    """

    rows: int
    bytes: int
    time: pd.Timestamp
    left_out: int = 0


def export(
    target: Target,
    table: Table,
    bucket: Bucket,
    key_prefix: str,
    timeout_s: float = EXPORT_TIMEOUT_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Exported:
    """Export a table, without reading from it, and make its items the rows under `{key_prefix}rows/`.

    DynamoDB writes its own format under `{key_prefix}export/`. The rows are one JSON object each: numbers are
    exact, binary values base64, sets sorted lists. All new files are ready on this machine before the first
    is uploaded, and the old ones are deleted after the last: who reads in between finds rows twice, but never
    misses one; so, too, if the run ends there, until the next. Of two exports at once, the later one stays.

    Args:
        target: The AWS to work on.
        table: The table; its point-in-time recovery is on.
        bucket: Where the files go.
        key_prefix: What their keys begin with; empty, or with a "/" at its end.
        timeout_s: How long to wait for DynamoDB, in seconds.
        sleep: Waits between two looks.

    Returns:
        How many rows there are now, their bytes, and of when they are. An item that can be no row does not
        hold up the others: it is printed, with its file and line, and counted.

    Raises:
        RunbookError: If DynamoDB fails to export, or its files do not have all the items that it names.
        WaitError: If DynamoDB has not finished in time.
    """
    done = _export(target, table, bucket, f"{key_prefix}export", timeout_s, sleep)
    export_id = done["ExportArn"].rpartition("/")[2]
    s3 = target.client("s3", bucket.region)
    # The manifests name keys, but not all of them with the prefix; the layout is documented:
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    folder = f"{key_prefix}export/AWSDynamoDB/{export_id}/"
    note_put(bucket.name, folder)
    note_put(bucket.name, f"{key_prefix}rows/{export_id}-")
    with TemporaryDirectory() as scratch:
        files, rows, left_out = _convert(s3, bucket.name, folder, Path(scratch), done["ItemCount"])
        for number, file in enumerate(files):
            s3.upload_file(str(file), bucket.name, f"{key_prefix}rows/{export_id}-{number:05}.json.gz")
        size = sum(file.stat().st_size for file in files)
    _delete_older(s3, bucket.name, f"{key_prefix}rows/", export_id)
    return Exported(rows, size, pd.Timestamp(done["ExportTime"]).tz_convert("UTC"), left_out)


def _export(
    target: Target,
    table: Table,
    bucket: Bucket,
    prefix: str,
    timeout_s: float,
    sleep: Callable[[float], None],
) -> dict:
    """Let DynamoDB export, and return the description of what it did."""
    client = target.client("dynamodb", table.region)
    # Recovery that was turned on a moment ago is not there yet.
    begin = retry_on(TOO_EARLY, BACKUPS_S, sleep)
    started = begin(
        client.export_table_to_point_in_time,
        TableArn=table.arn,
        S3Bucket=bucket.name,
        S3BucketOwner=target.account_id,
        S3Prefix=prefix,
        **_encryption(bucket),
        ExportFormat="DYNAMODB_JSON",
        ExportType="FULL_EXPORT",
    )["ExportDescription"]
    with Wait(f"Export {table.name}", timeout_s=timeout_s):
        done = _wait(client, started["ExportArn"], timeout_s, sleep)
    if done["ExportStatus"] != "COMPLETED":
        reason = f"{done.get('FailureCode', 'no code')}: {done.get('FailureMessage', 'no reason given')}"
        raise RunbookError(f"the export of {table.name} failed: {reason}")
    return done


def _encryption(bucket: Bucket) -> dict[str, str]:
    """Return how DynamoDB shall encrypt its files, as it goes by what it is told and not by the bucket.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExportTableToPointInTime.html
    """
    if not bucket.kms_key_arn:
        return {"S3SseAlgorithm": "AES256"}
    return {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": bucket.kms_key_arn}


def _wait(client, arn: str, timeout_s: float, sleep: Callable[[float], None]) -> dict:
    def look() -> dict:
        return client.describe_export(ExportArn=arn)["ExportDescription"]

    return wait_until(
        look,
        lambda found: found["ExportStatus"] != "IN_PROGRESS",
        timeout_s,
        POLL_S,
        sleep,
        f"DynamoDB has not finished within {timeout_s} s; it goes on, see describe-export of {arn}. "
        "Run this again to export anew",
    )


def _convert(s3, bucket: str, folder: str, scratch: Path, items: int) -> tuple[list[Path], int, int]:
    """Write the rows of each of DynamoDB's files into one of ours; return these, how many, and left out."""
    files, rows, left_out = list[Path](), 0, list[tuple[str, str]]()
    with Wait("Convert", total=items, unit="row") as progress:
        for name in _data_files(s3, bucket, folder):
            file = scratch / f"{len(files)}.json.gz"
            with gzip.open(file, "wb") as out:
                before = rows
                for number, line in enumerate(_lines(s3, bucket, f"{folder}data/{name}"), 1):
                    progress.update()
                    made = or_fault(row)(line)
                    if isinstance(made, Fault):
                        left_out.append((f"{folder}data/{name} line {number}", made.reason))
                        continue
                    out.write(made.encode() + b"\n")
                    rows += 1
            if rows > before:  # a partition without items has an empty file
                files.append(file)
    there = rows + len(left_out)
    if there != items:
        raise RunbookError(
            f"DynamoDB exported {counted(items, 'item')}, but {there} are in {bucket}/{folder}"
        )
    for reason, count, place in by_reason(left_out):
        print(f"left out of the export: {such_as(count, 'items', place)}: {reason}")
    return files, rows, len(left_out)


def _data_files(s3, bucket: str, folder: str) -> Iterator[str]:
    manifest = s3.get_object(Bucket=bucket, Key=f"{folder}manifest-files.json")["Body"]
    for line in manifest.iter_lines():
        yield PurePosixPath(json.loads(line)["dataFileS3Key"]).name


def _lines(s3, bucket: str, key: str) -> Iterator[bytes]:
    try:
        with gzip.open(s3.get_object(Bucket=bucket, Key=key)["Body"]) as lines:
            yield from lines
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RunbookError(f"s3://{bucket}/{key} is no whole gzip file ({error}); export again") from error


def row(line: bytes | str) -> str:
    """Turn a line of DynamoDB's export into a plain JSON object.

    Args:
        line: `{"Item": {…}}`, the values with their types.
            https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html

    Returns:
        The item as JSON on one line. Numbers are written out exactly, all 38 digits, whole ones without a
        point or an exponent; binary values are base64, as in the export; sets are sorted lists.
    """
    return _json({"M": json.loads(line)["Item"]})


def _json(typed: dict) -> str:
    ((kind, value),) = typed.items()
    match kind:
        case "N":
            return _number(value)
        case "NULL":
            return "null"
        case "L":
            return f"[{','.join(map(_json, value))}]"
        case "M":
            return f"{{{','.join(f'{_text(name)}:{_json(part)}' for name, part in value.items())}}}"
        case "NS":
            return f"[{','.join(map(_number, sorted(value, key=Decimal)))}]"
        case "SS" | "BS":
            return f"[{','.join(map(_text, sorted(value)))}]"
        case "S" | "B" | "BOOL":
            return _text(value)
    raise ItemError(f"a value is of type {kind}, which this runbook does not know")


def _text(value: str | bool) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(text: str) -> str:
    number = Decimal(text)
    return str(int(number)) if number == number.to_integral_value() else str(number)


def _delete_older(s3, bucket: str, prefix: str, export_id: str) -> None:
    """Delete the rows of every export but the latest; an export's id begins with its time."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    latest = max([f"{prefix}{export_id}", *(key.rpartition("-")[0] for key in keys)])
    older = [{"Key": key} for key in keys if not key.startswith(f"{latest}-")]
    for first in range(0, len(older), DELETE_BATCH_KEYS):
        delete_batch(s3, bucket, older[first : first + DELETE_BATCH_KEYS])
