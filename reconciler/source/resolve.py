"""From what the files say to what they ask for: references followed, defaults filled in, every entity in its
canonical form, and whatever does not fit together told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, NamedTuple

from reconciler import kinds
from reconciler.core import inheritance
from reconciler.core.address import DEFAULT_PARAMETERS, Address, EntityKind
from reconciler.core.endpoints import endpoint_of
from reconciler.core.problem import Place, Problem, Related
from reconciler.core.provider_kind import DEFAULT_PROBE, ProviderKind
from reconciler.core.schema_values import canonical
from reconciler.core.state import Desired, Spec
from reconciler.source import checks, lookalikes, spelling
from reconciler.source.collect import Catalogue, Entry, Names, Table
from reconciler.source.places import Fault, dotted, place, problem
from reconciler.source.records import FileRecord, ModelRecord, ProviderRecord, SetRecord, Unset

# Probes that need no question of the kind's: any answer of the endpoint will do, or the model itself answers.
_WITHOUT_A_QUESTION: Final = frozenset({"reach", "generate"})

# Stands where a file names no kind, which has been told already.
MISSING_KIND: Final = "<missing>"

_NOUNS: Final[Mapping[str, str]] = {"parameters": "parameter set", "template": "template"}


class Resolved(NamedTuple):
    """All entities, the kinds that they use, and everything that was found wrong or suspicious."""

    entities: dict[Address, Desired]
    kinds: dict[str, ProviderKind]
    problems: list[Problem]


class _Section(NamedTuple):
    """Parameter sets or templates: what they are called in messages, what there is, what it resolves to."""

    kind: EntityKind
    section: str
    noun: str
    table: Table[SetRecord]
    names: Names
    values: Mapping[str, dict[str, Any]]
    used: set[str]


def resolve(catalogue: Catalogue, records: Iterable[FileRecord]) -> Resolved:
    """Resolve everything that the files define."""
    return _Resolver(catalogue, tuple(records)).resolved()


class _Resolver:
    """One run over a catalogue."""

    def __init__(self, catalogue: Catalogue, records: tuple[FileRecord, ...]) -> None:
        self._problems: list[Problem] = []
        self._entities: dict[Address, Desired] = {}
        self._catalogue = catalogue
        self._own_kinds = {name: entry.record.kind for name, entry in catalogue.kinds.items()}
        self._kind_specs = {name: canonical(kinds.to_spec(kind)) for name, kind in self._own_kinds.items()}
        self._used_kinds = dict(self._own_kinds)
        self._kind_names = Names("kinds", records, kinds.names())
        self._provider_names = Names("providers", records)
        self._sets = self._section("parameters", "parameters", catalogue.parameters, records)
        self._templates = self._section("template", "templates", catalogue.templates, records)
        self._checker = checks.Checker(catalogue.parameters)

    def resolved(self) -> Resolved:
        """Everything, once."""
        for name, entry in self._sets.table.items():
            self._add(Address("parameters", name), self._sets.values[name], entry.file, entry.record.at)
        for name, entry in self._templates.table.items():
            self._add(Address("template", name), self._templates.values[name], entry.file, entry.record.at)
            self._check_binding(name, entry)
        for provider in self._catalogue.providers.values():
            self._provider(provider.file, provider.record)
        for section in (self._sets, self._templates):
            self._problems.extend(_unused(section))
        return Resolved(self._entities, self._used_kinds, self._problems)

    # Sets and templates

    def _section(
        self, kind: EntityKind, section: str, table: Table[SetRecord], records: tuple[FileRecord, ...]
    ) -> _Section:
        children = {
            name: inheritance.Child(entry.record.extends, entry.record.own) for name, entry in table.items()
        }
        resolution = inheritance.resolve(children)
        used = {child.parent for child in children.values() if child.parent is not None}
        made = _Section(kind, section, _NOUNS[kind], table, Names(section, records), resolution.values, used)
        for name in resolution.missing:
            file, record = table[name]
            path = f"{section}.{name}.extends"
            self._miss(made, str(record.extends), file, record.at_field("extends", value=True), path)
        self._problems.extend(_cyclic(section, circle, table) for circle in resolution.cycles)
        return made

    def _miss(self, section: _Section, name: str, file: str, at: int, path: str) -> None:
        """Say that a set or template does not exist, unless the file that may hold it cannot be read."""
        if section.names.may_exist(name):
            return
        if name == DEFAULT_PARAMETERS and path.endswith(".extends"):
            message, hint = "'default' is built in and empty; it cannot be extended", "leave extends out"
        else:
            message = f"there is no {section.noun} {name}"
            hint = section.names.hint(name) or f"define it under {section.section}:"
        self._fault(file, Fault("missing-reference", at, path, message, hint))

    def _check_binding(self, name: str, entry: Entry[SetRecord]) -> None:
        bound = self._templates.values[name].get("provider")
        if bound is None or "provider" not in entry.record.shape or self._provider_names.may_exist(bound):
            return
        at = entry.record.at_field("provider", value=True)
        hint = self._provider_names.hint(bound) or "define it under providers:"
        message = f"there is no provider {bound}"
        self._fault(entry.file, Fault("missing-reference", at, f"templates.{name}.provider", message, hint))

    # Providers and models

    def _provider(self, file: str, record: ProviderRecord) -> None:
        path = dotted("providers", record.name)
        kind = self._kind(file, record, path)
        spec = record.spec
        if kind is not None:
            self._used_kinds[kind.name] = kind
            self._problems.extend(problem(file, fault) for fault in _provider_faults(record, kind, path))
            if not kind.built_in:
                spec = {**spec, "kind_spec": self._kind_specs[kind.name]}
        self._add(Address("provider", record.name), spec, file, record.at, active=record.active)
        if record.parameters is not None:
            self._named(self._sets, record.parameters, file, record.parameters_at, f"{path}.parameters")
        if record.template is not None:
            at = record.template_at
            self._named(self._templates, record.template, file, at, f"{path}.prompt_template")
            self._check_bound(record.template, record.name, file, at, f"{path}.prompt_template")
        for model in record.models:
            self._model(file, record, kind, model, path)
        self._problems.extend(_look_alikes(file, record, path))

    def _kind(self, file: str, record: ProviderRecord, path: str) -> ProviderKind | None:
        name = record.spec["kind"]
        kind = checks.kind_of(name, self._own_kinds)
        if kind is None and name != MISSING_KIND and not self._kind_names.may_exist(name):
            hint = self._kind_names.hint(name) or f"known are {', '.join(kinds.names())}"
            message = f"there is no kind {name}"
            self._fault(file, Fault("unknown-kind", record.kind_at, f"{path}.kind", message, hint))
        return kind

    def _model(
        self, file: str, provider: ProviderRecord, kind: ProviderKind | None, model: ModelRecord, path: str
    ) -> None:
        key = f"{provider.name}/{model.id}"
        path = f"{path}.models.{model.id}"
        spec = model.spec
        used = self._parameters(file, provider, model, key, path)
        spec["parameters"] = used.name or key
        template = self._template(file, provider, model, key, path)
        if template is not None:
            spec["prompt_template"] = template
        self._add(Address("model", key), spec, file, model.at, active=model.active and provider.active)
        if kind is not None:
            self._problems.extend(self._checker.problems(kind, model.id, spec["mode"], used))

    def _parameters(
        self, file: str, provider: ProviderRecord, model: ModelRecord, key: str, path: str
    ) -> checks.Used:
        """What a model uses: its own set, one that it names, its provider's default, or the built-in one."""
        said = model.parameters
        if isinstance(said, SetRecord):
            values = self._inline(self._sets, said, file, key, f"{path}.parameters")
            return checks.Used(values, None, said, file, model.parameters_at, f"{path}.parameters")
        if isinstance(said, str):
            at, path = model.parameters_at, f"{path}.parameters"
            self._named(self._sets, said, file, at, path)
        elif isinstance(said, Unset) and provider.parameters is not None:
            said, at, path = (
                provider.parameters,
                provider.parameters_at,
                f"providers.{provider.name}.parameters",
            )
        else:
            said, at = DEFAULT_PARAMETERS, model.at
        return checks.Used(self._sets.values.get(said, {}), said, None, file, at, path)

    def _template(
        self, file: str, provider: ProviderRecord, model: ModelRecord, key: str, path: str
    ) -> str | None:
        said, path = model.template, f"{path}.prompt_template"
        if isinstance(said, SetRecord):
            values = self._inline(self._templates, said, file, key, path)
            self._check_provider(values, provider.name, file, model.template_at, path)
            return key
        if isinstance(said, str):
            self._named(self._templates, said, file, model.template_at, path)
            self._check_bound(said, provider.name, file, model.template_at, path)
            return said
        return provider.template if isinstance(said, Unset) else None

    def _inline(self, section: _Section, record: SetRecord, file: str, key: str, path: str) -> dict[str, Any]:
        parent: Spec = {}
        if record.extends is not None:
            at = record.at_field("extends", value=True)
            self._named(section, record.extends, file, at, f"{path}.extends")
            parent = section.values.get(record.extends, {})
        values = inheritance.inherit(parent, record.own)
        self._add(Address(section.kind, key), values, file, record.at)
        return values

    def _named(self, section: _Section, name: str, file: str, at: int, path: str) -> None:
        """A name of a set or template: it is used, and it must exist."""
        section.used.add(name)
        is_built_in = name == DEFAULT_PARAMETERS and section is self._sets and not path.endswith(".extends")
        if name not in section.table and not is_built_in:
            self._miss(section, name, file, at, path)

    def _check_bound(self, template: str, provider: str, file: str, at: int, path: str) -> None:
        self._check_provider(
            self._templates.values.get(template, {}), provider, file, at, path, name=template
        )

    def _check_provider(
        self, values: Spec, provider: str, file: str, at: int, path: str, *, name: str | None = None
    ) -> None:
        bound = values.get("provider")
        if bound is None or bound == provider:
            return
        message = f"the template {name or 'here'} is only for the provider {bound}, not for {provider}"
        fault = Fault("wrong-provider", at, path, message, "use another template, or remove its provider")
        where = checks.origin(self._templates.table, name, "provider")
        related = (Related(where, f"it is bound to {bound} here"),) if where else ()
        self._problems.append(replace(problem(file, fault), related=related))

    def _add(self, address: Address, spec: Spec, file: str, at: int, *, active: bool = True) -> None:
        self._entities[address] = Desired(address, spec, active, place(file, at))

    def _fault(self, file: str, fault: Fault) -> None:
        self._problems.append(problem(file, fault))


