"""Every warning of the format by its code; warnings never refuse the files."""

import pytest
from support.documents import only, state

from reconciler.core.problem import Place
from reconciler.errors import SourceError
from reconciler.source.load import require_valid

# The specification's own example: OpenAI takes no top_k.
SPECIFICATION = """\
version: 1
providers:
  openai:
    kind: openai
    models:
      gpt-4: {parameters: openai_default, prompt_template: openai_default}
parameters:
  openai_default: {description: OpenAI, max_new_tokens: 150, temperature: 0.9, top_k: 50, top_p: 1.0}
templates:
  openai_default:
    provider: openai
    context_prefix: "Context:"
"""

WARNINGS = [
    pytest.param(
        SPECIFICATION,
        *(
            "unsupported-parameter",
            6,
            27,
            "providers.openai.models.gpt-4.parameters",
            "takes no top_k",
            "unsupported: drop",
        ),
        id="a parameter that is not taken",
    ),
    pytest.param(
        "version: 1\nproviders: {p: {kind: openai, models: {m: {parameters: {top_k: 5}}}}}\n",
        *(
            "unsupported-parameter",
            2,
            57,
            "providers.p.models.m.parameters.top_k",
            "takes no top_k",
            "remove top_k",
        ),
        id="a parameter that is not taken, inline",
    ),
    pytest.param(
        "version: 1\nproviders:\n  p: {kind: groq, models: {gpt-4o: , GPT-4o: }}\n",
        *("look-alike", 3, 38, "providers.p.models.GPT-4o", "looks like gpt-4o", "remove one"),
        id="ids that differ in case",
    ),
    pytest.param(
        "version: 1\nproviders:\n  p: {kind: groq, models: {gpt-4o: , gpt-4\u043e: }}\n",
        *("look-alike", 3, 38, "providers.p.models.gpt-4\u043e", "looks like gpt-4o", "remove one"),
        id="ids that differ in a Cyrillic letter",
    ),
    pytest.param(
        "version: 1\nparameters:\n  s: {}\n",
        "unused",
        3,
        3,
        "parameters.s",
        "nothing uses",
        "remove it",
        id="a set",
    ),
    pytest.param(
        "version: 1\ntemplates:\n  t: {}\n",
        "unused",
        3,
        3,
        "templates.t",
        "nothing uses",
        "remove it",
        id="a template",
    ),
    pytest.param(
        "version: 1\nproviders:\n  p: {kind: groq}\n",
        *("unused", 3, 3, "providers.p", "no models", "models:"),
        id="a provider without models",
    ),
    pytest.param(
        "version: 1\nproviders: {p: {kind: groq, models: {m: {capabilities: [tools, visoin]}}}}\n",
        *(
            "unknown-capability",
            2,
            64,
            "providers.p.models.m.capabilities[1]",
            "'visoin'",
            "did you mean vision?",
        ),
        id="a capability that is not known",
    ),
    pytest.param("# nothing\n", "empty-source", 1, 1, "", "defines nothing", "provider", id="comments only"),
    pytest.param(
        "version: 1\nproviders:\n",
        "empty-source",
        1,
        1,
        "",
        "defines nothing",
        "provider",
        id="empty sections",
    ),
    pytest.param("", "empty-source", 1, 1, "", "defines nothing", "provider", id="no bytes"),
]


@pytest.mark.parametrize(
    ("text", "told"), [pytest.param(p.values[0], p.values[1:], id=p.id) for p in WARNINGS]
)
def test_a_warning_says_where_what_and_what_instead(text, told):
    code, line, column, path, message, hint = told
    found = state(text)
    problem = only(found)
    assert (problem.severity, problem.code) == ("warning", code)
    assert (problem.place.line, problem.place.column, problem.path) == (line, column, path)
    assert message in problem.message
    assert hint in problem.hint
    require_valid(found)


def test_an_empty_file_is_told_where_others_have_something():
    problem = only(state(a=SPECIFICATION.replace("top_k: 50, ", ""), b="version: 1\n"))
    assert (problem.code, problem.place) == ("empty-file", Place("b.yaml", 1, 1))


def test_a_file_with_only_a_kind_is_not_empty():
    mine = "version: 1\nkinds: {mine: {protocol: openai, base_url: https://a.example}}\n"
    assert state(a="version: 1\nproviders: {p: {kind: mine, models: {m: }}}\n", b=mine).problems == ()


def test_a_parameter_that_is_dropped_silently_is_no_warning():
    assert state(SPECIFICATION.replace("top_k: 50", "top_k: 50, unsupported: drop")).problems == ()


def test_what_is_used_in_any_way_is_not_unused():
    found = state(
        a="version: 1\n"
        "providers: {p: {kind: groq, parameters: a, prompt_template: t, models: {m: {parameters: b}}}}\n",
        b="version: 1\nparameters: {a: {}, b: {extends: c}, c: {}, d: {extends: c}}\ntemplates: {t: {}}\n",
    )
    assert [problem.path for problem in found.problems] == ["parameters.d"]


def test_files_with_errors_raise_them_all_and_their_warnings():
    found = state("version: 1\nparameters: {a: {seed: x}}\n")
    with pytest.raises(SourceError, match="1 error") as caught:
        require_valid(found)
    assert caught.value.problems == found.problems
    assert [problem.code for problem in found.problems] == ["unused", "wrong-type"]
