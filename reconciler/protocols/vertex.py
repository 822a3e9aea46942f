"""Vertex AI's protocol: a service account's key is exchanged for a token, once for all models of a run, and
counting tokens proves that this project may use a model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import Probe, ProbeLevel
from reconciler.protocols import dialects, google, hosts, reading, service_account, tokens
from reconciler.protocols.base import HttpProtocol, Placement
from reconciler.protocols.classify import Complaint, Finding, Rule
from reconciler.protocols.credentials import Credentials, Secret, Unresolved, resolve
from reconciler.protocols.exchange import Exchange, Request, SecretHeader, Verdict
from reconciler.protocols.kept_tokens import Grant
from reconciler.protocols.questions import Case, Question
from reconciler.protocols.run import Run
from reconciler.protocols.service_account import ServiceAccount
from reconciler.protocols.shapes import gemini
from reconciler.protocols.ways import Way

# The exchange has a dialect of its own, in which a bad key is a bad request.
TOKEN_RULES = (
    Rule("probe_invalid", words=r"reasonable timeframe|check your iat and exp"),
    Rule("auth_failed", codes=("invalid_grant", "invalid_client", "unauthorized_client", "deleted_client")),
    Rule("probe_invalid", statuses=(404,)),
)

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_KEY = "service_account"
_COUNTING = ":countTokens"
# Only these are known to count tokens; to be asked about another one is no proof that it is missing.
_COUNTED = re.compile(r"gemini-[^/]+")
_REGIONAL = re.compile(r"([a-z]+-[a-z]+\d{1,2})-aiplatform\.googleapis\.com")
_GLOBAL = "aiplatform.googleapis.com"
# They go into a URL, where nothing may stand that could be a key.
_PROJECTS = re.compile(r"([a-z0-9.-]{1,40}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|\d{6,20}")
_LOCATIONS = re.compile(r"global|us|eu|[a-z]+-[a-z]+\d{1,2}")


@dataclass(frozen=True, slots=True)
class VertexProtocol(HttpProtocol):
    """Vertex AI, with an access token or a service account's key."""

    def credentials(self, target: ProbeTarget, run: Run) -> Credentials | Unresolved:
        """A target's credentials; a variable that holds the path of a key file stands for that file."""
        found = HttpProtocol.credentials(self, target, run)
        if isinstance(found, Unresolved) or _KEY not in found:
            return found
        key_file = found[_KEY]
        if not key_file.reveal().startswith("{"):
            named = run.once((_KEY, "file", key_file), lambda: _file_named(key_file, target, run))
            if isinstance(named, Unresolved):
                return named
            key_file = named
        account = _account(key_file, run)
        return account if isinstance(account, Unresolved) else {**found, _KEY: key_file}

    def probe(self, case: Case, level: ProbeLevel) -> Probe | Verdict:
        """The kind's probe, or why there is none for a model."""
        probe = HttpProtocol.probe(self, case, level)
        if isinstance(probe, Verdict) or level != "model":
            return probe
        if not _COUNTED.fullmatch(case.model_id) or case.target.mode not in {"chat", "completion"}:
            detail = f"only Gemini models count tokens, and {case.model_id} is asked about in no other way"
            return Verdict("unprobeable", f"{detail}; short of generating, 'credential' is the strongest")
        return probe

    async def authorized(self, case: Case, probe: Probe) -> Question | Verdict:
        """The question of a probe, with the project and the location in its path."""
        placed = _placed(case, probe)
        return placed if isinstance(placed, Verdict) else await HttpProtocol.authorized(self, case, placed)

    async def credential(self, case: Case) -> Verdict:
        """Whether a token is given for the key, or accepted."""
        if _KEY not in case.credentials:
            return await HttpProtocol.credential(self, case)
        grant = await self._grant(case)
        if isinstance(grant, Verdict):
            return grant
        return reading.positive(grant.answer, f"Google gives a token for the key in {grant.token.source}")

    async def secret_headers(self, case: Case) -> tuple[SecretHeader, ...] | Verdict:
        """The token, given or exchanged."""
        if _KEY not in case.credentials:
            return await HttpProtocol.secret_headers(self, case)
        grant = await self._grant(case)
        return grant if isinstance(grant, Verdict) else (tokens.bearer(grant),)

    def inspect(self, found: Any, case: Case, probe: Probe) -> Finding | None:
        """Tokens that are not counted are no answer."""
        del case
        is_count = isinstance(found, dict) and "totalTokens" in found
        if probe.path.endswith(_COUNTING) and not is_count:
            return Finding("bad_response", Complaint(message="there is no 'totalTokens' in it"))
        return None

    async def renewed(self, case: Case, question: Question, exchange: Exchange) -> Question | Verdict | None:
        """The same question with a new token, where one that was kept is not taken any more."""
        secrets = question.request.secrets
        if _KEY not in case.credentials or not secrets or not tokens.is_refused(case, exchange):
            return None
        grant = await self._grant(case, refused=secrets[0].secret)
        return grant if isinstance(grant, Verdict) else tokens.again(question, grant)

    async def _grant(self, case: Case, *, refused: Secret | None = None) -> Grant | Verdict:
        """A token for the key, asked for once in a run."""
        account = _account(case.credentials[_KEY], case.run)
        if isinstance(account, Unresolved):
            return Verdict(*account)
        return await tokens.kept(case, account, self._exchange, refused=refused)

    async def _exchange(self, case: Case) -> Grant | Verdict:
        key_file, run = case.credentials[_KEY], case.run
        account = _account(key_file, run)
        if isinstance(account, Unresolved):
            return Verdict(*account)
        said = run.once((account, run.now), lambda: service_account.assertion(account, now=run.now))
        if isinstance(said, Unresolved):
            return Verdict(*said)
        form = (("grant_type", _GRANT), ("assertion", said))
        request = Request("POST", account.token_url, case.target.timeout, form=form)
        question = Question(Probe(method="POST", path=account.token_url), request)
        return await tokens.exchange(
            case, question, rules=TOKEN_RULES, source=key_file.source, dialect=dialects.oauth
        )


