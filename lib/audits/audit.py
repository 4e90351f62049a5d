"""The audit: is the destination what the source is? And what is not, sent through the pipeline again.

By checksum, not by ETag or size alone, and by reading the bytes where no checksum is common to both. What
changed less than a grace period ago may still be on its way, and is not judged if it differs. Compared are
current objects; what is kept of their history is not.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
from botocore.config import Config
from tqdm import tqdm

from lib.audits import repairing
from lib.audits.comparisons import comparison
from lib.audits.findings import STATES, Findings, walk
from lib.errors import ParameterError
from lib.parameters import Parameters
from lib.pipelines import deployed
from lib.target import Target


@dataclass(frozen=True)
class Audit:
    """What an audit of a pipeline found.

    Attributes:
        name: The pipeline's.
        began: When it began (UTC).
        findings: All of them; iterating gives every difference, from a file.
        method: `listing`, or `inventory` if S3 Inventory's reports were compared.
        contradiction: Where what is deployed contradicts the parameters, by which was judged; or empty.
    """

    name: str
    began: datetime
    findings: Findings
    method: str = "listing"
    contradiction: str = ""

    @property
    def counts(self) -> pd.DataFrame:
        """One row a state: state, objects. Not judged are those that changed too lately, or too long ago."""
        rows = [(state, self.findings.counts[state]) for state in STATES]
        return pd.DataFrame(rows, columns=["state", "objects"])

    @property
    def differences(self) -> pd.DataFrame:
        """The first differences, by key: key, state, detail."""
        rows = [(f.key, f.state, f.detail) for f in sorted(self.findings.kept, key=lambda f: f.key)]
        return pd.DataFrame(rows, columns=["key", "state", "detail"])

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to do: no difference but those that the pipeline is not meant to follow.

        And whether it is the pipeline of the parameters that was judged.
        """
        return not self.findings.to_do and not self.contradiction

    @property
    def left_to_do(self) -> str:
        """How many differences are to be mended, and what contradicts the parameters."""
        return "; ".join(filter(None, (f"{self.findings.to_do} to be mended", self.contradiction)))

    def __str__(self) -> str:
        counted = self.counts[self.counts["objects"] > 0].itertuples()
        found = ", ".join(f"{row.objects:,} {row.state}" for row in counted) or "no objects"
        verdict = "clean" if self.is_clean else "NOT clean"
        return "; ".join(filter(None, (f"{self.name}: {found}", verdict, self.contradiction)))

    def __repr__(self) -> str:
        return str(self) if not self.findings.kept else f"{self}\n{self.differences.to_string(index=False)}"

    def _repr_html_(self) -> str:
        table = self.differences.to_html(index=False) if self.findings.kept else ""
        return f"<p>{self}</p>{table}"


def audit(target: Target, parameters: Parameters, name: str) -> Audit:
    """Compare what a pipeline has made with what it was to make; reads only.

    Args:
        target: The AWS to work on.
        parameters: Of the environment; `audit` says how closely to look.
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
    # A connection a thread: clients keep ten.
    target = target.with_config(Config(max_pool_connections=settings.threads))
    how = comparison(target, parameters, pipeline)
    how.begin(findings)
    with tqdm(desc=f"Audit {name}", unit="object", leave=False, delay=1) as progress:
        for streams, judge in how.parts:
            walk(streams, judge, findings, settings.threads, progress)
    findings.close()
    return Audit(name, began, findings, how.method, pipeline.contradiction)


def repair(
    target: Target,
    parameters: Parameters,
    name: str,
    audit_of_it: Audit,
    sleep: Callable[[float], None] = time.sleep,
) -> Audit:
    """Send what differs through the pipeline's own entrance, wait until it is done, and audit again.

    Nothing is copied or deleted here: an event says *look at this key*, and the pipeline does its work. What
    is extra is sent only to a pipeline that follows deletes, so that elsewhere it stays as it is. To one that
    is deployed otherwise than the parameters say nothing is sent: it could delete what they keep.

    Args:
        target: The AWS to work on.
        parameters: Of the environment.
        name: The pipeline's.
        audit_of_it: What its audit found.
        sleep: Waits between two looks.

    Returns:
        The audit after it; the same one if there was nothing to do.

    Raises:
        ParameterError: If the audit is of another pipeline.
        RunbookError: If it is not deployed.
        ClientError: If AWS refuses a call.
    """
    if audit_of_it.name != name:
        raise ParameterError(f"the audit is of {audit_of_it.name}, not of {name}; nothing was sent")
    pipeline = deployed(target, parameters, name)
    found = audit_of_it.findings
    if not found.to_do:
        return audit_of_it
    if pipeline.at_odds:
        print(f"{name}: nothing was sent, since {pipeline.contradiction}")
        return audit_of_it
    sent = repairing.send_all(target, pipeline, found)
    print(f"{name}: {sent:,} of {found.to_do:,} differences sent through the pipeline again")
    keys = [each.key for each in found.kept if repairing.is_mendable(pipeline, each)]
    look = comparison(target, parameters, pipeline).look
    repairing.wait(keys, look, parameters.audit.repair_timeout_s, sleep)
    return audit(target, parameters, name)
