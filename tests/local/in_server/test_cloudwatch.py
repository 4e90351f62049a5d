"""What MiniStack's CloudWatch gets wrong and we correct in its server."""

import uuid

import pytest
from botocore.exceptions import ClientError


@pytest.mark.parametrize(
    ("call", "of_name"),
    [
        ("get_dashboard", lambda name: {"DashboardName": name}),
        ("delete_dashboards", lambda name: {"DashboardNames": [name]}),
    ],
)
def test_a_dashboard_that_is_not_there_has_one_code(somebody, call, of_name):
    with pytest.raises(ClientError) as refused:
        getattr(somebody("cloudwatch"), call)(**of_name(uuid.uuid4().hex))
    assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
