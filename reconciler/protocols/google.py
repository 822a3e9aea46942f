"""What Google's errors mean; Gemini and Vertex AI share them. A bad key is a bad request there, so the reason
in an error's details counts before its status.
"""

from __future__ import annotations

from reconciler.protocols.classify import Rule

_ELSEWHERE = r"location is not supported|not available in your (country|region)"
_NOT_HERE = r"not (supported|available|found) in (this |the )?(region|location)\b"

RULES = (
    Rule(
        "auth_failed", codes=("api_key_invalid", "api_key_expired", "unauthenticated", "credentials_missing")
    ),
    Rule("auth_failed", codes=("access_token_expired", "access_token_type_unsupported")),
    Rule("auth_failed", codes=("account_state_invalid",)),
    Rule("auth_failed", words=r"api key expired|reported as leaked", statuses=(400, 401, 403)),
    Rule("wrong_region", words=_ELSEWHERE, statuses=(400, 403)),
    Rule("wrong_region", words=_NOT_HERE, statuses=(400, 403, 404)),
    Rule("model_withdrawn", words=r"\bmodels?\b.{0,300}(no longer available|been (shut down|discontinued))"),
    # Only a sentence about a model blames it: a project or a path can be missing too.
    Rule("model_not_found", codes=("not_found",), words=r"\bmodels?\b.{0,300}(not found|not exist)"),
    Rule("rate_limited", codes=("resource_exhausted", "rate_limit_exceeded")),
    Rule("timeout", codes=("deadline_exceeded", "cancelled")),
)
