"""What the database does by itself: the trail of whatever changes, holds, the built-in parameter set."""

import psycopg
import pytest
from psycopg import errors, sql
from support import postgres
from support.polling import eventually
from support.rows import insert, insert_model, insert_override, row_id

# Each audited table: a row made by hand, its address, one more change.
ENTITIES = [
    pytest.param(
        "providers",
        {"name": "openai", "kind": "openai", "labels": {"a": "b"}},
        "provider:openai",
        ("base_url", "https://api.openai.com/v1"),
        id="provider",
    ),
    pytest.param(
        "llm_parameters",
        {"name": "base", "temperature": 0.7},
        "parameters:base",
        ("top_k", 5),
        id="parameters",
    ),
    pytest.param(
        "prompt_templates",
        {"name": "rag", "query_prefix": "Q:"},
        "template:rag",
        ("answer_prefix", "A:"),
        id="template",
    ),
    pytest.param(
        "provider_model_configs",
        {"provider_name": "openai", "model_id": "ft:gpt-4/x y", "mode": "chat"},
        "model:openai/ft:gpt-4/x y",
        ("version", "2"),
        id="model",
    ),
]


@pytest.fixture(scope="module")
def shared(server_url, migrated_template):
    """One database for all tests that take everything back."""
    with postgres.fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture
def connection(shared):
    """One transaction, rolled back at the end."""
    with psycopg.connect(shared, application_name="psql") as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def hand(database):
    """A person's connection to a database of the test's own: every statement is a transaction."""
    with psycopg.connect(database, autocommit=True, application_name="psql") as connection:
        yield connection


def make(connection, table, values):
    if table == "provider_model_configs":
        values = {"parameters_id": row_id(connection, "llm_parameters", "default"), **values}
    return insert(connection, table, **values)


def change(connection, table, row, **values):
    pairs = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in values
    )
    statement = sql.SQL("UPDATE {} SET {} WHERE id = %(row)s").format(sql.Identifier(table), pairs)
    connection.execute(statement, {**values, "row": row})


def delete(connection, table, row):
    connection.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table)), [row])


def trail(connection, columns="action, address, before, after"):
    """The events that a test made, oldest first; making the database left one of its own."""
    asked = f"SELECT {columns} FROM audit_events WHERE address <> 'parameters:default' ORDER BY id"
    return connection.execute(asked).fetchall()


def forget(connection):
    connection.execute("TRUNCATE audit_events")


# -- what is recorded


@pytest.mark.parametrize(("table", "values", "address", "_"), ENTITIES)
def test_an_insert_is_recorded_with_what_is_set(connection, table, values, address, _):
    make(connection, table, values)
    [(action, where, before, after)] = trail(connection)
    assert (action, where, before) == ("insert", address, None)
    assert values.items() <= after.items()
    assert after.keys() & {"created_at", "updated_at", "generation", "last_verified", "description"} == set()


@pytest.mark.parametrize(("table", "values", "address", "more"), ENTITIES)
def test_an_update_is_recorded_with_the_changed_fields_only(connection, table, values, address, more):
    row = make(connection, table, values)
    forget(connection)
    name, value = more
    change(connection, table, row, **{name: value, "is_active": False})
    assert trail(connection) == [
        ("update", address, {name: None, "is_active": True}, {name: value, "is_active": False})
    ]


@pytest.mark.parametrize(("table", "values", "address", "_"), ENTITIES)
def test_a_delete_is_recorded_with_what_was_set(connection, table, values, address, _):
    row = make(connection, table, values)
    forget(connection)
    delete(connection, table, row)
    [(action, where, before, after)] = trail(connection)
    assert (action, where, after) == ("delete", address, None)
    assert values.items() <= before.items()


@pytest.mark.parametrize(
    ("table", "address"),
    [
        ("providers", "provider:*"),
        ("llm_parameters", "parameters:*"),
        ("prompt_templates", "template:*"),
        ("provider_model_configs", "model:*"),
    ],
)
def test_a_truncate_is_recorded(connection, table, address):
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))
    assert ("truncate", address, None, None) in trail(connection)


