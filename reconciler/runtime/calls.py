"""What all calls of the service share: the way to the database, what the operator has set, and who calls."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.settings import Settings
from reconciler.store.doors import Door
from reconciler.store.record import RunContext

logger = logging.getLogger("reconciler")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service works with.

    Attributes:
        door: The way to the database.
        settings: What the operator has set.
        environ: Where `env:` references are resolved, at the moment of use.
        context: Who calls, for the trail; claimed, and recorded as a claim.
    """

    door: Door
    settings: Settings
    environ: Mapping[str, str]
    context: RunContext


class Calls:
    """The part of the service that its other parts stand on."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    def _say(self, line: str) -> None:
        """The story of an application goes to its log."""
        logger.warning("%s", line)
