"""What a user's own kind may say, and that nothing of it is lost on the way to the database and back."""

import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler import kinds
from reconciler.core.provider_kind import (
    CredentialRule,
    CrossRule,
    Denial,
    Endpoint,
    ErrorRule,
    ParameterRule,
    Probe,
    ProviderKind,
    Variant,
)
from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.errors import UsageError
from reconciler.kinds import documents
from reconciler.kinds.documents import BuiltInKindDocument, KindDocument

ACME = {
    "protocol": "openai",
    "base_url": "https://llm.acme.example/@team/v1",
    "description": None,
    "credentials": {"api_key": {"env": ["ACME_API_KEY"], "header": "X-Acme-Key"}, "old": None},
    "headers": {"X-Team": "rag", "X-Old": None},
    "probes": {
        "model": {"method": "POST", "path": "/show", "body": {"model": "{model}", "deep": [{"a": None}]}},
        "credential": {"path": "/me", "fails": [{"at": "team.ok", "equals": False, "outcome": "forbidden"}]},
    },
    "unproven": {"model": "it lists none", "reach": None},
    "endpoints": [
        {"mode": "chat", "path": "/talk", "match": ["big-*"], "query": {"v": "1", "w": None}, "model_at": ""},
        {"mode": "audio", "path": "/say/{model}", "shape": "speech", "match": None},
    ],
    "probe_tokens": 32,
    "errors": [{"outcome": "model_not_found", "codes": ["gone"], "words": None, "statuses": [400]}],
    "parameters": {"temperature": {"minimum": 0, "maximum": 5}, "top_k": None, "seed": {}},
    "rules": [{"rule": "requires", "fields": ["seed", "temperature"], "when": {"temperature": 1}}],
    "variants": [
        {"name": "small ones", "match": ["s-*"], "modes": ["chat"], "parameters": {"seed": None}},
        {"name": "thinkers", "probe_tokens": 99},
    ],
}


def test_a_users_kind_is_theirs_and_has_no_hosts():
    kind = kinds.from_document("acme", KindDocument.model_validate(ACME))
    assert kind == ProviderKind(
        name="acme",
        protocol="openai",
        base_url="https://llm.acme.example/@team/v1",
        credentials={"api_key": CredentialRule(("ACME_API_KEY",), header="X-Acme-Key")},
        headers={"X-Team": "rag"},
        probes={
            "model": Probe("POST", "/show", body={"model": "{model}", "deep": ({},)}),
            "credential": Probe(path="/me", fails=(Denial("team.ok", False, "forbidden"),)),
        },
        parameters={"temperature": ParameterRule(minimum=0.0, maximum=5.0), "seed": ParameterRule()},
        rules=(CrossRule("requires", ("seed", "temperature"), {"temperature": 1}),),
        variants=(Variant("small ones", ("s-*",), ("chat",)), Variant("thinkers", probe_tokens=99)),
        unproven={"model": "it lists none"},
        endpoints=(
            Endpoint("chat", "/talk", ("big-*",), query={"v": "1"}, model_at=""),
            Endpoint("audio", "/say/{model}", shape="speech"),
        ),
        probe_tokens=32,
        errors=(ErrorRule("model_not_found", ("gone",), statuses=(400,)),),
        built_in=False,
    )
    assert kinds.from_spec("acme", json.loads(json.dumps(kinds.to_spec(kind)))) == kind


def test_an_empty_table_is_not_the_same_as_none():
    empty = kinds.from_document("acme", KindDocument(protocol="openai", parameters={}))
    assert kinds.to_spec(empty) == {"protocol": "openai", "parameters": {}}
    assert kinds.from_spec("acme", {"protocol": "openai"}).parameters is None


