"""Amazon Bedrock's protocol: models are asked about at the control host beside the one that runs them, with a
key of Bedrock's own or with a signature, and asked themselves at the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.outcome import Outcome
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import Probe, ProbeLevel
from reconciler.protocols import dialects, hosts, sigv4
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Complaint, Finding, Rule
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generating import shape_name
from reconciler.protocols.generation import Call, Work
from reconciler.protocols.hints import hinted
from reconciler.protocols.questions import Case, Question
from reconciler.protocols.redaction import shorten
from reconciler.protocols.shapes import bedrock
from reconciler.protocols.ways import Way

RULES = (
    # Our own clock, or a region that the signature was not made for: nothing is known of the key.
    Rule("probe_invalid", words=r"signature (has )?(expired|not yet current)|credential should be scoped"),
    Rule(
        "auth_failed", codes=("unrecognizedclientexception", "invalidclienttokenid", "expiredtokenexception")
    ),
    Rule("auth_failed", codes=("invalidsignatureexception", "signaturedoesnotmatch", "expiredtoken")),
    Rule("auth_failed", codes=("missingauthenticationtokenexception", "incompletesignatureexception")),
    Rule(
        "auth_failed", words=r"make sure your api key is valid|invalid api key|security token .{0,60}invalid"
    ),
    Rule(
        "auth_failed", words=r"(security )?token .{0,60}expired|api key .{0,60}expired", statuses=(401, 403)
    ),
    # Whoever may use a model need not be allowed to ask about it.
    Rule("unprobeable", words=r"not authorized to perform: bedrock:(get|list)", statuses=(403,)),
    Rule("model_withdrawn", words=r"end of (its )?life|no longer (available|supported)", statuses=(400, 404)),
    Rule("forbidden", words=r"use case details have not been submitted"),
    Rule("model_not_found", codes=("resourcenotfoundexception",)),
    Rule("model_not_found", words=r"model identifier is invalid|invalid model identifier", statuses=(400,)),
    Rule("quota_exhausted", codes=("servicequotaexceededexception",)),
    Rule("rate_limited", codes=("throttlingexception", "toomanyrequestsexception")),
    Rule("overloaded", codes=("modelnotreadyexception", "serviceunavailableexception")),
)

# What a model's availability says, by field and value; the first that is so counts.
_AGAINST: tuple[tuple[str, str, Outcome, str], ...] = (
    ("regionAvailability", "NOT_AVAILABLE", "wrong_region", "it is not offered in this region"),
    ("authorizationStatus", "NOT_AUTHORIZED", "forbidden", "the account is not authorized for it"),
    ("entitlementAvailability", "NOT_AVAILABLE", "forbidden", "the account has no entitlement to it"),
)
_PROFILE = Probe(path="/inference-profiles/{model}", id_field="")
_PROFILES = re.compile(
    r"(global|us|us-gov|eu|apac|jp|au|ca)\.[a-z0-9-]+\..+|arn:.+:(application-)?inference-profile/.+"
)
_RUNTIME = re.compile(r"(?<=://)bedrock-runtime(?=(-fips)?\.)", re.IGNORECASE)
_CONTROL = re.compile(r"(?<=://)bedrock(?=(-fips)?\.)", re.IGNORECASE)
_BY_PROFILE = (
    "this model is run by an inference profile: write the profile's id, such as us.{model}, as the model's"
)
_REGION = re.compile(r"(?:^|\.)bedrock(?:-runtime)?(?:-fips)?\.([a-z]{2,4}(?:-[a-z]+)+-\d{1,2})\.")
_LONGEST_NAME = 100
_REGIONS = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True, slots=True)
class BedrockProtocol(HttpProtocol):
    """Bedrock, at its two hosts."""

    def home(self, base_url: str, level: ProbeLevel) -> str:
        """The host that runs models where they generate; everything else is asked beside it."""
        match level:
            case "reach":
                return base_url
            case "generate":
                return runtime_url(base_url)
            case _:
                return control_url(base_url)

    def advised(self, target: ProbeTarget, verdict: Verdict) -> Verdict:
        """A verdict with what can be done about it."""
        if "on-demand throughput" not in verdict.detail:
            return verdict
        return hinted(verdict, _BY_PROFILE.format(model=shorten(target.address.model_id, _LONGEST_NAME)))

    def probe(self, case: Case, level: ProbeLevel) -> Probe | Verdict:
        """An inference profile is asked about as such; what else has an ARN cannot be."""
        if level == "model" and _PROFILES.fullmatch(case.model_id):
            return _PROFILE
        if level == "model" and case.model_id.startswith("arn:"):
            return Verdict(
                "unprobeable", "of ARNs, only inference profiles can be asked about; write the model's id"
            )
        return HttpProtocol.probe(self, case, level)

    def compose(self, work: Work) -> Call | Verdict:
        """A request; none for an embedding of a family whose words are not known."""
        if shape_name(work.endpoint) == "embedding" and bedrock.embedding_family(work.model_id) is None:
            detail = f"only Titan and Cohere models are known to embed, and {work.model_id} is none of them"
            return Verdict("unprobeable", detail)
        return HttpProtocol.compose(self, work)

    def takes_one_text(self, work: Work) -> bool:
        """Titan embeds one text a request."""
        is_embedding = shape_name(work.endpoint) == "embedding"
        return is_embedding and bedrock.embedding_family(work.model_id) == "titan"

    async def authorized(self, case: Case, probe: Probe) -> Question | Verdict:
        """The question of a probe; signed when it is sent, where there is no key of Bedrock's own."""
        question = await HttpProtocol.authorized(self, case, probe)
        if (
            isinstance(question, Verdict)
            or sigv4.ACCESS_KEY not in case.credentials
            or not probe.authenticated
        ):
            return question
        region = _region(case)
        if region is None:
            detail = "to sign a request takes a region, and base_url names none; AWS_REGION may name it"
            return Verdict("unprobeable", detail)
        if not sigv4.is_available():
            detail = "to sign a request takes the extra: pip install 'llm-reconciler[bedrock]'"
            return Verdict("unprobeable", detail)
        signer = sigv4.signer(case.credentials, region)
        return question._replace(request=replace(question.request, signer=signer))

    def inspect(self, found: Any, case: Case, probe: Probe) -> Finding | None:
        """Whether the account may use the model here."""
        del case
        if "{model}" not in probe.path:
            return None
        if not isinstance(found, dict):
            return Finding("bad_response")
        return _against_profile(found) if probe is _PROFILE else _against_model(found)


