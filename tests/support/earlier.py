"""Deploys pipelines by the code of an earlier commit; a program of its own, since that code is `lib`, too.

    python earlier.py FOLDER ENV NAME…

FOLDER is a checkout of the commit. The local AWS that runs is used as it is, whoever started it; functions
get code that does nothing.
"""

import io
import json
import sys
import zipfile
from dataclasses import fields
from pathlib import Path


def main(folder: Path, env: str, names: list[str]) -> None:
    """Deploy pipelines."""
    # What finds today's lib before any other.
    sys.meta_path[:] = [one for one in sys.meta_path if type(one).__module__ != "runbook_lib_first"]
    sys.path.insert(0, str(folder))
    from lib.local import ministack

    assert Path(ministack.__file__).is_relative_to(folder)
    known = {each.name for each in fields(ministack.LocalAws)}

    def running(*_: object, **__: object) -> ministack.LocalAws:
        """The server that runs, though its code is another version's."""
        (file,) = {*Path(folder.parent, "home").glob(".local-aws/state/server.json")}
        facts = {name: value for name, value in json.loads(file.read_text("utf-8")).items() if name in known}
        return ministack.LocalAws(**facts, **({"state": file.parent} if "state" in known else {}))

    ministack.start = ministack.status = running
    for name in names:
        (path,) = folder.glob(f"notebooks/[0-9][0-9]_{name}.ipynb")
        deploy(path, env)


def deploy(path: Path, env: str) -> None:
    """Run the cells of a notebook that describe and apply its stack, and record its outputs."""
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    names: dict = {"display": lambda *_: None, "__name__": "notebook"}
    for cell in cells:
        lines = "".join(cell["source"]).splitlines()
        source = "\n".join("" if line.startswith("%") else line for line in lines)
        exec(compile(source, path.name, "exec"), names)  # noqa: S102
        if "parameters" in cell["metadata"].get("tags", []):
            names |= {"env": env, "exercise": False}
        if "bundle" in names:
            names["bundle"] = lambda *_: code()
        if "record_outputs" in source:
            return


def code() -> bytes:
    """Return a zip with a function that does nothing."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("handler.py", "def handler(event, context): pass")
    return archive.getvalue()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
