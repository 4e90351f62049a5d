"""S3: what MiniStack does otherwise."""

from lib.local.in_server.correction import ABSENT, NOT_FOUND, Correction

S3 = "ministack.services.s3:"

# A bucket with versions, and an object that was uploaded in two parts.
IN_PARTS = """
s3 = client("s3")
s3.create_bucket(Bucket="in-parts")
s3.put_bucket_versioning(Bucket="in-parts", VersioningConfiguration={"Status": "Enabled"})
where = {"Bucket": "in-parts", "Key": "a"}
upload = where | {"UploadId": s3.create_multipart_upload(**where, Tagging="colour=red")["UploadId"]}
bodies = [bytes(5 * 1024 * 1024), b"the end"]
etags = [s3.upload_part(**upload, PartNumber=n, Body=body)["ETag"] for n, body in enumerate(bodies, 1)]
parts = [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]
version = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})["VersionId"]
"""

MULTIPART_TAGS = Correction(
    name="s3-multipart-tags",
    title="CreateMultipartUpload: the tags of x-amz-tagging are lost",
    replaces={
        f"{S3}_create_multipart_upload": "dae7ead63f27",
        f"{S3}_complete_multipart_upload": "d2236b2083f2",
        f"{S3}_record_object_version": "d8e58f465e45",
    },
    ministack="The header x-amz-tagging of CreateMultipartUpload is passed over: the object that the upload "
    "is completed to has no tags.",
    aws="The tag set of CreateMultipartUpload is the object's, from the moment in which it is there: "
    "whoever is told of s3:ObjectCreated:CompleteMultipartUpload finds them.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html",),
    upstream=NOT_FOUND,
    change="Keep the parsed header with the upload, and store it as the tags of the version that "
    "CompleteMultipartUpload records, before events are sent.",
    reproduce=IN_PARTS
    + """
tags = s3.get_object_tagging(**where)["TagSet"]
assert tags == [{"Key": "colour", "Value": "red"}], tags
""",
)
COPIED_PARTS = Correction(
    name="s3-checksums-of-copied-parts",
    title="UploadPartCopy: a part that is copied has no checksum",
    replaces={f"{S3}_upload_part_copy": "6dad09b78e8e"},
    ministack="UploadPartCopy computes no checksum, also if the upload was begun with an algorithm, so the "
    "object has none. Under SSE-KMS, whose ETags say nothing of the bytes, no copy can be told to "
    "be faithful.",
    aws="Parts that are copied have the checksum of the upload's algorithm (CopyPartResult), and the "
    "completed object has the checksum of them.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html",
    ),
    upstream=NOT_FOUND,
    change="Let _upload_part_copy compute the part's checksums as _upload_part does.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="copied-parts")
s3.put_object(Bucket="copied-parts", Key="source", Body=b"all of it")
where = {"Bucket": "copied-parts", "Key": "copy"}
upload = where | {"UploadId": s3.create_multipart_upload(**where, ChecksumAlgorithm="CRC32")["UploadId"]}
part = s3.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": "copied-parts", "Key": "source"})
done = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
s3.complete_multipart_upload(**upload, MultipartUpload=done)
assert "ChecksumCRC32" in s3.head_object(**where, ChecksumMode="ENABLED"), "the copy has no checksum"
""",
    tests=(
        "tests/local/in_server/test_s3.py::test_a_copy_in_parts_under_a_kms_key_can_be_told_to_be_faithful",
    ),
)
ARCHIVED_COPIES = Correction(
    name="s3-copies-of-what-is-archived",
    title="CopyObject and UploadPartCopy: what is archived and not restored is copied",
    replaces={f"{S3}_copy_object": "b1878e6a9122", f"{S3}_upload_part_copy": "6dad09b78e8e"},
    ministack="An object in GLACIER or DEEP_ARCHIVE is copied like any other.",
    aws="The source must have been restored; otherwise S3 answers 403 InvalidObjectState.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",),
    upstream=NOT_FOUND,
    change="Refuse in _copy_object and _upload_part_copy as _get_object does.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="archived")
s3.put_object(Bucket="archived", Key="cold", Body=b"1", StorageClass="GLACIER")
try:
    s3.copy_object(Bucket="archived", Key="copy", CopySource={"Bucket": "archived", "Key": "cold"})
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "InvalidObjectState", error
else:
    raise AssertionError("it was copied")
""",
    tests=("tests/local/in_server/test_s3.py::test_what_is_archived_is_not_copied_before_it_is_restored",),
)
CONDITIONAL_COPIES = Correction(
    name="s3-conditional-copies",
    title="CopyObject: If-None-Match and If-Match are passed over",
    replaces={f"{S3}_copy_object": "b1878e6a9122"},
    goes_by={f"{S3}_check_put_preconditions": "b99663c5e499"},
    ministack="A copy overwrites what is there, also if the request says If-None-Match: *.",
    aws="It answers 412 PreconditionFailed, and writes nothing.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html",
    ),
    upstream=NOT_FOUND,
    change="Let _copy_object check the conditions on its target as _put_object does.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="conditional")
