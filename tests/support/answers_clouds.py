"""Answers of providers with a protocol of their own, as their references record them."""

from support.answers_recorded import at, waiting

_BOTH = "model generate"
_ALL = "credential model generate"


def _refused(kind, message):
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def _claude(model, text="ok"):
    said = [{"type": "text", "text": text}] if text else []
    usage = {"input_tokens": 9, "output_tokens": 4}
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": said}
    return {**told, "stop_reason": "end_turn" if text else "max_tokens", "usage": usage}


_SONNET = "claude-sonnet-4-20250514"
_BOTH_GIVEN = "`temperature` and `top_p` cannot both be specified for this model."
ANTHROPIC = (
    *at("credential", 200, {"data": [{"type": "model", "id": _SONNET}], "has_more": True}, "ok"),
    *at("model", 200, {"type": "model", "id": _SONNET, "display_name": "Claude Sonnet 4"}, "ok"),
    *at("model", 200, {"type": "model", "id": "claude-opus-4-20250514"}, "model_mismatch"),
    *at("generate", 200, _claude(_SONNET), "ok"),
    *at("generate", 200, _claude(_SONNET, ""), "ok"),
    *at("generate", 200, _claude("claude-3-haiku-20240307"), "model_mismatch"),
    *at("generate", 200, _claude(_SONNET), "ok", model="claude-sonnet-4-0"),
    *at(
        _ALL,
        401,
        _refused("authentication_error", "invalid x-api-key"),
        "auth_failed",
        "authentication_error",
    ),
    *at(
        _ALL,
        403,
        _refused("permission_error", "Your API key may not use it"),
        "forbidden",
        "permission_error",
    ),
    *at(_BOTH, 404, _refused("not_found_error", "model: claude-9"), "model_not_found", "not_found_error"),
    *at(
        "generate",
        400,
        _refused("invalid_request_error", _BOTH_GIVEN),
        "probe_invalid",
        "invalid_request_error",
    ),
    *at(
        "generate",
        400,
        _refused(
            "invalid_request_error", "You have reached your specified API usage limits: spend limit reached"
        ),
        "quota_exhausted",
        "invalid_request_error",
    ),
    *at("generate", 402, _refused("billing_error", "Check your billing"), "quota_exhausted", "billing_error"),
    *at("generate", 413, _refused("request_too_large", "Too large"), "probe_invalid", "request_too_large"),
    *waiting(_ALL, 429, _refused("rate_limit_error", "Too many requests"), "rate_limit_error"),
    *at(_ALL, 500, _refused("api_error", "Internal server error"), "overloaded", "api_error"),
    *at("generate", 504, _refused("timeout_error", "The request timed out"), "timeout", "timeout_error"),
    # A status of its own, and no limit of the account's.
    *at(_ALL, 529, _refused("overloaded_error", "Overloaded"), "overloaded", "overloaded_error"),
)

_LLAMA = "meta-llama/llama-3-3-70b-instruct"
_GRANITE = "ibm/granite-13b-instruct-v2"


def _specs(*resources, total=None):
    return {
        "total_count": len(resources) if total is None else total,
        "limit": 200,
        "resources": list(resources),
    }


def _spec(model, *phases):
    lifecycle = [{"id": name, "start_date": day} for name, day in phases]
    return {"model_id": model, "label": "m", "functions": [{"id": "text_chat"}], "lifecycle": lifecycle}


def _ibm(code, message):
    return {"errors": [{"code": code, "message": message, "more_info": ""}], "trace": "t", "status_code": 400}


def _said(model):
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    return {
        "id": "chat-1",
        "model_id": model,
        "model": model,
        "choices": [choice],
        "usage": {"prompt_tokens": 9},
    }


