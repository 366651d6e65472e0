"""A page in a real browser: what it shows, what it asks for, and whether it can be read."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

WIDTHS = (390, 1280)  # a telephone, a laptop
SCHEMES = ("light", "dark")
VIEWS = list(itertools.product(WIDTHS, SCHEMES))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

_TEXT = ("ink", "muted", "first", "second", "good", "bad")
_FOCUSED = """() => {
  const element = document.activeElement;
  return element === document.body ? null
    : [...document.querySelectorAll("body *")].indexOf(element);
}"""
_FOCUSABLE = """() => {
  const all = [...document.querySelectorAll("body *")];
  return all.filter(one => one.matches("[tabindex], input, summary, a[href], button"))
    .filter(one => one.checkVisibility()).map(one => all.indexOf(one));
}"""


@contextmanager
def launch() -> Iterator[object]:
    """The system's Chromium; without one the test is skipped, or fails where all are asked for."""
    if CHROMIUM is None:
        (pytest.fail if os.environ.get("DCGAN_REQUIRE_ALL") else pytest.skip)("needs Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@contextmanager
def opened(
    browser, place: Path | str, width: int, scheme: str = "light", **options
) -> Iterator[object]:
    """Open a file or a server's page; at the end it must have told of no error.

    A file must have asked for nothing else, a server's page nobody else.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, **options
    )
    page, messages, requests = context.new_page(), [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    address = place.as_uri() if isinstance(place, Path) else place
    page.goto(address)
    yield page
    assert messages == []
    if isinstance(place, Path):
        assert requests == [address]
    assert [one for one in requests if not one.startswith(address)] == []
    context.close()


def assert_fits(page, width: int) -> None:
    """Nothing sticks out of the window sideways; what is wider scrolls in its own place."""
    assert page.evaluate("document.documentElement.scrollWidth") == width


def assert_contrast(page) -> None:
    """Each colour of text against each ground: WCAG 2.2, 1.4.3."""
    style = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"
    colours = {name: page.evaluate(style, f"--{name}") for name in (*_TEXT, "paper", "raised")}
    for text, ground in itertools.product(_TEXT, ("paper", "raised")):
        dark, light = sorted(_luminance(colours[name]) for name in (text, ground))
        contrast = (light + 0.05) / (dark + 0.05)
        assert contrast >= 4.5, f"--{text} on --{ground}: {contrast:.2f}"


def assert_tab_order(page) -> None:
    """The tab key reaches all that can be worked with, in the order of the page."""
    reached = []
    page.keyboard.press("Tab")
    while (focused := page.evaluate(_FOCUSED)) is not None and focused not in reached:
        reached.append(focused)
        page.keyboard.press("Tab")
    assert reached == page.evaluate(_FOCUSABLE)


def screenshot(page, path: Path, width: int) -> None:
    """Take the whole page; it must have more than one colour, and the window's width."""
    page.screenshot(path=path, full_page=True)
    with Image.open(path) as picture:
        assert picture.width == width
        assert picture.height > 800
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 100


def _luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb` by WCAG 2.2."""
    digits = colour.strip().removeprefix("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
