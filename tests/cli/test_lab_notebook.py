"""A notebook in JupyterLab, of a person who writes no code: the form, its buttons, a file of one's own."""

import nbformat
import pytest
from support import browser

NOTEBOOK = "10_migrate.ipynb"
MINUTES_MS = 240_000
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the notebooks, as they are before anybody has run them."""
    copy = tmp_path_factory.mktemp("lab")
    browser.copied_notebooks(copy)
    return copy


@pytest.fixture(scope="module")
def page(chromium, folder, local_aws):
    size = {"width": 1280, "height": 1000}
    with browser.notebook_in_lab(chromium, folder, NOTEBOOK, size) as page:
        yield page


def source_of(page, text):
    return page.evaluate(
        """text => [...jupyterapp.shell.currentWidget.content.widgets]
            .map(cell => cell.model.sharedModel.getSource()).find(source => source.includes(text))""",
        text,
    )


def saved(folder):
    cells = nbformat.read(folder / "notebooks" / NOTEBOOK, as_version=4).cells
    return next(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))


def test_the_form_checks_what_one_types_and_writes_the_parameters_cell(page, folder):
    page.locator(".jp-NotebookPanel:visible h1").first.click()
    for _ in range(6):
        page.keyboard.press("Shift+Enter")
    form = page.get_by_role("form", name="Parameters")
    form.wait_for()
    form.locator("summary", has_text="migrate").click()
    form.scroll_into_view_if_needed()
    size, age = form.get_by_label("batch_size"), form.get_by_label("oldest_message_alarm_s")
    size.fill("50")
    age.fill("soon")
    wrong = [
        form.locator(f"[data-name='migrate.{name}'] .wrong")
        for name in ("batch_size", "oldest_message_alarm_s")
    ]
    for each in wrong:
        each.filter(has_text="found").wait_for()
    assert "less than or equal to 10" in wrong[0].inner_text()
    assert size.get_attribute("aria-invalid") == "true"
    assert form.get_by_role("button", name="Plan").is_disabled()
    browser.keep(page, "form-wrong")
    age.fill("900")
    size.fill("5")
    form.get_by_text("written into the parameters cell").wait_for()
    assert 'migrate = {"batch_size": 5}  # the pipeline that copies' in source_of(page, "account_id =")
    assert form.get_by_text("runbook run migrate --set migrate.batch_size=5").count() == 1
    browser.keep(page, "form")
    page.keyboard.press("Control+s")
    page.locator(".lm-TabBar-tab.lm-mod-current:not(.jp-mod-dirty)", has_text=NOTEBOOK).wait_for()
    assert 'migrate = {"batch_size": 5}' in saved(folder)


def test_its_buttons_plan_and_apply_and_a_file_of_ones_own_arrives(page, tmp_path):
    form = page.get_by_role("form", name="Parameters")
    assert form.get_by_role("button", name="Apply").is_disabled()
    form.get_by_role("button", name="Plan").click()
    page.get_by_text("Plan: done").wait_for(timeout=MINUTES_MS)
    browser.keep(page, "form-planned")
    page.get_by_role("button", name="Apply").click()  # it is in sight, although the form is not
    page.get_by_text("Apply: done").wait_for(timeout=MINUTES_MS)
    browser.keep(page, "form-applied")
    page.get_by_role("button", name="Send a file").click()
    page.get_by_text("Send a file of your own: done").wait_for(timeout=MINUTES_MS)
    own = tmp_path / "my färm.csv"
    own.write_bytes(b"name,eggs\nBerta,3\n" * 150_000)  # several parts
    chooser = page.locator(".runbook-own-file")
    chooser.scroll_into_view_if_needed()
    browser.keep(page, "own-file")
    chooser.locator("input[type=file]").set_input_files(tmp_path / "my färm.csv")
    chooser.get_by_text("in place").wait_for()
    assert "own/my färm.csv" in chooser.inner_text()
    browser.keep(page, "own-file-arrived")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_nothing_of_ours_bars_people_from_it(page, theme):
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.locator(f"body[data-jp-theme-light={str('Light' in theme).lower()}]").wait_for(state="attached")
    form = page.get_by_role("form", name="Parameters")
    form.scroll_into_view_if_needed()
    form.locator("details").evaluate_all("all => all.forEach(each => (each.open = true))")
    found = browser.barriers(page, ".runbook-form")
    browser.keep(page, f"form-{theme.split()[1].lower()}")
    page.locator(".runbook-own-file").scroll_into_view_if_needed()
    found += browser.barriers(page, ".runbook-own-file", ".runbook-scroll")
    browser.keep(page, f"own-file-{theme.split()[1].lower()}")
    assert found == []
