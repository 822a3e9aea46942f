"""Which database is meant, and how it is opened: the embedded server is started where that is the one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.errors import UsageError
from reconciler.settings import Settings
from reconciler.wiring.verbs import Verbs

Say = Callable[[str], None]

EMBEDDED = "embedded"


@contextmanager
def open_verbs(
    settings: Settings, *, say: Say, write: bool, before_set_up: Callable[[], object] | None = None
) -> Iterator[Verbs]:
    """Open the registry; `write` sets up a database that has none of our tables, after what must come first.

    Raises:
        UsageError: No database is named where one must be.
        StoreUnavailableError: PostgreSQL did not answer.
        SchemaError: The tables are older or newer than this program, or missing for a reader.
    """
    from reconciler.store import migrate
    from reconciler.store.session import connect

    with named_database(settings, say) as url, connect(url) as connection:
        found = migrate.revision(connection)
        if found is None and write:
            if before_set_up is not None:
                before_set_up()
            say("Setting up the tables.")
            migrate.upgrade(url)
        migrate.check_current(migrate.revision(connection))
        yield Verbs(connection, settings, say)


@contextmanager
def named_database(settings: Settings, say: Say) -> Iterator[str]:
    """The URL of the database, with the embedded server running where that is meant."""
    url = settings.database_url
    if url is None and settings.ci:
        raise UsageError(
            "No database is named, and in CI none is assumed.",
            code="no-database",
            hint="set RECONCILER_DATABASE_URL to postgresql://… or to embedded",
        )
    if url not in {None, EMBEDDED}:
        yield str(url)
        return
    from reconciler.store import embedded

    if url is None:
        place = settings.home or embedded.default_home()
        say(f"RECONCILER_DATABASE_URL is not set: using the embedded server in {place}.")
    with embedded.open_server(settings.home, say=say) as started:
        yield started


def upgrade(settings: Settings, say: Say) -> tuple[str | None, str]:
    """Bring the database to this program's revision; its revision before and after."""
    from reconciler.store import migrate

    with named_database(settings, say) as url:
        return migrate.upgrade(url)


def current(settings: Settings, say: Say) -> tuple[str | None, str]:
    """The database's revision, `None` where our tables are missing, and this program's."""
    from reconciler.store import migrate
    from reconciler.store.session import connect

    with named_database(settings, say) as url, connect(url) as connection:
        return migrate.revision(connection), migrate.head()


def embedded_url(settings: Settings) -> str:
    """The address of the embedded server, whether it runs or not."""
    from reconciler.store import embedded

    return embedded.url(settings.home)


def embedded_stop(settings: Settings) -> bool:
    """Stop the embedded server; whether it ran."""
    from reconciler.store import embedded

    return embedded.stop(settings.home)
