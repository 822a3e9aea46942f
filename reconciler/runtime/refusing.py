"""What speaks against a call becomes one error, with everything in it; and the errors of what files own."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.core.address import Address
from reconciler.core.registration import Fault, Owner
from reconciler.errors import (
    NotFoundError,
    OwnershipError,
    ParameterValidationError,
    ProviderConfigError,
    RegistrationError,
    StatusError,
)

# A message is for a person; `problems` holds them all.
_MOST_SHOWN = 20


def error_of(faults: Sequence[Fault]) -> ProviderConfigError:
    """The one error for everything that is wrong, at least one thing.

    >>> error_of([Fault("absence", "there is no parameters:base", address=Address("parameters", "base"))])
    NotFoundError('There is no parameters:base.')
    """
    problems = tuple(dict.fromkeys(fault.message for fault in faults))
    first, abouts = faults[0], {fault.about for fault in faults}
    more = {"hint": first.hint or None, **_names(first.address)}
    message = _message(problems)
    if "values" in abouts:
        return ParameterValidationError(message, problems=problems, **more)
    if abouts == {"absence"}:
        return NotFoundError(message, **more)
    if abouts == {"status"}:
        return StatusError(message, code=first.code or None, **more)
    return RegistrationError(message, code=first.code or None, problems=problems, **more)


def _message(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        said = problems[0]
        return f"{said[0].upper() if said.startswith(_SENTENCES) else said[0]}{said[1:]}."
    lines = [f"  {problem}" for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        lines.append(f"  and {len(problems) - _MOST_SHOWN:,} more")
    return "\n".join((f"{len(problems):,} things are wrong; nothing was written:", *lines))


# How a sentence begins, and not with the name of a field.
_SENTENCES = ("there ", "the ", "no ", "what ", "this ")


def _names(address: Address | None) -> dict[str, str | None]:
    """The provider and the model that an error is about."""
    if address is None or address.kind not in {"provider", "model"}:
        return {}
    return {"provider": address.provider, "model_id": address.model_id or None}


def ownership_error(owned: Sequence[tuple[Address, Owner]]) -> OwnershipError:
    """The error for edits of what files own, at least one."""
    address, owner = owned[0]
    sentences = [f"{one.file}:{one.line} owns {what}" for what, one in owned]
    more = f" (and {len(owned) - 1:,} more)" if len(owned) > 1 else ""
    way_out = "change it there"
    if address.kind in {"model", "parameters", "template"}:
        way_out += ", or override it for a time with override_provider_model"
    return OwnershipError(
        f"{sentences[0]}{more}; {way_out}.",
        source=owner.source,
        file=owner.file,
        line=owner.line,
        hint=way_out,
        problems=sentences,
        **_names(address),
    )
