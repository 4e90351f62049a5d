"""A described stack as CloudFormation's templates, one a region."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from lib.base.errors import RunbookError
from lib.engine.infrastructure_as_code import FOLDER, SUFFIX, Exported
from lib.engine.infrastructure_as_code.declarations import (
    Code,
    Declaration,
    Document,
    Output,
    declarations,
)
from lib.engine.stack import Stack
from lib.resources.base import TAG_ENV, End, Scope

# What others want to know of an end of a pipeline.
OUTPUTS = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::SQS::Queue": "QueueUrl",
    "AWS::SNS::Topic": "TopicArn",
    "AWS::DynamoDB::Table": "TableName",
}
# Data is never deleted because a declaration is gone.
KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
DIGEST_CHARACTERS = 12  # of a code's digest in its file's name: other code has another name


def templates(stack: Stack) -> Exported:
    """Return a stack as templates, and the code of its functions beside them.

    They hold no account, and begin every name with parameters, so that they can be used for another
    environment. Each is for one region; they come in the order in which they depend on each other.

    Args:
        stack: As it is described; nothing of it needs to exist.

    Raises:
        RunbookError: If two regions need each other first.
    """
    found, without = declarations(stack.resources.values())
    regions = by_region(found)
    files: dict[str, bytes] = {}
    for region in in_order(regions):
        files[f"{region}{SUFFIX}"] = as_json(_template(stack, region, regions[region], found))
    return Exported(files | codes(found), without)


def by_region(found: Iterable[Declaration]) -> dict[str, list[Declaration]]:
    """Return declarations by the region that they are made in; what has no region is with whoever needs it.

    Args:
        found: All of a stack's.
    """
    found = list(found)
    regions: dict[str, list[Declaration]] = {}
    for one in found:
        users = (each.resource.region for each in found if one.resource.arn in each.needs)
        region = next(users, one.resource.region) if one.resource.is_global else one.resource.region
        regions.setdefault(region, []).append(one)
    return regions


def in_order(regions: dict[str, list[Declaration]]) -> list[str]:
    """Return the regions, each after those that it needs.

    Args:
        regions: Their declarations.

    Raises:
        RunbookError: If two need each other.
    """
    where = {one.resource.arn: region for region, found in regions.items() for one in found}
    needs = {
        region: {where[arn] for one in found for arn in one.needs if arn in where} - {region}
        for region, found in regions.items()
    }
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise RunbookError(
            f"{' and '.join(dict.fromkeys(error.args[1]))} need each other, so neither template can be the "
            "first; deploy this pipeline with `runbook run`"
        ) from error


def before(one: Declaration, found: Iterable[Declaration]) -> Iterator[Declaration]:
    """Yield those declarations that must be made before one.

    Args:
        one: It.
        found: Those to choose from.
    """
    yield from (each for each in found if each is not one and each.resource.arn in one.needs)


def codes(found: Iterable[Declaration]) -> dict[str, bytes]:
    """Return the functions' code: paths to zips.

    Args:
        found: The declarations.
    """
    values = (one.properties.get("Code") for one in found)
    return {f"{FOLDER}/{code_file(code)}": code.content for code in values if isinstance(code, Code)}


def code_file(code: Code) -> str:
    """Return the name of a code's file, which changes with the code.

    Args:
        code: The code.
    """
    return f"{code.function}-{hashlib.sha256(code.content).hexdigest()[:DIGEST_CHARACTERS]}.zip"


def words(text: str) -> list[str]:
    """Return the words of a name such as `dead-letters` or `StockData`.

    Args:
        text: The name.
    """
    return re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", text)


def logical_names(found: Iterable[Declaration]) -> dict[tuple[str, str], str]:
    """Return the declarations' names in a template, such as `DeadLettersQueuePolicy`, by their keys.

    Args:
        found: All of a stack's.

    Raises:
        RunbookError: If two have one name.
    """
    found = list(found)
    short = Counter(_logical_name(one) for one in found)
    names = {
        one.key: name if short[name := _logical_name(one)] == 1 else _logical_name(one, of_service=True)
        for one in found
    }
    if len(set(names.values())) < len(found):
        raise RunbookError(f"two resources have one name in a template: {', '.join(sorted(names.values()))}")
    return names


def _logical_name(one: Declaration, of_service: bool = False) -> str:
    _, service, kind = one.type.split("::")
    own = "".join(word[:1].upper() + word[1:] for word in words(one.resource.what))
    return f"{own}{service}{kind}" if of_service else own if own.endswith(kind) else f"{own}{kind}"


def parametrized(text: str, scope: Scope, account: str, prefix: str, env: str) -> str:
    """Return a text without its account, prefix and environment.

    Args:
        text: Such as an ARN.
        scope: Whose it is.
        account: What stands for the account.
        prefix: What stands for the prefix.
        env: What stands for the environment.
    """
    text = text.replace(scope.account_id, account)
    return re.sub(
        rf"(?<![A-Za-z0-9]){re.escape(scope.prefix)}([-_]){re.escape(scope.env)}(?=[-_])",
        lambda found: f"{prefix}{found[1]}{env}",
        text,
    )


def as_json(value: object) -> bytes:
    """Return JSON as a person reads it."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _template(stack: Stack, region: str, here: list[Declaration], found: list[Declaration]) -> dict:
    names = logical_names(found)
    resources = {}
    for one in here:
        mentioned = {names[each] for each in _mentioned(one.properties)}
        first = sorted({names[each.key] for each in before(one, here)} - mentioned)
        resources[names[one.key]] = {
            "Type": one.type,
            **({"DependsOn": first} if first else {}),
            **(KEPT if one.holds_data else {}),
            "Properties": _value(one.properties, stack.scope, names),
        }
    ends = [one for one in here if isinstance(one.resource, End) and one.type in OUTPUTS]
    parameters = {
        "Prefix": _parameter(stack.scope.prefix, "The first part of every name."),
        "Environment": _parameter(stack.scope.env, "The environment, the second part of every name."),
    }
    if any(isinstance(one.properties.get("Code"), Code) for one in here):
        parameters["CodeBucket"] = {
            "Type": "String",
            "Description": f"A bucket in {region} to which the files of {FOLDER}/ were copied.",
        }
        parameters["CodePrefix"] = {
            "Type": "String",
            "Default": "",
            "Description": "What their keys begin with there, such as runbook/.",
        }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{stack.scope.pipeline}: what of it is in {region}. Deploy it there.",
        "Parameters": {name: value for name, value in parameters.items() if _is_used(name, resources)},
        "Resources": resources,
        **({"Outputs": {names[o.key]: _output(o, names) for o in ends}} if ends else {}),
    }