_WRITTEN = {
    "generated_text": " ok",
    "generated_token_count": 1,
    "input_token_count": 9,
    "stop_reason": "eos_token",
}
_TOKEN = {"access_token": "canary-token", "refresh_token": "not_supported", "expires_in": 3600}
_UNKNOWN_KEY = {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}
WATSONX = (
    *at("credential", 200, _TOKEN, "ok"),
    *at("credential", 400, _UNKNOWN_KEY, "auth_failed", "BXNIM0415E"),
    *waiting(
        "credential", 429, {"errorCode": "BXNIM0429E", "errorMessage": "Too many requests"}, "BXNIM0429E"
    ),
    *at("credential", 503, "<html>503</html>", "overloaded"),
    *at("model", 200, _specs(_spec(_LLAMA, ("available", "2024-12-06"))), "ok"),
    *at("model", 200, _specs(_spec("ibm/granite-4-h")), "model_not_found"),
    *at("model", 200, _specs(_spec("ibm/granite-4-h"), total=201), "unprobeable"),
    *at(
        "model",
        200,
        _specs(_spec(_LLAMA, ("available", "2024-01-01"), ("withdrawn", "2025-06-01"))),
        "model_withdrawn",
        "withdrawn",
    ),
    *at("model", 200, _specs(_spec(_LLAMA, ("withdrawn", "2026-06-01"))), "ok"),
    *at("model", 503, "", "overloaded"),
    *at("generate", 200, _said(_LLAMA), "ok"),
    *at("generate", 200, {"model_id": _GRANITE, "results": [_WRITTEN]}, "ok", model=_GRANITE),
    *at("generate", 200, _said("ibm/granite-4-h"), "model_mismatch"),
    *at("generate", 200, _ibm("model_error", "It failed half-way"), "bad_response", "model_error"),
    *at(
        "generate",
        401,
        _ibm("authentication_token_not_valid", "Failed to authenticate the request due to an expired token"),
        "auth_failed",
        "authentication_token_not_valid",
    ),
    *at(
        "generate",
        403,
        _ibm("authorization_rejected", "Not in the project"),
        "forbidden",
        "authorization_rejected",
    ),
    *at(
        "generate",
        404,
        _ibm("model_not_supported", "Model 'x' is not supported"),
        "wrong_region",
        "model_not_supported",
    ),
    *at(
        "generate",
        400,
        _ibm("invalid_request_entity", "Missing either space_id or project_id or wml_instance_crn"),
        "probe_invalid",
        "invalid_request_entity",
    ),
    *at(
        "generate",
        429,
        _ibm("token_quota_reached", "The quota is used up"),
        "quota_exhausted",
        "token_quota_reached",
    ),
    *waiting(
        "generate",
        429,
        _ibm("rate_limit_reached_requests", "8 requests a second"),
        "rate_limit_reached_requests",
    ),
    *at(
        "generate",
        500,
        _ibm("downstream_request_failed", "It failed"),
        "overloaded",
        "downstream_request_failed",
    ),
)


def _aws(levels, status, code, message, outcome, **more):
    headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/"}
    return at(levels, status, {"message": message}, outcome, code, headers=headers, **more)


_MAY_USE = {
    "modelId": "amazon.nova-pro-v1:0",
    "agreementAvailability": {"status": "AVAILABLE"},
    "authorizationStatus": "AUTHORIZED",
    "entitlementAvailability": "AVAILABLE",
    "regionAvailability": "AVAILABLE",
}
_CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "ok"}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 9, "outputTokens": 1, "totalTokens": 10},
    "metrics": {"latencyMs": 84},
}
BEDROCK = (
    *at("credential", 200, {"modelSummaries": [{"modelId": "amazon.nova-pro-v1:0"}]}, "ok"),
    *at("model", 200, _MAY_USE, "ok"),
    *at(
        "model",
        200,
        _MAY_USE | {"regionAvailability": "NOT_AVAILABLE"},
        "wrong_region",
        "regionAvailability=NOT_AVAILABLE",
    ),
    *at(
        "model",
        200,
        _MAY_USE | {"authorizationStatus": "NOT_AUTHORIZED"},
        "forbidden",
        "authorizationStatus=NOT_AUTHORIZED",
    ),
    *at("generate", 200, _CONVERSED, "ok"),
    *at(
        "generate",
        200,
        {"embedding": [0.1], "inputTextTokenCount": 1},
        "ok",
        model="amazon.titan-embed-text-v2:0",
        mode="embedding",
    ),
    *_aws(_ALL, 403, "UnrecognizedClientException", "The security token is invalid.", "auth_failed"),
    *_aws("generate", 403, "AccessDeniedException", "You don't have access to the model.", "forbidden"),
    *_aws(_BOTH, 400, "ValidationException", "The provided model identifier is invalid.", "model_not_found"),
    *_aws(
        _BOTH,
        404,
        "ResourceNotFoundException",
        "This model version has reached the end of its life",
        "model_withdrawn",
    ),
    *_aws(
        "generate",
        400,
        "ValidationException",
        "Invocation with on-demand throughput isn't supported.",
        "probe_invalid",
    ),
    *_aws(_ALL, 400, "ServiceQuotaExceededException", "Your quota is used up", "quota_exhausted"),
    *at(
        _ALL,
        429,
        {"message": "Too many requests"},
        "rate_limited",
        "ThrottlingException",
        wait=7.0,
        headers={"x-amzn-errortype": "ThrottlingException", "retry-after": "7"},
    ),
    *_aws("generate", 429, "ModelNotReadyException", "The model is not ready", "overloaded"),
    *_aws("generate", 408, "ModelTimeoutException", "It took too long", "timeout"),
    *_aws("generate", 424, "ModelErrorException", "The model failed", "overloaded"),
    *_aws(_ALL, 503, "ServiceUnavailableException", "Try again", "overloaded"),
)


