"""Every refusal of the format by its code: where it is told, what is wrong, and what to write instead."""

import pytest
from support.documents import HERE, only, state

from reconciler.core.problem import Place
from reconciler.source.load import state_of

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"

PROVIDER = """\
version: 1
providers:
  openai:
    kind: openai
    models:
      gpt-4:
"""


def with_model(fields):
    return f"{PROVIDER[:-1]} {fields}\n"


def with_set(fields):
    """A set that a model uses, on line 3."""
    return (
        f"version: 1\nparameters:\n  base: {fields}\n"
        "providers: {p: {kind: groq, models: {m: {parameters: base}}}}\n"
    )


def with_provider(fields):
    """A provider with a model, on line 3."""
    return f"version: 1\nproviders:\n  p: {{kind: groq, models: {{m: {{}}}}, {fields}}}\n"


# Text, code, line, column, path, what the message says, what the hint says.
REFUSALS = [
    pytest.param("version: 1\nx-a: b: c\n", "yaml-syntax", 2, 7, "", "mapping values", "quotes", id="syntax"),
    pytest.param("version: 1\nx-a:\n\tb: 1\n", "yaml-syntax", 3, 1, "", "tab", "spaces", id="a tab"),
    pytest.param(
        "version: 1\n<<<<<<< ours\nx-a: 1\n=======\nx-a: 2\n>>>>>>> theirs\n",
        *("yaml-syntax", 2, 1, "", "merge conflict", "resolve"),
        id="conflict markers",
    ),
    pytest.param(
        "version: 1\nx-a: 'b\n", "yaml-syntax", 3, 1, "", "end of stream", "quotes", id="an open quote"
    ),
    pytest.param(
        "version: 1\nx-a: \x07\n", "yaml-syntax", 2, 6, "", "U+0007", "escape", id="a control character"
    ),
    pytest.param("- version: 1\n", "not-a-mapping", 1, 1, "", "no mapping", "version: 1", id="a list"),
    pytest.param("hello\n", "not-a-mapping", 1, 1, "", "no mapping", "version: 1", id="prose"),
    pytest.param(
        "version: 1\n---\nversion: 1\n",
        "multiple-documents",
        2,
        1,
        "",
        "more than one",
        "own",
        id="two documents",
    ),
    pytest.param(
        "version: 2\nwhat: ever\n", "unsupported-version", 1, 10, "version", "version 2", "1", id="version 2"
    ),
    pytest.param(
        'version: "1"\nx-a: 1\n', "wrong-type", 1, 10, "version", "whole number", "version: 1", id="'1'"
    ),
    pytest.param(
        "x-a: 1\n", "missing-field", 1, 1, "version", "version is missing", "version: 1", id="no version"
    ),
    pytest.param(
        "version: 1\nx-a: !!python/object:os.system {}\n", "tag", 2, 6, "x-a", "!!python", "remove", id="!!"
    ),
    pytest.param(
        "version: 1\nx-a: !secret b\n", "tag", 2, 6, "x-a", "tags are", "remove", id="a tag of one's own"
    ),
    pytest.param(
        "version: 1\nx-a: &a [*a]\n", "alias", 2, 10, "x-a[0]", "inside", "cycle", id="a cycle of aliases"
    ),
    pytest.param("version: 1\nx-a: *b\n", "alias", 2, 6, "x-a", "nothing", "&", id="an alias of nothing"),
    pytest.param(
        "version: 1\nx-a: 1\nx-a: 2\n", "duplicate-key", 3, 1, "x-a", "twice", "keep one", id="a key twice"
    ),
    pytest.param(
        with_set("{temperatur: 0.5}"),
        *("unknown-field", 3, 10, "parameters.base.temperatur", "temperatur", "did you mean temperature?"),
        id="a mistyped field",
    ),
    pytest.param(
        "version: 1\nprovider: {}\n",
        "unknown-field",
        2,
        1,
        "provider",
        "provider",
        "mean providers?",
        id="a section",
    ),
    pytest.param(
        with_provider("credentials: {api_kee: env:A}"),
        *(
            "unknown-field",
            3,
            50,
            "providers.p.credentials.api_kee",
            "no credential of groq",
            "mean api_key?",
        ),
        id="a mistyped credential",
    ),
    pytest.param(
        with_provider("verification: {money: 5}"),
        *("unknown-field", 3, 51, "providers.p.verification.money", "money", "failure_threshold"),
        id="what is no field of verification",
    ),
    pytest.param(
        with_provider("verification: {budget: -1}"),
        *("out-of-range", 3, 59, "providers.p.verification.budget", "is -1; the least is 0", "range"),
        id="a budget below nothing",
    ),
    pytest.param(
        "version: 1\nproviders:\n  p: {models: {m: {}}}\n",
        *("missing-field", 3, 3, "providers.p.kind", "kind is missing", "kind:"),
        id="no kind",
    ),
    pytest.param(
        "version: 1\nproviders:\n  p: {kind: vllm, models: {m: {}}}\n",
        *("missing-field", 3, 3, "providers.p.base_url", "vllm has no default", "https://"),
        id="no endpoint",
    ),
    pytest.param(
        with_model("{version: 2.1}"),
        *("wrong-type", 6, 24, "providers.openai.models.gpt-4.version", "text", "write it in quotes"),
        id="a number as text",
    ),
    pytest.param(
        with_model("{labels: {a: yes, b: true}}"),
        *("wrong-type", 6, 35, "providers.openai.models.gpt-4.labels.b", "text", "write it in quotes"),
        id="a boolean as text",
    ),
    pytest.param(
        with_set('{temperature: "0.7"}'),
        *("wrong-type", 3, 23, "parameters.base.temperature", "a number, not text", "without quotes"),
        id="a number in quotes",
    ),
    pytest.param(
        with_set("{max_new_tokens: 100.0}"),
        *("wrong-type", 3, 26, "parameters.base.max_new_tokens", "whole number, not 100.0", "write 100"),
        id="a whole number with a point",
    ),
    pytest.param(
        with_model("{active: yes}"),
        *(
            "wrong-type",
            6,
            23,
            "providers.openai.models.gpt-4.active",
            "true or false",
            "write true or false",
        ),
        id="yes",
    ),
    pytest.param(
        with_set("{stop_sequences: END}"),
        *("wrong-type", 3, 26, "parameters.base.stop_sequences", "a list, not text", "[one, two]"),
        id="one text for a list",
    ),
    pytest.param(
        with_set(""),
        "wrong-type",
        3,
        8,
        "parameters.base",
        "a mapping, not nothing",
        "{}",
        id="a set with nothing",
    ),
    pytest.param(
        with_model("{parameters: 5}"),
        *("wrong-type", 6, 27, "providers.openai.models.gpt-4.parameters", "a name or a mapping", "a name"),
        id="a number for a set",
    ),
    pytest.param(
        "version: 1\nx-a: {[b]: c}\n",
        "wrong-type",
        2,
        7,
        "x-a",
        "a key must be text",
        "name",
        id="a list for a key",
    ),
    pytest.param(
        "version: 1\nx-a: {<<: 1}\n", "wrong-type", 2, 7, "x-a", "<< takes", "<<: *name", id="<< of a number"
    ),
    pytest.param(
        with_model("{mode: chatt}"),
        *("wrong-value", 6, 21, "providers.openai.models.gpt-4.mode", "'chatt'", "did you mean chat?"),
        id="an unknown word",
    ),
    pytest.param(
        with_provider("verification: {every: 5 minutes}"),
        *("wrong-value", 3, 58, "providers.p.verification.every", "no duration", "10s, 5m"),
        id="a bad duration",
    ),
    pytest.param(
        with_provider("verification: {timeout: 10}"),
        *("wrong-type", 3, 60, "providers.p.verification.timeout", "text", "10s, 5m"),
        id="a number for a duration",
    ),
    pytest.param(
        with_set("{extra: {Api-Base: x}}"),
        *("wrong-value", 3, 28, "parameters.base.extra.Api-Base", "redirect", "leave it out"),
        id="an extra that redirects",
    ),
    pytest.param(
        with_provider("verification: {probe: none, activation: verified}"),
        *("wrong-value", 3, 76, "providers.p.verification.activation", "probe is none", "immediate"),
        id="activation that waits for no probe",
    ),
    pytest.param(
        "version: 1\nproviders:\n  p: {kind: nvidia, verification: {activation: verified}, models: {m: }}\n",
        *("wrong-value", 3, 48, "providers.p.verification.activation", "nvidia has none", "immediate"),
        id="activation where nothing can be probed",
    ),
    pytest.param(
        "version: 1\nproviders:\n"
        "  p: {kind: groq, verification: {probe: generate, activation: verified},\n"
        "      models: {m: {mode: video}}}\n",
        *("wrong-value", 3, 63, "providers.p.verification.activation", "the mode video", "immediate"),
        id="activation where the mode has no endpoint",
    ),
    pytest.param(
        with_set("{max_new_tokens: 0}"),
        *("out-of-range", 3, 26, "parameters.base.max_new_tokens", "is 0; the least is 1", "range"),
        id="less than the column takes",
    ),
    pytest.param(
        with_set("{top_k: 2147483648}"),
        *("out-of-range", 3, 17, "parameters.base.top_k", "the most is 2147483647", "range"),
        id="more than the column takes",
    ),
    pytest.param(
        with_set("{temperature: .nan}"),
        *("out-of-range", 3, 23, "parameters.base.temperature", "finite", "0.7"),
        id="NaN",
    ),
    pytest.param(
        with_set("{temperature: 1e16}"),
        *("out-of-range", 3, 23, "parameters.base.temperature", "is 1e+16; the most is 1e+15", "range"),
        id="more than a column of floats keeps",
    ),
    pytest.param(
        with_set("{extra: {a: [1, .inf]}}"),
        *("out-of-range", 3, 25, "parameters.base.extra.a[1]", "infinity", "finite"),
        id="infinity inside of extra",
    ),
    pytest.param(
        with_set("{seed: 9223372036854775808}"),
        *("out-of-range", 3, 16, "parameters.base.seed", "too large", "64 bits"),
        id="more than 64 bits",
    ),
    pytest.param(
        with_model("{parameters: {temperature: 9}}"),
        *("out-of-range", 6, 41, "providers.openai.models.gpt-4.parameters.temperature", "at most 2", "0.0"),
        id="more than the kind takes",
    ),
    pytest.param(
        "version: 1\nproviders: {a b: {kind: openai}}\n",
        "bad-name",
        2,
        13,
        "providers.a b",
        "no name",
        "letters",
        id="a space",
    ),
    pytest.param(
        "version: 1\nparameters:\n  default: {}\n",
        *("bad-name", 3, 3, "parameters.default", "'default' is built in", "another name"),
        id="default",
    ),
    pytest.param(
        'version: 1\nproviders: {p: {kind: groq, models: {m: {}, " m": {}}}}\n',
        *("bad-name", 2, 45, "providers.p.models. m", "no model id", "outer spaces"),
        id="a model id with an outer space",
    ),
    pytest.param(
        "version: 1\nkinds:\n  openai: {protocol: openai}\n",
        *("bad-name", 3, 3, "kinds.openai", "built in", "another name"),
        id="a built-in kind",
    ),
    pytest.param('version: 1\nx-a: "a\\0b"\n', "bad-text", 2, 6, "x-a", "NUL", "remove", id="NUL"),
    pytest.param(
        'version: 1\nx-a: "\\ud800"\n', "bad-text", 2, 9, "", "surrogate", "\\U", id="half a character"
    ),
    pytest.param("version: 1\nx-a: \0\n", "bad-text", 2, 6, "", "NUL", "remove", id="NUL as it is"),
    pytest.param(
        with_provider("credentials: {api_key: env:MY-KEY}"),
        *("bad-reference", 3, 59, "providers.p.credentials.api_key", "malformed", "env:NAME"),
        id="a malformed env reference",
    ),
    pytest.param(
        with_provider("credentials: {api_key: file:key}"),
        *("bad-reference", 3, 59, "providers.p.credentials.api_key", "malformed", "file:/"),
        id="a file reference that is not absolute",
    ),
    pytest.param(
        with_model("{parameters: bse}"),
        *(
            "missing-reference",
            6,
            27,
            "providers.openai.models.gpt-4.parameters",
            "no parameter set bse",
            "define it",
        ),
        id="no such set",
    ),
    pytest.param(
        with_provider("prompt_template: greeting") + "templates: {greetings: {}}\n",
        *(
            "missing-reference",
            3,
            53,
            "providers.p.prompt_template",
            "no template greeting",
            "mean greetings?",
        ),
        id="no such template",
    ),
    pytest.param(
        with_set("{extends: default}"),
        *("missing-reference", 3, 19, "parameters.base.extends", "cannot be extended", "leave extends out"),
        id="default is not extended",
    ),
    pytest.param(
        with_provider("active: true") + "templates: {t: {provider: pp}, u: {extends: t}}\n",
        *("missing-reference", 4, 27, "templates.t.provider", "no provider pp", "mean p?"),
        id="a template for no provider",
    ),
    pytest.param(
        with_provider("active: true").replace("groq", "grok"),
        *("unknown-kind", 3, 13, "providers.p.kind", "no kind grok", "did you mean groq?"),
        id="no such kind",
    ),
    pytest.param(
        with_model("{prompt_template: {provider: other}}"),
        *("wrong-provider", 6, 15, "providers.openai.models.gpt-4.prompt_template", "only for", "another"),
        id="a template of another provider, inline",
    ),
    pytest.param(
        with_set(f"{{description: {KEY}}}"),
        *("literal-secret", 3, 23, "parameters.base.description", "secret", "env:NAME"),
        id="a key in a text field",
    ),
    pytest.param(
        f"version: 1\nx-a: {{{KEY}: b}}\n",
        "literal-secret",
        2,
        7,
        "x-a.***",
        "secret",
        "env:",
        id="a key as a key",
    ),
    pytest.param(
        with_provider("credentials: {api_key: hunter2}"),
        *("literal-secret", 3, 59, "providers.p.credentials.api_key", "no reference", "env:NAME"),
        id="a secret among credentials",
    ),
    pytest.param(
        with_provider("credentials: hunter2"),
        *("literal-secret", 3, 49, "providers.p.credentials", "no reference", "env:NAME"),
        id="a secret for credentials",
    ),
    pytest.param(
        with_provider("credentials: {api_key: 12345}"),
        *("literal-secret", 3, 59, "providers.p.credentials.api_key", "no reference", "env:NAME"),
        id="a number among credentials",
    ),
    pytest.param(
        with_provider("base_url: ftp://example.org"),
        *("bad-url", 3, 46, "providers.p.base_url", "no URL", "https://"),
        id="another scheme",
    ),
    pytest.param(
        with_provider("base_url: https://me:hunter2@example.org"),
        *("bad-url", 3, 46, "providers.p.base_url", "a user", "credentials"),
        id="a user in a URL",
    ),
    pytest.param(
        with_provider("base_url: https://example.org/v1?api_key=hunter2"),
        *("bad-url", 3, 46, "providers.p.base_url", "a key", "credentials"),
        id="a key in a URL",
    ),
    pytest.param(
        "version: 1\nproviders:\n  w:\n    kind: watsonx\n    models:\n"
        "      m: {mode: completion, parameters: {min_new_tokens: 9, max_new_tokens: 3}}\n",
        *(
            "parameter-conflict",
            6,
            42,
            "providers.w.models.m.parameters.min_new_tokens",
            "max_new_tokens",
            "lower",
        ),
        id="parameters that do not go together",
    ),
    pytest.param(
        with_model("{parameters: {top_k: 5, unsupported: error}}"),
        *(
            "unsupported-parameter",
            6,
            28,
            "providers.openai.models.gpt-4.parameters.top_k",
            "takes no top_k",
            "remove",
        ),
        id="a parameter that is not taken",
    ),
]


