"""What of MiniStack is replaced: the records, by name. Imports nothing of MiniStack."""

import os
from importlib import import_module
from pkgutil import iter_modules

from lib.local.in_server.correction import WITHOUT, Correction

CORRECTIONS: dict[str, Correction] = {}
for _module in iter_modules(__path__):
    for _value in vars(import_module(f"{__name__}.{_module.name}")).values():
        if isinstance(_value, Correction):
            if _value.name in CORRECTIONS:
                raise ValueError(f"Two corrections have the name {_value.name}.")
            CORRECTIONS[_value.name] = _value
if (_asked := os.environ.get(WITHOUT)) and _asked not in CORRECTIONS:
    raise ValueError(f"{WITHOUT}={_asked}: there is no such correction; see `runbook local corrections`.")
