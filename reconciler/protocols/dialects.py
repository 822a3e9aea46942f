"""Where providers with manners of their own put their errors: Google's status and reasons, AWS's header, the
codes of OAuth. Pure; the dialects that most providers speak are read by `classify` itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.protocols.classify import Complaint, complaint_of, error_document, first_text
from reconciler.protocols.exchange import Answer

_ERROR_TYPE = "x-amzn-errortype"
_SECONDS = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


def google(answer: Answer) -> Complaint:
    """Google's errors: the code is the reason in the details, or else the status in words.

    >>> google(Answer(400, body=b'{"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "no"}}'))
    Complaint(code='INVALID_ARGUMENT', type='INVALID_ARGUMENT', message='no', retry_after=None)
    """
    plain = complaint_of(answer)
    document = error_document(answer) or {}
    error = document.get("error")
    if not isinstance(error, dict):
        return plain
    status = first_text(error, "status")
    reason = next(filter(None, (first_text(detail, "reason") for detail in _details(error))), "")
    code = reason or status or plain.code
    return Complaint(code, status or plain.type, plain.message, _delay(error))


def aws(answer: Answer) -> Complaint:
    """AWS's errors: the code stands in a header, with a namespace behind it, or in the body before one.

    >>> aws(Answer(403, {"x-amzn-errortype": "AccessDeniedException:http://x"}, b'{"Message": "no"}'))
    Complaint(code='AccessDeniedException', type='', message='no', retry_after=None)
    """
    document = error_document(answer)
    if document is None:
        return complaint_of(answer)._replace(code=_bare(answer.headers.get(_ERROR_TYPE, "")))
    code = _bare(answer.headers.get(_ERROR_TYPE, "") or first_text(document, "__type", "code"))
    return Complaint(code, message=first_text(document, "message", "Message") or complaint_of(answer).message)


def oauth(answer: Answer) -> Complaint:
    """The errors of a token endpoint: a code, and words that describe it.

    >>> oauth(Answer(400, body=b'{"error": "invalid_grant", "error_description": "Invalid JWT"}')).code
    'invalid_grant'
    """
    document = error_document(answer)
    if document is None or not isinstance(document.get("error"), str):
        return complaint_of(answer)
    code = first_text(document, "error")
    return Complaint(code, message=first_text(document, "error_description") or code)


def _bare(code: str) -> str:
    return code.partition(":")[0].rpartition("#")[2]


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            yield detail


def _delay(error: Mapping[str, Any]) -> float | None:
    for detail in _details(error):
        if match := _SECONDS.fullmatch(first_text(detail, "retryDelay")):
            return float(match[1])
    return None
