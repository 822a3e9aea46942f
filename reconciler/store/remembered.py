"""What the last apply left behind so that the next run can tell at once whether anything changed: of the
files their digest, and of the rows one each, which is compared with the real columns.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any, NamedTuple

from reconciler.core.address import Address, parse_address
from reconciler.core.parts import KnownFile
from reconciler.core.problem import Place, Problem, Related
from reconciler.core.state import Desired
from reconciler.store.columns import TABLES, EntityTable, digest_sql, said_digest_sql
from reconciler.store.session import Connection


class Remembered(NamedTuple):
    """What the last apply of a source left behind.

    Attributes:
        input_digest: Of the files and everything else that their meaning depends on; `None` where it is not
            known.
        state_digest: Of all rows of all owners, as that apply left them.
        reader: What read the files; `None` where it is not known.
        origin: Where they came from.
        overlays: With which overlays.
        is_whole: Whether nothing was left out.
        entities: How many the files describe.
        problems: The files' warnings.
        has_overrides: Whether anything is held away from its stored values now.
    """

    input_digest: str | None
    state_digest: str | None
    reader: str | None
    origin: str
    overlays: tuple[str, ...]
    is_whole: bool
    entities: int
    problems: tuple[Problem, ...]
    has_overrides: bool


_REMEMBERED = """
SELECT input_digest, state_digest, reader, origin, overlays,
       deferred = '[]' AND entities IS NOT NULL, COALESCE(entities, 0), warnings,
       EXISTS (SELECT FROM overrides
               WHERE starts_at <= statement_timestamp() AND ends_at > statement_timestamp())
FROM sources WHERE name = %s
"""


def read(connection: Connection, source: str) -> Remembered | None:
    """What was left behind; `None` where nothing was applied under that name."""
    row = connection.execute(_REMEMBERED, [source]).fetchone()
    if row is None:
        return None
    *parts, overlays, is_whole, entities, problems, has_overrides = row
    inputs, state, reader, origin = parts
    where = (reader, origin, tuple(overlays))
    return Remembered(inputs, state, *where, is_whole, entities, _problems(problems), has_overrides)


# Of all rows there are, which takes half the time of telling whose they are. A row of ours that is written
# anew has a higher version, so their sum grows.
_SUMS = (
    *(
        f"SELECT concat(count(*), ':', bit_xor({digest_sql(table)})) FROM {table.name} r"
        for table in TABLES.values()
    ),
    "SELECT concat(count(*), ':', sum(m.xmin::text::bigint)) FROM managed_entities m",
)
_STATE_DIGEST = f"concat_ws(' ', {', '.join(f'({one})' for one in _SUMS)})"


def state_digest(connection: Connection) -> str:
    """A digest of all rows of all owners on their real columns, and of who owns them."""
    row = connection.execute(f"SELECT {_STATE_DIGEST}").fetchone()
    return str(row[0]) if row else ""


def write_state_digest(connection: Connection, source: str) -> None:
    """Note how the rows are now, where that is news: the last thing that an apply does."""
    connection.execute(
        f"UPDATE sources SET state_digest = d.digest FROM (SELECT {_STATE_DIGEST} AS digest) d"
        " WHERE name = %s AND state_digest IS DISTINCT FROM d.digest",
        [source],
    )


class Changed(NamedTuple):
    """What became of a source's rows since its last apply.

    Attributes:
        entities: How many rows of its files' entities are managed by it still.
        rows: Those that are not as that apply left them.
    """

    entities: int
    rows: tuple[Address, ...]


def _rows_of(kind: str, table: EntityTable) -> str:
    rows = f'SELECT ({table.key})::text COLLATE "C" AS key, {digest_sql(table)} AS digest FROM {table.name} r'
    # What was never counted is looked at.
    is_changed = "m.row_digest IS NULL OR r.digest IS DISTINCT FROM m.row_digest"
    return (
        f"SELECT m.kind, count(*) FILTER (WHERE NOT m.retired), array_agg(m.key) FILTER (WHERE {is_changed}) "
        f"FROM managed_entities m LEFT JOIN ({rows}) r ON r.key = m.key "
        f"WHERE m.kind = '{kind}' AND m.source = %(source)s AND NOT m.forgotten GROUP BY m.kind"
    )


_CHANGED = " UNION ALL ".join(_rows_of(kind, table) for kind, table in TABLES.items())


def changed(connection: Connection, source: str) -> Changed:
    """What became of a source's rows since its last apply."""
    entities, rows = 0, list[Address]()
    for kind, number, keys in connection.execute(_CHANGED, {"source": source}):
        entities += number
        rows += [Address(kind, key) for key in keys or ()]
    return Changed(entities, tuple(rows))


