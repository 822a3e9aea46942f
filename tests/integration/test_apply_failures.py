"""A database that refuses or goes away: an error of ours, the tables as they were, one failed run."""

import pytest
from support.polling import eventually
from support.registry_dump import TABLES, active_part, asked_for, dump, trail, versions
from support.small_states import ACTOR, model, models, parameters, planned, provider, run, state

from reconciler.errors import ProviderConfigError, SchemaError, StoreUnavailableError
from reconciler.store.session import RACED, connect

BEFORE = state(provider("p", description="old"), parameters("base", temperature=0.5), *models(3))
AFTER = state(
    provider("p", description="new"),
    parameters("base", temperature=1.5),
    *models(2),
    model("p/new", parameters="base"),
)
POINTS = ("after-lock", "after-read", "after-copy", "between-statements", "before-commit")

RAISING = """
CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not like this'; END $$;
"""
REFUSING = [
    pytest.param(
        "ALTER TABLE llm_parameters ADD CONSTRAINT by_hand CHECK (temperature < 1)",
        'violates check constraint "by_hand"',
        id="a check",
    ),
    pytest.param(
        "CREATE UNIQUE INDEX by_hand ON llm_parameters (temperature);"
        "INSERT INTO llm_parameters (name, temperature) VALUES ('theirs', 1.5)",
        "by_hand",
        id="a unique index",
    ),
    pytest.param(
        "CREATE TABLE theirs (description TEXT PRIMARY KEY); INSERT INTO theirs VALUES ('old');"
        "UPDATE providers SET description = 'old';"
        "ALTER TABLE providers ADD CONSTRAINT by_hand FOREIGN KEY (description) REFERENCES theirs",
        "by_hand",
        id="a foreign key",
    ),
    pytest.param(
        "ALTER TABLE provider_model_configs ADD COLUMN theirs TEXT;"
        "UPDATE provider_model_configs SET theirs = 'x';"
        "ALTER TABLE provider_model_configs ALTER COLUMN theirs SET NOT NULL",
        "violates not-null constraint",
        id="a column of theirs",
    ),
    pytest.param(
        RAISING + "CREATE TRIGGER by_hand BEFORE UPDATE ON llm_parameters FOR EACH ROW EXECUTE FUNCTION no()",
        "not like this",
        id="a trigger that raises",
    ),
    pytest.param(
        RAISING + "CREATE CONSTRAINT TRIGGER by_hand AFTER INSERT ON provider_model_configs"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no()",
        "not like this",
        id="a trigger that raises at the commit",
    ),
    pytest.param(
        RAISING + "CREATE TRIGGER by_hand BEFORE INSERT ON audit_events_default"
        " FOR EACH ROW WHEN (NEW.run IS NOT NULL) EXECUTE FUNCTION no()",
        "not like this",
        id="a trail that cannot be written",
    ),
]


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


@pytest.fixture
def hand(database):
    """Another connection, of a person."""
    with connect(database) as connection:
        yield connection


@pytest.mark.parametrize(("statement", "said"), REFUSING)
def test_what_the_database_refuses_leaves_the_tables_and_one_failed_run(connection, statement, said):
    run(connection, BEFORE)
    connection.execute(statement)
    quiet = versions(connection)
    found = planned(connection, AFTER)
    assert (len(found.changes), found.refusals) == (4, ())
    with pytest.raises(StoreUnavailableError, match=said) as caught:
        run(connection, AFTER)
    assert (caught.value.code, caught.value.exit_status) == ("database-refused", 1)
    written = versions(connection)
    assert {table for table in quiet if written[table] != quiet[table]} == {"reconcile_runs"}
    assert len(written["reconcile_runs"]) == len(quiet["reconcile_runs"]) + 1
    failed = connection.execute(
        "SELECT succeeded, error, source, actor, origin, finished_at IS NOT NULL, summary, generation"
        " FROM reconcile_runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert failed == (False, caught.value.message, "default", ACTOR.actor, "providers.d", True, {}, None)


@pytest.mark.parametrize(("statement", "said"), REFUSING[:1])
def test_an_apply_works_again_once_the_database_takes_it(connection, statement, said):
    run(connection, BEFORE)
    connection.execute(statement)
    with pytest.raises(StoreUnavailableError, match=said):
        run(connection, AFTER)
    connection.execute("ALTER TABLE llm_parameters DROP CONSTRAINT by_hand")
    run(connection, AFTER)
    assert active_part(connection) == asked_for(AFTER)
    assert [succeeded for _, _, succeeded, *_ in trail(connection).runs] == [True, False, True]


def test_a_run_that_fails_again_and_again_leaves_one_record_each_time(connection):
    run(connection, BEFORE)
    connection.execute(REFUSING[0].values[0])
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            run(connection, AFTER)
    assert [failed for *_, failed, _ in trail(connection).runs] == [False, True, True, True]


@pytest.mark.parametrize("point", POINTS)
def test_a_connection_cut_at_any_point_leaves_nothing_behind(database, hand, point):
    with connect(database) as first:
        run(first, BEFORE)
    quiet = versions(hand)

    def cut(reached):
        if reached == point:
            hand.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])

    with (
        pytest.raises(StoreUnavailableError, match="out of reach") as caught,
        connect(database) as victim,
    ):
        run(victim, AFTER, at=cut)
    assert (caught.value.code, caught.value.exit_status) == ("database-unavailable", 1)
    assert versions(hand) == quiet
    run(hand, AFTER, lock_timeout=5)
    assert active_part(hand) == asked_for(AFTER)


