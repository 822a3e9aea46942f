"""Holds: a model that waits for its first success, or that fails, agrees with files that want it active."""

import pytest
from support.registry_dump import Row, active_part, asked_for, entities, versions
from support.rows import insert, insert_model
from support.small_states import model, models, planned, provider, run, state

from reconciler.core.address import Address
from reconciler.core.changes import Activate, Deactivate
from reconciler.engine.plan import drift
from reconciler.store.session import connect


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


CAREFUL = provider("p", verification={"activation": "verified"})
TRUSTING = provider("p", verification={"activation": "immediate"})
SILENT = provider("p")
A = Address("model", "p/a")
CONTENT = {"parameters": "default", "mode": "chat"}


def found(connection, key="p/a") -> Row:
    return entities(connection)[Address("model", key)]


def verify(connection):
    """What a first success of a probe writes."""
    connection.execute(
        "UPDATE provider_model_configs SET is_active = TRUE, hold = NULL, last_verified = now()"
        " WHERE hold = 'pending'"
    )


def fail(connection):
    """What `on_failure: deactivate` writes."""
    connection.execute("UPDATE provider_model_configs SET is_active = FALSE, hold = 'failing'")


def assert_nothing_is_left_to_do(connection, wanted):
    assert planned(connection, wanted).changes == ()
    assert drift(connection, "default").changes == ()
    quiet = versions(connection)
    run(connection, wanted)
    assert versions(connection) == quiet


def test_a_new_model_waits_where_its_provider_wants_it_verified_first(connection):
    wanted = state(CAREFUL, model("p/a"), model("p/b", active=False))
    run(connection, wanted)
    assert found(connection) == Row(CONTENT, active=False, hold="pending")
    assert found(connection, "p/b") == Row(CONTENT, active=False)
    assert_nothing_is_left_to_do(connection, wanted)


def test_only_models_wait(connection):
    run(connection, state(CAREFUL, provider("q"), model("p/a"), model("q/a")))
    waiting = {address for address, row in entities(connection).items() if not row.active}
    assert waiting == {A}


@pytest.mark.parametrize("after", [TRUSTING, SILENT], ids=["immediate", "nothing said"])
def test_a_provider_that_asks_for_no_verification_any_more_lets_its_models_go(connection, after):
    run(connection, state(CAREFUL, model("p/a"), model("p/off", active=False)))
    wanted = state(after, model("p/a"), model("p/off", active=False))
    run(connection, wanted)
    assert found(connection) == Row(CONTENT, active=True)
    assert found(connection, "p/off") == Row(CONTENT, active=False)
    assert_nothing_is_left_to_do(connection, wanted)


def test_another_change_of_the_provider_lets_nothing_go(connection):
    run(connection, state(CAREFUL, provider("q"), model("p/a")))
    changed = provider("p", description="new", verification={"activation": "verified"})
    run(connection, state(changed, provider("q", description="new"), model("p/a")))
    assert found(connection).hold == "pending"


def test_a_model_that_fails_stays_on_hold_when_its_provider_asks_for_no_verification_any_more(connection):
    run(connection, state(CAREFUL, model("p/a")))
    fail(connection)
    run(connection, state(TRUSTING, model("p/a")))
    assert found(connection).hold == "failing"


def test_a_model_that_is_active_does_not_wait_when_its_provider_becomes_careful(connection):
    run(connection, state(SILENT, model("p/a")))
    wanted = state(CAREFUL, model("p/a"), model("p/new"))
    run(connection, wanted)
    assert found(connection).active
    assert found(connection, "p/new").hold == "pending"


@pytest.mark.parametrize("hold", ["pending", "failing"])
def test_other_content_leaves_a_hold_as_it_is(connection, hold):
    run(connection, state(CAREFUL, model("p/a")))
    if hold == "failing":
        fail(connection)
    wanted = state(CAREFUL, model("p/a", version="2"))
    run(connection, wanted)
    assert found(connection) == Row({**CONTENT, "version": "2"}, active=False, hold=hold)
    assert_nothing_is_left_to_do(connection, wanted)


