"""The protocols by name, each loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

from reconciler.protocols.base import ProbeProtocol

_NAMES = frozenset(
    {"openai", "anthropic", "watsonx", "azure-openai", "bedrock", "cohere", "gemini", "vertex", "ollama"}
)


def protocol(name: str) -> ProbeProtocol | None:
    """The protocol of that name; `None` where this version speaks none.

    >>> protocol("openai").name
    'openai'
    """
    if name not in _NAMES:
        return None
    spoken: ProbeProtocol = import_module(f"{__package__}.{name.replace('-', '_')}").PROTOCOL
    return spoken
