"""What a registration reads: the rows of given addresses, who owns them, who uses them; each in one
statement, however many there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from pydantic_core import to_json

from reconciler.core.address import Address, EntityKind
from reconciler.core.registration import Feeling, Owner, Stored
from reconciler.core.state import Observed
from reconciler.store.columns import TABLES, EntityTable, spec_sql
from reconciler.store.session import Connection

# A row's parts, as `_rows` reads them.
_PARTS = "r.id, r.xmin::text, r.is_active"


def read_rows(connection: Connection, addresses: Collection[Address]) -> Stored:
    """The rows of these addresses, and which of them files own, whether they have a row or not."""
    keys: dict[EntityKind, list[str]] = defaultdict(list)
    for address in addresses:
        keys[address.kind].append(address.key)
    rows: dict[Address, Observed] = {}
    owners = _owners(connection, keys)
    for kind, wanted in keys.items():
        condition = _MODELS if kind == "model" else f"r.name IN ({_EACH})"
        rows |= _rows(connection, kind, condition, (_listed(wanted),), owners)
    return Stored(rows, owners)


# A list goes as one text: written as an array, ten thousand names take longer than finding them.
_EACH = "SELECT json_array_elements_text(%s)"
_MODELS = (
    "(r.provider_name, r.model_id) IN (SELECT split_part(key, '/', 1), substr(key, strpos(key, '/') + 1) "
    f"FROM ({_EACH} AS key) k)"
)


def _listed(texts: Iterable[str]) -> str:
    return to_json(list(texts)).decode()


def read_users(connection: Connection, feeling: Feeling) -> Stored:
    """The models that would feel changes of what they share."""
    if not feeling:
        return Stored({}, {})
    condition = f"r.provider_name IN ({_EACH}) OR s.name IN ({_EACH}) OR t.name IN ({_EACH})"
    wanted = (_listed(feeling.providers), _listed(feeling.parameters), _listed(feeling.templates))
    rows = _rows(connection, "model", condition, wanted, {})
    owners = _owners(connection, {"model": [address.key for address in rows]})
    return Stored(
        {
            address: row._replace(owner=owners[address].source if address in owners else None)
            for address, row in rows.items()
        },
        owners,
    )


def _rows(
    connection: Connection,
    kind: EntityKind,
    condition: str,
    values: Iterable[str],
    owners: Mapping[Address, Owner],
) -> dict[Address, Observed]:
    found = {}
    for key, spec, hold, row_id, seen, active in connection.execute(_select(kind, condition), list(values)):
        address = Address(kind, key)
        owner = owners.get(address)
        held = active or hold is not None
        found[address] = Observed(spec, held, hold, row_id, seen, owner.source if owner else None)
    return found


def _select(kind: EntityKind, condition: str) -> str:
    table: EntityTable = TABLES[kind]
    return (
        f"SELECT ({table.key})::text, {spec_sql(table)}, {'r.hold' if table.hold else 'NULL'}, {_PARTS} "
        f"FROM {table.name} r {table.read_joins} WHERE {table.only} AND ({condition})"
    )


def _owners(connection: Connection, keys: Mapping[EntityKind, list[str]]) -> dict[Address, Owner]:
    """Files' ownership of entities, by kind; what they have forgotten is nobody's."""
    found = {}
    for kind, wanted in keys.items():
        rows = connection.execute(
            "SELECT m.key, m.source, m.file, m.line FROM managed_entities m "
            f"WHERE NOT m.forgotten AND m.kind = %s AND m.key IN ({_EACH})",
            [kind, _listed(wanted)],
        )
        found.update({Address(kind, key): Owner(source, file, line) for key, source, file, line in rows})
    return found


def names_of(
    connection: Connection, kind: Literal["parameters", "template"], ids: Collection[int]
) -> dict[int, str]:
    """The names of sets or templates by their rows' numbers, the built-in set included."""
    if not ids:
        return {}
    table = TABLES[kind].name
    return dict(
        connection.execute(f"SELECT id, name FROM {table} WHERE id = ANY(%s)", [list(ids)]).fetchall()
    )


def has_overrides(connection: Connection) -> bool:
    """Whether anything is held away from its stored values now, or will be."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM overrides WHERE ends_at > statement_timestamp())"
    ).fetchone()
    return row is None or bool(row[0])
