"""The registry in a program's memory: what it serves after every kind of change, and that time alone ends an
override.
"""

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb
from support.polling import eventually
from support.rows import insert, insert_model
from support.small_states import model, parameters, provider, run, state

from reconciler.errors import ProviderConfigError, SchemaError, StoreUnavailableError, UsageError
from reconciler.runtime.registry import Registry
from reconciler.store import observe
from reconciler.store.session import connect, libpq_url


@pytest.fixture
def connection(database):
    with connect(database) as opened:
        yield opened


@pytest.fixture
def filled(connection):
    """A few models with everything that they may share."""
    insert(connection, "providers", name="p", kind="openai")
    insert(connection, "providers", name="q", kind="openai")
    first = insert(connection, "llm_parameters", name="set", temperature=0.5)
    template = insert(connection, "prompt_templates", name="words", system_prompt="old")
    for number in range(3):
        insert_model(connection, f"p/m{number}", parameters_id=first, prompt_template_id=template)
    insert_model(connection, "q/x", labels={"team": "rag"})
    insert_model(connection, "nobody/y")
    return connection


@pytest.fixture
def registry(database, filled):
    with Registry(database, poll=0.2) as opened:
        yield opened


def caught_up(registry, connection, *statements):
    """Run statements, each in a commit of its own, and wait for what they changed."""
    for statement in statements:
        connection.execute(statement)
    assert registry.wait_for(observe.read_generation(connection), timeout=20)
    return registry


def whole(database):
    """What a reader that begins now finds."""
    with Registry(database, listen=False) as fresh:
        return fresh.list_providers().providers


CHANGES = [
    pytest.param("UPDATE provider_model_configs SET version = '2' WHERE model_id = 'm1'", id="a model"),
    pytest.param("UPDATE provider_model_configs SET is_active = FALSE", id="every model"),
    pytest.param("UPDATE llm_parameters SET temperature = 0.9 WHERE name = 'set'", id="a shared set"),
    pytest.param("UPDATE llm_parameters SET name = 'other' WHERE name = 'set'", id="a set's name"),
    pytest.param("UPDATE prompt_templates SET system_prompt = 'new'", id="a shared template"),
    pytest.param("UPDATE providers SET is_active = FALSE WHERE name = 'p'", id="a provider"),
    pytest.param("UPDATE providers SET name = 'nobody' WHERE name = 'q'", id="a provider's name"),
    pytest.param("UPDATE provider_model_configs SET model_id = 'z' WHERE model_id = 'm1'", id="a key"),
    pytest.param(
        "UPDATE provider_model_configs SET provider_name = 'q' WHERE model_id = 'm1'", id="another provider"
    ),
    pytest.param("DELETE FROM provider_model_configs WHERE model_id = 'm1'", id="a model is deleted"),
    pytest.param("DELETE FROM llm_parameters WHERE name = 'set'", id="a set is deleted with its models"),
    pytest.param("DELETE FROM providers WHERE name = 'p'", id="a provider is deleted"),
    pytest.param("TRUNCATE provider_model_configs RESTART IDENTITY CASCADE", id="a table is emptied"),
    pytest.param("TRUNCATE llm_parameters RESTART IDENTITY CASCADE", id="everything is emptied"),
    pytest.param(
        "WITH gone AS (DELETE FROM provider_model_configs WHERE model_id = 'm1' RETURNING *) "
        "INSERT INTO provider_model_configs (provider_name, model_id, parameters_id, version) "
        "SELECT 'p', 'other', parameters_id, 'again' FROM gone",
        id="one is deleted as another comes",
    ),
    pytest.param(
        "UPDATE provider_model_configs SET model_id = CASE model_id WHEN 'm1' THEN 'm3' ELSE 'm1' END "
        "WHERE model_id IN ('m1', 'm2')",
        id="one takes the other's name",
    ),
    pytest.param("UPDATE registry SET generation = generation + 1", id="nothing"),
]


@pytest.mark.parametrize("statement", CHANGES)
def test_every_change_ends_in_what_a_new_reader_finds(registry, filled, database, statement):
    caught_up(registry, filled, statement)
    assert registry.list_providers().providers == whole(database)


def test_changes_between_two_questions_end_in_what_a_new_reader_finds(registry, filled, database):
    caught_up(
        registry, filled, *(change.values[0] for change in CHANGES if "TRUNCATE" not in change.values[0])
    )
    assert registry.list_providers().providers == whole(database)


def test_two_models_that_swap_their_names_are_told_apart(registry, filled):
    before = {one.model_id: one.id for one in registry.list_providers(provider="p")}
    with filled.transaction():
        for old, new in (("m1", "between"), ("m2", "m1"), ("between", "m2")):
            filled.execute("UPDATE provider_model_configs SET model_id = %s WHERE model_id = %s", [new, old])
    caught_up(registry, filled)
    after = {one.model_id: one.id for one in registry.list_providers(provider="p")}
    assert after == {**before, "m1": before["m2"], "m2": before["m1"]}
    assert registry.get("p", "m1").id == before["m2"]


