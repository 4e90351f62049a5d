"""What MiniStack does otherwise than AWS: each is a record, and nothing is replaced without one."""

import ast
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from botocore.config import Config

from lib.base.errors import ParameterError
from lib.base.paths import ROOT
from lib.local import install, ministack, originals, reports
from lib.local.deployer import ROOT_KEY, local_session
from lib.local.in_server.correction import ABSENT, WITHOUT
from lib.local.in_server.corrections import CORRECTIONS

IN_SERVER = ROOT / "lib" / "local" / "in_server"
CONFIG = IN_SERVER.with_name("hypercorn_config.py")
# Where the version of MiniStack stands: the pin, and what is compiled of it.
PINNED_IN = {"pyproject.toml", "lib/local/requirements.txt"}


def reproduce(server: ministack.LocalAws, name: str) -> None:
    """Run the code of a correction's report."""

    def client(service, region="us-east-1", key=(ROOT_KEY, ROOT_KEY)):
        names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
        endpoint = {"endpoint_url": server.endpoint_url, "verify": server.ca_bundle}
        credentials = dict(zip(names, key, strict=False))
        return local_session().client(service, region, config=Config(proxies={}), **endpoint, **credentials)

    exec(compile(CORRECTIONS[name].reproduce, name, "exec"), {"client": client})


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A server for all reports: what they leave behind is nobody's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", str(tmp_path_factory.mktemp("corrections")))
        yield ministack.start()
        ministack.reset()


@pytest.mark.parametrize("name", [each.name for each in CORRECTIONS.values() if each.reproduce])
def test_what_a_report_says_is_so_with_the_correction(own_server, name):
    """And without it the report's code fails: `make corrections`."""
    reproduce(own_server, name)


def test_a_server_does_without_a_correction_if_it_is_asked_to(own_home, monkeypatch, capfd):
    monkeypatch.setenv(WITHOUT, "cloudtrail-tags")
    server = ministack.start()
    assert "does without the correction cloudtrail-tags" in capfd.readouterr().err
    with pytest.raises(AssertionError):
        reproduce(server, "cloudtrail-tags")
    reproduce(server, "cloudwatch-dashboard-not-found")
    ministack.reset()
    monkeypatch.setenv(WITHOUT, "nothing-of-the-kind")
    with pytest.raises(ministack.LocalAwsError, match="nothing-of-the-kind: there is no such correction"):
        ministack.start()


