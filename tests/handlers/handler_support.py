"""Loading of handlers."""

import importlib
import os
import sys
from pathlib import Path

HANDLERS = Path(__file__).resolve().parents[2] / "handlers"
TARGET_REGION = "us-east-1"


def load_handler(name):
    """Import handlers/<name>/handler.py as its zip would: its own folder and `common` at the top."""
    forget_handlers()
    sys.path[:0] = [str(HANDLERS / name), str(HANDLERS)]
    try:
        return importlib.import_module("handler")
    finally:
        del sys.path[:2]


def forget_handlers():
    """Drop the modules of all handlers, so that the next one does not get another one's."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(f"{HANDLERS}{os.sep}"):
            del sys.modules[name]
