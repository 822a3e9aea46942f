"""Where a directory comes from: its place in a Git repository, or else its own name. Only `git` itself is
asked, with everything switched off that a repository could make it run.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from reconciler.core.state import Identity
from reconciler.source.files import shown

_TIMEOUT_SECONDS: Final = 10
_QUIET: Final = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.pager=cat"),
    # Continuous integration checks out as one user and runs as another; nothing is executed from there.
    *("-c", "safe.directory=*"),
)
_REMOTE = re.compile(r"^remote\.(.+)\.url\n(.*)$", re.DOTALL)


def identity(directory: Path) -> Identity:
    """What a directory is called wherever it is checked out.

    The origin is the remote's URL without user and password, `//` and the path within the repository; without
    a repository or a remote it is the directory's own name. The revision is the commit.
    """
    directory = directory.resolve()
    # What may not be looked at is as good as absent; `Path.exists` would raise.
    if not any(os.path.exists(folder / ".git") for folder in (directory, *directory.parents)):  # noqa: PTH110
        return Identity(origin=shown(directory.name))
    revision = _git(directory, "rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}")
    remote = _remote(_git(directory, "config", "--null", "--get-regexp", r"^remote\..*\.url$"))
    if not remote:
        return Identity(origin=shown(directory.name), revision=revision.strip() or None)
    path = _git(directory, "rev-parse", "--show-prefix").rstrip("\n").rstrip("/")
    return Identity(origin=shown(f"{remote}//{path}".rstrip("/")), revision=revision.strip() or None)


def without_user(url: str) -> str:
    """A remote's URL without user and password.

    >>> without_user("https://me:secret@example.com/team/repo.git")
    'https://example.com/team/repo.git'
    >>> without_user("git@example.com:team/repo.git")
    'example.com:team/repo.git'
    """
    # Git takes what no parser of URLs does, and a password may hold slashes: what is before the last @ goes.
    scheme, found, rest = url.partition("://")
    if found:
        place = rest.rpartition("@")[2]
        return f"{scheme}://{place.partition('?')[0].partition('#')[0]}"
    # A folder of this machine has no colon before its first slash; ssh's short form has.
    is_folder = ":" not in url.partition("/")[0]
    return url if is_folder else url.rpartition("@")[2]


def _remote(listed: str) -> str:
    """The URL of `origin`, or else of the first remote by name; empty where there is none."""
    urls: dict[str, str] = {}
    for entry in listed.split("\0"):
        if match := _REMOTE.match(entry):
            urls.setdefault(match[1], match[2])
    if not urls:
        return ""
    return without_user(urls.get("origin") or urls[min(urls)])


def _git(directory: Path, *arguments: str) -> str:
    """What git answers; nothing where it is not installed, refuses or takes too long."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        answer = subprocess.run(
            ["git", *_QUIET, *arguments],  # noqa: S607 git is found where the operator put it
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(answer.stdout) if answer.returncode == 0 else ""