def test_a_server_that_does_not_answer_is_an_error_of_ours(database):
    with (
        pytest.raises(StoreUnavailableError, match="out of reach"),
        connect(f"{database}&host=/nowhere&port=1"),
    ):
        pass


def test_a_holder_that_falls_asleep_is_cut_off_and_says_so(database, hand):
    """The limit is set for the transaction; a shorter one shows what happens when it is over."""
    run(hand, BEFORE)
    quiet = versions(hand)
    limits = []

    def fall_asleep(point):
        if point != "after-copy":
            return
        pid = victim.info.backend_pid
        limits.extend(victim.execute("SHOW idle_in_transaction_session_timeout").fetchone())
        victim.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
        there = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
        assert eventually(lambda: hand.execute(there, [pid]).fetchone() is None)

    with (
        pytest.raises(StoreUnavailableError, match=r"out of reach: .*idle-in-transaction timeout") as caught,
        connect(database) as victim,
    ):
        run(victim, AFTER, at=fall_asleep)
    assert limits == ["1min"]
    assert caught.value.code == "database-unavailable"
    assert versions(hand) == quiet
    run(hand, AFTER, lock_timeout=0)
    assert active_part(hand) == asked_for(AFTER)


def test_nothing_that_is_set_for_an_apply_stays_on_its_connection(connection):
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "enable_nestloop", "reconciler.run")

    def settings():
        return [
            connection.execute("SELECT current_setting(%s, true)", [name]).fetchone()[0] or ""
            for name in names
        ]

    before = settings()
    run(connection, BEFORE)
    run(connection, BEFORE)
    assert settings() == before
    hidden = connection.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchone()
    assert hidden == (0,)


def test_a_registry_without_its_one_row_is_an_error_that_says_what_to_do(connection):
    connection.execute("DELETE FROM registry")
    with pytest.raises(SchemaError) as caught:
        run(connection, BEFORE)
    assert "INSERT INTO registry" in str(caught.value.hint)
    assert active_part(connection) == {}


def test_a_cancelled_statement_leaves_nothing_behind(connection, hand):
    run(connection, BEFORE)
    quiet = dump(connection)

    def be_slow(point):
        if point == "after-read":
            connection.execute("SET LOCAL statement_timeout = '1ms'")

    connection.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;"
        "CREATE TRIGGER by_hand BEFORE UPDATE ON llm_parameters FOR EACH ROW EXECUTE FUNCTION slow()"
    )
    with pytest.raises(ProviderConfigError, match="statement timeout"):
        run(connection, AFTER, at=be_slow)
    assert dump(connection) == quiet


def test_the_constraints_that_a_race_violates_are_all_that_writing_can_violate(connection):
    """A violation of any other would be taken for a refusal for good, and not be planned again."""
    found = connection.execute(
        "SELECT conname FROM pg_constraint WHERE contype IN ('u', 'f') AND conrelid = ANY(%s::regclass[])",
        [list(TABLES.values())],
    ).fetchall()
    assert {name for (name,) in found} == RACED
