"""Which permissions a call to AWS needs, from AWS's documentation.

The rule is that a call needs the action of its own name. Here are the exceptions, with where they are told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

# S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html
# https://docs.aws.amazon.com/lambda/latest/dg/API_Invoke.html
RENAMED = {
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:ListParts": "s3:ListMultipartUploadParts",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html
    "s3control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:GetBucketInventoryConfiguration": "s3:GetInventoryConfiguration",
    "s3:ListBucketInventoryConfigurations": "s3:GetInventoryConfiguration",
    "s3:PutBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "s3:DeleteBucketInventoryConfiguration": "s3:PutInventoryConfiguration",
    "s3:GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "s3:PutObjectLockConfiguration": "s3:PutBucketObjectLockConfiguration",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "lambda:Invoke": "lambda:InvokeFunction",
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html
    "sns:PublishBatch": "sns:Publish",
}
# boto3's name of a service: the one that its actions begin with.
PREFIXES = {"s3control": "s3"}

# With a version's number in the request it is another action (the page on S3's actions, above).
OF_A_VERSION = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
}
# What tags a thing as it is made. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html says that
# each service asks for its tagging action then; so do the pages of CreateRole, CreateQueue, CreateTable ….
TAGGING = {
    "iam:CreateRole": "iam:TagRole",
    "sqs:CreateQueue": "sqs:TagQueue",
    "sns:CreateTopic": "sns:TagResource",
    "lambda:CreateFunction": "lambda:TagResource",
    "logs:CreateLogGroup": "logs:TagResource",
    "cloudwatch:PutMetricAlarm": "cloudwatch:TagResource",
    "dynamodb:CreateTable": "dynamodb:TagResource",
    "events:PutRule": "events:TagResource",
    "glue:CreateCrawler": "glue:TagResource",
    "glue:CreateDatabase": "glue:TagResource",
    "athena:CreateWorkGroup": "athena:TagResource",
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
PASSES_A_ROLE = {
    "lambda:CreateFunction",
    "lambda:UpdateFunctionConfiguration",
    "glue:CreateCrawler",
    "glue:UpdateCrawler",
    "s3:CreateJob",
}
# https://docs.aws.amazon.com/athena/latest/ug/s3-permissions.html: the caller's own rights, at the results.
RESULTS = {
    "bucket": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
    "objects": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
}
# What a call needs on the key of a queue or table that is under a key of KMS.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
# A table's key is decrypted for a write, too: https://github.com/aws/aws-cdk/issues/10010.
# Whoever gives a table its key needs all that DynamoDB will need:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
SENDS = ("kms:GenerateDataKey", "kms:Decrypt")
USES_A_TABLE = ("kms:Decrypt",)
GIVES_A_TABLE_A_KEY = (
    "kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey", "kms:CreateGrant",
)  # fmt: skip
OF_KEYS = {
    "sqs:ReceiveMessage": ("kms:Decrypt",),
    "sqs:SendMessage": SENDS,
    # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
    "sns:Publish": SENDS,
    "sqs:StartMessageMoveTask": SENDS,
    "dynamodb:CreateTable": GIVES_A_TABLE_A_KEY,
    "dynamodb:UpdateTable": GIVES_A_TABLE_A_KEY,
    **{
        f"dynamodb:{name}": USES_A_TABLE
        for name in (
            *("GetItem", "BatchGetItem", "Query", "Scan"),
            *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"),
        )
    },
}
# What changes which permission a call needs; the other parameters do not.
TELLING = frozenset(
    {"VersionId", "CopySourceVersionId", "Tagging", "TaggingDirective=REPLACE", "ChecksumMode"}
    | {"tags", "Tags", "Role", "RoleArn"}
)
WRITES_WITH_TAGS = {"s3:PutObject", "s3:CopyObject", "s3:CreateMultipartUpload"}
NOT_FOUND = {"404", "NoSuchKey", "NoSuchVersion"}


@dataclass(frozen=True, order=True)
class Shape:
    """Calls that need the same permissions.

    Attributes:
        action: The service's prefix and the operation, such as `s3:HeadObject`.
        resource: The policy's pattern that the call's resource falls under.
        source: The same, of what it copied from.
        parameters: Those of TELLING that it had.
        missing: Whether S3 said that there is no such object.
    """

    action: str
    resource: str
    source: str = ""
    parameters: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True, order=True)
class Need:
    """An action on a resource, and the call that needs it."""

    action: str
    resource: str
    call: str


def named(service: str, operation: str) -> str:
    """Return a call's name: its prefix and operation, but the service itself where two have the same."""
    name = f"{service}:{operation}"
    return name if name in RENAMED else f"{PREFIXES.get(service, service)}:{operation}"


