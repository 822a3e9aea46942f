"""Parameters under the names of the wire: by a kind's table, with what it does not take left out, and with
nothing that would redirect the request."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import kinds
from reconciler.core.provider_kind import ParameterRule, ProviderKind, Variant
from reconciler.core.redirects import is_redirecting
from reconciler.core.wire import merged, nested, value_at, wired, without

TABLE = {
    "max_new_tokens": ParameterRule(wire="options.num_predict"),
    "temperature": ParameterRule(wire="options.temperature"),
    "stop_sequences": ParameterRule(wire="stop"),
    "top_p": ParameterRule(),
}
THINKING = Variant(
    "thinkers",
    match=("o*",),
    parameters={"temperature": ParameterRule(supported=False, minimum=1, maximum=1)},
)
KIND = ProviderKind("acme", "openai", parameters=TABLE, variants=(THINKING,))
WITHOUT_TABLE = ProviderKind("bare", "openai")
NAMES = {"max_new_tokens": "max_tokens"}


def sent(parameters, kind=KIND, model_id="m", mode="chat"):
    return wired(kind, model_id=model_id, mode=mode, parameters=parameters, defaults=NAMES)


@pytest.mark.parametrize(
    ("parameters", "fields", "left_out"),
    [
        pytest.param({}, {}, (), id="unset fields are absent"),
        pytest.param({"temperature": None}, {}, (), id="null is unset"),
        pytest.param({"temperature": 0.0}, {"options": {"temperature": 0.0}}, (), id="zero is a value"),
        pytest.param(
            {"max_new_tokens": 9, "temperature": 0.5},
            {"options": {"num_predict": 9, "temperature": 0.5}},
            (),
            id="dotted names nest",
        ),
        pytest.param({"top_p": 0.5}, {"top_p": 0.5}, (), id="a rule without a name takes the field's"),
        pytest.param({"top_k": 5, "seed": 1}, {}, ("top_k", "seed"), id="what is not taken is left out"),
        pytest.param({"top_k": 5, "unsupported": "drop"}, {}, ("top_k",), id="silently too"),
        pytest.param(
            {"description": "x", "labels": {"a": "b"}}, {}, (), id="what is no parameter is not sent"
        ),
    ],
)
def test_parameters_are_named_by_the_kinds_table(parameters, fields, left_out):
    found = sent(parameters)
    assert (found.fields, found.left_out, found.refused) == (fields, left_out, ())


@pytest.mark.parametrize(
    ("value", "unsupported", "left_out", "refused"),
    [
        pytest.param(1.0, "warn", (), (), id="what the model does anyway is no loss"),
        pytest.param(1.0, "error", (), (), id="nor a fault"),
        pytest.param(0.5, "warn", ("temperature",), (), id="another value is left out"),
        pytest.param(0.5, "error", ("temperature",), ("temperature",), id="or forbids the request"),
    ],
)
def test_a_field_that_is_not_taken_is_never_sent(value, unsupported, left_out, refused):
    found = sent({"temperature": value, "unsupported": unsupported}, model_id="o3")
    assert (found.fields, found.left_out, found.refused) == ({}, left_out, refused)


def test_a_kind_without_a_table_uses_the_protocols_names():
    found = sent({"max_new_tokens": 9, "top_k": 3}, WITHOUT_TABLE)
    assert found.fields == {"max_tokens": 9, "top_k": 3}
    assert found.names == {"max_tokens": "max_new_tokens", "top_k": "top_k"}


def test_extra_comes_last_and_deeply():
    extra = {"options": {"num_ctx": 4096, "temperature": 0.1}, "keep_alive": "5m", "unset": None}
    found = sent({"temperature": 0.9, "max_new_tokens": 9, "extra": extra})
    assert found.fields == {
        "options": {"num_predict": 9, "temperature": 0.1, "num_ctx": 4096},
        "keep_alive": "5m",
    }
    assert found.names == {
        "options.num_predict": "max_new_tokens",
        "options.temperature": "extra.options.temperature",
        "options.num_ctx": "extra.options.num_ctx",
        "keep_alive": "extra.keep_alive",
    }


@pytest.mark.parametrize(
    ("extra", "refused"),
    [
        ({"model": "other"}, ("extra.model",)),
        ({"API_BASE": "https://evil.example"}, ("extra.API_BASE",)),
        ({"messages": []}, ("extra.messages",)),
        ({"stream": True}, ("extra.stream",)),
        ({"extra_headers": {"Authorization": "x"}}, ("extra.extra_headers",)),
        pytest.param({"options": {"model": "x"}}, ("extra.options.model",), id="beside our own fields"),
        pytest.param({"tools": [{"parameters": {"url": {"type": "string"}}}]}, (), id="a tool's input"),
        pytest.param({"search": {"region": "de"}}, (), id="a provider's own matter"),
        ({"logit_bias": {"1": 2}}, ()),
    ],
)
def test_what_would_redirect_the_request_forbids_it(extra, refused):
    assert sent({"extra": extra}).refused == refused


def test_a_table_cannot_redirect_the_request_either():
    kind = ProviderKind("acme", "openai", parameters={"seed": ParameterRule(wire="api_base")}, built_in=False)
    assert sent({"seed": 1}, kind).refused == ("seed",)


def test_no_built_in_table_names_what_would_redirect():
    wires = {
        rule.wire
        for name in kinds.names()
        for table in (
            kinds.built_in(name).parameters or {},
            *(variant.parameters for variant in kinds.built_in(name).variants),
        )
        for rule in table.values()
    }
    assert [wire for wire in wires if any(map(is_redirecting, wire.split(".")))] == []


free = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
trees = st.dictionaries(st.sampled_from(["options", "stop", "a", "b"]), free, max_size=3)


@given(extra=trees, stop=st.lists(st.text(max_size=2), max_size=2))
def test_values_are_copied_and_never_changed(extra, stop):
    parameters = {"stop_sequences": stop, "temperature": 0.5, "extra": extra}
    before = deepcopy(parameters)
    found = sent(parameters)
    for value in found.fields.values():
        if isinstance(value, list):
            value.append("changed")
    assert parameters == before


@given(under=trees, over=trees)
def test_a_merged_mapping_holds_every_value_of_the_upper_one(under, over):
    both = merged(under, over)
    assert both.keys() == under.keys() | over.keys()
    assert merged(both, over) == both


def test_places_are_read_filled_and_emptied():
    fields = nested({"a.b": 1, "c": [2]})
    assert (value_at(fields, "a.b"), value_at(fields, "a.b.c"), value_at(fields, "x")) == (1, None, None)
    assert without(fields, "a.b", "nothing") == {"c": [2]}
    assert fields == {"a": {"b": 1}, "c": [2]}
