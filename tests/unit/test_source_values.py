"""What files mean: scalars, nulls, inheritance, defaults, inline sets, and the form of each entity."""

import json

import pytest
from support.documents import content, state

from reconciler.core import durations, inheritance
from reconciler.core.address import Address
from reconciler.core.inheritance import Child
from reconciler.core.problem import Place
from reconciler.source import provenance
from reconciler.source.nodes import build
from reconciler.source.render import rendered


def specs(text, **files):
    found = state(text, **files)
    assert [problem for problem in found.problems if problem.severity == "error"] == []
    return {address: spec for address, (spec, _) in content(found).items()}


SCALARS = [
    *(
        (word, word)
        for word in ("no", "on", "yes", "off", "y", "12:30", "2024-10-21", "0100", "-0100", "0x1F", "0o7")
    ),
    *(
        (word, word)
        for word in ("1_000", "1e", "e5", "+", "-.", ".", "1.2.3", "None", "nuLL", "tRUE", "inf", "1,5")
    ),
    *(("0", 0), ("-7", -7), ("+7", 7), ("9223372036854775807", 2**63 - 1)),
    *(
        ("0.7", 0.7),
        ("1e0", 1.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E+3", -1500.0),
        ("00.5", 0.5),
        ("-0.0", 0.0),
    ),
    *(("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False)),
    *(("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None)),
    *(('"12"', "12"), ("'true'", "true"), ('""', ""), ("|\n  a\n  b\n", "a\nb\n"), (">-\n  a\n  b\n", "a b")),
]


@pytest.mark.parametrize(("written", "meant"), SCALARS)
def test_scalars_are_those_of_yaml_1_2(written, meant):
    value = build(f"a: {written}").root["a"]
    assert (value, type(value), str(value)) == (meant, type(meant), str(meant))


@pytest.mark.parametrize("key", ["4.10", "0100", "null", "~", "true", "1e3", "2024-10-21", "no"])
def test_keys_are_taken_as_they_are_spelled(key):
    assert list(build(f"{key}: 1").root) == [key]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("{a: &m {x: 1, y: 2}, b: {<<: *m, y: 3}}", {"x": 1, "y": 3}, id="own keys win"),
        pytest.param("{a: &m {x: 1}, b: {y: 3, <<: *m}}", {"x": 1, "y": 3}, id="wherever it stands"),
        pytest.param(
            "{a: &m {x: 1}, c: &n {x: 2, z: 5}, b: {<<: [*m, *n]}}", {"x": 1, "z": 5}, id="the first wins"
        ),
        pytest.param(
            "{a: &m {x: 1}, c: &n {<<: *m, z: 5}, b: {<<: *n}}", {"x": 1, "z": 5}, id="through another"
        ),
        pytest.param('{b: {"<<": 1}}', {"<<": 1}, id="in quotes it is a key"),
        pytest.param("{a: &m 1, b: [*m, *m]}", [1, 1], id="an alias of a scalar"),
        pytest.param("{a: &m x, b: {*m : 1}}", {"x": 1}, id="an alias for a key"),
    ],
)
def test_merge_keys_and_aliases_work_within_a_file(text, value):
    built = build(text)
    assert built.faults == []
    assert built.root["b"] == value


def test_merged_values_are_found_at_their_origin():
    text = "version: 1\nx-a: &a\n  seed: one\nparameters:\n  s:\n    <<: *a\n"
    (problem,) = [problem for problem in state(text).problems if problem.severity == "error"]
    assert problem.place == Place("a.yaml", 3, 9)


def test_the_four_entities_have_their_canonical_form():
    assert specs(
        """\
        version: 1
        providers:
          p:
            kind: groq
            base_url: https://a.example/v1
            credentials: {api_key: env:A, }
            active: true
            protected: true
            labels: {team: rag, none: }
            parameters: base
            verification: {every: 90m, timeout: }
            models:
              one:
              two:
                active: true
                mode: embedding
                version: "2.1"
                limits: {context: 8192, output: }
                capabilities: [tools, streaming, tools]
                labels: {}
                prompt_template: t
        parameters:
          base: {temperature: 1, top_k: 5, description: x, stop_sequences: [b, a], unsupported: warn}
        templates:
          t: {system_prompt: "hello", provider: p}
        """
    ) == {
        "provider:p": {
            "kind": "groq",
            "base_url": "https://a.example/v1",
            "credentials": {"api_key": "env:A"},
            "protected": True,
            "labels": {"team": "rag"},
            "verification": {"every": "1h30m"},
        },
        "parameters:base": {"temperature": 1.0, "top_k": 5, "description": "x", "stop_sequences": ["b", "a"]},
        "template:t": {"system_prompt": "hello", "provider": "p"},
        "model:p/one": {"parameters": "base", "mode": "chat"},
        "model:p/two": {
            "parameters": "base",
            "prompt_template": "t",
            "mode": "embedding",
            "version": "2.1",
            "limits": {"context": 8192},
            "capabilities": ["streaming", "tools"],
        },
    }


def test_inline_sets_and_templates_are_entities_under_their_models_key():
    found = specs(
        """\
        version: 1
        providers:
          p:
            kind: groq
            models:
              a/b:c:
                parameters: {extends: base, temperature: 0.2, top_k: null}
                prompt_template: {extends: t, query_prefix: "Q:"}
        parameters: {base: {top_k: 5, seed: 3, use_case: rag}}
        templates: {t: {answer_prefix: "A:"}}
        """
    )
    assert found["model:p/a/b:c"] == {"mode": "chat", "parameters": "p/a/b:c", "prompt_template": "p/a/b:c"}
    assert found["parameters:p/a/b:c"] == {"temperature": 0.2, "seed": 3}
    assert found["template:p/a/b:c"] == {"answer_prefix": "A:", "query_prefix": "Q:"}


@pytest.mark.parametrize(
    ("fields", "parameters", "template"),
    [
        pytest.param("", "base", "t", id="the provider's defaults"),
        pytest.param("{}", "base", "t", id="the provider's defaults again"),
        pytest.param("{parameters: other, prompt_template: u}", "other", "u", id="its own"),
        pytest.param("{parameters: default}", "default", "t", id="the built-in one by name"),
        pytest.param(
            "{parameters: null, prompt_template: null}", "default", None, id="null unsets the default"
        ),
        pytest.param("{parameters: {}}", "p/m", "t", id="an empty one of its own"),
    ],
)
def test_what_a_model_uses(fields, parameters, template):
    found = specs(
        "version: 1\n"
        f"providers: {{p: {{kind: groq, parameters: base, prompt_template: t, models: {{m: {fields}}}}}}}\n"
        "parameters: {base: {}, other: {}}\ntemplates: {t: {}, u: {}}\n"
    )["model:p/m"]
    assert (found["parameters"], found.get("prompt_template")) == (parameters, template)


def test_the_built_in_set_is_in_no_state():
    found = state("version: 1\nproviders: {p: {kind: groq, models: {m: }}}\n")
    assert found.counts == {"provider": 1, "parameters": 0, "template": 0, "model": 1}
    assert found.entities[Address("model", "p/m")].spec["parameters"] == "default"


def test_a_model_is_active_if_it_and_its_provider_are():
    found = state(
        "version: 1\nproviders:\n  p: {kind: groq, active: false, models: {m: }}\n"
        "  q: {kind: groq, models: {m: , n: {active: false}, o: {active: null}}}\n"
    )
    active = {str(address): desired.active for address, desired in found.entities.items()}
    assert active == {
        "provider:p": False,
        "model:p/m": False,
        "provider:q": True,
        "model:q/m": True,
        "model:q/n": False,
        "model:q/o": True,
    }


def test_places_of_entities_and_digests_of_files():
    found = state(
        a="version: 1\nproviders:\n  p:\n    kind: groq\n    models:\n      m:\n        parameters: {}\n",
        b="version: 1\nparameters: {s: {}}\n",
    )
    lines = {str(address): tuple(desired.place) for address, desired in found.entities.items()}
    assert lines["provider:p"] == ("a.yaml", 3, 3)
    assert lines["model:p/m"] == ("a.yaml", 6, 7)
    assert lines["parameters:p/m"] == ("a.yaml", 7, 9)
    assert lines["parameters:s"] == ("b.yaml", 2, 14)
    assert [str(address) for address in found.files["a.yaml"].defines] == [
        "model:p/m",
        "parameters:p/m",
        "provider:p",
    ]
    assert len(found.files["b.yaml"].sha256) == 64


def test_a_users_kind_is_part_of_its_providers():
    found = state(
        a="version: 1\nproviders: {p: {kind: mine, models: {m: }}}\n",
        b="version: 1\nkinds: {mine: {protocol: openai, base_url: https://a.example/v1, description: }}\n",
    )
    assert found.problems == ()
    spec = found.entities[Address("provider", "p")].spec
    assert spec == {"kind": "mine", "kind_spec": {"protocol": "openai", "base_url": "https://a.example/v1"}}
    assert not found.kinds["mine"].built_in
    assert found.kinds["mine"].hosts == ()


def test_free_json_has_one_spelling():
    found = specs(
        """\
        version: 1
        parameters:
          a:
            extra: {big: 1e20, two: {keep: 1, drop: 2}, zero: -0.0, list: [null, {n: null}]}
            response_format: {type: json_schema, strict: null}
          b:
            extends: a
            extra: {two: {drop: null}, more: 0.1}
        """
    )
    assert found["parameters:a"]["response_format"] == {"type": "json_schema"}
    inherited = found["parameters:b"]["extra"]
    assert inherited == {"big": 10**20, "two": {"keep": 1}, "zero": 0.0, "list": [None, {}], "more": 0.1}
    assert isinstance(inherited["big"], int)
    assert json.dumps(inherited["zero"]) == "0.0"


@pytest.mark.parametrize(
    ("sets", "values"),
    [
        pytest.param({"a": (None, {"x": 1, "y": None})}, {"a": {"x": 1}}, id="null is unset"),
        pytest.param(
            {"a": ("b", {"x": 1}), "b": ("c", {"x": 2, "y": 2}), "c": (None, {"z": 3})},
            {"a": {"x": 1, "y": 2, "z": 3}, "b": {"x": 2, "y": 2, "z": 3}, "c": {"z": 3}},
            id="a chain in any order",
        ),
        pytest.param(
            {
                "a": (None, {"labels": {"l": "1"}, "description": "d", "use_case": "u", "x": 1}),
                "b": ("a", {}),
            },
            {"a": {"labels": {"l": "1"}, "description": "d", "use_case": "u", "x": 1}, "b": {"x": 1}},
            id="what describes a set is not inherited",
        ),
        pytest.param(
            {
                "a": (None, {"unsupported": "drop", "stop_sequences": ["s"]}),
                "b": ("a", {"unsupported": "warn"}),
            },
            {"a": {"unsupported": "drop", "stop_sequences": ["s"]}, "b": {"stop_sequences": ["s"]}},
            id="the default takes back what a parent said",
        ),
        pytest.param(
            {"a": (None, {"stop_sequences": ["s"]}), "b": ("a", {"stop_sequences": []})},
            {"a": {"stop_sequences": ["s"]}, "b": {}},
            id="an empty list is unset",
        ),
    ],
)
def test_sets_inherit(sets, values):
    resolution = inheritance.resolve({name: Child(*child) for name, child in sets.items()})
    assert resolution == (values, (), ())


def test_circles_and_missing_parents_are_named_once():
    sets = {
        "x": Child("a", {"s": 1}),
        "b": Child("a", {"t": 2}),
        "a": Child("b", {}),
        "y": Child("z", {"u": 3}),
    }
    resolution = inheritance.resolve(sets)
    assert resolution.cycles == (("a", "b", "a"),)
    assert resolution.missing == ("y",)
    assert resolution.values == {"x": {"s": 1}, "b": {"t": 2}, "a": {}, "y": {"u": 3}}


def test_a_chain_may_be_long():
    sets = {str(number): Child(str(number + 1), {"x": number}) for number in range(20_000)}
    sets["20000"] = Child(None, {"y": 1})
    assert inheritance.resolve(sets).values["0"] == {"x": 0, "y": 1}


@pytest.mark.parametrize(
    ("written", "canonical", "seconds"),
    [
        ("10s", "10s", 10),
        ("90s", "1m30s", 90),
        ("36h", "1d12h", 129_600),
        ("1d", "1d", 86_400),
        ("1h30m", "1h30m", 5400),
    ],
)
def test_durations_have_one_spelling(written, canonical, seconds):
    assert (durations.canonical(written), durations.seconds(written)) == (canonical, seconds)


@pytest.mark.parametrize("text", ["", "5", "5 m", "0s", "01s", "1m1h", "1h1h", "-1s", "1.5h", "1H", "1s\n"])
def test_other_texts_are_no_durations(text):
    with pytest.raises(ValueError, match="10s, 5m"):
        durations.seconds(text)


def test_the_rendered_state_shows_what_counts():
    found = state(
        "version: 1\nproviders: {p: {kind: groq, parameters: s, models: {b: , a: {parameters: {seed: 2}}}}}\n"
        "parameters: {s: {extends: r}, r: {temperature: 0.5}}\ntemplates: {t: {query_prefix: 'Q'}}\n"
    )
    shown = rendered(found)
    assert list(shown) == ["providers", "parameters", "templates"]
    assert shown["providers"]["p"] == {
        "active": True,
        "kind": "groq",
        "models": {
            "a": {"active": True, "mode": "chat", "parameters": {"name": "p/a", "seed": 2}},
            "b": {"active": True, "mode": "chat", "parameters": {"name": "s", "temperature": 0.5}},
        },
    }
    assert shown["parameters"] == {"p/a": {"seed": 2}, "r": {"temperature": 0.5}, "s": {"temperature": 0.5}}
    assert shown["templates"] == {"t": {"query_prefix": "Q"}}


def test_the_place_of_every_value_can_be_had_again():
    found = provenance.places("a.yaml", b"version: 1\nparameters:\n  s: {seed: 1, stop_sequences: [a, b]}\n")
    assert found["parameters.s.seed"] == Place("a.yaml", 3, 13)
    assert found["parameters.s.stop_sequences[1]"] == Place("a.yaml", 3, 36)
    assert provenance.places("a.yaml", b"a: [") == {}
