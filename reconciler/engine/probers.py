"""What the operator allows becomes what probes and asks: for the commands and for programs alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reconciler.core.outcome import Result
from reconciler.core.probe import Access, ProbeTarget
from reconciler.engine.fingerprints import Fingerprinter
from reconciler.engine.prober import Ask, Prober
from reconciler.service.verification import Meanwhile, probe_all
from reconciler.settings import Settings

OnResult = Callable[[Result], None]


def access_of(settings: Settings, environ: Mapping[str, str]) -> Access:
    """What requests may touch; `environ` is where `env:` references are resolved, at the moment of use."""
    return Access(
        environ=environ,
        allowed_env=settings.allowed_env,
        allowed_files=settings.allowed_files,
        allowed_hosts=settings.allowed_hosts,
        ca_file=settings.ca_file,
        proxy=settings.proxy,
    )


def ask_with(access: Access, on_result: OnResult | None = None) -> Ask:
    """Asks the endpoints with what is allowed; `on_result` is told each result as it comes."""

    def ask(targets: Sequence[ProbeTarget], meanwhile: Meanwhile | None = None) -> tuple[Result, ...]:
        return probe_all(targets, access, on_result=on_result, meanwhile=meanwhile)

    return ask


def prober_of(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    say: Callable[[str], None],
    on_result: OnResult | None = None,
    make_key: bool = True,
) -> Prober:
    """What a run of verification needs besides the database.

    Args:
        settings: What the operator has set.
        environ: Where `env:` references are resolved.
        say: Where the story goes.
        on_result: Told each result as it comes.
        make_key: Whether a key for fingerprints is made where this machine has none.
    """
    access = access_of(settings, environ)
    fingerprint = Fingerprinter(
        access, text=settings.fingerprint_key, home=settings.home, make=make_key, say=say
    )
    return Prober(ask_with(access, on_result), fingerprint=fingerprint, say=say)
