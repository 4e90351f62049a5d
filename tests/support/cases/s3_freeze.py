"""Freezes of buckets."""

import json

from lib.engine.stack import Stack
from lib.resources import s3_freeze
from support import cases, theirs
from support.case import HERE, Case, Change, Others


def freeze(stack: Stack) -> s3_freeze.Freeze:
    bucket = cases.s3.bucket(stack)
    return stack.add(s3_freeze.Freeze("freeze", HERE, bucket_name=bucket.name))


def _change(client, ours: s3_freeze.Freeze) -> None:
    """Somebody lets deletes through."""
    policy = json.loads(client.get_bucket_policy(Bucket=ours.bucket_name)["Policy"])
    (statement,) = [one for one in policy["Statement"] if one["Sid"] == ours.statement["Sid"]]
    statement["Action"] = "s3:PutObject*"
    client.put_bucket_policy(Bucket=ours.bucket_name, Policy=json.dumps(policy))


def _put_others(client, ours: s3_freeze.Freeze) -> None:
    policy = client.get_bucket_policy(Bucket=ours.bucket_name)["Policy"]
    arn = f"arn:aws:s3:::{ours.bucket_name}"
    policy = theirs.with_two_more(policy, arn, "s3:GetObject", "s3:ListBucket")
    client.put_bucket_policy(Bucket=ours.bucket_name, Policy=policy)


def _get_others(client, ours: s3_freeze.Freeze) -> list[dict]:
    policy = json.loads(client.get_bucket_policy(Bucket=ours.bucket_name)["Policy"])
    return [one for one in policy["Statement"] if one.get("Sid") != ours.statement["Sid"]]


CASES = [
    Case(
        s3_freeze.Freeze,
        freeze,
        changes=[
            Change({"filters": (("in/", ".csv"), ("in/", ".json"))}, {"statement"}),
            Change({"filters": (("a*b?/", ""),)}, {"statement"}),
        ],
        drift={"statement": _change},
        others=Others(_put_others, _get_others),
        not_on_moto=frozenset({"make"}),  # whose buckets deny nobody: it would wait to be in force
    )
]
