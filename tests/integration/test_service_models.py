"""Registering and changing models through both doors: what is stored, what is told, and what is refused."""

import logging

import psycopg
import pytest
from support import providers, services
from support.registry_dump import entities
from support.rows import insert, insert_model, row_id

from reconciler.core.address import Address, model_address
from reconciler.core.requests import (
    LLMParametersCreate,
    PromptTemplateCreate,
    ProviderModelConfigCreate,
    ProviderModelConfigUpdate,
)
from reconciler.errors import (
    NotFoundError,
    ParameterValidationError,
    RegistrationError,
    StatusError,
)

MODEL = model_address("openai", "gpt-4")
PARAMETERS = LLMParametersCreate(name="precise", description="For facts", max_new_tokens=100, temperature=0.7)
TEMPLATE = PromptTemplateCreate(
    name="qa", provider="openai", system_prompt="Be kind.", query_prefix="Question:"
)


@pytest.fixture(scope="module")
def fake():
    with providers.FakeProviders() as server:
        yield server


@pytest.fixture(params=services.DOORS)
def service(request, database, fake):
    with services.opened(database, request.param, fake) as opened:
        yield opened


@pytest.fixture
def own(database, fake):
    """A service that commits, beside a connection that sees what it did."""
    with services.through_engine(database, fake) as opened:
        yield opened


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def unverified(service, provider="openai", model_id="gpt-4", *given, **more):
    return service.register_provider_model(provider, model_id, *given, verify=False, **more)


def test_a_model_is_created_verified_and_activated(service, fake):
    found = service.register_provider_model("openai", "gpt-4", PARAMETERS, TEMPLATE, base_url=fake.openai)
    assert (found.is_active, found.hold, found.verification_status) == (True, None, "verified")
    assert found.last_verified is not None
    assert (found.kind, found.base_url, found.managed_by) == ("openai", fake.openai, None)
    assert found.parameters.values == {"max_new_tokens": 100, "temperature": 0.7}
    assert (found.parameters.name, found.parameters.description) == ("precise", "For facts")
    assert (found.prompt_template.name, found.prompt_template.system_prompt) == ("qa", "Be kind.")
    assert found.notices == ()
    assert service.get_provider_model("openai", "gpt-4") == found


def test_a_failed_verification_is_stored_and_returned(service, fake):
    found = service.register_provider_model("openai", "no-such-model", base_url=fake.openai)
    assert (found.is_active, found.hold, found.verification_status) == (False, "pending", "pending")
    assert found.verification_outcome == "model_not_found"
    assert "no-such-model" in found.verification_detail


def test_a_server_that_is_not_there_raises_nothing(service):
    found = service.register_provider_model("vllm", "m", base_url="http://127.0.0.1:9/v1")
    assert (found.is_active, found.verification_outcome) == (False, "unreachable")


def test_without_verification_a_new_model_waits(service):
    found = unverified(service)
    assert (found.is_active, found.hold, found.verification_status) == (False, "pending", "pending")


@pytest.mark.parametrize(
    ("verification", "activation", "is_active"),
    [
        pytest.param(None, None, False, id="by default it waits"),
        pytest.param(None, "immediate", True, id="the caller wants it now"),
        pytest.param({"activation": "immediate"}, None, True, id="the provider says now"),
        pytest.param({"activation": "immediate"}, "verified", False, id="the caller wins"),
        pytest.param({"activation": "verified"}, "immediate", True, id="the caller wins, the other way"),
        pytest.param({"probe": "none"}, None, True, id="nothing is ever asked"),
    ],
)
def test_when_a_new_model_becomes_active(service, verification, activation, is_active):
    service.register_provider("openai", verification=verification)
    assert unverified(service, activation=activation).is_active is is_active


