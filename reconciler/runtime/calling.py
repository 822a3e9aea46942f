"""A stored configuration becomes what protocols ask, and what they found becomes an answer or an error: what
all calls of models share, whoever makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from reconciler.core.address import Address
from reconciler.core.outcome import Outcome, Result
from reconciler.core.probe import ProbeTarget
from reconciler.core.prompt import Prompt, prompt_of
from reconciler.core.provider_kind import ProviderKind
from reconciler.core.state import Spec
from reconciler.engine.targets import provider_kind, target_of
from reconciler.errors import GenerationError, UsageError
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Piece, Reply
from reconciler.runtime.generation import Generation
from reconciler.runtime.responses import ProviderModelConfigResponse

# Models that think may be silent for minutes; one that writes is not.
WHOLE_ANSWER = 600.0
NEXT_PIECE = 60.0

_TEMPLATE = ("system_prompt", "context_prefix", "query_prefix", "answer_prefix")
# What the detail of an outcome does not say by itself.
_HINTS: Mapping[Outcome, str] = {
    "auth_failed": "check the key that the provider's credentials refer to",
    "forbidden": "check what the key's account may use",
    "quota_exhausted": "raise the account's limit, or wait until it is renewed",
    "rate_limited": "ask again later, and less often",
    "overloaded": "ask again later",
    "timeout": "ask again later, or give a longer timeout",
    "unreachable": "check base_url and the network",
    "model_not_found": "verify the model: `reconciler verify` tells what the provider says of it",
}


class _Configured(NamedTuple):
    """A stored configuration as probes know one."""

    address: Address
    kind: str
    kind_spec: Spec | None
    base_url: str | None
    credentials: Any
    verification: Mapping[str, Any]
    mode: str
    parameters: Spec
    template: Spec | None
    capabilities: tuple[str, ...]


def kind_of(config: ProviderModelConfigResponse) -> ProviderKind:
    """The kind of a model's provider; one of no protocol where nobody registered the provider."""
    return provider_kind(_configured(config))


def target_for(config: ProviderModelConfigResponse, timeout: float) -> ProbeTarget:
    """What is asked, with the seconds that it may take.

    Raises:
        UsageError: The timeout is not more than 0.
        GenerationError: A hand has spoilt the provider's row.
    """
    given: object = timeout
    if not isinstance(given, (int, float)) or not given > 0:
        raise UsageError("A call must be given some time.", code="bad-timeout", hint="give seconds")
    target = target_of(_configured(config), "generate")
    if isinstance(target, Result):
        raise failure(config, Verdict(target.outcome, target.detail))
    return replace(target, timeout=timeout)


def told(config: ProviderModelConfigResponse, prompt: str, context: str | None) -> Prompt:
    """What a model is told: the question and its context in the words of the model's template.

    Raises:
        UsageError: One of them is no text.
    """
    for name, text in (("prompt", prompt), ("context", context or "")):
        if not isinstance(text, str):
            raise UsageError(
                f"The {name} is a {type(text).__name__} and no text.",
                code="bad-prompt",
                hint="join several texts into one",
            )
    return prompt_of(_template(config), prompt, context or "")


def generation(config: ProviderModelConfigResponse, reply: Reply, seconds: float) -> Generation:
    """A reply as callers get it."""
    return Generation(
        reply.text,
        provider=config.provider_name,
        model_id=config.model_id,
        model=reply.model,
        finish_reason=reply.finish_reason,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        latency_ms=round(seconds * 1000),
        values=reply.values,
    )


def failure(config: ProviderModelConfigResponse, verdict: Verdict) -> GenerationError:
    """A verdict as callers get it: as an error whose words hold nothing secret."""
    return GenerationError(
        verdict.detail or f"{config.address} did not answer ({verdict.outcome})",
        outcome=verdict.outcome,
        http_status=verdict.http_status,
        retry_after=verdict.retry_after,
        code=verdict.provider_code,
        hint=_HINTS.get(verdict.outcome),
        provider=config.provider_name,
        model_id=config.model_id,
    )


def together(pieces: list[Piece]) -> Reply:
    """What the pieces of an answer say as a whole; of what several say, the last counts."""

    def last(name: str) -> Any:
        said = (getattr(piece, name) for piece in reversed(pieces))
        return next((one for one in said if one is not None), None)

    return Reply(
        text="".join(piece.text for piece in pieces),
        model=next((piece.model for piece in pieces if piece.model), None),
        finish_reason=last("finish_reason"),
        input_tokens=last("input_tokens"),
        output_tokens=last("output_tokens"),
    )


def _template(config: ProviderModelConfigResponse) -> Spec | None:
    stored = config.prompt_template
    return None if stored is None else {name: getattr(stored, name) for name in _TEMPLATE}


def _configured(config: ProviderModelConfigResponse) -> _Configured:
    return _Configured(
        address=config.address,
        kind=config.kind,
        kind_spec=config.kind_spec,
        base_url=config.base_url,
        credentials=config.credentials,
        verification={},
        mode=config.mode,
        parameters=config.parameters.values,
        template=_template(config),
        capabilities=tuple(config.capabilities or ()),
    )
