"""What a verification would send and cost, told without sending anything."""

from dataclasses import replace

import pytest
from support.probing import ANTHROPIC, COMPATIBLE, OPENAI, target, watsonx

from reconciler.core.provider_kind import CredentialRule, Endpoint, ParameterRule, Probe, ProviderKind
from reconciler.kinds import built_in
from reconciler.protocols.costs import estimate

CHAT = (Endpoint("chat", "/chat/completions"), Endpoint("embedding", "/embeddings"))
TABLE = {"max_new_tokens": ParameterRule(wire="max_tokens")}
WORKING = replace(OPENAI, endpoints=CHAT, parameters=TABLE)
IAM = "https://iam.cloud.ibm.com/identity/token"
WATSONX_CHAT = (Endpoint("chat", "/ml/v1/text/chat", query={"version": "2024-05-31"}),)
URL = "https://api.openai.com/v1"


def requests(case):
    return [(call.method, call.url, call.shared) for call in estimate(case).requests]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        pytest.param(target(level="reach"), [("GET", f"{URL}/models", True)], id="reach"),
        pytest.param(target(level="credential"), [("GET", f"{URL}/models", True)], id="credential"),
        pytest.param(
            target("a/b"),
            [("GET", f"{URL}/models/a%2Fb", False), ("GET", f"{URL}/models", True)],
            id="a model of its own, and its list after a bare 404",
        ),
        pytest.param(
            target("m", COMPATIBLE, "http://127.0.0.1:1/v1"),
            [("GET", "http://127.0.0.1:1/v1/models", True)],
            id="a list for all",
        ),
        pytest.param(
            target("m", watsonx(IAM), "https://eu-de.ml.cloud.ibm.com"),
            [
                ("POST", IAM, True),
                (
                    "GET",
                    "https://eu-de.ml.cloud.ibm.com/ml/v1/foundation_model_specs?version=2024-05-31&limit=200",
                    True,
                ),
            ],
            id="a public list proves no key",
        ),
    ],
)
def test_what_is_free_is_told_with_its_calls(case, expected):
    assert requests(case) == expected
    assert (estimate(case).tokens, estimate(case).reason) == (0, "")


def test_generating_is_counted_with_all_that_it_may_lead_to():
    found = estimate(target("gpt-4o", WORKING, level="generate"))
    assert found.calls == (
        f"POST {URL}/chat/completions (generate with gpt-4o)",
        f"GET {URL}/models/gpt-4o (the model, after a bare 404)",
        f"GET {URL}/models (the path, after a bare 404, once for all models of the provider)",
    )
    assert found.output_tokens == 16
    assert found.tokens == found.input_tokens + 16


def test_a_token_is_exchanged_once_and_renewed_once():
    kind = replace(watsonx(IAM), endpoints=WATSONX_CHAT, probes={"credential": Probe("POST", IAM)})
    found = estimate(target("m", kind, "https://eu-de.ml.cloud.ibm.com", level="generate"))
    assert [(call.purpose, call.shared) for call in found.requests] == [
        ("a token for the key", True),
        ("generate with m", False),
        ("a new token, where the first has expired", True),
        ("generate with m, with a new token", False),
    ]


def test_no_token_is_exchanged_where_there_is_no_key():
    kind = watsonx(IAM)
    case = target("m", kind, "https://eu-de.ml.cloud.ibm.com", credentials="none")
    assert [call.purpose for call in estimate(case).requests] == ["the model"]


def test_the_tokens_are_an_upper_bound_of_what_is_sent():
    short = target("gpt-4o", WORKING, level="generate")
    template = {"system_prompt": "Sei höflich. " * 100}
    longer = replace(short, template=template, parameters={"max_new_tokens": 300})
    assert estimate(longer).output_tokens == 300
    assert estimate(longer).input_tokens - estimate(short).input_tokens >= len("Sei höflich. ") * 100
    assert estimate(replace(short, mode="embedding")).output_tokens == 0


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (target(level="none"), "'none'"),
        (target(level="generate"), "no endpoint for the mode chat"),
        (target(base_url=None), "no base_url"),
        (
            target("m", replace(OPENAI, probes={}, unproven={"model": "its list is public"})),
            "(its list is public)",
        ),
        (target("m", ProviderKind("odd", "telepathy"), "https://odd.example"), "no protocol"),
        (
            replace(
                target("m", WORKING, level="generate"),
                parameters={"top_k": 1, "unsupported": "error"},
            ),
            "must not be sent top_k",
        ),
    ],
)
def test_where_nothing_would_be_asked_the_reason_is_told(case, words):
    found = estimate(case)
    assert (found.requests, found.tokens) == ((), 0)
    assert words in found.reason


@pytest.mark.parametrize(
    ("case", "allowed", "is_refused"),
    [
        (target(base_url="https://evil.example/v1"), (), True),
        (target(base_url="https://evil.example/v1"), ("evil.example",), False),
        (target(base_url="https://evil.example/v1"), None, False),
        (target("m", COMPATIBLE, "http://127.0.0.1:1/v1"), (), False),
        (
            target("m", COMPATIBLE, "http://127.0.0.1:1/v1", credentials={"api_key": "env:X_API_KEY"}),
            (),
            True,
        ),
    ],
)
def test_a_refused_host_is_told_where_the_operators_word_is_known(case, allowed, is_refused):
    found = estimate(case, allowed_hosts=allowed)
    assert ("RECONCILER_ALLOWED_HOSTS" in found.reason) is is_refused
    assert bool(found.requests) is not is_refused


def test_an_answer_without_a_limit_is_said_to_be_unbounded():
    kind = replace(WORKING, parameters={})
    found = estimate(target("m", kind, level="generate"))
    assert (found.output_tokens, bool(found.requests)) == (0, True)
    assert "not known" in found.reason


def test_a_list_is_asked_for_once_for_all_models_of_a_provider():
    found = [estimate(target(f"m-{number}", COMPATIBLE, "http://127.0.0.1:1")) for number in range(2)]
    assert [call.shared for call in found[0].requests] == [True]
    assert found[0].requests == found[1].requests
    own = estimate(target("c", ANTHROPIC, "https://api.anthropic.com"))
    assert [call.shared for call in own.requests] == [False, True]


def test_bedrock_is_asked_at_the_host_of_each_level():
    kind = ProviderKind(
        "bedrock",
        "bedrock",
        credentials={"api_key": CredentialRule(env=("AWS_BEARER_TOKEN_BEDROCK",))},
        probes={"credential": Probe(path="/foundation-models")},
        endpoints=(Endpoint("chat", "/model/{model}/converse", model_at=""),),
    )
    base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com"
    hosts = {
        level: estimate(target("m", kind, base_url, level=level)).requests[0].url.split("/")[2].split(".")[0]
        for level in ("reach", "credential", "generate")
    }
    assert hosts == {"reach": "bedrock-runtime", "credential": "bedrock", "generate": "bedrock-runtime"}


def test_a_copied_surface_is_no_part_of_what_is_called():
    found = estimate(target("llama3.2", built_in("ollama"), "http://localhost:11434/v1", level="generate"))
    assert found.requests[0].url == "http://localhost:11434/api/chat"
