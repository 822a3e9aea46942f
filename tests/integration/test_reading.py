"""What the reading verbs are told: of rows that a run wrote and of rows that somebody made by hand."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from support import postgres
from support.rows import insert, insert_model, row_id
from support.small_states import model, parameters, provider, run, state, template

from reconciler.core.address import Address, parse_address
from reconciler.errors import StoreUnavailableError
from reconciler.source import export
from reconciler.store import reading
from reconciler.store.session import connect

CHECKED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

APPLIED = state(
    provider("openai", description="ours", labels={"team": "rag"}),
    parameters("base", temperature=0.7, description="for everything"),
    parameters("openai/gpt-4o", temperature=0.2),
    template("rag", query_prefix="Question:", provider="openai"),
    model("openai/gpt-4o", parameters="openai/gpt-4o", prompt_template="rag", labels={"tier": "1"}),
    model("openai/o1", parameters="base", active=False, mode="completion"),
    file="openai.yaml",
)


@pytest.fixture(scope="module")
def shared(server_url, migrated_template):
    """One database for all tests that take everything back."""
    with postgres.fresh_database(server_url, migrated_template) as url:
        yield url


@pytest.fixture
def hand(shared):
    """One transaction, rolled back at the end."""
    with psycopg.connect(shared, application_name="psql") as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def applied(server_url, migrated_template):
    """A database to which one state was applied; nobody changes it any more."""
    with postgres.fresh_database(server_url, migrated_template) as url, connect(url) as connection:
        run(connection, APPLIED)
        yield connection


@pytest.fixture
def connection(database):
    with connect(database) as connection:
        yield connection


def listed(connection, *, active_only=False, provider=None, status=None):
    return reading.list_models(connection, active_only=active_only, provider=provider, status=status)


def keys(models):
    return [one.address.key for one in models]


def shown(connection, address):
    found = reading.show(connection, parse_address(address), now=CHECKED)
    assert found is not None
    return found


# -- list


def test_a_model_is_listed_with_all_that_a_reader_needs(applied):
    first, second = listed(applied)
    assert str(first.address) == "model:openai/gpt-4o"
    assert (first.kind, first.is_active, first.hold, first.status) == ("openai", True, None, "unverified")
    assert first.parameters == {"name": "openai/gpt-4o", "temperature": 0.2}
    assert (first.prompt_template, first.managed_by, first.labels) == ("rag", "default", {"tier": "1"})
    assert (first.mode, first.last_verified) == ("chat", None)
    assert (second.is_active, second.prompt_template, second.mode) == (False, None, "completion")


def test_a_registry_without_models_lists_none(hand):
    assert listed(hand) == ()


def test_models_are_listed_by_code_point(hand):
    for key in ("b/m", "a/n", "B/m", "a/M", "a/m10", "a/m2", "a/é"):
        insert_model(hand, key)
    assert keys(listed(hand)) == ["B/m", "a/M", "a/m10", "a/m2", "a/n", "a/é", "b/m"]


def test_a_model_made_by_hand_is_listed_though_nobody_manages_it(hand):
    insert_model(hand, "nobody/x")
    [found] = listed(hand)
    assert (found.kind, found.managed_by, found.is_active) == ("", None, True)
    assert found.parameters == {"name": "default", "description": found.parameters["description"]}


def test_only_models_of_one_provider_are_listed_where_that_is_asked(hand):
    for key in ("openai/a", "openai-eu/a", "open_i/a"):
        insert_model(hand, key)
    assert keys(listed(hand, provider="openai")) == ["openai/a"]
    assert listed(hand, provider="open%") == ()


def test_models_that_are_not_usable_are_left_out_where_that_is_asked(hand):
    insert(hand, "providers", name="on", kind="openai")
    insert(hand, "providers", name="off", kind="openai", is_active=False)
    for key in ("on/a", "off/a", "nobody/a"):
        insert_model(hand, key)
    insert_model(hand, "on/b", is_active=False)
    insert_model(hand, "on/c", is_active=False, hold="pending")
    assert keys(listed(hand, active_only=True)) == ["nobody/a", "on/a"]
    assert {one.address.key: one.is_active for one in listed(hand)} == {
        "nobody/a": True,
        "off/a": False,
        "on/a": True,
        "on/b": False,
        "on/c": False,
    }


@pytest.mark.parametrize(
    ("hold", "stored", "status"),
    [
        pytest.param(None, None, "unverified", id="never probed"),
        pytest.param("pending", None, "pending", id="waiting for its first success"),
        pytest.param(None, "verified", "verified", id="good"),
        pytest.param("failing", "failing", "failing", id="switched off by a probe"),
    ],
)
def test_the_status_is_what_verification_says(hand, hold, stored, status):
    row = insert_model(hand, "openai/a", is_active=hold is None, hold=hold)
    if stored:
        insert(hand, "model_verification", key="model_id", model_id=row, status=stored)
    [found] = listed(hand)
    assert (found.status, found.hold) == (status, hold)
    assert shown(hand, "model:openai/a").status == status


def test_only_models_of_one_status_are_listed_where_that_is_asked(hand):
    insert_model(hand, "p/new")
    insert_model(hand, "p/waits", is_active=False, hold="pending")
    for name, status, hold in (("good", "verified", None), ("bad", "failing", "failing")):
        row = insert_model(hand, f"p/{name}", is_active=hold is None, hold=hold)
        insert(hand, "model_verification", key="model_id", model_id=row, status=status)
    statuses = ("unverified", "pending", "verified", "failing", "degraded")
    assert {status: keys(listed(hand, status=status)) for status in statuses} == {
        "unverified": ["p/new"],
        "pending": ["p/waits"],
        "verified": ["p/good"],
        "failing": ["p/bad"],
        "degraded": [],
    }
    assert listed(hand, status="failing", active_only=True) == ()


def test_a_probed_model_is_listed_with_its_last_result(hand):
    row = insert_model(hand, "p/a")
    insert(
        hand,
        "model_verification",
        key="model_id",
        model_id=row,
        status="verified",
        outcome="timeout",
        failures=1,
        checked_at=CHECKED,
    )
    insert_model(hand, "p/b")
    probed, never = listed(hand)
    assert (probed.outcome, probed.failures, probed.checked_at) == ("timeout", 1, CHECKED)
    assert (never.outcome, never.failures, never.checked_at) == (None, 0, None)


# -- show


def test_a_model_is_shown_in_full(applied):
    found = shown(applied, "model:openai/gpt-4o")
    assert found.spec == APPLIED.entities[Address("model", "openai/gpt-4o")].spec
    assert (found.is_active, found.usable, found.managed_by) == (True, True, "default")
    assert (found.file, found.line, found.used_by) == ("openai.yaml", 5, ())
    assert (found.status, found.outcome, found.detail, found.last_verified) == ("unverified", None, "", None)
    assert found.created_at == found.updated_at


@pytest.mark.parametrize("address", [str(address) for address in APPLIED.entities])
def test_what_is_shown_is_what_was_applied(applied, address):
    found, asked = shown(applied, address), APPLIED.entities[parse_address(address)]
    assert (found.spec, found.is_active) == (asked.spec, asked.active)
    assert (found.file, found.line) == (asked.place.file, asked.place.line)


@pytest.mark.parametrize(
    ("address", "users"),
    [
        ("provider:openai", ("model:openai/gpt-4o", "model:openai/o1")),
        ("parameters:base", ("model:openai/o1",)),
        ("parameters:default", ()),
        ("template:rag", ("model:openai/gpt-4o",)),
    ],
)
def test_who_uses_an_entity_is_shown(applied, address, users):
    assert shown(applied, address).used_by == users


@pytest.mark.parametrize("address", ["model:openai/x", "provider:x", "parameters:x", "template:x"])
def test_what_is_not_there_is_not_shown(applied, address):
    assert reading.show(applied, parse_address(address), now=CHECKED) is None


def test_the_built_in_parameters_are_shown_as_nobodys(applied):
    found = shown(applied, "parameters:default")
    assert (found.managed_by, found.file, found.line, found.is_active) == (None, None, None, True)


def test_a_model_of_an_inactive_provider_is_shown_as_active_and_not_usable(hand):
    insert(hand, "providers", name="openai", kind="openai", is_active=False)
    insert_model(hand, "openai/a/b:c d")
    found = shown(hand, "model:openai/a/b:c d")
    assert (found.is_active, found.usable) == (True, False)


def test_a_verified_model_is_shown_with_what_the_probe_said(hand):
    row = insert_model(hand, "openai/a", last_verified=CHECKED)
    insert(
        hand,
        "model_verification",
        key="model_id",
        model_id=row,
        status="verified",
        outcome="rate_limited",
        detail="come back later",
        probe="credential",
        failures=2,
        checked_at=CHECKED,
        next_due=CHECKED + timedelta(hours=1),
    )
    found = shown(hand, "model:openai/a")
    assert (found.status, found.outcome, found.detail) == ("verified", "rate_limited", "come back later")
    assert found.last_verified == found.checked_at == CHECKED
    assert (found.probe, found.failures, found.next_due) == ("credential", 2, CHECKED + timedelta(hours=1))


def test_an_entity_that_was_forgotten_is_nobodys(connection):
    run(connection, APPLIED)
    connection.execute("DELETE FROM provider_model_configs WHERE model_id = 'o1'")
    without = [one for address, one in APPLIED.entities.items() if address.key != "openai/o1"]
    run(connection, state(*without, file="openai.yaml"))
    insert_model(connection, "openai/o1")
    found = shown(connection, "model:openai/o1")
    assert (found.managed_by, found.file) == (None, None)
    assert listed(connection)[1].managed_by is None


# -- history


def test_the_events_of_a_run_carry_the_run_and_who_ran_it(applied):
    [run_] = reading.runs(applied, limit=10)
    found = reading.events(applied, parse_address("model:openai/gpt-4o"), limit=10)
    [event] = found
    assert (event.action, event.run, event.source, event.actor) == ("insert", run_.id, "default", "tester")
    assert (event.application, event.client, event.cause) == ("reconciler", None, "files")
    assert (event.before, event.reason, event.address) == (None, "because", "model:openai/gpt-4o")
    assert event.after is not None
    assert event.after["model_id"] == "gpt-4o"


def test_events_come_newest_first_and_as_many_as_are_asked_for(connection):
    insert(connection, "providers", name="openai", kind="openai")
    for number in range(3):
        connection.execute("UPDATE providers SET description = %s", [str(number)])
    insert(connection, "providers", name="other", kind="openai")
    address = Address("provider", "openai")
    found = reading.events(connection, address, limit=3)
    assert [event.after["description"] for event in found] == ["2", "1", "0"]
    assert [event.action for event in reading.events(connection, address, limit=10)][-1] == "insert"
    assert [event.address for event in reading.events(connection, None, limit=1)] == ["provider:other"]
    assert reading.events(connection, Address("provider", "nobody"), limit=10) == ()


def test_events_of_one_transaction_come_last_first_too(hand):
    row = insert(hand, "providers", name="openai", kind="openai")
    hand.execute("DELETE FROM providers WHERE id = %s", [row])
    found = reading.events(hand, Address("provider", "openai"), limit=10)
    assert [event.action for event in found] == ["delete", "insert"]


def test_a_run_is_listed_with_what_it_did(applied):
    [found] = reading.runs(applied, limit=10)
    assert (found.source, found.actor, found.succeeded, found.error) == ("default", "tester", True, None)
    assert (found.summary["create"], found.summary["unchanged"]) == (len(APPLIED.entities), 0)
    assert found.finished_at is not None
    assert found.finished_at >= found.started_at
    assert found.digest


def test_runs_come_newest_first_and_failed_ones_say_why(connection):
    run(connection, APPLIED)
    connection.execute("ALTER TABLE providers ADD CONSTRAINT taken CHECK (name <> 'acme')")
    more = state(*APPLIED.entities.values(), provider("acme"), file="openai.yaml")
    with pytest.raises(StoreUnavailableError, match="taken"):
        run(connection, more)
    failed, done = reading.runs(connection, limit=10)
    assert (done.succeeded, failed.succeeded) == (True, False)
    assert failed.id > done.id
    assert failed.error is not None
    assert "taken" in failed.error
    assert reading.runs(connection, limit=1) == (failed,)


# -- export


def exported(connection, source=None):
    entities, orphans = reading.exported(connection, source)
    return {str(one.address): one for one in entities}, [str(address) for address in orphans]


def test_what_was_applied_is_exported(applied):
    found, orphans = exported(applied, "default")
    asked = {str(address): (one.spec, one.active) for address, one in APPLIED.entities.items()}
    assert {address: (one.spec, one.active) for address, one in found.items()} == asked
    assert list(found) == [str(address) for address in sorted(APPLIED.entities)]
    assert orphans == []


def test_what_a_source_refers_to_is_exported_with_it(connection):
    run(
        connection,
        state(provider("openai"), parameters("base", temperature=0.7), template("rag")),
        source="ops",
    )
    mine = model("openai/gpt-4o", parameters="base", prompt_template="rag")
    run(connection, state(mine), source="team")
    expected = ["model:openai/gpt-4o", "parameters:base", "provider:openai", "template:rag"]
    assert list(exported(connection, "team")[0]) == expected
    assert list(exported(connection, "ops")[0]) == ["parameters:base", "provider:openai", "template:rag"]
    assert exported(connection, "nobody") == ({}, [])


def test_the_provider_that_a_template_is_bound_to_is_exported_with_it(connection):
    run(connection, state(provider("openai")), source="ops")
    run(connection, state(template("rag", provider="openai", system_prompt="Be brief.")), source="team")
    assert list(exported(connection, "team")[0]) == ["provider:openai", "template:rag"]


def test_what_belongs_to_a_provider_that_nobody_registered_is_named_and_left_out(hand):
    insert(hand, "providers", name="openai", kind="openai")
    used = insert(hand, "llm_parameters", name="nobody/x")
    insert_model(hand, "nobody/x", parameters_id=used)
    insert_model(hand, "openai/y")
    insert(hand, "prompt_templates", name="rag", provider="nobody")
    found, orphans = exported(hand)
    assert list(found) == ["model:openai/y", "provider:openai"]
    assert orphans == ["model:nobody/x", "template:rag"]
    export.dump(found.values())


def test_what_no_file_could_name_is_left_out(hand):
    insert(hand, "providers", name="openai", kind="openai", is_active=False)
    insert(hand, "llm_parameters", name="used", is_active=False)
    insert(hand, "llm_parameters", name="unused", is_active=False)
    insert(hand, "llm_parameters", name="openai/y")
    insert(hand, "prompt_templates", name="spare")
    insert_model(hand, "openai/y", parameters_id=row_id(hand, "llm_parameters", "used"), is_active=False)
    found, orphans = exported(hand)
    assert list(found) == ["model:openai/y", "parameters:used", "provider:openai", "template:spare"]
    assert orphans == []
    assert [one.active for one in found.values()] == [False, False, False, True]


def test_a_model_on_hold_is_exported_as_active(hand):
    insert(hand, "providers", name="openai", kind="openai")
    insert_model(hand, "openai/y", is_active=False, hold="failing")
    assert exported(hand)[0]["model:openai/y"].active is True
