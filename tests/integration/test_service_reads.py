"""What the service reads of a real database: models with all that they depend on, filters, overrides, spoilt
rows, one commit at a time, and databases that hold no registry.
"""

import threading

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from support import postgres, services
from support.generated import DATABASE_LAW, NASTY_IDS
from support.polling import eventually
from support.reading_models import OneConnection, hold, make_small_registry, reader, through
from support.rows import insert, insert_model, row_id

from reconciler.core.address import model_address
from reconciler.errors import SchemaError, StoreUnavailableError, UsageError
from reconciler.runtime import reading
from reconciler.store.doors import SessionDoor


@pytest.fixture(scope="module")
def small(server_url, migrated_template):
    """A small registry that nobody changes."""
    with postgres.fresh_database(server_url, migrated_template) as url:
        with psycopg.connect(url) as connection:
            make_small_registry(connection)
        yield url


@pytest.fixture
def reads(small):
    with reader(small) as service:
        yield service


@pytest.fixture
def hand(small):
    """One transaction on the small registry, rolled back at the end."""
    with psycopg.connect(small) as connection:
        yield connection
        connection.rollback()


def keys(registry):
    return [one.address.key for one in registry]


def one(connection, provider, model_id):
    found = reading.read_models(connection, addresses=[model_address(provider, model_id)])
    assert len(found) == 1
    return found[0]


# -- one model


def test_a_model_comes_with_all_that_it_depends_on(reads):
    found = reads.get_provider_model("openai", "gpt-4o")
    assert found is not None
    assert (found.kind, found.is_active, found.verification_status) == ("openai", True, "unverified")
    assert found.parameters.values == {"temperature": 0.9, "stop_sequences": ["\n"]}
    assert found.parameters.id == found.parameters_id
    assert found.prompt_template is not None
    assert (found.prompt_template.name, found.prompt_template.query_prefix) == ("rag", "Question:")
    assert found.credentials == {"api_key": "env:OPENAI_API_KEY"}
    assert found.labels == {"team": "rag", "tier": "1"}
    assert found.created_at is not None
    assert found.created_at.tzinfo is not None


def test_a_model_of_an_inactive_provider_is_not_active(reads):
    found = reads.get_provider_model("idle", "llama")
    assert (found.is_active, found.limits.context, found.capabilities) == (False, 8192, ["streaming"])


def test_a_model_whose_provider_nobody_registered_can_be_read(reads):
    found = reads.get_provider_model("nobody", "ghost")
    assert (found.kind, found.is_active, found.credentials) == ("", True, None)


@pytest.mark.parametrize(
    ("provider", "model_id"),
    [("openai", "gone"), ("", ""), ("openai", "a\0b"), ("open\ud800ai", "x"), ("openai", "x" * 5000)],
)
def test_a_model_that_is_not_there_is_none(reads, provider, model_id):
    assert reads.get_provider_model(provider, model_id) is None


def test_several_models_come_in_the_order_asked(reads):
    asked = [("openai", "o1"), ("openai", "gone"), ("idle", "llama"), ("openai", "o1"), ("a", "\0")]
    found = reads.get_provider_models(iter(asked))
    assert [model and model.model_id for model in found] == ["o1", None, "llama", "o1", None]
    assert reads.get_provider_models([]) == ()


def test_what_is_no_text_is_refused_before_anybody_is_asked(reads):
    with pytest.raises(UsageError, match="model_id"):
        reads.get_provider_model("openai", 5)


def test_one_model_is_one_question_that_an_index_answers(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO llm_parameters (name) SELECT 'p/m' || n FROM generate_series(1, 3000) n;"
            "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id)"
            " SELECT 'p', substr(name, 3), id FROM llm_parameters WHERE name <> 'default'"
        )
        connection.execute("ANALYZE")
        door = OneConnection(connection)
        assert through(door).get_provider_model("p", "m77").parameters.name == "p/m77"
        ((text, values),) = door.asked
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {text}", values))
    assert "provider_model_configs_provider_name_model_id_key" in plan
    for table in ("provider_model_configs", "llm_parameters"):
        assert f"Seq Scan on {table}" not in plan


