"""The pipelines as operators and auditors see them."""

from lib.operate.pipelines import buckets
from lib.parameters import Parameters


def test_the_buckets_that_the_five_read_and_write_are_each_named_once():
    found = [(one.scope.pipeline, one.what, one.region) for one in buckets(Parameters())]
    assert found == [
        ("migrate", "source", "us-west-1"),
        ("migrate", "target", "us-east-1"),
        ("backup", "primary", "us-east-1"),
        ("backup", "dr", "us-east-2"),
        ("index", "files", "us-east-1"),
        ("summarize", "files", "us-east-1"),
        ("ingest", "files", "us-east-1"),
    ]
