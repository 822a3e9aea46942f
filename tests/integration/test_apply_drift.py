"""A hand edit between two applies: whatever column it is in, the next plan shows it and the next apply
takes it back. What nobody manages is left alone.
"""

import pytest
from support import postgres
from support.registry_dump import active_part, asked_for, entities, ids
from support.rows import insert, insert_model
from support.small_states import model, parameters, planned, provider, run, state, template

from reconciler.core.address import Address
from reconciler.core.changes import Activate, Deactivate, Update
from reconciler.engine.plan import drift
from reconciler.store.columns import TABLES
from reconciler.store.session import connect


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


BEFORE = state(
    provider("p", description="old"),
    parameters("base", temperature=0.1),
    model("p/off"),
    model("p/gone"),
)
AFTER = state(
    provider("p", description="new"),
    parameters("base", temperature=0.3),
    model("p/off", active=False),
)

BARE = state(
    provider("p"),
    parameters("s"),
    parameters("other"),
    template("t"),
    template("other"),
    model("p/m", parameters="s"),
)
OTHER_SET = "(SELECT id FROM llm_parameters WHERE name = 'other')"
OTHER_BY_TYPE = {
    "TEXT": "'by hand'",
    "JSONB": """'{"by": ["hand"]}'""",
    "INTEGER": "77",
    "BIGINT": "77",
    "DOUBLE PRECISION": "0.77",
    "BOOLEAN": "NOT r.{column}",
}
OTHER_BY_COLUMN = {
    "unsupported": "'error'",
    "parameters_id": OTHER_SET,
    "prompt_template_id": "(SELECT id FROM prompt_templates WHERE name = 'other')",
}
# The others can be NULL.
EMPTY_BY_COLUMN = {
    "kind": "''",
    "mode": "''",
    "labels": "'{}'",
    "protected": "FALSE",
    "parameters_id": OTHER_SET,
    "is_active": "FALSE",
}
OURS_BY_TYPE = {
    "TEXT": "ours",
    "JSONB": {"ours": [1, {"deep": 0.5}]},
    "INTEGER": 5,
    "BIGINT": 5,
    "DOUBLE PRECISION": 0.5,
    "BOOLEAN": True,
}
OURS_BY_FIELD = {"unsupported": "drop", "parameters": "s", "prompt_template": "t"}


def full(kind):
    """A spec with every field set."""
    return {
        column.field: OURS_BY_FIELD.get(column.field, OURS_BY_TYPE[column.type])
        for column in TABLES[kind].columns
    }


FULL = state(
    provider("p", **full("provider")),
    parameters("s", **full("parameters")),
    parameters("other"),
    template("t", **full("template")),
    template("other"),
    model("p/m", **full("model")),
)
EDITED = {kind: Address(kind, key) for kind, key in zip(TABLES, ("p", "s", "t", "p/m"), strict=True)}
COLUMNS = [
    *(
        (kind, column.target, column.field, column.type)
        for kind, table in TABLES.items()
        for column in table.columns
    ),
    *((kind, "is_active", "", "BOOLEAN") for kind in TABLES),
]
# Neither is the files': where and when a row was written, what verification said, and what it is called.
NOT_OURS = {"id", "name", "generation", "created_at", "updated_at", "last_verified", "hold"}
KEYS = {"name", "model_id", "provider_name"}


def edit(hand, kind, column, value):
    table = TABLES[kind]
    hand.execute(f"UPDATE {table.name} r SET {column} = {value} WHERE {table.key} = %s", [EDITED[kind].key])


def assert_the_edit_is_seen_and_taken_back(connection, wanted, kind, field):
    for found in (planned(connection, wanted), drift(connection, "default")):
        assert [(change.address, change.cause) for change in found.changes] == [(EDITED[kind], "drift")]
        (change,) = found.changes
        assert isinstance(change, Activate if not field else Update)
        assert {one.path.partition(".")[0] for one in change.fields} == {field} - {""}
    run(connection, wanted)
    assert active_part(connection) == asked_for(wanted)
    assert planned(connection, wanted).changes == ()


@pytest.fixture(scope="module")
def kept(server_url, migrated_template):
    """Two registries whose every field is unset and set; each test takes back what it edits."""
    with (
        postgres.fresh_database(server_url, migrated_template) as bare_url,
        postgres.fresh_database(server_url, migrated_template) as full_url,
        connect(bare_url) as bare,
        connect(full_url) as filled,
    ):
        run(bare, BARE)
        run(filled, FULL)
        yield {"unset": (bare, BARE), "set": (filled, FULL)}


