"""The model servers: they serve what is published, as the README asks them."""

import json
import re
from pathlib import Path

import pytest

from components.export.config import ExportConfig
from components.shared.contracts import GENERATOR, GIF, MODEL_INFO, SAVED_MODEL
from components.shared.errors import PipelineError
from components.shared.files import write_json
from pipeline import endpoint
from pipeline.cluster.config import ClusterConfig
from tests.components.export.judged import publish
from tests.manifests import MANIFESTS, of_kind, the

CLUSTER = ClusterConfig()


@pytest.fixture
def server(rendered):
    """The model server's container, and its options."""
    (container,) = the(rendered["serving"], "Deployment")["spec"]["template"]["spec"]["containers"]
    return container, dict(option[2:].split("=") for option in container["args"])


def test_server_finds_what_publish_writes(server, tmp_path):
    model = tmp_path / "model"
    (model / SAVED_MODEL).mkdir(parents=True)
    for name in (GENERATOR, GIF):
        (model / name).touch()
    info = {"name": ExportConfig().model_name, "digest": "0"}
    write_json(model / MODEL_INFO, info)
    version = Path(publish(model, tmp_path / "published"))

    options = server[1]
    home = version.relative_to(tmp_path / "published").parent
    assert options["model_base_path"] == f"{CLUSTER.published}/{home}"
    assert options["model_name"] == ExportConfig().model_name


def test_server_can_change_nothing(server):
    (mount,) = server[0]["volumeMounts"]
    assert mount["readOnly"] is True


def test_server_is_asked_for_its_model(server):
    container, options = server
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    assert ports == {"rest": options["rest_api_port"], "grpc": options["port"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {
            "path": f"/v1/models/{options['model_name']}",
            "port": "rest",
        }


def test_service_leads_to_the_server(rendered, server):
    deployment = the(rendered["serving"], "Deployment")["spec"]
    service = the(rendered["serving"], "Service")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for port in server[0]["ports"]}
    assert {port["targetPort"] for port in service["ports"]} == ports


@pytest.fixture
def inference_service(rendered):
    return the(rendered["serving/kserve"], "InferenceService")


def test_kserve_runs_the_same_server_on_the_same_model(inference_service, server):
    container, options = server
    assert inference_service["apiVersion"] == "serving.kserve.io/v1beta1"
    # KServe's runtime starts it with --model_name={{.Name}}.
    assert inference_service["metadata"]["name"] == options["model_name"]
    predictor = inference_service["spec"]["predictor"]
    assert predictor.keys() == {"automountServiceAccountToken", "securityContext", "model"}
    model = predictor["model"]
    assert model.keys() == {
        "modelFormat", "runtimeVersion", "storageUri", "securityContext", "resources"
    }  # fmt: skip
    assert model["modelFormat"] == {"name": "tensorflow", "version": "2"}
    assert container["image"] == f"tensorflow/serving:{model['runtimeVersion']}"
    assert model["resources"] == container["resources"]
    claim, _, folder = model["storageUri"].removeprefix("pvc://").partition("/")
    assert claim == CLUSTER.claim
    assert f"{CLUSTER.mount_path}/{folder}" == options["model_base_path"]


def test_readme_asks_the_server_as_it_is(rendered, server):
    readme = (MANIFESTS / "README.md").read_text()
    name = server[1]["model_name"]
    forwarded = {"deployment/dcgan-predictor": "8080"}  # the port of KServe's runtime
    for service in of_kind(rendered["serving"], "Service"):
        rest = {port["name"]: port["port"] for port in service["spec"]["ports"]}["rest"]
        forwarded[f"service/{service['metadata']['name']}"] = str(rest)
    forwards = re.findall(
        r"port-forward (\S+) (\d+)(?::(\d+))? &\ndcgan sample --endpoint (\S+)", readme
    )
    assert {target: remote or local for target, local, remote, _ in forwards} == forwarded
    for _, local, _, address in forwards:
        assert address == f"http://localhost:{local}/v1/models/{name}"
    assert re.findall(r"  (\S+:predict)", readme) == [
        f"http://localhost:{forwarded['service/dcgan-serving']}/v1/models/{name}:predict"
    ]


def test_readme_asks_for_the_signature_that_export_writes(monkeypatch):
    (body,) = re.findall(r"curl -d '(.*?)'", (MANIFESTS / "README.md").read_text())
    sent = []

    def urlopen(request, timeout):
        sent.append(json.loads(request.data))
        raise TimeoutError

    monkeypatch.setattr(endpoint, "urlopen", urlopen)
    with pytest.raises(PipelineError):
        endpoint.Endpoint("http://localhost/v1/models/dcgan").draw(1, 7, 0.8)
    assert sent == [json.loads(body)]
