"""The directory of a TIFF file's first page, rewritten so that it is safe to decode."""

import struct
from typing import NamedTuple

MAX_STRIPS = 1 << 17  # or tiles; each costs a decoder about as much as a small picture

_WIDTH, _HEIGHT, _ORIENTATION = 256, 257, 274
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_OFFSETS_AND_COUNTS = ((273, 279), (324, 325), (513, 514))  # of strips, of tiles, of a JPEG
# What the pixels need. One value: compression, photometric interpretation, fill order,
# samples per pixel, rows per strip, planar configuration, options of fax coding, predictor,
# inks, process of an old JPEG. Several: bits, colours, extra samples, formats, JPEG's tables.
_ONE = {256, 257, 259, 262, 266, 277, 278, 284, 292, 293, 317, 322, 323, 332, 512, 513, 514, 515}
_SEVERAL = {258, 273, 279, 320, 324, 325, 338, 339, 347, 519, 520, 521, 529, 530, 531, 532}
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}  # letters of struct


class Tiff(NamedTuple):
    """The first page of a TIFF file."""

    width: int  # pixels, as stored
    height: int
    tile_pixels: int  # of one tile; 0: it has none
    orientation: int  # 1 … 8
    cut: bool  # whether pixels lie past the file's end
    essence: bytes  # the file with a new directory: one page, only the tags that pixels need


class _Tag(NamedTuple):
    entry: bytes  # in the new directory
    integers: tuple[int, ...]  # empty: its values are of another kind


def read_tiff(data: bytes) -> Tiff:
    """Read the first directory, of a TIFF or a BigTIFF.

    Raises:
        struct.error: The file ends within it.
        ValueError: It is damaged, or has no size, or more than MAX_STRIPS strips.
    """
    order = "<" if data.startswith(b"II") else ">"
    big = 43 in data[2:4]
    if big and order == ">":
        raise ValueError("Pillow takes it for a TIFF, and warns")
    pointer, number, start = ("Q", "Q", 8) if big else ("I", "H", 4)
    (at,) = struct.unpack_from(order + pointer, data, start)
    if at < start:
        raise ValueError("no directory")
    (count,) = struct.unpack_from(order + number, data, at)
    first, size = at + struct.calcsize("=" + number), struct.calcsize("=HH" + 2 * pointer)
    tags: dict[int, _Tag] = {}
    for place in range(first, first + count * size, size):
        (name,) = struct.unpack_from(order + "H", data, place)
        if (name in _ONE or name in _SEVERAL or name == _ORIENTATION) and name not in tags:
            tags[name] = _tag(data, place, order, pointer)

    def integer(name: int, default: int = 0) -> int:
        return next(iter(tags[name].integers), default) if name in tags else default

    orientation = integer(_ORIENTATION, 1)
    tags.pop(_ORIENTATION, None)
    # In its place: after the end it would be taken for pixels that are missing there.
    directory = b"".join(
        [
            struct.pack(order + number, len(tags)),
            *(tags[name].entry for name in sorted(tags)),
            struct.pack(order + pointer, 0),  # no further page
        ]
    )
    return Tiff(
        integer(_WIDTH),
        integer(_HEIGHT),
        integer(_TILE_WIDTH) * integer(_TILE_HEIGHT),
        orientation if 1 <= orientation <= 8 else 1,
        _last_byte(tags) > len(data),
        data[:at] + directory + data[at + len(directory) :],
    )


def _tag(data: bytes, place: int, order: str, pointer: str) -> _Tag:
    name, kind, count = struct.unpack_from(order + "HH" + pointer, data, place)
    room = struct.calcsize("=" + pointer)  # for values beside the tag
    at = place + 4 + room
    if kind not in _BYTES or not 1 <= count <= MAX_STRIPS:
        raise ValueError(f"tag {name} is damaged")
    if count * _BYTES[kind] > room:
        (at,) = struct.unpack_from(order + pointer, data, at)
    integers: tuple[int, ...] = ()
    if kind in _INTEGERS:
        integers = struct.unpack_from(f"{order}{count}{_INTEGERS[kind]}", data, at)
    elif at + count * _BYTES[kind] > len(data):
        raise struct.error(f"tag {name} lies past the end")
    entry = data[place : place + 4 + 2 * room]
    if name in _ONE and count > 1:  # Pillow would warn
        first = data[at : at + _BYTES[kind]]
        entry = struct.pack(order + "HH" + pointer, name, kind, 1) + first.ljust(room, b"\0")
    return _Tag(entry, integers)


def _last_byte(tags: dict[int, _Tag]) -> int:
    ends = [0]
    for offsets, counts in _OFFSETS_AND_COUNTS:
        if offsets in tags and counts in tags:
            both = zip(tags[offsets].integers, tags[counts].integers, strict=False)
            ends += [offset + length for offset, length in both]
    return max(ends)