@pytest.mark.parametrize(
    ("text", "told"), [pytest.param(p.values[0], p.values[1:], id=p.id) for p in REFUSALS]
)
def test_a_refusal_says_where_what_and_what_instead(text, told):
    code, line, column, path, message, hint = told
    (problem,) = [problem for problem in state(text).problems if problem.severity == "error"]
    assert problem.code == code
    assert (problem.place, problem.path) == (Place("a.yaml", line, column), path)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"\xff\xfev\x00", "UTF-16", id="UTF-16"),
        pytest.param(b"\x00\x00\xfe\xff\x00\x00\x00v", "UTF-32", id="UTF-32"),
        pytest.param(b"version: 1\nx-a: caf\xe9\n", "not UTF-8", id="Latin 1"),
        pytest.param(b"version: 1\nx-a: \xed\xa0\x80\n", "not UTF-8", id="half a character"),
    ],
)
def test_other_encodings_are_refused(content, message):
    problem = only(state_of([("a.yaml", content)], identity=HERE))
    assert problem.code == "encoding"
    assert message in problem.message
    assert "UTF-8" in problem.hint


def test_what_is_defined_in_two_files_is_named_in_both():
    found = state(a="version: 1\nparameters: {s: {}}\n", b="\nversion: 1\nparameters:\n  s: {seed: 1}\n")
    (problem,) = [problem for problem in found.problems if problem.severity == "error"]
    assert problem.code == "duplicate-entity"
    assert problem.place == Place("b.yaml", 4, 3)
    assert problem.related[0].place == Place("a.yaml", 2, 14)
    assert "a.yaml:2" in problem.hint


