"""A page as a person's browser takes it apart."""

import re
from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "link", "hr", "input", "source"}


class Page(HTMLParser):
    """Tags with their attributes, and whether they are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def assert_self_contained(self) -> None:
        assert self.open == []
        for _, attributes in self.tags:
            for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                assert (attributes.get(name) or "#").startswith(("data:image/", "#"))
        assert not {"link", "iframe", "object"} & {tag for tag, _ in self.tags}
        assert "@import" not in self.html
        assert set(re.findall(r"url\((.)", self.html)) <= {"#"}
        assert len(self.html) < 3_000_000

    def assert_readable_without_seeing(self, charts: int) -> None:
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        labels = [a["aria-labelledby"] for _, a in self.tags if "aria-labelledby" in a]
        assert set(labels) <= set(ids)
        assert all(image["alt"] for image in self.all("img"))
        assert self.all("html") == [{"lang": "en"}]
        assert len(self.all("h1")) == 1
        found = [a for _, a in self.tags if a.get("role") == "img"]
        assert [bool(chart["aria-label"]) for chart in found] == [True] * charts
