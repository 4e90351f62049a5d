"""A bucket whose CSVs the handler may summarize, and what a person sees in it."""

import io
import json
import uuid
from dataclasses import dataclass

from support.buckets import Bucket
from support.handler_user import lambda_context
from support.s3_messages import s3_event, s3_record

REGION = "us-east-1"
ACCOUNT = "000000000000"
INPUT, OUTPUT, REJECTED = "synthetic-data/", "summaries/", "rejected/"
NO_ATHENA, ONLY_ATHENA, NO_LIMIT = str(10**12), "0", str(10**12)


def context(remaining_ms=600_000):
    """Return Lambda's context."""
    found = lambda_context("summarize")
    found.get_remaining_time_in_millis = lambda: remaining_ms
    return found


@dataclass(frozen=True)
class Summaries:
    """The handler's module, and its bucket."""

    handler: object
    bucket: Bucket
    database: str

    @classmethod
    def make(cls, operator, as_handler):
        """Make a bucket and a workgroup, and load the handler, bound by its policy.json to them."""
        bucket, results = (Bucket.make(operator, REGION, versioned) for versioned in (True, False))
        database = workgroup = f"test_{uuid.uuid4().hex[:8]}"
        operator.client("glue").create_database(DatabaseInput={"Name": database})
        operator.client("athena").create_work_group(
            Name=workgroup,
            Configuration={"ResultConfiguration": {"OutputLocation": f"s3://{results.bucket}/results/"}},
        )
        environment = {
            "OUTPUT_BUCKET": bucket.bucket,
            "INPUT_PREFIX": INPUT,
            "OUTPUT_PREFIX": OUTPUT,
            "REJECTED_PREFIX": REJECTED,
            "ATHENA_ABOVE_BYTES": NO_ATHENA,
            "ATHENA_SCANS_BYTES": NO_LIMIT,
            "WORKGROUP": workgroup,
            "DATABASE": database,
            "MEMORY_LIMIT_MB": "256",
        }
        values = policy_values(bucket, results, database, workgroup)
        return cls(as_handler("summarize", REGION, environment, values), bucket, database)

    def deliver(self, *keys, **record):
        """Invoke the handler as S3 does."""
        records = [s3_record(self.bucket.bucket, key, REGION, **record) for key in keys]
        self.handler.handler(s3_event(*records), context())

    def of(self, body, name="x.csv", **arguments):
        """Upload a CSV, deliver its event, and return its summary and its rejection, one of which is None."""
        self.bucket.put(f"{INPUT}{name}", body, **arguments)
        self.deliver(f"{INPUT}{name}")
        folder, slash, last = name.rpartition("/")
        summary = f"{OUTPUT}{folder}{slash}summary_{last.removesuffix('.csv')}.json"
        return self.read(summary), self.read(f"{REJECTED}{name}.json")

    def read(self, key):
        """Return the content of a JSON object of exactly one line, or None."""
        client = self.bucket.client
        try:
            answer = client.get_object(Bucket=self.bucket.bucket, Key=key)
        except client.exceptions.NoSuchKey:
            return None
        assert answer["ContentType"] == "application/json"
        (line,) = answer["Body"].read().decode().split("\n")[:-1]
        return json.loads(line, parse_constant=lambda constant: 1 / 0)

    def keys(self, prefix=""):
        listed = self.bucket.client.list_objects_v2(Bucket=self.bucket.bucket, Prefix=prefix)
        return [each["Key"] for each in listed.get("Contents", [])]

    def log(self, monkeypatch):
        """Return where the handler's log goes from now on."""
        stream = io.StringIO()
        monkeypatch.setattr(self.handler.logger.handlers[0], "stream", stream)
        return stream


def policy_values(bucket, results, database, workgroup):
    """Return what goes in the place of the names in policy.json."""
    arn = f"arn:aws:%s:{REGION}:{ACCOUNT}:%s"
    return {
        "bucket_arn": f"arn:aws:s3:::{bucket.bucket}",
        "input_prefix": INPUT,
        "output_prefix": OUTPUT,
        "rejected_prefix": REJECTED,
        "results_bucket_arn": f"arn:aws:s3:::{results.bucket}",
        "workgroup_arn": arn % ("athena", f"workgroup/{workgroup}"),
        "region": REGION,
        "account_id": ACCOUNT,
        "database": database,
        "failures_queue_arn": arn % ("sqs", "unused"),
        "log_group_arn": arn % ("logs", "log-group:unused"),
    }


def log_lines(stream):
    """Return the log, a dict a line."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]
