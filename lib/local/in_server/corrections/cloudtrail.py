"""CloudTrail: what MiniStack does otherwise."""

from lib.local.in_server.correction import NOT_FOUND, Correction

TAGS = Correction(
    name="cloudtrail-tags",
    title="CreateTrail passes over TagsList",
    replaces={"ministack.services.cloudtrail:_DISPATCH[CreateTrail]": "88eb4ba95452"},
    ministack="A trail that was created with tags has none.",
    aws="TagsList is the trail's from the beginning.",
    sources=("https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html",),
    upstream=NOT_FOUND,
    change="Store TagsList as AddTags does.",
    reproduce="""
cloudtrail = client("cloudtrail")
tags = [{"Key": "a", "Value": "1"}]
arn = cloudtrail.create_trail(Name="tagged", S3BucketName="any", TagsList=tags)["TrailARN"]
found = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
assert [each["TagsList"] for each in found] == [tags], found
""",
)
NO_LOG_FILES = Correction(
    name="cloudtrail-no-log-files",
    title="A trail is said to log, and delivers no log files",
    replaces={
        "ministack.services.cloudtrail:_DISPATCH[StartLogging]": "9be85ee34630",
        "ministack.services.cloudtrail:_DISPATCH[GetTrailStatus]": "97d13a1c7d62",
    },
    ministack="StartLogging succeeds and GetTrailStatus tells IsLogging; nothing is ever written to the "
    "bucket. We do not write it either: an answer says so in a header, which `runbook` shows.",
    aws="Log files are delivered to the bucket, about every five minutes.",
    sources=(
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html",
    ),
    upstream=NOT_FOUND,
    change="Deliver what CLOUDTRAIL_RECORDING records as log files.",
    steps=(
        "Create a bucket and a trail to it, and StartLogging.",
        "Make calls for some minutes.",
        "List the bucket: there is nothing in it, and GetTrailStatus says IsLogging.",
    ),
    tests=(
        "tests/local/in_server/test_announcements.py::test_and_so_is_whoever_only_looks_at_one_that_is_there",
    ),
)
