"""Who asks the server, how often, and what a person is told when it does not work."""

import logging
import socket
import ssl

import pytest
import trustme

from pipeline.cluster import server as server_module
from tests.pipeline.cluster.conftest import options
from tests.pipeline.cluster.contract_http import Refusal
from tests.pipeline.cluster.contract_server import ContractServer

TOKEN = "eyJhbGciOi.s3cret.t0ken"


@pytest.fixture
def login(contract):
    contract.token = TOKEN
    return contract


@pytest.mark.cluster
def test_a_server_that_lets_us_in(dcgan, at):
    assert dcgan("runs", "list", *at).out


def test_host_may_come_from_the_environment(dcgan, contract, monkeypatch):
    monkeypatch.setenv("KFP_ENDPOINT", contract.url)
    assert dcgan("runs", "list").out == "no runs yet\n"


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("''", "no server named: set cluster.host or $KFP_ENDPOINT"),
        ("kubeflow.example", "(=kubeflow.example): is no address"),
        ("https://", "(=https://): is no address"),
        ("http://[::1", "is no address"),
        ("http://localhost:99999", "is no address"),
        ("http://localhost:x", "is no address"),
        ("https://me:hunter2@kubeflow.example", "holds a name or password"),
        ("https://hunter2@kubeflow.example", "holds a name or password"),
    ],
)
def test_host_that_is_none(dcgan, host, message):
    done = dcgan("runs", "list", *options(host), code=2)
    assert message in done.err
    assert "hunter2" not in done.err


def test_nobody_answers(dcgan):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"http://localhost:{free.getsockname()[1]}"
        done = dcgan("runs", "list", *options(host), code=1)
    assert f"no server answers at {host}" in done.err
    assert "is `kubectl port-forward` still running?" in done.err


def test_unknown_name(dcgan):
    assert "no server answers" in dcgan("runs", "list", *options("http://x.invalid"), code=1).err


def test_not_kubeflow(dcgan, contract, monkeypatch):
    monkeypatch.setattr(contract, "health", lambda: b"<!doctype html><title>Log in</title>")
    assert (
        "is no Kubeflow Pipelines API" in dcgan("runs", "list", *options(contract.url), code=2).err
    )


@pytest.mark.parametrize("way", ["environment", "file", "kfp's own variable"])
def test_token(dcgan, login, tmp_path, monkeypatch, way):
    arguments = options(login.url)
    if way == "environment":
        monkeypatch.setenv("KFP_TOKEN", f"{TOKEN}\n")
    else:
        file = tmp_path / "token"
        file.write_text(f"{TOKEN}\n")
        if way == "file":
            arguments = options(login.url, f"cluster.token_file={file}")
        else:
            monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    assert dcgan("runs", "list", *arguments).out == "no runs yet\n"


def test_token_file_is_read_anew_at_each_request(dcgan, login, tmp_path, monkeypatch):
    """The kubelet replaces a service account's token every hour."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    answer = login.list_of

    def replace_then_answer(*arguments):
        file.write_text("a-new-one")
        login.token = "a-new-one"
        return answer(*arguments)

    monkeypatch.setattr(login, "list_of", replace_then_answer)
    arguments = options(login.url, f"cluster.token_file={file}")
    dcgan("submit", "--images", "/dcgan/p", *arguments)
    assert login.token == "a-new-one"


@pytest.mark.parametrize("way", ["environment", "file"])
def test_cookies(dcgan, contract, tmp_path, monkeypatch, way):
    contract.cookie = "authservice_session=MTYz"
    arguments = options(contract.url)
    if way == "environment":
        monkeypatch.setenv("KFP_COOKIES", contract.cookie)
    else:
        (tmp_path / "cookies").write_text(f"{contract.cookie}\n")
        arguments = options(contract.url, f"cluster.cookies_file={tmp_path}/cookies")
    assert dcgan("runs", "list", *arguments).out == "no runs yet\n"


def test_not_logged_in(dcgan, login):
    done = dcgan("runs", "list", *options(login.url), code=2)
    assert "(401): not logged in: put a token into $KFP_TOKEN" in done.err


def test_a_login_page_in_place_of_an_answer(dcgan, contract, monkeypatch):
    page = "<!doctype html><title>Log in</title>"
    monkeypatch.setattr(contract, "list_of", lambda *_: page)
    done = dcgan("runs", "list", *options(contract.url), code=2)
    assert "not logged in" in done.err


@pytest.mark.parametrize("status", [302, 307])
def test_sent_to_a_login_page(dcgan, contract, status):
    contract.fail("GET /apis/v2beta1/experiments", status=status)
    assert f"({status}): not logged in" in dcgan("runs", "list", *options(contract.url), code=2).err


def test_a_token_that_has_expired(dcgan, login, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", "old")
    login.fail("GET /apis/v2beta1/experiments", status=401)
    done = dcgan("runs", "list", *options(login.url), code=2)
    assert "not logged in: the token or cookie was not taken; it may have expired" in done.err


def test_cookies_are_in_no_message_and_the_environments_go_first(
    dcgan, contract, tmp_path, monkeypatch
):
    contract.cookie = "session=right"
    (tmp_path / "cookies").write_text("session=right")
    monkeypatch.setenv("KFP_COOKIES", "a=wr0ng; session=wr0ng-too")
    arguments = options(contract.url, f"cluster.cookies_file={tmp_path}/cookies")
    done = dcgan("runs", "list", *arguments, code=2)
    assert "(403): not allowed: PermissionDenied: a=…; session=… may not" in done.err


def test_refused_token_is_in_no_message_and_no_log(dcgan, login, monkeypatch, caplog):
    """This server's own error text repeats what it was shown."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("KFP_TOKEN", "wr0ng-t0ken")
    done = dcgan("runs", "list", *options(login.url), code=2)
    assert "(403): not allowed: PermissionDenied: Bearer … may not do this" in done.err
    assert "wr0ng" not in done.err + done.out
    assert "wr0ng" not in "".join(
        record.getMessage() for record in caplog.records if record.name != "kfp_server_api.rest"
    )