@pytest.mark.parametrize("fields", ["unset", "set"])
@pytest.mark.parametrize("edited", COLUMNS, ids="-".join)
def test_another_value_in_any_column_is_seen_as_drift(kept, fields, edited):
    kind, column, field, sql_type = edited
    connection, wanted = kept[fields]
    value = OTHER_BY_COLUMN.get(column, OTHER_BY_TYPE[sql_type]).replace("{column}", column)
    edit(connection, kind, column, value)
    assert_the_edit_is_seen_and_taken_back(connection, wanted, kind, field)


@pytest.mark.parametrize("edited", COLUMNS, ids="-".join)
def test_an_emptied_column_is_seen_as_drift(kept, edited):
    kind, column, field, _ = edited
    connection, wanted = kept["set"]
    edit(connection, kind, column, EMPTY_BY_COLUMN.get(column, "NULL"))
    assert_the_edit_is_seen_and_taken_back(connection, wanted, kind, field)


def test_those_are_all_columns_that_are_the_files(connection):
    for kind, table in TABLES.items():
        columns = {
            name
            for (name,) in connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table.name]
            )
        }
        assert columns - NOT_OURS - KEYS == {column for of, column, *_ in COLUMNS if of == kind}


@pytest.mark.parametrize(
    ("ours", "by_hand"),
    [
        pytest.param({"a": 1}, '{"a": true}', id="one and true"),
        pytest.param({"a": [0]}, '{"a": [false]}', id="nought and false, in a list"),
        pytest.param({"a": 1}, '{"a": "1"}', id="a number and text"),
        pytest.param({"a": [1, 2]}, '{"a": [2, 1]}', id="another order"),
        pytest.param({"a": 1}, '{"a": 1, "b": null}', id="a null beside it"),
        pytest.param({"a": {"b": 1}}, '{"a": {"b": 1, "c": null}}', id="a null below"),
        pytest.param({"a": [{"b": 1}]}, '{"a": [{"b": 1, "c": null}]}', id="a null in a list"),
        pytest.param({"a": [None]}, '{"a": []}', id="no null in a list"),
    ],
)
def test_json_that_only_looks_the_same_is_seen_as_drift(connection, ours, by_hand):
    wanted = state(parameters("s", extra=ours))
    run(connection, wanted)
    connection.execute("UPDATE llm_parameters SET extra = %s WHERE name = 's'", [by_hand])
    assert [change.cause for change in planned(connection, wanted).changes] == ["drift"]
    run(connection, wanted)
    assert active_part(connection) == asked_for(wanted)
    assert planned(connection, wanted).changes == ()


@pytest.mark.parametrize(
    ("statement", "address"),
    [
        pytest.param("UPDATE providers SET name = 'renamed'", "provider:p", id="a provider"),
        pytest.param(
            "UPDATE llm_parameters SET name = 'renamed' WHERE name = 'base'", "parameters:base", id="a set"
        ),
        pytest.param(
            "UPDATE provider_model_configs SET model_id = 'renamed' WHERE model_id = 'off'",
            "model:p/off",
            id="a model",
        ),
    ],
)
def test_a_row_renamed_by_hand_is_created_again_and_the_other_left_alone(connection, statement, address):
    run(connection, BEFORE)
    connection.execute(statement)
    renamed = ids(connection)
    done = run(connection, BEFORE)
    assert [(str(change.address), change.cause) for change in done.plan.changes] == [(address, "drift")]
    assert renamed.items() <= ids(connection).items()
    assert any("renamed" in one.key for one in entities(connection))
    assert planned(connection, BEFORE).changes == ()


def test_a_person_who_activates_what_vanished_is_told_so_by_the_next_plan(connection):
    run(connection, BEFORE)
    run(connection, AFTER)
    connection.execute("UPDATE provider_model_configs SET is_active = TRUE WHERE model_id = 'gone'")
    found = planned(connection, AFTER)
    assert [(type(change), change.cause, str(change.address)) for change in found.changes] == [
        (Deactivate, "drift", "model:p/gone")
    ]


def test_rows_of_hands_stay_as_they_are_and_are_in_no_plan(connection):
    insert(connection, "providers", name="theirs", kind="openai")
    insert_model(connection, "theirs/x")
    quiet = entities(connection)
    run(connection, BEFORE)
    run(connection, AFTER)
    found = entities(connection)
    assert {address: found[address] for address in quiet} == quiet
    assert planned(connection, AFTER).changes == ()


def test_an_edit_of_what_vanishes_is_no_drift_once_it_is_switched_off(connection):
    run(connection, BEFORE)
    connection.execute("UPDATE provider_model_configs SET version = '2' WHERE model_id = 'gone'")
    assert [change.cause for change in drift(connection, "default").changes] == ["drift"]
    run(connection, AFTER)
    assert planned(connection, AFTER).changes == ()
    assert drift(connection, "default").changes == ()
    done = run(connection, BEFORE)
    assert {str(one.address): one.cause for one in done.plan.changes}["model:p/gone"] == "files"
    assert active_part(connection) == asked_for(BEFORE)
