"""Cohere's protocol: a question about the key itself, answered with whether it is valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.core.provider_kind import Probe
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Complaint, Finding, Rule
from reconciler.protocols.questions import Case
from reconciler.protocols.shapes import cohere

RULES = (
    Rule(
        "auth_failed", words=r"(invalid|no) api (token|key)|api key (is )?invalid", statuses=(400, 401, 498)
    ),
    Rule("quota_exhausted", words=r"trial key.{0,200}(/|per) ?month", statuses=(429,)),
    Rule("timeout", statuses=(499,)),
)


@dataclass(frozen=True, slots=True)
class CohereProtocol(HttpProtocol):
    """Cohere, whose answer about a key may be a success that says no."""

    def inspect(self, found: Any, case: Case, probe: Probe) -> Finding | None:
        """A key that is checked is not valid because the check succeeds."""
        del case, probe
        if isinstance(found, dict) and found.get("valid", True) is not True:
            return Finding("auth_failed", Complaint(message="the check of the key says that it is not valid"))
        return None


PROTOCOL = CohereProtocol(
    name="cohere",
    rules=RULES,
    placements={"api_key": Placement("Authorization", "Bearer ")},
    shapes=cohere.SHAPES,
    wires=cohere.WIRES,
)
