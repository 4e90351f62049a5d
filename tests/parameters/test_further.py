"""Sections of further pipelines are found where they stand; what is none is an error that says which file."""

import sys

import pytest

from lib.base.errors import RunbookError
from lib.parameters import Parameters, pipelines
from lib.parameters.model import _with_sections

SECTION = """
from lib.parameters.sections import Expected, Pipeline, PipelineRegion

class Mine(Pipeline):
    purpose = "the pipeline of this test"
    region: PipelineRegion = "eu-west-1"

    def expected(self, scope):
        return Expected(self.region, self.region)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where modules of sections are looked for, and nowhere else."""
    monkeypatch.setattr(pipelines, "__path__", [str(tmp_path)])
    yield tmp_path
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(f"{pipelines.__name__}.{path.stem}", None)


def test_without_any_there_are_those_that_are_known(folder):
    assert pipelines.sections() == {}
    assert _with_sections(Parameters).pipelines() == Parameters.pipelines()


def test_one_that_is_there_is_a_section_as_the_others(folder):
    (folder / "mine.py").write_text(SECTION)
    more = _with_sections(Parameters)
    assert more.pipelines() == [*Parameters.pipelines(), "mine"]
    assert more.model_fields["mine"].description == "the pipeline of this test"
    parameters = more.check({"mine": {"region": "eu-west-3"}})
    assert "eu-west-3" in parameters.regions
    assert parameters.expected("mine").source_region == "eu-west-3"
    assert parameters.keys_derived_in("mine", "a") == ()
    with pytest.raises(RunbookError, match="mine.regoin – did you mean|unknown parameter mine.regoin"):
        more.check({"mine": {"regoin": "eu-west-3"}})


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("empty", "", "must have one class of the type Pipeline; it has 0"),
        ("imports", "from lib.parameters.sections import Pipeline", "it has 0"),
        ("two", SECTION + SECTION.replace("Mine", "Other"), "it has 2"),
        ("mute", SECTION.replace("purpose", "purposes: str"), "Mine.purpose must say what"),
    ],
)
def test_what_is_no_section_is_named(folder, name, text, why):
    (folder / f"{name}.py").write_text(text)
    with pytest.raises(RunbookError, match=f"{name}.py: .*{why}"):
        pipelines.sections()


def test_one_that_takes_the_name_of_another_is_named(folder):
    (folder / "index.py").write_text(SECTION)
    with pytest.raises(RunbookError, match="pipelines/index.py: there is a parameter index already"):
        _with_sections(Parameters)
