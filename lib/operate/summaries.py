"""The summaries of *summarize*: where they are, what is in them, and waiting for them."""

import json
from collections.abc import Sequence

import pandas as pd

from lib.engine.waiting import Waiting
from lib.operate.facts import Facts
from lib.operate.samples import Sample
from lib.operate.watch import until
from lib.parameters.sections import Summarize
from lib.s3.objects import NO_VERSION, Place

SHOWN = [
    "name",
    "type",
    "nulls",
    "distinct",
    "min",
    "max",
    "mean",
    "top_values",
]  # of a summary, at first sight


def watch_outcomes(
    uploads: pd.DataFrame, place: Place, *, settings: Summarize, failed: Waiting
) -> pd.DataFrame:
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

    outcomes = until(uploads, is_done, dead_letters=failed, timeout_s=settings.watch_timeout_s, done="done")
    outcomes["state"] = [
        found[key] or state for key, state in zip(outcomes["key"], outcomes["state"], strict=True)
    ]
    return outcomes


def follow(uploads: pd.DataFrame, place: Place, *, settings: Summarize, failed: Waiting) -> pd.DataFrame:
    """Watch until a single file is summarized, and return its summary; else what became of it, and why.

    Args:
        uploads: As `samples.upload` returns it, of one file; the arguments are those of `watch_outcomes`.
        place: Where it was uploaded.
        settings: The parameters of *summarize*.
        failed: Where events end that failed too often.

    Returns:
        One row a column of the file; if there is no summary, its key, `state` and `why`.
    """
    ((key, state),) = watch_outcomes(uploads, place, settings=settings, failed=failed)[
        ["key", "state"]
    ].itertuples(index=False)
    if state == "summarized":
        return read(place, key, settings)[SHOWN]
    why = reason(place, key, settings) if state == "rejected" else ""
    return pd.DataFrame([(key, state, why)], columns=["key", "state", "why"])


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


def steps(log: pd.DataFrame, said: Facts) -> pd.DataFrame:
    """Return when the function took each step with each file, the last time that it did.

    Args:
        log: As `watch.function_log` returns it.
        said: What the function's handler says of itself.

    Returns:
        One row a file, one column a step, and one for each other outcome that is counted: its time.
    """
    times = log.pivot_table(index="key", columns="message", values="timestamp", aggfunc="max")
    counted = [outcome for outcome, metric in said.outcomes.items() if metric]
    columns = dict.fromkeys([*said.sequence, *counted])
    return times.reindex(columns=[*columns]).rename_axis(columns=None)


def in_order(log: pd.DataFrame, keys: Sequence[str], said: Facts) -> list[bool]:
    """Return of each file whether it was dealt with step by step, the last time that it was.

    Args:
        log: As `watch.function_log` returns it.
        keys: The files.
        said: What the function's handler says of itself.
    """
    sequence = list(said.sequence)
    messages = log[log["message"].isin(sequence)].groupby("key")["message"].agg(list)
    return [messages.get(key, [])[-len(sequence) :] == sequence for key in keys]


def _places(key: str, settings: Summarize) -> dict[str, str]:
    return {"summarized": settings.summary_key(key), "rejected": settings.rejected_key(key)}


def _is_of(place: Place, key: str, version_id: str) -> bool:
    """Say whether there is such an object, and it speaks of this version."""
    return place.head(key) is not None and (_load(place, key)["version_id"] or NO_VERSION) == version_id


def _load(place: Place, key: str) -> dict:
    return json.load(place.client.get_object(Bucket=place.bucket, Key=key)["Body"])
