"""docs/truth.md tells of all rules as they are."""

import re

from lib.base.marked import part
from lib.base.paths import ROOT
from lib.engine.preflight.truth import DOCUMENT, SEEN, TABLE, seen, table, write
from lib.engine.preflight.violations import rules


def test_the_table_is_that_of_the_rules():
    text = DOCUMENT.read_text("utf-8")
    assert part(text, TABLE).strip() == table().strip(), "run: python -m lib.engine.preflight.truth"


def test_the_numbers_are_those_of_the_rules():
    assert part(DOCUMENT.read_text("utf-8"), SEEN) == seen(), "run: python -m lib.engine.preflight.truth"


def test_writing_changes_nothing_outside_the_marks(tmp_path):
    copy = tmp_path / "truth.md"
    text = DOCUMENT.read_text("utf-8")
    copy.write_text(text.replace(seen(), "old numbers\n").replace(table(), "old table\n"), "utf-8")
    write(copy)
    assert copy.read_text("utf-8") == text


def test_each_rule_names_its_check_and_its_test():
    rows = [line.strip("| ").split(" | ") for line in table().splitlines()[2:]]
    assert len(rows) == len(rules())
    for name, *_, checks, tests in rows:
        assert checks, name
        assert tests, name


def test_each_rule_links_to_where_its_answer_was_seen_or_says_that_it_was_not():
    rows = dict(zip(rules(), table().splitlines()[2:], strict=True))
    for name, rule in rules().items():
        assert ("([seen](https://" in rows[name]) == ("seen" in rule), name
        assert ("(not seen)" in rows[name]) == ("seen" not in rule), name
        assert (f"`{name}`" in seen()) == ("seen" not in rule), name


def test_only_known_rules_are_found():
    findings = re.compile(r'(?:Finding|within|written_as|_finding|missing|rule,? ?=)\(?\s*"([a-z-]+)"')
    named = {
        name for path in (ROOT / "lib").rglob("*.py") for name in findings.findall(path.read_text("utf-8"))
    }
    assert named - {"runbook"} <= rules().keys()


def test_its_links_lead_somewhere():
    for link in re.findall(r"]\(\.\./([^)#]+)", DOCUMENT.read_text("utf-8")):
        assert (ROOT / link).exists(), link
