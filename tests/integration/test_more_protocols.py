"""Azure OpenAI, Gemini, Vertex AI, Bedrock and Cohere against a real local server over TLS: signatures and
assertions that the server itself verifies, and keys that stand in headers and nowhere else.
"""

import itertools
import logging
import sys
import traceback

import pytest
from support.certificates import write_certificates
from support.more_providers import (
    AWS_ID,
    AWS_SECRET,
    AWS_TOKEN,
    MODELS,
    PROJECT,
    MoreProviders,
    key_file,
    private_key,
)
from support.probing import target
from support.providers import key

from reconciler.core.probe import Access
from reconciler.kinds import built_in
from reconciler.service.verification import probe_all

SIGNING = {
    "AWS_ACCESS_KEY_ID": AWS_ID,
    "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
    "AWS_SESSION_TOKEN": AWS_TOKEN,
    "AWS_REGION": "us-east-1",
}
GOOGLE = {"GOOGLE_VERTEX_LOCATION": "us-central1"}
KEYS = {
    "azure-openai": "AZURE_OPENAI_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "cohere": "COHERE_API_KEY",
}


TROUBLES = ("", "echo", "html", "reset", "redirect", "http-500", "hang")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def fake(certificates):
    models = (*MODELS, "fake.closed-model", "fake.far-model")
    with MoreProviders(models, certificate=certificates[1:], slowness=0.01) as server:
        yield server


@pytest.fixture
def probed(fake, certificates, tmp_path):
    """Probe one model of a kind, with an environment."""

    def probe(kind, model, *, level="model", behaviour="", hosts=None, **fields):
        environ = fields.pop("environ", None) or {KEYS[kind]: key()}
        case = target(model, built_in(kind), fake.base_url(kind, behaviour), level=level, **fields)
        allowed = Access(
            environ=environ,
            allowed_files=(str(tmp_path),),
            allowed_hosts=(fake.host,) if hosts is None else hosts,
            ca_file=str(certificates[0]),
        )
        return probe_all([case], allowed)[0]

    return probe


@pytest.fixture
def account(fake, tmp_path):
    """The environment of somebody with a service account's key file."""

    def environment(**fields):
        path = tmp_path / "account.json"
        path.write_text(key_file(fake.token_url, **fields), encoding="utf-8")
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(path), **GOOGLE}

    return environment


@pytest.mark.parametrize(
    ("kind", "model", "expected"),
    [
        ("gemini", "gemini-2.5-pro", ("ok", 200, None)),
        ("gemini", "gemini-9", ("model_not_found", 404, "NOT_FOUND")),
        ("gemini", "gemini-lying", ("model_mismatch", 200, None)),
        ("gemini", "gemini-gated", ("forbidden", 403, "PERMISSION_DENIED")),
        ("gemini", "gemini-rate-limited", ("rate_limited", 429, "RESOURCE_EXHAUSTED")),
        ("gemini", "gemini-http-500", ("overloaded", 500, "INTERNAL")),
        ("gemini", "gemini-wrong-region", ("wrong_region", 403, "PERMISSION_DENIED")),
        ("cohere", "command-r-08-2024", ("ok", 200, None)),
        ("cohere", "command-r", ("ok", 200, None)),
        ("cohere", "command-z", ("model_not_found", 404, None)),
        ("cohere", "lying", ("model_mismatch", 200, None)),
        ("cohere", "rate-limited", ("rate_limited", 429, None)),
        ("bedrock", "anthropic.claude-sonnet-4-v1:0", ("ok", 200, None)),
        ("bedrock", "us.amazon.nova-lite-v1:0", ("ok", 200, None)),
        ("bedrock", "anthropic.claude-9", ("model_not_found", 404, "ResourceNotFoundException")),
        ("bedrock", "fake.closed-model", ("forbidden", 200, "entitlementAvailability=NOT_AVAILABLE")),
        ("bedrock", "fake.far-model", ("wrong_region", 200, "regionAvailability=NOT_AVAILABLE")),
        ("bedrock", "fake.gated", ("forbidden", 403, "AccessDeniedException")),
        ("bedrock", "fake.rate-limited", ("rate_limited", 429, "ThrottlingException")),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:imported-model/x", ("unprobeable", None, None)),
        ("azure-openai", "gpt-4", ("unprobeable", None, None)),
    ],
)
def test_each_model_gets_its_outcome(probed, kind, model, expected):
    result = probed(kind, model)
    assert (result.outcome, result.http_status, result.provider_code) == expected, result.detail
    assert result.detail


