"""What a run leaves behind besides the entities: its own record, the source's, and its files' digests."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from reconciler.core.parts import Part
from reconciler.core.plan import Plan
from reconciler.core.prints import Prints
from reconciler.core.problem import Problem
from reconciler.core.state import DesiredState, Identity, SourceFile, SourceRecord
from reconciler.store import lock, remembered
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


@dataclass(frozen=True, slots=True)
class Noted:
    """What is remembered of a source's files.

    Attributes:
        identity: Where they come from.
        reader: What read them; empty where nothing is known of that.
        input_digest: What the next run compares them with; `None` where nothing is known of that.
        problems: Their warnings.
        entities: How many entities they describe.
        files: Each of them; or those alone that were read.
        is_part: Whether there are others, which are as they were.
    """

    identity: Identity
    reader: str
    input_digest: str | None
    problems: tuple[Problem, ...]
    entities: int
    files: Mapping[str, SourceFile]
    is_part: bool = False


def noted(desired: DesiredState) -> Noted:
    """What is remembered of files that were all read."""
    prints = Prints(
        {path: file.sha256 for path, file in desired.files.items()}, desired.identity, desired.reader
    )
    return Noted(
        desired.identity,
        desired.reader,
        prints.digest if desired.reader else None,
        desired.problems,
        len(desired.entities),
        desired.files,
    )


def noted_part(part: Part, entities: int) -> Noted:
    """What is remembered where some files were read, and all of them describe so many entities."""
    state = part.state
    return Noted(
        state.identity, state.reader, part.prints.digest, state.problems, entities, state.files, is_part=True
    )


def is_current(connection: Connection, record: SourceRecord, plan: Plan, files: Noted) -> bool:
    """Whether the source's record already says what would be written."""
    if record.identity is None or dict(record.files) != dict(files.files):
        return False
    row = connection.execute(
        "SELECT (origin, overlays, reader, input_digest, deferred, warnings, entities) IS NOT DISTINCT FROM"
        " (%s::text, %s::jsonb, %s::text, %s::text, %s::jsonb, %s::jsonb, %s::integer)"
        " FROM sources WHERE name = %s",
        [*_of_source(plan, files), plan.source],
    ).fetchone()
    return row is not None and bool(row[0])


def _of_source(plan: Plan, files: Noted) -> list[Any]:
    return [
        files.identity.origin,
        json.dumps(files.identity.overlays),
        files.reader or None,
        files.input_digest,
        json.dumps([str(change.address) for change in plan.deferred]),
        json.dumps(remembered.as_json(files.problems)),
        files.entities,
    ]


def write_source(connection: Connection, plan: Plan, files: Noted, run: int | None) -> None:
    """Note where the source comes from, its files' digests, its warnings and what was deferred."""
    connection.execute(
        "INSERT INTO sources"
        " (name, origin, overlays, reader, input_digest, deferred, warnings, entities, last_run)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET"
        " origin = EXCLUDED.origin, overlays = EXCLUDED.overlays, reader = EXCLUDED.reader,"
        " input_digest = EXCLUDED.input_digest, deferred = EXCLUDED.deferred, warnings = EXCLUDED.warnings,"
        " entities = EXCLUDED.entities, last_run = COALESCE(EXCLUDED.last_run, sources.last_run),"
        " updated_at = now()",
        [plan.source, *_of_source(plan, files), run],
    )
    _write_files(connection, plan.source, files)


def _write_files(connection: Connection, source: str, noted: Noted) -> None:
    connection.execute(
        'CREATE TEMPORARY TABLE reconciler_files (path TEXT COLLATE "C", sha256 TEXT, defines JSONB,'
        " refers_to JSONB) ON COMMIT DROP"
    )
    with connection.cursor() as cursor, cursor.copy("COPY reconciler_files FROM STDIN") as copy:
        for path, file in noted.files.items():
            defines = json.dumps([str(address) for address in file.defines])
            copy.write_row((path, file.sha256, defines, json.dumps(file.refers_to)))
    connection.execute(
        "INSERT INTO source_files AS f (source, path, sha256, defines, refers_to)"
        " SELECT %s, path, sha256, defines, refers_to FROM reconciler_files"
        " ON CONFLICT (source, path) DO UPDATE SET sha256 = EXCLUDED.sha256, defines = EXCLUDED.defines,"
        " refers_to = EXCLUDED.refers_to, gone = FALSE"
        " WHERE (f.gone, f.sha256, f.defines, f.refers_to)"
        " IS DISTINCT FROM (FALSE, EXCLUDED.sha256, EXCLUDED.defines, EXCLUDED.refers_to)",
        [source],
    )
    if noted.is_part:
        return
    connection.execute(
        "UPDATE source_files f SET gone = TRUE WHERE f.source = %s AND NOT f.gone"
        " AND NOT EXISTS (SELECT FROM reconciler_files r WHERE r.path = f.path)",
        [source],
    )
