"""Writing a plan: one COPY into a temporary table, then set-based statements, whatever the plan's size.

Every update carries the version (`xmin`) of the row that the plan was made on; where a count differs from the
plan's, someone was in between, and the whole transaction is given up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias, assert_never

from pydantic_core import to_json

from reconciler.core.address import LEVELS, Address, EntityKind
from reconciler.core.changes import Activate, Adopt, Cause, Change, Create, Deactivate, Update
from reconciler.core.plan import Plan
from reconciler.core.state import Desired, Observed
from reconciler.store.columns import TABLES, EntityTable, digest_sql, record_sql, said_digest_sql
from reconciler.store.session import Connection, StaleReadError

Checkpoint = Callable[[str], None]
IsPending = Callable[[Address], bool]


def nowhere(_point: str) -> None:
    """The checkpoint of ordinary runs: nothing happens there."""


# The tables' statistics are older than the rows that this transaction adds to them; with many rows a nested
# loop chosen on such statistics takes hours, and a hash join is right whatever they say.
FEW = 500

_CAUSES: tuple[Cause, ...] = ("files", "drift", "both", "code")
# How many rows each step writes, by kind and cause.
_Counts: TypeAlias = Counter[tuple[EntityKind, str, Cause]]
_CHANGES = ("create", "update", "switch", "retire")

_PLANNED = """
CREATE TEMPORARY TABLE reconciler_planned (
    kind TEXT NOT NULL, key TEXT COLLATE "C" NOT NULL, step TEXT NOT NULL, cause TEXT NOT NULL,
    id INTEGER, seen XID, active BOOLEAN, pending BOOLEAN, spec JSONB, file TEXT, line INTEGER
) ON COMMIT DROP
"""
_COPY = (
    "COPY reconciler_planned (kind, key, step, cause, id, seen, active, pending, spec, file, line) FROM STDIN"
)


def write(
    connection: Connection,
    plan: Plan,
    desired: Mapping[Address, Desired],
    *,
    generation: int,
    at: Checkpoint,
) -> None:
    """Write every change of the plan and its applied state, inside the caller's transaction.

    Args:
        connection: A connection inside `lock.writing`.
        plan: A plan without refusals, made from the state read under the same lock.
        desired: What the plan was made from.
        generation: The registry's new generation, which every written row carries.
        at: Called with a name at each point that a test may want to stop at.

    Raises:
        StaleReadError: A row changed since it was read.
    """
    waiting = _waiting_providers(desired)
    counts = _planned(connection, _steps(plan, lambda address: address.provider in waiting), at)
    _write_planned(connection, counts, generation, at)
    _lift_pending(connection, counts, generation)
    _write_applied(connection, counts)


def write_rows(
    connection: Connection,
    changes: Iterable[Change],
    *,
    is_pending: IsPending,
    generation: int,
    at: Checkpoint = nowhere,
) -> None:
    """Write changes that no files ask for: the rows alone, which then belong to nobody's applied state.

    What a provider asks of its models is not looked at: a model that waits is not let go by a change of it.

    Args:
        connection: A connection inside `lock.writing`.
        changes: Changes made from the state read under the same lock, each address once.
        is_pending: Whether a model that is new or newly active waits for its first success, on hold.
        generation: The registry's new generation, which every written row carries.
        at: Called with a name at each point that a test may want to stop at.

    Raises:
        StaleReadError: A row changed since it was read.
    """
    counts = _planned(connection, (_row(change, is_pending) for change in changes), at)
    _write_planned(connection, counts, generation, at)
    connection.execute("DROP TABLE reconciler_planned")


def _planned(connection: Connection, rows: Iterable[tuple[Any, ...]], at: Checkpoint) -> _Counts:
    """Send what is to be done to the server."""
    counts: _Counts = Counter()
    connection.execute(_PLANNED)
    # Rows are made while the server reads those before them.
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            counts[row[0], row[2], row[3]] += 1
            copy.write_row(row)
    at("after-copy")
    # Never without: planned on guesses, the insert of many models takes minutes.
    connection.execute("ANALYZE reconciler_planned (kind, key, step, cause, id)")
    if counts.total() > FEW:
        connection.execute("SET LOCAL enable_nestloop = off")
        connection.execute("SET LOCAL work_mem = '64MB'")
    return counts


def _write_planned(connection: Connection, counts: _Counts, generation: int, at: Checkpoint) -> None:
    """Do it, in the order in which rows refer to each other."""
    for kind, step, cause in _order(counts):
        connection.execute("SELECT set_config('reconciler.cause', %s, true)", [cause])
        statement = _statement(TABLES[kind], step)
        done = connection.execute(statement, {"kind": kind, "cause": cause, "generation": generation})
        _expect(done.rowcount, counts[kind, step, cause])
        at("between-statements")


def _steps(plan: Plan, is_pending: IsPending) -> Iterator[tuple[Any, ...]]:
    """The rows of the temporary table, one a change or note."""
    yield from (_row(change, is_pending) for change in plan.changes)
    yield from (_note(desired) for desired in plan.bookkeeping.noted)
    for step, addresses in (("leave", plan.bookkeeping.retired), ("forget", plan.bookkeeping.forgotten)):
        yield from ((*address, step, "files", *[None] * 7) for address in addresses)


def _row(change: Change, is_pending: IsPending) -> tuple[Any, ...]:
    match change:
        case Create(address, cause, desired):
            pending = address.kind == "model" and desired.active and is_pending(address)
            return (*_named("create", cause, desired), None, None, *_content(desired, pending=pending))
        case Update(_, cause, _, desired, observed):
            return _rewritten("update", cause, desired, observed)
        case Activate(address, cause, _, desired, observed):
            pending = address.kind == "model" and is_pending(address)
            return _rewritten("switch", cause, desired, observed, pending=pending)
        case Adopt(address, cause, _, desired, observed):
            step = "update" if desired.active == observed.active else "switch"
            pending = address.kind == "model" and desired.active and is_pending(address)
            return _rewritten(step, cause, desired, observed, pending=pending)
        case Deactivate():
            return _deactivated(change)
        case _:
            assert_never(change)


def _deactivated(change: Deactivate) -> tuple[Any, ...]:
    """A row that the files still describe takes their content too; one that vanished keeps its own."""
    if change.desired is not None:
        return _rewritten("switch", change.cause, change.desired, change.observed)
    named = (change.address.kind, change.address.key, "retire", change.cause)
    seen = change.observed.id, change.observed.seen
    return (*named, *seen, False, False, None, change.file, change.line)


def _rewritten(
    step: str, cause: str, desired: Desired, observed: Observed, *, pending: bool = False
) -> tuple[Any, ...]:
    content = _content(desired, pending=pending)
    return (*_named(step, cause, desired), observed.id, observed.seen, *content)


def _named(step: str, cause: str, desired: Desired) -> tuple[str, str, str, str]:
    return desired.address.kind, desired.address.key, step, cause


def _content(desired: Desired, *, pending: bool) -> tuple[Any, ...]:
    place = desired.place
    return desired.active, pending, to_json(desired.spec).decode(), place.file, place.line


def _note(desired: Desired) -> tuple[Any, ...]:
    return (*_named("note", "files", desired), None, None, *_content(desired, pending=False))


def _waiting_providers(desired: Mapping[Address, Desired]) -> frozenset[str]:
    """Providers whose new models wait for their first success."""
    return frozenset(
        address.key
        for address, entity in desired.items()
        if address.kind == "provider" and entity.spec.get("verification", {}).get("activation") == "verified"
    )


def _order(counts: _Counts) -> Iterator[tuple[EntityKind, str, Cause]]:
    """What is written when: by level, what others refer to first; retirements last and in reverse."""
    for levels, steps in ((LEVELS, ("create", "update", "switch")), (LEVELS[::-1], ("retire",))):
        for kind in levels:
            for step in steps:
                yield from ((kind, step, cause) for cause in _CAUSES if counts[kind, step, cause])


def _statement(table: EntityTable, step: str) -> str:
    """The statement that does one step for one table; made from our own words only."""
    if step == "create":
        return _insert(table)
    if step == "retire":
        hold = ", hold = NULL" if table.hold else ""
        values = f"is_active = FALSE, updated_at = now(), generation = %(generation)s{hold}"
        planned = f"FROM reconciler_planned p WHERE {_SAME} AND p.step = 'retire'"
        return f"UPDATE {table.name} r SET {values} {planned}"
    values = ", ".join(f"{column.target} = {column.value}" for column in table.columns)
    values += ", updated_at = now(), generation = %(generation)s"
    if step == "switch":
        values += f", is_active = {_active(table, 'p.pending AND r.last_verified IS NULL')}"
        values += f", hold = {_hold('p.pending AND r.last_verified IS NULL')}" if table.hold else ""
    return (
        f"UPDATE {table.name} r SET {values} FROM reconciler_planned p {record_sql(table)} "
        f"WHERE {_SAME} AND p.step = '{step}' AND {table.condition}"
    )


_SAME = "p.kind = %(kind)s AND p.cause = %(cause)s AND r.id = p.id AND r.xmin = p.seen"


def _active(table: EntityTable, pending: str) -> str:
    return f"p.active AND NOT ({pending})" if table.hold else "p.active"


def _hold(pending: str) -> str:
    return f"CASE WHEN {pending} THEN 'pending' END"


def _insert(table: EntityTable) -> str:
    columns = [name for name, _ in table.key_columns] + [column.target for column in table.columns]
    values = [value for _, value in table.key_columns] + [column.value for column in table.columns]
    columns += ["is_active", "generation"]
    values += [_active(table, "p.pending"), "%(generation)s"]
    if table.hold:
        columns.append("hold")
        values.append(_hold("p.pending"))
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM reconciler_planned p {record_sql(table)} "
        f"WHERE p.kind = %(kind)s AND p.cause = %(cause)s AND p.step = 'create' AND {table.condition} "
        "ORDER BY p.key"
    )


def _expect(written: int, planned: int) -> None:
    if written != planned:
        raise StaleReadError("A row changed between reading and writing.", hint="run it again")


def _lift_pending(connection: Connection, counts: _Counts, generation: int) -> None:
    """A provider that asks for no verification any more lets its waiting models go."""
    causes = {cause for kind, step, cause in counts if kind == "provider" and step in _CHANGES}
    for cause in sorted(causes):
        connection.execute("SELECT set_config('reconciler.cause', %s, true)", [cause])
        connection.execute(
            "UPDATE provider_model_configs r SET hold = NULL, is_active = TRUE, updated_at = now(), "
            "generation = %s "
            "FROM providers v, reconciler_planned p "
            "WHERE r.hold = 'pending' AND v.name = r.provider_name AND p.kind = 'provider' "
            "AND p.cause = %s AND p.key = v.name "
            "AND v.verification ->> 'activation' IS DISTINCT FROM 'verified' "
            # What a program has registered waits for as long as that program wants.
            "AND EXISTS (SELECT FROM managed_entities e WHERE e.kind = 'model' AND NOT e.forgotten "
            "AND e.key = r.provider_name || '/' || r.model_id)",
            [generation, cause],
        )


def _write_applied(connection: Connection, counts: _Counts) -> None:
    """Bring the applied state up to date, for changes and notes alike, with the digests of the rows."""
    for kind, table in TABLES.items():
        if noted := _count(counts, ("create", "update", "switch", "note"), kind):
            _expect(connection.execute(_applied(table), {"kind": kind}).rowcount, noted)
        if left := _count(counts, ("retire", "leave", "forget"), kind):
            _expect(connection.execute(_left(table), {"kind": kind}).rowcount, left)


def _applied(table: EntityTable) -> str:
    return (
        "INSERT INTO managed_entities AS m (kind, key, source, spec, active, file, line, run, row_digest, "
        "said_digest) "
        "SELECT p.kind, p.key, (SELECT reconciler_setting('source')), p.spec, p.active, p.file, p.line, "
        f"(SELECT reconciler_setting('run')::bigint), {_row_digest(table)}, {said_digest_sql('p')} "
        f"FROM reconciler_planned p LEFT JOIN {table.name} r ON {_is_planned(table)} "
        "WHERE p.kind = %(kind)s AND p.spec IS NOT NULL "
        "ON CONFLICT (kind, key) DO UPDATE SET source = EXCLUDED.source, spec = EXCLUDED.spec, "
        "active = EXCLUDED.active, file = EXCLUDED.file, line = EXCLUDED.line, "
        "run = COALESCE(EXCLUDED.run, m.run), retired = FALSE, forgotten = FALSE, "
        "row_digest = EXCLUDED.row_digest, said_digest = EXCLUDED.said_digest "
        "WHERE m.source = EXCLUDED.source OR m.forgotten"
    )


def _left(table: EntityTable) -> str:
    return (
        "UPDATE managed_entities m SET active = FALSE, retired = TRUE, forgotten = p.step = 'forget', "
        f"run = COALESCE(reconciler_setting('run')::bigint, m.run), row_digest = {_row_digest(table)} "
        f"FROM reconciler_planned p LEFT JOIN {table.name} r ON {_is_planned(table)} "
        "WHERE p.kind = %(kind)s AND m.kind = p.kind AND m.key = p.key "
        "AND p.step IN ('retire', 'leave', 'forget') AND m.source = reconciler_setting('source')"
    )


def _row_digest(table: EntityTable) -> str:
    """Of a row that may not be there."""
    return f"CASE WHEN r.id IS NOT NULL THEN {digest_sql(table)} END"


def _is_planned(table: EntityTable) -> str:
    """That the row `r` is the one that is planned in `p`, so that the index of its key is of use."""
    return " AND ".join(f'r.{name} = ({value}) COLLATE "default"' for name, value in table.key_columns)


def _count(counts: _Counts, steps: Iterable[str], kind: EntityKind) -> int:
    wanted = set(steps)
    return sum(number for (of, step, _), number in counts.items() if of == kind and step in wanted)
