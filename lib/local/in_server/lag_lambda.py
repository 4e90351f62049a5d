"""Lambda is late: mappings take their time, and roles are looked at as they are seen. See `lag.py`."""

import json
from collections.abc import Iterator

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import lambda_svc

from lib.local.in_server.lag import SECONDS, Names, now, wrapping
from lib.local.in_server.lag_iam import denied, is_assumed_by

SERVICE = "lambda.amazonaws.com"
RECEIVES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
names = Names()


def _refused(said: str) -> tuple:
    return error_response_json("InvalidParameterValueException", said, 400)


def _role_refused(role_arn: str) -> tuple | None:
    if not role_arn or is_assumed_by(role_arn, SERVICE):
        return None
    return _refused("The role defined for the function cannot be assumed by Lambda.")


@wrapping("ministack.services.lambda_svc:_create_function")
def create_function(asked: dict) -> tuple:
    """Create a function whose role is seen."""
    answer = _role_refused(asked.get("Role", "")) or create_function.original(asked)
    if answer[0] == 201:
        names.made(asked["FunctionName"])
    return answer


@wrapping("ministack.services.lambda_svc:_update_config")
def update_config(name: str, asked: dict) -> tuple:
    """Change a function; a new role must be seen."""
    return _role_refused(asked.get("Role", "")) or update_config.original(name, asked)


@wrapping("ministack.services.lambda_svc:_delete_function")
def delete_function(name: str, query_params: dict, *others: object) -> tuple:
    """Delete a function, of which lists still tell."""
    found = lambda_svc._functions.get(name)
    answer = delete_function.original(name, query_params, *others)
    if found and name not in lambda_svc._functions:
        names.gone(name, dict(found["config"]))
    return answer


@wrapping("ministack.services.lambda_svc:_list_functions")
def list_functions(query_params: dict) -> tuple:
    """List the functions of a while ago."""
    status, headers, body = list_functions.original(query_params)
    told = json.loads(body)
    told["Functions"] = [one for one in told["Functions"] if not names.hides(one["FunctionName"])]
    if "NextMarker" not in told:
        told["Functions"] += names.ghosts()
    return status, headers, json.dumps(told).encode()


def _role_of(function: str) -> str:
    name = function.split(":")[6] if function.startswith("arn:") else function
    return (lambda_svc._functions.get(name) or {"config": {}})["config"].get("Role", "")


@wrapping("ministack.services.lambda_svc:_put_event_invoke_config")
def put_event_invoke_config(name: str, qualifier: str | None, asked: dict) -> tuple:
    """Say what becomes of failures, if the function's role is seen to be allowed to."""
    destinations = asked.get("DestinationConfig", {}).values()
    for arn in (one["Destination"] for one in destinations if one.get("Destination")):
        service = arn.split(":")[2]
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(service)
        if action and (role := _role_of(name)) and denied(role, [action], arn, get_region()):
            return _refused(
                f"The destination ARN {arn} is invalid: the function's execution role does not have "
                f"permissions to call {action.partition(':')[2]} on it"
            )
    return put_event_invoke_config.original(name, qualifier, asked)


# What is being done to mappings, by their UUIDs: a state, and until when. Beside the records, which are
# saved: to a server that starts later, late or not, what was begun is done.
_being_changed: dict[str, tuple[str, float]] = {}
# How those are described that are being deleted, by account, region and UUID; the records are gone.
_being_deleted: dict[tuple[str, str, str], dict] = {}


def _begin(identifier: str, state: str) -> None:
    _being_changed[identifier] = state, now() + SECONDS["mapping"]


def _state(identifier: str) -> str:
    """Return what is being done to a mapping; empty if nothing is."""
    state, until = _being_changed.get(identifier, ("", 0))
    if state and until <= now():
        _being_changed.pop(identifier, None)
        return ""
    return state


def _deleting() -> list[dict]:
    """Return how the mappings of the caller's account and region are described that are being deleted."""
    for key in [key for key in list(_being_deleted) if not _state(key[2])]:
        _being_deleted.pop(key, None)
    here = (get_account_id(), get_region())
    return [described for key, described in list(_being_deleted.items()) if key[:2] == here]


