"""Health over time as the database computes it, what is told of it, and what is due when."""

import json
import statistics
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import postgres
from support.commands import run_command
from support.probed import record
from support.providers import FakeProviders
from support.rows import insert, insert_model
from support.small_states import model, provider, run, state

from reconciler import wiring
from reconciler.core.address import model_address, parse_address
from reconciler.core.health import Health, verdict
from reconciler.core.options import Selection
from reconciler.core.outcome import OUTCOMES
from reconciler.settings import Settings
from reconciler.store import health
from reconciler.store.session import connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOTHING = Health()


@pytest.fixture(scope="module")
def shared(server_url, migrated_template):
    """One database for all tests that take everything back."""
    with postgres.fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture
def hand(shared):
    """One transaction, rolled back at the end."""
    with undone(shared) as connection:
        yield connection


@contextmanager
def undone(url):
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def of(connection, address="model:p/a"):
    return health.of_entity(connection, parse_address(address), now=NOW)


def every_hour(*outcomes, latency=100):
    """Results from an hour ago back into the past."""
    return [(NOW - HOUR * (number + 1), outcome, latency) for number, outcome in enumerate(outcomes)]


def test_a_model_that_was_never_probed_has_empty_windows(hand):
    insert_model(hand, "p/a")
    assert of(hand) == {"24h": NOTHING, "7d": NOTHING}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_counts_in_the_database_as_its_verdict_says(hand, outcome):
    record(hand, insert_model(hand, "p/a"), every_hour(outcome))
    found = of(hand)["24h"]
    counted = {"up": (1, 0), "down": (0, 1), "neither": (0, 0)}[verdict(outcome)]
    assert (found.probes, found.up, found.down) == (1, *counted)
    assert found.p50_ms == (100 if outcome == "ok" else None)


def test_a_result_belongs_to_the_windows_that_it_is_young_enough_for(hand):
    ages = [timedelta(0), timedelta(hours=23, minutes=59), 24 * HOUR, timedelta(days=6), timedelta(days=7)]
    record(hand, insert_model(hand, "p/a"), [(NOW - age, "ok", 5) for age in ages])
    found = of(hand)
    assert (found["24h"].probes, found["7d"].probes) == (2, 4)


def test_latencies_are_those_of_good_answers_that_were_timed(hand):
    timed = [(NOW - HOUR, "ok", latency) for latency in (10, 20, 30, 40, None)]
    record(hand, insert_model(hand, "p/a"), [*timed, (NOW - HOUR, "timeout", 9_999)])
    assert of(hand)["24h"] == Health(probes=6, up=5, down=1, p50_ms=20, p95_ms=40)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 24 * 9), st.sampled_from(OUTCOMES), st.none() | st.integers(0, 60_000)),
        max_size=40,
    )
)
def test_the_figures_are_those_that_one_would_count_by_hand(shared, drawn):
    results = [(NOW - HOUR * hours + timedelta(seconds=1), outcome, ms) for hours, outcome, ms in drawn]
    with undone(shared) as connection:
        record(connection, insert_model(connection, "p/a"), results)
        found, together = of(connection), health.by_model(connection, now=NOW)
    for window, hours in (("24h", 24), ("7d", 24 * 7)):
        inside = [(outcome, ms) for at, outcome, ms in results if NOW - at < HOUR * hours]
        assert found[window] == counted(inside)
    recent = any(NOW - at < HOUR * 24 * 7 for at, _, _ in results)
    assert together == ({model_address("p", "a"): found} if recent else {})


