"""A bucket that is adopted stays as it was: its settings byte for byte, and every object."""

import functools
import json
import secrets
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import cases
from support.described import describe
from support.interruptions import Subject, refuse
from support.somebodys import Somebodys, clients_of_root, ends_of, every_end_of
from support.today import sample

from lib.base.errors import LeftBehindError, ParameterError, PreflightError, RunbookError
from lib.base.run_data import file_of
from lib.engine import inventory
from lib.engine.environments import environments
from lib.engine.inventory import Inventory
from lib.engine.stack import Stack
from lib.operate.audits import inventory_configurations
from lib.operate.pipelines import deployed
from lib.parameters import Parameters
from lib.resources.base import AND, Adopted, apart, differences, together
from lib.resources.other_account import OtherAccount
from lib.resources.s3 import ADDS, Bucket
from lib.target import connect

HERE = "us-east-1"
REGIONS = {"source": "us-west-1", "target": "us-east-1"}


@pytest.fixture
def somebodys(somebody):
    """Makes a bucket of somebody else's: `somebodys("us-west-1", "old.{}")`."""

    def make(region: str = HERE, name: str = "photos.{}") -> Somebodys:
        return Somebodys(somebody, name.format(secrets.token_hex(4)), region).create()

    return make


def own(env: str, **sections) -> Parameters:
    return Parameters.check({"env": env, **sections})


def stack_of(pipeline: str, parameters: Parameters) -> Stack:
    section = parameters.of_pipeline(pipeline)
    return describe(pipeline, connect(parameters), parameters, **section)


def destroy(parameters: Parameters) -> None:
    inventory = Inventory(connect(parameters), parameters)
    inventory.destroy()
    inventory.prove_empty(sleep=functools.partial(refuse, "destroyed"))


@given(
    st.lists(st.text(max_size=1024), min_size=1, max_size=3),
    st.sampled_from(["source", "source+destination"]),
)
def test_what_a_role_says_is_read_again_or_stands_for_more(prefixes, role):
    one = Adopted("migrate", "source", "a" * 255, "ap-northeast-1", role, tuple(prefixes))
    other = Adopted("migrate", "target", "b" * 255, "us-gov-west-1", "destination", tuple(prefixes))
    text = f"{one.description}; {other.description}"
    assert len(text) <= 1000 and text.isascii()
    read = [*Adopted.described("migrate", text)]
    assert [(each.name, each.region, each.role) for each in read] == [
        (each.name, each.region, each.role) for each in (one, other)
    ]
    for each in read:
        assert all(any(prefix.startswith(p) for p in each.prefixes) for prefix in prefixes)


@given(st.text(st.characters(exclude_characters=";", exclude_categories=["Cs"]), max_size=60))
def test_what_somebody_says_of_a_role_and_what_we_do_are_told_apart(theirs):
    ours = AND.join(
        Adopted("migrate", what, "photos", "us-west-1", what, ("a b/", "")).description
        for what in ("source", "destination")
    )
    assert apart(together(theirs, ours)) == (ours, theirs)
    assert apart(together(ours, theirs)) == (ours, theirs)
    assert apart(theirs) == ("", theirs)


def test_what_somebody_says_about_another_account_is_not_ours():
    other = OtherAccount("backup", "dr", "2" * 12, f"arn:aws:iam::{'2' * 12}:role/reach")
    theirs = f"Ask Ana; it {other.description} since May"
    assert apart(together(theirs, other.description)) == (other.description, theirs)


