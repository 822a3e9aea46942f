"""Overrides in a real database: set and ended by programs, joined in wherever models are read, and never in
the models' own rows.
"""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from support import postgres, services
from support.polling import eventually
from support.registry_dump import entities
from support.rows import insert_model, insert_override
from support.small_states import model, parameters, planned, provider, run, state, template

from reconciler.core.address import Address, parse_address
from reconciler.core.requests import LLMParametersUpdate, OverrideValues
from reconciler.engine.plan import drift
from reconciler.errors import (
    LockHeldError,
    NotFoundError,
    ParameterValidationError,
    RegistrationError,
    StatusError,
)
from reconciler.runtime.provider_config import ProviderConfigService
from reconciler.source import export
from reconciler.store import reading
from reconciler.store.session import connect

HOUR = timedelta(hours=1)
FILES = state(
    provider("openai", base_url="https://files.example"),
    provider("xai", active=False),
    provider("here", kind="vllm", active=False),
    parameters("long", min_new_tokens=50, max_new_tokens=100),
    parameters("base", temperature=0.7, top_k=5),
    template("qa", system_prompt="Be kind."),
    template("short", system_prompt="Be brief."),
    template("theirs", provider="xai"),
    model("openai/gpt-4", parameters="base", prompt_template="qa"),
    model("openai/gpt-5"),
    model("xai/grok", active=False),
    model("here/m", active=False, parameters="long"),
)
GPT = ("openai", "gpt-4")


@pytest.fixture(scope="module")
def filled(server_url, migrated_template):
    """The name of a database to which the files were applied, to be copied."""
    with postgres.fresh_database(server_url, migrated_template) as url:
        with connect(url) as connection:
            run(connection, FILES)
        yield url.partition("@/")[2].partition("?")[0]


@pytest.fixture
def url(server_url, filled):
    with postgres.fresh_database(server_url, filled) as url:
        yield url


@pytest.fixture(params=services.DOORS)
def service(request, url):
    with services.opened(url, request.param, actor="alice") as opened:
        yield opened


@pytest.fixture
def alone(url):
    """A service that commits each call by itself."""
    with services.through_engine(url, actor="alice") as opened:
        yield opened


@pytest.fixture
def connection(url):
    with connect(url) as connection:
        yield connection


def hold(service, values, *, of=GPT, until=HOUR, reason="incident 4711"):
    return service.override_provider_model(*of, values, until=until, reason=reason)


def rows(connection):
    return connection.execute(
        "SELECT id, key, fields, reason, actor, ends_at > statement_timestamp() FROM overrides ORDER BY id"
    ).fetchall()


# -- what is held


def test_values_are_held_over_those_of_the_files(service):
    before = service.get_provider_model(*GPT)
    found = hold(service, {"parameters": {"temperature": 0, "top_k": None}, "prompt_template": "short"})
    assert (found.parameters.temperature, found.parameters.top_k) == (0.0, None)
    assert found.prompt_template.system_prompt == "Be brief."
    assert found.is_active
    assert found.managed_by == "default"
    held = found.override
    assert (held.reason, held.actor) == ("incident 4711", "alice")
    assert held.fields == {"parameters": {"temperature": 0.0, "top_k": None}, "prompt_template": "short"}
    assert timedelta(minutes=59) < held.ends_at - held.starts_at <= HOUR
    assert service.get_provider_model(*GPT) == found
    assert service.end_override(*GPT) == before


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ({"is_active": False}, {"is_active": False}),
        ({"prompt_template": None}, {"prompt_template": None}),
        ({"is_active": None, "prompt_template": None, "parameters": None}, {"prompt_template": None}),
        ({"is_active": True, "parameters": {}}, {"is_active": True}),
        (OverrideValues(is_active=False), {"is_active": False}),
        (
            OverrideValues(parameters=LLMParametersUpdate(unsupported="drop")),
            {"parameters": {"unsupported": "drop"}},
        ),
        ({"parameters": LLMParametersUpdate(seed=1)}, {"parameters": {"seed": 1}}),
    ],
)
def test_only_what_is_given_is_held(service, values, held):
    assert hold(service, values).override.fields == held


