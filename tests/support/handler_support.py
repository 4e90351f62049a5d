"""Loading of handlers."""

import importlib
import os
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import boto3
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from lib.base.paths import ROOT
from lib.operate import facts

HANDLERS = Path(__file__).resolve().parents[2] / "handlers"
TARGET_REGION = "us-east-1"
# What handlers have asked of AWS, in whatever test, and do not name in their facts.yaml.
unnamed_calls: set[tuple[str, str]] = set()
# What they have asked and could not with the boto3 that Lambda's runtime has.
beyond_the_runtime: set[tuple[str, str]] = set()
# The services' models of a boto3 older than any that came with Python 3.13 on Lambda: `make tools`.
RUNTIME_MODELS = sorted((ROOT / ".cache" / "old-tools").glob("lib/python3*/site-packages/botocore/data"))
# What is sent only if an answer had it, which an older boto3 does not tell of.
ECHOED = {"ChecksumType"}


def load_handler(name):
    """Import handlers/<name>/handler.py as its zip would: its own folder and `common` at the top."""
    forget_handlers()
    sys.path[:0] = [str(HANDLERS / name), str(HANDLERS)]
    try:
        module = importlib.import_module("handler")
    finally:
        del sys.path[:2]
    _note_unnamed_calls(module, facts.of(name))
    return module


def _note_unnamed_calls(module, said):
    """Have what a handler asks while it handles an event held against what it says that it asks.

    What a test itself asks by the handler's clients is not looked at.
    """
    named = {call for calls in said.calls.values() for call in calls} | set(said.uncounted)
    handle, handling = module.handler, []

    def handler(event, context):
        handling.append(event)
        try:
            return handle(event, context)
        finally:
            handling.pop()

    def note(model, **_):
        call = f"{model.service_model.service_name}:{model.name}"
        if handling and call not in named:
            unnamed_calls.add((said.name, call))

    def check(params, model, **_):
        if handling and (problem := runtime_problem(model.service_model.service_name, model.name, params)):
            beyond_the_runtime.add((said.name, problem))

    def watch(events):
        events.register_first("before-call", note)
        events.register_last("before-parameter-build", check)

    def client(*arguments, **options):
        made = boto3.client(*arguments, **options)
        watch(made.meta.events)
        return made

    def resource(*arguments, **options):
        made = boto3.resource(*arguments, **options)
        watch(made.meta.client.meta.events)
        return made

    module.handler = handler
    sys.modules["common.clients"].boto3 = SimpleNamespace(client=client, resource=resource)


@cache
def _runtimes_model(service):
    loader = Loader(extra_search_paths=[str(RUNTIME_MODELS[0])], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


def runtime_problem(service, operation, params):
    """Why an older boto3 would refuse a call; empty if it would not, or if there is none here."""
    if not RUNTIME_MODELS:
        return ""
    model = _runtimes_model(service)
    if operation not in model.operation_names:
        return f"{service}:{operation}"
    given = {name: value for name, value in params.items() if name not in ECHOED}
    report = ParamValidator().validate(given, model.operation_model(operation).input_shape)
    return f"{service}:{operation}: {report.generate_report()}" if report.has_errors() else ""


def forget_handlers():
    """Drop the modules of all handlers, so that the next one does not get another one's."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{HANDLERS}{os.sep}"):
            del sys.modules[name]
