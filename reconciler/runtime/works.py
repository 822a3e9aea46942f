"""One call of a model, in the loop of all calls: asked, timed and counted. Whatever was found is handed back
as a value, so that no error bears the insides of a call with it.
"""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, nullcontext
from time import perf_counter
from typing import NamedTuple, Protocol

from reconciler.core.probe import ProbeTarget
from reconciler.core.prompt import Inputs, Prompt
from reconciler.engine.probers import access_of
from reconciler.errors import GenerationError
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generation import Piece, Reply
from reconciler.runtime import calling, loop
from reconciler.runtime.generation import Generation
from reconciler.runtime.lines import Line, line_of
from reconciler.runtime.recorder import Recorder, write_the_last
from reconciler.runtime.responses import ProviderModelConfigResponse
from reconciler.runtime.streams import Put
from reconciler.settings import Settings, from_environment


class Means(NamedTuple):
    """What models are called with.

    Attributes:
        line: The way to their endpoints.
        recorder: What counts the calls, where they are counted.
    """

    line: Line
    recorder: Recorder | None = None


def means_of(
    settings: Settings | None, environ: Mapping[str, str] | None, recorder: Recorder | None = None
) -> Means:
    """What to call with under an operator's settings; by default those of the environment."""
    environ = os.environ if environ is None else environ
    settings = from_environment(environ) if settings is None else settings
    return Means(line_of(access_of(settings, environ)), recorder)


class Answering(Protocol):
    """A model that answers."""

    @property
    def config(self) -> ProviderModelConfigResponse:
        """The model."""

    async def reply(self, target: ProbeTarget, prompt: Prompt, inputs: Inputs) -> Reply | Verdict:
        """Its whole reply, or why there is none."""

    def pieces(self, target: ProbeTarget, prompt: Prompt) -> AsyncGenerator[Piece | Verdict, None]:
        """The pieces of its reply; a verdict comes last, where it breaks off."""


async def answered(
    model: Answering, target: ProbeTarget, prompt: Prompt, inputs: Inputs, recorder: Recorder | None
) -> Generation | GenerationError:
    """A model's whole answer, or the error to raise."""
    started = perf_counter()
    try:
        found = await model.reply(target, prompt, inputs)
    except GenerationError as error:
        return _failed(model, error, started, recorder)
    if isinstance(found, Verdict):
        return _failed(model, calling.failure(model.config, found), started, recorder)
    return _done(model, found, started, recorder)


async def delivered(
    model: Answering, target: ProbeTarget, prompt: Prompt, put: Put, recorder: Recorder | None
) -> None:
    """Put the pieces of a model's answer as they come, and then the whole, or the error to raise."""
    with nullcontext() if recorder is None else recorder.streaming():
        await _delivered(model, target, prompt, put, recorder)


async def _delivered(
    model: Answering, target: ProbeTarget, prompt: Prompt, put: Put, recorder: Recorder | None
) -> None:
    started, pieces = perf_counter(), list[Piece]()
    try:
        verdict = await _passed_on(model.pieces(target, prompt), pieces, put)
    except GenerationError as error:
        put(_failed(model, error, started, recorder))
    except asyncio.CancelledError as error:
        # What was written before nobody wanted more has cost something.
        if pieces:
            _done(model, calling.together(pieces), started, recorder)
        put(error)
        raise
    except BaseException as error:
        put(error)
        raise
    else:
        if verdict is None:
            put(_done(model, calling.together(pieces), started, recorder))
        else:
            put(_failed(model, calling.failure(model.config, verdict), started, recorder))


async def _passed_on(
    coming: AsyncGenerator[Piece | Verdict, None], pieces: list[Piece], put: Put
) -> Verdict | None:
    async with aclosing(coming):
        async for piece in coming:
            if isinstance(piece, Verdict):
                return piece
            pieces.append(piece)
            if piece.text:
                put(piece.text)
    return None


def _done(model: Answering, reply: Reply, started: float, recorder: Recorder | None) -> Generation:
    made = calling.generation(model.config, reply, perf_counter() - started)
    if recorder is not None:
        recorder.count(
            made.provider,
            made.model_id,
            "ok",
            latency_ms=made.latency_ms,
            input_tokens=made.input_tokens,
            output_tokens=made.output_tokens,
        )
    return made


def _failed(
    model: Answering, error: GenerationError, started: float, recorder: Recorder | None
) -> GenerationError:
    if recorder is not None:
        config, outcome = model.config, error.outcome
        latency_ms = round((perf_counter() - started) * 1000)
        recorder.count(config.provider_name, config.model_id, outcome, latency_ms=latency_ms)
    return error


def _end() -> None:
    """Streams that are cancelled have cost something, so they are counted before the last is written."""
    loop.stop()
    write_the_last()


atexit.register(_end)
