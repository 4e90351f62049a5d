"""Profiles of CSV files: the handler's beside DuckDB's `SUMMARIZE` on one thread and `wc -l`."""

import random
import sys
import tempfile
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pandas as pd
from support.bench.process import Measured, measure
from support.bench.servers import told
from support.handler_support import HANDLERS

MIB = 2**20
CITIES = ["Berlin", "New York", "São Paulo", '"Tokyo, JP"', "Kyiv"]
SUMMARIZE = """
import sys, duckdb
connection = duckdb.connect(config={"threads": 1, "memory_limit": "512MB"})
connection.execute("SET preserve_insertion_order = false")
connection.execute(f"SUMMARIZE FROM read_csv('{sys.argv[1]}', nullstr = ['', 'NA'])").fetchall()
"""
PROFILE = f"""
import pathlib, sys
sys.path[:0] = [{str(HANDLERS / "summarize")!r}, {str(HANDLERS)!r}]
import duckdb_profile
duckdb_profile.profile_file(pathlib.Path(sys.argv[1]))
"""
MEASURED = {
    "wc -l": ["wc", "-l"],
    "DuckDB SUMMARIZE": [sys.executable, "-c", SUMMARIZE],
    "summarize": [sys.executable, "-c", PROFILE],
}
WIDE_BYTES = 628_000
LIMIT = {"MEMORY_LIMIT_MB": "512"}
REPEATS = 3  # by turns, since others use the machine, too; the least of a processor counts


def narrow_csv(path: Path, size: int) -> None:
    """Write a CSV of six columns: key, time, decimals, integers with nulls, few texts, many texts."""
    source = random.Random(1)
    row, written = 0, 0
    with path.open("w", encoding="utf-8") as file:
        file.write("id,time,price,quantity,city,note\n")
        while written < size:
            block = "".join(_line(source, number) for number in range(row, row + 10_000))
            row, written = row + 10_000, written + len(block)
            file.write(block)


def _line(source: random.Random, row: int) -> str:
    moment = f"2024-{row % 12 + 1:02d}-{row % 28 + 1:02d} {row % 24:02d}:{row % 60:02d}:00"
    quantity = source.randrange(1000) if source.random() > 0.05 else "NA"
    city = CITIES[int(source.random() ** 2 * len(CITIES))]
    return f"{row},{moment},{source.gauss(100, 15):.4f},{quantity},{city},note {source.getrandbits(32)}\n"


def wide_csv(path: Path, columns: int, size: int) -> None:
    """Write a CSV of so many columns, in turn of integers, decimals, few texts and dates."""
    source = random.Random(1)
    kinds: list[Callable[[], str]] = [
        lambda: str(source.randrange(1000)),
        lambda: f"{source.gauss(0, 1):.4f}",
        lambda: source.choice(["a", "bb", "NA"]),
        lambda: f"2026-01-{source.randrange(1, 29):02d}",
    ]
    with path.open("w", encoding="utf-8") as file:
        written = file.write(",".join(f"c{number}" for number in range(columns)) + "\n")
        while written < size:
            written += file.write(",".join(kinds[number % 4]() for number in range(columns)) + "\n")


def narrow(sizes_mib: list[int]) -> pd.DataFrame:
    """Return how long files of these sizes take, of a processor too, the ratio to DuckDB's, and memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        for mib in sizes_mib:
            narrow_csv(path, mib * MIB)
            measure(["wc", "-l", path])  # into the page cache
            found: dict[str, Measured] = {}
            for name, command in [*MEASURED.items()] * REPEATS:
                told(f"{mib} MiB by {name}")
                each = measure([*command, path], variables=LIMIT)
                found[name] = min(found.get(name, each), each, key=attrgetter("cpu"))
            peer = found["DuckDB SUMMARIZE"].cpu
            rows += [
                (f"{mib} MiB", name, f"{m.wall:.2f}", f"{m.cpu:.2f}", f"{m.cpu / peer:.2f}", f"{m.peak:.0f}")
                for name, m in found.items()
            ]
    columns = ["file", "what", "seconds", "of a processor", "× DuckDB's", "peak MiB"]
    return pd.DataFrame(rows, columns=columns)


def wide(shapes: list[tuple[int, int]]) -> pd.DataFrame:
    """Return how long files of so many columns and bytes take, beside the first of them."""
    rows, first = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        for columns, size in shapes:
            wide_csv(path, columns, size)
            told(f"{columns:,} columns")
            m = measure([*MEASURED["summarize"], path], variables=LIMIT)
            first = first or m.cpu
            times = f"{m.cpu / first:.1f}" if size == shapes[0][1] else ""
            cells = f"{m.wall:.2f}", f"{m.cpu:.2f}", times, f"{m.peak:.0f}"
            rows.append((f"{columns:,}", f"{size:,}", *cells))
    names = ["columns", "bytes", "seconds", "of a processor", "× the first", "peak MiB"]
    return pd.DataFrame(rows, columns=names)
