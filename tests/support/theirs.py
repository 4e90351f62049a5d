"""What somebody else writes on what is ours: tags, and statements in its policy."""

import json

from lib.resources.base import our_tags
from lib.resources.policies import document

OUR_TAGS = ["runbook:env", "runbook:pipeline"]  # what somebody takes away
TAGS = {"cost-center": "4711"}
TAG_LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]


def tags_of_others(tags: dict[str, str]) -> dict[str, str]:
    """Those of the tags that are not ours."""
    return {key: value for key, value in tags.items() if key not in our_tags(tags)}


def statement(resource: str, action: str) -> dict:
    """A statement with no Sid, as many policies have."""
    principal = {"AWS": "arn:aws:iam::000000000000:root"}
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}


def policy(resource: str, action: str) -> str:
    """A policy in which nothing is ours."""
    return json.dumps(document([statement(resource, action)]))


def with_two_more(policy: str, resource: str, *actions: str) -> str:
    """A policy with a statement of somebody else's before and after those that are there."""
    document = json.loads(policy)
    more = [{"Sid": "Theirs", **statement(resource, actions[0])}, statement(resource, actions[-1])]
    return json.dumps({**document, "Statement": [more[0], *document["Statement"], more[1]]})


def statements_of_others(policy: str | None) -> list[dict]:
    """The statements of a policy that are not ours, in their order."""
    statements = json.loads(policy)["Statement"] if policy else []
    return [s for s in statements if not s.get("Sid", "").startswith("Runbook")]
