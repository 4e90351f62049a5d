"""The parameters of each pipeline: a section for each, with what AWS allows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import permutations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lib.base import frames
from lib.parameters.tables import check_key, columns_of, description, is_number
from lib.parameters.types import (
    BucketName,
    ColumnText,
    Email,
    ExternalId,
    Folder,
    KeyPart,
    KeyTemplate,
    KmsKeyArn,
    Moment,
    OtherAccountId,
    PipelineName,
    Reason,
    Region,
    RoleArn,
    RuleSchedule,
    Schedule,
    TableName,
    Ticker,
    is_old_bucket_name,
)
from lib.resources.base import DESTINATION, SOURCE, WRITTEN, Adopted, Scope
from lib.resources.logs import RetentionDays
from lib.resources.other_account import OtherAccount
from lib.resources.schedules import interval

if TYPE_CHECKING:
    import pandas as pd

DAY_S = 86_400
OLD_NAMES_REGION = "us-east-1"  # where buckets had more names, until 2018
# What the names of files end with that *summarize* is told of, CSV first.
SUMMARIZED = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")
# Where *ingest* lays bad rows, and below that those of large files; and which columns its sample files have.
REJECTED_PREFIX, PIECES_PREFIX = "rejected/", "pieces/"
GENERATED_COLUMNS = ("ticker", "timestamp", "price", "volume")
STAGING_PREFIX = "athena-staging/"  # where *summarize* lays the files that it hands to Athena
# What is the same wherever it stands is described here, what differs from section to section there.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FunctionTimeout = Annotated[
    int,
    Field(
        ge=1,
        le=900,
        description="seconds that one invocation of a function may take before Lambda ends it; where a queue "
        "feeds the function, a message that failed comes back after six times as long",
    ),
]
FunctionMemory = Annotated[
    int,
    Field(
        ge=128,
        le=10240,
        description="memory of each function in MiB; a second of it costs in proportion, and processor speed "
        "grows with it",
    ),
]
FunctionDisk = Annotated[
    int,
    Field(
        ge=512,
        le=10240,
        description="temporary disk of the function in MiB; what is above 512 is charged by the second",
    ),
]
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
BatchSize = Annotated[
    int,
    Field(
        ge=1,
        le=10,
        description="messages of the queue that one invocation gets at most; more of them make fewer "
        "invocations, each of which takes longer",
    ),
]
MaximumConcurrency = Annotated[
    int,
    Field(
        ge=2,
        le=1000,
        description="invocations that the queue starts at the same time at most; it keeps a flood of files "
        "from taking the account's other functions their share",
    ),
]
# AWS's advice for queues that feed a function: at least 5.
MaxReceiveCount = Annotated[
    int,
    Field(
        ge=5,
        le=1000,
        description="failed attempts after which a message is set aside in the dead-letter queue, where "
        "72_redrive finds it",
    ),
]
# Lambda retries an asynchronous invocation twice at most:
# https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
Retries = Annotated[
    int,
    Field(
        ge=0,
        le=2,
        description="how often Lambda tries an event again that a function failed on, before it goes to the "
        "failure queue, where 72_redrive finds it",
    ),
]
MessageAge = Annotated[
    int,
    Field(
        ge=60,
        le=1209600,
        description="seconds that a message may wait in the queue before an alarm is raised",
    ),
]
# https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html
ScanLimit = Annotated[
    int,
    Field(
        ge=10,
        le=7_000_000,
        description="MiB that one query may read; Athena, which charges by what is read, cancels it beyond",
    ),
]
WatchTimeout = Annotated[
    int,
    Field(
        ge=1,
        le=3600,
        description="seconds that the notebook waits for its samples to arrive; behind a queue it must be "
        "longer than a failed message stays hidden, six times function_timeout_s",
    ),
]
Days = Annotated[int, Field(ge=1, le=3650)]
DaysOrNever = Annotated[int, Field(ge=0, le=3650)]  # 0 is for never
PipelineRegion = Annotated[Region, Field(description="AWS region in which all of the pipeline is made")]


def _existing(what: str) -> str:
    """Return what is said of a parameter that names a bucket which is there."""
    return (
        f"name of a bucket {what}, if it is there already: it is never changed or deleted; empty to make one"
    )


def _account(what: str) -> str:
    """Return what is said of a parameter that names the account of a bucket."""
    return (
        f"number of the AWS account {what} is to live in, if that is another one than account_id; "
        "empty for account_id"
    )


def _role(account: str) -> str:
    """Return what is said of a parameter that names a role of such an account."""
    return (
        f"ARN of the role in {account} that the runbook takes on for all that it does there "
        "(docs/real-account.md, 7); empty if that is"
    )


def _external_id(role: str) -> str:
    """Return what is said of a parameter that a role is taken on with."""
    return f"text that the trust policy of {role} expects (sts:ExternalId); empty for none"


class Section(BaseModel):
    """What every group of parameters has in common: exact types, no unknown names, never changed."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)

    def table(self) -> "pd.DataFrame":
        """Return the parameters with their defaults filled in, one a row, sections as `section.name`."""
        import pandas as pd

        (values,) = pd.json_normalize(self.model_dump()).to_dict("records")
        return pd.DataFrame(
            [(name, repr(value)) for name, value in values.items()], columns=["parameter", "value"]
        )

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("\n".join(f"{name} = {value}" for name, value in self.table().itertuples(index=False)))

    def _repr_html_(self) -> str:
        return frames.html(self.table())


