"""A call's body as bytes: JSON, or a form of parts where one of its values is a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

from reconciler.protocols.generation import File

_UNKNOWN = "application/octet-stream"
# The library's own list differs between its versions, and the system's from machine to machine.
_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".webm": "audio/webm",
}


class Encoded(NamedTuple):
    """A body, and what it is."""

    body: bytes
    content_type: str


def encoded(body: Mapping[str, Any]) -> Encoded:
    """A body as it is sent; equal ones are equal bytes.

    >>> encoded({"model": "m"})
    Encoded(body=b'{"model": "m"}', content_type='application/json')
    """
    if not any(isinstance(value, File) for value in body.values()):
        return Encoded(json.dumps(body).encode(), "application/json")
    parts = [_part(name, value) for name, value in body.items()]
    boundary = hashlib.sha256(b"".join(parts)).hexdigest()
    line = b"--" + boundary.encode()
    content = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
    return Encoded(content, f"multipart/form-data; boundary={boundary}")


def _part(name: str, value: Any) -> bytes:
    named = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    if isinstance(value, File):
        content_type = _TYPES.get(PurePath(value.name).suffix.lower(), _UNKNOWN)
        named += f'; filename="{_quoted(value.name)}"\r\nContent-Type: {content_type}'
        return named.encode() + b"\r\n\r\n" + value.content
    content = value if isinstance(value, str) else json.dumps(value)
    return f"{named}\r\n\r\n{content}".encode()


def _quoted(name: str) -> str:
    """A name that cannot leave its quotes, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
