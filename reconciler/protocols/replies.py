"""An answer to work becomes a reply, or a finding of what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.classify import Complaint, Dialect, Finding, Rule, classify
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Reply, Shape

_SHAPELESS = Finding("bad_response", Complaint(message="it has not the shape of an answer to this"))
_LOST = 404


def read(
    answer: Answer, shape: Shape, endpoint: Endpoint, *, rules: Sequence[Rule], dialect: Dialect | None
) -> Reply | Finding:
    """What a model answered, or what is wrong with the answer.

    A success that is no JSON may be a file, and one that is too large to be read whole may be a picture: the
    shape decides that. One that is JSON may carry an error.
    """
    if not answer.is_success or (answer.complete and answer.document is not None):
        finding = classify(answer, rules, dialect)
        if finding is not None:
            return finding
    reply = shape.read(answer, endpoint)
    return _SHAPELESS if reply is None else reply


def is_of_parameters(answer: Answer, finding: Finding) -> bool:
    """Whether the provider may be complaining about what it was sent, not about where."""
    return finding.outcome == "probe_invalid" and answer.status != _LOST
