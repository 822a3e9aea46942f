"""The local server of `support.more_providers`, whose models answer as well: in the protocols of Anthropic,
watsonx, Gemini, Vertex AI, Bedrock, Cohere, Azure OpenAI and Ollama. It is as strict as they are: what is
mandatory in a path, a header or a body is asked for.
"""

import json
import re
from urllib.parse import unquote

from support.more_providers import MODELS as MORE_MODELS
from support.more_providers import PROJECT, MoreConversation, MoreProviders
from support.providers import GOOD

PAYER = "a-project-of-ibm"
MODELS = (
    *MORE_MODELS,
    *("claude-sonnet-4", "granite-3-8b", "granite-13b", "slate-30m", "gemini-embedding-001"),
    *("text-embedding-005", "claude-3-5-haiku", "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3"),
    *("anthropic.claude-opus-4-v1:0", "command-a", "embed-v4.0", "rerank-v3.5", "my-deployment"),
    *("llama3:latest", "nomic-embed-text:latest"),
)
# What runs by an inference profile only.
BY_PROFILE = "anthropic.claude-opus-4-v1:0"
ROOM = 16
_IN_PATH = re.compile(r"(?:models|model|deployments)/([^/]+)")
_ACTIONS = (":generateContent", ":embedContent", ":predict", ":rawPredict", ":countTokens")
_VECTOR = [0.25, -0.5]


class GeneratingProviders(MoreProviders):
    """The server; its models say pong."""

    def __init__(self, models=MODELS, **options):
        super().__init__(models, **options)

    def converse(self, exchange, headers, body) -> None:
        """Answer one request."""
        GeneratingConversation(exchange, headers, body).run()

    def bodies(self, ending: str) -> list[dict]:
        """The JSON bodies that arrived at paths that end so."""
        return [json.loads(one.body) for one in self.requests if one.path.partition("?")[0].endswith(ending)]


