"""Reads one file: bytes to values with places, values through the schema, and what is valid into records."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import BaseModel

from reconciler import kinds
from reconciler.core.schemas import CAPABILITIES, DEFAULT_MODE, Model, ParameterSet, Provider, Template
from reconciler.source import nodes, spelling, validate
from reconciler.source.places import FAULTS_LIMIT, Fault, Map, dotted
from reconciler.source.records import (
    UNSET,
    FileRecord,
    KindRecord,
    ModelRecord,
    ProviderRecord,
    SetRecord,
    Unset,
)

SECTIONS: Final = ("providers", "parameters", "templates", "kinds")
# Possessive, and only from the start of a word: a file may be one long word.
_NAME_LIKE = re.compile(r"(?<![A-Za-z0-9._-])[A-Za-z0-9][A-Za-z0-9._-]*+(?=[\"']?[ \t]*+:)")


class Reader:
    """Reads the files of one run; what many files have in common is kept once."""

    def __init__(self) -> None:
        self._words: dict[str, Any] = {}
        self._shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._faults: list[Fault] = []

    def read(self, name: str, content: bytes) -> FileRecord:
        """Everything that one file says, and everything that is wrong in it."""
        record = FileRecord(name)
        self._faults = record.faults
        text = validate.decoded(content, record.faults)
        if text is None:
            record.words = frozenset(_NAME_LIKE.findall(content.decode("utf-8", "replace")))
            return record
        built = nodes.build(text, self._words)
        record.faults.extend(built.faults)
        if not built.is_whole:
            record.words = frozenset(_NAME_LIKE.findall(text))
            return record
        if built.root is None:
            record.is_empty = not built.faults
        elif not isinstance(built.root, Map):
            hint = "begin with version: 1, then providers:, parameters: or templates:"
            record.faults.append(Fault("not-a-mapping", built.at, "", "the file is no mapping", hint))
        elif validate.has_version(built.root, record.faults):
            self._fill(record, built.root)
        return record

    def _fill(self, record: FileRecord, root: Map) -> None:
        for section in SECTIONS:
            inside = root.get(section)
            if isinstance(inside, Map):
                record.declared[section] = _key_places(inside)
        document = validate.validated(record.faults, root)
        if document is None:
            return
        for section, fill in (
            ("kinds", self._fill_kinds),
            ("parameters", self._fill_sets),
            ("templates", self._fill_templates),
            ("providers", self._fill_providers),
        ):
            if entities := getattr(document, section):
                fill(record, root[section], entities)
        record.is_empty = not (record.faults or any(record.declared.values()))

    def _fill_kinds(self, record: FileRecord, section: Map, documents: dict[str, Any]) -> None:
        for order, (name, document) in enumerate(documents.items()):
            kind = kinds.from_document(name, document)
            record.kinds[name] = KindRecord(section.marks[2 * order], kind)

    def _fill_sets(self, record: FileRecord, section: Map, sets: dict[str, ParameterSet]) -> None:
        for order, (name, values) in enumerate(sets.items()):
            record.parameters[name] = self._set(section[name], values, section.marks[2 * order])

    def _fill_templates(self, record: FileRecord, section: Map, templates: dict[str, Template]) -> None:
        for order, (name, values) in enumerate(templates.items()):
            record.templates[name] = self._set(section[name], values, section.marks[2 * order])

    def _set(self, node: Map, values: ParameterSet | Template, at: int) -> SetRecord:
        names = tuple(node)
        given = values.__dict__
        own = {name: given[name] for name in names}
        extends = own.pop("extends", None)
        if own.get("labels"):
            own["labels"] = _without_nulls(own["labels"])
        return SetRecord(at, own, extends, self._shapes.setdefault(names, names), node.marks)

    # Providers

    def _fill_providers(self, record: FileRecord, section: Map, providers: dict[str, Provider]) -> None:
        for order, (name, provider) in enumerate(providers.items()):
            record.providers[name] = self._provider(name, section[name], provider, section.marks[2 * order])

    def _provider(self, name: str, node: Map, provider: Provider, at: int) -> ProviderRecord:
        path = dotted("providers", name)
        order = {key: number for number, key in enumerate(node)}

        def value_at(field: str, inside: Map = node) -> int:
            return inside.marks[2 * order[field] + 1] if field in order else at

        models = []
        if provider.models:
            ids, marks = node["models"], node["models"].marks
            for number, (id_, model) in enumerate(provider.models.items()):
                models.append(self._model(path, id_, ids[id_], model, marks[2 * number]))
        verification = _places(node, "verification")
        return ProviderRecord(
            name=name,
            at=at,
            active=provider.active is not False,
            spec=_provider_spec(provider),
            kind_at=value_at("kind"),
            credentials_at=_key_places(node.get("credentials")),
            parameters=provider.parameters,
            parameters_at=value_at("parameters"),
            template=provider.prompt_template,
            template_at=value_at("prompt_template"),
            activation_at=verification.get("activation", at),
            models=models,
        )

    def _model(self, path: str, id_: str, node: Map | None, model: Model | None, at: int) -> ModelRecord:
        if node is None or model is None:
            return ModelRecord(id_, at, active=True, spec={"mode": DEFAULT_MODE})
        parameters: str | SetRecord | Unset | None = UNSET
        template: str | SetRecord | Unset | None = UNSET
        parameters_at = template_at = at
        for number, name in enumerate(node):
            if name == "parameters":
                parameters_at = node.marks[2 * number + (model.parameters.__class__ is str)]
                parameters = self._reference(node[name], model.parameters, node.marks[2 * number])
            elif name == "prompt_template":
                template_at = node.marks[2 * number + (model.prompt_template.__class__ is str)]
                template = self._reference(node[name], model.prompt_template, node.marks[2 * number])
        spec = _model_spec(model)
        if "capabilities" in spec:
            _check_capabilities(self._faults, f"{path}.models.{id_}", node, spec["capabilities"])
        active = model.active is not False
        return ModelRecord(id_, at, active, spec, parameters, parameters_at, template, template_at)

    def _reference(
        self, node: Any, value: str | ParameterSet | Template | None, at: int
    ) -> str | SetRecord | None:
        return value if value is None or isinstance(value, str) else self._set(node, value, at)


# From valid values to canonical specs


def _provider_spec(provider: Provider) -> dict[str, Any]:
    spec: dict[str, Any] = {"kind": provider.kind}
    for name in ("description", "base_url"):
        if (value := getattr(provider, name)) is not None:
            spec[name] = value
    if credentials := provider.credentials:
        spec["credentials"] = credentials if isinstance(credentials, str) else _without_nulls(credentials)
    if provider.verification:
        spec["verification"] = _given(provider.verification)
    if provider.labels:
        spec["labels"] = _without_nulls(provider.labels)
    if provider.protected:
        spec["protected"] = True
    return {name: value for name, value in spec.items() if value != {}}


def _model_spec(model: Model) -> dict[str, Any]:
    spec: dict[str, Any] = {"mode": model.mode or DEFAULT_MODE}
    if model.version is not None:
        spec["version"] = model.version
    if model.limits is not None and (limits := _given(model.limits)):
        spec["limits"] = limits
    if model.capabilities:
        spec["capabilities"] = sorted(set(model.capabilities))
    if model.labels and (labels := _without_nulls(model.labels)):
        spec["labels"] = labels
    return spec


def _given(values: BaseModel) -> dict[str, Any]:
    return _without_nulls(values.__dict__)


def _without_nulls(mapping: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value is not None}


def _places(node: Map, name: str) -> dict[str, int]:
    """Where the values stand of a mapping inside of another."""
    inside = node.get(name)
    return inside.value_places() if isinstance(inside, Map) else {}


def _key_places(node: Any) -> dict[str, int]:
    return dict(zip(node, node.marks[::2], strict=True)) if isinstance(node, Map) else {}


def _check_capabilities(faults: list[Fault], path: str, node: Map, found: list[str]) -> None:
    if len(faults) < FAULTS_LIMIT and (unknown := [word for word in found if word not in CAPABILITIES]):
        listed = node["capabilities"]
        for word in unknown[:FAULTS_LIMIT]:
            number = listed.index(word)
            hint = spelling.did_you_mean(word, CAPABILITIES) or f"known are {', '.join(CAPABILITIES)}"
            faults.append(
                Fault(
                    "unknown-capability",
                    listed.marks[number],
                    f"{path}.capabilities[{number}]",
                    f"{spelling.shown(word)} is no capability that is known",
                    hint,
                    severity="warning",
                )
            )
