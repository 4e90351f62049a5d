"""Classes and models of botocore's clients: the tests make one for a service, botocore for each client."""

from botocore.client import ClientCreator
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.model import ServiceModel
from botocore.utils import EVENT_ALIASES

from lib.base.aws_models import NAMES

_class = ClientCreator._create_client_class
_model = ClientCreator._load_service_model
_begin = EventAliaser.__init__
_classes: dict[tuple, type] = {}
_models: dict[tuple, ServiceModel] = {}


def share() -> None:
    """Let all clients of a service have the same class and the same model from now on.

    A class is another one where other functions add methods to it, as those of boto3's sessions do; a model
    where it is read from another folder. Nobody changes either. Names of events are looked up once for all
    sessions, too, as `lib.base.aws_models` does for those of its own.
    """
    EventAliaser.__init__ = _begin_with_names
    ClientCreator._create_client_class = _shared_class
    ClientCreator._load_service_model = _shared_model


def _shared_class(self: ClientCreator, service_name: str, service_model: ServiceModel) -> type:
    event = f"creating-client-class.{service_model.service_id.hyphenize()}"
    adding = self._event_emitter._emitter._handlers.prefix_search(event)
    names = tuple(f"{each.__module__}.{each.__qualname__}" for each in adding)
    key = (service_name, service_model.api_version, names)
    if key not in _classes:
        _classes[key] = _class(self, service_name, service_model)
    return _classes[key]


def _shared_model(self: ClientCreator, service_name: str, api_version: str | None = None) -> ServiceModel:
    key = (service_name, api_version, *self._loader.search_paths)
    if key not in _models:
        _models[key] = _model(self, service_name, api_version)
    return _models[key]


def _begin_with_names(self: EventAliaser, emitter: HierarchicalEmitter, aliases: dict | None = None) -> None:
    _begin(self, emitter, aliases)
    if self._event_aliases == EVENT_ALIASES:
        self._alias_name_cache = NAMES
