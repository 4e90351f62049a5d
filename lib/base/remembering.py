"""Clients that ask AWS the same question once, for one look at much of what exists."""

from copy import deepcopy
from typing import Any

from botocore.client import BaseClient

READS = ("List", "Get", "Describe", "Head")


def remembering(client: BaseClient) -> BaseClient:
    """Return a client that gives the answer it has to what it has read before; all else it asks as the other.

    It does not learn of what others write, or it itself: it is for a look, in which nothing is written. An
    error is no answer, and is asked for again.

    Args:
        client: Any; it stays as it is.
    """
    known: dict[tuple[str, str], Any] = {}
    one = object.__new__(
        type(client)
    )  # copy() would ask the new one for methods before it has its attributes
    vars(one).update(vars(client))

    def call(operation: str, arguments: dict[str, Any]) -> Any:
        ask = client._make_api_call
        is_streamed = client.meta.service_model.operation_model(operation).has_streaming_output
        if not operation.startswith(READS) or is_streamed:
            return ask(operation, arguments)
        question = (operation, repr(sorted(arguments.items())))
        if question not in known:
            known[question] = ask(operation, arguments)
        return deepcopy(known[question])  # whoever gets it may change it

    one._make_api_call = call  # through it go all methods, and the pages of paginators
    return one
