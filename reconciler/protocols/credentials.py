"""Credentials: references resolved at the moment of use, from the places that are allowed, into a type that
nothing can print.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn, TypeAlias

from reconciler.core.outcome import Outcome
from reconciler.core.probe import Access, ProbeTarget
from reconciler.core.provider_kind import CredentialRule, ProviderKind

# Whoever names a variable like this means a provider's key; anything else the operator has to allow.
ALLOWED_SUFFIXES = ("API_KEY", "APIKEY", "API_TOKEN")
# A key is a line; what is longer than this is some other file.
LARGEST_FILE = 64 * 1024

_ENV_REFERENCE = re.compile(r"env:([A-Za-z0-9_]+)")
_DATABASE_URL = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)


class Secret:
    """A value that no renderer shows: printing, formatting, copying into JSON or pickling never reveals it.

    Args:
        value: The secret itself.
        source: Where it came from, for people: a variable's name or a file's path.

    >>> f"{Secret('sk-123', source='OPENAI_API_KEY')}"
    '[secret of OPENAI_API_KEY]'
    """

    __slots__ = ("_value", "source")

    def __init__(self, value: str, *, source: str) -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The value, for the header or form field it is sent in and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"[secret of {self.source}]"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


class Unresolved(NamedTuple):
    """Why there is no credential: `secret_missing` or `refused_reference`, and what to do about it."""

    outcome: Outcome
    detail: str


Credentials: TypeAlias = Mapping[str, Secret]


def resolve(reference: str, *, kind: ProviderKind, access: Access) -> Secret | Unresolved:
    """The secret behind `env:NAME` or `file:/absolute/path`, if it is allowed and there.

    Details name the variable or the file, never a value.
    """
    if match := _ENV_REFERENCE.fullmatch(reference):
        return _from_environment(match[1], kind, access)
    if reference.startswith("file:/"):
        return _from_file(reference.removeprefix("file:"), access)
    # What stands there instead may be a key, so it is not repeated.
    return Unresolved("refused_reference", "a credential is written as env:NAME or file:/absolute/path")


def resolve_all(target: ProbeTarget, access: Access) -> Credentials | Unresolved:
    """Every credential of a target by name; those that are optional and not there are left out."""
    kind, given = target.kind, target.credentials
    if given == "none" or (given == "kind" and kind.default_credentials == "none"):
        return {}
    references = given if isinstance(given, Mapping) else {}
    found: dict[str, Secret] = {}
    for name in sorted({*kind.credentials, *references}):
        if name in references:
            secret: Secret | Unresolved | None = resolve(references[name], kind=kind, access=access)
        else:
            secret = _kinds_own(kind.credentials[name], kind, access)
        if isinstance(secret, Unresolved):
            return secret
        if secret is not None:
            found[name] = secret
    return found


def _kinds_own(rule: CredentialRule, kind: ProviderKind, access: Access) -> Secret | Unresolved | None:
    """The first of the kind's own variables that is set; nothing where an optional one is not."""
    present = [name for name in rule.env if access.environ.get(name, "").strip()]
    if not present and not rule.required:
        return None
    if not rule.env:
        return Unresolved("secret_missing", f"{kind.name} needs credentials, and none are configured")
    if not present:
        names = " or ".join(rule.env)
        return Unresolved("secret_missing", f"{names} is not set where this command runs")
    return _from_environment(present[0], kind, access)


def _from_environment(name: str, kind: ProviderKind, access: Access) -> Secret | Unresolved:
    refused = _refused_variable(name, kind, access)
    if refused:
        return Unresolved("refused_reference", refused)
    value = access.environ.get(name)
    if value is None or not value.strip():
        state = "is not set" if value is None else "is empty"
        return Unresolved("secret_missing", f"{name} {state} where this command runs")
    return _checked(value, name)


def _refused_variable(name: str, kind: ProviderKind, access: Access) -> str | None:
    """Why a variable may not be read, if so: a pull request must not be able to send just anything out."""
    shouted = name.upper()
    if shouted.startswith(("RECONCILER_", "PG")) or shouted.endswith("DATABASE_URL"):
        return f"{name} is never a credential of a provider: it belongs to this program or its database"
    # A kind that is defined in the files does not decide what may be read.
    own = {env for rule in kind.credentials.values() for env in rule.env} if kind.built_in else set()
    if name in own or name.endswith(ALLOWED_SUFFIXES) or name in access.allowed_env:
        return None
    return (
        f"{name} may not be read: it is no variable of {kind.name} and its name does not end in "
        f"{', '.join(ALLOWED_SUFFIXES)}; the operator allows it: RECONCILER_ALLOWED_ENV={name}"
    )


def _from_file(path: str, access: Access) -> Secret | Unresolved:
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        return _unreadable(path, error)
    # Links are followed first: what counts is where the secret really lies.
    if not any(real.is_relative_to(Path(folder).resolve()) for folder in access.allowed_files):
        return Unresolved(
            "refused_reference",
            f"{path} lies outside the allowed folders; the operator allows one: "
            f"RECONCILER_ALLOWED_FILES={real.parent}",
        )
    try:
        content = _read(real)
    except (OSError, ValueError) as error:
        return _unreadable(path, error)
    if not content.strip():
        return Unresolved("secret_missing", f"the file {path} is empty")
    return _checked(content, path)


def _read(path: Path) -> str:
    """A file's text. Opened without blocking, so that a pipe in its place cannot stop the run."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError("too large for a credential")
    return content.decode("utf-8-sig")


def _unreadable(path: str, error: Exception) -> Unresolved:
    # Not the error's own text: a decoding error's would quote the content.
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not plain text"
    return Unresolved("secret_missing", f"the file {path} cannot be read: {reason}")


def _checked(value: str, source: str) -> Secret | Unresolved:
    """A value without the outer spaces and line ends that files and shells add, if it fits a header.

    A key file in JSON may span lines: it is never sent itself, and the transport sends none such in a header.
    """
    value = value.strip()
    if not (value.isascii() and value.isprintable()) and not _is_key_file(value):
        return Unresolved(
            "secret_missing",
            f"{source} holds a line break or another character that no credential has; nothing was sent",
        )
    if _DATABASE_URL.match(value):
        return Unresolved("refused_reference", f"{source} holds a database URL, which is sent nowhere")
    return Secret(value, source=source)


def _is_key_file(value: str) -> bool:
    """Whether a value is a JSON object, as the keys of service accounts are."""
    try:
        return value.startswith("{") and isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False
