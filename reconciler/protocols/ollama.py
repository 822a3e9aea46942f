"""Ollama's own protocol, which says more than the one of OpenAI that it offers beside it: a model that is not
there can be pulled, and one that is not loaded yet takes its time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import ProbeLevel
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Rule
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.hints import hinted
from reconciler.protocols.redaction import shorten
from reconciler.protocols.shapes import ollama

RULES = (
    # A missing model is always named; this is what its router says of a path.
    Rule("probe_invalid", words=r"^404 page not found", statuses=(404,)),
    Rule("model_not_found", words=r"^model .{0,300}not found", statuses=(400, 404)),
    Rule("overloaded", words=r"server busy|maximum pending requests"),
)
# People copy the endpoint with the path of one surface or the other behind it.
_SURFACE = re.compile(r"/(v1|api)/?$")
_LONGEST_NAME = 100
_LOADING = "the first call loads the model, which may take minutes: load it before, or give a longer timeout"


@dataclass(frozen=True, slots=True)
class OllamaProtocol(HttpProtocol):
    """An Ollama server, asked in its own words."""

    def home(self, base_url: str, level: ProbeLevel) -> str:
        """The server's root."""
        del level
        return _SURFACE.sub("", base_url)

    def advised(self, target: ProbeTarget, verdict: Verdict) -> Verdict:
        """A verdict with what can be done about it."""
        match verdict.outcome:
            case "model_not_found":
                return hinted(verdict, f"ollama pull {shorten(target.address.model_id, _LONGEST_NAME)}")
            case "timeout" if target.level == "generate":
                return hinted(verdict, _LOADING)
            case _:
                return verdict


PROTOCOL = OllamaProtocol(
    name="ollama",
    rules=RULES,
    placements={"api_key": Placement("Authorization", "Bearer ")},
    shapes=ollama.SHAPES,
    wires=ollama.WIRES,
)
