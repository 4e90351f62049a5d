"""How hypercorn serves MiniStack in a soak test: as always, and with faults."""

import importlib.util
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]
for _path in (
    _ROOT / "lib" / "local" / "hypercorn_config.py",
    Path(__file__).with_name("faults_in_server.py"),
):
    _spec = importlib.util.spec_from_file_location(_path.stem, _path)
    _module = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    # hypercorn reads its settings from here.
    globals().update({name: value for name, value in vars(_module).items() if not name.startswith("_")})