@dataclass(frozen=True)
class Expected:
    """What a pipeline is by its parameters, to be compared with what is deployed.

    Attributes:
        source_region: Where its source is.
        destination_region: Where its destination is.
        prefix: With what the keys begin of which its source tells; empty for all.
        suffixes: In one of which ways they end; empty for all.
        follows_deletes: Whether it is told of deletes.
        variables: Those of its functions' environment that say what is done to which data.
        copies: What its two buckets are called, if it copies one into the other: S3 Inventory can report on
            these.
    """

    source_region: str
    destination_region: str
    prefix: str = ""
    suffixes: tuple[str, ...] = ("",)
    follows_deletes: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    copies: tuple[str, ...] = ()


class Pipeline(Section):
    """The parameters that every pipeline has.

    Attributes:
        purpose: What the pipeline is for, as the table of the parameters says it; of a section that is found
            in `lib.parameters.pipelines`.
    """

    purpose: ClassVar[str] = ""
    # What the parameters of those buckets begin with, and what these are called, that may be elsewhere.
    may_be_elsewhere: ClassVar[tuple[str, ...]] = ()

    log_retention_days: RetentionDays = Field(
        30, description="days that CloudWatch keeps the functions' logs, and charges for keeping them"
    )
    alert_email: Email = Field(
        "",
        description="who is mailed by alarms, once AWS's question to that address is confirmed; empty for "
        "nobody",
    )
    watch_timeout_s: WatchTimeout = 120
    first_event_timeout_s: Annotated[int, Field(ge=1, le=7200)] = Field(
        900,
        description="seconds that the notebook waits before its samples until S3 tells of a new or changed "
        "notification's bucket and gives what is put there versions: minutes on AWS",
    )

    def expected(self, scope: Scope) -> Expected:
        """Return what the pipeline is by these parameters.

        Args:
            scope: The pipeline's.
        """
        raise NotImplementedError

    def adopts(self, pipeline: str) -> tuple[Adopted, ...]:
        """Return the buckets that the pipeline works on and that are there already.

        Args:
            pipeline: Its name.
        """
        return tuple(
            Adopted(
                pipeline, what, name, region, role, prefixes, f"{pipeline}.{parameter}", self._key_arns(role)
            )
            for parameter, what, region, role, prefixes in self._ends()
            if (name := getattr(self, parameter))
        )

    def _ends(self) -> Iterable[tuple[str, str, str, str, tuple[str, ...]]]:
        """Return of each bucket that may be adopted: parameter, what it is called, region, role, prefixes."""
        return ()

    def lives_elsewhere(self, pipeline: str) -> tuple[OtherAccount, ...]:
        """Return the other accounts in which a bucket of the pipeline lives.

        Args:
            pipeline: Its name.
        """
        found = []
        for beginning in self.may_be_elsewhere:
            account_id, role_arn, external_id = (
                getattr(self, f"{beginning}_{name}") for name in ("account_id", "role_arn", "external_id")
            )
            if account_id:
                parameter = f"{pipeline}.{beginning}_role_arn"
                found.append(OtherAccount(pipeline, beginning, account_id, role_arn, external_id, parameter))
        return tuple(found)

    @model_validator(mode="after")
    def _account_and_role_belong_together(self) -> "Pipeline":
        for beginning in self.may_be_elsewhere:
            account, role, external = (
                f"{beginning}_{name}" for name in ("account_id", "role_arn", "external_id")
            )
            account_id, role_arn = getattr(self, account), getattr(self, role)
            if bool(account_id) != bool(role_arn):
                given, missing = (account, role) if account_id else (role, account)
                raise ValueError(f"{given} is given without {missing}: give both, or neither")
            if getattr(self, external) and not role_arn:
                raise ValueError(f"{external} is given without {role}, which is taken on with it")
            if role_arn and role_arn.split(":")[4] != account_id:
                raise ValueError(
                    f"{role}: {role_arn} is a role of account {role_arn.split(':')[4]}, and {account} says "
                    f"{account_id}"
                )
            if account_id and getattr(self, f"{beginning}_bucket"):
                raise ValueError(
                    f"{account} and {beginning}_bucket: a bucket that is there already keeps its owner's "
                    "policy, which nobody of another account can do without. Leave one of them empty: the "
                    "bucket is made in the other account, or is one of account_id"
                )
        return self

    def _key_arns(self, role: str) -> tuple[str, ...]:
        """Return the KMS keys besides its own under which objects in an adopted bucket of a role are."""
        return ()

    @model_validator(mode="after")
    def _old_names_are_of_one_region(self) -> "Pipeline":
        for parameter, _, region, _, _ in self._ends():
            name = getattr(self, parameter)
            if name and is_old_bucket_name(name) and region != OLD_NAMES_REGION:
                raise ValueError(
                    f"{parameter}: in {region} no bucket is called {name!r}: 3 to 63 lower-case letters, "
                    "digits, dots "
                    f"and hyphens. Others there are in {OLD_NAMES_REGION} only"
                )
        return self

    @model_validator(mode="after")
    def _buckets_differ(self) -> "Pipeline":
        names = [getattr(self, parameter) for parameter, *_ in self._ends()]
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            both = " and ".join(parameter for parameter, *_ in self._ends())
            raise ValueError(f"{both}: are both {twice[0]!r}: a bucket cannot be copied into itself")
        return self

    def derived_keys(self, key: str) -> tuple[str, ...]:
        """Return where that may be in the pipeline's buckets which its functions derive of an object.

        Args:
            key: The object's.

        Returns:
            Keys; one that ends with a slash is a folder, and stands for all that lies in it itself.
        """
        return ()


