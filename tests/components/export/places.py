"""Files below a folder or an address, read and written the same way."""

from pathlib import Path

from components.shared.buckets import client_for, is_remote, names_below


def names_in(place):
    """Paths of all files, relative to the place, sorted."""
    if is_remote(place):
        return sorted(names_below(place))
    found = (path for path in Path(place).rglob("*") if path.is_file())
    return sorted(path.relative_to(place).as_posix() for path in found)


def read(file):
    """Content of a file."""
    return client_for(file).cat_file(file) if is_remote(file) else Path(file).read_bytes()


def write(file, content):
    """Make a file, with the folders that it needs."""
    if is_remote(file):
        client_for(file).pipe_file(file, content)
    else:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_bytes(content)


def versions(root, name="faces"):
    return sorted(path.name for path in (root / name).iterdir() if path.name.isdigit())


def leftovers(root, name="faces"):
    return list((root / name).glob(".publishing-*"))


def assert_whole(version, digest):
    """A version folder is the content of saved_model/ with the other files beside it."""
    files = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb",
        "variables/variables.index",
        "generator.keras",
        "discriminator.npz",
        "model.json",
        "dcgan.gif",
        "latent_walk.gif",
        "dcgan.webp",
    }
    for path in files:
        assert digest in (version / path).read_text(), path
