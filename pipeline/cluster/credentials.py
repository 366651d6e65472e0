"""Who asks the server. What is secret here is in no message."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import kfp_server_api

from components.shared.errors import UsageError
from pipeline.cluster.config import ClusterConfig, refuse_password

HOST_VARIABLE = "KFP_ENDPOINT"
TOKEN_VARIABLE = "KFP_TOKEN"
COOKIES_VARIABLE = "KFP_COOKIES"
TOKEN_FILE_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # where kfp's own client looks for one, too


def named_host(config: ClusterConfig) -> str:
    """The server that configuration or environment name; empty where none is."""
    return config.host or os.environ.get(HOST_VARIABLE, "")


def host_of(config: ClusterConfig) -> str:
    """Address of the server, without a slash at its end.

    Raises:
        UsageError: None is named, or it is no address.
    """
    host = named_host(config)
    if not host:
        raise UsageError(
            f"no server named: set cluster.host or ${HOST_VARIABLE}, e.g. to "
            "http://localhost:8080 after `kubectl port-forward -n kubeflow "
            "svc/ml-pipeline-ui 8080:80`"
        )
    refuse_password(host)
    try:
        parts = urlsplit(host)
        whole = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # of the port, or of an IPv6 address
        whole = False
    if not whole:
        raise UsageError(f"cluster.host (={host}): is no address; write e.g. http://localhost:8080")
    return host.rstrip("/")


class Credentials:
    """Token, cookies and certificates, as the configuration and the environment name them."""

    def __init__(self, config: ClusterConfig) -> None:
        """Read what is given once.

        Raises:
            UsageError: A file cannot be read, or holds no token.
        """
        self._config = config
        self._token = os.environ.get(TOKEN_VARIABLE, "").strip()
        self._token_file = config.token_file or os.environ.get(TOKEN_FILE_VARIABLE, "")
        cookies = os.environ.get(COOKIES_VARIABLE, "").strip()
        if not cookies and config.cookies_file:
            cookies = _read("cluster.cookies_file", config.cookies_file)
        if config.client_key_file and not config.client_certificate_file:
            raise UsageError("cluster.client_key_file needs cluster.client_certificate_file")
        self._cookies = _header(cookies, COOKIES_VARIABLE)
        self._seen = {part.partition("=")[2].strip() for part in self._cookies.split(";")}
        self.token()

    def client(self, host: str) -> kfp_server_api.ApiClient:
        """A client of the generated API that shows these credentials."""
        configuration = kfp_server_api.Configuration(host=host)
        configuration.retries = False  # how often to ask is for the caller to say
        for attribute, key in (
            ("ssl_ca_cert", "ca_file"),
            ("cert_file", "client_certificate_file"),
            ("key_file", "client_key_file"),
        ):
            if path := getattr(self._config, key):
                _read(f"cluster.{key}", path)
                setattr(configuration, attribute, str(Path(path).expanduser()))
        if self.token():
            configuration.api_key = {"authorization": "set by the hook"}
            configuration.api_key_prefix = {"authorization": "Bearer"}
            # Service accounts' tokens are replaced in their file every hour.
            configuration.refresh_api_key_hook = lambda asked: asked.api_key.update(
                authorization=self.token()
            )
        return kfp_server_api.ApiClient(configuration, cookie=self._cookies or None)

    def token(self) -> str:
        """The bearer token as it is now; empty where there is none."""
        token = self._token
        if not token and self._token_file:
            token = _read("cluster.token_file", self._token_file)
        token = token.removeprefix("Bearer ")
        if token:
            self._seen.add(token)
        return _header(token, TOKEN_VARIABLE)

    def redact(self, text: str) -> str:
        """The text without any of the secrets."""
        # A short one is no secret, and may be part of any word.
        for secret in sorted(filter(lambda one: len(one) > 3, self._seen), key=len, reverse=True):
            text = text.replace(secret, "…")
        return text

    def advice(self) -> str:
        """What to do when the server does not know who asks."""
        if self._token or self._token_file or self._cookies:
            return "the token or cookie was not taken; it may have expired: get a new one"
        return (
            f"put a token into ${TOKEN_VARIABLE} or cookies into ${COOKIES_VARIABLE}, or name "
            "cluster.token_file, cluster.cookies_file or a client certificate"
        )


def _read(key: str, path: str) -> str:
    # The path is not shown: it may be the secret itself, put there by mistake.
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text, or no path"
        raise UsageError(f"the file that {key} names cannot be read: {reason}") from None
    if not text:
        raise UsageError(f"the file that {key} names is empty")
    return text


def _header(value: str, variable: str) -> str:
    # The libraries below would show the whole value in their error.
    if not value.isascii() or not value.isprintable():
        raise UsageError(f"${variable} or its file holds what no header can: give it as one line")
    return value
