"""Every block of code in the specification runs against this project as it is written; only the imports and
the keys are ours. The providers answer under their own names, see `support.hosted`.
"""

import contextlib
import json
import os

import psycopg
import pytest
from support import specification
from support.hosted import SAID, bodies, hosted
from support.providers import key

import reconciler
from reconciler import open_service

USAGE, INTEGRATION, EXAMPLES = "Usage", "Integration", "Usage Examples"
CANARY = key()
COLUMNS = """
SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
FROM information_schema.columns WHERE table_name = 'provider_model_configs'
"""
KEYS = """
SELECT pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'provider_model_configs'::regclass AND contype IN ('p', 'u', 'f')
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """The providers, and an operator who leads their names to them."""
    for name in [name for name in os.environ if name.startswith("RECONCILER_")]:
        monkeypatch.delenv(name)
    with hosted(tmp_path) as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        yield fake


@pytest.fixture
def service(database, fake):
    with open_service(database, actor="the specification") as service:
        yield service


@pytest.fixture
def namespace(service):
    """What the document's code finds, whatever it calls the service."""
    return {"service": service, "provider_config_service": service, **everything()}


def everything():
    """What `from reconciler import *` brings."""
    found: dict[str, object] = {}
    exec("from reconciler import *", found)
    return found


def run(namespace, section, *headings):
    """Run a section's blocks in their order, or only those under some headings."""
    codes = [one for one in specification.codes("python", section) if not headings or one.heading in headings]
    assert codes
    for code in codes:
        exec(compile(code.text, f"specification: {code.heading}", "exec"), namespace)


def test_every_block_of_code_is_run_here():
    named = [(one.section, one.heading) for one in specification.codes("python")]
    assert named == [
        (USAGE, "Registering Providers"),
        (USAGE, "Managing Providers"),
        (INTEGRATION, "Generator Integration"),
        (INTEGRATION, "Factory Integration"),
        (EXAMPLES, "Basic Provider Setup"),
        (EXAMPLES, "Advanced Usage"),
    ]
    assert len(specification.codes("sql")) == 1


# -- the table


def columns(connection):
    return {row[0]: row[1:] for row in connection.execute(COLUMNS)}


def test_the_table_is_made_as_it_is_written_and_ours_has_all_of_it(database, empty_database):
    (statement,) = specification.codes("sql")
    with psycopg.connect(empty_database) as connection:
        connection.execute("CREATE TABLE llm_parameters (id SERIAL PRIMARY KEY)")
        connection.execute(statement.text)
        wanted, keys = columns(connection), set(connection.execute(KEYS))
    with psycopg.connect(database) as connection:
        ours, our_keys = columns(connection), set(connection.execute(KEYS))
    assert len(wanted) == 8
    assert wanted.items() <= ours.items()
    assert keys <= our_keys


# -- usage


def test_a_provider_is_registered_as_written(namespace, fake):
    run(namespace, USAGE, "Registering Providers")
    config = namespace["config"]
    assert isinstance(config, reconciler.ProviderModelConfigResponse)
    assert (config.provider_name, config.model_id, config.kind) == ("watsonx", "granite-13b", "watsonx")
    assert (config.is_active, config.verification_status, config.hold) == (True, "verified", None)
    assert config.last_verified is not None
    assert config.parameters.name == "watsonx_granite_params"
    assert config.parameters.values == {"max_new_tokens": 100, "temperature": 0.7, "top_k": 50, "top_p": 1.0}
    assert config.parameters.description == "Parameters for Watsonx Granite model"
    assert config.prompt_template.name == "watsonx_default"
    assert config.prompt_template.system_prompt == "You are a helpful AI assistant"
    assert config.prompt_template.answer_prefix == "Answer:"
    # The key was exchanged at IBM's own address, and the model looked up at its region's.
    assert fake.minted == 1
    assert {head.split()[1] for head in fake.proxied} == {
        b"iam.cloud.ibm.com:443",
        b"us-south.ml.cloud.ibm.com:443",
    }


def test_a_provider_is_managed_as_written(namespace, service):
    run(namespace, USAGE)
    assert namespace["config"].is_active
    stored = service.get_provider_model("watsonx", "granite-13b")
    # It was switched off, and verifying it does not switch it on.
    assert not stored.is_active
    assert stored.verification_status == "verified"
    assert stored.last_verified >= namespace["config"].last_verified
    assert isinstance(namespace["registry"], reconciler.ProviderRegistryResponse)
    assert list(namespace["registry"]) == []
    assert [one.model_id for one in service.list_providers()] == ["granite-13b"]


# -- integration


@pytest.fixture
def sketched(namespace):
    """The classes that the document sketches, and a registry with the models of its examples."""
    run(namespace, EXAMPLES, "Basic Provider Setup")
    run(namespace, INTEGRATION)
    assert namespace["Generator"] is not reconciler.Generator
    return namespace


def test_the_sketched_generator_takes_our_service(sketched, service):
    generator = sketched["Generator"](service)
    assert generator.generate("watsonx", "granite-13b", "Where?") is None
    with pytest.raises(reconciler.ProviderConfigError) as caught:
        generator.generate("watsonx", "granite-99b", "Where?")
    assert caught.value.message is Ellipsis
    assert str(caught.value) == "Ellipsis"
    service.update_provider_model("watsonx", "granite-13b", {"is_active": False})
    with pytest.raises(reconciler.ProviderConfigError):
        generator.generate("watsonx", "granite-13b", "Where?")


