"""Policy documents: pure functions, documents in, documents out."""

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from string import Template
from typing import Any, Protocol

from lib.base.errors import ParameterError
from lib.base.paths import ROOT

Statement = dict
Document = dict

# To SNS any other one is an opt-in region, also Osaka, which is enabled in every account:
# https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html#opt-in-regions
REGIONS_ENABLED_BY_DEFAULT = frozenset(
    """
    us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-central-1 eu-north-1 eu-west-1 eu-west-2
    eu-west-3 ap-south-1 ap-northeast-1 ap-northeast-2 ap-southeast-1 ap-southeast-2
    """.split()  # noqa: SIM905 – as a list of strings it would be 16 lines
)

# Statements whose Sid begins with this are ours; others are somebody else's and stay as they are.
SID_PREFIX = "Runbook"
FREEZE_SID = "FrozenBy"  # of what an operator has had us write; it goes first when all is destroyed
DECODER = json.JSONDecoder()
# How our statement is written beside what was one statement, not a list of them, and is to be so again.
IN_A_LIST, BESIDE_ONE = (",", ":"), (" ,", " :")


def document(statements: Iterable[Statement]) -> Document:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


class Named(Protocol):
    """Something in AWS: its ARN, its account, and the ARN of the KMS key that encrypts it, empty for none."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def account_id(self) -> str:
        """The account that it lives in."""

    @property
    def kms_key_arn(self) -> str:
        """The ARN of the KMS key that it is encrypted with; empty if it is under the service's own."""


class Allowed(Protocol):
    """A role: how its pipeline calls it, its ARN, and its policy."""

    @property
    def what(self) -> str:
        """The last part of its name."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def policy(self) -> Document:
        """All that it may do."""


def from_template(path: str | Path, **values: Named | str | None) -> Document:
    """Read a policy template.

    Args:
        path: A JSON file, relative to the project, whose strings hold `${name}` for what differs between
            deployments.
        values: What goes in the place of each name. A thing `queue` gives three, `${queue_arn}`,
            `${queue_key_arn}` and `${queue_account_id}`, and None empties them; a text gives one, and an ARN
            by itself has neither key nor account. What is empty is left out, with its statement if that is
            about nothing else.

    Returns:
        The policy document.

    Raises:
        ParameterError: If the template asks for a name that is not among the values.
    """
    text = (ROOT / path).read_text("utf-8")
    try:
        policy = json.loads(Template(text).substitute(_texts(values)))
    except KeyError as error:
        raise ParameterError(f"{path} asks for {error}, which is not among {sorted(values)}") from error
    asked = json.loads(text)["Statement"]
    both = zip(asked, policy["Statement"], strict=True)
    extra = [each for one, filled in both for each in _under_other_keys(one["Resource"], filled, values)]
    statements = [_filled_in(statement) for statement in policy["Statement"]]
    return {**policy, "Statement": [*(s for s in statements if s["Resource"]), *extra]}


def _under_other_keys(
    asked: str | list[str], filled: Statement, values: Mapping[str, Named | str | None]
) -> Iterator[Statement]:
    """Yield what lets a role decrypt what others have put into a bucket under keys that are not its own.

    Args:
        asked: What a statement of a template is about, by names.
        filled: The same statement, filled in; of interest if it is about decrypting with a bucket's key.
        values: As for `from_template`.
    """
    resources = [asked] if isinstance(asked, str) else asked
    named = [value for name, value in values.items() if f"${{{name}_key_arn}}" in resources]
    keys = [arn for value in named for arn in getattr(value, "other_key_arns", ())]
    if keys and "kms:Decrypt" in filled["Action"]:
        yield {**filled, "Sid": f"{filled['Sid']}UnderOtherKeys", "Action": "kms:Decrypt", "Resource": keys}


def _texts(values: dict[str, Named | str | None]) -> dict[str, str]:
    """Return what goes in the place of each name of a template."""
    texts: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            texts[name] = value
            texts.setdefault(f"{name.removesuffix('_arn')}_key_arn", "")
            texts.setdefault(f"{name.removesuffix('_arn')}_account_id", "")
        else:
            texts[f"{name}_arn"] = value.arn if value else ""
            texts[f"{name}_key_arn"] = value.kms_key_arn if value else ""
            texts[f"{name}_account_id"] = value.account_id if value else ""
    return texts


def _filled_in(statement: Statement) -> Statement:
    """Return a statement without what is empty: resources, and values of conditions."""
    tests = {
        test: {key: given for key, value in keys.items() if (given := _given(value))}
        for test, keys in statement.get("Condition", {}).items()
    }
    tests = {test: keys for test, keys in tests.items() if keys}
    rest = {name: value for name, value in statement.items() if name != "Condition"}
    return {**rest, "Resource": _given(statement["Resource"]), **({"Condition": tests} if tests else {})}


def _given(resource: str | list[str]) -> str | list[str]:
    """Return a statement's resources without empty ones and repetitions."""
    return resource if isinstance(resource, str) else list(dict.fromkeys(filter(None, resource)))