s3.put_object(Bucket="conditional", Key="a", Body=b"1")
copy = {"Bucket": "conditional", "CopySource": {"Bucket": "conditional", "Key": "a"}, "IfNoneMatch": "*"}
s3.copy_object(**copy, Key="b")
try:
    s3.copy_object(**copy, Key="b")
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "PreconditionFailed", error
else:
    raise AssertionError("it was overwritten")
""",
    tests=("tests/local/in_server/test_s3.py::test_a_copy_that_must_be_new_overwrites_nothing",),
)
ENCODED_KEYS = Correction(
    name="s3-encoded-keys",
    title="ListObjectVersions and ListMultipartUploads pass over encoding-type=url",
    replaces={
        f"{S3}_list_object_versions": "9eef5d494f46",
        f"{S3}_list_multipart_uploads": "9ff845fe52e9",
        f"{S3}_xml_body": "08dfab2bcd0b",
    },
    ministack="Keys are written as they are; of those that XML 1.0 cannot hold, the answer cannot be parsed.",
    aws="With encoding-type=url, which all SDKs send, keys, prefixes, delimiters and markers are encoded.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html",),
    upstream=NOT_FOUND,
    change="Encode as ListObjectsV2 does, and answer EncodingType.",
    reproduce=r"""
s3 = client("s3")
s3.create_bucket(Bucket="encoded-keys")
s3.put_object(Bucket="encoded-keys", Key="\x01 a+b")
versions = s3.list_object_versions(Bucket="encoded-keys")["Versions"]
assert [each["Key"] for each in versions] == ["\x01 a+b"], versions
""",
    tests=("tests/local/in_server/test_s3.py::test_keys_are_listed_as_they_are",),
)
CARRIAGE_RETURNS = Correction(
    name="s3-carriage-returns",
    title="Answers in XML lose the carriage returns of keys",
    replaces={f"{S3}_xml_body": "08dfab2bcd0b"},
    ministack=r"A key with \r is written into XML as it is; who reads it finds \n, as XML 1.0 says.",
    aws="A key is any characters of UTF-8, and is told as it was given.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
        "https://www.w3.org/TR/xml/#sec-line-ends",
    ),
    upstream=NOT_FOUND,
    change="Write carriage returns as &#13;.",
    reproduce=r"""