def test_a_model_without_a_template_and_an_inactive_one_are_held(service):
    assert hold(service, {"prompt_template": None}).prompt_template is None
    assert not hold(service, {"is_active": False}).is_active
    found = hold(service, {"is_active": True}, of=("xai", "grok"))
    assert not found.is_active
    assert found.notices == ("provider:xai is not active, so none of its models is",)


def test_a_warning_of_the_kind_is_told(service):
    found = hold(service, {"parameters": {"repetition_penalty": 1.2}})
    assert ["openai" in notice and "repetition_penalty" in notice for notice in found.notices] == [True]


def test_nothing_is_written_into_the_rows(alone, connection):
    before, raised = entities(connection), services.generation(connection)
    hold(alone, {"is_active": False, "parameters": {"top_k": 1}})
    alone.end_override(*GPT)
    assert entities(connection) == before
    assert services.generation(connection) == raised + 2
    generations = connection.execute("SELECT DISTINCT generation FROM overrides").fetchall()
    assert generations == [(raised + 2,)]


def test_a_batch_holds_all_or_nothing(service):
    other = ("openai", "gpt-5")
    found = service.override_provider_models(
        {other: {"is_active": False}, GPT: {"parameters": {"top_k": 1}}}, until=HOUR, reason="both"
    )
    assert [one.model_id for one in found] == ["gpt-5", "gpt-4"]
    assert [one.address for one in service.list_overrides()] == [
        "model:openai/gpt-4",
        "model:openai/gpt-5",
    ]
    with pytest.raises(NotFoundError, match="no model:openai/none"):
        service.override_provider_models(
            {other: {"is_active": True}, ("openai", "none"): {"is_active": True}}, until=HOUR, reason="x"
        )
    assert not service.get_provider_model(*other).is_active
    assert len(service.end_overrides([other, GPT])) == 2
    assert service.list_overrides() == ()
    assert service.override_provider_models({}, until=HOUR, reason="x") == ()
    assert service.end_overrides([]) == ()


def test_another_override_of_a_model_replaces_the_first_and_keeps_its_row(service):
    first = hold(service, {"is_active": False}).override
    second = hold(service, {"parameters": {"top_k": 1}}, reason="worse")
    assert (second.is_active, second.parameters.top_k) == (True, 1)
    assert [one.id for one in service.list_overrides()] == [second.override.id]
    newest, oldest = service.list_overrides(active_only=False)
    assert (newest.id, oldest.id, oldest.fields) == (second.override.id, first.id, first.fields)
    assert first.starts_at < oldest.ends_at <= newest.starts_at


def test_one_that_ended_early_holds_no_more_and_is_kept(service):
    hold(service, {"is_active": False})
    assert service.end_override(*GPT, reason="over").is_active
    (kept,) = service.list_overrides(active_only=False)
    assert (kept.reason, kept.fields) == ("incident 4711", {"is_active": False})
    with pytest.raises(NotFoundError, match="Nothing is held of model:openai/gpt-4 now") as raised:
        service.end_override(*GPT)
    assert raised.value.code == "no-override"


def test_it_ends_by_itself_without_a_commit(alone, connection):
    before = alone.get_provider_model(*GPT)
    hold(alone, {"is_active": False}, until=timedelta(milliseconds=700))
    raised = services.generation(connection)
    assert eventually(lambda: alone.get_provider_model(*GPT) == before)
    assert eventually(lambda: alone.list_overrides() == ())
    assert services.generation(connection) == raised


def test_one_that_would_end_at_once_is_no_error(service):
    found = hold(service, {"is_active": False}, until=timedelta(microseconds=1))
    assert found.override is None
    assert len(service.list_overrides(active_only=False)) == 1


