"""The fingerprints of one run: credentials as they are here and now, under the key that the operator gives or
that this machine keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from reconciler.core.probe import Access, ProbeTarget
from reconciler.errors import EmbeddedServerError
from reconciler.protocols import fingerprint
from reconciler.protocols.credentials import Unresolved, resolve_all
from reconciler.protocols.fingerprint import FingerprintKey


class Fingerprinter:
    """Makes fingerprints; the key is looked for when the first credential is there to need it.

    Args:
        access: Where credentials are resolved.
        text: The operator's key; without one this machine's own is used.
        home: The folder that keeps that; `None` for the platform's place.
        make: Whether a key may be made where there is none.
        say: Told, once, where no key can be had.

    Raises:
        UsageError: The operator's key is too short.
    """

    def __init__(
        self,
        access: Access,
        *,
        text: str | None,
        home: Path | None,
        make: bool,
        say: Callable[[str], None],
    ) -> None:
        self._access = access
        self._given = fingerprint.key_of_text(text) if text else None
        self._home = home
        self._make = make
        self._say = say

    def __call__(self, target: ProbeTarget) -> str | None:
        """The fingerprint of a target's present credentials; `None` where it cannot be made."""
        found = resolve_all(target, self._access)
        if isinstance(found, Unresolved):
            return None
        return fingerprint.fingerprint(found, self._key if found else None)

    @cached_property
    def _key(self) -> FingerprintKey | None:
        if self._given is not None:
            return self._given
        try:
            return fingerprint.key_of_folder(_folder(self._home, make=self._make), make=self._make)
        except (OSError, EmbeddedServerError) as error:
            reason = error.message if isinstance(error, EmbeddedServerError) else str(error)
            self._say(
                f"Rotated keys go unnoticed and no result is kept to save a probe: {reason.rstrip('.')}."
                f" Set {fingerprint.VARIABLE}, or RECONCILER_HOME to a private folder."
            )
            return None


def _folder(home: Path | None, *, make: bool) -> Path:
    """The private folder that also holds the embedded server's files, made as that one makes it."""
    from reconciler.store.embedded import home as homes
    from reconciler.store.embedded.identity import server_account

    at = homes.at(home)
    if make:
        try:
            account = server_account("nobody")
        except EmbeddedServerError:
            account = None
        homes.prepare(at, account)
    return at.root
