"""The digest of a plan: same input, same bytes. Apart from planning, for one without changes has one too."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from reconciler.core.changes import Change, Create
from reconciler.core.plan import Plan, action_of

BATCH = 1000


def plan_digest(plan: Plan) -> str:
    """sha256, hexadecimal, over the source, the changes and the refusals in canonical form."""
    digest = hashlib.sha256(plan.source.encode())
    refusals = [[refusal.rule, refusal.message, refusal.accept] for refusal in plan.refusals]
    digest.update(b"\x00" + canonical(refusals))
    for group in (plan.changes, plan.deferred):
        digest.update(b"\x00")
        # A first apply has a hundred thousand changes: an encoder's start costs more than one change.
        for start in range(0, len(group), BATCH):
            digest.update(canonical([_change_parts(change) for change in group[start : start + BATCH]]))
    return digest.hexdigest()


_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: same value, same bytes.

    >>> canonical({"b": 1, "a": 0.5})
    b'{"a":0.5,"b":1}'
    """
    return _encoder.encode(value).encode()


def _change_parts(change: Change) -> list[Any]:
    parts = [action_of(change), str(change.address), change.cause]
    if isinstance(change, Create):
        return [*parts, change.desired.active, dict(change.desired.spec)]
    return [*parts, change.fields]
