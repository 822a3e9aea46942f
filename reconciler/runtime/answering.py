"""Answers in the order in which they were asked for, with what their callers should know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self, TypeVar

from reconciler.core.address import Address
from reconciler.errors import NotFoundError


class Noticed(Protocol):
    """A response that can bear notices."""

    def model_copy(self, *, update: Mapping[str, tuple[str, ...]]) -> Self:
        """The same with other fields."""


Answer = TypeVar("Answer", bound=Noticed)


def in_order(
    addresses: Sequence[Address],
    found: Mapping[Address, Answer],
    notices: Mapping[Address, tuple[str, ...]],
) -> tuple[Answer, ...]:
    """The answers for these addresses.

    Raises:
        NotFoundError: A row was deleted by hand since it was written.
    """
    if gone := [address for address in addresses if address not in found]:
        raise NotFoundError(f"{gone[0]} was deleted meanwhile.", hint="register it again")
    if not notices:
        return tuple([found[address] for address in addresses])
    return tuple(
        found[address].model_copy(update={"notices": notices[address]})
        if address in notices
        else found[address]
        for address in addresses
    )