# -- what is refused


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({}, RegistrationError, "nothing to hold"),
        ({"is_active": None}, RegistrationError, "nothing to hold"),
        ({"parameters": {}}, RegistrationError, "nothing to hold"),
        ([], RegistrationError, "must be made of a mapping"),
        ({"mode": "chat"}, RegistrationError, "mode"),
        ({"is_active": "no"}, RegistrationError, "is_active"),
        ({"parameters": {"temperature": 9.0}}, ParameterValidationError, "openai takes at most 2"),
        ({"parameters": {"top_k": "many"}}, ParameterValidationError, "top_k"),
        ({"parameters": {"temperatur": 1}}, ParameterValidationError, "temperatur"),
        ({"parameters": {"description": "x"}}, RegistrationError, "description describes"),
        ({"parameters": {"extra": {"note": "sk-" + "a" * 30}}}, RegistrationError, "extra holds something"),
        ({"parameters": 5}, RegistrationError, "parameters"),
        ({"prompt_template": "none"}, NotFoundError, "no template:none"),
        ({"prompt_template": "a\0b"}, RegistrationError, "prompt_template"),
        ({"prompt_template": "theirs"}, RegistrationError, "only for the provider xai"),
        (
            {"prompt_template": "none", "parameters": {"temperature": 9.0}},
            ParameterValidationError,
            "2 things are wrong",
        ),
    ],
)
def test_what_a_registration_would_refuse_is_refused(service, values, error, message):
    with pytest.raises(error, match=message) as raised:
        hold(service, values)
    assert type(raised.value) is error
    assert "sk-" not in str(raised.value)
    assert service.list_overrides(active_only=False) == ()


def test_values_are_checked_together_with_those_of_the_set(service):
    with pytest.raises(ParameterValidationError, match="min_new_tokens is 50; the most is max_new_tokens"):
        hold(service, {"parameters": {"max_new_tokens": 5}}, of=("here", "m"))


def test_what_was_wrong_already_is_no_reason_to_refuse(service, connection, url):
    with psycopg.connect(url) as hand:
        hand.execute("UPDATE llm_parameters SET temperature = 9 WHERE name = 'base'")
    assert hold(service, {"parameters": {"seed": 1}}).parameters.seed == 1
    assert hold(service, {"parameters": {"temperature": 1.0}}).parameters.temperature == 1.0


def test_an_inactive_template_is_refused(service, url):
    with psycopg.connect(url) as hand:
        hand.execute("UPDATE prompt_templates SET is_active = FALSE WHERE name = 'short'")
    with pytest.raises(
        StatusError, match="template:short, which model:openai/gpt-4 would use, is not active"
    ):
        hold(service, {"prompt_template": "short"})


@pytest.mark.parametrize("of", [("openai", "none"), ("no/ne", "x"), ("openai", ""), ("openai", "a\0b")])
def test_a_model_that_is_not_there_is_refused(service, of):
    with pytest.raises(NotFoundError):
        hold(service, {"is_active": False}, of=of)
    with pytest.raises(NotFoundError):
        service.end_override(*of)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"until": datetime(2040, 1, 1)}, "bad-until"),  # noqa: DTZ001 - that is the case
        ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "bad-until"),
        ({"until": timedelta(days=31)}, "bad-until"),
        ({"reason": ""}, "bad-reason"),
        ({"reason": "x" * 501}, "bad-reason"),
    ],
)
def test_an_end_or_a_reason_that_cannot_be_is_refused(service, how, code):
    with pytest.raises(RegistrationError) as raised:
        hold(service, {"is_active": False}, **how)
    assert raised.value.code == code
    assert service.list_overrides(active_only=False) == ()


def test_a_reason_of_an_end_is_checked_too(service):
    hold(service, {"is_active": False})
    with pytest.raises(RegistrationError, match="key's shape"):
        service.end_override(*GPT, reason="sk-" + "a" * 30)
    assert len(service.list_overrides()) == 1


# -- inside a caller's transaction, and beside other writers


def test_a_callers_rollback_takes_it_back(url, connection):
    with services.engine_of(url) as engine, Session(engine) as session:
        service = ProviderConfigService(session, settings=services.settings(), actor="alice")
        hold(service, {"is_active": False})
        hold(service, {"parameters": {"top_k": 1}})
        assert service.end_override(*GPT).override is None
        session.rollback()
    assert rows(connection) == []
    assert services.trail(connection)[-1][0] == "insert"


def test_it_waits_for_another_writer_no_longer_than_it_may(url, connection):
    with services.through_engine(url, lock_timeout=0.2) as service, connection.transaction():
        connection.execute("SELECT FROM registry FOR UPDATE")
        with pytest.raises(LockHeldError):
            hold(service, {"is_active": False})


def test_many_at_once_leave_one_in_force(url):
    def one(number):
        with services.through_engine(url, actor=f"writer {number}") as service:
            hold(service, {"parameters": {"seed": number}})

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with services.through_engine(url) as service:
        newest, *others = service.list_overrides(active_only=False)
        assert len(others) == 3
        assert [found.id for found in service.list_overrides()] == [newest.id]
        assert all(found.ends_at <= newest.starts_at for found in others)


