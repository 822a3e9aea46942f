"""What a file names that other files may define: whoever reads it alone must know which others to read."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.core.address import DEFAULT_PARAMETERS
from reconciler.source.records import FileRecord, ModelRecord, ProviderRecord, SetRecord

# Stands for all kinds: a file that defines some may change the meaning of any other.
KINDS = "kind:*"


def of(record: FileRecord) -> tuple[str, ...]:
    """What a file refers to, sorted, as addresses; its own names aside."""
    found = set(_found(record)) - set(own_names(record))
    return tuple(sorted(found - {f"parameters:{DEFAULT_PARAMETERS}"}))


def own_names(record: FileRecord) -> Iterator[str]:
    """What a file defines under a name that others may use."""
    yield from (f"kind:{name}" for name in record.kinds)
    yield from (f"provider:{name}" for name in record.providers)
    yield from (f"parameters:{name}" for name in record.parameters)
    yield from (f"template:{name}" for name in record.templates)


def _found(record: FileRecord) -> Iterator[str]:
    if record.kinds:
        yield KINDS
    for one in record.parameters.values():
        yield from _parent("parameters", one)
    for one in record.templates.values():
        yield from _parent("template", one)
        yield from _bound(one)
    for provider in record.providers.values():
        yield from _of_provider(provider)


def _of_provider(provider: ProviderRecord) -> Iterator[str]:
    yield f"kind:{provider.spec['kind']}"
    if provider.parameters is not None:
        yield f"parameters:{provider.parameters}"
    if provider.template is not None:
        yield f"template:{provider.template}"
    for model in provider.models:
        yield from _of_model(model)


def _of_model(model: ModelRecord) -> Iterator[str]:
    for kind, said in (("parameters", model.parameters), ("template", model.template)):
        if isinstance(said, str):
            yield f"{kind}:{said}"
        elif isinstance(said, SetRecord):
            yield from _parent(kind, said)
            if kind == "template":
                yield from _bound(said)


def _parent(kind: str, record: SetRecord) -> Iterator[str]:
    if record.extends is not None:
        yield f"{kind}:{record.extends}"


def _bound(template: SetRecord) -> Iterator[str]:
    """The only provider that may use a template."""
    if isinstance(name := template.own.get("provider"), str):
        yield f"provider:{name}"
