"""Recorded shapes of answers of Azure OpenAI, Gemini, Vertex AI, Bedrock and Cohere, and what each of them
means: status, headers and body in, outcome and the provider's own code out. Nothing is sent.
"""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.more_providers import AWS_ID, AWS_SECRET, PROJECT
from support.probing import target

from reconciler.core.outcome import OUTCOMES
from reconciler.core.probe import Access
from reconciler.kinds import built_in
from reconciler.protocols import tokens
from reconciler.protocols.bedrock import control_url
from reconciler.protocols.classify import classify
from reconciler.protocols.credentials import Secret, Unresolved
from reconciler.protocols.dialects import oauth
from reconciler.protocols.exchange import Answer
from reconciler.protocols.matching import same_model
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run
from reconciler.protocols.vertex import TOKEN_RULES
from reconciler.protocols.ways import Way, choose

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "canary-key-0123456789"
BASE_URLS = {
    "azure-openai": "https://team.openai.azure.com",
    "bedrock": "https://bedrock-runtime.us-east-1.amazonaws.com",
    "cohere": "https://api.cohere.com",
    "gemini": "https://generativelanguage.googleapis.com",
    "vertex": "https://us-central1-aiplatform.googleapis.com",
}
ENVIRON = {
    "AZURE_OPENAI_API_KEY": KEY,
    "AWS_BEARER_TOKEN_BEDROCK": KEY,
    "COHERE_API_KEY": KEY,
    "GEMINI_API_KEY": KEY,
    "GOOGLE_OAUTH_ACCESS_TOKEN": KEY,
    "GOOGLE_VERTEX_PROJECT": PROJECT,
}
MODEL_IDS = {
    "azure-openai": "my-deployment",
    "bedrock": "anthropic.claude-sonnet-4-v1:0",
    "cohere": "command-r",
    "gemini": "gemini-2.5-pro",
    "vertex": "gemini-2.5-pro",
}


class Scripted:
    """Gives one answer to whatever speaks of the model, another to everything else; keeps what was asked."""

    def __init__(self, about_model, beside=None):
        self.about_model = about_model
        self.beside = beside
        self.asked = []

    async def send(self, request):
        self.asked.append(request)
        if self.beside is not None and request.url.endswith(("/foundation-models", "=1", "check-api-key")):
            return self.beside
        return self.about_model


def answer(status, body, **headers):
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): text for name, text in headers.items()}, content)


def verified(kind, sender, *, level="model", model=None, environ=None, base_url=None, **fields):
    case = target(
        model or MODEL_IDS[kind], built_in(kind), base_url or BASE_URLS[kind], level=level, **fields
    )

    async def ask():
        access = Access(environ=environ or ENVIRON, allowed_hosts=("team.openai.azure.com",))
        run = Run(sender, access, NOW)
        try:
            return await protocol(kind).verify(case, run)
        finally:
            await run.close()

    return asyncio.run(ask())


def told(verdict):
    return verdict.outcome, verdict.provider_code


def google(code, status, message="", *details):
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def reason(word):
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word, "domain": "googleapis.com"}


