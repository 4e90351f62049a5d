"""Prints what of MiniStack is another object once it is corrected; runs in the server's environment."""

import importlib
import importlib.util
import json
import pkgutil
import sys
from types import ModuleType

import ministack


def everything() -> dict[str, object]:
    """Return what MiniStack's modules, classes and dictionaries hold, by the names that records use."""
    found: dict[str, object] = {}
    for module in [each for name, each in sys.modules.items() if name.partition(".")[0] == "ministack"]:
        for name, value in vars(module).items():
            found[f"{module.__name__}:{name}"] = value
            if isinstance(value, type) and value.__module__ == module.__name__:
                found |= {f"{module.__name__}:{name}.{each}": own for each, own in vars(value).items()}
            elif type(value) is dict and not name.startswith("__"):
                found |= {f"{module.__name__}:{name}[{key}]": own for key, own in value.items()}
    return found


def import_all(package: ModuleType) -> None:
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)


def main(config: str) -> None:
    """Print the names whose values are others after a server's configuration was read."""
    import_all(ministack)
    before = everything()  # which keeps the values, so that no other has the place of one in memory
    spec = importlib.util.spec_from_file_location("config", config)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    after = everything()
    print(json.dumps(sorted(name for name, value in after.items() if before.get(name) is not value)))


if __name__ == "__main__":
    main(sys.argv[1])
