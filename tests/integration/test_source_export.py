"""Export as people see it: the files, their names, and what cannot be said."""

import pytest
from support.documents import content, state, write
from support.small_states import model, parameters, provider, template

from reconciler.errors import UsageError
from reconciler.source import emit
from reconciler.source.export import dump
from reconciler.source.load import load
from reconciler.source.nodes import build

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


def test_a_configuration_is_written_as_people_would_write_it():
    before = state(
        """\
        version: 1
        providers:
          p:
            kind: groq
            description: Ours
            parameters: base
            models:
              a:
              b: {active: false, parameters: {temperature: 0.2}, capabilities: [tools], version: "2.1"}
        parameters:
          base: {top_k: 5, description: "For all:\\nof them\\n"}
        templates:
          t: {system_prompt: "no"}
        """
    )
    written = dump(before.entities.values())
    assert list(written) == ["p.yaml", "parameters.yaml", "templates.yaml"]
    assert written["p.yaml"] == (
        "version: 1\nproviders:\n  p:\n    kind: groq\n    description: Ours\n    models:\n"
        "      a:\n        parameters: base\n"
        '      b:\n        active: false\n        version: "2.1"\n'
        "        parameters:\n          temperature: 0.2\n        capabilities:\n          - tools\n"
    )
    assert written["parameters.yaml"] == (
        "version: 1\nparameters:\n  base:\n    description: |\n      For all:\n      of them\n    top_k: 5\n"
    )
    assert written["templates.yaml"] == "version: 1\ntemplates:\n  t:\n    system_prompt: no\n"


def test_what_is_exported_loads_from_a_directory(tmp_path):
    before = state(
        "version: 1\n"
        "providers: {A.B: {kind: groq, active: false, models: {x/y: {parameters: {use_case: ' A'}}}},"
        " a-b: {kind: groq, models: {'4.10': }}, parameters: {kind: groq, models: {'~': {mode: audio}}}}\n"
    )
    written = dump(before.entities.values())
    assert sorted(written) == ["a-b-2.yaml", "a-b.yaml", "parameters-provider.yaml"]
    assert content(load(write(tmp_path, written))) == content(before)


def test_models_of_an_inactive_provider_keep_their_own_activity_unsaid():
    before = state(
        "version: 1\nproviders: {p: {kind: groq, active: false, models: {m: , n: {active: false}}}}\n"
    )
    assert dump(before.entities.values())["p.yaml"].count("active: false") == 1


def test_different_kinds_of_one_name_are_not_exported_together():
    entities = [
        provider("a", kind="mine", kind_spec={"protocol": "openai"}),
        provider("b", kind="mine", kind_spec={"protocol": "anthropic"}),
    ]
    with pytest.raises(UsageError, match="'mine'") as caught:
        dump(entities)
    assert caught.value.code == "kind-conflict"


@pytest.mark.parametrize(
    ("entity", "field"),
    [
        pytest.param(
            provider("p", kind="mine", kind_spec={"protocol": "openai", "headers": {"X-Key": KEY}}),
            "kind_spec",
            id="a header of a kind",
        ),
        pytest.param(template("t", system_prompt=f"use {KEY} now"), "system_prompt", id="a prompt"),
        pytest.param(provider("p", credentials={"api_key": "hunter2" * 2}), "credentials", id="a credential"),
        pytest.param(parameters("s", extra={"a": [KEY]}), "extra", id="deep inside"),
    ],
)
def test_what_holds_a_key_is_not_exported_and_says_where(entity, field):
    with pytest.raises(UsageError) as caught:
        dump([entity])
    assert caught.value.code == "holds-a-secret"
    assert f"{entity.address} " in caught.value.message
    assert f" {field} " in caught.value.message
    assert not any(secret in repr(vars(caught.value)) for secret in (KEY, "hunter2"))


def test_thousands_of_models_are_written_and_read_back():
    entities = [provider("p", kind="groq"), parameters("s", temperature=0.5)]
    entities += [model(f"p/m{number}", parameters="s") for number in range(5000)]
    written = dump(entities)
    assert len(build(written["p.yaml"]).root["providers"]["p"]["models"]) == 5000


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "a ",
            " a",
            "a\n",
            "\na",
            "a\n\nb\n\n",
            "a\n ",
            " a\nb",
            "a\tb",
            "\ta\nb",
            "a:\nb #c\n- d\n",
            "a\r\nb",
        ),
        *(
            "a: b",
            "a #b",
            "- a",
            "? a",
            "...",
            "---",
            "%a",
            "@a",
            "`a",
            "a'b",
            'a"b',
            "\\",
            "\x85",
            "a\u2028b\n",
            "\ufeffa",
        ),
        *(
            "\x00".replace("\x00", "\x01"),
            "\x7f",
            "\uffff",
            "💥",
            "e\u0301",
            "no",
            "null",
            "~",
            "1",
            "1.0",
            "1e3",
            ".inf",
        ),
        *(
            0,
            -1,
            2**63 - 1,
            10**20,
            1.5,
            1e300,
            5e-324,
            0.1,
            True,
            False,
            None,
            [],
            {},
            [[]],
            [{}],
            {"a": [1, [2, {"b": None}]]},
        ),
        *(
            {"": 1},
            {"a b": 1},
            {"<<": 1},
            {"a" * 2000: 1},
            {"\uffff" * 255: {"a": 1}},
            {"💥" * 300: [1]},
            {"1": "1"},
        ),
    ],
)
def test_every_value_is_written_so_that_it_reads_the_same(value):
    text = "\n".join(emit.mapping_lines({"v": value, "w": [value]}, 0)) + "\n"
    built = build(text)
    assert built.faults == []
    assert built.root == {"v": value, "w": [value]}