@wrapping("ministack.services.lambda_svc:_esm_response")
def described(mapping: dict) -> dict:
    """Describe a mapping in the state in which it is seen."""
    state = _state(mapping["UUID"])
    return {**described.original(mapping), **({"State": state} if state else {})}


@wrapping("ministack.services.lambda_svc:_iter_all_esms")
def all_mappings() -> Iterator[tuple]:
    """Yield those mappings that are polled for: not one that is being created."""
    return (one for one in all_mappings.original() if _state(one[2]["UUID"]) != "Creating")


@wrapping("ministack.services.lambda_svc:_get_esm")
def get_mapping(identifier: str) -> tuple:
    """Describe a mapping, also one that is being deleted."""
    gone = next((one for one in _deleting() if one["UUID"] == identifier), None)
    return json_response(gone) if gone else get_mapping.original(identifier)


@wrapping("ministack.services.lambda_svc:_list_esms")
def list_mappings(query_params: dict) -> tuple:
    """List mappings, also those that are being deleted."""
    status, headers, body = list_mappings.original(query_params)
    told = json.loads(body)
    if "NextMarker" not in told:
        function, source = (
            lambda_svc._qp_first(query_params, name) for name in ("FunctionName", "EventSourceArn")
        )
        told["EventSourceMappings"] += [
            one
            for one in _deleting()
            if not function or _is_of(one, lambda_svc._resolve_request_scoped_name(function))
            if source in ("", one["EventSourceArn"])
        ]
    return status, headers, json.dumps(told).encode()


def _is_of(mapping: dict, function: str) -> bool:
    return mapping["FunctionArn"].split(":")[6] == function


def _in_use(identifier: str) -> tuple | None:
    state = _state(identifier)
    if not state:
        return None
    said = f"Cannot change the event source mapping {identifier}, which is {state}."
    return error_response_json("ResourceInUseException", said, 400)


@wrapping("ministack.services.lambda_svc:_create_esm")
def create_mapping(asked: dict) -> tuple:
    """Create a mapping, which polls a while later."""
    function, source = asked.get("FunctionName", ""), asked.get("EventSourceArn", "")
    name = function.split(":")[6] if function.startswith("arn:") else function
    for one in [*lambda_svc._esms.values(), *_deleting()]:
        if one["EventSourceArn"] == source and _is_of(one, name):
            said = (
                f'An event source mapping with event source arn (" {source} ") and function (" {name} ") '
                f"already exists. Please update or delete the existing mapping with UUID {one['UUID']}"
            )
            return error_response_json("ResourceConflictException", said, 409)
    role = _role_of(function)
    if role and ":sqs:" in source and (action := denied(role, RECEIVES, source, get_region())):
        return _refused(
            f"The provided execution role does not have permissions to call {action.partition(':')[2]} on SQS"
        )
    answer = create_mapping.original(asked)
    if answer[0] != 202:
        return answer
    identifier = json.loads(answer[2])["UUID"]
    _begin(identifier, "Creating")
    return _told_of(answer, identifier)


def _told_of(answer: tuple, identifier: str) -> tuple:
    return answer[0], answer[1], json.dumps(lambda_svc._esm_response(lambda_svc._esms[identifier])).encode()


@wrapping("ministack.services.lambda_svc:_update_esm")
def update_mapping(identifier: str, asked: dict) -> tuple:
    """Change a mapping that is not being changed."""
    if refused := _in_use(identifier):
        return refused
    answer = update_mapping.original(identifier, asked)
    if answer[0] not in (200, 202):
        return answer
    _begin(identifier, "Updating")
    return _told_of(answer, identifier)


@wrapping("ministack.services.lambda_svc:_delete_esm")
def delete_mapping(identifier: str) -> tuple:
    """Delete a mapping, which is there a while longer, but polls no more."""
    if refused := _in_use(identifier):
        return refused
    answer = delete_mapping.original(identifier)
    if answer[0] == 202:
        _being_deleted[get_account_id(), get_region(), identifier] = json.loads(answer[2])
        _begin(identifier, "Deleting")
    return answer