def counted(results):
    verdicts = [verdict(outcome) for outcome, _ in results]
    timed = sorted(ms for outcome, ms in results if outcome == "ok" and ms is not None)
    # The first latency at or above that share of them: the ceiling, without fractions.
    p50, p95 = (timed[-(-len(timed) * share // 100) - 1] if timed else None for share in (50, 95))
    assert p50 is None or p50 == statistics.median_low(timed)
    return Health(len(results), verdicts.count("up"), verdicts.count("down"), p50, p95)


def test_a_provider_has_the_health_of_all_its_models_and_of_no_others(hand):
    insert(hand, "providers", name="p", kind="openai")
    for key, outcomes in (("p/a", ("ok", "ok")), ("p/b", ("timeout", "ok")), ("q/a", ("timeout",))):
        record(hand, insert_model(hand, key), every_hour(*outcomes))
    found = of(hand, "provider:p")["24h"]
    assert (found.probes, found.up, found.down) == (4, 3, 1)
    assert of(hand, "provider:nobody") == {"24h": NOTHING, "7d": NOTHING}


@pytest.mark.parametrize("address", ["parameters:default", "template:rag"])
def test_what_is_never_probed_has_no_health(hand, address):
    assert of(hand, address) is None


def test_all_models_are_told_at_once_or_those_of_one_provider(hand):
    for key in ("p/a", "p/b/c", "q/a", "q/never"):
        row = insert_model(hand, key)
        if key != "q/never":
            record(hand, row, every_hour("ok"))
    found = health.by_model(hand, now=NOW)
    assert sorted(address.key for address in found) == ["p/a", "p/b/c", "q/a"]
    assert found[model_address("p", "b/c")]["24h"] == Health(1, 1, 0, 100, 100)
    assert [address.key for address in health.by_model(hand, now=NOW, provider="q")] == ["q/a"]


def test_results_of_a_model_that_is_gone_are_nobodys(hand):
    record(hand, insert_model(hand, "p/a"), every_hour("ok"))
    hand.execute("DELETE FROM provider_model_configs")
    assert health.by_model(hand, now=NOW) == {}


def test_a_source_has_applied_when_its_last_good_run_ended(hand):
    for source, hours, succeeded in (("a", 3, True), ("a", 2, True), ("a", 1, False), ("b", 1, False)):
        ended = NOW - HOUR * hours
        insert(hand, "reconcile_runs", source=source, finished_at=ended, succeeded=succeeded)
    assert health.last_applies(hand) == {"a": NOW - 2 * HOUR}


# -- the commands


@pytest.fixture
def environment(database):
    return {"RECONCILER_DATABASE_URL": database}


@pytest.fixture
def probed(database):
    """A model that answered three times of four in the last hours."""
    with psycopg.connect(database) as connection:
        insert(connection, "providers", name="p", kind="openai")
        row = insert_model(connection, 'p/a "1"')
        now = datetime.now(UTC)
        outcomes = ("ok", "ok", "timeout", "ok")
        record(connection, row, [(now - HOUR * number, one, 84) for number, one in enumerate(outcomes)])
        insert(
            connection,
            "model_verification",
            key="model_id",
            model_id=row,
            status="verified",
            outcome="ok",
            probe="model",
            checked_at=now,
            detail="canary-detail",
        )
    return database


def test_show_tells_both_windows_in_every_form(probed, environment):
    words = ("show", 'model:p/a "1"')
    assert "last 7d: 75.0 % up, p50 84 ms, p95 84 ms, 4 probes" in run_command(*words, env=environment).stdout
    assert "75.0 % up" in run_command(*words, "--output", "markdown", env=environment).stdout
    found = run_command("show", "provider:p", "--output", "json", env=environment).document
    assert found["health"]["24h"] == found["health"]["7d"]
    assert (found["health"]["24h"]["uptime"], found["health"]["24h"]["p95_ms"]) == (0.75, 84)


def test_list_tells_prometheus_and_only_of_the_models_that_were_asked_for(probed, environment):
    answer = run_command("list", "--output", "prometheus", env=environment)
    assert (answer.status, answer.stderr) == (0, "")
    lines = answer.stdout.splitlines()
    assert 'reconciler_model_status{provider="p",model="a \\"1\\"",status="verified"} 1' in lines
    assert 'reconciler_model_uptime_ratio{provider="p",model="a \\"1\\"",window="24h"} 0.75' in lines
    assert "canary-detail" not in answer.stdout
    narrowed = run_command("list", "--output", "prometheus", "--status", "failing", env=environment).stdout
    assert "model_" not in narrowed
    assert "reconciler_registry_generation" in narrowed


def test_list_takes_a_status(probed, environment):
    answer = run_command("list", "--status", "verified", "--output", "json", env=environment)
    assert [one["model_id"] for one in answer.document["models"]] == ['a "1"']
    assert run_command("list", "--status", "failing", env=environment).stdout == "No models.\n"
    wrong = run_command("list", "--status", "good", env=environment)
    assert wrong.status == 1
    assert "verified" in wrong.stderr


# -- due


@pytest.fixture
def endpoint():
    with FakeProviders() as fake:
        yield fake


@pytest.fixture
def verified(database, tmp_path):
    """A call of `verify`: the models that it speaks of, and what it told besides."""

    def verify(*, retention="90d", **selection):
        said = []
        chosen = Settings(database_url=database, home=tmp_path, retention=retention)
        with wiring.open_verbs(chosen, say=said.append, write=False) as registry:
            results = registry.verification.verify(Selection(**selection))
        return [result.address.key for result in results], [line for line in said if "removed" in line]

    return verify


def test_a_model_is_due_at_first_then_not_and_again_when_its_time_has_come(database, endpoint, verified):
    wanted = state(
        *(openai(name, endpoint, every=every) for name, every in (("often", "5m"), ("seldom", "1d"))),
        model("often/gpt-4o"),
        model("seldom/gpt-4o"),
    )
    both = ["often/gpt-4o", "seldom/gpt-4o"]
    with connect(database) as connection:
        run(connection, wanted)
        assert verified() == (both, [])
        assert verified() == ([], [])
        pass_time(connection, timedelta(minutes=4))
        assert verified() == ([], [])
        pass_time(connection, timedelta(minutes=1))
        assert verified() == (["often/gpt-4o"], [])
        assert verified() == ([], [])
        assert verified(all=True) == (both, [])
        pass_time(connection, timedelta(days=1))
        assert verified() == (both, [])


def openai(name, endpoint, **verification):
    """A provider at the fake endpoint, which is asked without a key."""
    return provider(
        name,
        kind="openai-compatible",
        base_url=endpoint.openai,
        credentials="none",
        verification={"probe": "reach", **verification},
    )


def pass_time(connection, span):
    """Move everything that verification remembers into the past."""
    connection.execute(
        "UPDATE model_verification SET next_due = next_due - %(span)s, checked_at = checked_at - %(span)s,"
        " claimed_until = claimed_until - %(span)s",
        {"span": span},
    )


def test_a_retention_that_cannot_be_read_is_told_and_hides_no_result(database, endpoint, verified):
    with connect(database) as connection:
        run(connection, state(openai("p", endpoint), model("p/gpt-4o")))
    found, [line] = verified(retention="soon")
    assert found == ["p/gpt-4o"]
    assert line.startswith("Old results of verification were not removed: RECONCILER_RETENTION")


def test_who_may_not_remove_still_verifies_and_is_told(database, endpoint, verified):
    with connect(database) as connection:
        run(connection, state(openai("p", endpoint), model("p/gpt-4o")))
        record(connection, 1, [(datetime.now(UTC) - timedelta(days=100), "ok", 1)])
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'kept by law'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER keep BEFORE DELETE ON verification_results EXECUTE FUNCTION refuse()"
        )
    found, [line] = verified()
    assert found == ["p/gpt-4o"]
    assert "kept by law" in line


@pytest.mark.parametrize(("retention", "left"), [("off", 3), ("0", 3), ("101d", 3), ("90d", 2), ("30d", 1)])
def test_verifying_removes_what_is_too_old(database, endpoint, verified, retention, left):
    with connect(database) as connection:
        run(connection, state(openai("p", endpoint), model("p/gpt-4o")))
        record(connection, 1, [(datetime.now(UTC) - timedelta(days=days), "ok", 1) for days in (100, 80)])
        assert verified(retention=retention) == (["p/gpt-4o"], [])
        assert connection.execute("SELECT count(*) FROM verification_results").fetchone() == (left,)


def test_the_answer_of_show_is_json_that_holds_no_number_that_is_none(probed, environment):
    text = run_command("show", "provider:p", "--output", "json", env=environment).stdout
    assert json.loads(text, parse_constant=pytest.fail)
