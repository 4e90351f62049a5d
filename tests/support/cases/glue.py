"""The Data Catalog: databases, tables, classifiers, crawlers."""

from lib.engine.stack import Stack
from lib.resources import athena, glue, iam, s3
from support import theirs
from support.breaking import setting, the, without_action
from support.case import ELSEWHERE, Break, Case, Change, Others


def database(stack: Stack) -> glue.Database:
    return stack.add(glue.Database("tables", ELSEWHERE, description="What came here"))


def _update_database(**changed):
    return lambda client, ours: client.update_database(
        Name=ours.name, DatabaseInput={"Name": ours.name, "Description": ours.description, **changed}
    )


def _untag(client, ours) -> None:
    client.untag_resource(ResourceArn=ours.arn, TagsToRemove=theirs.OUR_TAGS)


def _tags_of_others(client, ours) -> dict[str, str]:
    return theirs.tags_of_others(client.get_tags(ResourceArn=ours.arn)["Tags"])


def _put_into_database(client, ours: glue.Database) -> None:
    _update_database(LocationUri="s3://lake/", Parameters={"owner": "they"})(client, ours)
    columns = [{"Name": "n", "Type": "bigint"}]
    table = {"Name": "theirs", "StorageDescriptor": {"Columns": columns}}
    client.create_table(DatabaseName=ours.name, TableInput=table)
    client.tag_resource(ResourceArn=ours.arn, TagsToAdd=theirs.TAGS)


def _get_from_database(client, ours: glue.Database) -> dict:
    found = client.get_database(Name=ours.name)["Database"]
    return {
        "location": found.get("LocationUri"),
        "parameters": found.get("Parameters"),
        "tables": [table["Name"] for table in client.get_tables(DatabaseName=ours.name)["TableList"]],
        "tags": _tags_of_others(client, ours),
    }


def table(stack: Stack) -> glue.Table:
    lines = stack.add(s3.Bucket("lines", ELSEWHERE))
    columns = {"name": "string", "rows": "array<struct<n:bigint>>"}
    where = {"database": database(stack), "bucket": lines, "key_prefix": "lines/"}
    said = {"columns": columns, "description": "One line a row"}
    return stack.add(glue.Table("all-lines", ELSEWHERE, **where, **said))


def _update_table(storage: dict | None = None, **changed):
    """Somebody changes a table; the storage descriptor is a part of it."""

    def change(client, ours: glue.Table) -> None:
        table = ours._table_input({})
        descriptor = {**table["StorageDescriptor"], **(storage or {})}
        table_input = {**table, "StorageDescriptor": descriptor, **changed}
        client.update_table(DatabaseName=ours.database.name, TableInput=table_input)

    return change


def _reclassify(client, ours: glue.Table) -> None:
    kept = ours._table_input({})["Parameters"]
    _update_table(Parameters={**kept, "classification": "theirs"})(client, ours)


def _put_into_table(client, ours: glue.Table) -> None:
    table = ours._table_input({})
    serde = {**table["StorageDescriptor"]["SerdeInfo"], "Name": "theirs"}
    serde["Parameters"] = {**serde["Parameters"], "mapping.name": "Name"}
    _update_table(
        storage={"SerdeInfo": serde, "Compressed": True},
        Owner="they",
        Parameters={**table["Parameters"], "owner": "they"},
        PartitionKeys=[{"Name": "dt", "Type": "string"}],
    )(client, ours)


def _get_from_table(client, ours: glue.Table) -> dict:
    found = client.get_table(DatabaseName=ours.database.name, Name=ours.name)["Table"]
    storage = found["StorageDescriptor"]
    return {
        "owner": (found.get("Owner"), found["Parameters"].get("owner")),
        "partitions": found["PartitionKeys"],
        "compressed": storage.get("Compressed"),
        "serde": (storage["SerdeInfo"].get("Name"), storage["SerdeInfo"]["Parameters"]),
    }


def classifier(stack: Stack) -> glue.CsvClassifier:
    return stack.add(glue.CsvClassifier("csv", ELSEWHERE))


def _classify_anew(**changed):
    """The local AWS cannot update a classifier."""

    def change(client, ours: glue.CsvClassifier) -> None:
        client.delete_classifier(Name=ours.name)
        client.create_classifier(CsvClassifier={"Name": ours.name, **ours.desired(), **changed})

    return change


def crawler(stack: Stack) -> glue.Crawler:
    lake, tables = stack.add(s3.Bucket("lake", ELSEWHERE)), database(stack)
    policy = glue.crawler_policy(lake, tables)
    reader = stack.add(iam.Role("crawl", "us-east-1", trusts="glue.amazonaws.com", policy=policy))
    how = {"role": reader, "bucket": lake, "database": tables, "classifier": classifier(stack)}
    return stack.add(glue.Crawler("files", ELSEWHERE, **how))


def _update_crawler(**arguments):
    return lambda client, ours: client.update_crawler(Name=ours.name, **arguments)


def _put_into_crawler(client, ours: glue.Crawler) -> None:
    path = ours.desired()["Targets"]["S3Targets"][0]["Path"]
    _update_crawler(
        Description="Theirs",
        TablePrefix="t_",
        RecrawlPolicy={"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"},
        Targets={"S3Targets": [{"Path": path, "Exclusions": ["**.tmp"]}]},
    )(client, ours)
    client.tag_resource(ResourceArn=ours.arn, TagsToAdd=theirs.TAGS)


