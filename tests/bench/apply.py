"""Measures a first apply, and plan and apply with nothing to do, as whole processes beside the floor.

    python tests/bench/apply.py [--models 50000] [--runs 3] [--database-url URL]

The figures go to standard output as JSON, the story to standard error; docs/performance.md says what
they mean.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest does it

from bench import figures, generated_files, registries
from bench.rounds import Bench

HELP_RUNS = 7
HEAVY = frozenset({"alembic", "deepdiff", "httpx2", "psycopg", "pydantic", "rich", "sqlalchemy", "yaml"})
PACKAGES = ("psycopg", "pydantic", "PyYAML", "typer")

# What a first apply may take, by the number of models; asked of no other sizes.
LARGEST_RATIO = {5_000: 2.2, 50_000: 2.4, 200_000: 2.4}
LARGEST_PEAK = {5_000: 150, 50_000: 350, 200_000: 900}
NEVER_AT_START = frozenset({"deepdiff", "httpx2", "sqlalchemy"})


def main() -> None:
    """Measure, and print what was found."""
    asked = _arguments()
    before = os.getloadavg()
    with (
        tempfile.TemporaryDirectory(prefix="rc-bench-") as folder,
        registries.opened(asked.database_url) as server,
    ):
        files = generated_files.write(Path(folder, "DIR"), asked.models)
        figures.tell(f"{asked.models} models in {files} files")
        bench = Bench(Path(folder), server)
        bench.check_input(asked.models, files)
        with server.migrated() as template:
            bench.prepare(template)
            for number in range(1, asked.runs + 1):
                figures.tell(f"round {number} of {asked.runs}")
                bench.round(template)
        report = _input(asked, files, Path(folder, "DIR")) | _machine(before) | {"server": server.described()}
        report |= _found(bench, asked.models)
    print(json.dumps(report, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure reconciler beside the least that it could cost.")
    parser.add_argument(
        "--models", type=_positive, default=50_000, help="how many models (default: %(default)s)"
    )
    parser.add_argument("--runs", type=_positive, default=3, help="how many rounds (default: %(default)s)")
    parser.add_argument(
        "--database-url",
        help="a server where databases may be made and dropped; without it a private one is started",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _input(asked: argparse.Namespace, files: int, directory: Path) -> dict[str, Any]:
    size = sum(path.stat().st_size for path in directory.iterdir())
    return {
        "format": 1,
        "models": asked.models,
        "files": files,
        "input_mib": round(size / 2**20, 2),
        "runs": asked.runs,
    }


def _machine(load_before: tuple[float, float, float]) -> dict[str, Any]:
    return {
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
            "load": {"before": round(load_before[0], 2), "after": round(os.getloadavg()[0], 2)},
        },
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def _found(bench: Bench, models: int) -> dict[str, Any]:
    floor, *others = bench.measures.items()
    measures = {floor[0]: floor[1].summary()}
    measures |= {name: measure.summary(floor[1]) for name, measure in others}
    start_up, imported = bench.start_up(HELP_RUNS)
    return {
        "rows": bench.row_counts,
        "measures": measures,
        "start_up": start_up.summary() | {"heavy_imports": sorted(imported & HEAVY)},
        "limits": _limits(models, measures["first_apply"], imported),
    }


def _limits(models: int, first_apply: dict[str, Any], imported: frozenset[str]) -> list[dict[str, Any]]:
    """What is asked of a first apply, and what was found; a slow machine fails nothing."""
    ratio, peak = first_apply["times_floor"]["median"], first_apply["peak_mib"]["max"]
    unwanted = sorted(imported & NEVER_AT_START)
    return [
        figures.limit("first_apply.times_floor", LARGEST_RATIO.get(models), ratio),
        figures.limit("first_apply.peak_mib", LARGEST_PEAK.get(models), peak),
        {
            "of": "start_up.heavy_imports",
            "without": sorted(NEVER_AT_START),
            "found": unwanted,
            "met": not unwanted,
        },
    ]


if __name__ == "__main__":
    main()