def test_the_sketched_factory_makes_providers_that_work(sketched, service, fake):
    factory = sketched["ProviderFactory"](service)
    made = {
        reconciler.WatsonxProvider: factory.create_provider("watsonx", "granite-13b"),
        reconciler.OpenAIProvider: factory.create_provider("openai", "gpt-4"),
    }
    for expected, provider in made.items():
        with contextlib.closing(provider):
            assert type(provider) is expected
            assert provider.generate("Where are the maps?").text == SAID
    (asked,) = bodies(fake, "/text/generation")
    assert asked["parameters"] == {"max_new_tokens": 100, "temperature": 0.7, "top_k": 50, "top_p": 1.0}
    assert "You are a helpful AI assistant powered by IBM Watsonx" in asked["input"]
    (asked,) = bodies(fake, "/chat/completions")
    # OpenAI takes no top_k.
    assert {name: asked.get(name) for name in ("max_completion_tokens", "temperature", "top_k")} == {
        "max_completion_tokens": 150,
        "temperature": 0.9,
        "top_k": None,
    }
    assert asked["messages"][0]["content"] == "You are a helpful AI assistant powered by OpenAI"
    assert factory.create_provider.__func__ is not reconciler.ProviderFactory.create_provider
    with pytest.raises(reconciler.ProviderConfigError):
        factory.create_provider("openai", "gpt-99")


def test_the_classes_that_exist_answer_what_the_sketches_promise(sketched, service):
    with reconciler.Generator(service) as generator:
        assert generator.generate("openai", "gpt-4", "Where are the maps?", context="A plan.").text == SAID
        with pytest.raises(reconciler.ProviderConfigError):
            generator.generate("openai", "gpt-99", "Where?")


# -- usage examples


def test_the_basic_setup_registers_both_providers(namespace, service, fake):
    run(namespace, EXAMPLES, "Basic Provider Setup")
    stored = {one.provider_name: one for one in service.list_providers(verified_only=True)}
    assert stored.keys() == {"watsonx", "openai"}
    assert all(one.is_active for one in stored.values())
    assert stored["openai"].id == namespace["openai_config"].id
    assert stored["watsonx"].id == namespace["watsonx_config"].id
    assert stored["openai"].parameters.values == {
        "max_new_tokens": 150,
        "temperature": 0.9,
        "top_k": 50,
        "top_p": 1.0,
    }
    # One name stands for a set and for a template, and both are there.
    assert stored["openai"].parameters.name == stored["openai"].prompt_template.name == "openai_default"
    # OpenAI takes no top_k, which is no error and not silent.
    assert any("top_k" in notice for notice in namespace["openai_config"].notices)
    assert "/v1/models/gpt-4" in {path.removeprefix("/openai") for path in fake.paths()}


def test_the_advanced_usage_updates_and_verifies(namespace, service):
    run(namespace, EXAMPLES, "Basic Provider Setup")
    before = {one.provider_name: one.last_verified for one in service.list_providers()}
    namespace["new_params"] = service.register_parameters(
        reconciler.LLMParametersCreate(name="watsonx_tuned", max_new_tokens=200, temperature=0.2)
    )
    run(namespace, EXAMPLES, "Advanced Usage")
    assert {one.provider_name for one in namespace["registry"].providers} == {"watsonx", "openai"}
    stored = {one.provider_name: one for one in service.list_providers(active_only=True, verified_only=True)}
    assert stored["watsonx"].parameters.id == namespace["new_params"].id
    assert stored["watsonx"].parameters.values == {"max_new_tokens": 200, "temperature": 0.2}
    assert all(stored[name].last_verified > before[name] for name in ("watsonx", "openai"))


def test_the_whole_document_runs_from_top_to_bottom(namespace, service):
    namespace["new_params"] = service.register_parameters({"name": "tuned", "temperature": 0.2})
    for code in specification.codes("python"):
        exec(compile(code.text, f"specification: {code.heading}", "exec"), namespace)
    assert [(one.provider_name, one.parameters.name, one.is_active) for one in service.list_providers()] == [
        ("openai", "openai_default", True),
        ("watsonx", "tuned", True),
    ]


# -- what can go wrong


@pytest.mark.parametrize(
    ("keys", "outcome"),
    [
        ({"WATSONX_APIKEY": "not-a-key", "OPENAI_API_KEY": "not-a-key"}, "auth_failed"),
        ({"WATSONX_APIKEY": None, "OPENAI_API_KEY": None}, "secret_missing"),
    ],
)
def test_what_cannot_be_verified_is_stored_and_returned(namespace, service, monkeypatch, keys, outcome):
    for name, value in keys.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    run(namespace, EXAMPLES, "Basic Provider Setup")
    for name in ("watsonx_config", "openai_config"):
        config = namespace[name]
        assert (config.is_active, config.hold, config.verification_outcome) == (False, "pending", outcome)
        assert service.get_provider_model(config.provider_name, config.model_id).id == config.id
    assert list(service.list_providers(active_only=True)) == []
    assert len(service.list_providers()) == 2


def test_no_key_is_stored_or_shown(namespace, database, service, caplog):
    run(namespace, EXAMPLES, "Basic Provider Setup")
    shown = repr(service.list_providers()) + caplog.text
    shown += json.dumps([one.model_dump(mode="json") for one in service.list_providers()])
    with psycopg.connect(database) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"SELECT t::text FROM public.{table} t").fetchall()
            shown += "".join(str(row) for row in rows)
    assert "watsonx_default" in shown
    assert CANARY not in shown
