"""Executes the notebooks of a folder, two at once, and prints what became of them: to be stopped."""

import signal
import sys
from pathlib import Path

from lib.execution import run
from lib.parameters import Parameters

if __name__ == "__main__":
    # Whoever runs the tests in the background of a shell has it ignored, and so has what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(sys.argv[1])
    (folder / "ended.txt").touch()

    def note(result: run.Result) -> None:
        """Write down that a notebook has ended."""
        with (folder / "ended.txt").open("a") as file:
            file.write(f"{result.name}: {result.outcome}\n")

    jobs = [run.Job(path) for path in sorted(folder.glob("*.ipynb"))]
    results = run.execute_all(jobs, Parameters(), folder / "out", at_once=2, ended=note)
    print(*(result.outcome.replace(" ", "-") for result in results))
