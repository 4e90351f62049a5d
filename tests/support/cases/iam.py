"""Roles, and the policies in them."""

import json
from dataclasses import replace

from lib.engine.stack import Stack
from lib.resources import iam
from lib.resources.base import tag_dict
from lib.resources.policies import document, merge
from support import cases, theirs
from support.breaking import setting, statement, the
from support.case import ELSEWHERE, Break, Case, Change, Others


def may_read(bucket_arn: str) -> dict:
    return document(
        [{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket_arn}/*"}]
    )


def _may_work(stack: Stack) -> dict:
    """All that the function of the cases needs: to read, to be run by its queue, to report, to log."""
    account_id = stack.scope.account_id
    queues = f"arn:aws:sqs:{ELSEWHERE}:{account_id}:{stack.scope.beginning}"
    log_group = f"arn:aws:logs:{ELSEWHERE}:{account_id}:log-group:/aws/lambda/{stack.scope.name('copy')}"
    consume = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    needs = {
        "Consume": (consume, f"{queues}files"),
        "Report": (["sqs:SendMessage"], f"{queues}failed"),
        "Log": (["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group}:*"),
    }
    statements = [
        {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": arn}
        for sid, (actions, arn) in needs.items()
    ]
    return document([*may_read(cases.s3.bucket(stack).arn)["Statement"], *statements])


def _bounded_by_another(stack: Stack) -> None:
    one = the(stack, iam.Role, "index")
    one.scope = replace(one.scope, permissions_boundary_arn="arn:aws:iam::999999999999:policy/boundary")


def role(stack: Stack) -> iam.Role:
    return stack.add(iam.Role("copy", "us-east-1", trusts="lambda.amazonaws.com", policy=_may_work(stack)))


def _distrust(client, ours: iam.Role) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    client.update_assume_role_policy(RoleName=ours.name, PolicyDocument=json.dumps(document([trust])))


def _adopt(client, ours: iam.Role) -> None:
    client.update_role(RoleName=ours.name, Description="adopts source as source: us-west-1/photos/")


def _put_others(client, ours: iam.Role) -> None:
    policy = json.dumps(merge(None, [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]))
    client.put_role_policy(RoleName=ours.name, PolicyName="theirs", PolicyDocument=policy)
    client.tag_role(RoleName=ours.name, Tags=theirs.TAG_LIST)
    client.update_role(RoleName=ours.name, Description="Theirs", MaxSessionDuration=7200)


def _get_others(client, ours: iam.Role) -> dict:
    found = client.get_role(RoleName=ours.name)["Role"]
    return {
        "policies": sorted(client.list_role_policies(RoleName=ours.name)["PolicyNames"]),
        "tags": theirs.tags_of_others(tag_dict(client.list_role_tags(RoleName=ours.name)["Tags"])),
        "session": (found.get("Description"), found["MaxSessionDuration"]),
    }


TRUSTS_ANOTHER = setting(iam.Role, "index", trusts="edgelambda.amazonaws.com")
CASES = [
    Case(
        iam.Role,
        role,
        changes=[
            Change({"policy": may_read("arn:aws:s3:::another")}, {"policy"}),
            Change({"trusts": "glue.amazonaws.com"}, {"trust"}),
        ],
        drift={
            "trust": _distrust,
            "policy": lambda client, ours: client.delete_role_policy(
                RoleName=ours.name, PolicyName="runbook"
            ),
            "tags": lambda client, ours: client.untag_role(RoleName=ours.name, TagKeys=theirs.OUR_TAGS),
            "description": _adopt,
        },
        others=Others(_put_others, _get_others),
        in_notebooks="policy",
        breaks=[
            Break("role-trust", "migrate", setting(iam.Role, "replicate", trusts="glue.amazonaws.com")),
            Break("pass-role", "index", TRUSTS_ANOTHER, frozenset({"role-trust"})),
            Break("role-policy-size", "index", statement("index", Sid="x" * 10241)),
            Break("action-unknown", "index", statement("index", Action=["s3:ListBucket", "s3:HeadObject"])),
            Break(
                "condition-unknown",
                "index",
                statement("index", Condition={"StringEquals": {"s3:colour": "red"}}),
            ),
            Break(
                "action-resource",
                "index",
                statement("index", Resource="arn:aws:s3:::runbook-test-index-files/*"),
            ),
            Break("policy-grammar", "index", statement("index", NotAction="s3:GetObject")),
            Break("arn-grammar", "index", statement("index", Resource="runbook-test-index-files")),
            Break("arn-partition", "index", statement("index", Resource="arn:aws-cn:s3:::runbook-test")),
            Break(
                "condition-value",
                "index",
                statement("index", Condition={"NumericLessThan": {"s3:max-keys": "few"}}),
            ),
            Break("statement-sid", "index", statement("index", Sid="WriteRows")),
            Break("role-boundary", "index", _bounded_by_another),
            Break("action-wildcard", "index", statement("index", Action="s3:List*")),
            Break("resource-wildcard", "index", statement("index", Resource="*")),
        ],
    )
]
