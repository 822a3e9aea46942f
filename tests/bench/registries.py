"""The databases of a benchmark: one server for all sides, a fresh database for each measured process, and
what is in it afterwards.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from support.private_home import private_home

from reconciler.store import embedded, migrate
from reconciler.store.session import libpq_url

# An external server as it is installed: PostgreSQL's own settings where the embedded one is smaller.
OPTIONS = {"shared_buffers": "128MB", "max_wal_size": "1GB"}
SHOWN = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "max_wal_size")

# What a first apply writes, in the order in which the tables refer to each other.
WRITTEN = (
    "providers",
    "llm_parameters",
    "prompt_templates",
    "provider_model_configs",
    "managed_entities",
    "sources",
    "source_files",
    "reconcile_runs",
    "audit_events",
)
# What the migrations wrote there already, and every database of ours has.
_OURS = {"llm_parameters": "name <> 'default'", "audit_events": "run IS NOT NULL"}
AUDITED = ("providers", "llm_parameters", "prompt_templates", "provider_model_configs")

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
"""
_numbers = itertools.count()


class Server(NamedTuple):
    """A server that databases may be made on."""

    url: str

    def execute(self, statement: str, *names: str, database: str | None = None) -> list[tuple]:
        """Run one statement outside a transaction; each `{}` in it is a name."""
        url = libpq_url(database or self.url)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Yield the URL of a new copy of a template; it is dropped afterwards."""
        name = f"bench_{os.getpid()}_{next(_numbers)}"
        self.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        try:
            yield self._address(name)
        finally:
            self.execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Yield the name of a database with our tables and no rows, to be copied."""
        with self.database() as url:
            migrate.upgrade(url)
            yield urlsplit(url).path.removeprefix("/")

    def settle(self) -> None:
        """Write out what the last process left behind, so that the next one does not pay for it."""
        self.execute("CHECKPOINT")

    def described(self) -> dict[str, object]:
        """The version and the settings that the figures depend on."""
        values = {name: self.execute("SHOW {}", name)[0][0] for name in ("server_version", *SHOWN)}
        return {"version": values.pop("server_version"), "settings": values}

    def _address(self, name: str) -> str:
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()


@contextmanager
def opened(url: str | None) -> Iterator[Server]:
    """Yield the server at a URL, or else one of our own that is there for this run only."""
    if url is not None:
        yield Server(url)
        return
    with private_home() as home, embedded.open_server(home, options=OPTIONS, linger=1.0) as started:
        yield Server(started)


def row_counts(server: Server, url: str) -> dict[str, int]:
    """How many rows each table holds."""
    tables = [name for (name,) in server.execute(_TABLES, database=url)]
    return {name: server.execute("SELECT count(*) FROM {}", name, database=url)[0][0] for name in tables}


def dump(url: str, folder: Path) -> None:
    """Write the rows that an apply wrote to files `NN-TABLE`, as `COPY` prints them."""
    folder.mkdir()
    with psycopg.connect(libpq_url(url)) as connection, connection.cursor() as cursor:
        for number, table in enumerate(WRITTEN):
            statement = f"COPY (SELECT * FROM {table} WHERE {_OURS.get(table, 'TRUE')}) TO STDOUT"
            with (folder / f"{number:02d}-{table}").open("wb") as file, cursor.copy(statement) as copying:
                file.writelines(copying)


def without_triggers(server: Server, url: str) -> None:
    """Let the audit rows be copied like all others instead of being written twice.

    Keys, foreign keys and checks stay: they are what the tables demand of everyone.
    """
    for table in AUDITED:
        server.execute("ALTER TABLE {} DISABLE TRIGGER USER", table, database=url)
