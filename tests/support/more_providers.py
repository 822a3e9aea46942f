"""The local server of `support.providers`, speaking the protocols of Azure OpenAI, Gemini, Vertex AI with its
token exchange, Bedrock and Cohere as well. It trusts no client: signatures of AWS are recomputed from what
arrived, by the standard library alone, and assertions are verified with the public key.
"""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from functools import cache
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support.providers import GOOD, Conversation, FakeProviders

PROJECT = "team-rag-1234"
EMAIL = f"prober@{PROJECT}.iam.gserviceaccount.com"
AWS_ID, AWS_SECRET, AWS_TOKEN = "AKIAFAKECANARY123456", "fake-canary/aws+secret", "fake-canary-session=="
REGION = "us-east-1"
MODELS = (
    *("gemini-2.5-pro", "command-r-08-2024", "anthropic.claude-sonnet-4-v1:0", "us.amazon.nova-lite-v1:0"),
    "gpt-4",
)
_GOOGLE = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_GOOGLE |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
_AWS = {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException"}
_AWS |= {429: "ThrottlingException", 500: "InternalServerException"}
_FRESH = 300


@cache
def private_key(which=0):
    """A key of a service account, made once; another number, another key."""
    del which
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_file(token_url, *, key=None, **fields):
    """A service account's key file as Google hands it out."""
    pem = (key or private_key()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0123456789abcdef",
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "token_uri": token_url,
    }
    return json.dumps({**content, **fields}, indent=2)


class MoreProviders(FakeProviders):
    """The server with more protocols; `minted_tokens` holds every token that it gave out."""

    def __init__(self, models=MODELS, **options):
        super().__init__(models, **options)
        self.minted_tokens: list[str] = []

    @property
    def token_url(self) -> str:
        """Where assertions are exchanged."""
        return f"{self.url}/oauth/token"

    def converse(self, exchange, headers, body) -> None:
        """Answer one request."""
        MoreConversation(exchange, headers, body).run()


class MoreConversation(Conversation):
    """One request in one of the protocols."""

    def _key(self):
        direct = self.headers.get("api-key") or self.headers.get("x-goog-api-key") or ""
        return direct or super()._key()

    def _model(self):
        last = unquote(self.path.rpartition("/")[2])
        return last.removesuffix(":countTokens")

    def _behaviour(self):
        found = super()._behaviour()
        if not found:
            # A family's name stands before the rest there.
            self.model, whole = self.model.removeprefix("gemini-").removeprefix("fake."), self.model
            found, self.model = super()._behaviour(), whole
        return found

    def dialects(self):
        """What is spoken, by the first segment of the path."""
        return {
            **super().dialects(),
            "azure-openai": self._azure,
            "gemini": self._gemini,
            "vertex": self._vertex,
            "oauth": self._oauth,
            "bedrock": self._bedrock,
            "cohere": self._cohere,
        }

    def fail(self, status, code, message, headers=()):
        """An error in the dialect that is spoken."""
        if self.dialect in {"anthropic", "watsonx", "iam", "ollama"}:
            super().fail(status, code, message, headers)
            return
        if self.dialect in {"gemini", "vertex"}:
            error = {"code": status, "message": message, "status": _GOOGLE.get(status, "UNKNOWN")}
            if code.isupper():
                error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code}]
            body = {"error": error}
        elif self.dialect == "bedrock":
            name = code if code.endswith("Exception") else _AWS.get(status, "UnknownException")
            headers = {**dict(headers), "x-amzn-ErrorType": f"{name}:http://internal.example/"}
            body = {"message": message}
        elif self.dialect == "oauth":
            body = {"error": code, "error_description": message}
        elif self.dialect == "cohere":
            body = {"id": "an-id", "message": message}
        else:
            body = {"error": {"code": code if code[:1].isupper() else str(status), "message": message}}
        self.reply(status, body, headers)

    # The protocols

    def _azure(self):
        if not self.authorized:
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            self.fail(401, "401", message)
        elif self.path != "openai/models" or not self.query.get("api-version", "").startswith("20"):
            self.fail(404, "404", "Resource not found")
        else:
            self.reply(200, {"object": "list", "data": [{"id": "gpt-4", "object": "model"}]})

    def _gemini(self):
        if "key" in self.query or not self.authorized:
            message = "API key not valid. Please pass a valid API key."
            self.fail(400, "API_KEY_INVALID", message)
        elif self.path == "v1beta/models":
            self.reply(200, {"models": [{"name": "models/gemini-2.5-pro"}], "nextPageToken": "x"})
        elif self.exists(self.model):
            named = "other" if self.behaviour == "lying" else self.model
            self.reply(200, {"name": f"models/{named}", "supportedGenerationMethods": ["generateContent"]})
        else:
            self.fail(404, "", f"models/{self.model} is not found for API version v1beta")

    def _vertex(self):
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        counting = f"v1/projects/{PROJECT}/locations/us-central1/publishers/google/models/"
        if token not in {*self.fake.minted_tokens, GOOD}:
            self.fail(401, "ACCESS_TOKEN_TYPE_UNSUPPORTED", "Request had invalid authentication credentials.")
        elif self.path == "v1beta1/publishers/google/models":
            self.reply(200, {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]})
        elif not self.path.startswith(counting):
            self.fail(403, "IAM_PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied")
        elif not self.exists(self.model):
            self.fail(404, "", f"Publisher Model `{self.path}` was not found or your project has no access.")
        else:
            asked = json.loads(self.body)["contents"][0]["parts"][0]["text"]
            self.reply(200, {"totalTokens": len(asked.split())})

    def _oauth(self):
        wanted = "urn:ietf:params:oauth:grant-type:jwt-bearer"
        if self.form.get("grant_type") != wanted:
            self.fail(400, "unsupported_grant_type", "Invalid grant_type")
        elif fault := self._fault_of(self.form.get("assertion", "")):
            self.fail(400, "invalid_grant", fault)
        else:
            token = f"ya29.fake-canary-token-{len(self.fake.minted_tokens)}"
            self.fake.minted_tokens.append(token)
            self.reply(200, {"access_token": token, "token_type": "Bearer", "expires_in": 3599})

    def _fault_of(self, assertion):
        """What is wrong with an assertion, checked as Google does."""
        said, _, signature = assertion.rpartition(".")
        try:
            header, claims = (json.loads(_unpadded(part)) for part in said.split("."))
            private_key().public_key().verify(
                _unpadded(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except (ValueError, InvalidSignature):
            return "Invalid JWT Signature."
        known = {"alg": "RS256", "typ": "JWT", "kid": "0123456789abcdef"}
        scope = "https://www.googleapis.com/auth/cloud-platform"
        if header != known or claims["iss"] != EMAIL or claims["scope"] != scope:
            return "Invalid JWT: its header or its claims are not as they should be."
        fresh = claims["iat"] - _FRESH < time.time() < claims["exp"] <= claims["iat"] + 3600
        return (
            ""
            if fresh and claims["aud"] == self.fake.token_url
            else "Invalid JWT: Check your iat and exp values"
        )

    def _bedrock(self):
        if not self._is_signed() and not self.authorized:
            if "AWS4-HMAC-SHA256" in self.headers.get("authorization", ""):
                message = f"The signature does not match. The Canonical String was '{self.headers}'"
                self.fail(403, "InvalidSignatureException", message)
            else:
                self.fail(
                    403,
                    "AccessDeniedException",
                    "Authentication failed: Please make sure your API Key is valid.",
                )
        elif self.path == "foundation-models":
            self.reply(200, {"modelSummaries": [{"modelId": model} for model in self.fake.models]})
        elif not self.exists(self.model):
            self.fail(404, "ResourceNotFoundException", "The provided model identifier is invalid.")
        elif self.path.startswith("inference-profiles/"):
            self.reply(200, {"inferenceProfileId": self.model, "status": "ACTIVE"})
        else:
            self.reply(200, self._availability())

    def _availability(self):
        lacking = {"fake.closed-model": "entitlementAvailability", "fake.far-model": "regionAvailability"}
        found = {"modelId": self.model, "authorizationStatus": "AUTHORIZED"}
        found |= {"agreementAvailability": {"status": "AVAILABLE"}}
        found |= {"entitlementAvailability": "AVAILABLE", "regionAvailability": "AVAILABLE"}
        return found | ({lacking[self.model]: "NOT_AVAILABLE"} if self.model in lacking else {})

    def _is_signed(self):
        """Whether the signature is the one that this request has, by AWS's own description of it."""
        given = self.headers.get("authorization", "")
        if not given.startswith("AWS4-HMAC-SHA256 ") or self.headers.get("x-amz-security-token") != AWS_TOKEN:
            return False
        parts = dict(part.split("=", 1) for part in given.removeprefix("AWS4-HMAC-SHA256 ").split(", "))
        moment = self.headers["x-amz-date"]
        age = abs(datetime.now(UTC) - datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC))
        scope = f"{moment[:8]}/{REGION}/bedrock/aws4_request"
        if parts["Credential"] != f"{AWS_ID}/{scope}" or age.total_seconds() > _FRESH:
            return False
        signed = hashlib.sha256(self._canonical(parts["SignedHeaders"]).encode()).hexdigest()
        key = f"AWS4{AWS_SECRET}".encode()
        for word in (moment[:8], REGION, "bedrock", "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{signed}"
        return hmac.compare_digest(parts["Signature"], hmac.digest(key, text.encode(), "sha256").hex())

    def _canonical(self, names):
        parts = urlsplit(self.exchange.path)
        query = sorted(
            (quote(name, safe="-_.~"), quote(text, safe="-_.~")) for name, text in parse_qsl(parts.query)
        )
        lines = [f"{name}:{self.headers[name].strip()}" for name in names.split(";")]
        return "\n".join(
            (
                self.exchange.command,
                quote(parts.path, safe="/-_.~"),
                "&".join(f"{name}={text}" for name, text in query),
                *lines,
                "",
                names,
                hashlib.sha256(self.body).hexdigest(),
            )
        )

    def _cohere(self):
        if self.path == "v1/check-api-key" and self.key == f"{GOOD}-invalid":
            self.reply(200, {"valid": False})
        elif not self.authorized:
            self.fail(401, "", "invalid api token")
        elif self.path == "v1/check-api-key" and self.exchange.command == "POST":
            self.reply(200, {"valid": True, "organization_id": "o", "owner_id": "p"})
        elif not self.path.startswith("v1/models/"):
            self.fail(404, "", "not found")
        elif self.exists(self.model) or self.model == "command-r":
            named = {"lying": "other", "command-r": "command-r-08-2024"}.get(self.model, self.model)
            self.reply(200, {"name": named, "endpoints": ["chat"], "context_length": 128000})
        else:
            self.fail(404, "", f"model '{self.model}' not found, make sure the correct model ID was used")


def _unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