# -- the trail


def test_the_trail_says_who_did_it_why_and_by_which_means(alone, connection):
    hold(alone, {"parameters": {"temperature": 0.0}})
    hold(alone, {"is_active": False}, reason="worse")
    alone.end_override(*GPT, reason="over")
    hold(alone, {"is_active": False})
    alone.end_override(*GPT)
    found = reading.events(connection, parse_address("model:openai/gpt-4"), limit=6)
    told = [(event.before is None, event.reason) for event in reversed(found)]
    assert told == [
        (True, "incident 4711"),
        (False, "worse"),
        (True, "worse"),
        (False, "over"),
        (True, "incident 4711"),
        (False, "incident 4711"),
    ]
    assert {(event.action, event.cause, event.actor, event.source, event.run) for event in found} == {
        ("override", "code", "alice", None, None)
    }


# -- plans, applies and exports


def test_a_plan_shows_it_and_changes_nothing(alone, connection):
    without = planned(connection, FILES)
    hold(alone, {"is_active": False, "parameters": {"temperature": 0.0}})
    found = planned(connection, FILES)
    assert (found.changes, found.digest, found.refusals) == ((), without.digest, ())
    (shown,) = found.overrides
    assert (str(shown.address), shown.reason, shown.actor, shown.hidden) == (
        "model:openai/gpt-4",
        "incident 4711",
        "alice",
        (),
    )
    assert [tuple(change) for change in shown.changes] == [
        ("is_active", True, False),
        ("temperature", 0.7, 0.0),
    ]
    assert shown.starts_at <= shown.seen_at < shown.ends_at
    assert drift(connection, "default").overrides[0].changes == shown.changes


def test_a_database_without_tables_has_none(empty_database):
    with connect(empty_database) as connection:
        assert planned(connection, FILES).overrides == ()


def test_an_apply_changes_the_row_under_it_and_leaves_it(alone, connection):
    hold(alone, {"parameters": {"temperature": 0.0}})
    changed = state(
        *(one for one in FILES.entities.values() if one.address.key != "base"),
        parameters("base", temperature=0.9, top_k=5),
    )
    assert planned(connection, changed).overrides[0].hidden == ("temperature",)
    done = run(connection, changed)
    assert [one.hidden for one in done.plan.overrides] == [("temperature",)]
    assert entities(connection)[Address("parameters", "base")].spec["temperature"] == 0.9
    after = planned(connection, changed)
    assert (after.changes, len(after.overrides), after.overrides[0].hidden) == ((), 1, ())
    assert alone.get_provider_model(*GPT).parameters.temperature == 0.0
    assert alone.end_override(*GPT).parameters.temperature == 0.9


def test_an_export_writes_what_is_stored(alone, connection):
    def texts():
        return export.dump(reading.exported(connection, None)[0])

    before = texts()
    hold(alone, {"is_active": False, "parameters": {"temperature": 0.0}, "prompt_template": "short"})
    assert texts() == before


# -- reading


def listed(connection, **more):
    found = reading.list_models(connection, **{"active_only": False, "provider": None, **more})
    return {model.address.key: model for model in found}


def test_a_list_has_what_counts_now(alone, connection):
    before = listed(connection)
    hold(
        alone,
        {"is_active": False, "parameters": {"temperature": 0.0, "top_k": None}, "prompt_template": None},
    )
    hold(alone, {"is_active": True}, of=("xai", "grok"))
    found = listed(connection)
    gpt = found["openai/gpt-4"]
    assert (gpt.is_active, gpt.parameters, gpt.prompt_template) == (
        False,
        {"name": "base", "temperature": 0.0},
        None,
    )
    assert gpt.override.reason == "incident 4711"
    assert found["openai/gpt-5"] == before["openai/gpt-5"]
    assert not found["xai/grok"].is_active
    assert list(listed(connection, active_only=True)) == ["openai/gpt-5"]
    alone.end_overrides([GPT, ("xai", "grok")])
    assert listed(connection) == before


