"""A private PostgreSQL server that is there while somebody uses it: found, set up, started, shared, stopped.
Kernel locks say who is there, and a guardian process stops the server after its last user.

    with open_server(None) as url:
        psycopg.connect(url)
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from reconciler.errors import EmbeddedServerError
from reconciler.store.embedded import cluster, locks
from reconciler.store.embedded import home as homes
from reconciler.store.embedded.binaries import Binaries
from reconciler.store.embedded.home import Home
from reconciler.store.embedded.starting import Request, enter

__all__ = ["default_home", "open_server", "stop", "url"]

LINGER = 10.0
PATIENCE = 60.0
# A guardian that lingers takes up a request at its next tick.
_ANSWER_SECONDS = 1.0


def _silent(_message: str) -> None:
    pass


def default_home() -> Path:
    """The platform's folder for this user's databases; `/var/lib/reconciler` for root."""
    return homes.default()


def url(home: Path | None = None) -> str:
    """The address of the server at `home`, whether it runs or not."""
    return homes.at(home).url


@contextmanager
def open_server(
    home: Path | None = None,
    *,
    say: Callable[[str], None] = _silent,
    options: Mapping[str, str] = MappingProxyType({}),
    linger: float = LINGER,
    account: str = "nobody",
    binaries: Binaries | None = None,
    patience: float = PATIENCE,
) -> Iterator[str]:
    """Yield the URL of a server that runs as long as the block does; it is started if it is not up.

    Args:
        home: Where it lives; the platform's place if `None`.
        say: Told, in a sentence, about whatever takes long.
        options: PostgreSQL settings, for whoever starts it: another user's settings stay as they are.
        linger: Seconds that it stays up after its last user, again for whoever starts it.
        account: The unprivileged user that it runs under where the caller is root.
        binaries: The PostgreSQL to run; by default the extra's, or one found on the machine.
        patience: Seconds to wait for other starters and for the server's first answer.

    Raises:
        EmbeddedServerError: it cannot be set up or started; says why and what to do.
    """
    at = homes.at(home)
    request = Request(at, say, options, linger, account, binaries, patience)
    with _explained(at):
        user = enter(request)
    try:
        yield at.url
    finally:
        os.close(user)


def stop(home: Path | None = None, *, patience: float = PATIENCE) -> bool:
    """Stop the server now instead of after its time to linger; `False` where none runs.

    Raises:
        EmbeddedServerError: somebody uses it, or it does not stop.
    """
    at = homes.at(home)
    with _explained(at):
        if not at.server.exists() or not locks.is_held(at.server):
            return False
        # A guardian that is just looking holds this lock for a moment, so one refusal proves no user.
        alone = locks.until(lambda: locks.take(at.users), min(patience, 0.5))
        if alone is None:
            raise _in_use(at)
        try:
            at.stop_request.touch(mode=0o600)
        finally:
            os.close(alone)
        return _stopped(at, patience)


def _stopped(home: Home, patience: float) -> bool:
    began = time.monotonic()
    while (waited := time.monotonic() - began) < patience:
        requested = home.stop_request.exists()
        if not locks.is_held(home.server):
            return True
        if not locks.is_held(home.guardian):
            cluster.end_orphan(home)
        elif not requested or (waited > _ANSWER_SECONDS and not _is_stopping(home)):
            home.stop_request.unlink(missing_ok=True)
            raise _in_use(home)  # somebody came in between, and the guardian let the request be
        time.sleep(locks.POLL)
    raise EmbeddedServerError(f"The embedded server in {home.root} does not stop; see {home.log}.")


def _is_stopping(home: Home) -> bool:
    # The guardian keeps users out while it stops the server, and only then.
    return locks.is_held(home.users)


def _in_use(home: Home) -> EmbeddedServerError:
    others = ", ".join(map(str, locks.holders(home.users)))
    return EmbeddedServerError(
        f"The embedded server in {home.root} is in use{f' by process {others}' if others else ''}.",
        hint="End what uses it; the server then stops by itself.",
    )


@contextmanager
def _explained(home: Home) -> Iterator[None]:
    """Let no failure of the operating system leave this room unexplained."""
    try:
        yield
    except TimeoutError as error:
        raise EmbeddedServerError(
            f"Other processes have kept {home.root} busy for too long ({error}).",
            hint=f"See {home.log}, and what runs: `ps aux | grep postgres`.",
        ) from error
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedServerError(
            f"The embedded server cannot be set up in {home.root}: {error}",
            hint="Set RECONCILER_HOME to a folder that you may write to, or set RECONCILER_DATABASE_URL.",
        ) from error
