"""Pipelines as they are deployed: where the account says something else than the parameters."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lib.resources.s3 import notifications_of
from lib.target import Target

if TYPE_CHECKING:
    from lib.operate.pipelines import Pipeline

CREATED, REMOVED = "s3:ObjectCreated:", "s3:ObjectRemoved:"


def at_odds(target: Target, pipeline: "Pipeline") -> tuple[str, ...]:
    """Compare what a pipeline's functions and its source's notifications say with what the parameters say.

    What is not there is not compared: whether a pipeline is whole is another question.

    Args:
        target: The AWS to look at.
        pipeline: As the parameters describe it.

    Returns:
        What contradicts the parameters, one sentence each: another destination, other keys, deletes followed
        or not, versions erased or not.

    Raises:
        ClientError: If AWS refuses a call.
    """
    return (*_of_functions(target, pipeline), *_of_notifications(target, pipeline))


def _of_functions(target: Target, pipeline: "Pipeline") -> Iterator[str]:
    for function in pipeline.functions:
        client = target.client("lambda", function.region)
        try:
            found = client.get_function_configuration(FunctionName=function.name)
        except client.exceptions.ResourceNotFoundException:
            continue
        variables = found.get("Environment", {}).get("Variables", {})
        for name, value in function.variables.items():
            if variables.get(name, "") != value:
                yield f"{function.name} has {name}={variables.get(name, '')!r}, not {value!r}"


def _of_notifications(target: Target, pipeline: "Pipeline") -> Iterator[str]:
    client = target.client("s3", pipeline.source.region)
    try:
        found = notifications_of(client, pipeline.source)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
        return
    created = [each for each in found if any(event.startswith(CREATED) for event in each["events"])]
    if not created:
        return
    expected = {name: value for name, value in pipeline.notified.items() if value}
    for each in created:
        if each["filter"] != expected:
            told, wanted = _words(each["filter"]), _words(expected)
            yield f"{pipeline.source} tells of keys with {told}, not with {wanted}"
    follows = any(event.startswith(REMOVED) for each in found for event in each["events"])
    if follows and pipeline.removed is None:
        yield f"{pipeline.source} tells of deletes, which the pipeline is not to follow"
    elif pipeline.removed is not None and not follows:
        yield f"{pipeline.source} does not tell of deletes, which the pipeline is to follow"


def _words(rules: dict[str, str]) -> str:
    return " and ".join(f"{name} {value!r}" for name, value in sorted(rules.items())) or "any name"