PROTOCOL = BedrockProtocol(
    name="bedrock",
    rules=RULES,
    placements={"api_key": Placement("Authorization", "Bearer ")},
    dialect=dialects.aws,
    ways=(Way(("api_key",)), Way((sigv4.ACCESS_KEY, sigv4.SECRET_KEY), (sigv4.SESSION_TOKEN,))),
    shapes=bedrock.SHAPES,
    wires=bedrock.WIRES,
)


def control_url(base_url: str) -> str:
    """The control host beside one that runs models; any other host is taken to be both.

    >>> control_url("https://bedrock-runtime.eu-west-1.amazonaws.com")
    'https://bedrock.eu-west-1.amazonaws.com'
    """
    return _RUNTIME.sub("bedrock", base_url, count=1)


def runtime_url(base_url: str) -> str:
    """The host that runs models beside the control host; any other host is taken to be both.

    >>> runtime_url("https://bedrock.eu-west-1.amazonaws.com")
    'https://bedrock-runtime.eu-west-1.amazonaws.com'
    """
    return _CONTROL.sub("bedrock-runtime", base_url, count=1)


def _against_profile(found: Mapping[str, Any]) -> Finding | None:
    status = found.get("status")
    return (
        None if status == "ACTIVE" else Finding("bad_response", Complaint(message=f"its status is {status}"))
    )


def _against_model(found: Mapping[str, Any]) -> Finding | None:
    for name, value, outcome, message in _AGAINST:
        if found.get(name) == value:
            return Finding(outcome, Complaint(code=f"{name}={value}", message=message))
    agreement = found.get("agreementAvailability")
    status = agreement.get("status") if isinstance(agreement, dict) else None
    if status is None or any(name not in found for name, *_ in _AGAINST):
        return Finding("bad_response", Complaint(message="it does not tell the availability"))
    # The first real call may make the agreement, so its absence proves nothing.
    return None if status == "AVAILABLE" else Finding("unprobeable", Complaint(code=f"agreement={status}"))


def _region(case: Case) -> str | None:
    """The region that a host names, or else the one that the provider does."""
    origin = hosts.origin_of(case.base_url)
    if origin is not None and (match := _REGION.search(origin.host)):
        return match[1]
    named = case.credentials.get("region")
    return named.reveal() if named is not None and _REGIONS.fullmatch(named.reveal()) else None
