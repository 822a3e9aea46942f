"""IBM watsonx.ai: the key is exchanged for a token, once for all models of a run, and the public list of
models says which of them are withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NamedTuple

from reconciler.core.provider_kind import Probe
from reconciler.protocols import hosts, reading
from reconciler.protocols.base import HttpProtocol
from reconciler.protocols.classify import Complaint, Finding, Rule, classify, complaint_of
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Answer, Exchange, Request, SecretHeader, Verdict
from reconciler.protocols.questions import Case, Question

IAM_URL = "https://iam.cloud.ibm.com/identity/token"
_GRANT = "urn:ibm:params:oauth:grant-type:apikey"
_STALE_TOKEN = "authentication_token_not_valid"  # noqa: S105 - the name of an error
_IAM_PROBE = Probe(method="POST", path=IAM_URL)

RULES = (
    Rule("auth_failed", codes=(_STALE_TOKEN, "authentication_token_expired")),
    Rule("forbidden", codes=("authorization_rejected", "no_associated_service_instance_error")),
    Rule("forbidden", words=r"failed to find the ibmid"),
    Rule("wrong_region", codes=("model_not_supported",)),
    Rule("probe_invalid", codes=("model_no_support_for_function", "invalid_request_entity")),
    Rule("quota_exhausted", codes=("token_quota_reached",)),
)
# The exchange has a dialect of its own, in which a bad key is a bad request.
IAM_RULES = (Rule("auth_failed", statuses=(400, 401, 403)), Rule("probe_invalid", statuses=(404,)))


class Grant(NamedTuple):
    """A token, with the answer that it came in."""

    token: Secret
    answer: Answer


@dataclass(frozen=True, slots=True)
class WatsonxProtocol(HttpProtocol):
    """watsonx.ai, with its keys exchanged at IBM's IAM."""

    async def credential(self, case: Case) -> Verdict:
        """Whether IAM gives a token for the key."""
        if "api_key" not in case.credentials:
            return Verdict("unprobeable", f"{case.target.address.provider} has no api_key to exchange")
        grant = await self._grant(case, attempt=0)
        if isinstance(grant, Verdict):
            return grant
        source = case.credentials["api_key"].source
        return reading.positive(grant.answer, f"IAM gives a token for the key in {source}")

    async def secret_headers(self, case: Case) -> tuple[SecretHeader, ...] | Verdict:
        """The token, in the place of the key; nothing where there is no key."""
        if "api_key" not in case.credentials:
            return ()
        grant = await self._grant(case, attempt=0)
        return grant if isinstance(grant, Verdict) else (_bearer(grant),)

    async def put(self, case: Case, question: Question) -> Exchange:
        """Put a question, and once more with a new token where the first had expired."""
        exchange = await _put(case, question)
        if not (question.request.secrets and _is_stale(exchange)):
            return exchange
        grant = await self._grant(case, attempt=1)
        if isinstance(grant, Verdict):
            return grant
        renewed = replace(question.request, secrets=(_bearer(grant),), attempt=1)
        return await _put(case, question._replace(request=renewed))

    def inspect(self, item: Any, case: Case) -> Finding | None:
        """A withdrawn model stays in the list, with the day of its withdrawal."""
        phases = item.get("lifecycle") if isinstance(item, dict) else None
        if not isinstance(phases, list):
            return None
        for phase in phases:
            if isinstance(phase, dict) and phase.get("id") == "withdrawn":
                since = phase.get("start_date")
                if _has_come(since, case.run.now.date()):
                    return Finding("model_withdrawn", Complaint(code="withdrawn", message=f"since {since}"))
        return None

    async def _grant(self, case: Case, *, attempt: int) -> Grant | Verdict:
        """A token for the key; asked for once in a run, and once more where it had expired."""
        probe = case.target.kind.probes.get("credential", _IAM_PROBE)
        url = probe.path if probe.path.startswith(("https://", "http://")) else IAM_URL
        allowed = case.run.access.allowed_hosts
        refused = hosts.refusal(url, case.target.kind, allowed, has_credential=True)
        if refused:
            return Verdict("refused_host", refused)
        form = (("grant_type", _GRANT), ("apikey", case.credentials["api_key"]))
        request = Request("POST", url, case.target.timeout, form=form, attempt=attempt)
        exchange = await case.run.ask(request, shared=True)
        if isinstance(exchange, Verdict):
            return exchange
        return _grant_in(case, Question(probe, request), exchange)


PROTOCOL = WatsonxProtocol(name="watsonx", rules=RULES)


async def _put(case: Case, question: Question) -> Exchange:
    return await case.run.ask(question.request, shared=not question.is_about_one_model)


def _is_stale(exchange: Exchange) -> bool:
    return isinstance(exchange, Answer) and complaint_of(exchange).code == _STALE_TOKEN


def _bearer(grant: Grant) -> SecretHeader:
    return SecretHeader("Authorization", "Bearer ", grant.token)


def _grant_in(case: Case, question: Question, answer: Answer) -> Grant | Verdict:
    finding = classify(answer, IAM_RULES)
    if finding is not None:
        return reading.judged(case, question, answer, finding)
    token = answer.document.get("access_token") if isinstance(answer.document, dict) else None
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        return reading.judged(case, question, answer, Finding("bad_response"))
    return Grant(Secret(token, source="IAM"), answer)


def _has_come(day: Any, today: date) -> bool:
    """Whether a phase has begun; one without a readable day has."""
    try:
        return date.fromisoformat(str(day)[:10]) <= today
    except ValueError:
        return True
