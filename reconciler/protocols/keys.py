"""What other libraries need to speak to a provider by themselves: its endpoint and its credentials, by the
rules under which our own requests are sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from reconciler.core.probe import Access, ProbeTarget
from reconciler.protocols.base import HttpProtocol
from reconciler.protocols.exchange import Exchange, Request, Streamed, Verdict
from reconciler.protocols.questions import Case
from reconciler.protocols.registry import protocol
from reconciler.protocols.run import Run

_NOTHING = Verdict("skipped", "nothing is sent here")


class _Nobody:
    """Sends nothing."""

    async def send(self, request: Request) -> Exchange:
        del request
        return _NOTHING

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Streamed | Exchange]:
        del request
        yield _NOTHING


def spoken_to(target: ProbeTarget) -> HttpProtocol | Verdict:
    """How a model's provider is spoken to."""
    spoken = protocol(target.kind.protocol)
    if isinstance(spoken, HttpProtocol):
        return spoken
    detail = f"this version does not speak '{target.kind.protocol}', the protocol of {target.kind.name}"
    return Verdict("unprobeable", detail)


def opened(target: ProbeTarget, access: Access) -> Case | Verdict:
    """A model's endpoint and credentials, or why they may not be had: no key is given away for a host that it
    may not be sent to.
    """
    spoken = spoken_to(target)
    if isinstance(spoken, Verdict):
        return spoken
    return spoken.started(target, Run(_Nobody(), access, datetime.now(UTC)))
