"""What botocore knows of AWS: models, endpoints, names of events. Read and made once by a process."""

import os
from copy import copy
from typing import Any

from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.loaders import Loader
from botocore.session import Session

from lib.base.aws_times import reading_times_at_once

MODELS = Loader()
NAMES: dict[str, str] = {}  # of events, as they were named once, to those they have: the same for everybody


class Events(EventAliaser):
    """The events of a session's clients, each of which has a copy of them.

    botocore's own looks each name up among 170 old ones, again in each copy: half of what it takes to make a
    client, and a tenth of its first calls.
    """

    def __init__(self, emitter: HierarchicalEmitter) -> None:
        super().__init__(emitter)
        self._alias_name_cache = NAMES

    def __copy__(self) -> "Events":
        return type(self)(copy(self._emitter))


def new_session(**settings: Any) -> Session:
    """Return a session as botocore makes it, whose clients have `Events` and read times at once.

    Args:
        settings: As for `botocore.session.Session`.
    """
    emitter = HierarchicalEmitter()
    session = Session(event_hooks=emitter, **settings)
    session.register_component("event_emitter", Events(emitter))
    return reading_times_at_once(session)


def bare_session() -> Session:
    """Return a session that has read neither the caller's AWS configuration files nor AWS_PROFILE."""
    # Each: the configuration file's name for it, the environment's, the default, the conversion.
    no_file = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": no_file, "credentials_file": no_file}
    session = new_session(session_vars=variables)
    session.register_component("data_loader", MODELS)  # else each session reads them anew
    return session
