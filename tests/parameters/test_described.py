"""Every parameter is described once, and a file of them is taken back as what it was."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lib.base.errors import ParameterError
from lib.parameters import Parameters
from lib.parameters.described import as_yaml, described, description, yaml_value

AWS = Path(__file__).parents[2] / "params/aws.yaml"
NAMES = [one.full_name for one in described()]


@pytest.fixture(scope="module")
def taken_back(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Parameters]:
    file = tmp_path_factory.mktemp("params") / "mine.yaml"

    def read(text: str) -> Parameters:
        file.write_text(text, "utf-8")
        return Parameters.load(file)

    return read


def test_every_parameter_and_every_section_is_described():
    assert {*NAMES, *Parameters.sections()} == set(Parameters.names())
    assert len(set(NAMES)) == len(NAMES)
    for one in described():
        assert len(one.description) > 10, one.full_name
        assert one.allowed, one.full_name
    assert all(map(description, Parameters.sections()))


@pytest.mark.parametrize("suffix", ["_s", "_days", "_mb", "_bytes", "_minutes", "region"])
def test_a_description_names_the_unit_that_its_name_has(suffix):
    unit = {"_s": "seconds", "_mb": "MiB", "region": "AWS region"}.get(suffix, suffix[1:])
    of_that_unit = [one for one in described() if one.name.endswith(suffix)]
    assert of_that_unit
    assert not [one.full_name for one in of_that_unit if unit not in one.description]


def test_what_is_allowed_is_what_is_taken():
    """In whole numbers: its least and its most are taken, and nothing beyond."""
    for one in described():
        if not one.allowed.startswith("whole number, ") or not one.section:
            continue
        least, _, most = one.allowed.removeprefix("whole number, ").partition(" to ")
        beyond = [int(least.removesuffix(" or more")) - 1, *([int(most) + 1] if most else [])]
        for value in beyond:
            with pytest.raises(ParameterError, match=one.full_name):
                Parameters.check({one.section: {one.name: value}})


def test_the_defaults_as_a_file_are_the_defaults(taken_back):
    assert taken_back(as_yaml(Parameters())) == Parameters()


def test_other_values_as_a_file_are_those(taken_back):
    aws = Parameters.load(AWS)
    assert aws != Parameters()
    assert taken_back(as_yaml(aws)) == aws


def test_a_file_names_and_explains_every_parameter():
    text = as_yaml(Parameters())
    assert yaml.safe_load(text) == Parameters().model_dump()
    prose = " ".join(line.strip(" #") for line in text.splitlines())
    assert not [one.full_name for one in described() if one.description not in prose]


def test_sections_and_single_parameters_can_be_chosen(taken_back):
    text = as_yaml(Parameters.load(AWS), ["observe", "mode", "backup.brake_deletes"])
    chosen = yaml.safe_load(text)
    assert chosen == {
        "mode": "apply",
        "backup": {"brake_deletes": 1000},
        "observe": Parameters.load(AWS).observe.model_dump(),
    }
    assert taken_back(text).backup.brake_deletes == 1000


@pytest.mark.parametrize(("name", "meant"), [("migrat", "migrate"), ("batch_size", "migrate.batch_size")])
def test_an_unknown_name_is_refused_with_what_is_meant(name, meant):
    with pytest.raises(ParameterError, match=f"unknown parameter {name} – did you mean {meant}"):
        as_yaml(Parameters(), [name])


def test_a_name_like_no_other_is_refused_with_what_there_is():
    with pytest.raises(ParameterError, match="the sections are: migrate, backup"):
        as_yaml(Parameters(), ["migrate", "zzz"])


ODD = [
    "",
    " ",
    "a\nb",
    "a\n",
    "\n",
    "'",
    '"',
    "it's",
    "a: b",
    "# a",
    "a #b",
    "[a",
    "*a",
    "&a",
    "!a",
    "-",
    "~",
]
ODD += [
    "null",
    "NO",
    "1",
    "1.0",
    "0x1F",
    "012",
    "1_000",
    "2026-01-02",
    "1:30",
    "=",
    "<<",
    "\x7f",
    "\x85",
    "\u2028",
]
ODD += [
    "ü",
    "😀",
    "\ufeff",
    "...",
    "---",
    "a,b",
    "{a}",
    "%a",
    "@a",
    "`a`",
    "?",
    "a\\nb",
    "\\",
    "\t",
    "\x00",
    "\r\n",
]


@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_is_taken_back_as_it_was(taken_back, text):
    as_it_is_taken_back(taken_back, text)


@given(st.text(max_size=200))
def test_any_text_is_taken_back_as_it_was(taken_back, text):
    as_it_is_taken_back(taken_back, text)


def as_it_is_taken_back(taken_back: Callable[[str], Parameters], text: str) -> None:
    parameters = Parameters.check({"restore": {"into": text}})
    written = as_yaml(parameters, ["restore.into"])
    assert taken_back(written) == parameters
    assert yaml.safe_load(written) == {"restore": {"into": text}}, "papermill reads it so"
    assert "\n" not in yaml_value(text)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_list_of_texts_is_one_line_of_yaml(texts):
    assert "\n" not in yaml_value(texts)
    assert yaml.safe_load(yaml_value(texts)) == texts
