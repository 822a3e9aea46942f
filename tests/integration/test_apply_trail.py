"""What an apply leaves in the trail and in the runs is what it did: every change once, nothing else."""

from collections import Counter

import pytest
from support.registry_dump import ALL_TABLES, TABLES, trail, versions
from support.rows import insert, insert_model
from support.small_states import ACTOR, model, models, parameters, provider, run, state, template

from reconciler.core.changes import ACTIONS
from reconciler.core.plan import action_of
from reconciler.engine.plan import drift
from reconciler.store.session import connect

BEFORE = state(
    provider("p", description="old"),
    parameters("files", temperature=0.1),
    parameters("drift", temperature=0.1),
    parameters("both", temperature=0.1),
    parameters("lost", temperature=0.1),
    template("words", system_prompt="old"),
    model("p/stays"),
    model("p/off"),
    model("p/on", active=False),
    model("p/gone"),
)
AFTER = state(
    provider("p", description="new"),
    provider("found"),
    parameters("files", temperature=0.2),
    parameters("drift", temperature=0.1),
    parameters("both", temperature=0.3),
    parameters("lost", temperature=0.1),
    parameters("new", temperature=0.1),
    template("words", system_prompt="new"),
    model("p/stays"),
    model("p/off", active=False),
    model("p/on"),
    model("p/new", parameters="new", prompt_template="words"),
    model("p/found", version="1"),
)
BY_HAND = """
UPDATE llm_parameters SET temperature = 0.9 WHERE name IN ('drift', 'both');
DELETE FROM llm_parameters WHERE name = 'lost';
"""


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


@pytest.fixture
def drifted(connection):
    """A registry with `BEFORE`, and what hands did to it since."""
    run(connection, BEFORE)
    connection.execute(BY_HAND)
    insert_model(connection, "p/found", is_active=False)
    insert(connection, "providers", name="found", kind="openai", description="somebody's")
    return connection


def test_each_change_is_one_event_with_its_cause_run_source_and_actor(drifted):
    done = run(drifted, AFTER, adopt=True)
    events = drifted.execute(
        "SELECT action, address, cause, source, actor, reason, application, database_user FROM audit_events"
        " WHERE run = %s",
        [done.run],
    ).fetchall()
    verbs = {"create": "insert"}
    expected = [
        (verbs.get(action_of(change), "update"), str(change.address), change.cause)
        for change in done.plan.changes
    ]
    assert Counter(event[:3] for event in events) == Counter(expected)
    assert {event[3:] for event in events} == {
        ("default", ACTOR.actor, ACTOR.reason, "reconciler", drifted.info.user)
    }
    assert {action_of(change) for change in done.plan.changes} == set(ACTIONS)
    assert {change.cause for change in done.plan.changes} == {"files", "drift", "both"}


def test_nothing_of_an_apply_is_in_the_trail_without_its_run(drifted):
    before = len(trail(drifted).events)
    done = run(drifted, AFTER, adopt=True)
    assert {number for _, number, *_ in trail(drifted).events[before:]} == {done.run}


def test_all_events_of_an_apply_belong_to_one_transaction(drifted):
    done = run(drifted, AFTER, adopt=True)
    found = drifted.execute(
        "SELECT count(DISTINCT transaction), count(DISTINCT at) FROM audit_events WHERE run = %s", [done.run]
    ).fetchone()
    assert found == (1, 1)


def test_an_event_says_what_was_and_what_is(drifted):
    done = run(drifted, AFTER, adopt=True)
    found = {
        address: (before, after)
        for address, before, after in drifted.execute(
            "SELECT address, before, after FROM audit_events WHERE run = %s AND action = 'update'", [done.run]
        )
    }
    assert found["parameters:files"] == ({"temperature": 0.1}, {"temperature": 0.2})
    assert found["parameters:both"] == ({"temperature": 0.9}, {"temperature": 0.3})
    assert found["parameters:drift"] == ({"temperature": 0.9}, {"temperature": 0.1})
    assert found["provider:found"] == ({"description": "somebody's"}, {"description": None})
    assert found["model:p/off"] == ({"is_active": True}, {"is_active": False})
    assert found["model:p/gone"] == ({"is_active": True}, {"is_active": False})


