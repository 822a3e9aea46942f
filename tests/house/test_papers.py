"""The checkout as a stranger finds it: what lies at the top, and what may stand in no file."""

import re
import tomllib

import pytest
from support import checkout

ALLOWED_AT_THE_TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "README.md",
    "docs",
    "migrations",
    "providers.d",
    "pyproject.toml",
    "reconciler",
    "tests",
}

# Written so that they do not find themselves.
OF_ONE_MACHINE = {
    "a home directory": re.compile(r"/h[o]me/[a-z]|/Use[r]s/[A-Za-z]|/r[o]ot/"),
    "a workplace": re.compile(r"/w[o]rk/|/f[a]rm/|\.pye[n]v\b"),
    "an environment in a temporary folder": re.compile(r"/t[m]p/venv"),
    "a package index": re.compile(r"p[y]pi\.org|pythonho[s]ted\.org|n[p]mjs\.(?:org|com)"),
}
KEY_SHAPES = {
    "an OpenAI or Anthropic key": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}"),
    "an AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"),
    "a GitHub token": re.compile(r"\b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{40,}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a Groq, NVIDIA or xAI key": re.compile(r"\b(?:gsk_|nvapi-|xai-)[A-Za-z0-9_-]{30,}"),
    "a Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KE[Y]-----\s+[A-Za-z0-9+/=]{40,}"),
}
# How tests spell a key that is none: by a word, or by too few different characters to be random.
MADE_UP = re.compile(
    r"canary|fake|example|secret|not-a|test|dummy|made-?up|abcdef|012345|123456", re.IGNORECASE
)
FEWEST_CHARACTERS_OF_A_RANDOM_TEXT = 12


def is_made_up(key: str) -> bool:
    """Whether nobody could take this for a key that was ever given out."""
    return bool(MADE_UP.search(key)) or len(set(key)) < FEWEST_CHARACTERS_OF_A_RANDOM_TEXT


def test_the_top_level_holds_only_what_it_should():
    found = {name.partition("/")[0] for name in checkout.files()}
    assert found - ALLOWED_AT_THE_TOP == set()
    assert ALLOWED_AT_THE_TOP - found <= {"docs"}


@pytest.mark.parametrize("what", OF_ONE_MACHINE)
def test_no_file_speaks_of_one_machine(what):
    assert hits(OF_ONE_MACHINE[what]) == []


@pytest.mark.parametrize("what", KEY_SHAPES)
def test_no_file_holds_a_key(what):
    shown = [f"{name}:{line}" for name, line, key in matches(KEY_SHAPES[what]) if not is_made_up(key)]
    assert shown == []


def hits(pattern):
    """Where a pattern is found, with what was found."""
    return [f"{name}:{line} {found}" for name, line, found in matches(pattern)]


def matches(pattern):
    """File, line and text of everything that a pattern finds."""
    for name in checkout.files():
        text = checkout.text_of(name)
        for found in pattern.finditer(text):
            yield name, text.count("\n", 0, found.start()) + 1, found[0]


@pytest.mark.parametrize(
    ("what", "key"),
    [
        ("an OpenAI or Anthropic key", "s" + "k-proj-Zr8Qm2Lx9Tb4Vw7Ny1Kd"),
        ("an AWS key", "AK" + "IAZ7QX2M9LT4BV8WNY"),
        ("a Google key", "AI" + "zaZr8Qm2Lx9Tb4Vw7Ny1Kd5Gh3Jp6Rs0Fu"),
        ("a GitHub token", "gh" + "p_Zr8Qm2Lx9Tb4Vw7Ny1Kd5Gh3Jp6Rs0"),
        ("a Hugging Face token", "h" + "f_Zr8Qm2Lx9Tb4Vw7Ny1Kd5Gh3Jp6Rs0Fu"),
        ("a Groq, NVIDIA or xAI key", "gs" + "k_Zr8Qm2Lx9Tb4Vw7Ny1Kd5Gh3Jp6Rs0Fu"),
        ("a Slack token", "xo" + "xb-7294018365-Zr8Qm2Lx9Tb4"),
        ("a private key", "-----BEGIN PRIVATE KE" + "Y-----\n" + "Zr8Qm2Lx9T/b4Vw7Ny1K+" * 2),
    ],
)
def test_a_real_key_would_be_found(what, key):
    found = KEY_SHAPES[what].search(f'api_key = "{key}"')
    assert found
    assert not is_made_up(found[0])


def test_the_licence_is_the_one_that_the_project_file_names():
    project = tomllib.loads(checkout.text_of("pyproject.toml"))["project"]
    text = checkout.text_of("LICENSE")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_every_rule_that_is_switched_off_has_a_reason():
    lines = checkout.text_of("pyproject.toml").splitlines()
    rules = [line for line in lines if re.match(r'    "[A-Z]+[0-9]*",', line)]
    assert len(rules) > 20
    assert [line for line in rules if not re.search(r",\s*# \w+.*\w", line)] == []


def test_every_switch_in_the_code_names_its_rule():
    bare = re.compile(r"# (?:n[o]qa|type: ignor[e])(?![:\[]).*")
    assert [one for one in hits(bare) if one.partition(":")[0].endswith(".py")] == []


def test_the_changelog_opens_with_what_is_not_released_yet():
    assert re.search(r"^# Changelog\n+(?:[^#\n].*\n+)*## Unreleased\n", checkout.text_of("CHANGELOG.md"))
