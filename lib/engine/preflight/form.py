"""What every other rule relies on: values of the described types, ARNs and statements written as such."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from lib.resources.base import Resource
from lib.resources.checks import Finding
from lib.resources.iam import Role

SIMPLE = {str, int, float, bool, bytes, type(None)}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
ONE_OF = (("Action", "NotAction"), ("Resource", "NotResource"))
PRINCIPALS = ("Principal", "NotPrincipal")
ELEMENTS = {"Sid", "Effect", "Condition", *PRINCIPALS, *ONE_OF[0], *ONE_OF[1]}


def check(resource: Resource) -> Iterator[Finding]:
    """Find values of a wrong type, what is no ARN where one belongs, and statements that are none.

    Args:
        resource: As it is described.
    """
    if wrong := list(_wrong_types(resource)):
        yield from wrong
        return
    for name, arn in _arns(resource):
        if arn.count(":") < 5:
            yield Finding("arn-grammar", f"{name} is {_shown(arn)}, which is no ARN", "write the ARN")
    if isinstance(resource, Role):
        document = resource.policy if isinstance(resource.policy, dict) else {}
        for statement in listed(document.get("Statement", {})):
            yield from statement_form(statement, has_principal=False)
    for statement in getattr(resource, "statements", ()):
        yield from statement_form(statement, has_principal=True)


def statement_form(statement: Any, has_principal: bool) -> Iterator[Finding]:
    """Find what keeps a statement from being one.

    Args:
        statement: Of a policy.
        has_principal: Whether it has to say for whom it is: in the policy of a bucket, topic, queue or key,
            and never in that of a role.
    """
    wrong = list(_wrong_elements(statement, has_principal))
    name = statement.get("Sid", "without a Sid") if isinstance(statement, dict) else _shown(statement)
    for what in wrong:
        yield Finding("policy-grammar", f"statement {name}: {what}", f"mend that, in statement {name}")


def listed(value: Any) -> list:
    """Return a value of a policy as a list: IAM takes one or many."""
    return value if isinstance(value, list) else [value]


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


def _wrong_elements(statement: Any, has_principal: bool) -> Iterator[str]:
    if not isinstance(statement, dict):
        yield "it is no object of JSON"
        return
    if unknown := sorted(set(map(str, statement)) - ELEMENTS):
        yield f"there is no element {', '.join(unknown)}"
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"its Effect is {statement.get('Effect')!r}; write Allow or Deny"
    for names in ONE_OF:
        given = [statement[name] for name in names if name in statement]
        if len(given) != 1:
            yield f"it has {len(given) or 'none'} of {' and '.join(names)}; write one"
        yield from (f"{_shown(value)} is no {names[0]}" for value in given if not _are_texts(value))
    given = [name for name in PRINCIPALS if name in statement]
    if len(given) != int(has_principal):
        yield (
            "it does not say for whom: write a Principal" if has_principal else f"a role's has no {given[0]}"
        )
    for value in (statement[name] for name in given):
        if value != "*" and not (isinstance(value, dict) and value and all(map(_are_texts, value.values()))):
            yield f"{_shown(value)} is no Principal"
    if not _is_condition(statement.get("Condition", {})):
        yield f"{_shown(statement['Condition'])} is no Condition"


def _are_texts(value: Any) -> bool:
    return bool(listed(value)) and all(isinstance(each, str) and each for each in listed(value))


def _is_condition(value: Any) -> bool:
    tests: Iterable = value.values() if isinstance(value, dict) else [None]
    return all(
        isinstance(test, dict)
        and all(isinstance(each, str | bool | int) for v in test.values() for each in listed(v))
        for test in tests
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