@pytest.mark.parametrize(
    ("change", "place", "code"),
    [
        ({"hosts": ["evil.example"]}, "hosts", "extra_forbidden"),
        ({"loopback": True}, "loopback", "extra_forbidden"),
        ({"built_in": True}, "built_in", "extra_forbidden"),
        ({"protocol": None}, "protocol", "literal_error"),
        ({"protocol": "smtp"}, "protocol", "literal_error"),
        ({"base_url": "ftp://acme.example"}, "base_url", "bad-url"),
        ({"base_url": "https://user:key@acme.example"}, "base_url", "bad-url"),
        ({"base_url": "https://acme.example/v1?key=1"}, "base_url", "bad-url"),
        ({"base_url": "https://acme.example:99999"}, "base_url", "bad-url"),
        ({"base_url": "https://acme.example\\@evil.example"}, "base_url", "bad-url"),
        ({"base_url": "acme.example"}, "base_url", "bad-url"),
        ({"headers": {"Authorization": "Bearer x"}}, "headers.Authorization.[key]", "wrong-value"),
        ({"headers": {"host": "evil.example"}}, "headers.host.[key]", "wrong-value"),
        ({"headers": {"X-A": "b\r\nHost: c"}}, "headers.X-A", "string_pattern_mismatch"),
        ({"credentials": {"k": {"header": "Host"}}}, "credentials.k.header", "wrong-value"),
        ({"credentials": {"k": {"env": ["A-B"]}}}, "credentials.k.env.0", "string_pattern_mismatch"),
        ({"probes": {"model": {"path": "@evil.example/"}}}, "probes.model.path", "string_pattern_mismatch"),
        ({"probes": {"model": {"path": "//evil.example/"}}}, "probes.model.path", "string_pattern_mismatch"),
        (
            {"probes": {"model": {"path": "http://evil.example/"}}},
            "probes.model.path",
            "string_pattern_mismatch",
        ),
        ({"probes": {"none": {}}}, "probes.none.[key]", "literal_error"),
        ({"endpoints": [{"mode": "chat"}]}, "endpoints.0.path", "missing"),
        ({"endpoints": [{"path": "/chat"}]}, "endpoints.0.mode", "missing"),
        ({"endpoints": [{"mode": "talk", "path": "/chat"}]}, "endpoints.0.mode", "literal_error"),
        *(
            ({"endpoints": [{"mode": "chat", "path": path}]}, "endpoints.0.path", "string_pattern_mismatch")
            for path in (
                "https://evil.example/",
                "//evil.example/",
                "@evil.example",
                "chat",
                "/a?b=c",
                "/a b",
                "",
            )
        ),
        (
            {"endpoints": [{"mode": "chat", "path": "/c", "shape": "../x"}]},
            "endpoints.0.shape",
            "string_pattern_mismatch",
        ),
        ({"unproven": {"none": "why"}}, "unproven.none.[key]", "literal_error"),
        ({"probe_tokens": 0}, "probe_tokens", "greater_than_equal"),
        ({"probe_tokens": 16.0}, "probe_tokens", "int_type"),
        ({"variants": [{"name": "v", "probe_tokens": True}]}, "variants.0.probe_tokens", "int_type"),
        ({"errors": [{"outcome": "ok", "statuses": [500]}]}, "errors.0.outcome", "literal_error"),
        ({"errors": [{"outcome": "skipped"}]}, "errors.0.outcome", "literal_error"),
        ({"errors": [{"codes": ["x"]}]}, "errors.0.outcome", "missing"),
        ({"errors": [{"outcome": "timeout", "statuses": [999]}]}, "errors.0.statuses.0", "less_than_equal"),
        (
            {"probes": {"model": {"fails": [{"at": "", "equals": 1, "outcome": "forbidden"}]}}},
            "probes.model.fails.0.at",
            "string_too_short",
        ),
        (
            {"probes": {"model": {"fails": [{"at": "a", "equals": 1, "outcome": "ok"}]}}},
            "probes.model.fails.0.outcome",
            "literal_error",
        ),
        ({"parameters": {"temperatur": {}}}, "parameters.temperatur.[key]", "literal_error"),
        ({"parameters": {"seed": {"minimum": "1"}}}, "parameters.seed.minimum", "float_type"),
        ({"parameters": {"seed": {"minimum": True}}}, "parameters.seed.minimum", "float_type"),
        ({"parameters": {"seed": {"minimum": float("nan")}}}, "parameters.seed.minimum", "finite_number"),
        ({"rules": [{"rule": "never", "fields": ["seed"]}]}, "rules.0.rule", "literal_error"),
        ({"rules": [{"rule": "ordered", "fields": []}]}, "rules.0.fields", "too_short"),
    ],
)
def test_what_a_users_kind_may_not_say(change, place, code):
    with pytest.raises(ValidationError) as caught:
        KindDocument.model_validate({**ACME, **change})
    problems = {".".join(map(str, e["loc"])): e["type"] for e in caught.value.errors()}
    assert problems == {place: code}


def test_a_changed_row_cannot_bring_hosts_in():
    for stolen in ({"hosts": ["evil.example"]}, {"loopback": True}, {"built_in": True}, {"protocol": 7}):
        with pytest.raises(UsageError, match=f"'acme' cannot be read: {next(iter(stolen))}") as caught:
            kinds.from_spec("acme", {"protocol": "openai", **stolen})
        assert caught.value.code == "bad-kind-spec"


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (documents.CredentialDocument, CredentialRule),
        (documents.DenialDocument, Denial),
        (documents.ProbeDocument, Probe),
        (documents.EndpointDocument, Endpoint),
        (documents.ErrorDocument, ErrorRule),
        (documents.ParameterDocument, ParameterRule),
        (documents.RuleDocument, CrossRule),
        (documents.VariantDocument, Variant),
    ],
)
def test_documents_have_the_fields_of_the_values(document, value):
    assert list(document.model_fields) == [field.name for field in fields(value)]


