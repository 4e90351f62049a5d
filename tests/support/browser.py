"""A real browser in the real JupyterLab, as `runbook lab` opens it; pictures of it are kept to look at."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from lib.base.paths import ROOT
from lib.cli import lab

PICTURES = ROOT / ".cache" / "browser"
PATIENCE_S = 300  # a bound for what hangs; no test judges time
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def lab_server(folder: Path, *arguments: str, **variables: str) -> Iterator[str]:
    """Start JupyterLab as `runbook lab` does; yields its address, as it prints it."""
    own = [f"--ServerApp.root_dir={folder}", "--no-browser", "--allow-root", "--port=0"]
    log = folder / "lab.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            lab.command([*own, *arguments]),
            cwd=folder,
            # Not the settings of whoever runs the tests, such as the theme.
            env={
                **lab.environment(),
                "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                "RUNBOOK_HOME": str(folder),
                **variables,
            },
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while not (found := re.search(r"http://127\.0\.0\.1:\d+/lab/\S*", log.read_text())):
            assert server.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield found[0]
    finally:
        server.send_signal(signal.SIGINT)  # and once more, which is its yes
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE_S)


@contextmanager
def browser() -> Iterator:
    """Yield a browser; a test is skipped where there is none (`make browser` installs one)."""
    api = pytest.importorskip("playwright.sync_api", reason="no browser here: make browser")
    if not CHROMIUM:
        pytest.skip("no browser here: make browser")
    with api.sync_playwright() as playwright:
        # Root, as in a container, may not use the sandbox.
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield opened
        finally:
            opened.close()


def copied_notebooks(folder: Path) -> None:
    """Copy the notebooks into a folder, as they are before anybody has run them."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    for path in (folder / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)


@contextmanager
def notebook_in_lab(chromium, folder: Path, name: str, size: dict[str, int]) -> Iterator:
    """Yield a page on which a notebook is open in JupyterLab, and its kernel idle.

    Args:
        chromium: As `browser` yields it.
        folder: With a copy of the notebooks.
        name: The notebook's file.
        size: Of the page: `width` and `height`.
    """
    with lab_server(folder, RUNBOOK_HOME=os.environ["RUNBOOK_HOME"]) as address:
        page = chromium.new_page(viewport=size)
        page.set_default_timeout(1000 * PATIENCE_S)
        page.goto(re.sub(r"/lab/tree/[^?]*", f"/lab/tree/notebooks/{name}", address))
        page.locator(".jp-NotebookPanel:visible h1").wait_for()
        page.locator("text=/ipykernel.*Idle/").first.wait_for()
        yield page
        page.close()


def barriers(page, *places: str) -> list[str]:
    """Return what bars people from what stands in places of a page, by axe: https://dequeuniversity.com/rules/axe/

    Args:
        page: Which.
        places: CSS selectors, those that there are; the whole page without any.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe here: make browser")
    there = [place for place in places if page.locator(place).count()]
    assert there or not places, f"none of {places} is there"
    options = {
        "resultTypes": ["violations"],
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    }
    context = {"include": [[place] for place in there]} if there else None
    found = axe.Axe().run(page, context=context, options=options).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


def keep(page, name: str) -> None:
    """Keep a picture of what a page shows."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"{name}.png"))
