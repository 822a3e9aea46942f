"""How any provider is probed over HTTP: a kind's probes are data, and this carries them out. A protocol adds
where its key goes and what its error codes mean, and may replace a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from reconciler.core.endpoints import endpoint_of
from reconciler.core.probe import ProbeTarget
from reconciler.core.provider_kind import PROBE_LEVELS, Probe, ProbeLevel
from reconciler.protocols import hosts, reading, replies
from reconciler.protocols.classify import Complaint, Dialect, Finding, Rule, classify
from reconciler.protocols.credentials import Credentials, Unresolved
from reconciler.protocols.exchange import Answer, Exchange, SecretHeader, Verdict
from reconciler.protocols.generating import shape_name, unserved, work_to_prove
from reconciler.protocols.generation import Call, Reply, Shape, Work
from reconciler.protocols.kind_rules import rules_of
from reconciler.protocols.matching import find_listed
from reconciler.protocols.questions import Case, Question, ask_about
from reconciler.protocols.redaction import conceal
from reconciler.protocols.refusals import names_sent, refused_parameters
from reconciler.protocols.run import Run
from reconciler.protocols.verdicts_in_body import denied
from reconciler.protocols.ways import Way, choose

_ANY_ANSWER = Probe()


class ProbeProtocol(Protocol):
    """A way of speaking to providers."""

    @property
    def name(self) -> str:
        """What kinds call it."""

    async def verify(self, target: ProbeTarget, run: Run) -> Verdict:
        """Probe one model at its target's level; every outcome is a value, nothing is raised."""


class Placement(NamedTuple):
    """The header that a credential is sent in, and what stands before it."""

    header: str
    prefix: str = ""


