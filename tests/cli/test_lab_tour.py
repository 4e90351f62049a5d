"""The tour in JupyterLab and its report, as a person sees them; their pictures are those of the README."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import browser

NOTEBOOK = "01_tour.ipynb"
MODEL = "jupyterapp.shell.currentWidget.content.model"
OUTPUTS = f"{MODEL}.toJSON().cells.flatMap((cell) => cell.outputs ?? [])"
SIZE = {"width": 1120, "height": 700}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def page(chromium, local_aws, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    browser.copied_notebooks(folder)
    with browser.notebook_in_lab(chromium, folder, NOTEBOOK, SIZE) as page:
        yield page


def show(page, text: str):
    """Have the cell that holds a text begin at the top; returns it."""
    page.evaluate(
        """text => {
            const notebook = jupyterapp.shell.currentWidget.content;
            const found = notebook.widgets.findIndex(
                (cell) => cell.model.sharedModel.getSource().includes(text));
            notebook.activeCellIndex = found;
            return notebook.scrollToItem(found, "start");
        }""",
        text,
    )
    page.wait_for_timeout(500)  # until nothing moves any more
    return page.locator(".jp-Cell.jp-mod-active")


def test_from_the_first_cell_to_the_last_it_shows_a_plan_a_picture_and_a_check(page):
    page.evaluate("jupyterapp.commands.execute('application:toggle-left-area')")
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")  # until the last has ended
    outputs = page.evaluate(OUTPUTS)
    assert [each for each in outputs if each["output_type"] == "error" or each.get("name") == "stderr"] == []
    assert "✓  nothing is missing in the answer" in outputs[-1]["data"]["text/plain"]
    show(page, "stack.plan()").locator("table").first.wait_for()
    browser.keep(page, "tour-plan")
    show(page, "charts.airports(")
    chart = page.locator(".jp-mod-active .runbook-chart :is(svg, img)").first
    chart.wait_for()
    chart.evaluate("chart => chart.scrollIntoView({ block: 'end' })")
    page.wait_for_timeout(500)
    browser.keep(page, "tour-map")


def test_its_report_is_offline_and_whole(chromium, local_aws):
    runbook = Path(sys.executable).with_name("runbook")
    ran = subprocess.run([runbook, "run", "tour"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    index = max(Path(os.environ["RUNBOOK_HOME"]).glob("runs/*/index.html"))
    context = chromium.new_context(offline=True, viewport=SIZE)
    page = context.new_page()
    page.goto(index.as_uri())
    assert page.locator("a", has_text="01_tour").count()
    browser.keep(page, "tour-report")
    context.close()