@pytest.mark.parametrize("token", ["two\nlines", "ümlaut"])
def test_token_that_no_header_can_hold(dcgan, contract, monkeypatch, token):
    monkeypatch.setenv("KFP_TOKEN", token)
    done = dcgan("runs", "list", *options(contract.url), code=2)
    assert "$KFP_TOKEN or its file holds what no header can" in done.err
    assert token.split()[0] not in done.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("", "is empty"),
        (b"\xff", "cannot be read: no text"),
    ],
)
def test_token_file_without_a_token(dcgan, contract, tmp_path, content, message):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = dcgan("runs", "list", *options(contract.url, f"cluster.token_file={file}"), code=2)
    assert f"the file that cluster.token_file names {message}" in done.err
    assert str(file) not in done.err  # what stands there may be the token itself


def test_token_is_in_nothing_that_is_sent_to_be_kept(dcgan, login, monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", TOKEN)
    dcgan("submit", "--images", "/dcgan/p", *options(login.url))
    kept = [*login.versions.values(), *login.runs.values(), *login.experiments.values()]
    assert len(kept) == 3
    assert TOKEN not in str(kept)


@pytest.fixture
def certificates(tmp_path):
    """Of a private authority: a server that asks for certificates, and a client's."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    client = authority.issue_cert("me@example.org")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "me.pem")
    client.private_key_pem.write_to_path(tmp_path / "me.key")
    server = ContractServer(context)
    yield server, tmp_path
    server.close()


def test_client_certificate(dcgan, certificates):
    server, folder = certificates
    arguments = options(
        server.url,
        f"cluster.ca_file={folder}/ca.pem",
        f"cluster.client_certificate_file={folder}/me.pem",
        f"cluster.client_key_file={folder}/me.key",
    )
    assert dcgan("runs", "list", *arguments).out == "no runs yet\n"


def test_certificate_of_an_authority_that_is_not_trusted(dcgan, certificates):
    server, _ = certificates
    done = dcgan("runs", "list", *options(server.url), code=2)
    assert "no secure connection" in done.err
    assert "check cluster.ca_file" in done.err


def test_the_uis_server_in_front(dcgan, contract):
    """It answers for the API's health in words of its own."""
    contract.is_ui = contract.multi_user = True
    contract.version = "1.8.5"
    submit = ["submit", "--images", "/dcgan/p", *options(contract.url)]
    assert "serves many users" in dcgan(*submit, code=2).err
    contract.multi_user = False
    assert "is Kubeflow Pipelines 1.8.5" in dcgan(*submit, code=2).err


def test_the_uis_server_in_front_of_none(dcgan, contract, monkeypatch):
    monkeypatch.setattr(contract, "health", lambda: b'{"apiServerReady": false}')
    done = dcgan("runs", "list", *options(contract.url), code=1)
    assert "is not ready: try again" in done.err


@pytest.mark.parametrize("key", ["host", "ui_host"])
def test_a_password_comes_into_no_file(dcgan, tmp_path, key):
    setting = f"cluster.{key}=https://me:hunter2@kubeflow.example"
    arguments = ["--images", "/dcgan/p", *options("''", setting)]
    done = dcgan("compile", "-o", tmp_path / "x.yaml", *arguments, code=2)
    assert "holds a name or password" in done.err
    assert "hunter2" not in done.err
    assert not list(tmp_path.iterdir())


def test_a_key_without_its_certificate(dcgan, contract):
    done = dcgan("runs", "list", *options(contract.url, "cluster.client_key_file=x"), code=2)
    assert "cluster.client_key_file needs cluster.client_certificate_file" in done.err


@pytest.mark.parametrize("answer", [b"null", b"[]", b"", b"no json", b'"x"', b"\xff"])
@pytest.mark.parametrize("table", ["experiments", "pipelines", "runs"])
def test_an_answer_that_is_no_data(dcgan, contract, monkeypatch, table, answer):
    """It must not be taken for an empty list, which would make a second of what is there."""
    list_of = contract.list_of
    rows = getattr(contract, table)
    monkeypatch.setattr(
        contract, "list_of", lambda *asked: answer if asked[0] is rows else list_of(*asked)
    )
    submit = ["submit", "--images", "/dcgan/p", *options(contract.url)]
    assert "answered with what is no data" in dcgan(*submit, code=1).err


def test_links_are_to_the_pages(dcgan, contract):
    arguments = options(f"{contract.url}/", "cluster.ui_host=https://pages.example/pipeline/")
    done = dcgan("submit", "--images", "/dcgan/p", *arguments)
    assert "\nhttps://pages.example/pipeline/#/runs/details/" in done.out
    assert not [line for line in contract.requests if "//" in line]


def test_the_servers_own_words_are_passed_on_but_not_by_the_page(dcgan, contract, monkeypatch):
    def refuse(*_):
        raise Refusal(400, None, "too  long\n" * 1000)

    monkeypatch.setattr(contract, "list_of", refuse)
    done = dcgan("runs", "list", *options(contract.url), code=2)
    assert "(400): refused: too long too long" in done.err
    assert len(done.err) < 400


def test_many_users_and_none_named(dcgan, contract):
    contract.multi_user = True
    done = dcgan("runs", "list", *options(contract.url), code=2)
    assert "serves many users: set cluster.namespace" in done.err


def test_namespace_is_sent_where_there_are_many_and_only_there(dcgan, contract):
    arguments = ["--images", "/dcgan/p", *options(contract.url, "cluster.namespace=me")]
    dcgan("submit", *arguments)
    contract.multi_user = True
    dcgan("submit", *arguments)
    assert [one.get("namespace") for one in contract.experiments.values()] == [None, "me"]


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 502}, {"status": 503}, {"status": 429}, {}]
)
def test_what_passes_is_tried_again(dcgan, contract, fault):
    contract.fail("GET /apis/v2beta1/experiments", times=2, **fault)
    assert dcgan("runs", "list", *options(contract.url)).out == "no runs yet\n"


