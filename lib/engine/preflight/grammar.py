"""IAM's grammar of policies: AWS's own schemas of it, as cfn-lint ships them.

They are read as files: cfn-lint itself takes a second to import, and 140 MB of what it needs for templates.
https://github.com/aws-cloudformation/cfn-lint/tree/main/src/cfnlint/data/schemas/other/iam
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import fastjsonschema

ROLE, RESOURCE = "identity", "resource"  # the kinds of policies, as the schemas call them
# Which elements exclude each other, and one of which there must be; the schemas say so in words of their own.
ONE_OF = (("Action", "NotAction"), ("Resource", "NotResource"))
PRINCIPALS = ("Principal", "NotPrincipal")
SERVICE = r".+\.(amazonaws\.com|amazonaws\.com\.cn|amazon\.com|aws\.internal)"
NO_ALTERNATIVE = "cannot be validated by any definition"  # says fastjsonschema
Errors = Iterator[str]


def document(policy: dict[str, Any]) -> Errors:
    """Yield what is wrong with the policy of a role besides its statements.

    Args:
        policy: The document.
    """
    yield from _told(_document(), policy, "the policy")


def statement(one: dict[str, Any], kind: str) -> Errors:
    """Yield what is wrong with a statement.

    Args:
        one: The statement.
        kind: Of the policy that it is in: ROLE, or RESOURCE for that of a bucket, topic, queue or key.
    """
    for names in ONE_OF:
        if (given := len([name for name in names if name in one])) != 1:
            yield f"it has {given or 'none'} of {' and '.join(names)}; write one"
    named = [name for name in PRINCIPALS if name in one]
    if kind == ROLE and named:
        yield f"a role's has no {named[0]}"
    elif kind == RESOURCE and len(named) != 1:
        yield "it does not say for whom: write a Principal"
    elif empty := [name for name, value in one.items() if value in ([], {}) and name != "Condition"]:
        yield f"{empty[0]} is {one[empty[0]]!r}: it names nothing"
    else:
        yield from _told(_statement(kind), _with_texts(one), "it")


def values(condition: dict[str, dict[str, Any]]) -> Errors:
    """Yield values of a condition that its operator cannot compare.

    Args:
        condition: Of a statement that keeps the grammar.
    """
    for operator, test in condition.items():
        for name, is_one in KINDS.items():
            if name in operator:
                for key, wanted in test.items():
                    wrong = [each for each in _listed(wanted) if not is_one(str(each))]
                    yield from (f"{operator} compares {key} with {each!r}" for each in wrong)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return "${" in text
    return True


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return "${" in text
    return True


# What an operator compares, by a part of its name:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
KINDS: dict[str, Callable[[str], bool]] = {
    "Numeric": _is_number,
    "IpAddress": _is_network,
    "Bool": lambda text: text.lower() in ("true", "false") or "${" in text,
    "Null": lambda text: text.lower() in ("true", "false"),
}


def _told(validate: Callable[[Any], Any], value: Any, whose: str) -> Errors:
    """Yield the first thing that keeps a value from being as its schema has it."""
    try:
        validate(value)
    except fastjsonschema.JsonSchemaValueException as error:
        where = ".".join(str(each) for each in error.path[1:]) or whose
        said = error.message.removeprefix(error.name or "data").strip()
        if unknown := re.fullmatch(r"must not contain \{(.+)\} properties", said):
            yield f"{where} has {unknown[1]}, which there is not"
            return
        shown = repr(error.value)
        found = shown if len(shown) <= 100 else f"{shown[:99]}…"
        if "Principal" in where:
            yield f"{where} is {found}, which is no principal"
        else:
            yield f"{where} {said.replace(NO_ALTERNATIVE, 'is not written so')}; found {found}"


def _with_texts(one: dict[str, Any]) -> dict[str, Any]:
    """Return a statement whose conditions have texts only: to IAM, 5 and true are "5" and "true"."""
    condition = one.get("Condition")
    if not isinstance(condition, dict):
        return one
    tests = {
        operator: {key: _as_texts(value) for key, value in test.items()} if isinstance(test, dict) else test
        for operator, test in condition.items()
    }
    return {**one, "Condition": tests}


def _as_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_texts(each) for each in value]
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _listed(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def _schema(name: str) -> dict[str, Any]:
    spec = find_spec("cfnlint")
    assert spec and spec.submodule_search_locations, "pyproject.toml names cfn-lint"
    folder = Path(spec.submodule_search_locations[0]) / "data/schemas/other/iam"
    text = (folder / f"{name}.json").read_text("utf-8")
    return json.loads(text.replace('"policy#/', '"#/'), object_hook=_with_neighbours)  # all in one


def _with_neighbours(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which what stands beside a reference counts, too, as it does to cfn-lint."""
    if isinstance(reference := schema.get("$ref"), str) and len(schema) > 1:
        others = {name: value for name, value in schema.items() if name != "$ref"}
        return {"allOf": [{"$ref": reference}, others]}
    return schema


@cache
def _document() -> Callable[[Any], Any]:
    schema = _schema("policy")
    return fastjsonschema.compile({**schema, "properties": {**schema["properties"], "Statement": {}}})


@cache
def _statement(kind: str) -> Callable[[Any], Any]:
    common, own = _schema("policy")["definitions"], _schema(f"policy_{kind}")["definitions"]
    of_kind = own.pop("Statement")
    definitions = {**common, **own, "AwsArn": {}}  # a rule of its own, which says what is wrong with it
    principal = {**common["Principal"], "additionalProperties": False}
    principal["properties"] = {**principal["properties"], "Service": {"$ref": "#/definitions/Services"}}
    texts = {"type": "string", "pattern": f"^{SERVICE}$"}
    definitions["Services"] = {"anyOf": [texts, {"type": "array", "minItems": 1, "items": texts}]}
    return fastjsonschema.compile({**of_kind, "definitions": {**definitions, "Principal": principal}})