@pytest.mark.parametrize("model_id", [model_id for model_id in NASTY_IDS if len(model_id.encode()) <= 510])
def test_odd_ids_are_read_as_they_are_spelled(hand, model_id):
    insert_model(hand, f"odd/{model_id}", version=model_id[:255])
    hold(hand, f"odd/{model_id}", parameters={"seed": 7})
    found = one(hand, "odd", model_id)
    assert (found.model_id, found.version, found.parameters.seed) == (model_id, model_id[:255], 7)
    assert keys(reading.read_models(hand, provider="odd")) == [f"odd/{model_id}"]


# -- lists


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, ["idle/llama", "nobody/ghost", "openai/gpt-4o", "openai/o1"]),
        ({"active_only": True}, ["nobody/ghost", "openai/gpt-4o"]),
        ({"provider": "openai"}, ["openai/gpt-4o", "openai/o1"]),
        ({"provider": "gone"}, []),
        ({"provider": ""}, []),
        ({"provider": "open\0ai"}, []),
        ({"label": "team=rag"}, ["openai/gpt-4o"]),
        ({"label": "team"}, ["openai/gpt-4o", "openai/o1"]),
        ({"label": "team="}, []),
        ({"label": {"team": "rag", "tier": None}}, ["openai/gpt-4o"]),
        ({"label": {"team": "search", "tier": None}}, []),
        ({"label": {}}, ["idle/llama", "nobody/ghost", "openai/gpt-4o", "openai/o1"]),
        ({"label": "'; DROP TABLE providers; --"}, []),
        ({"label": "te\ud800am"}, []),
        ({"active_only": True, "provider": "openai", "label": "team"}, ["openai/gpt-4o"]),
        ({"verified_only": True}, []),
    ],
)
def test_a_list_holds_what_fulfils_every_condition(reads, conditions, found):
    registry = reads.list_providers(**conditions)
    assert keys(registry) == found
    assert len(registry) == len(registry.providers) == len(found)


def test_models_of_a_list_are_those_that_are_got_one_by_one(reads):
    listed = reads.list_providers().providers
    assert listed == reads.get_provider_models([(one.provider_name, one.model_id) for one in listed])


def test_models_that_share_a_set_share_it_in_a_list(reads):
    assert len({id(model.parameters) for model in reads.list_providers()}) == 1


def test_only_what_was_verified_last_is_verified(hand):
    for provider, model_id, status in (("openai", "gpt-4o", "verified"), ("openai", "o1", "degraded")):
        asked = "SELECT id FROM provider_model_configs WHERE provider_name = %s AND model_id = %s"
        (number,) = hand.execute(asked, [provider, model_id]).fetchone()
        insert(hand, "model_verification", key="model_id", model_id=number, status=status, outcome="ok")
    found = reading.read_models(hand, verified_only=True)
    assert keys(found) == ["openai/gpt-4o"]
    assert found[0].verification_outcome == "ok"


def test_an_empty_registry_has_an_empty_list(database):
    with reader(database) as service:
        assert list(service.list_providers()) == []
        assert service.get_provider_model("openai", "gpt-4o") is None
        assert [one.name for one in service.list_parameters()] == ["default"]
        assert (service.list_prompt_templates(), service.list_endpoints()) == ((), ())


# -- sets, templates and providers by themselves


def test_a_set_is_got_with_its_users_and_listed_without(reads):
    found = reads.get_parameters("warm")
    assert found.temperature == 0.9
    assert found.used_by == (
        "model:idle/llama",
        "model:nobody/ghost",
        "model:openai/gpt-4o",
        "model:openai/o1",
    )
    assert [(one.name, one.used_by) for one in reads.list_parameters()] == [("default", ()), ("warm", ())]
    assert reads.get_parameters("gone") is None
    assert reads.get_parameters("a\0b") is None


def test_a_template_is_got_with_its_users_and_listed_without(reads):
    found = reads.get_prompt_template("rag")
    assert (found.query_prefix, found.provider, found.used_by) == (
        "Question:",
        "openai",
        ("model:openai/gpt-4o",),
    )
    assert [one.name for one in reads.list_prompt_templates()] == ["brief", "rag"]
    assert reads.get_prompt_template("gone") is None


def test_providers_are_read_by_themselves(reads):
    found = reads.get_provider("openai")
    assert (found.kind, found.labels, found.verification) == ("openai", {"team": "rag"}, {"probe": "model"})
    assert [(one.name, one.is_active) for one in reads.list_endpoints()] == [
        ("idle", False),
        ("openai", True),
    ]
    assert reads.get_provider("nobody") is None


