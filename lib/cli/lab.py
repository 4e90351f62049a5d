"""JupyterLab as the runbook opens it: the whole project, beginning with the first notebook."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.base.frames import STATIC
from lib.base.paths import ROOT

FIRST = "notebooks/00_start.ipynb"
SETTINGS = Path(__file__).with_name("lab_settings")
EXTENSIONS = Path(__file__).with_name("labextensions")


def command(further: Sequence[str] = ()) -> list[str]:
    """Return the command that starts JupyterLab.

    Args:
        further: Its own arguments, which win over ours.
    """
    import itables  # its bundle alone is needed, and it imports much

    tables = Path(itables.__file__).with_name("html")
    ours = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        # No question whether one wants news, and no plugin of JupySQL, which this JupyterLab cannot load.
        f"--LabApp.app_settings_dir={SETTINGS}",
        # Colours %%sql, as that plugin would, and lets pictures be enlarged.
        f"--LabApp.extra_labextensions_path={EXTENSIONS}",
        # By which the form for parameters writes their cell and runs others: docs/decisions/0043.
        "--LabApp.expose_app_in_browser=True",
        # What tables are sorted and searched with, at /static/.
        f"--ServerApp.extra_static_paths={[str(STATIC), str(tables)]}",
    ]
    given = {argument.partition("=")[0] for argument in further}
    kept = [argument for argument in ours if argument.partition("=")[0] not in given]  # each is taken once
    return [sys.executable, "-m", "jupyterlab", *kept, *further]


def environment() -> dict[str, str]:
    """Return the variables that JupyterLab is started with: its terminals and kernels find what we are."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    return {
        **os.environ,
        "JUPYTER_PREFER_ENV_PATH": "1",  # this environment's kernel before one of the user's
        "PATH": path if own in path.split(os.pathsep) else os.pathsep.join([own, path]),
    }
