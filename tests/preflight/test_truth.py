"""docs/truth.md tells of all rules as they are."""

import re

from lib.paths import ROOT
from lib.preflight.truth import BEGIN, DOCUMENT, END, table
from lib.preflight.violations import rules


def test_the_table_is_that_of_the_rules():
    text = DOCUMENT.read_text("utf-8")
    assert text.split(BEGIN)[1].split(END)[0].strip() == table().strip(), "run: python -m lib.preflight.truth"


def test_each_rule_names_its_check_and_its_test():
    rows = [line.strip("| ").split(" | ") for line in table().splitlines()[2:]]
    assert len(rows) == len(rules())
    for name, *_, checks, tests in rows:
        assert checks, name
        assert tests, name


def test_only_known_rules_are_found():
    findings = re.compile(r'(?:Finding|within|written_as|_finding|missing|rule,? ?=)\(?\s*"([a-z-]+)"')
    named = {
        name for path in (ROOT / "lib").rglob("*.py") for name in findings.findall(path.read_text("utf-8"))
    }
    assert named - {"runbook"} <= rules().keys()


def test_its_links_lead_somewhere():
    for link in re.findall(r"]\(\.\./([^)#]+)", DOCUMENT.read_text("utf-8")):
        assert (ROOT / link).exists(), link
