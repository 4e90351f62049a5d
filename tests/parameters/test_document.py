"""docs/parameters.md and the notebooks tell of all parameters as they are described."""

import ast
import json
import re
import shutil

import pytest

from lib.base.marked import part
from lib.base.paths import ROOT
from lib.parameters import Parameters
from lib.parameters.described import described
from lib.parameters.document import DOCUMENT, NOTEBOOKS, PART, commented, tables, write

WRITE = "run: python -m lib.parameters.document"


@pytest.fixture
def copy(tmp_path):
    """A document and a folder of notebooks that may be changed."""
    shutil.copy(DOCUMENT, tmp_path)
    for path in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_the_tables_are_those_of_the_parameters():
    assert part(DOCUMENT.read_text("utf-8"), PART).strip() == tables().strip(), WRITE


def test_each_parameter_has_a_row_of_four_cells_below_the_heading_of_its_section():
    rows = {}
    for block in re.split(r"^## ", tables(), flags=re.MULTILINE)[1:]:
        heading, *lines = block.splitlines()
        for line in (line for line in lines if line.startswith("| `")):
            rows[heading, line.split("`")[1]] = re.split(r"(?<!\\)\|", line.strip("|"))
    assert rows.keys() == {(one.section or "Of the environment", one.name) for one in described()}
    assert {len(row) for row in rows.values()} == {4}


def test_writing_changes_nothing_that_is_up_to_date(copy):
    assert write(copy / DOCUMENT.name, copy) == []


def test_writing_restores_what_was_changed_and_nothing_else(copy):
    text = DOCUMENT.read_text("utf-8")
    (copy / DOCUMENT.name).write_text(text.replace(tables(), "old tables\n"), "utf-8")
    migrate = (NOTEBOOKS / "10_migrate.ipynb").read_text("utf-8")
    comment = Parameters.model_fields["env"].description
    (copy / "10_migrate.ipynb").write_text(migrate.replace(f"  # {comment}", "  # old"), "utf-8")
    assert write(copy / DOCUMENT.name, copy) == [copy / DOCUMENT.name, copy / "10_migrate.ipynb"]
    assert (copy / DOCUMENT.name).read_text("utf-8") == text
    assert (copy / "10_migrate.ipynb").read_text("utf-8") == migrate


def test_a_document_without_its_marks_is_refused_before_anything_is_written(copy):
    (copy / DOCUMENT.name).write_text("# Parameters\n", "utf-8")
    before = (copy / "10_migrate.ipynb").read_text("utf-8").replace("  # ", "  # old ")
    (copy / "10_migrate.ipynb").write_text(before, "utf-8")
    with pytest.raises(ValueError, match="parameters: begin"):
        write(copy / DOCUMENT.name, copy)
    assert (copy / "10_migrate.ipynb").read_text("utf-8") == before


def test_only_comments_of_parameters_are_written_and_no_value():
    env, migrate, mode = (Parameters.model_fields[name].description for name in ("env", "migrate", "mode"))
    lines = ['env = "ü#"  # old', "migrate = {", '    "batch_size": 5,  # mine', "}", 'pipeline = ""  # own']
    source = "\n".join([*lines, 'prefix = "a"; mode = 1'])
    written = commented(source)
    told = [f'env = "ü#"  # {env}', *lines[1:3], f"}}  # {migrate}", lines[4]]
    assert written == "\n".join([*told, f'prefix = "a"; mode = 1  # {mode}'])
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(source))


def test_the_links_in_notebooks_and_documents_lead_to_a_heading():
    headings = re.findall(r"^#+ (.+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    texts = [path.read_text("utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))]
    cells = [c for path in NOTEBOOKS.glob("*.ipynb") for c in json.loads(path.read_text("utf-8"))["cells"]]
    texts += ["".join(cell["source"]) for cell in cells]
    linked = {found for text in texts for found in re.findall(r"parameters\.md#([a-z0-9-]+)", text)}
    assert linked
    assert linked <= anchors
