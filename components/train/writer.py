"""A thread that writes, so that training does not wait for disks and pictures."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

_MOST_WAITING = 3  # jobs, each of which may hold a copy of a network


class Writer:
    """Does the jobs that it is given, one after the other; after one that fails, none."""

    def __init__(self) -> None:
        """Start with nothing to do."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._waiting: deque[Future[None]] = deque()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what was begun, whatever made the block end."""
        self._pool.shutdown()

    def submit(self, job: Callable[..., None], *arguments: Any) -> Future[None]:
        """Have a job done after those before it; waits while several wait already.

        Raises:
            BaseException: What an earlier job raised.
        """
        self.check()
        while self._waiting and (self._waiting[0].done() or len(self._waiting) > _MOST_WAITING):
            self._waiting.popleft().result()
        self.check()
        future = self._pool.submit(self._do, job, *arguments)
        self._waiting.append(future)
        return future

    def check(self) -> None:
        """Raise what a job raised."""
        if self._error is not None:
            raise self._error

    def flush(self) -> None:
        """Wait until all is written; raises what a job raised."""
        while self._waiting:
            self._waiting.popleft().result()
        self.check()

    def _do(self, job: Callable[..., None], *arguments: Any) -> None:
        # A checkpoint must not follow an epoch whose sheet could not be written: a training
        # that went on from it would lack the sheet.
        if self._error is not None:
            return
        try:
            job(*arguments)
        except BaseException as error:
            self._error = error


class NoWriter(Writer):
    """Does no job that it is given."""

    def submit(self, job: Callable[..., None], *arguments: Any) -> Future[None]:
        """Call it done."""
        future: Future[None] = Future()
        future.set_result(None)
        return future
