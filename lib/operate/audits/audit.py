"""The audit: is the destination what the source is? And what is not, sent through the pipeline again.

By checksum, not by ETag or size alone, and by reading the bytes where no checksum is common to both. What
changed less than a grace period ago may still be on its way: it is not judged if it differs, but counted and
named. Compared are current objects; what is kept of their history is not.

An object that cannot be judged for a fault of its own is *not judged* either, with its reason, and the audit
is not clean; what is everybody's fault, such as a bucket that is gone, ends the audit of that pipeline.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import pandas as pd
from botocore.config import Config

from lib.base import frames
from lib.base.errors import ParameterError
from lib.base.own_fault import such_as
from lib.base.shown import counted, printable
from lib.base.waits import Wait
from lib.engine.checklist import Checklist
from lib.operate.audits import acknowledged, repairing
from lib.operate.audits.comparisons import comparison, why_not
from lib.operate.audits.findings import STATES, STREAMS, UNJUDGED, Findings, walk
from lib.operate.failures.quarantine import quarantined
from lib.operate.failures.stuck import dead
from lib.operate.pipelines import Deployed, deployed
from lib.parameters import Parameters
from lib.target import Target


@dataclass(frozen=True)
class Audit:
    """What an audit of a pipeline found.

    Attributes:
        name: The pipeline's.
        began: When it began (UTC).
        findings: All of them; iterating gives every difference, from a file, and what could not be judged.
        method: `listing`, or `inventory` if S3 Inventory's reports were compared.
        error: What ended it before its end; None if nothing did.
        contradiction: Where what is deployed contradicts the parameters, by which was judged; or empty.
    """

    name: str
    began: datetime
    findings: Findings
    method: str = "listing"
    error: Exception | None = None
    contradiction: str = ""

    @property
    def counts(self) -> pd.DataFrame:
        """One row a state: state, objects."""
        rows = [(state, self.findings.counts[state]) for state in STATES]
        return pd.DataFrame(rows, columns=["state", "objects"])

    @property
    def differences(self) -> pd.DataFrame:
        """The first differences, and what could not be judged, by key: key, state, detail."""
        rows = [(f.key, f.state, f.detail) for f in sorted(self.findings.kept, key=lambda f: f.key)]
        return pd.DataFrame(rows, columns=["key", "state", "detail"])

    @property
    def is_clean(self) -> bool:
        """Whether all that was due was judged, and no difference is left but those that are by design.

        And whether it is the pipeline of the parameters that was judged.
        """
        return not (self.findings.to_do or self.findings.unjudged or self.error or self.contradiction)

    @property
    def why_it_ended(self) -> str:
        """What ended it before its end, in a line; empty if nothing did."""
        return f"{type(self.error).__name__}: {self.error}" if self.error else ""

    def __str__(self) -> str:
        counted = self.counts[self.counts["objects"] > 0].itertuples()
        found = ", ".join(f"{row.objects:,} {row.state}" for row in counted)
        found = found or ("no objects" if self.is_clean else "nothing compared")
        if self.findings.known:
            found += f" ({self.findings.known:,} of them acknowledged)"
        ended = f"it did not come to its end: {self.why_it_ended}" if self.error else ""
        verdict = "clean" if self.is_clean else "NOT clean"
        said = (f"{self.name}: {found}", verdict, *self._not_due, self.contradiction, ended)
        return "; ".join(filter(None, said))

    @property
    def _not_due(self) -> list[str]:
        """What it is too early or too late to judge, a text for each reason."""
        examples = self.findings.examples
        return [
            f"not judged: {such_as(count, 'objects', examples[reason])}: {reason}"
            for reason, count in self.findings.not_due.most_common()
        ]

    def __repr__(self) -> str:
        return str(self) if not self.findings.kept else f"{self}\n{frames.text(self._shown)}"

    def _repr_html_(self) -> str:
        table = frames.html(self._shown) if self.findings.kept else ""
        return f"<p>{escape(str(self))}</p>{table}"

    @property
    def _shown(self) -> pd.DataFrame:
        """The differences, control characters in keys escaped, so that none acts on a terminal."""
        table = self.differences
        return table.assign(key=[printable(key, keep="") for key in table["key"]])


def attempt(
    do: Callable[..., Audit], target: Target, parameters: Parameters, name: str, *more: Audit
) -> Audit:
    """Audit or repair a pipeline; if that comes to an end before its end, say so and let the others go on.

    Args:
        do: `audit` or `repair`.
        target: The AWS to work on.
        parameters: As for `do`.
        name: The pipeline's.
        more: For `repair`, the audit of it.

    Returns:
        What was found; if something ended it, an audit with that error, which `enter` makes a point that
        does not hold.
    """
    began = datetime.now(UTC)
    try:
        return do(target, parameters, name, *more)
    except Exception as error:
        findings = more[0].findings if more else Findings(most=0)
        findings.close()
        ended = Audit(name, began, findings, error=error)
        print(f"{name}: the {do.__name__} did not come to its end: {ended.why_it_ended}")
        return ended


def not_auditable(found: Deployed) -> dict[str, str]:
    """Return the pipelines that cannot be audited, and why.

    Args:
        found: Those that are deployed.
    """
    return {one.name: why for one in found if (why := why_not(one))}


def summary(audits: Iterable[Audit]) -> str:
    """Return in a few words what audits have found, such as `3 missing, 112 same; NOT clean: migrate`.

    Args:
        audits: Of the pipelines.
    """
    audits = list(audits)
    if not audits:
        return "nothing compared"
    by_state = pd.concat([found.counts for found in audits]).groupby("state")["objects"].sum()
    unclean = ", ".join(found.name for found in audits if not found.is_clean)
    told = ", ".join(f"{number:,} {state}" for state, number in by_state.items() if number)
    told = told or ("nothing compared" if unclean else "no objects")
    return f"{told}; NOT clean: {unclean}" if unclean else f"{told}; clean"


def enter(checklist: Checklist, audits: Iterable[Audit]) -> None:
    """Enter audits into a checklist: a point a pipeline, and a line for each reason not to judge objects.

    Args:
        checklist: Which.
        audits: Of the pipelines.
    """
    for found in audits:
        counts, unjudged = found.findings.counts, found.findings.unjudged
        judged = counts.total() - counts[UNJUDGED]
        to_do = f"{found.findings.to_do:,} to be mended" + (f" of {judged:,} judged" if unjudged else "")
        evidence = "; ".join(filter(None, (to_do, found.contradiction)))
        is_wrong = found.findings.to_do or found.error or found.contradiction
        holds = not (is_wrong or (unjudged and not judged))
        what = "what could be judged is as it should be" if unjudged else "as it should be"
        checklist.check(f"{found.name}: {what}", holds, found.why_it_ended or evidence)
        for reason, count in unjudged.most_common():
            key = such_as(count, "objects", found.findings.examples[reason])
            checklist.leave_out(f"{found.name}: {key}, not judged", reason)


def audit(target: Target, parameters: Parameters, name: str) -> Audit:
    """Compare what a pipeline has made with what it was to make; reads only.

    Args:
        target: The AWS to work on.
        parameters: `audit` says how closely to look, the pipeline's own section what it was to make.
        name: The pipeline's.

    Returns:
        What was found.

    Raises:
        RunbookError: If there is no such pipeline, or it is not deployed; or if it is so large that S3
            Inventory is to be asked, and there are no reports.
        ClientError: If AWS refuses a call.
    """
    settings = parameters.audit
    pipeline = deployed(target, parameters, name)
    began, findings = datetime.now(UTC), Findings(settings.most)
    findings.acknowledged = acknowledged.known(target, parameters, name) if pipeline.source else {}
    # A connection a thread, and one for each listing: clients keep ten.
    target = target.with_config(Config(max_pool_connections=settings.threads + STREAMS))
    how = comparison(target, parameters, pipeline)
    # What tells of no keys contradicts the parameters, and nothing can be held against anything.
    if pipeline.filters:
        how.begin(findings)
        with Wait(f"Audit {name}", unit="object") as progress:
            for streams, judge in how.parts:
                walk(streams, judge, findings, settings.threads, progress)
    findings.close()
    return Audit(name, began, findings, how.method, contradiction=pipeline.contradiction)


def repair(
    target: Target,
    parameters: Parameters,
    name: str,
    audit_of_it: Audit,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Audit:
    """Send what differs through the pipeline's own entrance, wait until it is done, and audit again.

    Nothing is copied or deleted here: an event says *look at this key*, and the pipeline does its work. What
    is extra is sent only to a pipeline that follows deletes, so that elsewhere it stays as it is. To one that
    is deployed otherwise than the parameters say nothing is sent: it could delete what they keep.

    Args:
        target: The AWS to work on.
        parameters: As for `audit`; they are held against what is deployed before anything is sent.
        name: The pipeline's.
        audit_of_it: What its audit found.
        sleep: Waits between two looks.
        clock: Tells the seconds.

    Returns:
        The audit after it; the same one if there was nothing to do, or it did not come to its end.

    Raises:
        ParameterError: If the audit is of another pipeline.
        RunbookError: If it is not deployed.
        ClientError: If AWS refuses a call.
    """
    if audit_of_it.name != name:
        raise ParameterError(f"the audit is of {audit_of_it.name}, not of {name}; nothing was sent")
    if audit_of_it.error:
        return audit_of_it
    pipeline = deployed(target, parameters, name)
    found = audit_of_it.findings
    if not found.to_do:
        return audit_of_it
    if pipeline.at_odds:
        print(f"{name}: nothing was sent, since {pipeline.contradiction}")
        return audit_of_it
    sent = repairing.send_all(target, pipeline, found)
    print(f"{name}: {sent:,} of {counted(found.to_do, 'difference')} sent through the pipeline again")
    keys = [each.key for each in found.kept if repairing.is_mendable(pipeline, each)]
    look = comparison(target, parameters, pipeline).look
    set_aside = quarantined(target, parameters, pipeline)
    repairing.wait(
        keys,
        look,
        parameters.audit.repair_timeout_s,
        sleep,
        given_up=lambda: set_aside | dead(target, pipeline),
        clock=clock,
    )
    return audit(target, parameters, name)
