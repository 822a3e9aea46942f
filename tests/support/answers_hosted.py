"""Answers of providers that speak OpenAI's protocol with manners of their own, as references record them."""

from support.answers_recorded import at, chat, embedding, error, listed, waiting

_BOTH = "model generate"
_ALL = "credential model generate"
_INVALID = "invalid_request_error"


def _model(name, **fields):
    return {"id": name, "object": "model", "created": 1, **fields}


_UNKNOWN_TO_MISTRAL = {
    "object": "error",
    "message": "Invalid model: x",
    "type": "invalid_model",
    "code": 1500,
}
_LACKING = [{"loc": ["body", "messages"], "msg": "Field required"}]
MISTRAL = (
    *at("credential", 200, listed("mistral-large-latest"), "ok"),
    *at("model", 200, _model("mistral-large-2411", deprecation=None, aliases=["mistral-large-latest"]), "ok"),
    # A day that is told beforehand is no withdrawal.
    *at("model", 200, _model("mistral-large-latest", deprecation="2025-11-30T12:00:00Z"), "ok"),
    *at("generate", 200, chat("mistral-large-latest"), "ok"),
    *at(_ALL, 401, {"message": "Unauthorized", "request_id": "r"}, "auth_failed"),
    *at(_ALL, 401, {"detail": "Unauthorized"}, "auth_failed"),
    *at(_BOTH, 400, _UNKNOWN_TO_MISTRAL, "model_not_found", "1500"),
    *at("model", 404, {"detail": "Not Found"}, "model_not_found", beside=listed("mistral-small")),
    *at("model", 404, {"detail": "Not Found"}, "probe_invalid"),
    *at("generate", 422, {"object": "error", "detail": _LACKING}, "probe_invalid"),
    *at("generate", 402, {"message": "Payment required"}, "quota_exhausted"),
    *waiting(_ALL, 429, {"message": "Requests rate limit exceeded"}),
    *at(_ALL, 503, {"message": "Service unavailable"}, "overloaded"),
)

_GROQ_GONE = "The model `mixtral-8x7b` has been decommissioned and is no longer supported."
GROQ = (
    *at("credential", 200, listed("llama-3.3-70b-versatile"), "ok"),
    *at("model", 200, _model("llama-3.3-70b-versatile", active=True, context_window=131072), "ok"),
    *at("generate", 200, chat("llama-3.3-70b-versatile", x_groq={"id": "req"}), "ok"),
    *at(
        "generate", 200, {"text": " ok", "x_groq": {"id": "r"}}, "ok", model="whisper-large-v3", mode="audio"
    ),
    *at(
        _ALL,
        401,
        error("Invalid API Key", type=_INVALID, code="invalid_api_key"),
        "auth_failed",
        "invalid_api_key",
    ),
    *at(_ALL, 403, error("Forbidden"), "forbidden"),
    *at(
        _BOTH,
        404,
        error(
            "The model `x` does not exist or you do not have access to it.",
            type=_INVALID,
            code="model_not_found",
        ),
        "model_not_found",
        "model_not_found",
    ),
    *at(
        "generate",
        400,
        error(_GROQ_GONE, type=_INVALID, code="model_decommissioned"),
        "model_withdrawn",
        "model_decommissioned",
    ),
    *at(
        "generate",
        400,
        error(
            "The model `playai-tts` requires terms acceptance.", type=_INVALID, code="model_terms_required"
        ),
        "forbidden",
        "model_terms_required",
    ),
    *at(
        "generate",
        413,
        error("Request too large", type="tokens", code="rate_limit_exceeded"),
        "probe_invalid",
        "rate_limit_exceeded",
    ),
    *at(
        "generate",
        402,
        error("Billing hard limit", code="billing_hard_limit"),
        "quota_exhausted",
        "billing_hard_limit",
    ),
    *waiting(
        _ALL,
        429,
        error("Rate limit reached", type="tokens", code="rate_limit_exceeded"),
        "rate_limit_exceeded",
    ),
    *at(
        "generate",
        498,
        error("Flex tier capacity exceeded", code="capacity_exceeded"),
        "overloaded",
        "capacity_exceeded",
    ),
    *at("generate", 498, "", "overloaded"),
    *at(
        _ALL,
        503,
        error("Service unavailable", type="internal_server_error"),
        "overloaded",
        "internal_server_error",
    ),
)