def test_a_circle_of_sets_is_told_once_with_its_chain():
    found = state(
        "version: 1\nparameters:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n  d: {extends: a}"
    )
    (problem,) = [problem for problem in found.problems if problem.severity == "error"]
    assert (problem.code, problem.place) == ("cyclic-extends", Place("a.yaml", 3, 16))
    assert "a -> b -> c -> a" in problem.message
    assert [related.place.line for related in problem.related] == [4, 5]


def test_a_template_of_another_provider_names_where_it_is_bound():
    found = state(
        "version: 1\n"
        "providers: {p: {kind: groq, prompt_template: u, models: {m: }}, q: {kind: groq, models: {m: }}}\n"
        "templates:\n  t: {provider: q}\n  u: {extends: t}\n"
    )
    problem = only(found)
    assert (problem.code, problem.place) == ("wrong-provider", Place("a.yaml", 2, 46))
    assert problem.related[0].place == Place("a.yaml", 4, 7)


def test_a_shared_set_that_breaks_a_rule_is_told_at_the_reference():
    found = state(
        a="version: 1\nproviders:\n  a:\n    kind: anthropic\n    models:\n      m: {parameters: hot}\n",
        b="version: 1\nparameters:\n  warm: {temperature: 1.7}\n  hot: {extends: warm, top_k: 3}\n",
    )
    problem = only(found)
    assert (problem.code, problem.place) == ("out-of-range", Place("a.yaml", 6, 23))
    assert problem.path == "providers.a.models.m.parameters"
    assert problem.related[0].place == Place("b.yaml", 3, 10)


