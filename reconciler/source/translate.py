"""What pydantic found wrong, in the words of the file format: a stable code, the place, what is wrong, and
what to write instead. No value is repeated that could be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from reconciler.source.places import Fault, Locator, Map
from reconciler.source.spelling import did_you_mean, shown

_KEY = "[key]"
# Steps that pydantic puts in for the forms of a value; nothing of these names stands in the file.
TAGS = frozenset({"<name>", "<inline>", "<none>", "<references>"})
# Whatever stands under a provider's credentials and is no reference may be the secret itself.
_CREDENTIALS = "credentials"
_REFERENCE_HINT = "refer to the secret: env:NAME or file:/absolute/path; and change the key if it was real"
_NO_REFERENCE = ("literal-secret", "what stands under credentials is no reference", _REFERENCE_HINT)
_DURATIONS = frozenset({"every", "timeout"})
# The fields of requests that hold names, and the section of a file where each is a key.
_NAMED = {"name": "parameters", "provider_name": "providers", "model_id": "models"}
_NO_NAME = frozenset({"string_pattern_mismatch", "string_too_long", "string_too_short"})
_OWN_CODES = frozenset(
    {"bad-name", "bad-reference", "bad-text", "bad-url", "literal-secret", "out-of-range", "wrong-type"}
    | {"wrong-value"}
)
_HINTS = {
    "bad-reference": "write env:NAME, of letters, digits and _, or file:/absolute/path",
    "bad-url": "write https://host/path; keys belong under credentials",
    "literal-secret": _REFERENCE_HINT,
}
_EXTRA_HINT = "leave it out; where a request goes and what it says is decided by other fields"
_BOUNDS = {
    "greater_than_equal": ("ge", "the least is"),
    "less_than_equal": ("le", "the most is"),
    "greater_than": ("gt", "it must be more than"),
    "less_than": ("lt", "it must be less than"),
}

Step = str | int
Said = tuple[str, str, str]


class Finding(NamedTuple):
    """One error: the steps that lead to it, and what to tell."""

    steps: tuple[Step, ...]
    is_missing: bool
    fault: Fault


class _Error(NamedTuple):
    """One of pydantic's errors, with the name of the field it is about."""

    type: str
    steps: tuple[Step, ...]
    name: str
    value: Any
    context: Mapping[str, Any]
    message: str
    is_key: bool


def findings(error: ValidationError, root: Map, schema: type[BaseModel]) -> list[Finding]:
    """Every error of a document, each value's once."""
    locator, seen, found = Locator(root), set(), []
    for raw in chain.from_iterable(map(_each, error.errors(include_url=False))):
        one = _error(raw)
        key_at, value_at, path = locator.find(one.steps)
        code, message, hint = _said(one, schema)
        if code == "missing-field":
            path = f"{path}.{one.name}" if path else one.name
        if one.is_key and _CREDENTIALS in one.steps:
            path = path.rpartition(".")[0]
        at = key_at if one.is_key or code in ("unknown-field", "missing-field") else value_at
        if (at, path) not in seen:
            seen.add((at, path))
            found.append(Finding(one.steps, one.type == "missing", Fault(code, at, path, message, hint)))
    return found


class Sentence(NamedTuple):
    """One error of a mapping that stands in no file: the steps that lead to it, and what to tell."""

    steps: tuple[Step, ...]
    code: str
    message: str
    hint: str


def sentences(error: ValidationError, schema: type[BaseModel]) -> list[Sentence]:
    """Every error of a mapping that a program gave, each value's once."""
    found: dict[tuple[Step, ...], Sentence] = {}
    for raw in chain.from_iterable(map(_each, error.errors(include_url=False))):
        one = _error(raw)
        # Whatever stands there and is no reference may be the secret itself, whatever it looks like.
        is_secret = one.steps[:1] == (_CREDENTIALS,) and one.type != "bad-reference"
        said = _NO_REFERENCE if is_secret else _named(one) or _said(one, schema)
        steps = tuple(step for step in one.steps if step not in TAGS)
        found.setdefault(steps, Sentence(steps, *said))
    return list(found.values())