def test_a_model_is_shown_with_what_is_stored_and_what_is_held(alone, connection):
    hold(alone, {"is_active": False, "parameters": {"temperature": 0.0}, "prompt_template": "short"})
    now = datetime.now(UTC)
    found = reading.show(connection, parse_address("model:openai/gpt-4"), now=now)
    assert (found.is_active, found.usable, found.spec["prompt_template"]) == (True, False, "qa")
    assert [tuple(change) for change in found.override.changes] == [
        ("is_active", True, False),
        ("temperature", 0.7, 0.0),
        ("prompt_template", "qa", "short"),
    ]
    assert found.override.seen_at == now
    other = reading.show(connection, parse_address("model:openai/gpt-5"), now=now)
    assert (other.override, other.usable) == (None, True)


SPOILT = [
    pytest.param([], {}, id="no mapping"),
    pytest.param({"is_active": "no", "parameters": 5, "prompt_template": 7}, {}, id="other types"),
    pytest.param({"parameters": {"heat": 1, "top_k": 9}}, {"parameters": {"top_k": 9}}, id="unknown"),
]


@pytest.mark.parametrize(("fields", "held"), SPOILT)
def test_what_a_hand_wrote_cannot_break_an_answer(connection, alone, url, fields, held):
    with psycopg.connect(url) as hand:
        insert_override(hand, "openai/gpt-4", fields, ends_at="infinity")
    (found,) = planned(connection, FILES).overrides
    assert (found.fields, found.ends_at.year) == (held, 9999)
    gpt = listed(connection)["openai/gpt-4"]
    assert (gpt.is_active, gpt.override.fields) == (True, held)
    assert reading.show(connection, gpt.address, now=datetime.now(UTC)).override.fields == held
    assert [one.fields for one in alone.list_overrides()] == [held]
    assert alone.list_overrides(active_only=False)[0].ends_at.year == 9999


def test_an_override_of_no_model_is_shown_in_plans_alone(connection, url):
    with psycopg.connect(url) as hand:
        insert_override(hand, "openai/none", {"parameters": {"top_k": 9}})
    (found,) = planned(connection, FILES).overrides
    assert [tuple(change) for change in found.changes] == [("top_k", None, 9)]
    assert all(model.override is None for model in listed(connection).values())


def test_models_whose_ids_hold_slashes_are_told_apart(alone, connection, url):
    with psycopg.connect(url) as hand:
        insert_model(hand, "openai/a/b")
        insert_model(hand, "openai/a")
    hold(alone, {"is_active": False}, of=("openai", "a/b"))
    found = listed(connection)
    assert (found["openai/a/b"].is_active, found["openai/a"].is_active) == (False, True)


# -- the law


@contextmanager
def rolled_back(url):
    with psycopg.connect(url) as hand:
        yield hand
        hand.rollback()


@pytest.fixture(scope="module")
def lawful(server_url, migrated_template):
    with postgres.fresh_database(server_url, migrated_template) as url:
        with connect(url) as connection:
            run(connection, FILES)
        yield url


SPANS = st.tuples(st.integers(-5, 5), st.integers(1, 5), st.booleans(), st.sampled_from([None, 0.0, 1.0]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SPANS, max_size=5))
def test_the_newest_that_lives_counts_everywhere_and_the_rest_is_as_stored(lawful, spans):
    with rolled_back(lawful) as hand:
        stored = listed(hand)["openai/gpt-4"]
        counting = None
        for start, length, active, temperature in spans:
            fields = {"is_active": active, "parameters": {"temperature": temperature}}
            begins = hand.execute("SELECT now() + %s * interval '1 hour' - interval '30 min'", [start])
            starts_at = begins.fetchone()[0]
            insert_override(
                hand, "openai/gpt-4", fields, starts_at=starts_at, ends_at=starts_at + length * HOUR
            )
            if start <= 0 < start + length:
                counting = fields
        found = listed(hand)["openai/gpt-4"]
        view = hand.execute(
            "SELECT is_active, parameters FROM effective_models WHERE model_id = 'gpt-4'"
        ).fetchone()
        values = {name: value for name, value in found.parameters.items() if name != "name"}
        assert view == (found.is_active, values)
        if counting is None:
            assert found == stored
        else:
            assert found.override.fields == counting
            assert found.is_active == counting["is_active"]
            assert found.parameters.get("temperature") == counting["parameters"]["temperature"]
        hand.execute("UPDATE overrides SET starts_at = '2020-01-01', ends_at = '2020-01-02'")
        assert listed(hand)["openai/gpt-4"] == stored
