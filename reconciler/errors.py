"""The error tree: everything that leaves this package is one of these.

    ProviderConfigError            code, hint, exit_status
    ├── UsageError                 the call itself is wrong                       1
    ├── SourceError                the files do not describe a valid state        1   .problems
    ├── StoreUnavailableError      PostgreSQL did not answer                      1
    ├── SchemaError                the tables are missing, older or newer         1
    ├── EmbeddedServerError        the private PostgreSQL cannot run              1
    ├── RefusedError               a safety rule, an ownership conflict           3   .refusals
    ├── ConflictError              rows kept changing under the plan              3
    └── LockHeldError              another run holds the registry                 4

A class exists only where a caller does something different on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar


class ProviderConfigError(Exception):
    """Something about the provider configuration cannot be done; says what, why and what to do.

    Args:
        message: One sentence for a person.
        code: A stable word for machines; the class's own where none is given.
        hint: What to do about it, if there is something to do.
    """

    code: str = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint


class UsageError(ProviderConfigError):
    """The call itself is wrong: an unknown name, a missing choice, a contradiction."""

    code = "usage"


class SourceError(ProviderConfigError):
    """The files do not describe a valid configuration; nothing was written.

    ``problems`` holds every `reconciler.core.problem.Problem`, warnings included.
    """

    code = "invalid-source"

    def __init__(self, problems: Sequence[Any]) -> None:
        self.problems = tuple(problems)
        errors = sum(1 for problem in self.problems if problem.severity == "error")
        super().__init__(f"The configuration has {errors} error{'s' if errors != 1 else ''}.")


class StoreUnavailableError(ProviderConfigError):
    """PostgreSQL did not answer, or broke off."""

    code = "database-unavailable"


class SchemaError(ProviderConfigError):
    """The database's tables are missing, older or newer than this program."""

    code = "database-schema"


class EmbeddedServerError(ProviderConfigError):
    """The private PostgreSQL server cannot be started or reached."""

    code = "embedded-server"


class RefusedError(ProviderConfigError):
    """A safety rule or an ownership conflict stands against the plan; nothing was written.

    ``refusals`` holds each `reconciler.core.changes.Refusal`, ``plan`` the whole plan, to be shown.
    """

    code = "refused"
    exit_status = 3

    def __init__(self, refusals: Sequence[Any], *, plan: Any = None) -> None:
        self.refusals = tuple(refusals)
        self.plan = plan
        super().__init__("The plan is refused: " + "; ".join(refusal.message for refusal in self.refusals))


class ConflictError(ProviderConfigError):
    """Rows kept changing between reading and writing; nothing was written."""

    code = "conflict"
    exit_status = 3


class LockHeldError(ProviderConfigError):
    """Another run holds the registry's lock; nothing was written."""

    code = "locked"
    exit_status = 4
