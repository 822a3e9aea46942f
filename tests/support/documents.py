"""Hypothesis strategies for valid documents and directories, as people might write them: inheritance,
defaults, inline sets, nulls, and texts and ids that other loaders stumble over. And states from plain texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from textwrap import dedent
from typing import Any

from hypothesis import strategies as st

from reconciler.core.problem import Problem
from reconciler.core.schema_fields import BIGINT_LIMIT, INTEGER_LIMIT, MODEL_ID_PATTERN
from reconciler.core.schema_values import is_redirecting
from reconciler.core.state import DesiredState, Identity
from reconciler.source import emit
from reconciler.source.load import state_of

Document = dict[str, Any]
HERE = Identity("here")


def state(*texts: str, **files: str) -> DesiredState:
    """The state of files given as texts: the only one is `a.yaml`, others are named `b="…"`."""
    named = {
        **dict(zip(("a.yaml",), texts, strict=False)),
        **{f"{name}.yaml": text for name, text in files.items()},
    }
    contents = [(name, dedent(text).encode()) for name, text in sorted(named.items())]
    return state_of(contents, identity=HERE)


def only(found: DesiredState) -> Problem:
    """The one problem of a state."""
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


def content(found: DesiredState) -> dict[str, tuple[Mapping[str, Any], bool]]:
    """What counts in a state: specs and activity by address."""
    return {str(address): (desired.spec, desired.active) for address, desired in found.entities.items()}


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document as the text of a file."""
    return "\n".join(emit.mapping_lines(document, 0)) + "\n"


def write(directory: Path, texts: Mapping[str, str]) -> Path:
    """Write files into a directory and return it."""
    for name, text in texts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return directory


# Fields