@pytest.mark.parametrize("hold", ["pending", "failing"])
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(state(CAREFUL, model("p/a", active=False)), id="switched off"),
        pytest.param(state(CAREFUL), id="vanished"),
        pytest.param(
            state(CAREFUL._replace(active=False), model("p/a", active=False)), id="with its provider"
        ),
        pytest.param(state(TRUSTING, model("p/a", active=False)), id="as its provider becomes trusting"),
    ],
)
def test_a_model_on_hold_that_the_files_switch_off_is_inactive_and_free(connection, hold, after):
    run(connection, state(CAREFUL, model("p/a")))
    if hold == "failing":
        fail(connection)
    done = run(connection, after)
    assert A in {change.address for change in done.plan.changes if isinstance(change, Deactivate)}
    assert found(connection) == Row(CONTENT, active=False)
    assert_nothing_is_left_to_do(connection, after)


def test_a_model_that_comes_back_unverified_waits_again(connection):
    wanted = state(CAREFUL, model("p/a"))
    run(connection, wanted)
    run(connection, state(CAREFUL))
    run(connection, wanted)
    assert found(connection) == Row(CONTENT, active=False, hold="pending")
    assert_nothing_is_left_to_do(connection, wanted)


def test_a_model_that_comes_back_verified_is_active_at_once(connection):
    wanted = state(CAREFUL, model("p/a"))
    run(connection, wanted)
    verify(connection)
    run(connection, state(CAREFUL))
    run(connection, wanted)
    assert found(connection) == Row(CONTENT, active=True)


def test_what_verification_writes_is_no_drift(connection):
    wanted = state(CAREFUL, *models(3))
    run(connection, wanted)
    verify(connection)
    assert_nothing_is_left_to_do(connection, wanted)
    fail(connection)
    assert_nothing_is_left_to_do(connection, wanted)
    assert active_part(connection) == asked_for(wanted)


def test_a_person_who_switches_a_waiting_model_on_has_decided(connection):
    wanted = state(CAREFUL, model("p/a"))
    run(connection, wanted)
    connection.execute("UPDATE provider_model_configs SET is_active = TRUE")
    assert found(connection) == Row(CONTENT, active=True)
    assert_nothing_is_left_to_do(connection, wanted)


def test_a_person_who_switches_a_waiting_model_off_is_overruled_and_it_waits_again(connection):
    wanted = state(CAREFUL, model("p/a"))
    run(connection, wanted)
    connection.execute("UPDATE provider_model_configs SET is_active = FALSE")
    done = run(connection, wanted)
    assert [(type(change), change.cause) for change in done.plan.changes] == [(Activate, "drift")]
    assert found(connection).hold == "pending"
    assert_nothing_is_left_to_do(connection, wanted)


def test_a_waiting_model_that_a_hand_deleted_waits_again(connection):
    wanted = state(CAREFUL, model("p/a"))
    run(connection, wanted)
    connection.execute("DELETE FROM provider_model_configs")
    run(connection, wanted)
    assert found(connection).hold == "pending"


@pytest.mark.parametrize(
    ("active", "verified", "expected"),
    [
        pytest.param(True, False, Row(CONTENT, active=True), id="active already"),
        pytest.param(False, False, Row(CONTENT, active=False, hold="pending"), id="inactive and unverified"),
        pytest.param(False, True, Row(CONTENT, active=True), id="inactive and verified"),
    ],
)
def test_an_adopted_model_waits_only_if_it_has_to_be_switched_on_unverified(
    connection, active, verified, expected
):
    insert(connection, "providers", name="p", kind="openai")
    insert_model(
        connection, "p/a", is_active=active, last_verified="2026-01-01T00:00:00Z" if verified else None
    )
    wanted = state(CAREFUL, model("p/a"))
    run(connection, wanted, adopt=True)
    assert found(connection) == expected
    assert_nothing_is_left_to_do(connection, wanted)


def test_one_source_lets_only_the_models_of_its_own_providers_go(connection):
    theirs = provider("q", verification={"activation": "verified"})
    run(connection, state(theirs, model("q/a")), source="other")
    run(connection, state(CAREFUL, model("p/a")))
    run(connection, state(TRUSTING, model("p/a")))
    assert found(connection, "q/a").hold == "pending"
