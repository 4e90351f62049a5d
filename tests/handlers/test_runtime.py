"""That a call which Lambda's older boto3 could not make would be found, where that is installed."""

import pytest
from support import handler_support
from support.handler_support import RUNTIME_MODELS


@pytest.mark.skipif(not RUNTIME_MODELS, reason="make tools installs the older boto3")
@pytest.mark.parametrize(
    ("service", "operation", "params", "found"),
    [
        ("s3", "PutObject", {"Bucket": "b", "Key": "k"}, ""),
        ("s3", "CopyObject", {"Bucket": "b", "Key": "k", "CopySource": "b/k"}, ""),
        ("s3", "PutObject", {"Bucket": "b", "Key": "k", "IfMatch": '"e"'}, "s3:PutObject: Unknown parameter"),
        ("s3", "CreateMultipartUpload", {"Bucket": "b", "Key": "k", "ChecksumType": "FULL_OBJECT"}, ""),
        ("s3", "RenameObject", {"Bucket": "b", "Key": "k", "RenameSource": "j"}, "s3:RenameObject"),
    ],
)
def test_what_it_does_not_know_is_found(service: str, operation: str, params: dict, found: str):
    problem = handler_support.runtime_problem(service, operation, params)
    assert problem.startswith(found) if found else problem == ""
