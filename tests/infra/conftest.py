"""What kustomize makes of the manifests."""

import os
import shutil
import subprocess

import pytest

from tests.manifests import FOLDERS, MANIFESTS, ROOT, build

KUSTOMIZE = "v5.8.1"


@pytest.fixture(scope="session")
def kustomize():
    """The program; where it is not installed, it is compiled, which needs Go."""
    if installed := shutil.which("kustomize"):
        return installed
    program = ROOT / "build" / f"kustomize-{KUSTOMIZE}" / "kustomize"
    if not program.exists() and (reason := compile_kustomize(program.parent)):
        if os.environ.get("DCGAN_REQUIRE_ALL"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(program)


def compile_kustomize(folder):
    """Compile it into a folder; what stopped that, if anything."""
    if not shutil.which("go"):
        return "neither kustomize nor Go, which would compile it, is installed"
    done = subprocess.run(
        ["go", "install", f"sigs.k8s.io/kustomize/kustomize/v5@{KUSTOMIZE}"],
        env=os.environ | {"GOBIN": str(folder), "CGO_ENABLED": "0"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return f"kustomize is not installed and did not compile: {done.stderr.splitlines()[-1]}"
    return None


@pytest.fixture(scope="session")
def rendered(kustomize):
    """The documents of each folder."""
    return {folder: build(kustomize, MANIFESTS / folder) for folder in FOLDERS}
