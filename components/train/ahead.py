"""Work done ahead of whoever needs its results."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from multiprocessing.pool import AsyncResult, ThreadPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, depth: int
) -> Generator[Result, None, None]:
    """Do `work` on items in threads, up to `depth` items ahead.

    The threads end with the iterator, and are daemons: a disk that no longer answers does
    not keep a process from its end.

    Args:
        work: Called in the threads; what it raises is raised here, in its turn.
        items: Taken in the caller's thread.
        threads: How many items are worked on at the same time.
        depth: How many results are waited for or kept, at most.

    Yields:
        The results, in the order of the items.
    """
    pool = ThreadPool(threads)
    pending: deque[AsyncResult[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.apply_async(work, (item,)))
            if len(pending) > depth:
                yield pending.popleft().get()
        while pending:
            yield pending.popleft().get()
    finally:
        pool.terminate()
        pool.join()
