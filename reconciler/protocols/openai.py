"""OpenAI's protocol, which most other providers and servers speak too: what differs among them is data."""

from __future__ import annotations

from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Rule
from reconciler.protocols.shapes.openai import SHAPES

RULES = (
    Rule("quota_exhausted", words=r"exceeded your current quota", statuses=(429,)),
    Rule("forbidden", codes=("ip_not_authorized", "not_authorized_invalid_key_type")),
    Rule("auth_failed", codes=("account_deactivated", "invalid_organization")),
    Rule("model_not_found", codes=("model_not_supported", "notfounderror"), words=r"\bmodel\b"),
    # Lists of some name models that an account may not use; then a function of its own is not found.
    Rule("model_not_found", words=r"^function .{0,300}not found for account", statuses=(404,)),
    Rule("overloaded", codes=("slow_down", "capacity_exceeded", "server_overloaded")),
)

PROTOCOL = HttpProtocol(
    name="openai",
    rules=RULES,
    placements={
        "api_key": Placement("Authorization", "Bearer "),
        "organization": Placement("OpenAI-Organization"),
        "project": Placement("OpenAI-Project"),
    },
    shapes=SHAPES,
    wires={"max_new_tokens": "max_tokens", "stop_sequences": "stop", "logprobs": "top_logprobs"},
)
