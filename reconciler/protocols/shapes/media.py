"""Endpoints of OpenAI's protocol for pictures and sound: what is sent or answered may be a file. They take no
generation parameters, so only what stands in `extra` is sent.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from reconciler.core.provider_kind import Endpoint
from reconciler.core.wire import value_at
from reconciler.protocols.exchange import Answer
from reconciler.protocols.generation import Call, File, Reply, Work
from reconciler.protocols.shapes.answers import call, reply

_SILENCE = "sound.wav"
# A voice is mandatory; this one has been there from the first day. Another stands in `extra`.
_VOICE = "alloy"
_SOUNDS = ("audio/", "application/octet-stream", "video/")
_PICTURES = ("url", "b64_json")
# Services refuse what is shorter than a tenth of a second.
_RATE, _SAMPLES = 8000, 1600


def image(work: Work) -> Call:
    """One picture."""
    told = {"model": work.model_id, "prompt": work.prompt.as_one_text}
    return call(work, {"n": 1, **work.wired.extra, **told})


def speech(work: Work) -> Call:
    """One text to be spoken."""
    told = {"model": work.model_id, "input": work.prompt.user}
    return call(work, {"voice": _VOICE, **work.wired.extra, **told})


def transcription(work: Work) -> Call:
    """A recording to be written down: a moment of silence where none is given."""
    given = work.inputs.sound
    file = File(silence(), _SILENCE) if given is None else File(given, work.inputs.sound_name)
    return call(work, {**work.wired.extra, "model": work.model_id, "file": file})


def silence() -> bytes:
    """The smallest WAV file that services take: silence, one channel of 16 bits.

    >>> silence()[:4], silence()[8:12]
    (b'RIFF', b'WAVE')
    """
    sound = bytes(2 * _SAMPLES)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, _RATE, 2 * _RATE, 2, 16)
    inner = b"WAVE" + form + struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI", b"RIFF", len(inner)) + inner


def read_image(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A picture or where it is; one that is too large to be read whole still begins like one."""
    if not answer.complete:
        return Reply() if answer.body.lstrip()[:1] == b"{" and b'"b64_json"' in answer.body else None
    items = value_at(answer.document, "data")
    items = [one for one in items if isinstance(one, Mapping)] if isinstance(items, list) else []
    pictures = [found for one in items for name in _PICTURES if (found := one.get(name))]
    return reply(answer, endpoint)._replace(values=pictures) if pictures else None


def read_speech(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """Sound, whatever its format."""
    del endpoint
    is_sound = answer.headers.get("content-type", "").startswith(_SOUNDS)
    return Reply(values=answer.body) if is_sound and answer.body else None


def read_transcription(answer: Answer, endpoint: Endpoint) -> Reply | None:
    """A text, which silence leaves empty."""
    text = value_at(answer.document, "text")
    return reply(answer, endpoint, text=text) if isinstance(text, str) else None
