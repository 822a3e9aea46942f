"""The protocols by name, each loaded when it is asked for."""

from __future__ import annotations

from reconciler.protocols.base import ProbeProtocol


def protocol(name: str) -> ProbeProtocol | None:
    """The protocol of that name; `None` where this version speaks none.

    >>> protocol("openai").name
    'openai'
    """
    match name:
        case "openai":
            from reconciler.protocols import openai

            return openai.PROTOCOL
        case "anthropic":
            from reconciler.protocols import anthropic

            return anthropic.PROTOCOL
        case "watsonx":
            from reconciler.protocols import watsonx

            return watsonx.PROTOCOL
        case _:
            return None
