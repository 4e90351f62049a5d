"""Says where AWS tools go in the environment of this process, and with whose key; a script of its own.

It asks botocore, whose rules all SDKs share, and sends nothing: each call ends where it would be sent.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
"""

import json
from typing import Any, NoReturn

import botocore.session
from botocore.awsrequest import AWSPreparedRequest

# Of every service that the runbook works with, a call; of S3 also one to a bucket, whose host may be its own.
CALLS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("athena", "list_work_groups", {}),
    ("cloudtrail", "list_trails", {}),
    ("cloudwatch", "list_metrics", {}),
    ("dynamodb", "list_tables", {}),
    ("dynamodb", "describe_table", {"TableName": "table"}),
    ("events", "list_rules", {}),
    ("glue", "get_databases", {}),
    ("iam", "list_users", {}),
    ("kms", "list_keys", {}),
    ("lakeformation", "get_data_lake_settings", {}),
    ("lambda", "list_functions", {}),
    ("logs", "describe_log_groups", {}),
    ("s3", "list_buckets", {}),
    ("s3", "list_objects_v2", {"Bucket": "a-bucket"}),
    ("sns", "list_topics", {}),
    ("sqs", "list_queues", {}),
    ("sts", "get_caller_identity", {}),
)


class _WouldBeSentError(Exception):
    """Carries the address of a request."""


def _stop(request: AWSPreparedRequest, **_: Any) -> NoReturn:
    raise _WouldBeSentError(request.url)


def resolved() -> list[dict[str, str]]:
    """Return where each call goes: `service`, `url` or `error`, and the `key` that it is signed with."""
    session = botocore.session.get_session()
    session.register("before-send", _stop)
    found = []
    for service, operation, arguments in CALLS:
        place = {"service": service}
        try:
            key = session.get_credentials()
            place["key"] = key.access_key if key else ""
            getattr(session.create_client(service), operation)(**arguments)
        except _WouldBeSentError as sent:
            place["url"] = str(sent)
        except Exception as error:  # of whatever kind: it is told, and refused
            place["error"] = str(error)
        found.append(place)
    return found


if __name__ == "__main__":
    print(json.dumps(resolved()))
