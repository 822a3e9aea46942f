"""What a run leaves behind besides the entities: its own record, the source's, and its files' digests."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from reconciler.core.plan import Plan
from reconciler.core.state import DesiredState, Identity, SourceFile, SourceRecord
from reconciler.store import lock
from reconciler.store.session import Connection, StaleReadError


@dataclass(frozen=True, slots=True)
class RunContext:
    """Who runs, for the records: claimed by the caller, and recorded as a claim.

    Attributes:
        actor: Who the caller says it is.
        tool_version: This program's version.
        reason: What a person gave as the reason.
    """

    actor: str
    tool_version: str
    reason: str | None = None


def run_context() -> RunContext:
    """The context of this process: the login name and this program's version."""
    try:
        actor = getpass.getuser()
    except (KeyError, OSError):
        actor = f"uid {os.getuid()}"
    return RunContext(actor, metadata.version("llm-reconciler"))


def begin_run(connection: Connection, plan: Plan, identity: Identity, context: RunContext) -> int:
    """Record a run and let everything that this transaction writes carry its number."""
    row = connection.execute(
        "INSERT INTO reconcile_runs (source, revision, origin, actor, application, tool_version, summary,"
        " digest) VALUES (%s, %s, %s, %s, current_setting('application_name'), %s, %s, %s) RETURNING id",
        [
            plan.source,
            plan.revision,
            identity.origin,
            context.actor,
            context.tool_version,
            json.dumps(plan.summary),
            plan.digest,
        ],
    ).fetchone()
    if row is None:
        raise StaleReadError("The run could not be recorded.")
    run = int(row[0])
    announce(connection, plan.source, context, run=run)
    return run


def announce(
    connection: Connection, source: str | None, context: RunContext, *, run: int | None = None
) -> None:
    """Tell the triggers who writes, for this transaction; a program that no files speak for has no source."""
    connection.execute(
        "SELECT set_config('reconciler.run', %s, true), set_config('reconciler.source', %s, true),"
        " set_config('reconciler.actor', %s, true), set_config('reconciler.reason', %s, true)",
        ["" if run is None else str(run), source or "", context.actor, context.reason or ""],
    )


def finish_run(connection: Connection, run: int, generation: int) -> None:
    """Mark the run as done, raise the registry's generation."""
    connection.execute(
        "UPDATE reconcile_runs SET finished_at = clock_timestamp(), succeeded = TRUE, generation = %s"
        " WHERE id = %s",
        [generation, run],
    )
    lock.raise_generation(connection, generation)


def record_failure(
    connection: Connection, source: str, identity: Identity, context: RunContext, *, error: str
) -> None:
    """Leave the one record of a run that failed in the database."""
    connection.execute(
        "INSERT INTO reconcile_runs (source, finished_at, revision, origin, actor, application, tool_version,"
        " error) VALUES (%s, clock_timestamp(), %s, %s, %s, current_setting('application_name'), %s, %s)",
        [
            source,
            identity.revision,
            identity.origin,
            context.actor,
            context.tool_version,
            error,
        ],
    )


def is_current(record: SourceRecord, desired: DesiredState) -> bool:
    """Whether the source's record already says what would be written."""
    identity = record.identity
    return (
        identity is not None
        and (identity.origin, identity.overlays) == (desired.identity.origin, desired.identity.overlays)
        and dict(record.files) == dict(desired.files)
    )


def write_source(connection: Connection, plan: Plan, desired: DesiredState, run: int | None) -> None:
    """Note where the source comes from, its files' digests, its warnings and what was deferred."""
    connection.execute(
        "INSERT INTO sources (name, origin, overlays, deferred, warnings, last_run)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET origin = EXCLUDED.origin,"
        " overlays = EXCLUDED.overlays, deferred = EXCLUDED.deferred, warnings = EXCLUDED.warnings,"
        " last_run = COALESCE(EXCLUDED.last_run, sources.last_run), updated_at = now()",
        [
            plan.source,
            desired.identity.origin,
            json.dumps(desired.identity.overlays),
            json.dumps([str(change.address) for change in plan.deferred]),
            json.dumps([problem.code for problem in desired.problems]),
            run,
        ],
    )
    _write_files(connection, plan.source, desired.files)


def _write_files(connection: Connection, source: str, files: Mapping[str, SourceFile]) -> None:
    connection.execute(
        'CREATE TEMPORARY TABLE reconciler_files (path TEXT COLLATE "C", sha256 TEXT, defines JSONB)'
        " ON COMMIT DROP"
    )
    with connection.cursor() as cursor, cursor.copy("COPY reconciler_files FROM STDIN") as copy:
        for path, file in files.items():
            copy.write_row((path, file.sha256, json.dumps([str(address) for address in file.defines])))
    connection.execute(
        "INSERT INTO source_files (source, path, sha256, defines)"
        " SELECT %s, path, sha256, defines FROM reconciler_files ON CONFLICT (source, path) DO UPDATE SET"
        " sha256 = EXCLUDED.sha256, defines = EXCLUDED.defines, gone = FALSE"
        " WHERE (source_files.gone, source_files.sha256, source_files.defines)"
        " IS DISTINCT FROM (FALSE, EXCLUDED.sha256, EXCLUDED.defines)",
        [source],
    )
    connection.execute(
        "UPDATE source_files f SET gone = TRUE WHERE f.source = %s AND NOT f.gone"
        " AND NOT EXISTS (SELECT FROM reconciler_files r WHERE r.path = f.path)",
        [source],
    )
