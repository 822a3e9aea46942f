"""OpenAI's protocol, which most other providers and servers speak too: what differs among them is data."""

from __future__ import annotations

from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Rule

RULES = (
    Rule("quota_exhausted", words=r"exceeded your current quota", statuses=(429,)),
    Rule("forbidden", codes=("ip_not_authorized", "not_authorized_invalid_key_type")),
    Rule("auth_failed", codes=("account_deactivated", "invalid_organization")),
    Rule("model_not_found", codes=("model_not_supported", "notfounderror"), words=r"\bmodel\b"),
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
)
