"""Signatures of AWS, computed by botocore's signer and by nothing else of it: our own transport sends. It
needs the extra `bedrock`, and is apart so that nothing else does.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from reconciler.protocols.credentials import Credentials, Secret
from reconciler.protocols.exchange import Request, SecretHeader

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "access_key_id", "secret_access_key", "session_token"
_SERVICE = "bedrock"
_CARRIERS = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class _Keys:
    """The keys as botocore wants them; printing it shows none."""

    def __init__(self, credentials: Credentials) -> None:
        token = credentials.get(SESSION_TOKEN)
        self.access_key = credentials[ACCESS_KEY].reveal()
        self.secret_key = credentials[SECRET_KEY].reveal()
        self.token = None if token is None else token.reveal()


@dataclass(frozen=True, slots=True)
class SigV4:
    """Signs with the keys among some credentials, for one region.

    Attributes:
        keys: The credentials by name, sorted; the session's token may be missing.
        region: The region that the request is for.
    """

    keys: tuple[tuple[str, Secret], ...]
    region: str

    def sign(self, request: Request) -> tuple[SecretHeader, ...]:
        """The headers of a signature that is good for the next minutes."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        # At its most talkative it logs what it signs, session token and all.
        logging.getLogger("botocore.auth").setLevel(logging.WARNING)
        signed = AWSRequest(method=request.method, url=request.url, data=request.body or b"")
        SigV4Auth(_Keys(dict(self.keys)), _SERVICE, self.region).add_auth(signed)
        return tuple(
            SecretHeader(name, "", Secret(signed.headers[name], source="the signature"))
            for name in _CARRIERS
            if name in signed.headers
        )


def signer(credentials: Credentials, region: str) -> SigV4:
    """A signer with the AWS keys among some credentials."""
    names = (ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)
    return SigV4(tuple((name, credentials[name]) for name in names if name in credentials), region)


def is_available() -> bool:
    """Whether botocore is installed."""
    try:
        import botocore.auth
    except ImportError:
        return False
    return bool(botocore.auth)
