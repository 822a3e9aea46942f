"""Recorded shapes of answers to a request to generate, of Anthropic, watsonx, Gemini, Vertex AI, Bedrock,
Cohere, Azure OpenAI and Ollama, and what each of them means: status, headers and body in, outcome and the
provider's own code out. Nothing is sent.
"""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.more_providers import AWS_ID, AWS_SECRET, PROJECT
from support.probing import target

from reconciler.core.probe import Access
from reconciler.core.prompt import Prompt
from reconciler.core.provider_kind import Endpoint, ProviderKind
from reconciler.core.wire import Wired
from reconciler.kinds import built_in
from reconciler.protocols.bedrock import control_url, runtime_url
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.generation import Work
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "canary-key-0123456789"
ENVIRON = {
    "ANTHROPIC_API_KEY": KEY,
    "AZURE_OPENAI_API_KEY": KEY,
    "AWS_BEARER_TOKEN_BEDROCK": KEY,
    "COHERE_API_KEY": KEY,
    "GEMINI_API_KEY": KEY,
    "GOOGLE_OAUTH_ACCESS_TOKEN": KEY,
    "GOOGLE_VERTEX_PROJECT": PROJECT,
    "WATSONX_APIKEY": KEY,
    "WATSONX_PROJECT_ID": "a-project",
}
BASE_URLS = {
    "azure-openai": "https://team.openai.azure.com",
    "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "vertex": "https://us-central1-aiplatform.googleapis.com",
}
ON_VERTEX = f"{BASE_URLS['vertex']}/v1/projects/{PROJECT}/locations/us-central1/publishers"
MODEL_IDS = {
    "anthropic": "claude-sonnet-4",
    "azure-openai": "my-deployment",
    "bedrock": "anthropic.claude-sonnet-4-v1:0",
    "cohere": "command-r",
    "gemini": "gemini-2.5-pro",
    "ollama": "llama3",
    "vertex": "gemini-2.5-pro",
    "watsonx": "ibm/granite-3-8b",
}
TOKEN = {"access_token": "iam-canary-token", "token_type": "Bearer", "expires_in": 3600}


