"""Laws of the loader and the export over generated directories, and the JSON Schema against the loader."""

import json
from collections import Counter
from copy import deepcopy
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support import documents

from reconciler.core.problem import has_errors
from reconciler.source.document import Reader
from reconciler.source.export import dump
from reconciler.source.load import state_of
from reconciler.source.schema import json_schema

LAW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    # Making a failing directory smaller takes minutes.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def loaded(texts):
    contents = [(name, text.encode()) for name, text in sorted(texts.items())]
    return state_of(contents, identity=documents.HERE)


def spelled(state):
    """What counts in a state, with numbers told from booleans and whole numbers from others."""
    return json.dumps(documents.content(state), sort_keys=True)


@given(documents.directories())
@LAW
def test_what_is_dumped_loads_as_it_was(files):
    before = loaded({name: documents.as_yaml(document) for name, document in files.items()})
    assert not has_errors(before.problems)
    written = dump(before.entities.values())
    after = loaded(written)
    assert not has_errors(after.problems)
    assert spelled(after) == spelled(before)
    assert dump(after.entities.values()) == written


@given(documents.directories())
@LAW
def test_specs_come_back_from_json_as_they_were(files):
    state = loaded({name: documents.as_yaml(document) for name, document in files.items()})
    for desired in state.entities.values():
        assert json.loads(json.dumps(desired.spec)) == desired.spec


@given(documents.directories(), st.randoms(use_true_random=False))
@LAW
def test_neither_the_names_of_files_nor_their_order_matter(files, random):
    texts = {name: documents.as_yaml(document) for name, document in files.items()}
    named_otherwise = dict(zip(random.sample(sorted(texts), len(texts)), texts.values(), strict=True))
    assert spelled(loaded(texts)) == spelled(loaded(named_otherwise))


@given(documents.directories(), st.integers(0, 2**32))
@LAW
def test_the_same_files_have_the_same_problems_twice(files, seed):
    random = Random(seed)
    texts = {}
    for name, document in files.items():
        mutate(document, random)
        texts[name] = documents.as_yaml(document)
    assert loaded(texts) == loaded(texts)


# The schema


POOL = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        21,
        3_000_000_000,
        0.5,
        -0.5,
        "",
        "x",
        "default",
        "openai",
        "none",
        "chat",
    ),
    *(
        "10s",
        "1h30m",
        "90",
        "env:A",
        "file:/a",
        "env:-",
        "hunter2",
        "https://a",
        "ftp://a",
        "https://u@a/",
        "a b",
        "é\n",
    ),
    *(
        [],
        ["a"],
        ["a", "b"],
        [1],
        [""],
        {},
        {"a": "b"},
        {"a": 1},
        {"a": None},
        {"api_key": "env:B"},
        {"model": "m"},
    ),
)
KEYS = (
    "x",
    "x-y",
    "",
    "a b",
    "temperature",
    "seed",
    "labels",
    "model",
    "api_key",
    "default",
    "openai",
    "é",
    "n" * 256,
)


