"""The way to a provider: certificates, redirects, proxies, cookies, and answers that are slow, huge, broken
or none at all. Everything over real sockets on 127.0.0.1.
"""

import asyncio
import logging
import socket
import threading
import time

import pytest
from support.certificates import write_certificates
from support.probing import COMPATIBLE, OPENAI, access, target
from support.providers import FakeProviders, key

from reconciler.core.probe import Access
from reconciler.errors import UsageError
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import LARGEST_BODY, Answer, Request, SecretHeader, Verdict
from reconciler.protocols.transport import open_transport
from reconciler.service.unwaited import UnwaitedThreads
from reconciler.service.verification import probe_all


@pytest.fixture
def fake():
    with FakeProviders() as server:
        yield server


def sent(request, ca_file=None):
    async def send():
        async with open_transport(ca_file) as transport:
            return await transport.send(request)

    return asyncio.run(send())


def get(url, *, timeout=5.0, **fields):
    return Request("GET", url, timeout, addresses="loopback", **fields)


def probed(fake, model, *, timeout=5.0, **fields):
    case = target(model, OPENAI, fake.openai, timeout=timeout, **fields)
    return probe_all([case], access(fake, OPENAI_API_KEY=key()))[0]


def test_a_request_is_plain_and_carries_its_key_in_a_header(fake):
    authorization = SecretHeader("Authorization", "Bearer ", Secret(key(), source="X"))
    answer = sent(get(f"{fake.openai}/models", secrets=(authorization,)))
    assert isinstance(answer, Answer)
    assert (answer.status, answer.complete, answer.document["object"]) == (200, True, "list")
    (request,) = fake.requests
    assert request.headers["authorization"] == f"Bearer {key()}"
    assert request.headers["user-agent"] == "llm-reconciler"
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("model", "outcome", "status", "words"),
    [
        ("hang", "timeout", None, "0.3 s"),
        ("drip", "timeout", None, "0.3 s"),
        ("reset", "unreachable", None, "could not be reached"),
        ("malformed", "bad_response", 200, "makes no sense"),
        ("html", "bad_response", 200, "is base_url right"),
        ("error-in-200", "bad_response", 200, "Provider returned error"),
        ("huge", "bad_response", 200, "too large"),
        ("bomb", "bad_response", 200, "too large"),
        ("http-500", "overloaded", 500, "Internal server error"),
        ("http-529", "overloaded", 529, "Overloaded"),
    ],
)
def test_trouble_on_the_way_has_an_outcome(fake, model, outcome, status, words):
    result = probed(fake, model, timeout=0.3 if status is None else 5.0)
    assert (result.outcome, result.http_status) == (outcome, status)
    assert words in result.detail


def test_a_slow_answer_within_the_timeout_is_an_answer(fake):
    result = probed(fake, "slow")
    assert result.outcome == "ok"
    assert result.latency_ms >= fake.slowness * 1000


def test_a_body_is_read_no_further_than_its_limit(fake):
    answer = sent(get(f"{fake.base_url('openai', 'huge')}/models"))
    assert (len(answer.body), answer.complete) == (LARGEST_BODY, False)


def test_a_bomb_is_not_unpacked_beyond_the_limit(fake):
    answer = sent(get(f"{fake.base_url('openai', 'bomb')}/models"))
    assert (len(answer.body), answer.complete) == (LARGEST_BODY, False)


def test_a_redirect_is_told_and_not_followed():
    with FakeProviders() as thief, FakeProviders(redirect_to=f"{thief.openai}/models") as fake:
        result = probed(fake, "redirect")
        assert (result.outcome, result.http_status) == ("bad_response", 307)
        assert f"redirects to {thief.host}" in result.detail
        assert fake.has_seen(key())
        assert thief.requests == []


def test_a_proxy_in_the_environment_is_not_used(fake, monkeypatch):
    with FakeProviders() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert probed(fake, "gpt-4").outcome == "ok"
        assert proxy.requests == []


