"""One frozen value that holds what the operator has set; only `reconciler.wiring` reads the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "RECONCILER_"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator has set, by `RECONCILER_…` variables; an option on the command line wins.

    Attributes:
        database_url: `postgresql://…`, or `embedded`; `None` where it is unset.
        source: The name that this configuration's entities are owned under.
        home: Where the embedded server lives; `None` for the platform's place.
        allowed_env: Environment variables that references may name, besides the kinds' own.
        allowed_files: Folders below which `file:` references may point, besides `/run/secrets`.
        allowed_hosts: Hosts that credentials may be sent to, `host[:port]`, `*.` for sub-domains.
        ca_file: Certificates to trust instead of the system's, for a private authority.
        proxy: The proxy that probes go through, `http://` or `https://`; it may hold a password.
        ci: Whether this runs in CI, where a missing database URL is an error.
        lock_timeout: Seconds to wait for another run, 0 for not at all.
        fingerprint_key: What fingerprints of credentials are made with, at least 16 characters; `None` for a
            key that this machine keeps in its home.
        retention: How long results of verification are kept, as it was written: `90d`, or `off`.

    >>> Settings(source="prod", lock_timeout=5.0).source
    'prod'
    """

    database_url: str | None = field(default=None, repr=False)
    source: str = "default"
    home: Path | None = None
    allowed_env: tuple[str, ...] = ()
    allowed_files: tuple[str, ...] = ("/run/secrets",)
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    ci: bool = False
    lock_timeout: float = 30.0
    fingerprint_key: str | None = field(default=None, repr=False)
    retention: str = "90d"


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Read the settings from a mapping of environment variables.

    >>> from_environment({"RECONCILER_SOURCE": "team-a", "CI": "true"}).source
    'team-a'
    """

    def words(name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in environ.get(PREFIX + name, "").split(",") if word.strip())

    home = environ.get(PREFIX + "HOME")
    return Settings(
        database_url=environ.get(PREFIX + "DATABASE_URL") or None,
        source=environ.get(PREFIX + "SOURCE") or "default",
        home=Path(home) if home else None,
        allowed_env=words("ALLOWED_ENV"),
        allowed_files=("/run/secrets", *words("ALLOWED_FILES")),
        allowed_hosts=words("ALLOWED_HOSTS"),
        ca_file=environ.get(PREFIX + "CA_FILE") or None,
        proxy=environ.get(PREFIX + "PROXY") or None,
        ci=environ.get("CI", "").lower() not in {"", "0", "false", "no"},
        fingerprint_key=environ.get(PREFIX + "FINGERPRINT_KEY") or None,
        retention=environ.get(PREFIX + "RETENTION") or "90d",
    )