class Assignment(NamedTuple):
    """Work as it is put to a model: the question, and our names of the parameters by those in its body."""

    work: Work
    question: Question
    sent: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HttpProtocol:
    """A protocol whose probes are plain HTTP requests.

    Attributes:
        name: What kinds call it.
        rules: What its error codes mean, before the rules that all providers share.
        placements: Where its credentials go, unless the kind says otherwise.
        headers: Headers of every request, unless the kind says otherwise.
        dialect: How its errors are read; `None` where it speaks one of the usual ones.
        ways: The credentials that stand for each other, the preferred ones first.
        shapes: How requests and answers look at its endpoints, by the name that kinds call them.
        wires: The names of parameters in its requests by field, for kinds whose tables name none.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    placements: Mapping[str, Placement] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect | None = None
    ways: tuple[Way, ...] = ()
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    wires: Mapping[str, str] = field(default_factory=dict)

    async def verify(self, target: ProbeTarget, run: Run) -> Verdict:
        """Probe one model at its target's level."""
        case = self.started(target, run)
        return case if isinstance(case, Verdict) else self.told(case, await self.at_level(case))

    def started(self, target: ProbeTarget, run: Run) -> Case | Verdict:
        """A target with its endpoint and credentials at hand, or the verdict where nothing may be sent."""
        if idle := _cannot_start(target):
            return idle
        base_url = target.base_url or ""
        credentials: Credentials | Unresolved = (
            {} if target.level == "reach" else self.credentials(target, run)
        )
        # A host that may not have the key is the graver fault: seen before a key that is missing, and though
        # the question may go elsewhere.
        allowed, has_credential = run.access.allowed_hosts, bool(credentials)
        refused = hosts.refusal(base_url, target.kind, allowed, has_credential=has_credential)
        if refused:
            return Verdict("refused_host", refused)
        if isinstance(credentials, Unresolved):
            return Verdict(*credentials)
        return Case(target, self.home(base_url, target.level), credentials, run)

    def told(self, case: Case, verdict: Verdict) -> Verdict:
        """A verdict as people see it: with advice, and without anything secret."""
        advised = self.advised(case.target, verdict)
        return replace(advised, detail=conceal(advised.detail, case.credentials.values()))

    def advised(self, target: ProbeTarget, verdict: Verdict) -> Verdict:
        """A verdict with what can be done about it; for protocols that know more."""
        del self, target
        return verdict

    def credentials(self, target: ProbeTarget, run: Run) -> Credentials | Unresolved:
        """A target's credentials: all of them, or those of the one way that is taken."""
        found = run.credentials(target)
        return found if isinstance(found, Unresolved) else choose(found, target, self.ways)

    def probe(self, case: Case, level: ProbeLevel) -> Probe | Verdict:
        """What to ask at a level, by the kind; for protocols that must fill something in."""
        return case.target.kind.probes.get(level) or _not_offered(case.target, level)

    def home(self, base_url: str, level: ProbeLevel) -> str:
        """Where a level is asked, given what the provider names; for protocols that have several places."""
        del level
        return base_url

    async def at_level(self, case: Case) -> Verdict:
        """Probe at the level that the target asks for."""
        match case.target.level:
            case "reach":
                return await self._reach(case)
            case "credential":
                return await self.credential(case)
            case "generate":
                return await self.generate(case)
            case _:
                return await self.model(case)

    async def _reach(self, case: Case) -> Verdict:
        """Any HTTP answer will do; no credential is sent for it."""
        probe = replace(case.target.kind.probes.get("reach", _ANY_ANSWER), authenticated=False)
        question = ask_about(case, probe, (), self.headers)
        if isinstance(question, Verdict):
            return question
        exchange = await case.run.ask(replace(question.request, headers_only=True), shared=True)
        if isinstance(exchange, Verdict):
            return exchange
        return reading.positive(exchange, f"{question.host} answers")

    async def credential(self, case: Case) -> Verdict:
        """Whether the key is good, by the kind's own probe for that; one answer serves all its models."""
        probe = self.probe(case, "credential")
        return probe if isinstance(probe, Verdict) else await self._proven_by(case, probe)

    async def _proven_by(self, case: Case, probe: Probe) -> Verdict:
        question = await self.authorized(case, probe)
        if isinstance(question, Verdict):
            return question
        exchange = await self.put(case, question)
        if isinstance(exchange, Verdict):
            return exchange
        finding = (
            classify(exchange, rules_of(case.target.kind, self.rules), self.dialect)
            or reading.misshapen(exchange, probe)
            or self._against(exchange.document, case, probe)
        )
        if finding is not None:
            # Nothing was asked about a model, so a bare 404 speaks of the path.
            outcome = finding.outcome if finding.is_certain else "probe_invalid"
            return reading.judged(case, question, exchange, finding._replace(outcome=outcome))
        return reading.positive(exchange, f"{question.host} accepts the credentials")

    async def model(self, case: Case) -> Verdict:
        """Whether the key is good and may use the model."""
        probe = self.probe(case, "model")
        if isinstance(probe, Verdict):
            return probe
        # A public answer proves no key, so the key is proven first.
        if case.credentials and not probe.authenticated:
            proof = await self.credential(case)
            if proof.outcome != "ok":
                return proof
        question = await self.authorized(case, probe)
        if isinstance(question, Verdict):
            return question
        exchange = await self.put(case, question)
        if isinstance(exchange, Verdict):
            return exchange
        return await self._read(case, question, exchange)

    def compose(self, work: Work) -> Call | Verdict:
        """The request that a piece of work becomes: the same for the probe `generate` and for applications.

        Work is made by `generating.work_of`; what comes back is read by `read`.
        """
        shape = self.shapes.get(shape_name(work.endpoint))
        return unserved(work.kind, work.model_id, work.mode) if shape is None else shape.compose(work)

    def takes_one_text(self, work: Work) -> bool:
        """Whether several texts have to be put one by one; for protocols whose models want that."""
        del self, work
        return False

    def read(self, work: Work, answer: Answer) -> Reply | Finding:
        """What an answer to composed work says, or what is wrong with it."""
        shape, rules = self.shapes[shape_name(work.endpoint)], rules_of(work.kind, self.rules)
        return replies.read(answer, shape, work.endpoint, rules=rules, dialect=self.dialect)

    async def generate(self, case: Case) -> Verdict:
        """Whether the model does what applications will ask of it, with the parameters they will send."""
        work = work_to_prove(case.target, defaults=self.wires, plain=case.plain)
        if isinstance(work, Verdict):
            return work
        assignment = await self.assigned(case, work, self.compose(work))
        if isinstance(assignment, Verdict):
            return assignment
        answer = await self.put(case, assignment.question)
        if isinstance(answer, Verdict):
            return answer
        found = self.read(work, answer)
        if isinstance(found, Reply):
            return reading.done(case, assignment.question, answer, found)
        return await self.complained(case, assignment, answer, found)

    async def assigned(self, case: Case, work: Work, call: Call | Verdict) -> Assignment | Verdict:
        """The question that a call becomes, with what proves who asks."""
        if isinstance(call, Verdict):
            return call
        question = await self.authorized(case, Probe(method="POST", path=call.path, query=call.query))
        if isinstance(question, Verdict):
            return question
        sent = names_sent(call, work.wired)
        if case.target.parameters.get("max_new_tokens") is None:
            # The limit is our own: nobody is to look for it in the files.
            sent = {wire: name for wire, name in sent.items() if name != "max_new_tokens"}
        return Assignment(work, question.carrying(call), sent)

    async def complained(self, case: Case, assignment: Assignment, answer: Answer, found: Finding) -> Verdict:
        """What is wrong with an answer to work, in words, with the parameters that it complains about."""
        if not found.is_certain:
            return await self._look_beside(case, assignment.question, answer, found)
        blamed = assignment.sent if replies.is_of_parameters(answer, found) else {}
        refused = refused_parameters(answer.document, found.complaint.message, blamed)
        return reading.judged(case, assignment.question, answer, found, refused=refused)

    async def put(self, case: Case, question: Question) -> Exchange:
        """Put a question, and once more where it has to be renewed; one that is about no model in particular
        is sent once in a run.
        """
        is_shared = not question.is_about_one_model
        exchange = await case.run.ask(question.request, shared=is_shared)
        renewed = await self.renewed(case, question, exchange)
        if renewed is None or isinstance(renewed, Verdict):
            return renewed or exchange
        return await case.run.ask(renewed.request, shared=is_shared)

    async def renewed(self, case: Case, question: Question, exchange: Exchange) -> Question | Verdict | None:
        """The question to put in a question's place, where the answer is that its token is too old; `None`
        where it is not, and a verdict where no other token can be had.
        """
        del self, case, question, exchange
        return None

    async def secret_headers(self, case: Case) -> tuple[SecretHeader, ...] | Verdict:
        """The headers that credentials are sent in, or the verdict where they cannot be had."""
        placed = []
        for name, secret in case.credentials.items():
            rule = case.target.kind.credentials.get(name)
            if rule is not None and rule.header:
                placed.append(SecretHeader(rule.header, rule.prefix, secret))
            elif name in self.placements:
                placed.append(SecretHeader(*self.placements[name], secret))
        return tuple(placed)

    def inspect(self, found: Any, case: Case, probe: Probe) -> Finding | None:
        """What a success says against the key or the model, if anything; for protocols that know more.

        `found` is the model's entry in a list, or else the whole answer to the probe.
        """
        del found, case, probe
        return None

    def _against(self, found: Any, case: Case, probe: Probe) -> Finding | None:
        """What a success says against the key or the model: by the kind's probe, or else by its protocol."""
        return denied(found, probe) or self.inspect(found, case, probe)

    async def authorized(self, case: Case, probe: Probe) -> Question | Verdict:
        """The question of a probe, with what proves who asks."""
        headers = await self.secret_headers(case) if probe.authenticated else ()
        return headers if isinstance(headers, Verdict) else ask_about(case, probe, headers, self.headers)

    async def _read(self, case: Case, question: Question, answer: Answer) -> Verdict:
        probe = question.probe
        rules = rules_of(case.target.kind, self.rules)
        finding = classify(answer, rules, self.dialect) or reading.misshapen(answer, probe)
        if finding is not None and not finding.is_certain:
            return await self._second_look(case, question, answer, finding)
        if finding is not None:
            return reading.judged(case, question, answer, finding)
        if probe.list_at:
            return self._listed(case, question, answer)
        finding = self._against(answer.document, case, probe)
        if finding is not None:
            return reading.judged(case, question, answer, finding)
        return reading.answered(case, question, answer)

    def _listed(self, case: Case, question: Question, answer: Answer) -> Verdict:
        probe = question.probe
        item = find_listed(case.model_id, reading.items_of(answer.document, probe) or [], probe.id_field)
        if item is None and reading.goes_on(answer.document, probe):
            detail = f"{case.model_id} is not on the first page of {question.host}'s list, which goes on"
            return reading.inconclusive(answer, detail)
        finding = Finding("model_not_found") if item is None else self._against(item, case, probe)
        if finding is not None:
            return reading.judged(case, question, answer, finding)
        return reading.positive(answer, f"{question.host} lists {case.model_id}")

    async def _second_look(self, case: Case, question: Question, answer: Answer, finding: Finding) -> Verdict:
        """A bare 404 blames the model only where the path beside it is known to be right."""
        wrong_path = reading.judged(case, question, answer, finding._replace(outcome="probe_invalid"))
        known = self.probe(case, "credential")
        if isinstance(known, Verdict) or not question.is_about_one_model:
            return wrong_path
        if known.path == question.probe.path or known.path.startswith("https://"):
            # The same path, or one on another host, says nothing of this one.
            return wrong_path
        beside = await self._proven_by(case, known)
        if beside.outcome == "ok":
            return reading.judged(case, question, answer, finding)
        # Where the second question got no answer at all, that is what there is to say.
        return beside if beside.http_status is None else wrong_path

    async def _look_beside(self, case: Case, question: Question, answer: Answer, finding: Finding) -> Verdict:
        """A bare 404 where work is done blames the model only where it is known to be missing: else it may be
        the path that is, for not every server does every work.
        """
        wrong_path = reading.judged(case, question, answer, finding._replace(outcome="probe_invalid"))
        if isinstance(self.probe(case, "model"), Verdict):
            return wrong_path
        beside = await self.model(case)
        if beside.outcome == "model_not_found":
            return reading.judged(case, question, answer, finding)
        if beside.outcome == "ok":
            known = Complaint(message="it knows the model, but does not do this work at this path")
            return reading.judged(case, question, answer, Finding("unprobeable", known))
        return beside if beside.http_status is None else wrong_path


def _cannot_start(target: ProbeTarget) -> Verdict | None:
    """Why there is nothing to ask, if so."""
    if target.level == "none":
        return Verdict("skipped", "this model's probe is 'none'")
    if target.level == "generate" and endpoint_of(target.kind, target.address.model_id, target.mode) is None:
        return unserved(target.kind, target.address.model_id, target.mode)
    if not target.base_url:
        hint = f"kind {target.kind.name} has no default, so write one"
        return Verdict("unprobeable", f"{target.address.provider} has no base_url; {hint}")
    return None


def _not_offered(target: ProbeTarget, level: ProbeLevel) -> Verdict:
    kind = target.kind
    proving = {*kind.probes, *(("generate",) if kind.endpoints else ())}
    offered = ", ".join(one for one in PROBE_LEVELS if one in proving) or "none"
    detail = f"kind {kind.name} has no probe that proves the {level} without generating"
    reason = kind.unproven.get(level)
    detail = f"{detail} ({reason})" if reason else detail
    return Verdict("unprobeable", f"{detail}; its probes are: {offered}")
