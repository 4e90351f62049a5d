"""Glue: databases, tables, CSV classifiers and crawlers."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import Any, ClassVar

from lib.base.retry import PROPAGATION_S, TOO_EARLY, pattern, retry_on
from lib.resources.base import TAG_ENV, Deletion, Found, Link, Resource, Scope, Settings, our_tags
from lib.resources.checks import Finding, written_as
from lib.resources.iam import Role
from lib.resources.policies import Document, from_template
from lib.resources.s3 import Bucket
from lib.resources.schedules import crawler_schedule

# Glue neither changes nor deletes a crawler while it runs, or while its schedule is being changed.
RUNS = pattern("running", "changing")
# A crawl of a few files takes one to three minutes on AWS; many files take longer.
CRAWL_S = 900
# How Athena reads one JSON object a line: https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html.
# A line that is no JSON is an error, not a row without values.
JSON_SERDE: dict[str, Any] = {
    "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
    "Parameters": {"ignore.malformed.json": "false"},
}
FORMATS = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
}
# https://docs.aws.amazon.com/athena/latest/ug/data-types.html, in sqlglot's words.
NESTED = {"array": 1, "map": 2, "struct": 1}  # of how many others, at least
COLUMN_TYPES = (
    *("boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "decimal"),
    *("char", "varchar", "text", "binary", "varbinary", "date", "timestamp", "timestampntz", *NESTED),
)


@dataclass(repr=False, kw_only=True)
class Database(Resource):
    """A database of the Glue Data Catalog: names and columns of tables whose rows lie in S3.

    Attributes:
        description: What is in it.
    """

    description: str = ""

    service: ClassVar[str] = "glue"
    noun: ClassVar[str] = "Glue database"
    deletion: ClassVar[Deletion] = Deletion.CATALOGUE
    call_names: ClassVar[tuple[str, ...]] = ("DatabaseInput",)

    @property
    def name(self) -> str:
        """Its name, with underscores, so that it needs no quotes in SQL."""
        return super().name.replace("-", "_")

    @property
    def arn(self) -> str:
        return f"arn:aws:glue:{self.region}:{self.scope.account_id}:database/{self.name}"

    def desired(self) -> Settings:
        return {"Description": self.description, "tags": self.scope.tags}

    def checks(self) -> Iterable[Finding]:
        yield from _in_athena("its name", self.name)

    def read(self, client) -> Settings | None:
        try:
            found = client.get_database(Name=self.name)["Database"]
        except client.exceptions.EntityNotFoundException:
            return None
        tags = client.get_tags(ResourceArn=self.arn).get("Tags", {})
        return {"Description": found.get("Description", ""), "tags": our_tags(tags)}

    def create(self, client) -> None:
        client.create_database(
            DatabaseInput={"Name": self.name, "Description": self.description}, Tags=self.scope.tags
        )

    def update(self, client, settings: Settings) -> None:
        if "tags" in settings:
            client.tag_resource(ResourceArn=self.arn, TagsToAdd=settings["tags"])
        if "Description" in settings:
            found = client.get_database(Name=self.name)["Database"]
            others = _known_to(client, "DatabaseInput", found)  # since an update replaces all of it
            client.update_database(Name=self.name, DatabaseInput={**others, "Description": self.description})

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("get_databases").paginate():
            for database in page["DatabaseList"]:
                if (name := database["Name"]).startswith(scope.beginning.replace("-", "_")):
                    arn = f"arn:aws:glue:{client.meta.region_name}:{scope.account_id}:database/{name}"
                    with suppress(client.exceptions.EntityNotFoundException):
                        yield Found(name, name, arn, client.get_tags(ResourceArn=arn).get("Tags", {}))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete a database and its tables; the rows in S3 stay."""
        gone = client.exceptions.EntityNotFoundException
        for table in tables_of(client, identifier):
            with suppress(gone):  # also if only the answer was lost, and botocore asked again
                client.delete_table(DatabaseName=identifier, Name=table["Name"])
        with suppress(gone):
            client.delete_database(Name=identifier)