def test_a_model_that_nothing_can_prove_is_activated_unverified(service):
    service.register_provider("acme", base_url="http://127.0.0.1:9", verification={"probe": "generate"})
    found = service.register_provider_model("acme", "m", mode="video")
    assert (found.is_active, found.hold) == (True, None)
    assert (found.verification_status, found.verification_outcome) == ("unverified", "unprobeable")


def test_a_model_that_its_provider_never_asks_about_is_activated_unverified(service):
    service.register_provider("acme", base_url="http://127.0.0.1:9", verification={"probe": "none"})
    found = service.register_provider_model("acme", "m")
    assert (found.is_active, found.verification_status) == (True, "unverified")


@pytest.mark.parametrize(
    ("provider", "given", "kind"),
    [
        pytest.param("openai", {}, "openai", id="the provider's name"),
        pytest.param("acme", {}, "openai-compatible", id="the usual one"),
        pytest.param("acme", {"kind": "mistral"}, "mistral", id="the argument"),
    ],
)
def test_the_kind_of_a_new_provider(service, provider, given, kind):
    assert unverified(service, provider, "m", **given).kind == kind


def test_a_provider_without_an_endpoint_is_registered_and_told(service):
    found = service.register_provider_model("acme", "m")
    reason = "provider:acme has no base_url, and its kind openai-compatible has no default"
    assert reason in found.notices
    assert (found.is_active, found.hold, found.verification_outcome) == (False, "pending", "unprobeable")
    assert "no base_url" in found.verification_detail


def test_every_field_of_a_model_is_stored(service):
    found = unverified(
        service,
        "acme",
        "a/b:c d",
        mode="embedding",
        version="2.1",
        limits={"context": 8192},
        capabilities=("tools", "streaming", "tools"),
        labels={"team": "rag"},
        credentials={"api_key": "env:ACME_API_KEY"},
        base_url="https://acme.example/v1",
        activation="immediate",
    )
    assert (found.model_id, found.mode, found.version) == ("a/b:c d", "embedding", "2.1")
    assert (found.limits.context, found.capabilities) == (8192, ["streaming", "tools"])
    assert (found.labels, found.credentials) == ({"team": "rag"}, {"api_key": "env:ACME_API_KEY"})


def test_registering_again_updates_what_is_given_and_keeps_the_rest(service):
    unverified(service, "openai", "gpt-4", PARAMETERS, TEMPLATE, labels={"a": "b"}, version="1")
    found = unverified(service, version="2")
    assert (found.version, found.labels) == ("2", {"a": "b"})
    assert (found.parameters.name, found.prompt_template.name) == ("precise", "qa")


@pytest.mark.parametrize("active", [True, False])
def test_registering_again_never_changes_activity(service, active):
    unverified(service, activation="immediate")
    if not active:
        service.deactivate_provider_model("openai", "gpt-4")
    found = unverified(service, version="2", activation="verified" if active else "immediate")
    assert (found.is_active, found.hold) == (active, None)


def test_registering_the_same_again_writes_nothing(own, connection):
    given = {"labels": {"a": "b"}, "base_url": "https://a.example", "credentials": "none"}
    first = unverified(own, "openai", "gpt-4", PARAMETERS, TEMPLATE, **given)
    before = services.generation(connection), services.trail(connection)
    assert unverified(own, "openai", "gpt-4", PARAMETERS, TEMPLATE, **given) == first
    assert (services.generation(connection), services.trail(connection)) == before


def test_the_provider_is_updated_where_the_call_says_something_else(service):
    unverified(service, base_url="https://one.example", credentials={"api_key": "env:ONE_API_KEY"})
    found = unverified(service, "openai", "gpt-4o", base_url="https://two.example")
    assert (found.base_url, found.credentials) == ("https://two.example", {"api_key": "env:ONE_API_KEY"})


def test_a_stored_set_and_template_are_used_by_name(service):
    service.register_parameters(PARAMETERS)
    service.register_provider("openai")
    service.register_prompt_template(TEMPLATE)
    found = unverified(service, "openai", "gpt-4", "precise", "qa")
    assert (found.parameters.temperature, found.prompt_template.system_prompt) == (0.7, "Be kind.")


