"""Events become pieces of an answer, or what is wrong with it: errors that come after a success has begun,
and answers that end too early. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.core.provider_kind import Endpoint
from reconciler.protocols.classify import (
    Complaint,
    Dialect,
    Finding,
    Rule,
    classify_complaint,
    complaint_of,
)
from reconciler.protocols.exchange import Answer
from reconciler.protocols.framing import Malformed, decoder
from reconciler.protocols.generation import Event, Piece, Streaming
from reconciler.protocols.shapes.places import found_at

_STATUS = re.compile(r"[45]\d\d")
# The statuses that errors would have had, had they come before the answer: by code or type, in lower case.
_STATUSES: Mapping[str, int] = {
    **dict.fromkeys(("invalid_request_error", "validationexception", "invalid_argument"), 400),
    **dict.fromkeys(("authentication_error", "unauthenticated"), 401),
    **dict.fromkeys(("permission_error", "permission_denied"), 403),
    **dict.fromkeys(("rate_limit_error", "rate_limit_exceeded", "resource_exhausted"), 429),
    "throttlingexception": 429,
    "modelstreamerrorexception": 424,
    **dict.fromkeys(("server_error", "api_error", "internal", "internalserverexception"), 500),
    **dict.fromkeys(("overloaded_error", "unavailable", "serviceunavailableexception"), 503),
    **dict.fromkeys(("timeout_error", "deadline_exceeded", "modeltimeoutexception"), 504),
}


class Reader:
    """Reads one stream.

    Args:
        streaming: How it is read.
        endpoint: Where it comes from.
        rules: What its errors mean.
        dialect: How they are read.

    Attributes:
        is_whole: Whether the answer is all there: the model said why it ended, or the server that it has.
        has_ended: Whether nothing more is to come.
    """

    def __init__(
        self, streaming: Streaming, endpoint: Endpoint, *, rules: Sequence[Rule], dialect: Dialect | None
    ) -> None:
        self.is_whole = False
        self.has_ended = False
        self._streaming = streaming
        self._endpoint = endpoint
        self._rules = rules
        self._dialect = dialect
        self._decoder = decoder(streaming.framing)

    def feed(self, chunk: bytes) -> Iterator[Piece | Finding]:
        """The pieces in some bytes, empty ones where the model is at work; a finding is the last."""
        yield from self._read(self._decoder.feed(chunk))

    def end(self) -> Iterator[Piece | Finding]:
        """What there is to say when nothing more comes."""
        yield from self._read(self._decoder.end())
        if not (self.is_whole or self.has_ended):
            yield _finding("its answer broke off before its end")

    def _read(self, events: Iterator[Event | Malformed]) -> Iterator[Piece | Finding]:
        for event in events:
            if self.has_ended:
                return
            found = _finding(event.why) if isinstance(event, Malformed) else self._found(event)
            if isinstance(found, Finding):
                self.has_ended = True
            if found is not None:
                yield found

    def _found(self, event: Event) -> Piece | Finding | None:
        erring = _erring(event)
        if erring is not None:
            return _of_error(erring, event.error, self._rules, self._dialect)
        piece = self._streaming.read(event, self._endpoint)
        if self._streaming.ends(event):
            self.is_whole = self.has_ended = True
        if piece is not None and piece.finish_reason:
            self.is_whole = True
        return piece


def _erring(event: Event) -> Mapping[str, Any] | None:
    """The part of an event that complains, if it does."""
    document = event.document
    if event.error:
        return document if isinstance(document, Mapping) else {}
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, Mapping):
        return None
    if document.get("error") or document.get("errors") or document.get("type") == "error":
        return document
    if document.get("type") == "response.failed":
        failed = document.get("response")
        return failed if isinstance(failed, Mapping) else {}
    if found_at(document, "choices.0.error"):
        return document
    delta = document.get("delta")
    return delta if isinstance(delta, Mapping) and delta.get("error") else None


def _of_error(
    erring: Mapping[str, Any], code: str, rules: Sequence[Rule], dialect: Dialect | None
) -> Finding:
    told = Answer(200, {"x-amzn-errortype": code}, json.dumps(erring).encode())
    complaint = (dialect or complaint_of)(told)
    words = (complaint.code.lower(), complaint.type.lower())
    numbers = [int(word) for word in words if _STATUS.fullmatch(word)]
    status = next(iter([*numbers, *(_STATUSES[word] for word in words if word in _STATUSES)]), None)
    return classify_complaint(complaint, rules, status=status)


def _finding(message: str) -> Finding:
    return Finding("bad_response", Complaint(message=message))
