"""What answers mean: tables of recorded shapes for each protocol, and that no answer can break the reader."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.probing import ANTHROPIC, COMPATIBLE, OPENAI, target
from support.probing import watsonx as watsonx_kind

from reconciler.core.outcome import DETAIL_LIMIT, OUTCOMES
from reconciler.core.probe import Access
from reconciler.core.provider_kind import Denial, Probe
from reconciler.protocols import anthropic, openai, watsonx
from reconciler.protocols.classify import classify, retry_after
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.matching import find_listed, is_listed, same_model
from reconciler.protocols.questions import url_of
from reconciler.protocols.redaction import redact
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run
from reconciler.protocols.wording import Scene, sentence

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "canary-key-0123456789"


def answer(status, body, **headers):
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def error(message="", **fields):
    return {"error": {"message": message, **fields}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"id": "gpt-4o"}, None),
        (200, error("Provider returned error", code=502), "bad_response"),
        (200, error("Incorrect API key provided"), "bad_response"),
        (200, {"choices": []}, "bad_response"),
        (200, {"error": None, "id": "x"}, None),
        (200, "<html>", "bad_response"),
        (200, "", "bad_response"),
        (200, '{"data": [', "bad_response"),
        (204, "", "bad_response"),
        (301, "", "bad_response"),
        (400, error("Unsupported parameter: 'max_tokens'"), "probe_invalid"),
        (400, error("This model's maximum context length is 8192 tokens"), "probe_invalid"),
        (
            400,
            error("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"),
            "auth_failed",
        ),
        (400, {"code": "x", "error": "Incorrect API key provided: xa***yz"}, "auth_failed"),
        (400, error("Model Not Exist", type="invalid_request_error"), "model_not_found"),
        (400, {"message": "Invalid model: x", "type": "invalid_model", "code": 1500}, "model_not_found"),
        (400, error("model x has been decommissioned", code="model_decommissioned"), "model_withdrawn"),
        (
            400,
            error("The requested model 'x' is not supported", code="model_not_supported"),
            "model_not_found",
        ),
        (401, error("Incorrect API key provided", code="invalid_api_key"), "auth_failed"),
        (401, {"error": "Unauthorized"}, "auth_failed"),
        (401, {"detail": "Unauthorized"}, "auth_failed"),
        (401, "", "auth_failed"),
        (401, error("Your IP is not authorized", code="ip_not_authorized"), "forbidden"),
        (403, error("Missing scopes: api.model.read"), "unprobeable"),
        (402, error("Insufficient Balance"), "quota_exhausted"),
        (403, error("No permission"), "forbidden"),
        (403, {"status": 403, "title": "Forbidden", "detail": "Authorization failed"}, "forbidden"),
        (403, error("Country, region, or territory not supported"), "wrong_region"),
        (403, error("", code="unsupported_country_region_territory"), "wrong_region"),
        (403, error("input tokens + max_new_tokens must be <= 4097"), "probe_invalid"),
        (404, error("The model 'x' does not exist", code="model_not_found"), "model_not_found"),
        (
            404,
            {"object": "error", "message": "The model `x` does not exist.", "code": 404},
            "model_not_found",
        ),
        (404, {"error": "model 'x' not found"}, "model_not_found"),
        (405, {"detail": "Method Not Allowed"}, "unprobeable"),
        (408, "", "timeout"),
        (410, {"title": "Gone"}, "model_withdrawn"),
        (413, "", "probe_invalid"),
        (422, {"detail": [{"msg": "field required"}]}, "probe_invalid"),
        (424, "", "overloaded"),
        (429, error("Rate limit reached"), "rate_limited"),
        (429, error("You exceeded your current quota", code="insufficient_quota"), "quota_exhausted"),
        (429, error("", type="insufficient_quota", code="credit_balance_exhausted"), "quota_exhausted"),
        (429, error("", code="billing_hard_limit_reached"), "quota_exhausted"),
        (498, error("", code="capacity_exceeded"), "overloaded"),
        (500, "", "overloaded"),
        (501, "", "unprobeable"),
        (502, "<html>", "overloaded"),
        (503, error("", code="slow_down"), "overloaded"),
        (504, "", "timeout"),
        (529, "", "overloaded"),
        (599, "", "overloaded"),
        (418, "", "probe_invalid"),
    ],
)
def test_servers_like_openai_are_read(status, body, expected):
    finding = classify(answer(status, body), openai.RULES)
    assert (finding and finding.outcome) == expected


@pytest.mark.parametrize(
    ("status", "kind", "message", "expected"),
    [
        (400, "invalid_request_error", "max_tokens: required", "probe_invalid"),
        (400, "invalid_request_error", "You have reached your spend limit", "quota_exhausted"),
        (400, "invalid_request_error", "Your credit balance is too low", "quota_exhausted"),
        (401, "authentication_error", "invalid x-api-key", "auth_failed"),
        (402, "billing_error", "", "quota_exhausted"),
        (403, "permission_error", "", "forbidden"),
        (404, "not_found_error", "model: claude-9", "model_not_found"),
        (413, "request_too_large", "", "probe_invalid"),
        (429, "rate_limit_error", "", "rate_limited"),
        (500, "api_error", "", "overloaded"),
        (504, "timeout_error", "", "timeout"),
        (529, "overloaded_error", "Overloaded", "overloaded"),
    ],
)
def test_anthropic_is_read(status, kind, message, expected):
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "r"}
    finding = classify(answer(status, body), anthropic.RULES)
    assert (finding.outcome, finding.is_certain) == (expected, True)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (400, "invalid_request_entity", "Missing either space_id or project_id", "probe_invalid"),
        (400, "model_not_supported", "", "wrong_region"),
        (404, "model_not_supported", "", "wrong_region"),
        (400, "model_no_support_for_function", "", "probe_invalid"),
        (401, "authentication_token_not_valid", "", "auth_failed"),
        (403, "authorization_rejected", "", "forbidden"),
        (403, "", "Failed to find the IBMid-1 member in project_id", "forbidden"),
        (403, "no_associated_service_instance_error", "", "forbidden"),
        (429, "token_quota_reached", "", "quota_exhausted"),
        (429, "rate_limit_reached", "", "rate_limited"),
        (500, "", "", "overloaded"),
    ],
)
def test_watsonx_is_read(status, code, message, expected):
    body = {"errors": [{"code": code, "message": message}], "trace": "t", "status_code": status}
    assert classify(answer(status, body), watsonx.RULES).outcome == expected


@pytest.mark.parametrize(
    "body",
    [
        "",
        {"detail": "Not Found"},
        "404 page not found",
        "<h1>Cannot GET /v1/models/gpt-9</h1>",
        error("Invalid URL (GET /v1/v1/models/model-that-is-not-found)", type="invalid_request_error"),
    ],
)
def test_a_bare_404_is_not_certain_to_speak_of_the_model(body):
    finding = classify(answer(404, body), openai.RULES)
    assert (finding.outcome, finding.is_certain) == ("model_not_found", False)


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "GPT-4o", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13", False),
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4", False),
        ("claude-sonnet-4", "claude-sonnet-4-20250514", True),
        ("claude-sonnet-4@20250514", "claude-sonnet-4", True),
        ("mistral-large-latest", "mistral-large-2411", True),
        ("gemini-pro", "models/gemini-pro", True),
        ("gemini-pro", "models/gemini-pro-001", True),
        ("llama3", "llama3:latest", True),
        ("llama3", "llama3:8b", False),
        ("Llama-3-8B", "meta-llama/Llama-3-8B", True),
        ("openai/gpt-4o", "gpt-4o", True),
        ("gpt-4o", "my-gpt-4o", False),
        ("granite-13b", "tiny.gguf", False),
        ("claude-sonnet-4-0", "claude-sonnet-4-20250514", True),
        ("claude-sonnet-4-0", "claude-sonnet-4-5-20250929", False),
        ("claude-sonnet-4@20250514", "claude-sonnet-4-20250514", True),
        ("openai/gpt-4.1", "gpt-4.1-2025-04-14", True),
        ("openai/gpt-4.1", "gpt-4.1-mini-2025-04-14", False),
    ],
)
def test_variants_of_a_name_are_one_model_and_others_are_not(asked, answered, same):
    assert same_model(asked, answered) is same


@pytest.mark.parametrize(
    ("asked", "listed", "there"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-05-13", "gpt-4o", False),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "GPT-4o", False),
        ("mistral-large-latest", "mistral-large-2411", True),
        ("llama3", "llama3:latest", True),
        ("gemini-pro", "models/gemini-pro", True),
        ("gpt-4o", "openai/gpt-4o", False),
        ("", "x", False),
    ],
)
def test_a_list_must_name_the_model_itself_or_a_snapshot_of_it(asked, listed, there):
    assert is_listed(asked, listed) is there


def test_a_model_may_be_listed_under_another_of_its_names():
    models = [
        {"id": "mistral-small-2506", "aliases": ["mistral-small-latest", 7]},
        {"id": "b", "aliases": "c"},
    ]
    assert find_listed("mistral-small-latest", models, "id") is models[0]
    assert find_listed("c", models, "id") is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30"}, 30.0),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:09:30 GMT", "date": "Thu, 01 Jan 2026 00:09:25 GMT"}, 5.0),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT", "date": "today"}, 30.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, 7 * 24 * 3600.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 7 * 24 * 3600.0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_how_long_to_wait_is_read_as_seconds_or_as_a_date(headers, seconds):
    assert retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words stay", "plain words stay"),
        (f"the key {KEY} is bad", "the key [redacted] is bad"),
        (f"twice {KEY}{KEY}", "twice [redacted][redacted]"),
        ("sk-proj-abcdef0123456789 here", "[redacted] here"),
        (
            "Incorrect API key provided: sk-ab***********wxyz. See",
            "Incorrect API key provided: [redacted] See",
        ),
        ("key abcd****wxyz", "key [redacted]"),
        ("Authorization: Bearer abc.def-123", "Authorization: [redacted]"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "token [redacted]"),
        ("AIzaSyA0123456789abcdefghijklmnopqrstuv", "[redacted]"),
        ("hex 0123456789abcdef0123456789abcdef", "hex [redacted]"),
        (
            "a xoxb-" + "1234567890-abcdefghij and a -----BEGIN PRIVATE KEY-----",
            "a [redacted] and a [redacted]",
        ),
        ("risk-based skating", "risk-based skating"),
        ("two\nlines\tand\x1b[31m red\u202e \x00", "two lines and [31m red"),
        ("lone \ud800 surrogate", "lone surrogate"),
    ],
)
def test_what_is_shown_holds_nothing_secret_and_stands_on_one_line(text, shown):
    assert redact(text, [Secret(KEY, source="X")]) == shown


def test_what_is_shown_is_cut_after_it_is_redacted():
    text = "x" * (DETAIL_LIMIT - 5) + KEY
    shown = redact(text.replace("x", "a "), [Secret(KEY, source="X")])
    assert len(shown) == DETAIL_LIMIT
    assert KEY[:4] not in shown


@pytest.mark.parametrize("outcome", sorted(set(OUTCOMES) - {"skipped", "secret_missing"}))
def test_every_outcome_of_an_answer_has_a_sentence(outcome):
    said = sentence(outcome, Scene("openai", "{host}", "api.openai.com", "OPENAI_API_KEY", 418), "why")
    assert said.endswith(": why")
    assert outcome in {"refused_host", "refused_reference"} or said.count(" ") > 3


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gpt-4o", "/v1/models/gpt-4o"),
        ("meta/llama 3:8b@x", "/v1/models/meta%2Fllama%203%3A8b%40x"),
        ("../key?a=b#c", "/v1/models/..%2Fkey%3Fa%3Db%23c"),
        ("..", "/v1/models/%2E%2E"),
        ("modèle", "/v1/models/mod%C3%A8le"),
    ],
)
def test_a_models_id_is_one_segment_of_a_path(model, path):
    assert url_of("https://h.example/v1/", Probe(path="/models/{model}"), model) == f"https://h.example{path}"


def test_a_probe_may_ask_in_its_query_or_on_another_host():
    query = Probe(path="https://iam.example/specs", query={"filters": "modelid_{model}", "limit": "1"})
    assert (
        url_of("https://h.example", query, "a/b&c")
        == "https://iam.example/specs?filters=modelid_a%2Fb%26c&limit=1"
    )
    assert url_of("https://h.example/v1/", Probe(), "x") == "https://h.example/v1/"


class Scripted:
    """Answers by path from a table, as a transport would; keeps what was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    async def send(self, request):
        self.asked.append(request)
        name = request.url.partition("?")[0].rpartition("/")[2]
        return self.answers.get(name, Verdict("unreachable", "nobody is there"))