@pytest.mark.parametrize("kind", KEYS)
def test_a_good_key_is_proven_and_a_bad_one_refused_by_name(probed, kind):
    good = probed(kind, "no-such-model", level="credential")
    assert (good.outcome, good.http_status) == ("ok", 200)
    bad = probed(kind, "gpt-4", level="credential", environ={KEYS[kind]: "canary-of-a-bad-key"})
    assert bad.outcome == "auth_failed"
    assert f"the key in {KEYS[kind]} was refused" in bad.detail
    assert "canary" not in repr(bad)


def test_a_check_that_says_no_is_a_refusal_though_it_succeeds(probed):
    result = probed("cohere", "command-r", level="credential", environ={"COHERE_API_KEY": key("invalid")})
    assert (result.outcome, result.http_status) == ("auth_failed", 200)


@pytest.mark.parametrize("kind", [*KEYS, "vertex"])
def test_reaching_takes_any_answer_and_no_key(fake, probed, kind):
    assert probed(kind, "x", level="reach", environ={"ANY": "x"}).outcome == "ok"
    assert not any("canary" in request.text for request in fake.requests)


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [
        ("azure-openai", "api-key", key()),
        ("gemini", "x-goog-api-key", key()),
        ("bedrock", "authorization", f"Bearer {key()}"),
        ("cohere", "authorization", f"Bearer {key()}"),
    ],
)
def test_a_key_stands_in_its_header_and_in_no_url(fake, probed, kind, header, value):
    probed(kind, "gemini-2.5-pro", level="credential")
    probed(kind, "gemini-2.5-pro")
    assert {request.headers[header] for request in fake.requests} == {value}
    assert not any(key() in request.path or key().encode() in request.body for request in fake.requests)


# Azure OpenAI


@pytest.mark.parametrize("path", ["", "/", "/openai", "/openai/v1", "/openai/v1/"])
def test_azure_is_asked_below_its_resource_at_the_version_that_is_wanted(fake, certificates, path):
    case = target(
        "gpt-4", built_in("azure-openai"), f"{fake.base_url('azure-openai')}{path}", level="credential"
    )
    environ = {"AZURE_OPENAI_API_KEY": key(), "OPENAI_API_VERSION": "2099-01-01-preview"}
    allowed = Access(environ=environ, allowed_hosts=(fake.host,), ca_file=str(certificates[0]))
    assert probe_all([case], allowed)[0].outcome == "ok"
    assert [one.path for one in fake.requests] == [
        "/azure-openai/openai/models?api-version=2099-01-01-preview"
    ]


def test_azure_takes_a_token_of_entra_and_only_one_of_the_two(fake, probed):
    environ = {"AZURE_OPENAI_AD_TOKEN": key(), "AZURE_OPENAI_API_KEY": "canary-other"}
    named = {"ad_token": "env:AZURE_OPENAI_AD_TOKEN"}
    assert probed("azure-openai", "x", level="credential", environ=environ, credentials=named).outcome == "ok"
    assert fake.requests[0].headers["authorization"] == f"Bearer {key()}"
    assert "api-key" not in fake.requests[0].headers


def test_a_version_that_is_none_never_reaches_a_url(fake, probed):
    environ = {"AZURE_OPENAI_API_KEY": key(), "OTHER_API_KEY": "canary-in-the-wrong-place"}
    named = {"api_version": "env:OTHER_API_KEY"}
    result = probed("azure-openai", "x", level="credential", environ=environ, credentials=named)
    assert (result.outcome, fake.requests) == ("probe_invalid", [])
    assert "canary" not in repr(result)


# Vertex AI


def test_a_service_account_is_exchanged_once_for_all_models(fake, certificates, account, tmp_path):
    models = ("gemini-2.5-pro", "gemini-9", "gemini-2.5-pro", "claude-sonnet-4", "gemini-gated")
    cases = [target(name, built_in("vertex"), fake.base_url("vertex")) for name in models]
    allowed = Access(
        environ=account(),
        allowed_files=(str(tmp_path),),
        allowed_hosts=(fake.host,),
        ca_file=str(certificates[0]),
    )
    results = probe_all(cases, allowed)
    outcomes = ["ok", "model_not_found", "ok", "unprobeable", "forbidden"]
    assert [result.outcome for result in results] == outcomes
    assert len(fake.minted_tokens) == 1
    assert fake.paths().count("/oauth/token") == 1
    counting = f"/vertex/v1/projects/{PROJECT}/locations/us-central1/publishers/google/models"
    assert f"{counting}/gemini-2.5-pro:countTokens" in fake.paths()


