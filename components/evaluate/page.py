"""A page that holds all it shows, and asks the net for nothing."""

import base64
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from PIL import Image

from components.shared.files import write_atomically

WIDEST = 1200  # pixels
_TEMPLATES = Path(__file__).parent / "templates"
_LARGEST_PNG = 1 << 20  # bytes; larger ones are shown as lossy WebP


class Picture(NamedTuple):
    """A picture that stands in the page."""

    uri: str
    width: int
    height: int


def write_page(path: Path, template: str, **values: Any) -> None:
    """Render one of `templates/` to a file; what is no HTML is not escaped."""
    write_atomically(path, render_page(template, **values).encode())


def render_page(template: str, **values: Any) -> str:
    """Render one of `templates/`; what is no HTML is not escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(["html.j2"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    return environment.get_template(template).render(**values)


def _cell(text: str) -> str:
    """As it may stand in a cell of a Markdown table."""
    escaped = re.sub(r"([\\|`<*\[\]])", r"\\\1", text)
    return " ".join(escaped.split())


def embed(png: bytes, widest: int, largest_png: int = _LARGEST_PNG) -> Picture:
    """Turn a PNG into a data URI, as it is where it is small enough, else as WebP."""
    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
        if len(png) <= largest_png and width <= widest:
            return Picture(_data_uri(png, "png"), width, height)
        scale = min(1, widest / width)
        width, height = round(width * scale), max(1, round(height * scale))
        buffer = io.BytesIO()
        picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(
            buffer, format="WEBP", quality=80
        )
    return Picture(_data_uri(buffer.getvalue(), "webp"), width, height)


def embed_gif(gif: bytes) -> Picture:
    """Turn a GIF into a data URI as it is."""
    with Image.open(io.BytesIO(gif)) as picture:
        return Picture(_data_uri(gif, "gif"), *picture.size)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