def test_a_mapping_does_what_a_schema_does(service):
    found = unverified(
        service, "openai", "gpt-4", {"name": "a", "top_p": 1}, {"name": "b", "answer_prefix": "A:"}
    )
    assert (found.parameters.top_p, found.prompt_template.answer_prefix) == (1.0, "A:")


def test_a_set_that_is_given_anew_is_replaced_and_its_users_are_told(service, caplog):
    unverified(service, "openai", "gpt-4", PARAMETERS)
    unverified(service, "openai", "gpt-4o", "precise")
    with caplog.at_level(logging.WARNING, "reconciler"):
        found = unverified(service, "openai", "gpt-4", {"name": "precise", "temperature": 0.1})
    assert found.parameters.values == {"temperature": 0.1}
    told = "parameters:precise is also used by model:openai/gpt-4o, which gets the new values too"
    assert (found.notices, caplog.messages) == ((told,), [told])
    assert service.get_provider_model("openai", "gpt-4o").parameters.temperature == 0.1


def test_new_values_are_checked_against_every_model_that_uses_the_set(service):
    unverified(service, "openai", "gpt-4", PARAMETERS)
    unverified(service, "anthropic", "claude", "precise")
    with pytest.raises(ParameterValidationError) as raised:
        unverified(service, "openai", "gpt-4", {"name": "precise", "temperature": 1.5})
    assert raised.value.problems == (
        "temperature is 1.5; anthropic takes at most 1.0 (model:anthropic/claude)",
    )
    assert service.get_provider_model("openai", "gpt-4").parameters.temperature == 0.7


def test_what_a_provider_does_not_take_is_left_out_and_told(service):
    found = unverified(service, "openai", "gpt-4", {"name": "a", "top_k": 50})
    assert found.notices == ("model:openai/gpt-4: openai takes no top_k; it is left out of requests",)


def test_a_batch_is_answered_in_its_order(service):
    names = ["c", "a", "b"]
    found = service.register_provider_models(
        [{"provider_name": "openai", "model_id": name} for name in names], verify=False
    )
    assert [model.model_id for model in found] == names


def test_a_batch_of_nothing_is_nothing(service):
    assert service.register_provider_models([]) == ()


def test_the_models_of_a_batch_share_what_they_name_alike(service):
    found = service.register_provider_models(
        [
            ProviderModelConfigCreate(provider_name="openai", model_id="a", parameters=PARAMETERS),
            {"provider_name": "openai", "model_id": "b", "parameters": "precise"},
            {
                "provider_name": "openai",
                "model_id": "c",
                "parameters": PARAMETERS,
                "base_url": "https://a.example",
            },
            {"provider_name": "openai", "model_id": "d"},
        ],
        verify=False,
    )
    assert [model.parameters.name for model in found] == ["precise", "precise", "precise", "default"]
    assert {model.base_url for model in found} == {"https://a.example"}


def batch(*models):
    return [{"provider_name": "openai", **model} for model in models]