@pytest.mark.parametrize(("table", "values", "_", "more"), ENTITIES)
def test_an_update_that_changes_nothing_leaves_no_event(connection, table, values, _, more):
    row = make(connection, table, values)
    change(connection, table, row, **{more[0]: more[1]})
    forget(connection)
    change(connection, table, row, **{more[0]: more[1], "updated_at": "2020-01-01", "generation": 7})
    assert trail(connection) == []


def test_the_time_of_a_verification_is_no_event(connection):
    row = insert_model(connection, "openai/gpt-4o")
    forget(connection)
    change(connection, "provider_model_configs", row, last_verified="2026-01-01")
    assert trail(connection) == []


def test_a_statement_over_many_rows_leaves_one_event_for_each_that_changed(connection):
    for name in ("a", "b", "c"):
        insert(connection, "llm_parameters", name=name, temperature=0.5 if name == "b" else 0.1)
    forget(connection)
    connection.execute("UPDATE llm_parameters SET temperature = 0.5 WHERE name <> 'default'")
    assert sorted(trail(connection, "address, before, after")) == [
        ("parameters:a", {"temperature": 0.1}, {"temperature": 0.5}),
        ("parameters:c", {"temperature": 0.1}, {"temperature": 0.5}),
    ]


def test_a_change_of_the_rows_number_is_recorded_whole(connection):
    row = insert(connection, "providers", name="openai", kind="openai")
    forget(connection)
    change(connection, "providers", row, id=row + 1000)
    events = trail(connection, "address, before ->> 'id', after ->> 'id'")
    assert set(events) == {("provider:openai", str(row), None), ("provider:openai", None, str(row + 1000))}


def test_models_that_go_with_their_parameter_set_are_recorded(connection):
    base = insert(connection, "llm_parameters", name="base")
    insert_model(connection, "openai/gpt-4o", parameters_id=base)
    insert_model(connection, "openai/o1", parameters_id=base)
    forget(connection)
    delete(connection, "llm_parameters", base)
    assert sorted(trail(connection, "action, address")) == [
        ("delete", "model:openai/gpt-4o"),
        ("delete", "model:openai/o1"),
        ("delete", "parameters:base"),
    ]


# -- who is recorded


def test_a_hand_edit_is_recorded_with_who_did_it_and_no_run(hand):
    insert(hand, "providers", name="openai", kind="openai")
    change(hand, "providers", row_id(hand, "providers", "openai"), base_url="https://x.example/v1")
    who = "database_user, application, client::text, run, source, actor, cause, reason"
    user = hand.execute("SELECT session_user").fetchone()[0]
    assert trail(hand, who) == [(user, "psql", None, None, None, None, None, None)] * 2
    numbers = [number for (number,) in trail(hand, "transaction")]
    assert numbers[0] < numbers[1]


def test_the_transaction_is_recorded_by_its_number(hand):
    with hand.transaction():
        number = hand.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0]
        insert(hand, "providers", name="a", kind="openai")
        insert(hand, "providers", name="b", kind="openai")
    assert trail(hand, "transaction") == [(number,), (number,)]


def test_what_a_run_says_of_itself_is_recorded_for_its_transaction_only(hand):
    said = {"run": "17", "source": "team-a", "actor": "ci", "cause": "drift", "reason": "a test"}
    with hand.transaction():
        for name, value in said.items():
            hand.execute("SELECT set_config(%s, %s, true)", [f"reconciler.{name}", value])
        insert(hand, "providers", name="a", kind="openai")
    insert(hand, "providers", name="b", kind="openai")
    assert trail(hand, "address, run, source, actor, cause, reason") == [
        ("provider:a", 17, "team-a", "ci", "drift", "a test"),
        ("provider:b", None, None, None, None, None),
    ]


