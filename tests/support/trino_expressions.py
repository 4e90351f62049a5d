"""What Trino gives: trino_expressions.yaml."""

import math
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from lib.base import yaml_file

PAGES = yaml_file.read(Path(__file__).with_name("trino_expressions.yaml"))


def shown(value):
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case float() if math.isnan(value):
            return "NaN"
        case Decimal():
            return format(value, "f")
        case datetime() if value.microsecond:
            return value.isoformat(" ", "milliseconds" if value.microsecond % 1000 == 0 else "microseconds")
    return str(value)