@pytest.mark.parametrize(
    ("models", "error", "problems"),
    [
        pytest.param(
            batch({"model_id": "a", "version": "1"}, {"model_id": "a", "version": "2"}),
            RegistrationError,
            ["model:openai/a is given twice"],
            id="a model twice",
        ),
        pytest.param(
            batch(
                {"model_id": "a", "parameters": {"name": "s", "top_p": 0.1}},
                {"model_id": "b", "parameters": {"name": "s", "top_p": 0.2}},
            ),
            RegistrationError,
            ["parameters:s is given twice with different values: top_p"],
            id="a set with two values",
        ),
        pytest.param(
            batch({"model_id": "a", "kind": "openai"}, {"model_id": "b", "kind": "xai"}),
            RegistrationError,
            ["provider:openai is given twice with different values: kind"],
            id="a provider of two kinds",
        ),
        pytest.param(
            batch({"model_id": "a", "kind": "opnai"}),
            RegistrationError,
            ["there is no kind opnai"],
            id="an unknown kind",
        ),
        pytest.param(
            batch({"model_id": "a", "credentials": {"apikey": "env:A_API_KEY"}}),
            RegistrationError,
            ["apikey is no credential of openai"],
            id="an unknown credential",
        ),
        pytest.param(
            batch({"model_id": "a", "prompt_template": {"name": "t", "provider": "xai"}}),
            RegistrationError,
            [
                "template:t is for the provider xai, which is not registered",
                "the template t is only for the provider xai, not for model:openai/a",
            ],
            id="another provider's template",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": {"name": "default", "top_p": 0.5}}),
            RegistrationError,
            ["the set 'default' is built in and empty; it cannot be changed"],
            id="the reserved name",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": "gone", "prompt_template": "gone"}),
            NotFoundError,
            ["there is no parameters:gone", "there is no template:gone"],
            id="names of nothing",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": {"name": "s", "temperature": 9, "max_new_tokens": 0}}),
            ParameterValidationError,
            ["max_new_tokens is 0; the least is 1 (model:openai/a)"],
            id="a number out of the schema's range",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": {"name": "s", "temperature": 9, "top_p": 2}}),
            ParameterValidationError,
            [
                "temperature is 9.0; openai takes at most 2.0 (model:openai/a)",
                "top_p is 2.0; openai takes at most 1.0 (model:openai/a)",
            ],
            id="numbers out of the kind's range",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": {"name": "s", "top_k": 5, "unsupported": "error"}}),
            ParameterValidationError,
            ["openai takes no top_k (model:openai/a)"],
            id="what is not taken, where that is an error",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": {"name": "s", "temperatur": 1.0}}),
            ParameterValidationError,
            ["temperatur is no field here (model:openai/a)"],
            id="an unknown parameter",
        ),
        pytest.param(
            batch({"model_id": "a", "parameters": 5}, {"model_id": " ", "mode": "talk"}),
            RegistrationError,
            [
                "parameters must be a name, a mapping or LLMParametersCreate, not int (model:openai/a)",
                "model_id: this is no model id",
                "mode is 'talk', which is no word that it takes (model:openai/ )",
            ],
            id="what no field takes",
        ),
        pytest.param(
            batch(
                {"model_id": "a", "parameters": {"name": "s", "top_p": 3}},
                {"model_id": "b", "kind": "nothing", "parameters": "gone"},
                {"model_id": "c", "limits": {"context": -1}},
            ),
            ParameterValidationError,
            [
                "context is -1; the least is 0 (model:openai/c)",
                "there is no kind nothing",
                "there is no parameters:gone",
            ],
            id="everything at once",
        ),
        pytest.param(
            ["gpt-4"], RegistrationError, ["must be made of a mapping, not of str"], id="no mapping"
        ),
    ],
)
def test_bad_input_raises_one_error_with_everything_and_writes_nothing(
    service, database, models, error, problems
):
    with pytest.raises(error if "context is -1" not in problems[0] else RegistrationError) as raised:
        service.register_provider_models(models)
    said = raised.value.problems if hasattr(raised.value, "problems") else [raised.value.message]
    assert all(any(problem in one for one in said) for problem in problems), said
    assert len(said) == len(problems) or isinstance(raised.value, NotFoundError)
    with psycopg.connect(database) as connection:
        assert (entities(connection), services.trail(connection)) == ({}, services.trail(connection))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"credentials": {"api_key": "hunter2-hunter2"}}, id="in the place of a reference"),
        pytest.param({"credentials": "hunter2-hunter2"}, id="in the place of all of them"),
        pytest.param({"credentials": {"hunter2 hunter2": "env:A"}}, id="as a name"),
        pytest.param({"base_url": "https://u:hunter2@a.example"}, id="in a URL"),
        pytest.param({"base_url": "https://a.example?key=hunter2"}, id="in a query"),
        pytest.param({"labels": {"a": "sk-hunter2hunter2hunter2hunter2"}}, id="in a label"),
        pytest.param({"version": "sk-hunter2hunter2hunter2hunter2"}, id="as a version"),
    ],
)
def test_a_pasted_key_is_refused_and_never_repeated(own, given, caplog):
    with pytest.raises(RegistrationError) as raised:
        unverified(own, **given)
    everything = " ".join(
        [str(raised.value), repr(raised.value), str(raised.value.hint), *raised.value.problems]
    )
    assert "hunter2" not in everything + caplog.text