def test_a_cause_that_there_is_none_of_is_refused(connection):
    connection.execute("SELECT set_config('reconciler.cause', 'boredom', true)")
    with pytest.raises(errors.CheckViolation, match="audit_events_cause_check"):
        insert(connection, "providers", name="a", kind="openai")


# -- nobody gets around the trail


@pytest.fixture
def editor(connection):
    """The same transaction as a role that may edit providers and look at nothing else."""
    user = connection.execute("SELECT session_user").fetchone()[0]
    connection.execute("CREATE ROLE model_editor")
    connection.execute("GRANT SELECT, INSERT, UPDATE ON providers TO model_editor")
    connection.execute("GRANT USAGE ON SEQUENCE providers_id_seq TO model_editor")
    connection.execute("SET LOCAL ROLE model_editor")
    return connection, user


def test_who_may_edit_only_providers_is_recorded_and_cannot_touch_the_trail(editor):
    connection, user = editor
    insert(connection, "providers", name="a", kind="openai")
    with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
        connection.execute("DELETE FROM audit_events")
    connection.execute("RESET ROLE")
    assert trail(connection, "address, database_user") == [("provider:a", user)]


def test_nobody_can_hang_the_trail_on_a_table_of_their_own(editor):
    connection, _ = editor
    connection.execute("CREATE TEMPORARY TABLE mine (id INTEGER, name TEXT)")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(
            "CREATE TRIGGER forged AFTER TRUNCATE ON mine"
            " FOR EACH STATEMENT EXECUTE FUNCTION reconciler_record('model', 'name')"
        )


def test_a_temporary_table_of_the_same_name_hides_no_edit(connection):
    connection.execute("CREATE TEMPORARY TABLE audit_events (LIKE public.audit_events INCLUDING ALL)")
    insert(connection, "providers", name="a", kind="openai")
    assert connection.execute("SELECT count(*) FROM pg_temp.audit_events").fetchone() == (0,)
    connection.execute("DROP TABLE pg_temp.audit_events")
    assert trail(connection, "address") == [("provider:a",)]


def test_an_edit_from_another_search_path_is_recorded(connection):
    connection.execute("SET LOCAL search_path = pg_catalog")
    connection.execute("INSERT INTO public.providers (name, kind) VALUES ('a', 'openai')")
    connection.execute("SET LOCAL search_path = public")
    assert trail(connection, "address") == [("provider:a",)]


# -- times and holds


@pytest.mark.parametrize(("table", "values", "_", "more"), ENTITIES)
def test_a_hand_edit_moves_the_time_of_change(connection, table, values, _, more):
    row = make(connection, table, {**values, "updated_at": "2020-01-01"})
    change(connection, table, row, **{more[0]: more[1]})
    named = sql.Identifier(table)
    asked = sql.SQL("SELECT updated_at = now() FROM {} WHERE id = %s").format(named)
    assert connection.execute(asked, [row]).fetchone() == (True,)


def test_a_time_of_change_that_is_given_is_kept(connection):
    row = insert(connection, "providers", name="openai", kind="openai")
    change(connection, "providers", row, updated_at="2020-01-01")
    assert connection.execute("SELECT extract(year FROM updated_at) FROM providers").fetchone() == (2020,)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"is_active": True}, (True, None), id="switched on"),
        pytest.param({"is_active": False}, (False, None), id="switched off once more"),
        pytest.param({"version": "2"}, (False, "pending"), id="something else"),
        pytest.param({"last_verified": "2026-01-01"}, (False, "pending"), id="verified"),
        pytest.param({"hold": "failing"}, (False, "failing"), id="another hold"),
        pytest.param({"hold": "failing", "is_active": False}, (False, "failing"), id="both by a probe"),
        pytest.param({"hold": None, "is_active": True}, (True, None), id="lifted by a probe"),
        pytest.param({"hold": None}, (False, None), id="lifted and left off"),
    ],
)
def test_a_hold_goes_where_somebody_decides_on_the_activity(connection, values, expected):
    row = insert_model(connection, "openai/gpt-4o", is_active=False, hold="pending")
    change(connection, "provider_model_configs", row, **values)
    assert connection.execute("SELECT is_active, hold FROM provider_model_configs").fetchone() == expected


