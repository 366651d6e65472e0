"""What the base is trained on: openly licensed drawings, and none of the demo's style."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = ROOT / "infra/base"
ATTRIBUTION = ROOT / "components/train/base/ATTRIBUTION.txt"
DEMO_STYLES = {"lorelei", "lorelei-neutral"}
# Brings every style at once, the demo's among them.
ALL_STYLES = "@dicebear/collection"
TOOLS = {"@dicebear/core", "@resvg/resvg-js", "sharp"}


def read(name):
    return json.loads((BASE / name).read_text(encoding="utf-8"))


@pytest.fixture
def styles():
    return read("styles.json")["styles"]


@pytest.fixture
def locked():
    """The packages that `npm ci` installs, by name."""
    packages = read("package-lock.json")["packages"]
    return {path.rpartition("node_modules/")[2]: facts for path, facts in packages.items() if path}


def test_the_demos_style_is_none_of_the_bases(styles):
    assert len(styles) > 10
    assert not DEMO_STYLES & set(styles)
    assert not [name for name in styles if "lorelei" in name]


def test_robots_stay_unseen(styles):
    assert not [name for name in styles if name.startswith(("bottts", "avataaars"))]


def test_npm_brings_the_recipes_styles_and_no_other(styles, locked):
    wanted = {f"@dicebear/{name}" for name in styles} | TOOLS
    assert set(read("package.json")["dependencies"]) == wanted
    brought = {name for name in locked if name.startswith("@dicebear/")}
    assert brought == wanted - {"@resvg/resvg-js", "sharp"}
    assert ALL_STYLES not in brought


def test_the_renderer_imports_only_its_packages_and_the_recipes_styles():
    code = (BASE / "make_pictures.mjs").read_text(encoding="utf-8")
    assert "lorelei" not in code.lower()
    imports = [line for line in code.splitlines() if "import(" in line]
    assert len(imports) == 1
    assert "import(`@dicebear/${name}`)" in imports[0]


def test_versions_are_exact_and_named_by_content(locked):
    asked = read("package.json")["dependencies"]
    assert {name: locked[name]["version"] for name in asked} == asked
    assert all(facts["integrity"].startswith("sha512-") for facts in locked.values())
    # No registry is named: npm takes the packages from the one that it is set up with.
    assert not [name for name, facts in locked.items() if "resolved" in facts]


def test_every_style_is_open_and_attributed(styles):
    attribution = ATTRIBUTION.read_text(encoding="utf-8")
    for name, style in styles.items():
        assert style["licence"] in {"CC0 1.0", "CC BY 4.0", "MIT"}
        entry = attribution.split(f"@dicebear/{name} ", maxsplit=1)[1].split("\n\n", maxsplit=1)[0]
        for fact in ("drawing", "artist", "source", "licence"):
            assert style[fact] in entry
        assert f"{style['share']:g} %" in entry


def test_shares_are_percent(styles):
    assert sum(style["share"] for style in styles.values()) == pytest.approx(100)


@pytest.mark.skipif(
    not (shutil.which("node") and (BASE / "node_modules").exists()),
    reason="needs Node and `npm ci --ignore-scripts` in infra/base",
)
def test_the_same_seed_draws_the_same_pictures(tmp_path, styles):
    def draw(folder, seed):
        subprocess.run(
            ["node", BASE / "make_pictures.mjs", "--out", folder, "--count", "400", "--seed", seed],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.jpg")}

    first = draw(tmp_path / "first", "1")
    assert len(set(first.values())) == 400
    assert {path.parts[0] for path in first} == set(styles)
    assert draw(tmp_path / "again", "1") == first
    assert not set(draw(tmp_path / "other", "2").values()) & set(first.values())
