"""What verification finds reaches the readers: a model whose status changes bears a new generation."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from support.polling import eventually
from support.small_states import ACTOR, model, models, provider, run, state

from reconciler.core.options import Selection
from reconciler.core.outcome import Result
from reconciler.engine.prober import Prober
from reconciler.engine.verify import verify
from reconciler.store import claims
from reconciler.store.observe import read_generation
from reconciler.store.session import connect

_hours = itertools.count()


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


def answering(outcomes, **more):
    """A prober that finds what is given for a model, and `ok` elsewhere."""

    def ask(targets, _meanwhile=None):
        return [
            Result(target.address, outcomes.get(target.address.model_id, "ok"), target.level, 200, 5)
            for target in targets
        ]

    # Each run an hour after the one before: what that one found is nothing new.
    at = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=next(_hours))
    return Prober(ask, clock=lambda _connection: at, **more)


def verified(connection, outcomes=None, **more):
    prober = answering(outcomes or {}, **more)
    return verify(connection, prober, source="d", context=ACTOR, selection=Selection(all=True))


def marks(connection):
    return dict(connection.execute("SELECT model_id, generation FROM provider_model_configs").fetchall())


def statuses(connection):
    found = connection.execute(
        "SELECT m.model_id, k.status FROM model_verification k"
        " JOIN provider_model_configs m ON m.id = k.model_id"
    )
    return dict(found.fetchall())


def test_models_whose_status_changes_bear_the_new_generation_and_others_do_not(connection):
    run(connection, state(provider("p", verification={"failure_threshold": 1}), *models(3)))
    verified(connection)
    assert (read_generation(connection), marks(connection)) == (2, {"m0": 2, "m1": 2, "m2": 2})
    verified(connection)
    assert read_generation(connection) == 2
    verified(connection, {"m1": "auth_failed"})
    assert (read_generation(connection), marks(connection)) == (3, {"m0": 2, "m1": 3, "m2": 2})
    assert statuses(connection) == {"m0": "verified", "m1": "failing", "m2": "verified"}


def test_a_hold_that_is_set_and_lifted_is_one_generation_each(connection):
    settings = {"activation": "verified", "on_failure": "deactivate", "failure_threshold": 1}
    run(connection, state(provider("p", verification=settings), model("p/a")))
    assert marks(connection) == {"a": 1}
    asked = "SELECT is_active, hold, generation FROM provider_model_configs"
    verified(connection)
    assert connection.execute(asked).fetchall() == [(True, None, 2)]
    verified(connection, {"a": "auth_failed"})
    assert connection.execute(asked).fetchall() == [(False, "failing", 3)]
    assert read_generation(connection) == 3


def test_a_runs_first_findings_do_not_make_its_later_ones_stale(connection, database):
    """One model is held by another process for the first round of two."""
    run(connection, state(provider("p"), *models(2)))
    number = connection.execute("SELECT id FROM provider_model_configs WHERE model_id = 'm1'").fetchone()[0]
    with connect(database) as other:
        claim, _ = claims.take(other, [number], lease=60)
        results = verified(connection, pause=lambda _seconds: claims.release(other, claim))
    assert [result.outcome for result in results] == ["ok", "ok"]
    assert statuses(connection) == {"m0": "verified", "m1": "verified"}
    assert (read_generation(connection), marks(connection)) == (3, {"m0": 2, "m1": 3})


def test_a_hand_edit_while_probing_makes_its_finding_stale_and_no_other(connection, database):
    run(connection, state(provider("p"), *models(2)))

    def ask(targets, _meanwhile=None):
        with connect(database) as hand:
            hand.execute("UPDATE provider_model_configs SET version = '2' WHERE model_id = 'm1'")
        return [Result(target.address, "ok", target.level, 200, 5) for target in targets]

    verify(connection, Prober(ask), source="d", context=ACTOR, selection=Selection(all=True))
    assert statuses(connection) == {"m0": "verified", "m1": "unverified"}
    assert marks(connection) == {"m0": 3, "m1": 2}


def test_a_row_that_somebody_holds_is_waited_for_and_neither_is_lost(connection, database):
    """A person's edit of a model is open while its finding is written, and committed while that waits."""
    run(connection, state(provider("p"), *models(2)))
    with connect(database) as hand, connect(database) as observer:
        hand.execute("BEGIN")
        hand.execute("UPDATE provider_model_configs SET version = '2' WHERE model_id = 'm1'")
        waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"

        def commit():
            eventually(lambda: observer.execute(waits, [connection.info.backend_pid]).fetchone())
            hand.execute("COMMIT")

        person = threading.Thread(target=commit)
        person.start()
        verified(connection)
        person.join()
    assert statuses(connection) == {"m0": "verified", "m1": "unverified"}
    assert sorted(marks(connection).items()) == [("m0", 3), ("m1", 2)]


def test_readers_hear_of_a_status(connection, database):
    run(connection, state(provider("p"), model("p/a")))
    with connect(database) as listener:
        listener.execute("LISTEN reconciler_generation")
        verified(connection)
        verified(connection)
        connection.execute("NOTIFY reconciler_generation, 'the end'")
        told = [notice.payload for notice in listener.notifies(timeout=10, stop_after=2)]
    assert told == ["public 2", "the end"]