def _google(code, status, message, *details):
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def _reason(word):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word, "domain": "googleapis.com"}


def _gemini(model, parts=({"text": "ok"},), finish="STOP"):
    content = {"role": "model", **({"parts": list(parts)} if parts else {})}
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 1}
    candidate = {"content": content, "finishReason": finish, "index": 0}
    return {"candidates": [candidate], "modelVersion": model, "usageMetadata": usage}


_BUSY = _google(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
_SPENT = _google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted")
_BAD_KEY = _google(400, "INVALID_ARGUMENT", "API key not valid.", _reason("API_KEY_INVALID"))
_ABROAD = _google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
_NO_BILLING = _google(402, "FAILED_PRECONDITION", "The account is out of prepaid credits.")
_NO_GEMINI = _google(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta")
GEMINI = (
    *at("credential", 200, {"models": [{"name": "models/gemini-2.5-pro"}], "nextPageToken": "x"}, "ok"),
    *at("model", 200, {"name": "models/gemini-2.5-pro", "inputTokenLimit": 1048576}, "ok"),
    *at("generate", 200, _gemini("gemini-2.5-pro"), "ok"),
    # Thinking took all room, so there are no parts.
    *at("generate", 200, _gemini("gemini-2.5-pro", (), "MAX_TOKENS"), "ok"),
    *at("generate", 200, _gemini("gemini-2.5-flash"), "model_mismatch"),
    *at("generate", 200, _gemini("gemini-2.5-flash-preview-09-2025"), "ok", model="gemini-flash-latest"),
    *at(
        "generate",
        200,
        {"embedding": {"values": [0.1]}},
        "ok",
        model="gemini-embedding-001",
        mode="embedding",
    ),
    # A bad key is a bad request there.
    *at(_ALL, 400, _BAD_KEY, "auth_failed", "API_KEY_INVALID"),
    *at(_ALL, 400, _ABROAD, "wrong_region", "FAILED_PRECONDITION"),
    *at(_ALL, 403, _google(403, "PERMISSION_DENIED", "Permission denied"), "forbidden", "PERMISSION_DENIED"),
    *at(_BOTH, 404, _NO_GEMINI, "model_not_found", "NOT_FOUND"),
    *at("generate", 402, _NO_BILLING, "quota_exhausted", "FAILED_PRECONDITION"),
    *waiting(_ALL, 429, _SPENT, "RESOURCE_EXHAUSTED"),
    *at(
        _ALL,
        429,
        _google(429, "RESOURCE_EXHAUSTED", "", {"retryDelay": "37s"}),
        "rate_limited",
        "RESOURCE_EXHAUSTED",
        wait=37.0,
    ),
    *at(_ALL, 503, _BUSY, "overloaded", "UNAVAILABLE"),
    *at("generate", 504, _google(504, "DEADLINE_EXCEEDED", "Too slow"), "timeout", "DEADLINE_EXCEEDED"),
)

_NO_ACCESS = (
    "Publisher Model `projects/p/locations/l/publishers/google/models/x` was not found or you have no access."
)
_STALE = _google(401, "UNAUTHENTICATED", "Invalid credentials", _reason("ACCESS_TOKEN_EXPIRED"))
VERTEX = (
    *at("credential", 200, {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]}, "ok"),
    *at("model", 200, {"totalTokens": 1, "totalBillableCharacters": 4}, "ok"),
    *at("generate", 200, _gemini("gemini-2.5-pro"), "ok"),
    *at("generate", 200, _claude(_SONNET), "ok", model="claude-sonnet-4@20250514"),
    *at(
        "generate",
        200,
        {"predictions": [{"embeddings": {"values": [0.1], "statistics": {"token_count": 1}}}]},
        "ok",
        model="text-embedding-005",
        mode="embedding",
    ),
    *at(_ALL, 401, _STALE, "auth_failed", "ACCESS_TOKEN_EXPIRED"),
    *at(
        _ALL,
        403,
        _google(403, "PERMISSION_DENIED", "Denied", _reason("SERVICE_DISABLED")),
        "forbidden",
        "SERVICE_DISABLED",
    ),
    *at(_BOTH, 404, _google(404, "NOT_FOUND", _NO_ACCESS), "model_not_found", "NOT_FOUND"),
    *at("generate", 402, _NO_BILLING, "quota_exhausted", "FAILED_PRECONDITION"),
    *waiting(_ALL, 429, _SPENT, "RESOURCE_EXHAUSTED"),
    *at(_ALL, 503, _BUSY, "overloaded", "UNAVAILABLE"),
)

_COHERE_SAID = {
    "id": "c",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "ok"}]},
    "usage": {"tokens": {"input_tokens": 9, "output_tokens": 1}},
}
_TRIAL = "You are using a Trial key, which is limited to 1000 API calls / month."
COHERE = (
    *at("credential", 200, {"valid": True, "organization_id": "o", "owner_id": "p"}, "ok"),
    *at("credential", 200, {"valid": False}, "auth_failed"),
    *at("model", 200, {"name": "command-a-03-2025", "endpoints": ["chat"]}, "ok"),
    *at("generate", 200, _COHERE_SAID, "ok"),
    *at("generate", 200, {"embeddings": {"float": [[0.1]]}}, "ok", model="embed-v4.0", mode="embedding"),
    *at(
        "generate",
        200,
        {"results": [{"index": 0, "relevance_score": 0.9}]},
        "ok",
        model="rerank-v3.5",
        mode="rerank",
    ),
    *at(_ALL, 401, {"id": "1", "message": "invalid api token"}, "auth_failed"),
    *at(_ALL, 498, {"message": "invalid api token"}, "auth_failed"),
    *at(
        _BOTH,
        404,
        {"message": "model 'x' not found, make sure the correct model ID was used"},
        "model_not_found",
    ),
    *at("generate", 400, {"message": "too many tokens: the limit is 128000"}, "probe_invalid"),
    *at("generate", 402, {"message": "Please add or update your payment method"}, "quota_exhausted"),
    *at("generate", 429, {"message": _TRIAL}, "quota_exhausted"),
    *waiting(_ALL, 429, {"message": "Too many requests"}),
    *at("generate", 499, {"message": "the request was cancelled"}, "timeout"),
    *at(_ALL, 500, {"message": "internal server error"}, "overloaded"),
)

