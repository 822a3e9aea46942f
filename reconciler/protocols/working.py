"""What an application asks of a model becomes a reply: over the same steps as the probe `generate`, from the
credentials to the reading, but with its own prompt and no limits of a probe's.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.endpoints import endpoint_of
from reconciler.core.probe import ProbeTarget
from reconciler.core.prompt import Inputs, Prompt
from reconciler.protocols import reading
from reconciler.protocols.base import Assignment, HttpProtocol
from reconciler.protocols.classify import Complaint, Finding
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.generating import shape_name, work_of
from reconciler.protocols.generation import Reply, Work
from reconciler.protocols.questions import Case
from reconciler.protocols.run import Run

# Pictures and long sounds are as large; what is larger is none.
LARGEST_REPLY = 64 * 1024 * 1024


async def reply_to(
    spoken: HttpProtocol, target: ProbeTarget, prompt: Prompt, inputs: Inputs, run: Run
) -> Reply | Verdict:
    """What a model replies, or why it does not."""
    case = spoken.started(target, run)
    if isinstance(case, Verdict):
        return case
    work = work_for(spoken, case, prompt, inputs)
    found = work if isinstance(work, Verdict) else await _replies(spoken, case, work)
    return spoken.told(case, found) if isinstance(found, Verdict) else found


def work_for(spoken: HttpProtocol, case: Case, prompt: Prompt, inputs: Inputs) -> Work | Verdict:
    """The piece of work that a prompt is for a model."""
    target = case.target
    endpoint = endpoint_of(target.kind, target.address.model_id, target.mode)
    # The probe makes do with silence, which nobody wants to have written down.
    if endpoint is not None and shape_name(endpoint) == "transcription" and inputs.sound is None:
        return Verdict(
            "probe_invalid", f"{target.address.model_id} writes down a recording, and none is given"
        )
    return work_of(
        target.kind,
        model_id=target.address.model_id,
        mode=target.mode,
        prompt=prompt,
        parameters=target.parameters,
        defaults=spoken.wires,
        plain=case.plain,
        inputs=inputs,
    )


async def _replies(spoken: HttpProtocol, case: Case, work: Work) -> Reply | Verdict:
    """The reply to work; texts that a model takes one by one are put one by one."""
    if len(work.inputs.texts) < 2 or not spoken.takes_one_text(work):  # noqa: PLR2004 - two are more than one
        return await _reply(spoken, case, work)
    replies = []
    for text in work.inputs.texts:
        one = await _reply(spoken, case, replace(work, inputs=work.inputs._replace(texts=(text,))))
        if isinstance(one, Verdict):
            return one
        replies.append(one)
    counts = [one.input_tokens for one in replies if one.input_tokens is not None]
    values = [value for one in replies for value in one.values]
    return replies[0]._replace(values=values, input_tokens=sum(counts) if counts else None)


async def _reply(spoken: HttpProtocol, case: Case, work: Work) -> Reply | Verdict:
    assignment = await spoken.assigned(case, work, spoken.compose(work))
    if isinstance(assignment, Verdict):
        return assignment
    assignment = roomy(assignment)
    answer = await spoken.put(case, assignment.question)
    if isinstance(answer, Verdict):
        return answer
    return await read_whole(spoken, case, assignment, answer)


def roomy(assignment: Assignment) -> Assignment:
    """The same work, whose answer may be as large as applications want."""
    question = assignment.question
    request = replace(question.request, limit=LARGEST_REPLY)
    return assignment._replace(question=question._replace(request=request))


async def read_whole(
    spoken: HttpProtocol, case: Case, assignment: Assignment, answer: Answer
) -> Reply | Verdict:
    """What a whole answer says, or what is wrong with it; half of one is no reply."""
    if answer.is_success and not answer.complete:
        return reading.judged(case, assignment.question, answer, Finding("bad_response"))
    found = spoken.read(assignment.work, answer)
    if isinstance(found, Finding):
        return await spoken.complained(case, assignment, answer, found)
    missing = _missing(found, assignment.work)
    if missing:
        short = Finding("bad_response", Complaint(message=missing))
        return reading.judged(case, assignment.question, answer, short)
    return found


def _missing(reply: Reply, work: Work) -> str:
    """What a reply to several texts lacks: a vector that is not there would be taken for another text's."""
    wanted = len(work.inputs.texts)
    if not wanted or shape_name(work.endpoint) != "embedding" or not isinstance(reply.values, list):
        return ""
    found = len(reply.values)
    return "" if found == wanted else f"it holds {found} embeddings for {wanted} texts"