_DEEPSEEK = "deepseek-ai/DeepSeek-V3"
TOGETHER = (
    # A bare list, which is no list of anything to other providers.
    *at("credential model", 200, [_model(_DEEPSEEK, type="chat", context_length=131072)], "ok"),
    *at("model", 200, [_model("Qwen/Qwen3-32B")], "model_not_found"),
    *at("model", 200, {"data": [_model(_DEEPSEEK)]}, "bad_response"),
    *at("generate", 200, chat(_DEEPSEEK), "ok"),
    *at(
        "generate",
        200,
        embedding("BAAI/bge-base-en-v1.5"),
        "ok",
        model="BAAI/bge-base-en-v1.5",
        mode="embedding",
    ),
    *at(
        _ALL,
        401,
        error("Invalid API key provided.", type=_INVALID, code="invalid_api_key"),
        "auth_failed",
        "invalid_api_key",
    ),
    *at(
        "generate",
        402,
        error("You have reached your spend limit", type="credit_limit"),
        "quota_exhausted",
        "credit_limit",
    ),
    *at(
        "generate",
        403,
        error("The sum of input tokens and max_tokens must be at most the context of 4096", type=_INVALID),
        "probe_invalid",
        _INVALID,
    ),
    *at("generate", 403, error("You may not use this"), "forbidden"),
    *at(
        "generate",
        400,
        error(
            "Unable to access non-serverless model x. Create a dedicated endpoint.",
            code="model_not_available",
        ),
        "forbidden",
        "model_not_available",
    ),
    *at(
        "generate",
        404,
        error("Unable to access model x.", code="model_not_available"),
        "model_not_found",
        "model_not_available",
    ),
    *waiting(_ALL, 429, error("You have reached the rate limit", code="rate_limit"), "rate_limit"),
    *at(
        _ALL, 503, error("The engine is currently overloaded", type="overloaded"), "overloaded", "overloaded"
    ),
)

_FIREWORKS = "accounts/fireworks/models/deepseek-v3p1"
FIREWORKS = (
    *at("credential", 200, listed(_FIREWORKS), "ok"),
    *at("generate", 200, chat(_FIREWORKS), "ok"),
    *at("generate", 200, chat("deepseek-v3p1"), "ok"),
    *at(
        "credential generate",
        401,
        error("The API key you provided is invalid.", code="UNAUTHORIZED"),
        "auth_failed",
        "UNAUTHORIZED",
    ),
    *at("credential generate", 403, error("Forbidden", code="FORBIDDEN"), "forbidden", "FORBIDDEN"),
    *at(
        "generate",
        404,
        error("Model not found, inaccessible, and/or not deployed", type=_INVALID, code="NOT_FOUND"),
        "model_not_found",
        "NOT_FOUND",
    ),
    *at(
        "credential generate",
        412,
        error("Account x is suspended", code="PRECONDITION_FAILED"),
        "quota_exhausted",
        "PRECONDITION_FAILED",
    ),
    *at("generate", 402, error("Payment required"), "quota_exhausted"),
    *waiting("credential generate", 429, error("rate limit exceeded")),
    *at("credential generate", 503, error("deployment overloaded"), "overloaded"),
)

_RICH = {"is_available": True, "balance_infos": [{"currency": "USD", "total_balance": "4.20"}]}
DEEPSEEK = (
    *at("credential", 200, _RICH, "ok"),
    *at("model", 200, listed("deepseek-chat", "deepseek-reasoner"), "ok"),
    *at("model", 200, listed("deepseek-v4-pro"), "model_not_found"),
    *at("generate", 200, chat("deepseek-chat"), "ok"),
    *at("generate", 200, chat("deepseek-v4-flash"), "ok"),
    *at(
        _ALL,
        401,
        error("Authentication Fails, Your api key is invalid", type="authentication_error", code=_INVALID),
        "auth_failed",
        _INVALID,
    ),
    *at(
        "generate",
        402,
        error("Insufficient Balance", type="unknown_error", code=_INVALID),
        "quota_exhausted",
        _INVALID,
    ),
    *at("generate", 400, error("Model Not Exist", type=_INVALID, code=_INVALID), "model_not_found", _INVALID),
    *at("generate", 422, error("Invalid parameters", type=_INVALID), "probe_invalid", _INVALID),
    *waiting(_ALL, 429, error("Too many requests", type="rate_limit"), "rate_limit"),
    *at(_ALL, 503, error("Server overloaded", type="server_error"), "overloaded", "server_error"),
)

