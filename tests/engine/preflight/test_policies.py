"""The policies that are files: their actions, resources and conditions are IAM's, and belong together."""

import json
import re

import pytest

from lib.base.paths import ROOT
from lib.engine.preflight.statements import terms

ACCOUNT = "000000000000"
# A trust policy has no resource: it is about its role.
TRUST = {*ROOT.glob("lib/policies/*-trust-policy.json")}
FILES = sorted({*ROOT.glob("handlers/*/policy.json"), *ROOT.glob("lib/policies/*-policy.json")} - TRUST)


def documents(path) -> list[dict]:
    """A file's documents, what differs between deployments filled in with something written so."""
    text = re.sub(r"\$\{(\w+)}", lambda found: filled_in(found[1]), path.read_text("utf-8"))
    document = json.loads(text)
    return [document] if "Statement" in document else list(document.values())


def filled_in(name: str) -> str:
    arns = {
        "bucket_arn": "arn:aws:s3:::bucket",
        "buckets_arn": "arn:aws:s3:::bucket-*",
        "objects_arn": "arn:aws:s3:::bucket/*",
        "queue_arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:queue",
        "function_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:name",
        "table_arn": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/name",
        "log_group_arn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/name",
        "workgroup_arn": f"arn:aws:athena:us-east-1:{ACCOUNT}:workgroup/name",
        "key_arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/id",
    }
    arns["role_arn"] = f"arn:aws:iam::{ACCOUNT}:role/name"
    arns["boundary_arn"] = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
    ends = (arn for end, arn in arns.items() if name.endswith(end))
    return next(ends, ACCOUNT if name == "account_id" else "name")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_terms_are_iams(path):
    statements = [statement for document in documents(path) for statement in document["Statement"]]
    assert [finding for statement in statements for finding in terms(statement)] == []