PROTOCOL = VertexProtocol(
    name="vertex",
    rules=google.RULES,
    placements={"access_token": Placement("Authorization", "Bearer ")},
    dialect=dialects.google,
    ways=(Way(("access_token",)), Way((_KEY,))),
    shapes=gemini.SHAPES_OF_VERTEX,
    wires=gemini.WIRES,
)


def _account(key_file: Secret, run: Run) -> ServiceAccount | Unresolved:
    """What a key file says, read once in a run."""
    return run.once((_KEY, key_file), lambda: service_account.read(key_file))


def _file_named(named: Secret, target: ProbeTarget, run: Run) -> Secret | Unresolved:
    """The content of the file that a variable names, where files may be read.

    What the variable holds may be a key in the place of a path, so details never repeat it.
    """
    path = named.reveal()
    found = resolve(f"file:{path}", kind=target.kind, access=run.access) if path.startswith("/") else None
    if isinstance(found, Secret):
        return Secret(found.reveal(), source=named.source)
    folders = ", ".join(run.access.allowed_files)
    detail = (
        f"{named.source} names no file that may be read: it is an absolute path to a file below {folders}"
    )
    outcome = "secret_missing" if found is None else found.outcome
    return Unresolved(outcome, f"{detail}, or below what RECONCILER_ALLOWED_FILES adds")


def _placed(case: Case, probe: Probe) -> Probe | Verdict:
    """A probe whose path says where it is asked, as far as it asks for that."""
    if "{project}" not in probe.path and "{location}" not in probe.path:
        return probe
    project, location = _project(case), _location(case)
    if project is None or location is None:
        missing = "project" if project is None else "location"
        return Verdict("unprobeable", f"{case.target.address.provider} names no {missing} of Google Cloud")
    return replace(probe, path=probe.path.replace("{project}", project).replace("{location}", location))


def _project(case: Case) -> str | None:
    """The project that the provider names, or else its key file."""
    if (named := case.credentials.get("project")) is not None:
        return named.reveal() if _PROJECTS.fullmatch(named.reveal()) else None
    if _KEY not in case.credentials:
        return None
    account = _account(case.credentials[_KEY], case.run)
    if isinstance(account, Unresolved) or not _PROJECTS.fullmatch(account.project):
        return None
    return account.project


def _location(case: Case) -> str | None:
    """The location that a host of Google's names, or else the one that the provider does."""
    origin = hosts.origin_of(case.base_url)
    if origin is not None and (match := _REGIONAL.fullmatch(origin.host)):
        return match[1]
    named = case.credentials.get("location")
    if named is not None:
        return named.reveal() if _LOCATIONS.fullmatch(named.reveal()) else None
    return "global" if origin is not None and origin.host == _GLOBAL else None
