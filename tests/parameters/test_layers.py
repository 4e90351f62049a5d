"""Parameters in layers: files, variables, `--set`, options; and where each value is from."""

import re

import pytest
from support.command_line import runbook

from lib.base.errors import ParameterError
from lib.base.paths import ROOT
from lib.cli.options import load
from lib.parameters import Parameters
from lib.parameters.layers import BEGINNING, OURS, OURS_BEGIN, variable_of


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file of parameters, and returns its path; no variable of ours is set."""
    for variable in [name for name in Parameters.names() if "." in name]:
        monkeypatch.delenv(variable_of(variable), raising=False)

    def file(name: str, text: str):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return file


def origin(parameters: Parameters, name: str) -> str:
    return parameters.table().set_index("parameter").loc[name, "from"]


def test_each_layer_replaces_what_the_ones_before_say_and_nothing_else(write, monkeypatch):
    base = write("base.yaml", "target: aws\nenv: a\nmigrate: {batch_size: 1, key_prefix: x/}\n")
    team = write("team.yaml", "migrate: {batch_size: 2}\nwaivers: ['one: a']\n")
    assert load([base], []).migrate.batch_size == 1
    both = load([base, team], [])
    assert (both.env, both.migrate.batch_size, both.migrate.key_prefix) == ("a", 2, "x/")
    monkeypatch.setenv("RUNBOOK_MIGRATE__BATCH_SIZE", "3")
    monkeypatch.setenv("RUNBOOK_ENV", "b")
    assert load([base, team], []).migrate.batch_size == 3
    last = load([base, team], ["migrate.batch_size=4"], mode="plan")
    assert (last.migrate.batch_size, last.env, last.mode, last.waivers) == (4, "b", "plan", ["one: a"])
    assert origin(last, "migrate.batch_size") == "--set"
    assert origin(last, "env") == "RUNBOOK_ENV"
    assert origin(last, "migrate.key_prefix") == str(base)
    assert origin(last, "waivers") == str(team)
    assert origin(last, "mode") == "an option"
    assert origin(last, "prefix") == "default"


def test_a_wrong_section_is_told_though_a_later_layer_would_hide_it(write):
    base, team = write("a.yaml", "migrate: 5\n"), write("b.yaml", "migrate: {batch_size: 2}\n")
    with pytest.raises(ParameterError, match="migrate: Input should be a valid dictionary"):
        load([base, team], [])


@pytest.mark.parametrize("underscore", ["_", "__"])
def test_every_parameter_has_a_variable_of_its_own(underscore):
    names = Parameters.names()
    variables = {BEGINNING + name.replace(".", underscore).upper() for name in names}
    assert len(variables) == len(names)
    assert not {variable.removeprefix(BEGINNING) for variable in variables} & OURS
    assert not [v for v in variables if v.removeprefix(BEGINNING).startswith(OURS_BEGIN)]


def test_a_variable_is_read_as_set_is_and_an_empty_one_says_nothing(monkeypatch):
    monkeypatch.setenv("RUNBOOK_INGEST_TICKERS", "[A, B]")
    monkeypatch.setenv("RUNBOOK_MIGRATE", "{batch_size: 7}")
    monkeypatch.setenv("RUNBOOK_ACCOUNT_ID", "012345670123")
    monkeypatch.setenv("RUNBOOK_PREFIX", "")
    found = load([ROOT / "params/local.yaml"], [])
    assert (found.ingest.tickers, found.migrate.batch_size) == (["A", "B"], 7)
    assert (found.account_id, found.prefix) == ("012345670123", "runbook")


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("RUNBOOK_MIGRATE__BACH_SIZE", "did you mean migrate.batch_size"),
        ("RUNBOOK_ENVIRONMENT", "no parameter has this variable"),
        ("RUNBOOK_MIGRATE__BATCH_SIZE", "migrate.batch_size: .* found 'x'"),
    ],
)
def test_a_variable_in_vain_is_an_error(monkeypatch, variable, said):
    monkeypatch.setenv(variable, "x")
    result = runbook("params")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(said, result.stderr)


def test_variables_of_ours_that_are_no_parameters_are_known():
    """Else whoever sets one could not use the command line."""
    found = set()
    for path in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "Makefile"]:
        if path.name != "test_layers.py":
            found |= set(re.findall(rf"\b{BEGINNING}([A-Z][A-Z_]*[A-Z])\b", path.read_text("utf-8")))
    parameters = {variable_of(name).removeprefix(BEGINNING) for name in Parameters.names()}
    parameters |= {name.replace("__", "_") for name in parameters}
    assert not {name for name in found - parameters - OURS if not f"{name}_".startswith(OURS_BEGIN)}


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("kms_key_arns=[]", []),
        ("kms_key_arns=", []),
        ("ingest.tickers=[AAPL, 'B.C']", ["AAPL", "B.C"]),
        ("ingest.tickers=AAPL", ["AAPL"]),
        ("waivers=queue-factor: it is slow, never throttled", ["queue-factor: it is slow, never throttled"]),
        ('waivers=["a: b, c", "d: e"]', ["a: b, c", "d: e"]),
        ("migrate={batch_size: 5, key_prefix: 'a,b/'}", {"batch_size": 5, "key_prefix": "a,b/"}),
        ("migrate.key_prefix=a,b/", "a,b/"),
        ("migrate.key_prefix=[a]/", "[a]/"),
        ("migrate.key_prefix={a: b}/", "{a: b}/"),
    ],
)
def test_lists_maps_and_texts_with_commas_can_be_set(assignment, value):
    found = Parameters.of_layers([("--set", Parameters.assigned([assignment]))])
    for part in assignment.partition("=")[0].split("."):
        found = getattr(found, part)
    assert found == value if not isinstance(value, dict) else value.items() <= found.model_dump().items()


def test_a_section_that_is_set_as_a_map_keeps_what_was_set_of_it_before():
    one, other = "migrate.batch_size=6", "migrate={key_prefix: a/}"
    for assignments in ((one, other), (other, one)):
        assert Parameters.assigned(assignments) == {"migrate": {"batch_size": 6, "key_prefix": "a/"}}
    assert Parameters.assigned([one, "migrate={batch_size: 7}"]) == {"migrate": {"batch_size": 7}}


def test_a_name_with_a_dot_in_a_file_is_told_how_it_is_written_there(write):
    with pytest.raises(ParameterError, match="in a file it is batch_size, in the section migrate"):
        load([write("dotted.yaml", "target: local\nmigrate.batch_size: 5\n")], [])


@pytest.mark.parametrize("text", ["{}", "env: x\n", "migrate: {batch_size: 3}\n"])
def test_a_file_that_names_no_target_never_means_local_without_saying_so(write, tmp_path, monkeypatch, text):
    monkeypatch.setenv("RUNBOOK_HOME", str(tmp_path / "home"))
    path = write("part.yaml", text)
    assert "part.yaml names no target: it is 'local'" in runbook("status", "--params", str(path)).stderr
    told = runbook("status", "--params", str(path), "--set", "target=local")
    assert "names no target" not in told.output
    monkeypatch.setenv("RUNBOOK_TARGET", "local")
    assert "names no target" not in runbook("status", "--params", str(path)).output


def test_a_renamed_parameter_is_told_what_it_became(write):
    path = write("old.yaml", "migrate: {source_kms_key_arn: arn}\nbackup: {dr_kms_key_arn: arn}\n")
    with pytest.raises(ParameterError) as error:
        load([path], [])
    for name in ("migrate.source_kms_key_arn", "backup.dr_kms_key_arn"):
        assert f"{name} is called kms_key_arns, a list of them" in str(error.value)


def test_where_values_are_from_makes_no_difference_between_parameters():
    local = Parameters.load(ROOT / "params/local.yaml")
    assert local == Parameters()
    assert hash(local.env) == hash(Parameters().env)


def test_in_a_notebook_the_table_tells_what_was_given_to_it():
    cells = ["# Parameters\nenv = 'x'", "target = 'local'\nenv = 'local'\naccount_id = '000000000000'"]
    namespace = {"In": cells[::-1], "target": "local", "env": "x", "account_id": "000000000000"}
    found = Parameters.from_notebook(namespace)
    assert origin(found, "env") == "given to the notebook"
    assert origin(found, "target") == "this notebook"
    assert origin(found, "migrate.batch_size") == "default"
