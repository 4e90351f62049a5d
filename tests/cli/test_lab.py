"""JupyterLab as `runbook lab` opens it, in a real browser: what is on the page."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from support import browser

from lib.base.paths import ROOT
from lib.cli import lab

# Runs until the test has seen what it looks for, which the file tells.
WAITS = """
import time
from pathlib import Path
from lib.base.waits import Wait
with Wait("Upload", total=4, unit="object", note=lambda: "last: <b>.csv") as wait:
    wait.update(3)
    for _ in range(1200):
        if Path("seen").exists():
            break
        time.sleep(0.1)
"""
TABLE = """
import pandas as pd
pd.DataFrame({"faa": [f"A{n:04}" for n in range(1458)], "bytes": range(1458)})
"""
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
SQL = "%when True\n%%sql\nSELECT faa FROM airports"
CHART = """
from lib.engine.picture import Picture
Picture('flowchart TB\\n  a["S3<br/>source"] -->|notifies| b["SNS<br/>uploads"]')
"""
SOURCES = ["%load_ext lib.ipython_extension", WAITS, TABLE, "uploads.head()", SQL, "select = 1", CHART]


def test_it_opens_the_project_with_the_first_notebook_in_front():
    command = lab.command(["--port", "9999"])
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--ServerApp.root_dir={ROOT}" in command
    assert (ROOT / lab.FIRST).exists()
    assert [each for each in lab.command(["--ServerApp.root_dir=/x"]) if "root_dir" in each] == [
        "--ServerApp.root_dir=/x"
    ]
    assert command[-2:] == ["--port", "9999"]
    assert (lab.SETTINGS / "overrides.json").exists()


def test_its_terminals_know_runbook(monkeypatch):
    own = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert lab.environment()["PATH"] == f"{own}:/usr/bin"
    monkeypatch.setenv("PATH", f"/usr/bin:{own}")
    assert lab.environment()["PATH"] == f"/usr/bin:{own}"


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    notebook = new_notebook(cells=list(map(new_code_cell, SOURCES)), metadata={"kernelspec": KERNEL})
    (folder / "notebooks").mkdir()
    nbformat.write(notebook, folder / lab.FIRST)
    with browser.lab_server(folder) as address:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * browser.PATIENCE_S)
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(address.replace("/lab/tree/" + lab.FIRST, "/"))  # as one who types the address
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
        page.locator("text=/ipykernel.*Idle/").first.wait_for()
        page.folder = folder / "notebooks"
        yield page
        page.close()


def run(page, number):
    """Run one of the cells."""
    page.locator(".jp-CodeCell .cm-content").nth(number).click()
    page.keyboard.press("Control+Enter")
    return page.locator(".jp-CodeCell").nth(number)


def test_in_a_browser_nothing_asks_and_nothing_fails_to_load(page):
    front = page.locator("#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current")
    assert front.inner_text().strip() == Path(lab.FIRST).name
    assert page.locator(".jp-Dialog").count() == 0
    assert page.locator("text=/get notified|news/i").count() == 0
    assert page.complaints == []
    browser.keep(page, "lab-opened")


def test_in_a_browser_a_wait_shows_life_and_is_gone_afterwards(page):
    run(page, 0)
    cell = run(page, 1)
    shown = cell.locator("[role=status]")
    shown.wait_for()
    first = shown.inner_text()
    assert "Upload 3 of 4 objects" in first
    assert "last: <b>.csv" in first
    page.wait_for_function("([old]) => document.querySelector('[role=status]').innerText != old", arg=[first])
    assert cell.locator("[role=status]").count() == 1
    assert cell.locator("progress").get_attribute("value") == "0.750"
    browser.keep(page, "lab-wait")
    (page.folder / "seen").touch()
    shown.wait_for(state="detached")
    assert "stderr" not in cell.locator(".jp-OutputArea").inner_html()
    assert cell.locator(".jp-OutputArea-child").count() == 0
    assert cell.locator(".jp-OutputArea").inner_text().strip() == ""
    browser.keep(page, "lab-wait-over")


def test_in_a_browser_a_table_can_be_sorted_searched_and_paged(page):
    run(page, 0)
    cell = run(page, 2)
    cell.locator("table.dataTable").wait_for()
    cell.scroll_into_view_if_needed()
    browser.keep(page, "lab-table")
    assert "1 to 25 of 1,458 rows" in cell.inner_text()
    assert cell.locator("tbody tr").count() == 25
    for order in ("ascending", "descending"):
        cell.locator("th", has_text="bytes").click()
        cell.locator(f"th[aria-sort={order}]").wait_for()
    assert cell.locator("tbody tr").first.inner_text().split() == ["A1457", "1.4", "KiB"]  # by the value
    cell.locator("input[type=search]").fill("A0815")
    assert cell.locator("tbody tr").count() == 1
    align = "cell => getComputedStyle(cell).textAlign"
    assert [cell.locator("tbody td").nth(n).evaluate(align) for n in (0, 1)] == ["left", "right"]


def test_in_a_browser_an_error_says_what_to_do(page):
    run(page, 0)
    cell = run(page, 3)
    cell.locator("text=Run All Above").wait_for()
    browser.keep(page, "lab-error")
    assert len(cell.locator(".jp-OutputArea").inner_text().strip().splitlines()) <= 3


def test_in_a_browser_sql_is_coloured_also_below_a_condition(page):
    words = page.locator(".jp-CodeCell .cm-line span")
    words.filter(has_text="SELECT").wait_for()
    colours = words.evaluate_all(
        "spans => Object.fromEntries(spans.map(span => [span.innerText, getComputedStyle(span).color]))"
    )
    assert colours["SELECT"] == colours["FROM"]
    text = page.locator(".jp-CodeCell .cm-content").first.evaluate("text => getComputedStyle(text).color")
    assert colours["SELECT"] != text
    assert "select" not in colours or colours["select"] != colours["SELECT"]  # Python stays Python


def zoomed(page, picture):
    """Enlarge a picture, by key and wheel, move it and close it; return its widths on the way."""
    picture.locator("button", has_text="Enlarge").click()
    dialog = page.locator("dialog.runbook-zoom[open]")
    shown = dialog.locator("img, svg").first
    widths = [shown.bounding_box()["width"]]
    page.keyboard.press("+")
    widths.append(shown.bounding_box()["width"])
    pane = dialog.locator("[role=group]")
    close = dialog.locator("button", has_text="Close").bounding_box()
    assert close["x"] + close["width"] <= dialog.evaluate("dialog => dialog.clientWidth")
    assert dialog.evaluate("dialog => dialog.clientWidth") == page.evaluate(
        "document.documentElement.clientWidth"
    )
    box = pane.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    for _ in range(3):
        page.mouse.wheel(0, -300)
    page.wait_for_function(
        "([shown, width]) => shown.getBoundingClientRect().width > 4 * width",
        arg=[shown.element_handle(), widths[1]],
    )
    widths.append(shown.bounding_box()["width"])
    before = shown.bounding_box()["x"]
    page.mouse.down()
    page.mouse.move(middle[0] - 80, middle[1], steps=4)
    page.mouse.up()
    assert shown.bounding_box()["x"] == pytest.approx(before - 80, abs=2)
    assert browser.barriers(page, "dialog.runbook-zoom") == []
    browser.keep(page, f"zoom-{shown.evaluate('each => each.tagName')}")
    page.keyboard.press("0")
    widths.append(shown.bounding_box()["width"])
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    return widths


def test_in_a_browser_a_picture_is_as_large_as_one_likes(page):
    run(page, 0)
    cell = run(page, 6)
    picture = cell.locator(".jp-RenderedMermaid")
    picture.locator("img").wait_for()
    picture.scroll_into_view_if_needed()
    browser.keep(page, "lab-picture")
    fitted, larger, largest, again = zoomed(page, picture)
    assert picture.locator("img").bounding_box()["width"] < fitted < larger < largest
    assert again == pytest.approx(fitted, abs=1)
    assert page.complaints == []


def test_what_bars_people_is_found(chromium):
    page = chromium.new_page()
    page.set_content('<main lang="en"><img src="x.png"><p style="color:#ccc;background:#fff">pale</p></main>')
    assert {found.partition(":")[0] for found in browser.barriers(page, "main")} == {
        "image-alt",
        "color-contrast",
    }
    page.close()


@pytest.mark.parametrize(
    ("scheme", "ground", "ink"), [("light", "#f5f5f5", "#222"), ("dark", "#222", "#eee")]
)
def test_in_a_browser_what_a_plan_says_is_legible_in_both_themes(chromium, scheme, ground, ink):
    import pandas as pd

    from lib.base import frames
    from lib.engine import plan

    rows = pd.DataFrame({"action": [f"{sign} {word}" for word, sign in plan.SIGNS.items()], "name": "x"})
    page = chromium.new_page()
    theme = f"data-jp-theme-light={str(scheme == 'light').lower()}"
    table = plan._in_colour(frames.html(rows))
    colours = f"--jp-layout-color0:{ground};background:{ground};color:{ink}"
    page.set_content(f'<body {theme} style="{colours}">{table}')
    assert browser.barriers(page, "table") == []
    colours = page.locator("td:first-child").evaluate_all(
        "all => all.map(each => getComputedStyle(each).color)"
    )
    assert len(set(colours)) == 4  # made, changed, lost, and the page's own
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_a_report_of_a_disk_is_whole(chromium, tmp_path, monkeypatch, scheme):
    from datetime import UTC, datetime

    import pandas as pd

    from lib.base import frames
    from lib.execution.report import write_report
    from lib.execution.run import Result, new_folder
    from lib.parameters import Parameters

    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path))
    table = frames.html(pd.DataFrame({"key": [f"k{n}" for n in range(300)]}))
    output = nbformat.v4.new_output("execute_result", data={"text/html": table})
    chart = nbformat.v4.new_output(
        "display_data", data={"text/vnd.mermaid": 'flowchart LR\n  a["S3<br/>source"]'}
    )
    cells = [new_code_cell("x = " + "'long' + " * 80 + "''", outputs=[output, chart])]
    folder = new_folder(datetime.now(UTC))
    nbformat.write(new_notebook(cells=cells), folder / "10_some.ipynb")
    result = Result("10_some", "ok", 1.0, folder / "10_some.ipynb")
    index = write_report(folder, [result], Parameters(), datetime.now(UTC))
    context = chromium.new_context(color_scheme=scheme, offline=True, viewport={"width": 900, "height": 900})
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.goto(index.as_uri())
    page.locator("a", has_text="10_some").first.click()
    page.locator("table.dataTable").wait_for()
    assert asked == []
    assert browser.barriers(page, ".runbook-scroll", ".runbook-picture", "nav") == []
    assert page.locator(".runbook-picture svg").count() == 1
    fitted, larger, *_ = zoomed(page, page.locator(".runbook-picture"))
    assert larger > fitted
    background = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    browser.keep(page, f"report-{scheme}")
    page.emulate_media(media="print")
    wider = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) <= 0  # nothing is cut off
    page.emulate_media(media="screen")
    page.locator("nav.runbook a").first.click()
    assert page.url == index.as_uri()
    assert browser.barriers(page) == []
    context.close()