s3 = client("s3")
s3.create_bucket(Bucket="carriage-returns")
key = "a\rb"
upload = s3.create_multipart_upload(Bucket="carriage-returns", Key=key)
assert upload["Key"] == key, upload["Key"]
""",
)
TAGS_UNDER_A_MARKER = Correction(
    name="s3-tags-under-a-delete-marker",
    title="GetObjectTagging of a version fails while a delete marker is the current one",
    replaces={f"{S3}_get_object_tagging": "01d5a075bdf9"},
    ministack="NoSuchKey, also if the version is named.",
    aws="With versionId it returns the tags of that version, whatever the current one is.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html",),
    upstream=NOT_FOUND,
    change="Look the version up before the current object.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="marked")
s3.put_bucket_versioning(Bucket="marked", VersioningConfiguration={"Status": "Enabled"})
version = s3.put_object(Bucket="marked", Key="a", Body=b"1", Tagging="colour=red")["VersionId"]
s3.delete_object(Bucket="marked", Key="a")
tags = s3.get_object_tagging(Bucket="marked", Key="a", VersionId=version)["TagSet"]
assert tags == [{"Key": "colour", "Value": "red"}], tags
""",
)
RANGES_OF_VERSIONS = Correction(
    name="s3-ranges-of-versions",
    title="GetObject of a version returns all of it, whatever Range and partNumber say",
    replaces={f"{S3}_get_object": "5e50aa2639cf"},
    ministack="With versionId, Range and partNumber are passed over: 200 and the whole object.",
    aws="206 with the range or the part, of a version as of the current object; 416 for a range that is not"
    " there.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",),
    upstream=NOT_FOUND,
    change="Apply the range and the part after the version is found, in one place for both.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="ranges")
s3.put_bucket_versioning(Bucket="ranges", VersioningConfiguration={"Status": "Enabled"})
version = s3.put_object(Bucket="ranges", Key="a", Body=b"0123")["VersionId"]
body = s3.get_object(Bucket="ranges", Key="a", VersionId=version, Range="bytes=1-2")["Body"].read()
assert body == b"12", body
""",
    tests=("tests/local/in_server/test_s3.py::test_a_version_is_read_in_ranges",),
)
HEAD_OF_PARTS = Correction(
    name="s3-head-of-parts",
    title="HeadObject passes over partNumber",
    replaces={f"{S3}_head_object": "f9a1a41aba22"},
    ministack="The size of the whole object, and no x-amz-mp-parts-count.",
    aws="The size of the part, 206, and how many parts there are.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html",),
    upstream=NOT_FOUND,
    change="Keep the sizes of the parts with the object, and answer of the part.",
    reproduce=IN_PARTS
    + """