# What is wrong or suspicious


def _cyclic(section: str, circle: tuple[str, ...], table: Table[SetRecord]) -> Problem:
    def where(name: str) -> Place:
        return place(table[name].file, table[name].record.at_field("extends", value=True))

    first = circle[0]
    message = f"{first} extends itself: {' -> '.join(circle)}"
    related = tuple(Related(where(name), f"{name} extends {then}") for name, then in pairwise(circle))
    path = f"{section}.{first}.extends"
    hint = "remove extends from one of them"
    return Problem("error", "cyclic-extends", where(first), path, message, hint, related[1:])


def _unused(section: _Section) -> Iterator[Problem]:
    for name, (file, record) in section.table.items():
        if name not in section.used:
            message = f"nothing uses the {section.noun} {name}"
            fault = Fault("unused", record.at, dotted(section.section, name), message, "use it, or remove it")
            yield problem(file, fault._replace(severity="warning"))


def _provider_faults(record: ProviderRecord, kind: ProviderKind, path: str) -> Iterator[Fault]:
    if kind.base_url is None and "base_url" not in record.spec:
        message = f"base_url is missing; {kind.name} has no default"
        yield Fault("missing-field", record.at, f"{path}.base_url", message, "write base_url: https://…")
    if kind.credentials:
        yield from _credential_faults(record, kind, path)
    verification = record.spec.get("verification", {})
    if verification.get("activation") == "verified":
        yield from _activation_faults(record, kind, path, verification.get("probe"))
    if not record.models:
        message = f"the provider {record.name} has no models"
        yield Fault("unused", record.at, path, message, "write its models below models:", severity="warning")


