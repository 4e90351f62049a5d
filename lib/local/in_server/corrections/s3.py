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