def _get_from_crawler(client, ours: glue.Crawler) -> dict:
    found = client.get_crawler(Name=ours.name)["Crawler"]
    return {
        "settings": [found.get(key) for key in ("Description", "TablePrefix", "RecrawlPolicy")],
        "exclusions": [target.get("Exclusions", []) for target in found["Targets"]["S3Targets"]],
        "tags": _tags_of_others(client, ours),
    }


def _results_in_the_crawled_bucket(stack: Stack) -> None:
    the(stack, athena.WorkGroup, "queries").results = the(stack, glue.Crawler, "objects").bucket


CASES = [
    Case(
        glue.Database,
        database,
        changes=[
            Change({"description": "Something else"}, {"Description"}),
            Change({"description": ""}, {"Description"}),
        ],
        drift={"Description": _update_database(Description="Theirs"), "tags": _untag},
        others=Others(_put_into_database, _get_from_database),
        in_notebooks="Description",
    ),
    Case(
        glue.Table,
        table,
        changes=[
            Change({"columns": {"name": "string", "n": "bigint"}}, {"Columns"}),
            Change({"description": "", "key_prefix": "more/"}, {"Description", "Location"}),
        ],
        drift={
            "Description": _update_table(Description="Theirs"),
            "Location": _update_table({"Location": "s3://theirs/"}),
            "Columns": _update_table({"Columns": [{"Name": "theirs", "Type": "string"}]}),
            "SerdeInfo": _update_table({"SerdeInfo": {"SerializationLibrary": "theirs"}}),
            "InputFormat": _update_table({"InputFormat": "theirs"}),
            "OutputFormat": _update_table({"OutputFormat": "theirs"}),
            "classification": _reclassify,
            "TableType": _update_table(TableType="VIRTUAL_VIEW"),
            "tags": _update_table(Parameters={"classification": "json"}),
        },
        others=Others(_put_into_table, _get_from_table),
        in_notebooks="Columns",
        breaks=[
            Break("athena-name", "index", setting(glue.Table, "objects", columns={"File Key": "string"})),
            Break("column-type", "index", setting(glue.Table, "objects", columns={"file_key": "text"})),
            Break("table-location", "index", setting(glue.Table, "objects", key_prefix="objects/rows")),
        ],
    ),
    Case(
        glue.CsvClassifier,
        classifier,
        changes=[
            Change({"delimiter": ";"}, {"Delimiter"}),
            Change({"quote_symbol": "'"}, {"QuoteSymbol"}),
        ],
        drift={
            "Delimiter": _classify_anew(Delimiter="|"),
            "QuoteSymbol": _classify_anew(QuoteSymbol="'"),
            "ContainsHeader": _classify_anew(ContainsHeader="UNKNOWN"),
            "AllowSingleColumn": _classify_anew(AllowSingleColumn=False),
        },
        others=Others(
            _classify_anew(DisableValueTrimming=True),
            lambda client, ours: client.get_classifier(Name=ours.name)["Classifier"]["CsvClassifier"].get(
                "DisableValueTrimming"
            ),
        ),
        in_notebooks="Delimiter",
        breaks=[Break("one-region", "ingest", setting(glue.CsvClassifier, "csv", region="eu-west-1"))],
        not_on_moto=frozenset({"make"}),
    ),
    Case(
        glue.Crawler,
        crawler,
        changes=[
            Change({"schedule": "cron(15 3 * * ? *)"}, {"Schedule"}),
            Change({"schedule": ""}, {"Schedule"}),
            Change({"key_prefix": "in/2024"}, {"Targets", "Configuration"}),
            Change({"one_table": True, "key_prefix": "in/"}, {"Configuration"}),
            Change({"classifier": None}, {"Classifiers"}),
        ],
        drift={
            "Role": _update_crawler(Role="arn:aws:iam::000000000000:role/theirs"),
            "DatabaseName": _update_crawler(DatabaseName="theirs"),
            "Targets": _update_crawler(Targets={"S3Targets": [{"Path": "s3://theirs/"}]}),
            "Classifiers": _update_crawler(Classifiers=[]),
            "Schedule": _update_crawler(Schedule="cron(0 0 * * ? *)"),
            "SchemaChangePolicy": _update_crawler(
                SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
            ),
            "Configuration": _update_crawler(Configuration='{"Version": 1.0}'),
            "tags": _untag,
        },
        others=Others(_put_into_crawler, _get_from_crawler),
        in_notebooks="Configuration",
        breaks=[
            Break("crawler-schedule", "migrate", setting(glue.Crawler, "objects", schedule="rate(1 day)")),
            Break(
                "crawler-schedule",
                "migrate",
                setting(glue.Crawler, "objects", schedule="cron(0/2 * * * ? *)"),
            ),
            Break("crawled-bucket", "migrate", _results_in_the_crawled_bucket),
            Break("crawler-role", "migrate", without_action("crawler", "s3:GetObject")),
        ],
        not_on_moto=frozenset({"update"}),
    ),
]
