"""A call's body as bytes: JSON, or a form of parts where one of its values is a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

# The only files that are sent are sounds.
_FILE = 'filename="sound.wav"\r\nContent-Type: audio/wav'


class Encoded(NamedTuple):
    """A body, and what it is."""

    body: bytes
    content_type: str


def encoded(body: Mapping[str, Any]) -> Encoded:
    """A body as it is sent; equal ones are equal bytes.

    >>> encoded({"model": "m"})
    Encoded(body=b'{"model": "m"}', content_type='application/json')
    """
    if not any(isinstance(value, bytes) for value in body.values()):
        return Encoded(json.dumps(body).encode(), "application/json")
    parts = [_part(name, value) for name, value in body.items()]
    boundary = hashlib.sha256(b"".join(parts)).hexdigest()
    line = b"--" + boundary.encode()
    content = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
    return Encoded(content, f"multipart/form-data; boundary={boundary}")


def _part(name: str, value: Any) -> bytes:
    is_file = isinstance(value, bytes)
    named = f'Content-Disposition: form-data; name="{_quoted(name)}"' + (f"; {_FILE}" if is_file else "")
    content = value if is_file else (value if isinstance(value, str) else json.dumps(value)).encode()
    return named.encode() + b"\r\n\r\n" + bytes(content)


def _quoted(name: str) -> str:
    """A name that cannot leave its quotes, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
