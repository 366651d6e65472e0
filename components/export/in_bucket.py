"""A model's versions in a bucket, where nothing can be renamed and no lock dies with its holder.

A publish first makes `.claims/<number>`, which the bucket lets one process alone do, then
uploads the version, and its `saved_model.pb` last: without that file it is no version, neither
for servers nor for us. A claim says for an hour that somebody is at work; after that, what it
stands for is left over.
"""

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from components.shared.buckets import client_for, explaining, names_below
from components.shared.contracts import MODEL_INFO
from components.shared.errors import PipelineError
from components.shared.published import LAST_FILE, is_version

LOG = logging.getLogger("dcgan.publish")

_CLAIMS = ".claims"
_CLAIM_LIVES = timedelta(hours=1)
# Whoever takes longer gives up, before others think the claim dead and remove its files.
_TIME_TO_WRITE = timedelta(minutes=50)


class _Content(NamedTuple):
    """Numbers of what is in the bucket."""

    complete: set[int]
    ours: set[int]  # complete or not
    claimed: set[int]  # each ours, and complete once its publish is done
    last: int  # the highest of all, 0 for none


class BucketHome:
    """Address of a model under the publish root."""

    def __init__(self, home: str) -> None:
        """Name the address."""
        self._home = home
        self._client = client_for(home)

    @contextlib.contextmanager
    def next_version(self) -> Iterator[Callable[[Mapping[str, Path]], int]]:
        """Keep others from publishing here, and yield what makes the next version.

        That takes files by their paths in the version, and gives its number.

        Raises:
            PipelineError: Another publish is under way.
            UsageError: The bucket cannot be written.
        """
        with explaining(f"cannot publish to {self._home}"):
            started = datetime.now(UTC)
            number = self._claim()
            is_written = False

            def write(files: Mapping[str, Path]) -> int:
                nonlocal is_written
                self._upload(number, files, started)
                is_written = True
                return number

            try:
                self._require_alone(number)
                yield write
            finally:
                if not is_written and datetime.now(UTC) - started < _TIME_TO_WRITE:
                    self._try_to_remove(number)

    def tidy(self, kept: int) -> None:
        """Remove what is older than the newest versions, and what dead publishes left.

        What others made stays.
        """
        content = self._content()
        newest = sorted(content.complete)[-kept:]
        for number in sorted(content.ours | content.claimed):
            if number in content.complete and number not in newest:
                LOG.info("removing version %d: the newest %d are kept", number, kept)
                self._try_to_remove(number)
            elif number not in content.complete and number in content.claimed:
                LOG.info("removing what is left of %d, whose publish was stopped", number)
                self._try_to_remove(number)

    def _content(self) -> _Content:
        complete, ours, claimed, numbers = set(), set(), set(), {0}
        for name in names_below(self._home):
            first, _, rest = name.partition("/")
            number = rest if first == _CLAIMS else first
            if not is_version(number):
                continue
            numbers.add(int(number))
            if first == _CLAIMS:
                claimed.add(int(number))
            elif rest == LAST_FILE:
                complete.add(int(number))
            elif rest == MODEL_INFO:
                ours.add(int(number))
        return _Content(complete, ours, claimed, max(numbers))

    def _claim(self) -> int:
        """Make the claim of the next number, as nobody else can."""
        content = self._content()
        self._require_nobody(content)
        number, token = content.last + 1, uuid.uuid4().bytes
        claim = self._claim_of(number)
        try:
            self._client.pipe_file(claim, token, mode="create")
        except Exception as error:  # servers word it differently that somebody was quicker
            try:
                made = self._client.cat_file(claim)
            except FileNotFoundError:
                if not isinstance(error, FileExistsError):
                    raise error from None
                made = None  # whoever was quicker has given up since
            # A client that heard no answer asks again, and finds its own.
            if made != token:
                raise self._under_way(number) from None
        return number

    def _require_alone(self, number: int) -> None:
        """Look again: others may have come and gone between our look and our claim."""
        content = self._content()
        if number < content.last:
            raise self._under_way(content.last)
        self._require_nobody(content._replace(claimed=content.claimed - {number}))

    def _require_nobody(self, content: _Content) -> None:
        # A claim below the newest version is what is left of one that was removed.
        for number in content.claimed - content.complete:
            if number > max(content.complete, default=0) and self._lives(number):
                raise self._under_way(number)

    def _lives(self, number: int) -> bool:
        try:
            made: datetime = self._client.modified(self._claim_of(number))
        except FileNotFoundError:
            return False  # its publish has just failed
        return datetime.now(UTC) - made < _CLAIM_LIVES

    def _under_way(self, number: int) -> PipelineError:
        return PipelineError(
            f"another publish to {self._home} is under way, of version {number}, or was stopped "
            "less than an hour ago: give the same command again later, which compares with what "
            "is published then"
        )

    def _upload(self, number: int, files: Mapping[str, Path], started: datetime) -> None:
        for name in sorted(files, key=lambda name: name == LAST_FILE):
            if datetime.now(UTC) - started > _TIME_TO_WRITE:
                raise PipelineError(
                    f"version {number} took longer to upload to {self._home} than others wait "
                    f"for it, {_TIME_TO_WRITE}: give the same command again"
                )
            self._client.put_file(str(files[name]), f"{self._home}/{number}/{name}")

    def _try_to_remove(self, number: int) -> None:
        """Remove a version, or what there is of it; its first file first, its claim last."""
        version = f"{self._home}/{number}"
        try:
            names = sorted(names_below(version), key=lambda name: name != LAST_FILE)
            for address in [*(f"{version}/{name}" for name in names), self._claim_of(number)]:
                with contextlib.suppress(FileNotFoundError):
                    self._client.rm_file(address)
        except Exception as error:  # what is published is published
            LOG.warning("%s stays, it cannot be removed: %s", version, error)

    def _claim_of(self, number: int) -> str:
        return f"{self._home}/{_CLAIMS}/{number}"
