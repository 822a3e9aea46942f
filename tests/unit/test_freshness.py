"""Which earlier result still answers a question: tables of cases, for each may save or cost a probe."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.probing import ANTHROPIC, OPENAI, target

from reconciler.core import freshness
from reconciler.core.address import model_address
from reconciler.core.freshness import Digests, Known, Question, is_good, is_ours, is_rotated, may_reuse
from reconciler.core.options import Selection

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = 3600
TARGET = replace(
    target(), parameters={"top_k": 1}, template={"query_prefix": "Q"}, capabilities=("tools", "x")
)
DIGEST = Digests().question(TARGET)
QUESTION = Question(DIGEST, "k1:aa", "model")
KNOWN = Known("ok", "model", NOW - timedelta(minutes=5), "k1:aa", DIGEST)
BASE = DIGEST.partition(".")[0]


@pytest.mark.parametrize(
    ("known", "question", "good"),
    [
        pytest.param({}, {}, True, id="the same question with the same key"),
        pytest.param({"checked_at": NOW - timedelta(hours=1)}, {}, False, id="too old, to the second"),
        pytest.param({"checked_at": NOW - timedelta(minutes=59)}, {}, True, id="just young enough"),
        pytest.param({"outcome": "timeout"}, {}, False, id="only success is kept"),
        pytest.param({"outcome": "auth_failed"}, {}, False, id="no failure is kept"),
        pytest.param({"probe": "generate"}, {}, True, id="a stronger probe proves as much"),
        pytest.param({"probe": "credential"}, {}, False, id="a weaker one does not"),
        pytest.param({}, {"fingerprint": "k1:bb"}, False, id="the key was rotated"),
        pytest.param({}, {"fingerprint": "k2:aa"}, False, id="fingerprints that cannot be compared"),
        pytest.param({}, {"fingerprint": None}, False, id="the present key is not known"),
        pytest.param({"fingerprint": None}, {"fingerprint": None}, False, id="neither key is known"),
        pytest.param({"fingerprint": "none"}, {"fingerprint": "none"}, True, id="there is no key"),
        pytest.param({}, {"digest": "other.parameters"}, False, id="another endpoint or model"),
        pytest.param({}, {"digest": f"{BASE}.parameters"}, True, id="parameters do not matter to this probe"),
        pytest.param({"digest": None}, {}, False, id="nobody knows what was asked"),
        pytest.param(
            {"probe": "generate"},
            {"level": "generate", "digest": f"{BASE}.parameters"},
            False,
            id="generating with other parameters",
        ),
        pytest.param({"probe": "generate"}, {"level": "generate"}, True, id="generating with the same"),
    ],
)
def test_an_earlier_success_stands_in_for_the_same_question(known, question, good):
    assert is_good(replace(KNOWN, **known), replace(QUESTION, **question), now=NOW, every=HOUR) == good


@pytest.mark.parametrize(
    ("known", "question", "ours"),
    [
        pytest.param({}, {}, True, id="the same question with the same key"),
        pytest.param({"outcome": "auth_failed"}, {}, True, id="failures are found for all"),
        pytest.param({"outcome": "timeout"}, {}, True, id="so is silence"),
        pytest.param({"outcome": "secret_missing"}, {}, False, id="their environment is not ours"),
        pytest.param({"outcome": "refused_host"}, {}, False, id="nor is what they are allowed"),
        pytest.param({"checked_at": NOW - timedelta(minutes=6)}, {}, False, id="before we began"),
        pytest.param({}, {"fingerprint": "k1:bb"}, False, id="with another key"),
        pytest.param({}, {"fingerprint": "k2:aa"}, True, id="with a key that may be the same"),
        pytest.param({}, {"fingerprint": None}, False, id="they had a key, we have none"),
        pytest.param({"fingerprint": None}, {"fingerprint": None}, True, id="nobody can make fingerprints"),
        pytest.param({}, {"level": "generate"}, False, id="they asked for less"),
        pytest.param({}, {"digest": "other.question"}, False, id="they asked something else"),
    ],
)
def test_what_others_found_since_we_began_is_ours_where_they_asked_the_same(known, question, ours):
    since = NOW - timedelta(minutes=6)
    assert is_ours(replace(KNOWN, **known), replace(QUESTION, **question), since=since) == ours


@pytest.mark.parametrize(
    ("stored", "present", "rotated"),
    [
        pytest.param("k1:aa", "k1:bb", True, id="another secret"),
        pytest.param("k1:aa", "k1:aa", False, id="the same"),
        pytest.param("k1:aa", "k2:bb", False, id="another machine's fingerprint"),
        pytest.param("k1:aa", None, False, id="not set here"),
        pytest.param(None, "k1:aa", False, id="never known"),
        pytest.param("none", "k1:aa", True, id="there is a key now"),
        pytest.param("k1:aa", "none", True, id="there is no key any more"),
    ],
)
def test_a_rotation_is_only_concluded_where_fingerprints_can_be_compared(stored, present, rotated):
    assert is_rotated(stored, present) == rotated


@pytest.mark.parametrize(
    ("selection", "level", "reused"),
    [
        pytest.param(None, "generate", True, id="after an apply"),
        pytest.param(None, "model", True, id="after an apply, what costs nothing"),
        pytest.param(Selection(), "model", True, id="what is due"),
        pytest.param(Selection(fresh=True), "generate", False, id="somebody wants it fresh"),
        pytest.param(Selection(all=True), "model", False, id="asking all anew is free"),
        pytest.param(Selection(all=True), "generate", True, id="asking all anew costs money"),
        pytest.param(Selection(all=True, fresh=True), "generate", False, id="and is wanted all the same"),
        pytest.param(Selection(failed=True), "generate", True, id="what failed, for money"),
        pytest.param(Selection(failed=True), "reach", False, id="what failed, for nothing"),
        pytest.param(Selection((model_address("p", "a"),)), "generate", False, id="somebody named it"),
    ],
)
def test_who_asks_decides_whether_an_earlier_result_will_do(selection, level, reused):
    assert may_reuse(selection, level) == reused


@pytest.mark.parametrize(
    ("change", "same_question", "same_request"),
    [
        pytest.param({}, True, True, id="the same"),
        pytest.param({"address": model_address("other", "gpt-4o")}, True, True, id="under another provider"),
        pytest.param({"timeout": 99.0}, True, True, id="with more patience"),
        pytest.param({"level": "generate"}, True, True, id="at another level"),
        pytest.param({"capabilities": ("x", "tools")}, True, True, id="capabilities in another order"),
        pytest.param({"parameters": {"top_k": 2}}, True, False, id="other parameters"),
        pytest.param({"template": None}, True, False, id="another template"),
        pytest.param({"capabilities": ()}, True, False, id="other capabilities"),
        pytest.param({"base_url": "https://other.example/v1"}, False, True, id="another endpoint"),
        pytest.param({"address": model_address("openai", "gpt-5")}, False, True, id="another model"),
        pytest.param({"mode": "embedding"}, False, True, id="another mode"),
        pytest.param({"kind": ANTHROPIC}, False, True, id="another kind"),
        pytest.param({"kind": replace(OPENAI, headers={"x": "1"})}, False, True, id="another header"),
    ],
)
def test_a_digest_holds_what_the_answer_depends_on(change, same_question, same_request):
    one, two = DIGEST.split(".")
    other, more = Digests().question(replace(TARGET, **change)).split(".")
    assert (one == other, two == more) == (same_question, same_request)


def test_a_digest_is_the_same_in_every_process():
    assert Digests().question(TARGET) == Digests().question(replace(TARGET, kind=replace(OPENAI)))


def test_an_earlier_result_says_that_it_is_one_and_from_when():
    found = freshness.earlier(
        model_address("p", "a"), replace(KNOWN, detail="it answered"), note=freshness.since_when(KNOWN)
    )
    assert (found.outcome, found.probe, found.cached) == ("ok", "model", True)
    assert found.detail == "it answered (from 2026-01-01 11:55Z, still good)"
