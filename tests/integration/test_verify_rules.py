"""What is stored of probes' results, and what neither a cheap probe nor a spoilt row can do."""

from datetime import UTC, datetime, timedelta

import pytest
from support.registry_dump import trail
from support.small_states import ACTOR, model, models, parameters, planned, provider, run, state

from reconciler.core.address import parse_address
from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.engine.plan import drift
from reconciler.engine.prober import Prober
from reconciler.engine.verify import verify
from reconciler.errors import UsageError
from reconciler.service.verification import Interrupted
from reconciler.store.observe import read_generation
from reconciler.store.session import connect
from reconciler.store.verification import candidates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


def answering(outcome, *, at=NOW, refused=(), **other):
    """A prober that finds the same everywhere, but for the models that `other` names."""

    def ask(targets, _meanwhile=None):
        return [
            Result(
                target.address,
                other.get(target.address.model_id, outcome),
                target.level,
                200,
                5,
                refused_parameters=refused,
            )
            for target in targets
        ]

    return Prober(ask, clock=lambda _connection: at)


def verified(connection, outcome, *, at=NOW, level=None, refused=(), **other):
    selection = Selection(all=True, probe=level)
    prober = answering(outcome, at=at, refused=refused, **other)
    return verify(connection, prober, source="default", context=ACTOR, selection=selection)


def rows(connection):
    found = connection.execute(
        "SELECT m.model_id, m.is_active, m.hold, k.status, m.last_verified FROM provider_model_configs m"
        " LEFT JOIN model_verification k ON k.model_id = m.id ORDER BY m.model_id"
    )
    return {row[0]: row[1:] for row in found}


def settings(**verification):
    return provider("p", verification=verification)


def test_a_success_is_stored_lifts_the_hold_and_raises_the_generation(connection):
    wanted = state(settings(activation="verified"), model("p/a"))
    run(connection, wanted)
    before = read_generation(connection)
    verified(connection, "ok")
    assert rows(connection) == {"a": (True, None, "verified", NOW)}
    assert read_generation(connection) == before + 1
    assert planned(connection, wanted).changes == ()
    assert drift(connection, "default").changes == ()


def test_a_success_that_switches_nothing_raises_no_generation_and_leaves_no_event(connection):
    run(connection, state(provider("p"), model("p/a")))
    verified(connection, "ok")
    before = read_generation(connection), len(trail(connection).events)
    verified(connection, "ok")
    assert (read_generation(connection), len(trail(connection).events)) == before


def events(connection):
    """What the trail says of statuses: before, after, and who was told to have done it."""
    return connection.execute(
        "SELECT address, before ->> 'status', after ->> 'status', after ->> 'outcome', source, actor, reason"
        " FROM audit_events WHERE action = 'verify' ORDER BY id"
    ).fetchall()


def test_each_change_of_a_status_is_in_the_trail_and_nothing_else_is(connection):
    run(connection, state(settings(failure_threshold=2), model("p/a"), model("p/b")))
    for outcome in ("ok", "timeout", "auth_failed", "quota_exhausted", "auth_failed", "ok"):
        verified(connection, outcome, b="ok")
    who = ("default", "tester", "because")
    assert events(connection) == [
        ("model:p/a", "unverified", "verified", "ok", *who),
        ("model:p/b", "unverified", "verified", "ok", *who),
        ("model:p/a", "verified", "degraded", "quota_exhausted", *who),
        ("model:p/a", "degraded", "failing", "auth_failed", *who),
        ("model:p/a", "failing", "verified", "ok", *who),
    ]


def test_a_status_that_a_hand_changes_is_in_the_trail_too(connection):
    run(connection, state(provider("p"), model("p/a")))
    connection.execute(
        "INSERT INTO model_verification (model_id, status) SELECT id, 'failing' FROM provider_model_configs"
    )
    connection.execute("UPDATE model_verification SET status = 'verified'")
    assert [event[1:5] for event in events(connection)] == [
        ("unverified", "failing", None, None),
        ("failing", "verified", None, None),
    ]


@pytest.mark.parametrize(
    ("outcome", "refused", "status"),
    [
        ("quota_exhausted", (), "degraded"),
        ("wrong_region", (), "degraded"),
        ("probe_invalid", ("top_k",), "degraded"),
        ("probe_invalid", (), "verified"),
    ],
)
def test_a_lasting_fault_degrades_at_once_and_success_heals_it(connection, outcome, refused, status):
    run(connection, state(settings(on_failure="deactivate", failure_threshold=1), model("p/a")))
    verified(connection, "ok")
    verified(connection, outcome, refused=refused)
    assert rows(connection) == {"a": (True, None, status, NOW)}
    verified(connection, "ok")
    assert rows(connection)["a"][2] == "verified"


