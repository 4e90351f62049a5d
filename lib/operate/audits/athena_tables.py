"""The results of audits as two tables for Athena: how many objects of each state, and every difference."""

import gzip
import json
from collections.abc import Iterable
from itertools import chain
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from lib.engine.ledger import note_put
from lib.operate.audits.findings import SAME, Finding
from lib.resources.s3 import Bucket
from lib.target import Target

if TYPE_CHECKING:
    from lib.operate.audits.audit import Audit

OF_AN_AUDIT = {"audited_at": "string", "pipeline": "string", "method": "string"}
COUNTS = {**OF_AN_AUDIT, "state": "string", "objects": "bigint"}
DIFFERENCES = {
    **OF_AN_AUDIT,
    "key": "string",
    "state": "string",
    "detail": "string",
    "by_design": "boolean",
}
COUNTS_PREFIX, DIFFERENCES_PREFIX = "counts/", "differences/"
UNFINISHED = "not finished"  # the state of an audit that did not come to its end, which has no key


def save(target: Target, audit: "Audit", bucket: Bucket) -> None:
    """Add an audit to the tables: its counts, all its differences, and what could not be judged.

    One that did not come to its end has a row more in both, whose state is `not finished`.

    Args:
        target: The AWS to work on.
        audit: Whose.
        bucket: Where the tables' files are.
    """
    client, name = target.client("s3", bucket.region), f"{audit.began:%Y%m%dT%H%M%S%fZ}-{audit.name}.json.gz"
    found = audit.findings.counts or {SAME: 0}  # that nothing was there is a result, too
    counts = [{"state": state, "objects": number} for state, number in found.items()]
    differences: Iterable[dict] = (finding.row() for finding in audit.findings)
    if audit.error:
        counts.append({"state": UNFINISHED, "objects": 0})
        differences = chain(differences, [Finding("", UNFINISHED, audit.why_it_ended).row()])
    for prefix, rows in ((COUNTS_PREFIX, counts), (DIFFERENCES_PREFIX, differences)):
        _upload(client, bucket.name, f"{prefix}{name}", ({**_about(audit), **row} for row in rows))


def _about(audit: "Audit") -> dict[str, str]:
    return {
        "audited_at": audit.began.isoformat(timespec="milliseconds"),
        "pipeline": audit.name,
        "method": audit.method,
    }


def _upload(client, bucket: str, key: str, rows: Iterable[dict]) -> None:
    """Upload rows as JSON lines, through a file, since they may be millions; no rows make an empty file."""
    with TemporaryFile() as file:
        with gzip.open(file, "wt", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.seek(0)
        client.upload_fileobj(file, bucket, key, ExtraArgs={"ContentType": "application/gzip"})
        note_put(bucket, key)
