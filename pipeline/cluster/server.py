"""The REST API of a Kubeflow Pipelines server: who asks, how often, and what went wrong."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import kfp_server_api
from kfp_server_api import ApiException
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from components.shared.errors import PipelineError, UsageError, one_line
from pipeline.cluster.config import ClusterConfig
from pipeline.cluster.credentials import Credentials, host_of

_TIMEOUT = (10, 60)  # seconds to connect, and to wait for an answer
_PAUSES = (1, 2, 4, 8)  # seconds before each further try
_PASSING = {408, 429, 500, 502, 503, 504}  # answers that another try may better
_PAGE = 100
_LONGEST = 300  # characters of a server's own message

_T = TypeVar("_T")


class ServerError(PipelineError):
    """The server does not answer, or not as it should."""


class NotFound(UsageError):
    """The server has nothing of this name or id."""


class KfpServer:
    """Connection to a Kubeflow Pipelines server, API v2beta1.

    The services of kfp_server_api are called through `call`.

    Attributes:
        config: What it was made from.
        host: Address, without a slash at its end.
        ui_host: Address of the pages, for links.
        scope: The user's namespace, as an argument of requests; empty on a single-user
            server, which refuses one.
        pods: Namespace that the pods run in.
        version: What the server says it is, e.g. 2.14.3; may be empty or `unknown`.
        is_ui: Whether it is the UI's server, which passes most of the API on and gives files
            and what Kubernetes knows of pods.
        runs, recurring_runs, pipelines, experiments, uploads: Services of kfp_server_api.
    """

    def __init__(self, config: ClusterConfig) -> None:
        """Connect, and ask what the server is.

        Raises:
            UsageError: No host is named, credentials cannot be read, what answers is no
                Kubeflow Pipelines, or serves many users and none is named.
            ServerError: No server answers.
        """
        self.config = config
        self.host = host_of(config)
        self.ui_host = (config.ui_host or self.host).rstrip("/")
        self.scope: dict[str, str] = {}
        self.pods = config.namespace or "kubeflow"
        self._credentials = Credentials(config)
        self._client = self._credentials.client(self.host)
        self.runs = kfp_server_api.RunServiceApi(self._client)
        self.recurring_runs = kfp_server_api.RecurringRunServiceApi(self._client)
        self.pipelines = kfp_server_api.PipelineServiceApi(self._client)
        self.experiments = kfp_server_api.ExperimentServiceApi(self._client)
        self.uploads = kfp_server_api.PipelineUploadServiceApi(self._client)
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Leave by closing the connections."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.rest_client.pool_manager.clear()

    def _greet(self) -> None:
        health = self._health()
        if health.get("apiServerReady") is False:
            raise ServerError(f"the API behind {self.host} is not ready: try again")
        self.is_ui = "apiServerTagName" in health  # it answers this request itself
        self.version = str(health.get("tag_name") or health.get("apiServerTagName") or "")
        if health.get("multi_user") or health.get("apiServerMultiUser"):
            if not self.config.namespace:
                raise UsageError(f"{self.host} serves many users: set cluster.namespace to yours")
            self.scope = {"namespace": self.config.namespace}

    def call(
        self,
        request: Callable[..., _T],
        *args: Any,
        landed: Callable[[], _T | None] | None = None,
        once: bool = False,
        **kwargs: Any,
    ) -> _T:
        """Make a request, and make it again after a broken connection or a 5xx answer.

        Args:
            request: Method of one of the services.
            *args: Its arguments.
            landed: Of a request that must not be carried out twice: looks for what an
                earlier try made although its answer was lost. When the server does not
                answer in time, what it still does is unknown, so it is only looked for.
            once: Do not try again.
            **kwargs: Its options.

        Raises:
            UsageError: Not logged in, not allowed, or wrong values; NotFound for a 404.
            ServerError: No server, or one that goes on failing.
        """
        hung = False
        for pause in (*_PAUSES, None):
            try:
                if not hung:
                    return self._once(request, *args, **kwargs)
            except (ApiException, HTTPError) as error:
                failure = self._explain(error)
                if once or not _may_pass(error):
                    raise failure from None
                hung = landed is not None and _may_go_on(error)
            if pause is None:
                raise ServerError(f"{failure}; it may still do it") if hung else failure
            time.sleep(pause)
            if landed and (found := landed()) is not None:
                return found
        raise AssertionError("unreachable")

    def run_link(self, run_id: str) -> str:
        """Page of a run."""
        return f"{self.ui_host}/#/runs/details/{run_id}"

    def get_raw(
        self, path: str, query: Mapping[str, str] | None = None, once: bool = False
    ) -> bytes:
        """Body of a GET of any path of the host, with the same credentials."""

        def read(**options: Any) -> bytes:
            answer = self._client.call_api(
                path, "GET", query_params=list((query or {}).items()),
                auth_settings=["Bearer"], _preload_content=False, **options,
            )  # fmt: skip
            body: bytes = answer.data
            return body

        return self.call(read, once=once)

    def _health(self) -> dict[str, Any]:
        """What the server says of itself; which keys, depends on its version."""
        # Read raw: kfp_server_api drops the version.
        try:
            answer = json.loads(self.get_raw("/apis/v2beta1/healthz"))
        except (ValueError, NotFound):
            answer = None
        if not isinstance(answer, dict):
            raise UsageError(
                f"{self.host} is no Kubeflow Pipelines API: check cluster.host, and whether a "
                "login page stands before it (cluster.token_file, cluster.cookies_file)"
            )
        return answer

    def pages(self, request: Callable[..., Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
        """All items of a list request, page after page."""
        token = ""
        while True:
            answer = self.call(request, *args, page_token=token, page_size=_PAGE, **kwargs)
            (items,) = answer.openapi_types.keys() - _NO_ITEMS
            yield from filter(None, getattr(answer, items) or ())
            token = answer.next_page_token
            if not token:
                return

    def named(
        self, request: Callable[..., Any], name: str, *args: Any, **kwargs: Any
    ) -> Iterator[Any]:
        """Items of a list request of exactly this display name."""
        condition = {"operation": "EQUALS", "key": "display_name", "string_value": name}
        text = json.dumps({"predicates": [condition]})
        # Servers decode a filter as an URL once too often.
        text = text.replace("%", r"\u0025").replace("+", r"\u002b")
        found = self.pages(request, *args, filter=text, **kwargs)
        # Servers compare without regard to case.
        return (item for item in found if item.display_name == name)

    def _once(self, request: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        try:
            answer = request(*args, _request_timeout=_TIMEOUT, **kwargs)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # kfp_server_api stumbles over a failure whose body is none, as when TLS fails.
            if isinstance(error.__context__, ApiException):
                raise error.__context__ from None
            raise self._no_data() from error
        if isinstance(answer, bytes):
            return answer
        response = self._client.last_response
        kind = response.urllib3_response.headers.get("content-type", "")
        if kind.startswith("text/html"):
            raise ApiException(status=302, reason="a page in place of data")
        try:  # kfp_server_api takes anything else for an empty answer
            is_data = isinstance(json.loads(response.data), dict)
        except ValueError:
            is_data = False
        if not is_data:
            raise self._no_data()
        return answer

    def _no_data(self) -> ServerError:
        return ServerError(
            f"{self.host} answered with what is no data of Kubeflow Pipelines: check cluster.host"
        )

    def _explain(self, error: ApiException | HTTPError) -> PipelineError:
        """An error's meaning in one line, with no credentials in it."""
        if isinstance(error, ApiException):
            return self._explain_answer(error.status or 0, self._message(error))
        if isinstance(error, ReadTimeoutError):
            return ServerError(f"{self.host} did not answer within {_TIMEOUT[1]} s; try again")
        if isinstance(error, NewConnectionError | ConnectTimeoutError):
            hint = "check cluster.host"
            if urlsplit(self.host).hostname in {"localhost", "127.0.0.1", "::1"}:
                hint += "; is `kubectl port-forward` still running?"
            return ServerError(f"no server answers at {self.host}: {hint}")
        kind = type(error).__name__
        return ServerError(f"{self.host} broke the connection again and again ({kind})")

    def _explain_answer(self, status: int, message: str) -> PipelineError:
        where = f"{self.host} ({status})"
        if status == 0:  # kfp_server_api's way to say that TLS failed
            return UsageError(
                f"no secure connection to {self.host}: {message}; check cluster.ca_file and "
                "cluster.client_certificate_file"
            )
        if status == 401 or 300 <= status < 400:
            return UsageError(f"{where}: not logged in: {self._credentials.advice()}")
        if status == 403:
            return UsageError(
                f"{where}: not allowed: {message}; check cluster.namespace, and that the "
                "account may do this there"
            )
        if status == 404:
            return NotFound(f"{where}: not found: {message}")
        if status in {400, 409, 412}:
            return UsageError(f"{where}: refused: {message}")
        return ServerError(f"{where}: {message}; look at the log of its ml-pipeline pod")

    def _message(self, error: ApiException) -> str:
        """The server's own words; versions differ in where they put them."""
        try:
            body = json.loads(error.body)
            text = body.get("message") or body.get("error_message") or body.get("error")
        except (TypeError, ValueError, AttributeError):
            text = error.reason
        text = self._credentials.redact(one_line(text or "no reason given"))
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


_NO_ITEMS = {"total_size", "next_page_token"}


def _may_go_on(error: ApiException | HTTPError) -> bool:
    """Whether the server may still be at work: we, or a proxy, have only stopped waiting."""
    if isinstance(error, ApiException):
        return error.status in {408, 504}
    return isinstance(error, ReadTimeoutError)


def _may_pass(error: ApiException | HTTPError) -> bool:
    if isinstance(error, ApiException):
        # kfp_server_api takes a connection that breaks for one that was never secure.
        return error.status in _PASSING or (not error.status and "EOF" in str(error.reason))
    return True