OWN_KIND = """\
version: 1
kinds:
  mine: {protocol: openai, base_url: https://a.example, RULES}
providers:
  p: {kind: mine, models: {m-1: {parameters: s}, m-2: {parameters: s}}}
parameters: {s: {temperature: 0.5, top_p: 0.5}}
"""
EXCLUSIVE = "{rule: not-together, fields: [temperature, top_p]}"


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        pytest.param(f"rules: [{EXCLUSIVE}]", ["m-1", "m-2"], id="its rules"),
        pytest.param(
            f"variants: [{{name: v, match: [m-2], rules: [{EXCLUSIVE}]}}]", ["m-2"], id="its variant's rules"
        ),
        pytest.param(
            "variants: [{name: v, match: [m-1]}, {name: v, match: [m-2], parameters: {top_p: {maximum: 0}}}]",
            ["m-2"],
            id="variants of one name",
        ),
    ],
)
def test_a_kind_of_the_files_without_a_table_is_still_checked(rules, told):
    found = state(OWN_KIND.replace("RULES", rules))
    assert [one.path for one in found.problems] == [f"providers.p.models.{name}.parameters" for name in told]


@pytest.mark.parametrize(
    ("probe", "codes"),
    [
        pytest.param("", ["wrong-value"], id="the default"),
        pytest.param("probe: credential, ", ["wrong-value"], id="one that the kind has not"),
        pytest.param("probe: reach, ", [], id="one that every kind has"),
        pytest.param("probe: generate, ", ["wrong-value"], id="one that the kind has no endpoint for"),
    ],
)
def test_activation_must_wait_for_a_probe_that_the_kind_has(probe, codes):
    found = state(
        "version: 1\nkinds: {mine: {protocol: openai, base_url: https://a.example, probes: {reach: {}}}}\n"
        f"providers: {{p: {{kind: mine, verification: {{{probe}activation: verified}}, models: {{m: }}}}}}\n"
    )
    assert [one.code for one in found.problems] == codes