BAD_KEY = google(400, "INVALID_ARGUMENT", "API key not valid. Please pass one.", reason("API_KEY_INVALID"))
ABROAD = google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"name": "models/gemini-2.5-pro", "version": "2.5"}, ("ok", None)),
        (200, {"name": "models/gemini-2.5-flash"}, ("model_mismatch", None)),
        (200, {}, ("bad_response", None)),
        (400, BAD_KEY, ("auth_failed", "API_KEY_INVALID")),
        (400, google(400, "INVALID_ARGUMENT", "Bad model name"), ("probe_invalid", "INVALID_ARGUMENT")),
        (400, ABROAD, ("wrong_region", "FAILED_PRECONDITION")),
        (
            400,
            google(400, "FAILED_PRECONDITION", "Gemini API free tier is not available in your country."),
            ("wrong_region", "FAILED_PRECONDITION"),
        ),
        (
            400,
            google(400, "FAILED_PRECONDITION", "Please enable billing"),
            ("probe_invalid", "FAILED_PRECONDITION"),
        ),
        (401, google(401, "UNAUTHENTICATED", "no"), ("auth_failed", "UNAUTHENTICATED")),
        (
            403,
            google(403, "PERMISSION_DENIED", "Your API key was reported as leaked."),
            ("auth_failed", "PERMISSION_DENIED"),
        ),
        (
            403,
            google(403, "PERMISSION_DENIED", "It is disabled.", reason("SERVICE_DISABLED")),
            ("forbidden", "SERVICE_DISABLED"),
        ),
        (
            404,
            google(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta"),
            ("model_not_found", "NOT_FOUND"),
        ),
        (
            404,
            google(404, "NOT_FOUND", "This model models/gemini-1.0-pro is no longer available."),
            ("model_withdrawn", "NOT_FOUND"),
        ),
        (404, "<html>Error 404</html>", ("probe_invalid", None)),
        (429, google(429, "RESOURCE_EXHAUSTED", "Quota exceeded"), ("rate_limited", "RESOURCE_EXHAUSTED")),
        (499, google(499, "CANCELLED"), ("timeout", "CANCELLED")),
        (500, google(500, "INTERNAL"), ("overloaded", "INTERNAL")),
        (503, google(503, "UNAVAILABLE", "The model is overloaded."), ("overloaded", "UNAVAILABLE")),
        (504, google(504, "DEADLINE_EXCEEDED"), ("timeout", "DEADLINE_EXCEEDED")),
        (503, [google(503, "UNAVAILABLE")], ("overloaded", "UNAVAILABLE")),
        (400, {"error": {"code": "invalid_request", "message": "no"}}, ("probe_invalid", "invalid_request")),
    ],
)
def test_gemini_is_read(status, body, expected):
    assert told(verified("gemini", Scripted(answer(status, body), answer(404, "")))) == expected


@pytest.mark.parametrize(
    ("details", "headers", "seconds"),
    [
        ([{"retryDelay": "37s"}], {}, 37.0),
        ([reason("X"), {"retryDelay": "1.5s"}], {}, 1.5),
        ([{"retryDelay": "37s"}], {"retry_after": "3"}, 3.0),
        ([{"retryDelay": "soon"}, "odd", None], {}, None),
        ([], {}, None),
    ],
)
def test_google_says_in_its_details_how_long_to_wait(details, headers, seconds):
    said = answer(429, google(429, "RESOURCE_EXHAUSTED", "", *details), **headers)
    assert verified("gemini", Scripted(said)).retry_after == seconds


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"totalTokens": 1, "totalBillableCharacters": 4}, ("ok", None)),
        (200, {}, ("bad_response", None)),
        (200, [], ("bad_response", None)),
        (401, google(401, "UNAUTHENTICATED", "", reason("ACCESS_TOKEN_EXPIRED")), "ACCESS_TOKEN_EXPIRED"),
        (
            403,
            google(403, "PERMISSION_DENIED", "Permission denied", reason("IAM_PERMISSION_DENIED")),
            ("forbidden", "IAM_PERMISSION_DENIED"),
        ),
        (
            403,
            google(403, "PERMISSION_DENIED", "Enable billing", reason("BILLING_DISABLED")),
            ("forbidden", "BILLING_DISABLED"),
        ),
        (
            404,
            google(404, "NOT_FOUND", "Publisher Model `projects/p/models/x` was not found or no access."),
            ("model_not_found", "NOT_FOUND"),
        ),
        (
            400,
            google(400, "FAILED_PRECONDITION", "gemini-x is not available in this region"),
            ("wrong_region", "FAILED_PRECONDITION"),
        ),
        (404, "<html>That is an error.</html>", ("probe_invalid", None)),
        (429, google(429, "RESOURCE_EXHAUSTED"), ("rate_limited", "RESOURCE_EXHAUSTED")),
        (503, google(503, "UNAVAILABLE"), ("overloaded", "UNAVAILABLE")),
    ],
)
def test_vertex_is_read(status, body, expected):
    expected = ("auth_failed", expected) if isinstance(expected, str) else expected
    assert told(verified("vertex", Scripted(answer(status, body), answer(404, "")))) == expected


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}, "auth_failed"),
        (400, {"error": "invalid_grant", "error_description": "account not found"}, "auth_failed"),
        (
            400,
            {
                "error": "invalid_grant",
                "error_description": "Token must be in a reasonable timeframe. Check your iat",
            },
            "probe_invalid",
        ),
        (401, {"error": "invalid_client"}, "auth_failed"),
        (400, {"error": "invalid_scope", "error_description": "Bad scope"}, "probe_invalid"),
        (404, "", "probe_invalid"),
        (500, {"error": "internal_failure"}, "overloaded"),
        (503, "<html>", "overloaded"),
    ],
)
def test_googles_token_endpoint_is_read(status, body, expected):
    assert classify(answer(status, body), TOKEN_RULES, oauth).outcome == expected


