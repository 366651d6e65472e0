"""The pages for people: how long they are, where their links lead, who runs their commands."""

import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from pipeline import cli
from tests.pages import PAGES, ROOT, blocks_of, commands_of, name_of

# What is found on a page and run: here, and in cluster/test_docs.py.
RUN = {
    ("dcgan", "run"),
    ("dcgan", "submit"),
    ("dcgan", "schedule"),
    ("source", ".venv/bin/activate"),
}

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def anchors_of(page):
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", prose)
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_readme_names_every_page_and_is_short():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 160
    assert all(f"({name_of(page)})" in text for page in (ROOT / "docs").glob("*.md"))


@each_page
def test_each_block_is_run_or_says_why_not(page):
    for note, block in blocks_of(page):
        if note:
            who, _ = re.fullmatch(r"run by (\S+)|not run: (.+)", note).groups()
            assert not who or (ROOT / who).exists(), note
        else:
            assert {tuple(words[:2]) for words in commands_of(block)} <= RUN, block


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A folder with all the pictures that the pages name."""
    pictures = tmp_path / "pictures"
    (pictures / "b").mkdir(parents=True)
    for index in range(140):
        noise = np.random.default_rng(index).integers(0, 256, (32, 32, 3), np.uint8)
        Image.fromarray(noise).save(pictures / "b" / f"{index}.jpg")
    for name in ("path/to/folder", "photos", "a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(pictures)
    shutil.make_archive(str(tmp_path / "faces"), "zip", pictures)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@each_page
def test_runs_would_begin(page, workspace, monkeypatch, capsys):
    for note, block in blocks_of(page):
        for words in commands_of(block):
            if words[:2] == ["dcgan", "run"] and not note:
                monkeypatch.setattr(sys, "argv", [*words, "--dry-run"])
                with pytest.raises(SystemExit) as ended:
                    cli.main()
                assert not ended.value.code, (words, capsys.readouterr())
