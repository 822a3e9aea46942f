"""Successes that say no: what a kind's probe names as such, looked up in an answer. Pure."""

from __future__ import annotations

from typing import Any

from reconciler.core.provider_kind import Denial, Probe
from reconciler.protocols.classify import Complaint, Finding
from reconciler.protocols.shapes.places import found_at


def denied(found: Any, probe: Probe) -> Finding | None:
    """What a success says against the key or the model; `None` where nothing.

    `found` is the model's entry in a list, or else the whole answer to the probe.

    >>> blocked = Denial("team.blocked", equals=True, outcome="forbidden", message="the team is blocked")
    >>> denied({"team": {"blocked": True}}, Probe(fails=(blocked,))).outcome
    'forbidden'
    """
    said = next((denial for denial in probe.fails if _says(found, denial)), None)
    if said is None:
        return None
    code = f"{said.at}={str(said.equals).lower()}"
    return Finding(said.outcome, Complaint(code=code, message=said.message or code))


def _says(found: Any, denial: Denial) -> bool:
    there = found_at(found, denial.at)
    # One is no `true`, and a zero no `false`.
    return isinstance(there, bool) is isinstance(denial.equals, bool) and bool(there == denial.equals)