def test_a_change_rebuilds_the_models_that_it_concerns_and_no_others(registry, filled):
    before = {one.model_id: one for one in registry.list_providers()}
    caught_up(registry, filled, "UPDATE llm_parameters SET temperature = 0.9 WHERE name = 'set'")
    after = {one.model_id: one for one in registry.list_providers()}
    same = sorted(name for name, one in after.items() if one is before[name])
    assert same == ["x", "y"]
    assert {after[f"m{number}"].parameters.temperature for number in range(3)} == {0.9}


def test_an_older_backup_is_read_anew(registry, filled, database):
    caught_up(registry, filled, *["UPDATE provider_model_configs SET version = version || '1'"] * 3)
    with filled.transaction():
        filled.execute("DELETE FROM provider_model_configs WHERE model_id = 'm1'")
        filled.execute("SET CONSTRAINTS ALL IMMEDIATE")
        filled.execute("UPDATE provider_model_configs SET version = 'restored', generation = 1")
        filled.execute("UPDATE registry SET generation = 1")
    assert eventually(lambda: registry.generation == 1)
    assert registry.list_providers().providers == whole(database)


def test_another_table_of_the_same_generation_is_read_anew(registry, filled, database):
    with filled.transaction():
        generation = observe.read_generation(filled)
        filled.execute("UPDATE provider_model_configs SET generation = 0, version = 'restored'")
        filled.execute("SET CONSTRAINTS ALL IMMEDIATE")
        filled.execute("UPDATE provider_model_configs SET generation = 0")
        filled.execute("TRUNCATE registry")
        filled.execute("INSERT INTO registry (id, generation) VALUES (1, %s)", [generation])
    assert eventually(lambda: registry.get("p", "m1").version == "restored")
    assert registry.list_providers().providers == whole(database)


def test_an_apply_is_seen_with_its_owner(registry, filled):
    with filled.transaction():
        filled.execute("DELETE FROM provider_model_configs")
        filled.execute("DELETE FROM providers")
    run(filled, state(provider("p"), parameters("mine", top_k=3), model("p/new", parameters="mine")))
    caught_up(registry, filled)
    assert [one.model_id for one in registry.list_providers()] == ["new"]
    found = registry.get("p", "new")
    assert (found.managed_by, found.parameters.top_k) == ("default", 3)


def test_a_listing_is_of_the_models_that_fulfil_every_condition(registry, filled):
    caught_up(registry, filled, "UPDATE provider_model_configs SET is_active = FALSE WHERE model_id = 'm1'")

    def listed(**conditions):
        return [f"{one.provider_name}/{one.model_id}" for one in registry.list_providers(**conditions)]

    assert listed() == ["nobody/y", "p/m0", "p/m1", "p/m2", "q/x"]
    assert listed(active_only=True) == ["nobody/y", "p/m0", "p/m2", "q/x"]
    assert listed(provider="p", active_only=True) == ["p/m0", "p/m2"]
    assert listed(label="team") == listed(label="team=rag") == listed(label={"team": "rag"}) == ["q/x"]
    assert listed(label="team=other") == listed(verified_only=True) == []
    assert len(registry) == 5


def test_a_model_is_found_by_the_name_that_a_service_has_for_it(registry):
    assert registry.get_provider_model("p", "m1") is registry.get("p", "m1")
    assert registry.get("p", "none") is None


def override(connection, address, *, starts, ends, **fields):
    """An override between two moments, in seconds from now by the server's clock."""
    row = connection.execute(
        "INSERT INTO overrides (kind, key, fields, reason, starts_at, ends_at)"
        " SELECT 'model', %s, %s, 'night',"
        " now() + make_interval(secs => %s), now() + make_interval(secs => %s) RETURNING id",
        [address, Jsonb(fields), starts, ends],
    ).fetchone()
    return row[0]


def test_an_override_begins_and_ends_by_time_alone(database, filled):
    override(filled, "p/m1", starts=1.0, ends=2.5, is_active=False, parameters={"temperature": 0.0})
    # It does not ask again before the test is over.
    with Registry(database, poll=60, listen=False) as registry:
        generation = registry.generation
        assert registry.get("p", "m1").override is None
        assert eventually(lambda: registry.get("p", "m1").override is not None)
        held = registry.get("p", "m1")
        assert (held.is_active, held.parameters.temperature, held.override.reason) == (False, 0.0, "night")
        assert [one.model_id for one in registry.list_providers(provider="p", active_only=True)] == [
            "m0",
            "m2",
        ]
        assert eventually(lambda: registry.get("p", "m1").override is None)
        assert registry.get("p", "m1").is_active
        assert registry.get("p", "m1").parameters.temperature == 0.5
        assert registry.generation == generation
        assert datetime.now(UTC) >= held.override.ends_at - timedelta(seconds=0.1)


