"""What speaks against changes that programs ask for: rules of kinds against values, references into nothing,
what is still in use. Pure, over the rows around the changes; who owns them is asked elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import Protocol

from reconciler.core import rules
from reconciler.core.address import DEFAULT_PARAMETERS, LEVELS, Address, EntityKind
from reconciler.core.changes import Activate, Change, Create, Deactivate, Update
from reconciler.core.fields import is_same
from reconciler.core.policy import in_use, some
from reconciler.core.provider_kind import ProviderKind
from reconciler.core.references import used_by_model
from reconciler.core.registration import Fault, Stored, activation_of, probe_of
from reconciler.core.rule_checks import RuleChecks
from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.core.state import Spec

_NO_VALUES: Spec = {}
# Probes that need no question of the kind's: any answer of the endpoint will do, or the model itself answers.
_WITHOUT_A_QUESTION = frozenset({"reach", "generate"})


class Kinds(Protocol):
    """What is known of kinds of providers."""

    def of(self, provider: Spec) -> ProviderKind | None:
        """The kind of a provider, from its spec; `None` where nothing is known of it."""

    def hint(self, name: str) -> str:
        """Which kind may have been meant."""


class View:
    """The registry before and after changes, and what speaks against them.

    Args:
        stored: The rows: those of the wishes, of the models that would feel them, and of all that these use.
        changes: What is to be written.
        kinds: Tells a provider's kind.
    """

    def __init__(self, stored: Stored, changes: Collection[Change], kinds: Kinds) -> None:
        self._rows = stored.rows
        self._changes = changes
        self._known = kinds
        # What everything says afterwards, and whether its own row asks for activity.
        self._now: dict[EntityKind, dict[str, tuple[Spec, bool]]] = {kind: {} for kind in LEVELS}
        self._now["parameters"][DEFAULT_PARAMETERS] = (_NO_VALUES, True)
        for (kind, key), have in stored.rows.items():
            self._now[kind][key] = (have.spec, have.active)
        for change in changes:
            if (desired := change.desired) is not None:
                self._now[change.address.kind][change.address.key] = (desired.spec, desired.active)
        self._kinds: dict[str, tuple[ProviderKind | None, ProviderKind | None]] = {}
        self._rule_checks = RuleChecks()

    def spec(self, address: Address) -> Spec | None:
        """What an entity says afterwards; `None` where there is none."""
        found = self._now[address.kind].get(address.key)
        return found[0] if found else None

    def is_active(self, address: Address) -> bool:
        """Whether an entity's own row asks for activity afterwards; one that is held counts."""
        found = self._now[address.kind].get(address.key)
        return found is not None and found[1]

    def _before(self, address: Address) -> Spec | None:
        have = self._rows.get(address)
        return have.spec if have else None

    def faults(self) -> tuple[Fault, ...]:
        """Everything that speaks against the changes, ownership aside."""
        found = (
            *self._providers(),
            *self._bindings(),
            *self._references(),
            *self._values(),
            *self._in_use(),
            *self._protected(),
        )
        return tuple(dict.fromkeys(found))

    def warnings(self) -> dict[Address, tuple[str, ...]]:
        """What the callers should know of the models' parameters, by model."""
        found = defaultdict(list)
        for address, findings in self._checked:
            for finding in findings:
                if finding.severity == "warning":
                    found[address].append(f"{address}: {finding.message}")
        return {address: tuple(sentences) for address, sentences in found.items()}

    def others(self, asked: Collection[Address]) -> dict[Address, tuple[Address, ...]]:
        """Which models besides those that are asked for use each changed set and template."""
        shared = {
            change.address
            for change in self._changes
            if change.address.kind in {"parameters", "template"} and isinstance(change, Update)
        }
        users: dict[Address, list[Address]] = {}
        for key, (spec, _) in self._now["model"].items() if shared else ():
            for used in used_by_model(spec):
                if used in shared and (model := Address("model", key)) not in asked:
                    users.setdefault(used, []).append(model)
        return {used: tuple(sorted(models)) for used, models in users.items()}

    def references(self) -> set[Address]:
        """What the models in view refer to, before and after, as far as it is not in view itself."""
        sets, templates, providers = (self._now[kind] for kind in ("parameters", "template", "provider"))
        needed: set[Address] = set()
        before = ((key, have.spec) for (kind, key), have in self._rows.items() if kind == "model")
        after = ((key, spec) for key, (spec, _) in self._now["model"].items())
        for key, spec in chain(before, after):
            if (name := spec["parameters"]) not in sets:
                needed.add(Address("parameters", name))
            if (template := spec.get("prompt_template")) is not None and template not in templates:
                needed.add(Address("template", template))
            if (provider := key.partition("/")[0]) not in providers:
                needed.add(Address("provider", provider))
        for spec, _ in templates.values():
            if isinstance(bound := spec.get("provider"), str) and bound not in providers:
                needed.add(Address("provider", bound))
        return needed

    def unreachable(self, providers: Iterable[str]) -> dict[str, str]:
        """Why models of these providers cannot be used as they are, by provider."""
        found = {}
        for name in providers:
            address = Address("provider", name)
            spec, kind = self.spec(address), self._kind_of(name)[1]
            if not self.is_active(address):
                found[name] = f"{address} is not active, so none of its models is"
            elif spec is not None and kind is not None and kind.base_url is None and "base_url" not in spec:
                found[name] = f"{address} has no base_url, and its kind {kind.name} has no default"
        return found

    # What speaks against them

    def _providers(self) -> Iterator[Fault]:
        for change in self._changes:
            if change.address.kind == "provider" and (spec := _rewritten(change)) is not None:
                yield from self._provider(change.address, spec)

    def _provider(self, address: Address, spec: Spec) -> Iterator[Fault]:
        kind = self._known.of(spec)
        if kind is None:
            name = str(spec.get("kind"))
            yield Fault("registration", f"there is no kind {name}", self._known.hint(name), address)
            return
        credentials = spec.get("credentials")
        if kind.credentials and isinstance(credentials, Mapping):
            for name in credentials.keys() - kind.credentials.keys():
                known = f"known here: {', '.join(sorted(kind.credentials))}"
                message = f"{name} is no credential of {kind.name}"
                yield Fault("registration", message, known, address)
        if activation_of(spec) == "verified":
            yield from _activation(address, kind, probe_of(spec))

    def _bindings(self) -> Iterator[Fault]:
        """Templates for one provider only, in the models of another; and for one that is not there."""
        for change in self._changes:
            if change.address.kind != "template" or change.desired is None:
                continue
            bound = change.desired.spec.get("provider")
            if bound and self.spec(Address("provider", bound)) is None:
                message = f"{change.address} is for the provider {bound}, which is not registered"
                yield Fault("absence", message, "register the provider first", change.address)
        touched = {change.address for change in self._changes}
        for key, (spec, _) in self._now["model"].items():
            if (name := spec.get("prompt_template")) is None:
                continue
            template, provider = Address("template", name), key.partition("/")[0]
            bound = (self.spec(template) or _NO_VALUES).get("provider")
            address = Address("model", key)
            if bound and bound != provider and (address in touched or template in touched):
                message = f"the template {name} is only for the provider {bound}, not for {address}"
                yield Fault("registration", message, "use another template, or remove its provider", address)

    def _references(self) -> Iterator[Fault]:
        """Models whose set or template is not there, or not active though they are."""
        sets = {name for name, (_, active) in self._now["parameters"].items() if active}
        templates = {None, *(name for name, (_, active) in self._now["template"].items() if active)}
        for change in self._changes:
            if change.address.kind != "model" or change.desired is None:
                continue
            spec = change.desired.spec
            # Nearly all models are well, and names are compared faster than addresses are made.
            is_well = spec["parameters"] in sets and spec.get("prompt_template") in templates
            for used in () if is_well else used_by_model(spec):
                found = self._now[used.kind].get(used.key)
                if found is None:
                    yield Fault(
                        "absence", f"there is no {used}", "register it first, or give its values", used
                    )
                elif change.desired.active and not found[1] and self._is_new_use(change.address, used):
                    message = f"{used}, which {change.address} uses, is not active"
                    yield Fault("status", message, "reactivate it first", used, "inactive")

    def _is_new_use(self, address: Address, used: Address) -> bool:
        before = self._rows.get(address)
        return before is None or not before.active or used not in used_by_model(before.spec)

    def _values(self) -> Iterator[Fault]:
        """What kinds have against parameters; what many models share is said once."""
        refused: dict[tuple[str, str], list[Address]] = {}
        for address, findings in self._checked:
            for finding in findings:
                if finding.severity == "error":
                    refused.setdefault((finding.message, finding.hint), []).append(address)
        for (message, hint), addresses in refused.items():
            yield Fault("values", f"{message} ({some(addresses)})", hint, addresses[0])

    @cached_property
    def _checked(self) -> tuple[tuple[Address, tuple[rules.Finding, ...]], ...]:
        """What each model's kind says of its parameters, where the question is another one than before."""
        found = []
        sets = self._now["parameters"]
        for key, (spec, _) in self._now["model"].items():
            provider, _, model_id = key.partition("/")
            kind = self._kind_of(provider)[1]
            name, mode = spec["parameters"], str(spec.get("mode"))
            values = sets[name][0] if name in sets else None
            if kind is None or not values:
                continue
            findings = self._rule_checks.found(kind, model_id, mode, values, name=name)
            if findings and not self._was_asked_before(Address("model", key), kind, mode, values):
                found.append((Address("model", key), findings))
        return tuple(found)

    def _was_asked_before(self, address: Address, kind: ProviderKind, mode: str, values: Spec) -> bool:
        """Whether a kind would be asked the same as before the changes, so that its answer is nothing new."""
        spec = self._before(address)
        if spec is None or self._kind_of(address.provider)[0] != kind or str(spec.get("mode")) != mode:
            return False
        before = self._before(Address("parameters", str(spec["parameters"]))) or _NO_VALUES
        fields = (*PARAMETER_FIELDS, "unsupported")
        one, other = ({name: side.get(name) for name in fields} for side in (before, values))
        return is_same(one, other)

    def _kind_of(self, provider: str) -> tuple[ProviderKind | None, ProviderKind | None]:
        """A provider's kind before and after."""
        if provider not in self._kinds:
            address = Address("provider", provider)
            before, after = self._before(address), self.spec(address)
            self._kinds[provider] = (
                None if before is None else self._known.of(before),
                None if after is None else self._known.of(after),
            )
        return self._kinds[provider]

    def _in_use(self) -> Iterator[Fault]:
        leaving = [change for change in self._changes if isinstance(change, Deactivate)]
        for refusal in in_use(tuple(self._changes), leaving, self._rows):
            message = refusal.message.rstrip(".")
            yield Fault("status", message, "let them use another one first", refusal.addresses[0], "in-use")

    def _protected(self) -> Iterator[Fault]:
        """What would go though it was protected: one call cannot lift a protection and use that."""
        for change in self._changes:
            kind, key = change.address
            if not isinstance(change, Deactivate) or kind not in {"provider", "model"}:
                continue
            provider = Address("provider", key if kind == "provider" else change.address.provider)
            if (self._before(provider) or _NO_VALUES).get("protected"):
                message = f"{change.address} would be deactivated and {provider} is protected"
                hint = "update the provider with protected=False first"
                yield Fault("status", message, hint, change.address, "protected")


def _rewritten(change: Change) -> Spec | None:
    """What a change gives an entity; nothing for one that is only switched off, which is always possible."""
    if isinstance(change, Deactivate):
        want = change.desired
        return None if want is None or is_same(want.spec, change.observed.spec) else want.spec
    return change.desired.spec if isinstance(change, (Create, Update, Activate)) else None


def _activation(address: Address, kind: ProviderKind, level: str) -> Iterator[Fault]:
    """No model is ever activated by a probe that proves nothing."""
    hint = "write activation: immediate, or another probe"
    if level == "none":
        message = "no model is ever activated: activation waits for a probe, and probe is none"
        yield Fault("registration", message, hint, address)
    elif level not in kind.probes and level not in _WITHOUT_A_QUESTION:
        message = f"no model is ever activated: it waits for the probe {level}, and {kind.name} has none"
        yield Fault("registration", message, hint, address)
