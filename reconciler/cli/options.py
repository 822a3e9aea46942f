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

Due = Annotated[bool, _option("--due", "The models whose verification is due (the default).")]
Failed = Annotated[bool, _option("--failed", "The models whose last verification was not good.")]
Every = Annotated[bool, _option("--all", "All active models.")]
Probe = Annotated[
    Literal["none", "reach", "credential", "model"] | None,
    _option(
        "--probe",
        "What to ask, instead of what each provider's files say.",
        metavar="none|reach|credential|model",
    ),
]

Active = Annotated[bool, _option("--active", "Only models that are usable.")]
Provider = Annotated[str | None, _option("--provider", "Only models of this provider.", metavar="NAME")]
Limit = Annotated[int, _option("--limit", "How many entries at most.", metavar="N", min=1, show_default=True)]
