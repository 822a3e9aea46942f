"""The verbs about the database itself: its tables' version and the private server."""

from __future__ import annotations

from reconciler import report
from reconciler.cli import calls, options, status, streams
from reconciler.report.escape import printable


def upgrade(
    output: options.PlainOutput = "text",
    database_url: options.DatabaseUrl = None,
    home: options.Home = None,
) -> int:
    """Bring the database's tables to this program's version."""
    from reconciler import wiring

    before, after = wiring.upgrade(calls.settings(database_url, home=home), streams.say)
    told = f"The database is at {after} already." if before == after else f"Upgraded to {after}."
    streams.answer(
        output,
        text=lambda: printable(told),
        json=lambda: report.json.document({"before": before, "after": after}),
    )
    return status.DONE


def current(
    output: options.PlainOutput = "text",
    database_url: options.DatabaseUrl = None,
    home: options.Home = None,
) -> int:
    """Show the version of the database's tables and of this program's."""
    from reconciler import wiring

    database, program = wiring.current(calls.settings(database_url, home=home), streams.say)
    advice = "" if database == program else "\nThey differ: see `reconciler db upgrade`."
    streams.answer(
        output,
        text=lambda: f"database: {printable(database or 'no tables')}\nprogram: {printable(program)}{advice}",
        json=lambda: report.json.document({"database": database, "program": program}),
    )
    return status.DONE


def url(output: options.PlainOutput = "text", home: options.Home = None) -> int:
    """Print the private server's URL, for psql and others.

    The server itself runs only while it is used.
    """
    from reconciler import wiring

    place = wiring.embedded_url(calls.settings(home=home))
    streams.answer(output, text=lambda: printable(place), json=lambda: report.json.document({"url": place}))
    return status.DONE


def stop(output: options.PlainOutput = "text", home: options.Home = None) -> int:
    """Stop the private server, where it runs."""
    from reconciler import wiring

    stopped = wiring.embedded_stop(calls.settings(home=home))
    streams.answer(
        output,
        text=lambda: "Stopped." if stopped else "It was not running.",
        json=lambda: report.json.document({"stopped": stopped}),
    )
    return status.DONE
