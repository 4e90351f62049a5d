"""The pipeline *migrate*, deployed by its notebook and used with other tools than the notebook's."""

import io
import json
import zipfile

import pytest
from botocore.exceptions import ClientError
from support.headless import counts, execute

from lib.engine.inventory import Inventory
from lib.engine.ledger import Ledger
from lib.engine.waiting import Waiting
from lib.operate import samples, watch
from lib.parameters import Parameters
from lib.s3 import objects
from lib.target import connect

ARRIVAL_S = 600
# Enough for five receives of a message that is hidden for a second each time.
DEAD_LETTER_S = 600
PARAMETERS = {"env": "test", "exercise": False, "migrate": {"function_timeout_s": 10}}


@pytest.fixture(scope="module")
def parameters(local_aws) -> Parameters:
    return Parameters.check(PARAMETERS)


@pytest.fixture(scope="module")
def deployed(parameters, tmp_path_factory):
    """The outputs of the pipeline, as `runbook output` prints them; destroyed at the end."""
    folder = tmp_path_factory.mktemp("migrate")
    execute("10_migrate", folder, **PARAMETERS)
    yield Ledger.of(parameters).outputs()["migrate"]
    Inventory(connect(parameters), parameters).destroy()


@pytest.fixture(scope="module")
def aws(parameters, deployed):
    return connect(parameters)


@pytest.fixture(scope="module")
def places(aws, deployed):
    return (
        objects.Place(aws.client("s3", "us-west-1"), deployed["source_bucket"]),
        objects.Place(aws.client("s3", "us-east-1"), deployed["target_bucket"]),
    )


@pytest.fixture(scope="module")
def queues(aws, deployed):
    sqs = aws.client("sqs", "us-east-1")
    return Waiting(sqs, deployed["queue_url"]), Waiting(sqs, deployed["dlq_url"])


def arrivals(files, places, queues, timeout_s=ARRIVAL_S):
    """Upload and watch; returns key → state."""
    source, target = places
    uploads = samples.upload(source.client, source.bucket, files)
    queue, dead_letters = queues
    seen = watch.arrivals(
        uploads, source, target=target, dead_letters=dead_letters, timeout_s=timeout_s, queue=queue
    )
    return dict(zip(seen["key"], seen["state"], strict=True))


def test_a_second_run_changes_nothing(deployed, tmp_path):
    found = counts(execute("10_migrate", tmp_path, **PARAMETERS))
    assert found["to create"] == found["to change"] == 0
    assert found["unchanged"] == 21


def test_objects_of_any_key_and_size_arrive_whole(places, queues):
    marks = {"metadata": {"origin": "test"}, "tags": {"project": "a b+c", "kind": "ü"}}
    keys = ["folder/Project Idea+ü 100%.csv", "a%2Fb", "with space/", "plus+plus", "emoji 🚀.csv", "x" * 900]
    files = [samples.Sample(key, b"a,b\n1,2\n", **marks) for key in keys]
    files += [samples.Sample("empty", b""), samples.Sample("large", b"x" * 20_000_000, **marks)]
    assert set(arrivals(files, places, queues).values()) == {"in place"}
    comparison = objects.compare([file.key for file in files], *places)
    assert comparison.drop(columns="key").all(axis=None), comparison


def test_an_overwritten_object_arrives_again(places, queues):
    source, target = places
    for body in (b"first", b"second"):
        assert arrivals([samples.Sample("again", body)], places, queues) == {"again": "in place"}
    assert target.digest("again") == source.digest("again")


def test_the_test_event_of_s3_is_acknowledged(queues):
    queue, dead_letters = queues
    assert queue.settle() == 0
    assert dead_letters.depth() == 0


def test_what_fails_is_named_as_a_dead_letter_and_does_not_hold_up_the_rest(
    deployed, places, queues, aws, somebody
):
    source, _ = places
    queue, dead_letters = queues
    role = somebody("lambda").get_function(FunctionName=deployed["function"])["Configuration"]["Role"]
    deny = {
        "Sid": "SomebodyElses",
        "Effect": "Deny",
        "Principal": {"AWS": role},
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": f"arn:aws:s3:::{source.bucket}/forbidden.csv",
    }
    policy = json.loads(source.client.get_bucket_policy(Bucket=source.bucket)["Policy"])
    policy["Statement"].append(deny)
    source.client.put_bucket_policy(Bucket=source.bucket, Policy=json.dumps(policy))
    # Five attempts a minute apart are too slow for a test.
    queue.client.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "1"})
    files = [samples.Sample("forbidden.csv", b"no"), samples.Sample("allowed.csv", b"yes")]
    states = arrivals(files, places, queues, DEAD_LETTER_S)
    assert states == {"forbidden.csv": "dead letter", "allowed.csv": "in place"}
    somebody("sqs").purge_queue(QueueUrl=dead_letters.url)


