"""Random parameters by command line and file: taken as they are meant, or refused with exit code 2."""

import types
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from support.fuzz.drawing import Case, Draw, Fault
from support.running import Running
from typer.testing import CliRunner

from lib.base.errors import ParameterError
from lib.cli.main import app
from lib.cli.options import EXIT_PARAMETERS, load
from lib.parameters import Parameters

# What YAML takes for something else than what a person has written.
GUESSED = (
    *(
        "2026-01-01",
        "2026-01-02T15:04:05Z",
        "2026-01-02 15:04:05",
        "12:30",
        "1:30:00",
        "NO",
        "off",
        "y",
        "Yes",
    ),
    *("1_000", "010", "0o17", "0x1F", "1e3", "1.0", ".5", ".inf", ".NaN", "~", "null", "", "=", "<<", "1.10"),
)
PLAIN = (
    *(
        "true",
        "false",
        "0",
        "1",
        "5",
        "30",
        "100",
        "999999999999",
        "-1",
        "us-east-1",
        "eu-west-3",
        "us-easy-1",
    ),
    *(
        "logs/",
        "a/b c/",
        "ünï/",
        "x" * 300,
        "cron(0 8 * * ? *)",
        "rate(5 minutes)",
        "ENABLED",
        "backup",
        "Daily",
    ),
)
ODD = (
    "'",
    '"',
    "[",
    "{",
    "a: b",
    "a #b",
    "- x",
    "&a",
    "*a",
    "!x",
    "%",
    "@",
    "`",
    "|",
    ">",
    "\t",
    "[1, 2]",
    "{a: 1}",
)
OUTSIDE = 2  # of the command line: usage


@dataclass(frozen=True)
class Setting:
    """A parameter and what is written for it."""

    case: Case
    name: str
    text: str
    in_a_file: bool

    @property
    def is_literal(self) -> bool:
        """Whether it has no meaning in YAML but its type: no quotes, no comment, no collection."""
        text = self.text
        return (
            bool(text.strip())
            and text == text.strip()
            and text[0] not in "'\"[{&*!%@`|>#-?:,]}\t"
            and not (": " in text or " #" in text or text.endswith(":"))
        )


def draw(case: Case) -> Setting:
    """Draw a parameter and a text."""
    draw = case.draw()
    names = [name for name in Parameters.names() if name not in Parameters.sections()]
    kind = draw.randrange(4)
    text = _free(draw) if kind == 0 else draw.choice((GUESSED, GUESSED, PLAIN, ODD)[kind])
    return Setting(case, draw.choice(names), text, draw.chance(0.5))


def _free(draw: Draw) -> str:
    return draw.text(10, controls=0.1)


def check(running: Running, settings: list[Setting]) -> list[Fault]:
    """Hand each to the command line."""
    runner = CliRunner()
    with TemporaryDirectory() as folder:
        found = {each.case: _wrong(each, runner, Path(folder)) for each in settings}
    return [Fault(case, what) for case, what in found.items() if what]


def _wrong(setting: Setting, runner: CliRunner, folder: Path) -> str:
    said = f"{setting.name}={setting.text!r} {'in a file' if setting.in_a_file else 'by --set'}"
    arguments, file, assignments = _given(setting, folder)
    result = runner.invoke(app, ["output", "migrate", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{said}: a traceback: {result.exception!r}"[:300]
    try:
        value: Any = load([file], assignments)
    except ParameterError as error:
        if result.exit_code != EXIT_PARAMETERS:
            return f"{said}: refused ({error}), but the exit code is {result.exit_code}"
        return f"{said}: refused, though it is plain: {error}" if _must_be_taken(setting) else ""
    if result.exit_code == EXIT_PARAMETERS:
        return f"{said}: taken, but the exit code is 2"
    for part in setting.name.split("."):
        value = getattr(value, part)
    return "" if _means(setting, value) else f"{said}: taken as {value!r}"


def _given(setting: Setting, folder: Path) -> tuple[list[str], Path, list[str]]:
    """The arguments by which a setting is given, the file, and the assignments."""
    if not setting.in_a_file:
        assignment = f"{setting.name}={setting.text}"
        return ["--set", assignment], Path("params/local.yaml"), [assignment]
    section, _, name = setting.name.rpartition(".")
    text = f"{section}:\n  {name}: {setting.text}\n" if section else f"{name}: {setting.text}\n"
    path = folder / "given.yaml"
    path.write_text(text, "utf-8", newline="")
    return ["--params", str(path)], path, []


def _type(setting: Setting) -> type:
    value: Any = Parameters()
    for part in setting.name.split("."):
        value = getattr(value, part)
    return type(value)


def _must_be_taken(setting: Setting) -> bool:
    """Whether it is plainly right: for what takes any text, and for times as they are documented."""
    if setting.name in ("restore.at", "backfill.modified_after", "backfill.modified_before"):
        return setting.text == "2026-01-02T15:04:05Z"
    return setting.name.endswith(("key_prefix", "backfill.key_prefix")) and setting.text in (
        "logs/",
        "2026-01-01",
        "NO",
    )


def _means(setting: Setting, value: Any) -> bool:
    """Whether a value is what was written, as a person reads it."""
    text, kind = setting.text, _type(setting)
    if kind is bool:
        return value is {
            "true": True,
            "yes": True,
            "on": True,
            "y": True,
            "false": False,
            "no": False,
            "off": False,
        }.get(text.lower(), types.NotImplementedType)
    if kind is int:
        return (
            text.replace("_", "").isascii()
            and text.replace("_", "").lstrip("-").isdigit()
            and value == int(text)
        )
    if kind is str:
        if setting.is_literal:
            return value == text or (text in ("~", "null") and value == "")
        return isinstance(value, str)
    try:
        return value == yaml.load(text, yaml.BaseLoader)  # lists of texts, which YAML guesses at, too
    except yaml.YAMLError:
        return False
