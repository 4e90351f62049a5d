"""Tests stand where one looks: those of `lib/a/b.py` in `tests/a/test_b.py`, a handler's under its name."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from support import cases

from lib.base.paths import ROOT

LIB, TESTS = ROOT / "lib", ROOT / "tests"
MODULES = sorted(path for path in LIB.rglob("*.py") if path.name != "__init__.py")
HANDLERS = sorted(path.parent for path in (ROOT / "handlers").glob("*/handler.py"))
# What is seen through another module only: which tests see it.
THROUGH = {
    "base/told.py": "execution/test_run.py",
    "base/aws_models.py": "resources/test_checks.py",
    "base/refusals.py": "engine/test_regions.py",
    "base/errors.py": "ipython_extension/test_cells.py",  # how they are shown
    "cli/endpoints.py": "cli/test_exports.py",  # runs in a process of its own
    "cli/live.py": "execution/test_live_run.py",
    "cli/saved_plan.py": "cli/test_answers.py",
    "cli/options.py": "cli/test_main.py",
    "cli/telling.py": "cli/test_looking.py",
    "engine/accounts.py": "operate/test_other_account.py",
    "engine/role_descriptions.py": "operate/test_other_account.py",
    "cli/verifying.py": "operate/cutover/test_released.py",
    "engine/environments.py": "engine/test_adoption.py",
    "engine/contents.py": "engine/test_rollback.py",
    "engine/holdings.py": "engine/test_inventory.py",
    "engine/infrastructure_as_code/declarations.py": "engine/infrastructure_as_code/test_cloudformation.py",
    # Each rule is broken by a case.
    "engine/preflight/conditions.py": "engine/preflight/test_grants.py",
    "engine/preflight/form.py": "engine/preflight/test_no_traceback.py",
    "engine/preflight/order.py": "engine/preflight/test_rules.py",
    "engine/preflight/violations.py": "engine/preflight/test_rules.py",
    "engine/preflight/wiring.py": "engine/preflight/test_rules.py",
    "execution/drill_report.py": "operate/recovery/test_drill.py",
    "execution/kernels.py": "execution/test_run.py",
    "execution/live_account.py": "execution/test_live_run.py",
    "execution/bars.py": "execution/test_run.py",
    "lake/crawl.py": "resources/test_glue.py",
    "lake/query_result.py": "lake/test_query.py",
    "lake/sql_magic.py": "lake/test_query.py",
    "local/deployer_policies.py": "local/test_deployer.py",
    "local/in_server/lakeformation.py": "engine/preflight/test_account_set_up.py",
    "local/in_server/lag_calls.py": "local/in_server/test_lag.py",
    "local/in_server/lag_data.py": "local/in_server/test_lag.py",
    "local/in_server/lag_iam.py": "local/in_server/test_lag.py",
    "local/in_server/lag_lambda.py": "local/in_server/test_lag.py",
    "local/in_server/lag_queues.py": "local/in_server/test_lag.py",
    "local/in_server/lag_s3.py": "local/in_server/test_lag.py",
    "local/in_server/lag_times.py": "local/in_server/test_lag.py",
    "local/lag_table.py": "local/in_server/test_lag.py",
    "local/in_server/pieces.py": "local/test_killed.py",
    "local/originals.py": "local/test_corrections.py",
    "local/reports.py": "local/test_corrections.py",
    "local/hypercorn_config.py": "local/test_protocol.py",  # runs in the server
    "local/server_process.py": "local/test_ministack.py",
    "local/stand_ins.py": "local/in_server/test_announcements.py",
    "operate/audits/buckets.py": "operate/audits/test_audit.py",
    "operate/audits/comparisons.py": "operate/audits/test_audit.py",
    "operate/audits/derived_objects.py": "operate/audits/test_index.py",
    "operate/audits/items.py": "operate/audits/test_index.py",
    "operate/audits/history.py": "operate/audits/test_audit.py",
    "operate/audits/table_rows.py": "operate/audits/test_table_files.py",
    "operate/audits/table_shape.py": "operate/audits/test_table_files.py",
    "operate/audits/athena_tables.py": "operate/audits/test_audit.py",
    "operate/backfills/estimate.py": "operate/backfills/test_batch_job.py",
    "operate/failures/explain.py": "notebooks/test_redrive.py",
    "operate/failures/quarantine.py": "operate/failures/test_redrive.py",
    "operate/failures/stuck.py": "notebooks/test_redrive.py",
    "operate/cutover/freezing.py": "operate/cutover/test_released.py",
    "operate/cutover/outlook.py": "operate/cutover/test_released.py",
    "operate/cutover/remaining.py": "operate/cutover/test_released.py",
    "operate/derived.py": "operate/audits/test_other_handlers.py",
    "operate/links.py": "operate/test_pipelines.py",
    "operate/log_events.py": "operate/test_watch.py",
    "operate/object_history.py": "notebooks/test_index.py",
    "operate/observe/usage.py": "operate/observe/test_cost.py",
    "operate/observe/watching.py": "notebooks/test_observe.py",
    "operate/recovery/restorer.py": "operate/test_other_account.py",
    "operate/stocks.py": "notebooks/test_ingest.py",
    "parameters/sections.py": "parameters/test_model.py",
    "resources/prices.py": "operate/observe/test_cost.py",
    "resources/s3_adopted.py": "engine/test_adoption.py",
}
# What runs in the server of the local AWS is seen by what it answers: there is one file of tests for each
# service, language or property, and it need not be named as the modules are that have a share in it.
SERVER = "local/in_server/"
ELSEWHERE = (SERVER, "cli/")  # run by other processes than that of the tests
OF_SERVER = {
    "announcing.py": "local/in_server/test_announcements.py",
    "athena.py": "local/in_server/test_athena_sql.py",
    "athena_translate.py": "local/in_server/test_athena_sql.py",
    "clients.py": "local/in_server/test_deliveries.py",
    "cloudwatch_query.py": "local/test_others_tools.py",
    "correction.py": "local/test_corrections.py",
    "corrections/": "local/test_corrections.py",
    "copied_process.py": "local/in_server/test_lambda.py",
    "crawler_role.py": "local/in_server/test_crawls.py",
    "glue_classify.py": "local/in_server/test_crawls.py",
    "glue_grouping.py": "local/in_server/test_crawls.py",
    "glue_tables.py": "local/in_server/test_crawls.py",
    "lambda_code.py": "local/in_server/test_lambda.py",
    "lambda_copied.py": "local/in_server/test_lambda.py",
    "lambda_start.py": "local/in_server/test_lambda.py",
    "lambda_svc.py": "local/in_server/test_lambda.py",
    "not_here.py": "local/in_server/test_trino_expressions.py",
    "queries.py": "lake/test_query.py",
    "s3_lifecycle.py": "local/in_server/test_lifecycle.py",
    "saving.py": "local/test_killed.py",
    "torn_objects.py": "local/test_killed.py",
    "trino_": "local/in_server/test_trino_expressions.py",
    "trust.py": "local/in_server/test_iam.py",
}
TABLE = THROUGH | {f"{SERVER}{name}": tests for name, tests in OF_SERVER.items()}


def name(path: Path) -> str:
    return path.relative_to(LIB).as_posix()


def through(path: Path) -> str:
    """The tests that see a module through another one; empty if none is said to."""
    begins = (begin for begin in TABLE if begin.endswith(("/", "_")) and name(path).startswith(begin))
    return TABLE.get(name(path)) or TABLE.get(next(begins, ""), "")


def own(path: Path) -> Path:
    """Where a module's own tests are; a trailing _ only keeps a name from being a word of Python's."""
    return TESTS / path.relative_to(LIB).parent / f"test_{path.stem.rstrip('_')}.py"


def is_of_cases(path: Path) -> bool:
    """Whether its classes have cases, which tests/resources/test_lifecycle.py and others go through."""
    names = {module.__name__.rpartition(".")[2] for module in cases.MODULES}
    return path.parent.name == "resources" and path.stem in names


@cache
def imports(path: Path) -> frozenset[Path]:
    """The files of ours that one imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    files = {
        folder / f"{each.replace('.', '/')}{end}"
        for each in names
        for folder in (ROOT, TESTS)
        for end in (".py", "/__init__.py")
    }
    return frozenset(file for file in files if file.exists())


