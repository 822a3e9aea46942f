"""Credentials that are exchanged for a token before anything else is asked: once for all models of a run, and
only where the credential may go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from reconciler.protocols import hosts, reading
from reconciler.protocols.classify import Dialect, Finding, Rule, classify
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Answer, SecretHeader, Verdict
from reconciler.protocols.questions import Case, Question


class Grant(NamedTuple):
    """A token, with the answer that it came in."""

    token: Secret
    answer: Answer


async def exchange(
    case: Case, question: Question, *, rules: Sequence[Rule], source: str, dialect: Dialect | None = None
) -> Grant | Verdict:
    """A token for what the question's form holds, or the verdict where there is none.

    `source` says where the token is from, for people; equal questions are put once in a run.
    """
    url, allowed = question.request.url, case.run.access.allowed_hosts
    ruling = hosts.ruling(url, case.target.kind, allowed, has_credential=True)
    if ruling.refusal:
        return Verdict("refused_host", ruling.refusal)
    request = replace(question.request, addresses=ruling.addresses)
    answer = await case.run.ask(request, shared=True)
    if isinstance(answer, Verdict):
        return answer
    finding = classify(answer, rules, dialect)
    if finding is not None:
        return reading.judged(case, question, answer, finding)
    token = answer.document.get("access_token") if isinstance(answer.document, dict) else None
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        return reading.judged(case, question, answer, Finding("bad_response"))
    return Grant(Secret(token, source=source), answer)


def bearer(grant: Grant) -> SecretHeader:
    """The header that a token is sent in."""
    return SecretHeader("Authorization", "Bearer ", grant.token)
