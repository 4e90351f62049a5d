"""`runbook new pipeline`: what it writes is a pipeline that works, and it writes all of it or nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.homes import SHARED

from lib.base.errors import ParameterError, RunbookError
from lib.base.paths import ROOT
from lib.cli import new

NAME = "thumbs"
# What of a project is needed to work on it, and to test it.
PARTS = ("handlers", "lib", "notebooks", "params", "tests", "docs")
# A copy's `lib` is found before that of the project that is installed; kernels inherit it.
FIRST = """
import sys
sys.path.insert(0, {root!r})
try:
    import runbook_lib_first
    runbook_lib_first.install({lib!r})
finally:
    sys.path.remove({root!r})
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project, in which somebody works."""
    root = tmp_path_factory.mktemp("project")
    for part in PARTS:
        # With what Python has compiled: times and sizes are the same, so that nothing is compiled again.
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("*checkpoints"))
    for path in [*ROOT.glob("*.toml"), *ROOT.glob("*.txt"), *ROOT.glob("*.py"), *ROOT.glob("*.md")]:
        shutil.copy(path, root)
    (root / ".local-aws").symlink_to(ROOT / ".local-aws")  # no second one is installed, and nothing by pip
    SHARED.mkdir(parents=True, exist_ok=True)
    (root / ".cache").mkdir()
    (root / ".cache" / "tests").symlink_to(SHARED)
    (root / "first").mkdir()
    found = FIRST.format(root=str(root), lib=str(root / "lib"))
    (root / "first" / "sitecustomize.py").write_text(found, "utf-8")
    return root


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for part in PARTS
        for path in (root / part).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def run(root: Path, *command: str | Path) -> str:
    """What a command says in the copy; it must end well."""
    environment = os.environ | {"PYTHONPATH": str(root / "first"), "TQDM_DISABLE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def made(project) -> dict[str, bytes]:
    """What was there before; now there is a further pipeline."""
    before = files(project)
    said = run(project, BIN / "runbook", "new", "pipeline", NAME)
    assert f"wrote handlers/{NAME}/derive.py\n" in said
    assert f"runbook run {NAME}" in said
    return before


def test_it_touches_twelve_files_of_which_eleven_are_its_own(project, made):
    after = files(project)
    changed = {path for path in made if made[path] != after[path]}
    assert changed == {"docs/parameters.md"}
    assert len(after.keys() - made.keys()) == 11
    assert all(NAME in path for path in after.keys() - made.keys())


def test_what_it_writes_is_as_the_rules_of_the_house_have_it(project, made):
    own = [path for path in files(project).keys() - made.keys() if path.endswith((".py", ".ipynb"))]
    run(project, BIN / "ruff", "check", "--no-cache", *own)
    run(project, BIN / "ruff", "format", "--check", "--no-cache", *own)
    typed = [
        f"handlers/{NAME}",
        "handlers/common",
    ]  # as `make types` does
    kept = f"--cache-dir={SHARED / 'mypy'}"
    run(project, "env", f"MYPYPATH=handlers/{NAME}:handlers", BIN / "mypy", kept, *typed)


TESTS = (
    "tests/test_layout.py tests/operate/test_facts.py tests/handlers/test_facts.py tests/permissions "
    f"tests/parameters/test_document.py tests/handlers/test_{NAME}.py tests/notebooks/test_further.py"
)
# What is of the pipeline, and what is of all at once; but not the outputs, which nobody has recorded yet.
CHOSEN = f"({NAME} or further or up_to_date or every_handler or names_no_handler or rhyme or same_keys)"
OUTPUTS = "outputs_are_committed"


def test_it_works_from_its_notebook_to_its_end(project, made):
    """Its own tests, and those of everybody which know of it: on a local AWS of its own."""
    options = ["-q", "-p", "no:cacheprovider", "-k", f"{CHOSEN} and not {OUTPUTS}"]
    said = run(project, sys.executable, "-m", "pytest", *options, *TESTS.split())
    assert "skipped" not in said


def test_a_second_one_of_its_name_is_refused_and_changes_nothing(project, made):
    before = files(project)
    with pytest.raises(ParameterError, match=f"there is handlers/{NAME}; nothing was written"):
        new.write_pipeline(NAME, project)
    assert files(project) == before


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "lower-case letters"),
        ("Photos", "lower-case letters"),
        ("my-photos", "lower-case letters"),
        ("my_photos", "lower-case letters"),
        ("../photos", "lower-case letters"),
        ("7photos", "lower-case letters"),
        ("x", "two or more lower-case letters"),
        ("photós", "lower-case letters"),
        ("photos\n", "lower-case letters"),
        ("photosofallofus", "15 characters"),
        ("class", "word of Python's"),
        ("match", "word of Python's"),
        ("print", "word of Python's"),
        ("index", "there is handlers/index"),
        ("migrate", "there is a parameter of that name"),
        ("env", "there is a parameter of that name"),
        ("scope", "there is a parameter of that name"),
        ("replicate", "there is handlers/replicate"),
        ("common", "there is handlers/common"),
        ("ast", "would hide a module"),
        ("boto3", "would hide a module"),
        ("pandas", "would hide a module"),
        ("samples", "would hide a module"),
        ("destroy", "there is notebooks/90_destroy.ipynb"),
        ("checklist", "uses it for something else"),
        ("queue", "would hide a module"),
        ("uploads", "uses it for something else"),
    ],
)
def test_what_can_be_no_name_is_refused_before_anything_is_written(name, why):
    with pytest.raises(ParameterError, match=f"cannot be a pipeline's name: .*{why}.*; nothing was written"):
        new.write_pipeline(name)


def test_what_is_there_is_not_overwritten_and_nothing_is_half_written(project):
    mine = project / "tests" / "handlers" / "test_photos.py"
    mine.write_text("# mine\n")
    before = files(project)
    with pytest.raises(
        RunbookError, match="there already: tests/handlers/test_photos.py; nothing was written"
    ):
        new.write_pipeline("photos", project)
    assert files(project) == before
    mine.unlink()


def test_if_one_file_cannot_be_written_the_others_are_removed_again(project):
    (project / "notebooks" / "samples" / "photos").write_text("a file where a folder is to be")
    before = files(project)
    with pytest.raises(RunbookError, match="removed again"):
        new.write_pipeline("photos", project)
    assert files(project) == before
    assert not (project / "handlers" / "photos").exists()
    (project / "notebooks" / "samples" / "photos").unlink()


def test_if_its_section_does_not_fit_nothing_is_left(project, monkeypatch):
    before = files(project)
    monkeypatch.setattr(new, "_document", lambda root: (_ for _ in ()).throw(RunbookError("no")))
    with pytest.raises(RunbookError, match="no"):
        new.write_pipeline("photos", project)
    assert files(project) == before


def test_every_number_of_a_notebook_is_taken_once(project):
    names = [f"{number}_x{number}.ipynb" for number in new.NUMBERS]
    there = [project / "notebooks" / name for name in names]
    for path in there:
        path.write_text('{"cells": []}')
    try:
        with pytest.raises(RunbookError, match="notebooks 51 to 59 are all there"):
            new.write_pipeline("photos", project)
    finally:
        for path in there:
            path.unlink()