def _parameter(default: str, description: str) -> dict[str, str]:
    grammar = {"AllowedPattern": "[a-z][a-z0-9]*"}
    return {"Type": "String", "Default": default, **grammar, "Description": description}


def _is_used(name: str, resources: dict) -> bool:
    text = json.dumps(resources)
    return f'{{"Ref": "{name}"}}' in text or f"${{{name}}}" in text


def _output(one: Declaration, names: dict) -> dict:
    what = f"{one.resource.noun} {one.resource.what}"
    return {"Description": what, "Value": _reference(Output(one.key, OUTPUTS[one.type]), names)}


def _reference(output: Output, names: dict) -> dict:
    """`Ref` gives what others name each of these by."""
    return {"Ref": names[output.of]}


def _mentioned(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Output):
        yield value.of
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _mentioned(each)


def _value(value: Any, scope: Scope, names: dict) -> Any:
    """Return a property as a template has it."""
    if isinstance(value, Output):
        return _reference(value, names)
    if isinstance(value, Document):
        return _value(value.value, scope, names)
    if isinstance(value, Code):
        return {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Fn::Sub": f"${{CodePrefix}}{code_file(value)}"}}
    if isinstance(value, dict):
        if value.get("Key") == TAG_ENV:
            return {"Key": TAG_ENV, "Value": {"Ref": "Environment"}}
        return {
            name: {"Ref": "Environment"} if name == TAG_ENV else _value(each, scope, names)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_value(each, scope, names) for each in value]
    return _text(value, scope) if isinstance(value, str) else value


def _text(text: str, scope: Scope) -> Any:
    if text == scope.account_id:
        return {"Ref": "AWS::AccountId"}
    literal = text.replace("${", "${!")
    changed = parametrized(literal, scope, "${AWS::AccountId}", "${Prefix}", "${Environment}")
    return text if changed == literal else {"Fn::Sub": changed}