def verified(case, sender, **environ):
    environ = environ or {"OPENAI_API_KEY": KEY}

    async def ask():
        run = Run(sender, Access(environ=environ, allowed_hosts=("127.0.0.1:9",)), NOW)
        try:
            return await protocol(case.kind.protocol).verify(case, run)
        finally:
            await run.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        pytest.param(answer(200, {"data": []}), "model_not_found", id="the path is right"),
        pytest.param(answer(404, ""), "probe_invalid", id="the path is wrong"),
        pytest.param(answer(200, "<html>"), "probe_invalid", id="a web site"),
        pytest.param(Verdict("timeout", "gone"), "timeout", id="nobody knows"),
    ],
)
def test_a_bare_404_is_settled_by_a_second_question(beside, expected):
    sender = Scripted(**{"gpt-9": answer(404, {"detail": "Not Found"}), "models": beside})
    assert verified(target("gpt-9"), sender).outcome == expected


def test_a_certain_404_needs_no_second_question():
    sender = Scripted(**{"gpt-9": answer(404, error("", code="model_not_found"))})
    verdict = verified(target("gpt-9"), sender)
    assert (verdict.outcome, verdict.provider_code, len(sender.asked)) == (
        "model_not_found",
        "model_not_found",
        1,
    )


LISTED = {"credentials": "none", "base_url": "http://127.0.0.1:9/v1", "kind": COMPATIBLE}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(answer(200, {"data": [{"id": "a"}, {"id": "b"}]}), "ok", id="listed"),
        pytest.param(answer(200, {"data": ["a"]}), "ok", id="listed by name alone"),
        pytest.param(answer(200, {"data": [{"id": "b"}]}), "model_not_found", id="not listed"),
        pytest.param(answer(200, {"data": []}), "model_not_found", id="nothing listed"),
        pytest.param(answer(200, {"data": [], "has_more": True}), "unprobeable", id="on another page"),
        pytest.param(answer(200, {"data": [], "total_count": 9}), "unprobeable", id="more than was shown"),
        pytest.param(answer(200, {"data": [None, 3, {"id": 4}, {"name": "a"}]}), "model_not_found", id="odd"),
        pytest.param(answer(200, {"models": []}), "bad_response", id="no list where it belongs"),
        pytest.param(answer(200, []), "bad_response", id="a bare list"),
        pytest.param(answer(200, "<html>"), "bad_response", id="a web site"),
        pytest.param(answer(404, ""), "probe_invalid", id="no list at all"),
        pytest.param(answer(405, ""), "unprobeable", id="lists are not offered"),
        pytest.param(answer(401, ""), "auth_failed", id="it wants a key"),
    ],
)
def test_a_list_decides_whether_a_model_is_there(body, expected):
    assert verified(target("a", **LISTED), Scripted(models=body)).outcome == expected


