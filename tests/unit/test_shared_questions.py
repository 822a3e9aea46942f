"""Questions that the probes of a run share: put once, counted for who put them, put anew after a refusal."""

import asyncio
from datetime import UTC, datetime

import pytest

from reconciler.core.probe import Access
from reconciler.protocols.exchange import Answer, Request, Verdict
from reconciler.protocols.run import Run

LIST = Request("GET", "https://api.example/models", 5.0)
KEY = Request("GET", "https://api.example/key", 5.0)


class Scripted:
    """Gives one answer after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    async def send(self, request):
        self.asked.append(request)
        return self.answers.pop(0)


def run_of(*answers):
    sender = Scripted(*answers)
    return Run(sender, Access(), datetime(2026, 1, 1, tzinfo=UTC)), sender


def test_a_shared_question_is_put_once_and_counted_for_who_put_it():
    async def story():
        run, sender = run_of(Answer(200), Answer(200), Answer(200))
        first, second = run.for_probe(), run.for_probe()
        await asyncio.gather(first.ask(LIST, shared=True), second.ask(LIST, shared=True))
        await second.ask(KEY)
        await second.ask(KEY)
        return first.requests, second.requests, len(sender.asked)

    assert asyncio.run(story()) == (1, 2, 3)


@pytest.mark.parametrize("refusal", [Answer(429), Answer(503), Verdict("timeout")], ids=repr)
def test_a_refusal_is_everybodys_until_it_is_forgotten(refusal):
    async def story():
        run, _ = run_of(refusal, Answer(200))
        first = run.for_probe()
        assert await first.ask(LIST, shared=True) == refusal
        assert await run.for_probe().ask(LIST, shared=True) == refusal
        first.forget()
        return await run.for_probe().ask(LIST, shared=True)

    assert asyncio.run(story()) == Answer(200)


def test_what_went_well_before_the_refusal_is_not_forgotten():
    async def story():
        run, sender = run_of(Answer(200), Answer(429), Answer(200))
        first = run.for_probe()
        await first.ask(KEY, shared=True)
        await first.ask(LIST, shared=True)
        first.forget()
        again = run.for_probe()
        await again.ask(KEY, shared=True)
        await again.ask(LIST, shared=True)
        return sender.asked

    assert asyncio.run(story()) == [KEY, LIST, LIST]


def test_a_refusal_that_came_as_a_success_is_forgotten_too():
    async def story():
        run, _ = run_of(Answer(200, body=b'{"error": {"code": 429}}'), Answer(200, body=b"{}"))
        first = run.for_probe()
        await first.ask(LIST, shared=True)
        first.forget()
        return await run.for_probe().ask(LIST, shared=True)

    assert asyncio.run(story()).body == b"{}"


def test_a_late_forgetting_does_not_take_a_newer_answer():
    async def story():
        run, sender = run_of(Answer(429), Answer(200))
        first, second = run.for_probe(), run.for_probe()
        await asyncio.gather(first.ask(LIST, shared=True), second.ask(LIST, shared=True))
        first.forget()
        await run.for_probe().ask(LIST, shared=True)
        second.forget()
        await run.for_probe().ask(LIST, shared=True)
        return len(sender.asked)

    assert asyncio.run(story()) == 2
