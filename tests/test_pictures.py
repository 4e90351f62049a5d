"""The pictures of the README are those that a browser makes anew, small, and said in words."""

import re

import pytest
from support.browser import keep
from support.pictures import FOLDER, MOST_BYTES, NAMES

from lib.base.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")
SHOWN = {path: said for said, path in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)}


def test_the_readme_shows_all_that_there_are_and_no_other():
    there = {path.relative_to(ROOT).as_posix() for path in FOLDER.iterdir()}
    assert {path for path in SHOWN if path.startswith("docs/")} == there
    assert {path.stem for path in FOLDER.iterdir()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_said_in_words_and_made_by_the_test_of_the_tour(name):
    path = FOLDER / f"{name}.png"
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < MOST_BYTES
    assert len(SHOWN[path.relative_to(ROOT).as_posix()]) > 30
    test = (ROOT / "tests" / "cli" / "test_lab_tour.py").read_text("utf-8")
    assert f'{keep.__name__}(page, "{name}")' in test