_ACLS = ["api-key:model:*", "api-key:endpoint:*"]
_XAI_KEY = {"redacted_api_key": "xai-...b14o", "name": "ci", "acls": _ACLS, "team_id": "t"}
_OPEN = {"team_blocked": False, "api_key_blocked": False, "api_key_disabled": False}
XAI = (
    *at("credential", 200, _XAI_KEY | _OPEN, "ok"),
    *at("model", 200, _model("grok-3", owned_by="xai"), "ok"),
    *at("generate", 200, chat("grok-3"), "ok"),
    # A bad key is a bad request there.
    *at(
        _ALL,
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***yz."},
        "auth_failed",
        "Client specified an invalid argument",
    ),
    *at(
        _ALL,
        401,
        {"code": "Unauthenticated", "error": "No credentials were given."},
        "auth_failed",
        "Unauthenticated",
    ),
    *at(
        _ALL,
        403,
        {"code": "PermissionDenied", "error": "The team is blocked."},
        "forbidden",
        "PermissionDenied",
    ),
    *at(
        "generate",
        403,
        {"code": "PermissionDenied", "error": "Your newly created team doesn't have any credits yet."},
        "quota_exhausted",
        "PermissionDenied",
    ),
    *at(
        _BOTH,
        404,
        {
            "code": "NotFound",
            "error": "The model grok-9 does not exist or your team does not have access to it.",
        },
        "model_not_found",
        "NotFound",
    ),
    *at("generate", 422, "Failed to deserialize the JSON body", "probe_invalid"),
    *at(
        "generate",
        429,
        {"code": "ResourceExhausted", "error": "Your team has used all available credits."},
        "quota_exhausted",
        "ResourceExhausted",
    ),
    *waiting(_ALL, 429, {"code": "ResourceExhausted", "error": "Too many requests"}, "ResourceExhausted"),
    *at(
        _ALL,
        503,
        {"code": "Unavailable", "error": "The service is at capacity."},
        "overloaded",
        "Unavailable",
    ),
)

_UPSTREAM = {"message": "Provider returned error", "code": 502}
_CREDITS = {"limit_source": "openrouter_credits"}
OPENROUTER = (
    *at("credential", 200, {"data": {"label": "sk-or-v1-a...b", "usage": 1.5, "limit": None}}, "ok"),
    *at("generate", 200, chat("openai/gpt-4o", provider="Azure"), "ok"),
    # Whoever runs it spells it in its own way.
    *at(
        "generate",
        200,
        chat("anthropic/claude-4.5-sonnet-20250929"),
        "ok",
        model="anthropic/claude-sonnet-4.5",
    ),
    *at("generate", 200, {"id": "g-1", "error": _UPSTREAM}, "bad_response", "502"),
    *at("credential generate", 401, error("No auth credentials found", code=401), "auth_failed", "401"),
    *at("generate", 400, error("openai/gpt-9 is not a valid model ID", code=400), "model_not_found", "400"),
    *at(
        "generate", 402, error("Insufficient credits", code=402, metadata=_CREDITS), "quota_exhausted", "402"
    ),
    *at("generate", 403, error("Key limit exceeded (total limit).", code=403), "quota_exhausted", "403"),
    *at("generate", 403, error("The input was flagged by moderation", code=403), "probe_invalid", "403"),
    *at("generate", 404, error("No endpoints found for x/y.", code=404), "model_not_found", "404"),
    *at(
        "generate", 404, error("No endpoints found matching your data policy.", code=404), "forbidden", "404"
    ),
    *at(
        "generate",
        404,
        error("No endpoints found that support the parameters.", code=404),
        "probe_invalid",
        "404",
    ),
    *at("generate", 408, error("Timed out", code=408), "timeout", "408"),
    *waiting("credential generate", 429, error("Rate limit exceeded", code=429), "429"),
    *at("generate", 502, error("Upstream is down", code=502), "overloaded", "502"),
    *at("generate", 503, error("No provider meets the routing", code=503), "overloaded", "503"),
)

_UNSUPPORTED = "The requested model 'x' is not supported by any provider you have enabled."
HUGGINGFACE = (
    *at("credential", 200, {"type": "user", "name": "ci", "auth": {"type": "access_token"}}, "ok"),
    *at("generate", 200, chat("accounts/fireworks/models/qwen3-coder-next"), "ok"),
    *at("credential generate", 401, {"error": "Invalid username or password."}, "auth_failed"),
    *at("generate", 403, {"error": "This token may not call inference providers."}, "forbidden"),
    *at(
        "generate",
        400,
        error(_UNSUPPORTED, type=_INVALID, param="model", code="model_not_supported"),
        "model_not_found",
        "model_not_supported",
    ),
    *at("generate", 402, {"error": "You have exceeded your monthly included credits."}, "quota_exhausted"),
    *at(
        "generate",
        422,
        {"error": "Input validation error", "error_type": "validation"},
        "probe_invalid",
        "validation",
    ),
    *waiting("credential generate", 429, {"error": "Too many requests"}),
    *at(
        "generate",
        424,
        {"error": "Generation failed", "error_type": "generation"},
        "overloaded",
        "generation",
    ),
    *at("credential generate", 503, {"error": "Service unavailable"}, "overloaded"),
)


def _problem(status, title, detail):
    return {"status": status, "title": title, "detail": detail}