def test_a_pasted_key_in_a_set_is_refused(own):
    key = "sk-hunter2hunter2hunter2hunter2"
    with pytest.raises(RegistrationError, match="key's shape") as raised:
        unverified(own, "openai", "gpt-4", {"name": "a", "description": key})
    assert "hunter2" not in str(raised.value)


# Updating


def test_an_update_by_the_numbers_of_rows(service):
    unverified(service, "openai", "gpt-4", PARAMETERS, TEMPLATE)
    other = service.register_parameters({"name": "other", "top_p": 0.5})
    text = service.register_prompt_template({"name": "text", "answer_prefix": "A:"})
    updates = {"parameters_id": other.id, "prompt_template_id": text.id, "is_active": True}
    found = service.update_provider_model("openai", "gpt-4", updates)
    assert (found.parameters.name, found.prompt_template.name) == ("other", "text")
    assert (found.parameters_id, found.is_active, found.hold) == (other.id, True, None)


def test_an_update_by_names_and_other_fields(service):
    unverified(service, "openai", "gpt-4", PARAMETERS, TEMPLATE, version="1", labels={"a": "b"})
    updates = ProviderModelConfigUpdate(
        parameters="default", prompt_template=None, version=None, mode="completion", labels={"c": "d"}
    )
    found = service.update_provider_model("openai", "gpt-4", updates)
    assert (found.parameters.name, found.prompt_template, found.version) == ("default", None, None)
    assert (found.mode, found.labels) == ("completion", {"c": "d"})


def test_an_update_of_nothing_writes_nothing(own, connection):
    unverified(own)
    before = services.generation(connection), services.trail(connection)
    own.update_provider_model("openai", "gpt-4", {})
    assert (services.generation(connection), services.trail(connection)) == before


def test_a_number_of_the_built_in_set_is_its_name(service, database):
    unverified(service, "openai", "gpt-4", PARAMETERS)
    with psycopg.connect(database) as connection:
        number = row_id(connection, "llm_parameters", "default")
    found = service.update_provider_model("openai", "gpt-4", {"parameters_id": number})
    assert found.parameters.name == "default"


@pytest.mark.parametrize(
    ("updates", "error", "said"),
    [
        pytest.param(
            {"parameters_id": 999}, NotFoundError, "no parameter set with the id 999", id="no such set"
        ),
        pytest.param(
            {"prompt_template_id": 9}, NotFoundError, "no template with the id 9", id="no such template"
        ),
        pytest.param({"parameters": "gone"}, NotFoundError, "no parameters:gone", id="no such name"),
        pytest.param(
            {"parameters_id": "five"},
            RegistrationError,
            "parameters_id must be a whole number",
            id="no number",
        ),
        pytest.param({"is_activ": True}, RegistrationError, "is_activ is no field here", id="no field"),
    ],
)
def test_a_bad_update_is_refused(service, updates, error, said):
    unverified(service)
    with pytest.raises(error, match=said):
        service.update_provider_model("openai", "gpt-4", updates)


