"""The rules of the house: what may import what, and what a notebook looks like."""

import ast
import importlib
import inspect
import json
import re
import statistics
from collections import Counter
from functools import cache
from pathlib import Path

import nbformat
import pytest
import yaml
from support.reach import Module, reached

from lib.base.paths import ROOT
from lib.cli import new
from lib.ipython_extension.cells import Conditions, names
from lib.operate import facts
from lib.parameters import Parameters, names_in
from lib.parameters import pipelines as further

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LIB = sorted((ROOT / "lib").rglob("*.py"))
HANDLERS = sorted(path.parent for path in (ROOT / "handlers").glob("*/handler.py"))
PARAMS = sorted((ROOT / "params").glob("*.yaml"))
# The parts of lib from the bottom up: each knows those before it, and none after.
LAYERS = (
    *("base", "resources", "parameters", "local", "target", "s3", "engine", "lake", "operate"),
    *("execution", "cli", "ipython_extension"),
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
# What was watched for, restored or audited is so, too.
SHARED = {"in place"}
MAGIC = re.compile(r"^(%when .*|%load_ext .*|%calls)$", re.MULTILINE)
CONDITION = re.compile(r"^%when (.*)$", re.MULTILINE)
# What looks at what was deployed, also where nothing is tried out.
LOOKS = {"aws.client", "large_files.progress"}
# What a cell may call that runs whatever `mode` and `exercise` are, once something can be acted on.
ALWAYS = {
    *(
        "Checklist",
        "tell",
        "counted",
        "picture.draw",
        "samples.load",
        "samples.Sample",
        "stack.apply",
        "stack.plan",
    ),
    *("activity.read", "charts.draw", "operation.cost_so_far", "operation.queues", "pd.Timedelta"),
    *("pd.Timestamp.now", "drill.brake", "brake.state", "samples.folder"),
}
ACTS_FROM = re.compile(r"^(stack\.apply\(\)$|(drills|by_events|acts) = )", re.MULTILINE)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def imports(source: str) -> frozenset[str]:
    """The full names of the modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return frozenset(found)


@cache
def code_cells(path: Path) -> list[dict]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def python_of(cell: dict) -> str:
    """Its Python; a cell of SQL has none."""
    return "" if "%%sql" in cell.source else MAGIC.sub("", cell.source)


def tree_of(cell: dict) -> ast.Module:
    """What IPython makes of a cell, as far as its variables go."""
    if "%%sql" in cell.source:
        return ast.parse(f"get_ipython().run_cell_magic('sql', '', {cell.source!r})")
    return ast.parse(python_of(cell))


def conditions_of(path: Path) -> list[tuple[dict, tuple[str, ...]]]:
    """The code cells of a notebook, each with all that must be true for it to run."""
    so_far = Conditions()
    cells = code_cells(path)
    return [(cell, so_far.enter(tree_of(cell), CONDITION.findall(cell.source))) for cell in cells]


def calls_of(cell: dict) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(python_of(cell))) if isinstance(node, ast.Call)]


def takes_any(call: ast.Call, imports: dict[str, str]) -> bool:
    """Whether a function takes whatever it is given by position, to hand it on."""
    first, *attributes = ast.unparse(call.func).split(".")
    module, _, last = imports.get(first, "").rpartition(".")
    if not module:
        return first == "print"
    owner, path = importlib.import_module(module), [last, *attributes]
    if not hasattr(owner, last):
        owner, path = importlib.import_module(f"{module}.{last}"), attributes
    for attribute in path:
        owner = getattr(owner, attribute)
    kinds = {parameter.kind for parameter in inspect.signature(owner).parameters.values()}
    return inspect.Parameter.VAR_POSITIONAL in kinds


def test_no_two_modules_have_one_name():
    """What runs in the server of the local AWS is named after the service, as the resources are."""
    names = Counter(path.stem for path in LIB if path.stem != "__init__" and "in_server" not in path.parts)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", LIB, ids=name)
def test_lib_imports_neither_notebooks_nor_handlers(path):
    assert not {
        module for module in imports(path.read_text()) if module.split(".")[0] in ("notebooks", "handlers")
    }


def layer(module: str) -> int:
    return LAYERS.index(module.split(".")[1])


def test_what_tests_share_is_in_one_place():
    others = [
        path.relative_to(ROOT / "tests")
        for path in (ROOT / "tests").rglob("*.py")
        if not path.name.startswith("test_") and path.name != "conftest.py"
    ]
    assert {path.parts[0] for path in others} == {"support"}


def test_the_parts_of_lib_are_layers():
    assert {path.stem for path in (ROOT / "lib").iterdir() if path.stem[0] not in "_."} <= {
        *LAYERS,
        "policies",
        "templates",
    }


@pytest.mark.parametrize("path", [p for p in LIB if p.parent.name != "lib" or p.stem in LAYERS], ids=name)
def test_a_part_of_lib_imports_no_part_above_it(path):
    own = layer(".".join(path.relative_to(ROOT).with_suffix("").parts))
    above = {m for m in imports(path.read_text()) if m.startswith("lib.") and layer(m) > own}
    assert not above


@pytest.mark.parametrize(
    "package", [p for p in (ROOT / "lib" / "operate").iterdir() if (p / "__init__.py").exists()], ids=name
)
def test_what_operates_has_no_cycle(package):
    """Of two packages, or a package and the modules beside it, one at most knows the other."""
    others = {p.stem: {p} if p.is_file() else set(p.glob("*.py")) for p in package.parent.iterdir()}
    known = {
        stem: {m.split(".")[2] for p in files for m in imports(p.read_text()) if m.startswith("lib.operate.")}
        for stem, files in others.items()
    }
    reached, new = set(), known[package.name] - {package.name}
    while new:
        reached |= new
        new = {other for one in new for other in known[one]} - reached
    assert package.name not in reached


@pytest.mark.parametrize(
    "path",
    [p for p in LIB if ROOT / "lib" / "local" not in p.parents and p.name != "target.py"],
    ids=name,
)
def test_only_target_knows_of_the_local_aws(path):
    source = path.read_text()
    assert not {module for module in imports(source) if module.startswith("lib.local")}
    strings = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        for node in [node.left, *node.comparators]
        if isinstance(node, ast.Constant)
    ]
    assert "local" not in strings, "an `if local` outside lib/target.py and lib/local/"


@pytest.mark.parametrize("path", [p for p in LIB if p.parent.name != "cli"], ids=name)
def test_only_the_command_line_imports_the_command_line(path):
    assert not {module for module in imports(path.read_text()) if module.split(".")[:2] == ["lib", "cli"]}


@pytest.mark.parametrize("folder", HANDLERS, ids=name)
def test_a_handler_is_whole_and_imports_neither_lib_nor_another_handler(folder):
    assert (folder / "policy.json").exists()
    assert (folder / "requirements.txt").exists()
    assert facts.load(folder).name == folder.name
    others = {other.name for other in HANDLERS if other != folder}
    for path in folder.glob("*.py"):
        assert not {m.split(".")[0] for m in imports(path.read_text())} & {
            "lib",
            "handlers",
            "notebooks",
            *others,
        }


def test_lib_names_no_handler_and_nothing_that_one_counts_or_logs():
    """But for names that are everybody's: of sections, of actions such as `delete`, words such as `gone`."""
    known = facts.every().values()
    names = {said.name for said in known} - {*Parameters.model_fields, "delete"}
    names |= {metric for said in known for metric in said.metrics}
    names |= {message for said in known for message in (*said.outcomes, *said.steps) if " " in message}
    found = {name(path): words(path.read_text()) & names - SHARED for path in LIB}
    assert not {path: named for path, named in found.items() if named}


def words(source: str) -> set[str]:
    """All strings of a source, and the parts of paths in them; docstrings aside."""
    nodes = list(ast.walk(ast.parse(source)))
    strings = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    strings -= {ast.get_docstring(n, clean=False) for n in nodes if isinstance(n, DOCUMENTED)}
    return strings | {word for text in strings for word in text.split("/")}


def test_policies_grant_no_wildcard_action_and_no_full_access():
    for path in [*ROOT.glob("handlers/*/policy.json"), *ROOT.glob("lib/**/*-policy.json")]:
        text = path.read_text()
        assert "FullAccess" not in text, path
        content = json.loads(text)
        documents = [content] if "Statement" in content else content.values()
        for statement in (s for document in documents for s in document["Statement"]):
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not [action for action in actions if "*" in action], path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
class TestNotebook:
    def test_it_has_one_parameters_cell_of_literals_whose_names_and_defaults_are_the_schemas(self, path):
        tagged = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        assignments = ast.parse(tagged[0].source).body
        values = {node.targets[0].id: ast.literal_eval(node.value) for node in assignments}
        own = values.keys() - Parameters.model_fields.keys()
        assert own <= {"pipeline", "keep_data"}
        Parameters.check({key: value for key, value in values.items() if key not in own})
        flat = {key: value for key, value in values.items() if key in Parameters.model_fields and value != {}}
        assert flat == {key: getattr(Parameters(), key) for key in flat}

    def test_its_parameters_cell_names_whatever_it_reaches(self, path):
        """A run hands over all, named or not; by hand in Jupyter one sees here what there is to set.

        But for further pipelines, which stand in their own notebook alone: here they can be written, too.
        """
        (own,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        others = [cell for cell in code_cells(path) if cell != own]
        conditions = [found for cell in others for found in CONDITION.findall(cell.source)]
        lacking = (
            reached([*map(python_of, others), *conditions]) - names_in(own.source) - {*further.sections()}
        )
        assert not lacking, f"{path.name} reads them: {sorted(lacking)}"

    def test_no_other_cell_takes_a_parameter_s_name_for_something_else(self, path):
        """Else running the cell that takes the parameters once more would take that."""
        nodes = [n for cell in code_cells(path) for n in ast.walk(ast.parse(python_of(cell)))]
        stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        named = [n.asname or n.name for n in nodes if isinstance(n, ast.alias)]
        (own,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        taken = Counter([*stored, *named]) - Counter(names_in(own.source))
        assert not taken.keys() & Parameters.model_fields.keys()

    def test_every_literal_is_explained_by_the_parameter_s_description(self, path):
        (cell,) = [cell for cell in code_cells(path) if "parameters" in cell.metadata.get("tags", [])]
        comments = dict(line.split("  # ", 1) for line in cell.source.splitlines())
        names = {assignment.split(" = ")[0]: comment for assignment, comment in comments.items()}
        assert all(names.values())
        told = {name: said for name, said in names.items() if name in Parameters.model_fields}
        assert told == {name: Parameters.model_fields[name].description for name in told}, (
            "run: python -m lib.parameters.document"
        )

    def test_cells_are_short_and_only_call(self, path):
        cells = [python_of(cell) for cell in code_cells(path)]
        # That of the parameters has a line for each that the notebook reaches, as another test holds.
        (own,) = [python_of(c) for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
        assert len(own.strip().splitlines()) == len(ast.parse(own).body)
        assert max(len(cell.strip().splitlines()) for cell in cells if cell != own) <= 15
        # One statement is one, though each of its arguments may have a line of its own.
        assert statistics.median(len(ast.parse(cell).body) for cell in cells) <= 3
        for cell in cells:
            nodes = list(ast.walk(ast.parse(cell)))
            assert not [
                n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef | ast.While | ast.Try)
            ]
            called = {n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
            assert not called & {"sleep", "input", "exec", "eval"}
        assert not [c for c in code_cells(path) if re.search(r"^\s*!|^%(pip|conda)", c.source, re.MULTILINE)]

    def test_arguments_after_the_second_are_named(self, path):
        imports = Module.of(path.stem, "\n".join(map(python_of, code_cells(path)))).imports
        calls = [call for cell in code_cells(path) for call in calls_of(cell) if len(call.args) > 2]
        assert not [ast.unparse(call) for call in calls if not takes_any(call, imports)]

    def test_a_line_sets_one_thing_and_none_is_changed_after_it_was_described(self, path):
        nodes = [node for cell in code_cells(path) for node in ast.walk(ast.parse(python_of(cell)))]
        assignments = [node for node in nodes if isinstance(node, ast.Assign)]
        pairs = [
            n for n in assignments if isinstance(n.targets[0], ast.Tuple) and isinstance(n.value, ast.Tuple)
        ]
        assert not [ast.unparse(node) for node in pairs]
        changed = [n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
        assert not [ast.unparse(node) for node in changed]

    def test_what_uses_or_sends_anything_is_under_a_condition(self, path):
        """Else `exercise = false` would upload to production, and `mode = plan` ask what is not there."""
        imports = Module.of(path.stem, "\n".join(map(python_of, code_cells(path)))).imports
        cells = conditions_of(path)
        begins = [number for number, (cell, _) in enumerate(cells) if ACTS_FROM.search(cell.source)]
        is_pipeline = any(cell.source == "stack.apply()" for cell, _ in cells) and path.stem < "70"
        for cell, conditions in cells[begins[0] + 1 :] if begins else ():
            called = {ast.unparse(call.func) for call in calls_of(cell)}
            acting = {name for name in called if name.split(".")[0] in {*imports, "stack", "aws", "brake"}}
            if not conditions:
                assert acting <= ALWAYS
            elif is_pipeline and "stack.exercises" not in " ".join(conditions):
                # Of these `first_events` itself sends probes only if the run sends samples.
                allowed = {"stack.record_outputs", "brake_of", "hearing.first_events"}
                assert acting <= {*ALWAYS, *LOOKS, *allowed}

    def test_a_variable_that_is_set_under_a_condition_is_set_under_none_nowhere(self, path):
        """Else what reads it would run always."""
        sets = {True: set(), False: set()}
        for cell, conditions in conditions_of(path):
            sets[bool(conditions)] |= names(tree_of(cell))[1]
        assert not sets[True] & sets[False]

    def test_the_check_is_required_whenever_something_was_applied(self, path):
        cells = [(c, of) for c, of in conditions_of(path) if c.source.endswith("checklist.require()")]
        if any(cell.source == "stack.apply()" for cell in code_cells(path)):
            assert [conditions for _, conditions in cells] == [("stack.applies",)]

    def test_a_section_says_once_what_it_needs(self, path):
        cells = nbformat.read(path, as_version=4).cells
        section = 0
        said: Counter[tuple[int, str]] = Counter()
        for cell in cells:
            section += cell.cell_type == "markdown" and cell.source.startswith("## ")
            own = CONDITION.findall(cell.source) if cell.cell_type == "code" else []
            said.update((section, expression) for expression in own)
        assert [expression for (_, expression), count in said.items() if count > 1] == []

    def test_it_reads_as_a_story(self, path):
        cells = nbformat.read(path, as_version=4).cells
        prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
        titles = [line for text in prose for line in text.splitlines() if line.startswith("# ")]
        assert len(titles) == 1
        assert cells[0].source.startswith("# ")
        assert 0.7 <= len(prose) / len(code_cells(path)) <= 1.5

    def test_it_ends_with_the_notebook_that_comes_next_and_its_command(self, path):
        last = nbformat.read(path, as_version=4).cells[-1].source
        assert last.startswith("## What next")
        # A pipeline of one's own goes on with what comes after all pipelines, and none goes on with it.
        stems = [each.stem for each in NOTEBOOKS if int(each.stem[:2]) not in new.NUMBERS]
        following = next((stem for stem in stems if stem > path.stem), stems[0])
        assert f"[{following}]({following}.ipynb)" in last
        name = following.split("_", 1)[1]
        # All begins anew with a run of all; and nobody destroys by copying a line.
        command = {"start": "runbook run", "destroy": "runbook plan destroy"}.get(name, f"runbook run {name}")
        assert re.search(rf"```sh\n{command}( .*)?\n```", last)

    def test_its_pictures_are_as_wide_as_a_page(self, path):
        cells = nbformat.read(path, as_version=4).cells
        charts = re.findall(r"```mermaid\n(.*)", "\n".join(cell.source for cell in cells))
        assert set(charts) <= {"flowchart TB"}

    def test_its_outputs_are_committed_and_whole(self, path):
        cells = code_cells(path)
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), (
            "run `make notebooks`"
        )
        for cell in cells:
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr", output
                text = json.dumps(output)
                assert str(ROOT) not in text
                assert not re.search(r"(AKIA|ASIA)[A-Z0-9]{16}|/(home|root|tmp)/", text)

    def test_most_outputs_are_compared(self, path):
        ignored = [c for c in code_cells(path) if "nbval-ignore-output" in c.metadata.get("tags", [])]
        assert len(ignored) <= len(code_cells(path)) / 3


def test_a_notebook_a_section_and_its_tests_rhyme():
    names = {path.stem.split("_", 1)[1] for path in NOTEBOOKS}
    for section in Parameters.sections():
        assert section in names
        assert list((ROOT / "tests").rglob(f"test_{section}.py")), f"no tests of {section}"


def test_params_have_the_same_keys():
    def keys(value, path=""):
        if not isinstance(value, dict):
            return {path}
        return {key for name, inner in value.items() for key in keys(inner, f"{path}.{name}")}

    first, *others = [keys(yaml.safe_load(path.read_text())) for path in PARAMS]
    assert all(other == first for other in others)
    # A further pipeline's may be left out: then it has its defaults, and `runbook params` writes it.
    optional = {key for key in keys(Parameters().model_dump()) if key.split(".")[1] in further.sections()}
    assert first - optional == keys(Parameters().model_dump()) - optional
