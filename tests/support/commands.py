"""The installed command as a person or a CI step runs it: a process of its own, in an environment that
holds nothing but what a test puts there.
"""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import reconciler

# What would change an answer: our own settings, keys, where the database is, and how a terminal looks.
_PREFIXES = ("RECONCILER_", "PG", "PYTHON", "GITHUB_", "TYPER_", "_TYPER")
_SUFFIXES = ("API_KEY", "APIKEY", "API_TOKEN")
_NAMES = {"CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM"}
PATIENCE = 120
FINGERPRINT_KEY = "of the tests and of nobody else"


class Answer(NamedTuple):
    """What a command left behind: its exit status, its answer and its story."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The answer as the one JSON document that it must be."""
        return json.loads(self.stdout)


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This machine's environment without anything that a command of ours would read, and what a test adds."""
    kept = {name: value for name, value in os.environ.items() if not _matters(name)}
    root = Path(reconciler.__file__).parents[1]
    if (root / "pyproject.toml").exists():
        # A checkout: the package is where the tests found it, whatever the command's own folder is.
        kept["PYTHONPATH"] = str(root)
    # Without one, a key of fingerprints would be made and kept on this machine.
    kept["RECONCILER_FINGERPRINT_KEY"] = FINGERPRINT_KEY
    return {**kept, **(more or {})}


def _matters(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES) or name.upper().endswith(_SUFFIXES)


def command_line(*words: str | Path) -> list[str]:
    """The words that start `reconciler` with the interpreter that runs the tests."""
    return [sys.executable, "-m", "reconciler", *map(str, words)]


def run_command(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout: float = PATIENCE,
) -> Answer:
    """Run `reconciler` with these words and wait for it; there is no terminal anywhere.

    Args:
        words: What stands after `reconciler`.
        env: Variables besides the clean environment's.
        cwd: Where it runs.
        stdin: What it can read; nothing where it is `None`.
        timeout: Seconds until the test fails.
    """
    ran = subprocess.run(
        command_line(*words),
        env=clean_environment(env),
        cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else None,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=timeout,
    )
    return Answer(ran.returncode, ran.stdout, ran.stderr)


# A process that starts a session has no terminal until it takes one; without one, Ctrl-C reaches nobody.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios;fcntl.ioctl(0, termios.TIOCSCTTY, 0);os.execv(sys.argv[1], sys.argv[1:])"
)


def run_on_terminal(
    *words: str | Path, typed: str = "", env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Answer:
    """Run `reconciler` on a terminal, type `typed` at its first question, and keep what the screen showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE_TERMINAL, *command_line(*words)],
        env=clean_environment({"TERM": "xterm", **(env or {})}),
        cwd=cwd,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as command:
        os.close(theirs)
        try:
            screen = _screen(ours, typed.encode())
        finally:
            # One that waits for words that never come is ended, and its status tells.
            os.close(ours)
    return Answer(command.returncode, screen.decode().replace("\r\n", "\n"), "")


def _screen(terminal: int, typed: bytes) -> bytes:
    screen = b""
    while part := _shown(terminal):
        screen += part
        if typed and b"[y/N] " in screen:
            os.write(terminal, typed)
            typed = b""
    return screen


def _shown(terminal: int) -> bytes:
    """What the screen shows next; nothing once the program has gone, or has been silent for too long."""
    try:
        readable, _, _ = select.select([terminal], [], [], PATIENCE / 4)
        return os.read(terminal, 4096) if readable else b""
    except OSError:
        return b""
