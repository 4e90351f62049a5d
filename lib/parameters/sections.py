"""The parameters of each pipeline: a section for each, with what AWS allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import permutations
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.parameters.types import (
    Email,
    Folder,
    KeyPart,
    Moment,
    PipelineName,
    Reason,
    Region,
    RuleSchedule,
    Schedule,
    Ticker,
)
from lib.resources.base import Scope
from lib.resources.logs import RetentionDays

STAGING_PREFIX = "athena-staging/"  # where *summarize* lays the files that it hands to Athena
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FunctionTimeout = Annotated[int, Field(ge=1, le=900)]
FunctionMemory = Annotated[int, Field(ge=128, le=10240)]
FunctionDisk = Annotated[int, Field(ge=512, le=10240)]
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
BatchSize = Annotated[int, Field(ge=1, le=10)]
MaximumConcurrency = Annotated[int, Field(ge=2, le=1000)]
# AWS's advice for queues that feed a function: at least 5.
MaxReceiveCount = Annotated[int, Field(ge=5, le=1000)]
# Lambda retries an asynchronous invocation twice at most:
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
Retries = Annotated[int, Field(ge=0, le=2)]
MessageAge = Annotated[int, Field(ge=60, le=1209600)]
# https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html
ScanLimit = Annotated[int, Field(ge=10, le=7_000_000)]
WatchTimeout = Annotated[int, Field(ge=1, le=3600)]
Days = Annotated[int, Field(ge=1, le=3650)]
DaysOrNever = Annotated[int, Field(ge=0, le=3650)]  # 0 is for never


class Section(BaseModel):
    """What every group of parameters has in common: exact types, no unknown names, never changed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def table(self) -> pd.DataFrame:
        """Return the parameters with their defaults filled in, one a row, sections as `section.name`."""
        (values,) = pd.json_normalize(self.model_dump()).to_dict("records")
        return pd.DataFrame(
            [(name, repr(value)) for name, value in values.items()], columns=["parameter", "value"]
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("\n".join(f"{name} = {value}" for name, value in self.table().itertuples(index=False)))

    def _repr_html_(self) -> str:
        return self.table().to_html(index=False)


@dataclass(frozen=True)
class Expected:
    """What a pipeline is by its parameters, to be compared with what is deployed.

    Attributes:
        handler: Which one makes the outcome, so that an audit knows what to compare.
        source_region, destination_region: Where its ends are.
        prefix, suffix: Of which of its source's keys it is told; empty for all.
        follows_deletes: Whether it is told of deletes.
        variables: Those of its functions' environment that say what is done to which data.
    """

    handler: str
    source_region: str
    destination_region: str
    prefix: str = ""
    suffix: str = ""
    follows_deletes: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


class Pipeline(Section):
    """The parameters that every pipeline has."""

    log_retention_days: RetentionDays = 30
    alert_email: Email = ""
    watch_timeout_s: WatchTimeout = 120

    def expected(self, scope: Scope) -> Expected:
        """Return what the pipeline is by these parameters.

        Args:
            scope: The pipeline's.
        """
        raise NotImplementedError


class Queried(Section):
    """The parameters of whatever is queried with Athena."""

    query_scan_limit_mb: ScanLimit = 1024
    results_expire_days: Days = 30


class Migrate(Pipeline, Queried):
    """The parameters of *migrate*."""

    source_region: Region = "us-west-1"
    target_region: Region = "us-east-1"
    key_prefix: KeyPart = ""
    key_suffix: KeyPart = ""
    function_timeout_s: FunctionTimeout = 60
    function_memory_mb: FunctionMemory = 512
    batch_size: BatchSize = 10
    maximum_concurrency: MaximumConcurrency = 10
    max_receive_count: MaxReceiveCount = 5
    oldest_message_alarm_s: MessageAge = 900
    watch_timeout_s: WatchTimeout = 420  # a message that failed comes back after six function timeouts
    crawler_schedule: Schedule = ""

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        regions = (self.source_region, self.target_region)
        return Expected("replicate", *regions, self.key_prefix, self.key_suffix)


class Backup(Pipeline):
    """The parameters of *backup*."""

    primary_region: Region = "us-east-1"
    dr_region: Region = "us-east-2"
    function_timeout_s: FunctionTimeout = 300
    function_memory_mb: FunctionMemory = 512
    retries: Retries = 2
    delete_sync: bool = True
    erase_versions: bool = False
    brake_deletes: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    brake_minutes: Annotated[int, Field(ge=1, le=60)] = 10

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {
            "TARGET_REGION": self.dr_region,
            "ERASE_VERSIONS": str(self.erase_versions).lower(),
            "DELETE_FUNCTION": scope.name("delete") if self.delete_sync else "",
        }
        regions = (self.primary_region, self.dr_region)
        return Expected("replicate", *regions, follows_deletes=self.delete_sync, variables=variables)

    @model_validator(mode="after")
    def _are_two_regions(self) -> "Backup":
        if self.primary_region == self.dr_region:
            raise ValueError(f"dr_region: must be another region than primary_region, {self.primary_region}")
        return self


class Index(Pipeline, Queried):
    """The parameters of *index*."""

    region: Region = "us-east-1"
    function_timeout_s: FunctionTimeout = 60
    function_memory_mb: FunctionMemory = 256
    retries: Retries = 2
    time_to_live_days: DaysOrNever = 0

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {"TIME_TO_LIVE_DAYS": str(self.time_to_live_days)}
        return Expected("index", self.region, self.region, follows_deletes=True, variables=variables)


class Summarize(Pipeline, Queried):
    """The parameters of *summarize*."""

    region: Region = "us-east-1"
    input_prefix: Folder = "synthetic-data/"
    output_prefix: Folder = "summaries/"
    rejected_prefix: Folder = "rejected/"
    function_timeout_s: FunctionTimeout = 900
    function_memory_mb: FunctionMemory = 2048
    function_disk_mb: FunctionDisk = 10240
    retries: Retries = 2
    query_scan_limit_mb: ScanLimit = 20480
    athena_above_mb: Annotated[int, Field(ge=0, le=10240)] = 4096

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {
            "INPUT_PREFIX": self.input_prefix,
            "OUTPUT_PREFIX": self.output_prefix,
            "REJECTED_PREFIX": self.rejected_prefix,
        }
        regions = (self.region, self.region)
        return Expected("summarize", *regions, self.input_prefix, ".csv", variables=variables)

    def summary_key(self, key: str) -> str:
        """Return where the summary of a file is: `a/x.csv` → `summaries/a/summary_x.json`."""
        # As text, not as a path: to S3, an empty folder name counts.
        folder, slash, name = key.removeprefix(self.input_prefix).rpartition("/")
        return f"{self.output_prefix}{folder}{slash}summary_{name.removesuffix('.csv')}.json"

    def rejected_key(self, key: str) -> str:
        """Return where it is said why a file was rejected: `a/x.csv` → `rejected/a/x.csv.json`."""
        return f"{self.rejected_prefix}{key.removeprefix(self.input_prefix)}.json"

    @model_validator(mode="after")
    def _cannot_trigger_itself(self) -> "Summarize":
        prefixes = [self.input_prefix, self.output_prefix, self.rejected_prefix, STAGING_PREFIX]
        for one, other in permutations(prefixes, 2):
            if one.startswith(other):
                raise ValueError(
                    f"the prefixes {one!r} and {other!r} overlap: what is written could be read again; "
                    f"input_prefix, output_prefix, rejected_prefix and {STAGING_PREFIX!r} must be apart"
                )
        return self

    @model_validator(mode="after")
    def _athena_may_scan_what_it_gets(self) -> "Summarize":
        if self.query_scan_limit_mb <= self.athena_above_mb:
            raise ValueError(
                f"query_scan_limit_mb: Athena gets files of more than athena_above_mb, {self.athena_above_mb}"
                f" MiB, so it must be allowed to scan more than that; found {self.query_scan_limit_mb}"
            )
        return self

    @model_validator(mode="after")
    def _fits_on_the_disk(self) -> "Summarize":
        if 2 * self.athena_above_mb > self.function_disk_mb:
            raise ValueError(
                f"athena_above_mb: a file of {self.athena_above_mb} MiB needs as much again to work with; "
                f"at most half of function_disk_mb, {self.function_disk_mb}"
            )
        return self


class Ingest(Pipeline, Queried):
    """The parameters of *ingest*."""

    region: Region = "us-east-1"
    schedule: RuleSchedule = "rate(1 minute)"
    schedule_state: Literal["ENABLED", "DISABLED", ""] = ""
    wait_for_schedule: bool = True
    tickers: Annotated[list[Ticker], Field(min_length=1, max_length=200)] = [
        "AAPL",
        "AMZN",
        "GOOG",
        "IBM",
        "MSFT",
    ]
    files: Annotated[int, Field(ge=1, le=1000)] = 50
    rows: Annotated[int, Field(ge=1, le=10_000)] = 20
    function_timeout_s: FunctionTimeout = 30
    function_memory_mb: FunctionMemory = 512
    retries: Retries = 2
    batch_size: BatchSize = 10
    maximum_concurrency: MaximumConcurrency = 10
    max_receive_count: MaxReceiveCount = 5
    oldest_message_alarm_s: MessageAge = 900
    files_expire_days: Days = 7
    time_to_live_days: DaysOrNever = 30
    watch_timeout_s: WatchTimeout = 240  # as for *migrate*

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {"TIME_TO_LIVE_DAYS": str(self.time_to_live_days)}
        return Expected("consume", self.region, self.region, "stocks/", variables=variables)

    @model_validator(mode="after")
    def _tickers_differ(self) -> "Ingest":
        if len(set(self.tickers)) < len(self.tickers):
            raise ValueError(f"tickers: each once; found {self.tickers}")
        return self


class Analyze(Queried):
    """The parameters of *analyze*."""

    region: Region = "us-east-1"


class Backfill(Section):
    """The parameters of *backfill*."""

    pipeline: PipelineName = "migrate"
    send: bool = False
    key_prefix: KeyPart = ""
    modified_after: Moment = ""
    modified_before: Moment = ""
    objects_per_second: Annotated[int, Field(ge=1, le=3000)] = 100
    batch_above: Annotated[int, Field(ge=0, le=20_000_000_000)] = 1_000_000
    restart: bool = False
    watch_timeout_s: Annotated[int, Field(ge=1, le=3600)] = 120

    @model_validator(mode="after")
    def _is_a_time_span(self) -> "Backfill":
        after, before = self.modified_after, self.modified_before
        if after and before and datetime.fromisoformat(after) >= datetime.fromisoformat(before):
            raise ValueError(f"modified_after {after} must be earlier than modified_before {before}")
        return self


class Restore(Section):
    """The parameters of *restore*."""

    at: Moment = ""
    into: str = ""
    key_prefix: KeyPart = ""
    overwrite_newer: bool = False
    watch_timeout_s: Annotated[int, Field(ge=1, le=3600)] = 120


class Redrive(Section):
    """The parameters of *redrive*."""

    pipeline: Literal[""] | PipelineName = ""
    action: Literal["look", "redrive", "quarantine"] = "look"
    reason: Reason = ""
    key_prefix: KeyPart = ""
    region: Region = "us-east-1"

    @model_validator(mode="after")
    def _chooses_what_to_quarantine(self) -> "Redrive":
        if self.action == "quarantine" and not self.reason and not self.key_prefix:
            raise ValueError("action 'quarantine' needs a reason or a key_prefix: what is hopeless?")
        return self


class Start(Section):
    """The rates for which *start* estimates the cost."""

    objects_per_day: Annotated[int, Field(ge=0, le=1_000_000_000)] = 100_000
    mean_bytes: Annotated[int, Field(ge=0, le=5 * 1024**4)] = 10 * 1024


class Observe(Section):
    """The parameters of *observe*."""

    region: Region = "us-east-1"
    hours: Annotated[int, Field(ge=1, le=168)] = 3
    lag_p99_s: Annotated[int, Field(ge=1, le=1_209_600)] = 900
    trail: bool = False
    trail_events: Literal["all", "writes"] = "all"
    trail_expire_days: Days = 90


class Audit(Queried):
    """The parameters of *audit*."""

    region: Region = "us-east-1"
    repair: bool = False
    repair_timeout_s: Annotated[int, Field(ge=1, le=86_400)] = 300
    grace_s: Annotated[int, Field(ge=0, le=86_400)] = 120
    metadata_and_tags: bool = True
    most: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    inventory_above: Annotated[int, Field(ge=0)] = 10_000_000
    inventory: Literal["", "Daily", "Weekly"] = ""
    inventory_of: Annotated[list[Literal["migrate", "backup"]], Field(min_length=1)] = ["migrate", "backup"]
    objects: Annotated[int, Field(ge=0)] = 0
