"""How late AWS is, and the local AWS in its lag mode: the figures, and what one server is told.

Read by the server, which waits, and by the runbook, which tells of it: it needs nothing but Python.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

# Tells a server how late it shall be: what `Lag.text` is. Without it nothing is late.
LAG = "RUNBOOK_LOCAL_AWS_LAG"
S3_GUIDE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
SQS_API = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"
IAM_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"


@dataclass(frozen=True)
class Figure:
    """Something that is late on AWS.

    Attributes:
        seconds: How late it is in the lag mode, unless it is scaled or set otherwise.
        what: What is late.
        aws: What AWS says of it, or who has seen how much.
        source: Where; a URL.
        wait: What the runbook does about it, and for how long.
        test: What shows it.
    """

    seconds: float
    what: str
    aws: str
    source: str
    wait: str
    test: str


@dataclass(frozen=True)
class Rate:
    """How many calls AWS takes from an account in a region.

    Attributes:
        per_second: How many a second, and so many at once after a second without any; 0 if without limit.
        service: As MiniStack names it.
        operations: The operations that share it; empty for all of the service's that no other rate is of.
        source: Where AWS says so; a URL.
        each: Whether each operation has the rate for itself.
        said: What AWS says, if it is not the figure.
    """

    per_second: float
    service: str
    operations: tuple[str, ...]
    source: str
    each: bool = False
    said: str = ""

    def is_of(self, operation: str) -> bool:
        """Return whether an operation has this rate, if none before has it."""
        return not self.operations or operation in self.operations


MODE = "tests/local/in_server/test_lag.py"
HEARING = "tests/operate/test_hearing.py"
LATE_AWS = "tests/resources/test_late_aws.py"
TABLE = "tests/base/test_aws_errors.py"
FIGURES = {
    "notification": Figure(
        300,
        "A new or changed notification; until then S3 goes by what was set before",
        "usually about five minutes",
        f"{S3_GUIDE}how-to-enable-disable-notification-intro.html",
        "samples begin when a probe was heard, `first_event_timeout_s` (900 s); a deployment without samples "
        "says when its first event was",
        HEARING,
    ),
    "bucket_name": Figure(
        600,
        "The name of a deleted bucket: OperationAborted",
        "no figure: minutes, at times hours",
        "https://repost.aws/knowledge-center/s3-conflicting-conditional-operation",
        "an hour, said each minute with the ways out; the lock's bucket stays until all is destroyed",
        LATE_AWS,
    ),
    "role": Figure(
        30,
        "A new or changed role: its policies, and who may take it on",
        "no figure: “might not be immediately visible”",
        f"{IAM_GUIDE}troubleshoot.html#troubleshoot_general_eventual-consistency",
        "120 s: functions, mappings, destinations of failures, crawlers, batch jobs, buckets' policies",
        LATE_AWS,
    ),
    "destination": Figure(
        10,
        "The policy of a queue or topic, by which S3 is let in",
        "up to 60 s",
        f"{SQS_API}API_SetQueueAttributes.html",
        "120 s",
        LATE_AWS,
    ),
    "mapping": Figure(
        30,
        "A mapping is Creating, Updating, Deleting; ResourceInUseException if it is changed then",
        "no figure",
        "https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html",
        "300 s",
        LATE_AWS,
    ),
    "list": Figure(
        10,
        "Lists of buckets, queues, functions, tables and roles",
        "no figure: a deleted bucket “might still appear in the list”",
        f"{S3_GUIDE}Welcome.html#ConsistencyModel",
        "what is listed is looked at, and what is gone left out; a destruction looks again until what the "
        "ledger says was made in the last 30 s is listed; the proof that all is gone takes 90 s",
        LATE_AWS,
    ),
    "versioning": Figure(
        60,
        "Versioning that was turned on; until then what is written has no version",
        "“wait for 15 minutes”",
        f"{S3_GUIDE}manage-versioning-examples.html",
        "samples begin when what is put has a version, `first_event_timeout_s` (900 s)",
        HEARING,
    ),
    "count": Figure(
        60,
        "How many messages a queue has",
        "a minute after the last was sent",
        f"{SQS_API}API_GetQueueAttributes.html",
        "none: that a pipeline is done is seen by its outcomes, and its queues are shown besides",
        MODE,
    ),
    "crawl": Figure(
        10,
        "What GetCrawler tells of a crawl that has ended: LastCrawl is still of the one before",
        "no figure",
        "https://docs.aws.amazon.com/glue/latest/webapi/API_GetCrawler.html",
        "until LastCrawl is another one: 900 s",
        LATE_AWS,
    ),
    "recovery": Figure(
        20,
        "Point-in-time recovery of a new table: ContinuousBackupsUnavailableException, "
        "PointInTimeRecoveryUnavailableException",
        "no figure: “backups are being enabled”",
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html",
        "300 s",
        TABLE,
    ),
}
LAMBDA_QUOTAS = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
CLOUDWATCH_QUOTAS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"
REFERENCE = "https://docs.aws.amazon.com/general/latest/gr/"
SNS_QUOTAS = f"{REFERENCE}sns.html"
NO_FIGURE = "no figure; calls are limited"
NOT_SEEN = "as others tell; we have not seen AWS's page"
# Of the first that an operation has.
RATES = (
    Rate(100, "lambda", ("GetFunction",), LAMBDA_QUOTAS),
    Rate(15, "lambda", ("GetPolicy",), LAMBDA_QUOTAS),
    Rate(0, "lambda", ("InvokeFunction", "InvokeAsync"), LAMBDA_QUOTAS),
    Rate(15, "lambda", (), LAMBDA_QUOTAS),
    Rate(
        3,
        "monitoring",
        ("PutMetricAlarm", "DeleteAlarms", "SetAlarmState", "DescribeAlarmHistory"),
        CLOUDWATCH_QUOTAS,
        each=True,
    ),
    Rate(9, "monitoring", ("DescribeAlarms",), CLOUDWATCH_QUOTAS),
    Rate(
        10,
        "monitoring",
        ("PutDashboard", "GetDashboard", "ListDashboards", "DeleteDashboards"),
        CLOUDWATCH_QUOTAS,
        each=True,
    ),
    Rate(25, "monitoring", ("ListMetrics",), CLOUDWATCH_QUOTAS),
    Rate(50, "monitoring", ("GetMetricData",), CLOUDWATCH_QUOTAS),
    Rate(20, "iam", (), f"{IAM_GUIDE}reference_iam-quotas.html", said=NO_FIGURE),
    Rate(10, "glue", (), f"{REFERENCE}glue.html", each=True, said=NO_FIGURE),
    Rate(
        30,
        "sns",
        ("ListTopics", "ListSubscriptions", "ListSubscriptionsByTopic"),
        SNS_QUOTAS,
        each=True,
        said=NOT_SEEN,
    ),
    Rate(100, "sns", ("Subscribe", "Unsubscribe"), SNS_QUOTAS, each=True, said=NOT_SEEN),
)


@dataclass(frozen=True)
class Lag:
    """How late a server is.

    Attributes:
        seconds: Of each figure how late, by its name.
        latency_ms: How long each call takes at least, in milliseconds.
        throttles: Whether calls are refused above the rates.
    """

    seconds: Mapping[str, float]
    latency_ms: float = 0
    throttles: bool = True

    @classmethod
    def of(cls, scale: float = 1, seconds: Mapping[str, float] | None = None, latency_ms: float = 0) -> Self:
        """Return how late a server is.

        Args:
            scale: What AWS's figures are multiplied with.
            seconds: In place of some of them, by name; these are not scaled.
            latency_ms: As the attribute.

        Raises:
            ValueError: There is no figure of a name, or a number is below 0.
        """
        chosen = dict(seconds or {})
        if unknown := sorted(chosen.keys() - FIGURES.keys()):
            raise ValueError(f"nothing named {', '.join(unknown)} is late; known: {', '.join(FIGURES)}")
        numbers = {**{name: figure.seconds * scale for name, figure in FIGURES.items()}, **chosen}
        for name, number in {**numbers, "latency": latency_ms}.items():
            is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
            if not is_number or not 0 <= number < float("inf"):
                raise ValueError(f"{name}: {number!r} is no number of 0 or more")
        return cls({name: float(number) for name, number in numbers.items()}, latency_ms)

    @classmethod
    def only_latency(cls, latency_ms: float) -> Self:
        """Return a server of which nothing is late, but whose calls take their time.

        Args:
            latency_ms: As the attribute.
        """
        return cls({**dict.fromkeys(FIGURES, 0.0)}, cls.of(latency_ms=latency_ms).latency_ms, throttles=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what `text` has written."""
        return cls(**json.loads(text))

    @property
    def text(self) -> str:
        """It as JSON, for the server's environment."""
        facts = {"seconds": dict(self.seconds), "latency_ms": self.latency_ms, "throttles": self.throttles}
        return json.dumps(facts)

    def __str__(self) -> str:
        late = ", ".join(f"{name} {seconds:g} s" for name, seconds in self.seconds.items() if seconds)
        said = [f"it is late as AWS is ({late})"] if late else []
        said += [f"each call takes {self.latency_ms:g} ms more"] if self.latency_ms else []
        return ", ".join(said)


def of_this_server() -> Lag | None:
    """Return how late the server is that this runs in; None if nothing of it is."""
    text = os.environ.get(LAG)
    return Lag.read(text) if text else None
