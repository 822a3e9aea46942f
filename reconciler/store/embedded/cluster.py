"""The data directory and the server on it: made whole or not at all, started under a guardian, asked whether
it answers. Everything that changes something runs under the starter's lock.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from reconciler.errors import EmbeddedServerError
from reconciler.store.embedded import guardian, locks
from reconciler.store.embedded.binaries import Binaries
from reconciler.store.embedded.home import PORT, Home, private_folder
from reconciler.store.embedded.identity import Account, environment, run

# A private server for one person's commands: small, durable, and quiet. The maps in shared memory would be
# swept away by systemd when a user logs out, so they are files.
OPTIONS: Mapping[str, str] = {
    "cluster_name": "reconciler",
    "dynamic_shared_memory_type": "mmap",
    "listen_addresses": "",
    "log_checkpoints": "off",
    "log_destination": "stderr",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "max_connections": "50",
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "unix_socket_permissions": "0700",
}
_BUILTIN_LOCALE_SINCE = 17
_TAIL_LINES = 5
_LONGEST_VERSION = 16

# Seconds in which an initdb without its starter has noticed that its folder is gone.
SWEEP_PATIENCE = 10.0


def sweep(home: Home) -> None:
    """Remove what starters that were killed left half made; for who holds the starter's lock.

    A killed starter's initdb may still be writing into it, and gives up once its folder is gone.
    """
    until = time.monotonic() + SWEEP_PATIENCE
    for leftover in home.root.glob("data.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
        while leftover.exists() and time.monotonic() < until:
            time.sleep(0.02)
            shutil.rmtree(leftover, ignore_errors=True)


def create(
    home: Home, binaries: Binaries, version: int, account: Account | None, say: Callable[[str], None]
) -> None:
    """Make the data directory, with the role and the database `reconciler` in it.

    It is made under another name and renamed, so that there is never half of one.

    Raises:
        EmbeddedServerError: PostgreSQL could not make it; nothing is left behind.
    """
    say(f"Making a private PostgreSQL {version} database in {home.root} (once).")
    unfinished = Path(tempfile.mkdtemp(prefix="data.new-", dir=home.root))
    try:
        if account:
            os.chown(unfinished, account.uid, account.gid)
        _run_initdb(unfinished, binaries, account, version)
        _make_database(unfinished, binaries, account)
        unfinished.rename(home.database)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _flush(home.root)


def check_version(home: Home, binaries: Binaries, version: int) -> None:
    """Make sure that the data directory was made by the major version of PostgreSQL that would run it.

    Raises:
        EmbeddedServerError: it was made by another; it is left as it is.
    """
    made_by = _made_by(home)
    if made_by is None:
        raise EmbeddedServerError(
            f"{home.database / 'PG_VERSION'} does not say which PostgreSQL made the database.",
            hint=f"Move {home.database} away and apply your files anew.",
        )
    if made_by != version:
        raise EmbeddedServerError(
            f"The database in {home.database} was made by PostgreSQL {made_by}, and this would run it with "
            f"PostgreSQL {version} ({binaries.folder}).",
            hint=f"Install PostgreSQL {made_by}; or move {home.database} away and apply your files anew.",
        )


def _made_by(home: Home) -> int | None:
    """The major version that a data directory names, if it names one."""
    # The server's user may write there: no link is followed, and nothing but a number is repeated.
    try:
        descriptor = os.open(
            home.database / "PG_VERSION", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        )
        with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
            said = file.read(_LONGEST_VERSION).strip()
    except OSError:
        return None
    return int(said) if re.fullmatch("[0-9]{1,3}", said) else None


def launch(
    home: Home,
    binaries: Binaries,
    account: Account | None,
    *,
    options: Mapping[str, str],
    linger: float,
    server_lock: int,
    patience: float,
) -> int:
    """Start a guardian with a server of its own, and return how long the log was before.

    The caller holds the server's lock: that proves that no server runs, so what one left behind is removed.
    """
    folder = home.socket_folder
    private_folder(folder, account)
    for leftover in (home.database / "postmaster.pid", home.stop_request, *folder.glob(".s.PGSQL.*")):
        leftover.unlink(missing_ok=True)
    settings = {**OPTIONS, "unix_socket_directories": str(folder), **options}
    command = [binaries.postgres, "-D", str(home.database)]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (
        locks.held(home.guardian, patience=patience) as guardian_lock,
        home.log.open("ab") as log,
    ):
        home.log.chmod(0o600)
        guardian.trim(str(home.log))
        before = home.log.stat().st_size
        who = f"{account.uid}:{account.gid}:{','.join(map(str, account.groups))}" if account else "-"
        arguments = [str(home.root), str(linger), who, str(guardian_lock), str(server_lock), *command]
        subprocess.run(
            [sys.executable, "-I", "-S", "-B", guardian.__file__, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment(),
            pass_fds=(guardian_lock, server_lock),
            start_new_session=True,
            umask=0o077,
        )
    return before


def answers(home: Home) -> bool:
    """Tell whether the server is alive: whether a connection to its database works, and nothing less."""
    if not _is_our_socket(home):
        return False
    from psycopg import OperationalError, connect

    try:
        connect(home.url, connect_timeout=2).close()
    except OperationalError:
        return False
    return True


def end_orphan(home: Home) -> None:
    """Ask a server whose guardian was killed to stop at once; for who finds the server's lock held."""
    with suppress(OSError, ValueError):
        first = (home.database / "postmaster.pid").read_text(encoding="utf-8").splitlines()[:1]
        number = int(first[0]) if first else 0
        where = Path(f"/proc/{number}/cwd")
        if number > 1 and (not Path("/proc/self").exists() or where.resolve() == home.database):
            os.kill(number, signal.SIGINT)