def test_somebodys_description_of_a_role_stays_beside_what_is_adopted(stack, somebody):
    role = cases.iam.role(stack)
    stack.apply()
    client, theirs = stack.client(role), somebody("iam")
    theirs.update_role(RoleName=role.name, Description="Ask Ana; thanks")
    nothing = role.scope
    one = Adopted(nothing.pipeline, "source", "photos", "us-west-1", "source")
    role.scope = replace(nothing, adopted=(one,))
    role.make(client)
    found = client.get_role(RoleName=role.name)["Role"]["Description"]
    assert found == f"Ask Ana; thanks; {one.description}"
    assert [*Adopted.described(nothing.pipeline, found)] == [one]
    assert differences(role.read(client), role.desired()) == {}
    role.scope = nothing
    role.make(client)
    assert client.get_role(RoleName=role.name)["Role"]["Description"] == "Ask Ana; thanks"
    theirs.update_role(RoleName=role.name, Description="x" * 990)
    role.scope = replace(nothing, adopted=(one,))
    with pytest.raises(RunbookError, match="Shorten what somebody has written there"):
        role.read(client)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            {"migrate": {"source_bucket": "s3://photos"}},
            "migrate.source_bucket: 's3://photos' is no bucket's name",
        ),
        ({"migrate": {"source_bucket": "Old_Photos"}}, "in us-west-1 no bucket is called 'Old_Photos'"),
        ({"migrate": {"source_bucket": "photos-s3alias"}}, "no general-purpose bucket"),
        ({"migrate": {"source_bucket": "abc", "target_bucket": "abc"}}, "copied into itself"),
        ({"index": {"bucket": "runbook-local-index-files-0"}}, "named as those that the runbook makes"),
        (
            {"migrate": {"target_bucket": "abc"}, "backup": {"dr_bucket": "abc"}},
            "are both 'abc', and would write the same keys, ''",
        ),
        (
            {"summarize": {"bucket": "abc"}, "ingest": {"bucket": "abc"}},
            "write the same keys, 'rejected/stocks/' or 'rejected/pieces/stocks/'",
        ),
    ],
)
def test_a_name_that_cannot_be_is_refused(section, said):
    with pytest.raises(ParameterError, match=said):
        Parameters.check(section)


def test_names_that_were_allowed_once_are_taken():
    for name in ("a.b-c", "Photos", "old_photos", "x" * 255):
        assert Parameters.check({"index": {"bucket": name}}).index.bucket == name


def test_files_of_several_tables_may_share_a_bucket():
    """What is rejected of a file lies where only that file's is."""
    sections = [{"bucket": "abc", "key_prefix": f"{folder}/"} for folder in ("flights", "weather")]
    (one,), (other,) = (Parameters.check({"ingest": each}).scope().adopted for each in sections)
    assert not one.shared_prefixes(other) and one.shared_prefixes(one)


def test_what_a_pipeline_reads_and_writes_is_known_of_its_adopted_buckets(local_aws, somebody):
    """By the account alone, for whoever operates it: one source and one destination each."""
    for name in ("ingest", "summarize"):
        (bucket,) = every_end_of(name, somebody).values()
        parameters = own("tadoptends", **{name: {"bucket": bucket.name}})
        stack_of(name, parameters).apply()
        found = deployed(connect(parameters), parameters, name).require_agreement()
        assert found.source.name == bucket.name
        assert (found.destination.name == bucket.name) == (name == "summarize")
        destroy(parameters)


def test_a_bucket_that_is_not_there_is_refused(local_aws):
    parameters = own("tadoptbad", index={"bucket": f"nothing-{secrets.token_hex(4)}"})
    with pytest.raises(
        ParameterError, match=r"^index.bucket: there is no bucket 'nothing-\w+'.*nothing was written"
    ):
        stack_of("index", parameters)


def test_a_bucket_of_another_region_is_refused(local_aws, somebodys):
    bucket = somebodys("us-west-1")
    with pytest.raises(ParameterError, match="is in us-west-1, and the parameters say us-east-1"):
        stack_of("index", own("tadoptbad", index={"bucket": bucket.name}))


@pytest.fixture
def strangers(local_aws):
    """Makes clients of another account."""
    return clients_of_root(local_aws, account="111111111111")


@pytest.mark.parametrize("pipeline", ["migrate", "backup", "index", "summarize", "ingest"])
def test_a_bucket_of_another_account_is_refused(strangers, pipeline):
    for parameter, _, region, *_ in ends_of(pipeline):
        bucket = Somebodys(strangers, f"strangers-{secrets.token_hex(4)}", region).create()
        said = rf"^{pipeline}.{parameter}: bucket '{bucket.name}' belongs to another account .*nothing was"
        with pytest.raises(ParameterError, match=said):
            stack_of(pipeline, own("tadoptbad", **{pipeline: {parameter: bucket.name}}))


def test_a_bucket_that_is_gone_or_somebody_elses_by_now_holds_up_no_destruction(
    somebodys, strangers, monkeypatch
):
    monkeypatch.setattr(inventory, "LISTED_S", 0)  # later
    for is_taken in (False, True):
        bucket = somebodys()
        parameters = own("tadoptgone", index={"bucket": bucket.name})
        stack_of("index", parameters).apply()
        bucket.s3.delete_bucket(Bucket=bucket.name)
        if is_taken:
            taken = Somebodys(strangers, bucket.name, bucket.region).create()
            before = taken.configuration()
        destroy(parameters)
        assert not is_taken or taken.configuration() == before


