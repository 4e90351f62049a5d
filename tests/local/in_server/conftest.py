"""A lake of a test's own, and one of samples that the tests of a file share."""

import pytest
from support.lake import Lake, samples_lake


@pytest.fixture
def lake(local_aws):
    return Lake(local_aws)


@pytest.fixture(scope="module")
def samples(local_aws):
    return samples_lake(local_aws)
