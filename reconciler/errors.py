"""The error tree: everything that leaves this package is one of these.

    ProviderConfigError            code, hint, provider, model_id, exit_status
    ├── UsageError                 the call itself is wrong                       1
    ├── SourceError                the files do not describe a valid state        1   .problems
    ├── StoreUnavailableError      PostgreSQL did not answer                      1
    ├── SchemaError                the tables are missing, older or newer         1
    ├── EmbeddedServerError        the private PostgreSQL cannot run              1
    ├── NotFoundError              the registry has no such entity                1
    ├── RegistrationError          what is to be stored cannot be stored          1   .problems
    │   └── OwnershipError         files own it, and only they may change it      3   .source .file .line
    ├── ParameterValidationError   values that the provider does not take         1   .problems
    ├── StatusError                not active, or may not be switched             1
    ├── VerificationError          the endpoint proved a model wrong              5   .outcome
    ├── GenerationError            the endpoint did not do what it was asked      1   .outcome .http_status
    │                                                                                 .retry_after
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
        provider: The provider that it is about, where it is about one.
        model_id: The model that it is about, as its provider spells it.

    >>> error = ProviderConfigError("There is no such model.", code="not-found", provider="openai")
    >>> error.code, error.provider, error.hint
    ('not-found', 'openai', None)
    """

    code: str = "error"
    exit_status: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        provider: str | None = None,
        model_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint
        self.provider = provider
        self.model_id = model_id


class UsageError(ProviderConfigError):
    """The call itself is wrong: an unknown name, a missing choice, a contradiction.

    >>> UsageError("There is no probe 'all'.", code="unknown-probe").code
    'unknown-probe'
    """

    code = "usage"


class SourceError(ProviderConfigError):
    """The files do not describe a valid configuration; nothing was written.

    ``problems`` holds every `reconciler.core.problem.Problem`, warnings included.

    >>> SourceError([]).code
    'invalid-source'
    """

    code = "invalid-source"

    def __init__(self, problems: Sequence[Any]) -> None:
        self.problems = tuple(problems)
        errors = sum(1 for problem in self.problems if problem.severity == "error")
        super().__init__(f"The configuration has {errors} error{'s' if errors != 1 else ''}.")


class StoreUnavailableError(ProviderConfigError):
    """PostgreSQL did not answer, or broke off.

    >>> try:
    ...     raise StoreUnavailableError("PostgreSQL is out of reach: connection refused")
    ... except ProviderConfigError as error:
    ...     error.code
    'database-unavailable'
    """

    code = "database-unavailable"


class SchemaError(ProviderConfigError):
    """The database's tables are missing, older or newer than this program.

    >>> SchemaError("The tables are older than this program.", hint="run `reconciler db upgrade`").hint
    'run `reconciler db upgrade`'
    """

    code = "database-schema"


class EmbeddedServerError(ProviderConfigError):
    """The private PostgreSQL server cannot be started or reached.

    >>> EmbeddedServerError("No PostgreSQL was found.", hint="install llm-reconciler[embedded]").code
    'embedded-server'
    """

    code = "embedded-server"


class NotFoundError(ProviderConfigError):
    """The registry has no such model, provider, parameter set or template.

    >>> error = NotFoundError("There is no such model.", provider="openai", model_id="gpt-5")
    >>> error.provider, error.model_id
    ('openai', 'gpt-5')
    """

    code = "not-found"


class RegistrationError(ProviderConfigError):
    """What is to be stored cannot be stored: an unknown kind, another provider's template, a pasted key.

    ``problems`` holds one sentence for each thing that is wrong; empty where the message says it all.

    >>> RegistrationError("It cannot be stored.", problems=["there is no kind opnai"]).problems
    ('there is no kind opnai',)
    """

    code = "registration"

    def __init__(self, message: str, *, problems: Sequence[str] = (), **more: Any) -> None:
        super().__init__(message, **more)
        self.problems = tuple(problems)


class OwnershipError(RegistrationError):
    """Files own the entity: a change would be undone by their next apply, so none is made.

    Args:
        message: One sentence for a person, which names the file and the line.
        source: The source whose files own it.
        file: The file, relative to the source's directory.
        line: The line in it, from 1.

    >>> error = OwnershipError("Files own it.", source="default", file="rag.yaml", line=9)
    >>> f"{error.file}:{error.line}"
    'rag.yaml:9'
    """

    code = "managed-by-files"
    exit_status = 3

    def __init__(self, message: str, *, source: str, file: str, line: int, **more: Any) -> None:
        super().__init__(message, **more)
        self.source = source
        self.file = file
        self.line = line


class ParameterValidationError(ProviderConfigError):
    """Parameters that cannot be: outside of their range, of the wrong type, or not taken by the provider.

    ``problems`` holds one sentence for each, with the field's name in front.

    >>> ParameterValidationError("It cannot be.", problems=["temperature 9 is more than 2"]).problems
    ('temperature 9 is more than 2',)
    """

    code = "invalid-parameters"

    def __init__(self, message: str, *, problems: Sequence[str] = (), **more: Any) -> None:
        super().__init__(message, **more)
        self.problems = tuple(problems)


class StatusError(ProviderConfigError):
    """A model or provider is not active where it has to be, or may not be switched on or off.

    >>> StatusError("model:openai/gpt-4o is not active.", code="inactive").code
    'inactive'
    """

    code = "status"


class VerificationError(ProviderConfigError):
    """A model that must be verified is not.

    ``outcome`` is the word for what the probe found, such as ``auth_failed``; ``None`` before the first one.

    >>> VerificationError("It is not verified.", outcome="auth_failed").outcome
    'auth_failed'
    """

    code = "not-verified"
    exit_status = 5

    def __init__(self, message: str, *, outcome: str | None = None, **more: Any) -> None:
        super().__init__(message, **more)
        self.outcome = outcome


class GenerationError(ProviderConfigError):
    """The provider's endpoint did not do what it was asked.

    ``outcome`` is the word for it, the same as verification's (``rate_limited``, ``timeout``, …);
    ``http_status`` the answer's status, if there was an answer; ``retry_after`` the seconds that the provider
    asked to wait.

    >>> error = GenerationError("Too many requests.", outcome="rate_limited", retry_after=20.0)
    >>> error.outcome, error.retry_after
    ('rate_limited', 20.0)
    """

    code = "generation"

    def __init__(
        self,
        message: str,
        *,
        outcome: str,
        http_status: int | None = None,
        retry_after: float | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message, **more)
        self.outcome = outcome
        self.http_status = http_status
        self.retry_after = retry_after


class RefusedError(ProviderConfigError):
    """A safety rule or an ownership conflict stands against the plan; nothing was written.

    ``refusals`` holds each `reconciler.core.changes.Refusal`, ``plan`` the whole plan, to be shown.

    >>> RefusedError([]).exit_status
    3
    """

    code = "refused"
    exit_status = 3

    def __init__(self, refusals: Sequence[Any], *, plan: Any = None) -> None:
        self.refusals = tuple(refusals)
        self.plan = plan
        super().__init__("The plan is refused: " + "; ".join(refusal.message for refusal in self.refusals))


class ConflictError(ProviderConfigError):
    """Rows kept changing between reading and writing; nothing was written.

    >>> ConflictError("Rows kept changing.", hint="try again").hint
    'try again'
    """

    code = "conflict"
    exit_status = 3


class LockHeldError(ProviderConfigError):
    """Another run holds the registry's lock; nothing was written.

    >>> LockHeldError("Another run holds the registry.").exit_status
    4
    """

    code = "locked"
    exit_status = 4
