"""The names that a request's free fields may not have, for they would redirect or replace the request. Said
once, because the files are checked by it and every request is again.
"""

from __future__ import annotations

import re

# Where the request goes, who sends it, and what it says: the files' other fields and the caller decide that.
REDIRECTING: tuple[str, ...] = (
    *("base[-_]?url", "api[-_]?base", "(?:azure[-_]?)?endpoint", "url", "host", "region", "api[-_]?version"),
    *(
        "api[-_]?key",
        "(?:access|auth|api)[-_]?token",
        "token",
        "authorization",
        "credentials?",
        "password",
        "secret",
    ),
    *(
        "(?:extra|default|request|custom)?[-_]?headers?",
        "extra[-_]?(?:body|query)",
        "cookies?",
        "prox(?:y|ies)",
    ),
    *("organi(?:s|z)ation", "project(?:[-_]?id)?", "space[-_]?id", "deployment(?:[-_]?id)?"),
    *("model(?:[-_]?id)?", "messages?", "prompt", "input", "contents?", "system", "stream"),
)
_REDIRECTS = re.compile("|".join(REDIRECTING), re.IGNORECASE | re.ASCII)


def is_redirecting(name: str) -> bool:
    """Whether a name among a request's fields would redirect or replace the request.

    >>> is_redirecting("Api-Base"), is_redirecting("logit_bias")
    (True, False)
    """
    return _REDIRECTS.fullmatch(name) is not None
