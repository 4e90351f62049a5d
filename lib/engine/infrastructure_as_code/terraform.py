"""A described stack as Terraform's configuration, with what exists to be imported.

The provider `awscc` is made from CloudFormation's own types, so what a template says is said once more in its
spelling: https://registry.terraform.io/providers/hashicorp/awscc/latest/docs
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from lib.engine.infrastructure_as_code import FILE, FOLDER, IMPORTS, Exported
from lib.engine.infrastructure_as_code.cloudformation import (
    as_json,
    before,
    code_file,
    codes,
    logical_names,
    parametrized,
)
from lib.engine.infrastructure_as_code.declarations import (
    Code,
    Declaration,
    Document,
    Map,
    NoEqual,
    Output,
    Properties,
    declarations,
)
from lib.engine.stack import Stack
from lib.resources.base import TAG_ENV, End, Scope

ACCOUNT = "${data.aws_caller_identity.current.account_id}"
PREFIX, ENVIRONMENT = "${var.prefix}", "${var.environment}"
# Nothing identifies a queue's or a topic's policy, to import it by; these are known by what they are of.
INLINE = {
    "AWS::SQS::QueuePolicy": ("AWS::SQS::QueueInlinePolicy", "Queues", "Queue"),
    "AWS::SNS::TopicPolicy": ("AWS::SNS::TopicInlinePolicy", "Topics", "TopicArn"),
}
# What awscc does not have, as of version 1.96: the provider `aws` does, in its own words.
OF_AWS = {"AWS::Glue::Table": "aws_glue_catalog_table", "AWS::Glue::Classifier": "aws_glue_classifier"}


def configuration(stack: Stack) -> Exported:
    """Return a stack as Terraform JSON, and the code of its functions beside it.

    What exists of it in the account is imported, so that Terraform takes it over as it is.

    Args:
        stack: As it is described.
    """
    found, without = declarations(stack.resources.values())
    names = {key: attribute(name) for key, name in logical_names(found).items()}
    regions = sorted({one.resource.region for one in found})
    resources: dict[str, dict[str, dict]] = {}
    imports = []
    for one in found:
        kind = _type(one)
        resources.setdefault(kind, {})[names[one.key]] = _resource(one, found, stack.scope, names)
        identifier, reason = _identifier(stack, one)
        if identifier:
            imports.append({"to": f"{kind}.{names[one.key]}", "id": identifier})
        elif reason:
            without.append(NoEqual(str(one.resource), reason))
    for region in regions:
        here = [one for one in found if one.resource.region == region]
        for path in codes(here):
            resources.setdefault("aws_s3_object", {})[_object(path)] = {
                "provider": f"aws.{_alias(region)}",
                "bucket": f"${{var.code_buckets[{json.dumps(region)}]}}",
                "key": f"${{var.code_prefix}}{path.removeprefix(f'{FOLDER}/')}",
                "source": f"${{path.module}}/{path}",
            }
    data = {
        "terraform": {
            "required_version": ">= 1.5",
            "required_providers": {
                "aws": {"source": "hashicorp/aws", "version": ">= 5.0"},
                "awscc": {"source": "hashicorp/awscc", "version": ">= 1.96"},
            },
        },
        "provider": {
            kind: [{"alias": _alias(region), "region": region} for region in regions]
            for kind in ("aws", "awscc")
        },
        "variable": _variables(stack.scope, found),
        "data": {"aws_caller_identity": {"current": {"provider": f"aws.{_alias(regions[0])}"}}},
        "resource": resources,
        "output": {
            names[one.key]: {"value": f"${{{_type(one)}.{names[one.key]}.id}}"}
            for one in found
            if isinstance(one.resource, End) and not one.type.endswith("Policy")
        },
    }
    files = {FILE: as_json(data)} | ({IMPORTS: as_json({"import": imports})} if imports else {})
    return Exported(files | codes(found), without)


def attribute(name: str) -> str:
    """Return what the provider calls a property, such as `kms_master_key_id` for `KMSMasterKeyID`.

    Its rule, with one replacement, is told by its tests:
    https://github.com/hashicorp/terraform-provider-awscc/blob/main/internal/naming/naming_test.go

    Args:
        name: As CloudFormation has it.
    """
    parts = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3_\2\4", name)
    return parts.lower().replace("cloud_watch", "cloudwatch")


def _variables(scope: Scope, found: list[Declaration]) -> dict[str, dict]:
    variables: dict[str, dict] = {
        "prefix": {"type": "string", "default": scope.prefix, "description": "The first part of every name."},
        "environment": {
            "type": "string",
            "default": scope.env,
            "description": "The environment, the second part of every name.",
        },
    }
    if codes(found):
        variables["code_buckets"] = {
            "type": "map(string)",
            "description": f"A bucket for the files of {FOLDER}/ in each region with functions.",
        }
        variables["code_prefix"] = {
            "type": "string",
            "default": "",
            "description": "What their keys begin with there.",
        }
    return variables


def _type(one: Declaration) -> str:
    return OF_AWS.get(one.type) or _type_of(one.type)


def _type_of(type_name: str) -> str:
    """Return what the provider calls a type, such as `awscc_dynamodb_table` for `AWS::DynamoDB::Table`."""
    _, service, kind = INLINE.get(type_name, (type_name,))[0].split("::")
    return f"awscc_{service.lower()}_{attribute(kind)}"


def _alias(region: str) -> str:
    return region.replace("-", "_")


def _object(path: str) -> str:
    return re.sub(r"\W", "_", path.removeprefix(f"{FOLDER}/").rsplit("-", 1)[0])


def _resource(one: Declaration, found: list[Declaration], scope: Scope, names: dict) -> dict[str, Any]:
    provider, _ = _type(one).split("_", 1)
    first = [f"{_type(each)}.{names[each.key]}" for each in before(one, found)]
    code = one.properties.get("Code")
    if isinstance(code, Code):
        first.append(f"aws_s3_object.{_object(f'{FOLDER}/{code_file(code)}')}")
    properties = _properties(one)
    values = {attribute(name): _value(value, one, scope, names) for name, value in properties.items()}
    return {
        "provider": f"{provider}.{_alias(one.resource.region)}",
        **values,
        **({"depends_on": sorted(first)} if first else {}),
        **({"lifecycle": {"prevent_destroy": True}} if one.holds_data else {}),
    }


def _properties(one: Declaration) -> Properties:
    """Return the properties as the type has them that stands for it."""
    if one.type in INLINE:
        _, several, single = INLINE[one.type]
        (target,) = one.properties[several]
        return {single: target, "PolicyDocument": one.properties["PolicyDocument"]}
    if one.type == "AWS::Glue::Classifier":
        csv = dict(one.properties["CsvClassifier"])
        return {"Name": csv.pop("Name"), "CsvClassifier": csv}
    return _catalog_table(one.properties) if one.type == "AWS::Glue::Table" else one.properties


def _catalog_table(properties: Properties) -> Properties:
    storage = properties["TableInput"]["StorageDescriptor"]
    serde = {**storage["SerdeInfo"], "Parameters": Map(storage["SerdeInfo"]["Parameters"].value)}
    return {
        "CatalogId": properties["CatalogId"],
        "DatabaseName": properties["DatabaseName"],
        **properties["TableInput"],
        "Parameters": Map(properties["TableInput"]["Parameters"].value),
        "StorageDescriptor": {
            **{name: value for name, value in storage.items() if name != "SerdeInfo"},
            "SerDeInfo": serde,
        },
    }


def _value(value: Any, one: Declaration, scope: Scope, names: dict) -> Any:
    """Return a property as Terraform has it."""
    if isinstance(value, Output):
        return f"${{{_type_of(value.of[0])}.{names[value.of]}.{attribute(value.name)}}}"
    if isinstance(value, Code):
        region = json.dumps(one.resource.region)
        file = f"aws_s3_object.{_object(f'{FOLDER}/{code_file(value)}')}"
        return {"s3_bucket": f"${{var.code_buckets[{region}]}}", "s3_key": f"${{{file}.key}}"}
    if isinstance(value, Document):
        return json.dumps(_texts(value.value, scope), ensure_ascii=False)
    if isinstance(value, Map):
        return _texts(value, scope)
    if isinstance(value, dict):
        if value.get("Key") == TAG_ENV:
            return {"key": TAG_ENV, "value": ENVIRONMENT}
        return {attribute(name): _value(each, one, scope, names) for name, each in value.items()}
    if isinstance(value, list):
        return [_value(each, one, scope, names) for each in value]
    return _text(value, scope) if isinstance(value, str) else value


def _texts(value: Any, scope: Scope) -> Any:
    if isinstance(value, dict):
        return {name: ENVIRONMENT if name == TAG_ENV else _texts(each, scope) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each, scope) for each in value]
    return _text(value, scope) if isinstance(value, str) else value


def _text(text: str, scope: Scope) -> str:
    literal = text.replace("${", "$${").replace("%{", "%%{")
    return parametrized(literal, scope, ACCOUNT, PREFIX, ENVIRONMENT)


def _identifier(stack: Stack, one: Declaration) -> tuple[str, str]:
    """Return by what one is imported, empty if it does not exist; and why it cannot be, if so."""
    resource = one.resource
    client = stack.client(resource)
    try:
        if resource.read(client) is None:
            return "", ""
    except ClientError as error:
        return "", f"it may not be looked at, so it is not imported: {error.response['Error']['Code']}"
    if one.identifier is not None:
        return one.identifier, ""
    asked = list(_asked(stack, one))
    return (asked[0], "") if asked else ("", "its identifier was not found: import it by hand")


def _asked(stack: Stack, one: Declaration) -> Iterator[str]:
    """Yield what the account says identifies a resource: a queue's URL, a mapping's UUID."""
    resource = one.resource
    for found in resource.find(stack.client(resource), stack.scope):
        if found.arn == resource.arn:
            yield found.identifier
