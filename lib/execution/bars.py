"""How far the notebooks that are at work have come, on a terminal."""

from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

NAME_CHARACTERS = 16  # so that the bars stand below each other


class Bars(AbstractContextManager):
    """A bar for each notebook that is at work, below all that is printed; none where nobody watches."""

    def __init__(self) -> None:
        columns = (
            TextColumn(f"{{task.description:<{NAME_CHARACTERS}}}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TextColumn("cells"),
            TimeElapsedColumn(),
        )
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._progress.stop()

    def bar(self, name: str) -> "Bar":
        """Return a new bar.

        Args:
            name: What stands before it.
        """
        return Bar(self._progress, name)


class Bar:
    """What papermill tells of the cells that it has executed, as it would tell a bar of tqdm.

    Attributes:
        n: How many are done.
    """

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task(name, total=None)
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
