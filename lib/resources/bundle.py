"""The zip of a Lambda: a handler's folder, `common` and its dependencies, the same bytes each time."""

import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from lib.base.errors import RunbookError
from lib.base.paths import ROOT, home
from lib.base.waits import Wait

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ZIPPED_BYTES = 50 * 2**20
MAX_UNZIPPED_BYTES = 250 * 2**20
PIP_TIMEOUT_S = 600
DIGEST_CHARACTERS = 16
DIGEST = re.compile(rb"[0-9a-f]{64}")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included
IN_THE_RUNTIME = {"boto3", "botocore", "s3transfer"}
# What pip writes about this installation, and commands nobody calls.
NOT_NEEDED = {"__pycache__", "bin", "RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".lock"}


class BundleError(RunbookError):
    """A Lambda's zip cannot be built, or Lambda would not take it."""


@dataclass(frozen=True)
class Runtime:
    """What runs a function; binary packages are chosen for it.

    Attributes:
        python_version: Such as "3.13".
        platforms: Wheel platforms that it takes; none means this very interpreter, as pip finds it.
    """

    python_version: str
    platforms: tuple[str, ...] = ()

    @property
    def pip_options(self) -> list[str]:
        """How pip is told."""
        if not self.platforms:
            return []
        platforms = [f"--platform={platform}" for platform in self.platforms]
        return ["--implementation=cp", f"--python-version={self.python_version}", *platforms]

    def __str__(self) -> str:
        platforms = self.platforms or (sysconfig.get_platform(),)
        return f"Python {self.python_version} on {', '.join(platforms)}"


# Amazon Linux 2023 has glibc 2.34; pip takes a platform's name literally, not as "and older".
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
LAMBDA = Runtime("3.13", ("manylinux_2_28_x86_64", "manylinux2014_x86_64"))
# The local AWS runs handlers with the interpreter that its environment is made from: this one.
THIS = Runtime(f"{sys.version_info.major}.{sys.version_info.minor}")


def bundle(handler: str, runtime: Runtime = LAMBDA, root: Path = ROOT) -> bytes:
    """Return the zip of a handler; its entry point is `handler.handler`.

    The same inputs give the same contents, by whose digest a function is up to date or not: another build of
    zlib may compress them otherwise. pip is called once for each set of requirements; what it installs is
    kept in `<home>/.cache/bundles`, and so is each handler's last zip.

    Args:
        handler: Name of a folder in `handlers/`.
        runtime: What will run it: LAMBDA, or THIS for the local AWS.
        root: Folder with `handlers/` and `requirements.txt`, which pins the versions.

    Returns:
        The zip file.

    Raises:
        BundleError: There is no such handler, pip failed, two files have one name, or the zip is too large.
    """
    folder = root / "handlers" / handler
    if not (folder / "handler.py").is_file():
        raise BundleError(f"No handler.py in {folder}")
    files = dict(_sources(folder, root / "handlers" / "common"))
    for name, path in _dependencies(folder, root / "requirements.txt", runtime):
        if name in files:
            raise BundleError(f"{handler}: {files[name]} hides {name} of a dependency; rename it")
        files[name] = path
    return _checked(handler, runtime, {name: path.read_bytes() for name, path in files.items()})


def _cache() -> Path:
    folder = home() / ".cache" / "bundles"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sources(folder: Path, common: Path) -> Iterator[tuple[str, Path]]:
    """Yield the handler's own files and those of `common`, by their names in the zip."""
    yield from ((path.name, path) for path in folder.glob("*.py"))
    yield from ((f"common/{path.name}", path) for path in common.glob("*.py"))


def _dependencies(folder: Path, constraints: Path, runtime: Runtime) -> Iterator[tuple[str, Path]]:
    """Yield the files of the handler's dependencies, by their names in the zip, installed if need be."""
    requirements = folder / "requirements.txt"
    if not requirements.exists():
        return
    inputs = [requirements.read_bytes(), constraints.read_bytes(), str(runtime).encode()]
    digest = hashlib.sha256(b"\0".join(inputs)).hexdigest()[:DIGEST_CHARACTERS]
    installed = _cache() / digest
    with FileLock(installed.with_suffix(".lock"), timeout=PIP_TIMEOUT_S):
        if not installed.exists():
            _install(requirements, constraints, runtime, installed)
    for path in installed.rglob("*"):
        parts = path.relative_to(installed).parts
        if path.is_file() and parts[0] not in IN_THE_RUNTIME and not NOT_NEEDED.intersection(parts):
            yield "/".join(parts), path


def _install(requirements: Path, constraints: Path, runtime: Runtime, target: Path) -> None:
    """Install requirements for a runtime into the folder, wholly or not at all."""
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a build that was killed
    with tempfile.TemporaryDirectory() as folder:
        pins, report = Path(folder, "pins.txt"), Path(folder, "report.json")
        pins.write_text(_without_hashes(constraints), "utf-8")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-compile"]
        command += ["--disable-pip-version-check", f"--target={partial}", f"--requirement={requirements}"]
        command += [f"--constraint={pins}", "--only-binary=:all:", f"--report={report}", *runtime.pip_options]
        try:
            with Wait(f"Install the packages of {requirements.parent.name}", timeout_s=PIP_TIMEOUT_S):
                result = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", timeout=PIP_TIMEOUT_S
                )
        except subprocess.TimeoutExpired as error:
            raise BundleError(
                f"pip had not installed {requirements} for {runtime} within {PIP_TIMEOUT_S} s. "
                "Check the network, then run again."
            ) from error
        if result.returncode:
            tail = "\n".join(result.stderr.splitlines()[-10:])
            raise BundleError(f"pip could not install {requirements} for {runtime}:\n{tail}")
        _require_hashes(json.loads(report.read_text("utf-8")), constraints)
    partial.mkdir(exist_ok=True)  # pip makes none for empty requirements
    partial.rename(target)


