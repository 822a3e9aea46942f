"""Bytes become events as they come: server-sent events, JSON documents on lines, and AWS's binary messages.
Pure and bounded, so that no server can fill the memory or be read in two ways.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from reconciler.protocols.generation import Event, Framing

# Of a single line, event or message.
LARGEST_EVENT = 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_BRACKETED = b"[DONE]"
_PRELUDE, _SMALLEST = 12, 16
_TEXTUAL = "error"


class Malformed(NamedTuple):
    """What comes is no stream of events; `why` is the end of a sentence."""

    why: str


_TOO_LONG = Malformed(f"an event of it is longer than {LARGEST_EVENT} bytes")


class Decoder(Protocol):
    """Takes bytes and gives events; after something malformed it gives nothing more."""

    def feed(self, chunk: bytes) -> Iterator[Event | Malformed]:
        """The events that are whole with these bytes."""

    def end(self) -> Iterator[Event | Malformed]:
        """The event that is whole because nothing more comes, if any."""


def decoder(framing: Framing) -> Decoder:
    r"""A decoder for one stream; `aws` needs the extra `bedrock`, see `is_decodable`.

    >>> list(decoder("lines").feed(b'{"done": true}\n{'))
    [Event(name='', document={'done': True}, error='')]
    """
    match framing:
        case "sse":
            return _ServerSent()
        case "lines":
            return _Lines()
        case "aws":
            return _Messages()


def is_decodable(framing: Framing) -> bool:
    """Whether what a decoder needs is installed."""
    if framing != "aws":
        return True
    try:
        import botocore.eventstream
    except ImportError:
        return False
    return bool(botocore.eventstream)


class _Cutter:
    """Cuts bytes into lines without their ends, in time that grows with the bytes alone."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []
        self._length = 0

    def lines(self, chunk: bytes) -> Iterator[bytes | Malformed]:
        first, *others = chunk.split(b"\n")
        self._begun.append(first)
        self._length += len(first)
        for part in others:
            if self._length > LARGEST_EVENT:
                break
            yield b"".join(self._begun).removesuffix(b"\r")
            self._begun, self._length = [part], len(part)
        if self._length > LARGEST_EVENT:
            self._begun, self._length = [], 0
            yield _TOO_LONG

    def rest(self) -> bytes:
        return b"".join(self._begun).removesuffix(b"\r")


class _Lines:
    """A JSON document on each line."""

    def __init__(self) -> None:
        self._cutter = _Cutter()

    def feed(self, chunk: bytes) -> Iterator[Event | Malformed]:
        for line in self._cutter.lines(chunk):
            if isinstance(line, Malformed):
                yield line
                return
            if line.strip():
                yield _event("", line)

    def end(self) -> Iterator[Event | Malformed]:
        if (line := self._cutter.rest()).strip():
            yield _event("", line)


class _ServerSent:
    """Server-sent events, as the HTML standard describes them, without ends of lines that are a bare CR."""

    def __init__(self) -> None:
        self._cutter = _Cutter()
        self._name = b""
        self._told: list[bytes] = []
        self._length = 0
        self._is_first = True

    def feed(self, chunk: bytes) -> Iterator[Event | Malformed]:
        for line in self._cutter.lines(chunk):
            if isinstance(line, Malformed):
                yield line
                return
            yield from self._line(line)

    def end(self) -> Iterator[Event | Malformed]:
        # Servers that break off after the last line have said all the same what it was.
        yield from self._line(self._cutter.rest())
        yield from self._whole()

    def _line(self, line: bytes) -> Iterator[Event | Malformed]:
        line = line.removeprefix(_MARK) if self._is_first else line
        self._is_first = False
        if not line:
            yield from self._whole()
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            self._name = value
        elif name == b"data":
            self._told.append(value)
            self._length += len(value) + 1
            if self._length > LARGEST_EVENT:
                self._told = []
                yield _TOO_LONG

    def _whole(self) -> Iterator[Event | Malformed]:
        name, told = self._name, b"\n".join(self._told)
        self._name, self._told, self._length = b"", [], 0
        if told.strip():
            yield _event(name.decode("utf-8", "replace"), told)


class _Messages:
    """AWS's event stream encoding; its checksums are botocore's to verify."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Event | Malformed]:
        self._begun += chunk
        while len(self._begun) >= _PRELUDE:
            length = int.from_bytes(self._begun[:4], "big")
            if not _SMALLEST <= length <= LARGEST_EVENT:
                yield _TOO_LONG if length > LARGEST_EVENT else Malformed("a message of it is no message")
                return
            if len(self._begun) < length:
                return
            message = bytes(self._begun[:length])
            del self._begun[:length]
            found = _message(message)
            yield found
            if isinstance(found, Malformed):
                return

    def end(self) -> Iterator[Event | Malformed]:
        if self._begun:
            yield Malformed("it ends in the middle of a message")


def _message(content: bytes) -> Event | Malformed:
    import struct

    from botocore.eventstream import EventStreamBuffer, ParserError

    buffer = EventStreamBuffer()
    buffer.add_data(content)
    try:
        message = next(buffer)
    except (ParserError, StopIteration, struct.error, LookupError, ValueError):
        return Malformed("a message of it is no message, or was changed on its way")
    headers = {name: str(value) for name, value in message.headers.items()}
    error = headers.get(":exception-type") or headers.get(":error-code") or ""
    if headers.get(":message-type") == "error":
        return Event("", {"message": headers.get(":error-message", "")}, error)
    name = headers.get(":event-type", "")
    try:
        return Event(name, json.loads(message.payload), error)
    except (ValueError, RecursionError):
        return Event(name, None, error) if error else Malformed("an event of it is no JSON")


def _event(name: str, told: bytes) -> Event | Malformed:
    if told.strip() == _BRACKETED:
        return Event(name, "[DONE]")
    try:
        return Event(name, json.loads(told), name if name == _TEXTUAL else "")
    except (ValueError, RecursionError):
        if name == _TEXTUAL:
            return Event(name, {"message": told.decode("utf-8", "replace")}, name)
        return Malformed("an event of it is no JSON")