_TAG = "llama3.2:latest"
_OLLAMA = {"model": _TAG, "created_at": "2026-01-01T00:00:00Z", "done": True, "done_reason": "stop"}
OLLAMA = (
    *at("credential model", 200, {"models": [{"name": _TAG, "model": _TAG, "digest": "a1"}]}, "ok"),
    *at("model", 200, {"models": [{"name": "qwen3:8b", "model": "qwen3:8b"}]}, "model_not_found"),
    *at("generate", 200, {**_OLLAMA, "message": {"role": "assistant", "content": "ok"}}, "ok"),
    *at("generate", 200, {**_OLLAMA, "model": "qwen3:8b", "message": {"content": "ok"}}, "model_mismatch"),
    *at("generate", 200, {**_OLLAMA, "response": "ok"}, "ok", mode="completion"),
    *at("generate", 200, {"model": _TAG, "embeddings": [[0.1]]}, "ok", mode="embedding"),
    *at("credential model generate", 401, {"error": "unauthorized"}, "auth_failed"),
    *at("generate", 404, {"error": "model 'llama3.2:latest' not found"}, "model_not_found"),
    *at("generate", 400, {"error": "invalid options: top_q"}, "probe_invalid"),
    *waiting("generate", 429, {"error": "too many requests"}),
    *at("generate", 500, {"error": "model requires more system memory than is available"}, "overloaded"),
    *at(
        "generate",
        503,
        {"error": "server busy, please try again. maximum pending requests exceeded"},
        "overloaded",
    ),
)

KINDS = {
    "anthropic": ANTHROPIC,
    "watsonx": WATSONX,
    "bedrock": BEDROCK,
    "gemini": GEMINI,
    "vertex": VERTEX,
    "cohere": COHERE,
    "ollama": OLLAMA,
}
