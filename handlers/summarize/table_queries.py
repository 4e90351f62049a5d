"""The queries of a profile over a table with a column for each of the file's, some columns at a time."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from column_types import Column
from profile_sql import Functions, top_values, with_values

Expressions = Callable[[Column], list[str]]


class TableQueries:
    """What both engines have in common: they select columns from a table. Its users say how.

    Attributes:
        functions: What the engine calls differently.
    """

    functions: Functions

    def relation(self, columns: Sequence[Column]) -> str:
        """Return what to select these columns from."""
        raise NotImplementedError

    def valued(self, columns: Sequence[Column]) -> str:
        """Return what to select these columns' texts and values from."""
        return with_values(columns, self.relation(columns), self.functions)

    def keep(self, columns: Sequence[Column]) -> None:
        """Make it cheap to select these columns again, if it can; no others are selected afterwards."""

    def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        """Return the rows of a query."""
        raise NotImplementedError

    def aggregates(
        self, columns: Sequence[Column], expressions: Expressions
    ) -> Iterator[tuple[int, int, Column, Sequence]]:
        """Yield the number of rows, that of lines with more fields than the header, a column, and its values.

        Args:
            columns: The columns.
            expressions: Returns the expressions for a column, which aggregate; of the values of all columns.
        """
        for some in self._batches(columns):
            groups = [expressions(column) for column in some]
            flat = ", ".join(["count(*)", self.functions.surplus, *chain.from_iterable(groups)])
            relation = self.valued(some)
            rows, surplus, *values = self.rows(f"SELECT {flat} FROM {relation}")[0]
            remaining = iter(values)
            for column, group in zip(some, groups, strict=True):
                yield int(rows), int(surplus), column, [next(remaining) for _ in group]

    def top_values(
        self, columns: Sequence[Column], candidates: dict[int, list[str] | None]
    ) -> Iterator[tuple[int, str, int]]:
        """Yield the most frequent texts of each column: its number, a text, how often; as `top_values`."""
        for some in self._batches(columns):
            sql = top_values(some, candidates, self.relation(some), self.functions)
            yield from ((int(number), text, int(count)) for number, text, count in self.rows(sql))

    def _batches(self, columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
        size = self.functions.columns_at_once
        return (columns[start : start + size] for start in range(0, len(columns), size))