def test_an_id_and_a_name_must_be_of_the_same_set(service):
    number = unverified(service, "openai", "gpt-4", PARAMETERS).parameters_id
    with pytest.raises(RegistrationError, match="is precise, not default"):
        service.update_provider_model("openai", "gpt-4", {"parameters_id": number, "parameters": "default"})


def test_switching_off_and_on(service):
    unverified(service, activation="immediate")
    assert service.deactivate_provider_model("openai", "gpt-4").is_active is False
    assert service.reactivate_provider_model("openai", "gpt-4").is_active is True


def test_reactivating_lifts_what_holds_a_model(service):
    unverified(service)
    found = service.reactivate_provider_model("openai", "gpt-4")
    assert (found.is_active, found.hold) == (True, None)


def test_deactivating_clears_what_holds_a_model(service):
    unverified(service)
    found = service.deactivate_provider_model("openai", "gpt-4")
    assert (found.is_active, found.hold) == (False, None)


@pytest.mark.parametrize("name", ["nothing", "no\0thing", "\ud800", "", "a" * 300])
def test_a_model_that_is_not_there_is_told_with_its_names(service, name):
    calls = (
        lambda: service.update_provider_model("openai", name, {"version": "1"}),
        lambda: service.deactivate_provider_model("openai", name),
        lambda: service.reactivate_provider_model("openai", name),
        lambda: service.verify_provider_model("openai", name),
    )
    for call in calls:
        with pytest.raises(NotFoundError) as raised:
            call()
        assert (raised.value.provider, raised.value.model_id) == ("openai", name or None) or not name


def test_a_name_with_a_slash_is_no_other_providers_model(service):
    unverified(service, "openai", "a/b")
    with pytest.raises(NotFoundError):
        service.deactivate_provider_model("openai/a", "b")


def test_a_batch_changes_everything_or_nothing(own):
    unverified(own, "openai", "a", activation="immediate")
    with pytest.raises(NotFoundError, match="model:openai/b"):
        own.deactivate_provider_models([("openai", "a"), ("openai", "b")])
    assert own.get_provider_model("openai", "a").is_active


def test_a_protected_providers_models_stay_on(service):
    service.register_provider("openai", protected=True)
    unverified(service, activation="immediate")
    with pytest.raises(StatusError, match="provider:openai is protected") as raised:
        service.deactivate_provider_model("openai", "gpt-4")
    assert raised.value.code == "protected"


def test_the_trail_names_the_actor_and_the_cause_code(own, connection):
    unverified(own, "openai", "gpt-4", PARAMETERS)
    own.update_provider_model("openai", "gpt-4", {"version": "2"})
    told = [event for event in services.trail(connection) if event[1] != "parameters:default"]
    addresses = ["provider:openai", "parameters:precise", str(MODEL), str(MODEL)]
    assert [event[1] for event in told] == addresses
    assert {event[2:] for event in told} == {("code", services.ACTOR, None, None)}


def test_rows_that_a_hand_has_spoilt_can_still_be_changed(own, connection):
    insert(
        connection, "providers", name="odd", kind="nonsense", verification=["x"], credentials=["y"], labels=[]
    )
    spoilt = insert(
        connection, "llm_parameters", name="odd", temperature=float("nan"), stop_sequences={"a": 1}
    )
    insert_model(connection, "odd/m", parameters_id=spoilt, limits=["x"], capabilities={"a": 1}, mode="talk")
    found = own.update_provider_model("odd", "m", {"version": "2"})
    assert (found.version, found.is_active) == ("2", True)
    assert own.register_provider_model("odd", "m", {"name": "odd", "top_p": 0.5}).parameters.top_p == 0.5
    assert own.deactivate_provider_model("odd", "m").is_active is False


def test_a_model_whose_provider_nobody_registered_is_registered_with_it(own, connection):
    insert_model(connection, "openai/gpt-4")
    found = unverified(own, version="2")
    assert (found.kind, found.version, found.is_active) == ("openai", "2", True)
    assert Address("provider", "openai") in entities(connection)
