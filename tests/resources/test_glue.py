"""Glue: a crawler that runs is waited for, and what a database holds."""

from contextlib import suppress
from dataclasses import replace

import pytest
from support import cases

from lib.base.errors import WaitError
from lib.engine.stack import Stack
from lib.lake import crawl
from lib.resources.glue import Crawler, Database


def test_a_crawl_has_an_end(stack: Stack, somebody):
    crawler, glue = cases.glue.crawler(stack), somebody("glue")
    stack.apply()
    glue.start_crawler(Name=crawler.name)
    with pytest.raises(WaitError, match=rf"crawler {crawler.name} has not finished within 0 s"):
        crawl.crawl(glue, crawler.name, timeout_s=0)
    with suppress(glue.exceptions.CrawlerNotRunningException):  # it may have come to its end meanwhile
        glue.stop_crawler(Name=crawler.name)


@pytest.mark.parametrize(
    ("key_prefix", "one_table", "path", "level"),
    [
        ("", False, "", 2),
        ("in/", False, "in/", 3),
        ("stocks/", True, "stocks/", 2),
        ("a/b/c", True, "a/b/", 3),
    ],
)
def test_which_folder_is_a_table(stack: Stack, key_prefix: str, one_table: bool, path: str, level: int):
    crawler = cases.glue.crawler(stack)
    settings = replace_in(crawler, key_prefix=key_prefix, one_table=one_table).desired()
    assert settings["Targets"]["S3Targets"] == [{"Path": f"s3://{crawler.bucket.name}/{path}"}]
    assert settings["Configuration"]["Grouping"]["TableLevelConfiguration"] == level


def replace_in(crawler: Crawler, **changes) -> Crawler:
    changed = replace(crawler, **changes)
    changed.scope = crawler.scope
    return changed


def test_a_database_is_deleted_with_its_tables(stack: Stack, somebody):
    database = cases.glue.database(stack)
    stack.apply()
    glue = somebody("glue")
    for n in range(120):
        columns = {"Columns": [{"Name": "n", "Type": "bigint"}]}
        glue.create_table(
            DatabaseName=database.name, TableInput={"Name": f"t{n}", "StorageDescriptor": columns}
        )
    Database.delete(stack.client(database), database.name)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_table(DatabaseName=database.name, Name="t0")
