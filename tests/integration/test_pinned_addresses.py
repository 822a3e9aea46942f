"""The address that was checked is the one that is connected to: names that change, mixed answers, private
networks, certificates and pools, over real sockets on 127.0.0.1. What must not be connected to
listens, so that silence proves something.
"""

import asyncio
import contextlib
import socket
import time
from datetime import UTC, datetime

import pytest
from support.certificates import write_certificates
from support.probing import COMPATIBLE, access, target, watsonx
from support.providers import FakeProviders, key
from support.scripted import Names

from reconciler.core.probe import Access
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Answer, Request, SecretHeader
from reconciler.protocols.pinned import system_resolver
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import open_run
from reconciler.protocols.transport import open_transport
from reconciler.service.unwaited import UnwaitedThreads

KEY = SecretHeader("Authorization", "Bearer ", Secret(key(), source="X"))
# Public by its form, and given to nobody.
NOWHERE = "2d00:dead::1"


class Listening:
    """A port of 127.0.0.1 and ::1 where somebody would answer."""

    def __init__(self):
        self.sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = self.sockets[0].getsockname()[1]
        with contextlib.suppress(OSError):
            self.sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))

    @property
    def is_untouched(self):
        return not any(self._was_called(one) for one in self.sockets)

    def _was_called(self, one):
        one.setblocking(False)
        try:
            one.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def listening():
    found = Listening()
    yield found
    for one in found.sockets:
        one.close()


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


def probed(case, allowed, names):
    async def probe():
        async with (
            open_transport(resolver=names) as transport,
            open_run(transport, allowed, now=datetime.now(UTC)) as run,
        ):
            return await protocol(case.kind.protocol).verify(case, run)

    return asyncio.run(probe())


def test_the_listening_port_notices_who_calls(listening):
    with socket.create_connection(("127.0.0.1", listening.port)):
        assert not listening.is_untouched
    assert listening.is_untouched


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (["127.0.0.1"], "stands for 127.0.0.1, which is a loopback address"),
        (["::1"], "stands for ::1, which is a loopback address"),
        (["::ffff:127.0.0.1"], "a loopback address, written as one of IPv6"),
        (["0.0.0.0"], "an unspecified address"),
        (["10.0.0.5"], "a private address"),
        (["169.254.169.254"], "the metadata service of a cloud"),
        (["fe80::1%1"], "a link-local address"),
        ([NOWHERE, "127.0.0.1"], "stands for 127.0.0.1"),
        (["127.0.0.1", NOWHERE], "stands for 127.0.0.1"),
    ],
)
def test_a_public_name_that_stands_for_another_machine_is_not_called(listening, found, words):
    names = Names(found)
    (verdict,) = sent(get(f"https://api.openai.com:{listening.port}/v1/models"), resolver=names)
    assert (verdict.outcome, words in verdict.detail) == ("refused_host", True)
    assert verdict.detail.startswith("api.openai.com ")
    assert verdict.detail.endswith("nothing was sent")
    assert listening.is_untouched
    assert names.asked == ["api.openai.com"]


def test_a_name_that_changes_after_the_check_leads_nowhere_else(listening):
    names = Names([NOWHERE], ["127.0.0.1"])
    question = get(f"http://rebinding.example:{listening.port}/", timeout=0.3)
    first, second = sent(question, question, resolver=names)
    # The first call went to the address that was checked; the second lookup was checked again.
    assert first.outcome in {"timeout", "unreachable"}
    assert second.outcome == "refused_host"
    assert len(names.asked) == 2
    assert listening.is_untouched


def test_a_connection_is_kept_whatever_its_name_comes_to_stand_for(fake):
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    question = get(f"{fake.openai.replace('127.0.0.1', 'gateway.example')}/models", "private")
    answers = sent(question, question, resolver=names)
    assert [answer.status for answer in answers] == [200, 200]
    assert names.asked == ["gateway.example"]
    assert fake.requests[0].headers["host"] == fake.host.replace("127.0.0.1", "gateway.example")


def test_a_connection_of_a_laxer_policy_serves_no_stricter_request(fake):
    url = f"{fake.openai.replace('127.0.0.1', 'gateway.example')}/models"
    lax, strict, local = sent(
        get(url, "private"), get(url, "public"), get(url, "loopback"), resolver=Names(["127.0.0.1"])
    )
    assert (lax.status, strict.outcome, local.status) == (200, "refused_host", 200)
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("addresses", "found", "opened"),
    [
        ("private", "127.0.0.1", True),
        ("private", "169.254.169.254", False),
        ("private", "fe80::1", False),
        ("loopback", "127.0.0.1", True),
        ("loopback", "10.0.0.5", False),
        ("loopback", NOWHERE, False),
    ],
)
def test_a_policy_binds_what_a_name_may_stand_for(fake, addresses, found, opened):
    url = f"{fake.openai.replace('127.0.0.1', 'localhost')}/models"
    (exchange,) = sent(get(url, addresses), resolver=Names([found]))
    assert (isinstance(exchange, Answer), len(fake.requests)) == (opened, opened)
    assert opened or exchange.outcome == "refused_host"


