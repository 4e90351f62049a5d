"""Glue: a crawler that runs is waited for, and what a database holds."""

import examples
import pytest

from lib import crawl
from lib.errors import WaitError
from lib.resources.glue import Database
from lib.stack import Stack


def test_a_crawl_has_an_end(stack: Stack, somebody):
    crawler = examples.crawler(stack)
    stack.apply()
    somebody("glue").start_crawler(Name=crawler.name)
    with pytest.raises(WaitError, match=rf"crawler {crawler.name} has not finished within 0 s"):
        crawl.crawl(somebody("glue"), crawler.name, timeout_s=0)
    somebody("glue").stop_crawler(Name=crawler.name)


def test_a_database_is_deleted_with_its_tables(stack: Stack, somebody):
    database = examples.database(stack)
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