@pytest.mark.parametrize(
    ("fields", "outcome", "words"),
    [
        pytest.param({}, "ok", "", id="good"),
        pytest.param({"key": private_key(1)}, "auth_failed", "Invalid JWT Signature", id="another key"),
        pytest.param({"private_key": "canary"}, "secret_missing", "cannot be read as RSA", id="no key"),
        pytest.param({"private_key": ""}, "secret_missing", "without client_email", id="an empty key"),
        pytest.param({"type": "external_account"}, "unprobeable", "give an access token", id="another type"),
        pytest.param(
            {"token_uri": "https://evil.example/token"}, "refused_host", "HOSTS=evil.example", id="elsewhere"
        ),
    ],
)
def test_a_key_file_gets_its_outcome(probed, account, fields, outcome, words):
    for level in ("credential", "model"):
        result = probed("vertex", "gemini-2.5-pro", level=level, environ=account(**fields))
        assert (result.outcome, words in result.detail) == (outcome, True), result.detail
        assert "canary" not in result.detail


def test_a_key_file_is_read_by_reference_too(probed, account):
    path = account()["GOOGLE_APPLICATION_CREDENTIALS"]
    result = probed(
        "vertex", "gemini-2.5-pro", environ=GOOGLE, credentials={"service_account": f"file:{path}"}
    )
    assert result.outcome == "ok"


def test_a_key_file_is_sent_in_no_header(fake, probed, account):
    path = account()["GOOGLE_APPLICATION_CREDENTIALS"]
    result = probed("cohere", "command-r", environ=GOOGLE, credentials={"api_key": f"file:{path}"})
    assert (result.outcome, fake.requests) == ("probe_invalid", [])
    assert "PRIVATE KEY" not in repr(result)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("/etc/hostname", "refused_reference"),
        ("/no/such/canary-file", "secret_missing"),
        ("canary-of-a-key", "secret_missing"),
        ("account.json", "secret_missing"),
    ],
)
def test_a_variable_that_names_no_readable_file_is_not_repeated(fake, probed, value, outcome):
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": value, **GOOGLE}
    result = probed("vertex", "gemini-2.5-pro", environ=environ)
    assert (result.outcome, fake.requests) == (outcome, [])
    assert "GOOGLE_APPLICATION_CREDENTIALS" in result.detail
    assert value not in result.detail


@pytest.mark.parametrize(
    ("token", "level", "outcome"),
    [
        (key(), "credential", "ok"),
        (key(), "model", "ok"),
        ("canary-bad-token", "credential", "auth_failed"),
        ("canary-bad-token", "model", "auth_failed"),
    ],
)
def test_an_access_token_is_sent_as_it_is(fake, probed, token, level, outcome):
    environ = {"GOOGLE_OAUTH_ACCESS_TOKEN": token, "GOOGLE_VERTEX_PROJECT": PROJECT, **GOOGLE}
    result = probed("vertex", "gemini-2.5-pro", level=level, environ=environ)
    assert result.outcome == outcome, result.detail
    assert fake.paths().count("/oauth/token") == 0
    assert "canary" not in repr(result)


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"GOOGLE_VERTEX_LOCATION": "us-central1"}, "project"),
        ({"GOOGLE_VERTEX_PROJECT": PROJECT}, "location"),
        ({"GOOGLE_VERTEX_PROJECT": "../../x", "GOOGLE_VERTEX_LOCATION": "us-central1"}, "project"),
        ({"GOOGLE_VERTEX_PROJECT": PROJECT, "GOOGLE_VERTEX_LOCATION": "A/b"}, "location"),
    ],
)
def test_without_a_project_and_a_location_there_is_nothing_to_ask(fake, probed, environ, word):
    result = probed("vertex", "gemini-2.5-pro", environ={"GOOGLE_OAUTH_ACCESS_TOKEN": key(), **environ})
    assert (result.outcome, fake.requests) == ("unprobeable", [])
    assert f"names no {word}" in result.detail


# Bedrock


@pytest.mark.parametrize("model", ["anthropic.claude-sonnet-4-v1:0", "us.amazon.nova-lite-v1:0"])
@pytest.mark.parametrize("level", ["credential", "model"])
def test_a_signature_is_what_the_server_computes_from_what_arrived(fake, probed, model, level):
    result = probed("bedrock", model, level=level, environ=SIGNING)
    assert result.outcome == "ok", result.detail
    (request,) = fake.requests
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
    assert AWS_SECRET not in request.text


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "canary-of-another"}, "auth_failed"),
        ({"AWS_SESSION_TOKEN": "canary-of-another"}, "auth_failed"),
        ({"AWS_REGION": "eu-west-1"}, "auth_failed"),
        ({"AWS_REGION": "a canary"}, "unprobeable"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "secret_missing"),
    ],
)
def test_a_signature_with_anything_else_is_refused(probed, change, outcome):
    result = probed("bedrock", "anthropic.claude-sonnet-4-v1:0", environ={**SIGNING, **change})
    assert result.outcome == outcome, result.detail
    assert "canary" not in repr(result)


