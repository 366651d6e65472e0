"""The manifests: as kustomize renders them, valid, in agreement, and of few rights."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pipeline.cluster.config import CLAIMED_USER, ClusterConfig
from tests.manifests import FOLDERS, MANIFESTS, build, of_kind, the

VERSIONS = ["1.29", "1.37"]  # of Kubernetes: the oldest and the newest that we speak for
CLUSTER = ClusterConfig()


@pytest.fixture(scope="session")
def everything(rendered):
    return [document for documents in rendered.values() for document in documents]


@pytest.fixture(scope="session")
def pods(everything):
    """Specification of each pod that anything here makes."""
    specifications = [document.get("spec", {}) for document in everything]
    found = [spec["template"]["spec"] if "template" in spec else spec for spec in specifications]
    found = [spec for spec in found if "containers" in spec]
    assert len(found) == 2
    return found


@pytest.fixture(scope="session")
def hardened(pods, rendered):
    """Those, and the one that KServe makes."""
    return [*pods, as_pod(the(rendered["serving/kserve"], "InferenceService"))["spec"]]


def as_pod(service):
    """What Kubernetes' own fields of an InferenceService say of the pod that KServe makes."""
    predictor = dict(service["spec"]["predictor"])
    model = dict(predictor.pop("model"))
    version = model.pop("runtimeVersion")
    for name in ("modelFormat", "storageUri"):
        model.pop(name)
    container = {"name": "kserve-container", "image": f"tensorflow/serving:{version}", **model}
    specification = {**predictor, "containers": [container]}
    metadata = service["metadata"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": specification}


def containers(pod):
    return pod["containers"] + pod.get("initContainers", [])


def claims(pod):
    """Name of the claim behind each of a pod's volumes."""
    return {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"]
    }


def test_no_folder_is_left_out():
    kinds = {
        path.parent.relative_to(MANIFESTS).as_posix(): yaml.safe_load(path.read_text())["kind"]
        for path in MANIFESTS.rglob("kustomization.yaml")
    }
    assert kinds.pop("namespace") == "Component"
    assert kinds.keys() == set(FOLDERS)
    readme = (MANIFESTS / "README.md").read_text()
    assert all(f"| `{folder}/` |" in readme for folder in FOLDERS)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", FOLDERS)
def test_kubernetes_knows_every_field(rendered, folder, version):
    for document in rendered[folder]:
        known = as_pod(document) if document["kind"] == "InferenceService" else document
        used = kubernetes_validate.validate(known, version, strict=True)
        assert used == version


def test_one_line_moves_everything_to_another_namespace(kustomize, tmp_path):
    shutil.copytree(MANIFESTS, tmp_path, dirs_exist_ok=True)
    line = tmp_path / "namespace" / "kustomization.yaml"
    line.write_text(line.read_text().replace("namespace: kubeflow", "namespace: faces"))
    for folder in FOLDERS:
        documents = build(kustomize, tmp_path / folder)
        assert {document["metadata"]["namespace"] for document in documents} == {"faces"}
        for binding in of_kind(documents, "RoleBinding"):
            assert [subject["namespace"] for subject in binding["subjects"]] == ["faces"]


@pytest.mark.parametrize("folder", ["base", "one-node"])
def test_claim_is_the_one_that_tasks_mount(rendered, folder):
    claim = the(rendered[folder], "PersistentVolumeClaim")
    assert claim["metadata"]["name"] == CLUSTER.claim


def test_one_node_has_the_base_with_a_claim_for_one_node(rendered):
    base, one = rendered["base"], rendered["one-node"]
    assert the(base, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteMany"]
    assert the(one, "PersistentVolumeClaim")["spec"]["accessModes"] == ["ReadWriteOnce"]
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        assert the(base, kind) == the(one, kind)


def test_pods_see_the_claim_where_tasks_see_it(pods):
    for pod in pods:
        for container in containers(pod):
            (mount,) = container["volumeMounts"]
            assert claims(pod)[mount["name"]] == CLUSTER.claim
            assert mount["mountPath"] == CLUSTER.mount_path


def test_account_is_bound_to_its_role(rendered):
    account, role, binding = (
        the(rendered["base"], kind) for kind in ("ServiceAccount", "Role", "RoleBinding")
    )
    assert binding["roleRef"] == {
        "apiGroup": role["apiVersion"].partition("/")[0],
        "kind": "Role",
        "name": role["metadata"]["name"],
    }
    assert binding["subjects"] == [{"kind": "ServiceAccount", **account["metadata"]}]


def test_account_may_do_little(everything):
    kinds = {document["kind"] for document in everything}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "Secret"}
    for role in of_kind(everything, "Role"):
        for rule in role["rules"]:
            words = [word for words in rule.values() for word in words]
            assert not [word for word in words if "*" in word]
            assert set(rule["verbs"]) <= {"get", "create", "patch"}
            if {"secrets", "configmaps"} & set(rule["resources"]):
                assert rule["verbs"] == ["get"]
                assert rule["resourceNames"]


def test_only_tasks_speak_to_kubernetes(hardened):
    """What runs here needs no account, and so gets no token that could be stolen."""
    for pod in hardened:
        assert pod["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in pod


def test_pods_are_restricted(hardened):
    """Kubernetes' own standard of that name, and no more room than is needed."""
    for pod in hardened:
        assert not [key for key in pod if key.startswith("host")]
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == CLAIMED_USER
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            context = {k: v for k, v in container["securityContext"].items() if k != "runAsUser"}
            assert container["securityContext"].get("runAsUser", CLAIMED_USER) == CLAIMED_USER
            assert context == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert container["resources"]["limits"]["memory"]


def test_images_are_of_one_version(hardened):
    for pod in hardened:
        for container in containers(pod):
            assert re.fullmatch(r"[\w./-]+:\d+\.\d+\.\d+", container["image"])


def test_copy_makes_the_folders_that_tasks_use(rendered, tmp_path):
    pod = the(rendered["copy"], "Pod")["spec"]
    (container,) = pod["containers"]
    assert container["workingDir"] == CLUSTER.mount_path
    used = {Path(CLUSTER.checkpoint_root).name, Path(CLUSTER.published).name, "pictures"}
    with subprocess.Popen(container["command"], cwd=tmp_path) as process:
        try:
            deadline = time.monotonic() + 20
            while {path.name for path in tmp_path.iterdir()} != used:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.kill()


def test_copy_says_what_it_cannot_write_to(rendered, tmp_path):
    (container,) = the(rendered["copy"], "Pod")["spec"]["containers"]
    (tmp_path / "checkpoints").touch()  # a folder of that name cannot be made
    done = subprocess.run(
        container["command"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"checkpoints: user {os.getuid()} cannot write")


def test_copy_hands_the_claim_to_the_tasks_user_and_ends(rendered):
    pod = the(rendered["copy"], "Pod")["spec"]
    assert pod["securityContext"]["fsGroup"] == CLAIMED_USER
    assert pod["restartPolicy"] == "Never"
    assert pod["activeDeadlineSeconds"] <= 24 * 60 * 60


def test_quota_counts_what_training_asks_for(rendered):
    hard = the(rendered["gpu-quota"], "ResourceQuota")["spec"]["hard"]
    assert hard.keys() == {f"requests.{CLUSTER.train.gpu_type}"}
    assert int(hard[f"requests.{CLUSTER.train.gpu_type}"]) >= CLUSTER.train.gpus