class Look:
    """What has become of a source since its last apply, in one view of the database; each question is asked
    at most once.

    Args:
        connection: A connection inside that view.
        source: The source.
    """

    def __init__(self, connection: Connection, source: str) -> None:
        self.connection = connection
        self._source = source

    @cached_property
    def last(self) -> Remembered | None:
        """What its last apply left behind; `None` where there was none."""
        return read(self.connection, self._source)

    @cached_property
    def rows(self) -> tuple[Address, ...] | None:
        """Its rows that are not as that left them; `None` where it lost some of its rows to somebody else."""
        if self.last is None:
            return None
        if state_digest(self.connection) == self.last.state_digest:
            return ()
        found = changed(self.connection, self._source)
        return found.rows if found.entities == self.last.entities else None


def said(
    connection: Connection, source: str, addresses: Collection[Address]
) -> dict[Address, Desired] | None:
    """What the files said of entities when they were applied; `None` where they say it no longer, or what is
    remembered of that is not what an apply wrote.
    """
    rows = connection.execute(
        f"SELECT kind, key, spec, active, file, line, NOT retired AND said_digest = {said_digest_sql('m')} "
        "FROM managed_entities m WHERE source = %s AND NOT forgotten AND (kind, key) IN "
        "(SELECT * FROM unnest(%s::text[], %s::text[]))",
        [source, [one.kind for one in addresses], [one.key for one in addresses]],
    )
    found = {}
    for kind, key, spec, active, file, line, is_good in rows:
        if not is_good:
            return None
        address = Address(kind, key)
        # No answer tells a column, so none is remembered.
        found[address] = Desired(address, spec, active, Place(file, line, 1))
    return found if len(found) == len(addresses) else None


def files(connection: Connection, source: str) -> dict[str, KnownFile]:
    """The files of a source as they were applied."""
    rows = connection.execute(
        "SELECT path, sha256, refers_to FROM source_files WHERE source = %s AND NOT gone", [source]
    )
    return {path: KnownFile(sha256, tuple(refers_to)) for path, sha256, refers_to in rows}


def definers(connection: Connection, source: str, addresses: Collection[str]) -> frozenset[str]:
    """The files that define something of these addresses."""
    rows = connection.execute(
        "SELECT path FROM source_files WHERE source = %s AND NOT gone AND defines ?| %s",
        [source, list(addresses)],
    )
    return frozenset(path for (path,) in rows)


def defined(connection: Connection, source: str, paths: Collection[str]) -> frozenset[Address]:
    """What these files defined when they were applied."""
    rows = connection.execute(
        "SELECT defines FROM source_files WHERE source = %s AND NOT gone AND path = ANY(%s)",
        [source, list(paths)],
    )
    return frozenset(parse_address(text) for (defines,) in rows for text in defines)


def refresh(connection: Connection, source: str) -> None:
    """Take the rows of a source for right as they are; whoever calls this has compared them by value."""
    for kind, table in TABLES.items():
        connection.execute(
            f"UPDATE managed_entities m SET row_digest = {digest_sql(table)} FROM {table.name} r "
            f'WHERE m.kind = %s AND m.source = %s AND NOT m.forgotten AND m.key = ({table.key}) COLLATE "C" '
            f"AND m.row_digest IS DISTINCT FROM {digest_sql(table)}",
            [kind, source],
        )


def as_json(problems: Iterable[Problem]) -> list[list[Any]]:
    """Problems as they are kept."""
    return [
        [one.severity, one.code, *one.place, one.path, one.message, one.hint]
        + [[*related.place, related.message] for related in one.related]
        for one in problems
    ]


def _problems(found: list[Any]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            severity,
            code,
            Place(file, line, column),
            path,
            message,
            hint,
            tuple(Related(Place(*place), said) for *place, said in related),
        )
        for severity, code, file, line, column, path, message, hint, *related in found
    )
