"""Credentials: which references are allowed, what is missing, and that no rendering of a secret shows it."""

import copy
import dataclasses
import json
import pickle
import traceback

import pytest
from support.probing import ANTHROPIC, COMPATIBLE, OPENAI, target

from reconciler.core.probe import Access
from reconciler.core.provider_kind import CredentialRule, ProviderKind
from reconciler.protocols.credentials import Secret, Unresolved, resolve, resolve_all
from reconciler.protocols.exchange import Request, SecretHeader

CANARY = "sk-canary-93b1f0c2d4"
HUGGING = ProviderKind("huggingface", "openai", credentials={"api_key": CredentialRule(env=("HF_TOKEN",))})
FROM_A_FILE = dataclasses.replace(
    HUGGING, name="mine", built_in=False, credentials={"api_key": CredentialRule(env=("AWS_SECRET",))}
)


def outcome(found):
    return "found" if isinstance(found, Secret) else found.outcome


def resolved(name, kind=OPENAI, *, allowed=(), value=CANARY):
    return resolve(f"env:{name}", kind=kind, access=Access(environ={name: value}, allowed_env=allowed))


@pytest.mark.parametrize(
    "render",
    [
        repr,
        str,
        "{}".format,
        "{:>40}".format,
        "{!r}".format,
        lambda secret: f"{secret}",
        lambda secret: f"{[secret]} {{'a': {secret!r}}}",
        lambda secret: json.dumps({"key": secret}, default=str),
        lambda secret: str(vars(secret) if hasattr(secret, "__dict__") else dir(secret)),
        lambda secret: repr(SecretHeader("Authorization", "Bearer ", secret)),
        lambda secret: repr(Request("GET", "https://x", 1, secrets=(SecretHeader("a", "", secret),))),
        lambda secret: repr(Request("POST", "https://x", 1, form=(("apikey", secret),))),
        lambda secret: repr(ValueError(secret)),
    ],
)
def test_no_rendering_shows_a_secret(render):
    assert CANARY not in render(Secret(CANARY, source="OPENAI_API_KEY"))


@pytest.mark.parametrize(
    "escape",
    [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, lambda secret: "" + secret, bytes],
)
def test_a_secret_cannot_be_carried_off(escape):
    with pytest.raises(TypeError) as caught:
        escape(Secret(CANARY, source="OPENAI_API_KEY"))
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_secrets_are_compared_by_value_and_revealed_on_demand():
    one, same, other = Secret("a", source="x"), Secret("a", source="y"), Secret("b", source="x")
    assert (one == same, one == other, one == "a", hash(one) == hash(same)) == (True, False, False, True)
    assert one.reveal() == "a"


def test_the_environment_is_not_shown_by_what_holds_it():
    assert CANARY not in repr(Access(environ={"OPENAI_API_KEY": CANARY}))


@pytest.mark.parametrize(
    ("name", "kind", "allowed", "expected"),
    [
        pytest.param("OPENAI_API_KEY", OPENAI, (), "found", id="the kind's own"),
        pytest.param("HF_TOKEN", HUGGING, (), "found", id="the kind's own, whatever it is called"),
        pytest.param("HF_TOKEN", OPENAI, (), "refused_reference", id="another kind's own"),
        pytest.param("AWS_SECRET", FROM_A_FILE, (), "refused_reference", id="a kind from the files"),
        pytest.param("TEAM_OPENAI_API_KEY", OPENAI, (), "found", id="ends in API_KEY"),
        pytest.param("TEAM_APIKEY", OPENAI, (), "found", id="ends in APIKEY"),
        pytest.param("TEAM_API_TOKEN", OPENAI, (), "found", id="ends in API_TOKEN"),
        pytest.param("GITHUB_TOKEN", OPENAI, (), "refused_reference", id="somebody else's token"),
        pytest.param("AWS_SECRET_ACCESS_KEY", OPENAI, (), "refused_reference", id="a cloud's key"),
        pytest.param("HOME", OPENAI, (), "refused_reference", id="no key at all"),
        pytest.param("TEAM_KEY", OPENAI, ("TEAM_KEY",), "found", id="the operator's word"),
        pytest.param("TEAM_KEY", OPENAI, ("TEAM_KEY2",), "refused_reference", id="another word"),
        pytest.param("DATABASE_URL", OPENAI, ("DATABASE_URL",), "refused_reference", id="the database"),
        pytest.param("APP_DATABASE_URL", OPENAI, ("APP_DATABASE_URL",), "refused_reference", id="any"),
        pytest.param("PGPASSWORD", OPENAI, ("PGPASSWORD",), "refused_reference", id="its password"),
        pytest.param("RECONCILER_API_KEY", OPENAI, ("RECONCILER_API_KEY",), "refused_reference", id="ours"),
        pytest.param("reconciler_api_key", OPENAI, (), "refused_reference", id="ours in lower case"),
    ],
)
def test_only_allowed_variables_are_read(name, kind, allowed, expected):
    found = resolved(name, kind, allowed=allowed)
    assert outcome(found) == expected
    if expected != "found":
        assert name in found.detail
        assert CANARY not in found.detail