def last_words(home: Home, before: int) -> str:
    """Quote what the server said last: the end of its log from `before` on, fatal lines if there are any."""
    with home.log.open("rb") as log:
        log.seek(before)
        said = log.read().decode("utf-8", "replace").splitlines()
    fatal = [line for line in said if re.search(r"\b(FATAL|PANIC|HINT|DETAIL):", line)]
    return "; ".join(line.strip() for line in (fatal or said)[-_TAIL_LINES:]) or "it said nothing"


def _run_initdb(folder: Path, binaries: Binaries, account: Account | None, version: int) -> None:
    # Trust is right here, and only here: the socket is the one way in, and its folder is closed to all but
    # its owner. Where root lends the server another user, that user owns the folder, and root passes it all
    # the same; a peer rule would refuse root, and whoever is that user can read the database's files anyway.
    locale = ["--locale=C.UTF-8"]
    if version >= _BUILTIN_LOCALE_SINCE:  # then it is PostgreSQL's own, whatever the machine has
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    argv = [binaries.initdb, "-D", str(folder), "-U", "reconciler", "--encoding=UTF8", *locale]
    argv += ["--auth-local=trust", "--auth-host=reject", "--no-instructions"]
    _check(run(argv, account), "initdb")


def _make_database(folder: Path, binaries: Binaries, account: Account | None) -> None:
    argv = [
        binaries.postgres,
        "--single",
        "-D",
        str(folder),
        "-c",
        "dynamic_shared_memory_type=mmap",
        "postgres",
    ]
    _check(run(argv, account, text="CREATE DATABASE reconciler\n"), "postgres")


def _check(done: subprocess.CompletedProcess[str], program: str) -> None:
    if done.returncode == 0 and not re.search(r"\b(ERROR|FATAL|PANIC):", done.stderr):
        return
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    telling = [line for line in said if re.search("(?i)error|fatal|panic|could not|hint", line)]
    raise EmbeddedServerError(
        f"PostgreSQL could not make its database ({program}): {'; '.join((telling or said)[-_TAIL_LINES:])}",
        hint=_nameless()
        or "Set RECONCILER_HOME to a folder on a disk with room, or set RECONCILER_DATABASE_URL.",
    )


def _nameless() -> str | None:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        user = os.geteuid()
        return f"PostgreSQL needs user {user} to have a name in /etc/passwd; or set RECONCILER_DATABASE_URL."
    return None


def _is_our_socket(home: Home) -> bool:
    # Whoever made the socket must be who owns the database, should the folder have been swept away.
    with suppress(OSError):
        found = (home.socket_folder / f".s.PGSQL.{PORT}").lstat()
        return stat.S_ISSOCK(found.st_mode) and found.st_uid == home.database.stat().st_uid
    return False


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