def test_a_hold_that_is_cleared_is_recorded(connection):
    row = insert_model(connection, "openai/gpt-4o", is_active=False, hold="failing")
    forget(connection)
    change(connection, "provider_model_configs", row, is_active=False)
    assert trail(connection) == [("update", "model:openai/gpt-4o", {"hold": "failing"}, {"hold": None})]


# -- what is refused


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        pytest.param({"hold": "pending"}, "hold_inactive", id="active and on hold"),
        pytest.param({"hold": "tired", "is_active": False}, "hold", id="an unknown hold"),
    ],
)
def test_a_hold_that_means_nothing_is_refused(connection, values, constraint):
    with pytest.raises(errors.CheckViolation, match=f"provider_model_configs_{constraint}_check"):
        insert_model(connection, "openai/gpt-4o", **values)


def test_a_model_cannot_be_put_on_hold_and_stay_active(connection):
    row = insert_model(connection, "openai/gpt-4o")
    with pytest.raises(errors.CheckViolation, match="hold_inactive"):
        change(connection, "provider_model_configs", row, hold="failing")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE llm_parameters SET temperature = 0.1 WHERE name = 'default'",
        "UPDATE llm_parameters SET temperature = 0.1",
        "UPDATE llm_parameters SET name = 'mine' WHERE name = 'default'",
        "DELETE FROM llm_parameters WHERE name = 'default'",
        "DELETE FROM llm_parameters",
    ],
)
def test_the_built_in_parameters_cannot_be_changed(connection, statement):
    insert(connection, "llm_parameters", name="base")
    with pytest.raises(errors.CheckViolation, match="parameters:default is built in"):
        connection.execute(statement)


def test_the_built_in_parameters_come_back_after_a_truncate(connection):
    before = (
        "SELECT name, description, to_jsonb(p) - '{id,created_at,updated_at}'::text[] FROM llm_parameters p"
    )
    found = connection.execute(before).fetchall()
    connection.execute("TRUNCATE llm_parameters CASCADE")
    assert connection.execute(before).fetchall() == found


@pytest.mark.parametrize(
    ("table", "values"),
    [
        pytest.param("llm_parameters", {"name": "x", "max_new_tokens": 0}, id="no new token"),
        pytest.param("llm_parameters", {"name": "x", "min_new_tokens": -1}, id="negative tokens"),
        pytest.param("llm_parameters", {"name": "x", "unsupported": "maybe"}, id="unsupported"),
        pytest.param("registry", {"id": 2}, id="a second registry row"),
    ],
)
def test_a_value_out_of_range_is_refused(connection, table, values):
    with pytest.raises(errors.CheckViolation):
        insert(connection, table, **values)


@pytest.mark.parametrize("length", [500, 501])
@pytest.mark.parametrize("table", ["model_verification", "verification_results"])
def test_a_detail_of_more_than_five_hundred_characters_is_refused(connection, table, length):
    values = {"model_id": insert_model(connection, "openai/gpt-4o"), "detail": "é" * length}
    if table == "verification_results":
        values |= {"address": "model:openai/gpt-4o", "probe": "model", "outcome": "ok"}
    if length <= 500:
        insert(connection, table, key="model_id", **values)
        return
    with pytest.raises(errors.CheckViolation, match=f"{table}.*_detail_check"):
        insert(connection, table, key="model_id", **values)


# -- partitions and the view


