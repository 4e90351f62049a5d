"""Calls of the ledger, brought into the few shapes that differ in the permissions they need."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from string import Template

from support.permissions.call_needs import NOT_FOUND, OF_A_VERSION, RENAMED, TELLING, Shape, named

from lib.base.call_ledger import Call
from lib.base.paths import ROOT

DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError"}
ARNS = {
    "s3": "arn:aws:s3:::{name}",
    "sqs": "arn:aws:sqs:{region}:{account}:{name}",
    "sns": "arn:aws:sns:{region}:{account}:{name}",
    "lambda": "arn:aws:lambda:{region}:{account}:function:{name}",
    "iam": "arn:aws:iam::{account}:role/{name}",
    "logs": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "dynamodb": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "events": "arn:aws:events:{region}:{account}:rule/{name}",
    "athena": "arn:aws:athena:{region}:{account}:workgroup/{name}",
    "s3control": "arn:aws:s3:{region}:{account}:job/{name}",
    "cloudtrail": "arn:aws:cloudtrail:{region}:{account}:trail/{name}",
    "cloudwatch": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
}
DASHBOARD = "arn:aws:cloudwatch::{account}:dashboard/{name}"
CRAWLER = "arn:aws:glue:{region}:{account}:crawler/{name}"
# https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html: each level is asked for.
CATALOG = (
    "arn:aws:glue:{region}:{account}:catalog",
    "arn:aws:glue:{region}:{account}:database/{database}",
    "arn:aws:glue:{region}:{account}:table/{name}",
)


@dataclass(frozen=True)
class Statement:
    """A statement of a policy template, with its actions and resources as lists."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: str


def statements(path: str) -> list[Statement]:
    """Read a policy template's statements, as they stand, placeholders included."""
    policy = json.loads((ROOT / path).read_text("utf-8"))
    documents = [policy] if "Statement" in policy else policy.values()
    return [_statement(one) for document in documents for one in document["Statement"]]


def shapes(path: str, calls: Iterable[Call], fillings: list[dict[str, str]]) -> set[Shape]:
    """Bring calls into shapes; those that were refused are left out.

    Args:
        path: The policy template that binds the caller.
        calls: What was asked.
        fillings: What the template's placeholders stood for.

    Returns:
        Each shape once; sts:GetCallerIdentity is left out, which everybody may call.
    """
    patterns = Patterns(statements(path), fillings)
    asked = (call for call in calls if call.outcome not in DENIED and call.operation != "GetCallerIdentity")
    return {shape for call in asked for shape in _shapes(call, patterns)}


class Patterns:
    """Finds the pattern of a policy that a resource falls under."""

    def __init__(self, policy: list[Statement], fillings: list[dict[str, str]]) -> None:
        self.policy, self.fillings, self.known = policy, fillings, {}

    def of(self, action: str, arn: str) -> str:
        """Return the narrowest pattern; of the statements that allow the action, if any fits."""
        key = (action, arn)
        if key not in self.known:
            allowing = [r for s in self.policy if action in s.actions for r in s.resources]
            anywhere = [r for s in self.policy for r in s.resources]
            self.known[key] = self._narrowest(allowing, arn) or self._narrowest(anywhere, arn) or arn
        return self.known[key]

    def _narrowest(self, templates: list[str], arn: str) -> str:
        filled = [(fill(t, values), t) for t in dict.fromkeys(templates) for values in self.fillings]
        fits = [(len(pattern), t) for pattern, t in filled if pattern and fnmatchcase(arn, pattern)]
        return max(fits, default=(0, ""))[1]


def fill(template: str, values: dict[str, str]) -> str:
    """Fill a resource in; empty if a name is missing or means nothing here."""
    names = re.findall(r"\$\{(\w+)}", template)
    if any(name not in values or (name.endswith("_arn") and not values[name]) for name in names):
        return ""
    # In a policy, only * and ? are special; [ is not, as it would be to fnmatch.
    return Template(template).substitute(values).replace("[", "[[]")


def _statement(one: dict) -> Statement:
    as_tuple = [(v,) if isinstance(v, str) else tuple(v) for v in (one["Action"], one["Resource"])]
    return Statement(one["Sid"], *as_tuple, json.dumps(one.get("Condition", {})))


def _shapes(call: Call, patterns: Patterns) -> Iterator[Shape]:
    action = named(call.service, call.operation)
    needed = RENAMED.get(action, action)
    needed = OF_A_VERSION.get(needed, needed) if "VersionId" in call.parameters else needed
    read = "s3:GetObjectVersion" if "CopySourceVersionId" in call.parameters else "s3:GetObject"
    source = patterns.of(read, f"arn:aws:s3:::{call.source}") if call.source else ""
    telling = tuple(name for name in call.parameters if name in TELLING)
    for arn in arns(call):
        resource = patterns.of(needed, arn) if arn else ""
        yield Shape(action, resource, source, telling, _missing(call))


def _missing(call: Call) -> bool:
    return call.service == "s3" and call.outcome in NOT_FOUND and "Object" in call.operation


def arns(call: Call, account: str = "000000000000") -> list[str]:
    """Return the ARNs of what a call is about; [""] if its parameters do not tell."""
    lists = call.operation.startswith("List") and call.service not in {"s3", "sns", "dynamodb"}
    if not call.resource or (lists and not call.resource.startswith("arn:")):
        return [""]
    names = [call.resource] if call.service == "s3" else call.resource.split(", ")
    return list(dict.fromkeys(arn for name in names for arn in _arns(call, name, account)))


def _arns(call: Call, name: str, account: str) -> Iterator[str]:
    where = {"region": call.region, "account": account, "name": name}
    if call.operation == "DeleteObjects":
        yield ARNS["s3"].format(name=f"{name}/*")
    elif call.service == "s3" and call.operation.startswith("List"):
        yield ARNS["s3"].format(name=name.partition("/")[0])
    elif name.startswith("arn:"):
        yield name
    elif call.service == "glue":
        yield from _glue_arns(call, where)
    elif "Dashboard" in call.operation:
        yield DASHBOARD.format(**where)
    elif call.service in ARNS and "UUID" not in call.parameters:
        yield ARNS[call.service].format(**where)
    else:
        yield ""


def _glue_arns(call: Call, where: dict[str, str]) -> Iterator[str]:
    if "Crawler" in call.operation:
        yield CRAWLER.format(**where)
    elif "Classifier" in call.operation:
        yield ""
    else:
        database, _, table = where["name"].partition("/")
        of_tables = any(word in call.operation for word in ("Table", "Partition"))
        table = table or ("*" if of_tables else "")
        for level in CATALOG[: 3 if table else 2]:
            yield level.format(database=database, **where | {"name": f"{database}/{table}"})


def write(path: Path, seen: dict[Shape, set[str]]) -> None:
    """Keep shapes, each with where it was seen, one on a line."""
    rows = [json.dumps([*_row(shape), sorted(where)]) for shape, where in sorted(seen.items())]
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n", "utf-8")


def _row(shape: Shape) -> list:
    return [shape.action, shape.resource, shape.source, list(shape.parameters), shape.missing]


def load(path: Path) -> dict[Shape, set[str]]:
    """Read what `write` kept; nothing if it kept nothing."""
    rows = json.loads(path.read_text("utf-8")) if path.exists() else []
    return {Shape(a, r, s, tuple(p), m): set(where) for a, r, s, p, m, where in rows}
