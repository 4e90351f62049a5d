"""What S3 Batch Operations gets for a large backfill, and how a backfill is estimated."""

import csv
import json
import secrets
from urllib.parse import unquote_plus

import pytest
from botocore.stub import Stubber
from support.backfill_pipeline import Queued
from support.cleanup import remove
from support.the_five import pipelines

from lib.base.errors import RunbookError
from lib.engine.stack import Stack
from lib.operate.backfills import batch_job, manifest
from lib.operate.backfills.backfill import selection
from lib.operate.backfills.estimate import estimate

KEYS = [f"folder {number % 3}/{number:02} +ü%,\"'.csv" for number in range(30)]


@pytest.fixture(scope="module")
def queued(local_aws):
    queued = Queued(f"t{secrets.token_hex(3)}")
    queued.put(KEYS)
    yield queued
    remove(queued.stack)


@pytest.fixture(scope="module")
def jobs(queued):
    """What a job needs, deployed."""
    stack = Stack(queued.target, queued.parameters(), "backfill")
    jobs = batch_job.describe(stack, pipelines(queued.parameters())["migrate"])
    stack.apply()
    assert stack.plan().count("unchanged") == len(stack.resources)
    yield jobs
    remove(stack)


def test_the_manifest_names_every_object_once(queued, jobs):
    _, selected = selection(queued.target, queued.parameters())

    written = manifest.write(queued.target, selected, jobs.bucket, "manifests/m.csv")

    answer = queued.s3.get_object(Bucket=jobs.bucket.name, Key="manifests/m.csv")
    rows = list(csv.reader(answer["Body"].read().decode("ascii").splitlines()))
    assert sorted(unquote_plus(key) for _, key in rows) == sorted(KEYS)
    assert {bucket for bucket, _ in rows} == {queued.source.name}
    assert (written.objects, f'"{written.etag}"') == (30, answer["ETag"])


def test_the_deployed_function_puts_a_task_s_object_into_the_pipeline_s_queue(queued, jobs):
    task = {
        "taskId": "t",
        "s3Key": manifest.quote(KEYS[4]),
        "s3VersionId": None,
        "s3Bucket": queued.source.name,
    }
    event = {"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "j"}, "tasks": [task]}

    client = queued.target.client("lambda", jobs.function.region)
    answer = client.invoke(FunctionName=jobs.function.name, Payload=json.dumps(event))

    assert json.loads(answer["Payload"].read())["results"][0]["resultCode"] == "Succeeded"
    assert queued.keys() == [KEYS[4]]


def test_a_job_waits_for_confirmation_and_may_do_no_more_than_its_role(queued, jobs):
    client = queued.target.client("s3control", jobs.bucket.region)
    made = manifest.Manifest("manifests/m.csv", "e1", 30)
    requests = []

    with Stubber(client) as stubber:  # the local AWS has no jobs; this checks the request against AWS's model
        client.meta.events.register(
            "before-parameter-build.s3-control.CreateJob", lambda params, **_: requests.append(params)
        )
        stubber.add_response("create_job", {"JobId": "job-1"})
        assert batch_job.create(queued.target, jobs, made, "Backfill of migrate") == "job-1"

    (request,) = requests
    assert len(request["ClientRequestToken"]) <= 64
    assert request["ConfirmationRequired"] is True
    assert request["RoleArn"] == jobs.role.arn
    assert request["Operation"]["LambdaInvoke"]["FunctionArn"] == jobs.function.arn
    where = {"ObjectArn": f"{jobs.bucket.arn}/manifests/m.csv", "ETag": "e1"}
    assert request["Manifest"]["Location"] == where
    allowed = {s["Sid"]: s["Resource"] for s in jobs.role.policy["Statement"]}
    assert allowed == {
        "ReadManifests": f"{jobs.bucket.arn}/manifests/*",
        "WriteReports": f"{jobs.bucket.arn}/reports/*",
        "InvokeTheFunction": jobs.function.arn,
    }


def test_a_new_job_has_no_progress_yet(queued, jobs):
    client = queued.target.client("s3control", jobs.bucket.region)
    with Stubber(client) as stubber:
        stubber.add_response("describe_job", {"Job": {"JobId": "job-1", "Status": "Suspended"}})
        (row,) = batch_job.state(queued.target, jobs, "job-1").to_dict("records")
    assert row == {"job": "job-1", "status": "Suspended", "objects": 0, "succeeded": 0, "failed": 0}


def test_where_there_are_no_jobs_it_is_said_before_anything_is_written(queued):
    with pytest.raises(RunbookError, match="The local AWS has none: set backfill.batch_above"):
        batch_job.require(queued.target, queued.source.region)


def test_a_manifest_of_nothing_is_refused(queued, jobs):
    _, selected = selection(queued.target, queued.parameters(key_prefix="nowhere/"))
    with pytest.raises(RunbookError, match="nothing to send: there are no objects s3://.*/nowhere/"):
        manifest.write(queued.target, selected, jobs.bucket, "manifests/none.csv")


def test_an_estimate_counts_what_the_filters_leave(queued):
    everything = estimate(queued.target, queued.parameters(objects_per_second=10))
    some = estimate(queued.target, queued.parameters(key_prefix="folder 1/"))
    none = estimate(queued.target, queued.parameters(key_prefix="nowhere/"))

    assert (everything.objects, everything.bytes, everything.duration.seconds) == (30, 30, 3)
    assert (some.objects, none.objects) == (10, 0)
    assert (everything.is_small, none.is_small, everything.by_job) == (True, False, False)
    assert 0 < some.usd < everything.usd < 0.001


def test_an_estimate_says_what_cannot_be_read_yet(queued):
    name = {"Bucket": queued.source.name, "Key": "cold/a"}
    queued.s3.put_object(**name, Body=b"1", StorageClass="DEEP_ARCHIVE")
    cold, warm = (estimate(queued.target, queued.parameters(key_prefix=each)) for each in ("cold", "folder"))
    queued.s3.delete_object(**name)
    assert (cold.archived, warm.archived) == (1, 0)
    assert "aws s3api restore-object" in repr(cold)
    assert "archived" not in repr(warm)


def test_a_job_costs_more_than_events(queued):
    by_events = estimate(queued.target, queued.parameters())
    by_job = estimate(queued.target, queued.parameters(batch_above=29))

    assert by_job.by_job
    assert by_job.usd - by_events.usd == pytest.approx(0.25, abs=0.001)  # what S3 takes for a job
    assert "an S3 Batch Operations job" in repr(by_job)