@pytest.mark.parametrize(
    ("model", "mode", "asked"),
    [
        ("gemini-2.5-pro", "chat", 1),
        ("google/gemini-2.5-pro", "chat", 0),
        ("claude-sonnet-4@20250514", "chat", 0),
        ("publishers/meta/models/llama-3", "chat", 0),
        ("gemini-embedding-001", "embedding", 0),
        ("imagen-4", "image", 0),
    ],
)
def test_only_models_that_count_tokens_are_asked_to(model, mode, asked):
    sender = Scripted(answer(200, {"totalTokens": 1}))
    case = replace(target(model, built_in("vertex"), BASE_URLS["vertex"]), mode=mode)

    async def ask():
        return await protocol("vertex").verify(case, Run(sender, Access(environ=ENVIRON), NOW))

    verdict = asyncio.run(ask())
    assert (verdict.outcome, len(sender.asked)) == ("ok" if asked else "unprobeable", asked)


@pytest.mark.parametrize(
    ("base_url", "location", "path"),
    [
        ("https://europe-west4-aiplatform.googleapis.com", None, "europe-west4"),
        ("https://europe-west4-aiplatform.googleapis.com", "us-central1", "europe-west4"),
        ("https://aiplatform.googleapis.com", None, "global"),
        ("https://aiplatform.googleapis.com", "global", "global"),
    ],
)
def test_the_host_says_where_vertex_is_asked(base_url, location, path):
    sender = Scripted(answer(200, {"totalTokens": 1}))
    environ = ENVIRON | ({"GOOGLE_VERTEX_LOCATION": location} if location else {})
    assert verified("vertex", sender, base_url=base_url, environ=environ).outcome == "ok"
    project = f"{base_url}/v1/projects/{PROJECT}/locations/{path}"
    whole = f"{project}/publishers/google/models/gemini-2.5-pro:countTokens"
    assert [request.url for request in sender.asked] == [whole]


def availability(**fields):
    found = {"modelId": MODEL_IDS["bedrock"], "authorizationStatus": "AUTHORIZED"}
    found |= {"entitlementAvailability": "AVAILABLE", "regionAvailability": "AVAILABLE"}
    return found | {"agreementAvailability": {"status": "AVAILABLE"}} | fields


def aws(status, code, message="", **headers):
    return answer(status, {"message": message}, x_amzn_errortype=f"{code}:http://internal/", **headers)


