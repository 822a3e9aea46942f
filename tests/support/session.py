"""Where a test session's server lives: chosen once, inherited by its workers, removed by who chose it."""

from __future__ import annotations

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

_VARIABLE = "TEST_SERVER_HOME"


def begin() -> None:
    """Choose the home; nothing is made before a test asks for the server."""
    os.environ[_VARIABLE] = f"/tmp/rc-tests-{os.geteuid()}-{secrets.token_hex(6)}"


def home() -> Path:
    """The home that this session, or the one that this worker belongs to, has chosen."""
    return Path(os.environ[_VARIABLE])


def folder(purpose: str) -> Path:
    """Make a folder that every user may pass and that is removed when the session ends."""
    made = home().with_name(f"{home().name}-{purpose}-{os.getpid()}")
    made.mkdir()
    made.chmod(0o755)
    return made


def end() -> None:
    """Stop the server and remove its home, if there is one, and what else was made for the session."""
    place = home()
    for made in place.parent.glob(f"{place.name}-*"):
        shutil.rmtree(made, ignore_errors=True)
    if not place.exists():
        return
    from reconciler.errors import EmbeddedServerError
    from reconciler.store import embedded

    with suppress(
        EmbeddedServerError
    ):  # a worker that hangs still uses it: the server ends after that worker
        embedded.stop(place)
        shutil.rmtree(place, ignore_errors=True)