_NASTY = (
    *(
        "no",
        "on",
        "12:30",
        "2024-10-21",
        "0100",
        "1e3",
        "0x1F",
        "-7",
        ".5",
        "~",
        "null",
        "true",
        "",
        " ",
        "  x ",
    ),
    *(
        "a: b",
        "- a",
        "# c",
        "&a",
        "*a",
        "!t",
        "|",
        ">",
        "%",
        "@",
        "`",
        "{a}",
        "[a]",
        "a,b",
        "'",
        '"',
        "\\",
        "\\n",
    ),
    *(
        "a\nb",
        "a\nb\n",
        "a\n\n",
        "\n",
        " a\nb",
        "a \nb ",
        "a\n b\n\n  c\n",
        "\t",
        "a\tb",
        "\r\n",
        "a\rb",
        "---",
        "...",
    ),
    *(
        "\x85",
        "\u2028",
        "\ufeff",
        "\x07",
        "\x1b",
        "\x7f",
        "\uffff",
        "é",
        "e\u0301",
        "漢字",
        "💥",
        "<<",
        "? a",
        "a:",
    ),
    *("$HOME ${X}", "env:X", "{{ x }}", "x" * 2000),
)
texts = st.sampled_from(_NASTY) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
)
filled = texts.filter(bool)
words = filled.map(lambda text: text[:255])
names = st.sampled_from(("a", "A", "a.b", "0100", "4.10", "null", "true", "n" * 255)) | st.from_regex(
    "[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True
)
set_names = names.filter(lambda name: name != "default")
model_ids = st.sampled_from(
    (
        "/",
        "a/b:c@d",
        "4.10",
        "~",
        "<<",
        "- a",
        "a b",
        "é",
        "\uffff" * 255,
        "💥",
        "x-y",
        "null",
        "#",
        "a: b",
        "a #b",
    )
) | st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=12
).filter(re.compile(MODEL_ID_PATTERN).fullmatch)
nullable_texts = st.none() | texts
labels = st.dictionaries(words, nullable_texts, max_size=3)
integers = st.integers(-INTEGER_LIMIT - 1, INTEGER_LIMIT)
big_integers = st.integers(-BIGINT_LIMIT - 1, BIGINT_LIMIT)
# No float that is a whole number: JSON Schema cannot tell it from one.
fractions = st.floats(-1e6, 1e6).map(lambda number: 0.5 if number.is_integer() else number)
any_floats = st.floats(allow_nan=False, allow_infinity=False)
free = st.recursive(
    st.none() | st.booleans() | big_integers | any_floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
extras = st.dictionaries(texts.filter(lambda name: not is_redirecting(name)), free, max_size=3)
formats = st.sampled_from(("text", "json_object")) | st.dictionaries(texts, free, min_size=1, max_size=3)

parameter_values = st.fixed_dictionaries(
    {},
    optional={
        "description": nullable_texts,
        "use_case": nullable_texts,
        "labels": st.none() | labels,
        "max_new_tokens": st.none() | st.integers(1, INTEGER_LIMIT),
        "min_new_tokens": st.none() | st.integers(0, INTEGER_LIMIT),
        "temperature": st.none() | fractions,
        "top_p": st.none() | fractions,
        "top_k": st.none() | integers,
        "repetition_penalty": st.none() | fractions,
        "stop_sequences": st.none() | st.lists(filled, max_size=4),
        "seed": st.none() | big_integers,
        "decoding_method": st.sampled_from((None, "greedy", "sample")),
        "reasoning_effort": st.sampled_from((None, "none", "low", "xhigh")),
        "logprobs": st.none() | st.integers(0, 20),
        "response_format": st.none() | formats,
        "unsupported": st.sampled_from((None, "warn", "drop", "error")),
        "extra": st.none() | extras,
    },
)
template_values = st.fixed_dictionaries(
    {},
    optional={
        "description": nullable_texts,
        "labels": st.none() | labels,
        "system_prompt": nullable_texts,
        "context_prefix": nullable_texts,
        "query_prefix": nullable_texts,
        "answer_prefix": nullable_texts,
    },
)
durations = st.sampled_from(("10s", "90s", "5m", "1h30m", "36h", "1d", "999999d"))
verifications = st.fixed_dictionaries(
    {},
    optional={
        "probe": st.sampled_from((None, "reach", "credential", "model", "generate")),
        "every": st.none() | durations,
        "timeout": st.none() | durations,
        "activation": st.sampled_from((None, "immediate", "verified")),
        "failure_threshold": st.none() | st.integers(1, INTEGER_LIMIT),
        "on_failure": st.sampled_from((None, "mark", "deactivate")),
    },
)
references = st.sampled_from(("env:OPENAI_API_KEY", "env:_", "file:/run/secrets/a b", None))
urls = st.sampled_from(
    ("https://example.org", "http://127.0.0.1:8080/v1/", "https://[::1]:1/a?b=c", "HTTPS://a.B/%20")
)
# Kinds of the files' own, without a table: whether a value suits a kind is tested where the tables are.
own_kinds = ("mine", "Mine.2", "0-ours")
OWN_KIND = {
    "protocol": "openai",
    "base_url": "https://llm.acme.example/v1",
    "probes": {"credential": {"path": "/models"}, "model": {"path": "/models/{model}"}},
}

provider_values = st.fixed_dictionaries(
    {"kind": st.sampled_from(own_kinds)},
    optional={
        "description": nullable_texts,
        "base_url": st.none() | urls,
        "credentials": st.sampled_from((None, "none")) | st.fixed_dictionaries({"api_key": references}),
        "active": st.sampled_from((None, True, True, False)),
        "protected": st.sampled_from((None, True, False)),
        "labels": st.none() | labels,
        "verification": st.none() | verifications,
    },
)
model_values = st.fixed_dictionaries(
    {},
    optional={
        "active": st.sampled_from((None, True, False)),
        "mode": st.sampled_from((None, "chat", "embedding", "video")),
        "version": st.none() | texts.map(lambda text: text[:255]),
        "limits": st.none()
        | st.dictionaries(
            st.sampled_from(("context", "input", "output")), st.none() | st.integers(0, BIGINT_LIMIT)
        ),
        "capabilities": st.none() | st.lists(st.sampled_from(("tools", "streaming", "vision")), max_size=3),
        "labels": st.none() | labels,
    },
)


# Documents


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """One valid document: everything it refers to stands in it, and no set extends itself."""
    sets = draw(_family(set_names, parameter_values))
    templates = draw(_family(names, template_values))
    document: Document = {"version": 1}
    document["providers"] = {
        name: draw(_provider(list(sets), list(templates)))
        for name in draw(st.lists(names, max_size=3, unique=True))
    }
    document["parameters"] = sets
    document["templates"] = templates
    document["kinds"] = {name: deepcopy(OWN_KIND) for name in own_kinds}
    empty = draw(st.sampled_from((None, {})))
    return {name: value or empty if name != "version" else value for name, value in document.items()}


@st.composite
def directories(draw: st.DrawFn) -> dict[str, Document]:
    """The same, spread over files: sets and templates stand anywhere, a provider with its models in one."""
    whole = draw(documents())
    files = draw(
        st.lists(st.sampled_from(("a.yaml", "b/c.yml", "b/d.YAML", "é.yaml")), min_size=1, unique=True)
    )
    spread: dict[str, Document] = {name: {"version": 1} for name in files}
    for section in ("providers", "parameters", "templates", "kinds"):
        for name, entity in (whole.get(section) or {}).items():
            spread[draw(st.sampled_from(files))].setdefault(section, {})[name] = entity
    return spread


@st.composite
def _family(
    draw: st.DrawFn, called: st.SearchStrategy[str], values: st.SearchStrategy[Document]
) -> dict[str, Document]:
    """Sets of which later ones may extend earlier ones."""
    family: dict[str, Document] = {}
    for name in draw(st.lists(called, max_size=4, unique=True)):
        parents = st.sampled_from((None, *family))
        family[name] = draw(st.one_of(values, st.builds(_child, parents, values)))
    return family


def _child(parent: str | None, values: Document) -> Document:
    return {"extends": parent, **values}


@st.composite
def _provider(draw: st.DrawFn, sets: list[str], templates: list[str]) -> Document:
    provider = draw(provider_values)
    provider |= draw(st.fixed_dictionaries({}, optional=_references(sets, templates)))
    inline = {
        "parameters": st.builds(_child, st.sampled_from((None, *sets)), parameter_values),
        "prompt_template": st.builds(_child, st.sampled_from((None, *templates)), template_values),
    }
    references = _references(["default", *sets], templates)
    either = {field: st.one_of(inline[field], references[field]) for field in inline}
    models = st.none() | st.builds(
        lambda values, used: {**values, **used}, model_values, st.fixed_dictionaries({}, optional=either)
    )
    return {**provider, "models": draw(st.dictionaries(model_ids, models, max_size=3))}


def _references(sets: list[str], templates: list[str]) -> dict[str, st.SearchStrategy[str | None]]:
    return {
        "parameters": st.sampled_from((None, *sets)),
        "prompt_template": st.sampled_from((None, *templates)),
    }