NO_LISTING = "User: arn:x is not authorized to perform: bedrock:GetFoundationModelAvailability on resource: y"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (answer(200, availability()), ("ok", None)),
        (
            answer(200, availability(regionAvailability="NOT_AVAILABLE")),
            ("wrong_region", "regionAvailability=NOT_AVAILABLE"),
        ),
        (
            answer(200, availability(authorizationStatus="NOT_AUTHORIZED")),
            ("forbidden", "authorizationStatus=NOT_AUTHORIZED"),
        ),
        (
            answer(200, availability(entitlementAvailability="NOT_AVAILABLE")),
            ("forbidden", "entitlementAvailability=NOT_AVAILABLE"),
        ),
        (
            answer(200, availability(agreementAvailability={"status": "PENDING"})),
            ("unprobeable", "agreement=PENDING"),
        ),
        (answer(200, {"modelId": "x"}), ("bad_response", None)),
        (answer(200, []), ("bad_response", None)),
        (aws(400, "ValidationException", "The provided model identifier is invalid."), "model_not_found"),
        (aws(400, "ValidationException", "Malformed input"), "probe_invalid"),
        (aws(400, "ServiceQuotaExceededException"), "quota_exhausted"),
        (aws(403, "AccessDeniedException", "You don't have access to the model."), "forbidden"),
        (aws(403, "AccessDeniedException", NO_LISTING), "unprobeable"),
        (aws(403, "UnrecognizedClientException", "The security token is invalid."), "auth_failed"),
        (aws(403, "InvalidSignatureException", "The signature does not match."), "auth_failed"),
        (aws(403, "InvalidSignatureException", "Signature expired: 2020 is earlier"), "probe_invalid"),
        (aws(403, "ExpiredTokenException", "The security token is expired"), "auth_failed"),
        (
            answer(403, {"Message": "Authentication failed: Please make sure your API Key is valid."}),
            ("auth_failed", None),
        ),
        (
            answer(403, {"Message": "Invalid API Key format: Must start with pre-defined prefix"}),
            ("auth_failed", None),
        ),
        (
            answer(400, {"__type": "com.amazon.coral#ThrottlingException", "message": "Rate exceeded"}),
            ("rate_limited", "ThrottlingException"),
        ),
        (aws(404, "ResourceNotFoundException", "Could not resolve it"), "model_not_found"),
        (
            aws(404, "ResourceNotFoundException", "This model version has reached end of life"),
            "model_withdrawn",
        ),
        (
            aws(404, "ResourceNotFoundException", "Model use case details have not been submitted"),
            "forbidden",
        ),
        (aws(404, "UnknownOperationException", ""), "probe_invalid"),
        (aws(408, "ModelTimeoutException"), "timeout"),
        (aws(424, "ModelErrorException"), "overloaded"),
        (aws(429, "ThrottlingException", "Too many requests"), "rate_limited"),
        (aws(429, "ModelNotReadyException", "Not ready"), "overloaded"),
        (aws(500, "InternalServerException"), "overloaded"),
        (aws(503, "ServiceUnavailableException"), "overloaded"),
    ],
)
def test_bedrock_is_read(said, expected):
    code = said.headers.get("x-amzn-errortype", "").partition(":")[0]
    expected = (expected, code) if isinstance(expected, str) else expected
    assert told(verified("bedrock", Scripted(said, answer(404, "")))) == expected


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("anthropic.claude-v2:1", "/foundation-model-availability/anthropic.claude-v2%3A1"),
        ("deepseek.v3-v1:0", "/foundation-model-availability/deepseek.v3-v1%3A0"),
        ("eu.anthropic.claude-x-v1:0", "/inference-profiles/eu.anthropic.claude-x-v1%3A0"),
        ("global.amazon.nova-2", "/inference-profiles/global.amazon.nova-2"),
        (
            "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1",
            "/inference-profiles/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fa1",
        ),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/a1", None),
    ],
)
def test_bedrock_is_asked_at_its_control_host(model, path):
    said = answer(200, {**availability(), "status": "ACTIVE"})
    sender = Scripted(said)
    outcome = verified("bedrock", sender, model=model).outcome
    urls = [f"https://bedrock.us-east-1.amazonaws.com{path}"] if path else []
    assert [request.url for request in sender.asked] == urls
    assert outcome == ("ok" if path else "unprobeable")


@pytest.mark.parametrize(
    ("base_url", "control"),
    [
        ("https://bedrock-runtime.eu-west-1.amazonaws.com", "https://bedrock.eu-west-1.amazonaws.com"),
        (
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com/",
            "https://bedrock-fips.us-east-1.amazonaws.com/",
        ),
        ("https://gateway.example/bedrock-runtime.x", "https://gateway.example/bedrock-runtime.x"),
    ],
)
def test_the_control_host_stands_beside_the_runtime(base_url, control):
    assert control_url(base_url) == control


