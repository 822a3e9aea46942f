"""From single runs to figures: what one process took, medians with their spread, ratios within a round."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

STOPWATCH = Path(__file__).with_name("stopwatch.py")


class Took(NamedTuple):
    """What one process took, in milliseconds and MiB, its answer and its story."""

    wall: float
    user: float
    system: float
    peak: float
    answer: str
    story: str


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is run once a round.

    Attributes:
        command: What it is, as a person would type it.
        runs: What it took, one a round.
        stages: What it said about its own stages, in milliseconds, one a round.
    """

    command: str
    runs: list[Took] = field(default_factory=list)
    stages: list[Mapping[str, float]] = field(default_factory=list)

    def summary(self, floor: Measure | None = None) -> dict[str, Any]:
        """Medians with their spread; ratios are of two processes of one round, because machines drift.

        `of_least` is the ratio of the two fastest, which is steadier where others use the machine too.
        """
        walls = [took.wall for took in self.runs]
        found: dict[str, Any] = {
            "command": self.command,
            "wall_ms": spread(walls),
            "user_ms": spread([took.user for took in self.runs]),
            "system_ms": spread([took.system for took in self.runs]),
            "peak_mib": spread([took.peak for took in self.runs]),
        }
        if floor is not None:
            ratios = [wall / least.wall for wall, least in zip(walls, floor.runs, strict=True)]
            least = min(walls) / min(took.wall for took in floor.runs)
            found["times_floor"] = {**spread(ratios, digits=2), "of_least": round(least, 2)}
        names = dict.fromkeys(name for stages in self.stages for name in stages)
        found["stages_ms"] = {
            name: spread([stages[name] for stages in self.stages if name in stages]) for name in names
        }
        return found


def spread(values: Sequence[float], *, digits: int = 1) -> dict[str, float]:
    """The median, the least and the most.

    >>> spread([3, 1, 2])
    {'median': 2, 'min': 1, 'max': 3}
    """
    found = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def limit(of: str, at_most: float | None, found: float) -> dict[str, Any]:
    """What was found of something beside what is asked; `None` where nothing is."""
    return {
        "of": of,
        "at_most": at_most,
        "found": found,
        "met": None if at_most is None else found <= at_most,
    }


def tell(message: str) -> None:
    """Say on standard error how far it is."""
    print(message, file=sys.stderr, flush=True)


def run(words: Sequence[str], *, environment: Mapping[str, str], folder: Path) -> Took:
    """Run one command in a folder, by the stopwatch.

    Raises:
        SystemExit: The command failed, so that there is nothing to measure.
    """
    note = folder / "took.json"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(STOPWATCH), str(note), *words],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if ran.returncode != 0:
        raise SystemExit(f"{' '.join(words)} exited with {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr}")
    took = json.loads(note.read_text(encoding="utf-8"))
    seconds = (took[name] * 1000 for name in ("wall", "user", "system"))
    return Took(*seconds, peak=took["peak"] / 2**20, answer=ran.stdout, story=ran.stderr)
