"""The guardian: a small process that owns the server, waits for the last user to go, however it went, and
ends it. It runs as a script in a session of its own and outlives its starter: it imports the standard library
alone.

    guardian.py HOME LINGER UID:GID:GROUPS|- GUARDIAN_LOCK SERVER_LOCK postgres [ARGUMENT…]

The two locks are descriptors, locked already: one is the guardian's for life, the other is handed to the
server, whose processes hold it for theirs.
"""

# pathlib would be a fifth of the time until the server answers.
# ruff: noqa: PTH108, PTH110, PTH123, PTH202

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

TICK = 0.05
_LOG_CHECK_SECONDS = 60.0
_LOG_BYTES = 1 << 20
_LOG_KEPT = 1 << 18
_STOP_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


class ServerGoneError(Exception):
    """The server ended by itself: there is nothing left to guard."""


def main(argv: list[str]) -> None:
    """Start the server, watch over it, stop it."""
    home, linger, identity, guardian_lock, server_lock, *command = argv
    if os.fork():
        os._exit(0)  # the starter waits for this process only, and never has to reap the guardian
    os.chdir(home)
    os.set_inheritable(int(guardian_lock), False)
    users = os.open("users.lock", os.O_RDWR | os.O_CLOEXEC)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    server = _spawn(identity, command)
    os.close(int(server_lock))
    with suppress(ServerGoneError):
        with suppress(SystemExit):  # somebody asks this very process to end
            _announce_signals(server)
            _watch(users, float(linger))
        _stop(server)
    _forget_request()


def trim(log: str) -> None:
    """Keep only the newest part of a log that has grown too long; the server appends, so it can go on."""
    if os.path.getsize(log) <= _LOG_BYTES:
        return
    with open(log, "r+b") as file:
        file.seek(-_LOG_KEPT, os.SEEK_END)
        newest = file.read()
        file.seek(0)
        file.truncate()
        file.write(newest)


def _spawn(identity: str, command: list[str]) -> int:
    die_with_parent = _die_with_parent()
    guardian = os.getpid()
    server = os.fork()
    if server:
        return server
    try:
        _become(identity)
        die_with_parent()
        if os.getppid() == guardian:
            os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"FATAL:  cannot execute {command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _become(identity: str) -> None:
    os.umask(0o077)
    if identity == "-":
        return
    uid, gid, groups = identity.split(":")
    os.setgroups([int(group) for group in groups.split(",")])
    os.setgid(int(gid))
    os.setuid(int(uid))


def _die_with_parent() -> Callable[[], object]:
    # Should the guardian be killed, Linux asks the server to end once its sessions have; elsewhere
    # the next user finds a server without a guardian and replaces it.
    if not sys.platform.startswith("linux"):
        return lambda: None
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return lambda: None
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _announce_signals(server: int) -> None:
    def child(_number: int, _frame: object) -> None:
        if os.waitpid(server, os.WNOHANG)[0] == server:
            raise ServerGoneError

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit

    signal.signal(signal.SIGCHLD, child)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    signal.signal(signal.SIGALRM, lambda _number, _frame: _trim_quietly())
    signal.setitimer(signal.ITIMER_REAL, _LOG_CHECK_SECONDS, _LOG_CHECK_SECONDS)
    child(signal.SIGCHLD, None)  # it may have ended before anyone listened


def _trim_quietly() -> None:
    # A log that cannot be shortened is no reason to leave the server alone.
    with suppress(OSError):
        trim("postgres.log")


def _watch(users: int, linger: float) -> None:
    """Return, holding the users' lock, when nobody has used the server for the time to linger."""
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)  # granted when the last user has gone
        if _requested():
            return
        seen = os.fstat(users).st_mtime_ns
        fcntl.flock(users, fcntl.LOCK_UN)
        if _stayed_away(users, seen, linger):
            return


def _stayed_away(users: int, seen: int, linger: float) -> bool:
    # Every user stamps the file when it comes, so one who came and went is noticed as well.
    end = time.monotonic() + linger
    while time.monotonic() < end and not _requested() and os.fstat(users).st_mtime_ns == seen:
        time.sleep(TICK)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _forget_request()
        return False
    return _requested() or os.fstat(users).st_mtime_ns == seen


def _requested() -> bool:
    return os.path.exists("stop.request")


def _forget_request() -> None:
    with suppress(OSError):  # there was none, or the folder is gone
        os.unlink("stop.request")


def _stop(server: int) -> None:
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else signal.SIG_IGN)
    for number, patience in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, _STOP_SECONDS)):
        os.kill(server, number)  # our own child, not yet waited for: the number cannot be another's
        if _ended(server, patience):
            return


def _ended(server: int, patience: float) -> bool:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if os.waitpid(server, os.WNOHANG)[0] == server:
            return True
        time.sleep(0.005)
    return False


if __name__ == "__main__":
    main(sys.argv[1:])
