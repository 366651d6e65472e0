"""A server that speaks Kubeflow Pipelines' REST API v2beta1 as the real ones do.

Behaviour and odd corners are those of the API server's Go source, versions 2.14 to 2.17: zero
values are left out, filters pass over case, a terminated run ends as FAILED, there is no update
of a recurring run, a five-field cron is read with its seconds first. Bodies are checked by the
models of kfp_server_api. What Argo does behind it is in contract_argo.
"""

import base64
import json
import re
import ssl
import threading
import uuid
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote_plus

import kfp_server_api
import yaml

from tests.pipeline.cluster.contract_argo import (
    Logs,
    Nodes,
    argo_rows,
    node_id,
    pod_name,
    recording,
)
from tests.pipeline.cluster.contract_http import Handler, Refusal

NEVER = "1970-01-01T00:00:00Z"


class Fault(NamedTuple):
    """What goes wrong with requests like `GET /apis/v2beta1/runs`."""

    request: re.Pattern
    status: int = 0  # to answer; 0 breaks the connection
    after: bool = False  # once the request has been carried out
    seconds: float = 0  # to wait before the answer


def now():
    return datetime.now(UTC).replace(microsecond=0)


def text_of(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_body(body, kind):
    """Refuse fields that the API does not know, as protojson does."""
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        for item in body:
            check_body(item, match[1])
        return
    model = getattr(kfp_server_api, kind, None)
    if model is None or not isinstance(body, dict) or not model.openapi_types:
        return
    names = {json_name: name for name, json_name in model.attribute_map.items()}
    for key, value in body.items():
        if key not in names:
            raise Refusal(400, 3, f'proto: (line 1:2): unknown field "{key}"')
        check_body(value, model.openapi_types[names[key]])


class ContractServer:
    """State of the server, and the thread that serves it at `url`."""

    def __init__(self, certificate=None, multi_user=False, version="2.17.0", layout="2.17.0"):
        self.multi_user, self.version, self.layout = multi_user, version, layout
        self.token = self.cookie = None  # what a request must show
        self.is_ui = False  # the UI's server, which passes most of the API on
        self.pipelines, self.versions, self.experiments = {}, {}, {}
        self.runs, self.recurring, self.objects = {}, {}, {}
        self.logs = Logs()  # of pods, by their names
        self.pods, self.events = {}, {}  # what Kubernetes says of them, by their names
        self.requests, self.faults = [], []
        self.phases = [("RUNNING", {}), ("SUCCEEDED", {})]  # of each run, one a look
        self.lock = threading.RLock()
        self._clock = 0
        handler = type("Handler", (Handler,), {"contract": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        if certificate:
            self._http.socket = certificate.wrap_socket(self._http.socket, server_side=True)
        scheme = "https" if isinstance(certificate, ssl.SSLContext) else "http"
        self.url = f"{scheme}://localhost:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def fail(self, request, times=1, **fault):
        """Have the next requests that match go wrong."""
        self.faults += [Fault(re.compile(request), **fault)] * times

    def fire(self, recurring_run_id):
        """Start a run as the scheduler does, under a name of its own."""
        job = self.recurring[recurring_run_id]
        keys = ("experiment_id", "pipeline_version_reference", "runtime_config")
        body = {key: job[key] for key in keys if key in job}
        name = f"{job['display_name'][:25]}x7k2p-1-{uuid.uuid4().int % 2**32}"
        return self.create_run({**body, "display_name": name, "recurring_run_id": recurring_run_id})

    def replay(self, name):
        """Serve a recorded run."""
        run = recording(name)
        self.runs[run["run_id"]] = {**run, "_order": 0, "_phases": []}
        self.experiments[run["experiment_id"]] = {
            "experiment_id": run["experiment_id"], "display_name": "dcgan",
            "created_at": run["created_at"], "_order": 0,
        }  # fmt: skip
        return run

    def pod_of(self, run, task, attempt=0):
        """Name of the pod of a task's try."""
        nodes = Nodes(run["run_id"], self.layout)
        template = "retry-system-container-impl" if nodes.counted else "system-container-impl"
        if task.endswith("-driver"):
            template = "system-container-driver"
        return pod_name(node_id(nodes.pod(task, attempt)), template)

    # What each request does; the names are the API's.

    def health(self):
        if self.is_ui:
            return {"apiServerTagName": self.version, "apiServerMultiUser": self.multi_user}
        answer = {"commit_sha": "unknown", "tag_name": self.version, "multi_user": self.multi_user}
        return {**answer, "pipeline_store": "database"}

    def create_pipeline(self, body):
        check_body(body, "V2beta1Pipeline")
        self._refuse_second(self.pipelines, body)
        return self._keep(self.pipelines, "pipeline_id", {"name": body["display_name"], **body})

    def upload_version(self, query, file):
        pipeline_id = query.get("pipelineid")
        if pipeline_id not in self.pipelines:
            raise Refusal(400, None, "Failed to create a pipeline version")
        documents = list(yaml.load_all(file, yaml.CSafeLoader))  # the other takes 0.3 s
        spec = {"pipeline_spec": documents[0], "platform_spec": (documents + [{}])[1]}
        others = [one for one in self.versions.values() if one["pipeline_id"] == pipeline_id]
        body = {"display_name": query["name"], "name": query["name"], "pipeline_id": pipeline_id}
        self._refuse_second(dict(enumerate(others)), body)
        return self._keep(self.versions, "pipeline_version_id", {**body, "pipeline_spec": spec})

    def create_experiment(self, body):
        check_body(body, "V2beta1Experiment")
        self._refuse_second(self.experiments, body)
        return self._keep(self.experiments, "experiment_id", body)

    def create_run(self, body):
        check_body(body, "V2beta1Run")
        self._check_start(body, "Run")
        run = self._keep(self.runs, "run_id", {"service_account": "pipeline-runner", **body})
        self._enter(run, "PENDING")
        run["_phases"] = list(self.phases)
        return run

    def get_run(self, run_id):
        run = self._get(self.runs, run_id, "Run")
        if run["state"] == "CANCELING":
            # Written down at the next report only, and FAILED at the one after.
            self._enter(run, "CANCELING" if run.pop("_asked_to_stop", False) else "FAILED")
        elif run["state"] in {"PENDING", "RUNNING"} and run["_phases"]:
            state, tasks = run["_phases"].pop(0)
            if state != run["state"]:
                self._enter(run, state)
            run["run_details"] = {"task_details": argo_rows(run["run_id"], tasks, self.layout)}
        return run

    def terminate_run(self, run_id):
        run = self._get(self.runs, run_id, "Run")
        if run["state"] not in {"PENDING", "RUNNING"}:
            raise Refusal(400, 3, f"Failed to terminate run {run_id}. Row not found")
        run["state"], run["_asked_to_stop"] = "CANCELING", True
        return {}

    def retry_run(self, run_id):
        run = self._get(self.runs, run_id, "Run")
        if run["state"] != "FAILED":
            raise Refusal(400, 3, f"Failed to retry run {run_id}: workflow must be Failed/Error")
        self._enter(run, "RUNNING")
        return {}

    def create_recurring(self, body):
        check_body(body, "V2beta1RecurringRun")
        self._check_start(body, "Recurring run")
        if not 1 <= int(body.get("max_concurrency", 0)) <= 10:
            raise Refusal(400, 3, "The max concurrency must be between 1 and 10")
        if not 5 <= len(body["trigger"]["cron_schedule"]["cron"].split()) <= 6:
            raise Refusal(400, 3, "Schedule cron is not a supported format")
        job = self._keep(self.recurring, "recurring_run_id", body)
        job["max_concurrency"] = str(body["max_concurrency"])
        return self.switch(job["recurring_run_id"], body.get("mode") == "ENABLE", job)

    def switch(self, recurring_run_id, on, answer=None):
        job = self._get(self.recurring, recurring_run_id, "Job")
        job["mode"], job["status"] = ("ENABLE", "ENABLED") if on else ("DISABLE", "DISABLED")
        return {} if answer is None else answer

    def delete_recurring(self, recurring_run_id, query):
        if query.get("propagation_policy") != "ORPHAN":  # Kubernetes deletes what it owned
            for run in self.runs.values():
                if run.get("recurring_run_id") == recurring_run_id:
                    self._enter(run, "FAILED")
        del self.recurring[self._get(self.recurring, recurring_run_id, "Job")["recurring_run_id"]]
        return {}

    def pod_log(self, query):
        self._check_pods_namespace(query)
        return self.logs.of_uis_pod(query["podname"])

    def pod(self, query):
        self._check_pods_namespace(query)
        return self.pods.get(query["podname"])

    def pod_events(self, query):
        self._check_pods_namespace(query)
        return {"items": self.events.get(query["podname"], [])}

    def artifact(self, query):
        if self.multi_user and not query.get("namespace"):
            raise Refusal(400, 3, "Namespace is required")
        source, bucket, key = query["source"], query["bucket"], query["key"]
        days = [datetime.fromisoformat(run["created_at"]) for run in self.runs.values()]
        if (source, bucket) == ("minio", "mlpipeline"):
            archived = (self.logs.archived(key, self._pods_namespace, day) for day in days)
            if found := next(filter(None, archived), None):
                return found
        return self.objects.get((source, bucket, key))

    @property
    def _pods_namespace(self):
        return "me" if self.multi_user else "kubeflow"

    def _check_pods_namespace(self, query):
        if query.get("podnamespace") != self._pods_namespace:
            raise Refusal(404, 5, "pod not found")

    def list_of(self, table, key, query):
        if self.multi_user and key != "pipeline_versions" and not query.get("namespace"):
            raise Refusal(400, 3, "Invalid input error: namespace is required in multi-user mode")
        items = [one for one in table.values() if _matches(one, query)]
        field, _, order = query.get("sort_by", "created_at").partition(" ")
        items.sort(key=lambda one: (one[field], one["_order"]), reverse=order == "desc")
        size = min(int(query.get("page_size") or 20), 200)
        try:
            start = int(base64.b64decode(query.get("page_token") or "MA=="))
        except ValueError:
            raise Refusal(400, 3, "Invalid package token") from None
        answer = {key: items[start : start + size], "total_size": len(items)}
        if start + size < len(items):
            answer["next_page_token"] = base64.b64encode(str(start + size).encode()).decode()
        return answer

    def _check_start(self, body, kind):
        if not body.get("display_name"):
            raise Refusal(500, 13, f"InternalServerError: {kind} name cannot be empty")
        version = body.get("pipeline_version_reference", {}).get("pipeline_version_id")
        if version not in self.versions:
            raise Refusal(500, 13, f"InternalServerError: PipelineVersion {version} not found")
        if body.get("namespace") and not self.multi_user:
            raise Refusal(400, 3, "Experiment belongs to namespace '' instead of the given one")
        experiment = self._get(self.experiments, body.get("experiment_id"), "Experiment")
        body["_namespace"] = experiment.get("namespace")  # a run has that of its experiment

    def _refuse_second(self, table, body):
        name, space = body["display_name"], body.get("namespace")
        if any(
            (one["display_name"], one.get("namespace")) == (name, space) for one in table.values()
        ):
            raise Refusal(409, 6, f"Already exist error: The name {name} already exists")

    def _keep(self, table, key, body):
        self._clock += 1
        identity = str(uuid.uuid4())
        table[identity] = {
            **body, key: identity, "created_at": text_of(now()), "_order": self._clock,
        }  # fmt: skip
        return table[identity]

    def _get(self, table, identity, kind):
        if identity not in table:
            raise Refusal(404, 5, f"Failed: ResourceNotFoundError: {kind} {identity} not found.")
        return table[identity]

    def _enter(self, run, state):
        run["state"] = state
        ended = state in {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}
        run["finished_at"] = text_of(now()) if ended else NEVER
        run.setdefault("state_history", []).append({"update_time": text_of(now()), "state": state})


def _matches(item, query):
    if query.get("experiment_id", item.get("experiment_id")) != item.get("experiment_id"):
        return False
    if query.get("namespace") and query["namespace"] not in {
        item.get("namespace"), item.get("_namespace"),
    }:  # fmt: skip
        return False
    # The server decodes it once more than was encoded.
    conditions = json.loads(unquote_plus(query.get("filter") or "{}")).get("predicates", [])
    for condition in conditions:
        if condition["key"] not in {"display_name", "name", "recurring_run_id"}:
            raise Refusal(400, 3, f'no support for filtering on "{condition["key"]}"')
        if item.get(condition["key"], "").lower() != condition["string_value"].lower():
            return False
    return True
