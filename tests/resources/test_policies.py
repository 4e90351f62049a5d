"""Policies: documents in, documents out."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.notebook_stacks import stack_of

from lib.base.errors import ParameterError
from lib.base.paths import ROOT
from lib.resources.base import differences
from lib.resources.iam import Role, role_arn
from lib.resources.lambda_ import Function, function_arn
from lib.resources.policies import (
    allow_services,
    canonical,
    deny_insecure_transport,
    document,
    from_template,
    merge,
    only_these_may,
    ours,
    principal,
    statements_of,
    with_statement,
    without_statement,
)
from lib.resources.s3 import Bucket, bucket_arn

ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "s3:ListBucket", "sqs:SendMessage"])
ONE_OR_MORE = ACTIONS | st.lists(ACTIONS, min_size=1, max_size=4, unique=True)
BODIES = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": st.sampled_from(
            ["*", {"AWS": "*"}, {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}]
        ),
        "Action": ONE_OR_MORE,
        "Resource": st.lists(st.sampled_from(["arn:a", "arn:b", "arn:c"]), min_size=1, unique=True),
    }
)
TOPIC = "arn:aws:sns:us-west-1:000000000000:t"
QUEUE = "arn:aws:sqs:us-west-1:000000000000:q"
SIDS = st.text("abcR", min_size=1, max_size=4)
THEIRS = st.lists(
    st.tuples(BODIES, st.none() | SIDS).map(
        lambda pair: {**pair[0], **({"Sid": pair[1]} if pair[1] else {})}
    ),
    max_size=4,
)
OURS = st.dictionaries(SIDS.map("Runbook".__add__), BODIES, max_size=4).map(
    lambda named: [{**body, "Sid": sid} for sid, body in named.items()]
)


@given(THEIRS, OURS, OURS)
def test_ours_replace_ours_and_theirs_stay_in_their_order(theirs: list, before: list, after: list):
    policy = {**document([*before[:1], *theirs, *before[1:]]), "Id": "theirs"}
    merged = merge(policy, after)
    assert merged["Id"] == "theirs"
    assert merged["Statement"] == theirs + after
    assert ours(merged) == {s["Sid"]: canonical(s) for s in after}


@given(THEIRS, OURS)
def test_merging_again_changes_nothing(theirs: list, statements: list):
    once = merge(document(theirs), statements)
    assert merge(once, statements) == once
    assert merge(json.dumps(once), statements) == once


@given(OURS)
def test_there_may_be_no_policy_yet(statements: list):
    assert merge(None, statements) == merge("", statements) == document(statements)


def test_a_policy_may_have_one_statement_that_is_not_in_a_list():
    theirs = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:a"}
    assert merge({"Version": "2008-10-17", "Statement": theirs}, []) == {
        "Version": "2008-10-17",
        "Statement": [theirs],
    }


def scrambled(value, draw):
    """The same policy as AWS may tell it: other order, scalars for lists of one."""
    if isinstance(value, dict):
        return {key: scrambled(value[key], draw) for key in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        inner = [scrambled(item, draw) for item in draw(st.permutations(value))]
        return inner[0] if len(inner) == 1 and draw(st.booleans()) else inner
    return {"AWS": "*"} if value == "*" and draw(st.booleans()) else value


@given(st.data(), BODIES)
def test_a_policy_that_aws_rewrote_is_still_the_same(data, body: dict):
    assert canonical(scrambled(body, data.draw)) == canonical(body)
    assert differences({"policy": scrambled(body, data.draw)}, {"policy": body}) == {}


@given(BODIES)
def test_the_canonical_form_is_canonical(body: dict):
    assert canonical(canonical(body)) == canonical(body)


def test_only_what_differs_is_a_difference():
    found = {"a": 1, "b": ["x", "y"], "c": {"d": ["z"]}, "theirs": 5}
    assert differences(found, {"a": 1, "b": ["y", "x"], "c": {"d": "z"}}) == {}
    assert differences(found, {"a": 2, "b": ["x"]}) == {"a": 2, "b": ["x"]}
    assert differences(found, {"e": None}) == {}
    assert differences(None, {"a": 1}) == {"a": 1}
    assert differences({"a": []}, {"a": ["x"]}) == {"a": ["x"]}


# --- statements


def test_services_act_for_one_source_in_one_account_only():
    (statement,) = allow_services(
        {"s3.amazonaws.com": "arn:aws:s3:::b"}, "sns:Publish", TOPIC, "000000000000"
    )
    assert statement == {
        "Sid": "RunbookAllowS3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC,
        "Condition": {
            "ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"},
            "StringEquals": {"aws:SourceAccount": "000000000000"},
        },
    }


def test_an_arn_that_carries_the_account_does_not_need_it_twice():
    topic = "arn:aws:sns:us-west-1:000000000000:t"
    (statement,) = allow_services({"sns.amazonaws.com": topic}, "sqs:SendMessage", QUEUE, "000000000000")
    assert statement["Condition"]["StringEqualsIfExists"] == {"aws:SourceAccount": "000000000000"}
    (statement,) = allow_services({"sns.amazonaws.com": topic}, "sqs:SendMessage", QUEUE, "111122223333")
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}


@pytest.mark.parametrize(
    ("topic", "queue", "name"),
    [
        ("us-west-1", "us-east-1", "sns.amazonaws.com"),
        ("us-west-1", "af-south-1", "sns.af-south-1.amazonaws.com"),
        ("af-south-1", "us-west-1", "sns.af-south-1.amazonaws.com"),
        ("af-south-1", "eu-south-2", "sns.eu-south-2.amazonaws.com"),
        ("af-south-1", "af-south-1", "sns.amazonaws.com"),
        ("us-west-1", "ap-northeast-3", "sns.ap-northeast-3.amazonaws.com"),
        ("*", "us-west-1", "sns.amazonaws.com"),
    ],
)
def test_between_regions_of_which_one_is_opted_in_to_sns_has_another_name(topic: str, queue: str, name: str):
    topic_arn, queue_arn = f"arn:aws:sns:{topic}:000000000000:t", f"arn:aws:sqs:{queue}:000000000000:q"
    (allow,) = allow_services({"sns.amazonaws.com": topic_arn}, "sqs:SendMessage", queue_arn, "000000000000")
    assert allow["Principal"] == {"Service": name}
    assert principal("s3.amazonaws.com", topic_arn, queue) == "s3.amazonaws.com"


def test_only_tls():
    statement = deny_insecure_transport("s3:*", "arn:b", "arn:b/*")
    assert (statement["Effect"], statement["Principal"], statement["Resource"]) == (
        "Deny",
        "*",
        ["arn:b", "arn:b/*"],
    )
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_only_some_roles_may():
    roles = ["arn:aws:iam::000000000000:role/copy"]
    assert only_these_may(["s3:DeleteObject"], "arn:aws:s3:::dr", role_arns=roles, name="Two") == {
        "Sid": "RunbookDenyTwo",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:DeleteObject"],
        "Resource": "arn:aws:s3:::dr/*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": roles}},
    }


# --- templates

# What AWS checks without a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/
WITHOUT_RESOURCES = {
    "sqs:ListQueues",
    "sns:ListTopics",
    "lambda:ListEventSourceMappings",
    "cloudwatch:GetMetricStatistics",
    "cloudwatch:PutMetricData",
}
TEMPLATES = sorted(
    str(p.relative_to(ROOT))
    for p in [*ROOT.glob("handlers/*/policy.json"), *ROOT.glob("lib/policies/crawler-policy.json")]
)


def values_of(path: str) -> dict[str, str]:
    """A value for each name that a template asks for."""
    return {name: f"arn-of-{name}" for name in re.findall(r"\$\{(\w+)}", (ROOT / path).read_text("utf-8"))}


@pytest.mark.parametrize("path", TEMPLATES)
def test_templates_are_filled_in(path: str):
    values = values_of(path)
    policy = from_template(path, **values)
    text = json.dumps(policy)
    assert "$" not in text
    assert all(value in text for value in values.values())
    assert not re.search(r'"Action": (\["?)?"?\*', text)
    for statement in policy["Statement"]:
        if statement["Resource"] == "*":
            actions = statement["Action"]
            assert WITHOUT_RESOURCES.issuperset([actions] if isinstance(actions, str) else actions)


@pytest.mark.parametrize("path", TEMPLATES)
def test_what_is_not_used_is_not_allowed(path: str):
    values = values_of(path)
    without_keys = {name: "" if name.endswith("key_arn") else value for name, value in values.items()}
    assert "kms:" not in json.dumps(from_template(path, **without_keys))
    assert ("kms:" in json.dumps(from_template(path, **values))) == (without_keys != values)


@pytest.mark.parametrize(
    ("accounts", "condition"),
    [
        (("1", "2"), {"StringEquals": {"s3:ResourceAccount": ["1", "2"]}}),
        (("1", "1"), {"StringEquals": {"s3:ResourceAccount": ["1"]}}),
        (("", ""), None),
    ],
)
def test_a_condition_names_each_account_once_and_none_that_is_empty(accounts, condition):
    source, target = accounts
    values = values_of("handlers/replicate/policy.json")
    values |= {"source_bucket_account_id": source, "target_bucket_account_id": target}
    policy = from_template("handlers/replicate/policy.json", **values)
    (both,) = [one for one in policy["Statement"] if one["Sid"] == "TellMissingKeysFromForbiddenOnes"]
    assert both.get("Condition") == condition


def test_a_template_that_asks_for_more_is_refused():
    with pytest.raises(
        ParameterError, match=r"policy\.json asks for 'source_bucket_arn', which is not among"
    ):
        from_template("handlers/replicate/policy.json", queue_arn="q")


def test_what_is_named_before_it_is_described_is_named_so_when_it_is():
    stack = stack_of("20_backup")
    of = {Role: role_arn, Bucket: bucket_arn, Function: function_arn}
    known = [resource for resource in stack.resources.values() if type(resource) in of]
    assert {type(resource) for resource in known} == set(of)
    for resource in known:
        where = {} if isinstance(resource, Role) else {"region": resource.region}
        assert of[type(resource)](stack.scope, what=resource.what, **where) == resource.arn


# --- One statement put into the text of a policy, and taken out of it

OURS = {
    "Sid": "FrozenByUs",
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["s3:PutObject*"],
    "Resource": ["r"],
}
SPACES = st.text(" \n\t\r", max_size=3)
TEXTS = st.text('ab"\\[]{},: Sidé\n', max_size=6)
THEIRS = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Resource": TEXTS | st.lists(TEXTS, max_size=3)},
    optional={"Sid": TEXTS, "Condition": st.dictionaries(TEXTS, st.dictionaries(TEXTS, TEXTS), max_size=2)},
)


@st.composite
def policy_texts(draw) -> str:
    """A policy as anybody may write it: any white space, any order, a statement alone or in a list."""
    indent = draw(st.none() | st.integers(0, 3))
    statements = draw(st.lists(THEIRS, min_size=1, max_size=3))
    alone = len(statements) == 1 and draw(st.booleans())
    written = json.dumps(
        statements[0] if alone else statements, indent=indent, ensure_ascii=draw(st.booleans())
    )
    if not alone:
        written = f"[{draw(SPACES)}{written[1:-1]}{draw(SPACES)}]"
    others = {"Version": "2012-10-17", "Id": draw(TEXTS)}
    members = [
        f"{json.dumps(name)}{draw(SPACES)}:{draw(SPACES)}{json.dumps(value)}"
        for name, value in others.items()
    ]
    members.insert(draw(st.integers(0, 2)), f'"Statement"{draw(SPACES)}:{draw(SPACES)}{written}')
    inner = f"{draw(SPACES)},{draw(SPACES)}".join(members)
    return f"{draw(SPACES)}{{{draw(SPACES)}{inner}{draw(SPACES)}}}{draw(SPACES)}"


@given(policy_texts())
def test_a_statement_is_put_in_and_taken_out_and_the_text_is_as_it_was(text):
    new = with_statement(text, OURS)
    assert statements_of(new) == [*statements_of(text), OURS]
    assert {**json.loads(new), "Statement": 0} == {**json.loads(text), "Statement": 0}
    assert with_statement(new, OURS) == new
    assert without_statement(new, OURS["Sid"]) == text


@given(policy_texts(), THEIRS, st.booleans())
def test_what_somebody_adds_meanwhile_stays_when_ours_is_taken_out(text, more, is_first):
    document = json.loads(with_statement(text, OURS))
    before = document["Statement"]
    document["Statement"] = [more, *before] if is_first else [*before, more]
    left = without_statement(json.dumps(document, indent=2), OURS["Sid"])
    theirs = statements_of(text)
    assert statements_of(left) == ([more, *theirs] if is_first else [*theirs, more])


def test_a_policy_that_was_none_is_none_again():
    alone = with_statement(None, OURS)
    assert statements_of(alone) == [OURS]
    assert without_statement(alone, OURS["Sid"]) is None
    written_by_somebody = json.dumps({"Statement": OURS})
    assert without_statement(written_by_somebody, OURS["Sid"]) is None


def test_an_older_statement_of_ours_is_replaced():
    text = with_statement('{"Statement":[{"Effect":"Allow"}]}', OURS)
    newer = OURS | {"Action": ["s3:DeleteObject*"]}
    assert statements_of(with_statement(text, newer)) == [{"Effect": "Allow"}, newer]
