"""`make corrections`: which corrections MiniStack needs no more, since it does by itself as AWS does.

For each, a server is started without it, and the tests are run that prove it. They must fail then: if one
passes, MiniStack has mended it meanwhile, or it proves nothing. Before, all must pass with all corrections.

    PYTHONPATH=tests .venv/bin/python -m support.without_corrections [NAME …]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
from tqdm import tqdm

from lib.base.paths import ROOT
from lib.local.in_server.correction import WITHOUT, Correction
from lib.local.in_server.corrections import CORRECTIONS
from lib.local.originals import version

REPORTS = "tests/local/test_corrections.py::test_what_a_report_says_is_so_with_the_correction"
AT_ONCE = 2
TEST_TIMEOUT_S = 120  # of one test: without a correction some would wait for what never comes
NEEDED = "needed"
MENDED = "MENDED, or its test proves nothing"
BROKEN = "NOT SHOWN: the test could not even begin"


@dataclass(frozen=True)
class Outcome:
    """How a test went, of all its parameters.

    Attributes:
        counts: How many passed, failed, errors and skipped there were.
        said: What the first that failed said.
    """

    counts: dict[str, int]
    said: str

    @property
    def verdict(self) -> str:
        """What it says of a correction that the server was without."""
        if self.counts["failed"]:
            return NEEDED
        return BROKEN if self.counts["error"] or not self.counts["passed"] else MENDED


def tests_of(correction: Correction) -> tuple[str, ...]:
    """Return the tests that prove a correction."""
    own = (f"{REPORTS}[{correction.name}]",) if correction.reproduce else ()
    return own + correction.tests


def run(tests: Iterable[str], without: str = "") -> dict[str, Outcome]:
    """Run tests, in a home of their own.

    Args:
        tests: As pytest names them.
        without: The name of a correction; none by default.

    Returns:
        The outcome of each.
    """
    tests = list(tests)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-q", "-p", "no:cacheprovider", f"--timeout={TEST_TIMEOUT_S}", f"--junit-xml={report}"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=ROOT,
            env=os.environ | {WITHOUT: without, "RUNBOOK_HOME": folder},
            capture_output=True,
            text=True,
        )
        if not report.exists():
            raise RuntimeError(f"pytest did not run {tests}:\n{done.stdout}{done.stderr}")
        cases = list(ElementTree.parse(report).iter("testcase"))
    return {test: outcome(case for case in cases if is_of(case, test)) for test in tests}


def is_of(case: ElementTree.Element, test: str) -> bool:
    """Return whether a case of pytest's report is of a test, with whatever parameters."""
    path, _, name = test.partition("::")
    of_file = case.get("classname", "").replace(".", "/") == path.removesuffix(".py")
    found = case.get("name", "")
    return of_file and found == name or (of_file and "[" not in name and found.partition("[")[0] == name)


def outcome(cases: Iterable[ElementTree.Element]) -> Outcome:
    """Return how the cases of a test went."""
    counts, said = dict.fromkeys(("passed", "failed", "error", "skipped"), 0), ""
    for case in cases:
        kinds = {child.tag: child for child in case}
        kind = next((kind for kind in ("failure", "error", "skipped") if kind in kinds), "passed")
        counts["failed" if kind == "failure" else kind] += 1
        if kind in ("failure", "error") and not said:
            said = kinds[kind].get("message", "").strip().splitlines()[0][:100]
    return Outcome(counts, said)


def rows(correction: Correction) -> list[dict[str, str]]:
    """Do without a correction, and return a row for each of its tests."""
    return [
        {
            "correction": correction.name,
            "test": "its report's code" if test.startswith(REPORTS) else test.rpartition("::")[2],
            "without it": found.verdict,
            "cases": ", ".join(f"{count} {kind}" for kind, count in found.counts.items() if count),
            "the first says": found.said,
        }
        for test, found in run(tests_of(correction), without=correction.name).items()
    ]


def main() -> None:
    """Print the table; ends with 1 if a test does not fail without its correction, or fails with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of corrections; all by default")
    names = parser.parse_args().names
    if unknown := set(names) - CORRECTIONS.keys():
        parser.error(f"no such correction: {', '.join(sorted(unknown))}; see `runbook local corrections`")
    chosen = [CORRECTIONS[name] for name in names or CORRECTIONS]
    with_all = run(dict.fromkeys(test for each in chosen for test in tests_of(each)))
    failing = {test: found for test, found in with_all.items() if found.verdict != MENDED}
    for test, found in failing.items():
        print(f"With all corrections {test} does not pass: {found.counts} {found.said}", file=sys.stderr)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = list(tqdm(threads.map(rows, chosen), total=len(chosen), unit="correction"))
    table = pd.DataFrame([row for each in found for row in each])
    print(f"MiniStack {version()}, without each correction:\n{table.to_string(index=False)}")
    wrong = table[table["without it"] != NEEDED]
    print(
        f"{len(chosen)} corrections, {len(table)} tests: {len(wrong)} do not fail without their correction."
    )
    sys.exit(bool(failing) or bool(len(wrong)))


if __name__ == "__main__":
    main()
