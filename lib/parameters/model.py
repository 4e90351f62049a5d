"""The parameters: what may differ between environments, checked before any call to AWS."""

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, create_model, model_validator

from lib.base import frames
from lib.base.errors import ParameterError, RunbookError
from lib.parameters import pipelines
from lib.parameters.layers import DEFAULT, Layer, from_variables, merged, names_of
from lib.parameters.sections import (
    Analyze,
    Audit,
    Backfill,
    Backup,
    Cutover,
    Expected,
    Index,
    Ingest,
    Migrate,
    Observe,
    Pipeline,
    Redrive,
    Restore,
    Section,
    Start,
    Summarize,
)
from lib.parameters.text import read_assignment, read_file
from lib.parameters.types import AccountId, KmsKeyArn, Name, PolicyArn, Region, Waiver, explain, secrets
from lib.resources.base import GLOBAL_REGION, Scope

if TYPE_CHECKING:
    import pandas as pd

# S3 bucket names have at most 63 characters, the tightest of all names we make:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME_CHARACTERS = 63
RESERVED_PREFIX = "sthree"
INJECTED, OWN_NAMES = "# Parameters", {"target", "env", "account_id"}  # what parameters cells are known by
SECRET_FOUND = "looks like a credential; secrets are no parameters"
# {prefix}-{env}-{pipeline}-{what}-{account_id}-{region}: five hyphens, "results", the account.
BUCKET_NAME_FIXED_CHARACTERS = 5 + len("results") + 12


