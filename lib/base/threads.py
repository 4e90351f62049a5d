"""Many calls at once, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
WORKERS = 10  # as many connections as a boto3 client keeps open


def one_ahead(items: Iterable[Item], goes_on: Callable[[Item], bool] = lambda item: True) -> Iterator[Item]:
    """Yield items, the next of which is fetched while whoever takes them is at this one.

    Args:
        items: Such as pages of a listing; taken in one thread.
        goes_on: Says of an item whether one after it is wanted.
    """
    source = iter(items)

    def fetch() -> list[Item]:
        return list(islice(source, 1))  # none at the end

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(fetch)
        while found := coming.result():
            (item,) = found
            is_last = not goes_on(item)
            if not is_last:
                coming = thread.submit(fetch)
            yield item
            if is_last:
                return


def in_threads(
    call: Callable[[Item], Result], items: Iterable[Item], workers: int = WORKERS
) -> Iterator[Result]:
    """Call a function with each of any number of items, several at a time.

    Args:
        call: The function.
        items: Taken one by one, as there is room: no more than four for each worker wait.
        workers: How many calls at a time.

    Yields:
        The results, in the order in which the calls end. The first error ends it all.
    """
    with ThreadPoolExecutor(workers) as threads:
        waiting: set[Future[Result]] = set()
        try:
            for item in items:
                waiting.add(threads.submit(call, item))
                if len(waiting) >= 4 * workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in waiting:
                future.cancel()
