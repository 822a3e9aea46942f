"""What an override asks for, and what speaks against it: its values are checked as registered ones are, over
the rows of the models and of all that they refer to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from reconciler.core import rules
from reconciler.core.address import DEFAULT_PARAMETERS, Address, EntityKind
from reconciler.core.overrides import VALUES
from reconciler.core.registration import Fault, Stored
from reconciler.core.requests import LLMParametersUpdate, OverrideValues
from reconciler.core.state import Spec
from reconciler.runtime.asking import Reader
from reconciler.runtime.refusing import error_of
from reconciler.runtime.writing import KINDS, read_rows
from reconciler.store.session import Connection

# Sentences by the model that they are about.
Notices: TypeAlias = Mapping[Address, tuple[str, ...]]


def fields_of(reader: Reader, address: Address, given: object) -> dict[str, Any]:
    """What is to be held; everything that is wrong with it is left with the reader."""
    before = len(reader.faults)
    asked = _asked(reader, address, given)
    if asked is None:
        return {}
    held = asked.given()
    # Only a template can be taken away as a whole.
    fields = {name: value for name, value in held.items() if value is not None or name == "prompt_template"}
    for name in sorted(fields.get("parameters", {}).keys() - VALUES):
        message = f"{name} describes a parameter set and cannot be overridden ({address})"
        reader.faults.append(Fault("registration", message, f"leave {name} out", address))
    if not fields.get("parameters", True):
        del fields["parameters"]
    if not fields and len(reader.faults) == before:
        message = f"there is nothing to hold ({address})"
        hint = "give is_active, parameters or prompt_template"
        reader.faults.append(Fault("registration", message, hint, address))
    return fields


def _asked(reader: Reader, address: Address, given: object) -> OverrideValues | None:
    if isinstance(given, Mapping) and isinstance(parameters := given.get("parameters"), Mapping):
        # By itself, so that a value that cannot be is told as one.
        read = reader.one(LLMParametersUpdate, parameters, about="values", of=str(address))
        given = {**given, "parameters": read}
    return reader.one(OverrideValues, given, of=str(address))


# What speaks against it


def checked(
    connection: Connection, fields: Mapping[Address, Mapping[str, Any]], faults: Collection[Fault]
) -> Notices:
    """What callers should know, by model.

    Raises:
        ProviderConfigError: Something speaks against it; everything that does.
    """
    rows = _read(connection, fields)
    found, notices = list(faults), defaultdict[Address, list[str]](list)
    for address, held in fields.items():
        model = _spec(rows, "model", address.key)
        if model is None:
            found.append(Fault("absence", f"there is no {address}", "register it first", address))
            continue
        found += _template_faults(rows, address, held.get("prompt_template"))
        for finding in _findings(rows, address, model, held):
            if finding.severity == "error":
                found.append(Fault("values", f"{finding.message} ({address})", finding.hint, address))
            else:
                notices[address].append(f"{address}: {finding.message}")
        if held.get("is_active") and not _is_active(rows, Address("provider", address.provider)):
            notices[address].append(f"provider:{address.provider} is not active, so none of its models is")
    if found:
        raise error_of(found)
    return {address: tuple(sentences) for address, sentences in notices.items()}


def _read(connection: Connection, fields: Mapping[Address, Mapping[str, Any]]) -> Stored:
    named = {str(name) for held in fields.values() if (name := held.get("prompt_template")) is not None}
    wanted = {
        *fields,
        *(Address("provider", address.provider) for address in fields),
        *(Address("template", name) for name in named),
    }
    stored = read_rows(connection, wanted)
    models = (stored.rows[address].spec for address in fields if address in stored.rows)
    sets = {Address("parameters", str(one["parameters"])) for one in models}
    return stored.more(read_rows(connection, sets))


def _spec(rows: Stored, kind: EntityKind, key: str) -> Spec | None:
    found = rows.rows.get(Address(kind, key))
    return None if found is None else found.spec


def _is_active(rows: Stored, address: Address) -> bool:
    """What nobody registered stands in nobody's way."""
    found = rows.rows.get(address)
    return found is None or found.active


def _template_faults(rows: Stored, address: Address, name: str | None) -> Iterable[Fault]:
    if name is None:
        return
    template = Address("template", name)
    spec = _spec(rows, "template", name)
    if spec is None:
        yield Fault("absence", f"there is no {template}", "register it first", template)
        return
    bound = spec.get("provider")
    if bound and bound != address.provider:
        message = f"the template {name} is only for the provider {bound}, not for {address}"
        yield Fault("registration", message, "use another template", address)
    if not _is_active(rows, template):
        message = f"{template}, which {address} would use, is not active"
        yield Fault("status", message, "reactivate it first", template, "inactive")


def _findings(
    rows: Stored, address: Address, model: Spec, held: Mapping[str, Any]
) -> Iterable[rules.Finding]:
    """What the provider's kind has against the merged values, and not against the stored ones already."""
    provider = _spec(rows, "provider", address.provider)
    kind = None if provider is None else KINDS.of(provider)
    if kind is None or "parameters" not in held:
        return ()
    name = str(model.get("parameters", DEFAULT_PARAMETERS))
    stored = _spec(rows, "parameters", name) or {}
    before, after = (
        rules.check(kind, model_id=address.model_id, mode=str(model.get("mode")), parameters=values)
        for values in (stored, {**stored, **held["parameters"]})
    )
    return [finding for finding in after if finding not in before]
