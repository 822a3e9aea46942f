"""Recorded results of verification, made by hand: many at a time, at any time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg


def record(
    connection: psycopg.Connection,
    model: int,
    results: Iterable[tuple[datetime, str, int | None]],
    *,
    address: str = "model:p/a",
    **more: Any,
) -> None:
    """Record results of a model: when, the outcome, and the latency in milliseconds."""
    fields = {"model_id": model, "address": address, "probe": "model"} | more
    names = ", ".join(fields)
    places = ", ".join(f"%({name})s" for name in fields)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO verification_results (at, outcome, latency_ms, {names})"
            f" VALUES (%(at)s, %(outcome)s, %(latency)s, {places})",
            [{**fields, "at": at, "outcome": outcome, "latency": ms} for at, outcome, ms in results],
        )
