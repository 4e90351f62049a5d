"""Differences that are known, and were acknowledged: with a reason and a date, which each later audit shows.

A file that can never be stored would keep its pipeline's audit red for ever, and hide the next one. What was
acknowledged is of the object as it was then: once it is another one, or gone, it is judged anew. It is kept
beside the environment's lock, so that everybody's audits know it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from lib.base import told
from lib.base.errors import ParameterError
from lib.engine.lock import Lock, locked
from lib.operate.pipelines import deployed
from lib.parameters import Parameters
from lib.s3.objects import Place
from lib.target import Target


@dataclass(frozen=True)
class Acknowledged:
    """A difference that somebody has taken note of.

    Attributes:
        etag: The object's in the source; empty if there was none.
        reason: Why nothing is to be done about it.
        at: When it was acknowledged, UTC, ISO 8601.
        by: The ARN of who did.
    """

    etag: str
    reason: str
    at: str
    by: str

    def __str__(self) -> str:
        return f"acknowledged {self.at} by {self.by}: {self.reason}"


def acknowledge(target: Target, parameters: Parameters, name: str, key: str, reason: str) -> Acknowledged:
    """Take note that a key differs, and that nothing is to be done about it; replaces what was said before.

    Args:
        target: The AWS to work on.
        parameters: Of the environment.
        name: The pipeline's.
        key: The object's.
        reason: Why.

    Returns:
        What was written.

    Raises:
        ParameterError: If there is no reason.
        NotDeployedError: If the pipeline is not deployed.
        LockError: If somebody else works on the environment.
    """
    if not reason.strip():
        raise ParameterError("--reason: say why nothing is to be done about it; nothing was written")
    source = Place.of(target, deployed(target, parameters, name).source_bucket)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    new = Acknowledged(_etag(source, key), reason.strip(), at, target.caller)
    with locked(target, parameters, is_run=False) as lock:
        _write(lock, name, {**_read(lock, name), key: new})
        told.note("acknowledged", pipeline=name, key=key, reason=new.reason)
    return new


def withdraw(target: Target, parameters: Parameters, name: str, key: str) -> None:
    """Take back what was said of a key.

    Args:
        target: The AWS to work on.
        parameters: Of the environment.
        name: The pipeline's.
        key: The object's.

    Raises:
        ParameterError: If nothing was.
        LockError: If somebody else works on the environment.
    """
    with locked(target, parameters, is_run=False) as lock:
        known = _read(lock, name)
        if known.pop(key, None) is None:
            raise ParameterError(f"{name}: {key!r} was not acknowledged; nothing was written")
        _write(lock, name, known)
        told.note("withdrawn", pipeline=name, key=key)


def known(target: Target, parameters: Parameters, name: str) -> dict[str, Acknowledged]:
    """Return what was acknowledged of a pipeline, whether it still is as it was then or not.

    Args:
        target: The AWS to look at.
        parameters: Of the environment.
        name: The pipeline's.
    """
    return _read(Lock(target, parameters), name)


def in_force(source: Place, acknowledged: Mapping[str, Acknowledged]) -> dict[str, Acknowledged]:
    """Return those of which the object is the same still.

    Args:
        source: Where the objects are.
        acknowledged: Keys to what was said of them.
    """
    return {key: one for key, one in acknowledged.items() if _etag(source, key) == one.etag}


def _etag(source: Place, key: str) -> str:
    return (source.head(key) or {}).get("ETag", "").strip('"')


def _read(lock: Lock, name: str) -> dict[str, Acknowledged]:
    text = lock.kept(_key(name)) or "{}"
    return {key: Acknowledged(**said) for key, said in json.loads(text).items()}


def _write(lock: Lock, name: str, acknowledged: Mapping[str, Acknowledged]) -> None:
    content = {key: asdict(one) for key, one in sorted(acknowledged.items())}
    lock.keep(_key(name), json.dumps(content, indent=1, ensure_ascii=False))


def _key(name: str) -> str:
    return f"acknowledged/{name}.json"
