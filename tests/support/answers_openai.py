"""Answers of OpenAI and of the servers and proxies that copy it closely, as their references record them."""

from support.answers_recorded import at, chat, embedding, error, listed, waiting

_BOTH = "model generate"
_ALL = "credential model generate"
_INVALID = "invalid_request_error"

OPENAI = (
    *at("credential", 200, listed("gpt-4o", "gpt-4o-mini"), "ok"),
    *at("model", 200, {"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}, "ok"),
    *at("model", 200, {"id": "gpt-4o-mini", "object": "model"}, "model_mismatch"),
    *at("generate", 200, chat("gpt-4o-2024-08-06"), "ok"),
    *at("generate", 200, chat("gpt-4o", "", "length"), "ok"),
    *at("generate", 200, chat("gpt-3.5-turbo-0125"), "model_mismatch"),
    *at("generate", 200, {**chat("gpt-4o"), "choices": []}, "bad_response"),
    *at(
        "generate",
        200,
        embedding("text-embedding-3-small"),
        "ok",
        model="text-embedding-3-small",
        mode="embedding",
    ),
    *at(
        "generate",
        200,
        {"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": [{"flagged": False}]},
        "ok",
        model="omni-moderation-latest",
        mode="moderation",
    ),
    *at(
        _ALL,
        401,
        error("Incorrect API key provided: sk-x", type=_INVALID, param=None, code="invalid_api_key"),
        "auth_failed",
        "invalid_api_key",
    ),
    *at(
        _ALL,
        401,
        error("Your IP is not allowed.", code="ip_not_authorized"),
        "forbidden",
        "ip_not_authorized",
    ),
    *at(
        _ALL,
        403,
        error("Country, region, or territory not supported", code="unsupported_country_region_territory"),
        "wrong_region",
        "unsupported_country_region_territory",
    ),
    *at(
        _BOTH,
        404,
        error(
            "The model `gpt-9` does not exist or you do not have access to it.",
            type=_INVALID,
            param="model",
            code="model_not_found",
        ),
        "model_not_found",
        "model_not_found",
    ),
    *at(
        "generate",
        404,
        error(
            "This is not a chat model and thus not supported in the v1/chat/completions endpoint.",
            type=_INVALID,
        ),
        "probe_invalid",
        _INVALID,
    ),
    *at(
        "generate",
        404,
        error("This model is only supported in v1/responses and not in v1/chat/completions.", type=_INVALID),
        "probe_invalid",
        _INVALID,
    ),
    *at(
        "generate",
        400,
        error("Unsupported parameter: 'top_k'", type=_INVALID, param="top_k", code="unsupported_parameter"),
        "probe_invalid",
        "unsupported_parameter",
    ),
    *at(
        "generate",
        429,
        error("You exceeded your current quota.", type="insufficient_quota", code="insufficient_quota"),
        "quota_exhausted",
        "insufficient_quota",
    ),
    *at(
        "generate",
        429,
        error("No credit is left.", type="insufficient_quota", code="credit_balance_exhausted"),
        "quota_exhausted",
        "credit_balance_exhausted",
    ),
    *waiting(
        _ALL,
        429,
        error("Rate limit reached", type="requests", code="rate_limit_exceeded"),
        "rate_limit_exceeded",
    ),
    *at(_ALL, 500, error("The server had an error", type="server_error"), "overloaded", "server_error"),
    *waiting(_ALL, 503, error("Slow down", code="slow_down"), "slow_down", outcome="overloaded"),
    *at(_ALL, 502, "<html>Bad gateway</html>", "overloaded"),
)

_RESOURCE = error("Resource not found", code="404")
_LIMIT = "Requests have exceeded the call rate limit of your tier. Please retry after 7 seconds."
AZURE = (
    *at("credential", 200, listed("gpt-4", "gpt-4o"), "ok"),
    # The name in the answer is the model's, not the deployment's.
    *at("generate", 200, chat("gpt-4o-2024-08-06"), "ok"),
    *at(
        "credential generate",
        401,
        error("Access denied due to invalid subscription key or wrong API endpoint.", code="401"),
        "auth_failed",
        "401",
    ),
    *at("credential generate", 403, error("Virtual network rules deny it.", code="403"), "forbidden", "403"),
    *at(
        "generate",
        404,
        error("The API deployment for this resource does not exist.", code="DeploymentNotFound"),
        "model_not_found",
        "DeploymentNotFound",
    ),
    *at("credential", 404, _RESOURCE, "probe_invalid", "404"),
    *at("generate", 404, _RESOURCE, "probe_invalid", "404"),
    *at(
        "generate",
        400,
        error("The chatCompletion operation does not work with the model.", code="OperationNotSupported"),
        "probe_invalid",
        "OperationNotSupported",
    ),
    *at(
        "generate",
        429,
        error("You exceeded your current quota.", type="insufficient_quota", code="insufficient_quota"),
        "quota_exhausted",
        "insufficient_quota",
    ),
    *waiting("credential generate", 429, error(_LIMIT, code="429"), "429"),
    *at("credential generate", 503, error("The server is busy", code="503"), "overloaded", "503"),
)

GITHUB = (
    *at("generate", 200, chat("gpt-4.1-2025-04-14"), "ok"),
    *at("generate", 401, error("Bad credentials", code="unauthorized"), "auth_failed", "unauthorized"),
    *at(
        "generate",
        401,
        error("The `models` permission is required to access this endpoint", code="unauthorized"),
        "forbidden",
        "unauthorized",
    ),
    *at(
        "generate",
        403,
        error("No access to model: openai/gpt-4.1", code="no_access"),
        "forbidden",
        "no_access",
    ),
    *at(
        "generate",
        404,
        error("Unknown model: openai/gpt-9", code="unknown_model"),
        "model_not_found",
        "unknown_model",
    ),
    *at(
        "generate",
        413,
        error("Request body too large", code="tokens_limit_reached"),
        "probe_invalid",
        "tokens_limit_reached",
    ),
    *at("generate", 402, error("Your budget is used up", code="budget"), "quota_exhausted", "budget"),
    *waiting(
        "generate",
        429,
        error("Rate limit of 15 per 60s exceeded", code="RateLimitReached"),
        "RateLimitReached",
    ),
    *at("generate", 503, "upstream connect error", "overloaded"),
)

_LITELLM_UNKNOWN = (
    "/chat/completions: Invalid model name passed in model=x. Call `/v1/models` to view your models."
)
LITELLM = (
    *at("credential model", 200, listed("our-alias"), "ok"),
    *at("generate", 200, chat("gpt-4o-2024-08-06"), "ok"),
    *at("model", 200, listed("another-alias"), "model_not_found"),
    *at(
        _ALL,
        401,
        error(
            "Authentication Error, Invalid proxy server token passed.",
            type="auth_error",
            param="None",
            code="401",
        ),
        "auth_failed",
        "401",
    ),
    *at(
        "generate",
        401,
        error("key not allowed to access model.", type="key_model_access_denied", param="model", code="401"),
        "forbidden",
        "401",
    ),
    *at(
        "generate",
        400,
        error(_LITELLM_UNKNOWN, type=_INVALID, param="model", code="400"),
        "model_not_found",
        "400",
    ),
    *at(
        "generate",
        400,
        error(
            "Budget has been exceeded! Current cost: 2.0, Max budget: 1.0", type="budget_exceeded", code="400"
        ),
        "quota_exhausted",
        "400",
    ),
    *waiting(
        "generate", 429, error("No deployments available for selected model", type="None", code="429"), "429"
    ),
    *at(
        "generate",
        503,
        error("ServiceUnavailableError: upstream", type="None", code="503"),
        "overloaded",
        "503",
    ),
)

_NOT_SERVED = {
    "object": "error",
    "message": "The model `x` does not exist.",
    "type": "NotFoundError",
    "param": None,
    "code": 404,
}
VLLM = (
    *at("credential model", 200, listed("my-model", owned_by="vllm", max_model_len=4096), "ok"),
    *at("model", 200, listed("another-model"), "model_not_found"),
    *at("generate", 200, chat("my-model"), "ok"),
    *at("generate", 200, chat("another-model"), "model_mismatch"),
    *at(_ALL, 401, {"error": "Unauthorized"}, "auth_failed"),
    *at("generate", 404, _NOT_SERVED, "model_not_found", "404"),
    *at("generate", 404, {"error": _NOT_SERVED}, "model_not_found", "404"),
    *at(
        "generate",
        400,
        error("maximum context length is 10 tokens", type="BadRequestError"),
        "probe_invalid",
        "BadRequestError",
    ),
    *waiting("generate", 429, {"error": "Too many requests"}),
    *at(_ALL, 503, {"error": "Model is loading"}, "overloaded"),
)

# A server of the kind that is nobody's in particular: a status is all that is certain.
COMPATIBLE = (
    *at("credential model", 200, listed("my-model"), "ok"),
    *at("model", 200, listed("another-model"), "model_not_found"),
    *at("generate", 200, chat("my-model"), "ok"),
    *at("generate", 200, chat("stories260k.gguf"), "model_mismatch"),
    *at("generate", 200, {"error": {"message": "Loading model", "code": 503}}, "bad_response", "503"),
    *at("generate", 200, "<html>Welcome</html>", "bad_response"),
    *at(_ALL, 401, error("Invalid API Key", type="authentication_error", code=401), "auth_failed", "401"),
    *at("credential model", 404, "Not found", "probe_invalid"),
    *at("credential model", 405, "", "unprobeable"),
    *at(
        "generate",
        404,
        error("model 'x' not found", code="model_not_found"),
        "model_not_found",
        "model_not_found",
    ),
    *at("generate", 402, error("Pay first"), "quota_exhausted"),
    *waiting("generate", 429, error("Too many requests")),
    *at(_ALL, 503, error("Loading model", type="unavailable_error", code=503), "overloaded", "503"),
)

LMSTUDIO = (
    *at("credential model", 200, listed("llama-3.2-3b-instruct"), "ok"),
    *at("model", 200, listed("another-model"), "model_not_found"),
    *at("generate", 200, chat("llama-3.2-3b-instruct"), "ok"),
    # It answers with whatever is loaded where a name is unknown to it.
    *at("generate", 200, chat("gemma-3-4b-it"), "model_mismatch"),
    *at(_ALL, 401, error("Unauthorized"), "auth_failed"),
    *at(
        "generate",
        404,
        error("Model not found: x", type=_INVALID, code="model_not_found"),
        "model_not_found",
        "model_not_found",
    ),
    *waiting("generate", 429, error("Too many requests")),
    *at("generate", 500, {"error": "Failed to load model"}, "overloaded"),
)

KINDS = {
    "openai": OPENAI,
    "azure-openai": AZURE,
    "github-models": GITHUB,
    "litellm": LITELLM,
    "vllm": VLLM,
    "openai-compatible": COMPATIBLE,
    "lmstudio": LMSTUDIO,
}
