"""`ingest.max_images` cuts a source, of whatever kind, as if the rest were not there."""

import pytest

from components.shared.contracts import FILES, MANIFEST, REJECTED
from components.shared.files import read_json, read_json_lines
from tests.components.ingest.packing import tar_of, zip_of


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "list", "s3", "gs"])
def test_broken_files_count_by_their_paths_too(tree, tmp_path, run, make_bucket, kind):
    """The listing tells of them, as of links that lead nowhere, and of lines of what is missing."""
    for name in ("0 first.jpg", *(f"z{number}.jpg" for number in range(20))):
        (tree / name).symlink_to("nowhere")
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*.*"))
    source, top = tree, ""
    if kind in ("zip", "tar"):
        source = tmp_path / "packed"
        source.write_bytes(zip_of(tree, links=True) if kind == "zip" else tar_of(tree))
    elif kind != "folder":
        if kind != "list":
            bucket = make_bucket(kind)
            top = f"{bucket.address}/"
            for name in names:
                if (tree / name).exists():
                    bucket.put(name, (tree / name).read_bytes())
        (tree / "list").write_text("".join(f"{top}{name}\n" for name in names))
        source = f"@{tree}/list"
    folder = run(source, max_images=20, max_reject_share=0.05)
    rejected = {line["path"]: line["reason"] for line in read_json_lines(folder / REJECTED)}
    assert rejected == {"0 first.jpg": "missing", "ATTRIBUTION.txt": "other file"}
    ledger = {line["path"] for line in read_json_lines(folder / FILES)}
    assert ledger == {*[name for name in names if name != "ATTRIBUTION.txt"][:20], *rejected}
    assert read_json(folder / MANIFEST)["counts"]["seen"] == 21
