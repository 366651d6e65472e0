"""Kubernetes manifests as kustomize renders them."""

import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "infra" / "kubernetes"
FOLDERS = ["base", "one-node", "copy", "gpu-quota", "serving", "serving/kserve"]


def build(kustomize, folder):
    done = subprocess.run([kustomize, "build", folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def the(documents, kind):
    (only,) = of_kind(documents, kind)
    return only
