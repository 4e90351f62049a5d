"""What botocore knows of AWS: models of services, endpoints. Megabytes of JSON, read once by a process."""

import os

from botocore.loaders import Loader
from botocore.session import Session

from lib.base.aws_times import reading_times_at_once

MODELS = Loader()


def bare_session() -> Session:
    """Return a session that has read neither the caller's AWS configuration files nor AWS_PROFILE."""
    # Each: the configuration file's name for it, the environment's, the default, the conversion.
    no_file = (None, None, os.devnull, None)
    variables = {"profile": (None, None, None, None), "config_file": no_file, "credentials_file": no_file}
    session = Session(session_vars=variables)
    session.register_component("data_loader", MODELS)  # else each session reads them anew
    return reading_times_at_once(session)
