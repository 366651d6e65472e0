"""The commands for Kubeflow on the pages for people, as they stand there."""

import re

import pytest

from tests.pages import PAGES, ROOT, blocks_of, commands_of, name_of

# What follows a run, and what it brings home, is tested with runs that end.
FOLLOWING = {"--wait", "--fetch", "results"}
HOST = "http://localhost:8080"


def settings_of(page):
    """What the page has for cluster.yaml, or else the page on Kubeflow."""
    for text in (page.read_text(), (ROOT / "docs/kubeflow.md").read_text()):
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            if HOST in block:
                return block
    raise AssertionError("no settings of a cluster")


@pytest.fixture
def workspace(page, contract, tmp_path, monkeypatch):
    """A folder with the files that the commands name, for the tests' server."""
    schedule = (ROOT / "infra/schedule/retrain.yaml").read_text()
    assert HOST in schedule
    files = {"cluster.yaml": settings_of(page), "infra/schedule/retrain.yaml": schedule}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.replace(HOST, contract.url))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_are_accepted(page, dcgan, contract, workspace):
    commands = [
        words[1:] for _, block in blocks_of(page) for words in commands_of(block)
        if words[0] == "dcgan" and words[1] in {"submit", "schedule"}
    ]  # fmt: skip
    for words in commands:
        dcgan(*(word for word in words if word not in FOLLOWING))
    assert len(contract.runs) == sum(
        words[0] == "submit" or "run-now" in words for words in commands
    )