def test_a_name_that_is_no_text_is_refused(reads):
    for get in (reads.get_parameters, reads.get_prompt_template, reads.get_provider):
        with pytest.raises(UsageError):
            get(None)


def test_what_files_own_says_so(hand):
    hand.execute(
        "INSERT INTO managed_entities (kind, key, source, spec, active, file, line)"
        " SELECT kind, key, 'team-a', '{}', TRUE, 'a.yaml', 1 FROM (VALUES ('model', 'openai/gpt-4o'),"
        " ('parameters', 'warm'), ('template', 'rag'), ('provider', 'openai')) v (kind, key)"
    )
    for found in (one(hand, "openai", "gpt-4o"), *reading.read_models(hand, label="team=rag")):
        owners = (found.managed_by, found.parameters.managed_by, found.prompt_template.managed_by)
        assert owners == ("team-a", "team-a", "team-a")
    assert reading.read_parameters(hand, names=["warm"])[0].managed_by == "team-a"
    assert reading.read_templates(hand, names=["rag"])[0].managed_by == "team-a"
    assert reading.read_providers(hand, names=["openai"])[0].managed_by == "team-a"
    hand.execute("UPDATE managed_entities SET forgotten = TRUE")
    assert one(hand, "openai", "gpt-4o").managed_by is None


# -- overrides


def test_an_override_stands_in_a_models_place_while_it_lasts(hand):
    hold(hand, "openai/gpt-4o", ends="-1 minute", parameters={"temperature": 0.5})
    hold(hand, "openai/gpt-4o", starts="1 hour", ends="2 hours", parameters={"temperature": 0.6})
    live = hold(hand, "openai/gpt-4o", parameters={"temperature": 0.1, "stop_sequences": None})
    for found in (one(hand, "openai", "gpt-4o"), *reading.read_models(hand, label="team=rag")):
        assert found.parameters.values == {"temperature": 0.1}
        assert (found.override.id, found.override.reason) == (live, "an incident")
    assert reading.read_parameters(hand, names=["warm"])[0].temperature == 0.9


def test_an_override_that_never_ends_can_be_read(hand):
    hold(hand, "openai/gpt-4o", ends="infinity", is_active=False)
    found = one(hand, "openai", "gpt-4o")
    assert (found.is_active, found.override.ends_at.year) == (False, 9999)


def test_an_override_counts_where_active_models_are_asked_for(hand):
    hold(hand, "openai/o1", is_active=True)
    hold(hand, "openai/gpt-4o", is_active=False)
    hold(hand, "idle/llama", is_active=True)
    hold(hand, "nobody/ghost", is_active="no")
    assert keys(reading.read_models(hand, active_only=True)) == ["nobody/ghost", "openai/o1"]


def test_an_override_names_another_template_or_none(hand):
    hold(hand, "openai/gpt-4o", prompt_template=None)
    hold(hand, "openai/o1", prompt_template="brief")
    hold(hand, "nobody/ghost", prompt_template="gone")
    assert one(hand, "openai", "gpt-4o").prompt_template is None
    found = one(hand, "openai", "o1")
    assert (found.prompt_template.name, found.prompt_template.system_prompt) == ("brief", "Be brief.")
    assert found.prompt_template_id == row_id(hand, "prompt_templates", "brief")
    assert found.prompt_template.created_at.tzinfo is not None
    assert one(hand, "nobody", "ghost").prompt_template is None


# The same rules stand in a view, for those who ask in SQL.

