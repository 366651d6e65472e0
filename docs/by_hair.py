"""Sort the demo's faces into folders by the colour of their hair: python docs/by_hair.py FOLDER."""

import collections
import colorsys
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

FACES = Path(__file__).parents[1] / "pipeline/demo/faces_cc0_1000.zip"
HAIR = slice(8, 18), slice(22, 42)  # rows and columns where the demo's faces have it
SKIN = slice(32, 46), slice(24, 40)
HUES = {18: "red", 75: "blond", 190: "green", 235: "blue", 290: "violet", 345: "pink", 361: "red"}


def main(folder: Path) -> None:
    """Write each face into the folder of its class."""
    with zipfile.ZipFile(FACES) as faces:
        for name in faces.namelist():
            if not name.endswith(".txt"):
                content = faces.read(name)
                home = folder / hair_of(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
                home.mkdir(parents=True, exist_ok=True)
                (home / name).write_bytes(content)


def hair_of(face: np.ndarray) -> str:
    """Name the colour of the hair of uint8 [64, 64, 3], RGB."""
    ((skin, _),) = frequent(face[SKIN], 1)
    colours = [colour for colour, share in frequent(face[HAIR], 3) if share > 0.1]
    hair = next((colour for colour in colours if np.abs(colour - skin).max() > 0.15), skin)
    hue, saturation, value = colorsys.rgb_to_hsv(*hair)
    if value < 0.4:
        return "black"
    if saturation < 0.15:
        return "white"
    name = next(name for end, name in HUES.items() if hue * 360 < end)
    return "brown" if name in ("blond", "red") and value < 0.6 else name


def frequent(pixels: np.ndarray, count: int) -> list[tuple[np.ndarray, float]]:
    """Find the most frequent colours, RGB in [0, 1], and the share of each."""
    pixels = pixels.reshape(-1, 3)
    bins = collections.Counter(map(tuple, pixels // 16)).most_common(count)
    return [
        (pixels[(pixels // 16 == colour).all(axis=1)].mean(axis=0) / 255, found / len(pixels))
        for colour, found in bins
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