def test_cookies_are_not_kept(fake):
    base_url = fake.base_url("openai", "cookie")
    cases = [target(name, OPENAI, base_url) for name in ("a", "b", "c")]
    probe_all(cases, access(fake, OPENAI_API_KEY=key()))
    assert len(fake.requests) == 3
    assert not any("cookie" in request.headers for request in fake.requests)


def test_a_port_where_nobody_listens_is_unreachable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        case = target("a", COMPATIBLE, f"http://{host}/v1")
        (result,) = probe_all([case], Access())
    assert (result.outcome, "refused" in result.detail, host in result.detail) == ("unreachable", True, True)
    assert time.monotonic() - started < 2


def test_a_server_that_accepts_and_hangs_up_is_unreachable():
    def hang_up(server):
        server.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        hanging_up = threading.Thread(target=hang_up, args=(server,))
        hanging_up.start()
        verdict = sent(get(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        hanging_up.join()
    assert verdict.outcome == "unreachable"


def test_a_server_that_speaks_something_else_gives_a_bad_response():
    def greet(server):
        connection = server.accept()[0]
        with connection:
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        greeting = threading.Thread(target=greet, args=(server,))
        greeting.start()
        verdict = sent(get(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        greeting.join()
    assert verdict.outcome == "bad_response"


def test_a_header_that_cannot_be_sent_is_not_quoted(fake, caplog):
    caplog.set_level(logging.DEBUG)
    broken = SecretHeader("Authorization", "", Secret("sk-canary\nbroken", source="X"))
    verdict = sent(get(f"{fake.openai}/models", secrets=(broken,)))
    assert isinstance(verdict, Verdict)
    assert verdict.outcome == "probe_invalid"
    assert "canary" not in repr(verdict) + caplog.text
    assert fake.requests == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def test_a_private_authority_is_trusted_where_the_operator_names_it(certificates):
    authority, *pair = certificates
    with FakeProviders(certificate=pair) as fake:
        case = target("gpt-4", OPENAI, fake.openai)
        allowed = Access({"OPENAI_API_KEY": key()}, allowed_hosts=(fake.host,), ca_file=str(authority))
        (result,) = probe_all([case], allowed)
        assert (fake.url[:8], result.outcome) == ("https://", "ok")
        assert fake.has_seen(key())


def test_a_certificate_that_nobody_vouches_for_gets_no_key(certificates):
    with FakeProviders(certificate=certificates[1:]) as fake:
        result = probed(fake, "gpt-4")
        assert (result.outcome, fake.requests) == ("unreachable", [])
        assert "RECONCILER_CA_FILE" in result.detail


def test_a_certificate_for_another_name_gets_no_key(tmp_path):
    authority, *pair = write_certificates(tmp_path, name="api.openai.com")
    with FakeProviders(certificate=pair) as fake:
        verdict = sent(get(f"{fake.openai}/models"), ca_file=str(authority))
        assert (verdict.outcome, fake.requests) == ("unreachable", [])


def test_an_authority_in_the_environment_is_not_trusted(certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[0]))
    with FakeProviders(certificate=certificates[1:]) as fake:
        assert sent(get(f"{fake.openai}/models")).outcome == "unreachable"


def test_encryption_is_not_given_up_for_a_server_without_it(fake):
    verdict = sent(get(fake.openai.replace("http://", "https://") + "/models"))
    assert (verdict.outcome, fake.requests) == ("unreachable", [])


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_an_error_that_says_so(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"ca\.pem") as caught:
        probe_all([target()], Access({"OPENAI_API_KEY": key()}, ca_file=str(path)))
    assert caught.value.code == "bad-ca-file"


def test_nobody_waits_for_a_thread_that_is_stuck():
    stuck = threading.Event()

    async def look_up():
        loop = asyncio.get_running_loop()
        loop.set_default_executor(UnwaitedThreads())
        assert await loop.run_in_executor(None, lambda: 42) == 42
        with pytest.raises(OSError, match="no such name"):
            await loop.run_in_executor(None, failing)
        async with asyncio.timeout(0.05):
            await loop.run_in_executor(None, stuck.wait)

    def failing():
        raise OSError("no such name")

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(look_up())
    assert time.monotonic() - started < 1
    stuck.set()