def ours(policy: Document | str | None) -> dict[str, Statement]:
    """Return our statements of a policy, by Sid, in one canonical form so that equal means equal."""
    statements = _load(policy)["Statement"]
    return {s["Sid"]: canonical(s) for s in statements if s.get("Sid", "").startswith(SID_PREFIX)}


def statements_of(policy: Document | str | None) -> list[Statement]:
    """Return all statements of a policy, whoever's they are.

    Args:
        policy: A document, its JSON, or None for no policy.
    """
    return list(_load(policy)["Statement"])


def refusals(policy: Document | str | None, actions: Iterable[str]) -> list[str]:
    """Return which actions a policy denies to everybody, by statements that are not ours.

    A statement with a condition, or about some principals, may not be about us: it is not judged here.

    Args:
        policy: A document, its JSON, or None for no policy.
        actions: Such as `s3:DeleteBucket`.
    """
    denied: list[str] = []
    for one in statements_of(policy):
        is_for_all = one.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        is_ours = one.get("Sid", "").startswith((SID_PREFIX, FREEZE_SID))
        if one["Effect"] == "Deny" and is_for_all and not one.get("Condition") and not is_ours:
            patterns = one.get("Action", [])
            denied += [patterns] if isinstance(patterns, str) else patterns
    return [each for each in actions if any(fnmatchcase(each.lower(), one.lower()) for one in denied)]


def merge(policy: Document | str | None, statements: Iterable[Statement]) -> Document:
    """Put our statements into a policy and leave everybody else's as they are.

    Args:
        policy: The policy that is there: a document, its JSON, or None.
        statements: Ours, each with a Sid that begins with "Runbook".

    Returns:
        A new document.
    """
    existing = _load(policy)
    others = [s for s in existing["Statement"] if not s.get("Sid", "").startswith(SID_PREFIX)]
    return {**existing, "Statement": others + list(statements)}