@pytest.mark.parametrize(
    ("table", "values"),
    [
        pytest.param(
            "audit_events",
            {"transaction": 1, "database_user": "me", "action": "update", "address": "provider:a"},
            id="trail",
        ),
        pytest.param(
            "verification_results",
            {"model_id": 1, "address": "model:a/b", "probe": "reach", "outcome": "ok"},
            id="results",
        ),
    ],
)
def test_a_month_of_its_own_takes_its_rows_and_the_default_partition_the_rest(connection, table, values):
    month, named = sql.Identifier(f"{table}_2031_02"), sql.Identifier(table)
    made = "CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ('2031-02-01') TO ('2031-03-01')"
    connection.execute(sql.SQL(made).format(month, named))
    for at in ("2031-01-31 23:59:59+00", "2031-02-01 12:00:00+00", "2031-03-01 12:00:00+00"):
        insert(connection, table, at=at, **values)
    asked = sql.SQL("SELECT tableoid::regclass::text FROM {} WHERE at > '2030-01-01' ORDER BY at").format(
        named
    )
    assert [where for (where,) in connection.execute(asked)] == [
        f"{table}_default",
        f"{table}_2031_02",
        f"{table}_default",
    ]


def test_a_month_of_its_own_has_the_indexes_and_checks_of_its_table(connection):
    connection.execute(
        "CREATE TABLE audit_events_2031_02 PARTITION OF audit_events"
        " FOR VALUES FROM ('2031-02-01') TO ('2031-03-01')"
    )
    asked = "SELECT count(*) FROM pg_index WHERE indrelid = 'audit_events_2031_02'::regclass"
    assert connection.execute(asked).fetchone() == (2,)
    with pytest.raises(errors.CheckViolation, match="audit_events_action_check"):
        connection.execute(
            "INSERT INTO audit_events (at, transaction, database_user, action, address)"
            " VALUES ('2031-02-02', 1, 'me', 'forget', 'provider:a')"
        )


@pytest.mark.parametrize(
    ("provider", "model", "usable"),
    [
        pytest.param(True, True, True, id="both active"),
        pytest.param(True, False, False, id="the model is not"),
        pytest.param(False, True, False, id="the provider is not"),
        pytest.param(None, True, True, id="nobody registered the provider"),
        pytest.param(None, False, False, id="no provider and an inactive model"),
    ],
)
def test_a_model_is_usable_where_it_and_its_provider_are_active(connection, provider, model, usable):
    if provider is not None:
        insert(connection, "providers", name="openai", kind="openai", is_active=provider)
    insert_model(connection, "openai/gpt-4o", is_active=model)
    kind = None if provider is None else "openai"
    assert connection.execute("SELECT is_active, kind FROM effective_models").fetchall() == [(usable, kind)]


def test_the_view_resolves_parameters_and_templates(connection):
    base = insert(
        connection,
        "llm_parameters",
        name="base",
        description="for everything",
        temperature=0.7,
        max_new_tokens=100,
        stop_sequences=["\n"],
        extra={"logit_bias": {"1": 2}},
        labels={"a": "b"},
    )
    template = insert(
        connection, "prompt_templates", name="rag", system_prompt="Be brief.", query_prefix="Question:"
    )
    insert_model(connection, "openai/gpt-4o", parameters_id=base, prompt_template_id=template)
    found = connection.execute(
        "SELECT provider_name, model_id, parameters_name, parameters, template_name, system_prompt,"
        " context_prefix, query_prefix, answer_prefix FROM effective_models"
    ).fetchone()
    parameters = {
        "temperature": 0.7,
        "max_new_tokens": 100,
        "stop_sequences": ["\n"],
        "extra": {"logit_bias": {"1": 2}},
    }
    texts = ("rag", "Be brief.", None, "Question:", None)
    assert found == ("openai", "gpt-4o", "base", parameters, *texts)


def test_the_view_shows_a_model_with_nothing_of_its_own(connection):
    insert_model(connection, "openai/gpt-4o")
    found = connection.execute(
        "SELECT parameters_name, parameters, template_name, system_prompt FROM effective_models"
    )
    assert found.fetchall() == [("default", {}, None, None)]


# -- overrides


def effective(connection, columns="is_active, parameters, template_name, system_prompt, override_id"):
    return connection.execute(f"SELECT {columns} FROM effective_models ORDER BY id").fetchall()


