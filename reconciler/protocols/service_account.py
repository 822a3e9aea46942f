"""Google's service accounts: a key file becomes a signed assertion that is exchanged for a token. Signing
needs the extra `vertex`; the key itself is never sent.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.protocols.credentials import Secret, Unresolved

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_LIFETIME = 3600
_TYPE = "service_account"
_MISSING = "its key takes the extra: pip install 'llm-reconciler[vertex]'; an access token does not"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What a key file says.

    Attributes:
        email: Who it speaks for.
        private_key: The key to sign with, in PEM form.
        key_id: Which of the account's keys that is.
        project: The project that it belongs to; empty where the file does not say.
        token_url: Where assertions are exchanged.
    """

    email: str
    private_key: Secret
    key_id: str = ""
    project: str = ""
    token_url: str = TOKEN_URL


def read(key_file: Secret) -> ServiceAccount | Unresolved:
    """What a key file says, or why it is of no use; details name its source, never its content."""
    source = key_file.source
    try:
        content = json.loads(key_file.reveal())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        return Unresolved("secret_missing", f"{source} holds no service account's key in JSON")
    if content.get("type", _TYPE) != _TYPE:
        return Unresolved(
            "unprobeable",
            f"{source} holds other credentials than a service account's key; give an access token",
        )
    email, private_key = _text(content, "client_email"), _text(content, "private_key")
    if not email or not private_key:
        return Unresolved("secret_missing", f"{source} holds a key file without client_email or private_key")
    return ServiceAccount(
        email,
        Secret(private_key, source=source),
        _text(content, "private_key_id"),
        _text(content, "project_id"),
        _text(content, "token_uri") or TOKEN_URL,
    )


def assertion(account: ServiceAccount, *, now: datetime) -> Secret | Unresolved:
    """A signed statement of who asks, good for an hour from `now`."""
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding
    except ImportError:
        return Unresolved("unprobeable", f"{account.private_key.source} is a service account's; {_MISSING}")
    key = _signing_key(account.private_key)
    if key is None:
        source = account.private_key.source
        return Unresolved(
            "secret_missing", f"{source} holds a private key that cannot be read as RSA in PEM form"
        )
    issued = int(now.timestamp())
    header = {"alg": "RS256", "typ": "JWT", **({"kid": account.key_id} if account.key_id else {})}
    times = {"iat": issued, "exp": issued + _LIFETIME}
    claims = {"iss": account.email, "scope": _SCOPE, "aud": account.token_url, **times}
    said = f"{_encoded(header)}.{_encoded(claims)}"
    signature = key.sign(said.encode(), padding.PKCS1v15(), hashes.SHA256())
    return Secret(f"{said}.{_base64(signature)}", source=account.private_key.source)


def _signing_key(pem: Secret) -> Any:
    """The RSA key in a PEM text; `None` where there is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.reveal().encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPrivateKey) else None


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) else ""


def _encoded(part: Mapping[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