head = s3.head_object(**where, PartNumber=2)
assert (head["ContentLength"], head.get("PartsCount")) == (7, 2), head
""",
    tests=("tests/local/in_server/test_s3.py::test_parts_of_a_version_are_told_and_read",),
)
INVENTORY = Correction(
    name="s3-inventory-configurations",
    title="Inventory configurations: PUT creates and DELETE deletes the bucket",
    replaces={
        f"{S3}handle_request": "99db645fa48a",
        f"{S3}_delete_bucket": "637d01f2281b",
        f"{S3}_PERSISTED_BUCKET_DICTS[bucket_inventory_configurations]": ABSENT,
    },
    ministack="The parameter `inventory` is not known: PutBucketInventoryConfiguration is taken for "
    "CreateBucket, and DeleteBucketInventoryConfiguration for DeleteBucket, which an empty bucket "
    "does not survive.",
    aws="They keep, return, list and delete configurations of reports.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketInventoryConfiguration.html",),
    upstream=NOT_FOUND,
    change="Keep the configurations; until then, answer NotImplemented for sub-resources that are not known.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="inventories")
place = {"S3BucketDestination": {"Bucket": "arn:aws:s3:::reports", "Format": "CSV"}}
wanted = {"Id": "daily", "Destination": place, "IsEnabled": True, "IncludedObjectVersions": "All",
          "Schedule": {"Frequency": "Daily"}}
s3.put_bucket_inventory_configuration(Bucket="inventories", Id="daily", InventoryConfiguration=wanted)
found = s3.list_bucket_inventory_configurations(Bucket="inventories").get("InventoryConfigurationList", [])
assert [each["Id"] for each in found] == ["daily"], found
s3.delete_bucket_inventory_configuration(Bucket="inventories", Id="daily")
s3.head_bucket(Bucket="inventories")
""",
    tests=("tests/local/in_server/test_s3_inventory.py::test_a_server_that_is_killed_has_kept_them",),
)
GUESTS = Correction(
    name="s3-guests",
    title="A bucket's policy is asked about the account of a caller from another one, not about the caller",
    replaces={
        f"{S3}_foreign_bucket_allows": "0d3ba1981392",
        "ministack.core.iam_evaluator:evaluate_resource_policy": "32ba312e076b",
    },
    ministack="Whoever comes from another account is taken for that account's root: a policy that names a "
    "role, as principal or in a condition on aws:PrincipalArn, lets nobody in, and one that denies a role "
    "denies nobody.",
    aws="The policy is evaluated for the caller itself; across accounts it must allow, and so must the "
    "caller's own policy.",
    sources=(
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html",
    ),
    upstream=NOT_FOUND,
    change="Let _foreign_bucket_allows ask for the caller's ARN (iam_evaluator.caller_arn), not the root's.",
    reproduce="""
import json


def policy(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


iam, theirs = client("iam"), client("s3", key=("222222222222", "any"))
keys = []
for name in ("let-in", "not-let-in"):
    iam.create_user(UserName=name)
    all_of_s3 = policy(Effect="Allow", Action="s3:*", Resource="*")
    iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=all_of_s3)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys.append((key["AccessKeyId"], key["SecretAccessKey"]))
theirs.create_bucket(Bucket="guests")
named = {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::000000000000:user/let-in"}}
whose = {"AWS": "arn:aws:iam::000000000000:root"}
statement = {"Principal": whose, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::guests/*"}
theirs.put_bucket_policy(Bucket="guests", Policy=policy(Effect="Allow", Condition=named, **statement))
client("s3", key=keys[0]).put_object(Bucket="guests", Key="a", Body=b"1")
other = client("s3", key=keys[1])
try:
    other.put_object(Bucket="guests", Key="a", Body=b"2")
except other.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
else:
    raise AssertionError("somebody whom the policy does not name was let in")
""",
)
EXPECTED_OWNERS = Correction(
    name="s3-expected-owners",
    title="x-amz-expected-bucket-owner and x-amz-source-expected-bucket-owner are passed over",
    replaces={f"{S3}_apply_bucket_scope": "89e06edf6dce"},
    ministack="A call goes through whoever owns the bucket.",
    aws="It is refused with 403 AccessDenied if the bucket is another account's than the header says; of a "
    "copy also if the bucket of its source is.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html",),
    upstream=NOT_FOUND,
    change="Compare the headers with _bucket_owner_account before anything else is done.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="owned")
s3.put_object(Bucket="owned", Key="a", Body=b"1", ExpectedBucketOwner="000000000000")
copy = {"Bucket": "owned", "Key": "b", "CopySource": {"Bucket": "owned", "Key": "a"}}
calls = [
    lambda: s3.head_bucket(Bucket="owned", ExpectedBucketOwner="222222222222"),
    lambda: s3.copy_object(**copy, ExpectedSourceBucketOwner="222222222222"),
]
for call in calls:
    try:
        call()
    except s3.exceptions.ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 403, error
    else:
        raise AssertionError("the bucket is another account's than was expected")
