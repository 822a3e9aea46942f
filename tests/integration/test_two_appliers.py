"""Two who apply at once: one after the other, whole, and whoever does not want to wait is told at once."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from support.killed import STATES, applying
from support.polling import eventually
from support.registry_dump import active_part, asked_for, dump
from support.small_states import model, models, parameters, planned, provider, run, state

from reconciler.errors import LockHeldError
from reconciler.store.session import connect

ROUNDS = 5


def side(name, *, kept):
    """One of two states that differ in everything that both have, and in what each has alone."""
    return state(
        provider("p", description=name),
        parameters("base", use_case=name),
        *models(10, parameters="base", version=name),
        *(model(f"p/{name}{number}", version=name) for number in range(kept)),
    )


SIDES = (side("left", kept=2), side("right", kept=3))


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


class Crowd:
    """A checkpoint that counts who is inside of the lock."""

    def __init__(self):
        self._guard = threading.Lock()
        self._inside = 0
        self.most = 0

    def __call__(self, point):
        with self._guard:
            self._inside += {"after-lock": 1, "before-commit": -1}.get(point, 0)
            self.most = max(self.most, self._inside)


def assert_runs_are_serial(connection):
    found = connection.execute(
        "SELECT generation, finished_at, succeeded FROM reconcile_runs ORDER BY id"
    ).fetchall()
    assert [generation for generation, *_ in found] == list(range(1, len(found) + 1))
    assert sorted(found, key=lambda row: row[1]) == found
    assert all(succeeded for *_, succeeded in found)


def together(database, *calls):
    """Run each call in a thread and with a connection of its own, all at once; what each returned."""
    gate = threading.Barrier(len(calls))

    def one(call):
        with connect(database) as own:
            gate.wait(timeout=30)
            return call(own)

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(one, call) for call in calls]]


def test_the_result_of_two_at_once_is_one_of_the_two_states(database, connection):
    crowd = Crowd()
    for _ in range(ROUNDS):
        done = together(
            database, *(lambda own, wanted=wanted: run(own, wanted, at=crowd) for wanted in SIDES)
        )
        last = max(done, key=lambda one: one.run or 0)
        won = SIDES[done.index(last)]
        assert active_part(connection) == asked_for(won)
        assert planned(connection, won).changes == ()
    assert crowd.most == 1
    assert_runs_are_serial(connection)


def test_the_second_of_two_plans_on_what_the_first_wrote(database, connection):
    run(connection, SIDES[0])
    first, second = together(
        database,
        *(lambda own, text=text: run(own, side(text, kept=0)) for text in ("third", "fourth")),
    )
    first, second = sorted((first, second), key=lambda one: one.run)
    said = {change.fields[0].before for change in second.plan.changes if str(change.address) == "provider:p"}
    assert said == {
        change.desired.spec["description"]
        for change in first.plan.changes
        if str(change.address) == "provider:p"
    }


def test_the_same_state_applied_twice_at_once_is_written_once(database, connection):
    done = together(database, *[lambda own: run(own, SIDES[0])] * 4)
    assert [one.run is not None for one in done].count(True) == 1
    assert active_part(connection) == asked_for(SIDES[0])
    assert_runs_are_serial(connection)


def test_two_sources_at_once_both_end_well(database, connection):
    crowd = Crowd()
    mine = [
        state(provider(name), parameters(name, top_k=number), *models(20, of=name, parameters=name))
        for number, name in enumerate("abcd")
    ]
    together(
        database,
        *(
            lambda own, wanted=wanted, name=name: run(own, wanted, at=crowd, source=name)
            for name, wanted in zip("abcd", mine, strict=True)
        ),
    )
    expected = {}
    for wanted in mine:
        expected |= asked_for(wanted)
    assert active_part(connection) == expected
    assert {values[0] for values in dump(connection).managed.values()} == set("abcd")
    assert crowd.most == 1
    assert_runs_are_serial(connection)


def test_real_processes_at_once_leave_one_of_the_two_states(database, connection):
    run(connection, STATES["before"](50))
    for _ in range(2):
        with ExitStack() as stack:
            children = [
                stack.enter_context(applying(database, name, 50)) for name in ("before", "after", "before")
            ]
            for child in children:
                child.begin()
            outcomes = [child.outcome() for child in children]
        assert [outcome.get("error") for outcome in outcomes] == [None] * 3
        found = active_part(connection)
        assert found in [asked_for(STATES[name](50)) for name in ("before", "after")]
    assert_runs_are_serial(connection)


class Holding:
    """An apply that stays inside of the lock until it is let go."""

    def __init__(self, database, wanted):
        self._inside, self._go = threading.Event(), threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(self._apply, database, wanted)
        assert self._inside.wait(timeout=30)

    def _apply(self, database, wanted):
        with connect(database) as own:
            return run(own, wanted, at=self._at)

    def _at(self, point):
        if point == "after-copy":
            self._inside.set()
            assert self._go.wait(timeout=60)

    def let_go(self):
        self._go.set()
        self._pool.shutdown(wait=True)
        return self._future.result()


@pytest.fixture
def holding(database):
    holder = Holding(database, SIDES[0])
    yield holder
    holder.let_go()


@pytest.mark.parametrize(
    ("timeout", "least", "most"),
    [
        pytest.param(0, 0.0, 1.0, id="at once"),
        pytest.param(0.3, 0.3, 3.0, id="after a while"),
    ],
)
def test_who_does_not_wait_long_enough_is_told_so(holding, connection, timeout, least, most):
    quiet = dump(connection)
    began = time.monotonic()
    with pytest.raises(LockHeldError, match="holds the registry") as caught:
        run(connection, SIDES[1], lock_timeout=timeout)
    assert least <= time.monotonic() - began < most
    assert (caught.value.code, caught.value.exit_status) == ("locked", 4)
    assert dump(connection) == quiet
    assert connection.execute("SELECT count(*) FROM reconcile_runs").fetchone() == (0,)


def test_who_waits_goes_on_when_the_other_is_done(database, connection, holding):
    with ThreadPoolExecutor(1) as pool, connect(database) as own:
        waiting = pool.submit(run, own, SIDES[1])
        asked = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        assert eventually(lambda: connection.execute(asked, [own.info.backend_pid]).fetchone())
        first = holding.let_go()
        second = waiting.result(timeout=30)
    assert (first.counts["create"], second.counts["update"]) == (14, 12)
    assert active_part(connection) == asked_for(SIDES[1])
    assert_runs_are_serial(connection)


def test_a_plan_does_not_wait_for_an_apply(holding, connection):
    found = planned(connection, SIDES[1])
    assert {type(change).__name__ for change in found.changes} == {"Create"}


def test_another_source_waits_for_the_same_lock(holding, connection):
    with pytest.raises(LockHeldError):
        run(connection, state(provider("q")), lock_timeout=0, source="other")


def test_a_holder_whose_process_is_killed_lets_go(database, connection, tmp_path):
    marker = tmp_path / "marker"
    with applying(database, "before", 5, "after-copy", "1", str(marker)) as child:
        child.begin()
        child.exit_status()
    assert marker.exists()
    done = run(connection, SIDES[0], lock_timeout=5)
    assert done.run is not None
