"""Hypothesis strategies for whole desired states, with any text that the format takes in every field, and
for edits of such a state. Specs are canonical, as the loader makes them.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from support.small_states import model, parameters, provider, state_of, template

from reconciler.core.address import Address
from reconciler.core.inheritance import without_nulls
from reconciler.core.schema_fields import BIGINT_LIMIT, INTEGER_LIMIT, MODEL_ID_PATTERN, NUMBER_LIMIT
from reconciler.core.schema_values import canonical
from reconciler.core.state import Desired, DesiredState

# The same examples in every run. Each one costs many statements, so a failing one is shown as it was found.
DATABASE_LAW = settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

# What COPY, SQL, JSON, YAML, LIKE and format strings would each stumble over.
NASTY = (
    *(
        "\\N",
        "\\.",
        "\\",
        "\\\\n",
        "'",
        "''; --",
        '"',
        "NULL",
        "null",
        "{}",
        "[]",
        "%s",
        "%(x)s",
        "{0}",
        "$1",
    ),
    *(
        "${HOME}",
        "a\tb",
        "a\nb",
        "\r\n",
        " ",
        "  outer  ",
        "0",
        "1e3",
        "no",
        "~",
        "é",
        "e\u0301",
        "ß",
        "İ",
        "💥",
    ),
    *("\u200b", "\ufeff", "\x01", "\x7f", "\uffff", "a" * 3000),
)
NASTY_IDS = (
    *(
        "/",
        "//",
        "a/",
        "/a",
        "a/b/c",
        ":",
        "a:b",
        "@cf/meta/llama-3.1",
        "gpt-4:free",
        "\\N",
        "\\.",
        "'",
        '"',
        "%s",
    ),
    *(
        "{0}",
        "null",
        "a b",
        "0100",
        "4.10",
        "é",
        "e\u0301",
        "M",
        "m",
        "💥",
        "x" * 255,
        "é" * 255,
        "model:p/x",
    ),
)

texts = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
)
names = st.sampled_from(("a", "A", "a.b", "a-b", "0100", "null", "true", "n" * 255)) | st.from_regex(
    "[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True
).filter(lambda name: name != "default")
model_ids = st.sampled_from(NASTY_IDS) | st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=20
).filter(lambda text: re.fullmatch(MODEL_ID_PATTERN, text) is not None)

whole = st.integers(-INTEGER_LIMIT - 1, INTEGER_LIMIT)
big = st.integers(-BIGINT_LIMIT - 1, BIGINT_LIMIT)
numbers = st.sampled_from((0.0, -0.0, 1.0, 0.1, 1e-7, 5e-324, NUMBER_LIMIT)) | st.floats(
    -NUMBER_LIMIT, NUMBER_LIMIT
)
# In free JSON a number of any size is kept digit by digit.
any_number = (
    st.integers(-(10**30), 10**30)
    | st.sampled_from((2.0**53, 1e22, 1e23, 1.7e308))
    | st.floats(allow_nan=False, allow_infinity=False)
)
free_json = st.recursive(
    st.none() | st.booleans() | any_number | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
mappings = (
    st.dictionaries(texts, free_json, min_size=1, max_size=3)
    .map(lambda value: without_nulls(canonical(value)))
    .filter(bool)
)
labels = st.dictionaries(texts.filter(lambda key: 0 < len(key) <= 255), texts, min_size=1, max_size=3)
references = st.sampled_from(("env:OPENAI_API_KEY", "file:/run/secrets/a b", "env:_"))

provider_specs = st.fixed_dictionaries(
    {"kind": st.sampled_from(("openai", "watsonx", "mine"))},
    optional={
        "kind_spec": mappings,
        "description": texts,
        "base_url": st.just("https://example.org/v1?x=%20"),
        "credentials": st.just("none") | st.dictionaries(names, references, min_size=1, max_size=2),
        "verification": st.fixed_dictionaries(
            {"probe": st.sampled_from(("none", "reach", "generate"))},
            optional={
                "every": st.sampled_from(("1h", "90s")),
                "timeout": st.just("10s"),
                "activation": st.sampled_from(("immediate", "verified")),
                "failure_threshold": st.integers(1, 9),
                "on_failure": st.sampled_from(("mark", "deactivate")),
            },
        ),
        "labels": labels,
        "protected": st.just(True),
    },
)
parameter_specs = st.fixed_dictionaries(
    {},
    optional={
        "description": texts,
        "use_case": texts,
        "labels": labels,
        "max_new_tokens": st.integers(1, INTEGER_LIMIT),
        "min_new_tokens": st.integers(0, INTEGER_LIMIT),
        "temperature": numbers,
        "top_p": numbers,
        "top_k": whole,
        "repetition_penalty": numbers,
        "frequency_penalty": numbers,
        "presence_penalty": numbers,
        "stop_sequences": st.lists(texts, min_size=1, max_size=4),
        "seed": big,
        "decoding_method": texts,
        "reasoning_effort": texts,
        "logprobs": whole,
        "response_format": st.sampled_from(("text", "json_object")) | mappings,
        "unsupported": st.sampled_from(("drop", "error")),
        "extra": mappings,
    },
)
template_specs = st.fixed_dictionaries(
    {},
    optional={
        "provider": names,
        "description": texts,
        "labels": labels,
        "system_prompt": texts,
        "context_prefix": texts,
        "query_prefix": texts,
        "answer_prefix": texts,
    },
)
model_specs = st.fixed_dictionaries(
    {"mode": st.sampled_from(("chat", "embedding", "video"))},
    optional={
        "version": texts.map(lambda text: text[:255]),
        "limits": st.dictionaries(
            st.sampled_from(("context", "input", "output")), st.integers(0, BIGINT_LIMIT), min_size=1
        ),
        "capabilities": st.lists(texts.filter(bool), min_size=1, max_size=3, unique=True).map(sorted),
        "labels": labels,
    },
)


@st.composite
def states(draw: st.DrawFn) -> DesiredState:
    """A whole desired state, possibly an empty one."""
    sets = [parameters(name, **spec) for name, spec in draw(_some(parameter_specs)).items()]
    templates = [template(name, **spec) for name, spec in draw(_some(template_specs)).items()]
    providers = [
        provider(name, active=draw(_mostly), **spec) for name, spec in draw(_some(provider_specs)).items()
    ]
    models: list[Desired] = []
    for one in providers:
        for model_id, spec in draw(st.dictionaries(model_ids, model_specs, max_size=3)).items():
            key = f"{one.address.key}/{model_id}"
            if draw(st.booleans()):
                sets.append(parameters(key, **draw(parameter_specs)))
            choice = [entity.address.key for entity in sets if "/" not in entity.address.key]
            inline = [entity.address.key for entity in sets if entity.address.key == key]
            used = {"parameters": draw(st.sampled_from(["default", *choice, *inline]))}
            if templates and draw(st.booleans()):
                used["prompt_template"] = draw(st.sampled_from(templates)).address.key
            models.append(model(key, active=draw(_mostly), **used, **spec))
    return made_whole((*providers, *sets, *templates, *models))


_mostly = st.sampled_from((True, True, True, False))


def _some(specs: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(names, specs, max_size=3)


@st.composite
def edits(draw: st.DrawFn, before: DesiredState) -> DesiredState:
    """Another state: each entity of the first is kept, changed or gone, and new ones stand beside them."""
    other = draw(states())
    chosen: list[Desired] = []
    for address in {**before.entities, **other.entities}:
        sides = [side.entities[address] for side in (before, other) if address in side.entities]
        kept = draw(st.sampled_from([*sides, *sides, None]))
        if kept is not None:
            twins = [one for one in other.entities.values() if one.address.kind == address.kind]
            content = draw(st.sampled_from([kept, kept, *twins]))
            chosen.append(kept._replace(spec=content.spec, active=draw(_mostly)))
    return made_whole(chosen)


def made_whole(entities: tuple[Desired, ...] | list[Desired]) -> DesiredState:
    """A state in which everything that is referred to exists, and models are as active as their providers."""
    there = {one.address: one for one in entities}
    kept = []
    for one in entities:
        owner = there.get(Address("provider", one.address.provider))
        if one.address.kind in {"parameters", "template"}:
            kept.append(one._replace(active=True))
        elif one.address.kind == "provider":
            kept.append(one)
        elif owner is not None:
            kept.append(one._replace(spec=_with_references(one, there), active=one.active and owner.active))
    return state_of(kept)


def _with_references(one: Desired, there: dict[Address, Desired]) -> dict[str, Any]:
    spec = dict(one.spec)
    if Address("parameters", spec["parameters"]) not in there:
        spec["parameters"] = "default"
    if Address("template", spec.get("prompt_template", "")) not in there:
        spec.pop("prompt_template", None)
    return spec
