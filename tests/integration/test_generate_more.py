"""Real requests to generate, over TLS, to a local server that is as strict as the providers: Anthropic,
watsonx with its exchange, Gemini, Vertex AI, Bedrock with its signatures, Cohere, Azure OpenAI and Ollama.
"""

import json
import logging
from dataclasses import replace

import pytest
from support.certificates import write_certificates
from support.generating import BY_PROFILE, PAYER, GeneratingProviders
from support.more_providers import AWS_ID, AWS_SECRET, AWS_TOKEN, PROJECT, key_file
from support.probing import target
from support.providers import key

from reconciler.core.probe import Access
from reconciler.core.provider_kind import Probe
from reconciler.kinds import built_in
from reconciler.service.verification import probe_all

TEMPLATE = {"system_prompt": "Be brief.", "answer_prefix": "Answer:"}
PARAMETERS = {"max_new_tokens": 16, "temperature": 0.5, "stop_sequences": ["END"]}
SIGNING = {
    "AWS_ACCESS_KEY_ID": AWS_ID,
    "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
    "AWS_SESSION_TOKEN": AWS_TOKEN,
    "AWS_REGION": "us-east-1",
}
ENVIRON = {
    "anthropic": {"ANTHROPIC_API_KEY": key()},
    "azure-openai": {"AZURE_OPENAI_API_KEY": key()},
    "bedrock": {"AWS_BEARER_TOKEN_BEDROCK": key(), "AWS_REGION": "us-east-1"},
    "cohere": {"COHERE_API_KEY": key()},
    "gemini": {"GEMINI_API_KEY": key()},
    "ollama": {},
    "vertex": {
        "GOOGLE_OAUTH_ACCESS_TOKEN": key(),
        "GOOGLE_VERTEX_PROJECT": PROJECT,
        "GOOGLE_VERTEX_LOCATION": "us-central1",
    },
    "watsonx": {"WATSONX_APIKEY": key(), "WATSONX_PROJECT_ID": PAYER},
}
CLAUDE, NOVA = "anthropic.claude-sonnet-4-v1:0", "us.amazon.nova-lite-v1:0"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def fake(certificates):
    with GeneratingProviders(certificate=certificates[1:], slowness=0.01) as server:
        yield server


@pytest.fixture
def generated(fake, certificates, tmp_path):
    """Ask some models of a kind to generate."""

    def ask(kind, *models, mode="chat", behaviour="", hosts=None, environ=None, base_url=None, **fields):
        url = base_url or fake.base_url(kind, behaviour)
        cases = [
            replace(
                target(model, _kind(kind, fake), url, level="generate", timeout=fields.pop("timeout", 5.0)),
                mode=mode,
                parameters=fields.get("parameters", PARAMETERS if mode == "chat" else {}),
                template=TEMPLATE,
            )
            for model in models
        ]
        allowed = Access(
            environ=ENVIRON[kind] if environ is None else environ,
            allowed_files=(str(tmp_path),),
            allowed_hosts=(fake.host,) if hosts is None else hosts,
            ca_file=str(certificates[0]),
        )
        return probe_all(cases, allowed)

    return ask


def _kind(name, fake):
    """A kind of ours; the one whose tokens come from another host asks for them here."""
    kind = built_in(name)
    if name != "watsonx":
        return kind
    return replace(kind, probes={**kind.probes, "credential": Probe(method="POST", path=fake.iam)})