@pytest.fixture
def overridden(connection):
    """A model with a set and a template of its own, and another template beside it."""
    insert(
        connection,
        "providers",
        name="p",
        kind="mine",
        base_url="https://x.example",
        credentials={"api_key": "env:X_API_KEY"},
        kind_spec={"protocol": "openai"},
    )
    base = insert(connection, "llm_parameters", name="base", temperature=0.7, top_k=5)
    template = insert(connection, "prompt_templates", name="own", system_prompt="own words")
    insert(connection, "prompt_templates", name="other", system_prompt="other words")
    insert_model(connection, "p/a/b", parameters_id=base, prompt_template_id=template)
    return connection


STORED = (True, {"temperature": 0.7, "top_k": 5}, "own", "own words")
HELD = [
    pytest.param({}, STORED, id="nothing"),
    pytest.param({"is_active": False}, (False, *STORED[1:]), id="activity"),
    pytest.param(
        {"parameters": {"temperature": 0.1, "top_k": None, "seed": 4, "extra": {"a": 1}}},
        (True, {"temperature": 0.1, "seed": 4, "extra": {"a": 1}}, *STORED[2:]),
        id="parameters",
    ),
    pytest.param({"prompt_template": "other"}, (*STORED[:2], "other", "other words"), id="another template"),
    pytest.param({"prompt_template": None}, (*STORED[:2], None, None), id="no template"),
    pytest.param({"prompt_template": "gone"}, (*STORED[:2], None, None), id="a template that is not there"),
    pytest.param({"is_active": "yes"}, STORED, id="an activity that is none"),
    pytest.param({"is_active": None}, STORED, id="an activity of null"),
    pytest.param({"parameters": [1]}, STORED, id="parameters that are none"),
    pytest.param({"parameters": None}, STORED, id="parameters of null"),
    pytest.param({"prompt_template": 5}, STORED, id="a template that is none"),
    pytest.param({"temperature": 9}, STORED, id="a field that there is none of"),
    pytest.param([{"is_active": False}], STORED, id="a list"),
    pytest.param(["prompt_template", "is_active"], STORED, id="a list of names"),
    pytest.param("prompt_template", STORED, id="a text"),
    pytest.param(None, STORED, id="null"),
    pytest.param(7, STORED, id="a number"),
]


@pytest.mark.parametrize(("fields", "expected"), HELD)
def test_an_override_is_joined_in_and_what_a_hand_spoilt_holds_nothing(overridden, fields, expected):
    made = insert_override(overridden, "p/a/b", fields)
    assert effective(overridden) == [(*expected, made)]
    assert overridden.execute("SELECT is_active FROM provider_model_configs").fetchall() == [(True,)]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"starts_at": "2039-12-31"}, id="not yet begun"),
        pytest.param({"starts_at": "2020-01-01", "ends_at": "2020-01-02"}, id="over"),
        pytest.param({"kind": "provider"}, id="of another kind"),
    ],
)
def test_an_override_that_is_not_live_holds_nothing(overridden, values):
    insert_override(overridden, "p/a/b", {"is_active": False}, **values)
    assert effective(overridden) == [(*STORED, None)]


def test_an_override_ends_without_anybody_doing_anything(overridden):
    overridden.execute(
        "INSERT INTO overrides (kind, key, fields, reason, starts_at, ends_at)"
        " SELECT 'model', 'p/a/b', '{\"is_active\": false}', 'r', now() - interval '1 hour',"
        " clock_timestamp() + interval '150 ms'"
    )
    assert effective(overridden, "is_active") == [(False,)]
    assert eventually(lambda: effective(overridden, "is_active") == [(True,)])