@pytest.mark.parametrize(
    "base_url",
    [
        "https://bedrock-runtime.evil.example",
        "https://bedrock.us-east-1.amazonaws.com.evil.example",
        "http://bedrock-runtime.us-east-1.amazonaws.com",
        "https://evil.example/bedrock-runtime.us-east-1.amazonaws.com",
    ],
)
def test_neither_host_of_bedrock_may_be_elsewhere(base_url):
    sender = Scripted(answer(200, availability()))
    signing = {"AWS_ACCESS_KEY_ID": AWS_ID, "AWS_SECRET_ACCESS_KEY": AWS_SECRET}
    for environ in (ENVIRON, signing):
        assert verified("bedrock", sender, base_url=base_url, environ=environ).outcome == "refused_host"
    assert sender.asked == []


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"name": "command-r", "endpoints": ["chat"]}, "ok"),
        (200, {"name": "command-r-08-2024"}, "ok"),
        (200, {"name": "command-a-03-2025"}, "model_mismatch"),
        (200, {"message": "x"}, "bad_response"),
        (400, {"message": "invalid request"}, "probe_invalid"),
        (401, {"id": "1", "message": "invalid api token"}, "auth_failed"),
        (401, {"message": "no api key supplied"}, "auth_failed"),
        (498, {"message": "invalid api token"}, "auth_failed"),
        (402, {"message": "Please add or update your payment method"}, "quota_exhausted"),
        (403, {"message": "not allowed"}, "forbidden"),
        (404, {"message": "model 'command-z' not found, make sure the ID is right"}, "model_not_found"),
        (404, {"message": "not here"}, "probe_invalid"),
        (
            429,
            {"message": "You are using a Trial key, which is limited to 1000 API calls / month."},
            "quota_exhausted",
        ),
        (429, {"message": "You are using a Trial key, limited to 10 calls / minute."}, "rate_limited"),
        (499, {"message": "client closed request"}, "timeout"),
        (500, {"message": "internal"}, "overloaded"),
    ],
)
def test_cohere_is_read(status, body, expected):
    verdict = verified("cohere", Scripted(answer(status, body), answer(404, "")))
    assert told(verdict) == (expected, None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"valid": True, "organization_id": "o"}, "ok"),
        ({"valid": False}, "auth_failed"),
        ({"valid": "yes"}, "auth_failed"),
        ({"organization_id": "o"}, "ok"),
    ],
)
def test_coheres_check_of_a_key_is_believed(body, expected):
    sender = Scripted(answer(200, body))
    assert verified("cohere", sender, level="credential").outcome == expected
    assert [(request.method, request.url) for request in sender.asked] == [
        ("POST", "https://api.cohere.com/v1/check-api-key")
    ]


DENIED = "Access denied due to invalid subscription key or wrong API endpoint."


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, {"object": "list", "data": [{"id": "gpt-4"}]}, ("ok", None)),
        (200, {"object": "list"}, ("bad_response", None)),
        (401, {"error": {"code": "401", "message": DENIED}}, ("auth_failed", "401")),
        (
            401,
            {"statusCode": 401, "message": "Unauthorized. Access token is missing."},
            ("auth_failed", None),
        ),
        (
            401,
            {"error": {"code": "PermissionDenied", "message": "The principal lacks the data action"}},
            ("forbidden", "PermissionDenied"),
        ),
        (
            403,
            {"error": {"code": "403", "message": "Access denied due to Virtual Network/Firewall rules."}},
            ("forbidden", "403"),
        ),
        (
            403,
            {"error": {"code": "AuthenticationTypeDisabled", "message": "Key based authentication is off"}},
            ("forbidden", "AuthenticationTypeDisabled"),
        ),
        (404, {"error": {"code": "404", "message": "Resource not found"}}, ("probe_invalid", "404")),
        (
            404,
            {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}},
            ("model_not_found", "DeploymentNotFound"),
        ),
        (400, {"error": {"code": "BadRequest", "message": "API version not supported"}}, "BadRequest"),
        (
            429,
            {"error": {"code": "429", "message": "Requests have exceeded the limit"}},
            ("rate_limited", "429"),
        ),
        (
            429,
            {"error": {"code": "insufficient_quota", "message": "x"}},
            ("quota_exhausted", "insufficient_quota"),
        ),
        (503, {"error": {"code": "ServiceUnavailable", "message": ""}}, ("overloaded", "ServiceUnavailable")),
    ],
)
def test_azure_is_read(status, body, expected):
    expected = ("probe_invalid", expected) if isinstance(expected, str) else expected
    assert told(verified("azure-openai", Scripted(answer(status, body)), level="credential")) == expected


