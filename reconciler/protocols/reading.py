"""An answer becomes a verdict: lists are searched for the model, and findings are put into redacted words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.core.provider_kind import Probe
from reconciler.protocols import hosts
from reconciler.protocols.classify import Complaint, Finding, retry_after
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.generation import Reply
from reconciler.protocols.matching import aliases_of, name_of, same_model
from reconciler.protocols.questions import Case, Question
from reconciler.protocols.redaction import redact, shorten
from reconciler.protocols.wording import Scene, sentence

_LONGEST_NAME = 255
_LONGEST_CODE = 64
# Fields by which providers say that a list goes on.
_MORE = ("has_more", "next_page_token", "nextPageToken", "next")


def misshapen(answer: Answer, probe: Probe) -> Finding | None:
    """A success whose list is not where it belongs says nothing."""
    if probe.list_at and items_of(answer.document, probe) is None:
        return Finding("bad_response", Complaint(message=f"there is no list at '{probe.list_at}' in it"))
    return None


def items_of(document: Any, probe: Probe) -> list[Any] | None:
    """The list that a probe speaks of, `None` where it is not there."""
    found = document
    if probe.list_at != ".":
        found = document.get(probe.list_at) if isinstance(document, dict) else None
    return found if isinstance(found, list) else None


def goes_on(document: Any, probe: Probe) -> bool:
    """Whether a list has further pages, so that a model that is not on this one may still be there."""
    if not isinstance(document, dict):
        return False
    total, items = document.get("total_count"), items_of(document, probe) or []
    return any(document.get(name) for name in _MORE) or (isinstance(total, int) and total > len(items))


def answered(case: Case, question: Question, answer: Answer) -> Verdict:
    """A single answer that does not complain: does it come from the model that was asked about?"""
    if not question.probe.id_field:
        return positive(answer, f"{question.host} knows {case.model_id}")
    document, id_field = answer.document, question.probe.id_field
    named = name_of(document, id_field) if isinstance(document, dict) else None
    if named is None:
        nameless = Complaint(message=f"there is no '{id_field}' in it")
        return judged(case, question, answer, Finding("bad_response", nameless))
    shown = redact(named, case.credentials.values(), limit=_LONGEST_NAME)
    if same_model(case.model_id, named) or case.model_id in aliases_of(document):
        verdict = positive(answer, f"{question.host} knows {case.model_id}")
    else:
        other = Finding("model_mismatch", Complaint(message=f"it was {shown}"))
        verdict = judged(case, question, answer, other)
    return replace(verdict, answered_by=shown)


def judged(
    case: Case, question: Question, answer: Answer, finding: Finding, *, refused: tuple[str, ...] = ()
) -> Verdict:
    """A finding in words: ours, then the provider's without anything secret.

    `refused` are our names of the parameters that the provider complains about.
    """
    secrets = (*case.credentials.values(), *question.request.held, *case.run.minted)
    complaint = finding.complaint
    message = redact(_message(answer, complaint), secrets)
    code = redact(complaint.code or complaint.type, secrets, limit=_LONGEST_CODE)
    verdict = Verdict(
        finding.outcome,
        sentence(finding.outcome, _scene(case, question, answer)._replace(refused=refused), message),
        provider_code=code or None,
        refused_parameters=refused,
        retry_after=_wait(answer, complaint, case),
    )
    return _timed(verdict, answer)


def done(case: Case, question: Question, answer: Answer, reply: Reply) -> Verdict:
    """Work that was done: by the model that was asked for? What it wrote is not kept."""
    host, model_id = question.host, shorten(case.model_id, _LONGEST_NAME)
    count = "" if reply.output_tokens is None else f" ({reply.output_tokens} tokens)"
    verdict = positive(answer, f"{host} generated with {model_id}{count}")
    if reply.model is None:
        return verdict
    shown = redact(reply.model, case.credentials.values(), limit=_LONGEST_NAME)
    if not same_model(case.model_id, reply.model):
        other = Finding("model_mismatch", Complaint(message=f"it was {shown}"))
        verdict = judged(case, question, answer, other)
    return replace(verdict, answered_by=shown)


def positive(answer: Answer, detail: str) -> Verdict:
    """A success in words."""
    return _timed(Verdict("ok", detail), answer)


def inconclusive(answer: Answer, detail: str) -> Verdict:
    """An answer that proves nothing either way."""
    return _timed(Verdict("unprobeable", detail), answer)


def _timed(verdict: Verdict, answer: Answer) -> Verdict:
    return replace(verdict, http_status=answer.status, latency_ms=round(answer.seconds * 1000))


def _wait(answer: Answer, complaint: Complaint, case: Case) -> float | None:
    """How long to wait: by the header, or else by the error itself."""
    asked = retry_after(answer.headers, now=case.run.now)
    return complaint.retry_after if asked is None else asked


def _message(answer: Answer, complaint: Complaint) -> str:
    if not answer.complete:
        return "its answer is too large to be one"
    location = answer.headers.get("location")
    if location and not answer.is_success:
        return f"it redirects to {hosts.origin_of(location) or 'another path'}, which is not followed"
    return complaint.message


def _scene(case: Case, question: Question, answer: Answer) -> Scene:
    return Scene(
        provider=case.target.address.provider,
        model=shorten(case.model_id, _LONGEST_NAME),
        host=question.host,
        key=_key_source(case) if question.probe.authenticated else "",
        status=answer.status,
        is_work=question.is_work,
    )


def _key_source(case: Case) -> str:
    """Where the key came from that stands for the request; an organisation's id beside it is none."""
    rules = case.target.kind.credentials
    keys = [one.source for name, one in case.credentials.items() if name not in rules or rules[name].secret]
    return keys[0] if keys else ""
