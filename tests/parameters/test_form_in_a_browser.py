"""The form's script in a browser, on a page that has JupyterLab's objects and the cells of a notebook."""

import base64

import nbformat
import pytest
from support import browser

from lib.base.paths import ROOT
from lib.parameters import input_form
from lib.parameters.input_form import Form

ALL = ["Plan", "Apply", "Send a file of your own"]
DEPLOYING = ["Plan", "Apply"]
BUTTONS = {
    "00_start": [],
    "01_tour": DEPLOYING,
    "10_migrate": ALL,
    "20_backup": ALL,
    "30_index": ALL,
    "40_summarize": ALL,
    "50_ingest": ALL,
    "60_analyze": DEPLOYING,
    "70_audit": DEPLOYING,
    "71_backfill": [],
    "72_redrive": [],
    "73_restore": [],
    "74_cutover": [],
    "80_observe": DEPLOYING,
    "90_destroy": [],
}
BEGIN = """async ({ script, state, cells, path }) => {
    const handlers = {};
    globalThis.model = {
        state,
        sent: [],
        get: (name) => state[name],
        on: (event, told) => (handlers[event] = told),
        send: (message) => model.sent.push(message),
        answer: (changed) => (Object.assign(state, changed), handlers["change:seen"]()),
    };
    globalThis.cells = cells.map(({ type, source, tags }) => ({
        node: document.body.appendChild(document.createElement("div")),
        model: {
            type,
            sharedModel: { getSource: () => source, setSource: (text) => (source = text) },
            getMetadata: () => tags,
        },
    }));
    globalThis.ran = [];
    const content = {
        widgets: globalThis.cells,
        deselectAll: () => {},
        extendContiguousSelectionTo: (to) => ran.push([content.activeCellIndex, to]),
    };
    const panel = { content, node: document.body, context: { path } };
    globalThis.jupyterapp = { shell: { widgets: () => [panel] }, commands: { execute: async () => true } };
    const own = cells.findIndex(({ source }) => source === "input_form.show(globals())");
    const form = await import(`data:text/javascript;base64,${script}`);
    form.default.render({ model, el: globalThis.cells[own].node });
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


class Page:
    """A page with the form of a notebook, and the kernel's side of it."""

    def __init__(self, page, name):
        self.page, self.name = page, name
        self.cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
        parameters = next(cell.source for cell in self.cells if "parameters" in cell.metadata.get("tags", []))
        self.namespace: dict = {}
        exec(parameters, self.namespace)
        self.namespace["In"] = ["", parameters]
        self.begin(Form(self.namespace))

    def begin(self, form):
        """Show a form on a page of its own."""
        self.form, page = form, self.page
        script = base64.b64encode(input_form.SCRIPT.read_bytes()).decode()
        cells = [
            {"type": cell.cell_type, "source": cell.source, "tags": cell.metadata.get("tags", [])}
            for cell in self.cells
        ]
        state = input_form.begun(form)
        page.goto("about:blank")
        page.evaluate(BEGIN, {"script": script, "state": state, "cells": cells, "path": f"{self.name}.ipynb"})
        page.locator("summary").evaluate_all("all => all.forEach(each => (each.parentElement.open = true))")

    def source(self, place):
        """What stands in a cell by now."""
        return self.page.evaluate("place => cells[place].model.sharedModel.getSource()", place)

    def answer(self):
        """Answer as the kernel does what was sent and is not answered."""
        self.page.wait_for_function("model.sent.length")
        for sent in self.page.evaluate("model.sent.splice(0)"):
            seen = self.page.evaluate("model.get('seen')")
            self.page.evaluate("changed => model.answer(changed)", input_form.answered(self.form, sent, seen))

    @property
    def buttons(self):
        return self.page.locator("[role=group] button")

    @property
    def told(self):
        return self.page.locator(".told").inner_text()


@pytest.fixture(scope="module")
def page():
    with browser.browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(1000 * browser.PATIENCE_S)
        yield page


def test_every_notebook_has_the_buttons_of_its_own_cells(page):
    names = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert {name: Page(page, name).buttons.all_inner_texts() for name in names} == BUTTONS


@pytest.mark.parametrize("name", [name for name, buttons in BUTTONS.items() if buttons])
def test_a_button_ends_at_the_cell_that_it_names(page, name):
    shown = Page(page, name)
    for n, _ in enumerate(BUTTONS[name]):
        shown.buttons.nth(n).click()
        page.wait_for_function("n => ran.length > n", arg=n)
        page.locator(".told", has_text="done").first.wait_for()
    ends = [shown.cells[to].source for _, to in page.evaluate("ran")]
    assert ends[:2] == ["stack.plan()", "stack.apply()"]
    assert [source.splitlines()[1] for source in ends[2:]] == ["own_file.chooser("] * len(ends[2:])


def test_while_what_was_typed_has_no_answer_no_button_runs_anything(page):
    shown = Page(page, "10_migrate")
    plan = shown.buttons.first
    assert plan.is_enabled()
    page.get_by_label("batch_size").fill("many")
    assert plan.is_disabled()  # before it is sent
    page.wait_for_function("model.sent.length")
    assert plan.is_disabled()  # before it is answered
    shown.answer()
    assert plan.is_disabled()  # it is wrong
    page.get_by_label("batch_size").fill("7")
    shown.answer()
    assert plan.is_enabled()
    page.get_by_label("batch_size").fill("8")
    page.wait_for_function("model.sent.length")
    page.evaluate("model.answer({ seen: { another: 99 } })")  # another view of the same form
    assert plan.is_disabled()


@pytest.mark.parametrize(
    ("stands_there", "said", "below"),
    [
        (None, "Set, and written into the parameters cell.", ""),
        ("env = 'mine'", "Set; to keep it, see below.", "was changed since it ran"),
    ],
)
def test_it_says_written_only_of_what_is_written(page, stands_there, said, below):
    shown = Page(page, "10_migrate")
    place = next(n for n, cell in enumerate(shown.cells) if "parameters" in cell.metadata.get("tags", []))
    if stands_there:
        page.evaluate(
            "([place, text]) => cells[place].model.sharedModel.setSource(text)", [place, stands_there]
        )
    page.get_by_label("batch_size").fill("5")
    shown.answer()
    assert shown.told == said
    assert ('migrate = {"batch_size": 5}' in shown.source(place)) == (not stands_there)
    if stands_there:
        assert shown.source(place) == stands_there
    assert below in page.locator(".runbook-form > div:last-child").inner_text()


def test_a_form_that_is_shown_anew_writes_on(page):
    shown = Page(page, "10_migrate")
    place = next(n for n, cell in enumerate(shown.cells) if "parameters" in cell.metadata.get("tags", []))
    page.get_by_label("batch_size").fill("5")
    shown.answer()
    written = shown.source(place)
    shown.cells[place].source = written
    shown.begin(Form(shown.namespace))
    assert shown.source(place) == written
    page.get_by_label("batch_size").fill("6")
    shown.answer()
    assert 'migrate = {"batch_size": 6}' in shown.source(place)
    assert shown.told == "Set, and written into the parameters cell."


def test_where_a_notebook_has_parameters_of_its_own_no_command_is_shown(page):
    shown = Page(page, "90_destroy")
    page.get_by_label("lock_wait_s").fill("60")
    shown.answer()
    assert shown.told == "Set, and written into the parameters cell."
    assert page.get_by_text("runbook run").count() == 0
