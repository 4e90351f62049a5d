"""Random inputs from outside: `make fuzz ARGS="--seed 42 --inputs 100"`.

Deploys the five pipelines on a local AWS of its own, puts in objects, CSV files, stock rows, parameters and
SQL values that are drawn at random, and compares what came of each with an own reading of it: it must have
arrived equal, or have been refused by name. First come the cases that once found something, `seeds.txt`.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
from support.fuzz import csv_files, objects, settings, stock_files, values
from support.fuzz.drawing import Case, Fault
from support.running import SECTIONS, Running

from lib.local import ministack

FAMILIES: dict[str, ModuleType] = {
    module.__name__: module for module in (objects, csv_files, stock_files, settings, values)
}
SEEDS = Path(__file__).with_name("seeds.txt")
# Those that cost no more than a call each are drawn more often.
TIMES = {"settings": 10, "values": 3}


def kept() -> list[Case]:
    """Return the cases in which something was wrong once."""
    lines = SEEDS.read_text("utf-8").splitlines()
    return [Case.parse(line.split()[0]) for line in lines if line and not line.startswith("#")]


def drawn(seed: int, inputs: int, families: Iterable[str]) -> list[Case]:
    """Return new cases.

    Args:
        seed: Decides them.
        inputs: How many of a family; more of those that cost little.
        families: Which.
    """
    return [Case(name, seed, n) for name in families for n in range(inputs * TIMES.get(name, 1))]


def run(running: Running, cases: Iterable[Case]) -> tuple[pd.DataFrame, list[Fault]]:
    """Put cases in, family by family.

    Returns:
        Inputs, faults and seconds of each family; the faults.
    """
    counts, faults, cases = [], [], list(dict.fromkeys(cases))
    for name, family in FAMILIES.items():
        if mine := [case for case in cases if case.family == name]:
            began = time.monotonic()
            found = family.check(running, [family.draw(case) for case in mine])
            seconds = round(time.monotonic() - began)
            counts.append((name, len(mine), len({fault.case for fault in found}), seconds))
            faults += found
    return pd.DataFrame(counts, columns=["family", "inputs", "with faults", "seconds"]), faults


@contextmanager
def own_aws() -> Iterator[None]:
    """A local AWS in a home of its own; nothing is left of it."""
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNBOOK_HOME", home)
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        try:
            ministack.start()
            yield
        finally:
            ministack.reset()


def main() -> None:
    """Fuzz as the command line says, print what was found, and fail if that is anything."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--seed", type=int, help="draw as the run did that printed it")
    options.add_argument("--inputs", type=int, default=60, help="of each family")
    options.add_argument(
        "--family", action="append", choices=list(FAMILIES), help="only this one; repeatable"
    )
    options.add_argument(
        "--case", action="append", type=Case.parse, help="only this, FAMILY:SEED:NUMBER; repeatable"
    )
    given = options.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    families = given.family or list(FAMILIES)
    cases = given.case or [case for case in kept() if case.family in families]
    if not given.case:
        cases += drawn(seed, given.inputs, families)
        print(f"seed {seed}: {len(cases)} inputs", flush=True)
    with own_aws():
        counts, faults = run(Running("fuzz", tuple(SECTIONS)), cases)
    print(counts.to_string(index=False))
    for fault in faults:
        print(fault)
    if faults:
        print('again: make fuzz ARGS="--case FAMILY:SEED:NUMBER"; mended, it belongs into fuzz/seeds.txt')
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
