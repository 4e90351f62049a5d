"""Permissions that AWS's services use with our roles, or on behalf of a call of ours: no ledger sees them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Use:
    """What a service uses.

    Attributes:
        policies: Whose, a pattern.
        actions: The actions.
        resource: On what, a pattern of the policy's own patterns.
        because: Who uses them, and what fails without.
        source: AWS's documentation.
        call: The call of ours that leads to it, which must have been recorded; empty if there is none.
    """

    policies: str
    actions: tuple[str, ...]
    resource: str
    because: str
    source: str
    call: str = ""

    def covers(self, policy: str, action: str, resource: str) -> bool:
        """Say whether the service uses this action on this resource of this policy."""
        return (
            fnmatchcase(policy, self.policies)
            and action in self.actions
            and fnmatchcase(resource, self.resource)
        )


DOCS = "https://docs.aws.amazon.com"
HANDLERS = "handlers/*/policy.json"
CRAWLER = "lib/policies/crawler-policy.json"
BATCH = "lib/policies/batch-operations-policy.json"
DEPLOYER = "lib/policies/deployer-policy.json"
ELSEWHERE, RESTORE = "lib/policies/other-account-role-policy.json", "lib/policies/restore-policy.json"
TAKE_ON = "lib/policies/other-account-policy.json"
GLUE = (
    "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable",
    "glue:GetPartition", "glue:GetPartitions", "glue:BatchGetPartition", "glue:BatchCreatePartition",
    "glue:UpdatePartition",
)  # fmt: skip
RESULT_OBJECTS = (
    "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts",
)  # fmt: skip
RESULT_BUCKETS = ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads")
START = "athena:StartQueryExecution"
KEYS_OF_S3 = f"{DOCS}/AmazonS3/latest/userguide/UsingKMSEncryption.html"
KEYS_OF_SQS = f"{DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
ATHENA_ON_S3 = f"{DOCS}/athena/latest/ug/s3-permissions.html"
ATHENA_ON_GLUE = f"{DOCS}/athena/latest/ug/fine-grained-access-to-glue-resources.html"

USES = (
    Use(
        HANDLERS,
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        "${log_group_arn}:*",
        "Lambda writes the function's log with its role; without, there is no log",
        f"{DOCS}/lambda/latest/dg/monitoring-cloudwatchlogs.html",
    ),
    Use(
        HANDLERS,
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        "${queue_arn}",
        "the event source mapping polls the queue with the function's role; AWS refuses the mapping without",
        f"{DOCS}/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions",
    ),
    Use(
        "handlers/consume/policy.json",
        ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        "${pieces_queue_arn}",
        "the event source mapping polls the queue with the function's role; AWS refuses the mapping without",
        f"{DOCS}/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions",
    ),
    Use(
        HANDLERS,
        ("sqs:SendMessage",),
        "${failures_queue_arn}",
        "Lambda sends failed invocations to the destination with the function's role; lost without",
        f"{DOCS}/lambda/latest/dg/invocation-async-retain-records.html",
    ),
    Use(
        HANDLERS,
        ("kms:Decrypt",),
        "${queue_key_arn}",
        "SQS decrypts what the mapping receives with the function's role; without, nothing is received",
        KEYS_OF_SQS,
    ),
    Use(
        HANDLERS,
        ("kms:GenerateDataKey", "kms:Decrypt"),
        "${failures_queue_key_arn}",
        "SQS encrypts what Lambda sends to the destination with the function's role; lost without",
        KEYS_OF_SQS,
    ),
    Use(
        "handlers/summarize/policy.json",
        ("kms:GenerateDataKey", "kms:Decrypt"),
        "${*bucket_key_arn}",
        "Athena decrypts data and encrypts results, and copies are in parts, with the caller's rights",
        f"{DOCS}/athena/latest/ug/encryption.html",
        START,
    ),
    Use(
        "handlers/consume/policy.json",
        ("kms:GenerateDataKey", "kms:Decrypt"),
        "${rejected_bucket_key_arn}",
        "boto3 writes many rejected rows in parts, which are decrypted to be put together; fails without",
        KEYS_OF_S3,
    ),
    Use(
        "handlers/summarize/policy.json",
        RESULT_OBJECTS,
        "${results_bucket_arn}/*",
        "Athena writes results with the caller's rights, large ones in parts; the query fails without",
        ATHENA_ON_S3,
        START,
    ),
    Use(
        "handlers/summarize/policy.json",
        RESULT_BUCKETS,
        "${*bucket_arn}",
        "Athena looks at the buckets of data and results with the caller's rights; the query fails without",
        ATHENA_ON_S3,
        START,
    ),
    Use(
        "handlers/summarize/policy.json",
        ("s3:GetObject",),
        "${bucket_arn}/athena-staging/*",
        "Athena reads the staged copy with the caller's rights; the query fails without",
        ATHENA_ON_S3,
        START,
    ),
    Use(
        "handlers/summarize/policy.json",
        ("glue:GetTable", "glue:GetDatabase"),
        "arn:aws:glue:*",
        "Athena looks the query's table up with the caller's rights; the query fails without",
        ATHENA_ON_GLUE,
        START,
    ),
    Use(
        "handlers/[cs]*/policy.json",
        ("s3:AbortMultipartUpload",),
        "${*bucket_arn}/*",
        "boto3 aborts what it failed to write in parts; without, the parts stay, and cost, for a week",
        f"{DOCS}/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions",
    ),
    Use(
        "*",
        ("glue:GetDatabase", "glue:CreateDatabase"),
        "arn:aws:glue:*:catalog",
        "Athena asks for the database `default` whatever the query; the query fails without",
        f"{ATHENA_ON_GLUE}#access-to-glue-data-catalog-required-permissions",
        START,
    ),
    Use(
        "*",
        ("glue:GetDatabase", "glue:CreateDatabase"),
        "arn:aws:glue:*:database/default",
        "Athena asks for the database `default` whatever the query; the query fails without",
        f"{ATHENA_ON_GLUE}#access-to-glue-data-catalog-required-permissions",
        START,
    ),
    Use(
        CRAWLER,
        ("s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"),
        "${bucket_arn}*",
        "the crawler lists and reads what it crawls with its role; the crawl fails without",
        f"{DOCS}/glue/latest/dg/crawler-prereqs.html",
    ),
    Use(
        CRAWLER,
        ("kms:Decrypt",),
        "${bucket_key_arn}",
        "the crawler reads objects under a key with its role; the crawl fails without",
        f"{DOCS}/glue/latest/dg/crawler-prereqs.html",
    ),
    Use(
        CRAWLER,
        GLUE,
        "arn:aws:glue:*",
        "the crawler writes tables and partitions with its role; the crawl fails without",
        f"{DOCS}/glue/latest/dg/create-an-iam-role.html",
    ),
    Use(
        CRAWLER,
        ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        "arn:aws:logs:*:log-group:/aws-glue/crawlers*",
        "the crawler writes its log with its role; without, there is no log",
        f"{DOCS}/glue/latest/dg/monitor-glue.html",
    ),
    Use(
        BATCH,
        ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "lambda:InvokeFunction"),
        "*",
        "S3 Batch Operations reads the manifest, invokes and reports with its role; the job fails without",
        f"{DOCS}/AmazonS3/latest/userguide/batch-ops-iam-role-policies.html",
    ),
    Use(
        DEPLOYER,
        (*RESULT_OBJECTS, *RESULT_BUCKETS),
        "arn:aws:s3:::${prefix}-${env}-*",
        "Athena reads data and writes results with the caller's rights; the query fails without",
        ATHENA_ON_S3,
        START,
    ),
    Use(
        DEPLOYER,
        ("glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions")
        + ("glue:BatchGetPartition",),
        "arn:aws:glue:*",
        "Athena looks tables and their partitions up with the caller's rights; the query fails without",
        ATHENA_ON_GLUE,
        START,
    ),
    Use(
        DEPLOYER,
        ("s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload"),
        "arn:aws:s3:::${prefix}-${env}-*/*",
        "DynamoDB writes an export with the caller's rights; the export fails without",
        f"{DOCS}/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html",
        "dynamodb:ExportTableToPointInTime",
    ),
    Use(
        DEPLOYER,
        ("s3:UpdateJobStatus",),
        "arn:aws:s3:*:job/*",
        "the command that 71_backfill prints for cancelling a job is refused",
        f"{DOCS}/AmazonS3/latest/API/API_control_UpdateJobStatus.html",
    ),
    Use(
        DEPLOYER,
        ("athena:StopQueryExecution",),
        "arn:aws:athena:*",
        "PyAthena cancels a query that takes too long; without, it runs on and is billed",
        f"{DOCS}/athena/latest/APIReference/API_StopQueryExecution.html",
        START,
    ),
    Use(
        DEPLOYER,
        ("glue:DeleteTable", "glue:GetTable", "glue:GetTables"),
        "arn:aws:glue:*:userDefinedFunction/*",
        "Glue asks for a database's functions too when the database is deleted",
        f"{DOCS}/glue/latest/dg/glue-specifying-resource-arns.html",
        "glue:DeleteDatabase",
    ),
    Use(
        DEPLOYER,
        ("s3:GetObjectRetention", "s3:GetObjectLegalHold"),
        "arn:aws:s3:::*",
        "destroy cannot say until when a version is locked: HeadObject leaves it out",
        f"{DOCS}/AmazonS3/latest/userguide/object-lock-managing.html",
        "s3:HeadObject",
    ),
    Use(
        ELSEWHERE,
        ("s3:GetObjectRetention", "s3:GetObjectLegalHold"),
        "arn:aws:s3:::*",
        "destroy cannot say until when a version is locked: HeadObject leaves it out",
        f"{DOCS}/AmazonS3/latest/userguide/object-lock-managing.html",
        "s3:HeadObject",
    ),
    Use(
        ELSEWHERE,
        ("s3:GetBucketObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"),
        "arn:aws:s3:::*",
        "a bucket cannot be made with Object Lock, or be seen to have it",
        f"{DOCS}/AmazonS3/latest/API/API_CreateBucket.html",
        "s3:CreateBucket",
    ),
    Use(
        ELSEWHERE,
        ("s3:DeleteObject",),
        "arn:aws:s3:::*",
        "destroy deletes versions by the batch, for which AWS says that this is needed always",
        f"{DOCS}/AmazonS3/latest/API/API_DeleteObjects.html",
        "s3:DeleteObjects",
    ),
    Use(
        ELSEWHERE,
        ("s3:AbortMultipartUpload",),
        "arn:aws:s3:::*",
        "destroy cannot empty a bucket in which a function that was ended has left an unfinished upload",
        f"{DOCS}/AmazonS3/latest/API/API_AbortMultipartUpload.html",
        "s3:ListMultipartUploads",
    ),
    Use(
        ELSEWHERE,
        ("s3:BypassGovernanceRetention",),
        "*",
        "a denial: whoever gives the role more could delete what is locked",
        f"{DOCS}/AmazonS3/latest/userguide/object-lock-managing.html",
    ),
    Use(
        ELSEWHERE,
        ("kms:DescribeKey", "kms:GetKeyPolicy"),
        "arn:aws:kms:*",
        "the preflight cannot see whether a key of that account can be used, and by whom",
        f"{DOCS}/kms/latest/developerguide/key-policy-modifying-external-accounts.html",
    ),
    Use(
        TAKE_ON,
        ("sts:AssumeRole",),
        "${role_arn}",
        "across accounts, the deployer's own policy must allow it, too: nobody gets into the other account",
        f"{DOCS}/IAM/latest/UserGuide/tutorial_cross-account-with-roles.html",
    ),
    Use(
        DEPLOYER,
        ("sts:AssumeRole",),
        "arn:aws:iam::*-restore",
        "73_restore cannot copy back from another account",
        f"{DOCS}/STS/latest/APIReference/API_AssumeRole.html",
    ),
    Use(
        RESTORE,
        ("s3:ListBucket", "s3:GetObject", "s3:GetObjectTagging", "s3:PutObject", "s3:PutObjectTagging")
        + ("s3:AbortMultipartUpload",),
        "${own_buckets_arn}*",
        "`restore.into` may name another bucket of the environment, and the drill has one of its own",
        f"{DOCS}/AmazonS3/latest/API/API_CopyObject.html",
    ),
)
