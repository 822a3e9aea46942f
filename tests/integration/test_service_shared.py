"""Parameter sets, templates and providers by themselves, through both doors: stored, changed, switched."""

import logging

import psycopg
import pytest
from support import services

from reconciler.core.requests import LLMParametersUpdate, ProviderCreate
from reconciler.errors import (
    NotFoundError,
    ParameterValidationError,
    RegistrationError,
    StatusError,
)


@pytest.fixture(params=services.DOORS)
def service(request, database):
    with services.opened(database, request.param) as opened:
        yield opened


@pytest.fixture
def own(database):
    with services.through_engine(database) as opened:
        yield opened


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def model(service, provider="openai", model_id="m", *given, **more):
    activation = {"activation": "immediate", **more}
    return service.register_provider_model(provider, model_id, *given, verify=False, **activation)


# Sets


def test_a_set_is_stored_replaced_and_changed(service):
    first = service.register_parameters({"name": "a", "temperature": 0.5, "top_k": 5, "use_case": "rag"})
    assert (first.values, first.use_case, first.is_active) == ({"temperature": 0.5, "top_k": 5}, "rag", True)
    again = service.register_parameters({"name": "a", "temperature": 0.6})
    assert (again.id, again.values, again.use_case) == (first.id, {"temperature": 0.6}, None)
    updated = service.update_parameters("a", LLMParametersUpdate(seed=7, temperature=None))
    assert updated.values == {"seed": 7}
    assert service.get_parameters("a").values == {"seed": 7}


def test_several_sets_are_stored_in_their_order(service):
    found = service.register_parameter_sets([{"name": name, "seed": 1} for name in "cab"])
    assert [one.name for one in found] == ["c", "a", "b"]
    changed = service.update_parameter_sets({"b": {"seed": 2}, "a": {"seed": 3}})
    assert [(one.name, one.seed) for one in changed] == [("b", 2), ("a", 3)]


def test_everything_of_a_set_is_stored_as_it_was_asked(service):
    asked = {
        "description": "All of it",
        "use_case": "rag",
        "labels": {"team": "rag"},
        "max_new_tokens": 1,
        "min_new_tokens": 0,
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": -1,
        "repetition_penalty": 1.1,
        "frequency_penalty": -0.5,
        "presence_penalty": 0.5,
        "stop_sequences": ["b", "a", "b"],
        "seed": 2**62,
        "decoding_method": "greedy",
        "reasoning_effort": "low",
        "logprobs": 3,
        "response_format": {"type": "json_schema", "strict": True},
        "unsupported": "drop",
        "extra": {"a": {"b": [1, None, True]}},
    }
    found = service.register_parameters({"name": "a", **asked})
    assert found.model_dump(include=set(asked)) == asked


def test_who_uses_a_changed_set_is_told_and_logged(service, caplog):
    for name in ("a", "b", "c", "d"):
        model(service, "openai", name, {"name": "s", "top_p": 0.1} if name == "a" else "s")
    with caplog.at_level(logging.WARNING, "reconciler"):
        found = service.update_parameters("s", {"top_p": 0.2})
    told = (
        "parameters:s is also used by model:openai/a, model:openai/b, model:openai/c and 1 more, which get"
        " the new values too"
    )
    assert (found.notices, caplog.messages) == ((told,), [told])


def test_the_same_values_are_no_news_to_anybody(service, caplog):
    model(service, "openai", "a", {"name": "s", "top_p": 0.1})
    with caplog.at_level(logging.WARNING, "reconciler"):
        assert service.register_parameters({"name": "s", "top_p": 0.1}).notices == ()
    assert caplog.messages == []


@pytest.mark.parametrize("is_used", [True, False])
def test_values_are_checked_against_the_models_that_use_the_set(service, is_used):
    service.register_parameters({"name": "s", "temperature": 0.5})
    model(service, "openai", "a", *(["s"] if is_used else []))
    if is_used:
        with pytest.raises(ParameterValidationError) as raised:
            service.update_parameters("s", {"temperature": 3.0})
        assert raised.value.problems == ("temperature is 3.0; openai takes at most 2.0 (model:openai/a)",)
    else:
        assert service.update_parameters("s", {"temperature": 3.0}).temperature == 3.0


