"""What an application asks of a model becomes an answer that comes bit by bit: over the same steps as a whole
one, with a limit on every wait in the place of one on the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import NamedTuple, TypeVar

from reconciler.core.probe import ProbeTarget
from reconciler.core.prompt import NOTHING_BESIDES, Prompt
from reconciler.protocols.base import Assignment, HttpProtocol
from reconciler.protocols.exchange import Answer, Exchange, Streamed, Verdict
from reconciler.protocols.framing import is_decodable
from reconciler.protocols.generating import shape_name
from reconciler.protocols.generation import Call, Piece, Reply, Streaming, Work
from reconciler.protocols.kind_rules import rules_of
from reconciler.protocols.midway import Reader
from reconciler.protocols.questions import Case
from reconciler.protocols.run import Run
from reconciler.protocols.working import LARGEST_REPLY, read_whole, roomy, work_for

Made = TypeVar("Made")
Pieces = AsyncGenerator[Piece | Verdict, None]

# A connection whose answer was read to its end serves the next call; nobody waits long for that.
_DRAINING, _MOST_DRAINED = 0.1, 16
# A server that does not know of streams answers as a whole.
_WHOLE = ("application/json", "text/html")


class _Begun(NamedTuple):
    """An answer that has begun."""

    assignment: Assignment
    streaming: Streaming
    streamed: Streamed

    def as_answer(self, body: bytes = b"", *, complete: bool = True) -> Answer:
        """The same as a whole."""
        return Answer(self.streamed.status, self.streamed.headers, body, complete, self.streamed.seconds)


class _Patience:
    """How long a next piece may take, from the last one."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.renew()

    def renew(self) -> None:
        self._until = asyncio.get_running_loop().time() + self.seconds

    async def wait(self, act: Awaitable[Made]) -> Made:
        async with asyncio.timeout_at(self._until):
            return await act


async def pieces_of(spoken: HttpProtocol, target: ProbeTarget, prompt: Prompt, run: Run) -> Pieces:
    """The pieces of a reply as they come; a verdict comes last, where it breaks off or never begins."""
    case = spoken.started(target, run)
    if isinstance(case, Verdict):
        yield case
        return
    patience = _Patience(target.timeout)
    async with AsyncExitStack() as stack:
        begun = await _begun(spoken, case, prompt, patience, stack)
        if isinstance(begun, Verdict):
            yield spoken.told(case, begun)
            return
        read = _read_whole if _is_whole(begun) else _read
        async with aclosing(read(spoken, case, begun, patience)) as pieces:
            async for piece in pieces:
                yield spoken.told(case, piece) if isinstance(piece, Verdict) else piece


async def _begun(
    spoken: HttpProtocol, case: Case, prompt: Prompt, patience: _Patience, stack: AsyncExitStack
) -> _Begun | Verdict:
    """The beginning of an answer, whose connection the stack holds, or why there is none."""
    work = work_for(spoken, case, prompt, NOTHING_BESIDES)
    if isinstance(work, Verdict):
        return work
    asked = _asked(spoken, work)
    if isinstance(asked, Verdict):
        return asked
    streaming, call = asked
    try:
        assignment = await patience.wait(spoken.assigned(case, work, call))
        if isinstance(assignment, Verdict):
            return assignment
        assignment = roomy(assignment)
        opened = await patience.wait(_opened(spoken, case, assignment, stack))
        if isinstance(opened, Streamed):
            return _Begun(assignment, streaming, opened)
        return await patience.wait(_refused(spoken, case, assignment, opened))
    except TimeoutError:
        return _too_late(case)


def _asked(spoken: HttpProtocol, work: Work) -> tuple[Streaming, Call] | Verdict:
    """The request for an answer bit by bit, with how it is read; or why there can be none."""
    kind, mode = work.kind.name, work.mode
    shape = spoken.shapes.get(shape_name(work.endpoint))
    if shape is None or shape.stream is None or work.endpoint.streaming == "none":
        detail = f"kind {kind} does not answer bit by bit in the mode {mode}; ask for the whole answer"
        return Verdict("unprobeable", detail)
    if not is_decodable(shape.stream.framing):
        detail = "to read a stream of AWS takes the extra: pip install 'llm-reconciler[bedrock]'"
        return Verdict("unprobeable", detail)
    whole = spoken.compose(work)
    if isinstance(whole, Verdict):
        return whole
    call = shape.stream.ask(whole, work)
    if call is not None:
        return shape.stream, call
    detail = f"kind {kind} names a path that no answer bit by bit is asked for at: {work.endpoint.path}"
    return Verdict("unprobeable", detail)


