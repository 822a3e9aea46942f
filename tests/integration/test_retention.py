"""What is removed of the recorded results, when, and that nothing else is touched or waited for."""

from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql
from support import schema
from support.probed import record
from support.rows import insert, insert_model

from reconciler.errors import LockHeldError, StoreUnavailableError
from reconciler.store import retention
from reconciler.store.session import connect

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEEP = 90 * DAY


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


def aged(connection, *days, model=7):
    record(connection, model, [(NOW - DAY * number, "ok", 1) for number in days])


def left(connection):
    """The ages of what is left, in days."""
    rows = connection.execute("SELECT at FROM verification_results ORDER BY at").fetchall()
    return [(NOW - at) / DAY for (at,) in rows]


def trim(connection, keep=KEEP, **more):
    return retention.trim(connection, keep, now=NOW, **more)


@pytest.mark.parametrize(
    ("ages", "kept"),
    [
        pytest.param((), [], id="nothing there"),
        pytest.param((1, 89.9), [89.9, 1], id="nothing old"),
        pytest.param((1, 90.5), [90.5, 1], id="not yet a day too old"),
        pytest.param((1, 91), [91, 1], id="a day too old to the moment"),
        pytest.param((1, 91.5), [1], id="more than a day too old"),
        pytest.param((1, 90, 90.5, 91.5, 400), [90, 1], id="with it, all that is too old"),
    ],
)
def test_results_are_removed_once_the_oldest_is_a_day_too_old(connection, ages, kept):
    aged(connection, *ages)
    assert trim(connection) == len(ages) - len(kept)
    assert left(connection) == pytest.approx(kept)


def test_a_second_removal_finds_nothing_to_do(connection):
    aged(connection, 1, 95, 100)
    assert (trim(connection), trim(connection)) == (2, 0)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
def test_many_results_of_one_moment_go_in_small_parts(connection, count):
    aged(connection, *[100] * count, 1)
    assert trim(connection, rows_at_once=3) == count
    assert left(connection) == [1]


def test_no_call_removes_more_than_it_may_and_the_oldest_go_first(connection):
    aged(connection, *range(100, 110), 1)
    assert trim(connection, rows_at_once=3, most_rows=7) == 7
    assert left(connection) == [102, 101, 100, 1]
    assert trim(connection, rows_at_once=3, most_rows=7) == 3


def test_a_retention_longer_than_all_time_keeps_everything(connection):
    aged(connection, 1, 5000)
    assert trim(connection, keep=timedelta(days=999_999)) == 0
    assert left(connection) == [5000, 1]


def test_only_results_are_removed(connection):
    insert(connection, "providers", name="p", kind="openai")
    row = insert_model(connection, "p/a", last_verified=NOW - DAY * 400)
    stored = {"status": "verified", "outcome": "ok", "checked_at": NOW - DAY * 400}
    insert(connection, "model_verification", key="model_id", model_id=row, **stored)
    aged(connection, 400, model=row)
    before = schema.rows(connection)
    assert trim(connection) == 1
    assert schema.rows(connection) == {**before, "verification_results": []}


def test_results_in_a_partition_of_the_operators_go_as_well(connection):
    connection.execute(
        "CREATE TABLE results_2025 PARTITION OF verification_results"
        " FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')"
    )
    aged(connection, 1, 100, 700)
    assert trim(connection, rows_at_once=1) == 2
    assert left(connection) == [1]
    assert connection.execute("SELECT to_regclass('results_2025') IS NOT NULL").fetchone() == (True,)


def test_of_two_that_remove_at_once_one_leaves_it_to_the_other(connection, database):
    aged(connection, 1, 100)
    with connect(database) as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", [retention._TURN])
        assert trim(connection) == 0
    assert trim(connection) == 1


def test_results_are_written_while_old_ones_are_removed(connection, database):
    aged(connection, 1, 100)
    with connect(database) as writer, writer.transaction():
        aged(writer, 2)
        assert trim(connection) == 1
    assert left(connection) == [2, 1]


def test_a_table_that_somebody_holds_is_not_waited_for_long(connection, database):
    aged(connection, 1, 100)
    with connect(database) as other, other.transaction():
        other.execute("LOCK TABLE verification_results IN SHARE MODE")
        with pytest.raises(LockHeldError):
            trim(connection)
    assert left(connection) == [100, 1]


def test_who_may_not_remove_is_told(connection):
    aged(connection, 1, 100)
    role = sql.Identifier("reader_of_" + connection.info.dbname)
    connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    try:
        connection.execute(sql.SQL("GRANT SELECT ON verification_results TO {}").format(role))
        connection.execute(sql.SQL("SET ROLE {}").format(role))
        with pytest.raises(StoreUnavailableError, match="permission denied"):
            trim(connection)
    finally:
        connection.execute("RESET ROLE")
        connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
        connection.execute(sql.SQL("DROP ROLE {}").format(role))


def test_what_is_removed_is_found_through_the_key_and_not_by_reading_everything(connection):
    connection.execute(
        "INSERT INTO verification_results (at, model_id, address, probe, outcome)"
        " SELECT %s - n * interval '1 hour', 1, 'model:p/a', 'model', 'ok' FROM generate_series(1, 5000) n",
        [NOW],
    )
    connection.execute("ANALYZE verification_results")
    values = {"before": NOW - KEEP, "at": NOW - 200 * DAY, "id": 1, "offset": 99}
    until = {"until_at": NOW - 195 * DAY, "until_id": 1}
    for statement in (retention._LAST, retention._UNTIL):
        plan = connection.execute(f"EXPLAIN {statement}", {**values, **until}).fetchall()
        assert "Seq Scan" not in str(plan)
    oldest = connection.execute("EXPLAIN SELECT min(at) FROM verification_results").fetchall()
    assert "Seq Scan" not in str(oldest)
