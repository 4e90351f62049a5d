"""How far the notebooks that are at work have come, on a terminal."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from lib.base.shown import printable
from lib.base.waits import terminal_is_watched, told_in

NAME_CHARACTERS = 16  # so that the bars stand below each other


class Bars(AbstractContextManager):
    """A bar for each notebook that is at work, below all that is printed; none where nobody watches."""

    def __init__(self) -> None:
        columns = (
            TextColumn(f"{{task.description:<{NAME_CHARACTERS}}}"),
            BarColumn(12),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TimeElapsedColumn(),
            _Awaited(table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        )
        console = Console(stderr=True)
        self._progress = Progress(
            *columns,
            console=console,
            transient=True,
            expand=True,
            refresh_per_second=4,
            disable=not terminal_is_watched(),
        )

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def bar(self, name: str, awaited: Path) -> "Bar":
        """Return a new bar.

        Args:
            name: What stands before it.
            awaited: The file in which the notebook's kernel tells what it waits for.
        """
        return Bar(self._progress, name, awaited)


class _Awaited(ProgressColumn):
    """What a notebook's kernel waits for."""

    def render(self, task: Task) -> Text:
        return Text(printable(told_in(task.fields["awaited"]), keep=""), "dim")


class Bar:
    """What papermill tells of the cells that it has executed, as it would tell a bar of tqdm.

    Attributes:
        n: How many are done.
    """

    def __init__(self, progress: Progress, name: str, awaited: Path) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None, awaited=awaited)
        self.n = 0

    def of(self, total: int) -> None:
        """Say how many cells there are."""
        self._progress.update(self._task, total=total)

    def update(self, more: int) -> None:
        """Say that some are done."""
        self.n += more
        self.refresh()

    def refresh(self) -> None:
        """Show how many are done."""
        self._progress.update(self._task, completed=self.n)

    def set_description(self, _: str) -> None:
        """Keep the notebook's name, whatever a cell says that it is."""

    def close(self) -> None:
        """Show it no more."""
        if self._task in self._progress.task_ids:
            self._progress.remove_task(self._task)
