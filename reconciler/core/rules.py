"""Does a parameter set suit a model? A kind's table and its cross-parameter rules, applied to one set for one
model. The tables are data (`reconciler.kinds`); what they mean is here, and nowhere else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple, TypeGuard, assert_never, get_args

from reconciler.core.problem import Severity
from reconciler.core.provider_kind import CrossRule, ParameterRule, ProviderKind, Variant
from reconciler.core.state import Spec

ParameterField = Literal[
    "max_new_tokens",
    "min_new_tokens",
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "frequency_penalty",
    "presence_penalty",
    "stop_sequences",
    "seed",
    "decoding_method",
    "reasoning_effort",
    "logprobs",
    "response_format",
]
PARAMETER_FIELDS: tuple[ParameterField, ...] = get_args(ParameterField)
_ORDER: Mapping[str, int] = {name: place for place, name in enumerate(PARAMETER_FIELDS)}

# What a limit is shown as: these count something, the others are measures.
_WHOLE: frozenset[str] = frozenset({"max_new_tokens", "min_new_tokens", "top_k", "seed", "logprobs"})
# Modes in which text is generated, so that another one of them may take what this one does not.
_TEXT_MODES = ("chat", "completion")
# What a kind without a table takes: each field, as it stands.
_EVERYTHING: Mapping[str, ParameterRule] = dict.fromkeys(PARAMETER_FIELDS, ParameterRule())
_NOT_TAKEN = ParameterRule(supported=False)
_NOTHING: Mapping[str, ParameterRule] = {}

Code = Literal["out-of-range", "unsupported-parameter", "parameter-conflict", "wrong-value"]


class Finding(NamedTuple):
    """One thing that is wrong with a parameter set on one model; `field` is where it is best mended."""

    field: str
    code: Code
    severity: Severity
    message: str
    hint: str


def check(kind: ProviderKind, *, model_id: str, mode: str, parameters: Spec) -> tuple[Finding, ...]:
    """What a kind has against a resolved parameter set on one of its models; empty where nothing.

    The set's `unsupported` says what becomes of fields that the kind does not take: `warn` (the default),
    `drop` or `error`. A kind without a table accepts every field. The answer depends on the model only
    through `variant_of`.

    >>> kind = ProviderKind("acme", "openai", parameters={"temperature": ParameterRule(maximum=2.0)})
    >>> check(kind, model_id="m", mode="chat", parameters={"temperature": 9.0})[0].message
    'temperature is 9.0; acme takes at most 2.0'
    """
    view = _view(kind, model_id, mode)
    if view is None:
        return ()
    policy = parameters.get("unsupported", "warn")
    taken: dict[str, Any] = {}
    findings = []
    # A set has few fields of the many, so its own are gone through, and what is found is put in order.
    for name, value in parameters.items():
        if name not in _ORDER or value is None:
            continue
        rule = view.rule(name)
        if rule.supported:
            taken[name] = value
            found = _value_finding(view, rule, name, value)
        else:
            found = _left_out(view, rule, name, value, policy)
        if found is not None:
            findings.append(found)
    for cross in view.cross:
        findings.extend(_cross_findings(view, cross, taken))
    return tuple(sorted(findings, key=lambda finding: _ORDER[finding.field]))


def plain_ranges(kind: ProviderKind) -> Mapping[str, tuple[float, float]]:
    """The least and the greatest number by field, of fields that nothing else is to be said of.

    A set whose parameters are all numbers within these ranges suits every model of the kind; of any other one
    only `check` knows. For many sets, of which most are well.

    >>> plain_ranges(ProviderKind("acme", "openai", parameters={"top_p": ParameterRule(maximum=1.0)}))
    {'top_p': (-inf, 1.0)}
    """
    general = _EVERYTHING if kind.parameters is None else kind.parameters
    tables = [general, *({**general, **variant.parameters} for variant in kind.variants)]
    cross = chain(kind.rules, *(variant.rules for variant in kind.variants))
    special = {name for rule in cross for name in _needed_by(rule)}
    return {
        name: _narrowest([table[name] for table in tables])
        for name in general
        if name not in special and all(table[name].supported and not table[name].choices for table in tables)
    }


def _narrowest(several: Iterable[ParameterRule]) -> tuple[float, float]:
    ends = [_ends(rule) for rule in several]
    return max(low for low, _ in ends), min(high for _, high in ends)


def _ends(rule: ParameterRule) -> tuple[float, float]:
    low = -math.inf if rule.minimum is None else rule.minimum
    high = math.inf if rule.maximum is None else rule.maximum
    return (
        math.nextafter(low, math.inf) if rule.exclusive_minimum else low,
        math.nextafter(high, -math.inf) if rule.exclusive_maximum else high,
    )


def _needed_by(rule: CrossRule) -> Collection[str]:
    """Fields of which one at least is set wherever the rule says anything."""
    if rule.when:
        return rule.when.keys()
    match rule.rule:
        case "not-together" | "ordered":
            return rule.fields[:-1]
        case "requires":
            return rule.fields[:1]
        case "no-effect":
            return rule.fields
        case _:
            assert_never(rule.rule)


def variant_of(kind: ProviderKind, model_id: str, mode: str) -> Variant | None:
    """The first of the kind's variants that the model belongs to, or `None`."""
    for variant in kind.variants:
        if variant.modes and mode not in variant.modes:
            continue
        if not variant.match or _pattern(variant.match)(model_id.lower()):
            return variant
    return None