def test_everything_wrong_in_one_extra_is_told():
    found = state(with_set("{extra: {api_key: x, a: 1e400, headers: {}}}"))
    assert [(one.code, one.path.rpartition(".")[2]) for one in found.problems] == [
        ("wrong-value", "api_key"),
        ("out-of-range", "a"),
        ("wrong-value", "headers"),
    ]


def test_a_providers_default_that_breaks_a_rule_is_told_once():
    found = state(
        "version: 1\nproviders:\n  a:\n    kind: anthropic\n    parameters: hot\n    models: {m: {}, n: {}}\n"
        "parameters: {hot: {temperature: 1.7}}\n"
    )
    problem = only(found)
    assert (problem.place, problem.path) == (Place("a.yaml", 5, 17), "providers.a.parameters")


def test_all_problems_of_all_files_come_in_one_run_and_in_order():
    found = state(
        a=PROVIDER + "        mode: chatt\n        parameters: {temperatur: 1, top_k: 1.0, temperature: 7}\n",
        b="version: 1\nparameters: {a: {extends: nowhere}\n",
        c="version: 1\ntemplates: {t: {provider: 5}}\nfoo: 1\n",
        d=with_provider("parameters: nothing"),
    )
    assert [(problem.place.file, problem.code) for problem in found.problems] == [
        ("a.yaml", "wrong-value"),
        ("a.yaml", "unknown-field"),
        ("a.yaml", "wrong-type"),
        ("a.yaml", "out-of-range"),
        ("b.yaml", "yaml-syntax"),
        ("c.yaml", "unused"),
        ("c.yaml", "wrong-type"),
        ("c.yaml", "unknown-field"),
        ("d.yaml", "missing-reference"),
    ]


