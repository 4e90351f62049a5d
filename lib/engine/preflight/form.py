"""What every other rule relies on: values of the described types, ARNs and statements written as such."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lib.engine.preflight import grammar
from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role
from lib.resources.policies import SID_PREFIX

ResourceFindings = Iterator[tuple[Resource, Finding]]  # what is found of several, each with its resource
# What keeps others from being asked.
RULES = frozenset({"request-model", "not-described", "arn-grammar", "policy-grammar", "statement-sid"})
# The statement that each bucket, topic and queue has.
OURS = f"{SID_PREFIX}DenyInsecureTransport"
SIMPLE = {str, int, float, bool, bytes, type(None)}


def check(resource: Resource) -> Iterator[Finding]:
    """Find values of a wrong type, what is no ARN where one belongs, and statements that are none.

    Args:
        resource: As it is described.
    """
    if wrong := [*_wrong_types(resource), *_wrong_parts(resource), *_strangers(resource)]:
        yield from wrong
        return
    for name, arn in _arns(resource):
        if arn.count(":") < 5:
            yield Finding("arn-grammar", f"{name} is {_shown(arn)}, which is no ARN", "write the ARN")
    if isinstance(resource, Role):
        for what in grammar.document(resource.policy):
            yield Finding("policy-grammar", what, f"mend that, in the policy of {resource.name}")
        yield from _statements(listed(resource.policy.get("Statement", [])), grammar.ROLE)
    if statements := getattr(resource, "statements", ()):
        yield from _statements(statements, grammar.RESOURCE)
        for sid in [str(each.get("Sid")) for each in statements if isinstance(each, dict)]:
            if sid == OURS:
                what = f"statement {sid} would take the place of that which refuses what comes without TLS"
                yield Finding("statement-sid", what, "give it another Sid")
            elif not sid.startswith(SID_PREFIX):
                what = f"statement {sid} would not be known as ours, and be added at each run"
                yield Finding("statement-sid", what, f"begin its Sid with {SID_PREFIX}")


def _statements(statements: Iterable, kind: str) -> Iterator[Finding]:
    sids = [each.get("Sid") for each in statements if isinstance(each, dict) and each.get("Sid")]
    for sid in dict.fromkeys(sid for sid in map(str, sids) if sids.count(sid) > 1):
        what = f"{sids.count(sid)} statements have the Sid {sid}"
        yield Finding("statement-sid", what, "give each a Sid of its own")
    for statement in statements:
        yield from statement_form(statement, kind)


def statement_form(statement: Any, kind: str) -> Iterator[Finding]:
    """Find what keeps a statement from being one.

    Args:
        statement: Of a policy.
        kind: Of which, as for `grammar.statement`.
    """
    is_one = isinstance(statement, dict)
    wrong = list(grammar.statement(statement, kind)) if is_one else ["it is no object of JSON"]
    name = statement.get("Sid", "without a Sid") if is_one else _shown(statement)
    for what in wrong:
        yield Finding("policy-grammar", f"statement {name}: {what}", f"mend that, in statement {name}")


def listed(value: Any) -> list:
    """Return a value of a policy as a list: IAM takes one or many."""
    return value if isinstance(value, list) else [value]


def _wrong_parts(resource: Resource) -> Iterator[Finding]:
    """Find what is not of the type that belongs there, where another resource does."""
    for name, kinds in _kinds(type(resource)).items():
        part = getattr(resource, name)
        for one in part if isinstance(part, list | tuple) else [part]:
            if not isinstance(one, kinds):
                nouns = " or ".join(getattr(kind, "noun", "None") for kind in kinds)
                what = f"{name} is {one if isinstance(one, Resource) else _shown(one)}, where {nouns} belongs"
                yield Finding("request-model", what, f"give it {nouns}")


@cache
def _kinds(kind: type[Resource]) -> dict[str, tuple[type, ...]]:
    """Return the types of those attributes that are other resources, or lists of them, by their names."""
    hints = get_type_hints(kind)
    found = {each.name: _classes(hints[each.name]) for each in fields(kind) if each.init}
    return {name: kinds for name, kinds in found.items() if any(issubclass(one, Resource) for one in kinds)}


def _classes(hint: Any) -> tuple[type, ...]:
    arguments = [each for each in get_args(hint) if each is not Ellipsis]
    return tuple(kind for each in arguments or [hint] for kind in _of(each) if isinstance(kind, type))


def _of(hint: Any) -> tuple:
    return get_args(hint) or (hint,)


def _strangers(resource: Resource) -> Iterator[Finding]:
    """Find what it names and was added to no stack, so that it has no name yet."""
    for each in fields(resource):
        part = getattr(resource, each.name, None)
        for one in part if isinstance(part, list | tuple) else [part]:
            if isinstance(one, Resource) and not hasattr(one, "scope"):
                what = f"{each.name} is {one}, which is not described"
                yield Finding("not-described", what, f"stack.add(…) {one.what} before it")


def _wrong_types(resource: Resource) -> Iterator[Finding]:
    for name, adapter in _adapters(type(resource)).items():
        value = getattr(resource, name)
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            said = error.errors()[0]["msg"]
            what = f"{name} is {_shown(value)}: {said[0].lower()}{said[1:]}"
            yield Finding("request-model", what, f"change {name} so that it fits")


@cache
def _adapters(kind: type[Resource]) -> dict[str, TypeAdapter]:
    """Return what checks the types of those attributes that hold plain values, by their names."""
    hints, strict = get_type_hints(kind), ConfigDict(strict=True)
    plain = [each.name for each in fields(kind) if each.init and _is_plain(hints[each.name])]
    return {name: TypeAdapter(hints[name], config=strict) for name in plain}


def _is_plain(hint: Any) -> bool:
    if arguments := get_args(hint):
        container = get_origin(hint)
        is_known = (
            container in (list, tuple, dict)
            or not isinstance(container, type)
            or container.__name__ == "UnionType"
        )
        return is_known and all(_is_plain(each) for each in arguments if each is not Ellipsis)
    return hint in SIMPLE or hint in (dict, list)


def _arns(resource: Resource) -> Iterator[tuple[str, str]]:
    """Yield the attributes that are ARNs, with their names."""
    for each in fields(resource):
        value: Any = getattr(resource, each.name, None)
        if each.name.endswith("_arn"):
            yield each.name, value
        if each.name in ("publishers", "senders"):
            yield from ((f"{each.name}[{service!r}]", arn) for service, arn in (value or {}).items())


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