def test_a_bucket_that_a_runbook_made_is_refused(local_aws, target, somebodys):
    bucket = somebodys()
    tags = [{"Key": "runbook:env", "Value": "elsewhere"}]
    bucket.s3.put_bucket_tagging(Bucket=bucket.name, Tagging={"TagSet": tags})
    with pytest.raises(ParameterError, match="was made by the runbook for env 'elsewhere'"):
        stack_of("index", own("tadoptbad", index={"bucket": bucket.name}))


def test_notifications_that_overlap_are_refused_by_name(local_aws, somebodys):
    bucket = somebodys().furnish()
    before = bucket.configuration()
    with pytest.raises(PreflightError, match="overlap with those of theirs"):
        stack_of("index", own("tadoptbad", index={"bucket": bucket.name})).plan()
    assert bucket.configuration() == before


class Interrupted:
    """*migrate* between two adopted buckets that have all that a bucket can have."""

    def __init__(self, somebody):
        self.buckets = {
            what: Somebodys(somebody, f"{what}.{secrets.token_hex(4)}", region).create().furnish()
            for what, region in REGIONS.items()
        }
        self.before = self.configuration()
        adopted = {f"{what}_bucket": bucket for what, bucket in self.buckets.items()}
        self.subject = Subject("migrate", "tadoptcrash", adopted, key_prefix="in/")

    def configuration(self) -> dict:
        return {what: bucket.configuration() for what, bucket in self.buckets.items()}


@pytest.fixture(scope="module")
def interrupted(local_aws, somebody) -> Interrupted:
    return Interrupted(somebody)


def test_a_run_that_is_killed_leaves_nothing_of_ours_in_it(interrupted):
    """At the calls that write to the bucket, and at one more of the day; at all of them: make sweep."""
    subject = interrupted.subject
    notify = "PutBucketNotificationConfiguration"
    for deploying, destroying in zip(
        [
            *(point for point in subject.deploy_points if point.call == notify),
            sample(subject.deploy_points, "a"),
        ],
        [
            *(point for point in subject.destroy_points if point.call == notify),
            sample(subject.destroy_points, "b"),
        ],
        strict=True,
    ):
        subject.cycle(deploying, destroying)  # which compares the buckets, too


def test_what_somebody_changes_meanwhile_stays(interrupted):
    subject, bucket = interrupted.subject, interrupted.buckets["source"]
    subject.deploy()
    bucket.notify({"Id": "newer", "Events": ["s3:ObjectRemoved:*"]}, "others/")
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=bucket.policy("Newer"))
    ids = {"theirs", "newer", "runbook-tadoptcrash-migrate-uploads"}
    found = bucket.s3.get_bucket_notification_configuration(Bucket=bucket.name)
    assert {each["Id"] for kind in ("Topic", "Queue") for each in found[f"{kind}Configurations"]} == ids
    subject.deploy()
    subject.destroy()
    found = bucket.s3.get_bucket_notification_configuration(Bucket=bucket.name)
    assert [each["Id"] for each in found["QueueConfigurations"]] == ["theirs", "newer"]
    assert "TopicConfigurations" not in found and found["EventBridgeConfiguration"] == {}
    bucket.s3.put_bucket_policy(Bucket=bucket.name, Policy=bucket.policy("TheirOwn"))
    kept = [each for each in found["QueueConfigurations"] if each["Id"] == "theirs"]
    configuration = {"QueueConfigurations": kept, "EventBridgeConfiguration": {}}
    bucket.s3.put_bucket_notification_configuration(
        Bucket=bucket.name, NotificationConfiguration=configuration
    )
    assert interrupted.configuration() == interrupted.before


def test_it_is_found_without_parameters_or_ledger(interrupted):
    subject = interrupted.subject
    subject.deploy()
    file_of(subject.parameters.account_id, "runbook", "tadoptcrash").unlink()
    destroy(own("tadoptcrash"))
    assert interrupted.configuration() == interrupted.before


