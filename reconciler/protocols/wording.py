"""What a person reads about an outcome: one sentence for each that says what is wrong and what to do."""

from __future__ import annotations

from typing import NamedTuple

from reconciler.core.outcome import Outcome


class Scene(NamedTuple):
    """What a sentence may speak of.

    Attributes:
        provider: The provider's name.
        model: The model's id.
        host: Where the question went.
        key: Where the key came from, such as a variable's name; empty where none was sent.
        status: The HTTP status of the answer.
        refused: The parameters that the provider complains about.
        is_work: Whether a model was asked to do some work, so that the path is no guess of ours.
    """

    provider: str
    model: str
    host: str
    key: str = ""
    status: int = 0
    refused: tuple[str, ...] = ()
    is_work: bool = False


_SENTENCES: dict[Outcome, str] = {
    "ok": "{host} has the model {model}",
    "auth_failed": "the key in {key} was refused by {host}",
    "forbidden": "the key in {key} is known to {host}, but may not use this",
    "model_not_found": "{host} has no model {model}, or this key may not use it",
    "model_withdrawn": "{host} has withdrawn {model}; choose its successor",
    "quota_exhausted": "the quota or credit of the account is used up",
    "rate_limited": "{host} asks to slow down",
    "overloaded": "{host} is overloaded or failing (HTTP {status})",
    "timeout": "{host} gave up waiting for the model (HTTP {status})",
    "unreachable": "{host} could not be reached",
    "wrong_region": "{host} does not serve this from here or in this region",
    "probe_invalid": "{host} did not understand the probe (HTTP {status}); is base_url right?",
    "unprobeable": "{host} does not offer this probe (HTTP {status})",
    "bad_response": "{host} gave an answer that makes no sense (HTTP {status}); is base_url right?",
    "model_mismatch": "{host} answered with another model than {model}",
}
_WITHOUT_KEY: dict[Outcome, str] = {
    "auth_failed": "{host} wants a key, and none is configured for {provider}",
    "forbidden": "{host} refuses requests without a key, and none is configured for {provider}",
    "model_not_found": "{host} has no model {model}",
}
_OF_WORK: dict[Outcome, str] = {
    "probe_invalid": "{host} did not take the request for {model} (HTTP {status})",
    "unprobeable": "{host} does not offer this for {model} (HTTP {status})",
}
_REFUSED = "{host} refuses {refused}"


def sentence(outcome: Outcome, scene: Scene, message: str = "") -> str:
    """A detail for people; `message` is the provider's own, redacted."""
    template = _SENTENCES.get(outcome, outcome)
    if not scene.key:
        template = _WITHOUT_KEY.get(outcome, template)
    if scene.is_work:
        template = _OF_WORK.get(outcome, template)
    if scene.refused:
        template = _REFUSED
    said = template.format(**{**scene._asdict(), "refused": ", ".join(scene.refused)})
    return f"{said}: {message}" if message else said
