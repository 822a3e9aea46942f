"""Many models at once against real local servers: how many at the same time and how fast, providers that ask
to wait, one that hangs among many, and what happens beside the probes.
"""

import threading
import time
from collections import Counter

import pytest
from support.probing import COMPATIBLE, OPENAI, access, target
from support.providers import FakeProviders, key

from reconciler.core.probe import Access
from reconciler.service.limits import Limits
from reconciler.service.verification import Meanwhile, probe_all

UNHURRIED = Limits(rate=100_000, burst=100_000)


class Watched(FakeProviders):
    """A server that knows how many it answers at once and when each question came, and refuses the first few.

    Args:
        refusals: How many requests are refused as too many.
        headers: The headers of a refusal.
    """

    def __init__(self, *, refusals=0, headers=(), **fields):
        super().__init__(**fields)
        self.refusals = refusals
        self.headers = dict(headers)
        self.times = []
        self.answering = self.most = 0
        self._counting = threading.Lock()

    def converse(self, exchange, headers, body):
        with self._counting:
            self.answering += 1
            self.most = max(self.most, self.answering)
            self.times.append(time.monotonic())
            is_refused, self.refusals = self.refusals > 0, self.refusals - 1
        reply = exchange.reply

        def answered(*parts):
            # Before the answer is out: whoever has it may ask the next question at once.
            with self._counting:
                self.answering -= 1
            reply(*parts)

        exchange.reply = answered
        try:
            if is_refused:
                exchange.reply(429, {"error": {"message": "Slow down", "code": "slow"}}, self.headers)
            else:
                super().converse(exchange, headers, body)
        finally:
            del exchange.reply


def models(count, fake, *, provider="openai", name="slow", **fields):
    return [
        target(f"{name}-{number}", OPENAI, fake.openai, provider=provider, **fields)
        for number in range(count)
    ]


def outcomes(results):
    return Counter(result.outcome for result in results)


def took(ask):
    """What it returns, and how many seconds that took."""
    began = time.monotonic()
    return ask(), time.monotonic() - began


def test_a_thousand_models_on_twenty_providers_wait_for_the_one_that_hangs_only_once():
    timeout = 1.5
    with FakeProviders(models=["good"]) as fake, FakeProviders() as silent:
        healthy = [
            target("good", OPENAI, fake.openai, provider=f"provider-{number % 19}", timeout=30)
            for number in range(950)
        ]
        hanging = models(50, silent, name="hang", provider="silent", timeout=timeout)
        allowed = Access({"OPENAI_API_KEY": key()}, allowed_hosts=(fake.host, silent.host))
        alone, work = took(lambda: probe_all(healthy, allowed))
        results, seconds = took(lambda: probe_all([*hanging, *healthy], allowed))
    assert outcomes(alone) == outcomes(results[50:]) == {"ok": 950}
    assert outcomes(results[:50]) == {"timeout": 8, "skipped": 42}
    assert len(silent.requests) == 8
    # The machine may be busy with other things the second time.
    assert seconds < 1.5 * timeout + 1.5 * work + 1


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        pytest.param(Limits(per_provider=2), 6, id="per provider"),
        pytest.param(Limits(per_host=4), 4, id="per host"),
        pytest.param(Limits(total=3), 3, id="in total"),
    ],
)
def test_no_more_is_asked_at_the_same_time_than_allowed(limits, most):
    with Watched(slowness=0.05) as fake:
        cases = [case for name in "abc" for case in models(12, fake, provider=name)]
        results = probe_all(cases, access(fake, OPENAI_API_KEY=key()), limits=limits)
    assert outcomes(results) == {"ok": 36}
    assert fake.most == most


def test_a_host_that_is_busy_takes_no_room_from_another():
    with Watched() as silent, Watched(models=["good"]) as fake:
        hanging = models(8, silent, name="hang", provider="silent", timeout=0.5)
        healthy = [target("good", OPENAI, fake.openai, provider="healthy", timeout=20) for _ in range(8)]
        told = []
        probe_all(
            [*hanging, *healthy],
            Access({"OPENAI_API_KEY": key()}, allowed_hosts=(fake.host, silent.host)),
            limits=Limits(total=2, per_host=1),
            on_result=told.append,
        )
    assert [result.outcome for result in told[:8]] == ["ok"] * 8


def test_requests_are_spread_over_time_once_the_burst_is_spent():
    with Watched(models=["good"]) as fake:
        cases = [target("good", OPENAI, fake.openai) for _ in range(12)]
        began = time.monotonic()
        probe_all(cases, access(fake, OPENAI_API_KEY=key()), limits=Limits(rate=20, burst=2))
    # From the beginning: the first one may have come late on a busy machine.
    assert fake.times[-1] - began >= 0.9 * (12 - 2) / 20
    assert len(fake.times) == 12


def test_models_that_share_a_question_are_not_slowed_by_what_they_did_not_ask():
    with Watched() as fake:
        cases = [target(f"m-{n}", COMPATIBLE, fake.base_url("openai", "open")) for n in range(500)]
        results, seconds = took(lambda: probe_all(cases, Access(), limits=Limits(rate=1, burst=8)))
    assert (len(results), len(fake.requests)) == (500, 1)
    assert seconds < 20


def test_time_spent_in_a_queue_is_not_the_models():
    with Watched(slowness=0.2) as fake:
        cases = models(8, fake, timeout=0.9)
        allowed = access(fake, OPENAI_API_KEY=key())
        results, seconds = took(lambda: probe_all(cases, allowed, limits=Limits(per_provider=1)))
    assert outcomes(results) == {"ok": 8}
    assert seconds > 1.5