def rules_for(kind: ProviderKind, model_id: str, mode: str) -> Mapping[str, ParameterRule] | None:
    """The rules by parameter field for one model; `None` where every field is accepted.

    A field that is absent is one that the model does not take.
    """
    view = _view(kind, model_id, mode)
    if view is None or (view.variant is None and kind.parameters is None):
        return None
    return {**view.general, **view.special}


class _View(NamedTuple):
    """What counts for one model, and who is spoken of in messages. The two tables are not merged: a view is
    made for each check, and most checks look at a few fields only.
    """

    kind: ProviderKind
    variant: Variant | None
    model_id: str
    mode: str
    general: Mapping[str, ParameterRule]
    special: Mapping[str, ParameterRule]
    cross: tuple[CrossRule, ...]

    def rule(self, name: str) -> ParameterRule:
        return self.special.get(name) or self.general.get(name, _NOT_TAKEN)

    @property
    def subject(self) -> str:
        return self.kind.name if self.variant is None else self.variant.name

    @property
    def takes(self) -> str:
        return "takes" if self.variant is None else "take"


def _view(kind: ProviderKind, model_id: str, mode: str) -> _View | None:
    variant = variant_of(kind, model_id, mode)
    general = _EVERYTHING if kind.parameters is None else kind.parameters
    if variant is not None:
        cross = kind.rules + variant.rules
        return _View(kind, variant, model_id, mode, general, variant.parameters, cross)
    if kind.parameters is None and not kind.rules:
        return None
    return _View(kind, None, model_id, mode, general, _NOTHING, kind.rules)


@lru_cache(maxsize=256)
def _pattern(match: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(translate(glob.lower()) for glob in match)).match


# One field's value


def _value_finding(view: _View, rule: ParameterRule, name: str, value: Any) -> Finding | None:
    if _is_number(value):
        return None if _is_within(rule, value) else _out_of_range(view, name, value)
    if isinstance(value, (list, tuple)):
        most = rule.max_items
        return None if most is None or len(value) <= most else _too_many(view, name, len(value), most)
    return _wrong_word(view, name, value) if rule.choices else None


def _is_within(rule: ParameterRule, value: float) -> bool:
    low, high = rule.minimum, rule.maximum
    above = low is None or value > low or (value == low and not rule.exclusive_minimum)
    below = high is None or value < high or (value == high and not rule.exclusive_maximum)
    return above and below


def is_harmless(rule: ParameterRule, value: Any) -> bool:
    """Whether a field that is not taken says what the model does anyway."""
    has_range = rule.minimum is not None or rule.maximum is not None
    return has_range and _is_number(value) and _is_within(rule, value)


def _out_of_range(view: _View, name: str, value: float) -> Finding:
    rule = view.rule(name)
    is_high = rule.maximum is not None and value >= rule.maximum
    limit = _upper(rule, name) if is_high else _lower(rule, name) or _upper(rule, name)
    return Finding(
        name,
        "out-of-range",
        "error",
        f"{name} is {_shown(name, value)}; {view.subject} {view.takes} {limit}",
        f"write a value {_range(rule, name)}",
    )


def _range(rule: ParameterRule, name: str) -> str:
    low, high = rule.minimum, rule.maximum
    if low is not None and high is not None and not (rule.exclusive_minimum or rule.exclusive_maximum):
        return f"from {_shown(name, low)} to {_shown(name, high)}"
    limits = (_lower(rule, name), _upper(rule, name))
    return "of " + " and ".join(limit for limit in limits if limit)


