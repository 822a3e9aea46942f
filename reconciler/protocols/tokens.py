"""Credentials that are exchanged for a token before anything else is asked: once for all models of a run, or
as often as tokens expire, and only where the credential may go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace

from reconciler.protocols import hosts, reading
from reconciler.protocols.classify import Dialect, Finding, Rule, classify, complaint_of
from reconciler.protocols.credentials import Secret
from reconciler.protocols.exchange import Answer, Exchange, SecretHeader, Verdict
from reconciler.protocols.kept_tokens import Grant
from reconciler.protocols.questions import Case, Question

_UNAUTHORIZED = 401
# The exchange may serve many calls, so that no single one's patience decides how long it may take.
PATIENCE = 30.0


async def kept(
    case: Case,
    key: Hashable,
    exchange: Callable[[Case], Awaitable[Grant | Verdict]],
    *,
    refused: Secret | None = None,
) -> Grant | Verdict:
    """What an exchange gives, or in a long-lived client the token that it gave before.

    Args:
        case: What the token is for.
        key: What it is exchanged for; the same key means the same token.
        exchange: Asks for it.
        refused: A token that a server did not take, which is not to be given again.
    """
    found = await _kept(case, key, exchange, refused)
    if isinstance(found, Grant):
        case.run.minted.add(found.token)
    return found


async def _kept(
    case: Case,
    key: Hashable,
    exchange: Callable[[Case], Awaitable[Grant | Verdict]],
    refused: Secret | None,
) -> Grant | Verdict:
    if case.run.tokens is None:
        return await exchange(case)

    async def exchanged() -> Grant | Verdict:
        # Whoever asked first may have given up and gone before the others have their answer.
        run = case.run.alone()
        try:
            return await exchange(replace(case, target=replace(case.target, timeout=PATIENCE), run=run))
        finally:
            await run.close()

    return await case.run.tokens.grant(key, exchanged, refused=refused)


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


def is_refused(case: Case, exchange: Exchange, *, stale: str = "") -> bool:
    """Whether an answer refuses the token: with the code `stale`, or at all where it was kept for long."""
    if not isinstance(exchange, Answer):
        return False
    is_old = case.run.tokens is not None and exchange.status == _UNAUTHORIZED
    return is_old or (bool(stale) and complaint_of(exchange).code == stale)


def again(question: Question, grant: Grant) -> Question:
    """The same question once more, with another token."""
    return question._replace(request=replace(question.request, secrets=(bearer(grant),), attempt=1))