def test_the_refusal_says_how_to_allow_a_variable():
    assert resolved("TEAM_KEY").detail.endswith("RECONCILER_ALLOWED_ENV=TEAM_KEY")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("sk-1", "found", id="plain"),
        pytest.param("  sk-1\r\n", "found", id="with what shells leave"),
        pytest.param("", "secret_missing", id="empty"),
        pytest.param(" \n", "secret_missing", id="blank"),
        pytest.param("sk-1\nX-Admin: yes", "secret_missing", id="a header smuggled in"),
        pytest.param("sk-1\r\n\r\nGET /", "secret_missing", id="a request smuggled in"),
        pytest.param("sk-1\x00", "secret_missing", id="NUL"),
        pytest.param("sk-\u00e9", "secret_missing", id="no header can hold it"),
        pytest.param("postgresql+psycopg://u:p@h/db", "refused_reference", id="a database URL by any name"),
    ],
)
def test_a_value_has_to_fit_a_header(value, expected):
    found = resolved("OPENAI_API_KEY", value=value)
    assert outcome(found) == expected
    if expected == "found":
        assert found.reveal() == "sk-1"
    else:
        assert "OPENAI_API_KEY" in found.detail
        assert not value.strip() or value not in found.detail


@pytest.mark.parametrize(
    "reference", ["sk-canary", "env:sk-canary", "env:A-B", "file:relative", "vault:x", "", "ENV:A"]
)
def test_what_is_no_reference_is_refused_and_not_repeated(reference):
    found = resolve(reference, kind=OPENAI, access=Access(environ={"A": "x"}))
    assert found.outcome == "refused_reference"
    assert not reference or reference not in found.detail


@pytest.mark.parametrize(
    ("kind", "credentials", "environ", "expected"),
    [
        pytest.param(OPENAI, "kind", {"OPENAI_API_KEY": "a"}, {"api_key": "a"}, id="the kind's variable"),
        pytest.param(OPENAI, "none", {"OPENAI_API_KEY": "a"}, {}, id="none though there is one"),
        pytest.param(
            OPENAI,
            "kind",
            {"OPENAI_API_KEY": "a", "OPENAI_ORG_ID": "o"},
            {"api_key": "a", "organization": "o"},
            id="optional ones that are there",
        ),
        pytest.param(
            OPENAI,
            {"api_key": "env:TEAM_API_KEY"},
            {"TEAM_API_KEY": "t", "OPENAI_API_KEY": "a"},
            {"api_key": "t"},
            id="a reference wins",
        ),
        pytest.param(
            OPENAI,
            {"organization": "env:OPENAI_ORG_ID"},
            {"OPENAI_API_KEY": "a", "OPENAI_ORG_ID": "o"},
            {"api_key": "a", "organization": "o"},
            id="what is not named is the kind's",
        ),
        pytest.param(COMPATIBLE, "kind", {"OPENAI_COMPATIBLE_API_KEY": "a"}, {}, id="a kind without keys"),
        pytest.param(
            COMPATIBLE,
            {"api_key": "env:MY_API_KEY"},
            {"MY_API_KEY": "a"},
            {"api_key": "a"},
            id="but with one",
        ),
    ],
)
def test_a_target_gets_its_credentials(kind, credentials, environ, expected):
    found = resolve_all(target(kind=kind, credentials=credentials), Access(environ=environ))
    assert {name: secret.reveal() for name, secret in found.items()} == expected


@pytest.mark.parametrize(
    ("kind", "credentials", "environ", "expected"),
    [
        pytest.param(OPENAI, "kind", {}, ("secret_missing", "OPENAI_API_KEY"), id="unset"),
        pytest.param(
            OPENAI, "kind", {"OPENAI_API_KEY": " "}, ("secret_missing", "OPENAI_API_KEY"), id="blank"
        ),
        pytest.param(ANTHROPIC, "kind", {}, ("secret_missing", "ANTHROPIC_API_KEY"), id="another kind"),
        pytest.param(
            COMPATIBLE,
            {"api_key": "env:MY_API_KEY"},
            {},
            ("secret_missing", "MY_API_KEY"),
            id="an optional one that is named must be there",
        ),
        pytest.param(
            OPENAI, {"api_key": "env:HOME"}, {"HOME": "/"}, ("refused_reference", "HOME"), id="not allowed"
        ),
    ],
)
def test_a_target_without_its_credentials_says_which(kind, credentials, environ, expected):
    found = resolve_all(target(kind=kind, credentials=credentials), Access(environ=environ))
    assert isinstance(found, Unresolved)
    assert (found.outcome, expected[1] in found.detail) == (expected[0], True)
