"""What an answer means: the provider's own codes first, then its words, then the HTTP status. Pure, and data
wherever it can be, so that a table of recorded answers can test it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeAlias

from reconciler.core.outcome import Outcome
from reconciler.protocols.exchange import Answer

# How much of a body that is no JSON is worth showing.
_EXCERPT = 200
# Patterns are searched in messages; nobody needs more of one than this.
_LONGEST_MESSAGE = 2000
_LONGEST_WAIT = 7 * 24 * 3600.0


class Complaint(NamedTuple):
    """A provider's error in its own words, wherever its dialect puts them; empty where it gave none.

    `retry_after` is in seconds, where the error itself says how long to wait.
    """

    code: str = ""
    type: str = ""
    message: str = ""
    retry_after: float | None = None


# How the error is found in an answer; `complaint_of` where a protocol has no way of its own.
Dialect: TypeAlias = Callable[[Answer], Complaint]


class Finding(NamedTuple):
    """An outcome with the provider's complaint; not yet redacted.

    `is_certain` is false for a bare 404, which a wrong path gives as well as a missing model.
    """

    outcome: Outcome
    complaint: Complaint = Complaint()
    is_certain: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a classifier; every condition that is given must hold.

    Attributes:
        outcome: What it means.
        codes: The provider's code or error type, one of these, in lower case.
        words: A pattern in the message, lower case.
        statuses: The HTTP status, one of these.
    """

    outcome: Outcome
    codes: tuple[str, ...] = ()
    words: str = ""
    statuses: tuple[int, ...] = ()

    def fits(self, status: int, complaint: Complaint) -> bool:
        """Whether this line speaks of the answer."""
        if self.statuses and status not in self.statuses:
            return False
        if self.codes and not {complaint.code.lower(), complaint.type.lower()}.intersection(self.codes):
            return False
        return not self.words or re.search(self.words, complaint.message.lower()) is not None


# After a protocol's own rules and before the bare status: true of every provider that words it so.
COMMON_RULES: tuple[Rule, ...] = (
    Rule("quota_exhausted", codes=("insufficient_quota", "billing_hard_limit_reached", "billing_hard_limit")),
    Rule("quota_exhausted", codes=("credit_balance_exhausted", "billing_error", "insufficient_balance")),
    Rule("wrong_region", codes=("unsupported_country_region_territory",)),
    Rule("wrong_region", words=r"country, region,? or territory not supported", statuses=(400, 403)),
    # A key that may generate but not list proves nothing either way.
    Rule("unprobeable", words=r"missing scopes?:", statuses=(401, 403)),
    Rule(
        "auth_failed", codes=("invalid_api_key", "wrong_api_key", "api_key_invalid", "invalid_authentication")
    ),
    Rule(
        "auth_failed", words=r"(incorrect|invalid) api[ _-]?key|api key not valid", statuses=(400, 401, 403)
    ),
    Rule("model_withdrawn", codes=("model_decommissioned", "model_deprecated", "model_withdrawn")),
    Rule("model_withdrawn", words=r"\bmodel\b.{0,200}(has been|is|was) (decommissioned|withdrawn|retired)"),
    Rule("model_not_found", codes=("model_not_found", "invalid_model", "unknown_model"), statuses=(400, 404)),
    # A wrong path is quoted back with the model in it; only a sentence about a model counts.
    Rule(
        "model_not_found",
        words=r"^(?!invalid url|cannot (get|post)).*\bmodel\b.{0,300}(not exist|not found|unknown)",
        statuses=(400, 404),
    ),
    Rule("model_not_found", words=r"(unknown|invalid) model\b", statuses=(400, 404)),
    Rule("probe_invalid", words=r"context (length|window)|input tokens", statuses=(403,)),
)

BY_STATUS: Mapping[int, Outcome] = {
    401: "auth_failed",
    402: "quota_exhausted",
    403: "forbidden",
    405: "unprobeable",
    408: "timeout",
    410: "model_withdrawn",
    424: "overloaded",
    429: "rate_limited",
    498: "overloaded",
    501: "unprobeable",
    504: "timeout",
}


