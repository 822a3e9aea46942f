"""Fingerprints of credentials: whether a secret is still the same can be told from them, and nothing else.
They are made with a key that the operator or this machine holds: the database alone tells nobody anything.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from reconciler.core.freshness import NO_SECRET
from reconciler.errors import UsageError
from reconciler.protocols.credentials import Credentials

VARIABLE = "RECONCILER_FINGERPRINT_KEY"
FILE = "fingerprint.key"
FEWEST_CHARACTERS = 16
_BYTES = 32


@dataclass(frozen=True, slots=True)
class FingerprintKey:
    """The key that fingerprints are made with; printing it shows its name only.

    Attributes:
        name: Tells this key from others, and nothing of it.
    """

    _secret: bytes = field(repr=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self._mac(b"the name of this key")[:8])

    def _mac(self, text: bytes) -> str:
        return hmac.new(self._secret, text, sha256).hexdigest()


def key_of_text(text: str) -> FingerprintKey:
    """The key that an operator gives.

    Raises:
        UsageError: It is too short to keep a secret (`bad-fingerprint-key`).
    """
    if len(text) < FEWEST_CHARACTERS:
        raise UsageError(
            f"{VARIABLE} is too short: it needs at least {FEWEST_CHARACTERS} characters.",
            code="bad-fingerprint-key",
            hint="any long random text will do: python -c 'import secrets; print(secrets.token_hex())'",
        )
    return FingerprintKey(text.encode("utf-8", "surrogateescape"))


def key_of_folder(folder: Path, *, make: bool = True) -> FingerprintKey | None:
    """The key that this machine keeps in a private folder; `make` makes one where there is none yet.

    Of two that make one at the same time, one is first, and both get that one's.

    Raises:
        OSError: It cannot be made or read, or it is not a private file of this user.
    """
    path = folder / FILE
    with suppress(FileNotFoundError):
        return _read(path)
    if not make:
        return None
    _create(path)
    return _read(path)


def _read(path: Path) -> FingerprintKey:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid() or state.st_mode & 0o077:
            raise PermissionError(f"{path} is not a private file of this user (chmod 600)")
        content = file.read(_BYTES + 1)
    if len(content) != _BYTES:
        raise OSError(f"{path} holds no key; remove it, and a new one is made")
    return FingerprintKey(content)


def _create(path: Path) -> None:
    """Put a new key there whole, or leave the one that somebody else has put there meanwhile."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
            file.flush()
            os.fsync(descriptor)
        # Linking fails where the name is taken; renaming would replace what others may have used already.
        with suppress(FileExistsError):
            os.link(draft, path, follow_symlinks=False)
    finally:
        draft.unlink()


def fingerprint(credentials: Credentials, key: FingerprintKey | None) -> str | None:
    """The fingerprint of a provider's credentials: the key's name and a keyed hash.

    Without credentials there is nothing to hide, and no key is needed; with them and without a key there is
    no fingerprint.
    """
    if not credentials:
        return NO_SECRET
    if key is None:
        return None
    # Lengths stand before each part, so that no two sets of credentials are written in the same way.
    parts = [
        part.encode("utf-8", "surrogateescape")
        for name in sorted(credentials)
        for part in (name, credentials[name].reveal())
    ]
    text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return f"{key.name}:{key._mac(text)}"  # noqa: SLF001 - the key is this module's own