class Queried(Section):
    """The parameters of whatever is queried with Athena."""

    query_scan_limit_mb: ScanLimit = 1024
    results_expire_days: Days = Field(30, description="days after which the results of queries are deleted")


class Adopting(Pipeline):
    """The parameters of a pipeline whose buckets may be there already."""

    source_kms_key_arns: list[KmsKeyArn] = Field(
        [],
        description="ARNs of the KMS keys, besides the bucket's own, under which objects of an adopted "
        "source are: the functions may decrypt with exactly these. The plan names those that it finds",
    )

    def _key_arns(self, role: str) -> tuple[str, ...]:
        return tuple(self.source_kms_key_arns) if SOURCE in role.split("+") else ()

    @model_validator(mode="after")
    def _keys_are_of_an_adopted_source(self) -> "Adopting":
        regions = [
            region
            for parameter, _, region, role, _ in self._ends()
            if SOURCE in role.split("+") and getattr(self, parameter)
        ]
        for arn in self.source_kms_key_arns:
            if arn.split(":")[3] not in regions:
                where = f"is in {regions[0]}" if regions else "is one that the runbook makes"
                raise ValueError(f"source_kms_key_arns: {arn} is of no use: the source {where}")
        return self


class Migrate(Adopting, Queried):
    """The parameters of *migrate*."""

    may_be_elsewhere: ClassVar[tuple[str, ...]] = ("target",)

    source_region: Region = Field(
        "us-west-1", description="AWS region of the bucket that objects are put into"
    )
    target_region: Region = Field(
        "us-east-1",
        description="AWS region of the bucket that they are copied to; traffic between two regions is "
        "charged",
    )
    key_prefix: KeyPart = Field("", description="only objects whose keys begin so are copied; empty for all")
    key_suffix: KeyPart = Field(
        "", description="only objects whose keys end so are copied, such as .csv; empty for all"
    )
    source_bucket: BucketName = Field("", description=_existing("that objects are put into"))
    target_bucket: BucketName = Field("", description=_existing("that they are copied to"))
    target_account_id: OtherAccountId = Field("", description=_account("that bucket"))
    target_role_arn: RoleArn = Field("", description=_role("target_account_id"))
    target_external_id: ExternalId = Field("", description=_external_id("target_role_arn"))
    function_timeout_s: FunctionTimeout = 60
    function_memory_mb: FunctionMemory = 512
    batch_size: BatchSize = 10
    maximum_concurrency: MaximumConcurrency = 10
    max_receive_count: MaxReceiveCount = 5
    oldest_message_alarm_s: MessageAge = 900
    watch_timeout_s: WatchTimeout = 420
    crawler_schedule: Schedule = Field(
        "",
        description="when the crawler looks for new columns and folders, in UTC, such as cron(15 3 * * ? "
        "*); empty for on demand only, since each crawl is charged",
    )

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        regions = (self.source_region, self.target_region)
        return Expected(*regions, self.key_prefix, (self.key_suffix,), copies=("source", "target"))

    def _ends(self) -> Iterable[tuple[str, str, str, str, tuple[str, ...]]]:
        yield "source_bucket", "source", self.source_region, SOURCE, (self.key_prefix,)
        yield "target_bucket", "target", self.target_region, DESTINATION, (self.key_prefix,)


