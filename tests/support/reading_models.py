"""The reading part of the service by itself, over an engine, a session or a connection that is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from support import services
from support.rows import insert

from reconciler.runtime.calls import Surroundings
from reconciler.runtime.reads import Reads
from reconciler.settings import Settings
from reconciler.store.doors import Door, EngineDoor
from reconciler.store.record import RunContext


def through(door: Door) -> Reads:
    """The reading part of the service, by a door."""
    return Reads(Surroundings(door, Settings(), {}, RunContext("tester", "0.1")))


@contextmanager
def reader(url: str, **options: object) -> Iterator[Reads]:
    """The same over an engine of its own."""
    with services.engine_of(url, **options) as engine:
        yield through(EngineDoor(engine))


class OneConnection:
    """A door to one connection, which counts what is asked through it."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.asked: list[tuple[str, Any]] = []

    def execute(self, text: str, values: Any = None) -> psycopg.Cursor:
        """Ask, and note it."""
        self.asked.append((text, values))
        return self._connection.execute(text, values)

    @contextmanager
    def opened(self, *, reading: bool = False) -> Iterator[OneConnection]:
        """Itself, in place of the connection."""
        assert reading
        yield self

    beside = opened


def hold(
    connection: psycopg.Connection, key: str, *, starts: str = "-1 hour", ends: str = "1 hour", **fields: Any
) -> int:
    """Insert an override of a model, by a hand, that begins and ends so long from now."""
    row = connection.execute(
        "INSERT INTO overrides (kind, key, fields, reason, actor, starts_at, ends_at)"
        " VALUES ('model', %s, %s, 'an incident', 'night shift',"
        " now() + %s::interval, CASE WHEN %s = 'infinity' THEN 'infinity' ELSE now() + %s::interval END)"
        " RETURNING id",
        [key, Jsonb(fields), starts, ends, "0" if ends == "infinity" else ends],
    ).fetchone()
    assert row is not None
    return row[0]


def make_small_registry(connection: psycopg.Connection) -> None:
    """Two providers and one that nobody registered, with four models among them."""
    insert(
        connection,
        "providers",
        name="openai",
        kind="openai",
        labels={"team": "rag"},
        credentials={"api_key": "env:OPENAI_API_KEY"},
        verification={"probe": "model"},
    )
    insert(connection, "providers", name="idle", kind="openai-compatible", is_active=False)
    warm = insert(connection, "llm_parameters", name="warm", temperature=0.9, stop_sequences=["\n"])
    rag = insert(connection, "prompt_templates", name="rag", query_prefix="Question:", provider="openai")
    insert(connection, "prompt_templates", name="brief", system_prompt="Be brief.")
    models = (
        ("openai", "gpt-4o", {"prompt_template_id": rag, "labels": {"team": "rag", "tier": "1"}}),
        ("openai", "o1", {"is_active": False, "labels": {"team": "search"}}),
        ("idle", "llama", {"limits": {"context": 8192}, "capabilities": ["streaming"]}),
        ("nobody", "ghost", {"labels": {"tier": "2"}}),
    )
    for provider, model_id, values in models:
        insert(
            connection,
            "provider_model_configs",
            provider_name=provider,
            model_id=model_id,
            parameters_id=warm,
            **values,
        )
