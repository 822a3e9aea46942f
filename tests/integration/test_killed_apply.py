"""An apply whose process is killed leaves the old state or the new one, a free lock, and no half run."""

import random
import signal
import time

import pytest
from support.killed import STATES, applying
from support.polling import eventually
from support.registry_dump import Dump, Trail, dump, trail
from support.small_states import planned, run

from reconciler.errors import LockHeldError
from reconciler.store import lock
from reconciler.store.session import connect, translated

SMALL = 3
LARGE = 1000
# One for each step for each kind of entity that takes it; a test below counts them.
STATEMENTS = 14
POINTS = (
    *(("after-lock", 1), ("after-read", 1), ("after-copy", 1)),
    *(("between-statements", number) for number in range(1, STATEMENTS + 1)),
    *(("before-commit", 1), ("after-commit", 1)),
)
MOMENTS = 5


def both(connection) -> tuple[Dump, Trail]:
    return dump(connection), trail(connection)


def is_free(connection) -> bool:
    try:
        with translated(), lock.writing(connection, lock_timeout=0):
            return True
    except LockHeldError:
        return False


def uninterrupted(url, fresh, size):
    """What the tables and the trail hold before and after an apply that nobody disturbs."""
    with connect(fresh) as twin:
        run(twin, STATES["before"](size))
        run(twin, STATES["after"](size))
        new = both(twin)
    with connect(url) as connection:
        run(connection, STATES["before"](size))
        return both(connection), new


@pytest.fixture
def twin(server_url, migrated_template):
    """The address of a second registry."""
    from support import postgres

    with postgres.fresh_database(server_url, migrated_template) as url:
        yield url


def test_an_apply_comes_by_each_named_point(database):
    points = []
    with connect(database) as connection:
        run(connection, STATES["before"](SMALL))
        run(connection, STATES["after"](SMALL), at=points.append)
    statements = ["between-statements"] * STATEMENTS
    assert points == ["after-lock", "after-read", "after-copy", *statements, "before-commit", "after-commit"]


@pytest.mark.parametrize(("point", "occurrence"), POINTS)
def test_a_process_killed_at_a_point_leaves_the_old_state_or_the_new_one(
    database, twin, tmp_path, point, occurrence
):
    old, new = uninterrupted(database, twin, SMALL)
    marker = tmp_path / "marker"
    with applying(database, "after", SMALL, point, str(occurrence), str(marker)) as child:
        child.begin()
        assert child.exit_status() == -signal.SIGKILL
    assert marker.read_text() == f"{point} {occurrence}"
    with connect(database) as connection:
        assert eventually(lambda: is_free(connection), within=5)
        assert both(connection) == (new if point == "after-commit" else old)
        run(connection, STATES["after"](SMALL), lock_timeout=0)
        assert dump(connection) == new[0]
        assert planned(connection, STATES["after"](SMALL)).changes == ()


@pytest.mark.parametrize("seed", range(4))
def test_a_process_killed_at_random_moments_leaves_the_old_state_or_the_new_one(database, seed):
    """One moment in each fifth of the duration of an apply; whatever it leaves, the next apply mends."""
    chance = random.Random(seed)
    with connect(database) as connection:
        states, duration = to_and_fro(connection)
        told = 0
        for number in range(MOMENTS):
            wanted = ("before", "after")[number % 2]
            before = both(connection)
            moment = duration * (number + chance.random()) / MOMENTS
            with applying(database, wanted, LARGE) as child:
                child.begin()
                assert not child.is_over_after(moment)
                child.kill()
                assert child.exit_status() == -signal.SIGKILL
            assert eventually(lambda: is_free(connection))
            found = both(connection)
            assert found[0] in states.values()
            told += assert_nothing_is_half(before, found)
            run(connection, STATES[wanted](LARGE), lock_timeout=0)
            assert dump(connection) == states[wanted]
            assert planned(connection, STATES[wanted](LARGE)).changes == ()
        assert told < MOMENTS  # the first moments are far from the end


def to_and_fro(connection) -> tuple[dict[str, Dump], float]:
    """Both states as the tables hold them once each has been there, and how long an apply takes."""
    states, duration = {}, 0.0
    for name in ("after", "before", "after"):
        began = time.monotonic()
        run(connection, STATES[name](LARGE))
        duration = time.monotonic() - began
        states[name] = dump(connection)
    return states, duration


def assert_nothing_is_half(before: tuple[Dump, Trail], found: tuple[Dump, Trail]) -> bool:
    """The trail tells of the run with the tables, or of nothing; whether it tells of it."""
    if found[0] == before[0]:
        assert found == before
        return False
    new_runs = found[1].runs[len(before[1].runs) :]
    assert [succeeded for _, _, succeeded, *_ in new_runs] == [True]
    events = found[1].events[len(before[1].events) :]
    assert {run for _, run, *_ in events} == {new_runs[0][0]}
    assert len({address for *_, address in events}) == sum(
        number for action, number in new_runs[0][4].items() if action != "unchanged"
    )
    return True
