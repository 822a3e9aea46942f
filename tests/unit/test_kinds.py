"""The kinds that are ours, as data; what a user's kind may say; and that nothing is lost on the way."""

import ast
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler import kinds
from reconciler.core.provider_kind import (
    CredentialRule,
    CrossRule,
    ParameterRule,
    Probe,
    ProviderKind,
    Variant,
)
from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.errors import UsageError
from reconciler.kinds import documents
from reconciler.kinds.documents import BuiltInKindDocument, KindDocument

NAMES = kinds.names()
FOLDER = Path(kinds.__file__).parent
LOCAL = {"ollama", "vllm", "lmstudio", "openai-compatible"}
# The operator or a tenant chooses where these are.
HOSTLESS = LOCAL | {"azure-openai", "litellm"}
WHOLE = {"openai", "anthropic", "watsonx", "ollama", "openai-compatible"}


def test_all_kinds_are_there():
    hosted = (
        "openai azure-openai anthropic watsonx bedrock vertex gemini mistral cohere groq together fireworks"
    )
    more = "deepseek xai openrouter huggingface nvidia cerebras perplexity github-models litellm"
    assert set(NAMES) == {*hosted.split(), *more.split(), *LOCAL}
    assert list(NAMES) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_kind_is_read_once_and_is_ours(name):
    kind = kinds.built_in(name)
    assert kind is kinds.built_in(name)
    assert (kind.name, kind.built_in) == (name, True)
    assert kind.description
    assert (kind.parameters is not None) == (name in WHOLE)


@pytest.mark.parametrize("name", NAMES)
def test_each_file_says_where_its_facts_come_from(name):
    first = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# From ")


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_survives_the_database_but_for_what_is_ours_alone(name):
    kind = kinds.built_in(name)
    spec = kinds.to_spec(kind)
    stored = json.loads(json.dumps(spec, allow_nan=False))
    assert kinds.from_spec(name, stored) == replace(kind, hosts=(), loopback=False, built_in=False)
    assert stored == spec
    assert "null" not in json.dumps(spec)
    assert kinds.to_spec(kinds.from_spec(name, stored)) == spec


@pytest.mark.parametrize("name", NAMES)
def test_endpoints_lie_within_the_kinds_hosts(name):
    kind = kinds.built_in(name)
    assert bool(kind.hosts) == (name not in HOSTLESS)
    urls = [kind.base_url] if kind.base_url else []
    urls += [probe.path for probe in kind.probes.values() if probe.path.startswith("https:")]
    for url in urls:
        parts = urlsplit(url)
        if name in LOCAL:
            assert parts.hostname in {"localhost", "127.0.0.1"}
        else:
            assert (parts.scheme, parts.hostname in kind.hosts, parts.port) == ("https", True, None)
        assert not url.endswith("/")


@pytest.mark.parametrize("name", NAMES)
def test_no_host_is_one_that_tenants_control(name):
    rented = r"\.(s3|elb|execute-api|blob|openai\.azure|storage|run|endpoints\.huggingface|hf)\."
    for host in kinds.built_in(name).hosts:
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", host), "a whole host, no wildcard"
        assert not re.search(rented, f".{host}")


def test_loopback_is_open_to_local_kinds_only():
    assert {name for name in NAMES if kinds.built_in(name).loopback} == LOCAL
    assert {name for name in NAMES if kinds.built_in(name).default_credentials == "none"} == LOCAL


@pytest.mark.parametrize("name", NAMES)
def test_credentials_name_variables_that_may_be_read(name):
    kind = kinds.built_in(name)
    assert kind.credentials
    for rule in kind.credentials.values():
        assert rule.env
        for variable in rule.env:
            assert re.fullmatch(r"[A-Z0-9_]+", variable)
            assert not variable.startswith(("RECONCILER_", "PG"))
            assert not variable.endswith("DATABASE_URL")
    if name in LOCAL:
        assert not any(rule.required for rule in kind.credentials.values())


@pytest.mark.parametrize(
    ("kind", "credential", "expected"),
    [
        ("openai", "api_key", CredentialRule(("OPENAI_API_KEY",), header="Authorization", prefix="Bearer ")),
        ("anthropic", "api_key", CredentialRule(("ANTHROPIC_API_KEY",), header="x-api-key")),
        (
            "watsonx",
            "project_id",
            CredentialRule(
                ("WATSONX_PROJECT_ID", "WX_PROJECT_ID", "WATSONX_INSTANCE_ID"), required=False, secret=False
            ),
        ),
    ],
)
def test_credentials_are_sent_as_the_provider_wants(kind, credential, expected):
    assert kinds.built_in(kind).credentials[credential] == expected