class Backup(Adopting):
    """The parameters of *backup*."""

    may_be_elsewhere: ClassVar[tuple[str, ...]] = ("dr",)

    primary_region: Region = Field("us-east-1", description="AWS region of the bucket that is worked with")
    dr_region: Region = Field(
        "us-east-2",
        description="AWS region of its backup, another one, to recover from disaster (DR); traffic between "
        "regions is charged",
    )
    primary_bucket: BucketName = Field("", description=_existing("that is worked with"))
    dr_bucket: BucketName = Field(
        "",
        description=_existing("that is its backup")
        + ", to which whoever may write there now may still write",
    )
    dr_account_id: OtherAccountId = Field("", description=_account("the backup"))
    dr_role_arn: RoleArn = Field("", description=_role("dr_account_id"))
    dr_external_id: ExternalId = Field("", description=_external_id("dr_role_arn"))
    dr_object_lock_days: Annotated[int, Field(ge=0, le=36500)] = Field(
        0,
        description="days for which nobody can delete a version that arrives in the backup (S3 Object Lock), "
        "not even destroy, which then leaves it and says until when; it can never be switched off for a "
        "bucket again; 0 for no lock",
    )
    dr_object_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = Field(
        "GOVERNANCE",
        description="GOVERNANCE: whoever has s3:BypassGovernanceRetention can still delete, and the runbook "
        "never does; COMPLIANCE: nobody can, not even root, until the days are over",
    )
    function_timeout_s: FunctionTimeout = 300
    function_memory_mb: FunctionMemory = 512
    retries: Retries = 2
    delete_sync: bool = Field(
        True,
        description="whether a delete in the primary bucket is followed in the backup, by a delete marker "
        "that can be taken away again; false: deleted objects stay there, and are paid for",
    )
    erase_versions: bool = Field(
        False,
        description="whether erasing one version of an object erases it in the backup too, for good: then "
        "the backup does not protect from that any more",
    )
    brake_deletes: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        100,
        description="deletes within brake_minutes beyond which the brake is pulled: no more are followed "
        "until somebody releases them with 72_redrive",
    )
    brake_minutes: Annotated[int, Field(ge=1, le=60)] = Field(
        10, description="minutes over which the brake counts deletes"
    )

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {
            "TARGET_REGION": self.dr_region,
            "ERASE_VERSIONS": str(self.erase_versions).lower(),
            "DELETE_FUNCTION": scope.name("delete") if self.delete_sync else "",
        }
        regions = (self.primary_region, self.dr_region)
        copies = ("primary", "dr")
        return Expected(*regions, follows_deletes=self.delete_sync, variables=variables, copies=copies)

    def _ends(self) -> Iterable[tuple[str, str, str, str, tuple[str, ...]]]:
        yield "primary_bucket", "primary", self.primary_region, SOURCE, ("",)
        yield "dr_bucket", "dr", self.dr_region, DESTINATION, ("",)

    @model_validator(mode="after")
    def _what_is_locked_is_not_erased(self) -> "Backup":
        if self.dr_object_lock_days and self.erase_versions:
            raise ValueError(
                f"erase_versions: dr_object_lock_days is {self.dr_object_lock_days}, so that S3 refuses to "
                "erase a version of the backup: set erase_versions to false, or have no lock"
            )
        if self.dr_object_lock_days and self.dr_bucket:
            raise ValueError(
                "dr_object_lock_days: dr_bucket is a bucket that is there already, whose lock is its owner's "
                "to set; leave one of them empty"
            )
        return self

    @model_validator(mode="after")
    def _are_two_regions(self) -> "Backup":
        if self.primary_region == self.dr_region:
            raise ValueError(f"dr_region: must be another region than primary_region, {self.primary_region}")
        return self


class Index(Adopting, Queried):
    """The parameters of *index*."""

    region: PipelineRegion = "us-east-1"
    bucket: BucketName = Field("", description=_existing("whose objects are indexed"))
    function_timeout_s: FunctionTimeout = 60
    function_memory_mb: FunctionMemory = 256
    retries: Retries = 2
    time_to_live_days: DaysOrNever = Field(
        0, description="days after which the row of an object is deleted from the table; 0 for never"
    )

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {"TIME_TO_LIVE_DAYS": str(self.time_to_live_days)}
        return Expected(self.region, self.region, follows_deletes=True, variables=variables)

    def _ends(self) -> Iterable[tuple[str, str, str, str, tuple[str, ...]]]:
        yield "bucket", "files", self.region, SOURCE, ("",)