_NAMES = ("a", "b", "c")
_SPANS = (("-2 hours", "-1 hour"), ("-1 hour", "1 hour"), ("-1 day", "infinity"), ("1 hour", "2 hours"))
_VALUES = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from((0.0, 0.5, 2.0)),
        "seed": st.sampled_from((0, -5, 2**40)),
        "stop_sequences": st.sampled_from((["\n"], ["a", "b"])),
        "decoding_method": st.sampled_from(("greedy", "sample")),
        "extra": st.sampled_from(({"user": "x"}, {"n": [1, {"a": True}]})),
        "response_format": st.sampled_from(("text", {"type": "json_object"}, {"schema": {"default": None}})),
        "unsupported": st.just("drop"),
    },
)
_HELD = st.fixed_dictionaries(
    {},
    optional={
        "is_active": st.sampled_from((True, False, "no", None)),
        "parameters": _VALUES | st.just({"temperature": None, "seed": 3}) | st.just("spoilt"),
        "prompt_template": st.sampled_from(("a", "b", "gone", None, 5)),
    },
)
_REGISTRIES = st.fixed_dictionaries(
    {
        "providers": st.dictionaries(st.sampled_from(_NAMES), st.booleans(), max_size=3),
        "sets": st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=3),
        "models": st.dictionaries(
            st.tuples(st.sampled_from(_NAMES), st.sampled_from(("x", "x/y", "é"))),
            st.tuples(
                st.sampled_from((True, False, "pending", "failing")),
                st.sampled_from(_NAMES),
                st.sampled_from((None, "a", "b")),
            ),
            max_size=5,
        ),
        "overrides": st.lists(
            st.tuples(
                st.sampled_from(_NAMES), st.sampled_from(("x", "x/y", "é")), st.sampled_from(_SPANS), _HELD
            ),
            max_size=5,
        ),
    }
)
_VIEW = """
SELECT provider_name || '/' || model_id, COALESCE(kind, ''), is_active, hold, parameters_name, parameters,
       template_name, system_prompt, query_prefix, override_id, override_reason
FROM effective_models
"""


@DATABASE_LAW
@given(registry=_REGISTRIES)
def test_the_view_and_the_service_say_the_same(small, registry):
    with psycopg.connect(small) as connection:
        connection.execute("DELETE FROM provider_model_configs")
        connection.execute("DELETE FROM providers")
        _make(connection, registry)
        seen = {row[0]: row[1:] for row in connection.execute(_VIEW)}
        listed = reading.read_models(connection)
        assert {model.address.key: _as_in_the_view(model) for model in listed} == seen
        assert reading.read_models(connection, addresses=[model.address for model in listed]) == listed
        active = reading.read_models(connection, active_only=True)
        assert active == tuple(model for model in listed if model.is_active)
        connection.rollback()


def _make(connection, registry):
    for name, is_active in registry["providers"].items():
        insert(connection, "providers", name=name, kind="openai", is_active=is_active)
    sets = {}
    for name, values in registry["sets"].items():
        free = {key: Jsonb(values[key]) for key in ("response_format",) if key in values}
        sets[name] = insert(connection, "llm_parameters", name=name, **{**values, **free})
    templates = {
        name: insert(connection, "prompt_templates", name=name, system_prompt=f"I am {name}.")
        for name in ("a", "b")
    }
    for (provider, model_id), (state, parameters, template) in registry["models"].items():
        values = {"is_active": state} if isinstance(state, bool) else {"is_active": False, "hold": state}
        if parameters in sets:
            values["parameters_id"] = sets[parameters]
        insert_model(
            connection, f"{provider}/{model_id}", prompt_template_id=templates.get(template), **values
        )
    for provider, model_id, (starts, ends), fields in registry["overrides"]:
        hold(connection, f"{provider}/{model_id}", starts=starts, ends=ends, **fields)


def _as_in_the_view(model):
    template, override = model.prompt_template, model.override
    return (
        model.kind,
        model.is_active,
        model.hold,
        model.parameters.name,
        model.parameters.values,
        template and template.name,
        template and template.system_prompt,
        template and template.query_prefix,
        override and override.id,
        override and override.reason,
    )


# -- rows that a hand has spoilt


def test_a_row_that_no_schema_would_take_costs_its_own_fields(hand):
    hand.execute(
        "UPDATE provider_model_configs SET mode = 'dance', limits = '[1]', capabilities = '\"all\"',"
        " labels = '[\"team\"]', last_verified = 'infinity', created_at = '-infinity', version = '3'"
        " WHERE model_id = 'gpt-4o'"
    )
    hand.execute(
        "UPDATE llm_parameters SET temperature = 'NaN', stop_sequences = '5', extra = '[]', top_k = 5,"
        " decoding_method = 'magic', updated_at = 'infinity' WHERE name = 'warm'"
    )
    hand.execute("UPDATE providers SET credentials = '\"pasted\"', kind_spec = '7', verification = '[]'")
    hand.execute(
        "UPDATE provider_model_configs SET labels ="
        " jsonb_build_object('n', repeat('9', 6000)::numeric, 'tier', '2') WHERE model_id = 'o1'"
    )
    found = one(hand, "openai", "gpt-4o")
    assert (found.mode, found.limits, found.capabilities, found.labels) == ("chat", None, None, {})
    assert (found.last_verified, found.created_at, found.version) == (None, None, "3")
    assert (found.credentials, found.kind_spec) == ("***", None)
    assert found.parameters.values == {"top_k": 5}
    assert found in reading.read_models(hand)
    assert one(hand, "openai", "o1").labels in ({}, {"tier": "2"})
    assert reading.read_parameters(hand, names=["warm"])[0].updated_at is None
    assert reading.read_providers(hand, names=["openai"])[0].credentials == "***"