def _credential_faults(record: ProviderRecord, kind: ProviderKind, path: str) -> Iterator[Fault]:
    known = tuple(sorted(kind.credentials))
    for name, at in record.credentials_at.items():
        if name not in kind.credentials:
            hint = spelling.did_you_mean(name, known) or f"known here: {', '.join(known)}"
            message = f"{name} is no credential of {kind.name}"
            yield Fault("unknown-field", at, f"{path}.credentials.{name}", message, hint)


def _activation_faults(
    record: ProviderRecord, kind: ProviderKind, path: str, probe: str | None
) -> Iterator[Fault]:
    field, level = f"{path}.verification.activation", probe or DEFAULT_PROBE
    hint = "write activation: immediate"
    if probe == "none":
        message = "no model is ever activated: activation waits for a probe, and probe is none"
        yield Fault("wrong-value", record.activation_at, field, message, hint + ", or another probe")
    elif level not in kind.probes and level not in _WITHOUT_A_QUESTION:
        message = f"no model is ever activated: it waits for the probe {level}, and {kind.name} has none"
        yield Fault("wrong-value", record.activation_at, field, message, hint + ", or another probe")
    elif level == "generate":
        for model in record.models:
            mode = model.spec["mode"]
            if endpoint_of(kind, model.id, mode) is None:
                message = f"{model.id} is never activated: {kind.name} has no endpoint for the mode {mode}"
                here = ((model.at, "the model"),)
                yield Fault("wrong-value", record.activation_at, field, message, hint, here)


def _look_alikes(file: str, record: ProviderRecord, path: str) -> Iterator[Problem]:
    ids = {model.id: model.at for model in record.models}
    for name, earlier in lookalikes.pairs(ids):
        message = f"{name} looks like {earlier}"
        hint = "remove one of them if they are the same model"
        fault = Fault(
            "look-alike", ids[name], f"{path}.models.{name}", message, hint, ((ids[earlier], earlier),)
        )
        yield problem(file, fault._replace(severity="warning"))
