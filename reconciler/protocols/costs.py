"""What a verification would send and cost, at the most: without network and without credentials, from the
code that composes the requests themselves. Second looks that an answer can lead to are counted too, but not
free questions that are put again because a provider asked to wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.core.endpoints import endpoint_of
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import Probe
from reconciler.protocols import hosts
from reconciler.protocols.base import HttpProtocol
from reconciler.protocols.encoding import encoded
from reconciler.protocols.exchange import Verdict
from reconciler.protocols.generating import answers_of, limit_of, unserved, work_to_prove, writes
from reconciler.protocols.questions import url_of
from reconciler.protocols.redaction import shorten
from reconciler.protocols.registry import protocol

# No tokenizer makes more than one token of a byte; what a chat's own template puts around it is far less.
_OVERHEAD = 100
_LONGEST_URL = 500
# Where protocols exchange a credential for a token; a kind's own probe may name another place.
_EXCHANGES: Mapping[str, str] = {
    "watsonx": "https://iam.cloud.ibm.com/identity/token",
    "vertex": "https://oauth2.googleapis.com/token",
}
# Who tells that a token has expired in a way that it is exchanged once more.
_RENEWING = frozenset({"watsonx"})
_NO_LIMIT = "how long the answer may be is not known: no limit is sent"


class PlannedCall(NamedTuple):
    """One request that may be sent.

    Attributes:
        method: The HTTP method.
        url: Where it goes; `{project}` and the like stand for what only the credentials tell.
        purpose: What it is for, in a few words.
        shared: Whether one answer serves all models of a provider, so that it is sent once in a run.
    """

    method: str
    url: str
    purpose: str
    shared: bool = False

    def __str__(self) -> str:
        once = ", once for all models of the provider" if self.shared else ""
        return f"{self.method} {shorten(self.url, _LONGEST_URL)} ({self.purpose}{once})"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one model's verification would send and cost.

    Attributes:
        requests: The requests, at the most.
        input_tokens: Tokens that would be read, at the most.
        output_tokens: Tokens that would be written, at the most.
        reason: Why nothing would be sent, or what is not known beforehand.
    """

    requests: tuple[PlannedCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    reason: str = ""

    @property
    def calls(self) -> tuple[str, ...]:
        """The requests, as people read them."""
        return tuple(map(str, self.requests))

    @property
    def tokens(self) -> int:
        """Tokens in all, at the most; none where nothing is generated."""
        return self.input_tokens + self.output_tokens


def estimate(target: ProbeTarget, *, allowed_hosts: Iterable[str] | None = None) -> Estimate:
    """What verifying a model would send and cost.

    With `allowed_hosts`, the hosts that the operator allows, it also says where a request would be refused.
    """
    reason = _idle(target) or _refused(target, allowed_hosts)
    if reason:
        return Estimate(reason=reason)
    match target.level:
        case "reach":
            return Estimate(
                (_planned(target, target.kind.probes.get("reach", Probe()), "reach", shared=True),)
            )
        case "credential":
            return _free(target, tuple(_proofs(target)), "the key")
        case "model":
            return _free(target, tuple(_of_model(target)), "the model")
        case _:
            return _generating(target)


def _idle(target: ProbeTarget) -> str:
    """Why nothing would be asked, whatever the host."""
    kind = target.kind
    if target.level == "none":
        return "this model's probe is 'none'"
    if protocol(kind.protocol) is None:
        return f"kind {kind.name} speaks no protocol that this version knows"
    if target.level == "generate" and endpoint_of(kind, target.address.model_id, target.mode) is None:
        return unserved(kind, target.address.model_id, target.mode).detail
    if not target.base_url:
        return f"{target.address.provider} has no base_url"
    return ""


def _refused(target: ProbeTarget, allowed_hosts: Iterable[str] | None) -> str:
    if allowed_hosts is None:
        return ""
    has_credential = target.level != "reach" and _has_credential(target)
    refusal = hosts.refusal(target.base_url or "", target.kind, allowed_hosts, has_credential=has_credential)
    return refusal or ""


def _has_credential(target: ProbeTarget) -> bool:
    """Whether a credential is meant to be sent; whether it is there is known only where it is."""
    kind, given = target.kind, target.credentials
    if given == "none" or (given == "kind" and kind.default_credentials == "none"):
        return False
    return bool(kind.credentials) or isinstance(given, Mapping)


# What costs nothing


def _free(target: ProbeTarget, calls: tuple[PlannedCall, ...], what: str) -> Estimate:
    reason = target.kind.unproven.get(target.level, "")
    nothing = f"kind {target.kind.name} has no probe that proves {what} without generating"
    if not any(call.purpose == what for call in calls):
        return Estimate(reason=f"{nothing} ({reason})" if reason else nothing)
    return Estimate(calls)


def _proofs(target: ProbeTarget) -> Iterator[PlannedCall]:
    """What proves the key: an exchange, or the kind's own question."""
    exchange, probe = _exchange(target), target.kind.probes.get("credential")
    if exchange is not None:
        yield exchange._replace(purpose="the key")
    if probe is not None and (exchange is None or probe.path != exchange.url):
        yield _planned(target, probe, "the key", shared=True)


def _exchange(target: ProbeTarget) -> PlannedCall | None:
    usual = _EXCHANGES.get(target.kind.protocol)
    if usual is None or not _has_credential(target):
        return None
    probe = target.kind.probes.get("credential")
    named = probe.path if probe is not None and target.kind.protocol in _RENEWING else ""
    url = named if named.startswith(("https://", "http://")) else usual
    return PlannedCall("POST", url, "a token for the key", shared=True)


def _of_model(target: ProbeTarget) -> Iterator[PlannedCall]:
    probe = target.kind.probes.get("model")
    if probe is None:
        return
    is_shared = "{model}" not in f"{probe.path}{probe.query}{probe.body}"
    asked = _planned(target, probe, "the model", shared=is_shared)
    if probe.authenticated:
        yield from _asked_with_token(target, asked)
    else:
        # A public answer proves no key, so the key is proven first.
        yield from _proofs(target) if _has_credential(target) else ()
        yield asked
    known = target.kind.probes.get("credential")
    if not is_shared and known is not None and not known.path.startswith("https://"):
        yield _planned(target, known, "the path, after a bare 404", shared=True)


def _asked_with_token(target: ProbeTarget, asked: PlannedCall) -> Iterator[PlannedCall]:
    """A question, with the exchange before it, and both once more where a token can expire."""
    exchange = _exchange(target)
    if exchange is not None:
        yield exchange
    yield asked
    if exchange is not None and target.kind.protocol in _RENEWING:
        yield exchange._replace(purpose="a new token, where the first has expired")
        yield asked._replace(purpose=f"{asked.purpose}, with a new token")


def _planned(target: ProbeTarget, probe: Probe, purpose: str, *, shared: bool = False) -> PlannedCall:
    spoken = protocol(target.kind.protocol)
    assert isinstance(spoken, HttpProtocol)
    url = url_of(spoken.home(target.base_url or "", target.level), probe, target.address.model_id)
    return PlannedCall(probe.method, url, purpose, shared)


# What costs tokens


def _generating(target: ProbeTarget) -> Estimate:
    spoken = protocol(target.kind.protocol)
    assert isinstance(spoken, HttpProtocol)
    # What only the credentials tell is about as long as its name.
    rules = target.kind.credentials.items()
    plain = {name: f"{{{name}}}" for name, rule in rules if not rule.secret}
    work = work_to_prove(target, defaults=spoken.wires, plain=plain)
    call = work if isinstance(work, Verdict) else spoken.compose(work)
    if isinstance(work, Verdict) or isinstance(call, Verdict):
        return Estimate(reason=call.detail if isinstance(call, Verdict) else "")
    probe = Probe(method="POST", path=call.path, query=call.query)
    asked = _planned(target, probe, f"generate with {target.address.model_id}")
    limit = limit_of(call.body)
    return Estimate(
        (*_asked_with_token(target, asked), *_after_not_found(target)),
        input_tokens=len(encoded(call.body).body) + _OVERHEAD,
        output_tokens=(limit or 0) * answers_of(call.body),
        reason=_NO_LIMIT if limit is None and writes(work.endpoint) else "",
    )


def _after_not_found(target: ProbeTarget) -> Iterator[PlannedCall]:
    """A bare 404 is looked into by asking about the model."""
    exchange = _exchange(target)
    for call in _of_model(target):
        if exchange is None or call.url != exchange.url:
            yield call._replace(purpose=f"{call.purpose.partition(',')[0]}, after a bare 404")
