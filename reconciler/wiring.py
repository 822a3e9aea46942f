"""The composition root: settings become connections, and the rooms are put together. The only reader of the
environment; everything heavy is imported where it is used, for start-up is part of every run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError
from reconciler.settings import Settings, from_environment

if TYPE_CHECKING:
    from reconciler.core.address import Address
    from reconciler.core.listing import Event, ListedModel, Run, ShownEntity
    from reconciler.core.options import PlanOptions, Selection
    from reconciler.core.outcome import Result
    from reconciler.core.plan import Applied, Plan
    from reconciler.core.probe import ProbeTarget
    from reconciler.core.state import DesiredState
    from reconciler.store.session import Connection

Say = Callable[[str], None]
OnResult = Callable[["Result"], None]

EMBEDDED = "embedded"


def settings(
    *,
    database_url: str | None = None,
    source: str | None = None,
    home: Path | None = None,
    lock_timeout: float | None = None,
) -> Settings:
    """The environment's settings, with what a caller gives in their place."""
    found = from_environment(os.environ)
    return replace(
        found,
        database_url=database_url or found.database_url,
        source=source or found.source,
        home=home or found.home,
        lock_timeout=found.lock_timeout if lock_timeout is None else lock_timeout,
    )


def load(directory: Path) -> DesiredState:
    """What a directory asks for, its problems included.

    Raises:
        UsageError: There is no such directory.
    """
    from reconciler.source.load import load as load_directory

    return load_directory(directory)


def require_valid(state: DesiredState) -> None:
    """Raise `SourceError` where the files have errors."""
    from reconciler.source.load import require_valid as require

    require(state)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file format."""
    from reconciler.source.schema import json_schema as schema

    return schema()


def rendered(state: DesiredState) -> dict[str, Any]:
    """The resolved desired state as JSON."""
    from reconciler.source.render import rendered as render

    return render(state)


class Registry:
    """The registry over one connection: what the commands call, each verb once.

    Args:
        connection: A connection in autocommit mode.
        settings: What the operator has set.
        say: Where the story goes.
    """

    def __init__(self, connection: Connection, settings: Settings, say: Say) -> None:
        self._connection = connection
        self._settings = settings
        self._say = say

    def plan(self, desired: DesiredState, options: PlanOptions) -> Plan:
        """What `apply` would do."""
        from reconciler.engine.plan import plan

        return plan(self._connection, desired, options)

    def drift(self, source: str) -> Plan:
        """What would bring the database back to what was applied."""
        from reconciler.engine.plan import drift

        return drift(self._connection, source)

    def apply(
        self, desired: DesiredState, options: PlanOptions, *, confirm: Callable[[Plan], bool] | None = None
    ) -> Applied:
        """Bring the database to what the files ask for; `confirm` is shown the plan first, if it is given.

        Raises:
            RefusedError: A safety rule or an ownership conflict; its `plan` holds the whole plan.
            ConflictError: The database changed under the plan.
            LockHeldError: Another run holds the registry.
        """
        from reconciler.engine.apply import ApplySettings, apply, apply_confirmed
        from reconciler.store.record import run_context

        chosen = ApplySettings(run_context(), self._settings.lock_timeout)
        if confirm is None:
            return apply(self._connection, desired, options, chosen)
        return apply_confirmed(self._connection, desired, options, chosen, confirm)

    def _require_tables(self) -> None:
        """A reader has nothing to read in a database without our tables, and says so."""
        from reconciler.store import migrate

        migrate.require(self._connection)

    def verify(self, selection: Selection, *, on_result: OnResult | None = None) -> tuple[Result, ...]:
        """Probe the selected models and store what was found."""
        from reconciler.engine.verify import verify
        from reconciler.store.record import run_context

        self._require_tables()
        return verify(
            self._connection,
            self._probe(on_result),
            now=datetime.now(UTC),
            source=self._settings.source,
            context=run_context(),
            selection=selection,
        )

    def verify_changed(self, applied: Applied, on_result: OnResult | None = None) -> tuple[Result, ...]:
        """Probe what an apply touched and store what was found."""
        from reconciler.engine.verify import verify
        from reconciler.store.record import run_context

        return verify(
            self._connection,
            self._probe(on_result),
            now=datetime.now(UTC),
            source=applied.plan.source,
            context=run_context(),
            only=applied.touched,
        )

    def _probe(self, on_result: OnResult | None) -> Callable[[Sequence[ProbeTarget]], tuple[Result, ...]]:
        from reconciler.core.probe import Access
        from reconciler.service.verification import probe_all

        access = Access(
            environ=os.environ,
            allowed_env=self._settings.allowed_env,
            allowed_files=self._settings.allowed_files,
            allowed_hosts=self._settings.allowed_hosts,
            ca_file=self._settings.ca_file,
        )
        return lambda targets: probe_all(targets, access, on_result=on_result)

    def list_models(self, *, active_only: bool, provider: str | None) -> tuple[ListedModel, ...]:
        """The registry's models by provider and id."""
        from reconciler.store import reading

        self._require_tables()
        return reading.list_models(self._connection, active_only=active_only, provider=provider)

    def show(self, address: Address) -> ShownEntity:
        """One entity in full.

        Raises:
            UsageError: The registry has no such entity.
        """
        from reconciler.store import reading

        self._require_tables()
        found = reading.show(self._connection, address)
        if found is None:
            raise UsageError(
                f"The registry has no {address}.",
                code="no-such-entity",
                hint="`reconciler list` shows its models",
            )
        return found

    def history(self, address: Address | None, *, limit: int) -> tuple[tuple[Event, ...], tuple[Run, ...]]:
        """The newest events of the trail and the newest runs, newest first."""
        from reconciler.store import reading

        self._require_tables()
        events = reading.events(self._connection, address, limit=limit)
        # Of one entity, only the runs that touched it.
        only = None if address is None else {event.run for event in events if event.run is not None}
        return events, reading.runs(self._connection, limit=limit, only=only)

    def export(self, source: str | None) -> Mapping[str, str]:
        """The observed state as files of the format: file name to text."""
        from reconciler.engine.plan import no_such_source
        from reconciler.source.export import dump
        from reconciler.source.load import errors_of
        from reconciler.store import reading

        self._require_tables()
        if source is not None and not reading.is_source(self._connection, source):
            raise no_such_source(source)
        entities, orphans = reading.exported(self._connection, source)
        for address in orphans:
            self._say(f"Left out: {address}, whose provider is not registered.")
        texts = dump(entities)
        # A hand may have written what no file can say; better told here than by the next validate.
        for problem in errors_of(texts):
            place = problem.place
            self._say(f"The files will not load as they are: {place.file}:{place.line}: {problem.message}.")
        return texts