def test_what_does_not_pass_is_said(dcgan, contract):
    contract.fail("GET /apis/v2beta1/experiments", times=3, status=503)
    done = dcgan("runs", "list", *options(contract.url), code=1)
    assert "(503): out of order; look at the log of its ml-pipeline pod" in done.err
    contract.fail("GET /apis/v2beta1/experiments", times=3)
    done = dcgan("runs", "list", *options(contract.url), code=1)
    assert "broke the connection again and again" in done.err


def test_what_a_further_try_cannot_mend_is_not_tried_again(dcgan, contract):
    contract.fail("GET /apis/v2beta1/experiments", status=409)
    done = dcgan("runs", "list", *options(contract.url), code=2)
    assert "(409): refused: out of order" in done.err
    assert contract.requests.count("GET /apis/v2beta1/experiments") == 1


def test_slow_answer_is_waited_for_until_it_is_too_slow(dcgan, contract, monkeypatch):
    contract.fail("GET /apis/v2beta1/experiments", seconds=0.3)
    assert dcgan("runs", "list", *options(contract.url)).out == "no runs yet\n"
    monkeypatch.setattr(server_module, "_TIMEOUT", (5, 0.1))
    contract.fail("GET /apis/v2beta1/experiments", seconds=1)
    assert dcgan("runs", "list", *options(contract.url)).out == "no runs yet\n"
    contract.fail("GET /apis/v2beta1/experiments", times=3, seconds=1)
    done = dcgan("runs", "list", *options(contract.url), code=1)
    assert "did not answer within 0.1 s" in done.err
