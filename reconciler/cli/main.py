"""The root: every verb with its examples, in the order of use, and the one door that errors leave by."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from reconciler.cli import (
    applying,
    coercion,
    database,
    failures,
    files,
    logs,
    plans,
    reading,
    signals,
    status,
    streams,
)
from reconciler.errors import ProviderConfigError


class Verb(NamedTuple):
    """A verb, what runs it, and how it is used: the words after `reconciler`."""

    name: str
    run: Callable[..., int]
    examples: tuple[str, ...]


VERBS = (
    Verb("init", files.init, ("init",)),
    Verb("validate", files.validate, ("validate", "validate providers.d --output json")),
    Verb("render", files.render, ("render", "render providers.d --output json")),
    Verb("plan", plans.plan, ("plan", "plan providers.d --detailed-exitcode", "plan --output markdown")),
    Verb("apply", applying.apply, ("apply", "apply providers.d --yes --accept deactivate=41")),
    Verb(
        "verify",
        plans.verify,
        ("verify --all", "verify --due --dry-run", "verify model:openai/gpt-4o --probe generate"),
    ),
    Verb("drift", plans.drift, ("drift", "drift --output json")),
    Verb("list", reading.list_, ("list", "list --active --provider openai")),
    Verb("show", reading.show, ("show model:openai/gpt-4o", "show parameters:base")),
    Verb("history", reading.history, ("history --limit 10", "history model:openai/gpt-4o")),
    Verb("export", reading.export, ("export exported.d", "export --source default")),
    Verb("schema", files.schema, ("schema > providers.schema.json",)),
)

DATABASE_VERBS = (
    Verb("upgrade", database.upgrade, ("db upgrade --database-url postgresql://localhost/llm",)),
    Verb("current", database.current, ("db current",)),
    Verb("url", database.url, ("db url",)),
    Verb("stop", database.stop, ("db stop",)),
)


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, none of which needs pydantic to be read."""
        return [coercion.light(parameter) for parameter in super().get_params(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; the parser would turn Ctrl-C into a bare number, without a word."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise failures.InterruptedByUserError("Interrupted.") from None


class _Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        """As a command's."""
        return [coercion.light(parameter) for parameter in super().get_params(ctx)]


def _example(words: str) -> str:
    return f"  {words}" if "reconciler" in words else f"  reconciler {words}"


def _add(app: typer.Typer, verbs: Sequence[Verb]) -> None:
    for verb in verbs:
        # The mark keeps the lines of a paragraph as they are.
        epilog = "\n".join(("\b", "Examples:", *map(_example, verb.examples)))
        app.command(verb.name, cls=_Command, epilog=epilog)(verb.run)


def _group(text: str, **more: Any) -> typer.Typer:
    return typer.Typer(
        cls=_Group,
        help=text,
        add_completion=False,
        rich_markup_mode=None,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        **more,
    )


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            streams.write(f"reconciler {version('llm-reconciler')}")
        except PackageNotFoundError:
            streams.write("reconciler, not installed")
        raise typer.Exit


def _root(
    context: typer.Context,
    _asked: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    _help_without_verb(context)


def _help_without_verb(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        streams.write(context.get_help())


def application() -> typer.Typer:
    """The whole command line."""
    root = _group(
        "Keep LLM providers, models, parameters and prompt templates as YAML in Git, and PostgreSQL in step.",
        epilog="\b\nExamples:\n  reconciler init\n  reconciler plan\n  reconciler apply --yes",
    )
    root.callback()(_root)
    _add(root, VERBS)
    below = _group(
        "The database's tables, and the private server.", epilog="\b\nExamples:\n  reconciler db url"
    )
    below.callback()(_help_without_verb)
    _add(below, DATABASE_VERBS)
    root.add_typer(below, name="db")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status; an exception never leaves."""
    arguments = failures.arguments_of(argv)
    streams.tolerant()
    logs.configure()
    try:
        with signals.ended_like_ctrl_c():
            return _run(arguments)
    except ProviderConfigError as error:
        failure = error
    except typer.TyperException as error:
        failure = failures.usage(error)
    except KeyboardInterrupt:
        failure = failures.InterruptedByUserError("Interrupted.")
    except Exception as error:  # noqa: BLE001 - the root: whatever it is, a person gets one line
        failure = failures.internal(error)
    return _tell(failure, arguments)


def _run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(application())
    result = command.main(args=arguments, prog_name="reconciler", standalone_mode=False)
    return result if isinstance(result, int) else status.DONE


def _tell(failure: ProviderConfigError, arguments: Sequence[str]) -> int:
    try:
        return failures.tell(failure, failures.asked_output(arguments, os.environ))
    except ProviderConfigError:
        # Standard output cannot be written; standard error has not been tried for this one yet.
        return failures.tell(failure, "text")
