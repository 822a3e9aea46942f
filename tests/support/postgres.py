"""One PostgreSQL server for a test session, shared by its workers, and databases for its tests. It is the
product's own embedded server, in a home of its own, with the waits for the disk switched off.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from support import session

from reconciler.store import embedded

# A test database has nothing to lose; several workers and their tests connect at once.
OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
TEMPLATE = "migrated"
LINGER = 2.0

# Copying files beats writing them to the log, as long as nothing waits for the disk.
_STRATEGY_SINCE = 150000
_TEMPLATE_LOCK = 4_711
_numbers = itertools.count()


@contextmanager
def short_folder(*, mode: int = 0o711) -> Iterator[Path]:
    """Yield a folder with a path short enough for a socket, which the server's user may pass.

    pytest's own folders are neither. It is removed afterwards.
    """
    folder = Path(tempfile.mkdtemp(prefix="rc-", dir="/tmp"))
    folder.chmod(mode)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def session_server() -> Iterator[str]:
    """Yield the address of the server that all workers of the session share."""
    with embedded.open_server(session.home(), options=OPTIONS, linger=LINGER) as url:
        yield url


def address(server_url: str, database: str) -> str:
    """The address of another database of the same server."""
    return server_url.replace("@/reconciler?", f"@/{database}?", 1)


def migrated_template(server_url: str, upgrade: Callable[[str], object]) -> str:
    """Name the database that holds our tables and nothing else; the first worker to come makes it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        # Held until the connection closes; the others wait here.
        connection.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if not there:
            unfinished = f"{TEMPLATE}_unfinished"
            _execute(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", unfinished)
            _execute(connection, "CREATE DATABASE {}", unfinished)
            upgrade(address(server_url, unfinished))
            _execute(connection, "ALTER DATABASE {} RENAME TO {}", unfinished, TEMPLATE)
    return TEMPLATE


@contextmanager
def fresh_database(server_url: str, template: str = "template0") -> Iterator[str]:
    """Yield the address of a new copy of the template; it is dropped afterwards, whoever uses it."""
    name = f"t_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        strategy = " STRATEGY file_copy" if connection.info.server_version >= _STRATEGY_SINCE else ""
        _execute(connection, f"CREATE DATABASE {{}} TEMPLATE {{}}{strategy}", name, template)
    try:
        yield address(server_url, name)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            _execute(connection, "DROP DATABASE {} WITH (FORCE)", name)


def _execute(connection: psycopg.Connection, statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
