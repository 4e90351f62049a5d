"""Loading of handlers."""

import importlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import boto3

from lib.operate import facts

HANDLERS = Path(__file__).resolve().parents[2] / "handlers"
TARGET_REGION = "us-east-1"
# What handlers have asked of AWS, in whatever test, and do not name in their facts.yaml.
unnamed_calls: set[tuple[str, str]] = set()


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

    def client(*arguments, **options):
        made = boto3.client(*arguments, **options)
        made.meta.events.register_first("before-call", note)
        return made

    def resource(*arguments, **options):
        made = boto3.resource(*arguments, **options)
        made.meta.client.meta.events.register_first("before-call", note)
        return made

    module.handler = handler
    sys.modules["common.clients"].boto3 = SimpleNamespace(client=client, resource=resource)


def forget_handlers():
    """Drop the modules of all handlers, so that the next one does not get another one's."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{HANDLERS}{os.sep}"):
            del sys.modules[name]