def test_a_session_of_the_environment_is_not_mixed_with_a_key_that_is_named(fake, probed):
    named = {"access_key_id": "env:TEAM_AWS_API_KEY", "secret_access_key": "env:AWS_SECRET_ACCESS_KEY"}
    environ = {**SIGNING, "TEAM_AWS_API_KEY": AWS_ID, "AWS_BEARER_TOKEN_BEDROCK": key()}
    probed("bedrock", "anthropic.claude-sonnet-4-v1:0", environ=environ, credentials=named)
    (request,) = fake.requests
    assert "x-amz-security-token" not in request.headers
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256")


def test_signed_questions_about_a_key_are_put_once(fake, certificates):
    base_url = fake.base_url("bedrock")
    cases = [target(name, built_in("bedrock"), base_url, level="credential") for name in MODELS]
    allowed = Access(environ=SIGNING, allowed_hosts=(fake.host,), ca_file=str(certificates[0]))
    assert {result.outcome for result in probe_all(cases, allowed)} == {"ok"}
    assert fake.paths() == ["/bedrock/foundation-models"]


def test_no_signing_key_is_in_the_trace_of_an_error(fake, certificates):
    def broken(result):
        raise RuntimeError(f"no more: {result}")

    case = target("fake.gated", built_in("bedrock"), fake.base_url("bedrock"))
    allowed = Access(environ=SIGNING, allowed_hosts=(fake.host,), ca_file=str(certificates[0]))
    with pytest.raises(RuntimeError) as caught:
        probe_all([case], allowed, on_result=broken)
    trace = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert fake.has_seen(AWS_TOKEN)
    assert [secret for secret in (AWS_SECRET, AWS_TOKEN, "Signature=") if secret in trace] == []


def test_without_botocore_nothing_is_signed(fake, probed, monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    result = probed("bedrock", "anthropic.claude-sonnet-4-v1:0", environ=SIGNING)
    assert (result.outcome, fake.requests) == ("unprobeable", [])
    assert "llm-reconciler[bedrock]" in result.detail
    assert probed("bedrock", "anthropic.claude-sonnet-4-v1:0").outcome == "ok"


def test_without_cryptography_nothing_is_exchanged(fake, probed, account, monkeypatch):
    environ = account()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    result = probed("vertex", "gemini-2.5-pro", environ=environ)
    assert (result.outcome, fake.requests) == ("unprobeable", [])
    assert "llm-reconciler[vertex]" in result.detail


# All of them


@pytest.mark.parametrize("level", ["credential", "model"])
@pytest.mark.parametrize("kind", [*KEYS, "vertex"])
def test_a_base_url_that_points_elsewhere_gets_nothing(fake, probed, account, kind, level):
    environ = account() if kind == "vertex" else {KEYS[kind]: key()}
    result = probed(kind, "gemini-2.5-pro", level=level, environ=environ, hosts=())
    assert (result.outcome, fake.requests) == ("refused_host", [])
    assert f"RECONCILER_ALLOWED_HOSTS={fake.host}" in result.detail


@pytest.fixture
def shown(caplog, capsys):
    """Everything that was logged or printed, at its most talkative."""
    caplog.set_level(logging.DEBUG)
    return lambda: f"{caplog.text} {caplog.records} {''.join(capsys.readouterr())}"


@pytest.mark.parametrize("case", [*itertools.product([*KEYS, "vertex", "signing"], TROUBLES)], ids="-".join)
def test_no_key_token_or_signature_is_shown_anywhere(fake, probed, account, shown, case):
    kind, behaviour = case
    environ = {"vertex": account(), "signing": SIGNING}.get(kind) or {KEYS[kind]: key()}
    name = "bedrock" if kind == "signing" else kind
    result = probed(
        name, "gemini-2.5-pro", behaviour=behaviour, environ=environ, level="credential", timeout=0.5
    )
    counted = probed(name, "gemini-2.5-pro", behaviour=behaviour, environ=environ, timeout=0.5)
    sent = {request.headers.get("authorization", "").rpartition("Signature=")[2] for request in fake.requests}
    everything = f"{result} {counted} {shown()}"
    secrets = {key(), AWS_SECRET, AWS_TOKEN, *fake.minted_tokens, *sent} - {""}
    assert [secret for secret in secrets if secret in everything] == []
    assert "eyJ" not in everything
    assert "PRIVATE KEY" not in everything
