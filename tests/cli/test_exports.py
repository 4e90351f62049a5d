"""In which region tools look first."""

import pytest

from lib.cli.exports import usual_region
from lib.parameters import Parameters


@pytest.mark.parametrize(
    ("sections", "region"),
    [
        ({}, "us-east-1"),
        ({"migrate": {"target_region": "eu-west-3"}}, "us-east-1"),
        (
            {
                "migrate": {"source_region": "eu-west-3", "target_region": "eu-west-1"},
                "index": {"region": "eu-west-1"},
                "summarize": {"region": "eu-west-1"},
                "ingest": {"region": "eu-west-1"},
            },
            "eu-west-1",
        ),
    ],
)
def test_it_is_the_one_in_which_most_is(sections, region):
    assert usual_region(Parameters.check(sections)) == region
