"""The operator's proxy: what goes through it and what never does, what it gets to see, and that its password
is shown nowhere. Everything over real sockets on 127.0.0.1.
"""

import asyncio
import socket
import traceback

import pytest
from support.certificates import write_certificates
from support.probing import OPENAI, target
from support.providers import FakeProviders, key
from support.scripted import Names, Scripted, leads_to, says

from reconciler.core.probe import Access
from reconciler.errors import UsageError
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Request, SecretHeader
from reconciler.protocols.transport import open_transport
from reconciler.service.verification import probe_all
from reconciler.settings import from_environment

PASSWORD = "canary-of-the-proxy"
KEY = SecretHeader("Authorization", "Bearer ", Secret(key(), source="X"))


@pytest.fixture
def fake():
    with FakeProviders() as server:
        yield server


def sent(*requests, ca_file=None, **options):
    async def send():
        async with open_transport(ca_file, **options) as transport:
            return [await transport.send(request) for request in requests]

    return asyncio.run(send())


def get(url, addresses="public", *, timeout=5.0):
    return Request("GET", url, timeout, secrets=(KEY,), addresses=addresses)


@pytest.fixture
def gateway(tmp_path):
    authority, *pair = write_certificates(tmp_path, name="gateway.example")
    with FakeProviders(certificate=pair) as fake:
        fake.authority = str(authority)
        yield fake


def test_a_proxy_of_the_operator_sees_names_and_no_keys(gateway, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    names = Names(OSError("the proxy looks names up"))
    with Scripted(leads_to(gateway.host)) as proxy:
        (answer,) = sent(
            get(f"{gateway.openai.replace('127.0.0.1', 'gateway.example')}/models"),
            proxy=f"http://user:{PASSWORD}@{proxy.host}",
            resolver=names,
            ca_file=gateway.authority,
        )
        (head,) = proxy.heads
    assert (answer.status, names.asked, gateway.has_seen(key())) == (200, [], True)
    assert head.startswith(b"CONNECT gateway.example:")
    assert b"Proxy-Authorization: Basic" in head
    assert key().encode() not in head
    assert not gateway.has_seen("proxy-authorization")


def test_a_probe_goes_through_the_operators_proxy(gateway):
    base_url = gateway.openai.replace("127.0.0.1", "gateway.example")
    host = gateway.host.replace("127.0.0.1", "gateway.example")
    with Scripted(leads_to(gateway.host)) as proxy:
        allowed = Access(
            {"OPENAI_API_KEY": key()},
            allowed_hosts=(host,),
            ca_file=gateway.authority,
            proxy=f"http://{proxy.host}",
        )
        (result,) = probe_all([target("gpt-4", OPENAI, base_url)], allowed)
        assert (result.outcome, len(proxy.heads)) == ("ok", 1)


def test_a_proxy_over_tls_is_held_to_its_certificate(gateway, tmp_path):
    url = f"{gateway.openai.replace('127.0.0.1', 'gateway.example')}/models"
    (verdict,) = sent(get(url), proxy=f"https://user:{PASSWORD}@{gateway.host}", ca_file=gateway.authority)
    assert (verdict.outcome, "certificate" in verdict.detail) == ("unreachable", True)
    assert PASSWORD not in repr(verdict)
    assert gateway.requests == []


def test_loopback_is_never_reached_through_a_proxy(fake):
    with Scripted(leads_to(fake.host)) as proxy:
        urls = [f"{fake.openai}/models", f"{fake.openai.replace('127.0.0.1', 'localhost')}/models"]
        answers = sent(*(get(url, "loopback") for url in urls), proxy=f"http://{proxy.host}")
        assert [answer.status for answer in answers] == [200, 200]
        assert proxy.heads == []


def test_a_proxy_is_asked_for_no_address_that_a_public_service_cannot_have():
    with Scripted(says(b"HTTP/1.1 200 OK\r\n\r\n")) as proxy:
        (verdict,) = sent(get("https://169.254.169.254/latest"), proxy=f"http://{proxy.host}")
        assert (verdict.outcome, proxy.heads) == ("refused_host", [])


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 407 Sorry user:" + PASSWORD.encode() + b"\r\n\r\n", b"HTTP/1.1 502 Bad\r\n\r\n"]
)
def test_a_proxy_that_refuses_is_named_without_its_password(said):
    with Scripted(says(said)) as proxy:
        (verdict,) = sent(get("https://api.openai.com/v1"), proxy=f"http://user:{PASSWORD}@{proxy.host}")
        status = said[9:12].decode()
        assert (verdict.outcome, PASSWORD in repr(verdict)) == ("unreachable", False)
        assert verdict.detail.endswith(f"the proxy answered {status}")
        assert proxy.host in verdict.detail


def test_a_proxy_where_nobody_listens_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        (verdict,) = sent(get("https://api.openai.com/v1"), proxy=f"http://user:{PASSWORD}@{host}")
    assert (verdict.outcome, "refused" in verdict.detail, host in verdict.detail) == (
        "unreachable", True, True,
    )  # fmt: skip
    assert PASSWORD not in repr(verdict)


@pytest.mark.parametrize(
    "url",
    [
        f"user:{PASSWORD}@proxy.example:3128",
        f"socks5://user:{PASSWORD}@proxy.example",
        f"ftp://user:{PASSWORD}@proxy.example",
        f"http://user:{PASSWORD}@",
        f"http://user:{PASSWORD}@proxy.example:99999",
        f"http://user:{PASSWORD}@proxy.example:port",
        f"http://user:{PASSWORD}@proxy.example/{PASSWORD}",
        f"http://user:{PASSWORD}@[proxy",
        f"http://user:{PASSWORD}\n@proxy.example",
        PASSWORD,
    ],
)
def test_an_impossible_proxy_is_refused_and_nothing_of_it_is_repeated(url):
    allowed = Access({"OPENAI_API_KEY": key()}, proxy=url)
    with pytest.raises(UsageError) as caught:
        probe_all([target()], allowed)
    assert caught.value.code == "bad-proxy"
    shown = "".join(traceback.format_exception(caught.value)) + str(vars(caught.value))
    assert PASSWORD not in shown + repr(allowed)


def test_the_setting_of_the_proxy_is_read_and_not_shown():
    settings = from_environment({"RECONCILER_PROXY": f"http://user:{PASSWORD}@proxy.example:3128"})
    assert settings.proxy == f"http://user:{PASSWORD}@proxy.example:3128"
    assert PASSWORD not in repr(settings)
    assert from_environment({"HTTPS_PROXY": "http://proxy.example", "RECONCILER_PROXY": ""}).proxy is None


def test_proxies_of_the_environment_get_nothing_even_where_the_operator_has_none(gateway, monkeypatch):
    url = f"{gateway.openai.replace('127.0.0.1', 'gateway.example')}/models"
    with Scripted(leads_to(gateway.host)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.host}")
        (answer,) = sent(get(url, "private"), resolver=Names(["127.0.0.1"]), ca_file=gateway.authority)
        assert (answer.status, proxy.heads) == (200, [])