class Summarize(Adopting, Queried):
    """The parameters of *summarize*."""

    region: PipelineRegion = "us-east-1"
    bucket: BucketName = Field("", description=_existing("whose files are summarized"))
    input_prefix: Folder = Field(
        "synthetic-data/",
        description="folder whose files are summarized: CSV and JSON lines (.jsonl), both also with .gz, and "
        "Parquet; none of the folders may lie in another, or the pipeline would trigger itself",
    )
    output_prefix: Folder = Field("summaries/", description="folder into which the summaries are written")
    rejected_prefix: Folder = Field(
        "rejected/", description="folder into which it is written why a file has no summary"
    )
    function_timeout_s: FunctionTimeout = 900
    function_memory_mb: FunctionMemory = 2048
    function_disk_mb: FunctionDisk = 10240
    retries: Retries = 2
    query_scan_limit_mb: ScanLimit = 20480
    athena_above_mb: Annotated[int, Field(ge=0, le=10240)] = Field(
        4096,
        description="files larger than so many MiB are handed to Athena, which charges by what it reads; at "
        "most half of function_disk_mb; 0 for all files",
    )

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {
            "INPUT_PREFIX": self.input_prefix,
            "OUTPUT_PREFIX": self.output_prefix,
            "REJECTED_PREFIX": self.rejected_prefix,
        }
        regions = (self.region, self.region)
        return Expected(*regions, self.input_prefix, SUMMARIZED, variables=variables)

    def _ends(self) -> Iterable[tuple[str, str, str, str, tuple[str, ...]]]:
        folders = (self.output_prefix, self.rejected_prefix)
        yield "bucket", "files", self.region, f"{SOURCE}+{DESTINATION}", folders

    def summary_key(self, key: str) -> str:
        """Return where the summary of a file is: `a/x.csv` → `summaries/a/summary_x.json`.

        Of others than CSV it is `summary_x.parquet.jsonl`, so that no two files have one summary.
        """
        # As text, not as a path: to S3, an empty folder name counts.
        folder, slash, name = key.removeprefix(self.input_prefix).rpartition("/")
        csv = SUMMARIZED[0]
        written = f"{name.removesuffix(csv)}.json" if name.endswith(csv) else f"{name}.jsonl"
        return f"{self.output_prefix}{folder}{slash}summary_{written}"

    def rejected_key(self, key: str) -> str:
        """Return where it is said why a file was rejected: `a/x.csv` → `rejected/a/x.csv.json`."""
        return f"{self.rejected_prefix}{key.removeprefix(self.input_prefix)}.json"

    def derived_keys(self, key: str) -> tuple[str, ...]:
        """As for every pipeline."""
        return self.summary_key(key), self.rejected_key(key)

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


