"""The options, each said once: its name, its environment twin and its help. Every verb takes some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from reconciler.settings import PREFIX

DEFAULT_DIRECTORY = Path("providers.d")


def _option(name: str, text: str, **more: Any) -> Any:
    twin = PREFIX + name.removeprefix("--").replace("-", "_").upper()
    return typer.Option(name, envvar=twin, show_envvar=True, help=text, **more)


def _argument(metavar: str, text: str, **more: Any) -> Any:
    return typer.Argument(metavar=metavar, help=text, **more)


Directory = Annotated[Path, _argument("DIR", "The directory that holds the YAML files.", show_default=True)]
Target = Annotated[Path | None, _argument("DIR", "Where to write the files; printed without it.")]
OneAddress = Annotated[str, _argument("ADDRESS", "Such as model:openai/gpt-4o or parameters:base.")]
MaybeAddress = Annotated[str | None, _argument("ADDRESS", "Only this entity, such as model:openai/gpt-4o.")]
Addresses = Annotated[
    list[str] | None, _argument("ADDRESS", "Only these models, such as model:openai/gpt-4o.")
]

_OUTPUT = "--output"
Output = Annotated[
    Literal["text", "json", "markdown"],
    _option(_OUTPUT, "The form of the answer.", metavar="text|json|markdown", show_default=True),
]
PlainOutput = Annotated[
    Literal["text", "json"],
    _option(_OUTPUT, "The form of the answer.", metavar="text|json", show_default=True),
]

DatabaseUrl = Annotated[
    str | None,
    _option("--database-url", "postgresql://…, or 'embedded' for a private server.", metavar="URL"),
]
Source = Annotated[
    str | None,
    _option(
        "--source",
        "The name that entities are owned under; 'default' where none is given.",
        metavar="NAME",
    ),
]
ExportedSource = Annotated[
    str | None, _option("--source", "Only what this source owns; everything without it.", metavar="NAME")
]
Home = Annotated[
    Path | None, _option("--home", "Where the private server keeps what it needs.", metavar="DIR")
]
LockTimeout = Annotated[
    float | None,
    _option(
        "--lock-timeout",
        "Seconds to wait for another run to end, 0 for not at all; 30 where none is given.",
        metavar="SECONDS",
        min=0,
    ),
]

Accept = Annotated[
    list[str] | None,
    _option(
        "--accept",
        "Allow what a safety rule refuses; a refusal says what to pass. Repeatable; in the variable, "
        "separated by spaces.",
        metavar="NAME=N",
    ),
]
Adopt = Annotated[bool, _option("--adopt", "Take over rows that nobody manages.")]
NoDeactivate = Annotated[bool, _option("--no-deactivate", "Leave deactivations out and list them.")]
DetailedExitcode = Annotated[bool, _option("--detailed-exitcode", "Exit with 2 where changes are pending.")]
Yes = Annotated[bool, _option("--yes", "Apply without asking; needed where there is no terminal.")]
NoVerify = Annotated[bool, _option("--no-verify", "Do not ask the providers afterwards.")]
RequireVerified = Annotated[
    bool, _option("--require-verified", "Exit with 5 where a provider says that a model cannot be used.")
]

_FIRST = (
    "ask the providers about the new and changed models, as applications will call them; "
    "a definitive no refuses. Uses the keys that are set here: for trusted pipelines only."
)
VerifyPlan = Annotated[bool, _option("--verify", f"Also {_FIRST}")]
VerifyFirst = Annotated[bool, _option("--verify-first", f"Before anything is written, {_FIRST}")]
ProbeFirst = Annotated[
    Literal["none", "reach", "credential", "model", "generate"],
    _option(
        "--probe",
        "What is asked before anything is written.",
        metavar="none|reach|credential|model|generate",
        show_default=True,
    ),
]

Due = Annotated[bool, _option("--due", "The models whose verification is due (the default).")]
Failed = Annotated[bool, _option("--failed", "The models whose last verification was not good.")]
Every = Annotated[bool, _option("--all", "All active models.")]
Probe = Annotated[
    Literal["none", "reach", "credential", "model", "generate"] | None,
    _option(
        "--probe",
        "What to ask, instead of what each provider's files say; only 'generate' costs anything.",
        metavar="none|reach|credential|model|generate",
    ),
]
Fresh = Annotated[bool, _option("--fresh", "Ask anew, though an earlier result is still good.")]
Budget = Annotated[
    int | None,
    _option(
        "--budget",
        "How many probes of this run may generate, beside the day's budget of each source.",
        metavar="N",
        min=0,
    ),
]
DryRun = Annotated[
    bool, _option("--dry-run", "Only say what would be asked, and what it would cost at the most.")
]

ListOutput = Annotated[
    Literal["text", "json", "markdown", "prometheus"],
    _option(
        _OUTPUT,
        "The form of the answer; 'prometheus' is its text format, with health over time.",
        metavar="text|json|markdown|prometheus",
        show_default=True,
    ),
]
Active = Annotated[bool, _option("--active", "Only models that are usable.")]
Provider = Annotated[str | None, _option("--provider", "Only models of this provider.", metavar="NAME")]
Status = Annotated[
    Literal["unverified", "pending", "verified", "degraded", "failing", "unprobeable"] | None,
    _option("--status", "Only models of this status, such as verified or failing.", metavar="STATUS"),
]
Limit = Annotated[int, _option("--limit", "How many entries at most.", metavar="N", min=1, show_default=True)]