class GeneratingConversation(MoreConversation):
    """One request, which may ask for work."""

    def _model(self):
        named = self.asked.get("model") or self.asked.get("model_id")
        found = _IN_PATH.search(self.path)
        if named or not found:
            return named or super()._model()
        model = unquote(found[1])
        return next((model.removesuffix(one) for one in _ACTIONS if model.endswith(one)), model)

    @property
    def asked(self):
        """The body, as far as it is JSON."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def named(self):
        """The model that it says answered."""
        return "some-other-model" if self.behaviour == "lying" else self.model

    def lacks(self, *wanted):
        """Whether something is not in the body; then it complained about it."""
        missing = [name for name in wanted if not self.asked.get(name)]
        if missing:
            self.fail(400, "invalid_request_error", f"{missing[0]}: field required")
        return bool(missing)

    def _anthropic(self):
        if self.path != "v1/messages":
            super()._anthropic()
        elif self.headers.get("anthropic-version") != "2023-06-01":
            self.fail(400, "invalid_request_error", "anthropic-version: header is required")
        elif not self.authorized:
            self.fail(401, "authentication_error", "invalid x-api-key")
        elif not self.exists(self.model):
            self.fail(404, "not_found_error", f"model: {self.model}")
        elif not self.lacks("model", "max_tokens", "messages"):
            self._claude()

    def _claude(self):
        if {"temperature", "top_p"} <= set(self.asked):
            message = "`temperature` and `top_p` cannot both be specified for this model."
            self.fail(400, "invalid_request_error", message)
            return
        answer = {"type": "message", "role": "assistant", "model": self.named, "stop_reason": "end_turn"}
        answer |= {"content": [{"type": "text", "text": "pong"}]}
        self.reply(200, {**answer, "usage": {"input_tokens": 3, "output_tokens": 2}})

    def _watsonx(self):
        works = {"chat": self._chosen, "generation": self._generated}
        works |= {"embeddings": self._slated, "rerank": self._ranked}
        work = works.get(self.path.removeprefix("ml/v1/text/"))
        if work is None:
            super()._watsonx()
        elif not self.headers.get("authorization", "").startswith("Bearer iam-token."):
            self.fail(401, "authentication_token_not_valid", "Failed to authenticate the request")
        elif self.behaviour == "stale-token" and self.headers["authorization"].endswith(".1"):
            self.fail(401, "authentication_token_not_valid", "the token expired")
        elif "version" not in self.query:
            self.fail(400, "invalid_request_entity", "version is missing")
        elif not self.asked.get("project_id") and not self.asked.get("space_id"):
            message = "Missing either space_id or project_id or wml_instance_crn"
            self.fail(400, "invalid_request_entity", message)
        elif self.asked.get("project_id", PAYER) != PAYER:
            self.fail(403, "authorization_rejected", "Failed to find the IBMid-1 member in project_id")
        elif not self.exists(self.model):
            self.fail(404, "model_not_supported", f"Model '{self.model}' is not supported")
        else:
            work()

    def _chosen(self):
        if self.model == "granite-13b":
            self.fail(400, "model_no_support_for_function", "Model does not support function text_chat")
        elif not self.lacks("messages"):
            message = {"role": "assistant", "content": "pong"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            usage = {"prompt_tokens": 3, "completion_tokens": 2}
            self.reply(200, {"model_id": self.named, "model": self.named, "choices": choices, "usage": usage})

    def _generated(self):
        if not self.lacks("input"):
            result = {"generated_text": "pong", "generated_token_count": 2, "input_token_count": 3}
            results = [{**result, "stop_reason": "eos_token"}]
            self.reply(200, {"model_id": self.named, "model_version": "2", "results": results})

    def _slated(self):
        if not self.lacks("inputs"):
            self.reply(200, {"model_id": self.named, "results": [{"embedding": _VECTOR}]})

    def _ranked(self):
        if not self.lacks("inputs", "query"):
            self.reply(200, {"model_id": self.named, "results": [{"index": 0, "score": -1.5}]})

    def _gemini(self):
        action = self.path.partition(":")[2]
        if action not in {"generateContent", "embedContent"}:
            super()._gemini()
        elif "key" in self.query or not self.authorized:
            self.fail(400, "API_KEY_INVALID", "API key not valid. Please pass a valid API key.")
        elif not self.path.startswith("v1beta/models/") or not self.exists(self.model):
            self.fail(404, "", f"models/{self.model} is not found for API version v1beta")
        elif action == "embedContent" and not self.lacks("content"):
            self.reply(200, {"embedding": {"values": _VECTOR}})
        elif action == "generateContent" and not self.lacks("contents"):
            self._candidates()

    def _candidates(self):
        """Thinking takes all room where there is as little as a careless probe leaves."""
        room = self.asked.get("generationConfig", {}).get("maxOutputTokens", ROOM)
        content = {"parts": [{"text": "pong"}]} if room >= ROOM else {}
        candidate = {"content": content, "finishReason": "STOP" if content else "MAX_TOKENS"}
        usage = {"promptTokenCount": 3, "candidatesTokenCount": 2}
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": self.named}
        self.reply(200, answer)

    def _vertex(self):
        action = self.path.partition(":")[2]
        if action not in {"generateContent", "predict", "rawPredict"}:
            super()._vertex()
            return
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        publisher = "anthropic" if action == "rawPredict" else "google"
        below = f"v1/projects/{PROJECT}/locations/us-central1/publishers/{publisher}/models/"
        if token not in {*self.fake.minted_tokens, GOOD}:
            self.fail(401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "Request had invalid authentication credentials.")
        elif not self.path.startswith(below):
            self.fail(403, "IAM_PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied")
        elif not self.exists(self.model):
            self.fail(404, "", f"Publisher Model `{self.path}` was not found or your project has no access.")
        elif action == "predict" and not self.lacks("instances"):
            statistics = {"token_count": 3, "truncated": False}
            self.reply(200, {"predictions": [{"embeddings": {"values": _VECTOR, "statistics": statistics}}]})
        elif action == "rawPredict" and not self.lacks("anthropic_version", "max_tokens", "messages"):
            self._claude()
        elif action == "generateContent" and not self.lacks("contents"):
            self._candidates()

    def _bedrock(self):
        action = self.path.rpartition("/")[2]
        if not self.path.startswith("model/") or action not in {"converse", "invoke"}:
            super()._bedrock()
        elif not self._is_signed() and not self.authorized:
            message = "Authentication failed: Please make sure your API Key is valid."
            self.fail(403, "AccessDeniedException", message)
        elif not self.exists(self.model):
            self.fail(400, "ValidationException", "The provided model identifier is invalid.")
        elif self.model == BY_PROFILE:
            message = f"Invocation of model ID {self.model} with on-demand throughput isn\u2019t supported."
            self.fail(400, "ValidationException", message)
        elif action == "converse" and not self.lacks("messages"):
            message = {"role": "assistant", "content": [{"text": "pong"}]}
            usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
            answer = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage}
            self.reply(200, {**answer, "metrics": {"latencyMs": 5}})
        elif action == "invoke":
            self._embedded()

    def _embedded(self):
        if "titan" in self.model and not self.lacks("inputText"):
            self.reply(200, {"embedding": _VECTOR, "inputTextTokenCount": 3})
        elif "cohere" in self.model and not self.lacks("texts", "input_type"):
            self.reply(200, {"embeddings": [_VECTOR], "response_type": "embeddings_floats"})

    def _cohere(self):
        works = {"v2/chat": self._coral, "v2/embed": self._floats, "v2/rerank": self._relevance}
        if self.path not in works:
            super()._cohere()
        elif not self.authorized:
            self.fail(401, "", "invalid api token")
        elif not self.exists(self.model):
            self.fail(404, "", f"model '{self.model}' not found, make sure the correct model ID was used")
        elif not self.lacks("model"):
            works[self.path]()

    def _coral(self):
        if not self.lacks("messages"):
            message = {"role": "assistant", "content": [{"type": "text", "text": "pong"}]}
            usage = {"tokens": {"input_tokens": 3, "output_tokens": 2}}
            self.reply(200, {"id": "c", "finish_reason": "COMPLETE", "message": message, "usage": usage})

    def _floats(self):
        if not self.lacks("texts", "input_type", "embedding_types"):
            self.reply(200, {"id": "e", "embeddings": {"float": [_VECTOR]}, "texts": self.asked["texts"]})

    def _relevance(self):
        if not self.lacks("query", "documents"):
            self.reply(200, {"id": "r", "results": [{"index": 0, "relevance_score": 0.9}]})

    def _azure(self):
        path = self.path.replace(f"openai/deployments/{self._quoted()}/", "openai/v1/")
        is_newer = path == self.path
        if path not in {"openai/v1/chat/completions", "openai/v1/embeddings"}:
            super()._azure()
        elif not self.authorized:
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            self.fail(401, "401", message)
        elif self.query.get("api-version", "")[:2] != ("" if is_newer else "20"):
            self.fail(404, "404", "Resource not found")
        elif not self.exists(self.model):
            self.fail(404, "DeploymentNotFound", "The API deployment for this resource does not exist.")
        elif path.endswith("embeddings") and not self.lacks("input"):
            self.reply(200, {"object": "list", "data": [{"embedding": _VECTOR}], "model": "text-embedding-3"})
        elif not self.lacks("messages"):
            message = {"role": "assistant", "content": "pong"}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            usage = {"prompt_tokens": 3, "completion_tokens": 2}
            # Whatever the deployment is called, its model answers.
            self.reply(200, {"model": "gpt-4o-2024-08-06", "choices": choices, "usage": usage})

    def _quoted(self):
        found = _IN_PATH.search(self.path)
        return found[1] if found else ""

    def _ollama(self):
        works = {"api/chat": "message", "api/generate": "response", "api/embed": "embeddings"}
        if self.path not in {*works, "api/show"}:
            super()._ollama()
        elif not self.exists(self.model) and not self.exists(f"{self.model}:latest"):
            self.fail(404, "", f"model '{self.model}' not found")
        elif self.path == "api/show":
            self.reply(200, {"capabilities": ["completion"], "details": {"family": "llama"}})
        elif self.model.startswith("nomic") and self.path != "api/embed":
            self.fail(400, "", f'"{self.model}" does not support chat')
        elif self.path != "api/embed" and self.asked.get("stream") is not False:
            self.reply(200, b'{"model": "x"}\n{"model": "x"}\n', {"Content-Type": "application/x-ndjson"})
        else:
            self._served(works[self.path])

    def _served(self, name):
        told = {"message": {"role": "assistant", "content": "pong"}, "response": "pong"}
        answer = {"model": self.named, "done": True, "done_reason": "stop"}
        answer |= {"prompt_eval_count": 3, "eval_count": 2}
        self.reply(200, {**answer, name: told.get(name, [_VECTOR])})
