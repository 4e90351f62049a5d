"""Invoking a function by hand, and waiting for its answer."""

import json

from lib.base.errors import RunbookError


def invoke(client, function: str, payload: dict) -> dict:
    """Invoke a function and wait for its answer.

    Args:
        client: A Lambda client of the function's region.
        function: Its name.
        payload: The event.

    Returns:
        What the function returned.

    Raises:
        RunbookError: If the function failed; it says how.
    """
    answer = client.invoke(FunctionName=function, Payload=json.dumps(payload))
    returned = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise RunbookError(
            f"function {function} failed: {returned.get('errorType')}: {returned.get('errorMessage')}"
        )
    return returned
