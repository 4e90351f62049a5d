"""Which pipelines are deployed as the parameters say, which are left out, and where the two contradict."""

import json
import re
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from support.audited import audited, clear, make
from support.cleanup import remove
from support.described import describe
from support.the_five import pipelines

from lib.base.errors import NotDeployedError, RunbookError
from lib.engine.checklist import Checklist
from lib.engine.stack import Stack
from lib.operate.audits import audit as audits
from lib.operate.backfills.backfill import selection
from lib.operate.cutover import freezing
from lib.operate.failures import stuck
from lib.operate.failures.redrive import Choice, redrive, still_there
from lib.operate.pipelines import deployed, survey, those_deployed
from lib.operate.recovery import drill
from lib.operate.recovery.restore import from_parameters
from lib.parameters import Parameters
from lib.target import Target, connect

ENV = "tthere"


def own(**sections) -> Parameters:
    return Parameters.check({"env": ENV, "exercise": False, **sections})


@pytest.fixture(scope="module")
def aws(local_aws) -> Target:
    return connect(own())


@pytest.fixture
def index(aws) -> Iterator[Stack]:
    stack = describe("index", aws, own())
    stack.apply()
    yield stack
    remove(stack)


def delete(stack: Stack, noun: str) -> None:
    """Delete what the stack has of a kind, as somebody does by hand: the ledger does not know."""
    for resource in [each for each in stack.resources.values() if each.noun == noun]:
        found = [
            each for each in resource.find(stack.client(resource), stack.scope) if each.arn == resource.arn
        ]
        for each in found:
            resource.delete(stack.client(resource), each.identifier)


def test_what_was_never_deployed_is_not_left_out(aws, index, capsys):
    found = those_deployed(aws, own())
    assert [pipeline.name for pipeline in found] == ["index"]
    assert found.not_looked_at == {}
    assert found.absent == ["migrate", "backup", "summarize", "ingest"]
    assert capsys.readouterr().out == "never deployed: migrate, backup, summarize, ingest\n"


def test_one_in_another_region_than_the_parameters_say_is_left_out(aws, index):
    found = survey(aws, own(index={"region": "eu-west-1"}))
    assert (list(found), list(found.left_out)) == ([], ["index"])
    reason = found.left_out["index"]
    assert f"runbook-{ENV}-index-files-000000000000-eu-west-1 in eu-west-1 does not exist" in reason
    there = reason.partition("; there is ")[2]
    assert f"S3 bucket runbook-{ENV}-index-files-000000000000-us-east-1 in us-east-1" in there
    with pytest.raises(
        NotDeployedError, match="no pipeline is deployed .* index is not deployed .*us-east-1"
    ):
        those_deployed(aws, own(index={"region": "eu-west-1"}))


@pytest.mark.parametrize("noun", ["S3 bucket", "DynamoDB table", "SQS queue"])
def test_one_that_is_only_partly_there_is_left_out(aws, index, noun):
    delete(index, noun)
    found = survey(aws, own())
    assert list(found.left_out) == ["index"]
    assert noun in found.left_out["index"].partition("does not exist")[0]


def test_one_that_vanished_is_left_out_by_the_ledger(aws, index):
    for noun in ("Lambda function", "S3 bucket", "DynamoDB table", "SQS queue", "SNS topic"):
        delete(index, noun)
    told = re.search(r"there is by the ledger (\d+) resources? in (.*)", survey(aws, own()).left_out["index"])
    assert told.groups() == (str(len(index.resources)), "us-east-1")


def test_a_bucket_left_behind_elsewhere_is_named_beside_the_whole_pipeline(aws):
    left = pipelines(own())["migrate"].destination
    after = make(aws, moved := own(migrate={"target_region": "eu-west-1"}), "migrate")
    left.make(aws.client("s3", left.region))
    try:
        found = those_deployed(aws, moved)
        assert [pipeline.name for pipeline in found] == ["migrate"]
        assert list(found.not_looked_at) == [f"migrate: {left}"]
    finally:
        left.delete(aws.client("s3", left.region), left.name)
        remove(after)