def test_the_first_watsonx_variable_is_the_one_of_the_documentation():
    assert kinds.built_in("watsonx").credentials["api_key"].env[0] == "WATSONX_APIKEY"
    assert kinds.built_in("watsonx").base_url == "https://us-south.ml.cloud.ibm.com"
    assert len(kinds.built_in("watsonx").hosts) == 7
    assert kinds.built_in("anthropic").headers == {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("kind", "level", "probe"),
    [
        ("openai", "credential", Probe(path="/models")),
        ("openai", "model", Probe(path="/models/{model}")),
        ("anthropic", "model", Probe(path="/v1/models/{model}")),
        ("together", "model", Probe(path="/models", list_at=".")),
        ("openai-compatible", "model", Probe(path="/models", list_at="data")),
        ("ollama", "model", Probe(path="/api/tags", list_at="models", id_field="name")),
        ("openrouter", "credential", Probe(path="/key")),
        ("openrouter", "model", None),
        ("nvidia", "credential", None),
        ("nvidia", "model", None),
        ("perplexity", "model", None),
        ("watsonx", "credential", Probe(method="POST", path="https://iam.cloud.ibm.com/identity/token")),
    ],
)
def test_probes_ask_what_proves_something(kind, level, probe):
    assert kinds.built_in(kind).probes.get(level) == probe


def test_watsonx_models_are_public_so_their_list_proves_no_key():
    probe = kinds.built_in("watsonx").probes["model"]
    assert (probe.list_at, probe.id_field, probe.authenticated) == ("resources", "model_id", False)
    assert probe.query["version"] == "2024-05-31"


@pytest.mark.parametrize("name", NAMES)
def test_whoever_speaks_a_protocol_that_is_built_can_be_reached(name):
    kind = kinds.built_in(name)
    if kind.protocol in {"openai", "anthropic", "watsonx"}:
        assert not kind.probes["reach"].authenticated
    else:
        assert kind.protocol == name


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_every_field_that_is_taken_has_a_name_on_the_wire(name):
    kind = kinds.built_in(name)
    for table in (kind.parameters, *(variant.parameters for variant in kind.variants)):
        assert table.keys() <= set(PARAMETER_FIELDS)
        assert all(rule.wire for rule in table.values() if rule.supported)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("openia", "did you mean openai?"),
        ("Azure_OpenAI", "did you mean azure-openai?"),
        ("../openai", "did you mean openai?"),
        ("zzz", "the kinds are anthropic, "),
    ],
)
def test_an_unknown_kind_names_its_neighbour(name, hint):
    with pytest.raises(UsageError, match="is not a provider kind") as caught:
        kinds.built_in(name)
    assert caught.value.code == "unknown-kind"
    assert caught.value.hint.startswith(hint)


def test_importing_the_kinds_is_light():
    for module in ("__init__", "catalogue", "specs"):
        tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
        at_once = [ast.unparse(step) for step in tree.body if isinstance(step, (ast.Import, ast.ImportFrom))]
        assert not re.search("yaml|pydantic|documents", " ".join(at_once))


# A user's kind

ACME = {
    "protocol": "openai",
    "base_url": "https://llm.acme.example/@team/v1",
    "description": None,
    "credentials": {"api_key": {"env": ["ACME_API_KEY"], "header": "X-Acme-Key"}, "old": None},
    "headers": {"X-Team": "rag", "X-Old": None},
    "probes": {
        "model": {"method": "POST", "path": "/show", "body": {"model": "{model}", "deep": [{"a": None}]}}
    },
    "parameters": {"temperature": {"minimum": 0, "maximum": 5}, "top_k": None, "seed": {}},
    "rules": [{"rule": "requires", "fields": ["seed", "temperature"], "when": {"temperature": 1}}],
    "variants": [{"name": "small ones", "match": ["s-*"], "modes": ["chat"], "parameters": {"seed": None}}],
}


def test_a_users_kind_is_theirs_and_has_no_hosts():
    kind = kinds.from_document("acme", KindDocument.model_validate(ACME))
    assert kind == ProviderKind(
        name="acme",
        protocol="openai",
        base_url="https://llm.acme.example/@team/v1",
        credentials={"api_key": CredentialRule(("ACME_API_KEY",), header="X-Acme-Key")},
        headers={"X-Team": "rag"},
        probes={"model": Probe("POST", "/show", body={"model": "{model}", "deep": ({},)})},
        parameters={"temperature": ParameterRule(minimum=0.0, maximum=5.0), "seed": ParameterRule()},
        rules=(CrossRule("requires", ("seed", "temperature"), {"temperature": 1}),),
        variants=(Variant("small ones", ("s-*",), ("chat",)),),
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
        (documents.ProbeDocument, Probe),
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
        ),
        max_size=2,
    ),
    parameters=st.none() | tables,
    rules=cross_rules,
    variants=st.lists(
        st.builds(
            Variant, name=words, match=lists, modes=st.just(("chat",)), parameters=tables, rules=cross_rules
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