@pytest.mark.parametrize(
    ("asked", "ending"),
    [
        (("anthropic", "chat", "claude-sonnet-4"), "/v1/messages"),
        (("watsonx", "chat", "granite-3-8b"), "/ml/v1/text/chat"),
        (("watsonx", "chat", "granite-13b"), "/ml/v1/text/generation"),
        (("watsonx", "completion", "granite-3-8b"), "/ml/v1/text/generation"),
        (("watsonx", "embedding", "slate-30m"), "/ml/v1/text/embeddings"),
        (("watsonx", "rerank", "slate-30m"), "/ml/v1/text/rerank"),
        (("gemini", "chat", "gemini-2.5-pro"), "/gemini-2.5-pro:generateContent"),
        (("gemini", "embedding", "gemini-embedding-001"), "/gemini-embedding-001:embedContent"),
        (("vertex", "chat", "gemini-2.5-pro"), "/google/models/gemini-2.5-pro:generateContent"),
        (("vertex", "chat", "claude-3-5-haiku"), "/anthropic/models/claude-3-5-haiku:rawPredict"),
        (("vertex", "embedding", "text-embedding-005"), "/google/models/text-embedding-005:predict"),
        (("bedrock", "chat", NOVA), "/model/us.amazon.nova-lite-v1%3A0/converse"),
        (("bedrock", "embedding", "amazon.titan-embed-text-v2:0"), "/invoke"),
        (("bedrock", "embedding", "cohere.embed-english-v3"), "/invoke"),
        (("cohere", "chat", "command-a"), "/v2/chat"),
        (("cohere", "embedding", "embed-v4.0"), "/v2/embed"),
        (("cohere", "rerank", "rerank-v3.5"), "/v2/rerank"),
        (("azure-openai", "chat", "my-deployment"), "/openai/deployments/my-deployment/chat/completions"),
        (("azure-openai", "embedding", "my-deployment"), "/openai/deployments/my-deployment/embeddings"),
        (("ollama", "chat", "llama3"), "/api/chat"),
        (("ollama", "completion", "llama3"), "/api/generate"),
        (("ollama", "embedding", "nomic-embed-text"), "/api/embed"),
    ],
)
def test_a_model_answers_on_the_endpoint_of_its_mode(fake, generated, asked, ending):
    kind, mode, model = asked
    (result,) = generated(kind, model, mode=mode)
    assert (result.outcome, result.http_status, result.probe) == ("ok", 200, "generate"), result.detail
    assert result.latency_ms is not None
    assert fake.paths()[-1].endswith(ending)
    assert fake.requests[-1].method == "POST"
    assert fake.requests[-1].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("kind", "model", "said"),
    [
        ("anthropic", "claude-sonnet-4", {"max_tokens": 16, "system": "Be brief."}),
        ("watsonx", "granite-3-8b", {"max_tokens": 16, "stop": ["END"], "project_id": PAYER}),
        ("bedrock", NOVA, {"system": [{"text": "Be brief."}]}),
        ("cohere", "command-a", {"max_tokens": 16, "stop_sequences": ["END"]}),
        ("azure-openai", "my-deployment", {"max_completion_tokens": 16, "stop": ["END"]}),
        ("gemini", "gemini-2.5-pro", {"systemInstruction": {"parts": [{"text": "Be brief."}]}}),
        ("ollama", "llama3", {"options": {"num_predict": 16, "temperature": 0.5, "stop": ["END"]}}),
    ],
)
def test_the_probe_sends_the_parameters_and_the_template(fake, generated, kind, model, said):
    assert generated(kind, model)[0].outcome == "ok"
    body = json.loads(fake.requests[-1].body)
    assert {name: body.get(name) for name in said} == said
    text = json.dumps(body)
    assert "Be brief." in text
    assert "Answer:" in text


