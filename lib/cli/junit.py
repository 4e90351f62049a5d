"""Checklists as JUnit's XML, which CI systems show: a suite for each notebook, a case for each point."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from lib.base.shown import printable

if TYPE_CHECKING:  # it brings papermill with it, which takes a second and a half to import
    from lib.execution.run import Result


def write(path: Path, results: "Sequence[Result]") -> None:
    """Write what became of notebooks: their points, what they left out, and why one failed.

    Args:
        path: The file; its folder is made if need be.
        results: Of the notebooks.
    """
    root = Element("testsuites", name="runbook")
    for result in results:
        root.append(_suite(result))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(result: "Result") -> Element:
    suite = Element("testsuite", name=result.name, time=f"{result.seconds:.3f}")
    for point in result.points:
        case = _case(suite, result, point["claim"])
        SubElement(case, "system-out").text = printable(point["evidence"])
        if not point["holds"]:
            SubElement(case, "failure", message=printable(point["evidence"], keep=""))
    for each in result.left_out:
        reason = printable(each["reason"], keep="")
        SubElement(_case(suite, result, f"left out: {each['what']}"), "skipped", message=reason)
    if result.outcome == "not run":
        SubElement(_case(suite, result, "runs"), "skipped", message="one before it did not end well")
    elif result.outcome != "ok":
        why = result.failure.message if result.failure else result.outcome
        kind = result.failure.kind if result.failure else result.outcome
        error = SubElement(_case(suite, result, "runs to its end"), "error", type=kind)
        error.set("message", printable(why, keep=""))
    else:
        _case(suite, result, "runs to its end")
    suite.set("tests", str(len(suite)))
    for tag, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in suite)))
    return suite


def _case(suite: Element, result: "Result", name: str) -> Element:
    return SubElement(suite, "testcase", classname=result.name, name=printable(name, keep=""))
