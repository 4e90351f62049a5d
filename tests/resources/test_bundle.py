import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
import zipfile
from pathlib import Path

import pytest

from lib.base.paths import ROOT
from lib.resources import bundle as bundle_module
from lib.resources.bundle import LAMBDA, THIS, BundleError, Runtime, bundle, contents_digest

RUNTIME = ["boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six.py"]


@pytest.fixture(scope="module")
def zipped():
    return bundle("replicate", THIS)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one handler that needs nothing."""
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    for name in ("handlers/one/handler.py", "handlers/common/__init__.py", "requirements.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return tmp_path


def names(zipped):
    return zipfile.ZipFile(io.BytesIO(zipped)).namelist()


def test_contents(zipped):
    assert {"handler.py", "common/events.py", "aws_lambda_powertools/__init__.py"} <= set(names(zipped))
    assert names(zipped) == sorted(names(zipped))


@pytest.mark.parametrize("part", ["boto3/", "botocore/", "__pycache__", "bin/", "/RECORD", "policy", ".lock"])
def test_nothing_that_does_not_belong(zipped, part):
    assert not [name for name in names(zipped) if part in f"/{name}"]


def test_two_builds_are_equal(zipped, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    other = bundle("replicate", THIS)
    assert hashlib.sha256(other).digest() == hashlib.sha256(zipped).digest()


def rezipped(zipped: bytes, comment: bytes = b"", **changed: bytes) -> bytes:
    """The same contents as another zlib would compress them, here not at all."""
    buffer, archive = io.BytesIO(), zipfile.ZipFile(io.BytesIO(zipped))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as other:
        other.comment = comment
        for name in archive.namelist():
            other.writestr(name, changed.get(name.removesuffix(".py"), archive.read(name)))
    return buffer.getvalue()


def test_what_is_in_it_has_a_digest_however_it_was_compressed(zipped):
    other = rezipped(zipped)
    assert other != zipped
    assert contents_digest(other) == contents_digest(zipped)
    assert contents_digest(rezipped(zipped, handler=b"pass")) != contents_digest(zipped)
    assert contents_digest(b"no zip") == hashlib.sha256(b"no zip").hexdigest()


def test_the_second_build_does_without_pip(zipped, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent")
    assert bundle("replicate", THIS) == zipped


@pytest.mark.parametrize("handler", ["replicate", "summarize"])
def test_it_imports_with_nothing_but_itself_and_the_runtime(handler, tmp_path):
    zipfile.ZipFile(io.BytesIO(bundle(handler, THIS))).extractall(tmp_path / "task")
    (tmp_path / "runtime").mkdir()
    installed = Path(sysconfig.get_path("purelib"))
    for package in RUNTIME:
        (tmp_path / "runtime" / package).symlink_to(installed / package)
    program = (
        f"import sys; from pathlib import Path; task = Path({str(tmp_path / 'task')!r})\n"
        f"sys.path[:0] = [{str(tmp_path / 'task')!r}, {str(tmp_path / 'runtime')!r}]\n"
        "import handler; print(callable(handler.handler), handler.__file__)\n"
        "if (task / 'duckdb').exists(): import duckdb; assert duckdb.__file__.startswith(str(task))"
    )
    environment = {"POWERTOOLS_METRICS_NAMESPACE": "test", "POWERTOOLS_SERVICE_NAME": "test"}
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert result.stdout.split() == ["True", str(tmp_path / "task" / "handler.py")], result.stderr


def test_lambda_gets_the_binaries_of_its_own_runtime():
    built = names(bundle("summarize", LAMBDA))  # or BundleError: Lambda would not take it
    binaries = {name for name in built if name.endswith(".so")}
    assert any(name.startswith("_duckdb.") for name in binaries)
    assert all("cpython-313-x86_64-linux-gnu" in name or "abi3" in name for name in binaries)


def test_runtimes_do_not_share_what_pip_installed(project):
    (project / "handlers/one/requirements.txt").write_text("# nothing\n")
    for runtime in (LAMBDA, THIS, Runtime("3.12", ("manylinux2014_x86_64",))):
        bundle("one", runtime, root=project)
    cached = [path for path in (project / "home/.cache/bundles").iterdir() if path.is_dir()]
    assert len(cached) == 3


def kept(project):
    return [path for path in (project / "home/.cache/bundles").iterdir() if path.suffix == ".zip"]


def test_the_last_zip_is_kept_and_no_older_one(project, monkeypatch):
    source = project / "handlers/one/handler.py"
    first = bundle("one", root=project)
    source.write_text("x = 1")
    second = bundle("one", root=project)
    assert [path.read_bytes() for path in kept(project)] == [second]
    with monkeypatch.context() as patch:
        patch.setattr(bundle_module, "_zip", None)
        assert bundle("one", root=project) == second
    source.write_text("")
    assert bundle("one", root=project) == first


def test_each_handler_and_each_runtime_has_a_zip_of_its_own(project):
    shutil.copytree(project / "handlers/one", project / "handlers/one-2")
    for handler in ("one", "one-2"):
        for runtime in (Runtime("3.12"), Runtime("3.13")):
            bundle(handler, runtime, root=project)
    assert len(kept(project)) == 4


def test_a_name_and_a_content_are_told_apart(project):
    source = project / "handlers/one"
    (source / "a.py").write_text("b.py")
    one = bundle("one", root=project)
    (source / "a.py").write_text("")
    (source / "b.py").write_text("")
    assert bundle("one", root=project) != one


def test_without_requirements(project):
    assert names(bundle("one", root=project)) == ["common/__init__.py", "handler.py"]


def test_file_times_and_modes_do_not_matter(project):
    before = bundle("one", root=project)
    source = project / "handlers/one/handler.py"
    os.utime(source, (0, 0))
    source.chmod(0o600)
    assert bundle("one", root=project) == before
    source.write_text("x = 1")
    assert bundle("one", root=project) != before


def test_an_unknown_handler(project):
    with pytest.raises(BundleError, match=r"No handler\.py in .*handlers/two"):
        bundle("two", root=project)


def test_what_pip_says_is_told_and_nothing_is_kept(project):
    (project / "handlers/one/requirements.txt").write_text("./no-such-folder")
    with pytest.raises(BundleError, match=r"(?s)pip could not install .*no-such-folder"):
        bundle("one", root=project)
    suffixes = [path.suffix for path in (project / "home/.cache/bundles").iterdir()]
    assert [suffix for suffix in suffixes if suffix not in (".lock", ".partial")] == []


def test_a_killed_build_is_done_again(project):
    (project / "handlers/one/requirements.txt").write_text("# nothing\n")
    bundle("one", root=project)
    (installed,) = [path for path in (project / "home/.cache/bundles").iterdir() if path.is_dir()]
    installed.rename(installed.with_suffix(".partial"))
    (installed.with_suffix(".partial") / "half.py").write_text("")
    assert "half.py" not in names(bundle("one", root=project))


def test_two_builders_at_once(project, zipped):
    (project / "handlers/one/requirements.txt").write_text("# nothing\n")
    built = []
    threads = [threading.Thread(target=lambda: built.append(bundle("one", root=project))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 3
    assert len(set(built)) == 1


@pytest.mark.parametrize("limit", ["MAX_ZIPPED_BYTES", "MAX_UNZIPPED_BYTES"])
def test_too_large(project, monkeypatch, limit):
    monkeypatch.setattr(bundle_module, limit, 10)
    (project / "handlers/one/handler.py").write_text("x = 'more than ten bytes'")
    with pytest.raises(BundleError, match="gettingstarted-limits"):
        bundle("one", root=project)


def test_a_file_that_is_not_pinned_is_refused_and_not_kept(project):
    pinned = re.search(r"^jmespath==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[0]
    (project / "handlers/one/requirements.txt").write_text("jmespath")
    (project / "requirements.txt").write_text(f"{pinned} \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(BundleError, match=r"jmespath: its file has the SHA-256 \w{64}, which is none of"):
        bundle("one", THIS, project)
    folder = project / "home" / ".cache" / "bundles"
    assert not [path for path in folder.iterdir() if path.is_dir() and not path.suffix]


def test_a_pip_that_does_not_end_is_told(project, monkeypatch):
    monkeypatch.setattr("lib.resources.bundle.PIP_TIMEOUT_S", 0.01)
    (project / "handlers/one/requirements.txt").write_text("jmespath")
    with pytest.raises(BundleError, match=r"pip had not installed .* within 0\.01 s"):
        bundle("one", root=project)
