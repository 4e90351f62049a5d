"""Differences that are known, and were acknowledged: with a reason and a date, which each later audit shows.

A file that can never be stored would keep its pipeline's audit red for ever, and hide the next one. What was
acknowledged is the difference as it was then: its state, and what both sides held, by what the audit sees of
it. Once any of that is other, it is judged anew, since that is another loss than the one somebody looked at.
It is kept beside the environment's lock, so that everybody's audits know it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from lib.base import told
from lib.base.errors import ParameterError
from lib.base.own_fault import Fault, or_fault
from lib.engine.lock import Lock, locked
from lib.operate.audits.comparisons import comparison, why_not
from lib.operate.audits.findings import SAME, UNJUDGED, Finding
from lib.operate.pipelines import Pipeline, deployed
from lib.parameters import Parameters
from lib.resources.s3 import Bucket
from lib.s3.objects import Place
from lib.target import Target

MOST_KEY_BYTES = 1024  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
NOTHING_WRITTEN = "nothing was written"


@dataclass(frozen=True)
class Acknowledged:
    """A difference that somebody has taken note of.

    Attributes:
        reason: Why nothing is to be done about it.
        at: When it was acknowledged, UTC, ISO 8601.
        by: The ARN of who did.
        state: The finding's, such as `missing`; empty in what an earlier version wrote, which did not say.
        detail: What the finding said of it.
        held: What both sides held, as the finding has it.
    """

    reason: str
    at: str
    by: str
    state: str = ""
    detail: str = ""
    held: str = ""

    def __str__(self) -> str:
        return f"acknowledged {self.at} by {self.by}: {self.reason}"

    def why_anew(self, finding: Finding) -> str:
        """Return why this says nothing of a finding; empty if it was said of just this difference.

        Args:
            finding: Of the same key.
        """
        if not self.state:
            return "judged anew, since an earlier version wrote that without saying how it differed"
        if (self.state, self.detail, self.held) == (finding.state, finding.detail, finding.held):
            return ""
        was = " – ".join(filter(None, (self.state, self.detail)))
        is_alike = (self.state, self.detail) == (finding.state, finding.detail)
        return f"judged anew, since it was {was}{', of other contents,' if is_alike else ''} then"


def acknowledge(target: Target, parameters: Parameters, name: str, key: str, reason: str) -> Acknowledged:
    """Take note that a key differs, and that nothing is to be done about it; replaces what was said before.

    The key is judged first, as an audit would do now.

    Args:
        target: The AWS to work on.
        parameters: Of the environment; `audit` says how closely to look.
        name: The pipeline's.
        key: The object's, as an audit names it.
        reason: Why.

    Returns:
        What was written.

    Raises:
        ParameterError: If there is no reason; if no object can have that key; if there is no such pipeline,
            or none that can be audited; or if the key does not differ now.
        NotDeployedError: If the pipeline is not deployed.
        LockError: If somebody else works on the environment.
    """
    if not reason.strip():
        raise ParameterError(f"--reason: say why nothing is to be done about it; {NOTHING_WRITTEN}")
    _require_text("--reason", reason)
    _require_text("KEY", key)
    if not 0 < len(key.encode()) <= MOST_KEY_BYTES:
        found = "it is empty" if not key else f"it has {len(key.encode()):,} bytes"
        raise ParameterError(
            f"KEY: an object's key has 1 to {MOST_KEY_BYTES:,} bytes; {found}; {NOTHING_WRITTEN}"
        )
    finding = _difference(target, parameters, deployed(target, parameters, name), key)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    new = Acknowledged(reason.strip(), at, target.caller, finding.state, finding.detail, finding.held)
    with locked(target, parameters, is_run=False) as lock:
        _write(lock, name, {**_read(lock, name), key: new})
        told.note("acknowledged", pipeline=name, key=key, state=new.state, reason=new.reason)
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
            raise ParameterError(f"{name}: {key!r} was not acknowledged; {NOTHING_WRITTEN}")
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


def _difference(target: Target, parameters: Parameters, pipeline: Pipeline, key: str) -> Finding:
    """Return how a key differs now.

    Raises:
        ParameterError: If it does not.
    """
    if why := why_not(pipeline):
        raise ParameterError(f"{pipeline.name}: no audit judges it: {why}; {NOTHING_WRITTEN}")
    what = f"{pipeline.name}: {key!r}"
    # One key is looked at, for which no report of S3 Inventory is needed, however many there are.
    settings = parameters.audit.model_copy(update={"objects": 1, "inventory_above": 1})
    how = comparison(target, parameters.model_copy(update={"audit": settings}), pipeline)
    found = or_fault(how.look)(key) if how.tells_of(key) else Finding(key, SAME)
    if isinstance(found, Fault):
        raise ParameterError(
            f"{what} cannot be judged: {found.reason}. Only differences are acknowledged; {NOTHING_WRITTEN}"
        )
    if found.key != key:
        raise ParameterError(f"{what}: an audit names it as {found.key!r}; {NOTHING_WRITTEN}")
    if found.state not in (SAME, UNJUDGED) and not found.by_design:
        return found
    raise ParameterError(f"{what} {_why_none(target, pipeline, found, how.tells_of(key))}; {NOTHING_WRITTEN}")


def _why_none(target: Target, pipeline: Pipeline, found: Finding, is_told: bool) -> str:
    """Return why there is nothing to acknowledge of a key."""
    ends = [end for end in (pipeline.source_bucket, pipeline.destination) if isinstance(end, Bucket)]
    nothing = "there is nothing to acknowledge"
    if not any(Place.of(target, end).head(found.key) for end in ends):
        return f"is not there: no such object in {' or '.join(dict.fromkeys(map(str, ends)))}; {nothing}"
    if not is_told:
        return f"is none of those objects that the pipeline is told of; {nothing}"
    if found.state == UNJUDGED:
        return f"is not judged now: {found.detail}; {nothing}"
    if found.by_design:
        return f"is {found.state}, as it should be: {found.detail}; {nothing}"
    return f"is as it should be: {nothing}"


def _require_text(what: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParameterError(f"{what}: {text!r} is no text in UTF-8; {NOTHING_WRITTEN}") from None


def _read(lock: Lock, name: str) -> dict[str, Acknowledged]:
    text = lock.kept(_key(name)) or "{}"
    names = [each.name for each in fields(Acknowledged)]
    return {
        key: Acknowledged(**{name: said[name] for name in names if name in said})
        for key, said in json.loads(text).items()
    }


def _write(lock: Lock, name: str, acknowledged: Mapping[str, Acknowledged]) -> None:
    content = {key: asdict(one) for key, one in sorted(acknowledged.items())}
    lock.keep(_key(name), json.dumps(content, indent=1, ensure_ascii=False))


def _key(name: str) -> str:
    return f"acknowledged/{name}.json"
