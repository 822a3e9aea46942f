"""Google AI Studio's protocol: a header of its own for the key, which never stands in a URL."""

from __future__ import annotations

from reconciler.protocols import dialects, google
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.shapes import gemini

PROTOCOL = HttpProtocol(
    name="gemini",
    rules=google.RULES,
    placements={"api_key": Placement("x-goog-api-key")},
    dialect=dialects.google,
    shapes=gemini.SHAPES,
    wires=gemini.WIRES,
)