def test_of_several_overrides_the_newest_that_lives_counts_whole(overridden):
    insert_override(overridden, "p/a/b", {"is_active": False, "prompt_template": None})
    newest = insert_override(overridden, "p/a/b", {"parameters": {"top_k": 9}})
    insert_override(overridden, "p/a/b", {"is_active": False}, starts_at="2020-01-01", ends_at="2020-01-02")
    insert_override(overridden, "p/a", {"is_active": False})
    assert effective(overridden) == [(True, {"temperature": 0.7, "top_k": 9}, *STORED[2:], newest)]


@pytest.mark.parametrize(
    ("provider", "stored", "held", "expected"),
    [
        pytest.param(True, False, True, True, id="switched on"),
        pytest.param(False, True, True, False, id="its provider is off"),
        pytest.param(True, True, False, False, id="switched off"),
    ],
)
def test_an_overrides_activity_stands_in_the_models_place(overridden, provider, stored, held, expected):
    overridden.execute("UPDATE providers SET is_active = %s", [provider])
    overridden.execute("UPDATE provider_model_configs SET is_active = %s", [stored])
    insert_override(overridden, "p/a/b", {"is_active": held})
    assert effective(overridden, "is_active") == [(expected,)]


def test_the_view_tells_where_a_model_is_served_and_why_it_is_overridden(overridden):
    insert_override(overridden, "p/a/b", {}, reason="the line is down")
    columns = "override_reason, override_until = '2040-01-01', base_url, credentials, kind_spec"
    assert effective(overridden, columns) == [
        ("the line is down", True, "https://x.example", {"api_key": "env:X_API_KEY"}, {"protocol": "openai"})
    ]


def test_overrides_are_recorded_with_their_values_and_times(connection):
    made = insert_override(connection, "p/a", {"is_active": False}, starts_at="2030-01-01", actor="ann")
    connection.execute("SELECT set_config('TimeZone', 'Asia/Tokyo', true)")
    connection.execute("UPDATE overrides SET ends_at = '2031-01-01 00:00+00' WHERE id = %s", [made])
    connection.execute("UPDATE overrides SET generation = 9")
    connection.execute("SELECT set_config('reconciler.reason', 'all is well', true)")
    connection.execute("SELECT set_config('reconciler.actor', 'bob', true)")
    connection.execute("DELETE FROM overrides")
    begun = {"starts_at": "2030-01-01T00:00:00+00:00", "ends_at": "2040-01-01T00:00:00+00:00"}
    end = {"ends_at": "2031-01-01T00:00:00+00:00"}
    fields = {"fields": {"is_active": False}}
    assert trail(connection, "action, address, before, after, reason, actor") == [
        ("override", "model:p/a", None, {**fields, **begun}, "a fire", None),
        ("override", "model:p/a", {"ends_at": begun["ends_at"]}, end, "a fire", None),
        ("override", "model:p/a", {**fields, **begun, **end}, None, "all is well", "bob"),
    ]


def test_a_change_of_an_overrides_reason_or_model_is_recorded_too(connection):
    insert_override(connection, "p/a", {})
    forget(connection)
    connection.execute("UPDATE overrides SET key = 'p/b', reason = 'another'")
    assert trail(connection, "address, before, after, reason") == [
        ("model:p/b", {"key": "p/a", "reason": "a fire"}, {"key": "p/b", "reason": "another"}, "another")
    ]


def test_a_truncate_of_overrides_is_recorded(connection):
    insert_override(connection, "p/a", {})
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    forget(connection)
    connection.execute("TRUNCATE overrides")
    assert trail(connection) == [("override", "model:*", None, None)]


# -- usage


@pytest.mark.parametrize("column", ["calls", "input_tokens", "output_tokens", "latency_ms", "longest_ms"])
def test_nothing_is_used_less_than_not_at_all(connection, column):
    named = {"hour": "2030-01-01", "provider_name": "p", "model_id": "a", "outcome": "ok"}
    insert(connection, "model_usage", key=column, **named)
    with pytest.raises(errors.CheckViolation, match=f"model_usage_{column}_check"):
        insert(connection, "model_usage", key=column, **{**named, "outcome": "timeout", column: -1})