def _named(error: _Error) -> Said | None:
    """What is wrong with a name that a program gave as a field, and a file as a key."""
    if error.type not in _NO_NAME or error.name not in _NAMED:
        return None
    code, message, hint = _bad_name(error._replace(steps=(_NAMED[error.name],)))
    return code, f"{error.name}: {message}", hint


def _each(raw: Any) -> Iterator[Any]:
    """One of pydantic's errors, and those that its context brings along."""
    yield raw
    for also in (raw.get("ctx") or {}).get("also", ()):
        yield {**raw, **also}


def _error(raw: Any) -> _Error:
    context = raw.get("ctx") or {}
    steps = (*raw["loc"], *context.get("steps", ()))
    is_key = bool(steps) and steps[-1] == _KEY
    steps = steps[:-1] if is_key else steps
    name = next((step for step in reversed(steps) if isinstance(step, str) and not step.startswith("<")), "")
    return _Error(raw["type"], steps, name, raw["input"], context, raw["msg"], is_key)


def _said(error: _Error, schema: type[BaseModel]) -> Said:
    """The code, the message and the hint for one error."""
    if error.is_key:
        said = _bad_name(error)
    elif _is_credential(error.steps) and error.type != "bad-reference":
        said = _NO_REFERENCE
    elif error.type == "extra_forbidden":
        said = _unknown_field(error, schema)
    elif _is_absent(error):
        said = "missing-field", f"{error.name} is missing", f"write {error.name}: …"
    elif error.type in _OWN_CODES:
        said = _own(error)
    elif error.type in _BOUNDS:
        word, phrase = _BOUNDS[error.type]
        bound = error.context[word]
        limit = f"{bound:g}" if isinstance(bound, float) else str(bound)
        message = f"{error.name} is {error.value}; {phrase} {limit}"
        said = "out-of-range", message, "write a number in that range"
    elif error.type == "literal_error":
        said = _wrong_word(error)
    else:
        said = _wrong_type(error) or _wrong_text(error)
    return said


def _is_absent(error: _Error) -> bool:
    """Whether a field that must be there is not, or is `null`, which means the same."""
    is_null = error.value is None and error.type == "string_type" and error.steps[-1] == error.name
    return error.type == "missing" or is_null


def _is_credential(steps: Sequence[Step]) -> bool:
    return len(steps) > 2 and steps[0] == "providers" and steps[2] == _CREDENTIALS  # noqa: PLR2004 a path's shape


def _own(error: _Error) -> Said:
    """An error that our own types raised: its type is the code already."""
    message = f"{error.name}: {error.message}" if error.name else error.message
    if error.type == "wrong-value" and "extra" in error.steps:
        return (
            error.type,
            f"extra may not hold {error.name}: it would redirect or replace the request",
            _EXTRA_HINT,
        )
    if error.name in _DURATIONS:
        return error.type, f"{error.name} is no duration", "write a duration such as 10s, 5m, 1h30m or 1d"
    if error.name == "response_format":
        return (
            error.type,
            "response_format is neither a known word nor a mapping",
            ("write text, json_object, or a mapping such as {type: json_schema, …}"),
        )
    if error.type == "out-of-range":
        return error.type, message, "write a finite number"
    return error.type, message, _HINTS.get(error.type, "")


def _bad_name(error: _Error) -> Said:
    if "labels" in error.steps:
        return "bad-name", "this is no name of a label", "write 1 to 255 characters"
    if "models" in error.steps:
        message = "this is no model id"
        hint = "an id has 1 to 255 characters, without control or invisible ones and without outer spaces"
        return "bad-name", message, hint
    if error.type == "bad-name":
        return "bad-name", error.message, "choose another name"
    hint = "names are letters, digits, dots, _ and -, at most 255, and begin with a letter or digit"
    return "bad-name", "this is no name", hint


def _unknown_field(error: _Error, schema: type[BaseModel]) -> Said:
    name = str(error.steps[-1])
    known = fields_at(schema, error.steps[:-1])
    hint = did_you_mean(name, tuple(known))
    if not hint and known:
        hint = f"known here: {', '.join(known)}"
    return "unknown-field", f"{name} is no field here", hint


