"""Files below a folder or an address, read and written the same way."""

from pathlib import Path

from components.shared.buckets import client_for, in_bucket, names_below


def names_in(place):
    """Paths of all files, relative to the place, sorted."""
    if in_bucket(place):
        return sorted(names_below(place))
    found = (path for path in Path(place).rglob("*") if path.is_file())
    return sorted(path.relative_to(place).as_posix() for path in found)


def read(file):
    """Content of a file."""
    return client_for(file).cat_file(file) if in_bucket(file) else Path(file).read_bytes()


def write(file, content):
    """Make a file, with the folders that it needs."""
    if in_bucket(file):
        client_for(file).pipe_file(file, content)
    else:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_bytes(content)