@pytest.mark.parametrize(
    ("kind", "model", "expected"),
    [
        ("anthropic", "claude-9", ("model_not_found", 404, "not_found_error")),
        ("anthropic", "lying", ("model_mismatch", 200, None)),
        ("anthropic", "gated", ("forbidden", 403, "permission_error")),
        ("anthropic", "http-529", ("overloaded", 529, "overloaded_error")),
        ("anthropic", "http-400", ("probe_invalid", 400, "invalid_request_error")),
        ("watsonx", "granite-9", ("wrong_region", 404, "model_not_supported")),
        ("watsonx", "lying", ("model_mismatch", 200, None)),
        ("watsonx", "rate-limited", ("rate_limited", 429, "rate_limit_exceeded")),
        ("gemini", "gemini-9", ("model_not_found", 404, "NOT_FOUND")),
        ("gemini", "gemini-lying", ("model_mismatch", 200, None)),
        ("gemini", "gemini-http-500", ("overloaded", 500, "INTERNAL")),
        ("vertex", "gemini-9", ("model_not_found", 404, "NOT_FOUND")),
        ("vertex", "gemini-gated", ("forbidden", 403, "PERMISSION_DENIED")),
        ("bedrock", "acme.model-9", ("model_not_found", 400, "ValidationException")),
        ("bedrock", BY_PROFILE, ("probe_invalid", 400, "ValidationException")),
        ("bedrock", "fake.rate-limited", ("rate_limited", 429, "ThrottlingException")),
        ("cohere", "command-9", ("model_not_found", 404, None)),
        ("cohere", "rate-limited", ("rate_limited", 429, None)),
        ("azure-openai", "no-such-deployment", ("model_not_found", 404, "DeploymentNotFound")),
        ("ollama", "qwen3", ("model_not_found", 404, None)),
        ("ollama", "lying", ("model_mismatch", 200, None)),
        ("ollama", "nomic-embed-text", ("probe_invalid", 400, None)),
        ("ollama", "hang", ("timeout", None, None)),
    ],
)
def test_each_model_gets_its_outcome_when_it_is_asked(generated, kind, model, expected):
    (result,) = generated(kind, model, timeout=0.5 if model == "hang" else 5.0)
    assert (result.outcome, result.http_status, result.provider_code) == expected, result.detail
    assert result.detail


@pytest.mark.parametrize(
    ("kind", "model", "words"),
    [
        ("ollama", "qwen3", "; ollama pull qwen3"),
        ("bedrock", BY_PROFILE, "an inference profile"),
    ],
)
def test_what_can_be_done_is_said(generated, kind, model, words):
    assert words in generated(kind, model)[0].detail


def test_a_refused_parameter_is_named_as_the_files_spell_it(generated):
    both = {"max_new_tokens": 16, "temperature": 0.5, "top_p": 0.9}
    (result,) = generated("anthropic", "claude-sonnet-4", parameters=both)
    assert result.outcome == "probe_invalid"
    assert set(result.refused_parameters) == {"temperature", "top_p"}


def test_little_room_that_thinking_took_is_no_failure(generated):
    (result,) = generated("gemini", "gemini-2.5-pro", parameters={"max_new_tokens": 1})
    assert (result.outcome, result.answered_by) == ("ok", "gemini-2.5-pro")


def test_a_key_of_watsonx_is_exchanged_once_for_all_models(fake, generated):
    results = generated("watsonx", "granite-3-8b", "granite-13b", "granite-9")
    assert [result.outcome for result in results] == ["ok", "ok", "wrong_region"]
    assert fake.paths().count("/iam/identity/token") == 1
    assert fake.minted == 1
    tokens = {one.headers["authorization"] for one in fake.requests if "/ml/" in one.path}
    assert len(tokens) == 1
    assert tokens.pop().startswith("Bearer iam-token.")
    assert not any(
        key() in one.path or key().encode() in one.body for one in fake.requests if "/ml/" in one.path
    )
    assert all("version=2024-05-31" in one.path for one in fake.requests if "/ml/" in one.path)


def test_a_stale_token_is_exchanged_anew_before_a_model_is_judged(fake, generated):
    (result,) = generated("watsonx", "granite-3-8b", behaviour="stale-token")
    assert (result.outcome, fake.minted) == ("ok", 2), result.detail


def test_watsonx_without_a_project_is_asked_nothing(fake, generated):
    (result,) = generated("watsonx", "granite-3-8b", environ={"WATSONX_APIKEY": key()})
    assert (result.outcome, fake.requests) == ("secret_missing", [])


