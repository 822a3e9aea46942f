"""What a model is asked to do becomes a piece of work: its endpoint, its prompt and its parameters. The probe
`generate` differs from an application in its short question and in naming a limit where none is set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from reconciler.core.endpoints import endpoint_of
from reconciler.core.probe import ProbeTarget
from reconciler.core.prompt import NOTHING_BESIDES, Inputs, Prompt, prompt_of
from reconciler.core.provider_kind import Endpoint, ProviderKind
from reconciler.core.rules import rules_for, variant_of
from reconciler.core.state import Spec
from reconciler.core.wire import wired
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Work
from reconciler.protocols.shapes.formats import format_of

# Shapes in which a model writes text, so that a template has its place there, and a limit.
_WRITING = frozenset({"chat", "completion", "responses"})
_NOT_WRITING = frozenset({"embedding", "rerank", "image", "speech", "transcription", "moderation", "video"})
_QUESTION = "Reply with the word ok."
# Asked for JSON, several providers refuse a question that does not say so too.
_QUESTION_IN_JSON = 'Reply with the JSON object {"ok": true}.'
_TEXT = "ok"
_PICTURE = "a red dot"
# A model that thinks first spends its answer's room on that; with less it has nothing left for a word.
_ROOM_TO_THINK = 512
# A budget for thinking is part of the limit, so the limit has to be more.
_ROOM_BESIDE = 64
_COUNTS = re.compile(r"n|best_of|candidate_?count|num_(?:return_sequences|generations)", re.IGNORECASE)
_BUDGETS = re.compile(r"budget_?tokens|token_?budget|thinking_?budget", re.IGNORECASE)
_LIMITS = re.compile(
    r"max_?(new|completion|output|gen)?_?(tokens|len)(_to_sample)?|num_?predict", re.IGNORECASE
)
# What a probe asks of picture models, by pattern over the id: the cheapest that they make.
_SMALLEST: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("*dall-e-2*", {"size": "256x256", "response_format": "url"}),
    ("*dall-e-3*", {"size": "1024x1024", "quality": "standard", "response_format": "url"}),
    ("*gpt-image*", {"size": "1024x1024", "quality": "low"}),
)


def shape_name(endpoint: Endpoint) -> str:
    """The protocol's name for how requests and answers look at an endpoint."""
    return endpoint.shape or endpoint.mode


def work_of(
    kind: ProviderKind,
    *,
    model_id: str,
    mode: str,
    prompt: Prompt,
    parameters: Spec,
    defaults: Mapping[str, str] | None = None,
    plain: Mapping[str, str] | None = None,
    inputs: Inputs = NOTHING_BESIDES,
) -> Work | Verdict:
    """A piece of work for a model, or why there can be none.

    Args:
        kind: The kind of the model's provider.
        model_id: The model, as the provider spells it.
        mode: What it is for.
        prompt: What it is told; see `prompt_of`.
        parameters: The resolved parameter set.
        defaults: Wire names by field, where the kind's table names none.
        plain: Credentials of the provider that are no secrets, by name.
        inputs: What the model is given besides the prompt.

    Returns:
        The work; `unprobeable` where the kind has no endpoint for it, `probe_invalid` where the parameters
        must not be sent.
    """
    endpoint = endpoint_of(kind, model_id, mode)
    if endpoint is None:
        return unserved(kind, model_id, mode)
    fields = wired(kind, model_id=model_id, mode=mode, parameters=parameters, defaults=defaults)
    if fields.refused:
        names = ", ".join(fields.refused)
        detail = f"nothing was sent, for {kind.name} must not be sent {names} with {model_id}"
        return Verdict("probe_invalid", detail, refused_parameters=fields.refused)
    return Work(kind, model_id, mode, endpoint, prompt, fields, plain or {}, inputs)


def work_to_prove(
    target: ProbeTarget, *, defaults: Mapping[str, str] | None = None, plain: Mapping[str, str] | None = None
) -> Work | Verdict:
    """The smallest piece of work that proves that a model does what an application will ask of it.

    Its parameters are sent as they are; see `proving_parameters`.
    """
    work = work_of(
        target.kind,
        model_id=target.address.model_id,
        mode=target.mode,
        prompt=proving_prompt(target),
        parameters=proving_parameters(target),
        defaults=defaults,
        plain=plain,
    )
    if isinstance(work, Verdict) or shape_name(work.endpoint) != "image":
        return work
    smallest = _smallest(work.model_id)
    extra = {**smallest, **work.wired.extra}
    return replace(work, wired=replace(work.wired, fields={**smallest, **work.wired.fields}, extra=extra))


