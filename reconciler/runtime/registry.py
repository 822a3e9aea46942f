"""The registry as applications read it in their requests: a snapshot in the program's own memory, kept fresh
by a thread, served whatever the database does.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Self

from reconciler.errors import UsageError
from reconciler.runtime import reading
from reconciler.runtime.keeper import Keeper
from reconciler.runtime.responses import ProviderModelConfigResponse, ProviderRegistryResponse, trusted
from reconciler.runtime.snapshot import Snapshot

logger = logging.getLogger("reconciler")

# A thread that waits for a server that has vanished is left to itself.
_GOODBYE = 2.0


class Registry:
    """All models of the registry in this program's memory, as of one commit, never of half of one.

    It holds one connection and one daemon thread, asks for the registry's generation every `poll` seconds and
    reads what changed; where the server's announcements reach it, it reads at once. While the database is
    down it serves the last snapshot, whose `age` grows, and it connects again by itself. After a fork, the
    child has a thread and a connection of its own. Any thread may call it.

    Args:
        url: The database, `postgresql://…`.
        poll: Seconds between questions, at most; more than 0. It is how late a change is seen at most, where
            announcements do not arrive (behind a proxy that pools transactions).
        listen: Whether to make use of announcements where they arrive.
        say: Told once when the database goes and once when it is back; by default the log `reconciler`.

    Raises:
        UsageError: `poll` is not more than 0.

    >>> with Registry(url, poll=0.5) as registry:
    ...     registry.get("openai", "gpt-4o").parameters.values
    {'max_new_tokens': 200, 'temperature': 0.7}
    """

    __slots__ = ("__weakref__", "_finalizer", "_keeper")

    def __init__(
        self, url: str, *, poll: float = 1.0, listen: bool = True, say: Callable[[str], None] = logger.warning
    ) -> None:
        if not poll > 0:
            raise UsageError("A registry must be asked again after some time.", code="bad-poll")
        self._keeper = Keeper(url, poll=poll, listen=listen, say=say)
        # A registry that is forgotten leaves no thread behind; nor does a program that ends without closing.
        self._finalizer = weakref.finalize(self, self._keeper.stop)
        _registries.add(self)

    def start(self) -> Self:
        """Load the first snapshot and keep it fresh from here on; one that runs already is left as it is.

        Raises:
            StoreUnavailableError: PostgreSQL did not answer: there is nothing to serve yet.
            SchemaError: The tables are missing, older or newer than this program.
        """
        self._keeper.start()
        return self

    def close(self) -> None:
        """End the thread and the connection; the last snapshot is served on. Closing twice is fine."""
        self._keeper.stop(within=_GOODBYE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, provider: str, model_id: str) -> ProviderModelConfigResponse | None:
        """A model as it is now, inactive ones too; `None` where there is none. It takes about a microsecond.

        An override that has ended counts no more, whether or not the database can be reached.

        Raises:
            UsageError: It was never started.
        """
        keeper, key = self._keeper, (provider, model_id)
        view = keeper.view
        if view is None:
            raise _not_started()
        if view.timed and (changing := view.timed.get(key)) is not None:
            return changing.at(keeper.now())
        return view.models.get(key)

    # Under this name a service is asked: so whatever takes a service takes a registry.
    get_provider_model = get

    def list_providers(
        self,
        *,
        active_only: bool = False,
        provider: str | None = None,
        label: reading.Labels | None = None,
        verified_only: bool = False,
    ) -> ProviderRegistryResponse:
        """The models that fulfil every condition, by provider and id.

        Args:
            active_only: Only models that may be used now.
            provider: Only this provider's models.
            label: Only models with this label, `team` or `team=rag`, or with all of a mapping.
            verified_only: Only models whose last verification succeeded.

        Raises:
            UsageError: It was never started.
        """
        wanted = reading.labels(label)
        found = tuple(
            model
            for model in self._view.all(self._keeper.now())
            if (provider is None or model.provider_name == provider)
            and (model.is_active or not active_only)
            and (model.verification_status == "verified" or not verified_only)
            and all(_has_label(model, name, value) for name, value in wanted.items())
        )
        return trusted(ProviderRegistryResponse, {"providers": found})

    def __len__(self) -> int:
        return len(self._view.models)

    def __bool__(self) -> bool:
        return True

    @property
    def url(self) -> str:
        """The database; it may hold a password."""
        return self._keeper.url

    @property
    def generation(self) -> int:
        """The generation of the snapshot; every commit that changes something raises the registry's."""
        return self._view.generation

    @property
    def age(self) -> float:
        """Seconds since the snapshot was known to be current; it grows while the database is out of reach."""
        return self._keeper.age

    @property
    def is_connected(self) -> bool:
        """Whether the database answered when it was asked last. A server that hangs in the middle of a
        question still counts as connected; `age` tells how old the snapshot may be.
        """
        return self._keeper.is_connected

    @property
    def is_listening(self) -> bool:
        """Whether changes are announced, so that they are seen before the next question."""
        return self._keeper.is_listening

    def wait_for(self, generation: int, timeout: float = 10.0) -> bool:
        """Ask the database at once and wait for a snapshot that is not older than a generation.

        For applications that have just written, and for tests.

        Args:
            generation: The registry's generation after the write.
            timeout: Seconds, at most.

        Returns:
            Whether it came in time.
        """
        return self._keeper.wait_for(generation, timeout)

    @property
    def _view(self) -> Snapshot:
        view = self._keeper.view
        if view is None:
            raise _not_started()
        return view


def _has_label(model: ProviderModelConfigResponse, name: str, value: str | None) -> bool:
    labels = model.labels or {}
    return name in labels and value in {None, labels[name]}


def _not_started() -> UsageError:
    return UsageError(
        "The registry was never started: it has nothing to serve.",
        code="not-started",
        hint="use it as a context manager, or call start()",
    )


_registries: weakref.WeakSet[Registry] = weakref.WeakSet()


def _restart_in_child() -> None:
    for registry in tuple(_registries):
        registry._keeper.restart_in_child()  # noqa: SLF001 a fork is nobody's call


os.register_at_fork(after_in_child=_restart_in_child)
