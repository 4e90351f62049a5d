"""The profile of a CSV too large for one function: a copy of its own, a table over it, queries, and away."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256

from athena_engine import SURPLUS, AthenaEngine, TimeIsUpError
from aws_lambda_powertools.utilities.typing import LambdaContext
from boto3.s3.transfer import TransferConfig
from botocore.client import BaseClient
from common.objects import ObjectState, Place
from csv_dialect import Dialect, sniff
from csv_text import (
    DOS_END,
    DOS_RECORD_BYTES,
    SAMPLE_BYTES,
    Encoding,
    encoding_of_sample,
    sample_text,
)
from profiling import profile
from reading import current, first_bytes, last_bytes
from rejection import RejectedError

# A table is over a folder, not over one of its objects; and the object must not change meanwhile.
STAGING_PREFIX = "athena-staging/"
# CopyObject ends at 5 GB. https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
COPY = TransferConfig(multipart_threshold=2**30, multipart_chunksize=256 * 2**20)
SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
# By default a backslash, which CSV does not have as escape character: C:\temp would lose it.
# https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
NO_ESCAPE = "\x01"


def profile_by_athena(
    client: Callable[[str], BaseClient],
    source: Place,
    state: ObjectState,
    context: LambdaContext,
    log_step: Callable[..., None],
) -> tuple[dict, int, list[dict]]:
    """Profile a CSV by Athena. Columns are described as by DuckDB, but never exactly where that can estimate.

    Args:
        client: Makes a client from a service's name.
        source: The CSV.
        state: The version of it.
        context: Lambda's context.
        log_step: Called with a message and fields.

    Returns:
        Engine, encoding, how that is known, and delimiter; the number of rows; a profile of each column.

    Raises:
        RejectedError: Athena cannot read such a file.
        TimeIsUpError: Athena is not done yet; the next attempt of the event goes on.
        AthenaQueryError: Athena failed.
    """
    began = datetime.now(UTC)
    encoding, dialect = read_dialect(source, state)
    digest = sha256(f"{source.bucket} {source.key} {state.version} {state.etag}".encode()).hexdigest()[:32]
    started = time.perf_counter()
    with staged(source, state, digest) as folder:
        log_step("CSV staged", seconds=round(time.perf_counter() - started, 3))
        with table(client("glue"), os.environ["DATABASE"], f"summarize_{digest}", folder, dialect) as name:
            engine = AthenaEngine(
                client=client("athena"),
                workgroup=os.environ["WORKGROUP"],
                database=os.environ["DATABASE"],
                table=name,
                invocation=context.aws_request_id,
                remaining_ms=context.get_remaining_time_in_millis,
                began=began,
            )
            rows, columns = profile(engine, dialect)
    return {"engine": "athena", **encoding.described(), "delimiter": dialect.delimiter}, rows, columns


def read_dialect(source: Place, state: ObjectState) -> tuple[Encoding, Dialect]:
    """Return encoding and dialect by the first bytes, if Athena can read it. What is later, Athena meets.

    OpenCSVSerDe fills short lines up and drops what is too much; line ends within quotes split a row.
    https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
    """
    sample, is_whole = first_bytes(source, state, SAMPLE_BYTES), state.size <= SAMPLE_BYTES
    encoding = encoding_of_sample(sample, is_whole)
    if encoding.name != "utf-8":
        raise RejectedError(
            f"The file is too large for one function, and Athena cannot read {encoding.name}."
        )
    if DOS_END.search(last_bytes(source, state, DOS_RECORD_BYTES)):
        raise RejectedError(
            "The file ends with DOS's end mark (Ctrl-Z), which Athena would take for a value."
        )
    dialect = sniff(sample_text(sample), is_whole)
    if dialect.has_quoted_newlines:
        raise RejectedError(
            "The file is too large for one function, and Athena cannot read line ends within quotes."
        )
    for line, record in enumerate(dialect.records, start=2 + dialect.lines_before):
        if len(record) != len(dialect.names):
            fields = f"{len(record)} fields, the header has {len(dialect.names)}"
            raise RejectedError(f"Line {line} has {fields}.", line)
    return encoding, dialect


@contextmanager
def staged(source: Place, state: ObjectState, digest: str) -> Iterator[str]:
    """Copy this version within its bucket, and yield the URL of the copy's folder.

    The copy of an earlier attempt is taken as it is; it stays if the time is up.
    """
    copy = Place(source.client, source.bucket, f"{STAGING_PREFIX}{digest}/data.csv")
    found = current(copy)
    if found is None or found.size != state.size:
        source.client.copy(
            CopySource=source.name | state.version,
            **copy.name,
            Config=COPY,
            # Without tags, which the role need not read then.
            ExtraArgs={
                "CopySourceIfMatch": state.etag,
                "MetadataDirective": "REPLACE",
                "TaggingDirective": "REPLACE",
            },
        )
    with kept_if_time_is_up(lambda: remove(copy)):
        yield f"s3://{copy.bucket}/{STAGING_PREFIX}{digest}/"


@contextmanager
def table(glue: BaseClient, database: str, name: str, folder: str, dialect: Dialect) -> Iterator[str]:
    """Make a table over the folder, all of whose columns are texts, and yield its name.

    By Glue: unlike DDL through Athena that is one call without waiting, and can be done twice.
    """
    with suppress(glue.exceptions.AlreadyExistsException):
        glue.create_table(DatabaseName=database, TableInput=table_input(name, folder, dialect))

    def drop() -> None:
        with suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName=database, Name=name)

    with kept_if_time_is_up(drop):
        yield name


def table_input(name: str, folder: str, dialect: Dialect) -> dict:
    """Return the description of the table for Glue; its last column has what is too much in a line."""
    names = [f"c{number}" for number in range(len(dialect.names))]
    characters = {
        "separatorChar": dialect.delimiter,
        "quoteChar": dialect.quote,
        "escapeChar": NO_ESCAPE,
    }
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "EXTERNAL": "TRUE",
            "classification": "csv",
            "skip.header.line.count": str(1 + dialect.lines_before),
        },
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": "string"} for name in [*names, SURPLUS]],
            "Location": folder,
            "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
            "SerdeInfo": {"SerializationLibrary": SERDE, "Parameters": characters},
        },
    }


@contextmanager
def kept_if_time_is_up(remove_it: Callable[[], None]) -> Iterator[None]:
    """Remove something afterwards, whatever happens; but not if another attempt is to go on with it."""
    try:
        yield
    except TimeIsUpError:
        raise
    except BaseException:
        remove_it()
        raise
    remove_it()


def remove(copy: Place) -> None:
    """Delete the copy; with its version, of which a delete without it would keep the bytes."""
    if state := current(copy):
        copy.client.delete_object(**copy.name, **state.version)
