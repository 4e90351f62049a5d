"""The pipeline *backup*, deployed by its notebook and used with other tools than the notebook's."""

import json

import pytest
from botocore.exceptions import ClientError
from support.headless import eventually, execute

from lib.engine.stack import Stack
from lib.operate.failures.brake import Brake, brake_of
from lib.resources import sqs
from lib.s3.objects import Place, is_same, side_by_side

KEYS = ["plain.txt", "folder/Project Idea+ü 100%.csv", "a%2Fb", "with space/🚀", "x" * 900]
BRAKE_DELETES = 8
ARRIVAL_S = 600


@pytest.fixture(scope="module")
def backup(deploy):
    return deploy("20_backup", backup={"brake_deletes": BRAKE_DELETES, "brake_minutes": 60})


@pytest.fixture(scope="module")
def primary(backup) -> Place:
    return Place(backup.aws.client("s3", "us-east-1"), backup.outputs["primary_bucket"])


@pytest.fixture(scope="module")
def dr(backup) -> Place:
    return Place(backup.aws.client("s3", "us-east-2"), backup.outputs["dr_bucket"])


@pytest.fixture
def brake(backup) -> Brake:
    stack = Stack(backup.aws, backup.parameters, "backup")
    queue = stack.add(sqs.Queue("holding", "us-east-1"))
    return brake_of(backup.aws, queue)


def put(place: Place, key: str, body: bytes = b"body") -> None:
    place.client.put_object(Bucket=place.bucket, Key=key, Body=body, Tagging="kind=test")


def follows(primary: Place, dr: Place, keys: list[str]) -> bool:
    """Whether the DR bucket has what the primary has, or neither has it."""
    heads = [(primary.head(key), dr.head(key)) for key in keys]
    return all(is_same(here, there) if here else there is None for here, there in heads)


def test_a_second_run_changes_nothing(backup):
    found = backup.counts()
    assert found["to create"] == found["to change"] == found["to delete"] == 0
    assert found["unchanged"] > 20


def test_puts_overwrites_and_deletes_are_followed_whatever_the_key(primary, dr):
    for key in KEYS:
        put(primary, key)
    assert eventually(lambda: follows(primary, dr, KEYS))
    assert dr.tags(KEYS[1]) == {"kind": "test"}
    put(primary, KEYS[0], b"another body")
    primary.client.delete_object(Bucket=primary.bucket, Key=KEYS[1])
    put(primary, KEYS[2])
    primary.client.delete_object(Bucket=primary.bucket, Key=KEYS[2])
    put(primary, KEYS[2], b"last")
    assert eventually(lambda: follows(primary, dr, KEYS))
    listing = side_by_side(primary, dr).set_index("key")
    assert listing["same"].all()
    assert listing.loc[KEYS[1], "DR versions"] == 1
    assert listing.loc[KEYS[1], "DR markers"] == 1


def test_a_delete_that_is_undone_comes_back(primary, dr):
    key = KEYS[1]
    (marker,) = primary.client.list_object_versions(Bucket=primary.bucket, Prefix=key)["DeleteMarkers"]
    primary.client.delete_object(Bucket=primary.bucket, Key=key, VersionId=marker["VersionId"])
    assert primary.head(key)
    assert eventually(lambda: follows(primary, dr, KEYS))


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [("put_object", {"Body": b"mine"}), ("delete_object", {}), ("delete_object", {"VersionId": "null"})],
)
def test_nobody_else_writes_to_the_dr_bucket(dr, operation, arguments):
    with pytest.raises(ClientError, match="AccessDenied"):
        getattr(dr.client, operation)(Bucket=dr.bucket, Key=KEYS[0], **arguments)


def test_delete_sync_can_be_turned_off_and_on(backup, primary, dr):
    off = {"backup": {**backup.values["backup"], "delete_sync": False}}
    assert backup.counts(**off)["to delete"] == 1
    put(primary, "kept")
    assert eventually(lambda: follows(primary, dr, ["kept"]))
    primary.client.delete_object(Bucket=primary.bucket, Key="kept")
    put(primary, "later")
    assert eventually(lambda: follows(primary, dr, ["later"]))
    assert dr.head("kept")
    assert backup.counts()["to create"] == 1


def test_the_brake_holds_what_is_too_much_and_lets_it_go_again(primary, dr, brake):
    many = [f"many/{number}" for number in range(BRAKE_DELETES + 4)]
    for key in many:
        put(primary, key)
    assert eventually(lambda: follows(primary, dr, many))
    for key in many:
        primary.client.delete_object(Bucket=primary.bucket, Key=key)
    assert eventually(lambda: brake.state()["pulled"][0] == "yes")
    # Some deletes were counted by the tests above; at most BRAKE_DELETES were done in all.
    assert eventually(lambda: brake.state()["held"][0] >= 4)
    left = [key for key in many if dr.head(key)]
    assert eventually(lambda: brake.state()["held"][0] == len([key for key in many if dr.head(key)]))
    assert len(left) >= 4
    put(primary, "while the brake is pulled")
    assert eventually(lambda: follows(primary, dr, ["while the brake is pulled"]))
    released = brake.release()
    assert set(released["key"]) <= set(many)
    assert eventually(lambda: follows(primary, dr, many))
    assert brake.state()["pulled"][0] == "no"
    assert brake.release().empty


def test_what_fails_for_good_ends_in_the_failure_queue(backup, primary, dr, somebody):
    root = somebody("lambda", "us-east-1")
    function = backup.outputs["replicate_function"]
    environment = root.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    root.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0, DestinationConfig=_to(root, function)
    )
    root.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**environment, "TARGET_BUCKET": "nobody-s"}}
    )
    root.get_waiter("function_updated_v2").wait(FunctionName=function)
    put(primary, "poison")
    queue = somebody("sqs", "us-east-1")
    url = backup.outputs["replicate_failures_url"]
    bodies = []

    def received() -> bool:
        answer = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        bodies.extend(json.loads(message["Body"]) for message in answer.get("Messages", []))
        return bool(bodies)

    assert eventually(received, ARRIVAL_S)
    assert bodies[0]["requestPayload"]["Records"][0]["s3"]["object"]["key"] == "poison"
    found = backup.counts()
    assert found["to change"] == 2  # the function's environment and its retries


def _to(client, function: str) -> dict:
    return client.get_function_event_invoke_config(FunctionName=function)["DestinationConfig"]


def test_destroy_proves_that_nothing_is_left(backup, somebody):
    execute("90_destroy", backup.folder, env=backup.parameters.env, pipeline="backup")
    names = [bucket["Name"] for bucket in somebody("s3").list_buckets()["Buckets"]]
    # The lock's home is the environment's, which has other pipelines.
    assert not [name for name in names if "-tbackup-" in name and "-run-lock-" not in name]
    assert not [table for table in somebody("dynamodb").list_tables()["TableNames"] if "-tbackup-" in table]
    functions = somebody("lambda").list_functions()["Functions"]
    assert not [f for f in functions if "-tbackup-" in f["FunctionName"]]
    roles = [role["RoleName"] for role in somebody("iam").list_roles()["Roles"]]
    assert not [name for name in roles if "-tbackup-" in name]
