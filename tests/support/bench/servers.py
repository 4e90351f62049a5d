"""A local AWS of a measurement's own, and handlers in this process that work on it."""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import boto3
import pytest
from support.handler_support import TARGET_REGION, load_handler
from support.homes import share_bundles
from support.servers import root

from lib.local import ministack
from lib.local.deployer import ROOT_KEY
from lib.local.ministack import LocalAws
from lib.target import lag_of

RUNBOOK = Path(sys.executable).with_name("runbook")


@contextmanager
def local_aws(latency_ms: float = 0) -> Iterator[tuple[LocalAws, pytest.MonkeyPatch]]:
    """A local AWS, each of whose calls takes so much longer; nothing is left of it.

    Yields:
        The server, and what sets variables until it ends: whatever makes clients here is root on it.
    """
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        share_bundles(Path(home))
        patch.setenv("RUNBOOK_HOME", home)
        try:
            server = ministack.start(lag=lag_of(False, None, None, latency_ms) if latency_ms else None)
            for name, value in {
                "AWS_ENDPOINT_URL": server.endpoint_url,
                "AWS_CA_BUNDLE": str(server.ca_bundle),
                "AWS_REGION": TARGET_REGION,
                "AWS_DEFAULT_REGION": TARGET_REGION,
                "AWS_ACCESS_KEY_ID": ROOT_KEY,
                "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            }.items():
                patch.setenv(name, value)
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            yield server, patch
        finally:
            ministack.reset()


def handler(name: str):
    """Return a handler's module, which logs to nowhere."""
    module = load_handler(name)
    module.logger.handlers[0].stream = io.StringIO()
    return module


def clients(server: LocalAws) -> Callable:
    """Return what makes root's clients: `client("s3", "us-west-1")`."""
    return lambda service, region=TARGET_REGION: root(server, service, region)


def quietly(command: list) -> None:
    """Run a command, and show what it wrote only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"{command} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )


def told(what: str) -> None:
    """Say how far it has come: a measurement takes minutes."""
    print(f"{datetime.now():%H:%M:%S} {what}", file=sys.stderr, flush=True)


def output(name: str) -> str:
    """Return an output of a pipeline, such as `migrate.source_bucket`."""
    done = subprocess.run([RUNBOOK, "output", name], check=True, capture_output=True, text=True)
    return done.stdout.strip()