@contextmanager
def open_registry(settings: Settings, *, say: Say, write: bool) -> Iterator[Registry]:
    """Open the registry; `write` sets up a database that has none of our tables.

    Raises:
        UsageError: No database is named where one must be.
        StoreUnavailableError: PostgreSQL did not answer.
        SchemaError: The tables are older or newer than this program, or missing for a reader.
    """
    from reconciler.store import migrate
    from reconciler.store.session import connect

    with _database(settings, say) as url, connect(url) as connection:
        found = migrate.revision(connection)
        if found is None and write:
            say("Setting up the tables.")
            migrate.upgrade(url)
        migrate.check_current(migrate.revision(connection))
        yield Registry(connection, settings, say)


@contextmanager
def _database(settings: Settings, say: Say) -> Iterator[str]:
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

    with _database(settings, say) as url:
        return migrate.upgrade(url)


def current(settings: Settings, say: Say) -> tuple[str | None, str]:
    """The database's revision, `None` where our tables are missing, and this program's."""
    from reconciler.store import migrate
    from reconciler.store.session import connect

    with _database(settings, say) as url, connect(url) as connection:
        return migrate.revision(connection), migrate.head()


def embedded_url(settings: Settings) -> str:
    """The address of the embedded server, whether it runs or not."""
    from reconciler.store import embedded

    return embedded.url(settings.home)


def embedded_stop(settings: Settings) -> bool:
    """Stop the embedded server; whether it ran."""
    from reconciler.store import embedded

    return embedded.stop(settings.home)
