"""Installs packages as `pip install` does, by uv if it is there, which takes a tenth of the time.

It is run before anything is installed (`make install`), so it knows Python's own library alone, and nothing
of `lib`. docs/decisions/0037-what-a-start-waits-for.md says why.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PINNED = Path(__file__).parents[2] / "requirements-uv.txt"
# What pip is told by its files and variables, and the variable by which uv is told the same.
# https://pip.pypa.io/en/stable/topics/configuration/ https://docs.astral.sh/uv/reference/environment/
SAME = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "keyring-provider": "UV_KEYRING_PROVIDER",
}
COMMAS = {"UV_FIND_LINKS"}  # between several; others take spaces
# What changes nothing of what is installed, since all is pinned, or nothing but what pip prints.
NO_MATTER = {
    *("break-system-packages", "cache-dir", "compile", "config-file", "constraint"),
    *("disable-pip-version-check", "exists-action", "isolated", "log", "no-cache-dir", "no-color"),
    *("no-compile", "no-input", "no-python-version-warning", "no-warn-script-location"),
    *("prefer-binary", "pre", "progress-bar", "quiet", "require-virtualenv", "resume-retries", "retries"),
    *("root-user-action", "upgrade-strategy", "use-feature", "verbose"),
}


class NoUvError(Exception):
    """uv cannot be had, or cannot do what pip is told to."""


def uv_of(python: Path) -> Path:
    """Return where an environment has its uv, if it has one.

    Args:
        python: The environment's interpreter.
    """
    return python.with_name("uv.exe" if os.name == "nt" else "uv")


def as_uv_has_it(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell uv what pip's settings tell pip, so that both ask the same index.

    Args:
        settings: Names to values, such as "index-url" to an URL; several stand between white space.

    Raises:
        NoUvError: If uv has nothing that is the same.
    """
    unknown = sorted(set(settings) - set(SAME) - NO_MATTER)
    if unknown:
        raise NoUvError(f"pip is set up with {', '.join(unknown)}, which uv does not know")
    told = {}
    for name, value in settings.items():
        if variable := SAME.get(name):
            told[variable] = ("," if variable in COMMAS else " ").join(value.split())
    return told


def settings_of_pip(listed: str) -> dict[str, str]:
    """Return what `pip config list` has listed for `pip install`: names to values.

    Args:
        listed: Lines like `global.index-url='https://…'`; `install` comes before `global`, and what a
            variable says (`:env:`) before both.
    """
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in sections:
            sections[section][option.replace("_", "-")] = str(ast.literal_eval(value))
    return {**sections["global"], **sections["install"], **sections[":env:"]}


def environment(pip: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that uv gets: what it is told itself counts more than what pip is told.

    Args:
        pip: The command that is pip.
        variables: Those of this process.

    Raises:
        NoUvError: If pip cannot say what it is told, or uv has nothing that is the same.
    """
    listed = subprocess.run([*pip, "config", "list"], capture_output=True, text=True, errors="replace")
    if listed.returncode:
        raise NoUvError(f"pip does not say how it is set up: {listed.stderr.strip()}")
    # As pip: the best of all indexes; each file has its hash, so no other can be put in its place. Its own
    # certificates are not the system's, which pip takes.
    ours = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true", "UV_NO_CONFIG": "1"}
    return {**ours, **as_uv_has_it(settings_of_pip(listed.stdout)), **variables}


def get_uv(python: Path) -> None:
    """Install the uv that is pinned into an environment that has pip; it may fail.

    Args:
        python: The environment's interpreter.
    """
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(PINNED)]
    subprocess.run(command, capture_output=True)


def install(
    arguments: Sequence[str],
    python: Path = Path(sys.executable),
    run: Callable[..., subprocess.CompletedProcess] = subprocess.run,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> subprocess.CompletedProcess:
    """Install packages by this environment's uv; by its pip if that is not there or does not manage.

    Args:
        arguments: Those that pip and uv understand alike: `--no-deps`, `--require-hashes`, `-r FILE`, `-e .`.
        python: The interpreter into whose environment it goes.
        run: Runs a command, as `subprocess.run` does.
        say: Told, in a line, why pip does it.

    Returns:
        What the last command did.
    """
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    uv = uv_of(Path(sys.executable))
    try:
        if not uv.exists():
            raise NoUvError("it could not be installed")
        command = [str(uv), "pip", "install", "--quiet", "--no-progress", "--python", str(python), *arguments]
        done = run(
            command, env=environment(pip, os.environ), capture_output=True, text=True, errors="replace"
        )
        if not done.returncode:
            return done
        raise NoUvError((done.stdout + done.stderr).strip() or f"it ended with {done.returncode}")
    except NoUvError as error:
        say(f"pip installs, which takes longer, since uv does not: {error}")
    other = [] if python == Path(sys.executable) else ["--python", str(python)]
    return run(
        [*pip, *other, "install", "--quiet", *arguments], capture_output=True, text=True, errors="replace"
    )


def main(arguments: Sequence[str]) -> int:
    """Install, uv itself first if it is not there; return the exit code.

    Args:
        arguments: As for `install`; before them `--python` and the interpreter of another environment.
    """
    python = Path(sys.executable)
    if not uv_of(python).exists():
        get_uv(python)
    if arguments[:1] == ["--python"]:
        python, arguments = Path(arguments[1]), arguments[2:]
    done = install(arguments, python)
    if done.returncode:
        print((done.stdout + done.stderr).strip(), file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
