"""How an entity's canonical spec lies in its table's columns, once, for reading and for writing.

From this table the SQL of `observe` and of `bulk` is made, so that the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.address import LEVELS, EntityKind


class Column(NamedTuple):
    """One field of a spec.

    Attributes:
        field: Its name in the spec, and the column's where `column` is empty.
        type: The column's type.
        empty: The column's value where the field is unset, as SQL; empty for NULL.
        column: The column that a write sets, where it is not named as the field.
        read: The SQL that reads it, where it is not the column itself.
        write: The SQL that a write sets it to, where it is not the field itself.
    """

    field: str
    type: str
    empty: str = ""
    column: str = ""
    read: str = ""
    write: str = ""

    @property
    def target(self) -> str:
        """The column that a write sets."""
        return self.column or self.field

    @property
    def value(self) -> str:
        """The SQL of the value, from the spec's record `x`."""
        if self.write:
            return self.write
        return f"COALESCE(x.{self.field}, {self.empty})" if self.empty else f"x.{self.field}"

    @property
    def observed(self) -> str:
        """The SQL that reads the field from the row `r`, NULL where it is unset."""
        if self.read:
            return self.read
        return f"NULLIF(r.{self.field}, {self.empty})" if self.empty else f"r.{self.field}"


@dataclass(frozen=True, slots=True)
class EntityTable:
    """The table of one kind of entity.

    Attributes:
        name: The table.
        key: The SQL of the entity's key, from the row `r`.
        key_columns: The columns that hold the key, with the SQL of their values from `p.key`.
        columns: The spec's columns.
        joins: What the values of a write need besides the spec's record, with a condition that must hold.
        read_joins: What reading needs besides the row.
        hold: Whether the table has holds.
        only: Which rows are entities at all.
    """

    name: str
    key: str
    key_columns: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    joins: str = ""
    condition: str = "TRUE"
    read_joins: str = ""
    hold: bool = False
    only: str = "TRUE"


_LABELS = Column("labels", "JSONB", empty="'{}'::jsonb")
_NAMED = (("name", "p.key"),)

TABLES: dict[EntityKind, EntityTable] = {
    "provider": EntityTable(
        "providers",
        key="r.name",
        key_columns=_NAMED,
        columns=(
            Column("kind", "TEXT"),
            Column("kind_spec", "JSONB"),
            Column("description", "TEXT"),
            Column("base_url", "TEXT"),
            Column("credentials", "JSONB"),
            Column("verification", "JSONB"),
            _LABELS,
            Column("protected", "BOOLEAN", empty="FALSE"),
        ),
    ),
    "parameters": EntityTable(
        "llm_parameters",
        key="r.name",
        key_columns=_NAMED,
        columns=(
            Column("description", "TEXT"),
            Column("use_case", "TEXT"),
            _LABELS,
            Column("max_new_tokens", "INTEGER"),
            Column("min_new_tokens", "INTEGER"),
            Column("temperature", "DOUBLE PRECISION"),
            Column("top_p", "DOUBLE PRECISION"),
            Column("top_k", "INTEGER"),
            Column("repetition_penalty", "DOUBLE PRECISION"),
            Column("frequency_penalty", "DOUBLE PRECISION"),
            Column("presence_penalty", "DOUBLE PRECISION"),
            Column("stop_sequences", "JSONB"),
            Column("seed", "BIGINT"),
            Column("decoding_method", "TEXT"),
            Column("reasoning_effort", "TEXT"),
            Column("logprobs", "INTEGER"),
            Column("response_format", "JSONB"),
            Column("unsupported", "TEXT"),
            Column("extra", "JSONB"),
        ),
        only="r.name <> 'default'",
    ),
    "template": EntityTable(
        "prompt_templates",
        key="r.name",
        key_columns=_NAMED,
        columns=(
            Column("provider", "TEXT"),
            Column("description", "TEXT"),
            _LABELS,
            Column("system_prompt", "TEXT"),
            Column("context_prefix", "TEXT"),
            Column("query_prefix", "TEXT"),
            Column("answer_prefix", "TEXT"),
        ),
    ),
    "model": EntityTable(
        "provider_model_configs",
        key="r.provider_name || '/' || r.model_id",
        key_columns=(
            ("provider_name", "split_part(p.key, '/', 1)"),
            ("model_id", "substr(p.key, strpos(p.key, '/') + 1)"),
        ),
        columns=(
            Column("parameters", "TEXT", column="parameters_id", read="s.name", write="s.id"),
            Column("prompt_template", "TEXT", column="prompt_template_id", read="t.name", write="t.id"),
            Column("mode", "TEXT"),
            Column("version", "TEXT"),
            Column("limits", "JSONB"),
            Column("capabilities", "JSONB"),
            _LABELS,
        ),
        joins="JOIN llm_parameters s ON s.name = x.parameters "
        "LEFT JOIN prompt_templates t ON t.name = x.prompt_template",
        condition="(x.prompt_template IS NULL OR t.id IS NOT NULL)",
        read_joins="JOIN llm_parameters s ON s.id = r.parameters_id "
        "LEFT JOIN prompt_templates t ON t.id = r.prompt_template_id",
        hold=True,
    ),
}


