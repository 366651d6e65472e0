import ctypes
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.ingest.config import IngestConfig
from components.ingest.step import ingest
from tests.components.ingest import zoo_files


@pytest.fixture
def picture():
    return zoo_files.picture


@pytest.fixture
def encode():
    return zoo_files.encode


@pytest.fixture
def tree(tmp_path):
    """Forty pictures in two folders, JPEG and PNG, and a file that is none."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for seed in range(40):
        form, suffix = ("JPEG", "jpg") if seed % 2 else ("PNG", "PNG")
        folder = root / "sub" if seed % 3 else root
        (folder / f"{seed}.{suffix}").write_bytes(zoo_files.encode(zoo_files.picture(seed), form))
    (root / "ATTRIBUTION.txt").write_text("made here")
    return root


@pytest.fixture
def pack(tmp_path):
    """Pack a folder in descending order of its names, that is not in ours."""

    def pack(root: Path, name: str) -> Path:
        archive = tmp_path / name
        paths = sorted(root.rglob("*"), reverse=True)
        if name.endswith(".zip"):
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
                for path in paths:
                    file.write(path, path.relative_to(root))
        else:
            compression = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}
            mode = f"w:{compression.get(name.rsplit('.', 1)[1], '')}"
            with tarfile.open(archive, mode) as file:
                for path in paths:
                    file.add(path, f"./{path.relative_to(root)}", recursive=False)
        return archive

    return pack


@pytest.fixture
def config():
    return IngestConfig(image_size=32, eval_share=0.3, shards=2)


@pytest.fixture
def run(tmp_path, config):
    """Ingest into a new folder and return it; other values of the configuration by name."""

    def run(source, name: str = "records", **changes) -> Path:
        ingest(str(source), tmp_path / name, config.model_copy(update=changes))
        return tmp_path / name

    return run


@pytest.fixture
def broken(tree, picture, encode):
    """The tree with eight files that are no usable pictures."""
    whole = encode(picture(77), "JPEG")
    (tree / "empty.png").touch()
    (tree / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tree / "half-again.jpg").write_bytes(whole[: len(whole) // 2])
    (tree / "page.JPG").write_text("<html>404</html>")
    (tree / "sub/tiny.gif").write_bytes(encode(picture(78, 7, 60), "GIF"))
    (tree / "sub/lost.webp").symlink_to("nowhere")
    (tree / os.fsdecode(b"b\xe9\xe2\x80\xa8.bmp")).write_bytes(b"")
    damaged = bytearray(encode(picture(79), "PNG"))
    damaged[18] ^= 255
    (tree / "damaged.png").write_bytes(damaged)
    return tree


@pytest.fixture(params=[0o300, 0o600], ids=["unlisted", "unsearchable"])
def locked(request, no_root):
    """Take from a folder one of the two rights without which it cannot be read."""
    modes = {}

    def lock(folder: Path) -> None:
        modes[folder] = folder.stat().st_mode
        folder.chmod(request.param)

    yield lock
    for folder, mode in modes.items():
        folder.chmod(mode)


@pytest.fixture
def no_root():
    """Have the rights of files count for root, too, in this thread and those that it starts."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # the third version; this thread
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and the upper halves
    assert libc.capget(header, sets) == 0
    effective = sets[0]
    sets[0] &= ~(1 << 1 | 1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    assert libc.capset(header, sets) == 0
    yield
    sets[0] = effective
    assert libc.capset(header, sets) == 0
