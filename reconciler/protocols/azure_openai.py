"""Azure OpenAI's protocol: a key or a token of Entra, and a dated version in every URL. A model is a
deployment there, and nothing but generating proves one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from reconciler.core.provider_kind import Probe, ProbeLevel
from reconciler.protocols import openai
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Rule
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.questions import Case
from reconciler.protocols.ways import Way

RULES = (
    Rule("model_not_found", codes=("deploymentnotfound",)),
    # A token that is good, of somebody who has no role here.
    Rule("forbidden", codes=("permissiondenied", "authenticationtypedisabled"), statuses=(401, 403)),
    Rule("wrong_region", words=r"not (supported|available) in (this|the) region"),
    *openai.RULES,
)

_VERSION = "api-version"
_VERSIONS = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|latest|preview|v1")
# People copy the endpoint with the path of one surface or another behind it.
_SURFACE = re.compile(r"/openai(/v1)?/?$")


@dataclass(frozen=True, slots=True)
class AzureProtocol(HttpProtocol):
    """Azure OpenAI, at the version that the provider or its kind names."""

    async def at_level(self, case: Case) -> Verdict:
        """Probe below the resource's own endpoint."""
        return await HttpProtocol.at_level(self, replace(case, base_url=_SURFACE.sub("", case.base_url)))

    def probe(self, case: Case, level: ProbeLevel) -> Probe | Verdict:
        """The kind's probe at the provider's version, where it names one."""
        if level == "model" and level not in case.target.kind.probes:
            detail = (
                "a model of Azure is a deployment, which only generating proves; 'credential' asks for less"
            )
            return Verdict("unprobeable", detail)
        probe = HttpProtocol.probe(self, case, level)
        version = case.credentials.get("api_version")
        if isinstance(probe, Verdict) or version is None or _VERSION not in probe.query:
            return probe
        # It goes into a URL, where nothing may stand that could be a key.
        if not _VERSIONS.fullmatch(version.reveal()):
            return Verdict("probe_invalid", f"{version.source} holds no version such as 2024-10-21")
        return replace(probe, query={**probe.query, _VERSION: version.reveal()})


PROTOCOL = AzureProtocol(
    name="azure-openai",
    rules=RULES,
    placements={"api_key": Placement("api-key"), "ad_token": Placement("Authorization", "Bearer ")},
    ways=(Way(("api_key",)), Way(("ad_token",))),
)
