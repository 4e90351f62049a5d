"""How long summaries take, and how much memory: `.venv/bin/python tests/benchmarks/summarize.py [MiB …]`.

Makes files of 200 and 1000 MiB (or as asked) in a temporary folder, and measures for each, in a process of
its own: `wc -l`, DuckDB's SUMMARIZE on one thread, and the handler's profile. Other loads of the machine
change the seconds, hardly the ratios.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HANDLER = Path(__file__).resolve().parents[2] / "handlers"
CITIES = ["Berlin", "New York", "São Paulo", '"Tokyo, JP"', "Kyiv"]
SUMMARIZE = """
import sys, duckdb
connection = duckdb.connect(config={"threads": 1, "memory_limit": "512MB"})
connection.execute("SET preserve_insertion_order = false")
connection.execute(f"SUMMARIZE FROM read_csv('{sys.argv[1]}', nullstr = ['', 'NA'])").fetchall()
"""
PROFILE = f"""
import pathlib, sys
sys.path[:0] = [{str(HANDLER / "summarize")!r}, {str(HANDLER)!r}]
import duckdb_profile
duckdb_profile.profile_file(pathlib.Path(sys.argv[1]))
"""
MEASURED = {
    "wc -l": ["wc", "-l"],
    "DuckDB SUMMARIZE": [sys.executable, "-c", SUMMARIZE],
    "handler": [sys.executable, "-c", PROFILE],
}


def write_csv(path: Path, mib: int) -> None:
    """Write a CSV of six columns: key, time, decimals, integers with nulls, few texts, many texts."""
    source = random.Random(1)
    row, written = 0, 0
    with path.open("w", encoding="utf-8") as file:
        file.write("id,time,price,quantity,city,note\n")
        while written < mib * 2**20:
            block = "".join(_line(source, number) for number in range(row, row + 10_000))
            row, written = row + 10_000, written + len(block)
            file.write(block)


def _line(source: random.Random, row: int) -> str:
    moment = f"2024-{row % 12 + 1:02d}-{row % 28 + 1:02d} {row % 24:02d}:{row % 60:02d}:00"
    quantity = source.randrange(1000) if source.random() > 0.05 else "NA"
    city = CITIES[int(source.random() ** 2 * len(CITIES))]
    return f"{row},{moment},{source.gauss(100, 15):.4f},{quantity},{city},note {source.getrandbits(32)}\n"


def measure(command: list[str]) -> tuple[float, float]:
    """Return seconds and peak MiB of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env=os.environ | {"MEMORY_LIMIT_MB": "512"}
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:2]} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main(sizes: list[int]) -> None:
    """Print the table."""
    print("| file | what | seconds | × wc -l | peak MiB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        for mib in sizes:
            write_csv(path, mib)
            measure(["wc", "-l", str(path)])  # into the page cache
            floor_s, _ = measure(["wc", "-l", str(path)])
            for name, command in MEASURED.items():
                seconds, peak = measure([*command, str(path)])
                print(
                    f"| {mib} MiB | {name} | {seconds:.2f} | {seconds / floor_s:.0f} | {peak:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main([int(mib) for mib in sys.argv[1:]] or [200, 1000])
