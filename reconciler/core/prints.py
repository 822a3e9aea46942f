"""What a directory holds, without what it says: enough to tell that nothing changed since the last apply."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.core.state import Identity


@dataclass(frozen=True, slots=True)
class Prints:
    """The fingerprints of a directory.

    Attributes:
        files: The sha256 of each file, hexadecimal, by name.
        identity: Where the directory comes from; its revision is no part of what is compared.
        reader: What reads the files: this program's version and its kinds. Another one may read the same
            files differently.
    """

    files: Mapping[str, str]
    identity: Identity
    reader: str

    @property
    def digest(self) -> str:
        """sha256 over everything that the files' meaning depends on, hexadecimal.

        >>> here = Identity("acme.example/llm//providers.d", revision="4f1c")
        >>> one = Prints({"a.yaml": "00", "b.yaml": "11"}, here, "1.0")
        >>> one.digest == Prints({"b.yaml": "11", "a.yaml": "00"}, Identity(here.origin), "1.0").digest
        True
        >>> one.digest == Prints({"a.yaml": "00", "b.yaml": "12"}, here, "1.0").digest
        False
        """
        found = hashlib.sha256(repr((self.reader, self.identity.origin, self.identity.overlays)).encode())
        for name in sorted(self.files):
            found.update(f"\x00{name}\x00{self.files[name]}".encode())
        return found.hexdigest()
