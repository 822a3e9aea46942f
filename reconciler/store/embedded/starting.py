"""Becoming a user of the server, and starting it first where it does not run. One user at a time starts; the
others wait and find it running.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.errors import EmbeddedServerError
from reconciler.store.embedded import binaries as programs
from reconciler.store.embedded import cluster, locks
from reconciler.store.embedded.binaries import Binaries
from reconciler.store.embedded.home import Home, prepare
from reconciler.store.embedded.identity import Account, check_reach, server_account

# How long a server whose guardian was killed may take to end with its last session before it is told to.
_ORPHAN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller of `open_server` asks for; the fields are its arguments."""

    home: Home
    say: Callable[[str], None]
    options: Mapping[str, str]
    linger: float
    account: str
    binaries: Binaries | None
    patience: float


def enter(request: Request) -> int:
    """Become a user and return the descriptor whose lock says so; from then on the server answers.

    Raises:
        EmbeddedServerError: the server cannot be set up, or does not start.
        OSError: the home cannot be used.
    """
    account = server_account(request.account)
    prepare(request.home, account)
    user = locks.until(lambda: locks.take(request.home.users, shared=True), request.patience)
    if user is None:
        raise TimeoutError(request.home.users.name)
    try:
        stamp = time.time_ns()
        os.utime(user, ns=(stamp, stamp))  # tells a lingering guardian that somebody came
        if not _runs(request.home):
            with locks.held(request.home.starting, patience=request.patience):
                _start(request, account)
    except BaseException:
        os.close(user)
        raise
    return user


def _runs(home: Home) -> bool:
    return locks.is_held(home.guardian) and cluster.answers(home)


def _start(request: Request, account: Account | None) -> None:
    server_lock = _free_server_lock(request)
    if server_lock is None:
        return
    try:
        binaries = _database(request, account)
        before = cluster.launch(
            request.home,
            binaries,
            account,
            options=request.options,
            linger=request.linger,
            server_lock=server_lock,
            patience=request.patience,
        )
    finally:
        os.close(server_lock)
    _await_answer(request, before)


def _free_server_lock(request: Request) -> int | None:
    """Take the lock that proves that no server runs; `None` where one runs and answers."""
    home = request.home
    began = time.monotonic()
    while (lock := locks.take(home.server)) is None:
        if _runs(home):
            return None
        waited = time.monotonic() - began
        if waited > request.patience:
            raise EmbeddedServerError(
                f"The embedded server in {home.root} runs but does not answer; see {home.log}."
            )
        if waited > _ORPHAN_SECONDS and not locks.is_held(home.guardian):
            cluster.end_orphan(home)
        time.sleep(locks.POLL)
    return lock


def _database(request: Request, account: Account | None) -> Binaries:
    home = request.home
    check_reach(account, home.root)
    found = (
        (request.binaries,) if request.binaries else programs.candidates(os.environ.get("PATH", os.defpath))
    )
    binaries, version = programs.choose(found, account, home.binaries, request.say)
    cluster.sweep(home)
    if home.database.is_dir():
        cluster.check_version(home, binaries, version)
    else:
        cluster.create(home, binaries, version, account, request.say)
    return binaries


def _await_answer(request: Request, before: int) -> None:
    home = request.home
    end = time.monotonic() + request.patience
    while not cluster.answers(home):
        if not locks.is_held(home.guardian):
            raise _failed("PostgreSQL did not start", home, before)
        if time.monotonic() > end:
            raise _failed(f"PostgreSQL did not answer within {request.patience:g} s", home, before)
        time.sleep(locks.POLL)


def _failed(what: str, home: Home, before: int) -> EmbeddedServerError:
    said = cluster.last_words(home, before)
    return EmbeddedServerError(f"{what} in {home.root}: {said}", hint=f"Its log is {home.log}.")
