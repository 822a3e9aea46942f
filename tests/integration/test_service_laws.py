"""Laws: what was registered is read back as it was asked for, and registering it again writes nothing."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import services
from support.registry_dump import entities

from reconciler.core.requests import (
    LLMParametersCreate,
    PromptTemplateCreate,
    ProviderModelConfigCreate,
)

names = st.sampled_from(["a", "b", "c.d", "E_f-1"])
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
numbers = st.floats(0.01, 0.99)
words = st.dictionaries(st.sampled_from(["team", "use"]), texts, max_size=2)
json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)


def sets(name):
    return st.builds(
        LLMParametersCreate,
        name=st.just(name),
        description=st.none() | texts,
        labels=st.none() | words,
        max_new_tokens=st.none() | st.integers(1, 2**31 - 1),
        temperature=st.none() | numbers,
        top_p=st.none() | numbers,
        seed=st.none() | st.integers(-(2**63), 2**63 - 1),
        stop_sequences=st.none() | st.lists(texts.filter(bool), max_size=3),
        decoding_method=st.sampled_from([None, "greedy", "sample"]),
        unsupported=st.sampled_from([None, "warn", "drop"]),
        response_format=st.sampled_from([None, "text", "json_object", {"type": "json_schema"}]),
        extra=st.none() | st.dictionaries(st.sampled_from(["user", "other"]), json, max_size=2),
    )


def templates(name, provider):
    return st.builds(
        PromptTemplateCreate,
        name=st.just(name),
        provider=st.sampled_from([None, provider]),
        system_prompt=st.none() | texts,
        query_prefix=st.none() | texts,
        labels=st.none() | words,
    )


@st.composite
def registrations(draw):
    """Requests that do not contradict each other: each set and template by its one owner's name."""
    keys = draw(st.lists(st.tuples(names, st.sampled_from(["m", "x/y:z", "ü n"])), unique=True, max_size=6))
    asked = []
    for number, (provider, model_id) in enumerate(keys):
        given = {
            "parameters": st.none() | sets(f"s{number}"),
            "prompt_template": st.none() | templates(f"t{number}", provider),
            "mode": st.sampled_from(["chat", "completion", "embedding"]),
            "version": st.none() | texts,
            "limits": st.sampled_from([None, {"context": 1}, {"context": 2**40, "output": 0}]),
            "capabilities": st.sampled_from([None, ["tools"], ["tools", "batch"]]),
            "labels": st.none() | words,
            "activation": st.sampled_from([None, "immediate", "verified"]),
        }
        fields = draw(st.fixed_dictionaries({}, optional=given))
        asked.append(ProviderModelConfigCreate(provider_name=provider, model_id=model_id, **fields))
    return asked


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        yield opened


def emptied(connection):
    connection.execute("DELETE FROM provider_model_configs")
    connection.execute("DELETE FROM llm_parameters WHERE name <> 'default'")
    connection.execute("DELETE FROM prompt_templates")
    connection.execute("DELETE FROM providers")


def read_as(asked, found):
    """What a response says of the fields that were asked for."""
    said = {name: getattr(found, name) for name in ("mode", "version")}
    said["limits"] = found.limits.model_dump(exclude_none=True) if found.limits else None
    said["capabilities"] = found.capabilities or None
    said["labels"] = found.labels or None
    wanted = {name: getattr(asked, name) for name in ("mode", "version")}
    wanted["limits"] = asked.limits.model_dump(exclude_none=True) if asked.limits else None
    wanted["capabilities"] = sorted(asked.capabilities) if asked.capabilities else None
    wanted["labels"] = asked.labels or None
    return said, wanted


def stored_set(asked):
    """The values of a set as a reader gets them: `null` is unset at any depth, and so is what is empty."""
    values = {name: value for name, value in asked.model_dump().items() if value is not None}
    values.pop("name")
    if "extra" in values:
        values["extra"] = _without_nulls(values["extra"])
    if values.get("unsupported") == "warn":
        del values["unsupported"]
    return {name: value for name, value in values.items() if value not in ([], {})}


def _without_nulls(value):
    match value:
        case dict():
            return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
        case list():
            return [_without_nulls(inner) for inner in value]
    return value


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=registrations())
@pytest.mark.parametrize("door", services.DOORS)
def test_what_was_registered_is_read_back_and_registering_it_again_writes_nothing(
    database, connection, door, asked
):
    emptied(connection)
    with services.engine_of(database) as engine:
        way = {"engine": services.by_itself, "session": services.within}[door]
        keys = [(one.provider_name, one.model_id) for one in asked]
        with way(engine) as service:
            answered = unnoticed(service.register_provider_models(asked, verify=False))
        with way(engine) as service:
            assert service.get_provider_models(keys) == answered
        for one, found in zip(asked, answered, strict=True):
            assert_same(one, found)
        before = entities(connection), services.generation(connection), services.trail(connection)
        with way(engine) as service:
            assert unnoticed(service.register_provider_models(asked, verify=False)) == answered
    assert (entities(connection), services.generation(connection), services.trail(connection)) == before


def unnoticed(found):
    """The same without what the caller of a change should know."""
    return tuple(one.model_copy(update={"notices": ()}) for one in found)


def assert_same(asked, found):
    said, wanted = read_as(asked, found)
    assert said == wanted
    assert found.is_active is (asked.activation == "immediate")
    if asked.parameters is None:
        assert found.parameters.name == "default"
    else:
        wanted = stored_set(asked.parameters)
        assert given_in(found.parameters, LLMParametersCreate) == {"name": asked.parameters.name, **wanted}
    if asked.prompt_template is None:
        assert found.prompt_template is None
    else:
        wanted = asked.prompt_template.model_dump(exclude_none=True)
        assert given_in(found.prompt_template, PromptTemplateCreate) == {
            name: value for name, value in wanted.items() if value != {}
        }


def given_in(found, schema):
    """What a response says of a schema's fields, without what is unset."""
    values = found.model_dump(include=set(schema.model_fields), exclude_none=True)
    return {name: value for name, value in values.items() if value != {}}
