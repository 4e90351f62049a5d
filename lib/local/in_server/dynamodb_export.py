"""A stand-in for DynamoDB's export to S3: MiniStack's reports COMPLETED and writes nothing.

What is written is what AWS writes, but for checksum files, in one data file:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html. It is read while
the call lasts, so who writes to the table meanwhile may be seen half.
"""

import gzip
import json
import secrets
from base64 import b32encode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import md5
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from lib.base.times import iso8601
from lib.local.in_server.athena_sql import not_here

MakeClient = Callable[[str, str], BaseClient]
Announce = Callable[[str], None]
CHUNK_BYTES = 1024 * 1024


class ExportStandIn:
    """Exports when ExportTableToPointInTime is called, and tells DescribeExport how it went."""

    def __init__(self, client: MakeClient, service_client: MakeClient, announce: Announce):
        """Make a stand-in.

        Args:
            client: Makes the caller's clients, with whose rights AWS writes to the bucket.
                https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
            service_client: Makes DynamoDB's own, which read the table.
            announce: Called with a line when the stand-in is used.
        """
        self._client, self._service_client, self._announce = client, service_client, announce
        self._done: dict[str, dict[str, Any]] = {}

    def before_start(self, params: dict, context: dict, **_: object) -> None:
        """Keep what ExportTableToPointInTime was called with (botocore: provide-client-params).

        Raises:
            NotOnLocalAwsError: If it asks for another export than a full one, of now, in DynamoDB JSON.
        """
        usual = {"ExportFormat": "DYNAMODB_JSON", "ExportType": "FULL_EXPORT", "ExportTime": None}
        for name, value in usual.items():
            if params.get(name, value) != value:
                raise not_here(
                    f"{name}={params[name]}", "it keeps no history and no Ion", f"leave {name} out"
                )
        context["runbook_export"] = params

    def before_call(self, context: dict, **_: object) -> tuple[AWSResponse, dict] | None:
        """Refuse, as AWS does, if point-in-time recovery is off (botocore: before-call)."""
        arn = context["runbook_export"]["TableArn"]
        name = arn.rpartition("/")[2]
        dynamodb = self._service_client("dynamodb", context["client_region"])
        try:
            found = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        except dynamodb.exceptions.ResourceNotFoundException:
            return None  # MiniStack refuses it then
        if found["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED":
            return None
        message = f"Point in time recovery is not enabled for table '{name}'"
        error = {"Code": "PointInTimeRecoveryUnavailableException", "Message": message}
        return AWSResponse(arn, 400, {}, None), {
            "Error": error,
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

    def after_start(self, http_response: Any, parsed: dict, context: dict, **_: object) -> None:
        """Export, once MiniStack has accepted the call (botocore: after-call)."""
        if http_response.status_code >= 300:
            return
        self._announce("stand-in: DynamoDB export: the local AWS writes no files; the table is read here")
        description = parsed["ExportDescription"]
        description["ExportTime"] = datetime.now(UTC)
        self._done[description["ExportArn"]] = self._export(
            context["runbook_export"], context["client_region"], description
        )

    def after_get(self, parsed: dict, **_: object) -> None:
        """Put into DescribeExport's answer how the export ended (botocore: after-call)."""
        description = parsed.get("ExportDescription", {})
        if done := self._done.get(description.get("ExportArn", "")):
            in_progress = description["ExportStatus"] == "IN_PROGRESS"
            description |= done | ({"ExportStatus": "IN_PROGRESS"} if in_progress else {})

    def _export(self, params: dict, region: str, description: dict) -> dict[str, Any]:
        """Export, and return how it ended as AWS words it."""
        table = params["TableArn"].rpartition("/")[2]
        pages = self._service_client("dynamodb", region).get_paginator("scan")
        items = (
            item for page in pages.paginate(TableName=table, ConsistentRead=True) for item in page["Items"]
        )
        done = {"ExportTime": description["ExportTime"], "ExportStatus": "COMPLETED"}
        try:
            return done | write(self._client("s3", region), params, description, items)
        except ClientError as error:
            code = f"S3{error.response['Error']['Code']}"
            return done | {"ExportStatus": "FAILED", "FailureCode": code, "FailureMessage": str(error)}


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
        "startTime": iso8601(description["StartTime"]),
        "endTime": iso8601(datetime.now(UTC)),
        "tableArn": description["TableArn"],
        "tableId": description["TableId"],
        "exportTime": iso8601(description["ExportTime"]),
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
