"""The types that fields of the files are made of: names, texts, numbers that fit their columns, references,
URLs and durations. Each says once what it takes, for the loader and for the JSON Schema alike.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.core import durations

# Characters that no model id holds: control, format, private use, surrogates, separators other than a space.
UNSAFE_CHARACTERS = (
    "\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f"
    "\u205f-\u2064\u2066-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\U000f0000-\U000ffffd"
    "\U00100000-\U0010fffd"
)
NAME_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._-]*$"
MODEL_ID_PATTERN = f"^[^ {UNSAFE_CHARACTERS}](?:[^{UNSAFE_CHARACTERS}]*[^ {UNSAFE_CHARACTERS}])?$"
TEXT_PATTERN = "^[^\x00]*$"
REFERENCE_PATTERN = "^(?:env:[A-Za-z0-9_]+|file:/[^\x00-\x1f\x7f]+)$"

_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_URL_CHARACTERS = "[A-Za-z0-9._~!$&'()*+,;=:@%-]"
URL_PATTERN = (
    f"^[Hh][Tt][Tt][Pp][Ss]?://{_HOST}(?::{_PORT})?(?:/{_URL_CHARACTERS}*)*"
    f"(?:[?](?:{_URL_CHARACTERS}|[/?])*)?$"
)
# Query parameters by which endpoints take keys.
_KEY_WORDS = (
    "key",
    "api[-_]?key",
    "(?:access|auth|api)[-_]?token",
    "token",
    "secret",
    "password",
    "sig",
    "signature",
)


def either_case(pattern: str) -> str:
    """A pattern of lower-case words that matches any case, in the syntax that Python and JSON Schema share.

    >>> either_case("key")
    '[Kk][Ee][Yy]'
    """
    return re.sub("[a-z]", lambda letter: f"[{letter[0].upper()}{letter[0]}]", pattern)


KEY_IN_URL_PATTERN = "[?&](?:" + "|".join(map(either_case, _KEY_WORDS)) + ")="

_URL = re.compile(URL_PATTERN)
_KEY_IN_URL = re.compile(KEY_IN_URL_PATTERN)
_URL_SCHEMA = {
    "type": "string",
    "pattern": URL_PATTERN,
    "maxLength": 2048,
    "not": {"pattern": KEY_IN_URL_PATTERN},
}

INTEGER_LIMIT = 2**31 - 1
BIGINT_LIMIT = 2**63 - 1
# Below it, a number that went through JSON and a column of floats comes back as it was.
NUMBER_LIMIT = 1e15


def _url(text: str) -> str:
    if "@" in text.partition("://")[2].partition("/")[0] or _KEY_IN_URL.search(text):
        raise PydanticCustomError("bad-url", "the URL holds a user, a password or a key")
    if not _URL.fullmatch(text):
        raise PydanticCustomError("bad-url", "this is no URL of an endpoint: http or https, a host, a path")
    return text


def _duration(text: str) -> str:
    try:
        return durations.canonical(text)
    except ValueError as error:
        raise PydanticCustomError("wrong-value", "this is no duration") from error


def _reference(text: str) -> str:
    # The value is never repeated: whatever is no reference may be the secret itself.
    if re.fullmatch(REFERENCE_PATTERN, text):
        return text
    if text.startswith(("env:", "file:")):
        raise PydanticCustomError("bad-reference", "the reference is malformed")
    raise PydanticCustomError("literal-secret", "this is not a reference")


Text = Annotated[str, StringConstraints(pattern=TEXT_PATTERN)]
ShortText = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, max_length=255)]
Word = Annotated[str, StringConstraints(pattern=TEXT_PATTERN, min_length=1, max_length=255)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=255)]
ModelId = Annotated[str, StringConstraints(pattern=MODEL_ID_PATTERN, max_length=255)]
Url = Annotated[str, Field(max_length=2048), AfterValidator(_url), WithJsonSchema(_URL_SCHEMA)]
Duration = Annotated[
    str, AfterValidator(_duration), WithJsonSchema({"type": "string", "pattern": durations.PATTERN})
]
Reference = Annotated[
    str, AfterValidator(_reference), WithJsonSchema({"type": "string", "pattern": REFERENCE_PATTERN})
]
Integer = Annotated[int, Field(ge=-INTEGER_LIMIT - 1, le=INTEGER_LIMIT)]
BigInteger = Annotated[int, Field(ge=-BIGINT_LIMIT - 1, le=BIGINT_LIMIT)]
Count = Annotated[int, Field(ge=1, le=INTEGER_LIMIT)]
Tokens = Annotated[int, Field(ge=0, le=BIGINT_LIMIT)]
Number = Annotated[float, Field(ge=-NUMBER_LIMIT, le=NUMBER_LIMIT)]
