"""DynamoDB's export to S3: MiniStack's reports COMPLETED and writes nothing.

What is written is what AWS writes, but for checksum files, in one data file:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html. It is read while
the call lasts, so who writes to the table meanwhile may be seen half.
"""

import gzip
import json
import secrets
from base64 import b32encode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from lib.base.times import iso8601
from lib.local.in_server.clients import MakeClient

CHUNK_BYTES = 1024 * 1024


def export(params: dict, description: dict, client: MakeClient, service_client: MakeClient) -> dict[str, Any]:
    """Export a table.

    Args:
        params: As given to ExportTableToPointInTime.
        description: Of the export, as DynamoDB gives it.
        client: Makes the caller's clients, with whose rights AWS writes to the bucket.
            https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
        service_client: Makes DynamoDB's own, which read the table.

    Returns:
        How it ended, as DescribeExport tells it.
    """
    table = params["TableArn"].rpartition("/")[2]
    pages = service_client("dynamodb").get_paginator("scan")
    items = (item for page in pages.paginate(TableName=table, ConsistentRead=True) for item in page["Items"])
    try:
        return {"ExportStatus": "COMPLETED"} | write(client("s3"), params, description, items)
    except ClientError as error:
        code = f"S3{error.response['Error']['Code']}"
        return {"ExportStatus": "FAILED", "FailureCode": code, "FailureMessage": str(error)}


def write(s3: BaseClient, params: dict, description: dict, items: Iterator[dict]) -> dict[str, Any]:
    """Write an export's files.

    Args:
        s3: A client that may write to the bucket.
        params: As given to ExportTableToPointInTime.
        description: Of the export, as DynamoDB gives it.
        items: The table's, as boto3's client gives them.

    Returns:
        What DescribeExport adds: `ItemCount`, `BilledSizeBytes`, `ExportManifest`.
    """
    export_id = description["ExportArn"].rpartition("/")[2]
    prefix = params.get("S3Prefix", "")
    folder = f"{prefix}/AWSDynamoDB/{export_id}/" if prefix else f"AWSDynamoDB/{export_id}/"

    encryption = _encryption(params)

    def put(key: str, body: bytes | BinaryIO) -> str:
        return s3.put_object(Bucket=params["S3Bucket"], Key=key, Body=body, **encryption)["ETag"].strip('"')

    data_key = f"{folder}data/{b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}.json.gz"
    with TemporaryFile() as file:
        count, size = _write_items(file, items)
        checksum = _md5(file)
        etag = put(data_key, file)
    entry = {"itemCount": count, "md5Checksum": checksum, "etag": etag, "dataFileS3Key": data_key}
    put(f"{folder}manifest-files.json", json.dumps(entry).encode() + b"\n")
    summary = _summary(params, description, f"{folder}manifest-files.json", count, size)
    put(f"{folder}manifest-summary.json", json.dumps(summary).encode())
    return {"ItemCount": count, "BilledSizeBytes": size, "ExportManifest": f"{folder}manifest-summary.json"}


def _write_items(file: BinaryIO, items: Iterator[dict]) -> tuple[int, int]:
    """Write items, one a line, and return how many and how many bytes, uncompressed."""
    count = size = 0
    with gzip.GzipFile(fileobj=file, mode="wb") as out:
        for item in items:
            # boto3 has decoded binary values.
            line = json.dumps({"Item": item}, default=lambda binary: b64encode(bytes(binary)).decode())
            size += out.write(line.encode() + b"\n")
            count += 1
    return count, size


def _encryption(params: dict) -> dict[str, str]:
    """Return S3's words for what an export was told."""
    if params.get("S3SseAlgorithm") == "KMS":
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": params["S3SseKmsKeyId"]}
    return {"ServerSideEncryption": "AES256"} if "S3SseAlgorithm" in params else {}


def _md5(file: BinaryIO) -> str:
    file.seek(0)
    hashed = md5(usedforsecurity=False)
    while chunk := file.read(CHUNK_BYTES):
        hashed.update(chunk)
    file.seek(0)
    return b64encode(hashed.digest()).decode()


def _summary(params: dict, description: dict, files_key: str, count: int, size: int) -> dict[str, Any]:
    return {
        "version": "2020-06-30",
        "exportArn": description["ExportArn"],
        "startTime": iso8601(datetime.fromtimestamp(description["StartTime"], UTC)),
        "endTime": iso8601(datetime.now(UTC)),
        "tableArn": description["TableArn"],
        "tableId": description["TableId"],
        "exportTime": iso8601(datetime.fromtimestamp(description["ExportTime"], UTC)),
        "s3Bucket": params["S3Bucket"],
        "s3Prefix": params.get("S3Prefix"),
        "s3SseAlgorithm": params.get("S3SseAlgorithm", "AES256"),
        "s3SseKmsKeyId": params.get("S3SseKmsKeyId"),
        "manifestFilesS3Key": files_key,
        "billedSizeBytes": size,
        "itemCount": count,
        "outputFormat": "DYNAMODB_JSON",
        "exportType": "FULL_EXPORT",
    }