@pytest.mark.parametrize(
    ("body", "expected", "answered_by"),
    [
        ({"id": "gpt-4o"}, "ok", "gpt-4o"),
        ({"id": "gpt-4o-2024-08-06"}, "ok", "gpt-4o-2024-08-06"),
        ({"id": "gpt-3.5"}, "model_mismatch", "gpt-3.5"),
        ({"id": KEY}, "model_mismatch", "[redacted]"),
        ({"id": 4}, "bad_response", None),
        ({}, "bad_response", None),
        ([], "bad_response", None),
    ],
)
def test_an_answer_must_come_from_the_model_that_was_asked(body, expected, answered_by):
    verdict = verified(target("gpt-4o"), Scripted(**{"gpt-4o": answer(200, body)}))
    assert (verdict.outcome, verdict.answered_by) == (expected, answered_by)


@pytest.mark.parametrize(
    ("case", "outcome", "words"),
    [
        (target(level="none"), "skipped", "none"),
        (target(level="generate"), "unprobeable", "no endpoint for the mode chat"),
        (target(base_url=None), "unprobeable", "base_url"),
        (target(kind=COMPATIBLE, base_url="https://x.example"), "refused_host", "ALLOWED_HOSTS=x.example"),
        (target(base_url="https://x.example"), "refused_host", "ALLOWED_HOSTS=x.example"),
        (
            target(base_url="https://x.example", credentials={"api_key": "env:NO_API_KEY"}),
            "refused_host",
            "x.",
        ),
        (target(credentials={"api_key": "env:NO_API_KEY"}), "secret_missing", "NO_API_KEY"),
        (target(credentials={"api_key": "env:HOME"}), "refused_reference", "HOME"),
    ],
)
def test_what_must_not_be_asked_is_not_asked(case, outcome, words):
    sender = Scripted()
    verdict = verified(case, sender)
    assert (verdict.outcome, sender.asked) == (outcome, [])
    assert words in verdict.detail