def test_nothing_is_replaced_but_what_the_records_say_and_all_of_that(tmp_path):
    """Before and after the server's configuration was read, in the environment of a server."""
    environment = {"STATE_DIR": "data", "S3_DATA_DIR": "s3", "TMPDIR": "tmp"}
    for name in environment.values():
        (tmp_path / name).mkdir()
    done = subprocess.run(
        [
            install.ensure_installed(),
            "-m",
            "replaced_in_ministack",
            IN_SERVER.with_name("hypercorn_config.py"),
        ],
        cwd=ROOT / "tests" / "support",
        env={name: str(tmp_path / folder) for name, folder in environment.items()} | {"GATEWAY_PORT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = {target for correction in CORRECTIONS.values() for target in correction.replaces}
    assert set(json.loads(done.stdout.splitlines()[-1])) == said


def root_of(node: ast.expr) -> str:
    """The name that a chain of attributes begins with; of what a call returns there is none."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


@pytest.mark.parametrize("path", sorted(IN_SERVER.glob("*.py")), ids=lambda path: path.stem)
def test_nothing_sets_an_attribute_of_ministack_later(path):
    """While the server runs, state is changed, never a function: that is for a correction to do."""
    if path.stem == "correction":
        return
    tree = ast.parse(path.read_text())
    theirs = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (getattr(node, "module", None) or alias.name).split(".")[0] == "ministack"
    }
    stored = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)]
    assert not [ast.unparse(n) for n in stored if root_of(n) in theirs]
    called = [n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    assert not {"setattr", "delattr", "vars", "globals"} & set(called)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_record_is_whole(name):
    correction = CORRECTIONS[name]
    assert correction.title and not correction.title.endswith(".")
    for text in (correction.ministack, correction.aws, correction.change):
        assert text.endswith((".", ";")) and "  " not in text
    assert correction.sources and all(source.startswith("https://") for source in correction.sources)
    assert re.search(r"\d{4}-\d\d-\d\d|not looked up", correction.upstream)
    assert bool(correction.reproduce) != bool(correction.steps)
    assert correction.reproduce or correction.tests, "nothing proves it"
    for test in correction.tests:
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(), test


def test_what_is_replaced_is_what_was_reviewed():
    install.ensure_installed()
    assert [str(each) for each in originals.to_review()] == []


def correction_of(**replaces):
    any_correction = next(iter(CORRECTIONS.values()))
    return replace(
        any_correction, name="one", replaces={f"theirs:{key}": each for key, each in replaces.items()}
    )


@pytest.fixture
def theirs(monkeypatch):
    """A module in place of MiniStack's."""
    module = ModuleType("theirs")
    module.double, module.TABLE = (lambda n: 2 * n), {}
    monkeypatch.setitem(sys.modules, "theirs", module)
    return module


def test_a_function_is_wrapped_by_each_of_its_corrections(theirs):
    @correction_of(double="0").replacing("theirs:double")
    def one_more(n):
        return one_more.original(n) + 1

    @correction_of(double="0").replacing("theirs:double")
    def negative(n):
        return -negative.original(n)

    assert theirs.double(4) == -9
    assert negative.original is one_more


def test_a_correction_that_is_left_out_replaces_nothing(theirs, monkeypatch):
    monkeypatch.setenv(WITHOUT, "one")
    added = correction_of(**{"TABLE[a]": ABSENT}).adding("theirs:TABLE[a]", {})
    correction_of(double="0").replacing("theirs:double")(lambda n: 0)
    assert (theirs.double(4), theirs.TABLE, added) == (8, {}, {})


def test_what_a_record_does_not_name_cannot_be_replaced(theirs):
    with pytest.raises(KeyError, match="one does not say that it replaces theirs:double"):
        correction_of(other="0").replacing("theirs:double")(lambda n: 0)
    assert theirs.double(4) == 8


def test_what_is_gone_is_logged_and_the_rest_goes_on(theirs, caplog):
    @correction_of(**{"Gone.method": "0"}).replacing("theirs:Gone.method")
    def method(self):
        return 1

    assert method.original is None
    assert "one: theirs:Gone.method is gone" in caplog.text


SOURCE = '''
TABLE = {"a": first}
TABLE.update({"b": lambda asked: asked})
def first(asked):
    """Says something."""
    return asked  # as it is
class Worker:
    async def invoke(self):
        return 1
'''


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package in place of MiniStack, and one correction that replaces all of it; returns its file."""
    file = tmp_path / "site-packages" / "theirs" / "module.py"
    file.parent.mkdir(parents=True)
    file.write_text(SOURCE)
    tree = ast.parse(SOURCE)
    names = ("first", "Worker.invoke", "TABLE[a]", "TABLE[b]")
    known = {f"theirs.module:{each}": originals.digest(originals.find(tree, each)) for each in names}
    any_correction = next(iter(CORRECTIONS.values()))
    one = replace(any_correction, name="one", replaces=known | {"theirs.module:TABLE[c]": ABSENT})
    for module in (originals, reports):
        monkeypatch.setattr(module, "CORRECTIONS", {"one": one})
    return file


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("  # as it is", "  # as it was\n", {}),
        ('"""Says something."""', "'''Says something else.'''", {}),
        ("return asked  #", "return (\n        asked\n    )  #", {}),
        ("return 1", "return 2", {"Worker.invoke": "has changed"}),
        ("async def invoke", "def invoke", {"Worker.invoke": "has changed"}),
        ("return asked ", "return not asked ", {"first": "has changed", "TABLE[a]": "has changed"}),
        ("class Worker", "class Workers", {"Worker.invoke": "is gone"}),
        ('{"a": first}', "{}", {"TABLE[a]": "is gone"}),
        ("lambda asked: asked", "lambda asked: None", {"TABLE[b]": "has changed"}),
        ('"b":', '"c":', {"TABLE[b]": "is gone", "TABLE[c]": "is there now"}),
    ],
)
def test_what_has_changed_is_named_and_nothing_else(package: Path, before, after, expected):
    assert before in SOURCE
    package.write_text(SOURCE.replace(before, after))
    found = originals.to_review(package.parents[1])
    assert {each.target.partition(":")[2]: each.what for each in found} == expected
    for each in found:
        assert str(each).startswith(f"one: {each.target} {each.what}") and str(package) in str(each)


def test_a_module_that_is_gone_is_named(package: Path):
    package.unlink()
    assert {each.what for each in originals.to_review(package.parents[1])} == {"is gone"}


def test_a_warning_is_kept_with_what_is_installed_and_made_anew_with_it(package: Path, tmp_path, monkeypatch):
    packages = tmp_path / "lib" / "python3" / "site-packages"
    packages.parent.mkdir(parents=True)
    package.parents[1].rename(packages)
    (tmp_path / "stamp").write_text("first")
    monkeypatch.setattr(reports, "installed_packages", lambda: packages)
    assert reports.warning() == ""
    (packages / "theirs" / "module.py").write_text(SOURCE.replace("return 1", "return 2"))
    assert reports.warning() == ""  # what is installed does not change without a new stamp
    (tmp_path / "stamp").write_text("second")
    assert "theirs.module:Worker.invoke has changed" in reports.warning()
    monkeypatch.setattr(reports, "to_review", None)  # asked once only
    assert "one: theirs.module:Worker.invoke has changed" in reports.warning()
    monkeypatch.setattr(reports, "installed_packages", lambda: None)
    assert reports.warning() == ""


def test_whoever_starts_it_is_warned(own_home, monkeypatch, capfd):
    monkeypatch.setattr(ministack, "warning", lambda: "warning: look at one")
    ministack.start()
    assert "warning: look at one" in capfd.readouterr().err


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_report_can_be_sent(name):
    correction, report = CORRECTIONS[name], reports.report(name)
    assert report.startswith(f"# {correction.title}\n")
    assert f"MiniStack {originals.version()}" in report
    for part in (*correction.sources, *correction.steps, *correction.replaces):
        assert part in report
    for code in re.findall(r"```python\n(.*?)```", report, re.DOTALL):
        compile(code, name, "exec")
    assert "tests/" not in report and "lib/" not in report  # which its readers do not have


def test_a_report_of_an_unknown_correction_says_what_to_do():
    with pytest.raises(ParameterError, match=r"'nothing'; `runbook local corrections` lists"):
        reports.report("nothing")


def test_the_table_has_all():
    assert [row["correction"] for row in reports.table()] == list(CORRECTIONS)


def test_the_version_stands_in_one_place():
    folders = ("docs", "handlers", "lib", "notebooks", "params", "tests")
    below = [path for folder in folders for path in (ROOT / folder).rglob("*.*") if path.is_file()]
    files = [path for path in (*ROOT.glob("*.*"), *below) if path.is_file() and path.suffix != ".pyc"]
    version = re.compile(rf"(?i)ministack.*(?<![\d.]){re.escape(originals.version())}(?![\d.])".encode())
    found = {str(path.relative_to(ROOT)) for path in files if version.search(path.read_bytes())}
    assert found - {"CHANGELOG.md"} == PINNED_IN  # which tells of what was