# Values that suit a field of that name, and some that nearly do.
SUITED = {
    "active": (True, False, None, 1),
    "capabilities": (["a"], [], None, [None], "a"),
    "credentials": ("none", {"api_key": "env:A"}, {"x": None}, {}, {"api_key": "env:"}),
    "description": ("", "x", None, "1\n2", 1),
    "extra": ({}, {"a": [None, {"b": 1e300}]}, {"Model": 1}, {"top-a": None}, []),
    "kind": ("openai", "x", "", None),
    "labels": ({}, {"a": "b"}, {"a": None}, {"": "b"}, {"a": 1}),
    "limits": ({}, {"context": 0}, {"input": None}, {"output": -1}, {"context": 2**63 - 1}),
    "logprobs": (0, 20, 21, None),
    "max_new_tokens": (1, 0, 2**31 - 1, 2**31, None),
    "mode": ("chat", "video", "chatt", None),
    "models": ({}, None, {"a b": None}, {"a": {}}, {" a": {}}, {"a\u200b": {}}, {"a" * 256: {}}, []),
    "parameters": ("a", "default", {}, {"top_k": 2}, {"top_k": 0.5}, {"a": {}}, None, 1),
    "prompt_template": ("a", {}, {"system_prompt": "x"}, {"system": "x"}, None, ""),
    "providers": ({}, None, {"a": {"kind": "x"}}, {"a": {}}, {"a/b": {"kind": "x"}}),
    "response_format": ("text", "xml", {}, {"type": "x"}, None),
    "seed": (0, -(2**63), 0.5, "1", None),
    "stop_sequences": ([], ["a"], [""], "a", None),
    "temperature": (0.5, -1, 10**18, True, "0.5", None),
    "templates": ({}, None, {"a": {"system_prompt": "x"}}, {"default": {}}, []),
    "verification": ({}, {"every": "90s"}, {"every": "0s"}, {"probe": "none"}, {"budget": 1}, None),
    "version": (1, "1", 2, None),
}


def holders(node):
    """Every mapping and list of a document."""
    if isinstance(node, (dict, list)):
        yield node
        for inner in node.values() if isinstance(node, dict) else node:
            yield from holders(inner)


def mutate(document, random):
    """Change one thing somewhere: a value, a key, something missing, something too much."""
    found = [(holder, key) for holder in holders(document) for key in places(holder)]
    holder, key = random.choice(found)
    act = random.choice(
        ("change", "suit", "suit", "suit", "suit", "remove", "remove", "rename", "add", "ignored")
    )
    if act == "suit":
        suited = [(holder, key) for holder, key in found if key in SUITED]
        holder, key = random.choice(suited)
        holder[key] = deepcopy(random.choice(SUITED[key]))
    elif act == "ignored":
        document["x-" + random.choice(KEYS)] = deepcopy(random.choice(POOL))
    elif act == "change" or isinstance(holder, list):
        holder[key] = deepcopy(random.choice(POOL))
    elif act == "add":
        holder[random.choice(KEYS)] = deepcopy(random.choice(POOL))
    else:
        removed = holder.pop(key)
        if act == "rename":
            holder[random.choice(KEYS)] = removed


def places(holder):
    return list(holder) if isinstance(holder, dict) else list(range(len(holder)))


def test_the_schema_accepts_what_the_loader_accepts_and_nothing_else():
    validator = Draft202012Validator(json_schema())
    verdicts = Counter()

    @given(documents.documents())
    @settings(LAW, max_examples=150)
    def agree(document):
        random = Random(documents.as_yaml(document))
        for _ in range(4):
            mutant = deepcopy(document)
            mutate(mutant, random)
            text = documents.as_yaml(mutant)
            # What one file says by itself; the schema sees no other files, and no kinds' rules.
            faults = [
                fault for fault in Reader().read("a.yaml", text.encode()).faults if fault.severity == "error"
            ]
            errors = [error.message for error in validator.iter_errors(mutant)]
            assert bool(faults) == bool(errors), (faults, errors, text)
            verdicts[not faults] += 1

    agree()
    assert verdicts[True] >= sum(verdicts.values()) / 3
    assert verdicts[False] >= sum(verdicts.values()) / 5


def test_the_schema_is_one_and_says_what_fields_are_for():
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:")
    undescribed = [
        f"{name}.{field}"
        for name, definition in {"Document": schema, **schema["$defs"]}.items()
        for field, inner in definition.get("properties", {}).items()
        if not inner.get("description")
    ]
    assert undescribed == []


@pytest.mark.parametrize("text", ["a\n", "a\n\n"])
def test_the_schema_takes_no_line_break_after_a_name(text):
    mutant = {"version": 1, "providers": {text: {"kind": "openai"}}}
    assert list(Draft202012Validator(json_schema()).iter_errors(mutant))