def test_the_counts_of_a_run_are_the_truth_in_the_tables(drifted):
    done = run(drifted, AFTER, adopt=True)
    summary = drifted.execute("SELECT summary FROM reconcile_runs WHERE id = %s", [done.run]).fetchone()[0]
    assert summary == done.plan.summary == {**done.counts, "unchanged": 1}
    inserted, updated = (
        drifted.execute(
            "SELECT count(*) FROM audit_events WHERE run = %s AND action = %s", [done.run, action]
        ).fetchone()[0]
        for action in ("insert", "update")
    )
    assert inserted == done.counts["create"]
    assert updated == sum(done.counts.values()) - done.counts["create"]
    generation = drifted.execute("SELECT generation FROM registry").fetchone()[0]
    written = sum(
        drifted.execute(f"SELECT count(*) FROM {table} WHERE generation = %s", [generation]).fetchone()[0]
        for table in TABLES.values()
    )
    assert written == sum(done.counts.values())


def test_a_run_is_recorded_with_who_what_and_from_where(connection):
    done = run(connection, BEFORE)
    row = connection.execute(
        "SELECT source, succeeded, error, origin, actor, application, tool_version, digest, generation,"
        " finished_at >= started_at FROM reconcile_runs WHERE id = %s",
        [done.run],
    ).fetchone()
    assert row == (
        *("default", True, None, "providers.d", ACTOR.actor, "reconciler", ACTOR.tool_version),
        *(done.plan.digest, 1, True),
    )


def test_each_apply_that_writes_raises_the_generation_by_one_and_the_others_do_not(connection):
    generations = []
    for wanted in (BEFORE, BEFORE, AFTER, AFTER, BEFORE):
        run(connection, wanted)
        generations.append(connection.execute("SELECT generation FROM registry").fetchone()[0])
    assert generations == [1, 1, 2, 2, 3]


def test_adopting_a_row_that_is_as_the_files_ask_makes_it_ours_and_leaves_no_event(connection):
    insert(connection, "providers", name="p", kind="openai")
    done = run(connection, state(provider("p")), adopt=True)
    assert done.counts["adopt"] == 1
    assert [event for event in trail(connection).events if event[1] is not None] == []
    assert drift(connection, "default").changes == ()


def test_moved_lines_are_noted_without_a_run_an_event_or_a_changed_row(connection):
    run(connection, state(provider("p"), *models(3)))
    before = versions(connection)
    done = run(connection, state(*models(3), provider("p")))
    assert done.run is None
    after = versions(connection)
    bookkeeping = {"managed_entities", "source_files", "sources"}
    assert {table for table in ALL_TABLES if before[table] != after[table]} <= bookkeeping
    lines = connection.execute("SELECT line FROM managed_entities WHERE kind = 'provider'").fetchall()
    assert lines == [(4,)]


def test_what_a_file_defines_is_noted_though_its_bytes_are_the_same(connection):
    """Another version of the program may read the same bytes as other entities."""
    wanted = state(provider("p"), model("p/a"))
    run(connection, wanted)
    connection.execute("UPDATE source_files SET defines = '[]'")
    run(connection, wanted)
    before = versions(connection)
    run(connection, wanted)
    assert versions(connection) == before


def test_lifting_a_hold_is_told_with_the_cause_of_what_lifted_it(connection):
    waiting = {"verification": {"activation": "verified"}}
    run(connection, state(provider("p", **waiting), model("p/a"), model("p/b", version="1")))
    connection.execute("UPDATE provider_model_configs SET version = '2' WHERE model_id = 'b'")
    done = run(connection, state(provider("p"), model("p/a"), model("p/b", version="1")))
    found = connection.execute(
        "SELECT address, cause, after FROM audit_events WHERE run = %s AND after ? 'is_active'"
        " ORDER BY address",
        [done.run],
    ).fetchall()
    lifted = {"is_active": True, "hold": None}
    assert found == [("model:p/a", "files", lifted), ("model:p/b", "files", lifted)]
