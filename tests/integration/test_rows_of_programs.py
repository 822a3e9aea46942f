"""Rows that a program writes: by the same statements as those of files, and owned by nobody."""

import pytest
from support.registry_dump import dump
from support.small_states import ACTOR, parameters, planned, provider, run, state

from reconciler.core.address import Address
from reconciler.core.changes import Activate, Create, Deactivate, Update
from reconciler.core.problem import Place
from reconciler.core.state import Desired
from reconciler.store import bulk, lock, observe, record
from reconciler.store.session import StaleReadError, connect

MODEL = Address("model", "p/a/b")
PROVIDER = Address("provider", "p")
VERIFIED = {"activation": "verified"}


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


def wanted(address, *, active=True, **spec):
    return Desired(address, spec, active, Place("", 0, 1))


def model(*, active=True, **spec):
    return wanted(MODEL, active=active, parameters="default", mode="chat", **spec)


def seen(connection, address):
    return observe.read_state(connection, "default").observed[address]


def write(connection, *changes, pending=False):
    with lock.writing(connection, lock_timeout=1) as generation:
        record.announce(connection, None, ACTOR)
        bulk.write_rows(connection, changes, is_pending=lambda _: pending, generation=generation + 1)
        lock.raise_generation(connection, generation + 1)


def stored(connection):
    asked = "SELECT is_active, hold, version, generation FROM provider_model_configs"
    return connection.execute(asked).fetchone()


@pytest.mark.parametrize(
    ("active", "pending", "expected"),
    [
        pytest.param(True, False, (True, None), id="active at once"),
        pytest.param(True, True, (False, "pending"), id="waiting for a success"),
        pytest.param(False, True, (False, None), id="inactive"),
    ],
)
def test_a_new_model_is_on_hold_where_it_waits(connection, active, pending, expected):
    write(connection, Create(MODEL, "code", model(active=active)), pending=pending)
    assert stored(connection) == (*expected, None, 1)


def test_nothing_is_managed_and_no_plan_of_files_knows_of_it(connection):
    write(
        connection,
        Create(PROVIDER, "code", wanted(PROVIDER, kind="openai")),
        Create(MODEL, "code", model()),
    )
    assert dump(connection).managed == {}
    assert connection.execute("SELECT count(*) FROM reconcile_runs").fetchone() == (0,)
    run(connection, state(provider("q"), parameters("base")))
    assert planned(connection, state(provider("q"), parameters("base"))).changes == ()
    assert stored(connection) == (True, None, None, 1)


def test_an_update_leaves_a_hold_and_an_activity_as_they_are(connection):
    write(connection, Create(MODEL, "code", model()), pending=True)
    write(connection, Update(MODEL, "code", (), model(version="2"), seen(connection, MODEL)))
    assert stored(connection) == (False, "pending", "2", 2)


@pytest.mark.parametrize(
    ("last_verified", "expected"),
    [
        pytest.param(None, (False, "pending"), id="never verified"),
        pytest.param("2030-01-01", (True, None), id="verified once"),
    ],
)
def test_a_model_that_is_switched_on_waits_where_it_was_never_verified(connection, last_verified, expected):
    write(connection, Create(MODEL, "code", model(active=False)))
    connection.execute("UPDATE provider_model_configs SET last_verified = %s", [last_verified])
    write(connection, Activate(MODEL, "code", (), model(), seen(connection, MODEL)), pending=True)
    assert stored(connection)[:2] == expected


@pytest.mark.parametrize("content", [None, model(active=False, version="3")])
def test_a_model_is_switched_off(connection, content):
    write(connection, Create(MODEL, "code", model()), pending=True)
    write(connection, Deactivate(MODEL, "code", (), content, seen(connection, MODEL), "", 0))
    assert stored(connection) == (False, None, "3" if content else None, 2)


def test_a_model_that_waits_is_not_let_go_by_a_change_of_its_provider(connection):
    """Programs say of each model whether it waits; files say it of the provider."""
    asked = wanted(PROVIDER, kind="openai", verification=VERIFIED)
    write(connection, Create(PROVIDER, "code", asked), Create(MODEL, "code", model()), pending=True)
    assert stored(connection)[:2] == (False, "pending")
    now = wanted(PROVIDER, kind="openai")
    write(connection, Update(PROVIDER, "code", (), now, seen(connection, PROVIDER)))
    assert stored(connection) == (False, "pending", None, 1)


def test_a_row_that_changed_in_between_is_not_overwritten(connection):
    write(connection, Create(MODEL, "code", model()))
    before = seen(connection, MODEL)
    connection.execute("UPDATE provider_model_configs SET version = 'by hand'")
    with pytest.raises(StaleReadError):
        write(connection, Update(MODEL, "code", (), model(version="2"), before))
    assert stored(connection) == (True, None, "by hand", 2)


def test_many_rows_are_written_as_one(connection):
    addresses = [Address("model", f"p/m{number}") for number in range(bulk.FEW + 1)]
    write(
        connection,
        *(Create(one, "code", wanted(one, parameters="default", mode="chat")) for one in addresses),
    )
    counted = "SELECT count(*), min(generation), max(generation) FROM provider_model_configs"
    assert connection.execute(counted).fetchone() == (len(addresses), 1, 1)
    events = "SELECT count(*), count(DISTINCT transaction) FROM audit_events WHERE cause = 'code'"
    assert connection.execute(events).fetchone() == (len(addresses), 1)


def test_writing_nothing_is_nothing(connection):
    write(connection)
    assert connection.execute("SELECT count(*) FROM audit_events").fetchone() == (0,)