def test_two_environments_share_a_bucket(local_aws, somebodys):
    source, target = somebodys("us-west-1").furnish(), somebodys("us-east-1", "old.photos.{}")
    before = [each.configuration() for each in (source, target)]
    buckets = {"source_bucket": source.name, "target_bucket": target.name}
    one, other = (own(f"tadopt{env}", migrate={**buckets, "key_prefix": f"{env}/"}) for env in ("one", "two"))
    for parameters in (one, other):
        stack_of("migrate", parameters).apply()
    listed = environments(connect(one), one).set_index("env")
    for env in ("tadoptone", "tadopttwo"):
        assert listed.loc[env, "pipelines"] == "migrate"
        adopts = f"{target.name} (migrate, destination), {source.name} (migrate, source)"
        assert listed.loc[env, "adopts"] == adopts
    overlapping = own("tadoptthree", migrate={**buckets, "key_prefix": "one/more/"})
    with pytest.raises(ParameterError, match="is adopted already, by role runbook-tadoptone-migrate-"):
        stack_of("migrate", overlapping)
    destroy(one)
    assert stack_of("migrate", other).plan().count("unchanged") == len(stack_of("migrate", other).resources)
    (entry,) = source.s3.get_bucket_notification_configuration(Bucket=source.name)["TopicConfigurations"]
    assert entry["Id"] == "runbook-tadopttwo-migrate-uploads"
    destroy(other)
    assert [each.configuration() for each in (source, target)] == before


def test_a_role_gets_this_bucket_and_this_key_and_nothing_else(local_aws, somebody, somebodys):
    bucket = somebodys()
    key = somebody("kms", HERE).create_key()["KeyMetadata"]["Arn"]
    bucket.furnish(key)
    parameters = own("tadoptrole", summarize={"bucket": bucket.name})
    adopted = stack_of("summarize", parameters).resources
    made = stack_of("summarize", own("tadoptrole")).resources
    (arn,) = (arn for arn in made if ":role/" in arn and arn.endswith("summarize"))
    (files,) = (one for one in made.values() if isinstance(one, Bucket) and one.what == "files")
    expected = json.loads(json.dumps(made[arn].policy).replace(files.arn, f"arn:aws:s3:::{bucket.name}"))
    assert [one for one in adopted[arn].policy["Statement"] if one not in expected["Statement"]] == [
        {
            "Sid": "DecryptAndEncryptObjects",
            "Effect": "Allow",
            "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
            "Resource": [key],
            "Condition": {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}},
        }
    ]
    assert [one for one in expected["Statement"] if one not in adopted[arn].policy["Statement"]] == []


def test_the_audits_inventories_of_it_go_with_the_environment(local_aws, somebodys):
    """Also if the pipeline that adopted it is gone by then, and its roles tell of nothing any more."""
    source, target = somebodys("us-west-1").furnish(), somebodys("us-east-1").furnish()
    before = [each.configuration() for each in (source, target)]
    section = {"source_bucket": source.name, "target_bucket": target.name, "key_prefix": "in/"}
    wanted = {"inventory": "Daily", "inventory_of": ["migrate"]}
    parameters = own("tadoptinv", migrate=section, audit=wanted)
    stack_of("migrate", parameters).apply()
    audit = Stack(connect(parameters), parameters, "audit")
    inventory_configurations.describe(audit)
    plan = audit.plan()
    assert {step.why for step in plan if "inventory configuration" in step.resource.noun and step.wanted} == {
        f"does not exist; {ADDS}"
    }
    audit.apply()
    configuration = source.s3.list_bucket_inventory_configurations(Bucket=source.name)
    assert [each["Id"] for each in configuration["InventoryConfigurationList"]] == [
        "runbook-tadoptinv-audit-migrate-source"
    ]
    Inventory(connect(parameters), parameters, "migrate").destroy()
    destroy(own("tadoptinv"))
    assert [each.configuration() for each in (source, target)] == before


def test_status_tells_whose_it_is(interrupted):
    subject = interrupted.subject
    subject.deploy()
    table = Inventory(subject.target, own("tadoptcrash")).table()
    adopted = table[table["made by"] == "somebody else, and adopted"]
    assert set(adopted["name"]) == {bucket.name for bucket in interrupted.buckets.values()}
    assert set(adopted["region"]) == set(REGIONS.values())
    subject.destroy()
    table = Inventory(subject.target, subject.parameters).table()
    assert table.empty


def test_a_bucket_that_is_adopted_no_more_is_left_in_order(interrupted, somebodys):
    """Another bucket in the parameters is a move: refused first, and then nothing is left at the old one."""
    subject, other = interrupted.subject, somebodys("us-west-1").furnish()
    before = other.configuration()
    subject.deploy()
    section = subject.parameters.of_pipeline("migrate") | {"source_bucket": other.name}
    changed = own("tadoptcrash", migrate=section)
    with pytest.raises(LeftBehindError):
        stack_of("migrate", changed).apply()
    moving = changed.model_copy(update={"mode": "move"})
    stack = stack_of("migrate", changed)
    stack.parameters = moving
    stack.apply(sleep=lambda _: None)
    assert interrupted.configuration() == interrupted.before
    destroy(changed)
    assert other.configuration() == before
