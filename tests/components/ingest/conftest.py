import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _picture(seed: int, width: int = 48, height: int = 40) -> Image.Image:
    """A smooth picture, so that JPEG keeps it nearly as it is."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)


def _encode(picture: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


@pytest.fixture
def picture():
    return _picture


@pytest.fixture
def encode():
    return _encode


@pytest.fixture
def tree(tmp_path):
    """Forty pictures in two folders, JPEG and PNG, and a file that is none."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    for seed in range(40):
        form, suffix = ("JPEG", "jpg") if seed % 2 else ("PNG", "PNG")
        folder = root / "sub" if seed % 3 else root
        (folder / f"{seed}.{suffix}").write_bytes(_encode(_picture(seed), form))
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
