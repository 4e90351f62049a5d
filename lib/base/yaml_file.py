"""YAML files of our own, read by libyaml where PyYAML has it: in a tenth of the time."""

from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path) -> Any:
    """Return what a file says, plain values alone.

    Args:
        path: The file, in UTF-8.

    Raises:
        yaml.YAMLError: It is no YAML.
    """
    return yaml.load(path.read_text("utf-8"), LOADER)
