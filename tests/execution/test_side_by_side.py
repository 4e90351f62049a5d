"""Which notebooks may run at the same time, and that none begins too early."""

import json
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import notebook_files

from lib.base.errors import RunbookError
from lib.base.paths import ROOT
from lib.execution.side_by_side import KNOWN, METADATA, PIPELINES, Place, may_begin, short_name
from lib.parameters import Parameters

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NAMES = [short_name(path.name) for path in NOTEBOOKS]


def place(path: Path, said: object) -> Place:
    notebook = nbformat.read(notebook_files.write(path), 4)
    notebook.metadata[METADATA] = said
    nbformat.write(notebook, path)
    return Place.of(path, ["migrate", "index"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=NAMES)
def test_what_a_notebook_says_names_notebooks(path):
    said = json.loads(path.read_text("utf-8"))["metadata"].get(METADATA, {})
    assert set(said) <= KNOWN
    assert set(said.get("beside", [])) <= {PIPELINES, *NAMES}


def test_pipelines_run_beside_each_other_and_what_looks_at_them_after_them():
    places = {place.name: place for place in (Place.of(path, Parameters.pipelines()) for path in NOTEBOOKS)}
    pipelines = [name for name in NAMES if name in Parameters.pipelines()]
    for name in pipelines:
        beside = {other for other in NAMES if places[name].may_run_beside(places[other])}
        assert beside == set(pipelines) - {name}
    assert not any(places["start"].may_run_beside(other) for other in places.values())
    assert not any(places["destroy"].may_run_beside(other) for other in places.values())
    assert [name for name in NAMES if places[name].waits] == ["ingest"]


def test_the_word_pipelines_is_all_of_them(tmp_path):
    said = place(tmp_path / "10_migrate.ipynb", {"beside": ["pipelines", "60_analyze"], "waits": True})
    assert said == Place("migrate", frozenset({"migrate", "index", "analyze"}), waits=True)


@pytest.mark.parametrize("said", [{"besides": []}, {"beside": "pipelines"}, {"waits": "yes"}, ["pipelines"]])
def test_what_nobody_knows_is_refused(tmp_path, said):
    with pytest.raises(RunbookError, match=r"10_migrate\.ipynb: its metadata says .* nothing was run"):
        place(tmp_path / "10_migrate.ipynb", said)


def test_a_notebook_that_says_nothing_or_cannot_be_read_runs_alone(tmp_path):
    (torn := tmp_path / "55_torn.ipynb").write_text("<<<<<<< HEAD")
    for path in (torn, notebook_files.write(tmp_path / "56_mine.ipynb"), tmp_path / "57_none.ipynb"):
        assert Place.of(path, ["migrate"]) == Place(short_name(path.name))


def test_those_that_wait_begin_first_and_take_no_place():
    names = frozenset("abcd")
    places = [Place(name, names, waits=name == "c") for name in "abcd"]
    assert may_begin(places, [], [], at_once=2) == [2, 0, 1]
    assert may_begin(places, [], [0, 1, 2], at_once=2) == []
    assert may_begin(places, [0], [1, 2], at_once=2) == [3]


def test_one_at_once_is_one_after_the_other():
    places = [Place(name, frozenset("abc"), waits=name == "c") for name in "abc"]
    assert may_begin(places, [], [], at_once=1) == [0]
    assert may_begin(places, [0], [1], at_once=1) == []
    assert may_begin(places, [0, 1], [], at_once=1) == [2]


@st.composite
def said(draw) -> list[Place]:
    names = [chr(ord("a") + number) for number in range(draw(st.integers(1, 7)))]
    besides = st.frozensets(st.sampled_from(names), max_size=3)
    return [Place(name, draw(besides), draw(st.booleans())) for name in names]


@given(said(), st.integers(1, 3), st.data())
def test_whatever_they_say_all_run_and_the_order_is_kept(places, at_once, data):
    ended, running = [], []
    while len(ended) < len(places):
        begun = may_begin(places, ended, running, at_once)
        running += begun
        assert running, "somebody is always at work"
        assert sum(not places[number].waits for number in running) <= at_once
        assert at_once > 1 or len(running) == 1
        assert all(
            places[one].may_run_beside(places[other]) for one in running for other in running if one != other
        )
        for number in begun:
            before = set(range(number)) - set(ended) - set(running)
            assert all(places[number].may_run_beside(places[other]) for other in before)
        running.remove(one := data.draw(st.sampled_from(running)))
        ended.append(one)
