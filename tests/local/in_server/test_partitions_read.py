"""What a query scans of a table with partitions: never less than Athena would."""

import pytest

from lib.local.in_server.athena_sql import parse
from lib.local.in_server.partitions_read import kept

TABLE = {"Name": "t", "PartitionKeys": [{"Name": "dt", "Type": "string"}, {"Name": "hour", "Type": "int"}]}
FOLDERS = ("01/hour=1", "02/hour=01", "02/hour=2", "03/hour=__HIVE_DEFAULT_PARTITION__")
OBJECTS = [{"Key": f"of=x/t/dt=2026-01-{folder}/a.csv"} for folder in FOLDERS]
ALL = [0, 1, 2, 3]
# Query → which of the objects are in the partitions that it asks for.
KEPT = {
    "SELECT * FROM t": ALL,
    "SELECT * FROM t WHERE dt = '2026-01-02'": [1, 2],
    "SELECT * FROM T AS u WHERE u.DT = '2026-01-02' AND (a = 'x' AND (hour) = 2)": [2],
    "SELECT * FROM t WHERE dt = '2026-01-09'": [],
    "SELECT * FROM t WHERE dt IN ('2026-01-01', '2026-01-09')": [0],
    "SELECT * FROM t WHERE dt > '2026-01-01' AND hour <= 1": [1, 3],
    "SELECT * FROM t WHERE dt BETWEEN '2026-01-02' AND '2026-01-31' AND hour <> 1": [2, 3],
    "SELECT * FROM x.t WHERE x.t.dt < '2026-01-02'": [0],
    "WITH c AS (SELECT * FROM t WHERE dt >= '2026-01-03') SELECT * FROM c JOIN u ON c.a = u.a": [3],
    # Whatever is not sure counts whole.
    "SELECT * FROM t WHERE dt = '2026-01-02' OR a = 'x'": ALL,
    "SELECT * FROM t WHERE NOT dt = '2026-01-02'": ALL,
    "SELECT * FROM t WHERE dt NOT IN ('2026-01-02')": ALL,
    "SELECT * FROM t WHERE substr(dt, 1, 4) = '2020'": ALL,
    "SELECT * FROM t WHERE dt = a": ALL,
    "SELECT * FROM t WHERE r.dt = '2026-01-02'": ALL,
    "SELECT * FROM t WHERE dt IN (SELECT '2026-01-02')": ALL,
    "SELECT * FROM t WHERE dt = '2026-01-02' UNION ALL SELECT * FROM t": ALL,
    "SELECT * FROM t, u WHERE dt = '2026-01-02'": ALL,
    "SELECT * FROM u LEFT JOIN t ON t.a = u.a WHERE dt = '2026-01-02'": ALL,
    "SELECT * FROM u WHERE dt = '2026-01-02' AND EXISTS (SELECT 1 FROM t)": ALL,
}


@pytest.mark.parametrize("sql", KEPT)
def test_which_partitions_are_read(sql):
    found = kept(OBJECTS, parse(sql), "x", TABLE)
    assert [OBJECTS.index(each) for each in found] == KEPT[sql]


def test_what_may_be_escaped_in_the_name_of_a_folder_counts():
    table = {"Name": "t", "PartitionKeys": [{"Name": "at", "Type": "string"}]}
    objects = [{"Key": f"t/at={value}/a.csv"} for value in ("10%3A30", "11")]
    assert kept(objects, parse("SELECT * FROM t WHERE at = '10:30'"), "x", table) == objects[:1]


def test_a_table_without_partitions_is_read_whole():
    table = {"Name": "t"}
    assert kept(OBJECTS, parse("SELECT * FROM t WHERE dt = '2026-01-02'"), "x", table) == OBJECTS
