"""A kind's probe becomes a request: where it goes, what it carries, and whether it may go there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import Probe
from reconciler.protocols import hosts
from reconciler.protocols.credentials import Credentials
from reconciler.protocols.encoding import encoded
from reconciler.protocols.exchange import Request, SecretHeader, Verdict
from reconciler.protocols.generation import Call
from reconciler.protocols.run import Run

# Headers that decide how a request is framed or where it is routed are nobody's to set.
_RESERVED_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "cookie",
        "accept-encoding",
        "te",
        "upgrade",
    }
)
_MODEL = "{model}"


@dataclass(frozen=True, slots=True)
class Case:
    """One probe under way: the target with its endpoint and its credentials at hand."""

    target: ProbeTarget
    base_url: str
    credentials: Credentials
    run: Run

    @property
    def model_id(self) -> str:
        """The model's id, as the provider spells it."""
        return self.target.address.model_id

    @property
    def plain(self) -> dict[str, str]:
        """The credentials that are no secrets, such as a project's id, by name."""
        rules, held = self.target.kind.credentials, self.credentials.items()
        return {name: one.reveal() for name, one in held if name in rules and not rules[name].secret}


class Question(NamedTuple):
    """A probe that may be asked, with the request it became; `is_work` where a model is asked to do some."""

    probe: Probe
    request: Request
    is_work: bool = False

    @property
    def host(self) -> str:
        """Where it goes, for people."""
        return str(hosts.origin_of(self.request.url) or "the endpoint")

    @property
    def is_about_one_model(self) -> bool:
        """Whether the model's id is in it; if not, one answer decides every model of the provider."""
        return self.is_work or _MODEL in f"{self.probe.path}{self.probe.query}{self.probe.body}"

    def carrying(self, call: Call) -> Question:
        """The same question with what a call says; texts in it stay as they are."""
        body, content_type = encoded(call.body)
        headers = (*self.request.headers, *call.headers.items())
        request = replace(self.request, body=body, content_type=content_type, headers=headers)
        return self._replace(request=request, is_work=True)


def ask_about(
    case: Case, probe: Probe, secrets: tuple[SecretHeader, ...], headers: Mapping[str, str]
) -> Question | Verdict:
    """The question of a probe with its credentials, or `refused_host` where it may not be put.

    The kind's headers come over the protocol's `headers`.
    """
    target = case.target
    url = url_of(case.base_url, probe, case.model_id)
    allowed = case.run.access.allowed_hosts
    ruling = hosts.ruling(url, target.kind, allowed, has_credential=bool(secrets))
    if ruling.refusal:
        return Verdict("refused_host", ruling.refusal)
    every = {**headers, **target.kind.headers}
    request = Request(
        method=probe.method,
        url=url,
        timeout=target.timeout,
        headers=tuple((name, text) for name, text in every.items() if name.lower() not in _RESERVED_HEADERS),
        secrets=secrets,
        body=None if probe.body is None else json.dumps(_filled(probe.body, case.model_id)).encode(),
        addresses=ruling.addresses,
    )
    return Question(probe, request)


def url_of(base_url: str, probe: Probe, model_id: str) -> str:
    """Where a probe goes: below the base URL, or where an absolute path says.

    >>> url_of("https://api.openai.com/v1/", Probe(path="/models/{model}"), "ft:gpt/4")
    'https://api.openai.com/v1/models/ft%3Agpt%2F4'
    """
    # A model whose id is a dot or two would otherwise climb up the path.
    escaped = quote(model_id, safe="") if model_id.strip(".") else model_id.replace(".", "%2E")
    path = probe.path.replace(_MODEL, escaped)
    absolute = path.startswith(("https://", "http://"))
    url = path if absolute or not path else f"{base_url.rstrip('/')}/{path.lstrip('/')}"
    if not probe.query:
        return url or base_url
    query = urlencode({name: value.replace(_MODEL, model_id) for name, value in probe.query.items()})
    return f"{url or base_url}?{query}"


def _filled(body: Any, model_id: str) -> Any:
    """A body in which the placeholder is the model's id."""
    match body:
        case str():
            return body.replace(_MODEL, model_id)
        case Mapping():
            return {name: _filled(value, model_id) for name, value in body.items()}
        case list() | tuple():
            return [_filled(value, model_id) for value in body]
        case _:
            return body
