"""Setting up and upgrading the tables, by migrations that the package carries or the checkout holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from reconciler.errors import SchemaError
from reconciler.store.session import Connection, translated

if TYPE_CHECKING:
    from alembic.config import Config

# Any number that nobody else uses: two programs that upgrade one database must take turns.
UPGRADE_LOCK = 7_203_541_209


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the database to this program's revision; return its revision before and after.

    One transaction for everything: it happens wholly or not at all, and two callers at once take turns.

    Raises:
        SchemaError: The database is newer than this program.
        StoreUnavailableError: PostgreSQL did not answer.
    """
    from alembic import command
    from sqlalchemy import NullPool, create_engine, text

    from reconciler.store.session import sqlalchemy_url

    config = _config()
    after = head()
    engine = create_engine(sqlalchemy_url(url), poolclass=NullPool, connect_args={"prepare_threshold": None})
    with translated(), engine.begin() as connection:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"))
        driver: Connection = connection.connection.driver_connection  # type: ignore[assignment]
        before = revision(driver)
        check_not_newer(before)
        if before != after:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before, after


def head() -> str:
    """The newest revision that this program knows; found by file name, so that nothing heavy is imported."""
    return max(path.name.partition("_")[0] for path in (location() / "versions").glob("[0-9]*_*.py"))


def revision(connection: Connection) -> str | None:
    """The revision of the database; `None` where our tables are missing."""
    found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
    if found is None or not found[0]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def check_not_newer(before: str | None) -> None:
    """Raise `SchemaError` where the database was made by a newer program."""
    if before is not None and before > head():
        raise SchemaError(
            f"The database's tables are newer ({before}) than this program ({head()}).",
            hint="upgrade llm-reconciler on this machine",
        )


def check_current(before: str | None) -> None:
    """Raise `SchemaError` where the tables are older or newer than this program; missing ones are fine."""
    check_not_newer(before)
    if before is not None and before < head():
        raise SchemaError(
            f"The database's tables are older ({before}) than this program ({head()}).",
            hint="run: reconciler db upgrade",
        )


def location() -> Path:
    """The folder with the migrations."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "migrations", package.parent / "migrations"):
        if (folder / "versions").is_dir():
            return folder
    raise SchemaError(
        "This installation carries no migrations.", hint="install llm-reconciler again; its wheel has them"
    )


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(location()).replace("%", "%%"))
    return config


def is_empty(url: str) -> bool:
    """Whether our tables are missing."""
    with translated(), psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        return revision(connection) is None
