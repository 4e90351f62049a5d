"""Values reach SQL as parameters; what is put into its text is ours, and explained here."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from lib.base.paths import ROOT

SQL = re.compile(
    r"\b(SELECT|INSERT INTO|DELETE FROM|UPDATE|CREATE (EXTERNAL )?TABLE|COPY|FROM|WHERE|DROP TABLE)\b"
)
SOURCES = sorted([*(ROOT / "lib").rglob("*.py"), *(ROOT / "handlers").rglob("*.py")])
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What stands in braces in the f-strings that are SQL, and why it is no value that somebody else chose.
KNOWN = {
    "lib/operate/samples.py": {"s.table"},  # our samples' names: literals
    # Our own clauses; the names of the two inventories' tables. Keys and prefixes are parameters.
    "lib/operate/audits/inventory_reports.py": {
        "self._joined()",
        "side",
        "self.keys",
        "same",
        "joined",
        "name",
        "current",
    },
    # sqlglot's own rendering of a table's name
    "lib/local/in_server/athena_sql.py": {"table.this.sql('athena')"},
    # The local engine's SQL, made of the tree of a query: names are numbers or quoted, texts are quoted.
    "lib/local/in_server/athena_translate.py": {
        "alias",
        "distinct",
        "items",
        "names",
        "order",
        "quoted(database)",
        "quoted(name)",
        "said",
        "self._expressions.condition(where.this, scope)",
        "self._limit(query)",
        "self._offer(named, columns, scope)",
        "shown",
        "sources",
        "sql",
    },
    "lib/local/in_server/trino_expressions.py": {
        "'({} IS NOT DISTINCT FROM ({}))'.format(*(side.sql for side in sides))",
        "column",
        "condition",
        "kind",
        "sql",
        "value.type",
    },
    # A table's columns and files, quoted
    "lib/local/in_server/athena.py": {
        "', '.join([*said, *keys])",
        "athena._sql_list(files)",
        "named",
        "relation",
    },
    # A profile's expressions, built by profile_sql, which quotes every column's name
    "handlers/summarize/table_queries.py": {"flat", "relation"},
    "handlers/summarize/duckdb_cells.py": {
        "WANTED",
        "csv_file(cells, one_column)",
        "literal(END)",
        "null_if_token('c0')",
        "of_record",  # how many cells a record has
        "of_record - 1",
        "only",
        "relation",
        "selected",
        "self.file()",
        "shortened(alike, self.functions)",
    },
    "handlers/summarize/profile_sql.py": {
        "counts",
        "number",
        "', '.join(names)",
        "''.join(values)",
        "texts",
        "relation",
        "sets",
        "TOP_VALUES",
    },
    "handlers/summarize/athena_engine.py": {"texts", "self.database", "self.table", "SURPLUS"},
    # A file's path, and its columns' names, quoted
    "handlers/summarize/other_formats.py": {"literal(str(rows))", "source", "texts"},
    # The file's own dialect and columns' names, each as a literal or a quoted name
    "handlers/summarize/duckdb_engine.py": {
        "dialect.lines_before",
        "literal(dialect.delimiter)",
        "literal(no_text)",
        "literal(str(path))",
        "names",
        "quote",
        "relation",  # as profile_sql builds it
        "self._texts(columns)",
        "self.file()",
        "texts",
    },
}

# 60_analyze joins the tables of several databases, whose names are the runbook's own.
DATABASES = {"migrated", "ingested", "summarized", "database.name"}


def put_in(source: str) -> set[str]:
    """What is put into texts that are SQL, by f-strings, `format` and `%`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.JoinedStr(values=values) if SQL.search(text_of(values)):
                found |= {ast.unparse(v.value) for v in values if isinstance(v, ast.FormattedValue)}
            case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod() | ast.Add(), right=right) if (
                SQL.search(text)
            ):
                found.add(ast.unparse(right))
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")) if (
                SQL.search(text)
            ):
                found.add(ast.unparse(node))
    return found


def text_of(values: list) -> str:
    return "".join(value.value for value in values if isinstance(value, ast.Constant))


@pytest.mark.parametrize(
    "source",
    [
        "f'SELECT * FROM t WHERE a = {value}'",
        "'SELECT * FROM t WHERE a = %s' % value",
        "'… FROM {}'.format(value)",
    ],
)
def test_values_in_sql_are_found(source: str) -> None:
    assert any("value" in found for found in put_in(source))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_known_names_and_expressions_are_put_into_sql(path: Path) -> None:
    assert put_in(path.read_text("utf-8")) <= KNOWN.get(str(path.relative_to(ROOT)), set())


def test_nothing_is_known_that_is_not_there() -> None:
    assert {name: put_in((ROOT / name).read_text("utf-8")) for name in KNOWN} == KNOWN


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_put_nothing_into_sql(path: Path) -> None:
    for cell in (cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"):
        if "%%sql" in cell.source:
            assert "{" not in cell.source  # jupysql's own templates would be text, not parameters
        else:
            known = DATABASES if path.name == "60_analyze.ipynb" else set()
            assert put_in(re.sub(r"^%.*$", "", cell.source, flags=re.MULTILINE)) <= known