@pytest.mark.parametrize("name", ["azure_openai", "base", "", "OpenAI"])
def test_a_protocol_that_is_not_spoken_is_nothing(name):
    assert protocol(name) is None


PUBLIC = Probe(path="/models", list_at="data", authenticated=False)


def test_a_public_list_proves_a_model_only_beside_a_proven_key():
    kind = OPENAI.__class__(
        "openrouter",
        "openai",
        credentials=OPENAI.credentials,
        hosts=OPENAI.hosts,
        probes={"credential": Probe(path="/key"), "model": PUBLIC},
    )
    listed = answer(200, {"data": [{"id": "a"}]})
    good = Scripted(key=answer(200, {"data": {"label": "x"}}), models=listed)
    bad = Scripted(key=answer(401, error("No auth")), models=listed)
    assert verified(target("a", kind), good).outcome == "ok"
    assert [bool(request.secrets) for request in good.asked] == [True, False]
    assert verified(target("a", kind), bad).outcome == "auth_failed"
    without = kind.__class__(
        "nvidia", "openai", credentials=kind.credentials, hosts=kind.hosts, probes={"model": PUBLIC}
    )
    assert verified(target("a", without), Scripted(models=listed)).outcome == "unprobeable"


IAM = "http://127.0.0.1:9/token"
TOKEN = answer(200, {"access_token": "tok-1", "expires_in": 3600})