def reached(path: Path) -> set[Path]:
    """All of our files that one imports, itself or by what it imports."""
    found, new = set(), {path}
    while new:
        found |= new
        new = {other for one in new for other in imports(one)} - found
    return found


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_has_its_tests_where_one_looks_or_is_seen_through_another(path: Path):
    other = through(path)
    where = f"write {own(path).relative_to(ROOT)}, or say in tests/test_mirror.py which tests see it"
    assert own(path).exists() or is_of_cases(path) or other, where
    assert not (own(path).exists() and name(path) in TABLE), (
        "it has tests of its own, so it is not seen through others"
    )
    assert not other or (TESTS / other).exists(), f"tests/{other} is not there"


@pytest.mark.parametrize("path", [path for path in MODULES if own(path).exists()], ids=name)
def test_what_is_named_after_a_module_has_tests_and_reaches_it(path: Path):
    assert re.search(r"^ *def test_", own(path).read_text("utf-8"), re.MULTILINE)
    is_elsewhere = name(path).startswith(ELSEWHERE)
    by_process = is_elsewhere or f"%load_ext lib.{path.stem}" in own(path).read_text("utf-8")
    assert path in reached(own(path)) or by_process, "what is this file about?"


def test_nothing_is_in_the_table_that_is_not_in_lib():
    names = [name(path) for path in MODULES]
    assert [begin for begin in TABLE if not any(each.startswith(begin) for each in names)] == []


@pytest.mark.parametrize("folder", HANDLERS, ids=lambda folder: folder.name)
def test_a_handler_has_its_tests(folder: Path):
    own_tests = TESTS / "handlers" / f"test_{folder.name}.py"
    assert own_tests.exists(), f"write {own_tests.relative_to(ROOT)}"
    assert re.search(rf"\b{folder.name}\b", own_tests.read_text("utf-8"))