def test_only_our_own_kinds_name_hosts():
    everything = {field.name for field in fields(ProviderKind)}
    assert everything - set(BuiltInKindDocument.model_fields) == {"name", "built_in"}
    assert everything - set(KindDocument.model_fields) == {"name", "built_in", "hosts", "loopback"}


def test_the_schema_describes_every_field():
    schema = KindDocument.model_json_schema()
    free = schema["$defs"].pop("JsonValue")
    assert free == {}
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert part["additionalProperties"] is False
        assert all(text.get("description") for text in part["properties"].values())


words = st.text("abz09", min_size=1, max_size=4)
lists = st.lists(words, max_size=3).map(tuple)
verdicts = st.sampled_from(["auth_failed", "forbidden", "overloaded", "bad_response"])
finite = st.none() | st.floats(-1e9, 1e9)
json_values = st.recursive(
    st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=2).map(tuple) | st.dictionaries(words, inner),
)
field_names = st.sampled_from(PARAMETER_FIELDS)
parameter_rules = st.builds(
    ParameterRule,
    wire=words,
    minimum=finite,
    maximum=finite,
    exclusive_minimum=st.booleans(),
    max_items=st.none() | st.integers(0, 9),
    choices=lists,
    supported=st.booleans(),
)
tables = st.dictionaries(field_names, parameter_rules, max_size=2)
cross_rules = st.lists(
    st.builds(
        CrossRule,
        rule=st.sampled_from(["not-together", "no-effect", "ordered", "requires"]),
        fields=st.lists(field_names, min_size=1, max_size=3).map(tuple),
        when=st.dictionaries(field_names, words | st.booleans() | st.integers(0, 9), max_size=2),
        severity=st.sampled_from(["error", "warning"]),
        message=st.just("") | words,
    ),
    max_size=2,
).map(tuple)
users_kinds = st.builds(
    ProviderKind,
    name=st.just("acme"),
    protocol=st.sampled_from(["openai", "anthropic"]),
    description=st.just("") | words,
    base_url=st.none() | st.just("https://acme.example/v1"),
    credentials=st.dictionaries(
        words.map("k{}".format),
        st.builds(
            CredentialRule,
            env=lists,
            required=st.booleans(),
            secret=st.booleans(),
            header=words,
            prefix=words,
        ),
        max_size=2,
    ),
    default_credentials=st.sampled_from(["kind", "none"]),
    headers=st.dictionaries(words, words, max_size=2),
    probes=st.dictionaries(
        st.sampled_from(["reach", "model"]),
        st.builds(
            Probe,
            method=st.sampled_from(["GET", "POST"]),
            path=words.map("/{}".format),
            query=st.dictionaries(words, words, max_size=1),
            body=st.none() | st.dictionaries(words, json_values, max_size=2),
            list_at=words,
            authenticated=st.booleans(),
            fails=st.lists(
                st.builds(
                    Denial,
                    at=words,
                    equals=words | st.booleans() | st.integers(0, 9),
                    outcome=verdicts,
                    message=st.just("") | words,
                ),
                max_size=1,
            ).map(tuple),
        ),
        max_size=2,
    ),
    unproven=st.dictionaries(st.sampled_from(["credential", "generate"]), words, max_size=1),
    endpoints=st.lists(
        st.builds(
            Endpoint,
            mode=st.sampled_from(["chat", "audio"]),
            path=words.map("/{}/{{model}}".format),
            match=lists,
            shape=st.sampled_from(["", "speech"]),
            query=st.dictionaries(words, words, max_size=1),
            model_at=st.sampled_from(["model", "", "a.b"]),
        ),
        max_size=2,
    ).map(tuple),
    probe_tokens=st.integers(1, 999),
    errors=st.lists(
        st.builds(
            ErrorRule,
            outcome=verdicts,
            codes=lists,
            words=lists,
            statuses=st.lists(st.integers(100, 599), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    parameters=st.none() | tables,
    rules=cross_rules,
    variants=st.lists(
        st.builds(
            Variant,
            name=words,
            match=lists,
            modes=st.just(("chat",)),
            parameters=tables,
            rules=cross_rules,
            probe_tokens=st.none() | st.integers(1, 999),
        ),
        max_size=2,
    ).map(tuple),
    built_in=st.just(False),
)


@settings(max_examples=40)
@given(users_kinds)
def test_any_users_kind_survives_the_database(kind):
    spec = kinds.to_spec(kind)
    assert kinds.from_spec("acme", json.loads(json.dumps(spec))) == kind
    assert kinds.to_spec(kinds.from_spec("acme", spec)) == spec