def test_of_several_overrides_the_newest_holds_and_then_the_one_before(database, filled):
    override(filled, "p/m1", starts=-1, ends=60, parameters={"top_k": 1})
    override(filled, "p/m1", starts=-1, ends=1.5, parameters={"top_k": 2})
    with Registry(database, poll=60, listen=False) as registry:
        assert registry.get("p", "m1").parameters.top_k == 2
        assert eventually(lambda: registry.get("p", "m1").parameters.top_k == 1)


def test_an_override_that_is_made_changed_and_deleted_is_seen(registry, filled, database):
    first = override(filled, "p/m1", starts=-1, ends=600, parameters={"top_k": 1})
    second = override(filled, "p/m1", starts=-1, ends=600, parameters={"top_k": 2})
    assert caught_up(registry, filled).get("p", "m1").parameters.top_k == 2
    filled.execute("""UPDATE overrides SET fields = '{"parameters": {"top_k": 3}}' WHERE id = %s""", [second])
    assert caught_up(registry, filled).get("p", "m1").parameters.top_k == 3
    filled.execute("DELETE FROM overrides WHERE id = %s", [second])
    assert caught_up(registry, filled).get("p", "m1").parameters.top_k == 1
    filled.execute("DELETE FROM overrides WHERE id = %s", [first])
    assert caught_up(registry, filled).get("p", "m1").parameters.top_k is None
    assert registry.list_providers().providers == whole(database)


def test_a_template_that_an_override_names_and_that_is_renamed_is_no_longer_used(registry, filled, database):
    insert(filled, "prompt_templates", name="night", system_prompt="short")
    override(filled, "p/m1", starts=-1, ends=600, prompt_template="night")
    assert caught_up(registry, filled).get("p", "m1").prompt_template.system_prompt == "short"
    caught_up(registry, filled, "UPDATE prompt_templates SET name = 'day' WHERE name = 'night'")
    assert registry.list_providers().providers == whole(database)


def test_an_override_of_times_that_no_calendar_has_breaks_nothing(registry, filled):
    filled.execute(
        "INSERT INTO overrides (kind, key, fields, reason, starts_at, ends_at) VALUES "
        """('model', 'p/m1', '{"parameters": {"top_k": 1}}', 'always', '-infinity', 'infinity')"""
    )
    assert caught_up(registry, filled).get("p", "m1").parameters.top_k == 1


def test_no_reader_ever_sees_half_of_a_commit(database, filled):
    done = threading.Event()
    odd, looks, seen = [], 0, set()

    def write():
        with psycopg.connect(libpq_url(database), autocommit=True) as writing:
            writing.execute("SET synchronous_commit = off")
            for number in range(2000):
                with writing.transaction():
                    for name in ("m1", "m2"):
                        writing.execute(
                            "UPDATE provider_model_configs SET version = %s WHERE model_id = %s",
                            [str(number), name],
                        )
        done.set()

    with Registry(database, poll=0.05) as registry:
        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            first, second = (one.version for one in registry.list_providers(provider="p").providers[1:])
            if first != second:
                odd.append((first, second))
            looks += 1
            seen.add(first)
        writer.join()
        assert odd == []
        # Else nothing was looked at while it changed.
        assert looks > 100
        assert len(seen) > 10
        assert caught_up(registry, filled).get("p", "m1").version == "1999"


def test_a_registry_that_was_not_started_says_so(database):
    registry = Registry(database)
    for ask in (lambda: registry.get("p", "m"), registry.list_providers, lambda: len(registry)):
        with pytest.raises(UsageError) as raised:
            ask()
        assert raised.value.code == "not-started"
    registry.close()


@pytest.mark.parametrize("poll", [0, -1, float("nan")])
def test_a_registry_that_would_never_be_asked_is_refused(poll):
    with pytest.raises(UsageError):
        Registry("postgresql://localhost/x", poll=poll)


def test_without_a_database_there_is_nothing_to_start_with(tmp_path):
    with pytest.raises(StoreUnavailableError):
        Registry(f"postgresql://nobody@/nothing?host={tmp_path}").start()


def test_without_our_tables_there_is_nothing_to_start_with(empty_database):
    registry = Registry(empty_database)
    with pytest.raises(SchemaError):
        registry.start()
    assert not any(one.name == "reconciler-registry" for one in threading.enumerate())


def test_a_start_that_failed_can_be_made_again(empty_database):
    registry = Registry(empty_database)
    with pytest.raises(ProviderConfigError):
        registry.start()
    from reconciler.store import migrate

    migrate.upgrade(empty_database)
    with registry.start():
        assert len(registry) == 0
        assert registry


def test_a_closed_registry_serves_its_last_snapshot_and_can_start_again(database, filled):
    registry = Registry(database).start()
    registry.close()
    registry.close()
    filled.execute("UPDATE provider_model_configs SET version = '9'")
    assert (registry.get("p", "m1").version, registry.is_connected) == (None, False)
    with registry:
        assert registry.wait_for(observe.read_generation(filled), timeout=20)
        assert registry.get("p", "m1").version == "9"
