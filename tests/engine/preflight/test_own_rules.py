"""Rules of one's own over a plan: refused or warned, waived as AWS's advice is, never silently left out."""

import json
from pathlib import Path

import pytest
import yaml
from support.command_line import runbook
from support.described import describe

from lib.base.errors import ParameterError, PreflightError
from lib.base.paths import ROOT
from lib.engine.plan import Left
from lib.engine.preflight import own_rules
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.resources import sqs
from lib.target import Target, connect

EXAMPLES = "docs/rules"
NEVER = {"holds": "It is so", "fix": "make it so"}


@pytest.fixture(scope="module")
def aws(local_aws) -> Target:
    return connect(Parameters.check({"env": "ruled"}))


@pytest.fixture
def stack(aws):
    """Makes the stack of *migrate*, which does not exist yet, under these rules."""

    def make(rules: str | Path, waivers: tuple[str, ...] = (), env: str = "ruled", **migrate) -> Stack:
        made = describe("migrate", aws, Parameters.check({"env": env}), **migrate)
        ruled = {"rules": str(rules), "waivers": [*waivers]}
        made.parameters = made.parameters.model_copy(update=ruled)
        return made

    return make


@pytest.fixture
def folder(tmp_path: Path):
    """Writes rules into a folder, and returns it."""

    def write(**rules) -> Path:
        (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
        return tmp_path

    return write


def test_the_examples_hold_for_the_pipelines_as_they_are(stack):
    assert stack(EXAMPLES).plan().count("create") > 5
    assert own_rules.load(EXAMPLES).keys() == {
        "regions-that-we-use",
        "messages-are-kept-for-days",
        "few-deletions-at-once",
    }


def test_the_first_example_refuses_a_region_before_anything_is_written(stack):
    elsewhere = stack(EXAMPLES, target_region="eu-west-1")
    for act in (elsewhere.plan, elsewhere.apply):
        with pytest.raises(PreflightError, match="nothing was written") as refused:
            act()
        assert "[regions-that-we-use]" in str(refused.value)
        assert "in eu-west-1: Everything is in a region that we use" in str(refused.value)
        assert "fix: choose one of the regions" in str(refused.value)


def test_the_second_example_warns_until_it_is_waived_with_a_reason(stack):
    def short(*waivers: str) -> Stack:
        made = stack(EXAMPLES, waivers)
        for one in made.resources.values():
            if isinstance(one, sqs.Queue) and one.what == "uploads":
                one.retention_s = sqs.DAY_S
        return made

    (warning,) = [one for one in short().plan().warned if "messages-are-kept" in one.why]
    assert (warning.action, warning.name) == ("warning", "runbook-ruled-migrate-uploads")
    plan = short("messages-are-kept-for-days: they are of no use the next day").plan()
    (waived,) = [one for one in plan.warned if "messages-are-kept" in one.why]
    assert waived.action == "waived"
    assert "of no use the next day" in waived.why


def test_the_third_example_counts_what_a_move_would_remove_too():
    rules = own_rules.load(EXAMPLES)
    left = [Left("SQS queue", f"runbook-ruled-migrate-{number}", "us-east-1", "") for number in range(4)]
    assert own_rules.require(rules, "migrate", [], left[:3], {}) == []
    with pytest.raises(PreflightError, match="deletes three resources at most"):
        own_rules.require(rules, "migrate", [], left, {})


def test_what_is_refused_cannot_be_waived(stack):
    with pytest.raises(
        ParameterError, match="there is no warning 'regions-that-we-use'; there are: .*kept-for"
    ):
        stack(EXAMPLES, ("regions-that-we-use: so",)).plan()


def test_a_rule_is_about_all_that_a_plan_says_of_a_step(stack, folder):
    names = "pipeline action type name region account_id settings found changes"
    told = folder(all={**NEVER, "advice": True, "found_by": "[?type=='SQS queue'].keys(@) | [0] | sort(@)"})
    warned = stack(told).plan().warned
    assert sorted(one.why.split(": ")[1].split(" [")[0] for one in warned if "[all]" in one.why) == sorted(
        names.split()
    )


@pytest.mark.parametrize(
    ("found_by", "told"),
    [
        ("length(@) > `1`", ["pipeline migrate: It is so [rule]"]),
        ("length(@) > `1000`", []),
        ("[?type=='nothing']", []),
        ("[?type=='SNS topic'].name", None),
        ("[?settings.policy.*.Principal[]=='*']", []),
        ("[?found!=null]", []),
    ],
)
def test_what_is_found_is_steps_texts_or_the_plan_as_a_whole(stack, folder, found_by: str, told):
    made = stack(folder(rule={**NEVER, "found_by": found_by}))
    if told == []:
        made.plan()
        return
    with pytest.raises(PreflightError, match=r"rules of your own on migrate") as refused:
        made.plan()
    expected = told or ["pipeline migrate: It is so: runbook-ruled-migrate-alerts [rule]"]
    assert all(line in str(refused.value) for line in expected)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "write names, each with a rule"),
        ("- a", "write names, each with a rule"),
        ("a: b", "a: Input should be"),
        ("a: {holds: x, fix: y}", "a.found_by: Field required"),
        ("a: {holds: x, fix: y, found_by: '[?'}", "a.found_by: .*no JMESPath"),
        ("a: {holds: x, fix: y, found_by: 'nofunction(@)', more: 1}", "a.more: Extra inputs"),
        ("a: {holds: x, fix: y, found_by: 'a'}\na: {holds: x, fix: y, found_by: 'a'}", "stands there twice"),
        (
            "a: {holds: x, fix: y, found_by: 'a', advice: perhaps}",
            "a.advice: Input should be a valid boolean",
        ),
        ("A b: {holds: x, fix: y, found_by: 'a'}", "write a name with a-z"),
        ("queue-dead-letter: {holds: x, fix: y, found_by: 'a'}", "another rule 'queue-dead-letter'"),
        ("a: {holds: x, fix: y, found_by: 'length(`1`)'}", "a cannot be asked of migrate"),
        ("a: {holds: x, fix: y, found_by: 'length(@)'}", "found_by gives .*neither a step"),
        ("\x00", "rules.yaml"),
    ],
)
def test_a_rule_that_is_none_stops_a_plan_and_says_where(stack, tmp_path: Path, content: str, said: str):
    (tmp_path / "rules.yaml").write_text(content)
    with pytest.raises(ParameterError, match=said):
        stack(tmp_path).plan()


def test_a_folder_without_rules_is_an_error(stack, tmp_path: Path):
    for nowhere in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ParameterError, match="there is no file"):
            stack(nowhere).plan()


def test_the_command_line_ends_with_2_for_a_rule_that_is_none_and_1_for_one_that_is_broken(tmp_path: Path):
    nowhere = runbook("plan", "30_index", "--set", "env=ruled", "--set", f"rules={tmp_path}")
    assert (nowhere.exit_code, "there is no file" in nowhere.stderr) == (2, True), nowhere.output
    refused = runbook(
        "plan",
        "30_index",
        "--json",
        "--set",
        "env=ruled",
        "--set",
        f"rules={EXAMPLES}",
        "--set",
        "index.region=eu-west-1",
    )
    answered = json.loads(refused.stdout)
    assert refused.exit_code == 1
    assert "regions-that-we-use" in answered["notebooks"][0]["failure"]["message"]
    assert (ROOT / EXAMPLES).is_dir()
