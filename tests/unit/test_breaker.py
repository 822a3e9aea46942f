"""The circuit breaker: what opens it, what closes it, and that providers do not share one."""

import pytest

from reconciler.service.breaker import Breaker


@pytest.mark.parametrize(
    ("outcomes", "is_in_doubt", "is_open"),
    [
        pytest.param((), False, False, id="nothing yet"),
        pytest.param(("timeout",), True, False, id="one silence"),
        pytest.param(("timeout", "unreachable"), True, False, id="two"),
        pytest.param(("timeout", "unreachable", "timeout"), True, True, id="three in a row"),
        pytest.param(("timeout", "timeout", "ok", "timeout"), True, False, id="an answer between"),
        pytest.param(
            ("timeout", "timeout", "timeout", "ok"), False, False, id="an answer that was under way"
        ),
        pytest.param(("timeout", "skipped", "timeout", "timeout"), True, True, id="what was not asked"),
        pytest.param(("overloaded", "rate_limited", "auth_failed"), False, False, id="refusals are answers"),
    ],
)
def test_silences_in_a_row_open_it(outcomes, is_in_doubt, is_open):
    breaker = Breaker(threshold=3)
    for outcome in outcomes:
        breaker.note("slow", outcome)
    assert (breaker.is_in_doubt("slow"), breaker.is_open("slow")) == (is_in_doubt, is_open)
    assert not breaker.is_open("another")


def test_it_says_why_the_rest_is_skipped():
    breaker = Breaker(threshold=1)
    breaker.note("slow", "timeout")
    assert breaker.reason("slow").startswith("slow did not answer 1 time")
