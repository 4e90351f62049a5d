"""Takes back what a killed MiniStack has half written.

Executed before MiniStack reads its folder; `corrections/saving.py` says why.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lib.local.in_server.corrections.saving import TORN_OBJECTS

SIDECAR = ".meta.json"  # MiniStack stores keys that end so under other names
VERSIONS = ".versions"  # the bytes of versions that are not the current one


def take_back(folder: Path) -> None:
    """Undo every write that has left bytes which nothing describes yet.

    Args:
        folder: MiniStack's S3_DATA_DIR: a folder for each account, in it one for each bucket.
    """
    for account in folder.glob("[0-9]" * 12):
        for path in _files(account):
            sidecar = path.with_name(path.name + SIDECAR)
            if not sidecar.exists():
                path.unlink()
            elif path.stat().st_mtime_ns > sidecar.stat().st_mtime_ns:
                _put_back(folder / VERSIONS / account.name, path.relative_to(account), path, sidecar)


def _files(account: Path) -> Iterator[Path]:
    for path in account.rglob("*"):
        if path.is_file() and not path.name.endswith(SIDECAR):
            yield path


def _put_back(versions: Path, bucket_and_key: Path, path: Path, sidecar: Path) -> None:
    """Put the bytes back that the sidecar speaks of; a bucket without versioning has kept none."""
    version_id = json.loads(sidecar.read_text("utf-8")).get("version_id")
    bucket, key = bucket_and_key.parts[0], Path(*bucket_and_key.parts[1:])
    kept = versions / bucket / str(version_id) / key
    if kept.exists():
        staged = path.with_name(path.name + ".tmp")
        shutil.copy2(kept, staged)
        staged.replace(path)


if TORN_OBJECTS.is_applied:
    take_back(Path(os.environ["S3_DATA_DIR"]))