def test_drift_is_named_and_repaired_and_somebody_elses_statement_survives(deployed, places, tmp_path):
    plan = execute("10_migrate", tmp_path, **PARAMETERS, mode="plan")
    assert counts(plan)["to change"] == 1  # the visibility timeout of the test above
    assert "VisibilityTimeout: '1' → '60'" in str(plan.cells)
    execute("10_migrate", tmp_path, **PARAMETERS)
    assert counts(execute("10_migrate", tmp_path, **PARAMETERS))["to change"] == 0
    source, _ = places
    policy = json.loads(source.client.get_bucket_policy(Bucket=source.bucket)["Policy"])
    assert {s["Sid"] for s in policy["Statement"]} == {"RunbookDenyInsecureTransport", "SomebodyElses"}


def test_a_message_that_somebody_sent_by_hand_is_named_and_a_run_goes_on(
    deployed, queues, somebody, tmp_path
):
    for waiting in queues:
        somebody("sqs").send_message(QueueUrl=waiting.url, MessageBody="hello")
    done = execute("10_migrate", tmp_path, **PARAMETERS | {"exercise": True})
    for waiting in queues:
        name = waiting.url.rpartition("/")[2]
        assert f"{name} holds 1 message of before, which the checks leave out" in str(done.cells)
        somebody("sqs").purge_queue(QueueUrl=waiting.url)


PROBE = """
import boto3
def handler(event, context):
    try:
        boto3.client(event["service"]).__getattribute__(event["call"])(**event["arguments"])
    except Exception as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code", repr(error))
    return "allowed"
"""


@pytest.fixture(scope="module")
def as_the_function(deployed, somebody):
    """Calls AWS as the function would: from a function that has its role."""
    client = somebody("lambda")
    role = client.get_function(FunctionName=deployed["function"])["Configuration"]["Role"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("handler.py", PROBE)
    client.create_function(
        FunctionName="probe",
        Runtime="python3.13",
        Handler="handler.handler",
        Role=role,
        Code={"ZipFile": code.getvalue()},
        Timeout=30,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="probe")

    def call(service, operation, **arguments):
        payload = {"service": service, "call": operation, "arguments": arguments}
        answer = client.invoke(FunctionName="probe", Payload=json.dumps(payload))
        return json.load(answer["Payload"])

    yield call
    client.delete_function(FunctionName="probe")


def test_the_role_can_do_nothing_but_its_work(deployed, as_the_function, somebody):
    somebody("s3").create_bucket(Bucket="somebody-elses")
    somebody("s3").put_object(Bucket="somebody-elses", Key="secret", Body=b"secret")
    source, target = deployed["source_bucket"], deployed["target_bucket"]
    somebody("s3", "us-west-1").put_object(Bucket=source, Key="probe", Body=b"x")
    assert as_the_function("s3", "get_object", Bucket=source, Key="probe") == "allowed"
    for service, operation, arguments in [
        ("s3", "get_object", {"Bucket": "somebody-elses", "Key": "secret"}),
        ("s3", "put_object", {"Bucket": source, "Key": "back", "Body": "x"}),
        ("s3", "delete_object", {"Bucket": target, "Key": "probe"}),
        ("s3", "list_buckets", {}),
        ("sqs", "purge_queue", {"QueueUrl": deployed["queue_url"]}),
        ("sqs", "receive_message", {"QueueUrl": deployed["dlq_url"]}),
        ("iam", "list_users", {}),
        ("lambda", "list_functions", {}),
    ]:
        answer = as_the_function(service, operation, **arguments)
        assert "AccessDenied" in answer, (service, operation, answer)


def test_nothing_is_public_and_nothing_goes_without_tls(deployed, places):
    for place in places:
        block = place.client.get_public_access_block(Bucket=place.bucket)["PublicAccessBlockConfiguration"]
        assert all(block.values())
        assert place.client.get_bucket_versioning(Bucket=place.bucket)["Status"] == "Enabled"
    source, _ = places
    assert source.client.meta.endpoint_url.startswith("https://")


def test_destroy_removes_all_of_it_and_nothing_else(deployed, somebody, aws, parameters, tmp_path):
    execute("90_destroy", tmp_path, env=parameters.env)
    for region in parameters.regions:
        assert not [
            q for q in somebody("sqs", region).list_queues().get("QueueUrls", []) if "runbook-test" in q
        ]
        topics = somebody("sns", region).list_topics()["Topics"]
        assert not [topic for topic in topics if "runbook-test" in topic["TopicArn"]]
        functions = somebody("lambda", region).list_functions()["Functions"]
        assert [f["FunctionName"] for f in functions if f["FunctionName"] != "probe"] == []
        assert somebody("lambda", region).list_event_source_mappings()["EventSourceMappings"] == []
        groups = somebody("logs", region).describe_log_groups()["logGroups"]
        assert not [g for g in groups if "runbook-test-migrate-" in g["logGroupName"]]
    names = {bucket["Name"] for bucket in somebody("s3").list_buckets()["Buckets"]}
    assert not [name for name in names if name.startswith("runbook-test-migrate")]
    assert "somebody-elses" in names
    roles = {role["RoleName"] for role in somebody("iam").list_roles()["Roles"]}
    assert not [name for name in roles if name.startswith("runbook-test-migrate")]
    assert Ledger.of(parameters).entries() == {}
    with pytest.raises(ClientError, match="404|NoSuch"):
        somebody("s3").head_bucket(Bucket=deployed["target_bucket"])
