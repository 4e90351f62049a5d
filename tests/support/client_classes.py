"""Classes of botocore's clients: the tests make one for each service, and botocore one for each client."""

from botocore.client import ClientCreator
from botocore.model import ServiceModel

_make = ClientCreator._create_client_class
_made: dict[tuple, type] = {}


def share() -> None:
    """Let clients of a service have the same class from now on, if the same functions add methods to it."""
    ClientCreator._create_client_class = _shared


def _shared(self: ClientCreator, service_name: str, service_model: ServiceModel) -> type:
    event = f"creating-client-class.{service_model.service_id.hyphenize()}"
    adding = self._event_emitter._emitter._handlers.prefix_search(event)  # boto3's sessions have more of them
    names = tuple(f"{each.__module__}.{each.__qualname__}" for each in adding)
    key = (service_name, service_model.api_version, names)
    if key not in _made:
        _made[key] = _make(self, service_name, service_model)
    return _made[key]