async def _opened(
    spoken: HttpProtocol, case: Case, assignment: Assignment, stack: AsyncExitStack
) -> Streamed | Exchange:
    """What comes first, asked for once more where a token had to be renewed."""
    question = assignment.question
    opened = await stack.enter_async_context(case.run.stream(question.request))
    if isinstance(opened, Streamed):
        return opened
    renewed = await spoken.renewed(case, question, opened)
    if renewed is None or isinstance(renewed, Verdict):
        return renewed or opened
    return await stack.enter_async_context(case.run.stream(renewed.request))


async def _refused(spoken: HttpProtocol, case: Case, assignment: Assignment, opened: Exchange) -> Verdict:
    if isinstance(opened, Verdict):
        return opened
    found = await read_whole(spoken, case, assignment, opened)
    return Verdict("bad_response", "it is no success") if isinstance(found, Reply) else found


async def _read(spoken: HttpProtocol, case: Case, begun: _Begun, patience: _Patience) -> Pieces:
    """The pieces of an answer; once it is whole, nothing that happens counts."""
    work, chunks = begun.assignment.work, begun.streamed.chunks
    rules = rules_of(work.kind, spoken.rules)
    reader = Reader(begun.streaming, work.endpoint, rules=rules, dialect=spoken.dialect)
    while not reader.has_ended:
        chunk = await _next(case, begun, patience)
        if isinstance(chunk, Verdict):
            if not reader.is_whole:
                yield chunk
            return
        for found in reader.end() if chunk is None else reader.feed(chunk):
            if not isinstance(found, Piece):
                yield await spoken.complained(case, begun.assignment, begun.as_answer(), found)
                return
            patience.renew()
            if found != Piece():
                yield found
                # How long the application takes for a piece is no matter of the server's.
                patience.renew()
        if chunk is None:
            return
    await _drain(chunks)


async def _next(case: Case, begun: _Begun, patience: _Patience) -> bytes | Verdict | None:
    """The next bytes, nothing at the end, or why there is neither."""
    try:
        chunk = await patience.wait(anext(begun.streamed.chunks, None))
    except TimeoutError:
        return _too_late(case)
    if isinstance(chunk, Verdict):
        return replace(
            chunk, detail=f"the answer broke off: {chunk.detail}", http_status=begun.streamed.status
        )
    return chunk


async def _read_whole(spoken: HttpProtocol, case: Case, begun: _Begun, patience: _Patience) -> Pieces:
    """The answer of a server that does not know of streams, as one piece."""
    body = bytearray()
    while (chunk := await _next(case, begun, patience)) is not None and len(body) <= LARGEST_REPLY:
        if isinstance(chunk, Verdict):
            yield chunk
            return
        body += chunk
    answer = begun.as_answer(bytes(body), complete=len(body) <= LARGEST_REPLY)
    found = await read_whole(spoken, case, begun.assignment, answer)
    if isinstance(found, Verdict):
        yield found
    else:
        counts = (found.input_tokens, found.output_tokens)
        yield Piece(found.text, found.model, found.finish_reason or "stop", *counts)


def _is_whole(begun: _Begun) -> bool:
    is_whole = begun.streamed.headers.get("content-type", "").startswith(_WHOLE)
    return is_whole and begun.streaming.framing == "sse"


async def _drain(chunks: AsyncIterator[bytes | Verdict]) -> None:
    try:
        async with asyncio.timeout(_DRAINING):
            for _ in range(_MOST_DRAINED):
                if await anext(chunks, None) is None:
                    return
    except TimeoutError:
        return


def _too_late(case: Case) -> Verdict:
    target = case.target
    waited = f"{target.address.provider} sent nothing more of its answer for {target.timeout:g} s"
    return Verdict("timeout", waited)
