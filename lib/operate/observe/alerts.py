"""What was found at night is told to the topic of alerts: once, and once more when it is other, or gone."""

import hashlib
import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from lib.base.errors import NotDeployedError
from lib.base.shown import printable
from lib.operate.audits.audit import Audit
from lib.parameters import Parameters
from lib.resources import sns
from lib.resources.base import tag_dict, tag_list
from lib.target import Target

PIPELINE, TOPIC = "observe", "alerts"
NAMESPACE, DIMENSION = "runbook", "Environment"
# The metrics of what is done from outside; those of the function *watch* stand in its facts.yaml.
AUDITS, DIFFERENCES = "Audits", "AuditDifferences"
# What was told last of each kind of finding stands on the topic itself: from whatever machine one looks.
TOLD = "told:"
NOTHING = "nothing"
MOST_KEY_CHARACTERS = 128  # of a tag: https://docs.aws.amazon.com/sns/latest/api/API_Tag.html
MOST_LINES = 100  # of a message, which SNS limits to 256 KiB: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MOST_LINE_CHARACTERS = 400
MOST_SUBJECT_CHARACTERS = 99


@dataclass(frozen=True)
class Alerts:
    """The topic of alerts of an environment, which is there.

    Attributes:
        target: The AWS that it is on.
        parameters: Whose it is.
        arn: The topic's.
    """

    target: Target
    parameters: Parameters
    arn: str

    @classmethod
    def of(cls, target: Target, parameters: Parameters) -> "Alerts":
        """Return that of an environment.

        Args:
            target: The AWS to look at.
            parameters: Whose.

        Raises:
            NotDeployedError: If it has none; says how it gets one.
        """
        topic = sns.Topic(TOPIC, parameters.observe.region)
        topic.scope = parameters.scope(PIPELINE)
        if topic.read(target.client_of(topic)) is None:
            raise NotDeployedError(
                f"there is no topic of alerts {topic.name} in {topic.region}: `runbook run observe --set "
                "observe.watch=true` makes it, and whom it mails says observe.alert_email"
            )
        return cls(target, parameters, topic.arn)

    def tell(self, what: str, findings: Iterable[str]) -> bool:
        """Tell of findings, unless just these were told last; that nothing is found any more is told, too.

        Args:
            what: What has found them, such as `audit`; findings of one are held against its last ones.
            findings: A line each, in any order, without what changes by itself, such as ages; none is well.

        Returns:
            Whether anything was told.
        """
        client = self.target.client("sns", self.parameters.observe.region)
        count = Count()
        lines = heapq.nsmallest(MOST_LINES, count.each(findings))
        tags = tag_dict(client.list_tags_for_resource(ResourceArn=self.arn)["Tags"])
        last = _tag_of(what)
        if tags.get(last, NOTHING) == count.digest:
            return False
        message = _message(lines, count.lines)
        client.publish(TopicArn=self.arn, Subject=self._subject(what, count.lines), Message=message)
        # Afterwards: who is killed in between tells twice, and not never.
        client.tag_resource(ResourceArn=self.arn, Tags=tag_list({last: count.digest}))
        return True

    def _subject(self, what: str, count: int) -> str:
        found = "finds nothing any more" if not count else f"finds {count:,}"
        return f"{environment_of(self.parameters)}: {what} {found}"[:MOST_SUBJECT_CHARACTERS]


def count_audit(
    target: Target,
    parameters: Parameters,
    audits: Iterable[Audit],
    left_out: Collection[str],
    with_differences: bool = True,
) -> bool:
    """Count an audit of all pipelines, by which alarms know when the last one was, and what it has found.

    Args:
        target: The AWS to tell.
        parameters: Whose pipelines.
        audits: Of each.
        left_out: Names of pipelines that are there and could not be looked at; those that no audit can judge
            are none.
        with_differences: Whether an alarm is to tell of what it has found; not if that was told line by line.

    Returns:
        Whether it was counted: one is not that left out a pipeline, did not come to the end of one, could not
        judge an object, or judged by other parameters than what is deployed, so that an alarm misses it.
    """
    every = list(audits)
    if left_out or any(one.error or one.contradiction or one.findings.unjudged for one in every):
        return False
    dimensions = [{"Name": DIMENSION, "Value": environment_of(parameters)}]
    differences = {DIFFERENCES: sum(one.findings.to_do for one in every)} if with_differences else {}
    numbers = {AUDITS: 1, **differences}
    target.client("cloudwatch", parameters.observe.region).put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[
            {"MetricName": name, "Dimensions": dimensions, "Value": float(value), "Unit": "Count"}
            for name, value in numbers.items()
        ],
    )
    return True


def environment_of(parameters: Parameters) -> str:
    """Return what the metrics of an environment are known by."""
    return f"{parameters.prefix}-{parameters.env}"


@dataclass
class Count:
    """How many lines there are, and a digest of them, whatever their order; any number, in no memory."""

    lines: int = 0
    total: int = 0

    def each(self, findings: Iterable[str]) -> Iterator[str]:
        """Yield findings as lines, and count them."""
        for finding in findings:
            line = printable(" ".join(finding.split()), keep="")
            self.lines += 1
            self.total += int.from_bytes(hashlib.sha256(line.encode()).digest())
            yield line

    @property
    def digest(self) -> str:
        """What is another one if any line is."""
        return f"{self.total % 2**256:064x}" if self.lines else NOTHING


def _tag_of(what: str) -> str:
    """Return the key of the tag that says what was told last; of many names a digest, as no key is longer."""
    key = TOLD + what
    return key if len(key) <= MOST_KEY_CHARACTERS else TOLD + hashlib.sha256(what.encode()).hexdigest()


def _message(lines: Sequence[str], count: int) -> str:
    if not lines:
        return "What was told of before is not found any more."
    more = count - len(lines)
    cut = [
        line if len(line) <= MOST_LINE_CHARACTERS else f"{line[: MOST_LINE_CHARACTERS - 1]}…"
        for line in lines
    ]
    return "\n".join([*cut, *([f"… and {more:,} more"] if more > 0 else [])])
