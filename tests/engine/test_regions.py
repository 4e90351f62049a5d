"""An account whose organisation has closed all regions but two, and none of these is where we come from."""

import json

import pytest
from botocore.exceptions import ClientError
from support.command_line import runbook
from support.described import describe

from lib.engine import regions
from lib.engine.environments import environments
from lib.engine.inventory import NOT_SEEN, Inventory
from lib.engine.ledger import Ledger
from lib.local import deployer
from lib.operate.pipelines import survey
from lib.parameters import Parameters
from lib.resources.bundle import bundle
from lib.target import Target, connect

HERE, THERE = "eu-west-1", "eu-central-1"
ENV = "tregions"
# As AWS's own "Deny access to AWS based on the requested AWS Region": services that have no region stay open.
# https://docs.aws.amazon.com/controltower/latest/controlreference/primary-region-deny-policy.html
CLOSED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "RegionDeny",
            "Effect": "Deny",
            "NotAction": ["iam:*", "organizations:*", "sts:*"],
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": [HERE, THERE]}},
        }
    ],
}
PLACES = {
    "home_region": HERE,
    "migrate": {"source_region": THERE, "target_region": HERE},
    "backup": {"primary_region": HERE, "dr_region": THERE},
    **{name: {"region": HERE} for name in ("index", "summarize", "ingest", "analyze", "audit", "observe")},
    "redrive": {"region": THERE},
}


@pytest.fixture(scope="module", autouse=True)
def closed(local_aws, somebody) -> None:
    """Close all other regions to the deployer, in every policy of whose user the statement counts."""
    key = deployer.credentials(local_aws, "runbook", ENV)
    document = json.dumps(CLOSED)
    somebody("iam").put_user_policy(UserName=key.user_name, PolicyName="regions", PolicyDocument=document)


@pytest.fixture(autouse=True)
def nothing_was_told() -> None:
    regions._told.clear()


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    return Parameters.check({"env": ENV, **PLACES})


@pytest.fixture(scope="module")
def target(parameters) -> Target:
    return connect(parameters)


@pytest.fixture(scope="module")
def only_index() -> Parameters:
    """Those of a team that has *index* alone, and has not thought of the others."""
    return Parameters.check({"env": ENV, "home_region": HERE, "index": {"region": THERE}})


def test_the_other_regions_are_closed(target):
    for region in ("us-east-1", "us-west-1"):
        with pytest.raises(ClientError, match="explicit deny"):
            target.client("sqs", region).list_queues()
        with pytest.raises(ClientError, match="AccessDenied"):
            target.client("s3", region).list_buckets()


@pytest.mark.parametrize("pipeline", ["migrate", "backup", "index", "summarize", "ingest"])
def test_every_pipeline_can_be_placed_in_regions_that_are_open(target, parameters, pipeline, capsys):
    stack = describe(pipeline, target, parameters, **PLACES[pipeline])
    assert stack.plan().count("create") == len(stack.resources)
    assert {one.region for one in stack.resources.values() if not one.is_global} <= {HERE, THERE}
    assert capsys.readouterr().err == ""


def test_a_pipeline_runs_is_looked_at_and_is_destroyed(target, only_index, capsys):
    given = ["--set", f"env={ENV}", "--set", f"home_region={HERE}", "--set", f"index.region={THERE}"]
    ran = runbook("run", "index", "--no-exercise", *given)
    assert ran.exit_code == 0, ran.output
    stack = describe("index", target, only_index, bundle, region=THERE)
    assert stack.plan().count("unchanged") == len(stack.resources)
    capsys.readouterr()
    status = runbook("status", *given)
    assert f"runbook-{ENV}-index-files-000000000000-{THERE}" in status.stdout
    assert status.stderr.count("us-east-1 is not looked into (AccessDenied") == 1
    assert status.stderr.count("us-west-1 is not looked into") == 1
    assert "explicit deny" in status.stderr
    assert [one.name for one in survey(target, only_index)] == ["index"]
    listed = environments(target, only_index).set_index("env").loc[ENV]
    assert listed["regions"] == f"{THERE}, {HERE}"
    inventory = Inventory(target, only_index)
    assert len(inventory.destroy()) == len(stack.resources)
    assert capsys.readouterr().err.count("us-east-1 is not looked into") == 0  # said once by this process
    inventory.prove_empty()
    assert Ledger.of(only_index).entries() == {}


def test_a_proof_says_where_it_did_not_look(target, only_index, capsys):
    proof = Inventory(target, only_index).prove_empty(sleep=lambda _: None).set_index("type")
    assert set(proof["us-west-1"]) == {NOT_SEEN, ""}
    assert proof.loc["SQS queue", [HERE, THERE]].tolist() == ["0", "0"]
    assert proof.loc["IAM role", "us-east-1"] == "0"
    told = capsys.readouterr()
    assert told.out.count("us-west-1: not looked at, so that nothing is proven of it (") == 1
    assert told.err.count("us-west-1 is not looked into") == 1


def test_where_something_of_ours_is_by_the_ledger_a_refusal_is_no_answer(target, only_index):
    ledger = Ledger.of(only_index)
    facts = {"pipeline": "migrate", "noun": "SQS queue", "name": "uploads", "region": "us-west-1"}
    ledger.intend("arn:aws:sqs:us-west-1:000000000000:uploads", **facts)
    try:
        with pytest.raises(ClientError, match="explicit deny"):
            Inventory(target, only_index).existing()
    finally:
        ledger.forget("migrate")


def test_where_a_bucket_of_ours_is_a_refusal_is_no_answer(target, only_index, somebody):
    name = f"runbook-{ENV}-migrate-source-000000000000-us-west-1"
    where = {"CreateBucketConfiguration": {"LocationConstraint": "us-west-1"}}
    somebody("s3", "us-west-1").create_bucket(Bucket=name, **where)
    try:
        with pytest.raises(ClientError, match="AccessDenied"):
            Inventory(target, only_index).existing()
    finally:
        somebody("s3", "us-west-1").delete_bucket(Bucket=name)


def refusing(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "The security token is invalid."}}, "ListQueues")


@pytest.mark.parametrize(
    "code", ["UnrecognizedClientException", "InvalidClientTokenId", "AuthorizationError"]
)
def test_a_region_that_is_off_has_nothing_of_ours(target, only_index, code, capsys):
    def ask() -> list[str]:
        raise refusing(code)

    looking = regions.Regions(target, only_index.scope())
    assert looking.look("me-south-1", ask) is None
    assert looking.look("me-south-1", ask) is None
    assert looking.look("me-south-1", lambda: ["a topic"]) == ["a topic"]
    assert f"me-south-1 is not looked into ({code}: The security" in (told := capsys.readouterr().err)
    assert told.count("\n") == 1
    with pytest.raises(ClientError):  # the home: whoever may nothing there, may nothing
        looking.look(HERE, ask)


@pytest.mark.parametrize("code", ["ExpiredToken", "InternalError", "RequestExpired", "SignatureDoesNotMatch"])
def test_what_is_no_refusal_ends_the_look(target, only_index, code):
    def ask() -> list[str]:
        raise refusing(code)

    with pytest.raises(ClientError, match=code):
        regions.Regions(target, only_index.scope()).look("me-south-1", ask)