@pytest.mark.parametrize(("addresses", "opened"), [("public", False), ("loopback", True), ("private", True)])
def test_a_literal_address_is_checked_and_looked_up_nowhere(fake, addresses, opened):
    names = Names(OSError("nobody asked"))
    (exchange,) = sent(get(f"{fake.openai}/models", addresses), resolver=names)
    assert (isinstance(exchange, Answer), len(fake.requests), names.asked) == (opened, opened, [])
    assert opened or exchange.detail == "127.0.0.1 is a loopback address; nothing was sent"


def test_the_certificate_is_held_against_the_name_and_not_the_address(tmp_path):
    authority, *pair = write_certificates(tmp_path, name="gateway.example")
    with FakeProviders(certificate=pair) as fake:
        urls = [
            f"{fake.openai.replace('127.0.0.1', name)}/models" for name in ("gateway.example", "x.example")
        ]
        right, wrong, bare = sent(
            *(get(url, "private") for url in (*urls, f"{fake.openai}/models")),
            resolver=Names(["127.0.0.1"]),
            ca_file=str(authority),
        )
        assert (right.status, wrong.outcome, bare.outcome) == (200, "unreachable", "unreachable")
        assert "certificate" in wrong.detail
        assert [request.headers["host"].partition(":")[0] for request in fake.requests] == ["gateway.example"]


def test_an_address_that_refuses_gives_way_to_the_next(fake):
    url = f"{fake.openai.replace('127.0.0.1', 'gateway.example')}/models"
    (answer,) = sent(get(url, "private"), resolver=Names(["127.0.0.7", "127.0.0.8", "127.0.0.1"]))
    assert answer.status == 200
    (verdict,) = sent(get(url, "private"), resolver=Names(["127.0.0.7", "127.0.0.8"]))
    assert (verdict.outcome, "connection refused" in verdict.detail) == ("unreachable", True)


def test_a_dead_address_does_not_eat_the_timeout(fake):
    port = int(fake.host.partition(":")[2])
    with socket.create_server(("127.0.0.9", port), backlog=0), contextlib.ExitStack() as callers:
        # Who calls a full port hears nothing at all.
        for _ in range(4):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.9", port))
        url = f"{fake.openai.replace('127.0.0.1', 'gateway.example')}/models"
        started = time.monotonic()
        (answer,) = sent(get(url, "private"), resolver=Names(["127.0.0.9", "127.0.0.1"]))
        took = time.monotonic() - started
        (verdict,) = sent(get(url, "private", timeout=0.4), resolver=Names(["127.0.0.9"]))
    assert (answer.status, verdict.outcome) == (200, "timeout")
    assert took < 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        ([], "has no address"),
    ],
)
def test_a_name_that_stands_for_nothing_is_unreachable(answer, words):
    (verdict,) = sent(get("https://api.openai.com/v1"), resolver=Names(answer))
    assert (verdict.outcome, words in verdict.detail.lower()) == ("unreachable", True)


def test_a_lookup_that_hangs_is_given_up_with_the_request():
    async def never(host, port):
        await asyncio.Event().wait()

    (verdict,) = sent(get("https://api.openai.com/v1", timeout=0.1), resolver=never)
    assert verdict.outcome == "timeout"


def test_the_system_looks_names_up_in_the_executor_that_nobody_waits_for():
    class Counting(UnwaitedThreads):
        calls = 0

        def submit(self, fn, /, *args):
            self.calls += 1
            return super().submit(fn, *args)

    async def look_up():
        executor = Counting()
        asyncio.get_running_loop().set_default_executor(executor)
        found = await system_resolver("localhost", 80)
        return found, executor.calls

    found, calls = asyncio.run(look_up())
    assert set(found) <= {"127.0.0.1", "::1"}
    assert (len(found) > 0, calls) == (True, 1)


def test_a_whole_probe_of_a_public_service_stays_off_private_networks(listening):
    verdict = probed(target(), access(OPENAI_API_KEY=key()), Names(["10.0.0.5"]))
    assert (verdict.outcome, verdict.http_status) == ("refused_host", None)
    assert "api.openai.com stands for 10.0.0.5" in verdict.detail
    assert key() not in verdict.detail


def test_the_operators_own_word_for_a_kinds_host_makes_it_no_private_service():
    allowed = Access({"OPENAI_API_KEY": key()}, allowed_hosts=("api.openai.com",))
    assert probed(target(), allowed, Names(["127.0.0.1"])).outcome == "refused_host"


def test_a_key_is_not_exchanged_on_a_private_network():
    kind = watsonx("https://iam.cloud.ibm.com/identity/token", authenticated=True)
    case = target("granite-13b", kind, "https://us-south.ml.cloud.ibm.com")
    names = Names(["192.168.0.1"])
    verdict = probed(case, Access({"WATSONX_APIKEY": key()}), names)
    assert (verdict.outcome, names.asked) == ("refused_host", ["iam.cloud.ibm.com"])


def test_localhost_is_this_machine_or_nothing(fake):
    case = target("gpt-4", COMPATIBLE, fake.base_url("openai", "open").replace("127.0.0.1", "localhost"))
    assert probed(case, Access(), Names(["127.0.0.1"])).outcome == "ok"
    assert probed(case, Access(), Names(["10.0.0.5"])).outcome == "refused_host"
    assert probed(case, Access(), Names([NOWHERE])).outcome == "refused_host"