_FUNCTION = "Function '00000000-0000-4000-8000-000000000000': Not found for account 'abc'"
NVIDIA = (
    *at("generate", 200, chat("meta/llama-3.3-70b-instruct"), "ok"),
    # Bodies without an error in them.
    *at("generate", 401, _problem(401, "Unauthorized", "Bearer token is malformed"), "auth_failed", "401"),
    *at("generate", 403, _problem(403, "Forbidden", "Authorization failed"), "auth_failed", "403"),
    *at("generate", 403, _problem(403, "Forbidden", "Public API Endpoints are off"), "forbidden", "403"),
    *at("generate", 404, _problem(404, "Not Found", _FUNCTION), "forbidden", "404"),
    *at(
        "generate",
        404,
        error("The model `x` does not exist.", type="NotFoundError", code=404),
        "model_not_found",
        "404",
    ),
    *at(
        "generate",
        410,
        _problem(410, "Gone", "The function has reached its end of life"),
        "model_withdrawn",
        "410",
    ),
    *at(
        "generate", 402, _problem(402, "Payment Required", "Account has no credits"), "quota_exhausted", "402"
    ),
    *at(
        "generate",
        400,
        _problem(400, "Bad Request", "DEGRADED function cannot be invoked"),
        "overloaded",
        "400",
    ),
    *waiting("generate", 429, _problem(429, "Too Many Requests", "Slow down"), "429"),
    *at("generate", 503, _problem(503, "Service Unavailable", "No workers"), "overloaded", "503"),
)

CEREBRAS = (
    *at("credential", 200, listed("llama3.1-8b"), "ok"),
    *at("model", 200, _model("llama3.1-8b", owned_by="Meta"), "ok"),
    *at("generate", 200, chat("llama3.1-8b", time_info={"total_time": 0.1}), "ok"),
    *at(
        _ALL,
        401,
        {"message": "Wrong API Key", "type": _INVALID, "code": "wrong_api_key"},
        "auth_failed",
        "wrong_api_key",
    ),
    *at(
        _BOTH,
        404,
        {"message": "Model x does not exist or you do not have access to it.", "code": "model_not_found"},
        "model_not_found",
        "model_not_found",
    ),
    *at(
        "generate",
        402,
        {"message": "Payment required", "code": "payment_required"},
        "quota_exhausted",
        "payment_required",
    ),
    *waiting(
        _ALL,
        429,
        {"message": "Too many requests", "code": "request_quota_exceeded"},
        "request_quota_exceeded",
    ),
    *at(_ALL, 503, {"message": "Overloaded", "code": "server_overloaded"}, "overloaded", "server_overloaded"),
)

_NO_SONAR = "Invalid model 'x'. Permitted models can be found in the documentation."
PERPLEXITY = (
    *at("generate", 200, chat("sonar-pro", citations=["https://example.com"]), "ok"),
    *at("generate", 401, "<html>401 Authorization Required</html>", "auth_failed"),
    *at("generate", 400, error(_NO_SONAR, type="invalid_model", code=400), "model_not_found", "400"),
    *at(
        "generate",
        401,
        error("You exceeded your current quota", type="insufficient_quota", code=401),
        "quota_exhausted",
        "401",
    ),
    *waiting("generate", 429, error("Request rate limit exceeded", type="rate_limit", code=429), "429"),
    *at("generate", 500, error("Internal server error", code=500), "overloaded", "500"),
)

KINDS = {
    "mistral": MISTRAL,
    "groq": GROQ,
    "together": TOGETHER,
    "fireworks": FIREWORKS,
    "deepseek": DEEPSEEK,
    "xai": XAI,
    "openrouter": OPENROUTER,
    "huggingface": HUGGINGFACE,
    "nvidia": NVIDIA,
    "cerebras": CEREBRAS,
    "perplexity": PERPLEXITY,
}
# Successes that say no: the kind, the level, the entry or answer, and what it means.
DENIALS = (
    (
        "xai",
        "credential",
        _XAI_KEY | _OPEN | {"api_key_blocked": True},
        ("auth_failed", "api_key_blocked=true"),
    ),
    (
        "xai",
        "credential",
        _XAI_KEY | _OPEN | {"api_key_disabled": True},
        ("auth_failed", "api_key_disabled=true"),
    ),
    ("xai", "credential", _XAI_KEY | _OPEN | {"team_blocked": True}, ("forbidden", "team_blocked=true")),
    ("xai", "credential", _XAI_KEY | _OPEN, None),
    ("xai", "credential", [], None),
    ("deepseek", "credential", _RICH | {"is_available": False}, ("quota_exhausted", "is_available=false")),
    ("deepseek", "credential", _RICH | {"is_available": 0}, None),
    ("deepseek", "credential", _RICH, None),
    ("groq", "model", _model("llama-guard-3-8b", active=False), ("model_withdrawn", "active=false")),
    ("groq", "model", _model("llama-guard-3-8b"), None),
)
