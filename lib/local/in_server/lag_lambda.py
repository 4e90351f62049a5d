"""Lambda is late: mappings take their time, and roles are looked at as they are seen. See `lag.py`."""

import json
from collections.abc import Callable
from contextlib import suppress

from ministack.core.responses import error_response_json, get_region
from ministack.services import lambda_svc

from lib.local.in_server.lag import SECONDS, Names, now, wrapping
from lib.local.in_server.lag_iam import denied, is_assumed_by

SERVICE = "lambda.amazonaws.com"
RECEIVES = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
CHANGING = ("Creating", "Updating", "Deleting", "Enabling", "Disabling")
TO_BE_ENABLED = "LagEnabled"  # of a mapping that is being created
names = Names()
_to_come: list[tuple[float, Callable[[], None]]] = []


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


def _later(what: Callable[[], None]) -> None:
    _to_come.append((now() + SECONDS["mapping"], what))


def _do_what_is_due() -> None:
    """Do what was to be done by now; whoever looks at a mapping, or polls for one, does so first."""
    due = [one for one in _to_come if one[0] <= now()]
    for one in due:
        with suppress(ValueError):  # another thread was faster
            _to_come.remove(one)
            one[1]()


@wrapping("ministack.services.lambda_svc:_poll_sqs")
def poll_sqs() -> bool:
    """Poll for those mappings that are not being changed any more."""
    _do_what_is_due()
    return poll_sqs.original()


@wrapping("ministack.services.lambda_svc:_get_esm")
def get_mapping(identifier: str) -> tuple:
    """Describe a mapping."""
    _do_what_is_due()
    return get_mapping.original(identifier)


@wrapping("ministack.services.lambda_svc:_list_esms")
def list_mappings(query_params: dict) -> tuple:
    """List mappings."""
    _do_what_is_due()
    return list_mappings.original(query_params)


def _in_use(mapping: dict | None) -> tuple | None:
    _do_what_is_due()
    if not mapping or mapping["State"] not in CHANGING:
        return None
    said = f"Cannot change the event source mapping {mapping['UUID']}, which is {mapping['State']}."
    return error_response_json("ResourceInUseException", said, 400)


@wrapping("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved, and end what the last server would have ended."""
    load.original()
    for key, mapping in list(lambda_svc._esms._data.items()):
        if mapping["State"] == "Deleting":
            del lambda_svc._esms._data[key]
        elif mapping["State"] in CHANGING:
            _settle(mapping)


def _settle(mapping: dict) -> None:
    mapping["Enabled"] = mapping.pop(TO_BE_ENABLED, mapping["Enabled"])
    mapping["State"] = "Enabled" if mapping["Enabled"] else "Disabled"


@wrapping("ministack.services.lambda_svc:_create_esm")
def create_mapping(asked: dict) -> tuple:
    """Create a mapping, which polls a while later."""
    _do_what_is_due()
    function, source = asked.get("FunctionName", ""), asked.get("EventSourceArn", "")
    name = function.split(":")[6] if function.startswith("arn:") else function
    for one in list(lambda_svc._esms.values()):
        if (one["EventSourceArn"], one["FunctionName"]) == (source, name):
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
    if answer[0] == 202:
        mapping = lambda_svc._esms[json.loads(answer[2])["UUID"]]
        mapping[TO_BE_ENABLED] = mapping["Enabled"]
        mapping |= {"State": "Creating", "Enabled": False}
        _later(lambda: _settle(mapping) if mapping["State"] == "Creating" else None)
        return answer[0], answer[1], json.dumps(_described(mapping)).encode()
    return answer


def _described(mapping: dict) -> dict:
    return {name: value for name, value in lambda_svc._esm_response(mapping).items() if name != TO_BE_ENABLED}


@wrapping("ministack.services.lambda_svc:_update_esm")
def update_mapping(identifier: str, asked: dict) -> tuple:
    """Change a mapping that is not being changed."""
    mapping = lambda_svc._esms.get(identifier)
    if refused := _in_use(mapping):
        return refused
    answer = update_mapping.original(identifier, asked)
    if answer[0] in (200, 202) and mapping:
        mapping["State"] = "Updating"
        _later(lambda: _settle(mapping) if mapping["State"] == "Updating" else None)
        return answer[0], answer[1], json.dumps(_described(mapping)).encode()
    return answer


@wrapping("ministack.services.lambda_svc:_delete_esm")
def delete_mapping(identifier: str) -> tuple:
    """Delete a mapping, which is there a while longer, but polls no more."""
    mapping = lambda_svc._esms.get(identifier)
    if mapping is None:
        return delete_mapping.original(identifier)
    if refused := _in_use(mapping):
        return refused
    mapping |= {"State": "Deleting", "Enabled": False}
    holder = lambda_svc._esms._data
    key = next(key for key, one in list(holder.items()) if one is mapping)

    def end() -> None:
        holder.pop(key, None)
        lambda_svc._release_esm_poll_state(identifier)

    _later(end)
    status, headers, _ = error_response_json("", "", 202)
    return status, headers, json.dumps(_described(mapping)).encode()
