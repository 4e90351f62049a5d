"""What a text means, in a file and after `--set`: what its parameter is, and nothing that YAML guesses."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from papermill.translators import PythonTranslator

from lib.base.errors import ParameterError
from lib.base.paths import ROOT
from lib.cli.options import load
from lib.parameters.model import Parameters, schema_of


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; write {} if the defaults are meant"),
        ("# env: x\n", "is empty"),
        ("- env", "holds no names and values, but a list"),
        ("env", "holds no names and values, but a text"),
        ("env: [", "cannot be read"),
        ("env: x\n  y: 1", "cannot be read"),
        ("env:\tx\n\tprefix: y", "cannot be read"),
        ("env: x\n---\nenv: y", "cannot be read: expected a single document"),
        ("env: x\nenv: y", "'env' stands there twice"),
        ("migrate:\n  batch_size: 1\n  'batch_size': 2", "'batch_size' stands there twice"),
        ("env: &a x\nprefix: *a", "anchors and aliases (& and *) are not understood"),
        ("migrate: {key_suffix: *.csv}", "cannot be read: while scanning an alias"),
        ("env: !!str x", "tags (!) are not understood"),
        ("env: !!python/name:os.system", "tags (!) are not understood"),
        ("[a]: x", "a name must be a text"),
        ("env: \x07", "cannot be read"),
        ("[" * 400, "cannot be read"),
        ("env: grün".encode("latin-1"), "cannot be read: 'utf-8' codec"),
        ("env: x".encode("utf-16"), "cannot be read: 'utf-8' codec"),
        ("migrate: [batch_size]", "migrate: Input should be a valid dictionary"),
        ("migrate: batch_size", "migrate: Input should be a valid dictionary"),
        ("migrate:", "migrate: Input should be a valid dictionary"),
        ("kms_key_arns:", "kms_key_arns: Input should be a valid list"),
        ("ingest: {tickers: AAPL}", "ingest.tickers: Input should be a valid list"),
        ("env: {a: b}", "env: Input should be a valid string; found {'a': 'b'}"),
        ("1: x", "unknown parameter 1"),
        ("<<: {env: x}", "unknown parameter <<"),
        ("account_id: 11112222333", "account_id: must be 12 digits; found '11112222333' (str)"),
        ("account_id: 1111_2222_3333", "account_id: must be 12 digits"),
    ],
)
def test_what_is_no_file_of_parameters_is_refused(loaded, content: str | bytes, message: str):
    for overrides in ({}, {"migrate": {"batch_size": 3}}):  # which does not take the place of what is wrong
        with pytest.raises(ParameterError) as error:
            loaded(content, **overrides)
        assert message in str(error.value)
        assert "\n" not in str(error.value)


def test_a_byte_order_mark_is_no_part_of_a_name(loaded):
    assert loaded("\ufeffenv: test").env == "test"


def test_a_file_may_mean_the_defaults(loaded):
    assert loaded("{}") == Parameters()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere\.yaml: cannot be read"):
        Parameters.load(tmp_path / "nowhere.yaml")


# What YAML 1.1 makes something else of: https://yaml.org/type/
DATES = ["2026-01-01", "2026-01-02T15:04:05Z", "2001-12-14t21:59:43.10-05:00"]

WORDS = ["NO", "no", "yes", "on", "Off", "y", "n", "NULL", "null", "~", "="]

NUMBERS = [
    "1_000",
    "0123",
    "0o17",
    "0x1F",
    "0b101",
    "1:30",
    "190:20:30",
    "1e3",
    "1.5",
    ".5",
    "5.",
    "+5",
    "1.0",
]

NUMBERS += [".inf", ".NaN", "12e03", "685_230.15", "012345670123", "012345678901", "007", "00", "1,000", "١٢"]

GUESSED = [*DATES, *WORDS, *NUMBERS, "true", "False", "111122223333", "5", "-5", "0"]

SOME = ["2026-01-02T15:04:05Z", "NO", "null", "1_000", "0123", "1:30", "1.5", "012345678901"]

IN_QUOTES = re.compile(r"""(["']).*\1""", re.DOTALL)


def leaves(schema: dict | None = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """Every parameter that is no section: its name in parts, and its JSON schema."""
    whole = schema_of(Parameters)
    for name, inner in (schema or whole)["properties"].items():
        if "$ref" in inner:
            yield from leaves(whole["$defs"][inner["$ref"].rpartition("/")[2]], (*path, name))
        else:
            yield (*path, name), inner


KINDS = {
    kind: [path for path, schema in leaves() if schema.get("type", "string") == kind]
    for kind in ("string", "integer", "boolean", "array")
}


def test_every_parameter_is_of_a_known_type():
    assert sum(map(len, KINDS.values())) == len(list(leaves()))


def nested(path: tuple[str, ...], value: object) -> dict:
    """A section with one value in it, or a value without one; no samples, which a suffix may keep out."""
    return {"exercise": False, path[0]: {path[1]: value} if path[1:] else value}


def outcome(give: Callable[[], Parameters], path: tuple[str, ...]) -> object:
    """The value of a parameter, or the message of its refusal."""
    try:
        value = give()
    except ParameterError as error:
        return error
    for name in path:
        value = getattr(value, name)
    return value


@dataclass(frozen=True)
class Ways:
    """The ways to give a parameter; a file that is written again and again."""

    file: Path

    def content(self, content: str) -> Parameters:
        self.file.write_text(content, "utf-8")
        return Parameters.load(self.file)

    def plain(self, path: tuple[str, ...], text: str) -> Parameters:
        """Give a text without quotes, in a file."""
        sure = "" if path == ("exercise",) else "exercise: false\n"
        inner = f"\n  {path[1]}: {text}" if path[1:] else f" {text}"
        return self.content(f"{sure}{path[0]}:{inner}")

    def set(self, path: tuple[str, ...], text: str) -> Parameters:
        self.file.write_text("exercise: false")
        return load([self.file], [f"{'.'.join(path)}={text}"])


@pytest.fixture(scope="module")
def ways(tmp_path_factory) -> Ways:
    return Ways(tmp_path_factory.mktemp("parameters") / "p.yaml")


TEXTS = st.sampled_from(GUESSED) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(path=st.sampled_from(KINDS["string"]), text=TEXTS)
@example(path=("migrate", "key_prefix"), text="'")
@example(path=("migrate", "key_prefix"), text="it's")
@example(path=("migrate", "key_prefix"), text='a "b" #c: [d], {e} &f *g !h |i >j %k @l `m')
@example(path=("migrate", "key_prefix"), text="line\nline\u0085\u2028\t\x00\x7f")
def test_a_text_means_itself_however_it_is_given(ways, path, text: str):
    """As a value of Python's it cannot be misread: it means that everywhere, or is refused everywhere."""
    expected = outcome(lambda: Parameters.check(nested(path, text)), path)
    # A text in JSON is one in double quotes of YAML, too: https://yaml.org/spec/1.2.2/#json-schema
    seen = [outcome(lambda: ways.content(json.dumps(nested(path, text))), path)]
    seen.append(outcome(lambda: ways.set(path, json.dumps(text)), path))
    if not IN_QUOTES.fullmatch(text):
        seen.append(outcome(lambda: ways.set(path, text), path))
    if "\0" not in text:
        seen.append(outcome(lambda: ways.content(yaml.safe_dump(nested(path, text))), path))
    for each in seen:
        assert type(each) is type(expected), each
        assert isinstance(each, ParameterError) or each == expected == text


@pytest.mark.parametrize("path", KINDS["string"], ids=".".join)
def test_what_yaml_would_make_something_else_of_means_itself(ways, path):
    for text in ["", *(GUESSED if path[-1] == "key_prefix" else SOME)]:
        expected = outcome(lambda t=text: Parameters.check(nested(path, t)), path)
        for give in (ways.plain, ways.set):
            seen = outcome(lambda t=text, give=give: give(path, t), path)
            assert type(seen) is type(expected), seen
            assert isinstance(seen, ParameterError) or seen == expected == text


@given(path=st.sampled_from(KINDS["integer"]), number=st.integers(-10, 12_000) | st.integers())
@example(path=("start", "mean_bytes"), number=10**4000)
@example(path=("audit", "inventory_above"), number=10**31)
def test_a_number_means_itself_however_it_is_given(ways, path, number: int):
    expected = outcome(lambda: Parameters.check(nested(path, number)), path)
    for give in (ways.plain, ways.set):
        seen = outcome(lambda give=give: give(path, str(number)), path)
        assert type(seen) is type(expected)
        assert isinstance(seen, ParameterError) or seen == expected == number


@pytest.mark.parametrize("path", [*KINDS["integer"], *KINDS["boolean"]], ids=".".join)
def test_what_is_no_number_or_truth_value_is_refused(ways, path):
    allowed = "true|False" if path in KINDS["boolean"] else "5|0|-5|111122223333"
    others = [
        text
        for text in (GUESSED if path[0] in ("migrate", "audit") else SOME)
        if not re.fullmatch(allowed, text)
    ]
    for text in ["", '"5"', '"true"', "'true'", "5 5", "[5]", "{a: 5}", "9" * 5000, *others]:
        for give in (ways.plain, ways.set):
            message = str(outcome(lambda t=text, give=give: give(path, t), path))
            assert re.search("write a whole number|write true or false|Input should be", message), message


@pytest.mark.parametrize("path", KINDS["boolean"], ids=".".join)
def test_a_truth_value_has_the_spellings_of_yaml_1_2(ways, path):
    for text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        for give in (ways.plain, ways.set):
            assert outcome(lambda t=text, give=give: give(path, t), path) is (text.lower() == "true")


def test_texts_of_a_list_mean_themselves(loaded):
    tickers = ["ON", "NO", "Y", "1E5", "0123", "2026-01-01", "1.0"]
    assert loaded(f"ingest: {{tickers: [{', '.join(tickers)}]}}").ingest.tickers == tickers
    assert (
        load([ROOT / "params/local.yaml"], [f"ingest.tickers=[{', '.join(tickers)}]"]).ingest.tickers
        == tickers
    )


def test_a_text_comes_through_papermill_unchanged():
    """Which writes it into a cell as Python."""
    odd = ["", "'", '"', "\\", "\\'\"", "a\nb\r\0", "ü🚀{x}%s", "\\N{BULLET}", '"""', *GUESSED]
    exec(PythonTranslator.codify({"restore": {"key_prefix": odd}}), names := {})
    assert names["restore"] == {"key_prefix": odd}


def test_a_section_as_a_whole_and_its_parts():
    file = ROOT / "params/local.yaml"
    whole = "migrate={batch_size: 1, key_prefix: 007}"
    both = load([file], [whole, "migrate.batch_size=2"]).migrate
    assert (both.batch_size, both.key_prefix) == (2, "007")
    assert load([file], ["migrate.batch_size=2", whole]).migrate.batch_size == 1
    with pytest.raises(ParameterError, match="migrate is given as a whole before it"):
        load([file], ["migrate=1", "migrate.batch_size=5"])


@pytest.mark.parametrize("text", ["=5", "", "migrate.=5", ".env=x", "migrate..batch_size=5"])
def test_an_assignment_without_a_name_is_refused(text: str):
    with pytest.raises(ParameterError, match="write NAME=VALUE"):
        load([ROOT / "params/local.yaml"], [text])
