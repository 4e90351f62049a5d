"""S3 Batch Operations: a job that tells a pipeline of every object of a manifest.

A job can invoke a function, which must answer it; it can neither send to a queue nor invoke a function that
takes S3's events: https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-invoke-lambda.html
So it invokes the handler that says it is for that, which sends each object's event into the pipeline's own
entrance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import sleep
from uuid import NAMESPACE_URL, uuid5

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError

from lib.base.errors import RunbookError
from lib.base.retry import PROPAGATION_S, TOO_EARLY, retry_on
from lib.engine.stack import Stack
from lib.operate import facts
from lib.operate.backfills.manifest import Manifest
from lib.operate.pipelines import Pipeline
from lib.resources.base import GLOBAL_REGION
from lib.resources.bundle import bundle
from lib.resources.iam import Role
from lib.resources.lambda_ import Function
from lib.resources.logs import LogGroup
from lib.resources.policies import from_template
from lib.resources.s3 import Bucket
from lib.resources.sqs import Queue
from lib.target import Target

PRINCIPAL = "batchoperations.s3.amazonaws.com"
TIMEOUT_S, MEMORY_MB = 60, 256
JOBS_EXPIRE_DAYS = 90  # as long as S3 remembers a job that has ended
PRIORITY = 10  # among the account's jobs; the greater goes first


@dataclass(frozen=True)
class Jobs:
    """What the jobs of a pipeline's backfill need.

    Attributes:
        bucket: Where manifests and reports are.
        function: What tells this pipeline of an object.
        role: What S3 Batch Operations may do: read the manifest, write the report, invoke the function.
    """

    bucket: Bucket
    function: Function
    role: Role


def require(target: Target, region: str) -> None:
    """See to it that this AWS has S3 Batch Operations, before anything is written.

    Args:
        target: The AWS to ask.
        region: The source bucket's.

    Raises:
        RunbookError: If it has not, as the local AWS, or does not let us list jobs.
    """
    try:
        target.client("s3control", region).list_jobs(AccountId=target.account_id, MaxResults=1)
    except (BotoCoreError, ClientError) as error:
        raise RunbookError(
            "so many objects are left to an S3 Batch Operations job, but this AWS does not answer for jobs "
            f"({error}). The local AWS has none: set backfill.batch_above to more than there are objects"
        ) from error


def describe(stack: Stack, pipeline: Pipeline, log_retention_days: int = 30) -> Jobs:
    """Describe what jobs need: a bucket, a function with its role and log, and a role for S3.

    Args:
        stack: Where they are added.
        pipeline: Whose source is backfilled; all is in that bucket's region.
        log_retention_days: How long the function's log is kept.

    Returns:
        What was described.
    """
    stack.is_whole = False  # what the jobs of other pipelines need is there, too
    handler = facts.invoked_by(PRINCIPAL).name
    region, what = pipeline.source_bucket.region, f"{handler}-{pipeline.name}"
    bucket = stack.add(Bucket("jobs", region, expire_days=JOBS_EXPIRE_DAYS))
    log_group = stack.add(LogGroup(what, region, retention_days=log_retention_days))
    environment, entrance = _entrance(stack.target, pipeline)
    policy = from_template(
        f"handlers/{handler}/policy.json",
        source_bucket=pipeline.source_bucket,
        key_prefix=pipeline.key_prefix,
        log_group=log_group,
        **entrance,
    )
    role = stack.add(Role(what, GLOBAL_REGION, trusts="lambda.amazonaws.com", policy=policy))
    code = bundle(handler, stack.target.runtime)
    function = stack.add(
        Function(
            what,
            region,
            role=role,
            code=code,
            environment=environment,
            timeout_s=TIMEOUT_S,
            memory_mb=MEMORY_MB,
        )
    )
    job_policy = from_template(
        "lib/policies/batch-operations-policy.json", jobs_bucket=bucket, function=function
    )
    job_role = stack.add(Role(f"job-{pipeline.name}", GLOBAL_REGION, trusts=PRINCIPAL, policy=job_policy))
    return Jobs(bucket, function, job_role)


def create(
    target: Target,
    jobs: Jobs,
    manifest: Manifest,
    description: str,
    sleep: Callable[[float], None] = sleep,
) -> str:
    """Create a job that waits for a person's confirmation; the same manifest never makes a second one.

    Args:
        target: The AWS to work on.
        jobs: What it needs, deployed.
        manifest: The objects.
        description: What people read in the console.
        sleep: Waits until S3 sees the role.

    Returns:
        The job's id.

    Raises:
        ClientError: If AWS refuses it.
    """
    function = {"FunctionArn": jobs.function.arn, "InvocationSchemaVersion": "2.0"}
    report = {"Bucket": jobs.bucket.arn, "Prefix": "reports", "Format": "Report_CSV_20180820"}
    # S3 looks at the role, which may be new.
    create_job = retry_on(TOO_EARLY, PROPAGATION_S, sleep)
    answer = create_job(
        target.client("s3control", jobs.bucket.region).create_job,
        AccountId=target.account_id,
        ConfirmationRequired=True,
        Operation={"LambdaInvoke": function},
        Manifest={
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key"]},
            "Location": {"ObjectArn": f"{jobs.bucket.arn}/{manifest.key}", "ETag": manifest.etag},
        },
        Report={**report, "Enabled": True, "ReportScope": "FailedTasksOnly"},
        ClientRequestToken=str(uuid5(NAMESPACE_URL, f"{jobs.function.arn} {manifest.key} {manifest.etag}")),
        Description=description,
        Priority=PRIORITY,
        RoleArn=jobs.role.arn,
    )
    return answer["JobId"]


def state(target: Target, jobs: Jobs, job_id: str) -> pd.DataFrame:
    """Return one row: the job's status, and how many of its objects are counted, done and failed so far."""
    client = target.client("s3control", jobs.bucket.region)
    job = client.describe_job(AccountId=target.account_id, JobId=job_id)["Job"]
    done = job.get("ProgressSummary", {})  # a job that is new has none
    row = {
        "job": job_id,
        "status": job["Status"],
        "objects": done.get("TotalNumberOfTasks", 0),
        "succeeded": done.get("NumberOfTasksSucceeded", 0),
        "failed": done.get("NumberOfTasksFailed", 0),
    }
    return pd.DataFrame([row])


def _entrance(target: Target, pipeline: Pipeline) -> tuple[dict[str, str], dict[str, Queue | str | None]]:
    """Return how the function is told of the entrance, and what its policy asks for."""
    entrance = pipeline.entrance
    if isinstance(entrance, Queue):
        url = entrance.output(target.client(entrance.service, entrance.region))
        environment = {"QUEUE_URL": url, "QUEUE_REGION": entrance.region}
        return environment, {"queue": entrance, "function_arn": ""}
    arn = f"arn:aws:lambda:{entrance.region}:{target.account_id}:function:{entrance.name}"
    return {"PIPELINE_FUNCTION": entrance.name}, {"queue": None, "function_arn": arn}
