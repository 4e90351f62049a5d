"""Every link in a guide, a decision or a notebook leads somewhere."""

import pytest
from support import links
from support.links import Link, documents

from lib.base.paths import ROOT

DOCUMENTS = documents()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_links_lead_somewhere(document):
    dead = {
        str(each): fault for each in links.links(document) if each.is_internal and (fault := each.fault())
    }
    assert not dead


def test_what_is_looked_at_is_all_that_people_read():
    names = {str(path.relative_to(ROOT)) for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "docs/machines.md", "notebooks/00_start.ipynb"} <= names
    assert sum(1 for path in DOCUMENTS for each in links.links(path) if each.is_internal) > 100


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("README.md", ""),
        ("README.md#what-is-in-it", ""),
        ("README.md#what-is-not-in-it", "has no heading"),
        ("notebooks/10_migrate.ipynb", ""),
        ("notebooks/nowhere.ipynb", "there is no"),
        ("docs/decisions/", ""),
        ("../elsewhere.md", "leads out of the project"),
        ("/README.md", "begins with /"),
        ("#what-is-in-it", ""),
        ("#nowhere", "has no heading"),
    ],
)
def test_a_dead_link_is_told(target, fault):
    found = Link(ROOT / "README.md", target).fault()
    assert (fault in found) if fault else not found


def test_links_are_found_wherever_they_stand_but_in_code(tmp_path):
    document = tmp_path / "a.md"
    document.write_text(
        "[a](one.md) ![b](two.png) <a href='three.md'>c</a>\n\n| x |\n|---|\n| [d](four.md) |\n\n"
        '[e][f] `[g](no.md)`\n\n```\n[h](no.md)\n```\n\n[f]: five.md\n\n<p><img src="six.png"></p>\n'
    )
    found = [each.target for each in links.links(document)]
    assert found == ["one.md", "two.png", "three.md", "four.md", "five.md", "six.png"]


def test_headings_are_named_as_github_names_them(tmp_path):
    document = tmp_path / "a.md"
    document.write_text("# What it is: `%when`, and *why*\n\n## Twice\n\n## Twice\n\nUnder\n-----\n")
    assert links.anchors(document) >= {"what-it-is-when-and-why", "twice", "twice-1", "under"}