def test_a_reference_into_a_file_that_cannot_be_read_is_no_second_error():
    found = state(a=with_model("{parameters: base}"), b="version: 1\nparameters:\n  base: {temperature: 1\n")
    assert only(found).code == "yaml-syntax"


SECRETS = (
    *(
        KEY,
        "sk-ant-api03-" + "a1" * 20,
        "AKIA" + "A1" * 8,
        "AIza" + "b" * 35,
        "gsk_" + "c3" * 20,
        "hf_" + "D" * 34,
    ),
    *(
        "nvapi-" + "e-5" * 20,
        "xai-" + "f6" * 30,
        "ghp_" + "G7" * 18,
        "glpat-" + "h" * 20,
        "Bearer " + "i9" * 20,
    ),
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_known_key_is_refused_wherever_it_stands_and_never_repeated(secret):
    quoted = f'"{secret}"'
    texts = [
        with_set(f"{{description: {quoted}}}"),
        with_set(f"{{{quoted}: 1}}"),
        with_set(f"{{extra: {{a: [{quoted}]}}}}"),
        with_provider(f"credentials: {{api_key: {quoted}}}"),
        with_provider(f'credentials: {{api_key: "env:{secret}"}}'),
        with_provider(f'base_url: "https://x.org/{secret}"'),
        with_model(f"{{mode: {quoted}}}"),
        with_model(f"{{parameters: {quoted}}}"),
        with_model(f"{{labels: {{{quoted}: {quoted}}}}}"),
        f"version: 1\nkinds: {{{quoted}: {{protocol: {quoted}}}}}\n",
        f"version: 1\nx-{secret}: &{'a' * 3} {quoted}\nx-b: !{secret.split()[-1]} c\n",
    ]
    for text in texts:
        problems = state(text).problems
        assert "literal-secret" in {problem.code for problem in problems}, text
        assert secret not in repr(problems)


@pytest.mark.parametrize(
    "fields",
    [
        "credentials: hunter2",
        "credentials: {api_key: hunter2}",
        "credentials: {api_key: {value: hunter2}}",
        "credentials: {api_key: [hunter2]}",
        "credentials: [hunter2]",
        "credentials: {'hunter2!': env:A}",
        "credentials: {api_key: 'env:hunter2!'}",
        "base_url: https://hunter2@example.org",
        "base_url: https://example.org/?token=hunter2",
    ],
)
def test_what_may_be_a_secret_is_never_repeated(fields):
    found = state(with_provider(fields))
    assert found.problems
    assert "hunter2" not in repr(found.problems)