class Ingest(Adopting, Queried):
    """The parameters of *ingest*."""

    region: PipelineRegion = "us-east-1"
    bucket: BucketName = Field("", description=_existing("into which the files come"))
    table_name: TableName = Field(
        "StockData",
        description="last part of the table's name; a table whose keys shall be others must be another one",
    )
    key_prefix: Folder = Field(
        "stocks/",
        description="folder whose files are stored; what is rejected lies in rejected/, in the same bucket",
    )
    file_format: Literal["csv", "json lines"] = Field(
        "csv",
        description="csv: with a header, in UTF-8; json lines: one JSON object a line; both may be "
        "compressed with gzip",
    )
    columns: Annotated[list[ColumnText], Field(min_length=1, max_length=500)] = Field(
        ["ticker string", "timestamp timestamp", "price decimal>=0", "volume integer>=0"],
        description="columns that must be there, each with its type; others are kept as they are, those of "
        "CSV as text, so that a string needs no description unless it is in a key",
    )
    hash_key: KeyTemplate = Field(
        "ticker",
        description="column by which an item is found, PK in the table, or several with a text between them, "
        "such as {country}#{city}",
    )
    range_key: KeyTemplate = Field(
        "timestamp",
        description="column by which items of one hash key differ and are sorted, SK in the table, or "
        "several as for hash_key; empty if there is one item of each",
    )
    empty_values: Literal["reject", "omit", "null"] = Field(
        "reject",
        description="what is done with an empty value of a described column: its row is rejected, the item "
        "does not have it, or has a null; in a key it is always rejected",
    )
    generate: bool = Field(
        True,
        description="whether stock prices are made up and put into the bucket, to see the pipeline work; "
        "false: the files are yours alone",
    )
    schedule: RuleSchedule = Field(
        "rate(1 minute)", description="when files are generated, in UTC: rate(5 minutes) or cron(0 8 * * ? *)"
    )
    schedule_state: Literal["ENABLED", "DISABLED", ""] = Field(
        "",
        description="whether the schedule runs, and costs; empty for on with the local AWS, off on a real "
        "account",
    )
    wait_for_schedule: bool = Field(
        True,
        description="whether the notebook waits for a run that the schedule starts, which takes up to its "
        "interval",
    )
    tickers: Annotated[list[Ticker], Field(min_length=1, max_length=200)] = Field(
        ["AAPL", "AMZN", "GOOG", "IBM", "MSFT"],
        description="names of the shares that prices are made up for, each once",
    )
    files: Annotated[int, Field(ge=1, le=1000)] = Field(
        50, description="files that each run of the schedule generates"
    )
    rows: Annotated[int, Field(ge=1, le=10_000)] = Field(20, description="rows in each of the files")
    function_timeout_s: FunctionTimeout = 30
    function_memory_mb: FunctionMemory = 512
    retries: Retries = 2
    batch_size: BatchSize = 10
    maximum_concurrency: MaximumConcurrency = 10
    max_receive_count: MaxReceiveCount = 5
    oldest_message_alarm_s: MessageAge = 900
    files_expire_days: Days = Field(7, description="days after which the raw files are deleted")
    time_to_live_days: DaysOrNever = Field(
        30,
        description="days after which an item is deleted from the table, counted from when it was stored, or "
        "from the time in time_to_live_column; 0 for never, or for that very time",
    )
    time_to_live_column: str = Field(
        "",
        description="column of times from which items expire, a described timestamp; empty: from when they "
        "are stored",
    )
    watch_timeout_s: WatchTimeout = 240

    @property
    def column_types(self) -> dict[str, str]:
        """The types of the described columns by their names."""
        return columns_of(self.columns)

    @property
    def table_description(self) -> str:
        """What the function is told of its table."""
        return description(
            self.column_types,
            file_format=self.file_format,
            hash_key=self.hash_key,
            range_key=self.range_key,
            empty_values=self.empty_values,
            time_to_live_column=self.time_to_live_column,
        )

    @property
    def number_keys(self) -> tuple[str, ...]:
        """Which of the table's keys are numbers: `PK`, `SK`."""
        keys = {"PK": self.hash_key, "SK": self.range_key}
        return tuple(name for name, key in keys.items() if key and is_number(key, self.column_types))

    def expected(self, scope: Scope) -> Expected:
        """As for every pipeline."""
        variables = {
            "TIME_TO_LIVE_DAYS": str(self.time_to_live_days),
            "TABLE_DESCRIPTION": self.table_description,
        }
        return Expected(self.region, self.region, self.key_prefix, variables=variables)

    @model_validator(mode="after")
    def _describes_a_table(self) -> "Ingest":
        types = self.column_types
        check_key("hash_key", self.hash_key, types)
        if self.range_key:
            check_key("range_key", self.range_key, types)
        if self.hash_key == self.range_key:
            raise ValueError(f"range_key: must be another one than hash_key, {self.hash_key}")
        column = self.time_to_live_column
        if column and types.get(column) != "timestamp":
            found = (
                f"{column} is a {types[column]}" if column in types else f"columns does not describe {column}"
            )
            raise ValueError(f"time_to_live_column: {found}; name a column of type timestamp")
        return self

    @model_validator(mode="after")
    def _cannot_trigger_itself(self) -> "Ingest":
        # What is rejected of a file begins with rejected/ and the prefix, of a piece with rejected/pieces/.
        taken = [REJECTED_PREFIX, PIECES_PREFIX]
        if any(self.key_prefix.startswith(one) or one.startswith(self.key_prefix) for one in taken):
            raise ValueError(
                f"key_prefix: {self.key_prefix!r} is a folder for rejected rows; choose another one than "
                f"{' and '.join(taken)}"
            )
        return self

    @model_validator(mode="after")
    def _is_what_is_generated(self) -> "Ingest":
        wanted = {"file_format": "csv", "hash_key": "ticker", "range_key": "timestamp"}
        found = [
            f"{name} is {getattr(self, name)!r}"
            for name, value in wanted.items()
            if getattr(self, name) != value
        ]
        found += [f"columns has {name}" for name in self.column_types if name not in GENERATED_COLUMNS]
        if self.generate and found:
            raise ValueError(
                f"generate: stock prices are CSV with {', '.join(GENERATED_COLUMNS)}, found by ticker and "
                f"timestamp, but {' and '.join(found)}; set generate to false for files of your own"
            )
        return self

    def derived_keys(self, key: str) -> tuple[str, ...]:
        """As for every pipeline: what is rejected of a file, and of its pieces."""
        return f"{REJECTED_PREFIX}{key}", f"{REJECTED_PREFIX}{PIECES_PREFIX}{key}/"

    def _ends(self) -> Iterable[tuple[str, str, str, str, tuple[str, ...]]]:
        rejected = (f"{REJECTED_PREFIX}{folder}{self.key_prefix}" for folder in ("", PIECES_PREFIX))
        yield "bucket", "files", self.region, f"{SOURCE}+{WRITTEN}", (self.key_prefix, *rejected)

    @model_validator(mode="after")
    def _tickers_differ(self) -> "Ingest":
        if len(set(self.tickers)) < len(self.tickers):
            raise ValueError(f"tickers: each once; found {self.tickers}")
        return self


class Analyze(Queried):
    """The parameters of *analyze*."""

    region: Region = Field(
        "us-east-1", description="AWS region of the analyst's workgroup and of the results"
    )


