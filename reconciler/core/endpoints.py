"""Where a model does its work: a kind's endpoints, looked through for one model."""

from __future__ import annotations

from fnmatch import fnmatchcase

from reconciler.core.provider_kind import Endpoint, ProviderKind


def endpoint_of(kind: ProviderKind, model_id: str, mode: str) -> Endpoint | None:
    """Where a kind's model does its work: the first endpoint of its mode that fits it.

    >>> kind = ProviderKind("acme", "openai", endpoints=(Endpoint("chat", "/chat/completions"),))
    >>> endpoint_of(kind, "m", "chat").path, endpoint_of(kind, "m", "video")
    ('/chat/completions', None)
    """
    name = model_id.lower()
    for endpoint in kind.endpoints:
        fits = not endpoint.match or any(fnmatchcase(name, pattern.lower()) for pattern in endpoint.match)
        if endpoint.mode == mode and fits:
            return endpoint
    return None
