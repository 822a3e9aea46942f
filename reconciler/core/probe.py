"""What is to be probed, and what the prober may touch, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.core.address import Address
from reconciler.core.provider_kind import ProbeLevel, ProviderKind
from reconciler.core.state import Spec


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """One model to verify, with everything that is needed: the files are not read again.

    Attributes:
        address: The model.
        kind: Its provider's kind.
        base_url: The provider's own endpoint, or the kind's; `None` where there is none.
        credentials: References by credential name; `none` for an endpoint without a key; `kind` where the
            kind's own environment variables are meant.
        mode: What the model is for: chat, embedding, …
        level: The probe to use.
        timeout: Seconds that the whole probe may take.
        parameters: The resolved parameter set.
        template: The resolved prompt template, where the model has one.
        capabilities: What the model is said to be able to do, such as `reasoning`.
    """

    address: Address
    kind: ProviderKind
    base_url: str | None
    credentials: Mapping[str, str] | Literal["none", "kind"]
    mode: str
    level: ProbeLevel
    timeout: float
    parameters: Spec = field(default_factory=dict)
    template: Spec | None = None
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """What the operator allows the prober.

    Attributes:
        environ: The environment that `env:` references are resolved in, at the moment of use.
        allowed_env: Variables that references may name besides the kind's own and the known suffixes.
        allowed_files: Folders below which `file:` references may point.
        allowed_hosts: `host[:port]`, `*.` for sub-domains, that credentials may be sent to, and that
            requests without credentials may go to.
        ca_file: Certificates to trust instead of the system's.
        proxy: A proxy that every request goes through that leaves this machine, because the operator says
            so; never taken from variables such as `HTTPS_PROXY`. It may hold a password.
    """

    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    allowed_env: tuple[str, ...] = ()
    allowed_files: tuple[str, ...] = ("/run/secrets",)
    allowed_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
