"""The verbs that read the registry: list, show, history and export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from reconciler import report
from reconciler.cli import calls, options, status, streams
from reconciler.core.address import parse_address
from reconciler.source.writing import write_new

DEFAULT_LIMIT = 50


def list_(
    *,
    output: options.ListOutput = "text",
    database_url: options.DatabaseUrl = None,
    home: options.Home = None,
    active: options.Active = False,
    provider: options.Provider = None,
    having: options.Status = None,
) -> int:
    """List the registry's models, their status and owner.

    As 'prometheus' it is told how well each answered, for a monitoring system.
    """
    with calls.registry(calls.settings(database_url, home=home), write=False) as registry:
        if output == "prometheus":
            found = registry.measure(active_only=active, provider=provider, status=having)
            streams.write(report.metrics.exposition(found))
            return status.DONE
        listed = registry.list_models(active_only=active, provider=provider, status=having)
    streams.answer(
        output,
        text=lambda: report.registry_text.models(listed, streams.answer_style(), now=datetime.now(UTC)),
        json=lambda: report.json.models(listed),
        markdown=lambda: report.markdown.models(listed),
    )
    return status.DONE


def show(
    address: options.OneAddress,
    output: options.Output = "text",
    database_url: options.DatabaseUrl = None,
    home: options.Home = None,
) -> int:
    """Show one entity in full.

    What is stored, who owns it, who uses it and how it was verified.
    """
    wanted = parse_address(address)
    with calls.registry(calls.settings(database_url, home=home), write=False) as registry:
        found = registry.show(wanted)
    streams.answer(
        output,
        text=lambda: report.registry_text.entity(found),
        json=lambda: report.json.entity(found),
        markdown=lambda: report.markdown.entity(found),
    )
    return status.DONE


def history(
    address: options.MaybeAddress = None,
    output: options.Output = "text",
    database_url: options.DatabaseUrl = None,
    home: options.Home = None,
    limit: options.Limit = DEFAULT_LIMIT,
) -> int:
    """Show the audit trail, hand edits included."""
    wanted = None if address is None else parse_address(address)
    with calls.registry(calls.settings(database_url, home=home), write=False) as registry:
        events, runs = registry.history(wanted, limit=limit)
    streams.answer(
        output,
        text=lambda: report.registry_text.history(events, runs, streams.answer_style()),
        json=lambda: report.json.history(events, runs),
        markdown=lambda: report.markdown.history(events, runs),
    )
    return status.DONE


def export(
    directory: options.Target = None,
    output: options.PlainOutput = "text",
    database_url: options.DatabaseUrl = None,
    source: options.ExportedSource = None,
    home: options.Home = None,
) -> int:
    """Turn what the database holds into files of this format.

    With DIR they are written there, without overwriting anything; else they are printed.
    """
    with calls.registry(calls.settings(database_url, source, home), write=False) as registry:
        contents = registry.export(source)
    if directory is not None:
        write_new(directory, contents)
    where = None if directory is None else str(directory)
    streams.answer(
        output,
        text=lambda: "\n".join(_exported(contents, where)),
        json=lambda: report.json.document({"directory": where, "files": dict(contents)}),
    )
    return status.DONE


def _exported(contents: Mapping[str, str], directory: str | None) -> Iterator[str]:
    for name, content in contents.items():
        if directory is not None:
            yield f"Wrote {directory}/{name}"
        else:
            # One file alone can be redirected as it is; of several each says where it begins.
            yield (f"# file: {name}\n" if len(contents) > 1 else "") + content