def test_what_has_a_name_like_ours_and_not_our_tags_is_no_part_of_a_pipeline(aws, index, somebody):
    theirs = f"runbook-{ENV}-summarize-results-000000000000-us-east-1"
    somebody("s3").create_bucket(Bucket=theirs)
    try:
        found = survey(aws, own())
        assert ("summarize" in found.absent, found.left_out) == (True, {})
    finally:
        somebody("s3").delete_bucket(Bucket=theirs)


@pytest.fixture
def refuse(monkeypatch):
    """Has AWS refuse that some pipelines are looked at, `refuse("migrate")`."""
    from lib.operate import pipelines as module

    original = module._derived

    def refused(*names):
        def derived(account, parameters, name):
            if name in names:
                account.target.client("s3", "us-east-1").get_bucket_tagging(Bucket="no-such-bucket-of-ours")
            return original(account, parameters, name)

        monkeypatch.setattr(module, "_derived", derived)

    return refused


def test_one_that_refuses_to_be_looked_at_does_not_hide_the_others(aws, index, refuse):
    refuse("migrate")
    found = survey(aws, own())
    assert [pipeline.name for pipeline in found] == ["index"]
    assert found.left_out["migrate"].startswith("it cannot be looked at: We may not")


@pytest.mark.parametrize("look", [survey, those_deployed, stuck.chosen])
def test_where_nothing_may_be_looked_at_that_is_told_and_not_that_nothing_is_there(aws, index, refuse, look):
    refuse(*own().pipelines())
    with pytest.raises(ClientError, match="AccessDenied"):
        look(aws, own())


@pytest.mark.parametrize("look", [those_deployed, stuck.chosen])
def test_where_nothing_is_deployed_it_is_told_what_could_not_be_looked_at(aws, refuse, look):
    refuse("backup")
    with pytest.raises(NotDeployedError, match="no pipeline is deployed .* We may not .*Deploy one first"):
        look(aws, Parameters.check({"env": "tnowhere"}))


# --- contradictions: each pipeline as its notebook describes it, looked at with other parameters


FOLLOWS = "tells of deletes, which the pipeline is not to follow"
CONTRADICTIONS = {
    "migrate": [
        ({"key_prefix": "in/"}, ["tells of keys with any name, not with prefix 'in/'"]),
        ({"key_suffix": ".csv"}, ["tells of keys with any name, not with suffix '.csv'"]),
    ],
    "backup": [
        ({"delete_sync": False}, ["replicate has DELETE_FUNCTION='runbook-", FOLLOWS]),
        ({"erase_versions": True}, ["replicate has ERASE_VERSIONS='false', not 'true'", "delete has ERASE_"]),
    ],
    "summarize": [
        ({"input_prefix": "other/"}, ["has INPUT_PREFIX='synthetic-data/', not 'other/'", "tells of keys"]),
        ({"output_prefix": "other/"}, ["has OUTPUT_PREFIX='summaries/', not 'other/'"]),
    ],
    "index": [({"time_to_live_days": 7}, ["index has TIME_TO_LIVE_DAYS='0', not '7'"])],
    "ingest": [({"time_to_live_days": 7}, ["consume has TIME_TO_LIVE_DAYS='30', not '7'"])],
}


@pytest.fixture(scope="module")
def described(aws) -> Iterator:
    """Deploys pipelines as their notebooks describe them, their functions doing nothing."""
    made: dict[str, Stack] = {}

    def deploy(pipeline: str, **section) -> Stack:
        made[pipeline] = describe(pipeline, aws, own(), **section)
        made[pipeline].apply()
        return made[pipeline]

    yield deploy
    for stack in made.values():
        remove(stack)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_what_contradicts_the_parameters_is_told(aws, described, name):
    described(name)
    assert deployed(aws, own(), name).at_odds == ()
    for said, expected in CONTRADICTIONS[name]:
        found = deployed(aws, own(**{name: said}), name).at_odds
        assert len(found) == len(expected)
        assert all(each in sentence for each, sentence in zip(expected, found, strict=True)), found