def test_a_deployment_is_proven_by_nothing_but_generating():
    sender = Scripted(answer(200, {"data": []}))
    verdict = verified("azure-openai", sender)
    assert (verdict.outcome, sender.asked) == ("unprobeable", [])
    assert "deployment" in verdict.detail


@pytest.mark.parametrize("kind", MODEL_IDS)
def test_no_url_and_no_printed_request_holds_the_key(kind):
    sender = Scripted(answer(401, {"error": {"message": f"bad key {KEY}"}, "message": KEY}))
    verdicts = [verified(kind, sender, level=level) for level in ("credential", "model")]
    assert sender.asked
    assert all(KEY not in request.url for request in sender.asked)
    assert KEY not in f"{sender.asked} {verdicts}"


@pytest.mark.parametrize("kind", MODEL_IDS)
def test_an_endpoint_without_a_key_is_asked_without_one(kind):
    sender = Scripted(answer(401, {}))
    assert verified(kind, sender, level="credential", credentials="none").outcome == "auth_failed"
    assert [request.secrets for request in sender.asked] == [()]


# Which of several credentials is taken

FOUND = {name: Secret(name, source=name) for name in ("a", "b", "c", "d", "p")}
WAYS = (Way(("a",)), Way(("b", "c"), ("d",)))
KIND = replace(
    built_in("openai"), credentials={name: built_in("openai").credentials["api_key"] for name in FOUND}
)


@pytest.mark.parametrize(
    ("there", "named", "expected"),
    [
        ("abcdp", "", "ap"),
        ("bcdp", "", "bcdp"),
        ("bcp", "", "bcp"),
        ("abcdp", "bc", "bcp"),
        ("abcdp", "bcd", "bcdp"),
        ("abcdp", "b", "bcp"),
        ("abcdp", "p", "ap"),
        ("abcdp", "ab", "ap"),
        ("bp", "", None),
        ("abp", "b", None),
        ("dp", "", None),
        ("", "", None),
    ],
)
def test_one_way_is_taken_and_identities_are_not_mixed(there, named, expected):
    given = {name: f"env:{name}" for name in named} if named else "kind"
    case = target("x", KIND, "https://api.openai.com", credentials=given)
    chosen = choose({name: FOUND[name] for name in there}, case, WAYS)
    if expected is None:
        assert isinstance(chosen, Unresolved)
        assert chosen.outcome == "secret_missing"
    else:
        assert "".join(chosen) == expected


def test_a_kind_that_knows_none_of_the_ways_keeps_all_it_has():
    own = target("x", built_in("openai"), "https://api.openai.com")
    assert choose({"api_key": FOUND["a"]}, own, WAYS) == {"api_key": FOUND["a"]}
    nothing = target("x", KIND, "https://api.openai.com", credentials="none")
    assert choose({}, nothing, WAYS) == {}


def test_what_is_missing_is_named_by_its_variables():
    for kind, words in {
        "azure-openai": "AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN is not set",
        "bedrock": "AWS_BEARER_TOKEN_BEDROCK or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY is not set",
        "vertex": "GOOGLE_OAUTH_ACCESS_TOKEN or GOOGLE_APPLICATION_CREDENTIALS is not set",
    }.items():
        verdict = verified(kind, Scripted(None), environ={"ANY": "x"})
        assert (verdict.outcome, words in verdict.detail) == ("secret_missing", True)


def test_an_alias_and_its_month_are_one_model():
    assert same_model("command-r", "command-r-08-2024")
    assert not same_model("command-r-03-2024", "command-r-08-2024")


def test_printing_a_grant_shows_no_token():
    grant = tokens.Grant(Secret(KEY, source="x"), answer(200, {"access_token": KEY}))
    assert KEY not in f"{grant} {tokens.bearer(grant)}"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("error", "code", "status", "details", "reason", "retryDelay", "message", "Message"),
                    *("__type", "valid", "name", "totalTokens", "agreementAvailability", "data", "models"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60)
@given(st.sampled_from(sorted(MODEL_IDS)), st.sampled_from([200, 400, 403, 404, 429, 500]), JSON)
def test_no_answer_breaks_a_reader(kind, status, body):
    said = Scripted(answer(status, body))
    for level in ("credential", "model"):
        assert verified(kind, said, level=level).outcome in OUTCOMES