def specs(*models, **fields):
    return answer(200, {"resources": [{"model_id": model, **fields} for model in models]})


@pytest.mark.parametrize(
    ("token", "listed", "expected"),
    [
        pytest.param(TOKEN, specs("granite-13b"), "ok", id="there"),
        pytest.param(TOKEN, specs("other"), "model_not_found", id="not in this region"),
        pytest.param(
            TOKEN,
            specs("granite-13b", lifecycle=[{"id": "withdrawn", "start_date": "2025-12-31"}]),
            "model_withdrawn",
            id="withdrawn",
        ),
        pytest.param(
            TOKEN,
            specs("granite-13b", lifecycle=[{"id": "withdrawn", "start_date": "2026-01-02"}]),
            "ok",
            id="withdrawn tomorrow",
        ),
        pytest.param(
            TOKEN,
            specs("granite-13b", lifecycle=[{"id": "deprecated", "start_date": "2020-01-01"}]),
            "ok",
            id="deprecated",
        ),
        pytest.param(
            answer(400, {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."}),
            specs("granite-13b"),
            "auth_failed",
            id="a bad key is a bad request",
        ),
        pytest.param(answer(404, ""), specs("granite-13b"), "probe_invalid", id="no exchange there"),
        pytest.param(answer(429, ""), specs("granite-13b"), "rate_limited", id="too many exchanges"),
        pytest.param(answer(200, {}), specs("granite-13b"), "bad_response", id="no token in it"),
        pytest.param(answer(200, {"access_token": "a\nb"}), specs("granite-13b"), "bad_response", id="odd"),
    ],
)
@pytest.mark.parametrize("authenticated", [False, True])
def test_watsonx_proves_key_and_model(token, listed, expected, authenticated):
    kind = watsonx_kind(IAM, authenticated=authenticated)
    case = target("granite-13b", kind, "https://us-south.ml.cloud.ibm.com")
    sender = Scripted(token=token, foundation_model_specs=listed)
    verdict = verified(case, sender, WATSONX_APIKEY=KEY)
    assert verdict.outcome == expected
    assert KEY not in repr(sender.asked) + repr(verdict)


def test_the_token_exchange_goes_only_where_the_key_may_go():
    kind = watsonx_kind("https://iam.evil.example/identity/token")
    sender = Scripted(token=TOKEN)
    verdict = verified(
        target("granite-13b", kind, "https://us-south.ml.cloud.ibm.com"), sender, WATSONX_APIKEY=KEY
    )
    assert (verdict.outcome, sender.asked) == ("refused_host", [])
    assert "RECONCILER_ALLOWED_HOSTS=iam.evil.example" in verdict.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error", "errors", "code", "type", "message", "detail", "status", "id", "data"),
                    *("resources", "model_id", "lifecycle", "access_token", "has_more", "total_count"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
CASES = [
    (target("a"), {"OPENAI_API_KEY": KEY}),
    (target("a", **LISTED), {"X": "x"}),
    (target("a", ANTHROPIC, "https://api.anthropic.com"), {"ANTHROPIC_API_KEY": KEY}),
    (target("a", watsonx_kind(IAM), "https://us-south.ml.cloud.ibm.com"), {"WATSONX_APIKEY": KEY}),
    (
        target("a", watsonx_kind(IAM, authenticated=True), "https://us-south.ml.cloud.ibm.com"),
        {"WATSONX_APIKEY": KEY},
    ),
]


class SameForAll:
    def __init__(self, reply):
        self.reply = reply

    async def send(self, request):
        del request
        return self.reply


@pytest.mark.parametrize(("case", "environ"), CASES)
@settings(max_examples=40)
@given(status=st.sampled_from([200, 302, 400, 401, 403, 404, 429, 500]), body=JSON)
def test_no_answer_breaks_the_reader(case, environ, status, body):
    verdict = verified(case, SameForAll(answer(status, body)), **environ)
    assert verdict.outcome in OUTCOMES
    assert len(verdict.detail) <= DETAIL_LIMIT
    assert verdict.detail.isprintable()


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 100_000, "1" * 100_000, "\x00\xff", '"\\ud800"'])
def test_a_malicious_body_is_a_bad_response(body):
    verdict = verified(target("a"), SameForAll(Answer(200, {}, body.encode())))
    assert verdict.outcome == "bad_response"


def test_a_success_that_says_no_counts_as_its_kind_says():
    blocked = Denial("team_blocked", equals=True, outcome="forbidden", message="the team is blocked")
    kind = replace(OPENAI, probes={"model": Probe(path="/models/{model}", fails=(blocked,))})
    body = {"id": "gpt-4o", "team_blocked": True}
    verdict = verified(target("gpt-4o", kind), Scripted(**{"gpt-4o": answer(200, body)}))
    assert (verdict.outcome, "the team is blocked" in verdict.detail) == ("forbidden", True)