def classify(answer: Answer, rules: Sequence[Rule] = (), dialect: Dialect | None = None) -> Finding | None:
    """What an answer means where that is decided without knowing what was asked; `None` for a plain success.

    A 404 that says nothing of a model is `model_not_found` without certainty: the path may be wrong.
    """
    read = dialect or complaint_of
    if 300 <= answer.status < 400:  # noqa: PLR2004 - HTTP's own numbers
        return Finding("bad_response")
    if answer.is_success:
        return _despite_success(answer, rules, read)
    complaint = read(answer)
    known = _by_rules(answer.status, complaint, rules)
    if known is not None:
        return Finding(known, complaint)
    if answer.status == 404:  # noqa: PLR2004 - as above
        return Finding("model_not_found", complaint, is_certain=False)
    return Finding(_by_status(answer.status), complaint)


def classify_complaint(
    complaint: Complaint, rules: Sequence[Rule] = (), *, status: int | None = None
) -> Finding:
    """What an error means that came after a success had begun; `status` where the error stands for one."""
    known = _by_rules(200 if status is None else status, complaint, rules)
    return Finding(known or ("bad_response" if status is None else _by_status(status)), complaint)


def _despite_success(answer: Answer, rules: Sequence[Rule], read: Dialect) -> Finding | None:
    """A 2xx may carry an error, be cut short, or be no JSON at all."""
    if not answer.complete or answer.document is None:
        return Finding("bad_response")
    if not _has_error(answer.document):
        return None
    complaint = read(answer)
    return Finding(_by_rules(answer.status, complaint, rules) or "bad_response", complaint)


def _has_error(document: Any) -> bool:
    return isinstance(document, dict) and (
        bool(document.get("error"))
        or bool(document.get("errors"))
        or document.get("choices") == []
        or _error_of_choice(document) is not None
    )


def _error_of_choice(document: Mapping[str, Any]) -> Any:
    """Some providers begin well and fail then: the error stands in what would have been the answer."""
    choices = document.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("error") or None if isinstance(first, dict) else None


def _by_rules(status: int, complaint: Complaint, rules: Sequence[Rule]) -> Outcome | None:
    return next((rule.outcome for rule in (*rules, *COMMON_RULES) if rule.fits(status, complaint)), None)


def _by_status(status: int) -> Outcome:
    return BY_STATUS.get(status, "overloaded" if status >= 500 else "probe_invalid")  # noqa: PLR2004 - as above


def complaint_of(answer: Answer) -> Complaint:
    """The error that an answer's body holds, in any of the dialects that providers speak."""
    document = error_document(answer)
    if document is None:
        return Complaint(message=_excerpt(answer) if answer.document is None else "")
    inner = document.get("error") or document.get("errors") or _error_of_choice(document)
    if isinstance(inner, list) and inner:
        inner = inner[0]
    if isinstance(inner, dict):
        return _complaint(inner)
    if isinstance(inner, str):
        return _complaint({**document, "message": document.get("message") or inner})
    return _complaint(document)


def error_document(answer: Answer) -> Mapping[str, Any] | None:
    """The object that an answer's body is, or the first of a list of them; `None` where it is none."""
    document = answer.document
    if isinstance(document, list) and document:
        document = document[0]
    return document if isinstance(document, dict) else None


def _complaint(error: Mapping[str, Any]) -> Complaint:
    return Complaint(
        code=first_text(error, "code", "errorCode", "error_type"),
        type=first_text(error, "type", "status"),
        message=first_text(error, "message", "errorMessage", "detail", "title"),
    )


def first_text(error: Mapping[str, Any], *names: str) -> str:
    """The first of an error's fields that holds a word or a number, as text of bounded length."""
    for name in names:
        value = error.get(name)
        if isinstance(value, str) and value:
            return value[:_LONGEST_MESSAGE]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""


def _excerpt(answer: Answer) -> str:
    """The beginning of a text answer; a web page says nothing."""
    if "html" in answer.headers.get("content-type", "") or answer.body.lstrip()[:1] == b"<":
        return ""
    return answer.body[:_EXCERPT].decode("utf-8", "replace")


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds that the provider asked us to wait, given as seconds or as a date; `None` where it did not.

    >>> from datetime import UTC, datetime
    >>> retry_after({"retry-after": "7"}, now=datetime(2026, 1, 1, tzinfo=UTC))
    7.0
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return seconds
    moment = _moment(text)
    if moment is None:
        return None
    # A date is of the server's own clock, which may be off, and the run may have begun a while ago.
    said_at = _moment(headers.get("date", "")) or now
    return min(max((moment - said_at).total_seconds(), 0.0), _LONGEST_WAIT)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return min(number, _LONGEST_WAIT) if math.isfinite(number) and number >= 0 else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
