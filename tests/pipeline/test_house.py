"""Rules of the house that no linter knows."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import pipeline.__main__
from components.shared.contracts import ROOMS, STEPS

ROOT = Path(__file__).parents[2]
LOCKS = [ROOT / "requirements.lock", *sorted((ROOT / "infra/images/locks").glob("*.txt"))]
SOURCES = sorted(
    path for folder in ("pipeline", "components") for path in (ROOT / folder).rglob("*.py")
)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_kfp_is_imported_by_the_adapters_and_the_pipeline_alone(path):
    uses_kfp = any(name.split(".")[0] == "kfp" for name in imported(path))
    room = path.relative_to(ROOT).parts[0]
    assert not uses_kfp or path.name == "component.py" or room == "pipeline"


def test_adapters_keep_their_annotations():
    """kfp reads them as objects, which the future import would turn into text."""
    adapters = [path for path in SOURCES if path.name in {"component.py", "dag.py"}]
    assert len(adapters) == 6
    assert not [path for path in adapters if "__future__" in imported(path)]


def test_configurations_import_nothing_heavy():
    for path in SOURCES:
        if path.name == "config.py" and path.relative_to(ROOT).parts[0] == "components":
            roots = {name.split(".")[0] for name in imported(path)}
            assert roots <= {"typing", "pydantic", "components"}, path


def opens_in_the_locale(call):
    """Whether a call opens text and names no encoding, whatever it is called on."""
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    name = ast.unparse(call.func).rpartition(".")[2]
    if "encoding" in named:
        return False
    if name not in {"open", "fdopen"}:
        return name in {"read_text", "write_text"} or "text" in named  # of a process
    if named.keys() - {"mode", "buffering", "errors", "newline"}:
        return False  # not that of a file, but of tarfile and the like
    is_method = isinstance(call.func, ast.Attribute) and name == "open"
    given = [*call.args[0 if is_method else 1 :], *filter(None, [named.get("mode")])]
    mode = getattr(given[0], "value", None) if given else "r"
    return isinstance(mode, str) and set(mode) <= set("rwxat+")


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("(folder / 'x').write_text('…')", True),
        ("read()[0].read_text()", True),
        ("(folder / 'x').open()", True),
        ("path.open('a', newline='')", True),
        ("path.open(mode='w')", True),
        ("open(path)", True),
        ("os.fdopen(number, 'w')", True),
        ("subprocess.run(command, text=True)", True),
        ("(folder / 'x').write_text('…', encoding='utf-8')", False),
        ("path.open('rb')", False),
        ("open(path, 'wb')", False),
        ("Image.open(path)", False),
        ("tarfile.open(fileobj=file)", False),
        ("os.open(folder, os.O_RDONLY)", False),
    ],
)
def test_text_in_the_encoding_of_the_locale_is_found(code, is_found):
    assert opens_in_the_locale(ast.parse(code, mode="eval").body) is is_found


def test_all_text_names_its_encoding():
    sources = [*SOURCES, *(ROOT / "infra").rglob("*.py"), ROOT / "setup.py"]
    calls = (
        (path, node)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and opens_in_the_locale(node)
    )
    assert [f"{path}:{call.lineno}" for path, call in calls] == []


def test_the_console_script_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    scripts = project["project"]["scripts"]
    assert scripts == {"dcgan": "pipeline.__main__:main"}
    entry = metadata.EntryPoint("dcgan", scripts["dcgan"], "console_scripts")
    assert entry.load() is pipeline.__main__.main


# Keras imports matplotlib where it finds it, so that one cannot be kept out.
HEAVY = {"tensorflow", "apache_beam", "tensorflow_transform", "kfp"}
# What imports no more than that, in a process for all of them.
NEEDED = {
    "": [
        "components.ingest.fingerprint", "components.train.checkpoint_root",
        "components.evaluate.extractors.registry", "components.evaluate.gate",
        "components.evaluate.validate", "components.evaluate.data_section",
        "components.evaluate.report", "components.export.publish",
        "pipeline", "pipeline.cli", "pipeline.watch",
    ],
    "apache_beam": ["components.ingest.step"],
    "tensorflow": [
        "components.train.step", "components.evaluate.step", "components.export.step",
    ],
    "apache_beam tensorflow tensorflow_transform": ["components.transform.step"],
}  # fmt: skip


@pytest.mark.parametrize("needed", NEEDED)
def test_each_process_imports_only_what_it_needs(needed):
    code = f"import sys, {', '.join(NEEDED[needed])}; print(*{HEAVY} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert sorted(done.stdout.split()) == needed.split()


@pytest.mark.parametrize("step", STEPS)
def test_image_has_what_its_step_imports(step):
    rooms = [ROOT / "components" / room for room in ROOMS[step]]
    sources = [path for room in rooms for path in room.rglob("*.py")]
    asked = {name.split(".")[0] for path in sources for name in imported(path)}
    if step == "ingest":
        # shared.normalization and shared.generators are for those that draw.
        asked -= {"tensorflow", "keras"}
    elif step != "transform":
        asked -= {"apache_beam"}  # shared.beam_runner and shared.staging are for Beam's
    owners = metadata.packages_distributions()
    packages = {
        owner.lower().replace("_", "-")
        for name in asked - set(sys.stdlib_module_names) - {"components", "google", "kfp"}
        for owner in owners[name]
    }
    lock = (ROOT / "infra" / "images" / "locks" / f"{step}.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    assert packages - {"tensorflow"} <= locked
    assert "tensorflow" not in packages or "tensorflow-cpu" in locked


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_names_no_host_and_hashes_everything(lock):
    text = lock.read_text()
    assert not re.search(r"https?://|--index-url|--find-links", text)
    pins = re.findall(r"^[a-z0-9][^\s=]*==\S+ \\\n    --hash=sha256:", text, re.MULTILINE)
    least = 101 if lock.name == "requirements.lock" else 1
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) >= least


def test_lock_pins_what_the_project_asks_for():
    locked = (ROOT / "requirements.lock").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    pins = re.findall(r'"([a-z-]+)(?:\[[a-z-]+\])?(==[\d.]+)"', project)
    assert len(pins) >= 6
    for name, version in pins:
        assert f"\n{name}{version} " in f"\n{locked}", name


def test_notebooks_are_kept_without_their_outputs():
    notebooks = sorted((ROOT / "docs").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs"), path
            assert cell.get("execution_count") is None, path


def test_top_level_is_as_agreed():
    try:
        listing = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git does not know this folder")
    tracked = listing.splitlines()
    folders = {name.split("/")[0] for name in tracked if "/" in name}
    assert {name for name in folders if not name.startswith(".")} <= {
        "pipeline", "components", "tests", "infra", "findings", "docs"
    }  # fmt: skip