class Backfill(Section):
    """The parameters of *backfill*."""

    pipeline: PipelineName = Field("migrate", description="pipeline whose source is gone through")
    send: bool = Field(
        False,
        description="whether an event is sent for each object; false: they are counted and estimated, and "
        "with exercise sent if there are at most 1,000",
    )
    key_prefix: KeyPart = Field(
        "", description="only objects whose keys begin so, within the pipeline's own prefix; empty for all"
    )
    modified_after: Moment = Field(
        "",
        description="only objects written at this time or later, such as 2026-01-02T15:04:05Z; empty for all",
    )
    modified_before: Moment = Field(
        "", description="only objects written before this time, such as 2026-01-02T15:04:05Z; empty for all"
    )
    objects_per_second: Annotated[int, Field(ge=1, le=3000)] = Field(
        100,
        description="events that are sent within a second at most, so that new files are not kept waiting",
    )
    batch_above: Annotated[int, Field(ge=0, le=20_000_000_000)] = Field(
        1_000_000,
        description="with more objects than this a job of S3 Batch Operations is made, which is charged, "
        "and waits for your confirmation",
    )
    restart: bool = Field(
        False, description="whether to begin anew instead of going on where an unfinished backfill stopped"
    )
    watch_timeout_s: Annotated[int, Field(ge=1, le=3600)] = Field(
        120, description="seconds that the notebook waits until all objects are in place"
    )

    @model_validator(mode="after")
    def _is_a_time_span(self) -> "Backfill":
        after, before = self.modified_after, self.modified_before
        if after and before and datetime.fromisoformat(after) >= datetime.fromisoformat(before):
            raise ValueError(f"modified_after {after} must be earlier than modified_before {before}")
        return self


class Restore(Section):
    """The parameters of *restore*."""

    pipeline: PipelineName = Field(
        "backup", description="pipeline whose source is restored from its destination, by the versions there"
    )
    at: Moment = Field(
        "", description="point in time to restore to, such as 2026-01-02T15:04:05Z; empty for the drill alone"
    )
    into: str = Field(
        "",
        description="full name of the bucket to restore, which is written to; empty to only plan it, for "
        "the pipeline's source",
    )
    key_prefix: KeyPart = Field(
        "", description="only objects whose keys begin so are restored; empty for all"
    )
    overwrite_newer: bool = Field(
        False, description="whether objects may be overwritten that were written after the point in time"
    )
    watch_timeout_s: Annotated[int, Field(ge=1, le=3600)] = Field(
        120, description="seconds that the drill waits for the pipeline"
    )
    rpo_s: Annotated[int, Field(ge=0, le=1_209_600)] = Field(
        0, description="recovery point objective in seconds, which the drill is held against; 0 for none"
    )
    rto_s: Annotated[int, Field(ge=0, le=1_209_600)] = Field(
        0, description="recovery time objective in seconds, which the drill is held against; 0 for none"
    )


class Redrive(Section):
    """The parameters of *redrive*."""

    pipeline: Literal[""] | PipelineName = Field(
        "", description="pipeline whose stuck messages are meant; empty for all that are deployed"
    )
    action: Literal["look", "redrive", "quarantine"] = Field(
        "look",
        description="look: only show them; redrive: send them back; quarantine: put them aside in a bucket",
    )
    reason: Reason = Field(
        "",
        description="only messages stuck for this reason, as the notebook names it; empty for all but those "
        "that the brake holds",
    )
    key_prefix: KeyPart = Field(
        "", description="only messages about objects whose keys begin so; empty for all"
    )
    region: Region = Field("us-east-1", description="AWS region of the quarantine bucket")

    @model_validator(mode="after")
    def _chooses_what_to_quarantine(self) -> "Redrive":
        if self.action == "quarantine" and not self.reason and not self.key_prefix:
            raise ValueError("action 'quarantine' needs a reason or a key_prefix: what is hopeless?")
        return self


class Cutover(Section):
    """The parameters of *cutover*."""

    pipeline: PipelineName = Field(
        "migrate", description="pipeline whose source is cut over to its destination, one that copies"
    )
    action: Literal["look", "freeze", "verify", "release", "thaw"] = Field(
        "look",
        description="look: only show; freeze: copy what is missing, then deny all writes to the source; "
        "verify: compare every object; release: verify, and write the record; thaw: let writes in again",
    )
    switch: list[str] = Field(
        [],
        description="what your team has to switch by hand once it is released, a line each, such as 'shop: "
        "BUCKET in its configuration'",
    )
    record: str = Field(
        "",
        description="file that the record is written to, or a folder that ends in /; empty for one below "
        "runs/cutovers/",
    )
    hours: Annotated[int, Field(ge=1, le=2160)] = Field(
        24, description="hours that are looked back for who reads and writes the source"
    )
    watch_timeout_s: Annotated[int, Field(ge=1, le=86_400)] = Field(
        600, description="seconds that the notebook waits until nothing is left to copy"
    )


class Start(Section):
    """The rates for which *start* estimates the cost."""

    objects_per_day: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(
        100_000,
        description="for the estimate of cost: objects that each pipeline gets a day (ingest makes its own)",
    )
    mean_bytes: Annotated[int, Field(ge=0, le=5 * 1024**4)] = Field(
        10 * 1024, description="for the estimate of cost: bytes that an object has on average"
    )


