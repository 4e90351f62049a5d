"""Trails: what they record, who writes their log files, and how they end."""

import pytest
from support import cases
from support.case import HERE
from support.theirs import OUR_TAGS

from lib.base.errors import NotOursError
from lib.engine.stack import Stack
from lib.resources import cloudtrail, s3
from lib.resources.base import differences


@pytest.fixture
def trail(stack: Stack) -> cloudtrail.Trail:
    """A trail that is made, of one bucket."""
    made = cases.cloudtrail.trail(stack)
    stack.apply()
    return made


def selectors(stack: Stack, trail: cloudtrail.Trail) -> list[dict]:
    return stack.client(trail).get_event_selectors(TrailName=trail.name)["AdvancedEventSelectors"]


def test_it_records_the_objects_of_its_buckets_and_nothing_else(stack: Stack, trail):
    (selector,) = selectors(stack, trail)
    fields = {one.pop("Field"): one for one in selector["FieldSelectors"]}
    assert fields == {
        "eventCategory": {"Equals": ["Data"]},
        "resources.type": {"Equals": ["AWS::S3::Object"]},
        "resources.ARN": {"StartsWith": [f"{trail.recorded[0].arn}/"]},
    }


def test_calls_that_only_read_can_be_left_out(stack: Stack, trail):
    stack.replace(
        cloudtrail.Trail("objects", trail.region, logs=trail.logs, recorded=trail.recorded, writes_only=True)
    )
    stack.apply()
    (selector,) = selectors(stack, trail)
    assert {"Field": "readOnly", "Equals": ["false"]} in selector["FieldSelectors"]


def test_its_files_can_be_proven_and_it_is_one_of_all_regions(stack: Stack, trail):
    client = stack.client(trail)
    found = client.get_trail(Name=trail.name)["Trail"]
    assert found["LogFileValidationEnabled"]
    assert found["IsMultiRegionTrail"]
    assert found["HomeRegion"] == trail.region != trail.logs.region
    assert client.get_trail_status(Name=trail.name)["IsLogging"]


def test_it_is_listed_in_every_region_and_found_only_at_home(stack: Stack, trail):
    elsewhere = stack.target.client("cloudtrail", HERE)
    assert trail.name in [one["Name"] for one in elsewhere.list_trails()["Trails"]]
    assert list(cloudtrail.Trail.find(elsewhere, stack.scope)) == []
    assert [one.arn for one in cloudtrail.Trail.find(stack.client(trail), stack.scope)] == [trail.arn]


def test_one_that_was_only_begun_is_finished(stack: Stack):
    """The run ended after the first of four calls."""
    trail = cases.cloudtrail.trail(stack)
    for one in (trail.logs, *trail.recorded):
        one.create(stack.client(one))
    client = stack.client(trail)
    client.create_trail(Name=trail.name, S3BucketName=trail.logs.name)
    trail.make(client)
    assert differences(trail.read(client), trail.desired()) == {}


def test_what_is_switched_off_goes_first_the_trail_and_then_its_bucket_with_all_files(stack: Stack, trail):
    client = stack.client(trail.logs)
    for body in (b"one", b"another version"):
        client.put_object(Bucket=trail.logs.name, Key="AWSLogs/000000000000/CloudTrail/a.gz", Body=body)
    stack.replace(trail.logs, wanted=False)
    stack.replace(trail, wanted=False)
    deleted = [step.resource for step in stack.apply() if step.action == "delete"]
    assert deleted == [trail, trail.logs]
    assert trail.read(stack.client(trail)) is None
    assert trail.logs.read(client) is None
    assert trail.recorded[0].read(stack.client(trail.recorded[0])) is not None
    assert stack.plan().count("delete") == 0


def test_a_trail_of_somebody_else_with_our_name_is_not_touched(stack: Stack, trail, somebody):
    tags = [{"Key": key} for key in OUR_TAGS]
    somebody("cloudtrail", trail.region).remove_tags(ResourceId=trail.arn, TagsList=tags)
    stack.ledger.forget(stack.scope.pipeline)
    stack.resources = {trail.logs.arn: trail.logs, trail.arn: trail}
    with pytest.raises(NotOursError, match="CloudTrail trail"):
        stack.plan()


def test_cloudtrail_may_write_for_this_trail_only(stack: Stack):
    trail = cases.cloudtrail.trail(stack)
    look, write = cloudtrail.delivery(trail.logs, trail.arn)
    for statement in (look, write):
        assert statement["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
        assert statement["Condition"]["ArnLike"] == {"aws:SourceArn": trail.arn}
    assert (look["Action"], look["Resource"]) == ("s3:GetBucketAcl", trail.logs.arn)
    account_id = stack.scope.account_id
    assert (write["Action"], write["Resource"]) == (
        "s3:PutObject",
        f"{trail.logs.arn}/AWSLogs/{account_id}/*",
    )
    assert write["Condition"]["StringEquals"] == {"s3:x-amz-acl": "bucket-owner-full-control"}
    policy = trail.logs.desired()["policy"]
    assert len(policy) == 3
    assert policy["RunbookDenyInsecureTransport"]["Effect"] == "Deny"


def test_the_bucket_for_log_files_lets_its_trail_in_from_the_start(stack: Stack):
    arn = cloudtrail.trail_arn(stack.scope, "objects", HERE)
    logs = cloudtrail.log_bucket(stack.scope, "logs", region=HERE, trail=arn, expire_days=9)
    assert stack.add(logs).statements == cloudtrail.delivery(logs, arn)
    assert (logs.what, logs.region, logs.expire_days) == ("logs", HERE, 9)


def test_the_picture_has_what_it_records_and_where_the_files_go(stack: Stack, trail):
    links = {(link.source, link.target): link.label for link in stack.links()}
    assert links[trail.recorded[0].arn, trail.arn] == "reads, writes"
    assert links[trail.arn, trail.logs.arn] == "log files"


def test_a_bucket_whose_name_begins_like_a_recorded_one_is_not_recorded(stack: Stack):
    trail = cases.cloudtrail.trail(stack)
    longer = stack.add(s3.Bucket("files", f"{HERE}a"))
    (starts,) = [one["StartsWith"] for one in trail.desired()["FieldSelectors"] if "StartsWith" in one]
    assert longer.arn.startswith(trail.recorded[0].arn)
    assert not any(f"{longer.arn}/key".startswith(start) for start in starts)
