import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base import waits
from lib.parameters import Parameters, input_form
from lib.parameters.described import described
from lib.parameters.input_form import Form

OWN = """target = "local"  # which
env = "local"
account_id = "000000000000"
exercise = True
kms_key_arns = []
migrate = {}  # the pipeline
"""


def notebook(*cells):
    """The variables of a notebook whose cells have run."""
    namespace: dict = {}
    for cell in cells:
        exec(cell, namespace)
    namespace["In"] = ["", *cells]
    return namespace


def test_what_is_typed_holds_in_the_notebook_and_stands_in_its_cell():
    namespace = notebook(OWN)
    form = Form(namespace)
    form.set("migrate.batch_size", "5")
    form.set("exercise", "false")
    form.set("kms_key_arns", " arn:aws:kms:us-east-1:000000000000:key/a\n\n")
    assert form.mistakes() == {}
    assert namespace["migrate"] == {"batch_size": 5}
    assert namespace["exercise"] is False
    (cell,) = form.state()["cells"]
    assert cell["tag"] == "parameters"
    assert OWN in cell["known"]
    run = notebook(cell["now"])
    assert Parameters.from_notebook(run) == Parameters.from_notebook(namespace)
    assert 'migrate = {"batch_size": 5}  # the pipeline' in cell["now"]


def test_each_mistake_is_told_of_its_own_field_and_nothing_holds_meanwhile():
    namespace = notebook(OWN)
    form = Form(namespace)
    form.set("migrate.batch_size", "many")
    form.set("migrate.source_region", "us-east-11")
    form.set("env", "Prod")
    form.set("kms_key_arns", "arn:aws:kms:us-east-1:000000000000:key/a\nno key")
    wrong = form.mistakes()
    assert set(wrong) == {"migrate.batch_size", "migrate.source_region", "env", "kms_key_arns"}
    assert "did you mean us-east-1" in wrong["migrate.source_region"]
    assert "migrate.batch_size" not in wrong["migrate.batch_size"]  # it stands beside it
    assert (namespace["migrate"], namespace["env"]) == ({}, "local")
    assert form.state()["cells"][0]["now"] is None
    assert form.state()["command"] == ""


@pytest.mark.parametrize(
    ("name", "text", "about"),
    [
        ("migrate.key_suffix", ".parquet", "migrate.key_suffix"),  # held against `exercise`
        ("account_id", "12", "account_id"),
        ("migrate.key_prefix", "AKIAIOSFODNN7EXAMPLE/", "migrate.key_prefix"),  # a credential
        ("migrate.target_account_id", "123456789012", "migrate.target_account_id"),
        ("kms_key_arns", "arn:aws:kms:us-east-1:123456789012:key/a", "kms_key_arns"),
    ],
)
def test_what_is_held_against_several_values_is_told_of_the_one_it_names(name, text, about):
    form = Form(notebook(OWN))
    form.set(name, text)
    assert list(form.mistakes()) == [about], form.mistakes()


def test_what_nobody_said_stays_unsaid_and_what_was_said_stays():
    namespace = notebook(OWN.replace("migrate = {}", 'migrate = {"batch_size": 10}'))
    form = Form(namespace)
    form.set("migrate.function_timeout_s", "50")
    form.set("migrate.function_timeout_s", "60")
    assert namespace["migrate"] == {"batch_size": 10}


def test_a_mistake_that_no_field_can_mend_is_told_of_none():
    form = Form(notebook(OWN.replace("migrate = {}", 'migrate = {"batch_sise": 10}')))
    assert "did you mean migrate.batch_size" in form.mistakes()[""]


def test_of_what_papermill_has_run_the_injected_cell_is_written_too():
    injected = "# Parameters\n" + OWN.replace("migrate = {}", 'migrate = {"batch_size": 3}')
    namespace = notebook(OWN, injected)
    form = Form(namespace)
    form.set("env", "test")
    cells = {cell["tag"]: cell["now"] for cell in form.state()["cells"]}
    assert 'env = "test"' in cells["parameters"]
    assert 'env = "test"' in cells["injected-parameters"]
    assert Parameters.from_notebook(namespace).migrate.batch_size == 3


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8))
def test_the_command_gives_the_values_that_the_form_has(text):
    form = Form(notebook(OWN))
    form.set("migrate.key_prefix", text)
    form.set("migrate.batch_size", "5")
    form.set("kms_key_arns", "arn:aws:kms:us-east-1:000000000000:key/a")
    if form.mistakes():
        return
    words = shlex.split(form.command())
    given_values = Parameters.assigned(words[1::2])
    assert Parameters.check(given_values) == Parameters.check(form.values)


def test_every_parameter_has_a_field_that_takes_its_default_for_what_it_is():
    source = OWN + "\n".join(f"{name} = {{}}" for name in Parameters.sections() if name != "migrate")
    form = Form(notebook(source))
    fields = {field["name"]: field for field in form.fields()}
    there = {"target", "env", "account_id", "exercise", "kms_key_arns", *Parameters.sections()}
    assert fields.keys() == {one.full_name for one in described() if (one.section or one.name) in there}
    before = dict(form.values)
    for field in fields.values():
        form.set(field["name"], field["value"])
    assert form.values == before  # a default that reads as another value would stay
    assert json.dumps(list(fields.values()))


def test_where_nobody_looks_it_is_text(monkeypatch):
    shown = input_form.show(notebook(OWN))
    assert shown._repr_mimebundle_() == {"text/plain": input_form.TEXT}
    monkeypatch.setattr("lib.base.widgets.is_watched", lambda: True)
    assert waits.is_watched() is False
    looked_at = shown._repr_mimebundle_()
    assert looked_at["text/plain"] == input_form.TEXT
    assert "application/vnd.jupyter.widget-view+json" in looked_at


def test_a_form_that_is_shown_anew_knows_what_the_one_before_it_wrote():
    namespace = notebook(OWN)
    first = Form(namespace)
    first.set("migrate.batch_size", "5")
    (written,) = first.state()["cells"]
    again = Form(namespace)
    assert again.state()["cells"] == [{**written, "now": None}]
    again.set("migrate.batch_size", "6")
    (cell,) = again.state()["cells"]
    assert written["now"] in cell["known"]
    assert '"batch_size": 6' in cell["now"]


def test_what_no_cell_can_be_made_to_set_is_named():
    namespace = notebook(OWN.replace('env = "local"', 'env = prefix = "local"'))
    form = Form(namespace)
    form.set("env", "test")
    form.set("migrate.batch_size", "5")
    assert form.state()["unwritten"] == ["env"]
    del namespace["In"]
    assert Form(namespace).state()["unwritten"] == []


def test_where_a_notebook_has_parameters_of_its_own_no_command_is_shown():
    """`runbook run` has no option for them: it would destroy all of it."""
    form = Form(notebook(OWN + 'pipeline = "migrate"\nkeep_data = True\n'))
    form.set("env", "test")
    assert form.mistakes() == {}
    assert form.state()["command"] == ""