def needs(shape: Shape) -> Iterator[Need]:
    """Say what a call needs; a resource is a pattern of the policy, or the bucket before its slash."""
    name = shape.action.partition(":")[2]
    for action, resource in _needs(shape):
        yield Need(action, resource, name)


def _needs(shape: Shape) -> Iterator[tuple[str, str]]:
    action = RENAMED.get(shape.action, shape.action)
    versioned = "VersionId" in shape.parameters
    yield (OF_A_VERSION.get(action, action) if versioned else action), shape.resource
    yield from _of_copies(shape)
    if "Tagging" in shape.parameters and shape.action in WRITES_WITH_TAGS:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html, x-amz-tagging
        yield "s3:PutObjectTagging", shape.resource
    if shape.missing:
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html#API_HeadObject_RequestSyntax:
        # without s3:ListBucket the answer is 403, which the handlers take for a failure. Of a missing version
        # AWS's documentation is silent. We take it that s3:ListBucketVersions is asked for then: unverified.
        named = {"VersionId", "CopySourceVersionId"} & set(shape.parameters)
        bucket = bucket_of(shape.source or shape.resource)
        yield ("s3:ListBucketVersions" if named else "s3:ListBucket"), bucket
    if {"tags", "Tags"} & set(shape.parameters) and shape.action in TAGGING:
        yield TAGGING[shape.action], shape.resource if shape.resource != "*" else ""
    if {"Role", "RoleArn"} & set(shape.parameters) and shape.action in PASSES_A_ROLE:
        yield "iam:PassRole", "arn:aws:iam::${account_id}:role/${prefix}-${env}-*"
    for use in OF_KEYS.get(action, ()):
        yield use, _key_of(shape.resource)
    yield from _of_objects_keys(shape)


def _of_copies(shape: Shape) -> Iterator[tuple[str, str]]:
    if not shape.source:
        return
    versioned = "CopySourceVersionId" in shape.parameters
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html#API_CopyObject_RequestSyntax
    yield ("s3:GetObjectVersion" if versioned else "s3:GetObject"), shape.source
    if shape.action == "s3:CopyObject" and "TaggingDirective=REPLACE" not in shape.parameters:
        # Tags are copied unless told otherwise: read at the source, written at the target.
        yield ("s3:GetObjectVersionTagging" if versioned else "s3:GetObjectTagging"), shape.source
        yield "s3:PutObjectTagging", shape.resource


def _of_objects_keys(shape: Shape) -> Iterator[tuple[str, str]]:
    """What a call needs beside, if its bucket's objects lie under a key of KMS.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html (parts need both),
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html (ChecksumMode needs kms:Decrypt).
    """
    reads = shape.action == "s3:GetObject" or (
        shape.action == "s3:HeadObject" and "ChecksumMode" in shape.parameters
    )
    if reads:
        yield "kms:Decrypt", _key_of(shape.resource)
    if shape.source:
        yield "kms:Decrypt", _key_of(shape.source)
    if shape.action in {"s3:PutObject", "s3:CopyObject", "s3:CreateMultipartUpload"}:
        yield "kms:GenerateDataKey", _key_of(shape.resource)
    if shape.action in {"s3:UploadPart", "s3:UploadPartCopy", "s3:CompleteMultipartUpload"}:
        yield "kms:GenerateDataKey", _key_of(shape.resource)
        yield "kms:Decrypt", _key_of(shape.resource)


def bucket_of(resource: str) -> str:
    """Return the pattern of the bucket that a pattern of objects lies in."""
    return resource.partition("/")[0]


def _key_of(resource: str) -> str:
    """Return `${queue_key_arn}` for `${queue_arn}`, and so on: policies call a thing and its key alike.

    The deployer's policy names no thing by itself: it has all keys of the account; so has the role in another
    account, whose buckets' names have the account that they belong to.
    """
    if "-${account_id}-" in resource:
        return "arn:aws:kms:*:${other_account_id}:key/*"
    if resource.startswith("arn:"):
        return "arn:aws:kms:*:${account_id}:key/*"
    return bucket_of(resource).replace("_arn}", "_key_arn}")
