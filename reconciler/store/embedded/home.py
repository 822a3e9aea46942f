"""The folder that the embedded server lives in: what is where, that it is ours, and where the socket goes.
Nothing outside it is ever changed, but for one private folder where its path is too long for a socket.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import EmbeddedServerError
from reconciler.store.embedded.identity import Account

PORT = 5432
# The kernel's limit for a socket's path, and what PostgreSQL and libpq would take for a list or a quote.
_LONGEST = 107
_PLAIN = re.compile(r"/[A-Za-z0-9/._+-]*")
_SHORT_PLACE = Path("/tmp")  # noqa: S108 - the folder in it is private, and nobody else's is trusted


@dataclass(frozen=True, slots=True)
class Home:
    """The paths below one home; computing them touches no disk."""

    root: Path

    @property
    def database(self) -> Path:
        """PostgreSQL's data directory; it is there only when it is complete."""
        return self.root / "data"

    @property
    def binaries(self) -> Path:
        """Copies of PostgreSQL's programs, where the server's user cannot read the installed ones."""
        return self.root / "binaries"

    @property
    def log(self) -> Path:
        """What the server and its guardian have to say."""
        return self.root / "postgres.log"

    @property
    def starting(self) -> Path:
        """Held by who starts the server."""
        return self.root / "start.lock"

    @property
    def users(self) -> Path:
        """Shared by every user for life; the guardian waits for all of it."""
        return self.root / "users.lock"

    @property
    def guardian(self) -> Path:
        """Held by the guardian for life."""
        return self.root / "guardian.lock"

    @property
    def server(self) -> Path:
        """Held by every process of the server for life."""
        return self.root / "server.lock"

    @property
    def stop_request(self) -> Path:
        """Asks the guardian to stop now instead of lingering."""
        return self.root / "stop.request"

    @property
    def socket_folder(self) -> Path:
        """Where the socket is: inside the home, or in a short private folder where that path would not do.

        It depends on the home alone, not on the environment: a shell and a cron job find the same server.
        """
        inside = self.root / "run"
        name = str(inside / f".s.PGSQL.{PORT}")
        if len(os.fsencode(name)) <= _LONGEST and _PLAIN.fullmatch(name):
            return inside
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return _SHORT_PLACE / f"reconciler-{os.geteuid()}-{digest}"

    @property
    def url(self) -> str:
        """The database's address for libpq; the port is named, lest `PGPORT` choose another."""
        return f"postgresql://reconciler@/reconciler?host={self.socket_folder}&port={PORT}"


def default() -> Path:
    """The platform's place for a user's files; `/var/lib/reconciler` for root."""
    if os.geteuid() == 0:
        return Path("/var/lib/reconciler")
    from platformdirs import user_data_path

    return user_data_path("reconciler", appauthor=False)


def at(folder: Path | None) -> Home:
    """Name the home at a folder, by the one path that all its spellings share."""
    return Home((folder or default()).expanduser().resolve())


def prepare(home: Home, account: Account | None) -> None:
    """Make the folder if it is missing, and make sure that it is ours.

    Where the server has a user of its own, that user may pass through the folder, not list it: one that we
    make, or that is empty. A folder that holds something already keeps its permissions.

    Raises:
        EmbeddedServerError: it belongs to another user, or anybody may write there.
        OSError: it cannot be made.
    """
    mode = 0o711 if account else 0o700
    for folder in (*reversed(home.root.parents), home.root):
        if not folder.is_dir():
            _make(folder, mode)
    state = home.root.stat()
    if state.st_uid != os.geteuid():
        raise EmbeddedServerError(
            f"{home.root} belongs to user {state.st_uid}, and this runs as user {os.geteuid()}.",
            hint="Run as that user, or set RECONCILER_HOME to another folder.",
        )
    if state.st_mode & 0o002:
        raise EmbeddedServerError(
            f"Anybody may write to {home.root}, so the database would not be safe there.",
            hint=f"Set RECONCILER_HOME to a private folder, or make it one: chmod o-w {home.root}",
        )
    if account and not state.st_mode & 0o001 and not any(home.root.iterdir()):
        _set_mode(home.root, stat.S_IMODE(state.st_mode) | 0o011)


def _make(folder: Path, mode: int) -> None:
    """Make a folder; one that was put in its place meanwhile is left as it is, and judged by its owner."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    _set_mode(folder, mode)


def _set_mode(folder: Path, mode: int) -> None:
    """Change a folder's permissions, never those of what a link leads to."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def private_folder(folder: Path, account: Account | None) -> None:
    """Make a folder that only the server's user (and root) can enter, or make sure that it is such a folder.

    Raises:
        EmbeddedServerError: something else has its name, or somebody else owns it.
    """
    owner = account.uid if account else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        if account:
            os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    state = folder.lstat()
    if not (stat.S_ISDIR(state.st_mode) and state.st_uid == owner and not state.st_mode & 0o077):
        raise EmbeddedServerError(
            f"{folder} is not a private folder of the embedded server's user (user {owner}).",
            hint=f"Remove {folder}, or set RECONCILER_HOME to a folder with a short, plain path.",
        )