class Scripted:
    """Gives one answer to a request to generate, and good ones beside it; keeps what was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    async def send(self, request):
        self.asked.append(request)
        if request.form:
            return answer(200, TOKEN)
        if request.method == "GET":
            return answer(200, {"data": [], "models": [], "modelSummaries": [], "valid": True})
        return self.answer

    @property
    def generating(self):
        return [request for request in self.asked if not request.form and request.method == "POST"]


def answer(status, body, **headers):
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def verified(kind, sender, *, model=None, environ=None, base_url=None, mode="chat", parameters=(), **fields):
    spec = built_in(kind)
    url = base_url or BASE_URLS.get(kind) or spec.base_url
    case = replace(
        target(model or MODEL_IDS[kind], spec, url, level="generate", **fields),
        mode=mode,
        parameters=dict(parameters),
    )

    async def ask():
        access = Access(environ=environ or ENVIRON, allowed_hosts=("team.openai.azure.com",))
        run = Run(sender, access, NOW)
        try:
            return await protocol(spec.protocol).verify(case, run)
        finally:
            await run.close()

    return asyncio.run(ask())


def anthropic(type_, message=""):
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_1"}


def claude(model="claude-sonnet-4-20250514", **fields):
    text = [{"type": "text", "text": "pong"}]
    return {"type": "message", "model": model, "content": text, "stop_reason": "end_turn", **fields}


def watsonx(code, message="", status=400):
    return {"errors": [{"code": code, "message": message}], "trace": "t", "status_code": status}


def chosen(model="ibm/granite-3-8b", **message):
    return {"model_id": model, "choices": [{"message": {"role": "assistant", **message}}]}


def google(code, status, message="", reason=""):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    return {"error": {"code": code, "message": message, "status": status, "details": details}}


def candidate(model="gemini-2.5-pro", **fields):
    return {"candidates": [{"finishReason": "MAX_TOKENS", **fields}], "modelVersion": model}


CONVERSED = {"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "max_tokens"}
SPOKEN = {"message": {"role": "assistant", "content": [{"type": "text", "text": "pong"}]}}
NOT_HERE = "Publisher Model `projects/p/x` was not found or your project does not have access to it."
ON_DEMAND = (
    "Invocation of model ID anthropic.claude-sonnet-4-v1:0 with on-demand throughput isn\u2019t supported."
)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("anthropic", (200, claude()), ("ok", None)),
        ("anthropic", (200, claude(content=[], stop_reason="max_tokens")), ("ok", None)),
        ("anthropic", (200, claude("claude-haiku-4-5")), ("model_mismatch", None)),
        ("anthropic", (200, {"type": "message"}), ("bad_response", None)),
        ("anthropic", (200, anthropic("overloaded_error")), ("overloaded", "overloaded_error")),
        (
            "anthropic",
            (400, anthropic("invalid_request_error", "`temperature` and `top_p` cannot both be specified")),
            ("probe_invalid", "invalid_request_error"),
        ),
        (
            "anthropic",
            (400, anthropic("invalid_request_error", "Your credit balance is too low")),
            ("quota_exhausted", "invalid_request_error"),
        ),
        ("anthropic", (401, anthropic("authentication_error")), ("auth_failed", "authentication_error")),
        ("anthropic", (402, anthropic("billing_error")), ("quota_exhausted", "billing_error")),
        ("anthropic", (403, anthropic("permission_error")), ("forbidden", "permission_error")),
        (
            "anthropic",
            (404, anthropic("not_found_error", "model: claude-sonnet-4")),
            ("model_not_found", "not_found_error"),
        ),
        ("anthropic", (413, anthropic("request_too_large")), ("probe_invalid", "request_too_large")),
        ("anthropic", (429, anthropic("rate_limit_error")), ("rate_limited", "rate_limit_error")),
        ("anthropic", (529, anthropic("overloaded_error")), ("overloaded", "overloaded_error")),
        ("watsonx", (200, chosen(content="pong")), ("ok", None)),
        ("watsonx", (200, chosen()), ("ok", None)),
        ("watsonx", (200, chosen("ibm/granite-4", content="pong")), ("model_mismatch", None)),
        ("watsonx", (200, watsonx("token_quota_reached")), ("quota_exhausted", "token_quota_reached")),
        ("watsonx", (404, watsonx("model_not_supported")), ("wrong_region", "model_not_supported")),
        ("watsonx", (400, watsonx("model_not_supported")), ("wrong_region", "model_not_supported")),
        (
            "watsonx",
            (400, watsonx("model_no_support_for_function")),
            ("probe_invalid", "model_no_support_for_function"),
        ),
        ("watsonx", (403, watsonx("authorization_rejected")), ("forbidden", "authorization_rejected")),
        (
            "watsonx",
            (400, watsonx("no_associated_service_instance_error")),
            ("forbidden", "no_associated_service_instance_error"),
        ),
        ("watsonx", (403, watsonx("token_quota_reached")), ("quota_exhausted", "token_quota_reached")),
        (
            "watsonx",
            (401, watsonx("authentication_token_not_valid")),
            ("auth_failed", "authentication_token_not_valid"),
        ),
        ("gemini", (200, candidate(content={"parts": [{"text": "pong"}]})), ("ok", None)),
        ("gemini", (200, candidate(content={"role": "model"})), ("ok", None)),
        ("gemini", (200, candidate()), ("ok", None)),
        ("gemini", (200, candidate("gemini-2.5-pro-001")), ("ok", None)),
        ("gemini", (200, candidate("gemini-2.5-flash")), ("model_mismatch", None)),
        ("gemini", (200, {"candidates": []}), ("bad_response", None)),
        (
            "gemini",
            (400, google(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID")),
            ("auth_failed", "API_KEY_INVALID"),
        ),
        (
            "gemini",
            (400, google(400, "INVALID_ARGUMENT", "Penalty is not enabled for this model")),
            ("probe_invalid", "INVALID_ARGUMENT"),
        ),
        (
            "gemini",
            (400, google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")),
            ("wrong_region", "FAILED_PRECONDITION"),
        ),
        (
            "gemini",
            (404, google(404, "NOT_FOUND", "models/x is not found for API version v1beta")),
            ("model_not_found", "NOT_FOUND"),
        ),
        ("gemini", (429, google(429, "RESOURCE_EXHAUSTED")), ("rate_limited", "RESOURCE_EXHAUSTED")),
        ("gemini", (503, google(503, "UNAVAILABLE", "overloaded")), ("overloaded", "UNAVAILABLE")),
        ("gemini", (504, google(504, "DEADLINE_EXCEEDED")), ("timeout", "DEADLINE_EXCEEDED")),
        ("vertex", (200, candidate(content={"parts": [{"text": "pong"}]})), ("ok", None)),
        ("vertex", (404, google(404, "NOT_FOUND", NOT_HERE)), ("model_not_found", "NOT_FOUND")),
        ("vertex", (403, google(403, "PERMISSION_DENIED")), ("forbidden", "PERMISSION_DENIED")),
        ("vertex", (401, google(401, "UNAUTHENTICATED")), ("auth_failed", "UNAUTHENTICATED")),
        ("bedrock", (200, CONVERSED), ("ok", None)),
        ("bedrock", (200, {"message": "x"}), ("bad_response", None)),
        ("bedrock", (400, {"message": ON_DEMAND}, "ValidationException"), ("probe_invalid",)),
        (
            "bedrock",
            (400, {"message": "The provided model identifier is invalid."}, "ValidationException"),
            ("model_not_found",),
        ),
        (
            "bedrock",
            (400, {"message": "1 validation error: temperature"}, "ValidationException"),
            ("probe_invalid",),
        ),
        (
            "bedrock",
            (
                403,
                {"message": "You don't have access to the model with the specified model ID."},
                "AccessDeniedException",
            ),
            ("forbidden",),
        ),
        (
            "bedrock",
            (
                403,
                {"message": "User x is not authorized to perform: bedrock:InvokeModel on resource y"},
                "AccessDeniedException",
            ),
            ("forbidden",),
        ),
        ("bedrock", (403, {"message": "no"}, "UnrecognizedClientException"), ("auth_failed",)),
        ("bedrock", (404, {"message": "no such thing"}, "ResourceNotFoundException"), ("model_not_found",)),
        (
            "bedrock",
            (
                404,
                {"message": "This model version has reached the end of its life."},
                "ResourceNotFoundException",
            ),
            ("model_withdrawn",),
        ),
        ("bedrock", (408, {"message": "slow"}, "ModelTimeoutException"), ("timeout",)),
        ("bedrock", (424, {"message": "broken"}, "ModelErrorException"), ("overloaded",)),
        ("bedrock", (429, {"message": "slow down"}, "ThrottlingException"), ("rate_limited",)),
        ("bedrock", (429, {"message": "wait"}, "ModelNotReadyException"), ("overloaded",)),
        ("bedrock", (400, {"message": "no"}, "ServiceQuotaExceededException"), ("quota_exhausted",)),
        ("cohere", (200, SPOKEN), ("ok", None)),
        ("cohere", (200, {"message": "pong"}), ("bad_response", None)),
        ("cohere", (401, {"message": "invalid api token"}), ("auth_failed", None)),
        ("cohere", (402, {"message": "billing"}), ("quota_exhausted", None)),
        ("cohere", (404, {"message": "model 'x' not found"}), ("model_not_found", None)),
        ("cohere", (400, {"message": "too many tokens"}), ("probe_invalid", None)),
        ("cohere", (422, {"message": "invalid type"}), ("probe_invalid", None)),
        (
            "cohere",
            (429, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}),
            ("quota_exhausted", None),
        ),
        ("cohere", (499, {"message": "request cancelled"}), ("timeout", None)),
        ("azure-openai", (200, chosen(content="pong") | {"model": "gpt-4o-2024-08-06"}), ("ok", None)),
        (
            "azure-openai",
            (404, {"error": {"code": "DeploymentNotFound", "message": "It does not exist."}}),
            ("model_not_found", "DeploymentNotFound"),
        ),
        (
            "azure-openai",
            (404, {"error": {"code": "404", "message": "Resource not found"}}),
            ("probe_invalid", "404"),
        ),
        (
            "azure-openai",
            (401, {"error": {"code": "401", "message": "Access denied due to invalid subscription key"}}),
            ("auth_failed", "401"),
        ),
        (
            "azure-openai",
            (400, {"error": {"code": "OperationNotSupported", "message": "It does not work with this."}}),
            ("probe_invalid", "OperationNotSupported"),
        ),
        (
            "azure-openai",
            (400, {"error": {"code": "content_filter", "message": "filtered"}}),
            ("probe_invalid", "content_filter"),
        ),
        ("ollama", (200, {"model": "llama3:latest", **SPOKEN, "message": {"content": ""}}), ("ok", None)),
        ("ollama", (200, {"model": "qwen3", "message": {"content": "pong"}}), ("model_mismatch", None)),
        ("ollama", (200, '{"model": "a"}\n{"model": "b"}'), ("bad_response", None)),
        ("ollama", (404, {"error": "model 'llama3' not found"}), ("model_not_found", None)),
        (
            "ollama",
            (404, {"error": 'model "llama3" not found, try pulling it first'}),
            ("model_not_found", None),
        ),
        ("ollama", (404, "404 page not found"), ("probe_invalid", None)),
        ("ollama", (400, {"error": '"nomic" does not support chat'}), ("probe_invalid", None)),
        (
            "ollama",
            (500, {"error": "model requires more system memory than is available"}),
            ("overloaded", None),
        ),
        (
            "ollama",
            (503, {"error": "server busy, please try again. maximum pending requests exceeded"}),
            ("overloaded", None),
        ),
    ],
)
def test_an_answer_gets_its_outcome(kind, given, expected):
    status, body, *name = given
    headers = {"x_amzn_errortype": f"{name[0]}:http://internal.example/"} if name else {}
    sender = Scripted(answer(status, body, **headers))
    verdict = verified(kind, sender)
    wanted = (*expected, *name) if kind == "bedrock" and name else expected
    assert (verdict.outcome, verdict.provider_code)[: len(wanted)] == wanted, verdict.detail
    assert verdict.http_status == status
    assert KEY not in repr(verdict)


def test_a_model_that_an_inference_profile_runs_is_told_apart():
    sender = Scripted(answer(400, {"message": ON_DEMAND}, x_amzn_errortype="ValidationException"))
    verdict = verified("bedrock", sender)
    assert verdict.outcome == "probe_invalid"
    assert verdict.detail.endswith("such as us.anthropic.claude-sonnet-4-v1:0, as the model's")
    assert len(verdict.detail) <= 500


def test_a_model_that_can_be_pulled_says_how():
    verdict = verified("ollama", Scripted(answer(404, {"error": "model 'llama3' not found"})))
    assert verdict.detail.endswith("; ollama pull llama3")


def test_a_model_that_takes_its_time_may_be_loading():
    verdict = verified("ollama", Scripted(Verdict("timeout", "no answer within 5 s")))
    assert verdict.outcome == "timeout"
    assert "the first call loads the model" in verdict.detail


def test_watsonx_without_anybody_who_pays_is_not_asked():
    sender = Scripted(answer(200, {}))
    verdict = verified("watsonx", sender, environ={"WATSONX_APIKEY": KEY})
    assert (verdict.outcome, sender.asked) == ("secret_missing", [])
    assert "set WATSONX_PROJECT_ID or WATSONX_SPACE_ID" in verdict.detail


@pytest.mark.parametrize(
    ("credentials", "payer"),
    [
        ("kind", {"project_id": "a-project"}),
        ({"space_id": "env:TEAM_API_KEY"}, {"space_id": "a-space"}),
        ({"project_id": "env:TEAM_API_KEY"}, {"project_id": "a-space"}),
    ],
)
def test_watsonx_takes_the_project_or_space_that_the_provider_names(credentials, payer):
    sender = Scripted(answer(200, chosen(content="pong")))
    environ = {**ENVIRON, "TEAM_API_KEY": "a-space"}
    assert verified("watsonx", sender, environ=environ, credentials=credentials).outcome == "ok"
    body = json.loads(sender.generating[0].body)
    assert {name: body[name] for name in ("project_id", "space_id") if name in body} == payer


@pytest.mark.parametrize(
    ("base_url", "version", "path"),
    [
        ("", "", "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"),
        ("", "2099-01-01", "/openai/deployments/my-deployment/chat/completions?api-version=2099-01-01"),
        ("/openai", "", "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"),
        ("/openai/v1", "", "/openai/v1/chat/completions"),
        ("/openai/v1/", "2099-01-01", "/openai/v1/chat/completions"),
        ("", "v1", "/openai/v1/chat/completions"),
        ("", "preview", "/openai/v1/chat/completions?api-version=preview"),
    ],
)
def test_azure_is_asked_at_the_surface_and_version_that_is_meant(base_url, version, path):
    sender = Scripted(answer(200, chosen(content="pong")))
    environ = {**ENVIRON, "OPENAI_API_VERSION": version}
    url = f"{BASE_URLS['azure-openai']}{base_url}"
    assert verified("azure-openai", sender, base_url=url, environ=environ).outcome == "ok"
    (request,) = sender.generating
    assert request.url == f"{BASE_URLS['azure-openai']}{path}"
    assert json.loads(request.body)["model"] == "my-deployment"


@pytest.mark.parametrize(
    ("kind", "mode", "model", "url"),
    [
        ("anthropic", "chat", "claude-sonnet-4", "https://api.anthropic.com/v1/messages"),
        (
            "watsonx",
            "chat",
            "granite-3-8b",
            "https://us-south.ml.cloud.ibm.com/ml/v1/text/chat?version=2024-05-31",
        ),
        (
            "watsonx",
            "chat",
            "ibm/granite-13b-instruct-v2",
            "https://us-south.ml.cloud.ibm.com/ml/v1/text/generation?version=2024-05-31",
        ),
        (
            "watsonx",
            "completion",
            "granite-3-8b",
            "https://us-south.ml.cloud.ibm.com/ml/v1/text/generation?version=2024-05-31",
        ),
        (
            "watsonx",
            "embedding",
            "slate",
            "https://us-south.ml.cloud.ibm.com/ml/v1/text/embeddings?version=2024-05-31",
        ),
        (
            "watsonx",
            "rerank",
            "ms",
            "https://us-south.ml.cloud.ibm.com/ml/v1/text/rerank?version=2024-05-31",
        ),
        (
            "gemini",
            "chat",
            "gemini-2.5-pro",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:generateContent",
        ),
        (
            "gemini",
            "embedding",
            "gemini-embedding-001",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-embedding-001:embedContent",
        ),
        (
            "vertex",
            "chat",
            "gemini-2.5-pro",
            f"{ON_VERTEX}/google/models/gemini-2.5-pro:generateContent",
        ),
        (
            "vertex",
            "embedding",
            "text-embedding-005",
            f"{ON_VERTEX}/google/models/text-embedding-005:predict",
        ),
        (
            "vertex",
            "chat",
            "claude-3-5-haiku@20241022",
            f"{ON_VERTEX}/anthropic/models/claude-3-5-haiku%4020241022:rawPredict",
        ),
        (
            "bedrock",
            "chat",
            "us.amazon.nova-lite-v1:0",
            f"{BASE_URLS['bedrock']}/model/us.amazon.nova-lite-v1%3A0/converse",
        ),
        (
            "bedrock",
            "embedding",
            "amazon.titan-embed-text-v2:0",
            f"{BASE_URLS['bedrock']}/model/amazon.titan-embed-text-v2%3A0/invoke",
        ),
        ("cohere", "chat", "command-r", "https://api.cohere.com/v2/chat"),
        ("cohere", "embedding", "embed-v4.0", "https://api.cohere.com/v2/embed"),
        ("cohere", "rerank", "rerank-v3.5", "https://api.cohere.com/v2/rerank"),
        ("ollama", "chat", "llama3", "http://localhost:11434/api/chat"),
        ("ollama", "embedding", "nomic-embed-text", "http://localhost:11434/api/embed"),
        (
            "azure-openai",
            "embedding",
            "my-embeddings",
            f"{BASE_URLS['azure-openai']}/openai/deployments/my-embeddings/embeddings?api-version=2024-10-21",
        ),
    ],
)
def test_work_is_asked_where_its_mode_is_served(kind, mode, model, url):
    sender = Scripted(answer(500, {}))
    verified(kind, sender, mode=mode, model=model)
    assert [request.url for request in sender.generating] == [url]


@pytest.mark.parametrize(
    ("kind", "mode", "model", "words"),
    [
        ("bedrock", "embedding", "amazon.nova-2-multimodal-embeddings-v1:0", "does not know where"),
        ("bedrock", "rerank", "amazon.rerank-v1:0", "rerank"),
        ("vertex", "image", "imagen-4", "image"),
        ("anthropic", "embedding", "claude-x", "embedding"),
    ],
)
def test_what_is_not_known_how_to_ask_is_not_asked(kind, mode, model, words):
    sender = Scripted(answer(200, {}))
    verdict = verified(kind, sender, mode=mode, model=model)
    assert (verdict.outcome, sender.generating) == ("unprobeable", [])
    assert words in verdict.detail


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("acme.embed-1", "only Titan and Cohere models are known to embed"),
        ("amazon.titan-embed-text-v2:0", ""),
    ],
)
def test_a_kind_of_somebodys_own_embeds_at_bedrock_with_known_families_only(model, words):
    endpoint = Endpoint("embedding", "/model/{model}/invoke")
    kind = ProviderKind("mine", "bedrock", endpoints=(endpoint,), built_in=False)
    composed = protocol("bedrock").compose(Work(kind, model, "embedding", endpoint, Prompt("ping"), Wired()))
    assert composed.detail.startswith(words) if words else composed.body == {"inputText": "ping"}


def test_a_deployment_is_never_taken_for_another_model_by_its_name():
    endpoint = Endpoint("chat", "/openai/deployments/{model}/chat/completions")
    kind = ProviderKind("mine", "azure-openai", endpoints=(endpoint,), built_in=False)
    work = Work(kind, "my-deployment", "chat", endpoint, Prompt("ping"), Wired())
    reply = protocol("azure-openai").read(work, answer(200, chosen(content="pong") | {"model": "gpt-4o"}))
    assert (reply.text, reply.model) == ("pong", None)


@pytest.mark.parametrize("given", ["http://localhost:11434/v1", "http://localhost:11434/api/"])
def test_ollama_is_asked_below_its_root(given):
    sender = Scripted(answer(200, {"model": "llama3", "message": {"content": "pong"}}))
    assert verified("ollama", sender, base_url=given).outcome == "ok"
    assert sender.generating[0].url == "http://localhost:11434/api/chat"


def test_bedrock_generates_where_models_run_whatever_host_is_named():
    control = "https://bedrock.us-east-1.amazonaws.com"
    for base_url in (BASE_URLS["bedrock"], control):
        sender = Scripted(answer(200, CONVERSED))
        keys = {"AWS_ACCESS_KEY_ID": AWS_ID, "AWS_SECRET_ACCESS_KEY": AWS_SECRET}
        assert verified("bedrock", sender, base_url=base_url, environ=keys).outcome == "ok"
        (request,) = sender.generating
        assert request.url.startswith(f"{BASE_URLS['bedrock']}/model/")
        assert request.signer is not None


@pytest.mark.parametrize(
    ("control", "runtime"),
    [
        ("https://bedrock.us-east-1.amazonaws.com", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        (
            "https://bedrock-fips.us-east-1.amazonaws.com",
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
        ),
        ("https://vpce-1.bedrock.example", "https://vpce-1.bedrock.example"),
        ("https://127.0.0.1:8443/bedrock", "https://127.0.0.1:8443/bedrock"),
    ],
)
def test_each_host_of_bedrock_is_known_by_the_other(control, runtime):
    assert runtime_url(control) == runtime_url(runtime) == runtime
    assert control_url(runtime) == control_url(control) == control
