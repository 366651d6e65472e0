"""What is in the sources now: the value on which every cached step depends."""

import contextlib
import json
import logging
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any

from components.ingest.addresses import addresses
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, setting_aside
from components.ingest.sources import open_source
from components.shared.contracts import MODEL_NAME
from components.shared.files import digest_of, digest_of_file, read_json, write_atomically
from components.shared.published import champion_in, home_of

LOG = logging.getLogger("dcgan.fingerprint")

CACHE = "fingerprints"  # in the checkpoint root, beside trainings, whose names are hexadecimal
# Cold files of 100 kB take 8 threads 0.52 of one's time on two cores, though small ones in
# memory twice as long; on a file server, each read waits for an answer.
_THREADS = 8
_BATCH = 64  # files that a thread takes at once
# A file that changed less than this ago may change again and keep its stamp: the clock of a
# file system ticks, at worst every two seconds (FAT), and a server's may differ from ours.
_SETTLED_NS = 10 * 10**9
_LOCAL_STAMP = re.compile(r"\d+-(-?\d+)-(-?\d+)-\d+")  # modified, changed: ns

_Digests = dict[str, list[str]]  # stamp and SHA-256 of each file, by its path in the source


def fingerprint(images: str, cache: Path, paranoid: bool = False) -> str:
    """Digest the sources' relative paths and contents, and what is set aside; an archive's bytes.

    Of a bucket it is the listing alone: path, size, and etag or generation.

    Args:
        images: The sources, one a line.
        cache: Folder where digests of contents are kept, so that a local file whose size,
            times and inode are what they were is not read again. Nothing depends on it.
        paranoid: Read every local file all the same.

    Returns:
        SHA-256 in hexadecimal. It changes when a file is added, removed, renamed or
        edited; it depends neither on where the sources lie nor on the times of local files.

    Raises:
        UsageError: There is no such source.
        DataRefused: An archive is damaged.
    """
    named = addresses(images) or [""]  # of which it is said that there is nothing
    return digest_of([_digest(address, cache, paranoid) for address in named])


def champion(publish_root: str, export_config: dict[str, Any]) -> str:
    """Digest of the newest published model, and after it those that were withdrawn.

    Args:
        publish_root: Folder, gs://… or s3://… that model servers watch.
        export_config: ExportConfig as JSON, which names the model.

    Returns:
        `none` where there is none, or it was not made by this pipeline.

    Raises:
        UsageError: The bucket cannot be read.
    """
    newest = champion_in(home_of(publish_root, export_config.get("model_name", MODEL_NAME)))
    return " ".join([newest.digest, *newest.withdrawn]) if newest else "none"


def _digest(address: str, cache: Path, paranoid: bool) -> str:
    started = time.time_ns()
    with open_source(address) as source:
        stamped = [*source.stamped()]
    cache_file = cache / f"{digest_of(address)[:16]}.json"
    stored = _load(cache_file)
    known = {} if paranoid else stored
    paths = [source.path_of(entry) for entry, _ in stamped]
    contents = [
        _content_unread(entry, stamp, known) if path else f"{entry.size} {stamp}"
        for (entry, stamp), path in zip(stamped, paths, strict=True)
    ]
    unread = [index for index, content in enumerate(contents) if content is None]
    read = _read_all([path for index in unread if (path := paths[index])])
    for index, content in zip(unread, read, strict=True):
        contents[index] = content
    LOG.info("%s: %s files, %s read", PurePath(address).name, f"{len(paths):,}", f"{len(unread):,}")
    trusted = {
        entry.path: [stamp, str(content)]
        for (entry, stamp), content in zip(stamped, contents, strict=True)
        if not isinstance(content, Reason) and _is_settled(stamp, started)
    }
    if trusted != stored:
        _save(cache_file, trusted)
    found = zip(stamped, contents, strict=True)
    # A list may mean another thing while it finds the same: a line's file is not hidden.
    return digest_of(
        sorted(
            [entry.path, content, why.reason if (why := source.why_aside(entry)) else ""]
            for (entry, _), content in found
        )
    )


def _content_unread(entry: Entry, stamp: str, known: _Digests) -> str | None:
    """A local file's SHA-256, or its problem, without reading it; None where it must be read."""
    if entry.problem:
        return entry.problem.reason
    known_stamp, content = known.get(entry.path, (None, None))
    return content if known_stamp == stamp else None


def _read_all(paths: Sequence[Path]) -> Iterator[str]:
    batches = [paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for contents in pool.map(lambda batch: [*map(_content, batch)], batches):
            yield from contents


def _content(path: Path) -> str:
    try:
        with setting_aside():
            return digest_of_file(path)
    except Rejected as rejected:
        return rejected.reason


def _is_settled(stamp: str, now: int) -> bool:
    """Whether any later change gives a local file another stamp."""
    match = _LOCAL_STAMP.fullmatch(stamp)
    times = map(int, match.groups()) if match else ()
    return max(times, default=now) < now - _SETTLED_NS


def _load(file: Path) -> _Digests:
    """Read a cache; an empty one where there is none, or it is damaged."""
    try:
        stored = read_json(file)
        files = stored["files"]
        return files if stored["sha256"] == digest_of(files) else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _save(file: Path, digests: _Digests) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps({"files": digests, "sha256": digest_of(digests)})
    # Another run that saves at the same time may take our partial file for its own; whoever
    # reads what comes of it finds it damaged.
    with contextlib.suppress(FileNotFoundError):
        write_atomically(file, content.encode())
