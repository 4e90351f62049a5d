"""`runbook export`: a pipeline as CloudFormation's templates or Terraform's configuration."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lib.base.errors import ParameterError
from lib.cli import terminal
from lib.cli.options import DEFAULT_PARAMS, NONE_GIVEN, Assignments, Params, load
from lib.engine.infrastructure_as_code import FILE, FOLDER, IMPORTS, SUFFIX, Exported
from lib.resources.base import Scope

if TYPE_CHECKING:
    from lib.engine.stack import Stack

README = "README.md"
MARK = "<!-- written by runbook export {tool} {name} -->"
# What both tools make otherwise than the runbook does, so that its plan would name it.
DIFFERENCES = """\
Whoever deploys with this no longer deploys with `runbook run`, which would say of these that they differ:

- the statement by which S3 or EventBridge may run a function has an id of the tool's choosing;
- an entry of a bucket's notifications has no id of ours;
- a Glue database has no tags.

Buckets and tables are kept when their declaration is gone: what they hold is never deleted by the way.
"""

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a pipeline, such as migrate.")]
To = Annotated[
    Path | None,
    typer.Option("--to", metavar="FOLDER", help="Where to write; by default exports/NAME-TOOL."),
]


@app.callback()
def export() -> None:
    """Write a pipeline for teams that deploy with another tool."""


@app.command("cloudformation", epilog="Example: runbook export cloudformation migrate --to build")
def to_cloudformation(
    name: Name, to: To = None, params: Params = DEFAULT_PARAMS, assignments: Assignments = NONE_GIVEN
) -> None:
    """Write CloudFormation templates, one a region, and the functions' code beside them. Deploys nothing."""
    from lib.engine.infrastructure_as_code import cloudformation

    _write("CloudFormation", name, to, cloudformation.templates, _stacks, params, assignments)


@app.command("terraform", epilog="Example: runbook export terraform migrate --to build")
def to_terraform(
    name: Name, to: To = None, params: Params = DEFAULT_PARAMS, assignments: Assignments = NONE_GIVEN
) -> None:
    """Write Terraform JSON, imports of what exists, and the functions' code beside it. Deploys nothing."""
    from lib.engine.infrastructure_as_code import terraform

    _write("Terraform", name, to, terraform.configuration, _terraform, params, assignments)


def _write(
    tool: str,
    name: str,
    to: Path | None,
    export: "Callable[[Stack], Exported]",
    commands: Callable[[Scope, Exported], Iterable[str]],
    params: Sequence[Path],
    assignments: list[str],
) -> None:
    """Describe a pipeline, and write it to a folder that holds nothing else."""
    # As a run describes it: what could not be made yet is not written, either.
    parameters = load(params, assignments, mode="apply", exercise=False)
    from lib.execution import describing
    from lib.execution.run import short_name

    folder = (to or Path("exports") / f"{short_name(name)}-{tool.lower()}").absolute()
    mark = MARK.format(tool=tool.lower(), name=short_name(name))
    _require_ours(folder, mark)
    stack = describing.of(name, parameters).stack
    exported = export(stack)
    how = commands(stack.scope, exported)
    readme = f"{mark}\n" + _readme(tool, short_name(name), exported, how, stack.scope)
    for path, content in {README: readme.encode(), **exported.files}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    for before in set(_written(folder)) - {folder / path for path in (README, *exported.files)}:
        before.unlink()
    terminal.show_table(
        [{"file": path, "bytes": f"{len(content):,}"} for path, content in exported.files.items()]
    )
    for one in exported.no_equal:
        print(f"left out: {one.what}: {one.why}")
    terminal.say_next((f"cat {shlex.quote(terminal.shown_path(folder / README))}", "how to deploy it"))


def _require_ours(folder: Path, mark: str) -> None:
    """Refuse a folder that holds something else than an earlier export of just this."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ParameterError(f"{folder} is a file; choose a folder: --to FOLDER")
    if not any(folder.iterdir()):
        return
    readme = folder / README
    if not readme.is_file() or mark not in readme.read_text("utf-8", errors="replace"):
        raise ParameterError(f"{folder} holds other files; choose an empty folder: --to FOLDER")


def _written(folder: Path) -> Iterable[Path]:
    """Yield the files of an export in a folder, by their names."""
    for pattern in (f"{FOLDER}/*-*.zip", f"*{SUFFIX}", README, FILE, IMPORTS):
        yield from folder.glob(pattern)


def _stacks(scope: Scope, exported: Exported) -> Iterable[str]:
    """Yield the commands that deploy templates, in their order.

    Of a second environment the stacks have names of their own: a stack is known by its name alone.
    """
    yield f"prefix={scope.prefix} env={scope.env}"
    for path in exported.files:
        if not path.endswith(SUFFIX):
            continue
        region = path.removesuffix(SUFFIX)
        given = "Prefix=$prefix Environment=$env"
        if b'"CodeBucket"' in exported.files[path]:
            yield f"aws s3 cp --recursive {FOLDER} s3://CODE-BUCKET/  # a bucket of yours in {region}"
            given += " CodeBucket=CODE-BUCKET"
        stack = f"$prefix-$env-{scope.pipeline}"
        yield (
            f"aws cloudformation deploy --region {region} --stack-name {stack} --template-file {path} \\\n"
            f"  --capabilities CAPABILITY_NAMED_IAM \\\n  --parameter-overrides {given}"
        )


def _terraform(scope: Scope, exported: Exported) -> Iterable[str]:
    """Yield the commands that take a configuration over."""
    if IMPORTS in exported.files:
        yield (
            f"# {IMPORTS} takes over what is in account {scope.account_id} as "
            f"{scope.prefix}-{scope.env}; delete it for another environment, and give that one's names:"
        )
    yield f"export TF_VAR_prefix={scope.prefix} TF_VAR_environment={scope.env}"
    yield "terraform init"
    has_code = any(path.startswith(f"{FOLDER}/") for path in exported.files)
    given = ' -var \'code_buckets={"REGION"="CODE-BUCKET"}\'' if has_code else ""
    yield f"terraform plan{given}  # says what it would import, make and change"
    yield f"terraform apply{given}"


def _holds(scope: Scope, exported: Exported) -> str:
    """Return which file is of one account and environment, and which are of any."""
    if IMPORTS not in exported.files:
        return "It holds no account."
    whose = f"account {scope.account_id} and environment {scope.env}"
    return f"{IMPORTS} is of {whose} alone; no other file holds an account."


def _readme(tool: str, name: str, exported: Exported, commands: Iterable[str], scope: Scope) -> str:
    left_out = "".join(f"- {one.what}: {one.why}\n" for one in exported.no_equal)
    return (
        f"# {name}, for {tool}\n\nIn this folder:\n\n```sh\n" + "\n".join(commands) + "\n```\n\n"
        f"{_holds(scope, exported)} Prefix and environment, with which every name begins, are parameters.\n\n"
        + DIFFERENCES
        + (f"\nNot in it:\n\n{left_out}" if left_out else "")
    )