def spec_sql(table: EntityTable) -> str:
    """The canonical spec of the row `r`, as JSONB."""
    flat = [column for column in table.columns if column.type != "JSONB"]
    pairs = ", ".join(f"'{column.field}', {column.observed}" for column in flat)
    # Only what is flat may be stripped: below free JSON a null that a hand wrote is a difference.
    return f"jsonb_strip_nulls(jsonb_build_object({pairs}))" + "".join(
        f" || CASE WHEN {column.observed} <> 'null' "
        f"THEN jsonb_build_object('{column.field}', r.{column.field}) ELSE '{{}}' END"
        for column in table.columns
        if column.type == "JSONB"
    )


def entities_sql(*, some: bool = False) -> str:
    """Every entity of every kind: kind, key, id, seen, is_active, hold, spec; or `some`, by the names of each
    kind in a JSON text.
    """
    return " UNION ALL ".join(
        f"SELECT '{kind}'::text AS kind, ({table.key})::text COLLATE \"C\" AS key, r.id, "
        f"r.xmin::text AS seen, r.is_active, {'r.hold' if table.hold else 'NULL::text'} AS hold, "
        f"{spec_sql(table)} AS spec FROM {table.name} r {table.read_joins} WHERE {table.only}"
        + (f" AND {_is_named(kind, table)}" if some else "")
        for kind, table in ((kind, TABLES[kind]) for kind in LEVELS)
    )


def _is_named(kind: EntityKind, table: EntityTable) -> str:
    """That the row `r` is one of those named, in terms of the columns that the key's index has."""
    columns = ", ".join(f"r.{name}" for name, _ in table.key_columns)
    values = ", ".join(value.replace("p.key", "n.key") for _, value in table.key_columns)
    names = f"jsonb_array_elements_text(%(names)s::jsonb -> '{kind}') AS n(key)"
    return f"({columns}) IN (SELECT {values} FROM {names})"


def record_sql(table: EntityTable) -> str:
    """The spec of a planned row `p` as a record `x`, with what its values need."""
    types = ", ".join(f"{column.field} {column.type}" for column in table.columns)
    return f"CROSS JOIN LATERAL jsonb_to_record(p.spec) AS x({types}) {table.joins}"


def digest_sql(table: EntityTable) -> str:
    """A digest of everything that a comparison looks at in the row `r`, on the real columns.

    A hold is verification's and agrees with files that want the model active. Rows that are equal have equal
    digests on one server; another major version may count differently, and then values are compared.
    """
    keys = [f"r.{name}" for name, _ in table.key_columns]
    columns = [f"r.{column.target}" for column in table.columns]
    active = "r.is_active OR r.hold IS NOT NULL" if table.hold else "r.is_active"
    return f"hash_record_extended(ROW({', '.join((*keys, *columns, active))}), 0)"


def said_digest_sql(row: str) -> str:
    """A digest of what the files said of an entity, in a row that has its spec, activity and place."""
    return f"hash_record_extended(ROW({row}.spec, {row}.active, {row}.file, {row}.line), 0)"
