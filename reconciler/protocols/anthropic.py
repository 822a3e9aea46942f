"""Anthropic's protocol: its own header for the key, a dated version, and error types in place of codes."""

from __future__ import annotations

from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Rule
from reconciler.protocols.shapes import anthropic

RULES = (
    Rule("quota_exhausted", words=r"spend limit|credit balance is too low", statuses=(400, 402)),
    Rule("auth_failed", codes=("authentication_error",)),
    # A path that does not exist is also `not_found_error`, but only a model is named.
    Rule("model_not_found", codes=("not_found_error",), words=r"^model:"),
    Rule("forbidden", codes=("permission_error",)),
    Rule("rate_limited", codes=("rate_limit_error",)),
    Rule("overloaded", codes=("overloaded_error", "api_error")),
)

PROTOCOL = HttpProtocol(
    name="anthropic",
    rules=RULES,
    placements={"api_key": Placement("x-api-key")},
    headers={"anthropic-version": "2023-06-01"},
    shapes=anthropic.SHAPES,
    wires=anthropic.WIRES,
)
