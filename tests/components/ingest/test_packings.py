"""A tree is the same tree whatever it is packed in."""

import io
import os
import random
import stat
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.ingest.archives import open_archive
from components.ingest.config import IngestConfig
from components.ingest.seen_file import see
from components.ingest.sources import open_source
from tests.components.ingest.packing import tar_of, unflagged, windows_zip_of, zip_of
from tests.components.ingest.reading import contents_of
from tests.components.ingest.zoo_files import encode, picture

CONFIG = IngestConfig(image_size=32)
PICTURES = [encode(picture(seed, 9, 9), "PNG") for seed in range(4)]
CONTENTS = [*PICTURES, b"", b"BMW\n", PICTURES[0][:60]]


def outcomes(source: str) -> dict[str, str]:
    """What becomes of each file: the SHA-256 of a picture, or why it is set aside."""
    with open_source(source) as opened:
        listing = opened.list()
        entries = sorted(listing.pictures, key=lambda entry: entry.where)
        seen = [
            see(entry, content, CONFIG)[0]
            for entry, content in zip(entries, opened.read(entries), strict=True)
        ]
    found = {file.path: str(file.reason or file.sha256.hex()) for file in seen}
    found |= {file.path: str(file.reason) for file in listing.other}
    assert len(found) == len(seen) + len(listing.other)
    return found


NAMES = st.sampled_from(
    ["a.png", "b.PNG", "é [1]*.png", "bare", ".hidden.png", "PK.png", "t.txt", "sub", "x.png", "d"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
# A content by its number, or where a link leads.
THINGS = st.one_of(
    st.integers(0, len(CONTENTS) - 1),
    st.tuples(st.sampled_from(["", "../", "../../", "sub/", "d/"]), PATHS).map("".join),
    st.sampled_from([".", "nowhere", "..", "sub"]),
)


def build(root: Path, things: dict[str, int | str]) -> None:
    for name, thing in things.items():
        path = root / name
        if path.is_symlink() or path.exists() or any(p.is_symlink() for p in path.parents):
            continue
        if any(parent.is_file() for parent in path.parents):
            continue
        if isinstance(thing, str) and not is_inside(root, path.parent / thing):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)  # and no empty one, which some tars lose
        if isinstance(thing, int):
            path.write_bytes(CONTENTS[thing])
        else:
            path.symlink_to(thing)


def is_inside(root: Path, target: Path) -> bool:
    return Path(os.path.normpath(target)).is_relative_to(root)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(PATHS, THINGS, min_size=1, max_size=9))
def test_a_tree_is_the_same_in_every_packing(things):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        root.mkdir()
        build(root, things)
        expected = outcomes(str(root))
        archives = {
            "tar": tar_of(root),
            "tar of bare names": tar_of(root, prefix="", folders=False),
            "tar.gz": tar_of(root, "gz"),
            "zip -y": zip_of(root, links=True),
            "zip -y without a flag": unflagged(zip_of(root, links=True)),
        }
        for name, content in archives.items():
            archive = Path(folder, name)
            archive.write_bytes(content)
            assert outcomes(str(archive)) == expected, name
        windows = Path(folder, "from Windows.zip")
        windows.write_bytes(windows_zip_of(root))
        files = {path: end for path, end in expected.items() if not (root / path).is_symlink()}
        inside = {p: e for p, e in files.items() if is_real(root, p)}
        assert outcomes(str(windows)) == inside


def is_real(root: Path, path: str) -> bool:
    """Whether no link is on the way to it."""
    return not any((root / parent).is_symlink() for parent in Path(path).parents)


@pytest.fixture
def linked(tmp_path):
    """A tree with links of all kinds."""
    root = tmp_path / "linked"
    (root / "real/deep").mkdir(parents=True)
    for number, name in enumerate(("1.png", "real/2.png", "real/deep/3.png")):
        (root / name).write_bytes(PICTURES[number])
    links = {
        "first.png": "1.png", "second.png": "first.png", "through.png": "folder/2.png",
        "folder": "real", "real/deep/up": "..", "real/deep/back.png": "../../1.png",
        "lost.png": "nowhere.png", "loop.png": "loop.png", "lost": "nowhere",
    }  # fmt: skip
    for name, target in links.items():
        (root / name).symlink_to(target)
    return root