@pytest.mark.parametrize(
    ("values", "error", "problem"),
    [
        pytest.param(
            {"max_new_tokens": 0}, ParameterValidationError, "max_new_tokens is 0; the least is 1", id="range"
        ),
        pytest.param(
            {"top_k": "5"}, ParameterValidationError, "top_k must be a whole number, not text", id="type"
        ),
        pytest.param({"topk": 5}, ParameterValidationError, "topk is no field here", id="name"),
        pytest.param(
            {"temperature": float("nan")}, ParameterValidationError, "must be a finite number", id="no number"
        ),
        pytest.param(
            {"extra": {"api_base": "x"}},
            ParameterValidationError,
            "extra may not hold api_base",
            id="redirects",
        ),
        pytest.param({"name": "no name"}, RegistrationError, "name: this is no name", id="no name"),
        pytest.param({"name": "default"}, RegistrationError, "'default' is built in", id="reserved"),
    ],
)
def test_a_bad_set_is_refused(service, values, error, problem):
    with pytest.raises(error, match=problem):
        service.register_parameters({"name": "s", **values})


@pytest.mark.parametrize("change", ["update", "deactivate", "reactivate"])
def test_the_built_in_set_is_nobodys_to_change(service, change):
    given = [{"top_p": 0.5}] if change == "update" else []
    with pytest.raises(RegistrationError, match="'default' is built in") as raised:
        getattr(service, f"{change}_parameters")("default", *given)
    assert raised.value.code == "reserved"


def test_a_set_in_use_stays_on(service):
    model(service, "openai", "a", {"name": "s", "top_p": 0.1})
    with pytest.raises(StatusError, match="model:openai/a still uses it") as raised:
        service.deactivate_parameters("s")
    assert raised.value.code == "in-use"
    service.deactivate_provider_model("openai", "a")
    assert service.deactivate_parameters("s").is_active is False
    with pytest.raises(StatusError, match="parameters:s, which model:openai/a uses, is not active") as raised:
        service.reactivate_provider_model("openai", "a")
    assert raised.value.code == "inactive"
    assert service.reactivate_parameters("s").is_active is True
    assert service.reactivate_provider_model("openai", "a").is_active is True


def test_a_set_of_a_model_that_waits_is_in_use(service):
    model(service, "openai", "a", {"name": "s", "top_p": 0.1}, activation="verified")
    with pytest.raises(StatusError):
        service.deactivate_parameters("s")


@pytest.mark.parametrize("name", ["gone", "no\0thing", "\ud800"])
def test_what_is_not_there_cannot_be_changed(service, name):
    calls = (
        lambda: service.update_parameters(name, {"top_p": 0.1}),
        lambda: service.deactivate_parameters(name),
        lambda: service.reactivate_prompt_template(name),
        lambda: service.update_prompt_template(name, {}),
        lambda: service.deactivate_provider(name),
        lambda: service.update_provider(name, {}),
    )
    for call in calls:
        with pytest.raises(NotFoundError, match="There is no"):
            call()


# Templates


def test_a_template_is_stored_replaced_and_changed(service):
    service.register_provider("openai")
    first = service.register_prompt_template({"name": "t", "provider": "openai", "system_prompt": "a\n{b}"})
    assert (first.provider, first.system_prompt) == ("openai", "a\n{b}")
    again = service.register_prompt_template({"name": "t", "query_prefix": "Q:"})
    assert (again.id, again.provider, again.system_prompt, again.query_prefix) == (first.id, None, None, "Q:")
    updated = service.update_prompt_template("t", {"answer_prefix": "A:", "query_prefix": None})
    assert (updated.query_prefix, updated.answer_prefix) == (None, "A:")


def test_a_template_of_several_models_is_told(service):
    model(service, "openai", "a", None, {"name": "t", "system_prompt": "x"})
    (found,) = service.register_prompt_templates([{"name": "t", "system_prompt": "y"}])
    assert found.notices == ("template:t is also used by model:openai/a, which gets the new texts too",)


def test_a_template_is_not_bound_away_from_whoever_uses_it(service):
    service.register_provider("xai")
    model(service, "openai", "a", None, {"name": "t", "system_prompt": "x"})
    with pytest.raises(RegistrationError, match="only for the provider xai, not for model:openai/a"):
        service.update_prompt_template("t", {"provider": "xai"})


def test_a_template_is_for_a_provider_that_is_there(service):
    with pytest.raises(NotFoundError, match="for the provider xai, which is not registered"):
        service.register_prompt_template({"name": "t", "provider": "xai"})


def test_a_template_in_use_stays_on(service):
    model(service, "openai", "a", None, {"name": "t", "system_prompt": "x"})
    with pytest.raises(StatusError, match="template:t would be deactivated"):
        service.deactivate_prompt_templates(["t"])
    service.update_provider_model("openai", "a", {"prompt_template": None})
    assert service.deactivate_prompt_template("t").is_active is False
    assert service.reactivate_prompt_template("t").is_active is True


def test_several_templates_are_changed_together_or_not_at_all(own):
    own.register_prompt_templates([{"name": "a"}, {"name": "b"}])
    with pytest.raises(NotFoundError):
        own.update_prompt_templates({"a": {"query_prefix": "x"}, "c": {"query_prefix": "x"}})
    assert own.get_prompt_template("a").query_prefix is None