@dataclass(repr=False, kw_only=True)
class Table(Resource):
    """A table of a database whose rows are JSON objects in S3, one a line; the files may be gzipped.

    Attributes:
        database: The database it is in; they share a region.
        bucket: Where the rows are.
        key_prefix: The folder of its files, up to and with its last "/".
        columns: Names, in lower case, to types such as `bigint`, `array<struct<name:string,rows:bigint>>`.
        description: What is in it.
    """

    database: Database
    bucket: Bucket
    key_prefix: str
    columns: dict[str, str]
    description: str = ""

    service: ClassVar[str] = "glue"
    noun: ClassVar[str] = "Glue table"
    deletion: ClassVar[Deletion] = Deletion.PART
    same_region: ClassVar[tuple[str, ...]] = ("database",)

    @property
    def name(self) -> str:
        """Its name in SQL; the database's name says whose it is."""
        return self.what.replace("-", "_")

    @property
    def arn(self) -> str:
        return _table_arn(self.region, self.scope, self.database.name, self.name)

    def desired(self) -> Settings:
        return {
            "Description": self.description,
            "Location": f"s3://{self.bucket.name}/{self.key_prefix}",
            "Columns": self.columns,
            "TableType": "EXTERNAL_TABLE",
            "classification": "json",
            **FORMATS,
            "SerdeInfo": JSON_SERDE,
            "tags": self.scope.tags,
        }

    def checks(self) -> Iterable[Finding]:
        for name in (self.name, *self.columns):
            yield from _in_athena("a name", name)
        for name, kind in self.columns.items():
            if not is_column_type(kind):
                what = f"column {name} is {kind!r}, which is no type of Hive's"
                fix = (
                    "write string, bigint, double, timestamp, decimal(10,2), array<…>, map<…,…>, struct<…:…>"
                )
                yield Finding("column-type", what, fix)
        if self.key_prefix and not self.key_prefix.endswith("/"):
            what, fix = f"key_prefix is {self.key_prefix!r}", "end it with '/': Athena reads folders"
            yield Finding("table-location", what, fix)

    def read(self, client) -> Settings | None:
        try:
            found = client.get_table(DatabaseName=self.database.name, Name=self.name)["Table"]
        except client.exceptions.EntityNotFoundException:
            return None
        storage, parameters = found.get("StorageDescriptor", {}), found.get("Parameters", {})
        serde = storage.get("SerdeInfo", {})
        ours = {name: serde.get("Parameters", {}).get(name) for name in JSON_SERDE["Parameters"]}
        return {
            "Description": found.get("Description", ""),
            "Location": storage.get("Location"),
            "Columns": {column["Name"]: column["Type"] for column in storage.get("Columns", [])},
            "TableType": found.get("TableType"),
            "classification": parameters.get("classification"),
            **{name: storage.get(name) for name in FORMATS},
            "SerdeInfo": {"SerializationLibrary": serde.get("SerializationLibrary"), "Parameters": ours},
            "tags": our_tags(parameters),
        }

    def create(self, client) -> None:
        client.create_table(DatabaseName=self.database.name, TableInput=self._table_input({}))

    def update(self, client, settings: Settings) -> None:
        found = client.get_table(DatabaseName=self.database.name, Name=self.name)["Table"]
        others = _known_to(client, "TableInput", found)  # since an update replaces all of it
        client.update_table(DatabaseName=self.database.name, TableInput=self._table_input(others))

    def _table_input(self, others: dict) -> dict:
        """Return the table as described; what others have set of it stays."""
        storage = others.get("StorageDescriptor", {})
        serde = storage.get("SerdeInfo", {})
        serde_parameters = {**serde.get("Parameters", {}), **JSON_SERDE["Parameters"]}
        # Tables are not among what Glue tags: https://docs.aws.amazon.com/glue/latest/dg/monitor-tags.html
        ours = {"classification": "json", **self.scope.tags}
        return {
            **others,
            "Name": self.name,
            "Description": self.description,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {**others.get("Parameters", {}), **ours},
            "StorageDescriptor": {
                **storage,
                **FORMATS,
                "Columns": [{"Name": name, "Type": kind} for name, kind in self.columns.items()],
                "Location": f"s3://{self.bucket.name}/{self.key_prefix}",
                "SerdeInfo": {**serde, **JSON_SERDE, "Parameters": serde_parameters},
            },
        }

    def links(self, settings: Settings) -> Iterable[Link]:
        yield Link(self.bucket.arn, self.arn, "is read as")

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        """List the tables that carry our tags; those of a crawler are their database's and go with it."""
        for database in Database.find(client, scope):
            for table in tables_of(client, database.name):
                if TAG_ENV in table.get("Parameters", {}):
                    name = f"{database.name}/{table['Name']}"
                    arn = _table_arn(client.meta.region_name, scope, *name.split("/"))
                    yield Found(name, name, arn, our_tags(table["Parameters"]))

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete a table; the rows in S3 stay."""
        database, name = identifier.split("/")
        try:
            client.delete_table(DatabaseName=database, Name=name)
        except client.exceptions.EntityNotFoundException:
            return


def _table_arn(region: str, scope: Scope, database: str, name: str) -> str:
    return f"arn:aws:glue:{region}:{scope.account_id}:table/{database}/{name}"


def tables_of(client, database: str) -> Iterator[dict]:
    """Yield the tables and views of a database, whosever they are; none if there is no such database."""
    try:
        for page in client.get_paginator("get_tables").paginate(DatabaseName=database):
            yield from page["TableList"]
    except client.exceptions.EntityNotFoundException:
        return


@dataclass(repr=False, kw_only=True)
class CsvClassifier(Resource):
    """Tells the crawler that the first line of a CSV file holds the columns' names.

    Glue's own classifier guesses, and guesses wrong when every column is text:
    https://docs.aws.amazon.com/glue/latest/dg/add-classifier.html#classifier-builtin-rules-csv

    Attributes:
        delimiter: What separates columns.
        quote_symbol: What surrounds a value that holds a delimiter.
    """

    delimiter: str = ","
    quote_symbol: str = '"'

    service: ClassVar[str] = "glue"
    noun: ClassVar[str] = "Glue classifier"
    taggable: ClassVar[bool] = False
    deletion: ClassVar[Deletion] = Deletion.PART
    acts: ClassVar[bool] = True
    call_names: ClassVar[tuple[str, ...]] = ("CsvClassifier",)

    @property
    def arn(self) -> str:
        """Its name among the classifiers; they have no ARN."""
        return f"arn:aws:glue:{self.region}:{self.scope.account_id}:classifier/{self.name}"

    def desired(self) -> Settings:
        return {
            "Delimiter": self.delimiter,
            "QuoteSymbol": self.quote_symbol,
            "ContainsHeader": "PRESENT",
            "AllowSingleColumn": True,
        }

    def read(self, client) -> Settings | None:
        try:
            found = client.get_classifier(Name=self.name)["Classifier"]["CsvClassifier"]
        except client.exceptions.EntityNotFoundException:
            return None
        return {key: found.get(key) for key in self.desired()}

    def create(self, client) -> None:
        client.create_classifier(CsvClassifier={"Name": self.name, **self.desired()})

    def update(self, client, settings: Settings) -> None:
        """Make it anew, as the local AWS has no UpdateClassifier; crawlers know it by its name."""
        found = client.get_classifier(Name=self.name)["Classifier"]["CsvClassifier"]
        others = _known_to(client, "CreateCsvClassifierRequest", found)
        client.delete_classifier(Name=self.name)
        client.create_classifier(CsvClassifier={**others, **settings})

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("get_classifiers").paginate():
            for classifier in page["Classifiers"]:
                name = next(iter(classifier.values()))["Name"]
                if name.startswith(scope.beginning):
                    region = client.meta.region_name
                    arn = f"arn:aws:glue:{region}:{scope.account_id}:classifier/{name}"
                    yield Found(name, name, arn, None)

    @classmethod
    def delete(cls, client, identifier: str) -> None:
        try:
            client.delete_classifier(Name=identifier)
        except client.exceptions.EntityNotFoundException:
            return


@dataclass(repr=False, kw_only=True)
class Crawler(Resource):
    """Reads the objects of a bucket and writes what it finds as tables into a database.

    Attributes:
        role: What it may read.
        bucket: Where it looks.
        database: Where the tables go.
        classifier: How it reads CSV; None for Glue's own classifiers, which know JSON.
        schedule: When it runs, as `cron(…)`; empty for on demand only.
        key_prefix: Only keys that begin so, as far as its last "/": the folder in which tables' folders are.
        one_table: Whether that folder is one table itself, and folders in it, such as `dt=2026-01-02`, are
            its partitions.
    """

    role: Role
    bucket: Bucket
    database: Database
    classifier: CsvClassifier | None
    schedule: str = ""
    key_prefix: str = ""
    one_table: bool = False

    service: ClassVar[str] = "glue"
    noun: ClassVar[str] = "Glue crawler"
    deletion: ClassVar[Deletion] = Deletion.READER
    acts: ClassVar[bool] = True
    assumed_by: ClassVar[str] = "glue.amazonaws.com"
    same_region: ClassVar[tuple[str, ...]] = ("database", "classifier")
    call_names: ClassVar[tuple[str, ...]] = ("CrawlerName",)

    @property
    def arn(self) -> str:
        return f"arn:aws:glue:{self.region}:{self.scope.account_id}:crawler/{self.name}"

    def desired(self) -> Settings:
        folder = self.key_prefix[: self.key_prefix.rfind("/") + 1]
        return {
            "Role": self.role.arn,
            "DatabaseName": self.database.name,
            "Targets": {"S3Targets": [{"Path": f"s3://{self.bucket.name}/{folder}"}]},
            "Classifiers": [self.classifier.name] if self.classifier else [],
            "Schedule": self.schedule,
            # A table whose objects are gone is marked, not dropped: an analyst may still name it.
            "SchemaChangePolicy": {
                "UpdateBehavior": "UPDATE_IN_DATABASE",
                "DeleteBehavior": "DEPRECATE_IN_DATABASE",
            },
            # Otherwise many similar files become many tables:
            # https://docs.aws.amazon.com/glue/latest/dg/crawler-grouping-policy.html
            "Configuration": {
                "Version": 1.0,
                "Grouping": {
                    "TableGroupingPolicy": "CombineCompatibleSchemas",
                    # The bucket is level 1, so each folder in it, or in `key_prefix`, is a table:
                    # https://docs.aws.amazon.com/glue/latest/dg/crawler-table-level.html
                    "TableLevelConfiguration": (1 if self.one_table else 2) + folder.count("/"),
                },
                # They would need more rights, and tables of few partitions have nothing of them:
                # https://docs.aws.amazon.com/glue/latest/dg/crawler-configure-partition-indexes.html
                "CreatePartitionIndex": False,
            },
            "tags": self.scope.tags,
        }

    def checks(self) -> Iterable[Finding]:
        try:
            crawler_schedule(self.schedule)
        except ValueError as error:
            yield Finding("crawler-schedule", f"schedule: {error}", "write the schedule so")

    def read(self, client) -> Settings | None:
        try:
            found = client.get_crawler(Name=self.name)["Crawler"]
        except client.exceptions.EntityNotFoundException:
            return None
        # Glue answers with the role's name, whether it was given that or the ARN.
        role = f"arn:aws:iam::{self.scope.account_id}:role/{found['Role'].split('/')[-1]}"
        paths = [{"Path": target["Path"]} for target in found["Targets"].get("S3Targets", [])]
        tags = client.get_tags(ResourceArn=self.arn).get("Tags", {})
        return {
            "Role": role,
            "DatabaseName": found["DatabaseName"],
            "Targets": {"S3Targets": paths},
            "Classifiers": found.get("Classifiers", []),
            "Schedule": (found.get("Schedule") or {}).get("ScheduleExpression", ""),
            "SchemaChangePolicy": found.get("SchemaChangePolicy"),
            "Configuration": json.loads(found.get("Configuration") or "{}"),
            "tags": our_tags(tags),
        }

    def create(self, client, sleep: Callable[[float], None] = sleep) -> None:
        # Without a schedule rather than with an empty one, which only an update takes for "none":
        # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2247
        arguments = _arguments({key: value for key, value in self.desired().items() if value})
        create = retry_on(TOO_EARLY, PROPAGATION_S, sleep)
        create(client.create_crawler, Name=self.name, Tags=self.scope.tags, **arguments)

    def update(self, client, settings: Settings, sleep: Callable[[float], None] = sleep) -> None:
        if "tags" in settings:
            client.tag_resource(ResourceArn=self.arn, TagsToAdd=settings["tags"])
        if arguments := _arguments(settings):
            if "Targets" in settings:
                arguments["Targets"] = self._targets(client)
            # A new role, which Glue tries the targets with, may not be seen yet.
            update = retry_on(TOO_EARLY, PROPAGATION_S, sleep)
            update(retry_on(RUNS, CRAWL_S, sleep), client.update_crawler, Name=self.name, **arguments)

    def _targets(self, client) -> dict:
        """Return the targets, ours as described; what others have set, such as exclusions, stays."""
        found = client.get_crawler(Name=self.name)["Crawler"]["Targets"]
        paths = {target["Path"]: target for target in found.get("S3Targets", [])}
        ours = self.desired()["Targets"]["S3Targets"]
        return {**found, "S3Targets": [{**paths.get(target["Path"], {}), **target} for target in ours]}

    def links(self, settings: Settings) -> Iterable[Link]:
        yield Link(self.bucket.arn, self.arn, "is read by")
        yield Link(self.arn, self.database.arn, "writes tables")

    @classmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        for page in client.get_paginator("get_crawlers").paginate():
            for crawler in page["Crawlers"]:
                if (name := crawler["Name"]).startswith(scope.beginning):
                    arn = f"arn:aws:glue:{client.meta.region_name}:{scope.account_id}:crawler/{name}"
                    with suppress(client.exceptions.EntityNotFoundException):
                        yield Found(name, name, arn, client.get_tags(ResourceArn=arn).get("Tags", {}))

    @classmethod
    def delete(cls, client, identifier: str, sleep: Callable[[float], None] = sleep) -> None:
        with suppress(client.exceptions.EntityNotFoundException):
            retry_on(RUNS, CRAWL_S, sleep)(client.delete_crawler, Name=identifier)


def _in_athena(name: str, text: str) -> Iterator[Finding]:
    """Find names that Athena does not take as they stand: https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html."""
    pattern, grammar = "[a-z0-9_]{1,255}", "at most 255 lower-case letters, digits and _"
    return written_as("athena-name", name, text, pattern, grammar)


def is_column_type(text: str) -> bool:
    """Tell whether a type is written as Hive, and so Athena, reads it in a catalogue.

    https://docs.aws.amazon.com/athena/latest/ug/data-types.html

    Args:
        text: Such as `array<struct<name:string,rows:bigint>>`.
    """
    from sqlglot import exp  # a third of a second, for tables only
    from sqlglot.errors import SqlglotError

    try:
        found = exp.DataType.build(text, dialect="hive")
        read = found.sql("hive")
    except (SqlglotError, ValueError, RecursionError):
        return False
    for each in found.find_all(exp.DataType):
        name = each.this.value.lower()
        if name not in COLUMN_TYPES or len(each.expressions) < NESTED.get(name, 0):
            return False
    # What it reads otherwise than it is written, such as `text`, is another dialect's.
    return "".join(read.lower().split()).replace("`", "") == "".join(text.lower().split())


def _arguments(settings: Settings) -> dict:
    """Return settings as CreateCrawler and UpdateCrawler want them; tags are not among them."""
    arguments = {key: value for key, value in settings.items() if key != "tags"}
    if "Configuration" in arguments:
        arguments["Configuration"] = json.dumps(arguments["Configuration"])
    return arguments


def _known_to(client, shape: str, found: dict) -> dict:
    """Return what was found as far as a shape of Glue's requests has it; answers tell more, such as times."""
    return {name: found[name] for name in client.meta.service_model.shape_for(shape).members if name in found}


def crawler_policy(bucket: Bucket, database: Database) -> Document:
    """Return all that a crawler's role may do: read a bucket, write the tables of a database, and its log."""
    return from_template(
        "lib/policies/crawler-policy.json",
        bucket=bucket,
        region=database.region,
        account_id=database.scope.account_id,
        database=database.name,
    )