@pytest.mark.parametrize("packing", ["zip", "tar", "tar.gz"])
def test_links_lead_where_they_would_in_the_folder(linked, tmp_path, packing, bucket):
    expected = outcomes(str(linked))
    assert len(expected) == 10
    assert expected["through.png"] == expected["real/2.png"]
    assert expected["lost.png"] == expected["loop.png"] == "missing"
    assert expected["lost"] == "other file"
    content = zip_of(linked, links=True) if packing == "zip" else tar_of(linked, packing[4:])
    (tmp_path / packing).write_bytes(content)
    assert outcomes(str(tmp_path / packing)) == expected
    bucket.put(packing, content)
    assert outcomes(f"{bucket.address}/{packing}") == expected


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz"])
def test_links_in_a_compressed_tar_unpack_it_no_further_time(tmp_path, kind):
    class Counted(io.BytesIO):
        bytes_read = 0

        def read(self, size=-1):
            content = super().read(size)
            self.bytes_read += len(content)
            return content

    for number in range(30):
        (tmp_path / f"{number}.png").write_bytes(random.Random(number).randbytes(5000))
        (tmp_path / f"{number}.again.png").symlink_to(f"{number}.png")
        (tmp_path / f"{number}.hard.png").hardlink_to(tmp_path / f"{number}.png")
    packed = tar_of(tmp_path, kind)
    file = Counted(packed)
    with open_archive("a.tar", file, "") as opened:
        pictures = sorted(opened.list().pictures, key=lambda entry: entry.where)
        listed = file.bytes_read
        half = len(pictures) // 2 + 1  # between a picture and a link to it
        contents = [*opened.read(pictures[:half]), *opened.read(pictures[half:])]
    for entry, content in zip(pictures, contents, strict=True):
        assert content == (tmp_path / entry.path).read_bytes()
    assert len(contents) == 90
    assert file.bytes_read - listed < 2 * len(packed)


def test_a_link_in_a_zip_leads_to_a_name_of_whatever_encoding(tmp_path, bucket):
    """Where no flag says that it is UTF-8, it is so if it can be, and else code page 437."""

    class Raw(zipfile.ZipInfo):
        def _encodeFilenameFlags(self):
            return self.filename.encode("latin-1"), 0

    files = [b"f\xc3\xb6r/\xff\x82.png", b"f\xc3\xb6r/2.png", b"\xe9.png"]
    links = {
        b"1.png": files[0], b"\xc3\xa9": b"f\xc3\xb6r", b"2.png": b"\xc3\xa9/2.png",
        b"f\xc3\xb6r/\xff.png": b"../\xe9.png", b"flagged.png": "ü.png".encode(),
    }  # fmt: skip
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("ü.png", PICTURES[3])
        for name, content in [*zip(files, PICTURES, strict=False), *links.items()]:
            info = Raw(name.decode("latin-1"))
            info.create_system = 3
            info.external_attr = (stat.S_IFLNK if name in links else stat.S_IFREG) << 16
            archive.writestr(info, content)
    (tmp_path / "a.zip").write_bytes(file.getvalue())
    bucket.put("a.zip", file.getvalue())
    expected = {
        "ü.png": PICTURES[3], "flagged.png": PICTURES[3],
        "för/ é.png": PICTURES[0], "1.png": PICTURES[0],
        "för/2.png": PICTURES[1], "2.png": PICTURES[1],
        "Θ.png": PICTURES[2], "för/ .png": PICTURES[2],
    }  # fmt: skip
    assert contents_of(tmp_path / "a.zip") == expected
    assert contents_of(f"{bucket.address}/a.zip") == expected


@pytest.mark.parametrize("packing", ["zip", "tar"])
def test_a_link_that_leads_nowhere_is_told(linked, tmp_path, packing):
    (linked / "out.png").symlink_to("../../x.png")
    (linked / "absolute.png").symlink_to("/etc/x.png")
    content = zip_of(linked, links=True) if packing == "zip" else tar_of(linked)
    (tmp_path / "a").write_bytes(content)
    with open_source(str(tmp_path / "a")) as opened:
        told = {each.path: each.detail for each in opened.list().other if each.path != "lost"}
    assert told == {
        "lost.png": "a link to 'nowhere.png', which is not in the archive",
        "loop.png": "a link to 'loop.png', which leads in a circle",
        "out.png": "a link to '../../x.png', which is not in the archive",
        "absolute.png": "a link to 'etc/x.png', which is not in the archive",
    }


def gnu_tar(root: Path, *arguments: str) -> bytes:
    tar = subprocess.run(
        ["tar", "-cf", "-", *arguments], cwd=root, check=True, stdout=subprocess.PIPE
    )
    return tar.stdout


