"""Measures the runs that happen all day: with nothing to do, with one file in a hundred changed, and with
three rows changed by hand, as whole processes beside one that reads and hashes the files.

    python tests/bench/changes.py [--models 5000 50000] [--runs 7] [--database-url URL]

The figures go to standard output as JSON, a table of the ratios and the story to standard error;
docs/performance.md says what they mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does it

from bench import figures, generated_files, registries
from bench.figures import Took
from bench.registries import Server
from bench.rounds import APPLY, program
from support.commands import clean_environment

FLOOR = Path(__file__).with_name("reading_floor.py")
PLAN = ("plan", "DIR")
# What each may take of another, by the number of models; asked of no other sizes.
LIMITS = (
    ("plan_unchanged", "floor", {5_000: 1.8, 50_000: 2.2, 200_000: 3.5}),
    ("plan_changed", "floor", {5_000: 3.0, 50_000: 4.5, 200_000: 8.0}),
    ("apply_changed", "plan_changed", {5_000: 1.4, 50_000: 1.3, 200_000: 1.3}),
    ("plan_drift", "plan_unchanged", {5_000: 2.0, 50_000: 1.7, 200_000: 1.6}),
)
PEAKS = (("plan_unchanged", {5_000: 60, 50_000: 70, 200_000: 90}),)
_BY_HAND = """
UPDATE llm_parameters SET temperature = 0.123
WHERE id IN (SELECT id FROM llm_parameters WHERE name <> 'default' ORDER BY id DESC LIMIT 3)
"""
_LIMIT = re.compile(r"max_new_tokens: (\d+)")


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    before = os.getloadavg()[0]
    with registries.opened(asked.database_url) as server, server.migrated() as template:
        sizes = [_measured(server, template, models, asked.runs) for models in asked.models]
        described = server.described()
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "load": {"before": round(before, 2), "after": round(os.getloadavg()[0], 2)},
    }
    report = {"format": 1, "runs": asked.runs, "machine": machine, "server": described, "sizes": sizes}
    figures.tell(_table(sizes))
    print(json.dumps(report, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure runs that have little or nothing to do.")
    parser.add_argument("--models", type=int, nargs="+", default=[5_000, 50_000], help="the sizes")
    parser.add_argument("--runs", type=int, default=7, help="how many rounds (default: %(default)s)")
    parser.add_argument("--database-url", help="a server where databases may be made and dropped")
    asked = parser.parse_args()
    if min(*asked.models, asked.runs) < 1:
        parser.error("at least one of each")
    return asked


def _measured(server: Server, template: str, models: int, runs: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="rc-bench-") as folder, server.database(template) as url:
        bench = _Bench(Path(folder), server, url)
        files = generated_files.write(Path(folder, "DIR"), models)
        figures.tell(f"{models} models in {files} files")
        bench.run(*APPLY)
        server.execute("VACUUM (ANALYZE)", database=url)  # what autovacuum does within a minute
        took: dict[str, list[Took]] = {}
        for number in range(1, runs + 1):
            figures.tell(f"round {number} of {runs}")
            for name, one in bench.round(number).items():
                took.setdefault(name, []).append(one)
    return {"models": models, "files": files, "measures": _measures(took), "limits": _limits(models, took)}


class _Bench:
    """One input on one database."""

    def __init__(self, folder: Path, server: Server, url: str) -> None:
        self._folder = folder
        self._server = server
        self._url = url

    def run(self, *words: str) -> Took:
        """One command line, after a checkpoint."""
        return self._settled([*program(), *words])

    def round(self, number: int) -> dict[str, Took]:
        """Everything once; afterwards the registry is as the files say, and nothing is left to do."""
        address = registries.libpq_url(self._url)
        took = {"floor": self._settled([sys.executable, str(FLOOR), "DIR", address])}
        took["plan_unchanged"] = self._said("No changes", *PLAN)
        took["apply_unchanged"] = self._said("No changes", *APPLY)
        changed = self._change(number)
        took["plan_changed"] = self._said(f"{changed:,} to update", *PLAN)
        took["apply_changed"] = self._said(f"{changed:,} updated", *APPLY)
        self._server.execute(_BY_HAND, database=self._url)
        took["plan_drift"] = self._said("3 to update", *PLAN)
        self._said("3 updated", *APPLY)
        return took

    def _change(self, number: int) -> int:
        """Another limit for every model of one file in a hundred; how many there are."""
        paths = sorted(Path(self._folder, "DIR").iterdir())
        changed = 0
        for path in paths[: max(1, len(paths) // 100)]:
            text, times = _LIMIT.subn(f"max_new_tokens: {5000 + number}", path.read_text(encoding="utf-8"))
            path.write_text(text, encoding="utf-8")
            changed += times
        return changed

    def _said(self, expected: str, *words: str) -> Took:
        took = self.run(*words)
        if expected not in took.answer:
            raise SystemExit(f"{' '.join(words)} did not say '{expected}': {took.answer[-300:]}{took.story}")
        return took

    def _settled(self, words: Sequence[str]) -> Took:
        self._server.settle()
        environment = clean_environment({"RECONCILER_DATABASE_URL": self._url})
        return figures.run(words, environment=environment, folder=self._folder)


def _measures(took: dict[str, list[Took]]) -> dict[str, Any]:
    floor = took["floor"]
    return {
        name: {
            "wall_ms": figures.spread([one.wall for one in runs]),
            "peak_mib": figures.spread([one.peak for one in runs]),
            "times_floor": figures.spread(_ratios(runs, floor), digits=2),
        }
        for name, runs in took.items()
    }


def _ratios(runs: list[Took], others: list[Took]) -> list[float]:
    """Of two processes of one round, because machines drift."""
    return [one.wall / other.wall for one, other in zip(runs, others, strict=True)]


def _limits(models: int, took: dict[str, list[Took]]) -> list[dict[str, Any]]:
    """What is asked of a size, and what was found; a slow machine fails nothing."""
    found = []
    for name, other, limits in LIMITS:
        ratio = round(statistics.median(_ratios(took[name], took[other])), 2)
        found.append(figures.limit(f"{name} / {other}", limits.get(models), ratio))
    for name, limits in PEAKS:
        peak = round(max(one.peak for one in took[name]), 1)
        found.append(figures.limit(f"{name} MiB", limits.get(models), peak))
    return found


def _table(sizes: list[dict[str, Any]]) -> str:
    """The ratios, a line each and a column a size, with what is asked in brackets."""
    heads = "".join(f"{size['models']:>18,}" for size in sizes)
    lines = [f"{'':<34}{heads}"]
    for rows in zip(*(size["limits"] for size in sizes), strict=True):
        cells = (f"{row['found']:.2f} ({row['at_most'] or '-'})" for row in rows)
        lines.append(f"{rows[0]['of']:<34}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
