"""How fast a provider is asked: the token bucket as a law, the waits that it asks for, and what comes of them
for the models that wait.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.protocols.exchange import Verdict
from reconciler.service.lanes import Lane
from reconciler.service.limits import Limits
from reconciler.service.pace import Pace, back_off, full_bucket

OK = Verdict("ok")
LIMITS = Limits(rate=10, burst=4, per_provider=3)


def limited(seconds=None):
    return Verdict("rate_limited", "slow down", 429, retry_after=seconds)


def lane(count=100, limits=LIMITS, chance=1.0):
    return Lane("openai", range(count), limits, began=0.0, chance=lambda: chance)


def ended(one, number, verdict, *, now, started=None, requests=1):
    """Whether the verdict stands, of a probe that took no time unless it is said."""
    began = now if started is None else started
    return one.ended(number, verdict, requests=requests, started=began, now=now)


def test_a_full_bucket_gives_its_burst_at_once_and_then_its_rate():
    bucket = full_bucket(rate=2, burst=3, now=50)
    for _ in range(3):
        assert bucket.wait(50) == 0
        bucket = bucket.spend(1, 50)
    assert bucket.wait(50) == 0.5
    assert bucket.wait(50.25) == 0.25
    assert bucket.wait(50.5) == 0
    assert bucket.spend(1, 50.5).wait(50.5) == 0.5


def test_a_bucket_never_holds_more_than_its_burst():
    bucket = full_bucket(rate=2, burst=3, now=0).spend(-5, 0)
    for _ in range(3):
        bucket = bucket.spend(1, 1000)
    assert bucket.wait(1000) == 0.5


def test_what_was_spent_too_much_is_waited_for():
    assert full_bucket(rate=2, burst=1, now=0).spend(4, 0).wait(0) == 2.0


@given(
    rate=st.floats(0.5, 100),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 3), max_size=60),
)
def test_no_span_of_time_sees_more_than_the_burst_and_the_rate_allow(rate, burst, pauses):
    bucket, now, asked = full_bucket(rate=rate, burst=burst, now=0), 0.0, []
    for pause in pauses:
        now += pause
        now += bucket.wait(now)
        bucket = bucket.spend(1, now)
        asked.append(now)
    for first, began in enumerate(asked):
        for last in range(first, len(asked)):
            allowed = burst + (asked[last] - began) * rate
            assert last - first + 1 <= allowed + 0.01


@pytest.mark.parametrize(
    ("refusals", "jitter", "wait"),
    [(0, 1.0, 1.0), (0, 0.0, 0.5), (1, 1.0, 2.0), (3, 0.5, 6.0), (9, 1.0, 20.0), (5000, 0.0, 10.0)],
)
def test_a_wait_that_nobody_named_doubles_up_to_the_longest(refusals, jitter, wait):
    assert back_off(refusals, jitter=jitter, longest=20.0) == wait


def test_questions_that_are_refused_together_are_one_refusal():
    pace = Pace(full_bucket(rate=1, burst=10, now=0))
    pace = pace.refused(started=0, now=1, wait=5)
    pace = pace.refused(started=0.5, now=2, wait=5)
    assert (pace.refusals, pace.wait(2)) == (1, 5)
    pace = pace.refused(started=7, now=7.5, wait=1)
    assert (pace.refusals, pace.wait(7.5)) == (2, 1)


def test_only_an_answer_to_a_later_question_ends_the_doubt():
    pace = Pace(full_bucket(rate=1, burst=10, now=0)).refused(started=0, now=1, wait=5)
    assert pace.answered(started=0.5).is_in_doubt
    assert not pace.answered(started=6).is_in_doubt


def test_a_shorter_wait_does_not_end_a_longer_one():
    pace = Pace(full_bucket(rate=1, burst=10, now=0)).refused(started=0, now=1, wait=5)
    assert pace.refused(started=0, now=1, wait=2).wait(1) == 5


def test_a_lane_starts_as_many_as_may_run_at_once():
    one = lane()
    assert [one.take(0) for _ in range(3) if one.delay(0) == 0] == [0, 1, 2]
    assert one.delay(0) is None
    assert ended(one, 0, OK, now=0.1)
    assert one.delay(0.1) == 0


def test_a_lane_waits_for_a_token_once_its_burst_is_spent():
    one = lane()
    for number in range(4):
        assert one.delay(0) == 0
        ended(one, one.take(0), OK, now=0)
        assert one.next == number + 1
    assert one.delay(0) == pytest.approx(0.1)


def test_what_asked_nothing_costs_nothing_and_what_asked_twice_costs_twice():
    one = lane()
    for _ in range(50):
        ended(one, one.take(0), OK, now=0, requests=0)
    assert one.delay(0) == 0
    ended(one, one.take(0), OK, now=0, requests=5)
    assert one.delay(0) == pytest.approx(0.2)


@pytest.mark.parametrize("verdict", [limited(7), Verdict("overloaded", retry_after=7)], ids=str)
def test_a_model_that_was_told_to_wait_is_asked_once_more_after_the_wait(verdict):
    one = lane(2)
    number = one.take(0)
    assert not ended(one, number, verdict, now=1)
    assert (one.next, one.delay(1), one.delay(7.5)) == (number, 7, 0.5)
    assert ended(one, one.take(8), limited(7), now=8)
    assert (one.next, one.delay(8)) == (1, 7)
    assert one.dropped() == ((), "")


@pytest.mark.parametrize("outcome", ["overloaded", "quota_exhausted", "timeout", "forbidden"])
def test_nothing_else_is_waited_for(outcome):
    one = lane()
    assert ended(one, one.take(0), Verdict(outcome), now=1)
    assert one.delay(1) == 0


def test_after_a_wait_one_question_finds_out_whether_it_was_long_enough():
    one = lane()
    first, second = one.take(0), one.take(0)
    ended(one, first, limited(2), started=0, now=1)
    ended(one, second, limited(2), started=0, now=1)
    again = one.take(3)
    assert one.delay(3) is None
    assert ended(one, again, OK, now=3.1)
    assert one.delay(3.1) == 0
    one.take(3.1)
    assert one.delay(3.1) == 0


def test_a_wait_that_is_too_long_drops_the_rest_and_says_so():
    one = lane(5)
    numbers = one.take(0), one.take(0)
    assert ended(one, numbers[0], limited(3600), now=1)
    assert (one.delay(1), one.dropped()) == (None, ((), ""))  # the other one may still answer
    assert ended(one, numbers[1], OK, started=0, now=2)
    assert one.dropped() == ((2, 3, 4), "openai asked to wait 3600 s, so the rest was not asked")
    assert one.is_done


def test_a_wait_that_outlasts_the_run_is_too_long():
    one = lane(limits=Limits(deadline=10, longest_wait=20))
    assert not ended(one, one.take(0), limited(5), now=1)
    assert ended(one, one.take(6), limited(5), now=6)
    assert one.dropped()[1] == "openai asked to wait 5 s, so the rest was not asked"


def test_a_provider_that_only_ever_asks_to_wait_is_left_alone():
    one, now, asked = lane(), 0.0, 0
    while not one.is_done:
        now += one.delay(now)
        asked += 1
        ended(one, one.take(now), limited(), now=now)
        dropped, reason = one.dropped()
    assert (asked, now) == (3, 3.0)  # after one second, and after two more
    assert (len(dropped), reason) == (
        98,
        "openai asked to wait 3 times in a row, so the rest was not asked",
    )


def test_waits_with_answers_between_them_are_borne():
    one, now = lane(), 0.0
    for _ in range(10):
        now += one.delay(now)
        ended(one, one.take(now), limited(1), now=now)
        now += one.delay(now)
        ended(one, one.take(now), OK, now=now)
    assert one.dropped() == ((), "")


def test_a_wait_of_a_negative_time_is_none():
    one = lane()
    assert not ended(one, one.take(0), limited(-3), now=0)
    assert one.delay(0) == 0


def test_a_silent_provider_is_dropped_once_all_under_way_were_heard():
    one = lane(10)
    numbers = [one.take(0) for _ in range(3)]
    for number in numbers[:2]:
        ended(one, number, Verdict("timeout"), started=0, now=10)
        assert (one.delay(10), one.dropped()) == (None, ((), ""))
    ended(one, numbers[2], Verdict("timeout"), started=0, now=10)
    dropped, reason = one.dropped()
    assert (len(dropped), one.is_done) == (7, True)
    assert "did not answer 3 times" in reason


def test_an_answer_that_was_under_way_saves_the_rest():
    one = lane(10, limits=Limits(breaker_threshold=2, per_provider=3))
    numbers = [one.take(0) for _ in range(3)]
    for number, verdict in zip(numbers, (Verdict("timeout"), Verdict("timeout"), OK), strict=True):
        ended(one, number, verdict, started=0, now=10)
    assert (one.dropped(), one.delay(10)) == (((), ""), 0)
