"""Entities as files of the format: what is loaded from them is what they were made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.core.address import Address
from reconciler.core.schema_secrets import is_shareable
from reconciler.core.state import Desired, Spec
from reconciler.errors import UsageError
from reconciler.source import emit

_VERSION: Final = {"version": 1}
# Names of files that systems or this export itself keep for something else.
_TAKEN: Final = frozenset({"parameters", "templates", "con", "prn", "aux", "nul"})
_FIELDS: Final = (
    *(
        "extends",
        "provider",
        "kind",
        "description",
        "use_case",
        "base_url",
        "credentials",
        "protected",
        "active",
    ),
    *("mode", "version", "parameters", "prompt_template", "limits", "capabilities", "verification", "labels"),
)
_ORDER: Final = {name: number for number, name in enumerate(_FIELDS)}


def dump(entities: Iterable[Desired]) -> Mapping[str, str]:
    """Write entities as files: name to text, a file for each provider with the sets of its own models inside.

    Loading the files gives the same addresses, specs and activity, as far as files can say it: a model of an
    inactive provider is inactive whatever it says itself, and sets are always active.

    Raises:
        UsageError: Two providers have different kinds of one name (`kind-conflict`), which no source can say;
            or a row holds what looks like a secret (`holds-a-secret`), which no file may hold and a mask in
            its place would change.
    """
    by_address = {desired.address: desired for desired in entities}
    for desired in by_address.values():
        _require_shareable(desired)
    models: dict[str, list[Desired]] = {}
    for address, desired in by_address.items():
        if address.kind == "model":
            models.setdefault(address.provider, []).append(desired)
    documents: dict[str, dict[str, Any]] = {}
    for address in sorted(address for address in by_address if address.kind == "provider"):
        provider = by_address[address]
        entry = _provider(provider, sorted(models.get(address.key, ())), by_address)
        documents[_file_name(address.key, documents)] = {**_VERSION, "providers": {address.key: entry}}
    documents.update(_shared(by_address))
    _add_kinds(documents, by_address)
    return {name: _text(document) for name, document in documents.items()}


def _require_shareable(desired: Desired) -> None:
    """Refuse what a key was pasted into: it may not be told, and a mask in its place is another value."""
    for field, value in desired.spec.items():
        if not is_shareable(field, value):
            message = f"{desired.address} cannot be exported: its {field} holds what looks like a secret."
            raise UsageError(message, code="holds-a-secret", hint="clean the row first, and change the key")


def _text(document: Mapping[str, Any]) -> str:
    return "\n".join(emit.mapping_lines(document, 0)) + "\n"


def _shared(by_address: Mapping[Address, Desired]) -> dict[str, dict[str, Any]]:
    """The files of the sets and templates that stand on their own."""
    documents = {}
    for kind, section in (("parameters", "parameters"), ("template", "templates")):
        sets = {
            address.key: _ordered(by_address[address].spec)
            for address in sorted(by_address)
            if address.kind == kind and "/" not in address.key
        }
        if sets:
            documents[f"{section}.yaml"] = {**_VERSION, section: sets}
    return documents


def _provider(
    desired: Desired, models: Iterable[Desired], by_address: Mapping[Address, Desired]
) -> dict[str, Any]:
    entry = _ordered({name: value for name, value in desired.spec.items() if name != "kind_spec"})
    if not desired.active:
        entry["active"] = False
    if written := {
        model.address.model_id: _model(model, by_address, provider_is_active=desired.active)
        for model in models
    }:
        entry["models"] = written
    return entry


def _model(
    desired: Desired, by_address: Mapping[Address, Desired], *, provider_is_active: bool
) -> dict[str, Any]:
    spec = dict(desired.spec)
    if provider_is_active and not desired.active:
        spec["active"] = False
    for field, kind in (("parameters", "parameters"), ("prompt_template", "template")):
        name = spec.get(field)
        if name is not None and "/" in name:
            own = by_address.get(Address(kind, name))  # type: ignore[arg-type]
            spec[field] = _ordered(own.spec) if own else {}
    if spec.get("mode") == "chat":
        del spec["mode"]
    if spec.get("parameters") == "default":
        del spec["parameters"]
    return _ordered(spec)


def _ordered(spec: Spec) -> dict[str, Any]:
    """Fields in the order in which people write them: what it is, what it does, what it is called."""
    first = len(_ORDER)
    return dict(sorted(spec.items(), key=lambda item: (_ORDER.get(item[0], first), item[0])))


def _add_kinds(documents: Mapping[str, dict[str, Any]], by_address: Mapping[Address, Desired]) -> None:
    """Each user's kind, in the file of the first provider that is of it."""
    known: dict[str, Any] = {}
    for document in documents.values():
        for name in document.get("providers", ()):
            spec = by_address[Address("provider", name)].spec
            if "kind_spec" not in spec:
                continue
            kind: str = spec["kind"]
            written: Spec = spec["kind_spec"]
            if kind not in known:
                known[kind] = written
                document.setdefault("kinds", {})[kind] = _ordered(written)
            elif known[kind] != written:
                message = f"Providers have different kinds of the name '{kind}'."
                raise UsageError(message, code="kind-conflict", hint="export one source at a time")


def _file_name(provider: str, taken: Mapping[str, Any]) -> str:
    """A name that every file system takes, also those that do not tell case apart."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", provider).strip("-")[:100].lower() or "provider"
    base, number = (f"{stem}-provider" if stem in _TAKEN else stem), 1
    name = f"{base}.yaml"
    while name in taken:
        number += 1
        name = f"{base}-{number}.yaml"
    return name
