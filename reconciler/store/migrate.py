"""Setting up and upgrading the tables, by migrations that the package carries or the checkout holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import SchemaError
from reconciler.store.session import Connection, connect

if TYPE_CHECKING:
    import sqlalchemy
    from alembic.config import Config

# Any number that nobody else uses: two programs that upgrade one database must take turns.
# What a migration of ours makes; anybody else's tables of these names are in the way.
TABLE_NAMES = (
    *("providers", "llm_parameters", "prompt_templates", "provider_model_configs", "registry"),
    *("managed_entities", "sources", "source_files", "reconcile_runs", "leases", "overrides"),
    *("model_verification", "verification_budgets", "verification_results", "audit_events", "model_usage"),
)

UPGRADE_LOCK = 7_203_541_209


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the database to this program's revision; return its revision before and after.

    One transaction for everything: it happens wholly or not at all, and two callers at once take turns.

    Raises:
        SchemaError: The database is newer than this program.
        StoreUnavailableError: PostgreSQL did not answer.
    """
    after = head()
    with connect(url) as driver, _bound(driver) as connection:
        driver.execute("SELECT pg_advisory_xact_lock(%s)", [UPGRADE_LOCK])
        before = revision(driver)
        check_not_newer(before)
        if before is not None and before not in _known():
            raise SchemaError(
                f"The database is at revision {before}, which this program does not know.",
                hint="upgrade it with the release that made it first",
            )
        if before != after:
            _run(connection)
    return before, after


@contextmanager
def _bound(driver: Connection) -> Iterator[sqlalchemy.Connection]:
    """One transaction of SQLAlchemy on the driver's own connection; its errors are the driver's again."""
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import DBAPIError

    driver.autocommit = False
    engine = create_engine("postgresql+psycopg://", creator=lambda: driver, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise (error.orig or error) from error


def _run(connection: sqlalchemy.Connection) -> None:
    from alembic import command

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def head() -> str:
    """The newest revision that this program knows."""
    return max(_known())


def _known() -> set[str]:
    """Every revision that this program knows; by file name, so that nothing heavy is imported."""
    return {path.name.partition("_")[0] for path in (location() / "versions").glob("[0-9]*_*.py")}


def revision(connection: Connection) -> str | None:
    """The revision of the database; `None` where our tables are missing.

    Raises:
        SchemaError: There are tables of our names that no migration of ours made.
    """
    # The record last: who sees tables that another program is just committing must see it too.
    found = connection.execute(
        "SELECT ARRAY(SELECT name FROM unnest(%s::text[]) name WHERE to_regclass(name) IS NOT NULL),"
        " to_regclass('reconciler_version') IS NOT NULL",
        [list(TABLE_NAMES)],
    ).fetchone()
    tables, has_version = found or ([], False)
    row = connection.execute("SELECT version_num FROM reconciler_version").fetchone() if has_version else None
    if row is None and tables:
        raise SchemaError(
            f"This database has tables named {', '.join(tables)} and no record of our migrations.",
            hint="use a database or a schema of its own, or restore the table reconciler_version",
        )
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


def require(connection: Connection) -> None:
    """Raise `SchemaError` where the tables are missing."""
    if revision(connection) is None:
        raise SchemaError(
            "This database holds no registry yet.",
            hint="`reconciler apply` or `reconciler db upgrade` sets it up",
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
