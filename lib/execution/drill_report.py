"""The report of a disaster-recovery drill, for those who were not there: a page, and the same as JSON."""

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import isnan

import pandas as pd
from jinja2 import Environment, FileSystemLoader

from lib.base import told
from lib.base.paths import home
from lib.base.shown import counted
from lib.engine.checklist import Checklist
from lib.execution.report import TEMPLATES
from lib.operate.recovery.drill import Drill
from lib.parameters import Parameters


@dataclass(frozen=True)
class DrillReport:
    """What happened in a drill.

    Attributes:
        drill: Which.
        parameters: Those that it took place with: where, whose, and `restore`.
        at: The point in time that was restored to.
        declared: When the loss was declared.
        recovered: When the last checksum had been compared.
        lags: As `Drill.lags` returns it.
        objects: As `drill.compare` returns it.
        checklist: What was checked, whether it holds or not.
    """

    drill: Drill
    parameters: Parameters
    at: datetime
    declared: datetime
    recovered: datetime
    lags: pd.DataFrame
    objects: pd.DataFrame
    checklist: Checklist

    def __post_init__(self) -> None:
        """Hold what was achieved against the objectives: they are points of the drill, too."""
        for what, achieved, objective in self.objectives():
            if objective:
                evidence = f"{achieved:.3f} s achieved, {objective} s is the objective"
                self.checklist.check(f"the {what} objective holds", achieved <= objective, evidence=evidence)

    def objectives(self) -> list[tuple[str, float, int]]:
        """Return what the drill is held against: what, seconds achieved, and the objective; 0 for none."""
        settings = self.parameters.restore
        return [
            ("recovery point", self.rpo_s, settings.rpo_s),
            ("recovery time", self.rto_s, settings.rto_s),
        ]

    @property
    def rpo_s(self) -> float:
        """The recovery point achieved: the longest a version took to the DR bucket, in seconds; or nan."""
        return float(self.lags["lag"].max(skipna=False))

    @property
    def rto_s(self) -> float:
        """The recovery time achieved: from the loss to the last checksum, in seconds."""
        return (self.recovered - self.declared).total_seconds()

    def facts(self) -> pd.DataFrame:
        """Return the drill in a few lines: fact, value."""
        holds = sum(point.holds for point in self.checklist)
        size = f"{self.objects['bytes'].sum():,} bytes"
        of = f"of {counted(len(self.lags), 'version')}"
        point, time = (f"; the objective: {each} s" if each else "" for *_, each in self.objectives())
        rows = {
            "passed": "yes" if holds == len(self.checklist) > 0 else "NO",
            "points that hold": f"{holds} of {len(self.checklist)}",
            "recovery point achieved (against the RPO)": f"{self.rpo_s:.3f} s, {of}{point}",
            "recovery time achieved (against the RTO)": f"{self.rto_s:.3f} s, {size}{time}",
            "point in time": _utc(self.at),
            "loss declared": _utc(self.declared),
            "recovered": _utc(self.recovered),
            "primary bucket": f"{self.drill.primary.bucket} in {self.drill.primary.region}",
            "DR bucket": f"{self.drill.dr.bucket} in {self.drill.dr.region}",
            "folder": self.drill.prefix,
            "target, account": f"{self.parameters.target}, {self.parameters.account_id}",
            "done by": self.drill.target.caller,
        }
        return pd.DataFrame(rows.items(), columns=["fact", "value"])

    def write(self) -> pd.DataFrame:
        """Write `runs/drills/<account>-<prefix>-<env>-<time>.html` and `.json`.

        Returns:
            One row a file: its name below RUNBOOK_HOME, and its SHA-256, so that it can be told later whether
            it is still the same.
        """
        whose = (self.parameters.account_id, self.parameters.prefix, self.parameters.env)
        name = "-".join((*whose, self.drill.prefix.strip("/").split("/")[-1]))
        folder = home() / "runs" / "drills"
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for suffix, text in ((".html", self._html()), (".json", self._json())):
            path = folder / f"{name}{suffix}"
            path.write_text(text, "utf-8")
            rows.append((str(path.relative_to(home())), sha256(path.read_bytes()).hexdigest()))
        said = self.facts().set_index("fact")["value"]
        told.note("drill", **said.loc[["passed", "points that hold"]])
        for what, achieved, objective in self.objectives():
            told.note(what, achieved_s=f"{achieved:.3f}", objective_s=objective or "none is set")
        return pd.DataFrame(rows, columns=["file", "sha256"])

    def _tables(self) -> dict[str, pd.DataFrame]:
        return {
            "The drill": self.facts(),
            "Points": self.checklist.table(),
            "Objects before the loss and after": self.objects,
            "How long each version took into the DR bucket": self.lags,
        }

    def _html(self) -> str:
        jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True)
        tables = {title: table.astype(object).to_dict("split") for title, table in self._tables().items()}
        return jinja.get_template("drill.html.j2").render(
            tables=tables, env=self.parameters.env, folder=self.drill.prefix
        )

    def _json(self) -> str:
        facts = self.facts().set_index("fact")["value"].to_dict()
        figures = {"rpo_seconds": None if isnan(self.rpo_s) else self.rpo_s, "rto_seconds": self.rto_s}
        tables = {"points": self.checklist.table(), "objects": self.objects, "lags": self.lags}
        as_json = {name: table.to_json(orient="records", date_format="iso") for name, table in tables.items()}
        rows = {name: json.loads(text) for name, text in as_json.items()}
        return json.dumps({**facts, **figures, **rows}, indent=2, ensure_ascii=False)


def _utc(moment: datetime) -> str:
    return f"{pd.Timestamp(moment).tz_convert('UTC'):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
