"""Azure OpenAI's protocol: a key or a token of Entra, and a dated version in every URL. A model is a
deployment there, and nothing but generating proves one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from reconciler.core.provider_kind import Endpoint, Probe, ProbeLevel
from reconciler.protocols import openai
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Rule
from reconciler.protocols.exchange import Answer, Verdict
from reconciler.protocols.generation import Event, Piece, Reply, Shape
from reconciler.protocols.questions import Case, Question
from reconciler.protocols.ways import Way

RULES = (
    Rule("model_not_found", codes=("deploymentnotfound",)),
    # A missing deployment is always named, so this speaks of the path or its version.
    Rule("probe_invalid", codes=("404",), words=r"resource not found", statuses=(404,)),
    # A token that is good, of somebody who has no role here.
    Rule("forbidden", codes=("permissiondenied", "authenticationtypedisabled"), statuses=(401, 403)),
    Rule("wrong_region", words=r"not (supported|available) in (this|the) region"),
    *openai.RULES,
)

_VERSION = "api-version"
_VERSIONS = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?|latest|preview|v1")
# People copy the endpoint with the path of one surface or another behind it.
_SURFACE = re.compile(r"/openai(/v1)?/?$")
_NEWER = re.compile(r"/openai/v1/?$")
# The newer surface has no dated versions and names the deployment in the body alone.
_UNDATED = frozenset({"v1", "preview", "latest"})
_DEPLOYMENT = "/openai/deployments/{model}/"


@dataclass(frozen=True, slots=True)
class AzureProtocol(HttpProtocol):
    """Azure OpenAI, at the version that the provider or its kind names."""

    def home(self, base_url: str, level: ProbeLevel) -> str:
        """The resource's own endpoint."""
        del level
        return _SURFACE.sub("", base_url)

    def probe(self, case: Case, level: ProbeLevel) -> Probe | Verdict:
        """The kind's probe, or why there is none for a model."""
        if level == "model" and level not in case.target.kind.probes:
            detail = (
                "a model of Azure is a deployment, which only generating proves; 'credential' asks for less"
            )
            return Verdict("unprobeable", detail)
        return HttpProtocol.probe(self, case, level)

    async def authorized(self, case: Case, probe: Probe) -> Question | Verdict:
        """The question of a probe, at the version and the surface that the provider wants."""
        placed = _placed(case, probe)
        return placed if isinstance(placed, Verdict) else await HttpProtocol.authorized(self, case, placed)


def _nameless(shape: Shape) -> Shape:
    """A shape that reads no model: what answers is named by its model, and asked by its deployment."""

    def read(answer: Answer, endpoint: Endpoint) -> Reply | None:
        return shape.read(answer, replace(endpoint, model_at=""))

    stream = shape.stream
    if stream is None:
        return Shape(shape.compose, read)

    def read_event(event: Event, endpoint: Endpoint) -> Piece | None:
        return stream.read(event, replace(endpoint, model_at=""))

    return Shape(shape.compose, read, stream._replace(read=read_event))


PROTOCOL = AzureProtocol(
    name="azure-openai",
    rules=RULES,
    placements={"api_key": Placement("api-key"), "ad_token": Placement("Authorization", "Bearer ")},
    ways=(Way(("api_key",)), Way(("ad_token",))),
    shapes={name: _nameless(shape) for name, shape in openai.PROTOCOL.shapes.items()},
    wires={**openai.PROTOCOL.wires, "max_new_tokens": "max_completion_tokens"},
)


def is_version(text: str) -> bool:
    """Whether a text is a version of the service's, which may stand in a URL."""
    return _VERSIONS.fullmatch(text) is not None


def is_undated(base_url: str, version: str) -> bool:
    """Whether the newer surface is meant, which has no dated versions."""
    return _NEWER.search(base_url) is not None or version in _UNDATED


def _placed(case: Case, probe: Probe) -> Probe | Verdict:
    """A probe at the provider's version, where it names one, and on the surface that it means."""
    if _VERSION not in probe.query:
        return probe
    version = case.credentials.get("api_version")
    named = "" if version is None else version.reveal()
    # It goes into a URL, where nothing may stand that could be a key.
    if version is not None and not is_version(named):
        return Verdict("probe_invalid", f"{version.source} holds no version such as 2024-10-21")
    if not is_undated(case.target.base_url or "", named) or not probe.path.startswith(_DEPLOYMENT):
        return replace(probe, query={**probe.query, _VERSION: named or probe.query[_VERSION]})
    query = {name: text for name, text in probe.query.items() if name != _VERSION}
    if named in _UNDATED - {"v1"}:
        query[_VERSION] = named
    return replace(probe, path=probe.path.replace(_DEPLOYMENT, "/openai/v1/"), query=query)