def test_a_cheaper_probe_does_not_stand_in_for_the_one_that_is_due(connection):
    run(connection, state(settings(every="5m"), model("p/a")))
    verified(connection, "ok", level="reach")
    assert [candidate.is_due for candidate in candidates(connection)] == [True]
    verified(connection, "ok")
    verified(connection, "ok", at=NOW + timedelta(minutes=4), level="reach")
    (due,) = connection.execute("SELECT next_due FROM model_verification").fetchone()
    assert due == NOW + timedelta(minutes=5)


def test_a_cheaper_probe_than_the_files_ask_for_verifies_nothing(connection):
    run(connection, state(settings(activation="verified", probe="model"), model("p/a")))
    verified(connection, "ok", level="reach")
    assert rows(connection) == {"a": (False, "pending", "pending", None)}


def test_a_cheaper_probe_that_fails_for_good_counts(connection):
    run(connection, state(settings(failure_threshold=1), model("p/a")))
    verified(connection, "auth_failed", level="credential")
    assert rows(connection)["a"][2] == "failing"


@pytest.mark.parametrize("outcome", ["timeout", "rate_limited", "secret_missing", "probe_invalid"])
def test_what_may_pass_by_itself_changes_no_status(connection, outcome):
    run(connection, state(settings(failure_threshold=1), model("p/a")))
    verified(connection, "ok")
    verified(connection, outcome)
    assert rows(connection)["a"] == (True, None, "verified", NOW)


@pytest.mark.parametrize(("on_failure", "held"), [("mark", (True, None)), ("deactivate", (False, "failing"))])
def test_a_model_fails_only_after_the_threshold_in_a_row(connection, on_failure, held):
    wanted = state(settings(failure_threshold=2, on_failure=on_failure), model("p/a"))
    run(connection, wanted)
    verified(connection, "model_not_found")
    assert rows(connection)["a"][:3] == (True, None, "unverified")
    verified(connection, "model_not_found")
    assert rows(connection)["a"][:3] == (*held, "failing")
    assert planned(connection, wanted).changes == ()
    verified(connection, "ok")
    assert rows(connection)["a"][:3] == (True, None, "verified")


@pytest.mark.parametrize(("failing", "held"), [(3, 3), (4, 0)])
def test_no_verification_switches_off_more_than_a_plan_may(connection, failing, held):
    wanted = state(settings(failure_threshold=1, on_failure="deactivate"), *models(10))
    run(connection, wanted)
    verified(connection, "ok", **{f"m{number}": "auth_failed" for number in range(failing)})
    found = rows(connection)
    assert sum(1 for row in found.values() if row[1] == "failing") == held
    assert sum(1 for row in found.values() if row[2] == "failing") == failing


def test_one_verification_after_another_cannot_switch_off_more_either(connection):
    run(connection, state(settings(failure_threshold=1, on_failure="deactivate"), *models(10)))
    for number in range(5):
        verified(connection, "ok", **{f"m{one}": "auth_failed" for one in range(number + 1)})
    assert sum(1 for row in rows(connection).values() if row[1] == "failing") == 3


def test_models_that_wait_for_their_first_success_are_no_part_of_the_share(connection):
    waiting = provider("q", verification={"activation": "verified"})
    trusted = settings(failure_threshold=1, on_failure="deactivate")
    run(connection, state(trusted, *models(10)))
    run(connection, state(trusted, *models(10), waiting, *models(30, of="q")))
    said = []

    def ask(targets, _meanwhile=None):
        return [Result(target.address, "auth_failed", target.level, 401) for target in targets]

    prober = Prober(ask, say=said.append)
    verify(connection, prober, source="default", context=ACTOR, selection=Selection(all=True))
    held = "SELECT count(*) FROM provider_model_configs WHERE hold = 'failing'"
    assert connection.execute(held).fetchone() == (0,)
    (alarm,) = said
    assert alarm.startswith("ALARM: 10 of 10 active models fail and were not switched off")


@pytest.mark.parametrize("changed", ["parameters", "provider", "by hand"])
def test_an_answer_about_what_has_changed_meanwhile_switches_nothing(connection, database, changed):
    def wanted(number):
        heat, pace = (number, 1) if changed == "parameters" else (1, number)
        verification = {"activation": "verified", "failure_threshold": pace}
        return state(
            provider("p", verification=verification),
            parameters("s", temperature=float(heat)),
            model("p/a", parameters="s"),
        )

    run(connection, wanted(1))

    def ask(targets, _meanwhile=None):
        with connect(database) as other:
            if changed == "by hand":
                other.execute("UPDATE llm_parameters SET temperature = 2 WHERE name = 's'")
            else:
                run(other, wanted(2))
        return [Result(target.address, "ok", target.level, 200) for target in targets]

    verify(connection, Prober(ask), source="default", context=ACTOR, selection=Selection(all=True))
    assert rows(connection)["a"][:3] == (False, "pending", "pending")
    verified(connection, "ok")
    assert rows(connection)["a"][:3] == (True, None, "verified")