class Observe(Section):
    """The parameters of *observe*."""

    region: Region = Field(
        "us-east-1",
        description="AWS region of the trail and of the bucket of its log files, and of what watches; to "
        "move it, switch both off before and on afterwards",
    )
    hours: Annotated[int, Field(ge=1, le=168)] = Field(3, description="hours that are looked back")
    lag_p99_s: Annotated[int, Field(ge=1, le=1_209_600)] = Field(
        900, description="seconds that 99 of 100 objects may take through a pipeline at most"
    )
    trail: bool = Field(
        False,
        description="whether CloudTrail records who reads and writes the pipelines' objects, which is "
        "charged by the event; false again deletes the trail, and its log files stay until they expire",
    )
    trail_events: Literal["all", "writes"] = Field(
        "all", description="whether all calls are recorded, or only those that write"
    )
    trail_expire_days: Days = Field(90, description="days after which the trail's log files are deleted")
    watch: bool = Field(
        False,
        description="whether a function looks at queues, topics and copies on a schedule, and alarms tell "
        "whom alert_email names; --alert of audit, plan and redrive needs it",
    )
    watch_schedule: RuleSchedule = Field("rate(15 minutes)", description="when it looks")
    watch_period_s: Annotated[int, Field(ge=60, le=DAY_S, multiple_of=60)] = Field(
        1800,
        description="seconds within which it looks at least twice; alarms look so far back",
    )
    alert_email: Email = Field(
        "",
        description="who is mailed by these alarms, once AWS's question to that address is confirmed; empty "
        "for nobody",
    )
    audit_overdue_h: Annotated[int, Field(ge=0, le=168)] = Field(
        26,
        description="hours after which an alarm says that no audit has judged all pipelines; 0 for never",
    )
    oldest_message_alarm_s: Annotated[int, Field(ge=1, le=1_209_600)] = Field(
        3600, description="seconds that a message may wait for its turn before an alarm says so"
    )
    most_counted: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        10_000,
        description="objects of a bucket, the first ones by key, that are held against their copies; it "
        "takes a request for each thousand",
    )
    copy_grace_s: Annotated[int, Field(ge=0, le=604_800)] = Field(
        3600, description="seconds that an object may be without a copy before it is counted as short of one"
    )
    log_retention_days: RetentionDays = Field(
        30, description="days that the log of the function that watches is kept"
    )

    @model_validator(mode="after")
    def _it_looks_often_enough(self) -> "Observe":
        """One look may be late: who looks back over less than two would be told that there is none."""
        every = interval(self.watch_schedule)
        if every and self.watch_period_s < (least_s := 2 * int(every.total_seconds())):
            longer = f"set it to {least_s} or more, or " if least_s <= DAY_S else ""
            raise ValueError(
                f"watch_period_s: {self.watch_period_s} is less than two intervals of watch_schedule, "
                f"{self.watch_schedule}, so that alarms would miss looks that come in time: {longer}look "
                "more often"
            )
        return self


class Audit(Queried):
    """The parameters of *audit*."""

    region: Region = Field(
        "us-east-1", description="AWS region of the results and of the workgroup that queries them"
    )
    repair: bool = Field(
        False, description="whether what is missing, stale or different is sent through its pipeline again"
    )
    repair_timeout_s: Annotated[int, Field(ge=1, le=86_400)] = Field(
        300, description="seconds to wait until the repair is done"
    )
    grace_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        120,
        description="what changed less than so many seconds ago may still be on its way, and is not judged "
        "if it differs",
    )
    metadata_and_tags: bool = Field(
        True,
        description="whether metadata and tags are compared too, which takes four calls an object; false: "
        "bytes only, from the listing where it proves that they are the same",
    )
    most: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        1000, description="differences that are shown; all of them are in the table of results"
    )
    threads: Annotated[int, Field(ge=1, le=256)] = Field(
        16, description="objects that are looked at at the same time"
    )
    inventory_above: Annotated[int, Field(ge=0)] = Field(
        10_000_000,
        description="with more objects in their source than this, migrate and backup are not listed: two S3 "
        "Inventory reports are compared",
    )
    inventory: Literal["", "Daily", "Weekly"] = Field(
        "",
        description="how often S3 writes Inventory reports of what is in the buckets, which it charges for; "
        "Weekly: on Sundays; empty for never, and those that are there stay until they expire",
    )
    inventory_of: Annotated[list[PipelineName], Field(min_length=1)] = Field(
        ["migrate", "backup"], description="pipelines whose buckets S3 reports on; they must be deployed"
    )
    objects: Annotated[int, Field(ge=0)] = Field(
        0,
        description="objects that a source has, if you know better than CloudWatch, which counts once a "
        "day; 0 to ask it",
    )