# Providers


def test_a_provider_is_stored_and_changed(service):
    found = service.register_provider(
        "acme",
        kind="openai-compatible",
        base_url="https://a.example/v1",
        credentials={"api_key": "env:ACME_API_KEY"},
        verification={"probe": "reach", "every": "60m"},
        description="Ours",
        labels={"team": "rag"},
        protected=True,
    )
    assert (found.kind, found.base_url) == ("openai-compatible", "https://a.example/v1")
    assert found.verification == {"probe": "reach", "every": "1h"}
    assert (found.credentials, found.labels) == ({"api_key": "env:ACME_API_KEY"}, {"team": "rag"})
    assert (found.description, found.protected, found.is_active) == ("Ours", True, True)
    kept = service.register_provider("acme", description="Theirs")
    assert (kept.description, kept.base_url) == ("Theirs", "https://a.example/v1")
    changed = service.update_provider("acme", {"base_url": None, "protected": False, "credentials": "none"})
    assert (changed.base_url, changed.protected, changed.credentials) == (None, False, "none")


def test_several_providers_are_stored_in_their_order(service):
    found = service.register_provider_endpoints([ProviderCreate(name="xai"), {"name": "acme"}])
    assert [(one.name, one.kind) for one in found] == [("xai", "xai"), ("acme", "openai-compatible")]


def test_a_provider_switched_off_takes_its_models_along_and_brings_them_back(service):
    model(service)
    assert service.deactivate_provider("openai").is_active is False
    assert service.get_provider_model("openai", "m").is_active is False
    assert service.reactivate_provider("openai").is_active is True
    assert service.get_provider_model("openai", "m").is_active is True


def test_a_model_of_a_provider_that_is_off_is_registered_and_told(service):
    service.register_provider("openai")
    service.deactivate_provider("openai")
    found = service.register_provider_model("openai", "m")
    assert found.is_active is False
    assert "provider:openai is not active, so none of its models is" in found.notices


def test_a_protected_provider_stays_on_until_it_is_protected_no_more(service):
    service.register_provider("openai", protected=True)
    with pytest.raises(StatusError, match="protected"):
        service.deactivate_provider("openai")
    with pytest.raises(StatusError, match="protected"):
        service.update_provider("openai", {"protected": False, "is_active": False})
    service.update_provider("openai", {"protected": False})
    assert service.deactivate_provider("openai").is_active is False


def test_another_kind_is_checked_against_every_model_of_the_provider(service):
    model(service, "acme", "a", {"name": "s", "temperature": 1.5})
    with pytest.raises(ParameterValidationError, match=r"anthropic takes at most 1\.0"):
        service.update_provider("acme", {"kind": "anthropic"})
    assert service.update_provider("acme", {"kind": "openai"}).kind == "openai"


def test_models_that_wait_are_let_go_where_their_provider_asks_for_no_proof(service):
    service.register_provider("openai", verification={"activation": "verified"})
    model(service, activation="verified")
    service.update_provider("openai", {"verification": {"activation": "immediate"}})
    found = service.get_provider_model("openai", "m")
    assert (found.is_active, found.hold) == (True, None)


def test_models_wait_on_where_something_else_of_their_provider_changes(service):
    model(service, activation="verified")
    service.update_provider("openai", {"description": "x"})
    assert service.get_provider_model("openai", "m").hold == "pending"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param({"kind": "opena"}, "[Tt]here is no kind opena", id="kind"),
        pytest.param({"base_url": "ftp://a.example"}, "base_url: this is no URL", id="url"),
        pytest.param(
            {"credentials": {"key": "env:A_API_KEY"}}, "key is no credential of openai", id="credential"
        ),
        pytest.param({"verification": {"every": "soon"}}, "every is no duration", id="duration"),
        pytest.param({"verification": {"prob": "none"}}, "prob is no field here", id="a field of a field"),
        pytest.param(
            {"verification": {"activation": "verified", "probe": "none"}},
            "No model is ever activated",
            id="a trap",
        ),
    ],
)
def test_a_bad_provider_is_refused_with_a_hint(service, given, problem):
    with pytest.raises(RegistrationError, match=problem) as raised:
        service.register_provider("openai", **given)
    assert raised.value.hint


def test_nothing_of_a_provider_is_written_where_one_of_several_is_wrong(own, connection):
    before = services.trail(connection)
    with pytest.raises(RegistrationError):
        own.register_provider_endpoints([{"name": "good"}, {"name": "bad", "kind": "nothing"}])
    assert services.trail(connection) == before