def test_a_service_account_generates_with_a_token_that_is_exchanged_once(fake, generated, tmp_path):
    path = tmp_path / "account.json"
    path.write_text(key_file(fake.token_url), encoding="utf-8")
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "GOOGLE_VERTEX_LOCATION": "us-central1"}
    results = generated("vertex", "gemini-2.5-pro", "claude-3-5-haiku", environ=environ)
    assert [result.outcome for result in results] == ["ok", "ok"]
    assert len(fake.minted_tokens) == 1
    below = f"/vertex/v1/projects/{PROJECT}/locations/us-central1/publishers"
    assert sorted(path for path in fake.paths() if path.startswith("/vertex")) == [
        f"{below}/anthropic/models/claude-3-5-haiku:rawPredict",
        f"{below}/google/models/gemini-2.5-pro:generateContent",
    ]
    (body,) = fake.bodies(":rawPredict")
    assert (body["anthropic_version"], "model" in body) == ("vertex-2023-10-16", False)


@pytest.mark.parametrize("model", [NOVA, CLAUDE])
def test_a_signature_covers_what_is_asked(fake, generated, model):
    (result,) = generated("bedrock", model, environ=SIGNING)
    assert result.outcome == "ok", result.detail
    (request,) = fake.requests
    assert request.path.startswith("/bedrock/model/")
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
    assert "/us-east-1/bedrock/aws4_request" in request.headers["authorization"]
    assert AWS_SECRET not in request.text


def test_a_signature_with_another_key_is_refused(generated):
    (result,) = generated("bedrock", NOVA, environ={**SIGNING, "AWS_SECRET_ACCESS_KEY": "canary-of-another"})
    assert result.outcome == "auth_failed"
    assert "canary" not in repr(result)


def test_the_newer_surface_of_azure_has_no_version_in_its_url(fake, generated):
    url = f"{fake.base_url('azure-openai')}/openai/v1"
    (result,) = generated("azure-openai", "my-deployment", base_url=url)
    assert result.outcome == "ok", result.detail
    assert fake.requests[-1].path == "/azure-openai/openai/v1/chat/completions"


@pytest.mark.parametrize(
    ("kind", "header", "value"),
    [
        ("anthropic", "x-api-key", key()),
        ("azure-openai", "api-key", key()),
        ("bedrock", "authorization", f"Bearer {key()}"),
        ("cohere", "authorization", f"Bearer {key()}"),
        ("gemini", "x-goog-api-key", key()),
        ("vertex", "authorization", f"Bearer {key()}"),
    ],
)
def test_a_key_goes_with_work_in_its_header_alone(fake, generated, kind, header, value):
    generated(kind, "gemini-2.5-pro")
    assert {request.headers[header] for request in fake.requests} == {value}
    assert not any(key() in request.path or key().encode() in request.body for request in fake.requests)


@pytest.mark.parametrize("kind", [kind for kind in ENVIRON if kind != "ollama"])
def test_work_is_not_sent_where_the_key_may_not_go(fake, generated, kind):
    (result,) = generated(kind, "gemini-2.5-pro", hosts=())
    assert (result.outcome, fake.requests) == ("refused_host", [])


@pytest.mark.parametrize("behaviour", ["", "echo", "html", "reset", "redirect", "error-in-200", "malformed"])
@pytest.mark.parametrize("kind", ENVIRON)
def test_no_trouble_shows_a_key(generated, caplog, capsys, kind, behaviour):
    caplog.set_level(logging.DEBUG)
    (result,) = generated(kind, "gemini-2.5-pro", behaviour=behaviour, timeout=2.0)
    assert behaviour == "" or result.outcome != "ok"
    shown = f"{result} {caplog.text} {''.join(capsys.readouterr())}"
    assert [secret for secret in (key(), "iam-token.") if secret in shown] == []