def test_many_models_of_one_provider_never_have_more_than_a_few_requests_under_way():
    with Watched(models=["good"]) as fake:
        tasks = []
        cases = [target("good", OPENAI, fake.openai) for _ in range(400)]
        results = probe_all(
            cases,
            access(fake, OPENAI_API_KEY=key()),
            limits=UNHURRIED,
            on_result=lambda _result: tasks.append(tasks_now()),
        )
    assert outcomes(results) == {"ok": 400}
    assert fake.most <= 8
    # A few for each probe under way, and none for those that wait.
    assert max(tasks) < 8 * 5


def tasks_now():
    import asyncio

    return len(asyncio.all_tasks())


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        pytest.param({"Retry-After": "1"}, 1.0, id="seconds"),
        pytest.param({"Retry-After-Ms": "400"}, 0.4, id="milliseconds"),
        pytest.param({}, 0.5, id="it does not say"),
    ],
)
def test_a_model_that_was_told_to_wait_is_asked_again_after_that_and_nobody_else_waits(headers, least):
    with Watched(refusals=3, headers=headers) as fake, Watched(slowness=0.01) as other:
        limited = models(3, fake, provider="limited")
        told = []
        probe_all(
            [*limited, *models(10, other, provider="other")],
            Access({"OPENAI_API_KEY": key()}, allowed_hosts=(fake.host, other.host)),
            on_result=lambda result: told.append((result, time.monotonic())),
            chance=lambda: 0.0,
        )
    assert outcomes(result for result, _ in told) == {"ok": 13}
    assert [result.address.provider for result, _ in told] == ["other"] * 10 + ["limited"] * 3
    assert (len(fake.times), fake.times[3] - fake.times[0] >= least) == (6, True)
    assert told[9][1] < fake.times[3]


def test_a_shared_question_that_was_limited_is_put_again():
    with Watched(refusals=1, headers={"Retry-After-Ms": "200"}, models=["good"]) as fake:
        cases = [target("good", COMPATIBLE, fake.base_url("openai", "open")) for _ in range(50)]
        results = probe_all(cases, Access())
    assert outcomes(results) == {"ok": 50}
    assert len(fake.requests) == 2


def test_a_wait_that_is_too_long_is_kept_as_it_is_and_the_rest_is_not_asked():
    with Watched(refusals=1000, headers={"Retry-After": "3600"}) as fake:
        allowed = access(fake, OPENAI_API_KEY=key())
        results, seconds = took(lambda: probe_all(models(100, fake), allowed))
    assert seconds < 5
    asked = len(fake.requests)
    assert 1 <= asked <= 8
    assert outcomes(results) == {"rate_limited": asked, "skipped": 100 - asked}
    assert {result.retry_after for result in results if result.outcome == "rate_limited"} == {3600.0}
    skipped = {result.detail for result in results if result.outcome == "skipped"}
    assert skipped == {"openai asked to wait 3600 s, so the rest was not asked"}


def test_a_provider_that_only_ever_limits_is_given_up_and_what_it_said_is_kept():
    with Watched(refusals=1000, headers={"Retry-After-Ms": "100"}) as fake:
        results = probe_all(models(100, fake), access(fake, OPENAI_API_KEY=key()))
    assert len(fake.requests) <= 8 + 2
    found = outcomes(results)
    assert (found["rate_limited"], found["rate_limited"] + found["skipped"]) == (8, 100)
    assert "3 times in a row" in results[-1].detail


def test_what_was_said_so_far_is_kept_where_the_run_ends_first():
    with Watched(refusals=1, headers={"Retry-After-Ms": "100"}) as fake:
        cases = models(1, fake, name="hang", timeout=60)
        (result,) = probe_all(cases, access(fake, OPENAI_API_KEY=key()), limits=Limits(deadline=1))
    assert (len(fake.requests), result.outcome, result.retry_after) == (2, "rate_limited", 0.1)


def test_something_is_called_meanwhile_beside_the_probes_and_not_after():
    threads = []
    with FakeProviders(slowness=0.5) as fake:
        probe_all(
            models(1, fake),
            access(fake, OPENAI_API_KEY=key()),
            meanwhile=Meanwhile(lambda: threads.append(threading.current_thread()), 0.05),
        )
    assert 2 <= len(threads) <= 10
    assert len(set(threads)) == 1
    assert threading.current_thread() not in threads
    assert not threads[0].is_alive()


@pytest.mark.parametrize("error", [RuntimeError("lost"), TimeoutError("lost")], ids=repr)
def test_what_is_raised_meanwhile_ends_the_run(error):
    def broken():
        raise error

    with FakeProviders() as fake:
        began = time.monotonic()
        with pytest.raises(type(error), match="lost"):
            probe_all(
                models(20, fake, name="hang", timeout=60),
                access(fake, OPENAI_API_KEY=key()),
                meanwhile=Meanwhile(broken, 0.2),
            )
        assert time.monotonic() - began < 5


def test_who_watches_is_told_first_how_many_will_come():
    class Watcher:
        def __init__(self):
            self.told = []

        def expect(self, count):
            self.told.append(count)

        def __call__(self, result):
            self.told.append(result.outcome)

    watcher = Watcher()
    with FakeProviders(slowness=0) as fake:
        probe_all(models(3, fake), access(fake, OPENAI_API_KEY=key()), on_result=watcher)
        probe_all([], Access(), on_result=watcher)
    assert watcher.told == [3, "ok", "ok", "ok"]