def canonical(value):
    """Return a part of a policy in one form: one-element lists as scalars, the others sorted.

    "Everybody" has two spellings: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous.
    """
    if isinstance(value, dict):
        members = {key: canonical(inner) for key, inner in sorted(value.items())}
        return "*" if members == {"AWS": "*"} else members
    if isinstance(value, list):
        inner = sorted((canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return inner[0] if len(inner) == 1 else inner
    return value


def deny_insecure_transport(action: str, *resources: str) -> Statement:
    """Refuse whatever does not come through TLS.

    Args:
        action: For instance `s3:*`.
        resources: ARNs.

    Returns:
        A statement, see https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html.
    """
    return {
        "Sid": "RunbookDenyInsecureTransport",
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": list(resources),
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def allow_services(sources: dict[str, str], action: str, resource: str, account_id: str) -> list[Statement]:
    """Let AWS services act on a resource, each on behalf of one source in one account only.

    Args:
        sources: Services to the ARN they act for, such as `{"s3.amazonaws.com": bucket_arn}`; wildcards
            are `*` and `?`.
        action: For instance `sns:Publish`.
        resource: ARN of what is acted on.
        account_id: The account of the sources. A bucket's ARN carries none, and the name of a deleted bucket
            can be taken by somebody else: https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html.
            Where the ARN does carry it, the condition binds only if the service sends the account at all.

    Returns:
        A statement for each.
    """
    statements = []
    for service, source_arn in sources.items():
        account_in_arn = source_arn.split(":")[4] == account_id
        equals = "StringEqualsIfExists" if account_in_arn else "StringEquals"
        statements.append(
            {
                "Sid": f"{SID_PREFIX}Allow{service.split('.')[0].capitalize()}",
                "Effect": "Allow",
                "Principal": {"Service": principal(service, source_arn, resource.split(":")[3])},
                "Action": action,
                "Resource": resource,
                "Condition": {
                    "ArnLike": {"aws:SourceArn": source_arn},
                    equals: {"aws:SourceAccount": account_id},
                },
            }
        )
    return statements


def only_these_may(actions: list[str], bucket_arn: str, *, role_arns: list[str], name: str) -> Statement:
    """Let nobody act on a bucket's objects but some roles, whatever others' own policies allow.

    The roles are named in conditions, as text: so they need not exist yet, and one that is made anew under
    its name counts as the same, which it would not as a principal:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles

    Args:
        actions: On objects, such as `s3:DeleteObject`.
        bucket_arn: ARN of the bucket.
        role_arns: ARNs of the roles, of any account.
        name: The end of the statement's Sid, in letters and digits.

    Returns:
        A statement that refuses the others; what the roles may do, their own policies say.
    """
    # Whoever takes on a role is known here by the role's ARN, never by that of a session:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    return {
        "Sid": f"{SID_PREFIX}Deny{name}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": f"{bucket_arn}/*",
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": role_arns}},
    }


def let_in(role: Allowed, bucket_arn: str) -> list[Statement]:
    """Let a role of another account do to a bucket what its own policy allows it there, and nothing else.

    Across accounts both must allow: the role's own policy, and the bucket's.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
    The role is named in a condition, as for `only_these_may`.

    Args:
        role: The role.
        bucket_arn: ARN of the bucket.

    Returns:
        A statement for each of the role's that allows something there.
    """
    account_id = role.arn.split(":")[4]
    whose = {
        "ArnEquals": {"aws:PrincipalArn": role.arn},
        "StringEquals": {"aws:PrincipalAccount": account_id},
    }
    name = "".join(part.capitalize() for part in role.what.split("-"))
    statements = []
    for number, statement in enumerate(statements_of(role.policy)):
        resource = statement.get("Resource", [])
        arns = [resource] if isinstance(resource, str) else resource
        here = [arn for arn in arns if arn == bucket_arn or arn.startswith(f"{bucket_arn}/")]
        if statement["Effect"] == "Allow" and "Action" in statement and here:
            conditions = statement.get("Condition", {})
            tests = {
                test: {**conditions.get(test, {}), **whose.get(test, {})} for test in {**conditions, **whose}
            }
            statements.append(
                {
                    "Sid": f"{SID_PREFIX}Allow{name}{statement.get('Sid', number)}",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                    "Action": statement["Action"],
                    "Resource": here,
                    "Condition": tests,
                }
            )
    return statements


def nobody_may(actions: list[str], bucket_arn: str, *, name: str) -> Statement:
    """Refuse actions on a bucket's objects to everybody.

    Args:
        actions: On objects, such as `s3:PutObjectAcl`.
        bucket_arn: ARN of the bucket.
        name: The end of the statement's Sid, in letters and digits.
    """
    return {
        "Sid": f"{SID_PREFIX}Deny{name}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions,
        "Resource": f"{bucket_arn}/*",
    }


def let_inventory_in(bucket_arn: str, source_arns: list[str], account_id: str, name: str = "") -> Statement:
    """Let S3 Inventory write the reports of some buckets into another one.

    Args:
        bucket_arn: Where the reports go.
        source_arns: The buckets that are reported on.
        account_id: Their account.
        name: The end of the statement's Sid, in letters and digits.

    Returns:
        A statement, see https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html#example-bucket-policies-s3-inventory-1.
    """
    return {
        "Sid": f"{SID_PREFIX}AllowInventory{name}",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"{bucket_arn}/*",
        "Condition": {
            "ArnLike": {"aws:SourceArn": source_arns},
            "StringEquals": {
                "aws:SourceAccount": account_id,
                "s3:x-amz-acl": "bucket-owner-full-control",
            },
        },
    }


def principal(service: str, source_arn: str, region: str) -> str:
    """Return the name under which a service acts for a source.

    That of SNS is another one if it sends from one region to another and either is an opt-in region: the
    receiver's, or else the topic's. Under the usual one messages are dropped, and nobody is told.
    https://docs.aws.amazon.com/sns/latest/dg/sns-cross-region-delivery.html
    https://github.com/aws/aws-cdk/pull/38339

    Args:
        service: Such as `sns.amazonaws.com`.
        source_arn: For what it acts, such as a topic.
        region: Where it acts: that of the queue or function.
    """
    source = source_arn.split(":")[3]
    if service != "sns.amazonaws.com" or region == source:
        return service
    source = "" if "*" in source or "?" in source else source
    opt_in = [one for one in (region, source) if one and one not in REGIONS_ENABLED_BY_DEFAULT]
    return f"sns.{opt_in[0]}.amazonaws.com" if opt_in else service


def _load(policy: Document | str | None) -> Document:
    found: Document = (json.loads(policy) if policy and isinstance(policy, str) else policy) or document([])
    statements = found["Statement"]
    return {**found, "Statement": statements if isinstance(statements, list) else [statements]}


def with_statement(policy: str | None, statement: Statement) -> str:
    """Put a statement at the end of a policy, in whose text all else stays as it is, to the byte.

    Args:
        policy: The text of the policy that is there; None for none.
        statement: With a Sid; one of the same Sid is replaced.

    Returns:
        The text of the new policy. `without_statement` makes the old text of it again.
    """
    text = without_statement(policy, statement["Sid"]) if policy else None
    if text is None:
        return json.dumps(document([statement]))
    _, start, end = _members(text)["Statement"]
    if text[start] != "[":
        added = json.dumps(statement, separators=BESIDE_ONE)
        return f"{text[:start]}[{text[start:end]},{added}]{text[end:]}"
    before = text[: end - 1].rstrip()
    comma = "" if before.endswith("[") else ","
    return f"{before}{comma}{json.dumps(statement, separators=IN_A_LIST)}{text[len(before) :]}"


def without_statement(policy: str, sid: str) -> str | None:
    """Take a statement out of a policy, in whose text all else stays as it is, to the byte.

    Args:
        policy: The text of a policy.
        sid: The statement's Sid; if there is none of it, the text stays as it is.

    Returns:
        The text of the policy without it; None if no statement is left, of which S3 keeps no policy.
    """
    statements, start, end = _members(policy)["Statement"]
    if isinstance(statements, dict):
        return None if statements.get("Sid") == sid else policy
    spans = _elements(policy, start)
    number = next((n for n, each in enumerate(statements) if each.get("Sid") == sid), None)
    if number is None:
        return policy
    if len(statements) == 1:
        return None
    (first, last), is_first = spans[number], number == 0
    begins = first if is_first else spans[number - 1][1]
    ends = spans[1][0] if is_first else last
    text = policy[:begins] + policy[ends:]
    if len(statements) == 2 and policy[first:last] == json.dumps(statements[number], separators=BESIDE_ONE):
        _, start, end = _members(text)["Statement"]
        return text[:start] + text[start + 1 : end - 1] + text[end:]
    return text


def _members(text: str) -> dict[str, tuple[Any, int, int]]:
    """Return what the JSON object of a text has: name to value, and from where to where that is written."""
    found: dict[str, tuple[Any, int, int]] = {}
    position = _next(text, text.index("{") + 1)
    while text[position] != "}":
        name, position = DECODER.raw_decode(text, position)
        start = _next(text, text.index(":", position) + 1)
        value, end = DECODER.raw_decode(text, start)
        found[name] = value, start, end
        position = _next(text, end)
    return found


def _elements(text: str, start: int) -> list[tuple[int, int]]:
    """Return from where to where each element is written of the JSON list that begins at a place."""
    found = []
    position = _next(text, start + 1)
    while text[position] != "]":
        _, end = DECODER.raw_decode(text, position)
        found.append((position, end))
        position = _next(text, end)
    return found


def _next(text: str, position: int) -> int:
    """Return where the next thing begins, white space and a comma passed over."""
    while text[position] in " \t\r\n,":
        position += 1
    return position