class _Origins(dict[str, str]):
    """Names to where their values are from, which makes no difference between parameters."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Origins)


class Parameters(Section):
    """All parameters of one environment: what every pipeline has, and a section for each."""

    target: Literal["local", "aws"] = Field(
        "local", description="local: the AWS on this laptop, which costs nothing; aws: a real account"
    )
    env: Name = Field(
        "local", description="name of the environment, such as dev; part of every name and of the tags"
    )
    prefix: Name = Field("runbook", description="what the name of everything that is made begins with")
    account_id: AccountId = Field(
        "000000000000", description="number of the AWS account; any other account is refused"
    )
    home_region: Region = Field(
        GLOBAL_REGION,
        description="AWS region of the lock and of calls that concern none; the same for all operators",
    )
    permissions_boundary_arn: PolicyArn = Field(
        "", description="ARN of the policy that limits what any role may do; empty for none"
    )
    kms_key_arns: list[KmsKeyArn] = Field(
        [], description="ARNs of KMS keys to encrypt with, one a region; empty for AWS's own keys"
    )
    deletion_protection: Literal["", "ENABLED", "DISABLED"] = Field(
        "",
        description="ENABLED: no destroy of tables or full buckets; empty: only on a real account",
    )
    lock_wait_s: int = Field(
        0,
        ge=0,
        le=86400,
        description="seconds to wait if somebody else works on the environment; 0: not at all",
    )
    record_lock_days: int = Field(
        0,
        ge=0,
        le=36500,
        description="days that nobody can delete a run's record, in a bucket that stays; 0: beside the lock",
    )
    runs_kept: int = Field(
        50,
        ge=1,
        le=100_000,
        description="how many runs of this machine, of all environments, keep their reports when a run of "
        "this one ends; so the smallest of them counts. Records all stay",
    )
    waivers: list[Waiver] = Field(
        [], description="warnings of the plan that are meant to be, each with its reason"
    )
    rules: str = Field("", description="folder of rules of your own for plans; empty for none")
    mode: Literal["apply", "plan", "move"] = Field(
        "apply",
        description="plan: show what would be done, write nothing; "
        "move: apply, and leave behind what has moved",
    )
    exercise: bool = Field(
        True, description="try it out with samples and check what becomes of them; not in production"
    )
    migrate: Migrate = Field(Migrate(), description="the pipeline that copies new objects to another region")
    backup: Backup = Field(
        Backup(), description="the pipeline that keeps a second bucket like the first, with a brake"
    )
    index: Index = Field(Index(), description="the pipeline that keeps a table of all objects in a bucket")
    summarize: Summarize = Field(
        Summarize(), description="the pipeline that writes a profile of every CSV, JSON lines or Parquet file"
    )
    ingest: Ingest = Field(
        Ingest(),
        description="the pipeline that loads files into a table, by default stock prices that it makes up",
    )
    analyze: Analyze = Field(Analyze(), description="questions in SQL over what the pipelines have made")
    audit: Audit = Field(
        Audit(), description="whether everything is where it should be, and repairing what is not"
    )
    backfill: Backfill = Field(
        Backfill(), description="sending objects through a pipeline that were there before it was"
    )
    redrive: Redrive = Field(Redrive(), description="what is stuck, and doing it again or setting it aside")
    restore: Restore = Field(
        Restore(), description="the drill of losing the primary bucket, and restoring it"
    )
    cutover: Cutover = Field(
        Cutover(), description="the last day of a source: freezing it, and proving that all has arrived"
    )
    start: Start = Field(Start(), description="the rates for which the cost is estimated")
    observe: Observe = Field(
        Observe(), description="the dashboard, its alarms, and the trail of who reads and writes"
    )

    _origins: _Origins = PrivateAttr(default_factory=_Origins)

    @property
    def regions(self) -> list[str]:
        """The home, and the regions that the pipelines use, sorted."""
        sections = (getattr(self, section) for section in self.sections())
        used = {v for section in sections for name, v in section if name.endswith("region")}
        return sorted({self.home_region, *used})

    def scope(self, pipeline: str = "") -> Scope:
        """Return whose the resources of a pipeline are, or without one those of the whole environment."""
        boundary, keys = self.permissions_boundary_arn, tuple(self.kms_key_arns)
        adopted = [one for name in self.pipelines() for one in getattr(self, name).adopts(name)]
        others = [one for name in self.pipelines() for one in getattr(self, name).lives_elsewhere(name)]
        whose = (self.prefix, self.env, pipeline, self.account_id)
        return Scope(*whose, boundary, keys, adopted=tuple(adopted), others=tuple(others))

    def of_pipeline(self, pipeline: str) -> dict[str, Any]:
        """Return the values of a pipeline's section by their names.

        Args:
            pipeline: Its name.

        Raises:
            ParameterError: If there is no such section.
        """
        if pipeline not in self.sections():
            raise ParameterError(f"no section {pipeline!r}; there are: {', '.join(self.sections())}")
        return dict(getattr(self, pipeline))

    @model_validator(mode="after")
    def _keys_are_ours_one_a_region(self) -> "Parameters":
        places = [tuple(arn.split(":")[3:5]) for arn in self.kms_key_arns]
        if twice := sorted({region for region, account in places if places.count((region, account)) > 1}):
            raise ValueError(f"kms_key_arns: there are two keys in {', '.join(twice)}; name one a region")
        # lib/policies/deployer-policy.json and lib/policies/permissions-boundary.json end there.
        accounts = sorted({self.account_id, *(one.account_id for one in self.scope().others)})
        if others := [arn for arn in self.kms_key_arns if arn.split(":")[4] not in accounts]:
            raise ValueError(f"kms_key_arns: {', '.join(others)} is not in the account {', '.join(accounts)}")
        return self

    @model_validator(mode="after")
    def _others_accounts_are_others(self) -> "Parameters":
        for one in self.scope().others:
            if one.account_id == self.account_id:
                account = f"{one.pipeline}.{one.what}_account_id"
                raise ValueError(
                    f"{account}: {one.account_id} is the account of account_id, too; name another one, or "
                    f"leave {account} and {one.parameter} empty"
                )
        roles: dict[str, tuple[str, str]] = {}
        for one in self.scope().others:
            way = (one.role_arn, one.external_id)
            if roles.setdefault(one.account_id, way) != way:
                raise ValueError(
                    f"{one.parameter}: account {one.account_id} is entered by another role, or with another "
                    "external id, elsewhere in these parameters; name one role for each account"
                )
        return self

    @model_validator(mode="after")
    def _samples_pass_the_filter(self) -> "Parameters":
        if self.exercise and not ".csv".endswith(self.migrate.key_suffix):
            raise ValueError(
                f"migrate.key_suffix {self.migrate.key_suffix!r} keeps out the samples, which end in '.csv'; "
                "set exercise to false"
            )
        return self

    @model_validator(mode="after")
    def _others_buckets_are_adopted(self) -> "Parameters":
        for one in self.scope().adopted:
            if one.name.startswith(self.scope().beginning):
                raise ValueError(f"{one.parameter}: {one.name!r} is named as those that the runbook makes")
        for one, other in combinations(self.scope().adopted, 2):
            if shared := one.shared_prefixes(other):
                raise ValueError(
                    f"{one.parameter} and {other.parameter}: are both {one.name!r}, and would write the "
                    f"same keys, {' or '.join(map(repr, shared))}…: choose prefixes with no key in common"
                )
        return self

    @model_validator(mode="after")
    def _reports_are_of_copies(self) -> "Parameters":
        expected = {name: self.expected(name) for name in self.pipelines()}
        copying = [name for name, one in expected.items() if one and one.copies]
        if unknown := [name for name in self.audit.inventory_of if name not in copying]:
            raise ValueError(
                f"audit.inventory_of: {unknown[0]!r} is no pipeline that copies one bucket into another; "
                f"there are: {', '.join(copying)}"
            )
        return self

    @model_validator(mode="after")
    def _bucket_names_fit(self) -> "Parameters":
        # The name of a bucket that is elsewhere has four digits of that account, too.
        elsewhere = (len(f"{one.pipeline}{one.what}-0000") for one in self.scope().others)
        named = max(*map(len, self.pipelines()), *(length - len("results") for length in elsewhere))
        room = BUCKET_NAME_CHARACTERS - BUCKET_NAME_FIXED_CHARACTERS - named - max(map(len, self.regions))
        if len(self.prefix) + len(self.env) > room:
            raise ValueError(
                f"prefix {self.prefix!r} and env {self.env!r} have more than {room} characters together: "
                f"bucket names would exceed {BUCKET_NAME_CHARACTERS}"
            )
        if self.prefix == RESERVED_PREFIX:
            raise ValueError(
                f"prefix: S3 reserves bucket names that begin with '{RESERVED_PREFIX}-' for itself"
            )
        return self

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all parameters, those of a section as `section.name`."""
        return [
            name
            for section, field in cls.model_fields.items()
            for name in (section, *(f"{section}.{inner}" for inner in _inner_names(field.annotation)))
        ]

    @classmethod
    def sections(cls) -> list[str]:
        """Return the names of the sections, one a notebook: the pipelines, and what operates them."""
        return [name for name, field in cls.model_fields.items() if _inner_names(field.annotation)]

    @classmethod
    def pipelines(cls) -> list[str]:
        """Return the names of those sections that are a pipeline's."""
        kinds = {name: field.annotation for name, field in cls.model_fields.items()}
        return [name for name in cls.sections() if _is_pipeline(kinds[name])]

    def expected(self, pipeline: str) -> Expected | None:
        """Return what a pipeline is by its parameters; None for one that has none.

        Args:
            pipeline: Its name.
        """
        section = getattr(self, pipeline) if pipeline in self.pipelines() else None
        return section and section.expected(self.scope(pipeline))

    def keys_derived_in(self, pipeline: str, key: str) -> tuple[str, ...]:
        """Return where that may be which a pipeline's functions derive of an object.

        Args:
            pipeline: Its name.
            key: The object's.
        """
        return getattr(self, pipeline).derived_keys(key) if pipeline in self.pipelines() else ()

    @classmethod
    def check(cls, values: Mapping[str, Any]) -> "Parameters":
        """Check values and return them as parameters.

        Args:
            values: Parameter names to values; a section is a mapping of its own.

        Returns:
            The parameters, defaults filled in.

        Raises:
            ParameterError: With every mistake in one line.
        """
        if found := sorted(secrets(values)):
            raise ParameterError(f"{', '.join(found)}: {SECRET_FOUND}")
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ParameterError("; ".join(explain(e, cls.names()) for e in error.errors())) from None

    @classmethod
    def mistakes(cls, values: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return what `check` would refuse: the name of the parameter, and what is wrong with it.

        Args:
            values: As for `check`.

        Returns:
            Of each mistake the name, of a section as `section.name`, empty if it is no single one's; and the
            rest of what `check` says.
        """
        if found := sorted(secrets(values)):
            return [(name, SECRET_FOUND) for name in found]
        try:
            cls.model_validate(dict(values))
        except ValidationError as error:
            return [_of_whom(each, cls.names()) for each in error.errors()]
        return []

    @classmethod
    def load(cls, *paths: str | Path, **overrides: Any) -> "Parameters":
        """Read files of parameters.

        Args:
            paths: YAML files as in params/; a later one replaces what an earlier one says.
            overrides: Values that replace those of the files.

        Returns:
            The parameters, checked.

        Raises:
            ParameterError: If a file cannot be read or a value is wrong.
        """
        return cls.of_layers([*map(cls.layer_of, paths), ("given", overrides)])

    @classmethod
    def layer_of(cls, path: str | Path) -> Layer:
        """Return what a file of parameters says.

        Args:
            path: A YAML file as in params/.

        Raises:
            ParameterError: If it cannot be read, or a section in it is none.
        """
        values = read_file(path, schema_of(Parameters))
        sections = {name: values[name] for name in cls.sections() if name in values}
        if not all(isinstance(section, dict) for section in sections.values()):
            cls.check(sections)  # says so, before another layer takes the place of one
        return str(path), values

    @classmethod
    def variables(cls, environ: Mapping[str, str]) -> list[Layer]:
        """Return what environment variables say: RUNBOOK_ENV, RUNBOOK_MIGRATE__BATCH_SIZE.

        Args:
            environ: Them all.

        Raises:
            ParameterError: If one begins so, and is of no parameter.
        """
        return list(from_variables(environ, cls.names(), schema_of(Parameters)))

    @classmethod
    def of_layers(cls, layers: Iterable[Layer]) -> "Parameters":
        """Return the parameters that several layers give, the later ones winning, which know their origins.

        Args:
            layers: Where from, and names to values.

        Raises:
            ParameterError: With every mistake in one line.
        """
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for origin, more in layers:
            values = merged(values, more)
            origins |= dict.fromkeys(names_of(more), origin)
        made = cls.check(values)
        made._origins.update(origins)
        return made

    def table(self) -> "pd.DataFrame":
        """Return the parameters, defaults filled in: parameter, value, and where it is from."""
        table = super().table()
        return table.assign(**{"from": [self._origins.get(name, DEFAULT) for name in table["parameter"]]})

    @classmethod
    def assigned(cls, assignments: Iterable[str]) -> dict[str, Any]:
        """Read what is given after `--set`.

        Args:
            assignments: `NAME=VALUE`, where NAME may be `section.name`; the later ones win.

        Returns:
            Names to values, as `load` takes them; not checked yet.

        Raises:
            ParameterError: If one cannot be read.
        """
        schema = schema_of(Parameters)
        values: dict[str, Any] = {}
        for assignment in assignments:
            (*sections, name), value = read_assignment(assignment, schema)
            inner = values
            for section in sections:
                inner = inner.setdefault(section, {})
                if not isinstance(inner, dict):
                    raise ParameterError(f"--set {assignment}: {section} is given as a whole before it")
            inner.update(merged(inner, {name: value}))  # of a section given as a map, what it names
        return values

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, Any], *own: str) -> "Parameters":
        """Take the parameters from a notebook's variables, and refuse names that would be in vain.

        papermill only warns of a parameter that it does not know, so a typo would deploy the defaults
        (https://github.com/nteract/papermill/blob/main/papermill/parameterize.py).

        Args:
            namespace: The notebook's `globals()`.
            own: Names of further parameters that this notebook has and checks itself.

        Returns:
            The parameters, checked.

        Raises:
            ParameterError: If a name is unknown or a value is wrong.
        """
        injected, written = assigned_names(namespace.get("In", []))
        names = (set(cls.model_fields) | injected | written) & set(namespace) - set(own)
        given = {name: namespace[name] for name in sorted(names)}
        return cls.of_layers(
            [
                ("this notebook", {name: value for name, value in given.items() if name not in injected}),
                ("given to the notebook", {name: given[name] for name in injected & given.keys()}),
            ]
        )

    def differing(self) -> "pd.DataFrame":
        """Return those that differ from their defaults; as `table`."""
        mine, defaults = super().table(), Section.table(Parameters())
        return mine[mine["value"] != defaults["value"]].reset_index(drop=True)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        lines = [f"{name} = {value}" for name, value in self.differing().itertuples(index=False)]
        printer.text("\n".join([*lines, self._summary()]))

    def _repr_html_(self) -> str:
        differing = self.differing()
        rows = frames.html(differing) if len(differing) else ""
        return f"{rows}<p>{self._summary()}</p>"

    def _summary(self) -> str:
        return (
            f"{len(self.differing())} of {len(self.table())} parameters differ from their defaults; "
            "parameters.table() shows all"
        )


def _with_sections(known: type[Parameters]) -> type[Parameters]:
    """Return the parameters with a section more for each further pipeline."""
    found: dict[str, Any] = {
        name: (kind, Field(kind(), description=kind.purpose)) for name, kind in pipelines.sections().items()
    }
    if taken := sorted(found.keys() & known.model_fields):
        raise RunbookError(f"lib/parameters/pipelines/{taken[0]}.py: there is a parameter {taken[0]} already")
    made: type[Parameters] = create_model(
        known.__name__, __base__=known, __doc__=known.__doc__, __module__=known.__module__, **found
    )
    return made


if not TYPE_CHECKING:  # mypy knows those that are written above
    Parameters = _with_sections(Parameters)


@cache
def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of the parameters, or of a section, which says what type each is of.

    It is made once, since that takes a twentieth of a second, and is not to be changed.

    Args:
        kind: Their class.
    """
    return kind.model_json_schema()


def _of_whom(error: Mapping[str, Any], known: Iterable[str]) -> tuple[str, str]:
    """Return which parameter one of pydantic's errors is about, and what it says of it."""
    parts = list(map(str, error["loc"]))
    where = ".".join(parts)
    said = explain(error, known).removeprefix(f"{where}: ")
    # What a section, or all of them, hold against several values begins with the name of one.
    first = re.match(r"[a-z_.]*", said)[0]  # type: ignore[index]  # it matches anything
    whole = (".".join(parts[:length]) for length in range(len(parts), 0, -1))  # a list's items have numbers
    name = next((each for each in (f"{where}.{first}", first, *whole) if each in known), "")
    return name, said.removeprefix(f"{first}: ") if first and name.endswith(first) else said


def cells_of(history: list[str]) -> dict[str, str]:
    """Return the newest cells that set parameters, by the tags that papermill knows them by.

    Args:
        history: As for `assigned_names`.

    Returns:
        `parameters` and `injected-parameters` to sources; those that have run.
        https://papermill.readthedocs.io/en/latest/usage-parameterize.html
    """
    newest_first = [(source, _names_assigned(source)) for source in reversed(history)]
    injected = (source for source, names in newest_first if names and source.startswith(INJECTED))
    with_names = ((source, names) for source, names in newest_first if names >= OWN_NAMES)
    own = (source for source, _ in with_names if not source.startswith(INJECTED))
    found = {"parameters": next(own, ""), "injected-parameters": next(injected, "")}
    return {tag: source for tag, source in found.items() if source}


def assigned_names(history: list[str]) -> tuple[set[str], set[str]]:
    """Return the names that the newest parameters cells assign: papermill's, and the notebook's own.

    Args:
        history: The sources of the cells run so far, oldest first (IPython's `In`).

    Returns:
        The names in each of the two. papermill begins the cell that it injects with `# Parameters`; the
        notebook's own one is known by its assigning `target`, `env` and `account_id`.
    """
    cells = cells_of(history)
    injected, own = (_names_assigned(cells.get(tag, "")) for tag in ("injected-parameters", "parameters"))
    return injected, own


def names_in(source: str) -> set[str]:
    """Return the names that a cell assigns at its top level, with a type or without.

    Args:
        source: The cell's.

    Raises:
        SyntaxError: If it is no plain Python.
    """
    nodes = ast.parse(source).body
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in nodes if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _names_assigned(source: str) -> set[str]:
    """Return the names that a cell assigns; none for what is no plain Python, such as a magic."""
    try:
        return names_in(source)
    except SyntaxError:
        return set()


def _inner_names(annotation: Any) -> list[str]:
    """Return the names in a section; none for what is no section."""
    is_section = isinstance(annotation, type) and issubclass(annotation, Section)
    return list(annotation.model_fields) if is_section else []


def _is_pipeline(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Pipeline)
