"""What our kinds have against parameter sets, in short, for the tests of their rules."""

from reconciler import kinds
from reconciler.core import rules

UNSUPPORTED = "warning: unsupported-parameter"
# A model of each kind that belongs to no variant, but for watsonx, whose every model belongs to one.
PLAIN = {
    "anthropic": "claude-sonnet-4-0",
    "azure-openai": "our-deployment",
    "bedrock": "amazon.nova-pro-v1:0",
    "cerebras": "llama3.1-8b",
    "cohere": "command-a-03-2025",
    "deepseek": "deepseek-chat",
    "fireworks": "accounts/fireworks/models/deepseek-v3p1",
    "gemini": "gemini-2.0-flash",
    "github-models": "openai/gpt-4.1",
    "groq": "llama-3.3-70b-versatile",
    "huggingface": "Qwen/Qwen3-Coder-Next:nitro",
    "litellm": "our-alias",
    "lmstudio": "llama-3.2-3b-instruct",
    "mistral": "mistral-large-latest",
    "nvidia": "meta/llama-3.3-70b-instruct",
    "ollama": "llama3.2:latest",
    "openai": "gpt-4",
    "openai-compatible": "my-model",
    "openrouter": "anthropic/claude-opus-4.7",
    "perplexity": "sonar-pro",
    "together": "deepseek-ai/DeepSeek-V3",
    "vertex": "gemini-2.0-flash",
    "vllm": "my-model",
    "watsonx": "granite-13b",
    "xai": "grok-3",
}


def found(kind, parameters, model_id=None, mode="chat"):
    """The findings, as pairs of field and code, warnings marked."""
    findings = rules.check(
        kinds.built_in(kind), model_id=model_id or PLAIN[kind], mode=mode, parameters=parameters
    )
    return [(f.field, f.code if f.severity == "error" else f"warning: {f.code}") for f in findings]


def left_out(kind, model_id, fields):
    """Whether each of these fields, alone and at a value the kind knows, is left out with a warning."""
    known = {"stop_sequences": ["x"], "reasoning_effort": "low"}
    return all(found(kind, {f: known.get(f, 0.5)}, model_id) == [(f, UNSUPPORTED)] for f in fields.split())