def test_a_file_that_is_packed_twice_is_there_once(tmp_path, bucket):
    """GNU tar stores it again as a hard link, to its own name or to another's of the same file."""
    (tmp_path / "pics/cats").mkdir(parents=True)
    for number, name in enumerate(("pics/1.png", "pics/cats/2.png")):
        (tmp_path / name).write_bytes(PICTURES[number])
    (tmp_path / "pics/cats/3.png").hardlink_to(tmp_path / "pics/1.png")
    expected = outcomes(str(tmp_path))
    assert len(expected) == 3
    for kind in ((), ("-z",)):
        content = gnu_tar(tmp_path, *kind, "pics", "pics/cats", "pics/1.png")
        (tmp_path / ".tar").write_bytes(content)
        assert outcomes(str(tmp_path / ".tar")) == expected
        bucket.put("a.tar", content)
        assert outcomes(f"{bucket.address}/a.tar") == expected


def test_a_hard_link_is_what_its_name_was_when_it_was_packed(tmp_path):
    """A name that a later member takes over is another file then, as on unpacking."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in (("a.png", PICTURES[0]), ("b.png", None), ("a.png", PICTURES[1])):
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.LNKTYPE, "./a.png"
            else:
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content or b""))
    (tmp_path / "a.tar").write_bytes(file.getvalue())
    assert contents_of(tmp_path / "a.tar") == {"a.png": PICTURES[1], "b.png": PICTURES[0]}


def test_a_zip_from_windows_has_folders(tmp_path, bucket):
    root = tmp_path / "root"
    names = ["cats/0/1.png", "cats/2.png", "3.png", "__MACOSX/._1.png", ".git/4.png"]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PICTURES[0])
    expected = outcomes(str(root))
    assert list(expected.values()).count("hidden") == 2
    content = windows_zip_of(root)
    (tmp_path / "a.zip").write_bytes(content)
    assert outcomes(str(tmp_path / "a.zip")) == expected
    # Where the packer does not say that it is of Windows, the folder `cats\` does.
    unix = content.replace(b"PK\1\2\x14\0", b"PK\1\2\x14\3")
    assert unix != content
    (tmp_path / "b.zip").write_bytes(unix)
    assert outcomes(str(tmp_path / "b.zip")) == expected
    bucket.put("a.zip", content)
    assert outcomes(f"{bucket.address}/a.zip") == expected


@pytest.mark.parametrize("system", [0, 10, 11, 14])  # FAT, NTFS by two numbers, VFAT
def test_attributes_of_windows_are_no_kinds_of_unix(tmp_path, bucket, system):
    """As those of files on some kinds of disks, or that a cloud holds."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, kind in enumerate((stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR, stat.S_IFLNK)):
            info = zipfile.ZipInfo(f"{number}.png")
            info.create_system, info.external_attr = system, kind << 16 | 0x20
            archive.writestr(info, PICTURES[number])
    (tmp_path / "a.zip").write_bytes(file.getvalue())
    bucket.put("a.zip", file.getvalue())
    expected = {f"{number}.png": content for number, content in enumerate(PICTURES)}
    assert contents_of(tmp_path / "a.zip") == expected
    assert contents_of(f"{bucket.address}/a.zip") == expected


@pytest.mark.parametrize("system", [3, 19])
def test_links_of_unix_and_of_macos_are_links(tmp_path, system):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.png", PICTURES[1])
        info = zipfile.ZipInfo("2.png")
        info.create_system, info.external_attr = system, (stat.S_IFLNK | 0o755) << 16
        archive.writestr(info, "1.png")
    assert contents_of(tmp_path / "a.zip") == {"1.png": PICTURES[1], "2.png": PICTURES[1]}


@pytest.mark.parametrize("name", ["PK.png", "PK/1.png", "PKZIP/1.png"])
def test_a_tar_may_begin_as_a_zip(tmp_path, name):
    (tmp_path / "root" / name).parent.mkdir(parents=True)
    (tmp_path / "root" / name).write_bytes(PICTURES[0])
    (tmp_path / "a").write_bytes(tar_of(tmp_path / "root", prefix=""))
    assert contents_of(tmp_path / "a") == {name: PICTURES[0]}


def test_a_zip_behind_a_program_is_read(tmp_path, tree, pack):
    archive = pack(tree, "a.zip")
    archive.write_bytes(b"MZ" + bytes(3000) + archive.read_bytes())
    assert contents_of(archive) == contents_of(tree)


def test_pipes_in_an_archive_are_left_alone(tmp_path):
    (tmp_path / "root").mkdir()
    os.mkfifo(tmp_path / "root/pipe.png")
    (tmp_path / "root/1.png").write_bytes(PICTURES[0])
    (tmp_path / "a.tar").write_bytes(tar_of(tmp_path / "root"))
    assert list(outcomes(str(tmp_path / "a.tar"))) == ["1.png"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("pipe.png")
        info.external_attr = stat.S_IFIFO << 16
        archive.writestr(info, b"")
    assert outcomes(str(tmp_path / "a.zip")) == {}
