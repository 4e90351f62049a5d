"""The notebooks' pipelines keep each rule, and one change of one of them breaks it. AWS is not asked."""

import re
from collections.abc import Callable

import pytest
from support.case import Break
from support.cases import BREAKS
from support.cases.cloudtrail import with_trail
from support.described import PIPELINES, describe

from lib.engine.preflight.violations import described, rules, violation
from lib.engine.stack import Stack
from lib.parameters import Parameters
from lib.target import Target

# Of what is in the account: test_account.py.
IN_ACCOUNT = {
    *("inventory-source", "kms-key-guest", "kms-key-usable", "notification-quota", "trail-quota"),
    *("boundary-unseen", "kms-key-guest-unseen", "principal-unseen", "subscription-unseen"),
    *("deployer-boundary", "deployer-boundary-unseen", "concurrency-account", "concurrency-unseen"),
    *("lake-formation", "lake-formation-unseen"),
}


@pytest.fixture(scope="module")
def stack_of() -> Callable[[str], Stack]:
    """Describes a pipeline as its notebook does, for an AWS that is never asked."""
    parameters = Parameters.check({"env": "test"})
    nobody = Target("local", session=None, account_id=parameters.account_id, caller="nobody")
    return lambda pipeline, **how: describe(pipeline, nobody, parameters, **how)


def broken(stack: Stack) -> set[str]:
    return {finding.rule for _, finding in described(stack.resources.values())}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_notebooks_keep_all_rules(stack_of, pipeline: str):
    assert [finding for _, finding in described(stack_of(pipeline).resources.values())] == []


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_running_the_cells_again_describes_the_same(stack_of, pipeline: str):
    once, twice = stack_of(pipeline), stack_of(pipeline, again=True)
    assert list(once.resources) == list(twice.resources)
    for arn, resource in once.resources.items():
        assert resource.desired() == twice.resources[arn].desired()


@pytest.mark.parametrize(
    "values", [{"inventory": "Daily"}, {"inventory": "Weekly", "inventory_of": ["backup"]}]
)
def test_so_does_the_audit_with_reports(values: dict):
    parameters = Parameters.check({"env": "test"})
    nobody = Target("local", session=None, account_id=parameters.account_id, caller="nobody")
    stack = describe("audit", nobody, parameters, **values)
    assert [finding for _, finding in described(stack.resources.values())] == []


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.rule)
def test_a_change_breaks_the_rule_and_no_other(stack_of, case: Break):
    stack = stack_of(case.pipeline)
    assert broken(stack) == set()
    case.by(stack)
    assert broken(stack) == {case.rule} | case.also
    for resource, finding in described(stack.resources.values()):
        text = str(violation(resource, finding))  # which resource and rule, what AWS says, what to do
        for part in (repr(resource), f"[{finding.rule}]", rules()[finding.rule]["aws"], finding.fix):
            assert part.strip()
            assert part in text


@pytest.mark.parametrize("what", ["objects", "a.b_c-d", "x" * 100])
def test_a_trail_of_a_fitting_name_that_is_let_in_breaks_none(stack_of, what: str):
    stack = stack_of("index")
    with_trail(what, times=498)(stack)
    assert broken(stack) == set()


@pytest.mark.parametrize("what", ["a..b", "objects-", "-objects", "my objects", "x" * 120])
def test_names_that_no_trail_may_have(stack_of, what: str):
    stack = stack_of("index")
    with_trail(what)(stack)
    assert broken(stack) == {"trail-name"}


def test_every_rule_has_a_test():
    assert set(rules()) == {*(case.rule for case in BREAKS), *IN_ACCOUNT}


@pytest.mark.parametrize("name", rules())
def test_a_rule_says_what_aws_answers_and_where_it_says_so(name: str):
    rule = rules()[name]
    assert [field for field in rule if field not in ("seen", "advice")] == ["holds", "aws", "source", "local"]
    assert rule["source"].startswith("https://docs.aws.amazon.com/")
    assert rule["local"].split()[0].rstrip(",") in ("refuses", "accepts")


@pytest.mark.parametrize("name", [name for name in rules() if "seen" in rules()[name]])
def test_where_an_answer_was_seen_is_a_page_or_a_file(name: str):
    page, file = r"https://[\w.-]+/\S+", r"[\w.-]+/[\w.-]+:[^\s:]+"
    assert re.fullmatch(f"{page}|{file}", rules()[name]["seen"])


@pytest.mark.parametrize("name", [name for name in rules() if "seen" not in rules()[name]])
def test_words_of_aws_are_quoted_only_where_they_were_seen(name: str):
    assert "“" not in rules()[name]["aws"]
