"""Verification from end to end against a real local server: every level and protocol, many models at once,
bounded time, Ctrl-C, and keys that reach nobody but their provider.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from pathlib import Path

import pytest
from support.probing import ANTHROPIC, COMPATIBLE, OPENAI, access, target, watsonx
from support.providers import FakeProviders, key

from reconciler.core.probe import Access
from reconciler.core.provider_kind import Probe, ProviderKind
from reconciler.kinds import built_in, names
from reconciler.service.verification import Interrupted, Limits, probe_all

TESTS = Path(__file__).parents[1]
VARIABLES = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "watsonx": "WATSONX_APIKEY"}
# Nobody waits where a provider asks for it; what comes of waiting is told elsewhere.
IMPATIENT = Limits(longest_wait=0)


@pytest.fixture
def fake():
    with FakeProviders() as server:
        yield server


def kind_of(protocol, fake):
    return {"openai": OPENAI, "anthropic": ANTHROPIC, "watsonx": watsonx(fake.iam)}[protocol]


def probed(fake, protocol, model, *, with_key="", level="model", **fields):
    case = target(model, kind_of(protocol, fake), fake.base_url(protocol), level=level, **fields)
    allowed = access(fake, **{VARIABLES[protocol]: with_key or key()})
    return probe_all([case], allowed, limits=IMPATIENT)[0]


@pytest.mark.parametrize(
    ("protocol", "model", "outcome", "status"),
    [
        ("openai", "gpt-4", "ok", 200),
        ("openai", "gpt-4o", "model_not_found", 404),
        ("openai", "gpt-4o-2024-08-06", "ok", 200),
        ("openai", "meta/llama-3-8b", "ok", 200),
        ("openai", "gpt-9", "model_not_found", 404),
        ("openai", "lying", "model_mismatch", 200),
        ("openai", "gated", "forbidden", 403),
        ("openai", "gone", "model_withdrawn", 410),
        ("openai", "wrong-region", "wrong_region", 403),
        ("openai", "rate-limited", "rate_limited", 429),
        ("openai", "no-quota", "quota_exhausted", 429),
        ("openai", "http-400", "probe_invalid", 400),
        ("openai", "http-500", "overloaded", 500),
        ("openai", "no-list", "model_not_found", 404),
        ("anthropic", "claude-sonnet-4", "ok", 200),
        ("anthropic", "claude-9", "model_not_found", 404),
        ("anthropic", "lying", "model_mismatch", 200),
        ("anthropic", "gated", "forbidden", 403),
        ("anthropic", "http-529", "overloaded", 529),
        ("anthropic", "rate-limited", "rate_limited", 429),
        ("watsonx", "granite-13b", "ok", 200),
        ("watsonx", "granite-99b", "model_not_found", 200),
        ("watsonx", "withdrawn-model", "model_withdrawn", 200),
        ("watsonx", "leaving-model", "ok", 200),
    ],
)
def test_each_model_gets_its_outcome(fake, protocol, model, outcome, status):
    result = probed(fake, protocol, model)
    assert (result.outcome, result.http_status, result.probe) == (outcome, status, "model")
    assert str(result.address) == f"model:{protocol}/{model}"
    assert result.latency_ms >= 0
    assert result.is_bad == (outcome in {"model_not_found", "model_mismatch", "forbidden", "model_withdrawn"})


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "watsonx"])
@pytest.mark.parametrize("level", ["credential", "model"])
def test_a_bad_key_is_refused_and_its_variable_named(fake, protocol, level):
    result = probed(fake, protocol, "gpt-4", with_key="canary-of-a-bad-key", level=level)
    assert result.outcome == "auth_failed"
    assert f"the key in {VARIABLES[protocol]} was refused by {fake.host}" in result.detail
    assert "canary" not in repr(result)


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "watsonx"])
def test_a_credential_is_proven_without_a_model(fake, protocol):
    result = probed(fake, protocol, "no-such-model", level="credential")
    assert (result.outcome, result.http_status) == ("ok", 200)


@pytest.mark.parametrize("protocol", ["openai", "anthropic", "watsonx"])
@pytest.mark.parametrize("behaviour", ["", "bad", "http-500", "redirect"])
def test_reaching_a_provider_takes_any_answer_and_no_key(fake, protocol, behaviour):
    case = target("x", kind_of(protocol, fake), fake.base_url(protocol, behaviour), level="reach")
    (result,) = probe_all([case], access(fake, **{VARIABLES[protocol]: key()}))
    assert result.outcome == "ok"
    assert not fake.has_seen(key())


def test_a_provider_says_how_long_to_wait(fake):
    assert probed(fake, "openai", "rate-limited").retry_after == 1.0


def test_the_answering_model_is_kept(fake):
    assert probed(fake, "openai", "lying").answered_by == "some-other-model"


def test_an_alias_is_found_in_a_list_by_its_snapshot(fake):
    case = target("gpt-4o", COMPATIBLE, fake.base_url("openai", "open"))
    assert probe_all([case], Access())[0].outcome == "ok"


def test_a_local_server_needs_neither_key_nor_permission(fake):
    ollama = ProviderKind(
        *("ollama", "openai"),
        default_credentials="none",
        loopback=True,
        probes={"model": Probe(path="/api/tags", list_at="models", id_field="name")},
    )
    found, missing = (target(name, ollama, fake.base_url("ollama")) for name in ("llama3", "mistral"))
    results = probe_all([found, missing], Access())
    assert [result.outcome for result in results] == ["ok", "model_not_found"]


def test_a_wrong_base_url_blames_no_model(fake):
    case = target("gpt-4", OPENAI, f"{fake.url}/wrong/v1")
    (result,) = probe_all([case], access(fake, OPENAI_API_KEY=key()))
    assert result.outcome == "probe_invalid"
    assert "is base_url right?" in result.detail


def test_a_list_is_fetched_once_for_all_models_of_a_provider(fake):
    cases = [target(f"m-{number}", COMPATIBLE, fake.base_url("openai", "open")) for number in range(500)]
    results = probe_all(cases, Access())
    assert {result.outcome for result in results} == {"model_not_found"}
    assert len(fake.requests) == 1


def test_the_same_list_under_another_key_is_another_list(fake):
    allowed = access(fake, A_API_KEY=key(), B_API_KEY=key("bad"))
    cases = [
        target(
            "gpt-4", COMPATIBLE, fake.openai, provider=name, credentials={"api_key": f"env:{name}_API_KEY"}
        )
        for name in ("A", "B", "A")
    ]
    assert [result.outcome for result in probe_all(cases, allowed)] == ["ok", "auth_failed", "ok"]
    assert len(fake.requests) == 2


def test_an_iam_token_is_minted_once_for_all_models_of_a_key(fake):
    kind = watsonx(fake.iam, authenticated=True)
    cases = [target(name, kind, fake.watsonx) for name in ("granite-13b", "gpt-4", "nothing", "granite-13b")]
    results = probe_all(cases, access(fake, WATSONX_APIKEY=key()))
    assert [result.outcome for result in results] == ["ok", "ok", "model_not_found", "ok"]
    assert (fake.minted, fake.paths().count("/iam/identity/token")) == (1, 1)
    # The key itself went to the exchange and nowhere else.
    assert [request.path for request in fake.requests if key() in request.text] == ["/iam/identity/token"]


@pytest.mark.parametrize(
    ("behaviour", "outcome", "minted"), [("stale-token", "ok", 2), ("dead-token", "auth_failed", 2)]
)
def test_an_expired_token_is_minted_again_once(fake, behaviour, outcome, minted):
    kind = watsonx(fake.iam, authenticated=True)
    cases = [target("granite-13b", kind, fake.watsonx, provider=name) for name in ("a", "b", "c")]
    results = probe_all(cases, access(fake, WATSONX_APIKEY=key(behaviour)))
    assert [result.outcome for result in results] == [outcome] * 3
    assert fake.minted == minted


@pytest.mark.parametrize("level", ["credential", "model"])
@pytest.mark.parametrize("protocol", ["openai", "anthropic", "watsonx"])
def test_a_base_url_that_points_elsewhere_gets_nothing(fake, protocol, level):
    case = target("gpt-4", kind_of(protocol, fake), fake.base_url(protocol), level=level)
    (result,) = probe_all([case], Access(environ={VARIABLES[protocol]: key()}))
    assert (result.outcome, fake.requests) == ("refused_host", [])
    assert f"RECONCILER_ALLOWED_HOSTS={fake.host}" in result.detail


def test_a_key_is_sent_to_loopback_only_with_the_operators_word(fake):
    case = target("gpt-4", COMPATIBLE, fake.openai, credentials={"api_key": "env:MY_API_KEY"})
    (refused,) = probe_all([case], Access(environ={"MY_API_KEY": key()}))
    assert (refused.outcome, fake.requests) == ("refused_host", [])
    assert probe_all([case], access(fake, MY_API_KEY=key()))[0].outcome == "ok"


@pytest.mark.parametrize(
    ("credentials", "outcome"),
    [
        ("kind", "secret_missing"),
        ({"api_key": "env:NOT_SET_API_KEY"}, "secret_missing"),
        ({"api_key": "file:/run/secrets/not-there"}, "secret_missing"),
        ({"api_key": "env:HOME"}, "refused_reference"),
        ({"api_key": "env:RECONCILER_DATABASE_URL"}, "refused_reference"),
        ({"api_key": "file:/etc/passwd"}, "refused_reference"),
    ],
)
def test_without_a_credential_nothing_is_sent(fake, credentials, outcome):
    case = target("gpt-4", OPENAI, fake.openai, credentials=credentials)
    (result,) = probe_all([case], access(fake, HOME="/root", RECONCILER_DATABASE_URL="postgresql://x"))
    assert (result.outcome, fake.requests) == (outcome, [])


def test_a_protocol_that_this_version_does_not_speak_is_unprobeable():
    kind = ProviderKind("gopher", "gopher", base_url="https://gopher.example")
    (result,) = probe_all([target("x", kind, kind.base_url)], Access())
    assert (result.outcome, "gopher" in result.detail) == ("unprobeable", True)


@pytest.mark.parametrize(
    ("name", "dialect", "model"),
    [
        ("openai", "openai", "gpt-4"),
        ("groq", "openai", "gpt-4"),
        ("anthropic", "anthropic", "claude-sonnet-4"),
        ("ollama", "ollama", "llama3"),
        ("openai-compatible", "openai", "gpt-4"),
    ],
)
@pytest.mark.parametrize("level", ["reach", "credential", "model"])
def test_the_kinds_that_are_shipped_are_probed(fake, name, dialect, model, level):
    kind = built_in(name)
    is_local = kind.default_credentials == "none"
    case = target(model, kind, fake.base_url(dialect, "open" if is_local else ""), level=level)
    allowed = Access() if is_local else access(fake, **{kind.credentials["api_key"].env[0]: key()})
    assert probe_all([case], allowed)[0].outcome == "ok"


@pytest.mark.parametrize("name", names())
def test_every_kind_that_is_shipped_says_what_it_lacks(name):
    kind = built_in(name)
    (result,) = probe_all([target("x", kind, "https://not-allowed.example/v1")], Access())
    assert result.outcome in {"refused_host", "unprobeable"}
    assert result.detail


def test_no_targets_are_no_results():
    assert probe_all([], Access()) == ()


@pytest.mark.parametrize("model", ["gpt-4", "gpt-9", "echo", "html", "reset", "redirect", "http-500", "hang"])
@pytest.mark.parametrize("protocol", ["openai", "anthropic", "watsonx"])
def test_no_key_is_shown_anywhere(fake, protocol, model, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    kind = watsonx(fake.iam, authenticated=True) if protocol == "watsonx" else kind_of(protocol, fake)
    secret = key(model) if protocol == "watsonx" and model != "gpt-4" else key()
    case = target(model, kind, fake.base_url(protocol), timeout=0.3)
    seen = []
    results = probe_all([case], access(fake, **{VARIABLES[protocol]: secret}), on_result=seen.append)
    assert fake.has_seen(secret)
    printed = "".join(capsys.readouterr())
    shown = f"{results} {seen} {case} {caplog.text} {printed} {caplog.records}"
    assert key() not in shown
    assert "iam-token" not in shown
    assert results[0].detail


def test_no_key_is_in_the_trace_of_an_error(fake):
    def broken(result):
        raise RuntimeError(f"no more: {result}")

    case = target("gpt-4", OPENAI, fake.openai)
    with pytest.raises(RuntimeError) as caught:
        probe_all([case], access(fake, OPENAI_API_KEY=key()), on_result=broken)
    assert fake.has_seen(key())
    trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert key() not in "".join(trace.format())


def test_results_come_in_the_order_of_the_targets_and_are_told_as_they_come():
    with FakeProviders(models=[f"m-{number}" for number in range(40)], slowness=0.2) as fake:
        names = ["slow", *(f"m-{number}" for number in range(40)), "gpt-9"]
        cases = [target(name, OPENAI, fake.openai) for name in names]
        told = []
        results = probe_all(cases, access(fake, OPENAI_API_KEY=key()), on_result=told.append)
    assert [result.address.model_id for result in results] == names
    assert sorted(told, key=lambda one: names.index(one.address.model_id)) == list(results)
    assert told[0].address.model_id != "slow"


def test_a_provider_that_hangs_costs_the_others_nothing():
    timeout = 0.5
    with FakeProviders(models=["good"]) as fake:
        hanging = [target(f"hang-{number}", OPENAI, fake.openai, timeout=timeout) for number in range(200)]
        healthy = [
            target("good", OPENAI, fake.openai, provider=f"healthy-{number % 5}", timeout=20)
            for number in range(100)
        ]
        started = time.monotonic()
        results = probe_all([*hanging, *healthy], access(fake, OPENAI_API_KEY=key()))
        seconds = time.monotonic() - started
    assert {result.outcome for result in results[200:]} == {"ok"}
    outcomes = [result.outcome for result in results[:200]]
    assert (outcomes.count("timeout"), outcomes.count("skipped")) == (8, 192)
    assert "did not answer" in results[199].detail
    assert seconds < 1.5 * timeout + 1


def test_a_hanging_list_costs_one_timeout_and_one_request(fake):
    base_url = fake.base_url("openai", "hang")
    cases = [target(f"m-{number}", COMPATIBLE, base_url, timeout=0.3) for number in range(200)]
    started = time.monotonic()
    outcomes = {result.outcome for result in probe_all(cases, Access())}
    assert time.monotonic() - started < 1.5
    assert (outcomes, len(fake.requests)) == ({"timeout", "skipped"}, 1)


def test_refusals_do_not_open_the_breaker(fake):
    cases = [target(f"http-500-{number}", OPENAI, fake.openai) for number in range(30)]
    results = probe_all(cases, access(fake, OPENAI_API_KEY=key()))
    assert {result.outcome for result in results} == {"overloaded"}


def test_no_more_is_asked_at_once_than_allowed():
    with FakeProviders(slowness=0.02) as fake:
        cases = [
            target(f"slow-{number}", OPENAI, fake.openai, provider=f"p{number % 4}") for number in range(40)
        ]
        running, most = set(), []
        original = fake.record

        def record(request):
            original(request)
            running.add(request.path)
            most.append(len(running))

        fake.record = record
        probe_all(
            cases,
            access(fake, OPENAI_API_KEY=key()),
            limits=Limits(per_provider=2, total=3),
            on_result=lambda result: running.discard(f"/openai/v1/models/{result.address.model_id}"),
        )
    assert len(most) == 40
    assert max(most) <= 3


def test_the_deadline_ends_the_run_and_keeps_what_is_known(fake):
    cases = [target(name, OPENAI, fake.openai, timeout=30) for name in ("gpt-4", "hang-1", "hang-2")]
    told = []
    started = time.monotonic()
    results = probe_all(
        cases, access(fake, OPENAI_API_KEY=key()), limits=Limits(deadline=0.5), on_result=told.append
    )
    assert time.monotonic() - started < 2
    assert [result.outcome for result in results] == ["ok", "skipped", "skipped"]
    assert "deadline" in results[1].detail
    assert sorted(told, key=str) == sorted(results, key=str)


def test_an_interrupt_keeps_what_is_known(fake):
    cases = [target(name, OPENAI, fake.openai, timeout=60) for name in ("gpt-4", "hang-1", "hang-2")]

    def interrupt(result):
        assert result.outcome == "ok"
        threading.Thread(target=when_all_have_arrived).start()

    def when_all_have_arrived():
        fake.wait_for(3)
        os.kill(os.getpid(), signal.SIGINT)

    started = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        probe_all(cases, access(fake, OPENAI_API_KEY=key()), on_result=interrupt)
    assert time.monotonic() - started < 5
    assert isinstance(caught.value, KeyboardInterrupt)
    assert [result.outcome for result in caught.value.results] == ["ok", "skipped", "skipped"]
    assert "interrupted" in caught.value.results[1].detail


def test_probing_works_outside_the_main_thread(fake):
    found = []
    case = target("gpt-4", OPENAI, fake.openai)
    allowed = access(fake, OPENAI_API_KEY=key())
    thread = threading.Thread(target=lambda: found.extend(probe_all([case], allowed)))
    thread.start()
    thread.join()
    assert [result.outcome for result in found] == ["ok"]


def test_the_http_library_is_loaded_only_where_something_is_asked():
    code = (
        "import sys, reconciler.service.verification as v; from reconciler.core.probe import Access; "
        "v.probe_all([], Access()); assert 'httpx2' not in sys.modules, 'loaded'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=TESTS.parent)


def test_the_fake_server_runs_as_a_program():
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-m", "support.providers", "--model", "my-model"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as program:
        urls = json.loads(program.stdout.readline())
        request = urllib.request.Request(
            f"{urls['openai']}/models/my-model", headers={"Authorization": f"Bearer {urls['key']}"}
        )
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["id"] == "my-model"
        program.stdin.close()
    assert program.returncode == 0
