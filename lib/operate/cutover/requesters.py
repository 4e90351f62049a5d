"""Who reads and writes a bucket, and who was denied, as far as somebody has it recorded. Reads only.

S3 keeps no such list. Two kinds of files tell, if they are switched on: server access logs of the bucket, and
the log files of the trail that 80_observe makes.
"""

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pandas as pd
from botocore.exceptions import ClientError

from lib.base import frames
from lib.base.own_fault import Fault, by_reason, or_fault, such_as
from lib.base.shown import counted
from lib.base.waits import progress
from lib.operate.pipelines import Pipeline
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.s3.listing import listing
from lib.s3.objects import Place
from lib.target import Target

MOST_FILES = 5_000
LOG_FILES = "log-files-"  # the last part of the name of the trail's bucket, as 80_observe describes it
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html: bucket owner, bucket, [time], address,
# requester, request id, operation, key, "request URI", status, error code, …
LINE = re.compile(r'\S+ (\S+) \[([^\]]+)\] \S+ (\S+) \S+ (\S+) (\S+) (?:"[^"]*"|-) (\d{3}|-) (\S+)')
LINE_TIME = "%d/%b/%Y:%H:%M:%S %z"
# In access logs a copy from the bucket is REST.COPY.OBJECT_GET:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
READS = re.compile(r"\.(GET|HEAD)\.|_GET$|^(Get|Head|List)")
SESSION = re.compile(r"arn:aws:sts::(\d{12}):assumed-role/([^/]+)/.*")
COLUMNS = ["who", "reads", "writes", "denied writes", "last"]


@dataclass
class Requesters:
    """Who asked a bucket for something.

    Attributes:
        told_by: What told it; empty if nothing does.
        untold: What does not tell, and why.
    """

    told_by: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    _counts: dict[str, list] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, None]))

    def add(self, who: str, is_read: bool, is_denied: bool, when: datetime) -> None:
        """Count a request.

        Args:
            who: ARN or account of whoever asked; a role's session counts as the role.
            is_read: Whether it changes nothing.
            is_denied: Whether it was refused.
            when: When it was made.
        """
        counts = self._counts[SESSION.sub(r"arn:aws:iam::\1:role/\2", who)]
        counts[0 if is_read else 2 if is_denied else 1] += 1
        counts[3] = max(filter(None, (counts[3], when)))

    def frame(self) -> pd.DataFrame:
        """Return one row for whoever asked: who, reads, writes, denied writes, last."""
        rows = [(who, *counts) for who, counts in sorted(self._counts.items())]
        return pd.DataFrame(rows, columns=COLUMNS)

    def __repr__(self) -> str:
        lines = [f"told by {each}" for each in self.told_by] + self.untold
        if not self.told_by:
            lines.append(
                "nothing tells who reads and writes the source. To know it, let 80_observe make a trail "
                "(observe.trail=true), or have the bucket's owner switch server access logging on"
            )
        shown = [frames.text(self.frame())] if self._counts else []
        return "\n".join([*shown, *lines])


def requesters(target: Target, parameters: Parameters, pipeline: Pipeline, since: datetime) -> Requesters:
    """Return who reads and writes a pipeline's source, and who was denied.

    Args:
        target: The AWS to look at.
        parameters: Whose.
        pipeline: Whose source.
        since: From when on.

    Returns:
        Who; and what told it, with the time of the newest file, since files come late: those of a trail
        within some five minutes, server access logs within hours.
    """
    found = Requesters()
    for what, tell in (("server access logs", _access_logs), ("the trail's log files", _trail)):
        try:
            tell(found, target, parameters, pipeline, since)
        except ClientError as error:
            refusal = error.response["Error"]
            found.untold.append(f"{what} cannot be read: {refusal['Code']}: {refusal['Message']}")
    return found


def _access_logs(
    found: Requesters, target: Target, parameters: Parameters, pipeline: Pipeline, since: datetime
) -> None:
    source = pipeline.source_bucket
    client = target.client("s3", source.region)
    said = client.get_bucket_logging(Bucket=source.name).get("LoggingEnabled")
    if not said:
        found.untold.append("server access logging is off")
        return
    # The bucket of the logs is in the same region:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
    place = Place(client, said["TargetBucket"])
    where = f"server access logs in s3://{place.bucket}/{said.get('TargetPrefix', '')}"

    def take(key: str) -> None:
        with closing(client.get_object(Bucket=place.bucket, Key=key)["Body"]) as body:
            for line in body.read().decode("utf-8", "replace").splitlines():
                _take_line(found, source.name, line, since)

    _take_files(found, where, place, [said.get("TargetPrefix", "")], since, take)


def _take_line(found: Requesters, bucket: str, line: str, since: datetime) -> None:
    if not (fields := LINE.match(line)) or fields[1] != bucket:
        return
    _, time, who, operation, _, status, _ = fields.groups()
    when = datetime.strptime(time, LINE_TIME)
    if when >= since and who != "-":
        found.add(who, bool(READS.search(operation)), status == "403", when)


def _trail(
    found: Requesters, target: Target, parameters: Parameters, pipeline: Pipeline, since: datetime
) -> None:
    source, scope = pipeline.source_bucket, parameters.scope("observe")
    names = Bucket.names(target.client("s3", target.home_region), scope)
    logs = next(((name, region) for name, region in names if name.startswith(scope.name(LOG_FILES))), None)
    if logs is None:
        found.untold.append("there is no trail of ours (observe.trail)")
        return
    place = Place(target.client("s3", logs[1]), logs[0])

    def take(key: str) -> None:
        with closing(place.client.get_object(Bucket=place.bucket, Key=key)["Body"]) as body:
            records = json.loads(gzip.decompress(body.read()))["Records"]
        for record in records:
            asked = record.get("requestParameters") or {}
            when = datetime.fromisoformat(record["eventTime"])
            if asked.get("bucketName") != source.name or when < since:
                continue
            identity = record.get("userIdentity", {})
            who = identity.get("arn") or identity.get("invokedBy") or identity.get("accountId", "unknown")
            denied = record.get("errorCode") == "AccessDenied"
            found.add(who, bool(record.get("readOnly")), denied, when)

    account, days = parameters.account_id, (datetime.now(UTC).date() - since.date()).days
    top = f"AWSLogs/{account}/CloudTrail/{source.region}/"
    folders = [f"{top}{since + timedelta(days=number):%Y/%m/%d}/" for number in range(days + 1)]
    _take_files(found, f"log files in s3://{place.bucket}/{top}", place, folders, since, take)


def _take_files(
    found: Requesters,
    where: str,
    place: Place,
    folders: list[str],
    since: datetime,
    take: Callable[[str], None],
) -> None:
    """Take what the files tell that were written since; one that cannot be read holds up no other."""
    listed = (each for folder in folders for each in listing(place, folder))
    files = sorted((each for each in listed if each.modified >= since), key=lambda each: each.modified)
    bar = progress("Who asked", files[-MOST_FILES:], unit="file")
    attempt = or_fault(take)
    faults = [fault for each in bar if isinstance(fault := attempt(each.key), Fault)]
    newest = f", the newest of {files[-1].modified:%Y-%m-%d %H:%M} UTC" if files else ""
    cut = f", of which the last {MOST_FILES:,} were read" if len(files) > MOST_FILES else ""
    found.told_by.append(f"{where}: {counted(len(files), 'file')}{newest}{cut}")
    for reason, number, key in by_reason((fault.item, fault.reason) for fault in faults):
        found.untold.append(f"{such_as(number, 'files', key)} cannot be read: {reason}")
