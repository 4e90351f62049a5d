"""What MiniStack's CloudTrail gets wrong and we correct in its server."""

import uuid


def test_a_trail_is_created_with_its_tags(somebody):
    cloudtrail, name = somebody("cloudtrail"), f"t-{uuid.uuid4().hex}"
    tags = [{"Key": "a", "Value": "1"}]
    arn = cloudtrail.create_trail(Name=name, S3BucketName="any", TagsList=tags)["TrailARN"]
    assert cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"][0]["TagsList"] == tags
    cloudtrail.delete_trail(Name=name)