@pytest.mark.parametrize("deployed_with", [True, False])
def test_nothing_is_sent_to_a_pipeline_that_contradicts_its_parameters(aws, described, deployed_with, capsys):
    described("backup", delete_sync=deployed_with)
    other = own(backup={"delete_sync": not deployed_with}, backfill={"pipeline": "backup"})
    pipeline = pipelines(other)["backup"]
    clear(aws, pipeline)
    source = aws.client("s3", pipeline.source.region)
    source.put_object(Bucket=pipeline.source.name, Key="new", Body=b"")
    found = audited(aws, other, "backup")
    assert not found.is_clean
    assert "NOT clean; what is deployed contradicts the parameters: " in str(found)
    assert audits.repair(aws, other, "backup", found) is found
    assert "backup: nothing was sent, since what is deployed contradicts" in capsys.readouterr().out
    contradiction = r"contradicts the parameters: .*runbook run backup; nothing was"
    # What the parameters alone forbid a drill is said before what contradicts them.
    without_deletes = "backup.delete_sync is off: .*; nothing was done"
    with pytest.raises(RunbookError, match=contradiction):
        selection(aws, other)
    with pytest.raises(RunbookError, match=without_deletes if deployed_with else contradiction):
        drill.begin(aws, other, 1)
    at = other.model_copy(update={"restore": other.restore.model_copy(update={"at": "2026-01-02T15:04:05Z"})})
    from_parameters(aws, at)
    assert "backup: what is deployed contradicts" in capsys.readouterr().out


def test_a_drill_of_a_bucket_that_is_frozen_is_refused(aws, described):
    described("backup")
    stack = Stack(aws, own(), "backup")
    freezing.describe(stack, deployed(aws, own(), "backup"))
    stack.apply()
    with pytest.raises(RunbookError, match="is frozen by runbook-.*-backup-freeze: .*; nothing was done"):
        drill.begin(aws, own(), 1)
    thawing = Stack(aws, own(), "backup")
    freezing.describe_thaw(thawing)
    thawing.apply()
    drill.begin(aws, own(), 1)


def test_an_audit_that_finds_no_difference_is_not_clean_if_it_judged_by_other_rules(aws, described):
    described("backup", delete_sync=True)
    other = own(backup={"delete_sync": False})
    clear(aws, pipelines(other)["backup"])
    found = audited(aws, other, "backup")
    assert (found.findings.to_do, found.is_clean) == (0, False)
    audits.enter(checklist := Checklist(), [found])
    (point,) = checklist
    assert not point.holds
    assert point.evidence.startswith("0 to be mended; what is deployed contradicts the parameters")


def test_no_delete_is_sent_again_if_the_parameters_do_not_follow_deletes(aws, described):
    """Neither what failed nor what the brake holds; the copies are."""
    stack = described("backup", delete_sync=False)
    kept = own(backup={"delete_sync": False})
    (pipeline,) = (each for each in stuck.chosen(aws, kept) if each.name == "backup")
    assert pipeline.at_odds == ()
    record = {"eventName": "ObjectRemoved:Delete", "s3": {"object": {"key": "a"}, "bucket": {"name": "b"}}}
    queues = {letters.queue.what: letters for letters in pipeline.dead_letters}
    for what in ("delete-failures", "holding"):
        client = stack.client(queues[what].queue)
        body = json.dumps({"Records": [record]})
        client.send_message(QueueUrl=queues[what].queue.output(client), MessageBody=body)
    for choice, what in ((Choice(), "delete-failures"), (Choice("held by the brake"), "holding")):
        done = redrive(aws, [pipeline], choice)
        assert list(done[["messages", "left"]].itertuples(index=False, name=None)) == [(0, 1)]
        (said,) = still_there(done).items()
        assert said == (
            f"backup: 1 message in {what}",
            "not sent: backup does not follow deletes",
        )
    wanted = own()
    assert deployed(aws, wanted, "backup").why_not_again(queues["holding"]).startswith("what is deployed")
