"""IBM watsonx.ai: the key is exchanged for a token, once for all models of a run, and the public list of
models says which of them are withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import Probe, ProviderKind
from reconciler.protocols import reading, tokens
from reconciler.protocols.base import HttpProtocol
from reconciler.protocols.classify import Complaint, Finding, Rule
from reconciler.protocols.credentials import Credentials, Secret, Unresolved
from reconciler.protocols.exchange import Exchange, Request, SecretHeader, Verdict
from reconciler.protocols.generation import Call, Work
from reconciler.protocols.kept_tokens import Grant
from reconciler.protocols.questions import Case, Question
from reconciler.protocols.run import Run
from reconciler.protocols.shapes import watsonx
from reconciler.protocols.shapes.watsonx import PAYERS

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


@dataclass(frozen=True, slots=True)
class WatsonxProtocol(HttpProtocol):
    """watsonx.ai, with its keys exchanged at IBM's IAM."""

    def credentials(self, target: ProbeTarget, run: Run) -> Credentials | Unresolved:
        """A target's credentials; the project or space that it names wins over the environment's."""
        found = HttpProtocol.credentials(self, target, run)
        given = target.credentials if isinstance(target.credentials, Mapping) else {}
        if isinstance(found, Unresolved) or not any(name in given for name in PAYERS):
            return found
        return {name: one for name, one in found.items() if name not in PAYERS or name in given}

    def compose(self, work: Work) -> Call | Verdict:
        """A request; none where nobody pays, for the answer would be a refusal that says little."""
        if not any(work.plain.get(name) for name in PAYERS):
            return Verdict("secret_missing", _nobody_pays(work.kind))
        return HttpProtocol.compose(self, work)

    async def credential(self, case: Case) -> Verdict:
        """Whether IAM gives a token for the key."""
        if "api_key" not in case.credentials:
            return Verdict("unprobeable", f"{case.target.address.provider} has no api_key to exchange")
        grant = await self._grant(case)
        if isinstance(grant, Verdict):
            return grant
        source = case.credentials["api_key"].source
        return reading.positive(grant.answer, f"IAM gives a token for the key in {source}")

    async def secret_headers(self, case: Case) -> tuple[SecretHeader, ...] | Verdict:
        """The token, in the place of the key; nothing where there is no key."""
        if "api_key" not in case.credentials:
            return ()
        grant = await self._grant(case)
        return grant if isinstance(grant, Verdict) else (tokens.bearer(grant),)

    async def renewed(self, case: Case, question: Question, exchange: Exchange) -> Question | Verdict | None:
        """The same question with a new token, where the first had expired."""
        if not question.request.secrets or not tokens.is_refused(case, exchange, stale=_STALE_TOKEN):
            return None
        grant = await self._grant(case, refused=question.request.secrets[0].secret)
        return grant if isinstance(grant, Verdict) else tokens.again(question, grant)

    def inspect(self, found: Any, case: Case, probe: Probe) -> Finding | None:
        """A withdrawn model stays in the list, with the day of its withdrawal."""
        del probe
        phases = found.get("lifecycle") if isinstance(found, dict) else None
        if not isinstance(phases, list):
            return None
        for phase in phases:
            if isinstance(phase, dict) and phase.get("id") == "withdrawn":
                since = phase.get("start_date")
                if _has_come(since, case.run.now.date()):
                    return Finding("model_withdrawn", Complaint(code="withdrawn", message=f"since {since}"))
        return None

    async def _grant(self, case: Case, *, refused: Secret | None = None) -> Grant | Verdict:
        """A token for the key; asked for once in a run, and once more where it had expired."""
        probe = case.target.kind.probes.get("credential", _IAM_PROBE)
        url = probe.path if probe.path.startswith(("https://", "http://")) else IAM_URL
        key = case.credentials["api_key"]
        form = (("grant_type", _GRANT), ("apikey", key))

        async def exchange(case: Case) -> Grant | Verdict:
            attempt = 0 if refused is None else 1
            request = Request("POST", url, case.target.timeout, form=form, attempt=attempt)
            return await tokens.exchange(case, Question(probe, request), rules=IAM_RULES, source="IAM")

        return await tokens.kept(case, (url, key), exchange, refused=refused)


PROTOCOL = WatsonxProtocol(name="watsonx", rules=RULES, shapes=watsonx.SHAPES, wires=watsonx.WIRES)


def _nobody_pays(kind: ProviderKind) -> str:
    rules = kind.credentials
    variables = [rules[name].env[0] for name in PAYERS if name in rules and rules[name].env]
    wanted = " or ".join(variables or PAYERS)
    return (
        f"{kind.name} generates for a project or a space, and none is named; set {wanted}, or write "
        "project_id or space_id under the provider's credentials"
    )


def _has_come(day: Any, today: date) -> bool:
    """Whether a phase has begun; one without a readable day has."""
    try:
        return date.fromisoformat(str(day)[:10]) <= today
    except ValueError:
        return True