def _without_hashes(constraints: Path) -> str:
    """Return the pins alone: pip takes hashes only where each requirement names its version itself.

    https://pip.pypa.io/en/stable/topics/secure-installs/
    """
    lines = constraints.read_text("utf-8").splitlines()
    return "\n".join(line.removesuffix(" \\") for line in lines if not line.lstrip().startswith("--hash"))


def _require_hashes(report: dict, constraints: Path) -> None:
    """Refuse what was installed from another file than those that are pinned; a wheel runs nothing before."""
    known = set(HASH.findall(constraints.read_text("utf-8")))
    for installed in report["install"]:
        found = installed["download_info"]["archive_info"]["hashes"]["sha256"]
        if found not in known:
            raise BundleError(
                f"{installed['metadata']['name']}: its file has the SHA-256 {found}, which is none of "
                f"{constraints.name}; run `make requirements` if it was changed on purpose"
            )


def _checked(handler: str, runtime: Runtime, contents: dict[str, bytes]) -> bytes:
    """Return the zip, or raise if Lambda would not take it."""
    unzipped_bytes = sum(map(len, contents.values()))
    zipped = _zipped(f"{handler}-{runtime.python_version}", contents)
    if len(zipped) > MAX_ZIPPED_BYTES or unzipped_bytes > MAX_UNZIPPED_BYTES:
        raise BundleError(
            f"{handler}: {len(zipped):,} bytes zipped, {unzipped_bytes:,} unzipped; Lambda takes "
            f"{MAX_ZIPPED_BYTES:,} and {MAX_UNZIPPED_BYTES:,}. Drop requirements of handlers/{handler}. "
            "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
        )
    return zipped


def _zipped(what: str, contents: dict[str, bytes]) -> bytes:
    """Return the zip, the one that was kept if nothing has changed: DuckDB takes seconds to compress."""
    digest = _digest(contents)
    kept = _cache() / f"{what}-{digest[:DIGEST_CHARACTERS]}.zip"
    with suppress(FileNotFoundError):
        return kept.read_bytes()
    with Wait(f"Compress {what}"):
        zipped = _zip(contents, digest)
    for older in kept.parent.glob(f"{what}-{'?' * DIGEST_CHARACTERS}.zip"):
        older.unlink(missing_ok=True)
    with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".partial", delete=False) as staged:
        staged.write(zipped)
    Path(staged.name).replace(kept)
    return zipped


def _digest(contents: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(f"{len(name)} {name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()


def _zip(contents: dict[str, bytes], digest: str) -> bytes:
    """Return a zip whose bytes depend on nothing but names and contents, and on how zlib was built."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.comment = digest.encode()
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, also where it is built on another
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, compresslevel=6)
    return buffer.getvalue()


def contents_digest(zipped: bytes) -> str:
    """Return a digest of the names and contents in a zip, the same however they were compressed.

    Args:
        zipped: A zip, in whose comment `bundle` has put it; of another's it is computed, and of what is no
            zip it is that of its bytes.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(zipped))
    except zipfile.BadZipFile:
        return hashlib.sha256(zipped).hexdigest()
    if DIGEST.fullmatch(archive.comment):
        return archive.comment.decode()
    return _digest({name: archive.read(name) for name in archive.namelist()})