""",
)
LOCKED_UPLOADS = Correction(
    name="s3-locked-uploads",
    title="CompleteMultipartUpload and CopyObject pass over the default retention of a bucket",
    replaces={f"{S3}_complete_multipart_upload": "d2236b2083f2", f"{S3}_copy_object": "b1878e6a9122"},
    ministack="Of Object Lock, the default retention holds for PutObject only: an object that was uploaded "
    "in parts, or copied, is not locked, and can be deleted at once.",
    aws="It holds for every version that comes into the bucket, however.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html",),
    upstream=NOT_FOUND,
    change="Call _apply_object_lock_from_headers when a version is recorded, as _put_object does.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="not-locked")
s3.put_object(Bucket="not-locked", Key="a", Body=b"1")
s3.create_bucket(Bucket="locked-uploads", ObjectLockEnabledForBucket=True)
rule = {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
locked = {"ObjectLockEnabled": "Enabled", **rule}
s3.put_object_lock_configuration(Bucket="locked-uploads", ObjectLockConfiguration=locked)
where = {"Bucket": "locked-uploads", "Key": "a"}
upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
part = s3.upload_part(**upload, PartNumber=1, Body=b"1")
s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
s3.copy_object(Bucket="locked-uploads", Key="b", CopySource={"Bucket": "not-locked", "Key": "a"})
for key in "ab":
    head = s3.head_object(Bucket="locked-uploads", Key=key)
    assert head.get("ObjectLockMode") == "GOVERNANCE", head
""",
)
COPIES_BETWEEN_ACCOUNTS = Correction(
    name="s3-copies-between-accounts",
    title="CopyObject and UploadPartCopy look for the source in the account of the target's bucket",
    replaces={
        f"{S3}_copy_object": "b1878e6a9122",
        f"{S3}_upload_part_copy": "6dad09b78e8e",
        f"{S3}_read_body": "d448f14395db",
        f"{S3}_version_body": "affd09bff71f",
        "ministack.core.responses:AccountScopedDict._scoped": "39e432a2aefa",
    },
    ministack="NoSuchBucket, if the two buckets are different accounts', whoever may read and write them.",
    aws="A copy between buckets of two accounts needs nothing but the rights on both.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/copy-object.html",
    ),
    upstream=NOT_FOUND,
    change="Read the source in the account that owns its bucket (_in_account, _bucket_owner_account).",
    reproduce="""
import json

s3, theirs = client("s3"), client("s3", key=("222222222222", "any"))
s3.create_bucket(Bucket="copied-from")
theirs.create_bucket(Bucket="copied-to")
let_in = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "s3:*",
          "Resource": ["arn:aws:s3:::copied-to", "arn:aws:s3:::copied-to/*"]}
theirs.put_bucket_policy(
    Bucket="copied-to", Policy=json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
)
s3.put_object(Bucket="copied-from", Key="a", Body=b"all of it", Tagging="colour=red")
source = {"Bucket": "copied-from", "Key": "a"}
s3.copy_object(Bucket="copied-to", Key="whole", CopySource=source)
assert s3.get_object(Bucket="copied-to", Key="whole")["Body"].read() == b"all of it"
assert theirs.get_object_tagging(Bucket="copied-to", Key="whole")["TagSet"], "the tags are lost"
where = {"Bucket": "copied-to", "Key": "in-parts"}
upload = where | {"UploadId": s3.create_multipart_upload(**where)["UploadId"]}
part = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)["CopyPartResult"]
parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
assert theirs.get_object(**where)["Body"].read() == b"all of it"
""",
)
OLD_NAMES = Correction(
    name="s3-old-names-of-buckets",
    title="Buckets of us-east-1 whose names are older than March 2018 cannot be had",
    replaces={f"{S3}_validate_bucket_name": "96c6f619778a", f"{S3}_create_bucket": "2cf2c114e417"},
    ministack="Every call about a bucket whose name has upper case, underscores or more than 63 characters "
    "is refused with InvalidBucketName.",
    aws="Since 1 March 2018 nobody makes such a bucket. Those that were made in us-east-1 before are served "
    "like any other. So that it can be tried what works on one, CreateBucket makes them in us-east-1, "
    "and announces that AWS would not.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html",
    ),
    upstream=NOT_FOUND,
    change="Take old names wherever a bucket is named, and refuse them in CreateBucket unless a setting of "
    "the server lets them in.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="Old_Photos.2009")
s3.put_object(Bucket="Old_Photos.2009", Key="a", Body=b"1")
assert s3.get_object(Bucket="Old_Photos.2009", Key="a")["Body"].read() == b"1"
""",
    tests=("tests/local/in_server/test_s3.py::test_buckets_with_names_of_old_are_served",),
)
ENCODED_FILTERS = Correction(
    name="s3-encoded-filters",
    title="Notifications: filters are compared with the key, and not with the key as events have it",
    replaces={f"{S3}_key_matches_filter": "ebb18f6dad5a"},
    goes_by={f"{S3}_event_object_key": "df2c9230860c"},
    ministack="The prefix `dt=2026/` is for the key `dt=2026/a`, and `dt%3D2026/` is for none.",
    aws="A filter has spaces as + and special characters percent-encoded; one that has not never fires.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html",
        "https://github.com/aws/aws-cdk/pull/28012",
    ),
    upstream=NOT_FOUND,
    change="Compare with the key as it is in the event.",
    reproduce="""
