"""A pytest plugin that writes down what the handlers ask of AWS in their own tests (see record.py)."""

import json
import os
from pathlib import Path

import boto3
from botocore.exceptions import NoCredentialsError

import lib.resources.policies
from lib.base.call_ledger import CallLedger
from lib.resources.registry import call_names

FOLDER = Path(os.environ["RECORDED"])
fillings: dict[str, list[dict[str, str]]] = {}
_from_template = lib.resources.policies.from_template
_set_up = boto3.setup_default_session


def from_template(path, **values):
    """Fill a template in, and remember with what."""
    fillings.setdefault(str(path), []).append(values)
    return _from_template(path, **values)


def setup_default_session(**arguments):
    """Make the session of a handler, which is the only user of boto3's default one, and watch it."""
    _set_up(**arguments)
    try:
        user = boto3.DEFAULT_SESSION.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    except NoCredentialsError:  # a module is imported before there is anybody to be
        return
    ledger = CallLedger(FOLDER / f"{user.partition('-')[0]}-{os.getpid()}.jsonl")
    ledger.watch(boto3.DEFAULT_SESSION, call_names())


# Before tests/handlers/*.py import them by name: a plugin given by `-p` is loaded first.
lib.resources.policies.from_template = from_template
boto3.setup_default_session = setup_default_session


def pytest_sessionfinish():
    """Keep what the policies were filled in with."""
    (FOLDER / f"fillings-{os.getpid()}.json").write_text(json.dumps(fillings))
