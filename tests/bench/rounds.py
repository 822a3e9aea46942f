"""One round of measuring: the floor and every verb once, each on a database that was made for it, and a check
that all of them did the work that they are measured for.
"""

from __future__ import annotations

import json
import re
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import figures, registries
from bench.figures import Measure, Took
from bench.registries import Server
from support.commands import clean_environment

FLOOR = Path(__file__).with_name("floor.py")
APPLY = ("apply", "DIR", "--yes", "--no-verify")
PLAN = ("plan", "DIR", "--detailed-exitcode")
# Prints every module that was imported on standard error.
LISTING = """
import sys
from reconciler.cli.main import main
status = main(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(status)
"""

_STAGE = re.compile(r"\b([a-z]+) ([0-9.]+) s\b")


class Bench:
    """One input on one server, and what was measured with it so far.

    Args:
        folder: Holds the input in `DIR`; commands run in it, and the floor's rows are kept in it.
        server: The server of all sides.
    """

    def __init__(self, folder: Path, server: Server) -> None:
        self._folder = folder
        self._server = server
        self._rows = folder / "rows"
        self.measures = {
            "floor": Measure("floor.py DIR ROWS URL"),
            "first_apply": Measure(_typed(APPLY)),
            "first_apply_empty_database": Measure(_typed(APPLY)),
            "plan_unchanged": Measure(_typed(PLAN)),
            "apply_unchanged": Measure(_typed(APPLY)),
        }
        self.row_counts: dict[str, Mapping[str, int]] = {}

    def check_input(self, models: int, files: int) -> None:
        """Make sure that the files say what they are meant to say, and that nothing is wrong with them."""
        answer = json.loads(self._run("validate", "DIR", "--output", "json").answer)
        expected = {"provider": files, "parameters": models, "template": 0, "model": models}
        if answer["entities"] != expected or answer["problems"]:
            raise SystemExit(
                f"the files say {answer['entities']} and not {expected}; {answer['problems'][:3]}"
            )

    def prepare(self, template: str) -> None:
        """Apply once without measuring: all is compiled and cached then, and the floor has its rows."""
        with self._server.database(template) as url:
            self._run(*APPLY, url=url)
            registries.dump(url, self._rows)
        with self._server.database(template) as url:
            self._floor(url)

    def round(self, template: str) -> None:
        """Measure everything once, one after the other, so that a slow moment is everybody's."""
        with self._server.database(template) as url:
            self._note("floor", self._floor(url))
            self._count("floor", url)
        with self._server.database(template) as url:
            self._note("first_apply", self._run(*APPLY, url=url))
            self._count("first_apply", url)
            self._server.execute("VACUUM (ANALYZE)", database=url)  # what autovacuum does within a minute
            self._note("plan_unchanged", self._run(*PLAN, url=url))
            self._note("apply_unchanged", self._run(*APPLY, url=url))
            self._count("apply_unchanged", url)
        with self._server.database() as url:
            self._note("first_apply_empty_database", self._run(*APPLY, url=url))
            self._count("first_apply_empty_database", url)

    def start_up(self, times: int) -> tuple[Measure, frozenset[str]]:
        """What `--help` takes, and the top-level packages that it imports."""
        measure = Measure(_typed(("--help",)), runs=[self._run("--help") for _ in range(times)])
        told = figures.run(
            [sys.executable, "-c", LISTING, "--help"], environment=clean_environment(), folder=self._folder
        )
        return measure, frozenset(told.story.splitlines()[-1].split())

    def _floor(self, url: str) -> Took:
        registries.without_triggers(self._server, url)
        words = [sys.executable, str(FLOOR), "DIR", str(self._rows), registries.libpq_url(url)]
        return self._settled(words, clean_environment())

    def _run(self, *words: str, url: str = "") -> Took:
        environment = clean_environment({"RECONCILER_DATABASE_URL": url} if url else {})
        return self._settled([*program(), *words], environment)

    def _settled(self, words: Sequence[str], environment: Mapping[str, str]) -> Took:
        self._server.settle()
        return figures.run(words, environment=environment, folder=self._folder)

    def _note(self, name: str, took: Took) -> None:
        self.measures[name].runs.append(took)
        self.measures[name].stages.append(_stages(took.answer))
        figures.tell(f"  {name}: {took.wall:,.0f} ms, {took.peak:,.0f} MiB")

    def _count(self, name: str, url: str) -> None:
        """Count what is there now: whoever wrote other rows did other work, and its time means nothing."""
        counts = registries.row_counts(self._server, url)
        expected = self.row_counts.get("floor", counts)
        if counts != expected:
            raise SystemExit(f"after {name} there are {counts} rows, and after the floor {expected}")
        self.row_counts[name] = counts


def program() -> list[str]:
    """The installed command, or the module where the package is not installed."""
    installed = Path(sysconfig.get_path("scripts"), "reconciler")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "reconciler"]


def _typed(words: Sequence[str]) -> str:
    return " ".join(("reconciler", *words))


def _stages(answer: str) -> dict[str, float]:
    """The milliseconds of each stage, from the last line of an answer.

    >>> _stages("Applied as run 1: 2 created. (load 0.31 s, plan 0.02 s)")
    {'load': 310.0, 'plan': 20.0}
    """
    last = answer.splitlines()[-1] if answer else ""
    return {name: float(seconds) * 1000 for name, seconds in _STAGE.findall(last)}
