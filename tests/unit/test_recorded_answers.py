"""Every kind and its answers: status, headers and body in, outcome, the provider's own code and the seconds
to wait out. The answers are written from the providers' references; nothing is sent.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support import answers_clouds, answers_hosted, answers_openai
from support.answers_recorded import Playing
from support.probing import target

from reconciler import kinds
from reconciler.core.probe import Access
from reconciler.core.provider_kind import ErrorRule, ProviderKind
from reconciler.protocols.classify import Complaint
from reconciler.protocols.kind_rules import rules_of
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run
from reconciler.protocols.verdicts_in_body import denied

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "canary-key-0123456789"
TABLES = {**answers_openai.KINDS, **answers_hosted.KINDS, **answers_clouds.KINDS}
# The model that is asked for where a row names none.
MODELS = {
    "anthropic": "claude-sonnet-4-20250514",
    "azure-openai": "our-deployment",
    "bedrock": "amazon.nova-pro-v1:0",
    "cerebras": "llama3.1-8b",
    "cohere": "command-a-03-2025",
    "deepseek": "deepseek-chat",
    "fireworks": "accounts/fireworks/models/deepseek-v3p1",
    "gemini": "gemini-2.5-pro",
    "github-models": "openai/gpt-4.1",
    "groq": "llama-3.3-70b-versatile",
    "huggingface": "Qwen/Qwen3-Coder-Next:fireworks-ai",
    "litellm": "our-alias",
    "lmstudio": "llama-3.2-3b-instruct",
    "mistral": "mistral-large-latest",
    "nvidia": "meta/llama-3.3-70b-instruct",
    "ollama": "llama3.2:latest",
    "openai": "gpt-4o",
    "openai-compatible": "my-model",
    "openrouter": "openai/gpt-4o",
    "perplexity": "sonar-pro",
    "together": "deepseek-ai/DeepSeek-V3",
    "vertex": "gemini-2.5-pro",
    "vllm": "my-model",
    "watsonx": "meta-llama/llama-3-3-70b-instruct",
    "xai": "grok-3",
}
# Where a kind has no endpoint of its own.
BASE_URLS = {
    "azure-openai": "https://team.openai.azure.com",
    "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "litellm": "https://litellm.example/v1",
    "openai-compatible": "https://llm.example/v1",
    "vertex": "https://us-central1-aiplatform.googleapis.com",
    "vllm": "https://vllm.example/v1",
}
OPERATORS = tuple(url.removeprefix("https://").partition("/")[0] for url in BASE_URLS.values())
ENVIRON = {
    **{
        rule.env[0]: KEY
        for name in TABLES
        for rule in kinds.built_in(name).credentials.values()
        if rule.secret
    },
    "GOOGLE_VERTEX_PROJECT": "our-project",
    "WATSONX_PROJECT_ID": "our-project-id",
}
# Two ways to prove who asks would be one too many.
ENVIRON = {
    name: value
    for name, value in ENVIRON.items()
    if name not in {"AZURE_OPENAI_AD_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS"}
    and not name.startswith("AWS_ACCESS")
}
LOCAL = {"ollama", "vllm", "lmstudio", "openai-compatible"}


def rows():
    return [
        pytest.param(kind, row, id=f"{kind}-{row.level}-{row.status}-{row.outcome}-{number}")
        for kind, table in sorted(TABLES.items())
        for number, row in enumerate(table)
    ]


def verified(kind, row, sender):
    """What the probe of a row's level makes of its answer."""
    name = kinds.built_in(kind)
    base_url = BASE_URLS.get(kind) or name.base_url
    given = {"api_key": f"env:{name.credentials['api_key'].env[0]}"} if kind in LOCAL else "kind"
    model = row.model or MODELS[kind]
    case = target(model, name, base_url, level=row.level, credentials=given)
    access = Access(environ=ENVIRON, allowed_hosts=(*OPERATORS, "localhost:11434", "127.0.0.1:1234"))

    async def ask():
        run = Run(sender, access, NOW)
        try:
            return await protocol(name.protocol).verify(replace(case, mode=row.mode), run)
        finally:
            await run.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(("kind", "row"), rows())
def test_an_answer_means_what_its_provider_means_by_it(kind, row):
    sender = Playing(row)
    verdict = verified(kind, row, sender)
    assert (verdict.outcome, verdict.provider_code, verdict.retry_after) == (row.outcome, row.code, row.wait)
    assert (verdict.http_status, len(sender.asked) > 0) == (row.status, True)
    assert KEY not in verdict.detail


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_every_kind_has_answers_of_every_sort_at_every_level(kind):
    table = TABLES[kind]
    told = kinds.built_in(kind)
    levels = {level for level in ("credential", "model") if level in told.probes} | {"generate"}
    assert {row.level for row in table} == levels
    assert {row.level for row in table if row.outcome == "ok"} == levels
    # One's own server knows no bill.
    wanted = {"auth_failed", "rate_limited", "overloaded", "model_not_found", "quota_exhausted"}
    unknown = {"quota_exhausted"} if kind in LOCAL else set()
    assert wanted - unknown <= {row.outcome for row in table}
    assert any(row.wait for row in table)


def test_the_tables_are_of_all_kinds():
    assert sorted(TABLES) == sorted(MODELS) == list(kinds.names())


@pytest.mark.parametrize(("kind", "level", "found", "expected"), answers_hosted.DENIALS)
def test_a_success_may_say_no(kind, level, found, expected):
    finding = denied(found, kinds.built_in(kind).probes[level])
    assert (finding and (finding.outcome, finding.complaint.code)) == expected


def test_whatever_is_named_as_a_denial_has_an_answer_that_is_one():
    named = {
        (kind, level, denial.at)
        for kind in kinds.names()
        for level, probe in kinds.built_in(kind).probes.items()
        for denial in probe.fails
    }
    tried = {
        (kind, level, said[1].partition("=")[0]) for kind, level, _, said in answers_hosted.DENIALS if said
    }
    assert named == tried


@pytest.mark.parametrize(
    ("error", "message", "fits"),
    [
        (ErrorRule("forbidden", words=("no (access",)), "You have NO (access here", True),
        (ErrorRule("forbidden", words=("a.c", "(x+x+)+y")), "abc xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", False),
        (ErrorRule("forbidden", codes=("GATED",)), "", True),
        (ErrorRule("forbidden", codes=("gated",), statuses=(400,)), "", False),
    ],
)
def test_a_kinds_own_lines_are_words_and_no_patterns(error, message, fits):
    (line,) = rules_of(ProviderKind("acme", "openai", errors=(error,)))
    assert line.fits(403, Complaint("gated", message=message)) is fits


def test_a_line_without_a_condition_speaks_of_nothing():
    assert rules_of(ProviderKind("acme", "openai", errors=(ErrorRule("forbidden"),))) == ()
