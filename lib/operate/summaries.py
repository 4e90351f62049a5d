"""The summaries of *summarize*: where they are, what is in them, and waiting for them."""

import json
from collections.abc import Sequence

import pandas as pd

from lib.engine.waiting import Waiting
from lib.operate.samples import Sample
from lib.operate.watch import until
from lib.parameters.sections import Summarize
from lib.s3.objects import Place

# What `handlers/summarize` logs of a file that it summarizes, and of one that it does not.
SEQUENCE = ["event received", "CSV downloaded", "JSON uploaded"]
REJECTED = "CSV rejected"
# What `handlers/summarize` writes, as Athena's types.
TOP_VALUE = "struct<value:string,count:bigint>"
PROFILE = (
    "struct<name:string,type:string,nulls:bigint,distinct:bigint,distinct_is_approximate:boolean,"
    "min:string,max:string,mean:double,standard_deviation:double,quartiles:array<double>,"
    f"quartiles_are_approximate:boolean,top_values:array<{TOP_VALUE}>,top_values_are_approximate:boolean>"
)
TEXTS = ["bucket", "key", "version_id", "etag", "last_modified", "summarized_at", "engine", "encoding"]
COLUMNS = {
    **dict.fromkeys([*TEXTS, "encoding_found_by", "delimiter"], "string"),
    "encoding_alternatives": "array<string>",
    "damaged_bytes": "bigint",
    "first_damaged_line": "bigint",
    "size_bytes": "bigint",
    "null_values": "array<string>",
    "rows": "bigint",
    "columns": "int",
    "column_profiles": f"array<{PROFILE}>",
}


def watch_outcomes(uploads: pd.DataFrame, place: Place, settings: Summarize, failed: Waiting) -> pd.DataFrame:
    """Watch until every upload is summarized or rejected, or has failed for good, or the time is up.

    Args:
        uploads: As `samples.upload` returns it.
        place: Where they were uploaded.
        settings: The parameters of *summarize*.
        failed: Where events end that failed too often.

    Returns:
        One row an upload: key, `state` (`summarized`, `rejected`, `dead letter` or `not yet`) and `seconds`.
    """
    version = dict(zip(uploads["key"], uploads["version_id"], strict=True))
    found = {}

    def is_done(key: str) -> bool:
        found[key] = next(
            (state for state, where in _places(key, settings).items() if _is_of(place, where, version[key])),
            None,
        )
        return found[key] is not None

    outcomes = until(uploads, is_done, failed, settings.watch_timeout_s, done="done")
    outcomes["state"] = [
        found[key] or state for key, state in zip(outcomes["key"], outcomes["state"], strict=True)
    ]
    return outcomes


def read(place: Place, key: str, settings: Summarize) -> pd.DataFrame:
    """Return the summary of a file, one row a column.

    Args:
        place: Where the file is.
        key: The file's key.
        settings: The parameters of *summarize*.
    """
    profiles = pd.DataFrame(_load(place, settings.summary_key(key))["column_profiles"])
    profiles["top_values"] = [
        ", ".join(f"{top['value']} ({top['count']})" for top in tops[:3]) for tops in profiles["top_values"]
    ]
    return profiles


def reason(place: Place, key: str, settings: Summarize) -> str:
    """Return why a file was rejected; the arguments are those of `read`."""
    return _load(place, settings.rejected_key(key))["reason"]


def count_rows(files: Sequence[Sample], place: Place, settings: Summarize) -> pd.DataFrame:
    """Count the rows of files, and what their summaries say.

    Args:
        files: As they were uploaded.
        place: Where they were uploaded.
        settings: The parameters of *summarize*.

    Returns:
        One row a file: key, rows `in the file`, rows `in the summary`.
    """
    rows = [(f.key, f.rows, _load(place, settings.summary_key(f.key))["rows"]) for f in files]
    return pd.DataFrame(rows, columns=["key", "in the file", "in the summary"])


def steps(log: pd.DataFrame) -> pd.DataFrame:
    """Return when the function took each step with each file, the last time that it did.

    Args:
        log: As `watch.function_log` returns it.

    Returns:
        One row a file, one column a step: its time.
    """
    times = log.pivot_table(index="key", columns="message", values="timestamp", aggfunc="max")
    return times.reindex(columns=[*SEQUENCE, REJECTED]).rename_axis(columns=None)


def in_order(log: pd.DataFrame, keys: Sequence[str]) -> list[bool]:
    """Return of each file whether it was summarized step by step: received, downloaded, its JSON uploaded.

    Args:
        log: As `watch.function_log` returns it.
        keys: The files.
    """
    messages = log[log["message"].isin(SEQUENCE)].groupby("key")["message"].agg(list)
    return [messages.get(key, [])[-len(SEQUENCE) :] == SEQUENCE for key in keys]


def _places(key: str, settings: Summarize) -> dict[str, str]:
    return {"summarized": settings.summary_key(key), "rejected": settings.rejected_key(key)}


def _is_of(place: Place, key: str, version_id: str) -> bool:
    """Say whether there is such an object, and it speaks of this version."""
    return place.head(key) is not None and _load(place, key)["version_id"] == version_id


def _load(place: Place, key: str) -> dict:
    return json.load(place.client.get_object(Bucket=place.bucket, Key=key)["Body"])