def test_what_was_asked_before_the_apply_is_stored_and_not_asked_again(connection):
    run(connection, state(settings(probe="generate", activation="verified"), *models(2)))
    asked = []

    def ask(targets, _meanwhile=None):
        asked.extend(str(target.address) for target in targets)
        return [Result(target.address, "ok", target.level, 200) for target in targets]

    first = [Result(model("p/m0").address, "ok", "generate", 200, 7)]
    only = [one.address for one in models(2)]
    verify(connection, Prober(ask), source="default", context=ACTOR, only=only, already=first)
    assert asked == ["model:p/m1"]
    assert {row[:3] for row in rows(connection).values()} == {(True, None, "verified")}
    used = connection.execute("SELECT used FROM verification_budgets").fetchone()
    assert used == (1,)


def test_a_person_who_switches_a_held_model_off_is_never_overruled(connection):
    run(connection, state(settings(failure_threshold=1, on_failure="deactivate"), model("p/a")))
    verified(connection, "auth_failed")
    connection.execute("UPDATE provider_model_configs SET is_active = FALSE")
    verified(connection, "ok")
    assert rows(connection)["a"][:2] == (False, None)


@pytest.mark.parametrize(
    "spoilt",
    [
        """verification = '{"timeout": "soon"}'""",
        """verification = '{"probe": "guess"}'""",
        """verification = '{"failure_threshold": "x"}'""",
        """verification = '[]', credentials = '"sk-not-a-reference"'""",
        """kind_spec = '{"protocol": 5}'""",
    ],
)
def test_a_row_that_a_hand_has_spoilt_is_one_models_result(connection, spoilt):
    run(connection, state(provider("p"), provider("q"), model("p/a"), model("q/b")))
    connection.execute(f"UPDATE providers SET {spoilt} WHERE name = 'p'")
    found = {str(result.address): result for result in verified(connection, "ok")}
    assert found["model:p/a"].outcome == "probe_invalid"
    assert "sk-" not in found["model:p/a"].detail
    assert found["model:q/b"].outcome == "ok"


def test_a_json_null_among_the_settings_means_the_defaults(connection):
    run(connection, state(provider("p"), model("p/a")))
    connection.execute("UPDATE providers SET verification = 'null'")
    assert [result.outcome for result in verified(connection, "ok")] == ["ok"]


def test_nothing_due_waits_for_nobody(connection, database):
    run(connection, state(provider("p"), model("p/a")))
    verified(connection, "ok", at=datetime.now(UTC))
    with connect(database) as other, other.transaction():
        other.execute("SELECT FROM registry FOR UPDATE")
        connection.execute("SET lock_timeout = '1ms'")
        due = verify(connection, answering("ok"), source="default", context=ACTOR, selection=Selection())
    assert due == ()


def test_a_model_is_due_again_when_its_provider_says(connection):
    run(connection, state(settings(every="5m"), model("p/a")))
    verified(connection, "ok")
    due = connection.execute("SELECT next_due FROM model_verification").fetchone()[0]
    assert due == NOW + timedelta(minutes=5)
    assert [candidate.is_due for candidate in candidates(connection)] == [True]


def test_what_is_known_when_ctrl_c_comes_is_kept(connection):
    run(connection, state(provider("p"), *models(2)))

    def ask(targets, _meanwhile=None):
        first, second = targets
        done = Result(first.address, "ok", first.level, 200, 5)
        raise Interrupted((done, Result(second.address, "skipped", second.level)))

    with pytest.raises(Interrupted) as stopped:
        verify(connection, Prober(ask), source="d", context=ACTOR, selection=Selection(all=True))
    assert [result.outcome for result in stopped.value.results] == ["ok", "skipped"]
    assert [row[2] for row in rows(connection).values()] == ["verified", "unverified"]
    held = connection.execute("SELECT count(*) FROM model_verification WHERE claimed_until IS NOT NULL")
    assert held.fetchone() == (0,)


def test_only_active_models_can_be_named(connection):
    run(connection, state(provider("p"), model("p/a", active=False)))
    chosen = Selection(addresses=(parse_address("model:p/a"),))
    with pytest.raises(UsageError, match="not an active model"):
        verify(connection, answering("ok"), source="d", context=ACTOR, selection=chosen)


def test_a_misspelt_source_is_no_all_clear(connection):
    run(connection, state(provider("p"), model("p/a")))
    with pytest.raises(UsageError, match="Nothing was ever applied here as source 'defualt'"):
        drift(connection, "defualt")
