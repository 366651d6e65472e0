import io
import json
import subprocess
import sys
import warnings
import zipfile

import pytest

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.ingest.reasons import Reason, Rejected
from tests.components.ingest.zoo import DUPLICATE, OTHER, USED, differences, kinds, shown, write

KINDS = kinds()
LOOKED_AT = [kind for kind in KINDS if kind.expected != OTHER]
CONFIG = IngestConfig(image_size=32)
# What a decoder finds; the others are found before.
BAD = {
    Reason.EMPTY, Reason.TRUNCATED, Reason.NOT_A_PICTURE, Reason.TOO_SMALL, Reason.TOO_MANY_PIXELS,
    Reason.UNREADABLE, Reason.FORMAT,
}  # fmt: skip


def outcome(content: bytes) -> str:
    try:
        pixels = decode(content, CONFIG).pixels
    except Rejected as rejected:
        return rejected.reason.value
    assert pixels.shape == (32, 32, 3)
    return USED


@pytest.mark.parametrize("kind", LOOKED_AT, ids=lambda kind: kind.name.encode("ascii", "replace"))
def test_every_kind_ends_as_it_must(kind, capfd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        end = outcome(kind.content)
    assert end == (USED if kind.expected == DUPLICATE else kind.expected)
    assert not caught
    assert capfd.readouterr() == ("", "")  # libtiff and libjpeg would write by themselves


def test_the_zoo_has_every_end_and_no_path_twice():
    assert {kind.expected for kind in KINDS} == {USED, DUPLICATE, OTHER, *BAD}
    assert len({kind.path for kind in KINDS}) == len({kind.name for kind in KINDS}) == len(KINDS)
    contents = [kind.content for kind in KINDS if kind.expected == USED]
    assert len(set(contents)) == len(contents)
    assert kinds() == KINDS


def test_a_zip_and_a_bucket_can_hold_the_portable_ones():
    portable = [kind for kind in KINDS if kind.portable]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for kind in portable:
            archive.writestr(kind.path, b"")
            assert len(kind.path.encode()) <= 1024  # S3 and GCS
            assert kind.path.isprintable() or "\u2028" in kind.path
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == [kind.path for kind in portable]


def test_a_folder_holds_all_and_is_compared(tmp_path):
    write(tmp_path, KINDS)
    assert sum(path.is_file() for path in tmp_path.rglob("*")) == len(KINDS)
    outcomes = {shown(kind.path): kind.expected for kind in LOOKED_AT}
    outcomes |= {path: "eval" for path, end in outcomes.items() if end == USED}
    assert differences(outcomes, KINDS) == ""
    outcomes["bad/half.jpg"] = "train"
    del outcomes["good/plain.gif"]
    outcomes["new.png"] = "train"
    assert differences(outcomes, KINDS).splitlines() == [
        "good: plain.gif ('good/plain.gif'): 'other', expected 'used'",
        "bad: half.jpg ('bad/half.jpg'): 'used', expected 'truncated'",
        "'new.png' is no file of the zoo",
    ]


def run(code: str) -> dict:
    command = [sys.executable, "-c", code]
    return json.loads(subprocess.run(command, capture_output=True, check=True).stdout)


# ru_maxrss is of Linux in KiB. Reading a file's own bytes more than once is allowed.
MEMORY = """
import json, resource
from tests.components.ingest.test_zoo import LOOKED_AT, outcome
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
outcome(LOOKED_AT[0].content)
grown = {}
for kind in LOOKED_AT:
    before = peak()
    outcome(kind.content)
    grown[kind.name] = peak() - before - 3 * len(kind.content) // 2**20
print(json.dumps(grown))
"""


def test_memory_stays_flat():
    grown = run(MEMORY)
    assert len(grown) == len(LOOKED_AT)
    assert {name: mib for name, mib in grown.items() if mib > 24} == {}


# In a new process, where Pillow has not loaded a plugin yet.
THREADS = """
import json
from concurrent.futures import ThreadPoolExecutor
from tests.components.ingest.test_zoo import LOOKED_AT, outcome
with ThreadPoolExecutor(8) as pool:
    ends = list(pool.map(outcome, [kind.content for kind in LOOKED_AT] * 3))
print(json.dumps(ends))
"""


def test_threads_may_decode():
    ends = [USED if kind.expected == DUPLICATE else kind.expected for kind in LOOKED_AT]
    assert run(THREADS) == ends * 3
