"""New rows of a program: copied straight into their tables, which takes half of what going through a
temporary table does. Rows that change go the way of `bulk`, and so do those of files, whose applied state is
made of the same table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from pydantic_core import to_json

from reconciler.core.address import Address, EntityKind
from reconciler.core.changes import Create
from reconciler.core.state import Desired
from reconciler.store.bulk import IsPending
from reconciler.store.columns import TABLES, Column
from reconciler.store.session import Connection, StaleReadError

# What a column holds where its field is unset, for those that may not be null.
_EMPTY = {"'{}'::jsonb": "{}", "FALSE": False}

# With fewer rows than this, a thread costs more than waiting does.
_MANY = 500

Answer = TypeVar("Answer")
# The columns of one kind of row, and what makes one of an entity.
_Made = tuple[tuple[str, ...], Callable[[Desired], list[Any]]]


class Reserved(NamedTuple):
    """What is known of rows before they are written.

    Attributes:
        ids: Their numbers, by entity.
        at: When they are made: the beginning of the transaction.
    """

    ids: Mapping[Address, int]
    at: datetime


def reserve(connection: Connection, creates: Iterable[Create]) -> Reserved:
    """Take numbers for new rows; those of a registration that fails are never used."""
    wanted: dict[EntityKind, list[Address]] = defaultdict(list)
    for change in creates:
        wanted[change.address.kind].append(change.address)
    ids: dict[Address, int] = {}
    for kind, addresses in wanted.items():
        rows = connection.execute(
            # The sequence is looked up once.
            "SELECT nextval(s.name) FROM generate_series(1, %s),"
            " (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS name OFFSET 0) s",
            [len(addresses), TABLES[kind].name],
        ).fetchall()
        ids.update(zip(addresses, (number for (number,) in rows), strict=True))
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return Reserved(ids, row[0])


def create_rows(
    connection: Connection,
    creates: Iterable[Create],
    reserved: Reserved,
    *,
    is_pending: IsPending,
    generation: int,
    meanwhile: Callable[[], Answer | None],
) -> Answer | None:
    """Write new rows, what others refer to first.

    Args:
        connection: A connection inside `lock.writing`.
        creates: What is new, each address once.
        reserved: Their numbers.
        is_pending: Whether a new model waits for its first success, on hold.
        generation: The registry's new generation, which every row carries.
        meanwhile: Called while the server checks and records what it was sent; it must leave the connection
            alone. What it returns is returned.

    Raises:
        StaleReadError: A row of that name came meanwhile, or one that a model refers to went.
    """
    wanted: dict[EntityKind, list[Desired]] = defaultdict(list)
    for change in creates:
        wanted[change.address.kind].append(change.desired)
    connection.execute("SELECT set_config('reconciler.cause', 'code', true)")
    for kind in ("provider", "parameters", "template"):
        if entities := wanted[kind]:
            columns, row = _named(kind, entities, reserved, generation)
            _copying(connection, kind, columns, map(row, entities)).close()
    if not (models := wanted["model"]):
        return meanwhile()
    columns, row = _models(connection, models, reserved, is_pending, generation)
    ending = _copying(connection, "model", columns, map(row, models))
    if len(models) < _MANY:
        ending.close()
        return meanwhile()
    with ThreadPoolExecutor(max_workers=1) as thread:
        ended = thread.submit(ending.close)
        answer = meanwhile()
        ended.result()
        return answer


def _copying(
    connection: Connection, kind: EntityKind, columns: Iterable[str], rows: Iterable[list[Any]]
) -> ExitStack:
    """Send the rows; closing what is returned ends the COPY, and waits for all that the server does then."""
    with ExitStack() as stack:
        cursor = stack.enter_context(connection.cursor())
        statement = f"COPY {TABLES[kind].name} ({', '.join(columns)}) FROM STDIN"
        copy = stack.enter_context(cursor.copy(statement))
        for row in rows:
            copy.write_row(row)
        return stack.pop_all()


def _named(kind: EntityKind, entities: Collection[Desired], reserved: Reserved, generation: int) -> _Made:
    """Providers, sets and templates."""
    columns, ids = _used(kind, entities), reserved.ids
    values = _values_of(columns)

    def row(entity: Desired) -> list[Any]:
        address = entity.address
        return [ids[address], address.key, entity.active, generation, *values(entity.spec)]

    return ("id", "name", "is_active", "generation", *(column.target for column in columns)), row


def _models(
    connection: Connection,
    entities: Collection[Desired],
    reserved: Reserved,
    is_pending: IsPending,
    generation: int,
) -> _Made:
    """Models, with the numbers of the rows that they refer to."""
    ids = reserved.ids
    new: dict[EntityKind, dict[str, int]] = {"parameters": {}, "template": {}}
    for (kind, key), number in ids.items():
        if kind in new:
            new[kind][key] = number
    named = {entity.spec.get("prompt_template") for entity in entities} - {None}
    sets = _ids(
        connection, "parameters", {entity.spec["parameters"] for entity in entities}, new["parameters"]
    )
    templates = _ids(connection, "template", named, new["template"])
    references = {"parameters", "prompt_template"}
    columns = [column for column in _used("model", entities) if column.field not in references]
    values = _values_of(columns)

    def row(entity: Desired) -> list[Any]:
        address, spec, active = entity.address, entity.spec, entity.active
        waits = active and is_pending(address)
        provider, _, model_id = address.key.partition("/")
        template = spec.get("prompt_template")
        own = (ids[address], provider, model_id, sets[spec["parameters"]])
        uses = None if template is None else templates[template]
        return [*own, uses, active and not waits, "pending" if waits else None, generation, *values(spec)]

    own = ("id", "provider_name", "model_id", "parameters_id", "prompt_template_id", "is_active", "hold")
    return (*own, "generation", *(column.target for column in columns)), row


def _ids(
    connection: Connection, kind: EntityKind, names: Collection[Any], new: Mapping[str, int]
) -> Mapping[str, int]:
    """The numbers of rows by their names, those of `new` ones included.

    Raises:
        StaleReadError: One of them went since it was read.
    """
    stored = sorted(name for name in names if name not in new)
    if not stored:
        return new
    rows = connection.execute(
        f"SELECT name, id FROM {TABLES[kind].name} WHERE name IN (SELECT json_array_elements_text(%s))",
        [to_json(stored).decode()],
    ).fetchall()
    if len(rows) < len(stored):
        raise StaleReadError("A row changed between reading and writing.", hint="run it again")
    return {**new, **dict(rows)}


def _used(kind: EntityKind, entities: Iterable[Desired]) -> list[Column]:
    """The columns that any of these entities says something about; the others have their defaults."""
    fields: set[str] = set()
    for entity in entities:
        fields.update(entity.spec)
    return [column for column in TABLES[kind].columns if column.field in fields]


def _values_of(columns: Iterable[Column]) -> Callable[[Mapping[str, Any]], list[Any]]:
    """What tells the values of these columns, in their order."""
    places = [(column.field, column.type == "JSONB", _EMPTY.get(column.empty)) for column in columns]

    def values(spec: Mapping[str, Any]) -> list[Any]:
        return [
            to_json(spec[field]).decode() if is_json and field in spec else spec.get(field, empty)
            for field, is_json, empty in places
        ]

    return values