def _wrong_word(error: _Error) -> Said:
    known = tuple(re.findall(r"'([^']*)'", str(error.context["expected"])))
    listed = f"write {' or '.join(known)}" if len(known) < 3 else f"write one of {', '.join(known)}"  # noqa: PLR2004
    if not isinstance(error.value, str):
        return "wrong-type", f"{error.name} must be a word, not {_described(error.value)}", listed
    hint = did_you_mean(error.value, known) or listed
    return "wrong-value", f"{error.name} is {shown(error.value)}, which is no word that it takes", hint


def _wrong_type(error: _Error) -> Said | None:
    """A value of another kind than belongs there."""
    value = error.value
    match error.type:
        case "string_type":
            wanted, hint = "text", _text_hint(error)
        case "int_type" | "int_from_float":
            wanted, hint = "a whole number", _whole_hint(value)
        case "float_type":
            wanted, hint = "a number", _unquote_hint(value)
        case "bool_type":
            wanted, hint = "true or false", "write true or false"
        case "list_type":
            wanted, hint = "a list", "write a list: [one, two]"
        case "dict_type" | "model_type" | "model_attributes_type" | "mapping_type":
            wanted, hint = (
                "a mapping",
                "write {} if it is empty" if value is None else "write name: value below it",
            )
        case "union_tag_not_found" | "union_tag_invalid":
            wanted, hint = "a name or a mapping", "write a name, or a mapping of values"
        case _:
            return None
    return "wrong-type", f"{error.name} must be {wanted}, not {_described(value)}", hint


def _wrong_text(error: _Error) -> Said:
    """A text or list that has the right kind and is wrong in itself."""
    name = error.name
    match error.type:
        case "finite_number":
            return "out-of-range", f"{name} must be a finite number", "write a number such as 0.7"
        case "string_too_long" | "too_long":
            most = error.context["max_length"]
            return "out-of-range", f"{name} is longer than {most}", f"write at most {most}"
        case "string_too_short" | "too_short":
            return "wrong-value", f"{name} is empty", "write something, or leave it out"
        case "string_unicode":
            return "bad-text", f"{name} is no proper text", "remove half characters (surrogates)"
        case "string_pattern_mismatch" if isinstance(error.value, str) and "\0" in error.value:
            return "bad-text", f"{name} holds a NUL character", "remove it"
        case _:
            return "wrong-value", f"{name}: {error.message[:1].lower()}{error.message[1:200]}", ""


def _text_hint(error: _Error) -> str:
    if error.name in _DURATIONS:
        return "write a duration such as 10s, 5m, 1h30m or 1d"
    return "write it in quotes" if isinstance(error.value, (bool, int, float)) else "write text"


def _whole_hint(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"write {int(value)}"
    return _unquote_hint(value)


def _unquote_hint(value: Any) -> str:
    is_number = isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?", value)
    return "write it without quotes" if is_number else "write a number"


def _described(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(value)
    for types, words in _KINDS_OF_VALUE:
        if isinstance(value, types):
            return words
    return "a list"


# In this order: what is true or false is a whole number to Python too.
_KINDS_OF_VALUE: tuple[tuple[tuple[type, ...], str], ...] = (
    ((type(None),), "nothing"),
    ((bool,), "true or false"),
    ((int, float), "a number"),
    ((str,), "text"),
    ((Mapping,), "a mapping"),
)


def fields_at(schema: type[BaseModel], steps: Sequence[Step]) -> list[str]:
    """The names of the fields that a mapping takes, following the schema down the steps."""
    models: list[Any] = [schema]
    for step in steps:
        inner = [field for model in models for field in _inner(model, step)]
        models = inner or models
    return sorted({name for model in models if _is_schema(model) for name in model.model_fields})


def _is_schema(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def _inner(hint: Any, step: Step) -> list[Any]:
    """What stands one step below a type: schemas as they are, unions and containers looked through."""
    if _is_schema(hint):
        field = hint.model_fields.get(str(step))
        return _schemas_in(field.annotation) if field else []
    return []


def _schemas_in(hint: Any) -> list[Any]:
    if _is_schema(hint):
        return [hint]
    return [schema for argument in get_args(hint) for schema in _schemas_in(argument)]