import json, time
s3, sqs = client("s3"), client("sqs")
bucket = "encoded-filters"
s3.create_bucket(Bucket=bucket)
url = sqs.create_queue(QueueName=bucket)["QueueUrl"]
arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
let_in = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Resource": arn}
let_in["Action"] = "sqs:SendMessage"
policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
entries = [
    {"Id": prefix, "QueueArn": arn, "Events": ["s3:ObjectCreated:*"],
     "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}}
    for prefix in ("a=b/", "a%3Db/")
]
s3.put_bucket_notification_configuration(
    Bucket=bucket, NotificationConfiguration={"QueueConfigurations": entries}
)
s3.put_object(Bucket=bucket, Key="a=b/c")
found, end = [], time.time() + 10
while not found and time.time() < end:
    for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
        found += [one["s3"]["configurationId"] for one in json.loads(message["Body"]).get("Records", [])]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
assert found == ["a%3Db/"], found
""",
    tests=("tests/resources/test_s3.py::test_a_filter_is_for_keys_of_any_characters",),
)
EXPIRED = "tests/local/in_server/test_lifecycle.py::"
LIFECYCLE_RULES = Correction(
    name="s3-lifecycle-rules",
    title="Lifecycle rules: a prefix of old is lost, and what AWS refuses is taken",
    replaces={f"{S3}_put_bucket_lifecycle": "a914576a41a1", f"{S3}_get_bucket_lifecycle": "2596ab81d855"},
    ministack="A rule with <Prefix> instead of <Filter> becomes one for the whole bucket. Rules without an "
    "action, with neither or both of them, and with Days and Date are taken; one with a number that is none "
    "is kept as text, with which GetBucketLifecycleConfiguration fails. A rule has no ID of its own.",
    aws="A rule of old keeps its prefix, and is answered as it was given. What nobody could follow is "
    "refused: MalformedXML, InvalidRequest, or InvalidArgument for a Date that is not midnight. "
    "S3 makes an ID. Rules that a server before this correction has kept without their prefix are left "
    "alone.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleRule.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_LifecycleExpiration.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html",
    ),
    upstream=NOT_FOUND,
    change="Keep a rule's own prefix, make an ID, and refuse what S3 refuses.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="rules-of-old")
rule = {"Prefix": "logs/", "Status": "Enabled", "Expiration": {"Days": 1}}
s3.put_bucket_lifecycle_configuration(Bucket="rules-of-old", LifecycleConfiguration={"Rules": [rule]})
(found,) = s3.get_bucket_lifecycle_configuration(Bucket="rules-of-old")["Rules"]
assert found.pop("ID") and found == rule, found
""",
    tests=(f"{EXPIRED}test_a_rule_that_nobody_could_follow_is_refused",),
)
LIFECYCLE = Correction(
    name="s3-lifecycle",
    title="Lifecycle rules: nothing ever expires",
    replaces={
        "ministack.app:_load_persisted_state": "bb9ec2b2f3ef",
        f"{S3}_s3_event_to_eventbridge": "68b92b90445b",
    },
    goes_by={
        f"{S3}_record_delete_marker": "15d882b5e2d1",
        f"{S3}_delete_object_version": "26ff57e8870b",
        f"{S3}_purge_current_object": "33910d230fbe",
        f"{S3}_persist_version_state": "95f3362c4529",
        f"{S3}_check_object_lock": "2345820c5d95",
    },
    ministack="PutBucketLifecycleConfiguration is kept and told, and that is all.",
    aws="Once a day S3 looks what has expired. Days count from the creation of an object, or from when a "
    "version became noncurrent, to the next midnight, UTC. What expires in a bucket with versions gets a "
    "delete marker, of that midnight, which replaces the null version if versioning is suspended; noncurrent "
    "versions go for good, unless they are locked; so does a marker that nothing is under. "
    "s3:LifecycleExpiration:* tells of it, never s3:ObjectRemoved:*. Uploads in parts are given up. "
    "Here it is looked at the start and after each midnight. Transitions to other storage classes are "
    "kept, and nothing is moved, which the answer says: that is not built.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-configure-notification.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html",
        "https://repost.aws/questions/QUvjf44qlYSMmQLyRUtTrevg",
    ),
    upstream=NOT_FOUND,
    change="Look once a day, and delete what has expired.",
    steps=(
        "With PERSIST_STATE=1 and S3_PERSIST=1, create a bucket with a rule of Expiration in 1 day.",
        "Put an object, stop MiniStack, and set last_modified in the object's .meta.json to a week ago.",
        "Start it again: the object stays.",
    ),
    tests=(f"{EXPIRED}test_what_has_expired_is_gone_and_nothing_else",),
)
EXPIRATION_HEADER = Correction(
    name="s3-expiration-header",
    title="Nothing says when an object expires: x-amz-expiration is missing",
    replaces={
        f"{S3}_get_object": "5e50aa2639cf",
        f"{S3}_head_object": "f9a1a41aba22",
        f"{S3}_put_object": "e8c0f1e29e94",
        f"{S3}_copy_object": "b1878e6a9122",
        f"{S3}_complete_multipart_upload": "d2236b2083f2",
    },
    ministack="The header x-amz-expiration is never there.",
    aws="If a rule ends an object, the answers about its current version say when, and by which rule.",
    sources=(
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html",
    ),
    upstream=NOT_FOUND,
    change="Compute the end of what is answered by the rules of its bucket.",
    reproduce="""
s3 = client("s3")
s3.create_bucket(Bucket="expiring")
rule = {"ID": "a b", "Status": "Enabled", "Filter": {"Prefix": ""}}
rule["Expiration"] = {"Date": "2099-01-01T00:00:00Z"}
s3.put_bucket_lifecycle_configuration(Bucket="expiring", LifecycleConfiguration={"Rules": [rule]})
said = 'expiry-date="Thu, 01 Jan 2099 00:00:00 GMT", rule-id="a%20b"'
assert s3.put_object(Bucket="expiring", Key="a")["Expiration"] == said
assert s3.head_object(Bucket="expiring", Key="a")["Expiration"] == said
""",
)
LOCKS = Correction(
    name="s3-locks-are-saved",
    title="Object Lock: what keeps a version from being deleted is forgotten when the server ends",
    replaces={
        f"{S3}_PERSISTED_BUCKET_DICTS[object_retention]": ABSENT,
        f"{S3}_PERSISTED_BUCKET_DICTS[object_legal_hold]": ABSENT,
    },
    ministack="Retention and legal hold of objects are kept in memory alone: after a restart, each version "
    "can be deleted.",
    aws="A version that is locked is not deleted before its time, by nobody and by no lifecycle rule.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html",),
    upstream=NOT_FOUND,
    change="Save both with the settings of buckets.",
    steps=(
        "With PERSIST_STATE=1 and S3_PERSIST=1, create a bucket with Object Lock, and put an object under a "
        "legal hold.",
        "Stop MiniStack, and start it again: GetObjectLegalHold finds none, and the version can be deleted.",
    ),
    tests=(f"{EXPIRED}test_what_is_locked_stays_and_is_locked_still",),
)
BYTES_IN_MEMORY = Correction(
    name="s3-bytes-in-memory",
    title="With S3_PERSIST=1, the bytes of each version stay in memory for as long as the server runs",
    replaces={f"{S3}_version_entry_from_record": "d103de390cf4"},
    goes_by={f"{S3}_version_body": "affd09bff71f", f"{S3}_persist_displaced_version": "72fa87f6390a"},
    ministack="An object's bytes are written into a file, and forgotten; but its entry among the versions of "
    "its key keeps them. The memory of a server grows by all that is put into buckets with versions.",
    aws="What is stored takes nothing of who asks for it.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html",),
    upstream=NOT_FOUND,
    change="Keep no bytes with a version if they are stored: _version_body reads them from there.",
    steps=(
        "With S3_PERSIST=1, put an object of 10 MB into a bucket with versioning a hundred times.",
        "The memory of the process has grown by a gigabyte.",
    ),
    tests=("tests/local/in_server/test_s3.py::test_a_server_does_not_hold_the_bytes_of_versions",),
)
FILES_OF_THE_DELETED = Correction(
    name="s3-files-of-the-deleted",
    title="With S3_PERSIST=1, bytes and folders of what was deleted stay",
    replaces={
        f"{S3}_delete_version_file": "b063f6c6d96c",
        f"{S3}_delete_persisted_object": "c22ac8a3c839",
        f"{S3}_persist_delete_marker": "363077140dfd",
    },
    goes_by={f"{S3}_persist_displaced_version": "72fa87f6390a"},
    ministack="Under a delete marker, the bytes of an object are stored twice: as those of a version, and "
    "where they were. When the version is deleted, the others stay. Deleting deletes files alone: of "
    "each version an empty folder stays, which takes a block of the disk, as do those of keys with slashes.",
    aws="What is deleted takes nothing.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html",),
    upstream=NOT_FOUND,
    change="Delete the bytes under a delete marker once they are stored as a version's, and the folders that "
    "are empty then, up to that of the bucket.",
    steps=(
        "With S3_PERSIST=1, put two versions under a/b/c, delete the object, then both versions.",
        "Look into S3_DATA_DIR: the bytes of the second are there, and a folder of each version.",
    ),
    tests=("tests/local/in_server/test_s3.py::test_what_is_deleted_leaves_nothing_on_the_disk",),
)
SIDECARS = Correction(
    name="s3-key-that-is-a-folder",
    title="With S3_PERSIST=1, an object whose key is a folder of others cannot replace its delete marker",
    replaces={f"{S3}_key_disk_path": "f917c2beb627"},
    goes_by={f"{S3}_persist_object": "fe3ecc8dde67"},
    ministack="A key lies at a path of its own, or by an encoded name where a folder is in its place. But "
    "where the record of its delete marker lies at its own path already, so must the object, folder or not: "
    "it is not stored (a warning: Is a directory), lives in memory, and is gone with the server.",
    aws="Keys are no paths: a and a/b lie in one bucket, whatever was deleted before.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",),
    upstream=NOT_FOUND,
    change="Where a folder is in its place, a key lies by its encoded name.",
    steps=(
        "With S3_PERSIST=1, in a bucket with versioning, delete a, put a/b, put a.",
        "The log has: Failed to persist S3 object. Stop MiniStack, and start it again: GetObject of a "
        "answers NoSuchKey.",
    ),
    tests=("tests/local/in_server/test_s3.py::test_a_key_that_is_a_folder_of_others_outlives_the_server",),
)
WHOLE_READ = Correction(
    name="s3-ranges-read-whole",
    title="With S3_PERSIST=1, GetObject of a range reads all of the object into memory",
    replaces={
        f"{S3}_get_object": "5e50aa2639cf",
        f"{S3}_read_body": "d448f14395db",
        f"{S3}_version_body": "affd09bff71f",
    },
    ministack="All bytes of an object are read, of which a range, or a part, is then taken. Who reads a file "
    "of a gigabyte in sixty pieces has sixty gigabytes read, and one held in memory for each.",
    aws="A range costs what it has.",
    sources=("https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance-guidelines.html",),
    upstream=NOT_FOUND,
    change="Map the file, of which what is asked for is read.",
    steps=(
        "With S3_PERSIST=1, put an object of a gigabyte, and stop and start MiniStack.",
        "GetObject with Range bytes=0-0: the memory of the process has had a gigabyte more (VmHWM).",
    ),
    tests=("tests/local/in_server/test_s3.py::test_a_range_of_a_large_object_does_not_read_all_of_it",),
)