def unserved(kind: ProviderKind, model_id: str, mode: str) -> Verdict:
    """The verdict on a model that has no endpoint."""
    modes = tuple(dict.fromkeys(endpoint.mode for endpoint in kind.endpoints))
    if mode in modes:
        detail = f"kind {kind.name} does not know where {model_id} is served in the mode {mode}"
    else:
        listed = ", ".join(modes) or "none"
        detail = f"kind {kind.name} has no endpoint for the mode {mode}; it can generate in: {listed}"
    reason = kind.unproven.get("generate")
    return Verdict("unprobeable", f"{detail} ({reason})" if reason else detail)


def proving_prompt(target: ProbeTarget) -> Prompt:
    """A short question in the model's own template; a short text where it does not answer."""
    endpoint = endpoint_of(target.kind, target.address.model_id, target.mode)
    if endpoint is not None and writes(endpoint):
        wanted = target.parameters.get("response_format")
        in_json = wanted is not None and format_of(wanted).is_json
        return prompt_of(target.template, _QUESTION_IN_JSON if in_json else _QUESTION)
    return Prompt(_PICTURE if endpoint is not None and shape_name(endpoint) == "image" else _TEXT)


def proving_parameters(target: ProbeTarget) -> Spec:
    """A model's own parameters; where they set no limit, with one that it can answer within."""
    parameters, model_id = target.parameters, target.address.model_id
    endpoint = endpoint_of(target.kind, model_id, target.mode)
    if endpoint is None or not writes(endpoint) or _is_limited(parameters):
        return parameters
    table = rules_for(target.kind, model_id, target.mode)
    rule = None if table is None else table.get("max_new_tokens")
    if table is not None and (rule is None or not rule.supported):
        return parameters
    return {**parameters, "max_new_tokens": room(target)}


def room(target: ProbeTarget) -> int:
    """The most tokens that the probe `generate` lets a model answer, where its parameters do not say."""
    kind, parameters = target.kind, target.parameters
    variant = variant_of(kind, target.address.model_id, target.mode)
    usual = kind.probe_tokens if variant is None or variant.probe_tokens is None else variant.probe_tokens
    effort = parameters.get("reasoning_effort")
    thinks = "reasoning" in target.capabilities or effort not in {None, "none"}
    least = parameters.get("min_new_tokens")
    budgets = [budget + _ROOM_BESIDE for budget in _budgets(parameters.get("extra"))]
    asked = [least] if isinstance(least, int) else []
    return max(usual, _ROOM_TO_THINK if thinks else 0, *asked, *budgets)


def limit_of(fields: Mapping[str, Any]) -> int | None:
    """The most tokens that a request lets a model answer, by whatever name; `None` where it names no limit.

    >>> limit_of({"options": {"num_predict": 16}})
    16
    """
    limits = [value for name, value in _leaves(fields) if isinstance(value, int) and _LIMITS.fullmatch(name)]
    return max(limits, default=None)


def answers_of(fields: Mapping[str, Any]) -> int:
    """How many answers a request asks for, by whatever name.

    >>> answers_of({"n": 3, "stream": False}), answers_of({})
    (3, 1)
    """
    counts = [value for name, value in _leaves(fields) if isinstance(value, int) and _COUNTS.fullmatch(name)]
    return max(counts, default=1)


def writes(endpoint: Endpoint) -> bool:
    """Whether text is written there; a shape that only its protocol knows is taken for its mode's."""
    name = shape_name(endpoint)
    return name in _WRITING or (name not in _NOT_WRITING and endpoint.mode in _WRITING)


def _is_limited(parameters: Spec) -> bool:
    """Whether the parameters name a limit, if need be by a name of the provider's."""
    return parameters.get("max_new_tokens") is not None or limit_of(parameters.get("extra") or {}) is not None


def _budgets(extra: Any) -> list[int]:
    return [value for name, value in _leaves(extra) if isinstance(value, int) and _BUDGETS.fullmatch(name)]


def _leaves(found: Any) -> Iterator[tuple[str, Any]]:
    """The names in mappings of mappings that hold plain values."""
    for name, value in found.items() if isinstance(found, Mapping) else ():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        elif value is not None:
            yield name, value


def _smallest(model_id: str) -> Mapping[str, str]:
    name = model_id.lower()
    return next((fields for pattern, fields in _SMALLEST if fnmatchcase(name, pattern)), {})