def _lower(rule: ParameterRule, name: str) -> str:
    if rule.minimum is None:
        return ""
    return f"{'more than' if rule.exclusive_minimum else 'at least'} {_shown(name, rule.minimum)}"


def _upper(rule: ParameterRule, name: str) -> str:
    if rule.maximum is None:
        return ""
    return f"{'less than' if rule.exclusive_maximum else 'at most'} {_shown(name, rule.maximum)}"


def _shown(name: str, value: float) -> str:
    """As a person writes it: whole where the field counts something, else with a decimal point.

    Integers are not made floats, which hold fewer of them.
    """
    if isinstance(value, int):
        return str(value) if name in _WHOLE else f"{value}.0"
    return str(int(value)) if name in _WHOLE and value.is_integer() else str(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _too_many(view: _View, name: str, count: int, most: int) -> Finding:
    message = f"{name} has {count} entries; {view.subject} {view.takes} at most {most}"
    return Finding(name, "out-of-range", "error", message, f"leave out {count - most} of them")


def _wrong_word(view: _View, name: str, value: Any) -> Finding | None:
    # A response format is written as a word or as a mapping whose type is that word.
    word = value.get("type") if isinstance(value, Mapping) else value
    choices = view.rule(name).choices
    if not isinstance(word, str) or word in choices:
        return None
    known = ", ".join(choices)
    message = f"{name} is {word}; {view.subject} {view.takes} {known}"
    return Finding(name, "wrong-value", "error", message, f"write one of {known}")


# A field that is not taken


def _left_out(view: _View, rule: ParameterRule, name: str, value: Any, policy: Any) -> Finding | None:
    if policy == "drop" or is_harmless(rule, value):
        return None
    return _unsupported(view, name, value, refused=policy == "error")


def _unsupported(view: _View, name: str, value: Any, *, refused: bool) -> Finding:
    rule = view.rule(name)
    if rule.minimum is not None and rule.minimum == rule.maximum and _is_number(value):
        only = _shown(name, rule.minimum)
        message = f"{name} is {_shown(name, value)}; {view.subject} {view.takes} only {only}"
    else:
        message = f"{view.subject} {view.takes} no {name}"
    way_out = f"remove {name}" + _other_mode(view, name)
    if refused:
        return Finding(name, "unsupported-parameter", "error", message, way_out)
    return Finding(
        name,
        "unsupported-parameter",
        "warning",
        f"{message}; it is left out of requests",
        f"{way_out}, or write unsupported: drop to leave it out silently",
    )


def _other_mode(view: _View, name: str) -> str:
    for mode in _TEXT_MODES:
        table = rules_for(view.kind, view.model_id, mode) or {}
        if mode != view.mode and table.get(name, _NOT_TAKEN).supported:
            return f", or write mode: {mode}, which takes it"
    return ""


# Several fields together


def _cross_findings(view: _View, rule: CrossRule, taken: Mapping[str, Any]) -> Iterator[Finding]:
    if any(name not in taken or taken[name] != value for name, value in rule.when.items()):
        return
    given = [name for name in rule.fields if name in taken]
    match rule.rule:
        case "not-together":
            if len(given) > 1:
                message = f"{view.subject} {view.takes} only one of {_listed(given)}"
                yield _conflict(rule, given[-1], message, f"remove {_listed(given[1:])} or {given[0]}")
        case "no-effect":
            for name in given:
                message = f"{name} has no effect with {_conditions(rule)}"
                yield _conflict(rule, name, message, f"remove {name}, or {_listed(list(rule.when))}")
        case "ordered":
            if len(given) > 1 and _is_greater(taken[given[0]], taken[given[1]]):
                low, high = given[:2]
                message = f"{low} is {taken[low]}; the most is {high}, which is {taken[high]}"
                yield _conflict(rule, low, message, f"lower {low}, or raise {high}")
        case "requires":
            missing = [name for name in rule.fields[1:] if name not in taken]
            if missing and rule.fields[0] in taken:
                message = f"{rule.fields[0]} needs {_listed(missing)}"
                yield _conflict(rule, rule.fields[0], message, f"set {_listed(missing)}")
        case _:
            assert_never(rule.rule)


def _conflict(rule: CrossRule, name: str, message: str, hint: str) -> Finding:
    return Finding(name, "parameter-conflict", rule.severity, rule.message or message, rule.hint or hint)


def _conditions(rule: CrossRule) -> str:
    return " and ".join(f"{name}: {value}" for name, value in rule.when.items())


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)


def _is_greater(left: Any, right: Any) -> bool:
    return _is_number(left) and _is_number(right) and left > right
