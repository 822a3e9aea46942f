"""Which of our parameters a provider complains about. Every provider words it in its own way, so the places
that are made for it are read first, then what is quoted, and last the words of the sentence. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from reconciler.core.rules import PARAMETER_FIELDS
from reconciler.core.wire import Wired, value_at
from reconciler.protocols.generation import Call

# Names that a provider may use for what was sent under another one.
_OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "max_new_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"),
    "min_new_tokens": ("min_tokens",),
    "repetition_penalty": ("repeat_penalty",),
    "stop_sequences": ("stop",),
    "seed": ("random_seed",),
    "logprobs": ("top_logprobs",),
    "reasoning_effort": ("reasoning.effort",),
    "response_format": ("text.format",),
}
# One word, but none that a sentence about anything else would hold.
_TELLING = frozenset({"temperature", "logprobs"})
# What follows is advice, and names what may be sent instead.
_ADVICE = re.compile(
    r"\b(?:supported|allowed|valid|accepted|permitted|available)\s+"
    r"(?:parameters|arguments|fields|properties|inputs|options)\b|\bdid you mean\b|\buse\s+['\"`]",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"['\"]loc['\"]:\s*[\[(]([^\])]*)[\])]")
_QUOTED = re.compile(r"['\"`\u2018\u201c]([A-Za-z][\w.\[\]-]{0,200})['\"`\u2019\u201d]")
_INDEX = re.compile(r"\[\d*\]")
_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")
# What stands around a name where the sentence is about it.
_BEFORE = (
    r"(?:parameters?|arguments?|fields?|property|properties|keys?|values? for|supplied|option)"
    r"\s*(?:is|are)?:?\s+(?:[\w.]{1,60}(?:,|,? and)\s+){0,8}"
)
_AFTER = (
    r"\s*(?::|=|must|should|is (?:not|too|invalid|out)|isn't|cannot|can't|can not|has to|may not|are not|"
    r"does not|doesn't|exceeds|out of range|not (?:supported|allowed|permitted))"
)
# How far an answer is searched.
_LONGEST, _DEEPEST, _MOST = 4000, 5, 50
# Only these lead to what points at a field; an answer may well repeat the request.
_LEADING = frozenset(
    {"error", "errors", "detail", "details", "fieldViolations", "field_violations", "target"}
)


def refused_parameters(document: Any, message: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Our names of the parameters that a complaint speaks of, in the order of the file format.

    Args:
        document: The answer's body.
        message: The complaint in words.
        names: Our field by its dotted wire name, of what was really sent.

    >>> sent = {"max_completion_tokens": "max_new_tokens", "top_p": "top_p", "top_k": "extra.top_k"}
    >>> refused_parameters({"error": {"param": "top_p"}}, "", sent)
    ('top_p',)
    >>> refused_parameters(None, "Unrecognized request argument supplied: top_k", sent)
    ('extra.top_k',)
    """
    text = message[:_LONGEST]
    advice = _ADVICE.search(text)
    said = text[: advice.start()] if advice else text
    found = _named(_pointed_at(document, text), names) or _in_words(said, names) or _in_words(text, names)
    return tuple(sorted(found, key=_order))


def _in_words(said: str, names: Mapping[str, str]) -> set[str]:
    spoken_of = {ours for wire, ours in names.items() if _is_spoken_of(wire, ours, said)}
    return spoken_of | _named(_QUOTED.findall(said), names)


def names_sent(call: Call, wired: Wired) -> dict[str, str]:
    """Our field by its dotted wire name, of everything that a call really holds."""
    every = {**wired.names, **call.renamed}
    return {wire: ours for wire, ours in every.items() if value_at(call.body, wire) is not None}


def _order(ours: str) -> tuple[int, str]:
    known: tuple[str, ...] = PARAMETER_FIELDS
    return (known.index(ours) if ours in known else len(known), ours)


# What is made for it: `error.param`, `detail[].loc`, `fieldViolations[].field`


def _pointed_at(document: Any, message: str) -> list[str]:
    """The names that a complaint's own fields point at, and those that it quotes such fields with."""
    quoted = (part.strip(" '\"") for place in _LOCATION.findall(message) for part in place.split(","))
    return [*_pointers(document, depth=0), *quoted]


def _pointers(found: Any, *, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(found, list):
        for item in found[:_MOST]:
            yield from _pointers(item, depth=depth + 1)
    elif isinstance(found, Mapping):
        for name, value in found.items():
            if name in {"param", "field", "parameter"} and isinstance(value, str):
                yield value
            elif name == "loc" and isinstance(value, list):
                yield from _steps(value)
            elif name in _LEADING:
                yield from _pointers(value, depth=depth + 1)


def _steps(location: list[Any]) -> Iterator[str]:
    """A place as a dotted name; the first step often says that it is the body's."""
    words = [step for step in location if isinstance(step, str)]
    for start in range(min(len(words), 3)):
        yield ".".join(words[start:])
    yield from words


# Names


def _named(said: list[str], names: Mapping[str, str]) -> set[str]:
    """Our names of what was said, by the whole of a dotted name or else by its last part."""
    spoken = {form for text in said for form in _forms(_INDEX.sub("", text).strip(". "))}
    return {ours for wire, ours in names.items() if spoken & _spellings(wire, ours)}


def _forms(text: str) -> tuple[str, str]:
    """How a name is compared: whole and by its last part, both in lower case with underscores."""
    plain = _snake(text)
    return plain, plain.rpartition(".")[2]


@lru_cache(maxsize=512)
def _spellings(wire: str, ours: str) -> frozenset[str]:
    """The names of one parameter, all as they are compared."""
    own = () if ours.startswith("extra.") else (ours, *_OTHER_NAMES.get(ours, ()))
    return frozenset(form for name in (wire, *own) for form in _forms(name))


def _snake(name: str) -> str:
    """A name in lower case with underscores, as all are compared.

    >>> _snake("generationConfig.topK")
    'generation_config.top_k'
    """
    return _HUMP.sub(r"_\1", name).lower().replace("-", "_")


def _is_spoken_of(wire: str, ours: str, message: str) -> bool:
    return _pattern(wire, ours).search(_snake(message)) is not None


@lru_cache(maxsize=512)
def _pattern(wire: str, ours: str) -> re.Pattern[str]:
    """A parameter's names in a sentence: telling ones anywhere, ordinary words where it is about them."""
    leaves = sorted({form.rpartition(".")[2] for form in _spellings(wire, ours)})
    telling = [re.escape(leaf) for leaf in leaves if "_" in leaf or leaf in _TELLING]
    ordinary = [re.escape(leaf) for leaf in leaves if "_" not in leaf and leaf not in _TELLING]
    anywhere = [rf"(?<!\w)(?:{'|'.join(telling)})(?!\w)"] if telling else []
    words = "|".join(ordinary)
    about = [rf"{_BEFORE}(?:{words})(?!\w)", rf"(?<!\w)(?:{words}){_AFTER}"] if ordinary else []
    return re.compile("|".join((*anywhere, *about)))
