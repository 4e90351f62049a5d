"""Pipelines as they are deployed: where the account says something else than the parameters."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from lib.parameters.sections import Expected
from lib.resources.base import SOURCE, TAG_ROLE, Resource
from lib.s3.selection import KeyFilter

if TYPE_CHECKING:
    from lib.operate.pipelines import Pipeline


def at_odds(pipeline: "Pipeline", expected: Expected | None) -> tuple[str, ...]:
    """Compare what a pipeline's functions and its source's notifications say with what the parameters say.

    What is not there is not compared: whether a pipeline is whole is another question.

    Args:
        pipeline: As it was found in the account.
        expected: What it is by its parameters; None if it has none.

    Returns:
        What contradicts the parameters, one sentence each: another destination, other keys, deletes followed
        or not, versions erased or not; and, whatever the parameters are, that the source tells of nothing.
    """
    if pipeline.source and not pipeline.filters:
        return (f"{pipeline.source} tells nobody of objects that are written",)
    if expected is None:
        return ()
    found = (_of_ends, _of_functions, _of_notifications)
    return tuple(sentence for look in found for sentence in look(pipeline, expected))


def tells_of(variables: Mapping[str, str], resource: Resource) -> bool:
    """Return whether a function's variables name something: by its name, its ARN or its URL.

    Args:
        variables: The function's environment.
        resource: What.
    """
    name = resource.name  # somebody else's bucket may be called as others end
    return any(value == name or value.endswith((f":{name}", f"/{name}")) for value in variables.values())


def _of_ends(pipeline: "Pipeline", expected: Expected) -> Iterator[str]:
    if pipeline.source is None:
        yield f"no bucket of it is tagged {TAG_ROLE}={SOURCE}"
    regions = (expected.source_region, expected.destination_region)
    ends = (pipeline.source, pipeline.destination)
    for end, region in zip(ends, regions, strict=True):
        if end and end.region != region:
            yield f"{end} is not in {region}"
        if end and end.is_made and end.account_id != (account := end.scope.account_of(end.what)):
            yield f"{end} is not in account {account}"
        named = end and end.scope.adoption(end.what)
        if end and named and end.name != named.name:
            yield f"it works on {end}, not on {named.name!r}"
        elif end and not named and not end.is_made:
            yield f"it works on {end}, and not on one that the runbook makes"


def _of_functions(pipeline: "Pipeline", expected: Expected) -> Iterator[str]:
    for name, value in expected.variables.items():
        having = [function for function in pipeline.functions if name in function.variables]
        for function in having:
            if function.variables[name] != value:
                yield f"{function.name} has {name}={function.variables[name]!r}, not {value!r}"
        if pipeline.functions and value and not having:
            yield f"no function has {name}={value!r}"
    destination = pipeline.destination
    told = [each for each in pipeline.functions if destination and tells_of(each.variables, destination)]
    if destination and pipeline.functions and not told:
        yield f"no function is told to write to {destination}"


def _of_notifications(pipeline: "Pipeline", expected: Expected) -> Iterator[str]:
    if pipeline.source is None:
        return
    wanted = [KeyFilter(expected.prefix, suffix) for suffix in expected.suffixes]
    others = [each for each in pipeline.filters if each not in wanted]
    missing = [each for each in wanted if each not in pipeline.filters]
    if others:
        yield f"{pipeline.source} tells of keys with {_named(others)}, not with {_named(missing or wanted)}"
    elif missing:
        yield f"{pipeline.source} does not tell of keys with {_named(missing)}"
    if pipeline.follows_deletes and not expected.follows_deletes:
        yield f"{pipeline.source} tells of deletes, which the pipeline is not to follow"
    elif expected.follows_deletes and not pipeline.follows_deletes:
        yield f"{pipeline.source} does not tell of deletes, which the pipeline is to follow"


def _named(filters: Iterable[KeyFilter]) -> str:
    return " or ".join(map(_words, filters))


def _words(keys: KeyFilter) -> str:
    parts = {"prefix": keys.prefix, "suffix": keys.suffix}
    return " and ".join(f"{name} {value!r}" for name, value in parts.items() if value) or "any name"