# -- one commit at a time


def test_what_is_read_is_of_one_commit_whoever_writes_meanwhile(database):
    with psycopg.connect(database) as connection:
        make_small_registry(connection)
    stop = threading.Event()
    writer = threading.Thread(target=_keep_writing, args=(database, stop))
    writer.start()
    try:
        with (
            reader(database) as service,
            services.engine_of(database) as engine,
            services.Session(engine) as session,
        ):
            inside = through(SessionDoor(session))
            seen = {_one_number(part) for _ in range(40) for part in (service, inside)}
    finally:
        stop.set()
        writer.join()
    assert len(seen) > 1


def _keep_writing(url, stop):
    """Commit the generation that each commit makes, in all tables at once."""
    with psycopg.connect(url) as connection:
        while not stop.is_set():
            (number,) = connection.execute("SELECT generation + 1 FROM registry").fetchone()
            connection.execute("UPDATE provider_model_configs SET version = %s", [str(number)])
            connection.execute("UPDATE llm_parameters SET seed = %s WHERE name = 'warm'", [number])
            connection.execute("UPDATE prompt_templates SET system_prompt = %s", [str(number)])
            connection.execute("UPDATE providers SET base_url = %s", [str(number)])
            connection.commit()


def _one_number(service):
    numbers = set()
    for model in (*service.list_providers(provider="openai"), service.get_provider_model("openai", "gpt-4o")):
        told = {model.version, model.base_url, model.parameters.seed and str(model.parameters.seed)}
        told |= {model.prompt_template.system_prompt} if model.prompt_template else set()
        assert len(told) == 1
        numbers |= told
    return frozenset(numbers)


# -- databases that hold no registry, or are not there


def test_a_database_without_our_tables_says_what_to_do(empty_database):
    with reader(empty_database) as service:
        for ask in (
            lambda: service.get_provider_model("openai", "gpt-4o"),
            service.list_providers,
            service.list_parameters,
            service.list_prompt_templates,
            service.list_endpoints,
        ):
            with pytest.raises(SchemaError) as caught:
                ask()
            assert "db upgrade" in str(caught.value.hint)


def test_older_tables_say_what_to_do(database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE llm_parameters DROP COLUMN unsupported CASCADE")
    with reader(database) as service, pytest.raises(SchemaError) as caught:
        service.list_providers()
    assert "db upgrade" in str(caught.value.hint)


def test_a_callers_transaction_survives_what_could_not_be_read(empty_database):
    with services.engine_of(empty_database) as engine, services.Session(engine) as session:
        with pytest.raises(SchemaError):
            through(SessionDoor(session)).list_providers()
        assert session.execute(services.sqlalchemy.text("SELECT 1")).scalar() == 1


def test_a_database_that_is_not_there_is_out_of_reach():
    with (
        reader("postgresql://u:hunter2@127.0.0.1:1/x?connect_timeout=2") as service,
        pytest.raises(StoreUnavailableError) as caught,
    ):
        service.get_provider_model("openai", "gpt-4o")
    assert "hunter2" not in str(caught.value)


def test_after_its_connections_were_cut_the_service_reads_on(small):
    with reader(small, pool_size=1, max_overflow=0) as service:
        assert len(service.list_providers()) == 4
        with psycopg.connect(small, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        def is_read():
            try:
                return len(service.list_providers()) == 4
            except StoreUnavailableError:
                return False

        assert eventually(is_read)


# -- inside a caller's session


def test_a_callers_session_sees_its_own_rows_and_keeps_what_it_loaded(small):
    with services.engine_of(small) as engine, services.Session(engine) as session:
        session.execute(
            services.sqlalchemy.text(
                "UPDATE provider_model_configs SET version = 'mine' WHERE model_id = 'o1'"
            )
        )
        found = through(SessionDoor(session)).get_provider_model("openai", "o1")
        assert found.version == "mine"
        session.rollback()
        assert through(SessionDoor(session)).get_provider_model("openai", "o1").version is None
