"""Who the server runs as, and running its programs as that user. PostgreSQL refuses to run as root, so a root
caller lends it an unprivileged user that already exists.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import EmbeddedServerError

# What the loader needs to start an interpreter or a server; everything else, credentials above all, stays
# with the caller: the server outlives it, under a user that others may share.
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user of this machine, by number."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def server_account(name: str) -> Account | None:
    """Name the user that the server runs under; `None` where that is the caller.

    Raises:
        EmbeddedServerError: the caller is root, and there is no such unprivileged user.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise _no_account(f"there is no user {name} on this machine") from error
    if entry.pw_uid == 0:
        raise _no_account(f"{name} is root too")
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return Account(name, entry.pw_uid, entry.pw_gid, groups)


def environment() -> dict[str, str]:
    """Give the variables that the server and its guardian start with: none of the caller's secrets."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C", **kept}


def run(argv: Sequence[str], account: Account | None, *, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the account, with `text` on its standard input.

    Raises:
        OSError: the account cannot execute it, or the user id cannot be changed.
    """
    return subprocess.run(
        argv,
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        cwd="/",
        env=environment(),
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=account.groups if account else None,
    )


def check_reach(account: Account | None, folder: Path) -> None:
    """Make sure that the account can pass every folder on the way to `folder`, itself included.

    Raises:
        EmbeddedServerError: it cannot; the message names the folder that stops it.
    """
    if account is None:
        return
    way = [str(step) for step in (*reversed(folder.parents), folder)]
    script = 'for step; do test -x "$step" || { printf %s "$step"; exit 1; }; done'
    try:
        barred = run(["/bin/sh", "-c", script, "sh", *way], account)
    except PermissionError as error:  # a container may take root's right to become somebody else
        raise _no_account(f"this process may not become {account.name}") from error
    if barred.returncode != 0:
        stop = barred.stdout or str(folder)
        raise EmbeddedServerError(
            f"The embedded server runs as {account.name} when root starts it, and {account.name} cannot pass "
            f"through {stop} to reach {folder}.",
            hint=f"Set RECONCILER_HOME to a folder that {account.name} can reach, or run: chmod o+x {stop}",
        )


def _no_account(reason: str) -> EmbeddedServerError:
    return EmbeddedServerError(
        f"PostgreSQL does not run as root, and {reason}.",
        hint="Run as a normal user, or set RECONCILER_DATABASE_URL to a PostgreSQL server.",
    )
