"""A database's schema as text, from the catalogue alone, so that two databases can be compared line by line
wherever there is no pg_dump. Whatever can differ between two schemas of ours has a line.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

_RELATIONS = """
SELECT concat_ws(' ', 'relation', c.relname, 'kind', c.relkind::text, 'persistence', c.relpersistence::text,
                 'owner', pg_get_userbyid(c.relowner), 'security', c.relrowsecurity, c.relforcerowsecurity,
                 'identity', c.relreplident::text, 'options', c.reloptions::text,
                 'partitioned by', pg_get_partkeydef(c.oid),
                 (SELECT 'partition of ' || i.inhparent::regclass || ' ' || pg_get_expr(c.relpartbound, c.oid)
                  FROM pg_inherits i WHERE i.inhrelid = c.oid),
                 'grants', c.relacl::text, 'comment', obj_description(c.oid, 'pg_class'))
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
"""
_COLUMNS = """
SELECT concat_ws(' ', 'column', c.relname || '.' || a.attname, 'number', a.attnum,
                 format_type(a.atttypid, a.atttypmod),
                 'collation', NULLIF(a.attcollation, 0)::regcollation,
                 CASE WHEN a.attnotnull THEN 'not null' END,
                 'default', pg_get_expr(d.adbin, d.adrelid),
                 'identity', NULLIF(a.attidentity::text, ''), 'generated', NULLIF(a.attgenerated::text, ''),
                 'storage', a.attstorage::text, 'grants', a.attacl::text,
                 'comment', col_description(c.oid, a.attnum))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
_CONSTRAINTS = """
SELECT concat_ws(' ', 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid),
                 CASE WHEN NOT convalidated THEN 'not valid' END)
FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
"""
_INDEXES = """
SELECT concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END,
                 (SELECT 'part of ' || h.inhparent::regclass FROM pg_inherits h
                  WHERE h.inhrelid = i.indexrelid))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace
"""
_TRIGGERS = """
SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled::text)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
"""
_FUNCTIONS = """
SELECT concat_ws(' ', 'function', pg_get_functiondef(oid), 'owner', pg_get_userbyid(proowner),
                 'grants', proacl::text)
FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prokind <> 'a'
"""
_VIEWS = """
SELECT concat_ws(' ', 'view', relname, pg_get_viewdef(oid))
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('v', 'm')
"""
_SEQUENCES = """
SELECT concat_ws(' ', 'sequence', s.seqrelid::regclass, format_type(s.seqtypid, NULL), 'start', s.seqstart,
                 'by', s.seqincrement, 'from', s.seqmin, 'to', s.seqmax, 'cache', s.seqcache, s.seqcycle,
                 (SELECT 'owned by ' || d.refobjid::regclass || '.' || a.attname FROM pg_depend d
                  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype = 'a'))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
WHERE c.relnamespace = current_schema()::regnamespace
"""
_OTHERS = """
SELECT concat_ws(' ', 'schema', nspname, 'grants', nspacl::text) FROM pg_namespace
WHERE nspname !~ '^(pg_|information_schema$)'
UNION ALL
SELECT concat_ws(' ', 'type', typname) FROM pg_type
WHERE typnamespace = current_schema()::regnamespace AND typtype IN ('d', 'e', 'r')
UNION ALL
SELECT concat_ws(' ', 'policy', polrelid::regclass, polname, pg_get_expr(polqual, polrelid)) FROM pg_policy
UNION ALL
SELECT concat_ws(' ', 'extension', extname) FROM pg_extension
UNION ALL
SELECT concat_ws(' ', 'default grants', defaclrole::regrole, defaclobjtype::text, defaclacl::text)
FROM pg_default_acl
"""
_PARTS = (
    _RELATIONS,
    _COLUMNS,
    _CONSTRAINTS,
    _INDEXES,
    _TRIGGERS,
    _FUNCTIONS,
    _VIEWS,
    _SEQUENCES,
    _OTHERS,
)

_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname COLLATE "C"
"""
# Never the same twice.
_TIMES = ["created_at", "updated_at", "at", "transaction", "application"]


def dump(connection: psycopg.Connection) -> str:
    """The schema of a database, one thing a line (functions and views aside), in a fixed order."""
    found = [row[0] for part in _PARTS for row in connection.execute(part)]
    return "\n".join(sorted(found)) + "\n"


def rows(connection: psycopg.Connection) -> dict[str, list[dict[str, object]]]:
    """Every row of every table without times, which are never the same: what a new database begins with."""
    names = [row[0] for row in connection.execute(_TABLES).fetchall()]
    return {name: _rows(connection, name) for name in names}


def whole(url: str) -> tuple[str, dict[str, list[dict[str, object]]]]:
    """The schema and the rows of the database at an address."""
    with psycopg.connect(url) as connection:
        return dump(connection), rows(connection)


def _rows(connection: psycopg.Connection, table: str) -> list[dict[str, object]]:
    asked = sql.SQL("SELECT to_jsonb(t) - %s::text[] AS row FROM {} t ORDER BY 1")
    return [row[0] for row in connection.execute(asked.format(sql.Identifier(table)), [_TIMES])]
