"""What a source lists and reads."""

from components.ingest.sources import open_source


def paths_in(*sources) -> list[str]:
    with open_source("\n".join(map(str, sources))) as opened:
        return [entry.path for entry in opened.list().pictures]


def contents_of(*sources) -> dict[str, bytes]:
    with open_source("\n".join(map(str, sources))) as opened:
        pictures = opened.list().pictures
        return {
            entry.path: content
            for entry, content in zip(pictures, opened.read(pictures), strict=True)
        }
