"""Fingerprints tell whether credentials are the same, and nothing else about them or about the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.protocols.credentials import Secret
from reconciler.protocols.fingerprint import fingerprint, key_of_text

KEY = key_of_text("0123456789abcdef")
OTHER = key_of_text("another key of the operator")


def credentials(**values):
    return {name: Secret(value, source="X_API_KEY") for name, value in values.items()}


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1, max_size=3))
def test_the_same_credentials_have_the_same_fingerprint_in_any_order(values):
    found = {name: Secret(value, source="X") for name, value in values.items()}
    backwards = dict(reversed(found.items()))
    assert fingerprint(found, KEY) == fingerprint(backwards, KEY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"api_key": "a"}, {"api_key": "b"}, id="another secret"),
        pytest.param({"api_key": "a"}, {"token": "a"}, id="another name"),
        pytest.param({"api_key": "a"}, {"api_key": "a", "org": ""}, id="one more, though it is empty"),
        pytest.param({"a": "bc"}, {"ab": "c"}, id="the same letters, parted elsewhere"),
        pytest.param({"a": "1", "b": "2"}, {"a": "1b2"}, id="two in one"),
    ],
)
def test_other_credentials_have_another_fingerprint(one, other):
    assert fingerprint(credentials(**one), KEY) != fingerprint(credentials(**other), KEY)


def test_another_key_makes_another_fingerprint_and_names_itself():
    mine, theirs = (fingerprint(credentials(api_key="a"), key) for key in (KEY, OTHER))
    assert mine.partition(":")[0] == KEY.name
    assert theirs.partition(":")[0] == OTHER.name
    assert mine.partition(":")[2] != theirs.partition(":")[2]


def test_a_fingerprint_shows_neither_the_secret_nor_the_key():
    secret = "sk-canary-of-this-test"
    text = f"{fingerprint(credentials(api_key=secret), KEY)} {KEY!r} {KEY}"
    assert secret not in text
    assert "0123456789abcdef" not in text


def test_without_credentials_no_key_is_needed_and_with_them_there_is_no_fingerprint_without_one():
    assert fingerprint({}, None) == fingerprint({}, KEY) == "none"
    assert fingerprint(credentials(api_key="a"), None) is None


def test_a_key_that_is_too_short_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="at least 16 characters") as caught:
        key_of_text("too-short-a-key")
    assert "too-short-a-key" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.code == "bad-fingerprint-key"
